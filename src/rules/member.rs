//! Changing members: role, name card, mute, fields of the app's own (`tencent-im.md` 1.2 and 2.4).
//!
//! Who changes somebody else stands above him: an admin over ordinary members, the owner over all, an app
//! administrator over everybody. Roles are the owner's to give.

use chrono::{DateTime, TimeDelta};

use crate::model::command::{FOREVER, MemberEdit};
use crate::model::event::GroupEvent;
use crate::model::{
    Caller, Error, GroupId, Member, MemberChange, MemberOutcome, MemberReason, MemberResult,
    Moment, Reason, Reply, Role, UserId, fields,
};

use super::facts::{Facts, Stop};
use super::matrix::{Action, Standing};
use super::types::TypeRules;
use super::{Decision, Step, check_named, standing};

/// Most people of one mute (`tencent-im.md` 1.5). It brings nobody in: the setting for invitations does
/// not bound it.
const MUTED_IN_CALL: usize = 500;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write: the end of what never ends.
const LAST_SECOND: i64 = 253_402_300_799;

/// Whether somebody may act on a person with this role, as far as their roles go.
pub(super) fn stands_above(standing: Standing, role: Role) -> bool {
    standing.administrator || standing.role > Some(role)
}

pub(super) fn edit(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    user: &UserId,
    edit: &MemberEdit,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(id)?;
    let rules = facts.rules(group);
    let standing = standing(of_group, caller)?;
    let own = caller.user == *user;
    let untouched = edit.name_card.is_none() && edit.custom_fields.is_empty();
    if !untouched || (edit.role.is_none() && edit.mute_seconds.is_none()) {
        let action = if own { Action::EditSelf } else { Action::EditMembers };
        rules.permit(action, standing)?;
    }
    if edit.role.is_some() {
        rules.permit(Action::AppointAdmins, standing)?;
    }
    if edit.mute_seconds.is_some() {
        rules.permit(Action::Mute, standing)?;
    }
    let member = of_group.target(user)?;
    if (!own || edit.mute_seconds.is_some()) && !stands_above(standing, member.role) {
        let text =
            format!("{user} has the role {}, which is not below the caller's", member.role.word());
        return Err(Error::new(Reason::RoleTooLow, text).field("userID").into());
    }
    let mut steps = Vec::new();
    if let Some(event) =
        edit.role.map(|role| change_role(&rules, caller, user, member, role)).transpose()?
    {
        steps.extend(event.map(|event| Step::Group(id.clone(), event)));
    }
    let change = change(facts, user, member, edit)?;
    if !change.is_empty() {
        let event = GroupEvent::MembersChanged { op: caller.user.clone(), changes: vec![change] };
        steps.push(Step::Group(id.clone(), event));
    }
    Ok(Decision { reply: Reply::Done, steps })
}

fn change_role(
    rules: &TypeRules,
    caller: &Caller,
    user: &UserId,
    member: &Member,
    role: Role,
) -> Result<Option<GroupEvent>, Error> {
    if role == Role::Owner {
        let why = "cannot be Owner here: transfer the group instead";
        return Err(Error::parameter("role", why));
    }
    if !rules.traits.has_admins && role == Role::Admin {
        let text = format!("a group of type {} has no admins", rules.name);
        return Err(Error::new(Reason::NotAllowedForType, text).field("role"));
    }
    if member.role == Role::Owner {
        let text = format!("{user} is the owner; that role changes with a transfer only");
        return Err(Error::new(Reason::IsOwner, text).field("role"));
    }
    let (op, members) = (caller.user.clone(), vec![user.clone()]);
    Ok(match role {
        _ if role == member.role => None,
        Role::Admin => Some(GroupEvent::Granted { op, members }),
        _ => Some(GroupEvent::Revoked { op, members }),
    })
}

fn change(
    facts: &Facts,
    user: &UserId,
    member: &Member,
    edit: &MemberEdit,
) -> Result<MemberChange, Error> {
    let mut change = MemberChange::none(user.clone());
    change.name_card = edit.name_card.clone().filter(|card| *card != member.name_card);
    if let Some(seconds) = edit.mute_seconds {
        note_mute(&mut change, facts.now, member, seconds);
    }
    let fields = &edit.custom_fields;
    (_, change.custom_fields) =
        fields::OF_MEMBER.merge("customFields", &member.custom_fields, fields)?;
    Ok(change)
}

/// Until when somebody may not speak who is muted for so long.
fn mute_until(now: Moment, seconds: u32) -> Option<Moment> {
    match seconds {
        0 => None,
        FOREVER => DateTime::from_timestamp(LAST_SECOND, 0),
        seconds => Some(now + TimeDelta::seconds(seconds.into())),
    }
}

/// Notes what a mute changes, if it changes anything: lifting one that is not there does not.
fn note_mute(change: &mut MemberChange, now: Moment, member: &Member, seconds: u32) {
    let until = mute_until(now, seconds);
    if until != member.muted(now) {
        change.mute_until = Some(until);
    }
}

pub(super) fn mute(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    users: &[UserId],
    seconds: u32,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(id)?;
    let standing = standing(of_group, caller)?;
    facts.rules(group).permit(Action::Mute, standing)?;
    check_named(users.len(), MUTED_IN_CALL, "userList")?;
    let mut outcomes = Vec::with_capacity(users.len());
    let mut changes = Vec::new();
    for user in users {
        let failed = |result, reason| MemberOutcome::other(user.clone(), result, reason);
        outcomes.push(match of_group.member(user)? {
            None => failed(MemberResult::Invalid, MemberReason::NotAMember),
            Some(member) if !stands_above(standing, member.role) => {
                failed(MemberResult::Failed, MemberReason::RoleTooLow)
            }
            Some(member) => {
                let mut change = MemberChange::none(user.clone());
                note_mute(&mut change, facts.now, member, seconds);
                changes.extend(Some(change).filter(|change| !change.is_empty()));
                MemberOutcome::done(user.clone())
            }
        });
    }
    let mut steps = Vec::new();
    if !changes.is_empty() {
        let event = GroupEvent::MembersChanged { op: caller.user.clone(), changes };
        steps.push(Step::Group(id.clone(), event));
    }
    Ok(Decision { reply: Reply::Members(outcomes), steps })
}
