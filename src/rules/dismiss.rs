//! Ending a group, and releasing what is left of a large one.
//!
//! Dismissing marks the group and writes one event, whatever its size: from then on it is in no list and
//! nobody can enter. Up to a bound the members' rows and counters are released in the same transaction,
//! the rest by [`Operation::Release`](crate::model::Operation::Release) in chunks; until then those
//! users count one group too many, which errs on the safe side (`decisions.md` o).

use crate::model::event::GroupEvent;
use crate::model::{Caller, Ending, Group, GroupId, IdSet, Reply, UserId};

use super::application;
use super::facts::{Facts, Stop};
use super::matrix::Action;
use super::{Decision, Needs, Rows, Step, standing};

/// Most members released with the dismissal itself.
pub const RELEASED_AT_ONCE: i64 = 1_000;
/// Members released by one step of the background work.
pub const RELEASED_IN_A_STEP: i64 = 500;
/// Applications closed by one step of the background work.
pub const CLOSED_IN_A_STEP: i64 = 100;

pub(super) fn look(caller: &UserId, group: Option<&Group>) -> Needs {
    let small = group.is_some_and(|group| i64::from(group.member_count) <= RELEASED_AT_ONCE);
    Needs {
        people: vec![caller.clone()],
        members_up_to: small.then_some(RELEASED_AT_ONCE),
        ..Needs::default()
    }
}

/// Where nothing is left nothing is looked for: looking would go through all that was released.
pub(super) fn look_release(group: Option<&Group>) -> Needs {
    let members = group.is_some_and(|group| group.member_count > 0);
    let open = group.is_some_and(|group| group.pending_count > 0);
    Needs {
        members_up_to: members.then_some(RELEASED_IN_A_STEP),
        applications_up_to: open.then_some(CLOSED_IN_A_STEP),
        ..Needs::default()
    }
}

