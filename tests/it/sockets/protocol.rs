//! What a client may send, and what it is told when it sends something else.

use chrono::{TimeDelta, Utc};
use futures_util::SinkExt;
use muster::auth::{SecretKey, jwt};
use muster::model::UserId;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::{end_of, frame_of, hears_nothing};
use crate::common::socket::{Stream, say};
use crate::common::{KEY, Server, jwt_of};

const HELLO_BYTES: usize = 512 * 1024;

/// A socket that has sent this first.
async fn first(server: &Server, frame: Message) -> Stream {
    let mut raw = server.raw_ws().await;
    raw.send(frame).await.expect("a frame is sent");
    raw
}

async fn hello(server: &Server, token: &str) -> Stream {
    let mut raw = server.raw_ws().await;
    say(&mut raw, &json!({ "type": "hello", "token": token })).await;
    raw
}

/// Connects with an `Authorization` header.
async fn with_header(server: &Server, value: &str) -> Result<Stream, Box<Error>> {
    let url = format!("{}/v1/events", server.url().replacen("http", "ws", 1));
    let mut request = url.into_client_request().expect("a request");
    request.headers_mut().insert("authorization", value.parse().expect("a header"));
    connect_async(request).await.map(|(stream, _)| stream).map_err(Box::new)
}

