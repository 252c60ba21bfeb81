//! The router, rule by rule.

use std::sync::Arc;

use super::super::event::Event;
use super::{Bounds, ConnId, Effect, Origin, Read, Router, Start};
use crate::model::event::GroupEvent;
use crate::model::{GroupId, Moment, NewMember, StreamKey, UserId};

const ALICE: ConnId = ConnId(1);
const BOB: ConnId = ConnId(2);

fn user(id: &str) -> UserId {
    UserId::from_stored(id)
}

fn stream() -> StreamKey {
    StreamKey::Group(GroupId::from_stored("g"))
}

fn entry(seq: i64, event: &GroupEvent) -> Arc<Event> {
    Arc::new(Event::from(event.entry(&GroupId::from_stored("g"), seq, Moment::UNIX_EPOCH)))
}

fn invite(seq: i64, who: &str) -> Arc<Event> {
    let members = vec![NewMember::plain(user(who))];
    entry(seq, &GroupEvent::Invited { op: user("op"), members, silent: false })
}

fn leave(seq: i64, who: &str) -> Arc<Event> {
    entry(seq, &GroupEvent::Left { member: user(who), op: user(who) })
}

fn start(from: i64, head: i64) -> Start {
    Start { stream: stream(), from, until: head, head }
}

/// A router with Alice live in the group, whose log stands at `head`.
fn with_alice(bounds: Bounds, head: i64) -> Router {
    let mut router = Router::with(bounds);
    router.register(ALICE, user("alice"));
    assert!(router.interest(ALICE, &[stream()]), "nobody knows the end of the log yet");
    assert_eq!(router.open(ALICE, &[start(head, head)]), [Effect::Ready(ALICE)]);
    router
}

fn here(router: &mut Router, entries: &[Arc<Event>]) -> Vec<Effect> {
    router.committed(entries, Origin::Here)
}

/// Who is sent which number.
fn sent(effects: &[Effect]) -> Vec<(Vec<u64>, i64)> {
    let mut found = Vec::new();
    for effect in effects {
        if let Effect::Send { to, event } = effect {
            let mut to: Vec<u64> = to.iter().map(|id| id.0).collect();
            to.sort_unstable();
            found.push((to, event.seq));
        }
    }
    found
}

fn reads(effects: &[Effect]) -> Vec<Read> {
    let read = |effect: &Effect| match effect {
        Effect::Read(read) => Some(read.clone()),
        _ => None,
    };
    effects.iter().filter_map(read).collect()
}

/// How many streams are followed once time has passed.
fn followed(router: &mut Router) -> usize {
    router.end_of_round();
    router.end_of_round();
    router.streams()
}

fn spans(effects: &[Effect]) -> Vec<(i64, i64)> {
    reads(effects).iter().map(|read| (read.after, read.through)).collect()
}

#[test]
fn the_next_entry_passes_an_old_one_is_dropped() {
    let mut router = with_alice(Bounds::default(), 3);
    assert_eq!(sent(&here(&mut router, &[invite(4, "x")])), [(vec![1], 4)]);
    assert!(here(&mut router, &[invite(4, "x"), invite(3, "x")]).is_empty());
}

#[test]
fn an_entry_from_further_ahead_waits_and_only_the_hole_is_read_once() {
    let mut router = with_alice(Bounds::default(), 3);
    let effects = here(&mut router, &[invite(7, "x")]);
    assert!(sent(&effects).is_empty());
    assert_eq!(spans(&effects), [(3, 6)]);
    assert!(here(&mut router, &[invite(8, "x")]).is_empty(), "the hole is being read");
    let found = vec![invite(4, "a"), invite(5, "b"), invite(6, "c")];
    let effects = router.fetched(&reads(&effects)[0], found, false);
    let numbers: Vec<i64> = sent(&effects).into_iter().map(|(_, seq)| seq).collect();
    assert_eq!(numbers, [4, 5, 6, 7, 8]);
}

#[test]
fn a_hole_that_filled_itself_needs_no_answer() {
    let mut router = with_alice(Bounds::default(), 3);
    let read = reads(&here(&mut router, &[invite(5, "x")])).remove(0);
    assert_eq!(sent(&here(&mut router, &[invite(4, "x")])).len(), 2);
    assert!(router.fetched(&read, vec![invite(4, "x")], false).is_empty());
}

#[test]
fn who_opens_ahead_of_the_router_waits_for_nothing_and_the_others_get_the_rest() {
    let mut router = with_alice(Bounds::default(), 3);
    router.register(BOB, user("bob"));
    assert!(!router.interest(BOB, &[stream()]), "the end of the log is known");
    let effects = router.open(BOB, &[start(5, 5)]);
    assert_eq!(spans(&effects), [(3, 5)]);
    assert!(effects.contains(&Effect::Ready(BOB)));
    let effects = router.fetched(&reads(&effects)[0], vec![invite(4, "x"), invite(5, "x")], false);
    assert_eq!(sent(&effects), [(vec![1], 4), (vec![1], 5)]);
    assert_eq!(sent(&here(&mut router, &[invite(6, "x")])), [(vec![1, 2], 6)]);
}

