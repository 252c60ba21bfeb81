//! Made-up scripts, with odds that bring groups, consents and limits into each other's way.

use muster::model::command::FOREVER;
use muster::model::{InviteConsent, InviteOption, JoinOption, Role};
use proptest::prelude::*;
use proptest::sample::Index;

use super::deeds::{Create, Fields, Named, Origin, What};
use super::kinds::Kind;
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
        6 => marked_or(4, who(8, 1, 1, 1)).prop_map(Decider::Other),
    ]
}

/// Changes of so many fields, of so many keys.
fn fields(keys: u8, most: usize) -> impl Strategy<Value = Fields> {
    let one = (0..keys, prop::option::weighted(0.9, 0..4_u8));
    prop_oneof![2 => Just(Vec::new()), 1 => prop::collection::vec(one, 0..=most)]
}

/// Somebody who is named, sometimes as an admin, sometimes with a time elsewhere.
fn named(user: impl Strategy<Value = usize>) -> impl Strategy<Value = Named> {
    let joined = prop_oneof![15 => (-40_i8..=0).boxed(), 1 => (5_i8..9).boxed()];
    (user, prop::bool::weighted(0.4), sometimes(joined), fields(8, 3))
        .prop_map(|(user, admin, joined, fields)| Named { user, admin, joined, fields })
}

/// The people whom a new group begins with: nobody says when they joined.
fn first_members() -> impl Strategy<Value = Vec<Named>> {
    let all = prop::collection::vec(named(0..PEOPLE), 0..4);
    all.prop_map(|all| all.into_iter().map(|one| Named { joined: None, ..one }).collect())
}

/// What scripts begin with: some accounts, and groups of any type with people in them.
fn beginning() -> impl Strategy<Value = Vec<(Op, bool)>> {
    let one = |group: usize| {
        let invite = prop::option::weighted(0.8, invite_option());
        // An administrator brings people in without asking them.
        let by = prop_oneof![Just(Who::Person(group)), Just(Who::Administrator)];
        let parts = (by, kind(), invite, first_members());
        parts.prop_map(move |(by, kind, invite, mut members)| {
            let live = kind == Kind::Live;
            for one in &mut members {
                one.admin &= kind.has_admins();
            }
            let create = Create {
                by,
                owner: Some(group),
                group,
                kind,
                join: None,
                invite: invite.filter(|_| !live),
                cap: None,
                members: if live { Vec::new() } else { members },
                fields: Vec::new(),
                origin: Origin::Here,
                lenient: false,
            };
            (Op::Create(Box::new(create)), false)
        })
    };
    let people = prop::collection::vec(prop::option::weighted(0.7, consent()), PEOPLE);
    (people, one(0), one(1), one(2)).prop_map(|(people, first, second, third)| {
        vec![(Op::Import(people), false), first, second, third]
    })
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        3 => Just(Kind::Work),
        3 => Just(Kind::Public),
        2 => Just(Kind::Meeting),
        1 => Just(Kind::Live),
        2 => Just(Kind::Community),
        2 => Just(Kind::Team),
        3 => Just(Kind::Circle),
    ]
}

fn create() -> impl Strategy<Value = Op> {
    let by = prop_oneof![2 => (0..PEOPLE).prop_map(Who::Person), 1 => Just(Who::Administrator)];
    let options = (sometimes(one_of(JoinOption::ALL)), sometimes(invite_option()));
    let made = prop_oneof![9 => (-60_i8..=0).boxed(), 1 => (5_i8..9).boxed()];
    let origin = prop_oneof![
        7 => Just(Origin::Here),
        1 => Just(Origin::Elsewhere),
        2 => made.prop_map(Origin::ElsewhereAt),
    ];
    let more = (sometimes(0..7), first_members(), fields(12, 4), origin);
    let who = (by, prop::option::of(0..PEOPLE));
    (who, 0..GROUPS, kind(), options, more, prop::bool::weighted(0.2)).prop_map(
        |((by, owner), group, kind, (join, invite), more, lenient)| {
            let (cap, members, fields, origin) = more;
            Op::Create(Box::new(Create {
                by,
                owner,
                group,
                kind,
                join,
                invite,
                cap,
                members,
                fields,
                origin,
                lenient,
            }))
        },
    )
}

fn edit() -> impl Strategy<Value = What> {
    let options = (sometimes(one_of(JoinOption::ALL)), sometimes(invite_option()));
    let text = sometimes((0..4_usize, 0..3_u8));
    let mute_all = sometimes(prop::bool::ANY);
    (text, options, sometimes(0..7), mute_all, fields(12, 7)).prop_map(
        |(text, (join, invite), cap, mute_all, fields)| What::Edit {
            text,
            join,
            invite,
            cap,
            mute_all,
            fields,
        },
    )
}

/// For how long somebody may not speak.
fn mute() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 6 => 1_u32..50, 2 => Just(FOREVER), 1 => Just(FOREVER - 1)]
}