#[tokio::test]
async fn hello_must_come_within_five_seconds() {
    let server = Server::start().await;
    let mut alice = server.ws("alice").await;
    let started = std::time::Instant::now();
    let (code, _) = end_of(server.raw_ws().await).await;
    assert_eq!(code, 4002);
    assert!((4..8).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    hears_nothing(&mut alice).await;
    server.stop().await;
}

#[tokio::test]
async fn a_first_frame_that_is_no_hello_ends_the_socket() {
    let server = Server::start().await;
    let mut alice = server.ws("alice").await;
    let token = server.token("alice");
    for frame in [
        "hello".to_owned(),
        String::new(),
        "[1]".to_owned(),
        json!({ "type": "ping" }).to_string(),
        json!({ "type": "subscribe" }).to_string(),
        json!({ "type": "hello", "token": 7 }).to_string(),
        json!({ "type": "hello", "token": token, "cursor": { "epoch": 1 } }).to_string(),
    ] {
        let (code, bye) = end_of(first(&server, Message::text(frame.clone())).await).await;
        assert_eq!(code, 4002, "{frame}");
        assert!(bye["why"].is_string(), "{bye}");
    }
    let binary = Message::binary(Bytes::from_static(b"{\"type\":\"hello\"}"));
    assert_eq!(end_of(first(&server, binary).await).await.0, 4002);
    hears_nothing(&mut alice).await;
    server.stop().await;
}

#[tokio::test]
async fn frames_have_a_longest_size() {
    let server = Server::start().await;
    let padded = |bytes: usize| {
        let frame = json!({ "type": "hello", "token": server.token("alice"), "padding": "" });
        let text = frame.to_string();
        let padding = "x".repeat(bytes - text.len());
        Message::text(text.replace("\"padding\":\"\"", &format!("\"padding\":\"{padding}\"")))
    };
    let mut largest = first(&server, padded(HELLO_BYTES)).await;
    assert_eq!(frame_of(&mut largest).await["type"], "welcome");
    assert_eq!(end_of(first(&server, padded(HELLO_BYTES + 1)).await).await.0, 4002);

    let mut alice = server.ws("alice").await;
    let mut later = server.ws("alice").await;
    let large = json!({ "type": "ping", "padding": "x".repeat(4_100) });
    later.raw.send(Message::text(large.to_string())).await.expect("a frame is sent");
    assert_eq!(end_of(later.raw).await.0, 4002);
    hears_nothing(&mut alice).await;
    server.stop().await;
}

#[tokio::test]
async fn a_bad_credential_ends_the_socket() {
    let server = Server::start().await;
    let user = UserId::from_stored("alice");
    let forged = jwt::sign_hs256(&SecretKey::new("somebody else's key"), &user, Utc::now(), 600);
    let before = Utc::now() - TimeDelta::hours(2);
    let expired = jwt::sign_hs256(&SecretKey::new(KEY), &user, before, 600);
    for token in [forged.expect("a token"), expired.expect("a token"), "nonsense".to_owned()] {
        assert_eq!(end_of(hello(&server, &token).await).await.0, 4001);
    }
    let mut nothing = server.raw_ws().await;
    say(&mut nothing, &json!({ "type": "hello" })).await;
    assert_eq!(end_of(nothing).await.0, 4001);
    let mut usersig = hello(&server, &server.usersig("alice")).await;
    assert_eq!(frame_of(&mut usersig).await["userID"], "alice");
    server.stop().await;
}

#[tokio::test]
async fn the_header_is_checked_before_the_upgrade() {
    let server = Server::start().await;
    let good = format!("Bearer {}", server.token("alice"));
    let mut stream = with_header(&server, &good).await.expect("a websocket");
    say(&mut stream, &json!({ "type": "hello" })).await;
    assert_eq!(frame_of(&mut stream).await["userID"], "alice");

    let Err(refused) = with_header(&server, "Bearer nonsense").await else { panic!("accepted") };
    let Error::Http(response) = *refused else { panic!("{refused:?}") };
    assert_eq!(response.status(), 401);
    let body: Value = serde_json::from_slice(response.body().as_deref().unwrap_or_default())
        .expect("the envelope");
    assert_eq!(body["code"], 70003);
    server.stop().await;
}

#[tokio::test]
async fn a_plain_request_is_refused_in_the_envelope() {
    let server = Server::start().await;
    let answer = server.send(Method::GET, "/v1/events", &[], Vec::new()).await;
    answer.refused(400, 10004, "invalid_parameter");
    server.stop().await;
}

#[tokio::test]
async fn the_socket_ends_with_its_credential_unless_a_fresh_one_comes() {
    let server = Server::start().await;
    let mut ending = hello(&server, &jwt_of("alice", 2)).await;
    assert_eq!(frame_of(&mut ending).await["type"], "welcome");
    let mut renewed = hello(&server, &jwt_of("alice", 2)).await;
    assert_eq!(frame_of(&mut renewed).await["type"], "welcome");
    assert_eq!(frame_of(&mut renewed).await["type"], "ready");
    let auth = json!({ "type": "auth", "token": server.token("alice") });
    say(&mut renewed, &auth).await;

    assert_eq!(end_of(ending).await.0, 4001);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let ping = json!({ "type": "ping" });
    say(&mut renewed, &ping).await;
    assert_eq!(frame_of(&mut renewed).await["type"], "pong");

    let another = json!({ "type": "auth", "token": server.token("bob") });
    say(&mut renewed, &another).await;
    assert_eq!(end_of(renewed).await.0, 4001);
    server.stop().await;
}

#[tokio::test]
async fn a_client_may_not_speak_too_often() {
    let server = Server::start().await;
    let mut alice = server.ws("alice").await;
    let mut loud = server.ws("alice").await;
    for _ in 0..60 {
        loud.say(&json!({ "type": "pong" })).await;
    }
    assert_eq!(end_of(loud.raw).await.0, 4029);
    hears_nothing(&mut alice).await;
    server.stop().await;
}

#[tokio::test]
async fn a_user_has_so_many_sockets_and_no_more() {
    let server = Server::with(&[("MUSTER_SOCKETS_PER_USER", "2")]).await;
    let first = server.ws("alice").await;
    let mut second = server.ws("alice").await;
    assert_eq!(end_of(hello(&server, &server.token("alice")).await).await.0, 4029);
    hears_nothing(&mut second).await;
    hears_nothing(&mut server.ws("bob").await).await;
    let mut leaving = first.raw;
    leaving.close(None).await.expect("closed");
    crate::common::eventually("the place is free again", || async {
        let mut again = hello(&server, &server.token("alice")).await;
        (frame_of(&mut again).await["type"] == "welcome").then_some(())
    })
    .await;
    server.stop().await;
}
