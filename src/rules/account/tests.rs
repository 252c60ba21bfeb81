//! The end of credentials and accounts, as the functions they are.

use super::*;
use crate::model::event::UserEvent;
use crate::model::{
    ApplicationKind, ApplicationState, Command, Group, GroupType, InviteConsent, InviteOption,
    JoinOption, Limits, Member, Moment, Operation, Role,
};
use crate::rules::{self, GroupFacts, Rulebook};

fn user(id: &str) -> UserId {
    UserId::from_stored(id)
}

fn group_id() -> GroupId {
    GroupId::from_stored("g")
}

fn now() -> Moment {
    Moment::from_timestamp(1_700_000_000, 0).expect("a moment")
}

fn caller(administrator: bool) -> Caller {
    Caller { user: user("boss"), administrator }
}

fn account_of(id: &str, deleted_by: Option<&str>) -> User {
    User {
        id: user(id),
        nick_name: String::new(),
        face_url: String::new(),
        invite_consent: InviteConsent::Auto,
        group_limit: None,
        group_count: 1,
        pending_count: 1,
        membership_rev: 1,
        user_seq: 4,
        deleted_at: deleted_by.map(|_| now()),
        deleted_by: deleted_by.map(user),
        created_at: now(),
        fresh: false,
    }
}

/// What is known when Carol, who owns the group, is an account of this kind.
fn facts(carol: Option<User>) -> Facts {
    let mut facts = Facts::new(now(), &Rulebook::builtin(Limits::defaults()));
    let group = Group {
        id: group_id(),
        group_type: GroupType::Public,
        own_type: None,
        owner: Some(user("carol")),
        join_option: JoinOption::FreeAccess,
        invite_option: InviteOption::FreeAccess,
        max_members: None,
        mute_all: false,
        member_count: 2,
        pending_count: 0,
        seq: 7,
        created_at: now(),
        dismissed_at: None,
    };
    let member = Member {
        role: Role::Owner,
        joined_seq: 1,
        left_seq: None,
        past: None,
        joined_at: now(),
        name_card: String::new(),
        mute_until: None,
        custom_fields: crate::model::CustomFields::new(),
        user_rev: 1,
    };
    let of_group = GroupFacts {
        group: Some(group),
        known: [user("carol")].into_iter().collect(),
        members: [(user("carol"), member)].into_iter().collect(),
        ..GroupFacts::default()
    };
    facts.groups.insert(group_id(), of_group);
    facts.users.insert(user("carol"), carol);
    facts.users.insert(user("dave"), Some(account_of("dave", None)));
    facts
}

fn open(facts: &mut Facts, number: u128, from: &str, subject: &str) {
    let application = Application {
        id: uuid::Uuid::from_u128(number),
        group: group_id(),
        kind: ApplicationKind::Invitation,
        from_user: user(from),
        subject: user(subject),
        approved_by: None,
        message: String::new(),
        added_at: now(),
        expires_at: now(),
        state: ApplicationState::Open,
        handled: None,
    };
    let of_group = facts.groups.get_mut(&group_id()).expect("the group");
    of_group.group.as_mut().expect("its row").pending_count += 1;
    of_group.applications.insert(application.id, application);
}

fn decide(facts: &Facts, administrator: bool, operation: Operation) -> Result<Decision, Stop> {
    let command = Command { caller: caller(administrator), operation, idempotency: None };
    rules::users(facts, &command)?;
    rules::decide(facts, &command)
}

fn depart_carol(facts: &Facts) -> Decision {
    let operation = Operation::Depart { group: group_id(), user: user("carol") };
    decide(facts, true, operation).expect("a decision")
}

#[test]
fn only_an_administrator_ends_anything_and_only_what_exists() {
    for operation in [
        Operation::DeleteUser { user: user("carol") },
        Operation::RevokeCredentials { user: user("carol") },
    ] {
        let reason =
            |administrator, carol| match decide(&facts(carol), administrator, operation.clone()) {
                Err(Stop::Refused(refusal)) => Some(refusal.reason),
                Err(Stop::Missing) => panic!("everything was loaded"),
                Ok(_) => None,
            };
        let carol = || Some(account_of("carol", None));
        assert_eq!(reason(false, carol()), Some(Reason::AdministratorsOnly));
        assert_eq!(reason(false, None), Some(Reason::AdministratorsOnly));
        assert_eq!(reason(true, None), Some(Reason::UnknownAccount));
        assert_eq!(reason(true, carol()), None);
        let again = decide(&facts(Some(account_of("carol", Some("x")))), true, operation);
        assert_eq!(again, Ok(Decision::unchanged(Reply::Done)));
    }
}

#[test]
fn a_deleted_account_bears_the_mark_and_its_credentials_are_over() {
    let mut facts = facts(Some(account_of("carol", None)));
    let operation = Operation::DeleteUser { user: user("carol") };
    let decision = decide(&facts, true, operation).expect("done");
    facts.apply(&decision).expect("all is loaded");
    let carol = facts.user(&user("carol")).expect("loaded").expect("still there");
    assert_eq!((carol.deleted_at, &carol.deleted_by), (Some(now()), &Some(user("boss"))));
    assert_eq!(facts.changes.revoked.get(&user("carol")), Some(&true));
    assert!(facts.changes.entries.is_empty(), "no membership ends with it");
}

