//! The queue of a connection: what is written by whom, and in which order.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tokio::time::timeout;

use super::*;
use crate::delivery::testkit::{Outgoing, Pipe};
use crate::model::event::GroupEvent;
use crate::model::{GroupId, Moment, UserId};

const ALL: Limit = Limit { frames: 10_000, bytes: 1 << 30 };

/// An event with this number whose frame has about so many bytes.
fn event(seq: i64, size: usize) -> Arc<Event> {
    let (op, reason) = (UserId::from_stored("op"), "x".repeat(size));
    let kick = GroupEvent::Kicked { op, members: Vec::new(), reason, silent: false };
    Arc::new(Event::from(kick.entry(&GroupId::from_stored("g"), seq, Moment::UNIX_EPOCH)))
}

/// A mailbox whose connection is open, and the other end of its socket, which takes so many frames.
fn open(unread: usize) -> (Arc<Mailbox>, Arc<Pipe>) {
    let pipe = Arc::new(Pipe::new(unread));
    let mailbox = Mailbox::new(pipe.clone());
    mailbox.open();
    (Arc::new(mailbox), pipe)
}

/// What came: the numbers of events, and the kinds of all else.
fn told(frames: &[Outgoing]) -> Vec<String> {
    let tell = |frame: &Outgoing| match frame {
        Outgoing::Text(text) => {
            let frame: serde_json::Value = serde_json::from_str(text).expect("JSON");
            let kind = frame["type"].as_str().expect("a type").to_owned();
            frame["seq"].as_i64().map_or(kind, |seq| seq.to_string())
        }
        Outgoing::Ping => "ping".to_owned(),
        Outgoing::Pong(payload) => format!("pong {}", payload.len()),
        Outgoing::Close { code, .. } => format!("close {code}"),
    };
    frames.iter().map(tell).collect()
}

fn rest(written: Option<Written>) -> Rest {
    written.expect("the pen was free").rest
}

#[test]
fn what_a_run_puts_in_goes_out_in_order_with_one_write_and_wakes_nobody() {
    let (mailbox, pipe) = open(100);
    assert_eq!(mailbox.offer(&event(1, 10)), Ok(true));
    assert_eq!(mailbox.offer(&event(2, 10)), Ok(false), "it is known that it has to be flushed");
    assert!(!mailbox.ready());
    let written = mailbox.flush().expect("the pen was free");
    assert_eq!((written.frames, written.rest), (3, Rest::Nothing));
    assert_eq!(told(&pipe.frames()), ["1", "2", "ready"]);
    assert_eq!(pipe.writes(), 1);
    assert_eq!(mailbox.inside().pen, Pen::Free);
    assert_eq!(mailbox.offer(&event(3, 10)), Ok(true));
}

#[test]
fn many_frames_take_several_writes() {
    let (mailbox, pipe) = open(1_000);
    for seq in 0..200 {
        mailbox.offer(&event(seq, 10)).expect("room");
    }
    assert_eq!(rest(mailbox.flush()), Rest::Nothing);
    assert_eq!((pipe.frames().len(), pipe.writes()), (200, 4));
    for seq in 0..8 {
        mailbox.offer(&event(seq, 60_000)).expect("room");
    }
    assert_eq!(rest(mailbox.flush()), Rest::Nothing);
    assert_eq!((pipe.frames().len(), pipe.writes()), (8, 8), "about 64 KiB at once");
}

#[test]
fn before_it_is_open_only_what_the_connection_says_is_written() {
    let pipe = Arc::new(Pipe::new(100));
    let mailbox = Mailbox::new(pipe.clone());
    mailbox.say("{\"type\":\"welcome\"}".into());
    assert!(mailbox.flush().is_none());
    assert_eq!(mailbox.write(ALL).expect("not broken").rest, Rest::Nothing);
    assert!(mailbox.offer(&event(1, 10)).is_ok());
    assert!(mailbox.flush().is_none(), "its task still has the pen");
    assert_eq!(told(&pipe.frames()), ["welcome"]);
}

