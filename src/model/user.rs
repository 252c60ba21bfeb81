//! Users: profile, consent, and the counters that their limits are enforced with.

use super::Moment;
use super::group::words;
use super::id::UserId;
use serde::{Deserialize, Serialize};

words! {
    /// What an invitation means to this person (`inviteConsent`). An app administrator's call skips it.
    InviteConsent {
        /// Whoever may invite adds him at once.
        Auto = 1,
        /// He decides himself.
        Ask = 2,
        /// Nobody adds him.
        Deny = 3,
    }
}

impl InviteConsent {
    /// The word of the public surface, in lower case.
    #[must_use]
    pub fn wire(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ask => "ask",
            Self::Deny => "deny",
        }
    }

    /// Reads the word of the public surface.
    #[must_use]
    pub fn from_wire(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|consent| consent.wire() == word)
    }
}

/// One row of users. An account exists when its row does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The id.
    pub id: UserId,
    /// The name shown.
    pub nick_name: String,
    /// The address of a picture.
    pub face_url: String,
    /// What an invitation means to him.
    pub invite_consent: InviteConsent,
    /// His own limit on groups; `None` follows the setting.
    pub group_limit: Option<i32>,
    /// In how many groups he is that count towards the limit.
    pub group_count: i32,
    /// How many applications are open that would make him a member.
    pub pending_count: i32,
    /// Raised by each change of his memberships.
    pub membership_rev: i64,
    /// The number of the newest event of his own stream.
    pub user_seq: i64,
    /// When the account was deleted.
    pub deleted_at: Option<Moment>,
    /// Who deleted it.
    pub deleted_by: Option<UserId>,
    /// When the account was made.
    pub created_at: Moment,
    /// Whether there is no row yet: this batch makes it if anything needs it.
    pub fresh: bool,
}

/// What became of a user's credentials: the state of one row, the same in memory and in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Whose.
    pub user: UserId,
    /// Credentials that were made at or before the second of this moment are worth nothing.
    pub at: Moment,
    /// None is worth anything: the account is being deleted.
    pub ended: bool,
    /// When this was last changed.
    pub changed_at: Moment,
}
