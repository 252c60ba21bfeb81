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
        let refusal = Error::new(Reason::RoleTooLow, text).field("userID");
        return Err(refusal.source("the roles of the two").into());
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
        let source = format!("has_admins of type {}", rules.name);
        return Err(Error::new(Reason::NotAllowedForType, text).field("role").source(source));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::show_moment;
    use crate::model::{FieldChanges, GroupType};
    use crate::rules::testkit::{caller, events, facts, group, now, refusal, seat, user};

    fn muted(facts: &Facts, seconds: u32) -> Decision {
        mute(facts, &caller("owner"), &group(), &[user("member")], seconds).expect("done")
    }

    fn edited(facts: &Facts, by: &str, whom: &str, it: &MemberEdit) -> Result<Decision, Stop> {
        edit(facts, &caller(by), &group(), &user(whom), it)
    }

    fn role(role: Role) -> MemberEdit {
        MemberEdit { role: Some(role), ..MemberEdit::default() }
    }

    #[test]
    fn for_ever_is_the_last_second_that_can_be_written() {
        let mut facts = facts(GroupType::Public);
        facts.apply(&muted(&facts, FOREVER)).expect("applied");
        let until = seat(&mut facts, "member").mute_until.expect("muted");
        assert_eq!(show_moment(until), "9999-12-31T23:59:59.000Z");
        assert_eq!(muted(&facts, FOREVER).steps, Vec::new());
        let almost = now() + TimeDelta::seconds(4_294_967_294);
        facts.apply(&muted(&facts, FOREVER - 1)).expect("applied");
        assert_eq!(seat(&mut facts, "member").mute_until, Some(almost));
    }

    #[test]
    fn a_mute_that_is_over_is_none() {
        let mut facts = facts(GroupType::Public);
        assert_eq!(muted(&facts, 0).steps, Vec::new());
        seat(&mut facts, "member").mute_until = Some(now());
        assert_eq!(muted(&facts, 0).steps, Vec::new());
        let lift = MemberEdit { mute_seconds: Some(0), ..MemberEdit::default() };
        assert_eq!(edited(&facts, "owner", "member", &lift).expect("done").steps, Vec::new());
        assert_eq!(events(&muted(&facts, 1)), ["onMemberInfoChanged"]);
        seat(&mut facts, "member").mute_until = Some(now() + TimeDelta::seconds(1));
        assert_eq!(events(&muted(&facts, 0)), ["onMemberInfoChanged"]);
        assert_eq!(muted(&facts, 1).steps, Vec::new());
    }

    #[test]
    fn a_role_and_the_rest_are_two_events_and_what_stays_is_none() {
        let facts = facts(GroupType::Public);
        let both = MemberEdit { name_card: Some("Al".into()), ..role(Role::Admin) };
        let decision = edited(&facts, "owner", "member", &both).expect("done");
        assert_eq!(events(&decision), ["onGrantAdministrator", "onMemberInfoChanged"]);
        let same = MemberEdit { name_card: Some(String::new()), ..role(Role::Member) };
        let decision = edited(&facts, "owner", "member", &same).expect("done");
        assert_eq!(decision, Decision::unchanged(Reply::Done));
    }

    #[test]
    fn all_or_nothing() {
        let facts = facts(GroupType::Public);
        let too_many: FieldChanges = (0..6).map(|n| (format!("k{n}"), Some("v".into()))).collect();
        let it = MemberEdit { custom_fields: too_many, ..role(Role::Admin) };
        let error = refusal(edited(&facts, "owner", "member", &it));
        assert_eq!(
            (error.reason, error.field.as_deref()),
            (Reason::InvalidParameter, Some("customFields"),)
        );
        assert_eq!((error.limit, error.current), (Some(5), Some(6)));
    }

    #[test]
    fn a_refusal_names_the_field_and_whom_it_is_about() {
        let public = facts(GroupType::Public);
        let card = MemberEdit { name_card: Some("x".into()), ..MemberEdit::default() };
        let said = |facts: &Facts, by: &str, whom: &str, it: &MemberEdit| {
            let error = refusal(edited(facts, by, whom, it));
            (error.reason, error.field.unwrap_or_default(), error.text)
        };
        let expect = |reason, field: &str, text: &str| (reason, field.to_owned(), text.to_owned());
        assert_eq!(
            said(&public, "admin", "admin2", &card),
            expect(
                Reason::RoleTooLow,
                "userID",
                "admin2 has the role Admin, which is not below the caller's"
            )
        );
        assert_eq!(
            said(&public, "owner", "stranger", &card),
            expect(Reason::MemberNotFound, "userID", "stranger is not a member of the group")
        );
        assert_eq!(
            said(&public, "owner", "member", &role(Role::Owner)),
            expect(
                Reason::InvalidParameter,
                "role",
                "role cannot be Owner here: transfer the group instead"
            )
        );
        for new in [Role::Admin, Role::Member] {
            assert_eq!(
                said(&public, "owner", "owner", &role(new)),
                expect(
                    Reason::IsOwner,
                    "role",
                    "owner is the owner; that role changes with a transfer only"
                )
            );
        }
        let error = refusal(edited(&public, "admin", "member", &role(Role::Admin)));
        assert_eq!(error.source.as_deref(), Some("appoint_admins in groups of type Public"));
        let error = refusal(edited(&public, "member", "member", &role(Role::Admin)));
        assert_eq!(error.reason, Reason::RoleTooLow);
    }

    #[test]
    fn a_type_without_admins_gets_none_even_if_somebody_may_appoint() {
        let rules = TypeRules::builtin(GroupType::Work);
        let member = crate::rules::testkit::member(Role::Member);
        let error = change_role(&rules, &caller("owner"), &user("a"), &member, Role::Admin)
            .expect_err("none");
        assert_eq!(error.reason, Reason::NotAllowedForType);
        assert_eq!(
            (error.field.as_deref(), &*error.text),
            (Some("role"), "a group of type Work has no admins",)
        );
        let same = change_role(&rules, &caller("owner"), &user("a"), &member, Role::Member);
        assert_eq!(same, Ok(None));
    }

    #[test]
    fn nobody_mutes_himself_or_his_equals() {
        let facts = facts(GroupType::Public);
        for (by, whom) in [("owner", "owner"), ("admin", "admin"), ("admin", "admin2")] {
            let reply = mute(&facts, &caller(by), &group(), &[user(whom)], 60).expect("an answer");
            let reason = MemberReason::RoleTooLow;
            let line = MemberOutcome::other(user(whom), MemberResult::Failed, reason);
            assert_eq!(reply, Decision::unchanged(Reply::Members(vec![line])), "{by}, {whom}");
            let it = MemberEdit { mute_seconds: Some(60), ..MemberEdit::default() };
            assert_eq!(refusal(edited(&facts, by, whom, &it)).reason, Reason::RoleTooLow);
        }
        let nobody = refusal(mute(&facts, &caller("owner"), &group(), &[], 60));
        assert_eq!(
            (nobody.reason, nobody.field.as_deref()),
            (Reason::InvalidParameter, Some("userList"),)
        );
        let crowd: Vec<UserId> = (0..501).map(|n| user(&format!("u{n}"))).collect();
        let error = refusal(mute(&facts, &caller("owner"), &group(), &crowd, 60));
        assert_eq!(
            (error.reason, error.limit, error.current),
            (Reason::TooManyInCall, Some(500), Some(501),)
        );
    }
}
