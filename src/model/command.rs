//! Commands: everything that can change a group, a membership or an account, and what is answered.
//!
//! Both faces decode their own words into these, so that no permission, limit or transition is decided
//! in a face. Replies are serialisable because the reply of a call with an idempotency key is stored
//! in the transaction of its change.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Moment;
use super::attributes::AttributeChange;
use super::fields::{CustomFields, FieldChanges};
use super::group::{GroupType, InviteOption, JoinOption, Role};
use super::id::{ApplicationId, GroupId, UserId};
use super::member::NewMember;
use super::outcome::MemberOutcome;
use super::user::InviteConsent;

/// Who asks. Only `auth` makes one, from a credential that it verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// Whether he is an app administrator: above owners, without need of a membership.
    pub administrator: bool,
}

/// What makes a repeated call recognisable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// SHA-256 over caller, method, path, query and key.
    pub scope: [u8; 32],
    /// SHA-256 over the body.
    pub body: [u8; 32],
}

/// An operation, who wants it, and how a repetition is recognised.
#[derive(Clone, Debug)]
pub struct Command {
    /// Who asks.
    pub caller: Caller,
    /// What he wants.
    pub operation: Operation,
    /// Set when the caller sent an idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

/// What can be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Make a group with its first members.
    CreateGroup(Box<CreateGroup>),
    /// Change profile or options.
    EditGroup {
        /// The group.
        group: GroupId,
        /// What changes.
        edit: Box<GroupEdit>,
    },
    /// Change a group's attributes.
    SetAttributes {
        /// The group.
        group: GroupId,
        /// What changes.
        change: AttributeChange,
    },
    /// End a group.
    Dismiss {
        /// The group.
        group: GroupId,
    },
    /// Bring people in: `inviteUserToGroup`.
    Invite {
        /// The group.
        group: GroupId,
        /// Whom, without repetitions, in the order of the call.
        users: Vec<UserId>,
        /// Mark the event so that clients show nothing.
        silent: bool,
    },
    /// Enter by oneself, or apply.
    Join {
        /// The group.
        group: GroupId,
        /// What the applicant says to those who decide.
        message: String,
    },
    /// Leave.
    Quit {
        /// The group.
        group: GroupId,
    },
    /// Remove people, and ban them if asked.
    Kick {
        /// The group.
        group: GroupId,
        /// Whom, without repetitions, in the order of the call.
        users: Vec<UserId>,
        /// Why, for people.
        reason: String,
        /// For how long they may not come back.
        ban_seconds: Option<u32>,
        /// Mark the event so that clients show nothing.
        silent: bool,
    },
    /// Change a member's role, name card, mute or fields: all or nothing.
    EditMember {
        /// The group.
        group: GroupId,
        /// Whose.
        user: UserId,
        /// What changes.
        edit: Box<MemberEdit>,
    },
    /// Keep members from speaking for a time, or let them again.
    Mute {
        /// The group.
        group: GroupId,
        /// Whom, without repetitions, in the order of the call.
        users: Vec<UserId>,
        /// For how long; 0 lifts a mute, [`FOREVER`] never ends.
        seconds: u32,
    },
    /// Make another member the owner.
    Transfer {
        /// The group.
        group: GroupId,
        /// The new owner.
        to: UserId,
    },
    /// Keep people out, and remove those who are members.
    Ban {
        /// The group.
        group: GroupId,
        /// Whom, without repetitions, in the order of the call.
        users: Vec<UserId>,
        /// For how long; `None` is until it is lifted.
        seconds: Option<u32>,
        /// Why, for people.
        reason: String,
    },
    /// Let banned people come back.
    Unban {
        /// The group.
        group: GroupId,
        /// Whom, without repetitions, in the order of the call.
        users: Vec<UserId>,
    },
    /// Bring in members of a group that comes from elsewhere, with their roles and times.
    ImportMembers {
        /// The group.
        group: GroupId,
        /// Whom, without repetitions, in the order of the call.
        members: Vec<NewMember>,
    },
    /// Accept or refuse an application.
    Decide {
        /// The group of the application.
        group: GroupId,
        /// The application.
        application: ApplicationId,
        /// Who would become a member, as the application says. It never changes.
        subject: UserId,
        /// Who asked, as the application says. It never changes.
        from_user: UserId,
        /// Yes or no.
        accept: bool,
        /// What the decider says.
        message: String,
    },
    /// The server's own: end an application whose time is over.
    Expire {
        /// The group of the application.
        group: GroupId,
        /// The application.
        application: ApplicationId,
        /// Who would have become a member.
        subject: UserId,
        /// Who asked.
        from_user: UserId,
    },
    /// The server's own: release members and applications that a dismissal left behind.
    Release {
        /// The dismissed group.
        group: GroupId,
    },
    /// Make or change an account.
    PutUser {
        /// The account.
        user: UserId,
        /// What changes.
        edit: Box<UserEdit>,
    },
    /// Make accounts, or refresh their profiles.
    ImportUsers {
        /// The accounts, without repetitions.
        users: Vec<(UserId, UserEdit)>,
    },
    /// Make all credentials worthless that an account has by now.
    RevokeCredentials {
        /// The account.
        user: UserId,
    },
    /// End an account. Its memberships and applications end afterwards, by [`Operation::Depart`].
    DeleteUser {
        /// The account.
        user: UserId,
    },
    /// The server's own: end what an account that is being deleted has in a group.
    Depart {
        /// The group.
        group: GroupId,
        /// The account.
        user: UserId,
    },
    /// The server's own: forget a deleted account that has nothing left anywhere, so that its id is free.
    ForgetUser {
        /// The account.
        user: UserId,
    },
}