#[test]
fn who_opens_behind_the_router_gets_the_rest_from_the_ring_first() {
    let mut router = with_alice(Bounds::default(), 3);
    here(&mut router, &[invite(4, "x"), invite(5, "x")]);
    router.register(BOB, user("bob"));
    router.interest(BOB, &[stream()]);
    let effects = router.open(BOB, &[start(3, 3)]);
    assert_eq!(sent(&effects), [(vec![2], 4), (vec![2], 5)]);
    assert_eq!(effects.last(), Some(&Effect::Ready(BOB)));
}

#[test]
fn what_the_ring_has_not_is_read_and_ready_comes_after_it() {
    let mut router = with_alice(Bounds { ring: 1, ..Bounds::default() }, 3);
    here(&mut router, &[invite(4, "x"), invite(5, "x")]);
    router.register(BOB, user("bob"));
    router.interest(BOB, &[stream()]);
    let effects = router.open(BOB, &[start(2, 5)]);
    assert_eq!(spans(&effects), [(2, 4)]);
    assert_eq!(effects.len(), 1);
    let found = vec![invite(3, "bob"), invite(4, "x")];
    let effects = router.fetched(&reads(&effects)[0], found, false);
    assert_eq!(sent(&effects), [(vec![2], 3), (vec![2], 4), (vec![2], 5)]);
    assert_eq!(effects.last(), Some(&Effect::Ready(BOB)));
}

#[test]
fn a_replay_pauses_when_its_window_is_used_up() {
    let mut router = with_alice(Bounds { window_frames: 2, ..Bounds::default() }, 3);
    here(&mut router, &[invite(4, "x"), invite(5, "x"), invite(6, "x")]);
    router.register(BOB, user("bob"));
    router.interest(BOB, &[stream()]);
    let effects = router.open(BOB, &[start(3, 3)]);
    assert_eq!(sent(&effects), [(vec![2], 4), (vec![2], 5)]);
    assert_eq!(effects.last(), Some(&Effect::Mark(BOB)));
    assert_eq!(sent(&here(&mut router, &[invite(7, "x")])), [(vec![1], 7)]);
    let effects = router.drained(BOB);
    assert_eq!(sent(&effects), [(vec![2], 6), (vec![2], 7)]);
    assert!(effects.contains(&Effect::Ready(BOB)));
    assert_eq!(sent(&here(&mut router, &[invite(8, "x")])), [(vec![1, 2], 8)]);
}

#[test]
fn a_membership_that_ends_in_a_replay_ends_it() {
    let mut router = with_alice(Bounds::default(), 3);
    here(&mut router, &[leave(4, "bob"), invite(5, "x"), invite(6, "bob"), invite(7, "x")]);
    router.register(BOB, user("bob"));
    router.interest(BOB, &[stream()]);
    let effects = router.open(BOB, &[start(3, 3)]);
    assert_eq!(sent(&effects), [(vec![2], 4), (vec![2], 6), (vec![2], 7)]);
}

#[test]
fn one_who_left_is_led_to_his_removal_and_no_further() {
    let mut router = Router::with(Bounds::default());
    router.register(BOB, user("bob"));
    router.interest(BOB, &[stream()]);
    let ended = Start { stream: stream(), from: 3, until: 5, head: 90 };
    let effects = router.open(BOB, &[ended]);
    assert_eq!(spans(&effects), [(3, 90)]);
    let found = vec![invite(4, "x"), leave(5, "bob"), invite(6, "x"), invite(7, "x")];
    let effects = router.fetched(&reads(&effects)[0], found, true);
    assert_eq!(sent(&effects), [(vec![2], 4), (vec![2], 5)]);
    assert_eq!(effects.last(), Some(&Effect::Ready(BOB)));
    assert_eq!(followed(&mut router), 0);
}

#[test]
fn an_invitation_finds_one_who_is_about_to_open() {
    let mut router = Router::with(Bounds::default());
    router.register(BOB, user("bob"));
    assert!(here(&mut router, &[invite(4, "bob"), invite(5, "x")]).is_empty());
    let effects = router.open(BOB, &[]);
    assert_eq!(sent(&effects), [(vec![2], 4), (vec![2], 5)]);
}

#[test]
fn what_the_database_says_overrules_what_came_while_it_opened() {
    let mut router = Router::with(Bounds::default());
    router.register(BOB, user("bob"));
    here(&mut router, &[invite(4, "bob"), invite(5, "x")]);
    router.interest(BOB, &[stream()]);
    let effects = router.open(BOB, &[start(5, 5)]);
    assert_eq!(effects, [Effect::Ready(BOB)]);
    assert_eq!(sent(&here(&mut router, &[invite(6, "x")])), [(vec![2], 6)]);
}

