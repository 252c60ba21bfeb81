//! Changing a group's attributes: all or nothing, within bounds on number and size, and not too often.
//!
//! How often is counted in the group's own row of attributes, under the group's lock, so that the bound
//! is exact whatever comes at the same time. Only what changes something counts, and only that is told.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::model::attributes::{
    AttributeChange, Attributes, ChangedAttributes, GroupAttributes, KEYS, TOTAL_BYTES,
};
use crate::model::event::GroupEvent;
use crate::model::{Caller, Error, GroupId, Limits, Moment, Reason, Reply};

use super::facts::{Facts, Stop};
use super::matrix::Action;
use super::{Decision, Step, standing};

/// The field that refusals name.
const FIELD: &str = "attributes";

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    change: &AttributeChange,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(id)?;
    facts.rules(group).permit(Action::EditAttributes, standing(of_group, caller)?)?;
    let before = of_group.attributes.as_ref().ok_or(Stop::Missing)?;
    let values = after(&before.values, change)?;
    let changed = difference(&before.values, &values);
    if changed.is_empty() {
        return Ok(Decision::unchanged(Reply::Done));
    }
    check_bounds(&values)?;
    let (window_at, window_changes) = count(before, facts.now, &facts.limits)?;
    let state = GroupAttributes { values, window_at: Some(window_at), window_changes };
    let op = caller.user.clone();
    let event = GroupEvent::AttributesChanged { op, state: Box::new(state), changed };
    Ok(Decision { reply: Reply::Done, steps: vec![Step::Group(id.clone(), event)] })
}

/// The attributes as the change leaves them.
fn after(before: &Attributes, change: &AttributeChange) -> Result<Attributes, Error> {
    match change {
        AttributeChange::Replace(values) => Ok(values.clone()),
        AttributeChange::Clear => Ok(Attributes::new()),
        AttributeChange::Merge(changes) => {
            let mut values = before.clone();
            for (key, value) in changes {
                match value {
                    Some(value) => values.insert(key.clone(), value.clone()),
                    None => values.remove(key),
                };
            }
            Ok(values)
        }
        AttributeChange::Delete(keys) => {
            if let Some(absent) = keys.iter().find(|key| !before.contains_key(*key)) {
                let text = format!("{FIELD}: the group has no attribute {absent:?}");
                return Err(Error::new(Reason::AttributeNotFound, text).field(FIELD));
            }
            let mut values = before.clone();
            values.retain(|key, _| !keys.contains(key));
            Ok(values)
        }
    }
}

/// What is new, and what is gone.
fn difference(before: &Attributes, after: &Attributes) -> ChangedAttributes {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    keys.into_iter()
        .filter(|key| before.get(*key) != after.get(*key))
        .map(|key| (key.clone(), after.get(key).cloned()))
        .collect()
}

fn check_bounds(values: &Attributes) -> Result<(), Error> {
    if values.len() > KEYS {
        let text =
            format!("{FIELD}: the group would have {} attributes, at most {KEYS}", values.len());
        return Err(Error::new(Reason::TooManyAttributes, text + " are possible")
            .field(FIELD)
            .limit(KEYS)
            .current(values.len()));
    }
    let total: usize = values.iter().map(|(key, value)| key.len() + value.len()).sum();
    if total > TOTAL_BYTES {
        let text = format!("{FIELD}: they would have {total} bytes in keys and values");
        let text = format!("{text}, at most {TOTAL_BYTES} are possible");
        return Err(Error::new(Reason::AttributesTooLarge, text)
            .field(FIELD)
            .limit(TOTAL_BYTES)
            .current(total));
    }
    Ok(())
}

/// Counts one more change: in the second that runs, or as the first of a new one.
fn count(before: &GroupAttributes, now: Moment, limits: &Limits) -> Result<(Moment, i32), Error> {
    // A clock that was set back begins a new second, too: nobody waits for it to catch up.
    let running = before.window_at.filter(|begun| {
        let age = now.signed_duration_since(begun);
        age >= TimeDelta::zero() && age < TimeDelta::seconds(1)
    });
    let Some(begun) = running else { return Ok((now, 1)) };
    let limit = &limits.attribute_changes;
    if before.window_changes < limit.value {
        return Ok((begun, before.window_changes + 1));
    }
    let text = format!(
        "the group's attributes changed {} times within a second, at most {} are possible",
        before.window_changes, limit.value
    );
    Err(Error::new(Reason::AttributesTooOften, text)
        .limit(limit.value)
        .current(before.window_changes)
        .source(limit.source.as_ref())
        .retry_after(1))
}

#[cfg(test)]
mod tests;
