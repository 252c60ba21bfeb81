//! A membership is an interval of the group's log.

use super::Moment;
use super::fields::{CustomFields, FieldChanges};
use super::group::Role;
use super::id::UserId;

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
    /// Fields of the app's own.
    pub custom_fields: CustomFields,
    /// The user's `membership_rev` that this row was written with.
    pub user_rev: i64,
}

impl Member {
    /// Whether the membership lasts.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.left_seq.is_none()
    }

    /// Until when the person may not speak, if he may not now.
    #[must_use]
    pub fn muted(&self, now: Moment) -> Option<Moment> {
        self.mute_until.filter(|until| *until > now)
    }
}

/// Somebody who becomes a member, as he begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMember {
    /// Who.
    pub user: UserId,
    /// His role.
    pub role: Role,
    /// When he became a member elsewhere, for one who is imported.
    pub joined_at: Option<Moment>,
    /// Fields of the app's own.
    pub custom_fields: CustomFields,
}

impl NewMember {
    /// An ordinary member.
    #[must_use]
    pub fn plain(user: UserId) -> Self {
        Self::with_role(user, Role::Member)
    }

    /// A member with a role.
    #[must_use]
    pub fn with_role(user: UserId, role: Role) -> Self {
        Self { user, role, joined_at: None, custom_fields: CustomFields::new() }
    }
}

/// What changes of a member besides his role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberChange {
    /// Who.
    pub user: UserId,
    /// His new name in the group.
    pub name_card: Option<String>,
    /// Until when he may not speak; `Some(None)` is a mute that ends.
    pub mute_until: Option<Option<Moment>>,
    /// Fields that change; `None` is one that goes.
    pub custom_fields: FieldChanges,
}

impl MemberChange {
    /// Nothing of this person, so far.
    #[must_use]
    pub fn none(user: UserId) -> Self {
        Self { user, name_card: None, mute_until: None, custom_fields: FieldChanges::new() }
    }

    /// Whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.name_card.is_none() && self.mute_until.is_none() && self.custom_fields.is_empty()
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
