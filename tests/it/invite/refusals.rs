//! Calls that are refused as a whole: they say why, and change nothing.

use serde_json::{Value, json};

use super::{consent, kick_and_ban};
use crate::common::{ADMIN, Server, results};
use crate::groups::{at, everything, group_of, has_row, invite, member_ids};

#[tokio::test]
async fn more_newcomers_than_room_refuse_the_whole_call_and_nothing_changes() {
    let server = Server::start().await;
    let more = json!({ "maxMemberCount": 4 });
    let group = group_of(&server, "alice", "g1", "Work", (&[], &["bob", "dave"]), more).await;
    kick_and_ban(&server, "alice", &group, "dave").await;
    consent(&server, "no", "deny").await;
    server.put(ADMIN, "/v1/users/busy", json!({ "groupLimit": 0 })).await.ok();
    let before = everything(&server).await;
    let list = ["bob", "dave", "no", "busy", "n1", "n2", "n3"];
    let data = invite(&server, "alice", &group, &list).await.refused(409, 10014, "group_full");
    assert_eq!((&data["limit"], &data["current"]), (&json!(4), &json!(2)));
    assert!(data["source"].as_str().is_some_and(|source| source.contains("maxMemberCount")));
    assert_eq!(everything(&server).await, before);
    assert!(!has_row(&server, "n1").await);
    // Who is a member already or refused for another reason takes no room.
    let data = invite(&server, "alice", &group, &list[..6]).await.ok();
    let found: Vec<i64> = results(&data).into_iter().map(|(_, result)| result).collect();
    assert_eq!(found, [2, 0, 0, 4, 1, 1]);
    assert_eq!(member_ids(&server, &group).await, ["alice", "bob", "n1", "n2"]);
    // A full group still answers for those who need no room.
    let data = invite(&server, "alice", &group, &["bob", "dave"]).await.ok();
    assert_eq!(results(&data), [("bob".to_owned(), 2), ("dave".to_owned(), 0)]);
    invite(&server, ADMIN, &group, &["n3"]).await.refused(409, 10014, "group_full");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_last_seat_is_given_once() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({ "maxMemberCount": 2 })).await;
    let calls = ["n1", "n2", "n3", "n4", "n5"].map(|newcomer| {
        let (server, group) = (&server, &group);
        async move { invite(server, "alice", group, &[newcomer]).await.status }
    });
    let mut found = futures_util::future::join_all(calls).await;
    found.sort_unstable();
    assert_eq!(found, [200, 409, 409, 409, 409]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_group_that_never_was_and_one_that_was_dismissed_are_10010() {
    let server = Server::start().await;
    let group = group_of(&server, "alice", "g1", "Public", (&[], &["bob"]), json!({})).await;
    server.delete("alice", &at(&group, "")).await.ok();
    for inviter in ["alice", ADMIN] {
        for id in [group.as_str(), "never was", "@TGS#1neverwas"] {
            invite(&server, inviter, id, &["carol"]).await.refused(404, 10010, "group_not_found");
        }
    }
    assert!(!has_row(&server, "carol").await);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_may_not_invite_gets_10007_before_anything_is_said_about_the_invitees() {
    let server = Server::with(&[("MUSTER_INVITE_BATCH", "2")]).await;
    server.group("alice", "work", "Work", json!({ "maxMemberCount": 1 })).await;
    server.group("alice", "public", "Public", json!({ "maxMemberCount": 1 })).await;
    server.group("alice", "live", "AVChatRoom", json!({})).await;
    for list in [&["bob"] as &[&str], &["bob", "carol", "dave"], &[]] {
        invite(&server, "mallory", "work", list).await.refused(403, 10007, "not_a_member");
        invite(&server, "alice", "public", list).await.refused(403, 10007, "invite_disabled");
        invite(&server, ADMIN, "live", list).await.refused(403, 10007, "not_allowed_for_type");
    }
    server.stop().await;
}

#[tokio::test]
async fn more_people_than_one_call_may_name_are_10005_with_the_limit() {
    let server = Server::with(&[("MUSTER_INVITE_BATCH", "2")]).await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let before = everything(&server).await;
    for inviter in ["alice", ADMIN] {
        let answer = invite(&server, inviter, &group, &["bob", "carol", "dave"]).await;
        let data = answer.refused(400, 10005, "too_many_in_call");
        assert_eq!((&data["limit"], &data["current"]), (&json!(2), &json!(3)));
        assert_eq!(data["field"], "userList");
        assert!(data["source"].as_str().is_some_and(|it| it.contains("MUSTER_INVITE_BATCH")));
    }
    assert_eq!(everything(&server).await, before);
    invite(&server, "alice", &group, &["bob", "carol"]).await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_list_that_is_empty_or_absent_or_no_list_is_10004_naming_the_field() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let path = at(&group, "invite");
    for (body, reason, field) in [
        (json!({ "userList": [] }), "invalid_parameter", "userList"),
        (json!({}), "missing_field", "userList"),
        (json!({ "userList": "bob" }), "invalid_parameter", "userList"),
        (json!({ "userList": null }), "invalid_parameter", "userList"),
        (json!({ "userList": ["bob", 5] }), "invalid_parameter", "userList[1]"),
        (json!({ "userList": ["bob"], "silent": true }), "unknown_field", "silent"),
        (json!({ "userlist": ["bob"] }), "unknown_field", "userlist"),
    ] {
        let shown = body.to_string();
        let answer = server.post("alice", &path, body).await;
        let data = answer.refused(400, 10004, reason);
        assert_eq!(data["field"], field, "{shown}");
    }
    assert!(!has_row(&server, "bob").await);
    server.stop().await;
}

#[tokio::test]
async fn an_impossible_user_id_is_10004_and_an_impossible_group_id_10015() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let long = "u".repeat(33);
    for id in ["", long.as_str(), "bö", "a\nb", ".", "..", "me"] {
        let answer = invite(&server, "alice", &group, &["bob", id]).await;
        let data = answer.refused(400, 10004, "invalid_user_id");
        assert_eq!(data["field"], "userList[1]", "{id:?}");
    }
    assert!(!has_row(&server, "bob").await);
    let longest = "u".repeat(32);
    invite(&server, "alice", &group, &[&longest, "a b~!@#%"]).await.ok();
    for id in ["g".repeat(49).as_str(), "bö", "a\nb"] {
        let answer = invite(&server, "alice", id, &["bob"]).await;
        answer.refused(400, 10015, "invalid_group_id");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn when_none_of_the_invited_has_an_account_the_call_is_10019() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    server.put(ADMIN, "/v1/users/alice", json!({})).await.ok();
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let before = everything(&server).await;
    for inviter in ["alice", ADMIN] {
        let answer = invite(&server, inviter, &group, &["nobody", "no one"]).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!(10019)), "{answer:?}");
        assert_eq!(answer.body["data"]["reason"], "unknown_user");
    }
    assert_eq!(everything(&server).await, before);
    // A member among them is somebody.
    let data = invite(&server, "alice", &group, &["nobody", "alice"]).await.ok();
    assert_eq!(results(&data), [("nobody".to_owned(), 0), ("alice".to_owned(), 2)]);
    server.stop().await;
}

