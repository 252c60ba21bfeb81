//! Entering by oneself (`tencent-im.md` 1.2 and 1.3): at once, by application, or not at all.

use crate::model::event::GroupEvent;
use crate::model::{
    ApplicationKind, Caller, Error, Group, GroupId, JoinOption, Reason, Reply, User,
};

use super::application::{self, Wish};
use super::facts::{Facts, GroupFacts, Stop};
use super::limits::{check_group_limit, check_room};
use super::{Decision, Rows, Step, check_ban, invite, permissions, standing};

/// Whether owner and admins may have to be told of an application to this group.
pub(super) fn asks_managers(group: &Group) -> bool {
    group.join_option == JoinOption::NeedPermission
}

fn permitted<'a>(
    facts: &'a Facts,
    caller: &Caller,
    id: &GroupId,
) -> Result<(&'a Group, &'a GroupFacts), Stop> {
    let (group, of_group) = facts.existing(id)?;
    if of_group.member(&caller.user)?.is_some() {
        return Err(Error::new(Reason::AlreadyMember, "the caller is a member already").into());
    }
    check_ban(facts, of_group, &caller.user)?;
    // A group that knows no applications can still be entered on an invitation that waits for the caller.
    let invited = of_group
        .open_application(&caller.user)?
        .is_some_and(|open| open.kind == ApplicationKind::Invitation);
    if invited {
        return Ok((group, of_group));
    }
    permissions::may_apply(&facts.rules(group), group, standing(of_group, caller)?)?;
    Ok((group, of_group))
}

pub(super) fn users(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<Rows, Stop> {
    let (group, of_group) = permitted(facts, caller, id)?;
    let mut rows = Rows::default();
    rows.add(caller.user.clone(), facts);
    rows.lock.extend(application::concerned(of_group, &caller.user)?);
    if asks_managers(group) {
        rows.lock.extend(of_group.managers()?.iter().cloned());
    }
    Ok(rows)
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    message: &str,
) -> Result<Decision, Stop> {
    let (group, of_group) = permitted(facts, caller, id)?;
    let open = of_group.open_application(&caller.user)?;
    if let Some(invitation) = open.filter(|open| open.kind == ApplicationKind::Invitation) {
        return super::decide::accept(facts, caller, invitation, "");
    }
    let user = account(facts, caller)?;
    if facts.rules(group).traits.counts_towards_limit {
        check_group_limit(user, &facts.limits)?;
    }
    check_room(group, 1)?;
    if group.join_option == JoinOption::NeedPermission && !caller.administrator {
        if open.is_some() {
            return Ok(Decision::unchanged(Reply::Pending));
        }
        application::check_pending(group, 0, user, &facts.limits)?;
        let wish = Wish {
            group: id,
            kind: ApplicationKind::Join,
            from_user: &caller.user,
            subject: &caller.user,
            approved_by: None,
            message,
        };
        let steps = invite::ask(of_group, wish.into_application(facts, 0))?;
        return Ok(Decision { reply: Reply::Pending, steps });
    }
    let mut steps = application::close_on_joining(facts, of_group, &caller.user, &caller.user)?;
    let event = GroupEvent::Entered { op: None, members: vec![caller.user.clone()] };
    steps.push(Step::Group(id.clone(), event));
    Ok(Decision { reply: Reply::Joined, steps })
}

fn account<'a>(facts: &'a Facts, caller: &Caller) -> Result<&'a User, Stop> {
    match facts.user(&caller.user)? {
        Some(user) if user.deleted_at.is_none() => Ok(user),
        Some(_) => Err(Error::new(Reason::AccountDeleted, "the account was deleted").into()),
        None => Err(Error::new(Reason::UnknownAccount, "the caller has no account").into()),
    }
}
