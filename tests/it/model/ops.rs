//! Operations as scripts name them: people by their part ("the owner", "a member") or by number, so that
//! most of them can succeed. Against a world as it is, each becomes a command.

use muster::model::command::{CreateGroup, GroupEdit, UserEdit};
use muster::model::{
    ApplicationId, Caller, Command, CustomFields, GroupId, GroupType, InviteConsent, InviteOption,
    JoinOption, NewMember, Operation, Role, UserId,
};
use proptest::sample::Index;

use super::world::World;

pub(super) const PEOPLE: usize = 8;
pub(super) const GROUPS: usize = 4;
const ADMINISTRATOR: &str = "administrator";

/// Somebody who acts or is named.
#[derive(Clone, Debug)]
pub(super) enum Who {
    /// One of all.
    Person(usize),
    /// The group's owner.
    Owner,
    /// One of the group's members.
    Member(Index),
    /// The app administrator.
    Administrator,
}

/// Which application.
#[derive(Clone, Debug)]
pub(super) enum Which {
    /// One of those that are open.
    Open(Index),
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
    Create {
        by: Who,
        owner: Option<usize>,
        group: usize,
        group_type: GroupType,
        join: Option<JoinOption>,
        invite: Option<InviteOption>,
        cap: Option<i32>,
        members: Vec<(usize, bool)>,
    },
    Edit {
        by: Who,
        group: usize,
        name: Option<u8>,
        join: Option<JoinOption>,
        invite: Option<InviteOption>,
        cap: Option<i32>,
    },
    Dismiss {
        by: Who,
        group: usize,
    },
    Invite {
        by: Who,
        group: usize,
        users: Vec<Who>,
    },
    Join {
        by: Who,
        group: usize,
    },
    Quit {
        by: Who,
        group: usize,
    },
    Kick {
        by: Who,
        group: usize,
        users: Vec<Who>,
        ban: Option<u32>,
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

fn person(number: usize) -> UserId {
    UserId::from_stored(&format!("u{number}"))
}

fn group_id(number: usize) -> GroupId {
    GroupId::from_stored(&format!("g{number}"))
}

impl Who {
    fn find(&self, world: &World, group: Option<&GroupId>) -> UserId {
        let room = group.and_then(|group| world.rooms.get(group));
        match self {
            Self::Person(number) => person(*number),
            Self::Administrator => UserId::from_stored(ADMINISTRATOR),
            Self::Owner => room.and_then(|room| room.owner.clone()).unwrap_or_else(|| person(0)),
            Self::Member(index) => match room.map(|room| &room.members) {
                Some(members) if !members.is_empty() => {
                    index.get(&members.keys().cloned().collect::<Vec<_>>()).clone()
                }
                _ => person(index.index(PEOPLE)),
            },
        }
    }
}

fn caller(user: UserId) -> Caller {
    let administrator = user.as_str() == ADMINISTRATOR;
    Caller { user, administrator }
}

/// Each once, at its first place, as both faces do it.
fn once(users: impl Iterator<Item = UserId>) -> Vec<UserId> {
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
            Self::Open(index) => {
                let mut open: Vec<Chosen> = world
                    .rooms
                    .iter()
                    .flat_map(|(group, room)| {
                        room.waiting.iter().map(|(subject, waiting)| Chosen {
                            id: waiting.id.expect("an id"),
                            group: group.clone(),
                            subject: subject.clone(),
                            from: waiting.from.clone(),
                        })
                    })
                    .collect();
                let place = index.index(open.len().max(1));
                (place < open.len()).then(|| open.swap_remove(place))
            }
        }
    }
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
            Self::Create { .. } => self.creation(world)?,
            Self::Edit { by, group, name, join, invite, cap } => {
                let group = group_id(*group);
                let edit = Box::new(GroupEdit {
                    name: name.map(|number| format!("name {number}")),
                    join_option: *join,
                    invite_option: *invite,
                    max_members: *cap,
                    ..GroupEdit::default()
                });
                (by.find(world, Some(&group)), Operation::EditGroup { group, edit })
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
            _ => self.in_a_group(world)?,
        };
        Some(Command { caller: caller(user), operation, idempotency: None })
    }

    fn in_a_group(&self, world: &World) -> Option<(UserId, Operation)> {
        let (Self::Dismiss { by, group }
        | Self::Join { by, group }
        | Self::Quit { by, group }
        | Self::Invite { by, group, .. }
        | Self::Kick { by, group, .. }) = self
        else {
            return None;
        };
        let group = group_id(*group);
        let by = by.find(world, Some(&group));
        let find = |users: &[Who]| once(users.iter().map(|who| who.find(world, Some(&group))));
        let operation = match self {
            Self::Dismiss { .. } => Operation::Dismiss { group },
            Self::Join { .. } => Operation::Join { group, message: String::new() },
            Self::Invite { users, .. } => {
                Operation::Invite { users: find(users), group, silent: false }
            }
            Self::Kick { users, ban, .. } => Operation::Kick {
                users: find(users),
                group,
                reason: String::new(),
                ban_seconds: *ban,
                silent: false,
            },
            _ => Operation::Quit { group },
        };
        Some((by, operation))
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

    fn creation(&self, world: &World) -> Option<(UserId, Operation)> {
        let Self::Create { by, owner, group, group_type, join, invite, cap, members } = self else {
            return None;
        };
        let by = by.find(world, None);
        let is_administrator = by.as_str() == ADMINISTRATOR;
        let owner = if is_administrator { owner.map(person) } else { Some(by.clone()) };
        let named = once(members.iter().map(|(number, _)| person(*number)));
        let role = |user: &UserId| {
            let admin = members.iter().any(|(number, admin)| *admin && person(*number) == *user);
            if admin { Role::Admin } else { Role::Member }
        };
        let operation = Operation::CreateGroup(Box::new(CreateGroup {
            group: group_id(*group),
            group_type: *group_type,
            own_type: None,
            name: "name 0".to_owned(),
            introduction: String::new(),
            notification: String::new(),
            face_url: String::new(),
            owner,
            join_option: *join,
            invite_option: *invite,
            max_members: *cap,
            members: named
                .iter()
                .map(|user| NewMember::with_role(user.clone(), role(user)))
                .collect(),
            custom_fields: CustomFields::new(),
            lenient: false,
            imported: None,
        }));
        Some((by, operation))
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
