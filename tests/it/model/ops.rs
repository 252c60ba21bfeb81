//! Operations as scripts name them: people by their part ("the owner", "a member") or by number, so that
//! most of them can succeed. Against a world as it is, each becomes a command.

use std::collections::BTreeMap;

use muster::model::command::{CreateGroup, GroupEdit, Imported, MemberEdit, UserEdit};
use muster::model::{
    ApplicationId, Caller, Command, CustomFields, FieldChanges, GroupId, InviteConsent,
    InviteOption, JoinOption, NewMember, Operation, Role, UserId,
};
use proptest::sample::Index;

use super::kinds::Kind;
use super::world::{World, moment};

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

/// Fields that change: a key, and its new value. No value and an empty one both take it away.
pub(super) type Fields = Vec<(u8, Option<u8>)>;

/// A member who is named with more than his id.
#[derive(Clone, Debug)]
pub(super) struct Named {
    pub(super) user: usize,
    pub(super) admin: bool,
    /// When he joined elsewhere, in seconds from now.
    pub(super) joined: Option<i8>,
    pub(super) fields: Fields,
}

/// A group to be made.
#[derive(Clone, Debug)]
pub(super) struct Create {
    pub(super) by: Who,
    pub(super) owner: Option<usize>,
    pub(super) group: usize,
    pub(super) kind: Kind,
    pub(super) join: Option<JoinOption>,
    pub(super) invite: Option<InviteOption>,
    pub(super) cap: Option<i32>,
    pub(super) members: Vec<Named>,
    pub(super) fields: Fields,
    /// Whether it comes from elsewhere, and when it was made there, in seconds from now.
    pub(super) imported: Option<Option<i8>>,
    pub(super) lenient: bool,
}

/// What somebody does in a group.
#[derive(Clone, Debug)]
pub(super) enum What {
    Edit {
        /// Which of the four texts, and what it says.
        text: Option<(usize, u8)>,
        join: Option<JoinOption>,
        invite: Option<InviteOption>,
        cap: Option<i32>,
        mute_all: Option<bool>,
        fields: Fields,
    },
    Dismiss,
    Invite(Vec<Who>, bool),
    Join,
    Quit,
    Kick(Vec<Who>, Option<u32>, u8),
    Member {
        whom: Who,
        role: Option<Role>,
        card: Option<u8>,
        mute: Option<u32>,
        fields: Fields,
    },
    /// The same, of oneself.
    Himself {
        role: Option<Role>,
        card: Option<u8>,
        mute: Option<u32>,
        fields: Fields,
    },
    Mute(Vec<Who>, u32),
    Transfer(Who),
    Ban(Vec<Who>, Option<u32>, u8),
    Unban(Vec<Who>),
    Import(Vec<Named>),
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
            Self::Member(index) => one_of(index, room.map(|room| &room.members)),
            Self::Banned(index) => one_of(index, room.map(|room| &room.banned)),
        }
    }
}

/// One of those whom a table is about, or anybody if there are none.
fn one_of<T>(index: &Index, table: Option<&BTreeMap<UserId, T>>) -> UserId {
    match table {
        Some(table) if !table.is_empty() => {
            table.keys().nth(index.index(table.len())).expect("one of them").clone()
        }
        _ => person(index.index(PEOPLE)),
    }
}

fn changes(fields: &Fields) -> FieldChanges {
    let value = |value: &u8| if *value == 0 { String::new() } else { format!("value {value}") };
    fields.iter().map(|(key, new)| (format!("key_{key}"), new.as_ref().map(value))).collect()
}

/// Fields to begin with: those that have a value.
fn beginning(fields: &Fields) -> CustomFields {
    let set = changes(fields).into_iter().filter_map(|(key, value)| Some((key, value?)));
    set.filter(|(_, value)| !value.is_empty()).collect()
}

