//! What scripts do in a group, and the groups that they make: as it is named there, and as an operation.

use muster::model::command::{CreateGroup, GroupEdit, Imported, MemberEdit};
use muster::model::{
    CustomFields, FieldChanges, GroupId, InviteOption, JoinOption, NewMember, Operation, Role,
    UserId,
};

use super::kinds::Kind;
use super::ops::{ADMINISTRATOR, Who, group_id, once, person};
use super::world::{World, moment};

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

/// Where a group comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    Here,
    Elsewhere,
    /// Made elsewhere so many seconds from now.
    ElsewhereAt(i8),
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
    pub(super) origin: Origin,
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
    pub(super) fn command(&self, world: &World) -> (UserId, Operation) {
        let by = self.by.find(world, None);
        let owner =
            if by.as_str() == ADMINISTRATOR { self.owner.map(person) } else { Some(by.clone()) };
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
            imported: match self.origin {
                Origin::Here => None,
                Origin::Elsewhere => Some(Imported { created_at: None }),
                Origin::ElsewhereAt(at) => Some(Imported { created_at: Some(made(at)) }),
            },
        }));
        (by, operation)
    }
}

impl What {
    /// The operation that this is in a group; `by` is who does it.
    pub(super) fn operation(&self, world: &World, group: GroupId, by: &UserId) -> Operation {
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
                let edit = Box::new(member_edit(*role, *card, *mute, fields));
                Operation::EditMember { user: one(whom), group, edit }
            }
            Self::Himself { role, card, mute, fields } => {
                let edit = Box::new(member_edit(*role, *card, *mute, fields));
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
) -> MemberEdit {
    let said = |number| if number == 0 { String::new() } else { format!("card {number}") };
    let name_card = card.map(said);
    MemberEdit { role, name_card, mute_seconds, custom_fields: changes(fields) }
}
