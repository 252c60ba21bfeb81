//! Made-up scripts, with odds that bring groups, consents and limits into each other's way.

use muster::model::{GroupType, InviteConsent, InviteOption, JoinOption};
use proptest::prelude::*;
use proptest::sample::Index;

use super::ops::{Decider, GROUPS, Limit, Op, PEOPLE, Script, Which, Who};

/// Somebody, with these odds for the owner, a member, anybody and the administrator.
fn who(owner: u32, member: u32, anybody: u32, administrator: u32) -> impl Strategy<Value = Who> {
    prop_oneof![
        owner => Just(Who::Owner),
        member => any::<Index>().prop_map(Who::Member),
        anybody => (0..PEOPLE).prop_map(Who::Person),
        administrator => Just(Who::Administrator),
    ]
}

/// One of the groups, mostly of those that scripts begin with.
fn group() -> impl Strategy<Value = usize> {
    prop_oneof![20 => 0..GROUPS - 1, 1 => Just(GROUPS - 1)]
}

fn invite_option() -> impl Strategy<Value = InviteOption> {
    prop_oneof![
        3 => Just(InviteOption::NeedPermission),
        2 => Just(InviteOption::FreeAccess),
        1 => Just(InviteOption::DisableInvite),
    ]
}

fn consent() -> impl Strategy<Value = InviteConsent> {
    prop_oneof![
        4 => Just(InviteConsent::Ask),
        2 => Just(InviteConsent::Auto),
        1 => Just(InviteConsent::Deny),
    ]
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(all: &'static [T]) -> impl Strategy<Value = T> {
    prop::sample::select(all)
}

fn sometimes<S: Strategy>(strategy: S) -> impl Strategy<Value = Option<S::Value>>
where
    S::Value: Clone,
{
    prop::option::weighted(0.3, strategy)
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![
        8 => any::<Index>().prop_map(Which::Open),
        1 => any::<Index>().prop_map(Which::Past),
        1 => Just(Which::Unknown),
    ]
}

fn decider() -> impl Strategy<Value = Decider> {
    prop_oneof![
        3 => Just(Decider::Subject),
        1 => Just(Decider::Asker),
        4 => who(4, 2, 1, 1).prop_map(Decider::Other),
    ]
}

/// What scripts begin with: some accounts, and groups of any type with people in them.
fn beginning() -> impl Strategy<Value = Vec<(Op, bool)>> {
    let one = |group: usize| {
        let members = prop::collection::vec((0..PEOPLE, prop::bool::weighted(0.4)), 0..4);
        let invite = prop::option::weighted(0.8, invite_option());
        (group_type(), invite, members).prop_map(move |(group_type, invite, members)| {
            let live = group_type == GroupType::AVChatRoom;
            let no_admins = group_type == GroupType::Work;
            let members = members.into_iter().map(|(user, admin)| (user, admin && !no_admins));
            let create = Op::Create {
                by: Who::Person(group),
                owner: None,
                group,
                group_type,
                join: None,
                invite: invite.filter(|_| !live),
                cap: None,
                members: if live { Vec::new() } else { members.collect() },
            };
            (create, false)
        })
    };
    let people = prop::collection::vec(prop::option::weighted(0.7, consent()), PEOPLE);
    (people, one(0), one(1), one(2)).prop_map(|(people, first, second, third)| {
        vec![(Op::Import(people), false), first, second, third]
    })
}

fn group_type() -> impl Strategy<Value = GroupType> {
    prop_oneof![
        3 => Just(GroupType::Work),
        3 => Just(GroupType::Public),
        2 => Just(GroupType::Meeting),
        1 => Just(GroupType::AVChatRoom),
        2 => Just(GroupType::Community),
    ]
}

fn create() -> impl Strategy<Value = Op> {
    let by = prop_oneof![4 => (0..PEOPLE).prop_map(Who::Person), 1 => Just(Who::Administrator)];
    let options = (sometimes(one_of(JoinOption::ALL)), sometimes(invite_option()));
    let members = prop::collection::vec((0..PEOPLE, prop::bool::weighted(0.3)), 0..4);
    (by, prop::option::of(0..PEOPLE), 0..GROUPS, group_type(), options, sometimes(0..7), members)
        .prop_map(|(by, owner, group, group_type, (join, invite), cap, members)| Op::Create {
            by,
            owner,
            group,
            group_type,
            join,
            invite,
            cap,
            members,
        })
}

fn edit() -> impl Strategy<Value = Op> {
    let options = (sometimes(one_of(JoinOption::ALL)), sometimes(invite_option()));
    (who(6, 3, 1, 2), group(), sometimes(0_u8..3), options, sometimes(0..7)).prop_map(
        |(by, group, name, (join, invite), cap)| Op::Edit { by, group, name, join, invite, cap },
    )
}

fn put_user() -> impl Strategy<Value = Op> {
    let limit = prop_oneof![2 => (0..4).prop_map(Limit::Own), 1 => Just(Limit::Setting)];
    let by = prop_oneof![
        4 => Just(Who::Owner),
        3 => Just(Who::Administrator),
        1 => (0..PEOPLE).prop_map(Who::Person),
    ];
    (by, 0..PEOPLE, prop::option::of(consent()), sometimes(limit))
        .prop_map(|(by, user, consent, limit)| Op::PutUser { by, user, consent, limit })
}

fn operation() -> impl Strategy<Value = Op> {
    let named = || prop::collection::vec(who(1, 2, 12, 1), 0..5);
    let removed = || prop::collection::vec(who(1, 6, 2, 0), 1..4);
    prop_oneof![
        2 => create(),
        5 => edit(),
        8 => put_user(),
        1 => (who(4, 1, 1, 2), group()).prop_map(|(by, group)| Op::Dismiss { by, group }),
        20 => (who(3, 6, 1, 1), group(), named())
            .prop_map(|(by, group, users)| Op::Invite { by, group, users }),
        12 => (who(0, 1, 12, 1), group()).prop_map(|(by, group)| Op::Join { by, group }),
        6 => (who(2, 8, 1, 1), group()).prop_map(|(by, group)| Op::Quit { by, group }),
        6 => (who(6, 2, 1, 2), group(), removed(), sometimes(1_u32..20))
            .prop_map(|(by, group, users, ban)| Op::Kick { by, group, users, ban }),
        16 => (decider(), which(), prop::bool::weighted(0.7))
            .prop_map(|(by, which, accept)| Op::Decide { by, which, accept }),
        3 => which().prop_map(|which| Op::Expire { which }),
        2 => group().prop_map(|group| Op::Release { group }),
        2 => (1_u8..15).prop_map(Op::Wait),
    ]
}

/// About sixty operations.
pub(super) fn script() -> impl Strategy<Value = Script> {
    let rest = prop::collection::vec((operation(), prop::bool::weighted(0.3)), 1..110);
    (beginning(), rest).prop_map(|(mut all, rest)| {
        all.extend(rest);
        Script(all)
    })
}
