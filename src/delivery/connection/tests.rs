//! The protocol of one socket, clause by clause.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use futures_util::stream::SplitSink;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::{FRAME_BYTES, Gate as _, HELLO_BYTES, Pass};
use crate::delivery::testkit::{Node, Outgoing, Peer, eventually, user};
use crate::delivery::transport::{Incoming, Lost};
use crate::metrics::SourceLabels;

const SOON: Duration = Duration::from_secs(10);

#[tokio::test]
async fn hello_is_answered_with_welcome_and_ready() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    node.database.invite("g1", &["bob"]);
    node.database.note("alice");
    let mut alice = node.client("alice").await;
    assert_eq!(
        alice.welcome,
        json!({
            "type": "welcome", "userID": "alice", "epoch": "e1", "heartbeatMs": 25_000, "userSeq": 1,
            "groups": [{"groupID": "g1", "seq": 2, "head": 2, "role": "Member"}],
        })
    );
    alice.hears_nothing().await;
}

#[tokio::test]
async fn many_groups_come_in_several_frames() {
    let node = Node::start();
    for number in 0..1_203 {
        node.database.invite(&format!("g{number}"), &["alice"]);
    }
    let (alice, rest) = node.enter(json!({"type": "hello", "token": "alice"})).await;
    let count = |frame: &serde_json::Value| frame["groups"].as_array().expect("a list").len();
    assert_eq!(count(&alice.welcome), 500);
    assert!(rest.iter().all(|frame| frame["type"] == "groups"));
    assert_eq!(rest.iter().map(count).collect::<Vec<_>>(), [500, 203]);
}

#[tokio::test]
async fn a_credential_in_the_header_is_enough() {
    let node = Node::start();
    let issued_at = chrono::Utc::now();
    let until = issued_at + chrono::Duration::hours(1);
    let pass = Pass { user: user("alice"), issued_at, until };
    let mut alice = node.dial(10, Some(pass.clone()));
    alice.say(json!({"type": "hello"}));
    assert_eq!(alice.hear().await["userID"], "alice");

    let both = node.dial(10, Some(pass));
    both.say(json!({"type": "hello", "token": "bob"}));
    assert_eq!(both.bye().await.0, 4001, "header and hello name different users");
}

#[tokio::test]
async fn a_bad_credential_is_refused() {
    let node = Node::start();
    for (hello, code) in [
        (json!({"type": "hello"}), 4001),
        (json!({"type": "hello", "token": null}), 4001),
        (json!({"type": "hello", "token": "forged"}), 4001),
        (json!({"type": "hello", "token": "unknowable"}), 1001),
    ] {
        let peer = node.dial(10, None);
        peer.say(hello.clone());
        assert_eq!(peer.bye().await.0, code, "{hello}");
    }
}

#[tokio::test]
async fn a_first_frame_that_is_no_hello_is_refused_with_a_reason() {
    let node = Node::start();
    for first in [
        "hello",
        "",
        "[\"hello\"]",
        "{}",
        "{\"type\": 5}",
        "{\"type\": \"ping\"}",
        "{\"type\": \"helo\"}",
        "{\"type\": \"hello\", \"token\": 5}",
        "{\"type\": \"hello\", \"token\": \"alice\", \"cursor\": 7}",
        "{\"type\": \"hello\", \"token\": \"alice\", \"cursor\": {}}",
        "{\"type\": \"hello\", \"token\": \"alice\", \"cursor\": {\"epoch\": \"e\", \"user\": -1}}",
        "{\"type\": \"hello\", \"token\": \"alice\", \"cursor\": {\"epoch\": \"e\", \"groups\": {\"g\": \"1\"}}}",
    ] {
        let peer = node.dial(10, None);
        peer.send(Incoming::Text(first.to_owned()));
        let (code, bye) = peer.bye().await;
        assert_eq!(code, 4002, "{first}");
        assert!(bye["why"].as_str().is_some_and(|why| why.len() > 10), "{first}: {bye}");
    }
    let binary = node.dial(10, None);
    binary.send(Incoming::Binary);
    assert_eq!(binary.bye().await.0, 4002);
}

#[tokio::test]
async fn fields_that_are_not_known_are_passed_over() {
    let node = Node::start();
    let mut alice = node.dial(10, None);
    alice.send(Incoming::Pong);
    alice.say(json!({"type": "hello", "token": "alice", "client": {"name": "x"}}));
    assert_eq!(alice.hear().await["type"], "welcome");
}

