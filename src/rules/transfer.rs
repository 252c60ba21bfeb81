//! Making another member the owner. The one before stays, as an ordinary member.

use serde_json::json;

use crate::model::event::{GroupEvent, InfoChange};
use crate::model::{Caller, Error, Group, GroupId, Reply, UserId};

use super::facts::{Facts, Stop};
use super::matrix::Action;
use super::{Decision, Needs, Step, standing};

pub(super) fn look(caller: &UserId, to: &UserId, group: Option<&Group>) -> Needs {
    let owner = group.and_then(|group| group.owner.clone());
    let people = [caller.clone(), to.clone()].into_iter().chain(owner).collect();
    Needs { people, ..Needs::default() }
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    to: &UserId,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(id)?;
    facts.rules(group).permit(Action::Transfer, standing(of_group, caller)?)?;
    if of_group.member(to)?.is_none() {
        // As at Tencent a bad parameter (`decisions.md` 11).
        let rule = format!("names {to}, who is not a member of the group");
        return Err(Error::parameter("userID", rule).into());
    }
    if group.owner.as_ref() == Some(to) {
        return Ok(Decision::unchanged(Reply::Done));
    }
    if let Some(owner) = &group.owner {
        // His row changes as well.
        of_group.member(owner)?;
    }
    let event = GroupEvent::InfoChanged {
        op: caller.user.clone(),
        group: Box::new(Group { owner: Some(to.clone()), ..group.clone() }),
        profile: None,
        changes: vec![InfoChange::new("owner", json!(to))],
    };
    Ok(Decision { reply: Reply::Done, steps: vec![Step::Group(id.clone(), event)] })
}