fn reason(number: u8) -> String {
    if number == 0 { String::new() } else { format!("reason {number}") }
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

impl Named {
    fn member(&self, world: &World) -> NewMember {
        NewMember {
            user: person(self.user),
            role: if self.admin { Role::Admin } else { Role::Member },
            joined_at: self.joined.map(|seconds| moment(world.now + i64::from(seconds))),
            custom_fields: beginning(&self.fields),
        }
    }
}

/// Each once, at its first place.
fn members(named: &[Named], world: &World) -> Vec<NewMember> {
    let mut found: Vec<NewMember> = Vec::new();
    for one in named.iter().map(|one| one.member(world)) {
        if !found.iter().any(|other| other.user == one.user) {
            found.push(one);
        }
    }
    found
}

impl Create {
    fn command(&self, world: &World) -> (UserId, Operation) {
        let by = self.by.find(world, None);
        let is_administrator = by.as_str() == ADMINISTRATOR;
        let owner = if is_administrator { self.owner.map(person) } else { Some(by.clone()) };
        let made = |seconds: i8| moment(world.now + i64::from(seconds));
        let operation = Operation::CreateGroup(Box::new(CreateGroup {
            group: group_id(self.group),
            group_type: self.kind.base(),
            own_type: self.kind.own().map(Into::into),
            name: "text 0".to_owned(),
            introduction: "text 1".to_owned(),
            notification: String::new(),
            face_url: String::new(),
            owner,
            join_option: self.join,
            invite_option: self.invite,
            max_members: self.cap,
            members: members(&self.members, world),
            custom_fields: beginning(&self.fields),
            lenient: self.lenient,
            imported: self.imported.map(|at| Imported { created_at: at.map(made) }),
        }));
        (by, operation)
    }
}

impl What {
    /// The operation that this is in a group; `by` is who does it.
    fn operation(&self, world: &World, group: GroupId, by: &UserId) -> Operation {
        let one = |who: &Who| who.find(world, Some(&group));
        let find = |users: &[Who]| once(users.iter().map(one));
        match self {
            Self::Edit { text, join, invite, cap, mute_all, fields } => {
                let text = |place| {
                    text.filter(|(which, _)| *which == place)
                        .map(|(_, said)| format!("text {said}"))
                };
                let edit = Box::new(GroupEdit {
                    name: text(0),
                    introduction: text(1),
                    notification: text(2),
                    face_url: text(3),
                    join_option: *join,
                    invite_option: *invite,
                    max_members: *cap,
                    mute_all: *mute_all,
                    custom_fields: changes(fields),
                });
                Operation::EditGroup { group, edit }
            }
            Self::Dismiss => Operation::Dismiss { group },
            Self::Invite(users, silent) => {
                Operation::Invite { users: find(users), group, silent: *silent }
            }
            Self::Join => Operation::Join { group, message: String::new() },
            Self::Quit => Operation::Quit { group },
            Self::Kick(users, ban, why) => Operation::Kick {
                users: find(users),
                group,
                reason: reason(*why),
                ban_seconds: *ban,
                silent: *why == 1,
            },
            Self::Member { whom, role, card, mute, fields } => {
                let edit = member_edit(*role, *card, *mute, fields);
                Operation::EditMember { user: one(whom), group, edit }
            }
            Self::Himself { role, card, mute, fields } => {
                let edit = member_edit(*role, *card, *mute, fields);
                Operation::EditMember { user: by.clone(), group, edit }
            }
            Self::Mute(users, seconds) => {
                Operation::Mute { users: find(users), group, seconds: *seconds }
            }
            Self::Transfer(to) => Operation::Transfer { to: one(to), group },
            Self::Ban(users, seconds, why) => Operation::Ban {
                users: find(users),
                group,
                seconds: *seconds,
                reason: reason(*why),
            },
            Self::Unban(users) => Operation::Unban { users: find(users), group },
            Self::Import(named) => {
                Operation::ImportMembers { group, members: members(named, world) }
            }
        }
    }
}

fn member_edit(
    role: Option<Role>,
    card: Option<u8>,
    mute_seconds: Option<u32>,
    fields: &Fields,
) -> Box<MemberEdit> {
    let said = |number| if number == 0 { String::new() } else { format!("card {number}") };
    let name_card = card.map(said);
    Box::new(MemberEdit { role, name_card, mute_seconds, custom_fields: changes(fields) })
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