#[tokio::test]
async fn frames_have_a_longest_size() {
    let node = Node::start();
    let hello = |padding: usize| {
        let text = json!({"type": "hello", "token": "alice", "padding": ""}).to_string();
        text.replace("\"\"", &format!("\"{}\"", "x".repeat(padding - text.len())))
    };
    let mut largest = node.dial(10, None);
    largest.send(Incoming::Text(hello(HELLO_BYTES)));
    assert_eq!(largest.hear().await["type"], "welcome");

    let larger = node.dial(10, None);
    larger.send(Incoming::Text(hello(HELLO_BYTES + 1)));
    assert_eq!(larger.bye().await.0, 4002);

    let refused = node.dial(10, None);
    refused.fail(Lost::TooLarge);
    assert_eq!(refused.bye().await.0, 4002);

    let later = node.client("alice").await;
    later.say(json!({"type": "ping", "padding": "x".repeat(FRAME_BYTES)}));
    assert_eq!(later.bye().await.0, 4002);
}

#[tokio::test]
async fn later_frames_follow_the_protocol_too() {
    let node = Node::start();
    for bad in [
        json!({"type": "hello", "token": "alice"}),
        json!({"type": "auth"}),
        json!({"type": "subscribe"}),
        json!(7),
    ] {
        let alice = node.client("alice").await;
        alice.say(bad.clone());
        assert_eq!(alice.bye().await.0, 4002, "{bad}");
    }
    let alice = node.client("alice").await;
    alice.send(Incoming::Binary);
    assert_eq!(alice.bye().await.0, 4002);
}

#[tokio::test]
async fn hello_must_come_in_time() {
    let mut node = Node::start();
    node.timing.hello = Duration::from_millis(50);
    let mute = node.dial(10, None);
    let (code, bye) = mute.bye().await;
    assert_eq!(code, 4002);
    assert!(bye["why"].as_str().is_some_and(|why| why.contains("hello")), "{bye}");
}

#[tokio::test]
async fn the_socket_ends_with_its_credential() {
    let node = Node::start();
    let alice = node.client("alice/150").await;
    let (code, bye) = timeout(SOON, alice.bye()).await.expect("it ends");
    assert_eq!(code, 4001);
    assert_eq!(bye["why"], "the credential has ended");
}

#[tokio::test]
async fn a_fresh_credential_keeps_the_socket() {
    let node = Node::start();
    let mut alice = node.client("alice/300").await;
    alice.say(json!({"type": "auth", "token": "alice"}));
    alice.say(json!({"type": "auth", "token": "unknowable"}));
    sleep(Duration::from_millis(500)).await;
    alice.hears_nothing().await;
}

#[tokio::test]
async fn a_wrong_fresh_credential_ends_it() {
    let node = Node::start();
    for token in ["forged", "bob"] {
        let alice = node.client("alice").await;
        alice.say(json!({"type": "auth", "token": token}));
        assert_eq!(alice.bye().await.0, 4001, "{token}");
    }
}

#[tokio::test]
async fn a_client_that_is_not_heard_is_taken_for_gone() {
    let mut node = Node::start();
    node.timing.heartbeat = Duration::from_millis(40);
    node.timing.silence = Duration::from_millis(300);
    let mut quiet = node.client("alice").await;
    let mut lively = node.client("alice").await;
    let listening = tokio::spawn(async move {
        let mut pings = 0;
        while pings < 20 {
            if lively.receive().await == Outgoing::Ping {
                pings += 1;
                lively.send(Incoming::Pong);
            }
        }
        lively
    });
    assert_eq!(quiet.receive().await, Outgoing::Ping);
    assert_eq!(quiet.bye().await.0, 4009);
    let mut lively = timeout(SOON, listening).await.expect("it is pinged").expect("in peace");
    lively.say(json!({"type": "ping"}));
    assert_eq!(lively.hear().await["type"], "pong");
}