#[tokio::test]
async fn a_mark_is_for_the_task_and_comes_behind_what_was_before_it() {
    let (mailbox, pipe) = open(100);
    mailbox.offer(&event(1, 10)).expect("room");
    mailbox.mark();
    mailbox.offer(&event(2, 10)).expect("room");
    assert!(mailbox.flush().is_none(), "the task has the pen");
    timeout(Duration::from_secs(5), mailbox.filled()).await.expect("there is something to do");
    assert_eq!(mailbox.write(ALL).expect("not broken").rest, Rest::Mark);
    assert_eq!(told(&pipe.frames()), ["1"]);
    assert_eq!((mailbox.take_marks(), mailbox.take_marks()), (1, 0));
    assert_eq!(mailbox.write(ALL).expect("not broken").rest, Rest::Nothing);
    assert_eq!(told(&pipe.frames()), ["2"]);
    mailbox.offer(&event(3, 10)).expect("room");
    assert_eq!(rest(mailbox.flush()), Rest::Nothing, "the pen is free again");
}

#[test]
fn too_many_events_find_no_room_and_marks_stay() {
    let (mailbox, _pipe) = open(100);
    mailbox.mark();
    mailbox.ready();
    let one = event(1, 1);
    assert!((0..FRAMES).all(|_| mailbox.offer(&one).is_ok()));
    assert_eq!(mailbox.offer(&one), Err(NoRoom));
    let dropped = mailbox.let_go();
    assert_eq!((dropped.events.len(), dropped.ready), (FRAMES, true));
    assert_eq!(mailbox.take_marks(), 1);
    assert!(mailbox.offer(&one).is_ok(), "there is room again");
}

#[test]
fn too_many_bytes_find_no_room() {
    let (mailbox, pipe) = open(100);
    mailbox.offer(&event(1, BYTES - 500)).expect("room");
    assert_eq!(mailbox.offer(&event(2, 501)), Err(NoRoom));
    assert_eq!(rest(mailbox.flush()), Rest::Nothing);
    assert_eq!(told(&pipe.frames()), ["1"]);
    mailbox.offer(&event(2, BYTES - 500)).expect("what was written makes room");
    assert_eq!(mailbox.let_go().events.len(), 1);
}

/// What was begun is finished first, although its queue was let go of, and counts as sent.
#[test]
fn a_frame_that_is_begun_is_finished_and_is_not_handed_back() {
    let (mailbox, pipe) = open(100);
    pipe.narrow(30);
    for seq in 1..=3 {
        mailbox.offer(&event(seq, 100)).expect("room");
    }
    assert_eq!(rest(mailbox.flush()), Rest::Blocked);
    let dropped = mailbox.let_go();
    assert_eq!(dropped.events.iter().map(|event| event.seq).collect::<Vec<_>>(), [2, 3]);
    mailbox.say(Frame::ping());
    mailbox.mark();
    for event in &dropped.events {
        assert!(mailbox.offer(event).is_ok());
    }
    while mailbox.write(ALL).expect("not broken").rest == Rest::Blocked {}
    assert_eq!(told(&pipe.frames()), ["1", "ping"]);
    assert_eq!(mailbox.take_marks(), 1);
    while mailbox.write(ALL).expect("not broken").rest == Rest::Blocked {}
    assert_eq!(told(&pipe.frames()), ["2", "3"]);
}

#[tokio::test]
async fn what_finds_no_room_is_for_the_task() {
    let (mailbox, pipe) = open(1);
    for seq in 1..=3 {
        mailbox.offer(&event(seq, 10)).expect("room");
    }
    assert_eq!(rest(mailbox.flush()), Rest::Blocked);
    timeout(Duration::from_secs(5), mailbox.filled()).await.expect("there is something to do");
    assert_eq!(told(&pipe.frames()), ["1"]);
    mailbox.offer(&event(4, 10)).expect("room");
    assert!(mailbox.flush().is_none(), "the task has the pen");
    pipe.allow(100);
    assert_eq!(mailbox.write(ALL).expect("not broken").rest, Rest::Nothing);
    assert_eq!(told(&pipe.frames()), ["2", "3", "4"]);
}

#[test]
fn nothing_is_written_while_the_credential_is_in_doubt() {
    let (mailbox, pipe) = open(100);
    mailbox.offer(&event(1, 10)).expect("room");
    mailbox.doubt();
    assert_eq!(rest(mailbox.flush()), Rest::Doubt);
    assert_eq!(mailbox.write(ALL).expect("not broken").rest, Rest::Doubt);
    assert!(pipe.frames().is_empty());
    assert!(mailbox.take_pen(), "it is in doubt");
    assert!(mailbox.flush().is_none(), "the task has the pen while it looks");
    assert!(pipe.frames().is_empty());
    assert_eq!(mailbox.write(ALL).expect("not broken").rest, Rest::Nothing);
    assert_eq!(told(&pipe.frames()), ["1"]);
    assert!(!mailbox.take_pen(), "there is no doubt any more");
}

