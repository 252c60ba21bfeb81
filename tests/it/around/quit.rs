//! Leaving a group.

use serde_json::json;

use crate::common::{ADMIN, Answer, Server};
use crate::groups::{add, at, everything, group_of, head, invite, join, member_ids, newest};

async fn quit(server: &Server, user: &str, group: &str) -> Answer {
    server.post(user, &at(group, "quit"), json!({})).await
}

#[tokio::test]
async fn a_member_of_any_type_leaves_and_the_group_is_told() {
    let server = Server::start().await;
    for group_type in ["Work", "Public", "Meeting", "AVChatRoom", "Community"] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        server.group("alice", &id, group_type, json!({})).await;
        if group_type == "AVChatRoom" {
            join(&server, "bob", &id).await.ok();
        } else {
            add(&server, &id, &["bob"]).await;
        }
        quit(&server, "bob", &id).await.ok();
        let event = newest(&server, &id).await;
        assert_eq!((&event["event"], &event["seq"]), (&json!("onMemberLeave"), &json!(3)));
        assert_eq!(event["member"]["userID"], "bob");
        assert_eq!(member_ids(&server, &id).await, ["alice"]);
        let answer = quit(&server, "bob", &id).await;
        let found = (answer.status, answer.body["code"].as_i64());
        assert_eq!(found, (403, Some(10007)), "{group_type}: not a member any more");
        assert_eq!(head(&server, &id).await, 3);
    }
    let groups = server.get("bob", "/v1/users/me/groups").await.ok();
    assert_eq!(groups["total"], 0);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_owner_leaves_a_work_group_only_and_the_others_are_10009() {
    let server = Server::start().await;
    for group_type in ["Public", "Meeting", "AVChatRoom", "Community"] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        server.group("alice", &id, group_type, json!({})).await;
        let before = everything(&server).await;
        let answer = quit(&server, "alice", &id).await;
        assert_eq!(answer.body["code"], 10009, "{group_type}: {answer:?}");
        assert!(matches!(answer.status, 403 | 409), "{answer:?}");
        assert_eq!(everything(&server).await, before);
    }
    let group = group_of(&server, "alice", "work", "Work", (&[], &["bob"]), json!({})).await;
    quit(&server, "alice", &group).await.ok();
    let data = server.get("bob", &at(&group, "")).await.ok();
    assert!(data["owner"].is_null(), "{data}");
    assert_eq!(data["memberCount"], 1);
    // Whoever was the owner comes back as an ordinary member.
    invite(&server, "bob", &group, &["alice"]).await.ok();
    let data = server.get("alice", &at(&group, "")).await.ok();
    assert_eq!((&data["role"], &data["owner"]), (&json!("Member"), &json!(null)));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_work_group_outlives_its_last_member() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    quit(&server, "alice", &group).await.ok();
    let data = server.get(ADMIN, &at(&group, "")).await.ok();
    assert_eq!((&data["memberCount"], &data["seq"]), (&json!(0), &json!(2)));
    add(&server, &group, &["bob"]).await;
    assert_eq!(member_ids(&server, &group).await, ["bob"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_is_no_member_has_nothing_to_leave() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Public", json!({})).await;
    let before = everything(&server).await;
    for caller in ["stranger", ADMIN] {
        let answer = quit(&server, caller, &group).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    }
    quit(&server, "alice", "nowhere").await.refused(404, 10010, "group_not_found");
    let answer = server.post("alice", &at(&group, "quit"), json!({ "why": "" })).await;
    answer.refused(400, 10004, "unknown_field");
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn an_administrator_who_is_a_member_leaves_like_anybody() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Public", json!({})).await;
    add(&server, &group, &[ADMIN]).await;
    quit(&server, ADMIN, &group).await.ok();
    assert_eq!(member_ids(&server, &group).await, ["alice"]);
    server.check_invariants().await;
    server.stop().await;
}
