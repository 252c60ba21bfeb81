//! What the tests of single rules share: one group with people in it, and everybody's rows loaded.

use std::collections::BTreeSet;

use crate::model::{
    Caller, Error, Group, GroupId, GroupType, InviteConsent, Limits, Member, Moment, Profile, Role,
    User, UserId,
};

use super::facts::{Facts, GroupFacts, Stop};
use super::types::Rulebook;
use super::{Decision, Step, matrix};

/// Somebody who is known of, but neither in the group nor kept out.
pub(super) const STRANGER: &str = "stranger";

/// When all decisions are made.
pub(super) fn now() -> Moment {
    Moment::from_timestamp(1_700_000_000, 0).expect("a moment")
}

pub(super) fn user(id: &str) -> UserId {
    UserId::from_stored(id)
}

pub(super) fn group() -> GroupId {
    GroupId::from_stored("g")
}

pub(super) fn caller(id: &str) -> Caller {
    Caller { user: user(id), administrator: id == "administrator" }
}

/// A current member, since number 1 of the log.
pub(super) fn member(role: Role) -> Member {
    Member {
        role,
        joined_seq: 1,
        left_seq: None,
        past: None,
        joined_at: now(),
        name_card: String::new(),
        mute_until: None,
        custom_fields: std::collections::BTreeMap::new(),
        user_rev: 1,
    }
}

fn row(id: &str) -> User {
    User {
        id: user(id),
        nick_name: String::new(),
        face_url: String::new(),
        invite_consent: InviteConsent::Auto,
        group_limit: None,
        group_count: 1,
        pending_count: 0,
        membership_rev: 1,
        user_seq: 0,
        deleted_at: None,
        deleted_by: None,
        created_at: now(),
        fresh: false,
    }
}

/// A group of this type with `owner`, `admin`, `admin2` and `member`; [`STRANGER`] and `administrator` are
/// known too.
pub(super) fn facts(base: GroupType) -> Facts {
    let people = [
        ("owner", Role::Owner),
        ("admin", Role::Admin),
        ("admin2", Role::Admin),
        ("member", Role::Member),
    ];
    let traits = matrix::traits(base);
    let group_row = Group {
        id: group(),
        group_type: base,
        own_type: None,
        owner: Some(user("owner")),
        join_option: traits.join_default,
        invite_option: traits.invite_default,
        max_members: traits.default_max_members,
        mute_all: false,
        member_count: 4,
        pending_count: 0,
        seq: 1,
        created_at: now(),
        dismissed_at: None,
    };
    let outside = [STRANGER, "administrator"];
    let everybody = people.iter().map(|(id, _)| *id).chain(outside);
    let of_group = GroupFacts {
        group: Some(group_row),
        profile: Some(Profile::default()),
        known: everybody.clone().map(user).collect(),
        members: people.iter().map(|(id, role)| (user(id), member(*role))).collect(),
        managers: Some(BTreeSet::from(["owner", "admin", "admin2"].map(user))),
        ..GroupFacts::default()
    };
    let mut facts = Facts::new(now(), &Rulebook::builtin(Limits::defaults()));
    facts.groups.insert(group(), of_group);
    facts.users = everybody.map(|id| (user(id), Some(row(id)))).collect();
    facts
}

/// The membership of somebody, to be changed.
pub(super) fn seat<'a>(facts: &'a mut Facts, id: &str) -> &'a mut Member {
    let of_group = facts.groups.get_mut(&group()).expect("the group");
    of_group.members.get_mut(&user(id)).expect("a member")
}

/// The group, to be changed.
pub(super) fn of_group(facts: &mut Facts) -> &mut GroupFacts {
    facts.groups.get_mut(&group()).expect("the group")
}

/// The refusal.
#[track_caller]
pub(super) fn refusal<T: std::fmt::Debug>(decided: Result<T, Stop>) -> Error {
    match decided {
        Err(Stop::Refused(error)) => error,
        other => panic!("not refused: {other:?}"),
    }
}

/// The kinds of the group's events in a decision, in order.
pub(super) fn events(decision: &Decision) -> Vec<&'static str> {
    let word = |step: &Step| match step {
        Step::Group(_, event) => Some(event.kind().word()),
        _ => None,
    };
    decision.steps.iter().filter_map(word).collect()
}
