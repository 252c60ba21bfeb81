//! Leaving. Only in a Work group may the owner leave; the group is then without one.

use crate::model::event::GroupEvent;
use crate::model::{Caller, GroupId, Reply};

use super::facts::{Facts, Stop};
use super::{Decision, Rows, Step, permissions, standing};

fn permit(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<(), Stop> {
    let (group, of_group) = facts.existing(id)?;
    Ok(permissions::quit(&facts.rules(group), standing(of_group, caller)?)?)
}

pub(super) fn users(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<Rows, Stop> {
    permit(facts, caller, id)?;
    let mut rows = Rows::default();
    rows.lock.insert(caller.user.clone());
    Ok(rows)
}

pub(super) fn decide(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<Decision, Stop> {
    permit(facts, caller, id)?;
    let event = GroupEvent::Left { member: caller.user.clone(), op: caller.user.clone() };
    Ok(Decision { reply: Reply::Done, steps: vec![Step::Group(id.clone(), event)] })
}
