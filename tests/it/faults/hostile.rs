//! Clients that mean no good: cursors of other people's groups, floods, frames that are none. Each is answered
//! with a close code that says why, nobody sees a group's event who was no member then, and others notice nothing.

mod bytes;
mod floods;

use std::collections::BTreeSet;

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::common::Server;
use crate::common::socket::Stream;
use crate::sockets::{end_of, frame_of};

/// A socket of a user that said hello with this cursor.
async fn hello(server: &Server, user: &str, cursor: &Value) -> Stream {
    let hello = json!({ "type": "hello", "token": server.token(user), "cursor": cursor });
    let mut stream = server.raw_ws().await;
    stream.send(Message::text(hello.to_string())).await.expect("a frame is sent");
    stream
}

/// What comes up to and with `ready`, and then the answer to a ping.
async fn told(mut stream: Stream) -> Vec<Value> {
    let mut frames = Vec::new();
    let ping = json!({ "type": "ping" }).to_string();
    loop {
        let frame = frame_of(&mut stream).await;
        match frame["type"].as_str() {
            Some("ready") => {
                stream.send(Message::text(ping.clone())).await.expect("a frame is sent");
            }
            Some("pong") => return frames,
            _ => frames.push(frame),
        }
    }
}

/// Every group that is named anywhere in these frames, and the numbers of its events.
fn shown(frames: &[Value]) -> BTreeSet<(String, Option<i64>)> {
    let events = frames
        .iter()
        .filter_map(|frame| Some((frame["groupID"].as_str()?.to_owned(), frame["seq"].as_i64())));
    let lists = frames.iter().flat_map(|frame| frame["groups"].as_array().into_iter().flatten());
    let listed = lists.filter_map(|line| Some((line["groupID"].as_str()?.to_owned(), None)));
    events.chain(listed).collect()
}

async fn invite(server: &Server, group: &str, user: &str) {
    let body = json!({ "userList": [user] });
    server.post("alice", &format!("/v1/groups/{group}/invite"), body).await.ok();
}

async fn kick(server: &Server, group: &str, user: &str) {
    let body = json!({ "userList": [user] });
    server.post("alice", &format!("/v1/groups/{group}/kick"), body).await.ok();
}

async fn epoch(server: &Server) -> Value {
    server.ws("alice").await.welcome["epoch"].clone()
}

#[tokio::test]
async fn a_cursor_of_somebody_else_s_groups_shows_nothing_of_them() {
    let server = Server::start().await;
    for number in 0..40 {
        server.group("alice", &format!("g{number}"), "Work", json!({})).await;
        invite(&server, &format!("g{number}"), "bob").await;
    }
    let epoch = epoch(&server).await;
    for seq in [json!(0), json!(1), json!(2), json!(3), json!(u64::MAX), json!(i64::MAX)] {
        let groups: serde_json::Map<String, Value> =
            (0..40).map(|number| (format!("g{number}"), seq.clone())).collect();
        let cursor = json!({ "epoch": epoch, "user": seq, "groups": groups });
        let frames = told(hello(&server, "mallory", &cursor).await).await;
        assert_eq!(shown(&frames), BTreeSet::new(), "{seq}: {frames:?}");
    }
    server.stop().await;
}

#[tokio::test]
async fn who_was_a_member_once_sees_that_time_and_no_more_whatever_his_cursor_says() {
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({})).await;
    invite(&server, "g", "bob").await;
    invite(&server, "g", "mallory").await;
    invite(&server, "g", "carol").await;
    kick(&server, "g", "mallory").await;
    for _ in 0..3 {
        invite(&server, "g", "dave").await;
        kick(&server, "g", "dave").await;
    }
    let epoch = epoch(&server).await;
    // He was one from 3 to 5.
    let numbers = (0_u64..=12).chain([1_000, u64::from(u32::MAX), i64::MAX as u64, u64::MAX]);
    for seq in numbers {
        let cursor = json!({ "epoch": epoch, "user": 0, "groups": { "g": seq } });
        let frames = told(hello(&server, "mallory", &cursor).await).await;
        let events: Vec<i64> = frames
            .iter()
            .filter(|frame| frame["type"] == "event")
            .filter_map(|frame| frame["seq"].as_i64())
            .collect();
        assert!(events.iter().all(|seq| (3..=5).contains(seq)), "{seq}: {frames:?}");
        let resets = frames.iter().filter(|frame| frame["type"] == "reset");
        for reset in resets {
            assert!(
                reset["seq"].as_i64() <= Some(5),
                "{seq}: it tells how long the log is: {reset}"
            );
        }
        if (2..5).contains(&seq) {
            let rest = i64::try_from(seq).expect("a small number") + 1..=5;
            assert_eq!(events, rest.collect::<Vec<_>>(), "{seq}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_cursor_with_thousands_of_groups_is_read_and_costs_the_others_nothing() {
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({})).await;
    let mut alice = server.ws("alice").await;
    let epoch = epoch(&server).await;
    let names = |count: usize| -> Value {
        let groups = (0..count).map(|number| (format!("group-number-{number}"), json!(number)));
        json!({ "epoch": epoch, "user": 0, "groups": groups.collect::<serde_json::Map<_, _>>() })
    };
    let frames = told(hello(&server, "mallory", &names(15_000)).await).await;
    assert_eq!(shown(&frames), BTreeSet::new());
    invite(&server, "g", "bob").await;
    assert_eq!(alice.expect("onMemberInvited").await["seq"], 2);
    let (code, _) = end_of(hello(&server, "mallory", &names(40_000)).await).await;
    assert_eq!(code, 4002, "it is larger than hello may be");
    server.stop().await;
}

#[tokio::test]
async fn a_cursor_that_is_none_is_answered_with_4002() {
    let server = Server::start().await;
    let epoch = epoch(&server).await;
    let deep = (0..200).fold(json!(1), |inner, _| json!([inner]));
    for cursor in [
        json!(1),
        json!("here"),
        json!([]),
        json!({}),
        json!({ "epoch": null }),
        json!({ "epoch": epoch, "user": -1 }),
        json!({ "epoch": epoch, "user": 1.5 }),
        json!({ "epoch": epoch, "user": "1" }),
        json!({ "epoch": epoch, "groups": [] }),
        json!({ "epoch": epoch, "groups": { "g": -1 } }),
        json!({ "epoch": epoch, "groups": { "g": 0.5 } }),
        json!({ "epoch": epoch, "groups": { "g": null } }),
        json!({ "epoch": epoch, "groups": { "g": { "seq": 1 } } }),
        json!({ "epoch": epoch, "groups": { "g": 1e300 } }),
        json!({ "epoch": epoch, "groups": { "g": deep } }),
    ] {
        let stream = hello(&server, "mallory", &cursor).await;
        let (code, bye) = end_of(stream).await;
        assert_eq!(code, 4002, "{cursor}: {bye}");
    }
    // Names that no group can have are passed over, and strange epochs are other epochs.
    for cursor in [
        json!({ "epoch": epoch, "groups": { "": 1, "\u{0}": 1, "a b\n": 2, "g".repeat(500): 3 } }),
        json!({ "epoch": "x".repeat(100_000), "user": 5, "groups": { "g": 1 } }),
        json!({ "epoch": "", "groups": {} }),
    ] {
        let frames = told(hello(&server, "mallory", &cursor).await).await;
        assert_eq!(shown(&frames), BTreeSet::new(), "{frames:?}");
    }
    server.stop().await;
}
