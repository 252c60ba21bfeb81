//! Events: the entries of a group's log and of a user's own stream, and the frames they travel in.
//!
//! An entry is rendered once, when it is decided, and stored as exactly the text that goes over the
//! wire: log, history route and websocket cannot disagree. Names and fields are the SDK's
//! (`tencent-im.md` 6.2, `api.md` section 5).

mod frame;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Moment;

pub use frame::{ApplicationFrame, rfc3339, show_moment};

use super::application::Application;
use super::attributes::{ChangedAttributes, GroupAttributes};
use super::group::{Group, Profile, words};
use super::id::{GroupId, UserId};
use super::member::{MemberChange, NewMember};

words! {
    /// The kinds of events, with the SDK's names.
    #[allow(non_camel_case_types, reason = "the SDK's names")]
    EventKind {
        /// A group was made; its first members are in `memberList`.
        onGroupCreated = 1,
        /// Members were brought in.
        onMemberInvited = 2,
        /// Members came by themselves.
        onMemberEnter = 3,
        /// A member left.
        onMemberLeave = 4,
        /// Members were removed.
        onMemberKicked = 5,
        /// Mutes or name cards changed.
        onMemberInfoChanged = 6,
        /// Profile, options or owner changed.
        onGroupInfoChanged = 7,
        /// The group is gone.
        onGroupDismissed = 8,
        /// Members became admins.
        onGrantAdministrator = 9,
        /// Admins became ordinary members.
        onRevokeAdministrator = 10,
        /// Attributes changed.
        onGroupAttributeChanged = 11,
        /// Personal: somebody asks to join, or a member's invitation waits for the admins.
        onReceiveJoinApplication = 21,
        /// Personal: somebody invites you.
        onReceiveInvitation = 22,
        /// Personal: an application that concerns you came to its end.
        onApplicationProcessed = 23,
    }
}

/// What happened in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvent {
    /// The group was made. Always number 1.
    Created {
        /// Who made it.
        op: UserId,
        /// The group as it begins.
        group: Box<Group>,
        /// Its texts.
        profile: Box<Profile>,
        /// Its first members, the owner among them.
        members: Vec<NewMember>,
        /// Clients show nothing.
        silent: bool,
    },
    /// Members were brought in.
    Invited {
        /// Who invited.
        op: UserId,
        /// Whom.
        members: Vec<NewMember>,
        /// Clients show nothing.
        silent: bool,
    },
    /// Members came by themselves.
    Entered {
        /// Who agreed, if somebody had to.
        op: Option<UserId>,
        /// Who.
        members: Vec<UserId>,
    },
    /// A member left.
    Left {
        /// Who.
        member: UserId,
        /// Who caused it; himself when he quit.
        op: UserId,
    },
    /// Members were removed.
    Kicked {
        /// Who removed them.
        op: UserId,
        /// Whom.
        members: Vec<UserId>,
        /// Why, for people.
        reason: String,
        /// Clients show nothing.
        silent: bool,
    },
    /// Name cards, mutes or fields of members changed.
    MembersChanged {
        /// Who changed them.
        op: UserId,
        /// What changed of whom.
        changes: Vec<MemberChange>,
    },
    /// Members became admins.
    Granted {
        /// Who appointed them.
        op: UserId,
        /// Whom.
        members: Vec<UserId>,
    },
    /// Admins became ordinary members.
    Revoked {
        /// Who dismissed them.
        op: UserId,
        /// Whom.
        members: Vec<UserId>,
    },
    /// Profile, options or owner changed.
    InfoChanged {
        /// Who changed it.
        op: UserId,
        /// The new state of group and texts.
        group: Box<Group>,
        /// The texts, if they changed.
        profile: Option<Box<Profile>>,
        /// What changed, by the names of the public surface.
        changes: Vec<InfoChange>,
    },
    /// Attributes changed.
    AttributesChanged {
        /// Who changed them.
        op: UserId,
        /// All of them as they are now, with the count of changes.
        state: Box<GroupAttributes>,
        /// The changed ones; `None` for those that are gone.
        changed: ChangedAttributes,
    },
    /// The group is gone.
    Dismissed {
        /// Who ended it.
        op: UserId,
    },
}

/// What happened to a person, outside any group's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserEvent {
    /// An application waits for him as owner or admin.
    JoinApplication(Box<Application>),
    /// An invitation waits for him.
    Invitation(Box<Application>),
    /// An application that concerns him came to its end.
    Processed {
        /// The application, closed.
        application: Box<Application>,
        /// Who decided.
        op: Option<UserId>,
    },
}

/// One changed field of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InfoChange {
    /// The field, by its name on the public surface.
    #[serde(rename = "type")]
    pub field: &'static str,
    /// Its key, for one of the fields of the app's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its new value.
    pub value: serde_json::Value,
}

impl InfoChange {
    /// A changed field.
    #[must_use]
    pub fn new(field: &'static str, value: serde_json::Value) -> Self {
        Self { field, key: None, value }
    }
}

/// The stream an entry belongs to: each has its own numbers 1, 2, 3, …
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamKey {
    /// A group's log.
    Group(GroupId),
    /// A person's own stream.
    User(UserId),
}

/// Whose membership an entry ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ends {
    /// Those named.
    Users(Vec<UserId>),
    /// Everybody's.
    Everybody,
}

impl Ends {
    /// Whether this person's membership ends.
    #[must_use]
    pub fn includes(&self, user: &UserId) -> bool {
        match self {
            Self::Everybody => true,
            Self::Users(users) => users.contains(user),
        }
    }
}

/// One committed (or about to be committed) entry of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// The stream.
    pub stream: StreamKey,
    /// Its number there.
    pub seq: i64,
    /// When.
    pub at: Moment,
    /// What kind.
    pub kind: EventKind,
    /// Whose membership begins with it.
    pub starts: Vec<UserId>,
    /// Whose membership ends with it.
    pub ends: Ends,
    /// The frame, as it goes over the wire.
    pub frame: Arc<str>,
}
