//! What operators rely on: health and metrics, bounds on callers, logs, starting, stopping, and what
//! happens while the database is away.

mod away;
mod cors;
mod epoch;
mod life;
mod logs;
mod metrics;
mod program;
pub(crate) mod proxy;

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::common::held::Held;
use crate::common::{ADMIN, Answer, Server, eventually};

/// Asks the operator's listener: status and text.
async fn ops(server: &Server, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{}{path}", server.ops_url())).await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.expect("a text"))
}

#[tokio::test]
async fn a_running_server_is_healthy_and_ready() {
    let server = Server::start().await;
    assert_eq!(ops(&server, "/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(ops(&server, "/readyz").await, (200, "ready\n".to_owned()));
    server.stop().await;
}

#[tokio::test]
async fn the_operators_routes_are_not_public_and_the_public_ones_not_the_operators() {
    let server = Server::start().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        server.get(ADMIN, path).await.refused(404, 10003, "unknown_route");
    }
    for path in ["/v1/limits", "/v1/groups", "/v1/events", "/v4/group_open_http_svc/x", "/"] {
        assert_eq!(ops(&server, path).await.0, 404, "{path}");
    }
    let post = reqwest::Client::new().post(format!("{}/healthz", server.ops_url())).send().await;
    assert_eq!(post.expect("an answer").status(), 405);
    server.stop().await;
}

/// Four times the rate at once, then so many a second: 429 with the seconds to wait.
#[tokio::test]
async fn a_caller_above_his_rate_is_told_to_wait_and_nobody_else_is() {
    let server = Server::with(&[("MUSTER_RATE_PER_USER", "2")]).await;
    let begun = Instant::now();
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(server.get("alice", "/v1/limits").await);
    }
    let elapsed = begun.elapsed();
    let (good, refused): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    let earned = 2 * usize::try_from(elapsed.as_secs()).expect("seconds") + 2;
    assert!((8..=8 + earned).contains(&good.len()), "{} in {elapsed:?}", good.len());
    for answer in refused {
        let wait = answer.headers["retry-after"].to_str().ok().and_then(|text| text.parse().ok());
        assert_eq!(wait, Some(1), "{answer:?}");
        let data = answer.refused(429, 10006, "rate_limited");
        assert_eq!(data["limit"], 2);
        assert_eq!(data["source"], "MUSTER_RATE_PER_USER");
    }
    // Others are not concerned, and administrators never.
    server.get("bob", "/v1/limits").await.ok();
    for _ in 0..50 {
        server.get(ADMIN, "/v1/limits").await.ok();
    }
    // Every kind of request counts, whatever becomes of it, but not one without a caller.
    for _ in 0..20 {
        let answer = server.send(Method::GET, "/v1/users/me", &[], "").await;
        answer.refused(401, 70002, "token_missing");
    }
    let mut last = 0;
    for _ in 0..12 {
        last = server.post("carol", "/v1/groups", json!("nonsense")).await.status;
    }
    assert_eq!(last, 429);
    // After the wait that he was told, he goes on.
    let on = async || (server.get("alice", "/v1/limits").await.status == 200).then_some(());
    eventually("alice may ask again", on).await;
    server.stop().await;
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let server = Server::start().await;
    let mut seen = std::collections::BTreeSet::new();
    for (method, path) in [
        (Method::GET, "/v1/limits"),
        (Method::GET, "/v1/nothing"),
        (Method::PUT, "/v1/limits"),
        (Method::POST, "/v1/groups"),
    ] {
        let answer = server.send(method, path, &[], "").await;
        let id = answer.headers["x-request-id"].to_str().expect("a text").to_owned();
        assert!(uuid::Uuid::try_parse(&id).is_ok(), "{id}");
        assert!(seen.insert(id));
        let given = [("x-request-id", "of-the-caller-1")];
        let answer = server.send(Method::GET, path, &given, "").await;
        assert_eq!(answer.headers["x-request-id"], "of-the-caller-1", "{path}");
    }
    server.stop().await;
}

/// Requests that are being answered when the server stops are answered; new connections are not taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_finishes_what_is_in_flight() {
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({})).await;
    let database = server.database_url().to_owned();
    let held = Held::lock(&database, "g").await;
    let (url, token) = (server.url().to_owned(), server.token("alice"));
    let call = {
        let (url, token) = (url.clone(), token.clone());
        tokio::spawn(async move {
            let request = reqwest::Client::new().post(format!("{url}/v1/groups/g/invite"));
            let request = request.bearer_auth(token).json(&json!({ "userList": ["bob"] }));
            request.send().await.expect("an answer").status().as_u16()
        })
    };
    held.until_somebody_waits(&database).await;
    let ops_url = server.ops_url().to_owned();
    let stop = tokio::spawn(server.stop());
    let draining = async || {
        let answer = reqwest::get(format!("{ops_url}/readyz")).await.ok()?;
        (answer.status() == 503).then_some(answer.text().await.expect("a text"))
    };
    assert_eq!(eventually("readiness ends at once", draining).await, "stopping\n");
    let closed = async || reqwest::get(format!("{url}/v1/limits")).await.is_err().then_some(());
    eventually("no new connection is taken", closed).await;
    assert!(!call.is_finished());
    held.release().await;
    assert_eq!(call.await.expect("no panic"), 200);
    let stopped = tokio::time::timeout(Duration::from_secs(20), stop).await;
    stopped.expect("it stops in time").expect("no panic");
}
