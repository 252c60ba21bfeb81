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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApplicationKind, Error, GroupType, Reason};
    use crate::rules::application::Wish;
    use crate::rules::check_ban;
    use crate::rules::testkit::{
        STRANGER, caller, events, facts, group, now, of_group, refusal, user,
    };

    fn banned(facts: &Facts, by: &str, whom: &str, seconds: Option<u32>) -> Decision {
        let users = [user(whom)];
        decide(facts, &caller(by), &group(), &users, seconds, "spam").expect("an answer")
    }

    fn line(whom: &str, result: MemberResult, reason: MemberReason) -> Reply {
        Reply::Members(vec![MemberOutcome::other(user(whom), result, reason)])
    }

    #[test]
    fn a_stranger_is_kept_out_without_an_account_and_nobody_is_told() {
        let mut facts = facts(GroupType::Public);
        facts.users.remove(&user(STRANGER));
        let wanted = users(&facts, &caller("owner"), &group(), &[user(STRANGER)]);
        assert_eq!(wanted, Ok(Rows::default()));
        let decision = banned(&facts, "owner", STRANGER, None);
        assert_eq!(decision.reply, Reply::Members(vec![MemberOutcome::done(user(STRANGER))]));
        assert_eq!(events(&decision), Vec::<&str>::new());
        facts.apply(&decision).expect("no row of his is needed");
        let ban = of_group(&mut facts).bans[&user(STRANGER)].clone();
        assert_eq!(ban, Ban { until: None, reason: "spam".into() });
        assert!(facts.changes.users.is_empty() && facts.changes.entries.is_empty());
        assert_eq!(facts.changes.bans[&(group(), user(STRANGER))], user("owner"));
    }

    #[test]
    fn who_is_banned_leaves_and_is_told_until_when() {
        let mut facts = facts(GroupType::Public);
        let decision = banned(&facts, "admin", "member", Some(60));
        assert_eq!(events(&decision), ["onMemberKicked"]);
        facts.apply(&decision).expect("applied");
        assert_eq!(of_group(&mut facts).member(&user("member")), Ok(None));
        let refused = |facts: &Facts| -> Error {
            let of_group = facts.of(&group()).expect("the group");
            refusal(check_ban(facts, of_group, &user("member")))
        };
        let error = refused(&facts);
        assert_eq!(error.reason, Reason::Banned);
        assert_eq!(error.text, "banned from the group until 2023-11-14T22:14:20.000Z");
        assert_eq!(error.source.as_deref(), Some("a ban of the group"));
        facts.apply(&banned(&facts, "owner", "member", None)).expect("banned again");
        assert_eq!(refused(&facts).text, "banned from the group");
    }

    #[test]
    fn the_owner_and_equals_stay() {
        use MemberReason::{IsOwner, RoleTooLow};
        let facts = facts(GroupType::Public);
        let cases = [
            ("owner", "owner", IsOwner),
            ("admin", "owner", IsOwner),
            ("administrator", "owner", IsOwner),
            ("admin", "admin2", RoleTooLow),
            ("admin", "admin", RoleTooLow),
        ];
        for (by, whom, reason) in cases {
            let decision = banned(&facts, by, whom, None);
            let expected = line(whom, MemberResult::Failed, reason);
            assert_eq!(decision, Decision::unchanged(expected), "{by} bans {whom}");
        }
        assert_eq!(events(&banned(&facts, "owner", "admin", None)), ["onMemberKicked"]);
    }

    #[test]
    fn a_ban_ends_what_was_open_and_locks_those_whom_it_concerns() {
        let mut facts = facts(GroupType::Public);
        let wish = Wish {
            group: &group(),
            kind: ApplicationKind::Invitation,
            from_user: &user("member"),
            subject: &user(STRANGER),
            approved_by: None,
            message: "",
        };
        let open = wish.into_application(&facts, 0);
        of_group(&mut facts).applications.insert(open.id, open.clone());
        let rows = users(&facts, &caller("owner"), &group(), &[user(STRANGER)]).expect("permitted");
        assert_eq!(rows.lock, ["member", STRANGER].map(user).into_iter().collect());
        facts.apply(&banned(&facts, "owner", STRANGER, Some(1))).expect("applied");
        let handled = of_group(&mut facts).applications[&open.id].handled.clone().expect("closed");
        assert_eq!((handled.ending, handled.by), (Ending::Banned, Some(user("owner"))));
        assert_eq!(handled.message, "spam");
        let told = facts.changes.entries.iter().map(|entry| entry.kind.word());
        assert_eq!(told.collect::<Vec<_>>(), ["onApplicationProcessed", "onApplicationProcessed"]);
    }

    #[test]
    fn only_a_ban_that_holds_is_lifted() {
        let mut facts = facts(GroupType::Public);
        let lifted = |facts: &Facts| {
            lift(facts, &caller("owner"), &group(), &[user(STRANGER)]).expect("an answer")
        };
        let none = line(STRANGER, MemberResult::Invalid, MemberReason::NotBanned);
        assert_eq!(lifted(&facts), Decision::unchanged(none.clone()));
        let over = Ban { until: Some(now()), reason: String::new() };
        of_group(&mut facts).bans.insert(user(STRANGER), over);
        assert_eq!(lifted(&facts), Decision::unchanged(none));
        facts.apply(&banned(&facts, "owner", STRANGER, Some(1))).expect("applied");
        let decision = lifted(&facts);
        assert_eq!(decision.steps, [Step::Unban(group(), user(STRANGER))]);
        facts.apply(&decision).expect("applied");
        let place = (group(), user(STRANGER));
        assert!(facts.changes.unbanned.contains(&place) && facts.changes.bans.is_empty());
        facts.apply(&banned(&facts, "owner", STRANGER, Some(1))).expect("applied");
        assert!(facts.changes.bans.contains_key(&place) && facts.changes.unbanned.is_empty());
    }

    #[test]
    fn a_live_group_bans_though_it_does_not_kick() {
        let facts = facts(GroupType::AVChatRoom);
        assert_eq!(events(&banned(&facts, "owner", "member", Some(1))), ["onMemberKicked"]);
        let users = [user("member")];
        let refused = refusal(decide(&facts, &caller("member"), &group(), &users, None, ""));
        assert_eq!(refused.reason, Reason::RoleTooLow);
        assert_eq!(refused.source.as_deref(), Some("ban in groups of type AVChatRoom"));
        let nobody = refusal(decide(&facts, &caller("owner"), &group(), &[], None, ""));
        assert_eq!(nobody.field.as_deref(), Some("userList"));
    }
}