#[tokio::test]
async fn a_client_may_not_speak_too_often() {
    let node = Node::start();
    let mut alice = node.client("alice").await;
    for _ in 0..38 {
        alice.say(json!({"type": "pong"}));
    }
    alice.hears_nothing().await;
    for _ in 0..60 {
        alice.send(Incoming::Pong);
    }
    assert_eq!(alice.bye().await.0, 4029);
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_no_more() {
    let mut node = Node::start();
    node.sockets_per_user = 2;
    let first = node.client("alice").await;
    let mut second = node.client("alice").await;
    let third = node.dial(10, None);
    third.say(json!({"type": "hello", "token": "alice"}));
    assert_eq!(third.bye().await.0, 4029);
    node.client("bob").await.hears_nothing().await;
    second.hears_nothing().await;

    first.send(Incoming::Close(None));
    timeout(SOON, first.served).await.expect("it ends").expect("in peace");
    node.client("alice").await.hears_nothing().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off_and_nobody_else() {
    let mut node = Node::start();
    node.timing.write = Duration::from_millis(300);
    node.commit(node.database.invite("g1", &["alice", "bob"]));
    let mut bob = node.client("bob").await;
    let slow = node.dial(4, None);
    slow.say(json!({"type": "hello", "token": "alice"}));
    eventually(|| node.metrics.sockets.get() == 2 && node.metrics.streams.get() == 3).await;
    for number in 0..1_500 {
        node.commit(node.database.invite("g1", &[&format!("u{number}")]));
        if number % 10 == 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(bob.event().await.1, number + 2);
    }
    timeout(SOON, slow.served).await.expect("it is cut off").expect("in peace");
    bob.hears_nothing().await;
    let metrics = node.metrics.print().expect("prints");
    assert!(metrics.contains("muster_sockets_closed_total{cause=\"too_slow\"} 1"), "{metrics}");
}

/// A client that is live in g1 and takes four frames without reading.
async fn slow_client(node: &Node) -> Peer {
    node.commit(node.database.invite("g1", &["alice"]));
    let mut slow = node.dial(4, None);
    slow.say(json!({"type": "hello", "token": "alice"}));
    assert_eq!(slow.hear().await["type"], "welcome");
    assert_eq!(slow.hear().await["type"], "ready");
    slow
}

#[tokio::test]
async fn a_client_that_reads_again_in_time_gets_everything_in_order() {
    let node = Node::start();
    let mut slow = slow_client(&node).await;
    for number in 0..2_500 {
        node.commit(node.database.invite("g1", &[&format!("u{number}")]));
    }
    eventually(|| node.metrics.lagged.get() > 0).await;
    for seq in 2..=2_501 {
        assert_eq!(slow.event().await, ("onMemberInvited".to_owned(), seq));
    }
    node.commit(node.database.invite("g1", &["x"]));
    assert_eq!(slow.event().await.1, 2_502);
    slow.hears_nothing().await;
    let sources = [SourceLabels { source: "memory" }, SourceLabels { source: "log" }];
    let replayed =
        || -> u64 { sources.iter().map(|of| node.metrics.replayed.get_or_create(of).get()).sum() };
    eventually(|| replayed() >= 1_000).await;
}

#[tokio::test]
async fn a_client_that_leaves_groups_while_it_does_not_read_hears_of_each() {
    let node = Node::start();
    let mut slow = slow_client(&node).await;
    node.commit(node.database.invite("g2", &["alice"]));
    node.commit(node.database.kick("g2", &["alice"]));
    for number in 0..1_100 {
        node.commit(node.database.invite("g1", &[&format!("u{number}")]));
    }
    node.commit(node.database.quit("g1", "alice"));
    node.commit(node.database.invite("g1", &["x"]));
    eventually(|| node.metrics.lagged.get() > 0).await;
    let mut of_two = Vec::new();
    let mut next = 2;
    while next <= 1_102 || of_two.len() < 2 {
        let frame = slow.hear().await;
        let seq = frame["seq"].as_i64().expect("a number");
        if frame["groupID"] == "g1" {
            assert_eq!(seq, next, "{frame}");
            next += 1;
        } else {
            of_two.push(seq);
        }
    }
    assert_eq!(of_two, [1, 2]);
    slow.hears_nothing().await;
}

#[tokio::test]
async fn a_client_that_lags_again_and_again_is_told_that_it_is_too_slow() {
    let node = Node::start();
    let slow = slow_client(&node).await;
    for number in 0..5_500 {
        node.commit(node.database.invite("g1", &[&format!("u{number}")]));
        node.commit(node.database.invite(&format!("g{}", 2 + number % 7), &["alice"]));
        node.commit(node.database.kick(&format!("g{}", 2 + number % 7), &["alice"]));
    }
    assert_eq!(slow.bye().await.0, 4008);
}

#[tokio::test]
async fn when_the_server_stops_everybody_is_told_when_to_come_again() {
    let node = Node::start();
    node.commit(node.database.invite("g1", &["alice"]));
    let mut alice = node.client("alice").await;
    let waiting = node.dial(10, None);
    node.commit(node.database.invite("g1", &["bob"]));
    assert_eq!(alice.event().await.1, 2);
    node.stopping.cancel();
    for peer in [alice, waiting] {
        let (code, bye) = peer.bye().await;
        assert_eq!(code, 1001);
        assert!((500..=5_000).contains(&bye["retryMs"].as_u64().expect("a number")));
    }
    node.tasks.close();
    timeout(SOON, node.tasks.wait()).await.expect("nothing is left running");
    assert_eq!(node.metrics.sockets.get(), 0);
}

#[tokio::test]
async fn while_the_database_is_away_a_client_is_asked_to_come_again() {
    let mut node = Node::start();
    node.database.be_away(true);
    let alice = node.dial(10, None);
    alice.say(json!({"type": "hello", "token": "alice"}));
    assert_eq!(alice.bye().await.0, 1001);

    node.database.be_away(false);
    node.database.be_slow(Duration::from_hours(1));
    node.timing.opening = Duration::from_millis(50);
    let alice = node.dial(10, None);
    alice.say(json!({"type": "hello", "token": "alice"}));
    assert_eq!(alice.bye().await.0, 1001, "a database that does not answer");
}

#[tokio::test]
async fn a_client_that_goes_away_leaves_nothing_behind() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    let alice = node.client("alice").await;
    assert_eq!(node.hub.followed().await.len(), 2);
    alice.fail(Lost::Broken);
    timeout(SOON, alice.served).await.expect("it ends").expect("in peace");
    eventually(|| node.metrics.sockets.get() == 0).await;
    assert!(node.hub.users().await.is_empty());
    assert!(node.hub.followed().await.is_empty(), "what rests is in nobody's way");
}

#[tokio::test]
async fn a_socket_whose_credential_is_revoked_ends_and_nobody_elses() {
    let node = Node::start();
    let alices = [node.client("alice").await, node.client("alice").await];
    let mut bob = node.client("bob").await;
    node.gate.revoke("alice");
    node.hub.doubt(vec![user("alice"), user("bob"), user("nobody")]);
    for alice in alices {
        let (code, bye) = alice.bye().await;
        assert_eq!((code, &bye["why"]), (4001, &json!("it was revoked")));
    }
    bob.hears_nothing().await;
    node.client("alice").await.hears_nothing().await;
}

#[tokio::test]
async fn a_newer_credential_outlives_the_end_of_an_older_one_and_lasts_as_long_as_itself() {
    let node = Node::start();
    let mut alice = node.client("alice").await;
    node.gate.revoke("alice");
    sleep(Duration::from_millis(5)).await;
    alice.say(json!({"type": "auth", "token": "alice/400"}));
    alice.hears_nothing().await;
    node.hub.doubt(vec![user("alice")]);
    alice.hears_nothing().await;
    let (code, bye) = timeout(SOON, alice.bye()).await.expect("it ends");
    assert_eq!((code, &bye["why"]), (4001, &json!("the credential has ended")));
}

#[tokio::test]
async fn a_credential_that_is_revoked_while_the_socket_opens_does_not_open_it() {
    let node = Node::start();
    let pass = node.gate.check("alice").await.expect("a pass");
    node.gate.revoke("alice");
    let late = node.dial(10, Some(pass));
    late.say(json!({"type": "hello"}));
    assert_eq!(late.bye().await.0, 4001);
}

/// Frames that are on their way to a client that does not read do not put the end off.
#[tokio::test]
async fn a_client_that_does_not_read_is_in_no_longer_than_others() {
    let mut node = Node::start();
    node.timing.write = Duration::from_hours(1);
    node.commit(node.database.invite("g1", &["alice"]));
    let mut stuck = node.dial(4, None);
    stuck.say(json!({"type": "hello", "token": "alice"}));
    assert_eq!(stuck.hear().await["type"], "welcome");
    for number in 0..100 {
        node.commit(node.database.invite("g1", &[&format!("u{number}")]));
    }
    sleep(Duration::from_millis(50)).await;
    // What it has shown still counts: nothing is lost.
    node.hub.doubt(vec![user("alice")]);
    sleep(Duration::from_millis(50)).await;
    node.gate.revoke("alice");
    node.hub.doubt(vec![user("alice")]);
    let served = timeout(SOON, &mut stuck.served).await;
    served.expect("it ends although nobody reads").expect("in peace");
}

#[tokio::test]
async fn a_ping_of_the_websocket_is_answered_with_what_it_carried() {
    let node = Node::start();
    let mut early = node.dial(10, None);
    early.send(Incoming::Ping(b"early".to_vec()));
    assert_eq!(early.receive().await, Outgoing::Pong(b"early".to_vec()));
    let mut alice = node.client("alice").await;
    alice.send(Incoming::Ping(b"later".to_vec()));
    assert_eq!(alice.receive().await, Outgoing::Pong(b"later".to_vec()));
}

#[tokio::test]
async fn a_close_is_answered_with_the_same_code_if_it_is_one_that_may_be_said() {
    let node = Node::start();
    for (code, answered) in [(None, 1005), (Some(1000), 1000), (Some(4321), 4321), (Some(5), 1002)]
    {
        let mut alice = node.client("alice").await;
        alice.send(Incoming::Close(code));
        let reason = String::new();
        assert_eq!(alice.receive().await, Outgoing::Close { code: answered, reason });
        timeout(SOON, alice.served).await.expect("it ends").expect("in peace");
    }
}

/// Commits events, never further ahead of the client than a queue has room, and has its credential doubted.
async fn commit_in_bursts(node: Arc<Node>, heard: Arc<AtomicI64>, last: i64) {
    for number in 2..=last {
        while number - heard.load(Ordering::Relaxed) > 700 {
            sleep(Duration::from_micros(100)).await;
        }
        node.commit(node.database.invite("g1", &[&format!("u{number}")]));
        match number % 100 {
            0..10 => tokio::task::yield_now().await,
            50 => node.hub.doubt(vec![user("alice")]),
            99 => sleep(Duration::from_millis(3)).await,
            _ => {}
        }
    }
}

/// Says pings of both kinds by turns, as often as a client may.
async fn say_pings(mut say: SplitSink<WebSocketStream<TcpStream>, Message>) {
    for number in 0_u32.. {
        sleep(Duration::from_millis(150)).await;
        let ping = Message::Ping(number.to_be_bytes().to_vec().into());
        let frame = if number % 2 == 0 { ping } else { Message::text(r#"{"type":"ping"}"#) };
        if say.send(frame).await.is_err() {
            return;
        }
    }
}

/// Everything that can write does, to a socket with little room whose client stops reading now and then.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn over_a_narrow_socket_every_frame_arrives_whole_and_every_event_in_order() {
    const EVENTS: i64 = 4_000;
    let mut node = Node::start();
    node.timing.heartbeat = Duration::from_millis(200);
    node.commit(node.database.invite("g1", &["alice"]));
    let (client, served) = node.dial_over_tcp().await;
    let (mut say, mut hear) = client.split();
    say.send(Message::text(r#"{"type":"hello","token":"alice"}"#)).await.expect("sent");
    for _ in ["welcome", "ready"] {
        hear.next().await.expect("a frame").expect("a good one");
    }
    let (node, heard) = (Arc::new(node), Arc::new(AtomicI64::new(1)));
    let committing = tokio::spawn(commit_in_bursts(node.clone(), heard.clone(), EVENTS));
    let speaking = tokio::spawn(say_pings(say));
    let (mut asked, mut echoed, mut answered) = (0, 0, 0);
    let mut take = |message: Message| match message {
        Message::Ping(_) => asked += 1,
        Message::Pong(payload) => {
            let number: [u8; 4] = payload[..].try_into().expect("as it was sent");
            assert_eq!(u32::from_be_bytes(number), 2 * echoed);
            echoed += 1;
        }
        Message::Text(text) => {
            let frame: Value = serde_json::from_str(&text).expect("JSON");
            match frame["type"].as_str().expect("a type") {
                "event" => {
                    let seq = heard.fetch_add(1, Ordering::Relaxed) + 1;
                    assert_eq!(frame["seq"], seq, "{frame}");
                }
                "pong" => answered += 1,
                other => assert_eq!(other, "bye", "{frame}"),
            }
        }
        other => panic!("{other:?}"),
    };
    let reading = async {
        let mut paused = 0;
        loop {
            match hear.next().await.expect("a frame").expect("a good one") {
                Message::Close(close) => return close.expect("with a code"),
                message => take(message),
            }
            let seq = heard.load(Ordering::Relaxed);
            if seq == EVENTS {
                node.stopping.cancel();
            } else if seq / 1_000 > paused {
                paused += 1;
                sleep(Duration::from_millis(100)).await;
            }
        }
    };
    let close = timeout(Duration::from_mins(1), reading).await.expect("in time");
    assert_eq!(u16::from(close.code), 1001);
    committing.await.expect("in peace");
    drop(hear);
    speaking.abort();
    timeout(SOON, served).await.expect("it ends").expect("in peace");
    assert!(asked > 0 && echoed > 0 && answered > 0, "{asked} {echoed} {answered}");
}
