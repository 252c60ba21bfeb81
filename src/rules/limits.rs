//! The two limits and their words: room in a group, groups of a user.
//!
//! Both are counters in locked rows, so that what is decided here still holds at the commit.

use std::sync::Arc;

use crate::model::{Error, Group, Limits, Reason, User};

/// A user's limit on groups: how many, and where the number comes from.
#[must_use]
pub fn group_limit(user: &User, limits: &Limits) -> (i32, Arc<str>) {
    match user.group_limit {
        Some(own) => (own, Arc::from("groupLimit of the user")),
        None => (limits.groups_per_user.value, limits.groups_per_user.source.clone()),
    }
}

/// The refusal of somebody who is in as many groups as he may be.
///
/// # Errors
/// [`Reason::GroupLimitReached`].
pub fn check_group_limit(user: &User, limits: &Limits) -> Result<(), Error> {
    let (limit, source) = group_limit(user, limits);
    if user.group_count < limit {
        return Ok(());
    }
    let text = format!("{} is in {} of {limit} possible groups", user.id, user.group_count);
    Err(Error::new(Reason::GroupLimitReached, text)
        .limit(limit)
        .current(user.group_count)
        .source(source.as_ref()))
}

/// Whether so many people find room in the group.
///
/// # Errors
/// [`Reason::GroupFull`] with the group's own limit.
pub fn check_room(group: &Group, newcomers: usize) -> Result<(), Error> {
    let Some(max) = group.max_members else { return Ok(()) };
    let wanted =
        i64::from(group.member_count).saturating_add(i64::try_from(newcomers).unwrap_or(i64::MAX));
    if newcomers == 0 || wanted <= i64::from(max) {
        return Ok(());
    }
    let text = format!(
        "{newcomers} more would exceed the group's {max} possible members, of which {} are taken",
        group.member_count
    );
    Err(Error::new(Reason::GroupFull, text)
        .limit(max)
        .current(group.member_count)
        .source("maxMemberCount of the group"))
}