#[test]
fn who_is_not_being_deleted_departs_from_nowhere() {
    for carol in [None, Some(account_of("carol", None))] {
        assert_eq!(depart_carol(&facts(carol)), Decision::unchanged(Reply::Done));
    }
}

#[test]
fn an_owner_departs_in_the_name_of_whoever_deleted_him_and_the_group_is_without() {
    let mut facts = facts(Some(account_of("carol", Some("boss"))));
    let decision = depart_carol(&facts);
    let event = GroupEvent::Left { member: user("carol"), op: user("boss") };
    assert_eq!(decision.steps, [Step::Group(group_id(), event)]);
    assert_eq!(decision.reply, Reply::Done);
    facts.apply(&decision).expect("all is loaded");
    let group = facts.groups[&group_id()].group.as_ref().expect("its row");
    assert_eq!((&group.owner, group.member_count, group.seq), (&None, 1, 8));
    let carol = facts.user(&user("carol")).expect("loaded").expect("still there");
    assert_eq!(carol.group_count, 0);
    // Once more there is nothing left to do.
    assert_eq!(depart_carol(&facts), Decision::unchanged(Reply::Done));
}

#[test]
fn of_a_dismissed_group_only_the_row_is_left() {
    let mut facts = facts(Some(account_of("carol", Some("boss"))));
    let of_group = facts.groups.get_mut(&group_id()).expect("the group");
    of_group.group.as_mut().expect("its row").dismissed_at = Some(now());
    let decision = depart_carol(&facts);
    assert_eq!(decision.steps, [Step::Release(group_id(), vec![user("carol")])]);
    facts.apply(&decision).expect("all is loaded");
    assert!(facts.changes.entries.is_empty());
}

#[test]
fn its_applications_end_and_only_others_are_told() {
    let mut facts = facts(Some(account_of("carol", Some("boss"))));
    open(&mut facts, 1, "carol", "dave");
    open(&mut facts, 2, "dave", "carol");
    open(&mut facts, 3, "dave", "erin");
    let decision = depart_carol(&facts);
    let told: Vec<(&UserId, ApplicationState)> = decision
        .steps
        .iter()
        .filter_map(|step| match step {
            Step::Personal(told, UserEvent::Processed { application, op: None }) => {
                Some((told, application.state))
            }
            _ => None,
        })
        .collect();
    let dave = user("dave");
    assert_eq!(told, [(&dave, ApplicationState::Ended), (&dave, ApplicationState::Ended)]);
    facts.apply(&decision).expect("all is loaded");
    let of_group = &facts.groups[&group_id()];
    let ending = |number| {
        let found = &of_group.applications[&uuid::Uuid::from_u128(number)];
        found.handled.as_ref().map(|handled| handled.ending)
    };
    let ended = Some(Ending::AccountDeleted);
    assert_eq!([ending(1), ending(2), ending(3)], [ended, ended, None]);
    assert_eq!(of_group.group.as_ref().map(|group| group.pending_count), Some(1));
}

#[test]
fn more_applications_than_a_step_closes_are_left_for_the_next() {
    let mut facts = facts(Some(account_of("carol", Some("boss"))));
    for number in 0..=CLOSED_IN_A_STEP {
        let subject = format!("u{number}");
        facts.users.insert(user(&subject), Some(account_of(&subject, None)));
        open(&mut facts, number as u128, "carol", &subject);
    }
    let first = depart_carol(&facts);
    assert_eq!(first.reply, Reply::More);
    facts.apply(&first).expect("all is loaded");
    let second = depart_carol(&facts);
    assert_eq!(second.reply, Reply::Done);
    let closed = |step: &&Step| matches!(step, Step::Close(..));
    assert_eq!(first.steps.iter().filter(closed).count(), CLOSED_IN_A_STEP);
    assert_eq!(second.steps.iter().filter(closed).count(), 1);
}

#[test]
fn an_account_is_forgotten_only_when_nothing_is_left_of_it() {
    let operation = || Operation::ForgetUser { user: user("carol") };
    let mut facts = facts(Some(account_of("carol", Some("boss"))));
    assert_eq!(decide(&facts, true, operation()), Err(Stop::Missing));
    facts.lingering.insert(user("carol"), true);
    let decision = decide(&facts, true, operation()).expect("a decision");
    assert_eq!(decision, Decision::unchanged(Reply::More));
    facts.lingering.insert(user("carol"), false);
    let decision = decide(&facts, true, operation()).expect("a decision");
    facts.apply(&decision).expect("all is loaded");
    assert_eq!(facts.changes.revoked.get(&user("carol")), Some(&false));
    assert_eq!(facts.changes.forgotten.get(&user("carol")), Some(&4));
    // Whoever needs it in the same batch has to look again.
    assert_eq!(facts.user(&user("carol")), Err(Stop::Missing));
}

#[test]
fn an_account_that_was_made_anew_is_not_forgotten() {
    let operation = Operation::ForgetUser { user: user("carol") };
    for carol in [None, Some(account_of("carol", None))] {
        let mut facts = facts(carol);
        facts.lingering.insert(user("carol"), false);
        let decision = decide(&facts, true, operation.clone()).expect("a decision");
        assert_eq!(decision, Decision::unchanged(Reply::Done));
    }
}
