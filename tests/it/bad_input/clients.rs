//! Clients that stop in the middle: others do not notice, and nothing is changed.

use std::time::{Duration, Instant};

use super::{Refusal, World, check};
use crate::common::eventually;
use crate::common::wire::{Wire, request};

/// A request with its credential.
fn whole(world: &World, user: &str, method: &str, path: &str, body: &str) -> Vec<u8> {
    let bearer = format!("Bearer {}", world.server.token(user));
    request(method, path, &[("authorization", &bearer)], body)
}

const INVITE: &str = r#"{"userList":["dave"]}"#;

#[tokio::test]
async fn half_a_body_and_silence_is_refused_after_ten_seconds() {
    let world = World::new().await;
    let before = world.state().await;
    let bytes = whole(&world, "alice", "POST", "/v1/groups/g/kick", r#"{"userList":["bob"]}"#);
    let mut wire = Wire::open(world.server.url()).await;
    wire.say(&bytes[..bytes.len() - 5]).await;
    let begun = Instant::now();
    // Others are served at once meanwhile.
    world.server.get("alice", "/v1/groups/g").await.ok();
    assert!(begun.elapsed() < Duration::from_secs(5));
    let answer = wire.answer().await.expect("an answer");
    check("half a body", &answer, &Refusal::invalid("the body"));
    assert!(answer.body["desc"].as_str().is_some_and(|desc| desc.contains("10 s")), "{answer:?}");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    wire.until_closed().await;
    assert_eq!(world.state().await, before);
    world.end().await;
}

#[tokio::test]
async fn silence_and_half_a_head_end_after_ten_seconds() {
    let world = World::new().await;
    let mut silent = Wire::open(world.server.url()).await;
    let mut slow = Wire::open(world.server.url()).await;
    slow.say(b"GET /v1/limits HTTP/1.1\r\nhost: a\r\nx-slow").await;
    let mut idle = Wire::open(world.server.url()).await;
    idle.say(&whole(&world, "alice", "GET", "/v1/limits", "")).await;
    assert_eq!(idle.answer().await.map(|answer| answer.status), Some(200));
    let begun = Instant::now();
    world.server.get("alice", "/v1/groups/g").await.ok();
    tokio::join!(silent.until_closed(), slow.until_closed());
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    world.end().await;
}

/// Many such clients take nothing from the others.
#[tokio::test]
async fn two_hundred_stuck_clients_hold_up_nobody() {
    let world = World::new().await;
    let bytes = whole(&world, "alice", "POST", "/v1/groups/g/invite", INVITE);
    let mut stuck = Vec::new();
    for n in 0..200 {
        let mut wire = Wire::open(world.server.url()).await;
        wire.say(&bytes[..bytes.len() * n / 200]).await;
        stuck.push(wire);
    }
    let begun = Instant::now();
    for _ in 0..50 {
        world.server.get("alice", "/v1/groups/g").await.ok();
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(stuck);
    world.end().await;
}

#[tokio::test]
async fn hanging_up_in_the_middle_of_a_request_changes_nothing() {
    let world = World::new().await;
    let before = world.state().await;
    let kick = r#"{"userList":["bob"]}"#;
    let bytes = whole(&world, "alice", "POST", "/v1/groups/g/kick", kick);
    for length in (1..bytes.len()).step_by(7) {
        let mut wire = Wire::open(world.server.url()).await;
        wire.say(&bytes[..length]).await;
        drop(wire);
    }
    world.server.get("alice", "/v1/groups/g").await.ok();
    assert_eq!(world.state().await, before);
    world.end().await;
}

/// A whole request counts even when nobody waits for its answer.
#[tokio::test]
async fn hanging_up_after_a_whole_request_cancels_nothing() {
    let world = World::new().await;
    let kick = r#"{"userList":["bob"]}"#;
    let mut wire = Wire::open(world.server.url()).await;
    wire.say(&whole(&world, "alice", "POST", "/v1/groups/g/kick", kick)).await;
    drop(wire);
    let gone = async || {
        let found = world.server.get("alice", "/v1/groups/g").await.ok();
        (found["memberCount"] == 1).then_some(())
    };
    eventually("bob is removed", gone).await;
    world.end().await;
}

/// Requests on one connection are answered in order, and a refused one does not end it.
#[tokio::test]
async fn a_refusal_leaves_the_connection_usable() {
    let world = World::new().await;
    let mut wire = Wire::open(world.server.url()).await;
    let mut all = Vec::new();
    all.extend(whole(&world, "alice", "POST", "/v1/groups/g/kick", "nonsense"));
    all.extend(whole(&world, "alice", "GET", "/v1/nothing", ""));
    all.extend(whole(&world, "alice", "GET", "/v1/groups/g", ""));
    wire.say(&all).await;
    for status in [400, 404, 200] {
        assert_eq!(wire.answer().await.map(|answer| answer.status), Some(status));
    }
    world.end().await;
}

/// Stuck clients do not keep a server from stopping.
#[tokio::test]
async fn a_server_stops_in_bounded_time_whatever_its_clients_do() {
    let world = World::new().await;
    let bytes = whole(&world, "alice", "POST", "/v1/groups/g/invite", INVITE);
    let mut stuck = Vec::new();
    for length in [0, 10, bytes.len() - 5] {
        let mut wire = Wire::open(world.server.url()).await;
        wire.say(&bytes[..length]).await;
        stuck.push(wire);
    }
    let mut idle = Wire::open(world.server.url()).await;
    idle.say(&whole(&world, "alice", "GET", "/v1/limits", "")).await;
    assert!(idle.answer().await.is_some());
    let begun = Instant::now();
    world.end().await;
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
    drop(stuck);
}