fn edit_member() -> impl Strategy<Value = What> {
    let role = prop_oneof![
        6 => Just(Role::Admin),
        4 => Just(Role::Member),
        1 => Just(Role::Owner),
    ];
    let edit = (sometimes(role), sometimes(0..3_u8), sometimes(mute()), fields(8, 4));
    (prop::option::weighted(0.75, who(2, 10, 1, 1)), edit).prop_map(
        |(whom, (role, card, mute, fields))| match whom {
            Some(whom) => What::Member { whom, role, card, mute, fields },
            None => What::Himself { role, card, mute, fields },
        },
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

/// An admin, somebody who was muted, or with these odds somebody as [`who`] has it.
fn marked_or(odds: u32, who: impl Strategy<Value = Who>) -> impl Strategy<Value = Who> {
    prop_oneof![
        1 => any::<Index>().prop_map(Who::Admin),
        1 => any::<Index>().prop_map(Who::Quiet),
        odds => who,
    ]
}

/// Somebody does something in one of the groups; `by` are the odds of who.
fn in_a_group(
    by: (u32, u32, u32, u32),
    what: impl Strategy<Value = What>,
) -> impl Strategy<Value = Op> {
    let (owner, member, anybody, administrator) = by;
    (marked_or(5, who(owner, member, anybody, administrator)), group(), what)
        .prop_map(|(by, group, what)| Op::In { by, group, what })
}

/// What those who run a group do to its members.
fn rule() -> impl Strategy<Value = Op> {
    let removed = || prop::collection::vec(marked_or(5, who(1, 6, 2, 0)), 1..4);
    let banned = prop_oneof![4 => any::<Index>().prop_map(Who::Banned), 1 => who(1, 2, 4, 1)];
    let several = prop::collection::vec(marked_or(6, who(1, 4, 5, 1)), 0..5);
    let imported = prop::collection::vec(named(0..PEOPLE), 0..5);
    prop_oneof![
        6 => in_a_group((6, 3, 1, 2), (removed(), sometimes(1_u32..20), 0..3_u8)
            .prop_map(|(users, ban, why)| What::Kick(users, ban, why))),
        12 => in_a_group((6, 4, 1, 2), edit_member()),
        6 => in_a_group((5, 4, 1, 2), (removed(), mute())
            .prop_map(|(users, seconds)| What::Mute(users, seconds))),
        4 => in_a_group((5, 1, 1, 3), who(1, 8, 2, 0).prop_map(What::Transfer)),
        4 => in_a_group((5, 4, 1, 2), (several, prop::option::weighted(0.7, 1_u32..60), 0..3_u8)
            .prop_map(|(users, seconds, why)| What::Ban(users, seconds, why))),
        6 => in_a_group((5, 3, 1, 3), prop::collection::vec(banned, 0..4).prop_map(What::Unban)),
        3 => in_a_group((1, 0, 0, 8), imported.prop_map(What::Import)),
    ]
}

fn operation() -> impl Strategy<Value = Op> {
    let named = || prop::collection::vec(marked_or(10, who(1, 2, 12, 1)), 0..5);
    prop_oneof![
        3 => create(),
        7 => in_a_group((6, 3, 1, 2), edit()),
        8 => put_user(),
        1 => in_a_group((4, 1, 1, 2), Just(What::Dismiss)),
        20 => in_a_group((3, 6, 1, 1), (named(), prop::bool::weighted(0.1))
            .prop_map(|(users, silent)| What::Invite(users, silent))),
        12 => in_a_group((0, 1, 12, 1), Just(What::Join)),
        6 => in_a_group((2, 8, 1, 1), Just(What::Quit)),
        40 => rule(),
        16 => (decider(), which(), prop::bool::weighted(0.7))
            .prop_map(|(by, which, accept)| Op::Decide { by, which, accept }),
        3 => which().prop_map(|which| Op::Expire { which }),
        2 => group().prop_map(|group| Op::Release { group }),
        2 => (1_u8..15).prop_map(Op::Wait),
    ]
}

/// A ban that is set and lifted, or lifted and set again, within one batch.
fn back_and_forth() -> impl Strategy<Value = Vec<(Op, bool)>> {
    (group(), any::<Index>(), prop::bool::ANY).prop_map(|(group, index, set_first)| {
        // Both are made up before either is done, so that both mean the same person.
        let whom = || vec![Who::Banned(index)];
        let op = |what| Op::In { by: Who::Administrator, group, what };
        let set = op(What::Ban(whom(), Some(50), 2));
        let lifted = op(What::Unban(whom()));
        if set_first {
            vec![(set, true), (lifted, false)]
        } else {
            vec![(lifted, true), (set, false)]
        }
    })
}

/// A member invites where others have to agree, and they do.
fn agreed() -> impl Strategy<Value = Vec<(Op, bool)>> {
    (group(), any::<Index>(), 0..PEOPLE).prop_map(|(group, member, whom)| {
        let op = |by, what| (Op::In { by, group, what }, false);
        let decide = |by| (Op::Decide { by, which: Which::Newest, accept: true }, false);
        let held = What::Edit {
            text: None,
            join: None,
            invite: Some(InviteOption::NeedPermission),
            cap: None,
            mute_all: None,
            fields: Vec::new(),
        };
        vec![
            op(Who::Administrator, held),
            op(Who::Member(member), What::Invite(vec![Who::Person(whom)], false)),
            decide(Decider::Other(Who::Owner)),
            decide(Decider::Subject),
        ]
    })
}

/// About eighty operations.
pub(super) fn script() -> impl Strategy<Value = Script> {
    let one = (operation(), prop::bool::weighted(0.3)).prop_map(|one| vec![one]);
    let some = prop_oneof![100 => one, 2 => back_and_forth(), 3 => agreed()];
    let rest = prop::collection::vec(some, 1..150);
    (beginning(), rest).prop_map(|(mut all, rest)| {
        all.extend(rest.into_iter().flatten());
        Script(all)
    })
}
