//! Leaving. Only in a Work group may the owner leave; the group is then without one.

use crate::model::event::GroupEvent;
use crate::model::{Caller, Error, GroupId, Reason, Reply, Role};

use super::facts::{Facts, Stop};
use super::matrix::{self, Action};
use super::{Decision, Rows, Step, standing};

fn permit(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<(), Stop> {
    let (group, of_group) = facts.existing(id)?;
    // An administrator who is no member has nothing to leave: his standing here is his role alone.
    let own = matrix::Standing { administrator: false, ..standing(of_group, caller)? };
    matrix::permit(group.group_type, Action::Quit, own)?;
    if own.role == Some(Role::Owner) && !matrix::traits(group.group_type).owner_may_quit {
        let text = format!("the owner of a group of type {} may not quit", group.group_type.word());
        return Err(Error::new(Reason::OwnerMayNotQuit, text).into());
    }
    Ok(())
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