#[test]
fn what_is_there_is_written_before_the_end_and_by_the_task() {
    let (mailbox, pipe) = open(100);
    mailbox.offer(&event(1, 10)).expect("room");
    mailbox.close(Cause::Restart);
    mailbox.close(Cause::Stopping);
    assert_eq!(mailbox.offer(&event(2, 10)), Ok(false));
    assert!(!mailbox.ready());
    mailbox.mark();
    assert!(mailbox.flush().is_none());
    assert_eq!(mailbox.write(ALL).expect("not broken").rest, Rest::Nothing);
    assert_eq!(told(&pipe.frames()), ["1"]);
    assert_eq!(mailbox.closed(), Some(Cause::Restart));
}

#[test]
fn who_is_given_up_gets_nothing_more_but_the_end_of_what_is_begun() {
    let (mailbox, pipe) = open(100);
    pipe.narrow(20);
    mailbox.offer(&event(1, 10)).expect("room");
    mailbox.offer(&event(2, 10)).expect("room");
    assert_eq!(rest(mailbox.flush()), Rest::Blocked);
    mailbox.give_up();
    assert_eq!(mailbox.closed(), Some(Cause::TooSlow));
    mailbox.end();
    mailbox.say("{\"type\":\"bye\"}".into());
    mailbox.say(Frame::close(4008, ""));
    // What comes late is passed over.
    mailbox.offer(&event(3, 10)).expect("nobody wants it");
    mailbox.ready();
    mailbox.mark();
    mailbox.give_up();
    mailbox.doubt();
    while mailbox.write(ALL).expect("not broken").rest != Rest::Nothing {}
    assert_eq!(told(&pipe.frames()), ["1", "bye", "close 4008"]);
    assert!(mailbox.flush().is_none());
}

#[tokio::test]
async fn a_broken_socket_is_for_the_task() {
    let (mailbox, _) = open(100);
    mailbox.offer(&event(1, 10)).expect("room");
    mailbox.cut();
    assert!(mailbox.flush().is_none());
    timeout(Duration::from_secs(5), mailbox.filled()).await.expect("there is something to do");
    assert_eq!(mailbox.write(ALL).expect_err("broken"), Lost::Broken);
}

#[tokio::test]
async fn waiting_ends_when_the_pen_is_handed_over() {
    let (mailbox, pipe) = open(0);
    let waiting = tokio::spawn({
        let mailbox = mailbox.clone();
        async move { mailbox.filled().await }
    });
    tokio::task::yield_now().await;
    mailbox.offer(&event(1, 10)).expect("room");
    assert_eq!(rest(mailbox.flush()), Rest::Blocked);
    waiting.await.expect("it ends");
    assert_eq!(pipe.writes(), 0);
}

#[derive(Clone, Copy, Debug)]
enum Op {
    Offer(usize),
    Ping,
    Mark,
    Flush,
    Write(usize),
    LetGo,
    Narrow(usize),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (0..300usize).prop_map(Op::Offer),
        1 => Just(Op::Ping),
        1 => Just(Op::Mark),
        3 => Just(Op::Flush),
        3 => (1..5usize).prop_map(Op::Write),
        1 => Just(Op::LetGo),
        1 => (1..400usize).prop_map(Op::Narrow),
    ]
}

