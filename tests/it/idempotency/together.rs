//! The same request at the same moment, on one server and on two, and callers that do not wait.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{EVENTS, GROUPS, INVITE, REPLIES, count, people, post, with_group};
use crate::common::held::Held;
use crate::common::wire::{Wire, request};
use crate::common::{Answer, Server, eventually, results};

/// The same request so many times at once, taking turns on the servers.
async fn at_once(
    servers: &[&Server],
    times: usize,
    path: &str,
    key: &str,
    body: &Value,
) -> Vec<Answer> {
    let calls = (0..times).map(|n| post(servers[n % servers.len()], "alice", path, key, body));
    join_all(calls).await
}

/// All answers are the same success.
#[track_caller]
fn agree(answers: &[Answer]) -> Value {
    for answer in answers {
        assert!((200..300).contains(&answer.status), "{answers:?}");
        assert_eq!(answer.body, answers[0].body, "{answers:?}");
    }
    answers[0].body["data"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_requests_at_once_have_one_effect_and_one_reply() {
    let server = with_group().await;
    let other = server.beside().await;
    let events = count(&server, EVENTS).await;
    for round in 0..10 {
        let key = format!("k{round}");
        let body = people(&[&format!("u{round}"), &format!("v{round}")]);
        let servers: &[&Server] = if round < 5 { &[&server] } else { &[&server, &other] };
        let answers = at_once(servers, 8, INVITE, &key, &body).await;
        let data = agree(&answers);
        assert!(results(&data).iter().all(|(_, result)| *result == 1), "{data}");
    }
    assert_eq!(count(&server, EVENTS).await, events + 10);
    assert_eq!(count(&server, REPLIES).await, 10);
    server.check_invariants().await;
    other.stop().await;
    server.stop().await;
}

/// Each of these requests brings an id of its own for the new group, so no group's lock keeps them apart.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identical_creations_at_once_make_one_group() {
    let server = Server::start().await;
    let other = server.beside().await;
    for round in 0..10 {
        let body = json!({
            "groupType": "Public", "groupName": "n", "memberList": [{ "userID": "bob" }]
        });
        let key = format!("k{round}");
        let servers: &[&Server] = if round < 5 { &[&server] } else { &[&server, &other] };
        let data = agree(&at_once(servers, 6, "/v1/groups", &key, &body).await);
        let path = format!("/v1/groups/{}", data["groupID"].as_str().expect("an id"));
        let path = path.replace('#', "%23");
        assert_eq!(other.get("bob", &path).await.ok()["memberCount"], 2);
        assert_eq!(count(&server, GROUPS).await, round + 1);
    }
    assert_eq!(count(&server, REPLIES).await, 10);
    server.check_invariants().await;
    other.stop().await;
    server.stop().await;
}

/// Of two bodies under one key, one wins and the other is told; never both, never neither.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_different_bodies_at_once_one_wins() {
    let server = with_group().await;
    let other = server.beside().await;
    for round in 0..10 {
        let key = format!("k{round}");
        let one = people(&[&format!("a{round}")]);
        let two = people(&[&format!("b{round}")]);
        let (first, second) = tokio::join!(
            post(&server, "alice", INVITE, &key, &one),
            post(&other, "alice", INVITE, &key, &two)
        );
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 409], "{first:?} {second:?}");
    }
    let members = server.get("alice", "/v1/groups/g").await.ok();
    assert_eq!(members["memberCount"], 11);
    server.check_invariants().await;
    other.stop().await;
    server.stop().await;
}

fn invitation(server: &Server, user: &str, key: &str) -> Vec<u8> {
    let bearer = format!("Bearer {}", server.token("alice"));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    request("POST", INVITE, &headers, people(&[user]).to_string())
}

/// Whoever hangs up finds it done, and asks again for the reply.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hanging_up_cancels_nothing_and_the_reply_can_be_asked_for_later() {
    let server = with_group().await;
    for round in 0..20 {
        let user = format!("u{round}");
        let bytes = invitation(&server, &user, &user);
        let mut wire = Wire::open(server.url()).await;
        wire.say(&bytes).await;
        drop(wire);
        let path = format!("/v1/groups/g/members?userID={user}");
        let done = async || {
            let found = server.get("alice", &path).await.ok();
            found["memberList"].as_array().is_some_and(|list| list.len() == 1).then_some(())
        };
        eventually("the invitation is done", done).await;
        let again = post(&server, "alice", INVITE, &user, &people(&[&user])).await;
        assert_eq!(results(&again.ok()), [(user, 1)]);
    }
    server.check_invariants().await;
    server.stop().await;
}

/// While the row of the group is held by somebody else, the callers wait, hang up and come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_whose_caller_left_while_it_waited_is_done() {
    let server = with_group().await;
    let held = Held::lock(server.database_url(), "g").await;
    let bytes = invitation(&server, "bob", "k");
    let mut wire = Wire::open(server.url()).await;
    wire.say(&bytes).await;
    held.until_somebody_waits(server.database_url()).await;
    drop(wire);
    held.release().await;
    let again = post(&server, "alice", INVITE, "k", &people(&["bob"])).await;
    assert_eq!(results(&again.ok()), [("bob".to_owned(), 1)]);
    assert_eq!(count(&server, EVENTS).await, 2);
    assert_eq!(count(&server, REPLIES).await, 1);
    server.stop().await;
}
