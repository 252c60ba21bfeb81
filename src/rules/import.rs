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
    rules.permit(Action::Import, Standing::of(caller, None))?;
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

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::model::{Ban, GroupType, MemberOutcome, MemberReason, MemberResult, Reason, Role};
    use crate::rules::testkit::{
        STRANGER, caller, events, facts, group, now, of_group, refusal, seat, user,
    };

    fn named(id: &str) -> NewMember {
        NewMember::plain(user(id))
    }

    fn imported(facts: &Facts, members: &[NewMember]) -> Result<Decision, Stop> {
        decide(facts, &caller("administrator"), &group(), members)
    }

    #[test]
    fn they_come_with_role_time_and_fields_and_nothing_is_shown() {
        let mut facts = facts(GroupType::Public);
        let created = now() - TimeDelta::days(9);
        of_group(&mut facts).group.as_mut().expect("a row").created_at = created;
        let came = |days| NewMember {
            role: Role::Admin,
            joined_at: Some(now() - TimeDelta::days(days)),
            custom_fields: [("k".to_owned(), "v".to_owned())].into(),
            ..named(STRANGER)
        };
        for (days, since) in [(3, now() - TimeDelta::days(3)), (30, created)] {
            let mut facts = facts.clone();
            let decision = imported(&facts, &[came(days)]).expect("done");
            assert_eq!(events(&decision), ["onMemberInvited"]);
            facts.apply(&decision).expect("applied");
            let found = seat(&mut facts, STRANGER).clone();
            assert_eq!((found.role, found.joined_at), (Role::Admin, since));
            assert_eq!(found.custom_fields, came(0).custom_fields);
            assert!(facts.changes.entries[0].frame.contains(r#""silent":true"#));
            let managers = of_group(&mut facts).managers.clone().expect("loaded");
            assert!(managers.contains(&user(STRANGER)));
        }
    }

    #[test]
    fn only_administrators_import_and_only_what_can_be_true() {
        let public = facts(GroupType::Public);
        let members = [named(STRANGER)];
        let error = refusal(decide(&public, &caller("owner"), &group(), &members));
        assert_eq!(error.reason, Reason::AdministratorsOnly);
        assert_eq!(error.source.as_deref(), Some("import in groups of type Public"));
        let live = facts(GroupType::AVChatRoom);
        assert_eq!(refusal(imported(&live, &members)).reason, Reason::NotAllowedForType);
        let said = |facts: &Facts, members: &[NewMember]| {
            let error = refusal(imported(facts, members));
            assert_eq!(error.reason, Reason::InvalidParameter);
            (error.field.unwrap_or_default(), error.text)
        };
        let tomorrow = NewMember { joined_at: Some(now() + TimeDelta::days(1)), ..named(STRANGER) };
        let expected = ("joinTime".to_owned(), "joinTime is in the future".to_owned());
        assert_eq!(said(&public, &[tomorrow]), expected);
        let just_now = NewMember { joined_at: Some(now()), ..named(STRANGER) };
        assert!(imported(&public, &[just_now]).is_ok());
        assert_eq!(said(&public, &[]).0, "memberList");
        let admin = NewMember::with_role(user(STRANGER), Role::Admin);
        let text = "memberList names an admin; a group of type Work has none";
        assert_eq!(said(&facts(GroupType::Work), &[admin]), ("memberList".into(), text.into()));
    }

    #[test]
    fn members_and_banned_people_are_passed_over_and_not_locked() {
        let mut facts = facts(GroupType::Public);
        let ban = Ban { until: None, reason: String::new() };
        of_group(&mut facts).bans.insert(user(STRANGER), ban);
        let members = [named("member"), named(STRANGER)];
        let rows = users(&facts, &caller("administrator"), &group(), &members);
        assert_eq!(rows, Ok(Rows::default()));
        let other = |id, result, reason| MemberOutcome::other(user(id), result, reason);
        let lines = vec![
            other("member", MemberResult::Invalid, MemberReason::AlreadyMember),
            other(STRANGER, MemberResult::Failed, MemberReason::Banned),
        ];
        let expected = Decision::unchanged(Reply::Members(lines));
        assert_eq!(imported(&facts, &members), Ok(expected));
    }
}