proptest! {
    /// Whatever is done in which order, and wherever a write ends: every frame arrives whole, the events in
    /// order, each that was not handed back once, and a mark is answered when all before it are there.
    #[test]
    fn every_frame_arrives_whole_and_in_order(ops in prop::collection::vec(op(), 1..120)) {
        let (mailbox, pipe) = open(10_000);
        let (mut seq, mut pings) = (0, 0);
        let mut expected = Vec::new();
        let mut marked = Vec::new();
        let mut came = Vec::new();
        // Wide enough that all of it comes through in the end: a byte at a time it would not.
        let rest = std::iter::repeat_n(Op::Write(10_000), 5_000);
        for op in ops.into_iter().chain([Op::Narrow(100)]).chain(rest) {
            match op {
                Op::Offer(size) => {
                    seq += 1;
                    mailbox.offer(&event(seq, size)).expect("room");
                    expected.push(seq.to_string());
                }
                Op::Ping => {
                    mailbox.say(Frame::ping());
                    pings += 1;
                }
                Op::Mark => {
                    mailbox.mark();
                    marked.push(expected.len());
                }
                Op::Flush => drop(mailbox.flush()),
                Op::Write(frames) => {
                    mailbox.take_pen();
                    let written = mailbox.write(Limit { frames, bytes: 1 << 20 });
                    let rest = written.expect("not broken").rest;
                    came.extend(told(&pipe.frames()));
                    for _ in 0..mailbox.take_marks() {
                        let before = came.iter().filter(|one| *one != "ping").count();
                        prop_assert_eq!(rest, Rest::Mark);
                        prop_assert_eq!(marked.remove(0), before);
                    }
                }
                Op::LetGo => {
                    for event in mailbox.let_go().events.into_iter().rev() {
                        let last = expected.pop();
                        prop_assert_eq!(last, Some(event.seq.to_string()));
                    }
                    for before in &mut marked {
                        *before = expected.len().min(*before);
                    }
                }
                Op::Narrow(at_once) => pipe.narrow(at_once),
            }
        }
        came.extend(told(&pipe.frames()));
        prop_assert_eq!(came.iter().filter(|one| *one == "ping").count(), pings);
        came.retain(|one| one != "ping");
        prop_assert_eq!(came, expected);
        prop_assert!(marked.is_empty());
    }
}

/// What the worker does, as fast as it can. So many frames it wrote itself.
async fn play_worker(mailbox: Arc<Mailbox>, events: i64) -> usize {
    let mut direct = 0;
    // The last one tells whoever reads that it is over.
    for seq in (1..=events).chain([0]) {
        let event = event(seq, usize::try_from(seq % 300).expect("small"));
        while mailbox.offer(&event).is_err() {
            tokio::task::yield_now().await;
        }
        if seq % 3 == 1 {
            direct += mailbox.flush().map_or(0, |written| written.frames);
            tokio::task::yield_now().await;
        }
        if seq % 1_000 == 1 {
            mailbox.doubt();
        }
        if seq % 500 == 0 {
            // So that the task runs out of work, too, and lays the pen down.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    mailbox.mark();
    direct
}

/// What the task does, until it has a mark to answer. So many pings it had to say.
async fn play_task(mailbox: Arc<Mailbox>, outlet: Arc<Pipe>) -> usize {
    let mut pings = 0;
    loop {
        tokio::select! {
            () = mailbox.filled() => {}
            () = tokio::time::sleep(Duration::from_micros(300)) => {
                mailbox.say(Frame::ping());
                pings += 1;
            }
        }
        loop {
            mailbox.take_pen();
            match mailbox.write(Limit { frames: 64, bytes: 64 * 1024 }).expect("not broken").rest {
                Rest::Nothing => break,
                Rest::Mark => return pings,
                Rest::Blocked => {
                    let room = std::future::poll_fn(|cx| outlet.poll_room(cx)).await;
                    room.expect("not broken");
                }
                Rest::Enough | Rest::Doubt => {}
            }
        }
    }
}

/// The worker puts in and flushes, the task has things to say and writes what is left, both as fast as they
/// can, and the socket takes odd pieces.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn worker_and_task_at_the_same_time_never_get_in_each_others_way() {
    const EVENTS: i64 = 20_000;
    let (mailbox, pipe) = open(50);
    pipe.narrow(777);
    let worker = tokio::spawn(play_worker(mailbox.clone(), EVENTS));
    let task = tokio::spawn(play_task(mailbox, pipe.clone()));
    let reading = async {
        let (mut next, mut pings) = (1, 0);
        loop {
            match &told(&[pipe.recv().await.expect("not over")])[0][..] {
                "ping" => pings += 1,
                "0" => return (next, pings),
                seq => {
                    assert_eq!(seq, next.to_string());
                    next += 1;
                }
            }
        }
    };
    let (next, heard) = timeout(Duration::from_mins(1), reading).await.expect("in time");
    assert_eq!(next, EVENTS + 1);
    let (direct, said) = (worker.await.expect("in peace"), task.await.expect("in peace"));
    // Some may come after the last event.
    let late = told(&pipe.frames()).iter().filter(|one| *one == "ping").count();
    assert_eq!(heard + late, said);
    assert!(direct > 0 && heard > 0, "{direct} frames straight from the worker, {heard} pings");
}
