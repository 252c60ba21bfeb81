//! Credentials that are revoked before their time (t).

use serde_json::json;

use super::{ends_within, me, next_second, old_jwt, old_usersig};
use crate::common::{ADMIN, APP, Server, Socket, eventually};

async fn revoke(server: &Server, user: &str) {
    let data = server.delete(ADMIN, &format!("/v1/users/{user}/credentials")).await.ok();
    assert!(data.is_null(), "{data}");
}

#[tokio::test]
async fn what_was_signed_before_is_refused_and_what_is_signed_later_is_not() {
    let server = Server::start().await;
    for user in ["alice", "bob"] {
        server.put(ADMIN, &format!("/v1/users/{user}"), json!({})).await.ok();
    }
    let of_alice = [old_jwt("alice", 5), old_usersig("alice", 5)];
    let of_bob = [old_jwt("bob", 5), old_usersig("bob", 5)];
    for token in of_alice.iter().chain(&of_bob) {
        me(&server, token).await.ok();
    }
    revoke(&server, "alice").await;
    for token in &of_alice {
        me(&server, token).await.refused(401, 70052, "token_revoked");
    }
    // It concerns nobody else, and the user can come again.
    for token in &of_bob {
        me(&server, token).await.ok();
    }
    next_second().await;
    let later = [old_jwt("alice", 0), old_usersig("alice", 0)];
    for token in &later {
        assert_eq!(me(&server, token).await.ok()["userID"], "alice");
    }
    // Once more, for what was made meanwhile.
    revoke(&server, "alice").await;
    for token in later.iter().chain(&of_alice) {
        me(&server, token).await.refused(401, 70052, "token_revoked");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn on_the_tencent_face_it_is_checked_after_the_signature_and_before_the_administrator() {
    let server = Server::with(&[("MUSTER_ADMINS", "administrator, boss")]).await;
    for user in ["boss", "bob"] {
        server.put(ADMIN, &format!("/v1/users/{user}"), json!({})).await.ok();
    }
    let call = async |user: &str, usersig: &str| {
        let path = "/v4/im_open_login_svc/account_check";
        let path = format!("{path}?sdkappid={APP}&identifier={user}&usersig={usersig}");
        server.v4_raw(&path, br#"{"CheckItem":[{"UserID":"bob"}]}"#).await.1["ErrorCode"].clone()
    };
    let (of_boss, of_bob) = (old_usersig("boss", 5), old_usersig("bob", 5));
    assert_eq!(
        (call("boss", &of_boss).await, call("bob", &of_bob).await),
        (json!(0), json!(60010))
    );
    // The old name of the field, and the new one.
    for body in [json!({ "Identifier": "boss" }), json!({ "UserID": "bob" })] {
        let answer = server.v4("im_open_login_svc/kick", body).await;
        assert_eq!(answer, json!({ "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0 }));
    }
    assert_eq!(call("boss", &of_boss).await, 70052);
    assert_eq!(call("bob", &of_bob).await, 70052);
    assert_eq!(call("bob", &of_boss).await, 70013, "another user's comes first");
    next_second().await;
    assert_eq!(call("boss", &old_usersig("boss", 0)).await, 0);
    assert_eq!(call("bob", &old_usersig("bob", 0)).await, 60010);
    server.stop().await;
}

#[tokio::test]
async fn the_users_sockets_end_on_every_node_and_nobody_elses() {
    let server = Server::start().await;
    let other = server.beside().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut sockets = Vec::new();
    for node in [&server, &other] {
        for token in [old_jwt("alice", 5), old_usersig("alice", 5)] {
            sockets.push(Socket::open(node.url(), &token).await.raw);
        }
    }
    let mut bobs = [server.ws("bob").await, other.ws("bob").await];
    revoke(&server, "alice").await;
    for socket in sockets {
        let (code, bye) = ends_within(3, socket).await;
        assert_eq!(code, 4001);
        assert!(bye["why"].as_str().is_some_and(|why| why.contains("revoked")), "{bye}");
    }
    // The other node knows it by now, too.
    me(&other, &old_jwt("alice", 5)).await.refused(401, 70052, "token_revoked");
    for bob in &mut bobs {
        bob.say(&json!({ "type": "ping" })).await;
        assert_eq!(bob.frame().await["type"], "pong");
    }
    next_second().await;
    let mut again = Socket::open(other.url(), &old_jwt("alice", 0)).await;
    crate::groups::add(&server, "g1", &["carol"]).await;
    for socket in bobs.iter_mut().chain([&mut again]) {
        assert_eq!(socket.next_event().await["seq"], 2);
    }
    again.say(&json!({ "type": "ping" })).await;
    assert_eq!(again.frame().await["type"], "pong");
    other.stop().await;
    server.stop().await;
}

/// A token from a provider whose clock is a little ahead is the newer one.
#[tokio::test]
async fn a_socket_lives_on_with_a_newer_credential_that_it_has_shown() {
    let server = Server::start().await;
    let other = server.beside().await;
    server.put(ADMIN, "/v1/users/alice", json!({})).await.ok();
    let mut renewed = Vec::new();
    for node in [&server, &other] {
        let mut socket = Socket::open(node.url(), &old_jwt("alice", 5)).await;
        socket.say(&json!({ "type": "auth", "token": old_jwt("alice", -20) })).await;
        socket.say(&json!({ "type": "ping" })).await;
        assert_eq!(socket.frame().await["type"], "pong");
        renewed.push(socket);
    }
    let old = Socket::open(other.url(), &old_jwt("alice", 5)).await;
    revoke(&server, "alice").await;
    // When this one has ended, the others were told, too.
    assert_eq!(ends_within(3, old.raw).await.0, 4001);
    for socket in &mut renewed {
        socket.say(&json!({ "type": "ping" })).await;
        assert_eq!(socket.frame().await["type"], "pong");
    }
    other.stop().await;
    server.stop().await;
}

#[tokio::test]
async fn a_socket_neither_opens_nor_goes_on_with_a_revoked_credential() {
    let server = Server::start().await;
    server.put(ADMIN, "/v1/users/alice", json!({})).await.ok();
    revoke(&server, "alice").await;
    next_second().await;
    for revoked in [old_jwt("alice", 5), old_usersig("alice", 5)] {
        let mut socket = Socket::open(server.url(), &old_jwt("alice", 0)).await;
        socket.say(&json!({ "type": "auth", "token": revoked })).await;
        assert_eq!(ends_within(3, socket.raw).await.0, 4001, "an auth frame");

        let mut stream = server.raw_ws().await;
        let hello = json!({ "type": "hello", "token": revoked });
        crate::common::socket::say(&mut stream, &hello).await;
        assert_eq!(ends_within(3, stream).await.0, 4001, "hello");

        let bearer = format!("Bearer {revoked}");
        let headers = [("authorization", bearer.as_str())];
        let answer = server.send(reqwest::Method::GET, "/v1/events", &headers, "").await;
        answer.refused(401, 70052, "token_revoked");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_starts_knows_what_was_revoked() {
    let server = Server::start().await;
    server.put(ADMIN, "/v1/users/alice", json!({})).await.ok();
    let old = old_jwt("alice", 5);
    revoke(&server, "alice").await;
    let later = server.beside().await;
    me(&later, &old).await.refused(401, 70052, "token_revoked");
    // And what is revoked from now on it hears of.
    next_second().await;
    let fresh = old_jwt("alice", 0);
    me(&later, &fresh).await.ok();
    revoke(&server, "alice").await;
    eventually("the other node knows", async || {
        (me(&later, &fresh).await.status == 401).then_some(())
    })
    .await;
    later.stop().await;
    server.stop().await;
}
