//! Credentials that were revoked before their time (`decisions.md` j and t).
//!
//! In memory, so that asking costs a look into a map: every request asks. The server fills the map before
//! it serves and keeps it up to date; what it is told may come in any order and more than once.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use chrono::{DateTime, Utc};

use crate::model::{Error, Reason, Revocation, UserId};

/// What is known of revoked credentials.
#[derive(Debug, Default)]
pub struct Revocations {
    users: RwLock<HashMap<UserId, Known>>,
}

/// Of one user.
#[derive(Clone, Copy, Debug)]
struct Known {
    at: DateTime<Utc>,
    ended: bool,
    changed_at: DateTime<Utc>,
}

impl Revocations {
    /// Takes note. True when it was news.
    pub fn note(&self, one: &Revocation) -> bool {
        let mut users = self.users.write().unwrap_or_else(PoisonError::into_inner);
        let told = Known { at: one.at, ended: one.ended, changed_at: one.changed_at };
        let Some(known) = users.get_mut(&one.user) else {
            users.insert(one.user.clone(), told);
            return true;
        };
        let before = (known.at, known.ended);
        // What was revoked stays so; whether new credentials count is as the latest change says.
        known.at = known.at.max(told.at);
        if told.changed_at >= known.changed_at {
            known.ended = told.ended;
            known.changed_at = told.changed_at;
        }
        before != (known.at, known.ended)
    }

    /// Whether a user's credential of this moment still counts.
    ///
    /// # Errors
    /// [`Reason::TokenRevoked`].
    pub fn check(&self, user: &UserId, issued_at: DateTime<Utc>) -> Result<(), Error> {
        let users = self.users.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = users.get(user) else { return Ok(()) };
        let text = if known.ended {
            "the account is being deleted: none of its credentials counts"
        } else if issued_at.timestamp() <= known.at.timestamp() {
            "the token was revoked; one that is made now counts"
        } else {
            return Ok(());
        };
        Err(Error::new(Reason::TokenRevoked, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(millis).expect("a moment")
    }

    fn told(user: &str, millis: i64, ended: bool) -> Revocation {
        let moment = at(millis);
        Revocation { user: UserId::from_stored(user), at: moment, ended, changed_at: moment }
    }

    fn counts(revocations: &Revocations, issued_millis: i64) -> bool {
        let found = revocations.check(&UserId::from_stored("bob"), at(issued_millis));
        if let Err(refusal) = &found {
            assert_eq!(refusal.reason, Reason::TokenRevoked);
        }
        found.is_ok()
    }

    #[test]
    fn what_was_made_up_to_that_second_is_worth_nothing() {
        let revocations = Revocations::default();
        assert!(counts(&revocations, 0));
        assert!(revocations.note(&told("bob", 5_400, false)));
        let worth = [0, 4_000, 5_000, 5_999].map(|millis| counts(&revocations, millis));
        assert_eq!(worth, [false; 4], "tokens tell whole seconds");
        assert!(counts(&revocations, 6_000));
        assert!(revocations.check(&UserId::from_stored("alice"), at(0)).is_ok());
    }

    #[test]
    fn while_the_account_is_being_deleted_nothing_counts() {
        let revocations = Revocations::default();
        assert!(revocations.note(&told("bob", 5_000, true)));
        assert!(!counts(&revocations, 9_000_000));
        assert!(revocations.note(&told("bob", 8_000, false)));
        assert!(!counts(&revocations, 8_000));
        assert!(counts(&revocations, 9_000));
    }

    #[test]
    fn the_order_of_the_news_makes_no_difference() {
        let news = [told("bob", 5_000, true), told("bob", 8_000, false), told("bob", 7_000, false)];
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let revocations = Revocations::default();
            for place in order {
                revocations.note(&news[place]);
            }
            assert!(!counts(&revocations, 8_999) && counts(&revocations, 9_000), "{order:?}");
            assert!(news.iter().all(|one| !revocations.note(one)), "it was all known");
        }
    }
}
