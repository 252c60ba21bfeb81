//! Bringing in the members of a group that comes from elsewhere: an invitation by an app administrator,
//! with roles and times of their own, of which clients show nothing. Limits and bans hold as always.

use crate::model::event::GroupEvent;
use crate::model::{Caller, Error, GroupId, NewMember, Reply, UserId};

use super::create::{as_named, check_roles};
use super::facts::{Facts, Stop};
use super::invite::{Call, Gathered};
use super::limits::check_room;
use super::matrix::{Action, InvitePath, Standing};
use super::{Decision, Rows, Step, application, check_named};

/// Most members of one import (`tencent-im.md` 1.5), whatever the setting for invitations says.
const IMPORTED_IN_CALL: usize = 300;

fn check(facts: &Facts, caller: &Caller, id: &GroupId, members: &[NewMember]) -> Result<(), Stop> {
    let (group, _) = facts.existing(id)?;
    let rules = facts.rules(group);
    let standing = Standing { administrator: caller.administrator, role: None };
    rules.permit(Action::Import, standing)?;
    check_named(members.len(), IMPORTED_IN_CALL, "memberList")?;
    check_roles(&rules, members)?;
    if members.iter().any(|member| member.joined_at.is_some_and(|at| at > facts.now)) {
        return Err(Error::parameter("joinTime", "is in the future").into());
    }
    Ok(())
}

pub(super) fn users(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    members: &[NewMember],
) -> Result<Rows, Stop> {
    check(facts, caller, id, members)?;
    let (_, of_group) = facts.existing(id)?;
    let mut rows = Rows::default();
    for NewMember { user, .. } in members {
        if of_group.member(user)?.is_none() && of_group.ban(user, facts.now)?.is_none() {
            rows.add(user.clone(), facts);
            rows.lock.extend(application::concerned(of_group, user)?);
        }
    }
    Ok(rows)
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    members: &[NewMember],
) -> Result<Decision, Stop> {
    check(facts, caller, id, members)?;
    let (group, of_group) = facts.existing(id)?;
    let path = InvitePath::Unconditional;
    let mut call = Call { facts, group, of_group, path, opened: 0 };
    let mut gathered = Gathered::default();
    let named = members.iter().map(|member| &member.user);
    for user in named {
        gathered.add(&mut call, caller, user)?;
    }
    check_room(group, gathered.joining.len())?;
    let mut steps = Vec::new();
    for user in &gathered.joining {
        steps.extend(application::close_on_joining(facts, of_group, user, &caller.user)?);
    }
    let joining: &[UserId] = &gathered.joining;
    if !joining.is_empty() {
        let members = as_named(joining, members).collect();
        let event = GroupEvent::Invited { op: caller.user.clone(), members, silent: true };
        steps.push(Step::Group(id.clone(), event));
    }
    Ok(Decision { reply: Reply::Members(gathered.outcomes), steps })
}
