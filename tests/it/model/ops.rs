//! Operations as scripts name them: people by their part ("the owner", "a member") or by number, so that
//! most of them can succeed. Against a world as it is, each becomes a command.

use std::collections::BTreeMap;

use muster::model::command::UserEdit;
use muster::model::{
    ApplicationId, Caller, Command, GroupId, InviteConsent, Operation, Role, UserId,
};
use proptest::sample::Index;

use super::deeds::{Create, What};
use super::world::{Room, World};

pub(super) const PEOPLE: usize = 8;
pub(super) const GROUPS: usize = 4;
pub(super) const ADMINISTRATOR: &str = "administrator";

/// Somebody who acts or is named.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// One of all.
    Person(usize),
    /// The group's owner.
    Owner,
    /// One of the group's members.
    Member(Index),
    /// One of the group's admins.
    Admin(Index),
    /// One of those who were muted in the group, members or not.
    Quiet(Index),
    /// One of those who were banned from the group.
    Banned(Index),
    /// The app administrator.
    Administrator,
}

/// Which application.
#[derive(Clone, Debug)]
pub(super) enum Which {
    /// One of those that are open.
    Open(Index),
    /// The one that was opened last.
    Newest,
    /// One of those that came to an end.
    Past(Index),
    /// None that ever was.
    Unknown,
}

/// Who decides an application.
#[derive(Clone, Debug)]
pub(super) enum Decider {
    /// The person it is about.
    Subject,
    /// Who asked.
    Asker,
    /// Anybody else.
    Other(Who),
}

/// A user's own limit on groups.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// The setting's.
    Setting,
    /// His own.
    Own(i32),
}

impl Limit {
    fn value(self) -> Option<i32> {
        match self {
            Self::Setting => None,
            Self::Own(limit) => Some(limit),
        }
    }
}

/// An operation, or time that passes.
#[derive(Clone, Debug)]
pub(super) enum Op {
    /// Some accounts are imported; the others are made later, or by being named.
    Import(Vec<Option<InviteConsent>>),
    Create(Box<Create>),
    In {
        by: Who,
        group: usize,
        what: What,
    },
    Decide {
        by: Decider,
        which: Which,
        accept: bool,
    },
    Expire {
        which: Which,
    },
    Release {
        group: usize,
    },
    PutUser {
        by: Who,
        user: usize,
        consent: Option<InviteConsent>,
        limit: Option<Limit>,
    },
    Wait(u8),
}

pub(super) fn person(number: usize) -> UserId {
    UserId::from_stored(&format!("u{number}"))
}

pub(super) fn group_id(number: usize) -> GroupId {
    GroupId::from_stored(&format!("g{number}"))
}

impl Who {
    pub(super) fn find(&self, world: &World, group: Option<&GroupId>) -> UserId {
        let room = group.and_then(|group| world.rooms.get(group));
        match self {
            Self::Person(number) => person(*number),
            Self::Administrator => UserId::from_stored(ADMINISTRATOR),
            Self::Owner => room.and_then(|room| room.owner.clone()).unwrap_or_else(|| person(0)),
            Self::Member(index) => one_of(*index, room.map(|room| &room.members)),
            Self::Admin(index) => {
                let admins = room.map(|room| {
                    let all = room.members.iter().filter(|(_, seat)| seat.role == Role::Admin);
                    all.map(|(user, _)| (user.clone(), ())).collect()
                });
                one_of(*index, admins.as_ref())
            }
            Self::Quiet(index) => one_of(*index, room.map(|room| &room.quiet)),
            Self::Banned(index) => one_of(*index, room.map(|room| &room.banned)),
        }
    }
}

/// One of those whom a table is about, or anybody if there are none.
fn one_of<T>(index: Index, table: Option<&BTreeMap<UserId, T>>) -> UserId {
    match table {
        Some(table) if !table.is_empty() => {
            table.keys().nth(index.index(table.len())).expect("one of them").clone()
        }
        _ => person(index.index(PEOPLE)),
    }
}

fn caller(user: UserId) -> Caller {
    let administrator = user.as_str() == ADMINISTRATOR;
    Caller { user, administrator }
}

/// Each once, at its first place, as both faces do it.
pub(super) fn once(users: impl Iterator<Item = UserId>) -> Vec<UserId> {
    let mut found: Vec<UserId> = Vec::new();
    for user in users {
        if !found.contains(&user) {
            found.push(user);
        }
    }
    found
}

