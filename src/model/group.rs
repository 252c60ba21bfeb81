//! Groups: their types, options, roles, and the two halves of what is known of one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Moment;
use super::fields::CustomFields;
use super::id::{GroupId, UserId};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// All of them, in the order of the documents.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word of the public surface.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }

            /// Reads the word of the public surface.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $(stringify!($variant) => Some(Self::$variant),)+ _ => None }
            }

            /// The number that the database holds.
            #[must_use]
            pub fn code(self) -> i16 {
                match self { $(Self::$variant => $code),+ }
            }

            /// Reads the number that the database holds.
            #[must_use]
            pub fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// The five types of groups; what each allows is written in `rules::matrix`.
    GroupType {
        /// People who know each other: any member invites, nobody applies. Tencent's `Private`.
        Work = 1,
        /// Found by search, joined by application. Tencent's `Public`.
        Public = 2,
        /// Joined freely. Tencent's `ChatRoom`.
        Meeting = 3,
        /// A live room: joined freely, nobody is ever invited, not counted towards the per-user limit.
        AVChatRoom = 4,
        /// Very large.
        Community = 5,
    }
}

words! {
    /// Who may enter by himself (`ApplyJoinOption`).
    JoinOption {
        /// Enters at once.
        FreeAccess = 1,
        /// Owner and admins decide.
        NeedPermission = 2,
        /// Applying is refused.
        DisableApply = 3,
    }
}

words! {
    /// Who may bring in others (`InviteJoinOption`).
    InviteOption {
        /// Any member adds directly.
        FreeAccess = 1,
        /// Owner and admins add directly; an ordinary member's invitation waits for them.
        NeedPermission = 2,
        /// Only an app administrator invites.
        DisableInvite = 3,
    }
}

words! {
    /// A member's role. The greater one may do more.
    Role {
        /// An ordinary member.
        Member = 1,
        /// Appointed by the owner.
        Admin = 2,
        /// At most one in a group.
        Owner = 3,
    }
}

/// The part of a group that decisions read and every change touches: one narrow row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The id.
    pub id: GroupId,
    /// The type, or the one that its own type is based on.
    pub group_type: GroupType,
    /// The word of its type when the operator defined it; `rules::types` knows what it allows.
    pub own_type: Option<Arc<str>>,
    /// The owner; a Work group can be without.
    pub owner: Option<UserId>,
    /// Who may enter by himself.
    pub join_option: JoinOption,
    /// Who may bring in others.
    pub invite_option: InviteOption,
    /// Most members; `None` is no cap.
    pub max_members: Option<i32>,
    /// Whether only owner and admins may speak.
    pub mute_all: bool,
    /// How many members there are.
    pub member_count: i32,
    /// How many applications are open.
    pub pending_count: i32,
    /// The number of the newest event.
    pub seq: i64,
    /// When it was created.
    pub created_at: Moment,
    /// When it was dismissed; such a group is gone, its id never free again.
    pub dismissed_at: Option<Moment>,
}

impl Group {
    /// The word of its type on the public surface.
    #[must_use]
    pub fn type_word(&self) -> &str {
        self.own_type.as_deref().unwrap_or(self.group_type.word())
    }
}

/// The part of a group that people read: rarely changed, never read by a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The name.
    pub name: String,
    /// A text about the group.
    pub introduction: String,
    /// An announcement to the members.
    pub notification: String,
    /// The address of a picture.
    pub face_url: String,
    /// Fields of the app's own.
    pub custom_fields: CustomFields,
}
