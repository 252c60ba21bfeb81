//! Ids, checked once at the edge.
//!
//! Both kinds are printable ASCII (0x20 to 0x7E) and compare by bytes, as the `COLLATE "C"` columns do,
//! so that Rust and PostgreSQL sort them alike. They are shared pointers: a batch clones them freely.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use serde::{Deserialize, Serialize};

use super::error::{Error, Reason};

/// Most bytes of a group id.
pub const GROUP_ID_BYTES: usize = 48;
/// Most bytes a setting may allow for a user id.
pub const USER_ID_BYTES_CEILING: usize = 64;
/// What ids made by a server begin with; a client may not choose such an id, except for a community.
pub const SERVER_MADE_PREFIX: &str = "@TGS#";
/// What the id of a community begins with when a client chooses it.
pub const COMMUNITY_PREFIX: &str = "@TGS#_";

/// Identifies an application (a join request or an invitation that waits for somebody).
pub type ApplicationId = uuid::Uuid;

/// What is known by id, for the time of a batch. The standard library's hash took a fifth of the server's instructions
/// for a call with 20 people; this one is seeded at random, too, and a batch names so few people that no choice of
/// ids makes it slow.
pub type IdMap<K, V> = HashMap<K, V, RandomState>;
/// A set of ids, for the time of a batch.
pub type IdSet<K> = HashSet<K, RandomState>;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Takes an id that the database holds: it was checked when it was written.
            #[must_use]
            pub fn from_stored(text: &str) -> Self {
                Self(Arc::from(text))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

id! {
    /// A group's id: 1 to 48 bytes of printable ASCII.
    GroupId
}
id! {
    /// A user's id: 1 to 32 bytes of printable ASCII (a setting allows up to 64).
    UserId
}

impl GroupId {
    /// Reads the id of a group that is said to exist.
    ///
    /// # Errors
    /// [`Reason::InvalidGroupId`] with the bound when no group can have this id.
    pub fn parse(text: &str, field: &str) -> Result<Self, Error> {
        match fault(text, GROUP_ID_BYTES) {
            None => Ok(Self(Arc::from(text))),
            Some(what) => Err(Error::new(Reason::InvalidGroupId, format!("{field} {what}"))
                .field(field)
                .limit(GROUP_ID_BYTES)),
        }
    }

    /// Checks an id that a client chose for a new group: `@TGS#` belongs to ids made by the server, and
    /// a community's id begins with `@TGS#_`.
    ///
    /// # Errors
    /// [`Reason::InvalidGroupId`].
    pub fn check_choice(&self, community: bool, field: &str) -> Result<(), Error> {
        let text = self.as_str();
        let refused = if community {
            (!text.starts_with(COMMUNITY_PREFIX) || text.len() == COMMUNITY_PREFIX.len())
                .then_some("must begin with @TGS#_ (and go on) for a Community")
        } else {
            text.starts_with(SERVER_MADE_PREFIX)
                .then_some("must not begin with @TGS#, which is kept for ids made by the server")
        };
        match refused {
            None => Ok(()),
            Some(why) => {
                Err(Error::new(Reason::InvalidGroupId, format!("{field} {why}")).field(field))
            }
        }
    }
}

impl UserId {
    /// Reads a user id of at most `max_bytes`.
    ///
    /// # Errors
    /// [`Reason::InvalidUserId`] with the bound.
    pub fn parse(text: &str, max_bytes: usize, field: impl fmt::Display) -> Result<Self, Error> {
        let refused = if text == "me" {
            Some("is \"me\", which stands for the caller and is no id".to_owned())
        } else {
            fault(text, max_bytes)
        };
        match refused {
            None => Ok(Self(Arc::from(text))),
            Some(what) => Err(Error::new(Reason::InvalidUserId, format!("{field} {what}"))
                .field(&field.to_string())
                .limit(max_bytes)),
        }
    }
}

/// What is wrong with an id, in words that follow the field's name.
fn fault(text: &str, max_bytes: usize) -> Option<String> {
    if text.is_empty() {
        Some("is empty".to_owned())
    } else if text.len() > max_bytes {
        Some(format!("has {} bytes, at most {max_bytes} are possible", text.len()))
    } else if !text.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        Some("has a character outside printable ASCII (0x20 to 0x7E)".to_owned())
    } else if text == "." || text == ".." {
        Some(format!("is {text:?}, which is no id"))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_printable_ascii_within_their_bound() {
        for good in ["a", "g-1", "with space", "~", &"x".repeat(48)] {
            assert!(GroupId::parse(good, "groupID").is_ok(), "{good:?}");
        }
        for bad in ["", ".", "..", "a\0b", "a\nb", "\u{7f}", "é", &"x".repeat(49)] {
            let refused = GroupId::parse(bad, "groupID").expect_err(bad);
            assert_eq!(refused.reason, Reason::InvalidGroupId);
            assert_eq!(refused.field.as_deref(), Some("groupID"));
        }
        assert!(UserId::parse(&"u".repeat(32), 32, "userID").is_ok());
        assert!(UserId::parse(&"u".repeat(33), 32, "userID").is_err());
        assert!(UserId::parse("me", 32, "userID").is_err());
    }

    #[test]
    fn prefixes_of_chosen_ids() {
        let id = |text| GroupId::parse(text, "groupID").expect("possible");
        assert!(id("team").check_choice(false, "groupID").is_ok());
        assert!(id("@TGS#1abc").check_choice(false, "groupID").is_err());
        assert!(id("@TGS#_city").check_choice(true, "groupID").is_ok());
        assert!(id("@TGS#_").check_choice(true, "groupID").is_err());
        assert!(id("city").check_choice(true, "groupID").is_err());
    }
}