/// An application and what never changes of it.
struct Chosen {
    id: ApplicationId,
    group: GroupId,
    subject: UserId,
    from: UserId,
}

impl Which {
    /// None if there is none of the kind.
    fn find(&self, world: &World) -> Option<Chosen> {
        match self {
            Self::Unknown => Some(Chosen {
                id: ApplicationId::nil(),
                group: group_id(0),
                subject: person(0),
                from: person(1),
            }),
            Self::Past(index) => {
                let past: Vec<_> = world.past.iter().collect();
                let (id, (group, _, subject)) = *past.get(index.index(past.len().max(1)))?;
                let (group, subject) = (group.clone(), subject.clone());
                Some(Chosen { id: *id, group, from: subject.clone(), subject })
            }
            Self::Newest => open(world).into_iter().max_by_key(|chosen| chosen.id),
            Self::Open(index) => {
                let mut open = open(world);
                let place = index.index(open.len().max(1));
                (place < open.len()).then(|| open.swap_remove(place))
            }
        }
    }
}

fn open(world: &World) -> Vec<Chosen> {
    let of_room = |(group, room): (&GroupId, &Room)| -> Vec<Chosen> {
        let all = room.waiting.iter().map(|(subject, waiting)| Chosen {
            id: waiting.id.expect("an id"),
            group: group.clone(),
            subject: subject.clone(),
            from: waiting.from.clone(),
        });
        all.collect()
    };
    world.rooms.iter().flat_map(of_room).collect()
}

impl Op {
    /// The command that this is in a world as it is; none when only time passes.
    pub(super) fn command(&self, world: &World) -> Option<Command> {
        let (user, operation) = match self {
            Self::Wait(_) => return None,
            Self::Import(people) => {
                let edit = |consent| UserEdit { invite_consent: consent, ..UserEdit::default() };
                let some = people.iter().enumerate().filter(|(_, consent)| consent.is_some());
                let users = some.map(|(number, consent)| (person(number), edit(*consent)));
                let operation = Operation::ImportUsers { users: users.collect() };
                (UserId::from_stored(ADMINISTRATOR), operation)
            }
            Self::Create(create) => create.command(world),
            Self::In { by, group, what } => {
                let group = group_id(*group);
                let by = by.find(world, Some(&group));
                let operation = what.operation(world, group, &by);
                (by, operation)
            }
            Self::PutUser { by, user, consent, limit } => {
                let user = person(*user);
                let by = if let Who::Owner = by { user.clone() } else { by.find(world, None) };
                let edit = Box::new(UserEdit {
                    invite_consent: *consent,
                    group_limit: limit.map(Limit::value),
                    ..UserEdit::default()
                });
                (by, Operation::PutUser { user, edit })
            }
            Self::Decide { .. } | Self::Expire { .. } => self.decision(world)?,
            Self::Release { group } => {
                let operation = Operation::Release { group: group_id(*group) };
                (UserId::from_stored(ADMINISTRATOR), operation)
            }
        };
        Some(Command { caller: caller(user), operation, idempotency: None })
    }

    fn decision(&self, world: &World) -> Option<(UserId, Operation)> {
        let (Self::Decide { which, .. } | Self::Expire { which }) = self else { return None };
        let Chosen { id, group, subject, from } = which.find(world)?;
        let application = id;
        if let Self::Decide { by, accept, .. } = self {
            let by = match by {
                Decider::Subject => subject.clone(),
                Decider::Asker => from.clone(),
                Decider::Other(who) => who.find(world, Some(&group)),
            };
            let (accept, message) = (*accept, String::new());
            let operation =
                Operation::Decide { group, application, subject, from_user: from, accept, message };
            return Some((by, operation));
        }
        let operation = Operation::Expire { group, application, subject, from_user: from };
        Some((UserId::from_stored("muster"), operation))
    }
}

/// Operations in order, each with whether it may go into one batch with the next. Shown one a line.
#[derive(Clone)]
pub(super) struct Script(pub(super) Vec<(Op, bool)>);

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (op, with_the_next) in &self.0 {
            write!(f, "\n    {op:?}{}", if *with_the_next { ", in one batch with" } else { "" })?;
        }
        Ok(())
    }
}
