//! Removing members, with a ban if asked.

use chrono::TimeDelta;

use crate::model::event::GroupEvent;
use crate::model::{
    Ban, Caller, Group, GroupId, MemberOutcome, MemberReason, MemberResult, Reply, Role, UserId,
};

use super::facts::{Facts, GroupFacts, Stop};
use super::matrix::{self, Action};
use super::member::stands_above;
use super::{Decision, Rows, Step, check_batch, standing};

/// How people are removed.
pub(super) struct How<'a> {
    pub(super) reason: &'a str,
    pub(super) ban_seconds: Option<u32>,
    pub(super) silent: bool,
}

fn permitted<'a>(
    facts: &'a Facts,
    caller: &Caller,
    id: &GroupId,
    named: usize,
) -> Result<(&'a Group, &'a GroupFacts, matrix::Standing), Stop> {
    let (group, of_group) = facts.existing(id)?;
    let standing = standing(of_group, caller)?;
    facts.rules(group).permit(Action::Kick, standing)?;
    check_batch(facts, named, "userList")?;
    Ok((group, of_group, standing))
}

pub(super) fn users(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    users: &[UserId],
) -> Result<Rows, Stop> {
    let (_, of_group, _) = permitted(facts, caller, id, users.len())?;
    let mut rows = Rows::default();
    for user in users {
        if of_group.member(user)?.is_some() {
            rows.lock.insert(user.clone());
        }
    }
    Ok(rows)
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    users: &[UserId],
    how: &How<'_>,
) -> Result<Decision, Stop> {
    let (group, of_group, standing) = permitted(facts, caller, id, users.len())?;
    if how.ban_seconds.is_some() {
        facts.rules(group).permit(Action::Ban, standing)?;
    }
    let failed = |user: &UserId, result, reason| MemberOutcome::other(user.clone(), result, reason);
    let mut outcomes = Vec::with_capacity(users.len());
    let mut removed = Vec::new();
    for user in users {
        let outcome = match of_group.member(user)? {
            None => failed(user, MemberResult::Invalid, MemberReason::NotAMember),
            Some(member) if member.role == Role::Owner => {
                failed(user, MemberResult::Failed, MemberReason::IsOwner)
            }
            // An admin removes ordinary members only; the owner and an app administrator anybody else.
            Some(member) if !stands_above(standing, member.role) => {
                failed(user, MemberResult::Failed, MemberReason::RoleTooLow)
            }
            Some(_) => {
                removed.push(user.clone());
                MemberOutcome::done(user.clone())
            }
        };
        outcomes.push(outcome);
    }
    let mut steps = Vec::new();
    if !removed.is_empty() {
        if let Some(seconds) = how.ban_seconds {
            let until = facts.now + TimeDelta::seconds(seconds.into());
            let ban = Ban { until: Some(until), reason: how.reason.to_owned() };
            steps.extend(removed.iter().map(|user| Step::Ban {
                group: id.clone(),
                user: user.clone(),
                ban: ban.clone(),
                by: caller.user.clone(),
            }));
        }
        let event = GroupEvent::Kicked {
            op: caller.user.clone(),
            members: removed,
            reason: how.reason.to_owned(),
            silent: how.silent,
        };
        steps.push(Step::Group(id.clone(), event));
    }
    Ok(Decision { reply: Reply::Members(outcomes), steps })
}
