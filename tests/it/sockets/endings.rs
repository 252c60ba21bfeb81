//! How sockets end, and that nobody else is concerned by it.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::json;
use tokio::net::TcpSocket;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, client_async};

use super::{end_of, hears, hears_nothing, invite, kick, metric};
use crate::common::socket::{Stream, say};
use crate::common::{Server, frames};

/// A client with very little room for what it does not read.
async fn narrow(server: &Server, user: &str) -> Stream {
    let address = server.url().strip_prefix("http://").expect("an address").to_owned();
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4_096).expect("a small buffer");
    let stream = socket.connect(address.parse().expect("an address")).await.expect("connected");
    let url = format!("ws://{address}/v1/events");
    let (mut stream, _) =
        client_async(url, MaybeTlsStream::Plain(stream)).await.expect("a websocket");
    let hello = json!({ "type": "hello", "token": server.token(user) });
    say(&mut stream, &hello).await;
    stream
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_does_not_read_is_cut_off_and_nobody_else() {
    const AT_ONCE: usize = 16;
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let slow = narrow(&server, "alice").await;
    let mut bob = server.ws("bob").await;
    let reading = tokio::spawn(async move {
        let mut next = 2;
        loop {
            let event = bob.next_event().await;
            assert_eq!(event["seq"], next);
            next += 1;
            if event["event"] == "onMemberInvited" {
                return bob;
            }
        }
    });
    let gauge = "muster_sockets_closed_total{cause=\"too_slow\"}";
    let text = "x".repeat(390);
    let mut rounds = 0;
    while metric(&server, gauge).await == 0 {
        let edits = (0..AT_ONCE).map(|number| {
            let body = json!({ "introduction": format!("{rounds} {number} {text}"),
                "notification": format!("{rounds} {number} {text}") });
            server.patch("alice", "/v1/groups/g1", body)
        });
        join_all(edits).await.into_iter().for_each(|answer| drop(answer.ok()));
        rounds += 1;
        assert!(rounds * AT_ONCE < 30_000, "it is never cut off");
    }
    // It is told so if it begins to read again at once.
    assert_eq!(end_of_slow(slow).await, 4008);
    invite(&server, "g1", &["carol"]).await;
    let mut bob = reading.await.expect("Bob hears everything");
    hears_nothing(&mut bob).await;
    hears_nothing(&mut server.ws("alice").await).await;
    server.stop().await;
}

/// Reads to the close frame.
async fn end_of_slow(mut stream: Stream) -> u16 {
    let reading = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Close(Some(close)))) => return u16::from(close.code),
                Some(Ok(Message::Text(text))) => drop(frames::received(&text)),
                Some(Ok(_)) => {}
                other => panic!("instead of the end: {other:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an end")
}

#[tokio::test]
async fn a_server_that_stops_says_when_to_come_again() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({})).await;
    let alice = server.ws("alice").await;
    let silent = server.raw_ws().await;
    let stopping = tokio::spawn(server.stop());
    for socket in [alice.raw, silent] {
        let (code, bye) = end_of(socket).await;
        assert_eq!(code, 1001);
        let retry = bye["retryMs"].as_u64().expect("a number");
        assert!((500..=5_000).contains(&retry), "{retry}");
    }
    let stopped = tokio::time::timeout(Duration::from_secs(10), stopping).await;
    stopped.expect("it stops in time").expect("in peace");
}

#[tokio::test]
async fn sockets_that_break_leave_nothing_behind() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut bob = server.ws("bob").await;
    for _ in 0..30 {
        drop(server.ws("alice").await);
    }
    crate::common::eventually("they are gone", || async {
        (metric(&server, "muster_sockets").await == 1).then_some(())
    })
    .await;
    invite(&server, "g1", &["carol"]).await;
    kick(&server, "g1", &["carol"]).await;
    hears(&mut bob, &[("onMemberInvited", 2), ("onMemberKicked", 3)]).await;
    server.stop().await;
}