/// A group to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateGroup {
    /// The id: the caller's choice or made by the server.
    pub group: GroupId,
    /// The type, or the one that its own type is based on.
    pub group_type: GroupType,
    /// The word of its type when the operator defined it.
    pub own_type: Option<Arc<str>>,
    /// The name.
    pub name: String,
    /// A text about the group.
    pub introduction: String,
    /// An announcement.
    pub notification: String,
    /// The address of a picture.
    pub face_url: String,
    /// Who owns it; `None` for an ownerless group (an administrator's).
    pub owner: Option<UserId>,
    /// Who may enter by himself; `None` for the type's default.
    pub join_option: Option<JoinOption>,
    /// Who may bring in others; `None` for the type's default.
    pub invite_option: Option<InviteOption>,
    /// Most members; `None` for the type's default.
    pub max_members: Option<i32>,
    /// Fields of the app's own.
    pub custom_fields: CustomFields,
    /// Its first members, without repetitions.
    pub members: Vec<NewMember>,
    /// Whether options that the type fixes are ignored (Tencent's manner) rather than refused.
    pub lenient: bool,
    /// Set when the group comes from elsewhere: nobody is shown anything, and it may be older than now.
    pub imported: Option<Imported>,
}

/// What is said of a group that comes from elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// When it was made there; `None` is now.
    pub created_at: Option<Moment>,
}

/// Changes of a group; absent is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupEdit {
    /// The name.
    pub name: Option<String>,
    /// A text about the group.
    pub introduction: Option<String>,
    /// An announcement.
    pub notification: Option<String>,
    /// The address of a picture.
    pub face_url: Option<String>,
    /// Who may enter by himself.
    pub join_option: Option<JoinOption>,
    /// Who may bring in others.
    pub invite_option: Option<InviteOption>,
    /// Most members.
    pub max_members: Option<i32>,
    /// Whether only owner and admins may speak.
    pub mute_all: Option<bool>,
    /// Fields of the app's own that change.
    pub custom_fields: FieldChanges,
}

/// Changes of a member; absent is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberEdit {
    /// His role: admin or ordinary member.
    pub role: Option<Role>,
    /// His name in the group.
    pub name_card: Option<String>,
    /// For how many seconds he may not speak; 0 lifts a mute, [`FOREVER`] never ends.
    pub mute_seconds: Option<u32>,
    /// Fields of the app's own that change.
    pub custom_fields: FieldChanges,
}

/// The number of seconds that stands for a mute without an end.
pub const FOREVER: u32 = u32::MAX;

