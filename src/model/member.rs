//! A membership is an interval of the group's log.

use super::Moment;
use super::group::Role;

/// What is known of one person in one group: the current membership, or the last one that ended.
///
/// `[joined_seq, left_seq]` is the part of the log that this person may see. After a re-join the ended
/// interval moves to `past`, so that a client which comes back with an old place can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The role; that of the time of leaving when the membership has ended.
    pub role: Role,
    /// The event that made the person a member.
    pub joined_seq: i64,
    /// The event that ended the membership; `None` while it lasts.
    pub left_seq: Option<i64>,
    /// The interval before this one.
    pub past: Option<(i64, i64)>,
    /// When the membership began.
    pub joined_at: Moment,
    /// The name shown in this group.
    pub name_card: String,
    /// Until when the person may not speak; outlives leaving and coming back.
    pub mute_until: Option<Moment>,
    /// The user's `membership_rev` that this row was written with.
    pub user_rev: i64,
}

impl Member {
    /// Whether the membership lasts.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.left_seq.is_none()
    }
}

/// A person who may not enter a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// When it ends; `None` is never.
    pub until: Option<Moment>,
    /// Why, for people.
    pub reason: String,
}

impl Ban {
    /// Whether it holds at this moment.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| until > now)
    }
}