fn permit(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<(), Stop> {
    let (group, of_group) = facts.existing(id)?;
    facts.rules(group).permit(Action::Dismiss, standing(of_group, caller)?)?;
    Ok(())
}

/// The current members among the facts.
fn members(facts: &Facts, id: &GroupId) -> Result<Vec<UserId>, Stop> {
    let of_group = facts.of(id)?;
    let current = of_group.members.iter().filter(|(_, member)| member.is_current());
    let mut users: Vec<UserId> = current.map(|(user, _)| user.clone()).collect();
    users.sort_unstable();
    Ok(users)
}

pub(super) fn users(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<Rows, Stop> {
    permit(facts, caller, id)?;
    let (group, _) = facts.existing(id)?;
    let small = i64::from(group.member_count) <= RELEASED_AT_ONCE;
    let lock = if small { members(facts, id)?.into_iter().collect() } else { IdSet::default() };
    Ok(Rows { lock, ..Rows::default() })
}

pub(super) fn decide(facts: &Facts, caller: &Caller, id: &GroupId) -> Result<Decision, Stop> {
    permit(facts, caller, id)?;
    let event = GroupEvent::Dismissed { op: caller.user.clone() };
    Ok(Decision { reply: Reply::Done, steps: vec![Step::Group(id.clone(), event)] })
}

pub(super) fn release_users(facts: &Facts, id: &GroupId) -> Result<Rows, Stop> {
    let mut lock: IdSet<UserId> = members(facts, id)?.into_iter().collect();
    for open in facts.of(id)?.applications.values().filter(|open| open.handled.is_none()) {
        lock.extend(open.concerned());
        lock.insert(open.subject.clone());
    }
    Ok(Rows { lock, ..Rows::default() })
}

pub(super) fn decide_release(facts: &Facts, id: &GroupId) -> Result<Decision, Stop> {
    let of_group = facts.of(id)?;
    let Some(group) = of_group.group.as_ref().filter(|group| group.dismissed_at.is_some()) else {
        return Ok(Decision::unchanged(Reply::Done));
    };
    let leaving = members(facts, id)?;
    let open: Vec<_> =
        of_group.applications.values().filter(|open| open.handled.is_none()).collect();
    let left_members = i64::from(group.member_count) - i64::try_from(leaving.len()).unwrap_or(0);
    let left_open = i64::from(group.pending_count) - i64::try_from(open.len()).unwrap_or(0);
    let finished = (left_members <= 0 && left_open <= 0) || (leaving.is_empty() && open.is_empty());
    let mut steps: Vec<Step> = open
        .iter()
        .flat_map(|open| application::close(open, Ending::Dismissed, None, "", facts.now))
        .collect();
    if !leaving.is_empty() {
        steps.push(Step::Release(id.clone(), leaving));
    }
    if finished {
        steps.push(Step::Released(id.clone()));
    }
    Ok(Decision { reply: if finished { Reply::Done } else { Reply::More }, steps })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupType, InviteOption, JoinOption, Limits, Member, Moment, Role, User};
    use crate::rules::{GroupFacts, Rulebook};

    const NOW: Moment = Moment::UNIX_EPOCH;

    fn gone(member_count: i32, pending_count: i32) -> Group {
        Group {
            id: GroupId::from_stored("g"),
            group_type: GroupType::Public,
            own_type: None,
            owner: None,
            join_option: JoinOption::FreeAccess,
            invite_option: InviteOption::FreeAccess,
            max_members: None,
            mute_all: false,
            member_count,
            pending_count,
            seq: 7,
            created_at: NOW,
            dismissed_at: Some(NOW),
        }
    }

    fn user(id: &UserId) -> User {
        User {
            id: id.clone(),
            nick_name: String::new(),
            face_url: String::new(),
            invite_consent: crate::model::InviteConsent::Auto,
            group_limit: None,
            group_count: 1,
            pending_count: 0,
            membership_rev: 1,
            user_seq: 0,
            deleted_at: None,
            deleted_by: None,
            created_at: NOW,
            fresh: false,
        }
    }

    fn with_members(group: Group, ids: &[&str]) -> Facts {
        let mut facts = Facts::new(NOW, &Rulebook::builtin(Limits::defaults()));
        let mut of_group = GroupFacts { group: Some(group), ..GroupFacts::default() };
        for id in ids.iter().map(|id| UserId::from_stored(id)) {
            let member = Member {
                role: Role::Member,
                joined_seq: 1,
                left_seq: None,
                past: None,
                joined_at: NOW,
                name_card: String::new(),
                mute_until: None,
                custom_fields: crate::model::CustomFields::new(),
                user_rev: 1,
            };
            of_group.known.insert(id.clone());
            of_group.members.insert(id.clone(), member);
            facts.users.insert(id.clone(), Some(user(&id)));
        }
        facts.groups.insert(GroupId::from_stored("g"), of_group);
        facts
    }

    #[test]
    fn a_step_looks_only_for_what_the_counters_say_is_left() {
        let needs = |members, open| {
            let needs = look_release(Some(&gone(members, open)));
            (needs.members_up_to.is_some(), needs.applications_up_to.is_some())
        };
        assert_eq!(needs(3, 2), (true, true));
        assert_eq!(needs(3, 0), (true, false));
        assert_eq!(needs(0, 2), (false, true));
        assert_eq!(needs(0, 0), (false, false));
        assert_eq!(look_release(None), Needs::default());
    }

    #[test]
    fn a_step_releases_whom_it_sees_and_notes_the_last_of_them() {
        let id = GroupId::from_stored("g");
        let mut facts = with_members(gone(5, 0), &["b", "c", "a"]);
        let decision = decide_release(&facts, &id).expect("a step");
        assert_eq!(decision.reply, Reply::More);
        facts.apply(&decision).expect("everything is loaded");
        assert_eq!(facts.changes.released_up_to[&id], UserId::from_stored("c"));
        assert!(facts.changes.released.is_empty() && facts.changes.entries.is_empty());
        let group = facts.groups[&id].group.as_ref().expect("a group");
        assert_eq!((group.member_count, group.seq), (2, 7));
        for user in facts.users.values().flatten() {
            assert_eq!((user.group_count, user.membership_rev), (0, 2));
        }
    }

    #[test]
    fn the_step_that_sees_everybody_who_is_left_is_the_last() {
        let id = GroupId::from_stored("g");
        let mut facts = with_members(gone(2, 0), &["y", "z"]);
        let decision = decide_release(&facts, &id).expect("a step");
        assert_eq!(decision.reply, Reply::Done);
        facts.apply(&decision).expect("everything is loaded");
        assert!(facts.changes.released.contains(&id));
        assert_eq!(facts.groups[&id].group.as_ref().map(|group| group.member_count), Some(0));
    }

    #[test]
    fn what_another_node_finished_is_done() {
        let facts = with_members(gone(0, 0), &[]);
        let decision = decide_release(&facts, &GroupId::from_stored("g")).expect("a step");
        assert_eq!(decision.reply, Reply::Done);
    }
}
