//! Keeping people out, and letting them come back. Who is banned leaves, and cannot be invited, apply or
//! enter until the ban ends; it makes no difference whether he ever was a member.

use chrono::TimeDelta;

use crate::model::event::GroupEvent;
use crate::model::{
    Ban, Caller, Ending, GroupId, MemberOutcome, MemberReason, MemberResult, Reply, Role, UserId,
};

use super::application;
use super::facts::{Facts, Stop};
use super::matrix::{Action, Standing};
use super::member::stands_above;
use super::{Decision, Rows, Step, check_batch, standing};

fn permitted(facts: &Facts, caller: &Caller, id: &GroupId, named: usize) -> Result<Standing, Stop> {
    let (group, of_group) = facts.existing(id)?;
    let standing = standing(of_group, caller)?;
    facts.rules(group).permit(Action::Ban, standing)?;
    check_batch(facts, named, "userList")?;
    Ok(standing)
}

pub(super) fn users(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    users: &[UserId],
) -> Result<Rows, Stop> {
    permitted(facts, caller, id, users.len())?;
    let (_, of_group) = facts.existing(id)?;
    let mut rows = Rows::default();
    for user in users {
        if of_group.member(user)?.is_some() {
            rows.lock.insert(user.clone());
        }
        if let Some(open) = of_group.open_application(user)? {
            rows.lock.insert(open.subject.clone());
            rows.lock.extend(open.concerned());
        }
    }
    Ok(rows)
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    users: &[UserId],
    seconds: Option<u32>,
    reason: &str,
) -> Result<Decision, Stop> {
    let standing = permitted(facts, caller, id, users.len())?;
    let (_, of_group) = facts.existing(id)?;
    let until = seconds.map(|seconds| facts.now + TimeDelta::seconds(seconds.into()));
    let mut outcomes = Vec::with_capacity(users.len());
    let (mut removed, mut steps) = (Vec::new(), Vec::new());
    for user in users {
        let role = of_group.member(user)?.map(|member| member.role);
        let refusal = match role {
            Some(Role::Owner) => Some(MemberReason::IsOwner),
            Some(role) if !stands_above(standing, role) => Some(MemberReason::RoleTooLow),
            _ => None,
        };
        if let Some(reason) = refusal {
            outcomes.push(MemberOutcome::other(user.clone(), MemberResult::Failed, reason));
            continue;
        }
        if let Some(open) = of_group.open_application(user)? {
            steps.extend(application::close(
                open,
                Ending::Banned,
                Some(&caller.user),
                reason,
                facts.now,
            ));
        }
        steps.push(Step::Ban {
            group: id.clone(),
            user: user.clone(),
            ban: Ban { until, reason: reason.to_owned() },
            by: caller.user.clone(),
        });
        removed.extend(role.map(|_| user.clone()));
        outcomes.push(MemberOutcome::done(user.clone()));
    }
    if !removed.is_empty() {
        let event = GroupEvent::Kicked {
            op: caller.user.clone(),
            members: removed,
            reason: reason.to_owned(),
            silent: false,
        };
        steps.push(Step::Group(id.clone(), event));
    }
    Ok(Decision { reply: Reply::Members(outcomes), steps })
}

/// Ends bans.
pub(super) fn lift(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    users: &[UserId],
) -> Result<Decision, Stop> {
    permitted(facts, caller, id, users.len())?;
    let (_, of_group) = facts.existing(id)?;
    let mut outcomes = Vec::with_capacity(users.len());
    let mut steps = Vec::new();
    for user in users {
        outcomes.push(if of_group.ban(user, facts.now)?.is_some() {
            steps.push(Step::Unban(id.clone(), user.clone()));
            MemberOutcome::done(user.clone())
        } else {
            let reason = MemberReason::NotBanned;
            MemberOutcome::other(user.clone(), MemberResult::Invalid, reason)
        });
    }
    Ok(Decision { reply: Reply::Members(outcomes), steps })
}