#[test]
fn an_invitation_that_comes_after_later_ones_still_counts() {
    let mut router = with_alice(Bounds::default(), 0);
    router.unregister(ALICE);
    assert_eq!(followed(&mut router), 0);
    router.register(ALICE, user("alice"));
    router.register(BOB, user("bob"));
    router.open(ALICE, &[]);
    router.open(BOB, &[]);
    let effects = router.committed(&[invite(5, "alice")], Origin::Elsewhere);
    assert_eq!(sent(&effects), [(vec![1], 5)]);
    assert_eq!(spans(&effects), [(5, i64::MAX)], "it may be an old one");
    let effects = router.committed(&[invite(4, "bob")], Origin::Elsewhere);
    assert_eq!(spans(&effects), [(3, 4)]);
    let effects = router.fetched(&reads(&effects)[0], vec![invite(4, "bob")], false);
    assert_eq!(sent(&effects), [(vec![2], 4), (vec![2], 5)]);
}

#[test]
fn a_log_without_what_must_be_there_ends_those_who_need_it() {
    let mut router = with_alice(Bounds::default(), 3);
    let mut effects = here(&mut router, &[invite(5, "x")]);
    for _ in 0..2 {
        let read = reads(&effects).remove(0);
        effects = router.fetched(&read, Vec::new(), false);
        assert_eq!(spans(&effects), [(3, 4)], "it is asked for again");
    }
    let read = reads(&effects).remove(0);
    assert_eq!(router.fetched(&read, Vec::new(), false), [Effect::Close(ALICE)]);
    assert_eq!(followed(&mut router), 0);
}

#[test]
fn a_log_without_what_was_missed_ends_only_those_who_missed_it() {
    let mut router = with_alice(Bounds::default(), 9);
    router.register(BOB, user("bob"));
    router.interest(BOB, &[stream()]);
    let read = reads(&router.open(BOB, &[start(4, 9)])).remove(0);
    let trimmed = vec![invite(8, "x"), invite(9, "x")];
    assert_eq!(router.fetched(&read, trimmed, false), [Effect::Close(BOB)]);
    assert_eq!(sent(&here(&mut router, &[invite(10, "x")])), [(vec![1], 10)]);
}

#[test]
fn a_log_that_cannot_be_read_ends_those_who_need_it() {
    let mut router = with_alice(Bounds::default(), 3);
    let read = reads(&here(&mut router, &[invite(5, "x")])).remove(0);
    assert_eq!(router.fetch_failed(&read), [Effect::Close(ALICE)]);
    assert_eq!(followed(&mut router), 0);
    assert!(router.fetch_failed(&read).is_empty());
}

#[test]
fn of_what_waits_the_nearest_is_kept() {
    let mut router = with_alice(Bounds { held: 2, ..Bounds::default() }, 3);
    let effects = here(&mut router, &[invite(7, "x"), invite(6, "x"), invite(5, "x")]);
    assert_eq!(spans(&effects), [(3, 4)]);
    let effects = router.fetched(&reads(&effects)[0], vec![invite(4, "x")], false);
    assert_eq!(sent(&effects).len(), 3);
    assert_eq!(spans(&effects), [(6, 7)], "what was dropped is read");
}

#[test]
fn nothing_is_kept_for_streams_without_anybody() {
    let mut router = Router::with(Bounds::default());
    assert!(here(&mut router, &[invite(1, "x")]).is_empty());
    assert_eq!(followed(&mut router), 0);
    router.register(BOB, user("bob"));
    router.interest(BOB, &[stream()]);
    assert_eq!(followed(&mut router), 1);
    router.open(BOB, &[]);
    assert_eq!(followed(&mut router), 0);
    assert_eq!(router.of(&user("bob")).len(), 1);
}

#[test]
fn what_began_and_ceased_to_be_followed_is_told_once() {
    let mut router = with_alice(Bounds::default(), 3);
    assert_eq!(router.changes(), [(stream(), true)]);
    router.unregister(ALICE);
    router.end_of_round();
    assert!(router.changes().is_empty(), "it rests");
    router.register(BOB, user("bob"));
    assert!(!router.interest(BOB, &[stream()]), "and is followed on meanwhile");
    assert_eq!(router.end(), [(stream(), false)]);
}

#[test]
fn the_rings_of_all_streams_have_one_bound() {
    let mut router = with_alice(Bounds { rings: 2, ..Bounds::default() }, 3);
    here(&mut router, &[invite(4, "x"), invite(5, "x"), invite(6, "x")]);
    router.register(BOB, user("bob"));
    router.interest(BOB, &[stream()]);
    let effects = router.open(BOB, &[start(3, 3)]);
    assert_eq!(spans(&effects), [(3, 4)]);
}
