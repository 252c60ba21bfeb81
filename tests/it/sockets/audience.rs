//! Everyone who is a member just before or just after a change hears of it, and nobody else.

use serde_json::json;

use super::{hears, hears_nothing, invite, kick, named};
use crate::common::{ADMIN, Server};

#[tokio::test]
async fn inviter_invited_and_members_hear_an_invitation_and_a_stranger_nothing() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut alice = server.ws("alice").await;
    let mut bob = server.ws("bob").await;
    let mut carol = server.ws("carol").await;
    let mut stranger = server.ws("stranger").await;
    let line = json!({ "groupID": "g1", "seq": 1, "head": 1, "role": "Owner" });
    assert_eq!(alice.welcome["groups"], json!([line]));
    assert_eq!(stranger.welcome["groups"], json!([]));

    let body = json!({ "userList": ["carol", "dave"] });
    server.post("alice", "/v1/groups/g1/invite", body).await.ok();
    for socket in [&mut alice, &mut bob, &mut carol] {
        let event = socket.expect("onMemberInvited").await;
        assert_eq!(event["groupID"], "g1");
        assert_eq!(event["seq"], 2);
        assert_eq!(event["opUser"], json!({ "userID": "alice" }));
        assert_eq!(named(&event), ["carol", "dave"], "one event for the call");
        hears_nothing(socket).await;
    }
    hears_nothing(&mut stranger).await;
    server.stop().await;
}

#[tokio::test]
async fn the_reply_of_an_invitation_comes_before_everything_that_follows_from_it() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({})).await;
    let mut bob = server.ws("bob").await;
    for round in 0..50 {
        invite(&server, "g1", &["bob"]).await;
        let groups = server.get("bob", "/v1/users/me/groups").await.ok();
        assert_eq!(groups["total"], 1);
        assert_eq!(named(&bob.expect("onMemberInvited").await), ["bob"]);
        kick(&server, "g1", &["bob"]).await;
        let event = bob.expect("onMemberKicked").await;
        assert_eq!(event["seq"], 3 + 2 * round);
    }
    server.stop().await;
}

#[tokio::test]
async fn an_invitation_that_changed_nothing_is_not_told() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({})).await;
    let mut alice = server.ws("alice").await;
    let body = json!({ "userList": ["alice"] });
    server.post(ADMIN, "/v1/groups/g1/invite", body).await.ok();
    hears_nothing(&mut alice).await;
    server.stop().await;
}

#[tokio::test]
async fn every_socket_of_a_person_hears() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({})).await;
    let mut sockets = vec![server.ws("bob").await, server.ws("bob").await, server.ws("bob").await];
    invite(&server, "g1", &["bob"]).await;
    invite(&server, "g1", &["carol"]).await;
    for socket in &mut sockets {
        hears(socket, &[("onMemberInvited", 2), ("onMemberInvited", 3)]).await;
        hears_nothing(socket).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn the_kicked_hears_it_last_and_is_back_with_the_next_invitation() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut alice = server.ws("alice").await;
    let mut bob = server.ws("bob").await;
    kick(&server, "g1", &["bob"]).await;
    invite(&server, "g1", &["carol"]).await;
    hears(&mut bob, &[("onMemberKicked", 2)]).await;
    hears_nothing(&mut bob).await;
    invite(&server, "g1", &["bob"]).await;
    kick(&server, "g1", &["carol"]).await;
    hears(&mut bob, &[("onMemberInvited", 4), ("onMemberKicked", 5)]).await;
    let all = [
        ("onMemberKicked", 2),
        ("onMemberInvited", 3),
        ("onMemberInvited", 4),
        ("onMemberKicked", 5),
    ];
    hears(&mut alice, &all).await;
    server.stop().await;
}

#[tokio::test]
async fn who_quits_hears_it_last() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut alice = server.ws("alice").await;
    let mut bob = server.ws("bob").await;
    server.post("bob", "/v1/groups/g1/quit", json!({})).await.ok();
    invite(&server, "g1", &["carol"]).await;
    let event = bob.expect("onMemberLeave").await;
    assert_eq!(named(&event), ["bob"]);
    hears_nothing(&mut bob).await;
    hears(&mut alice, &[("onMemberLeave", 2), ("onMemberInvited", 3)]).await;
    server.stop().await;
}

#[tokio::test]
async fn who_enters_hears_it_and_so_do_the_members() {
    let server = Server::start().await;
    server.group("alice", "m1", "Meeting", json!({})).await;
    let mut alice = server.ws("alice").await;
    let mut bob = server.ws("bob").await;
    server.post("bob", "/v1/groups/m1/join", json!({})).await.ok();
    for socket in [&mut alice, &mut bob] {
        assert_eq!(named(&socket.expect("onMemberEnter").await), ["bob"]);
    }
    server.stop().await;
}

#[tokio::test]
async fn everybody_hears_the_end_of_a_group_and_its_beginning() {
    let server = Server::start().await;
    let mut alice = server.ws("alice").await;
    let mut bob = server.ws("bob").await;
    server.group("alice", "p1", "Public", json!({ "memberList": [{ "userID": "bob" }] })).await;
    server.delete("alice", "/v1/groups/p1").await.ok();
    for socket in [&mut alice, &mut bob] {
        hears(socket, &[("onGroupCreated", 1), ("onGroupDismissed", 2)]).await;
        hears_nothing(socket).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn personal_events_reach_the_person_alone() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({})).await;
    server.put("bob", "/v1/users/me", json!({ "inviteConsent": "ask" })).await.ok();
    let mut alice = server.ws("alice").await;
    let mut bob = server.ws("bob").await;
    let mut carol = server.ws("carol").await;
    let body = json!({ "userList": ["bob"] });
    server.post("alice", "/v1/groups/g1/invite", body).await.ok();
    let event = bob.expect("onReceiveInvitation").await;
    assert_eq!(event["stream"], "user");
    assert_eq!(event["userSeq"], 1);
    assert!(event.get("seq").is_none(), "{event}");
    hears_nothing(&mut alice).await;

    let id = event["application"]["applicationID"].as_str().expect("an id");
    server.post("bob", &format!("/v1/applications/{id}/accept"), json!({})).await.ok();
    let mut kinds = [alice.next_event().await, alice.next_event().await];
    kinds.sort_by_key(|event| event["event"].as_str().map(str::to_owned));
    assert_eq!(kinds[0]["event"], "onApplicationProcessed");
    assert_eq!(kinds[1]["event"], "onMemberInvited");
    hears_nothing(&mut carol).await;
    assert_eq!(server.ws("bob").await.welcome["userSeq"], 2);
    server.stop().await;
}
