//! Making a group with its first members (`decisions.md` n).
//!
//! Naming the first members is the creator's right in every type but AVChatRoom; limits and consent
//! apply to them as to an invitation. One event tells of all: onGroupCreated, number 1.

use std::collections::{BTreeSet, HashMap};

use crate::model::command::CreateGroup;
use crate::model::event::GroupEvent;
use crate::model::{
    Caller, Error, Group, MemberOutcome, MemberReason, MemberResult, NewMember, Profile, Reason,
    Reply, Role, UserId,
};

use super::edit::{invite_option, join_option, max_members};
use super::facts::{Facts, GroupFacts, Stop};
use super::invite::{self, Call, Gathered};
use super::limits::{check_group_limit, check_room};
use super::matrix::{Action, InvitePath, Standing};
use super::types::TypeRules;
use super::{Decision, Rows, Step, check_batch, manages};

/// Everything that can be refused without looking at anybody's row.
fn check(facts: &Facts, caller: &Caller, create: &CreateGroup) -> Result<Group, Stop> {
    if let Some(taken) = &facts.of(&create.group)?.group {
        return Err(taken_id(taken, create, caller).into());
    }
    let rules = facts.types.get(create.group_type, create.own_type.as_deref());
    if create.imported.is_some() {
        rules.permit(Action::Import, Standing::of(caller, None))?;
    }
    if !create.members.is_empty() {
        rules.permit(Action::NameFirstMembers, Standing::of(caller, Some(Role::Owner)))?;
        check_batch(facts, create.members.len(), "memberList")?;
    }
    check_roles(&rules, &create.members)?;
    let created_at = create.imported.as_ref().and_then(|imported| imported.created_at);
    if created_at.is_some_and(|at| at > facts.now) {
        return Err(Error::parameter("createTime", "is in the future").into());
    }
    Ok(Group {
        id: create.group.clone(),
        group_type: create.group_type,
        own_type: create.own_type.clone(),
        owner: create.owner.clone(),
        join_option: join_option(&rules, create.join_option, create.lenient)?,
        invite_option: invite_option(&rules, create.invite_option, create.lenient)?,
        max_members: max_members(&rules, create.max_members, &facts.limits)?,
        mute_all: false,
        member_count: 0,
        pending_count: 0,
        seq: 0,
        created_at: created_at.unwrap_or(facts.now),
        dismissed_at: None,
    })
}

/// Whether members may begin with the roles that they are given: the owner is named elsewhere.
pub(super) fn check_roles(rules: &TypeRules, members: &[NewMember]) -> Result<(), Error> {
    if members.iter().any(|member| member.role == Role::Owner) {
        return Err(Error::parameter("memberList", "names an owner; a group has at most one"));
    }
    if rules.traits.has_admins || !members.iter().any(|member| manages(member.role)) {
        return Ok(());
    }
    let rule = format!("names an admin; a group of type {} has none", rules.name);
    Err(Error::parameter("memberList", rule))
}

fn taken_id(taken: &Group, create: &CreateGroup, caller: &Caller) -> Error {
    let owner = create.owner.as_ref().unwrap_or(&caller.user);
    let live = taken.dismissed_at.is_none();
    let (reason, text) = if live && taken.owner.as_ref() == Some(owner) {
        (Reason::GroupIdTakenByOwner, "the owner has a group with this id already")
    } else if live {
        (Reason::GroupIdTaken, "a group with this id exists")
    } else {
        (Reason::GroupIdTaken, "a group with this id was dismissed; its id is not free again")
    };
    Error::new(reason, text).field("groupID")
}

pub(super) fn users(facts: &Facts, caller: &Caller, create: &CreateGroup) -> Result<Rows, Stop> {
    check(facts, caller, create)?;
    let mut rows = Rows::default();
    for user in create.owner.iter().chain(create.members.iter().map(|member| &member.user)) {
        rows.add(user.clone(), facts);
    }
    Ok(rows)
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    create: &CreateGroup,
) -> Result<Decision, Stop> {
    let group = check(facts, caller, create)?;
    let mut members = Vec::with_capacity(create.members.len() + 1);
    if let Some(owner) = &create.owner {
        check_owner(facts, &group, owner)?;
        members.push(NewMember::with_role(owner.clone(), Role::Owner));
    }
    let gathered = first_members(facts, caller, create, &group)?;
    let unknown = |outcome: &MemberOutcome| outcome.reason == Some(MemberReason::UnknownUser);
    if create.lenient
        && let Some(outcome) = gathered.outcomes.iter().find(|outcome| unknown(outcome))
    {
        // Tencent's reply has no place for a result, so that the call fails as documented (10019).
        let text = format!("{} has no account", outcome.user);
        return Err(Error::new(Reason::UnknownAccount, text).field("memberList").into());
    }
    check_room(&group, members.len() + gathered.joining.len() + gathered.asked.len())?;
    members.extend(as_named(&gathered.joining, &create.members));
    let event = GroupEvent::Created {
        op: caller.user.clone(),
        group: Box::new(group),
        profile: Box::new(Profile {
            name: create.name.clone(),
            introduction: create.introduction.clone(),
            notification: create.notification.clone(),
            face_url: create.face_url.clone(),
            custom_fields: create.custom_fields.clone(),
        }),
        members,
        silent: create.imported.is_some(),
    };
    let mut steps = vec![Step::Group(create.group.clone(), event)];
    let nobody = GroupFacts { managers: Some(BTreeSet::new()), ..GroupFacts::default() };
    for asked in gathered.asked {
        steps.extend(invite::ask(&nobody, asked)?);
    }
    let reply = Reply::Created { group: create.group.clone(), members: gathered.outcomes };
    Ok(Decision { reply, steps })
}

/// Those who join, as the call names them.
pub(super) fn as_named<'a>(
    joining: &'a [UserId],
    named: &'a [NewMember],
) -> impl Iterator<Item = NewMember> + 'a {
    let by_user: HashMap<&UserId, &NewMember> =
        named.iter().map(|member| (&member.user, member)).collect();
    joining.iter().map(move |user| match by_user.get(user) {
        Some(member) => NewMember::clone(member),
        None => NewMember::plain(user.clone()),
    })
}

fn check_owner(facts: &Facts, group: &Group, owner: &UserId) -> Result<(), Stop> {
    let user = match facts.user(owner)? {
        Some(user) if user.deleted_at.is_none() => user,
        _ => {
            let text = format!("the owner {owner} has no account");
            return Err(Error::new(Reason::UnknownAccount, text).field("owner").into());
        }
    };
    if facts.rules(group).traits.counts_towards_limit {
        check_group_limit(user, &facts.limits)?;
    }
    Ok(())
}

/// Judges the first members as the invitees of a group that nobody is in yet.
fn first_members(
    facts: &Facts,
    caller: &Caller,
    create: &CreateGroup,
    group: &Group,
) -> Result<Gathered, Stop> {
    let path = if caller.administrator { InvitePath::Unconditional } else { InvitePath::Direct };
    let nobody = GroupFacts {
        known: create.members.iter().map(|member| member.user.clone()).collect(),
        ..GroupFacts::default()
    };
    let mut call = Call { facts, group, of_group: &nobody, path, opened: 0 };
    let mut gathered = Gathered::default();
    for NewMember { user, .. } in &create.members {
        if create.owner.as_ref() == Some(user) {
            let reason = MemberReason::AlreadyMember;
            gathered.outcomes.push(MemberOutcome::other(
                user.clone(),
                MemberResult::Invalid,
                reason,
            ));
        } else {
            gathered.add(&mut call, caller, user)?;
        }
    }
    Ok(gathered)
}