#[tokio::test]
async fn a_refused_call_leaves_not_even_a_user_row() {
    let server = Server::with(&[("MUSTER_INVITE_BATCH", "2")]).await;
    server.group("alice", "work", "Work", json!({ "maxMemberCount": 1 })).await;
    server.group("alice", "public", "Public", json!({})).await;
    let before = everything(&server).await;
    let calls: [(&str, &str, &[&str], i64); 5] = [
        ("mallory", "work", &["new"], 10007),
        ("alice", "public", &["new"], 10007),
        ("alice", "work", &["new"], 10014),
        ("alice", "work", &["new", "newer", "newest"], 10005),
        ("alice", "nowhere", &["new"], 10010),
    ];
    for (inviter, group, users, code) in calls {
        let answer = invite(&server, inviter, group, users).await;
        assert_eq!(answer.body["code"], code, "{answer:?}");
        assert_eq!(everything(&server).await, before, "{code}");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_invitee_who_is_not_added_leaves_no_row_beside_those_who_are() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    for user in ["alice", "bob"] {
        server.put(ADMIN, &format!("/v1/users/{user}"), json!({})).await.ok();
    }
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let data = invite(&server, "alice", &group, &["bob", "nobody"]).await.ok();
    assert_eq!(results(&data), [("bob".to_owned(), 1), ("nobody".to_owned(), 0)]);
    assert!(!has_row(&server, "nobody").await);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn without_a_credential_nothing_is_told() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let body = json!({ "userList": ["bob"] }).to_string();
    for path in [at(&group, "invite"), at("nowhere", "invite")] {
        let answer = server.send(reqwest::Method::POST, &path, &[], body.clone()).await;
        let data: Value = answer.refused(401, 70002, "token_missing");
        assert!(data.get("limit").is_none());
    }
    server.stop().await;
}