impl GroupEdit {
    /// Whether it asks for more than the texts that people read.
    #[must_use]
    pub fn touches_options(&self) -> bool {
        self.join_option.is_some() || self.invite_option.is_some() || self.max_members.is_some()
    }

    /// Whether it changes a text that people read.
    #[must_use]
    pub fn touches_profile(&self) -> bool {
        self.name.is_some()
            || self.introduction.is_some()
            || self.notification.is_some()
            || self.face_url.is_some()
            || !self.custom_fields.is_empty()
    }
}

/// Changes of an account; absent is unchanged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserEdit {
    /// The name shown.
    pub nick_name: Option<String>,
    /// The address of a picture.
    pub face_url: Option<String>,
    /// What an invitation means to him.
    pub invite_consent: Option<InviteConsent>,
    /// His own limit on groups; `Some(None)` follows the setting again.
    pub group_limit: Option<Option<i32>>,
}

/// What the operation did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// A group was made.
    Created {
        /// Its id.
        group: GroupId,
        /// What became of each initial member.
        members: Vec<MemberOutcome>,
    },
    /// Each named person's line, in the order of the call.
    Members(Vec<MemberOutcome>),
    /// The caller, or the application's subject, is a member now.
    Joined,
    /// Somebody has to agree first.
    Pending,
    /// Done; there is nothing more to say.
    Done,
    /// The server's own work is not finished: call again.
    More,
}

impl Operation {
    /// The group whose lane the operation belongs to.
    #[must_use]
    pub fn group(&self) -> Option<&GroupId> {
        match self {
            Self::CreateGroup(create) => Some(&create.group),
            Self::EditGroup { group, .. }
            | Self::SetAttributes { group, .. }
            | Self::Dismiss { group }
            | Self::Invite { group, .. }
            | Self::Join { group, .. }
            | Self::Quit { group }
            | Self::Kick { group, .. }
            | Self::EditMember { group, .. }
            | Self::Mute { group, .. }
            | Self::Transfer { group, .. }
            | Self::Ban { group, .. }
            | Self::Unban { group, .. }
            | Self::ImportMembers { group, .. }
            | Self::Decide { group, .. }
            | Self::Expire { group, .. }
            | Self::Release { group }
            | Self::Depart { group, .. } => Some(group),
            Self::PutUser { .. }
            | Self::ImportUsers { .. }
            | Self::RevokeCredentials { .. }
            | Self::DeleteUser { .. }
            | Self::ForgetUser { .. } => None,
        }
    }

    /// How many people it names, as the measure of its size.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Self::CreateGroup(create) => 1 + create.members.len(),
            Self::Invite { users, .. }
            | Self::Kick { users, .. }
            | Self::Mute { users, .. }
            | Self::Ban { users, .. }
            | Self::Unban { users, .. } => users.len(),
            Self::ImportMembers { members, .. } => members.len(),
            Self::ImportUsers { users } => users.len(),
            Self::Dismiss { .. } | Self::Release { .. } => 1_000,
            _ => 1,
        }
    }

    /// The name that metrics and logs use.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateGroup(_) => "create",
            Self::EditGroup { .. } => "edit",
            Self::SetAttributes { .. } => "set_attributes",
            Self::Dismiss { .. } => "dismiss",
            Self::Invite { .. } => "invite",
            Self::Join { .. } => "join",
            Self::Quit { .. } => "quit",
            Self::Kick { .. } => "kick",
            Self::EditMember { .. } => "edit_member",
            Self::Mute { .. } => "mute",
            Self::Transfer { .. } => "transfer",
            Self::Ban { .. } => "ban",
            Self::Unban { .. } => "unban",
            Self::ImportMembers { .. } => "import_members",
            Self::Decide { .. } => "decide",
            Self::Expire { .. } => "expire",
            Self::Release { .. } => "release",
            Self::PutUser { .. } => "put_user",
            Self::ImportUsers { .. } => "import_users",
            Self::RevokeCredentials { .. } => "revoke_credentials",
            Self::DeleteUser { .. } => "delete_user",
            Self::Depart { .. } => "depart",
            Self::ForgetUser { .. } => "forget_user",
        }
    }
}
