//! Ending a group, and releasing what is left of a large one.
//!
//! Dismissing marks the group and writes one event, whatever its size: from then on it is in no list and
//! nobody can enter. Up to a bound the members' rows and counters are released in the same transaction,
//! the rest by [`Operation::Release`](crate::model::Operation::Release) in chunks; until then those
//! users count one group too many, which errs on the safe side (`decisions.md` o).

use std::collections::BTreeSet;

use crate::model::event::GroupEvent;
use crate::model::{Caller, Ending, Group, GroupId, Reply, UserId};

use super::application;
use super::facts::{Facts, Stop};
use super::matrix::{self, Action};
use super::{Decision, Needs, Rows, Step, standing};

/// Most members released with the dismissal itself.
pub const RELEASED_AT_ONCE: i64 = 1_000;
/// Members released by one step of the background work.
pub const RELEASED_IN_A_STEP: i64 = 500;
/// Applications closed by one step of the background work.
pub const CLOSED_IN_A_STEP: i64 = 100;

pub(super) fn look(caller: &UserId, group: Option<&Group>) -> Needs {
    let small = group.is_some_and(|group| i64::from(group.member_count) <= RELEASED_AT_ONCE);
    Needs {
        people: vec![caller.clone()],
        members_up_to: small.then_some(RELEASED_AT_ONCE),
        ..Needs::default()
    }
}

/// Where nothing is left nothing is looked for: looking would go through all that was released.
pub(super) fn look_release(group: Option<&Group>) -> Needs {
    let members = group.is_some_and(|group| group.member_count > 0);
    let open = group.is_some_and(|group| group.pending_count > 0);
    Needs {
        members_up_to: members.then_some(RELEASED_IN_A_STEP),
        applications_up_to: open.then_some(CLOSED_IN_A_STEP),
        ..Needs::default()
    }
}

fn permit(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<(), Stop> {
    let (group, of_group) = facts.existing(id)?;
    matrix::permit(group.group_type, Action::Dismiss, standing(of_group, caller)?)?;
    Ok(())
}

/// The current members among the facts.
fn members(facts: &Facts, id: &GroupId) -> Result<Vec<UserId>, Stop> {
    let of_group = facts.of(id)?;
    let current = of_group.members.iter().filter(|(_, member)| member.is_current());
    let mut users: Vec<UserId> = current.map(|(user, _)| user.clone()).collect();
    users.sort_unstable();
    Ok(users)
}

pub(super) fn users(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<Rows, Stop> {
    permit(facts, caller, id)?;
    let (group, _) = facts.existing(id)?;
    let small = i64::from(group.member_count) <= RELEASED_AT_ONCE;
    let lock = if small { members(facts, id)?.into_iter().collect() } else { BTreeSet::new() };
    Ok(Rows { lock, ..Rows::default() })
}

pub(super) fn decide(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<Decision, Stop> {
    permit(facts, caller, id)?;
    let event = GroupEvent::Dismissed { op: caller.user.clone() };
    Ok(Decision { reply: Reply::Done, steps: vec![Step::Group(id.clone(), event)] })
}

pub(super) fn release_users(facts: &Facts, id: &GroupId) -> Result<Rows, Stop> {
    let mut lock: BTreeSet<UserId> = members(facts, id)?.into_iter().collect();
    for open in facts.of(id)?.applications.values().filter(|open| open.handled.is_none()) {
        lock.extend(open.concerned());
        lock.insert(open.subject.clone());
    }
    Ok(Rows { lock, ..Rows::default() })
}

pub(super) fn decide_release(facts: &Facts, id: &GroupId) -> Result<Decision, Stop> {
    let of_group = facts.of(id)?;
    let Some(group) = of_group.group.as_ref().filter(|group| group.dismissed_at.is_some()) else {
        return Ok(Decision::unchanged(Reply::Done));
    };
    let leaving = members(facts, id)?;
    let open: Vec<_> =
        of_group.applications.values().filter(|open| open.handled.is_none()).collect();
    let left_members = i64::from(group.member_count) - i64::try_from(leaving.len()).unwrap_or(0);
    let left_open = i64::from(group.pending_count) - i64::try_from(open.len()).unwrap_or(0);
    let finished = (left_members <= 0 && left_open <= 0) || (leaving.is_empty() && open.is_empty());
    let mut steps: Vec<Step> = open
        .iter()
        .flat_map(|open| application::close(open, Ending::Dismissed, None, "", facts.now))
        .collect();
    if !leaving.is_empty() {
        steps.push(Step::Release(id.clone(), leaving));
    }
    if finished {
        steps.push(Step::Released(id.clone()));
    }
    Ok(Decision { reply: if finished { Reply::Done } else { Reply::More }, steps })
}
