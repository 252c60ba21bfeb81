//! `inviteUserToGroup` on the native face: what becomes of each invitee.

mod effects;
mod refusals;

use serde_json::{Value, json};

use crate::common::{ADMIN, Server, results};
use crate::groups::{add, at, group_of, invite, join, member_ids};

/// The lines of an invite that is not refused.
async fn lines(server: &Server, inviter: &str, group: &str, users: &[&str]) -> Value {
    invite(server, inviter, group, users).await.ok()
}

/// Lets a person say what an invitation means to him.
async fn consent(server: &Server, user: &str, consent: &str) {
    server.put(user, "/v1/users/me", json!({ "inviteConsent": consent })).await.ok();
}

/// Removes a member and keeps him out.
async fn kick_and_ban(server: &Server, owner: &str, group: &str, user: &str) {
    let kick = json!({ "userList": [user], "banSeconds": 3600 });
    let data = server.post(owner, &at(group, "kick"), kick).await.ok();
    assert_eq!(results(&data), [(user.to_owned(), 1)]);
}

#[tokio::test]
async fn a_member_of_a_work_group_invites() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let path = format!("/v1/groups/{group}/invite");
    let data = server.post("alice", &path, json!({ "userList": ["bob", "alice"] })).await.ok();
    assert_eq!(results(&data), [("bob".to_owned(), 1), ("alice".to_owned(), 2)]);
    let data = server.post("bob", &path, json!({ "userList": ["carol", "carol"] })).await.ok();
    assert_eq!(results(&data), [("carol".to_owned(), 1)]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_administrator_skips_consent_but_no_limit() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Public", json!({})).await;
    consent(&server, "bob", "deny").await;
    consent(&server, "dave", "ask").await;
    server.put(ADMIN, "/v1/users/carol", json!({ "groupLimit": 0 })).await.ok();
    let data = lines(&server, ADMIN, &group, &["bob", "carol", "dave"]).await;
    let expected = [("bob".to_owned(), 1), ("carol".to_owned(), 4), ("dave".to_owned(), 1)];
    assert_eq!(results(&data), expected);
    assert_eq!(data[1]["limit"], 0);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_person_who_is_added_gets_a_line_of_id_and_result_alone() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let data = lines(&server, "alice", &group, &["bob"]).await;
    assert_eq!(data, json!([{ "memberID": "bob", "result": 1 }]));
    server.stop().await;
}

#[tokio::test]
async fn a_banned_person_is_0_even_for_an_administrator() {
    let server = Server::start().await;
    let more = json!({ "inviteOption": "FreeAccess" });
    let group = group_of(&server, "alice", "g1", "Public", (&[], &["bob", "carol"]), more).await;
    kick_and_ban(&server, "alice", &group, "bob").await;
    for inviter in ["alice", "carol", ADMIN] {
        let data = lines(&server, inviter, &group, &["bob", "carol"]).await;
        assert_eq!(data[0], json!({ "memberID": "bob", "result": 0, "reason": "banned" }));
        assert_eq!(data[1]["result"], 2);
    }
    assert_eq!(member_ids(&server, &group).await, ["alice", "carol"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_ban_that_is_over_stops_nobody() {
    let server = Server::start().await;
    let group = group_of(&server, "alice", "g1", "Public", (&[], &["bob"]), json!({})).await;
    kick_and_ban(&server, "alice", &group, "bob").await;
    let pool = server.db().await;
    sqlx::query("update bans set until = now() - interval '1 second'")
        .execute(&pool)
        .await
        .expect("an earlier end");
    pool.close().await;
    let data = lines(&server, ADMIN, &group, &["bob"]).await;
    assert_eq!(results(&data), [("bob".to_owned(), 1)]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_account_is_0_and_the_others_go_on() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    for user in ["alice", "bob"] {
        server.put(ADMIN, &format!("/v1/users/{user}"), json!({})).await.ok();
    }
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let data = lines(&server, "alice", &group, &["nobody", "bob"]).await;
    assert_eq!(data[0], json!({ "memberID": "nobody", "result": 0, "reason": "unknown_user" }));
    assert_eq!(data[1], json!({ "memberID": "bob", "result": 1 }));
    assert_eq!(member_ids(&server, &group).await, ["alice", "bob"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_want_to_be_invited_is_0() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    consent(&server, "bob", "deny").await;
    let data = lines(&server, "alice", &group, &["bob", "carol"]).await;
    assert_eq!(data[0], json!({ "memberID": "bob", "result": 0, "reason": "declined_by_user" }));
    assert_eq!(data[1]["result"], 1);
    consent(&server, "bob", "auto").await;
    assert_eq!(lines(&server, "alice", &group, &["bob"]).await[0]["result"], 1);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_person_with_too_many_open_invitations_is_0_with_the_limit() {
    let server = Server::with(&[("MUSTER_PENDING_PER_USER", "1")]).await;
    server.group("alice", "g1", "Work", json!({})).await;
    server.group("alice", "g2", "Work", json!({})).await;
    consent(&server, "bob", "ask").await;
    assert_eq!(lines(&server, "alice", "g1", &["bob"]).await[0]["result"], 3);
    let data = lines(&server, "alice", "g2", &["bob"]).await;
    assert_eq!(data[0]["result"], 0);
    assert_eq!(data[0]["reason"], "too_many_pending");
    assert_eq!((&data[0]["limit"], &data[0]["current"]), (&json!(1), &json!(1)));
    let source = data[0]["source"].as_str().expect("a source");
    assert!(source.contains("MUSTER_PENDING_PER_USER"), "{source}");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_group_with_too_many_open_invitations_answers_0_within_one_call_too() {
    let server = Server::with(&[("MUSTER_PENDING_PER_GROUP", "2")]).await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    for user in ["bob", "carol", "dave"] {
        consent(&server, user, "ask").await;
    }
    let data = lines(&server, "alice", &group, &["bob", "carol", "dave", "erin"]).await;
    let found: Vec<_> = results(&data).into_iter().map(|(_, result)| result).collect();
    assert_eq!(found, [3, 3, 0, 1]);
    assert_eq!(data[2]["reason"], "too_many_pending");
    assert_eq!((&data[2]["limit"], &data[2]["current"]), (&json!(2), &json!(2)));
    let source = data[2]["source"].as_str().expect("a source");
    assert!(source.contains("MUSTER_PENDING_PER_GROUP"), "{source}");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_member_is_2_whatever_else_is_true_of_him() {
    let server = Server::start().await;
    let group = group_of(&server, "alice", "g1", "Work", (&[], &["bob", "carol"]), json!({})).await;
    consent(&server, "bob", "deny").await;
    server.put(ADMIN, "/v1/users/carol", json!({ "groupLimit": 0 })).await.ok();
    for inviter in ["alice", ADMIN] {
        let data = lines(&server, inviter, &group, &["alice", "bob", "carol"]).await;
        for (line, user) in data.as_array().expect("a list").iter().zip(["alice", "bob", "carol"]) {
            let expected = json!({ "memberID": user, "result": 2, "reason": "already_member" });
            assert_eq!(*line, expected);
        }
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn where_owner_and_admins_decide_an_ordinary_members_invitee_is_3() {
    let server = Server::start().await;
    let more = json!({ "inviteOption": "NeedPermission" });
    let group = group_of(&server, "alice", "g1", "Work", (&[], &["bob"]), more).await;
    let data = lines(&server, "bob", &group, &["carol", "dave"]).await;
    for (line, user) in data.as_array().expect("a list").iter().zip(["carol", "dave"]) {
        let expected = json!({ "memberID": user, "result": 3, "reason": "awaiting_approval" });
        assert_eq!(*line, expected);
    }
    assert_eq!(member_ids(&server, &group).await, ["alice", "bob"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_wants_to_be_asked_is_3_and_the_others_are_added() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    consent(&server, "bob", "ask").await;
    let data = lines(&server, "alice", &group, &["bob", "carol"]).await;
    let expected = json!({ "memberID": "bob", "result": 3, "reason": "awaiting_invitee" });
    assert_eq!(data[0], expected);
    assert_eq!(data[1]["result"], 1);
    assert_eq!(member_ids(&server, &group).await, ["alice", "carol"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_is_in_as_many_groups_as_the_setting_allows_is_4() {
    let server = Server::with(&[("MUSTER_GROUPS_PER_USER", "2")]).await;
    for (owner, id) in [("o1", "g1"), ("o2", "g2"), ("o3", "g3")] {
        server.group(owner, id, "Work", json!({})).await;
    }
    assert_eq!(lines(&server, "o1", "g1", &["bob"]).await[0]["result"], 1);
    assert_eq!(lines(&server, "o2", "g2", &["bob"]).await[0]["result"], 1);
    for inviter in ["o3", ADMIN] {
        let data = lines(&server, inviter, "g3", &["bob", "carol"]).await;
        assert_eq!(data[0]["result"], 4);
        assert_eq!(data[0]["reason"], "group_limit_reached");
        assert_eq!((&data[0]["limit"], &data[0]["current"]), (&json!(2), &json!(2)));
        let source = data[0]["source"].as_str().expect("a source");
        assert!(source.contains("MUSTER_GROUPS_PER_USER"), "{source}");
        assert_ne!(data[1]["result"], 4, "the others go on");
    }
    // Leaving frees a place (tencent-im.md 1.5).
    server.post("bob", "/v1/groups/g1/quit", json!({})).await.ok();
    assert_eq!(lines(&server, "o3", "g3", &["bob"]).await[0]["result"], 1);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_users_own_group_limit_goes_before_the_setting() {
    let server = Server::with(&[("MUSTER_GROUPS_PER_USER", "1")]).await;
    for (owner, id) in [("o1", "g1"), ("o2", "g2"), ("o3", "g3")] {
        server.group(owner, id, "Work", json!({})).await;
    }
    server.put(ADMIN, "/v1/users/bob", json!({ "groupLimit": 2 })).await.ok();
    server.put(ADMIN, "/v1/users/carol", json!({ "groupLimit": 0 })).await.ok();
    for (owner, id) in [("o1", "g1"), ("o2", "g2")] {
        let data = lines(&server, owner, id, &["bob", "carol"]).await;
        assert_eq!(data[0]["result"], 1);
        assert_eq!(data[1]["result"], 4);
        assert_eq!((&data[1]["limit"], &data[1]["current"]), (&json!(0), &json!(0)));
        let source = data[1]["source"].as_str().expect("a source");
        assert!(source.contains("groupLimit"), "{source}");
    }
    let data = lines(&server, "o3", "g3", &["bob"]).await;
    assert_eq!(data[0]["result"], 4);
    assert_eq!((&data[0]["limit"], &data[0]["current"]), (&json!(2), &json!(2)));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn somebody_never_seen_before_is_held_to_the_limit_after_his_first_group() {
    let server = Server::with(&[("MUSTER_GROUPS_PER_USER", "1")]).await;
    server.group("o1", "open", "Meeting", json!({})).await;
    server.group("o2", "g2", "Work", json!({})).await;
    join(&server, "bob", "open").await.ok();
    let data = lines(&server, "o2", "g2", &["bob"]).await;
    assert_eq!(data[0]["result"], 4);
    assert_eq!((&data[0]["limit"], &data[0]["current"]), (&json!(1), &json!(1)));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn somebody_never_seen_before_gets_into_one_group_when_five_invite_him_at_once() {
    let server = Server::with(&[("MUSTER_GROUPS_PER_USER", "1")]).await;
    let groups = ["g1", "g2", "g3", "g4", "g5"];
    for group in groups {
        server.group(&format!("owner of {group}"), group, "Work", json!({})).await;
    }
    for newcomer in ["new 1", "new 2", "new 3"] {
        let calls = groups.map(|group| {
            let server = &server;
            async move { lines(server, &format!("owner of {group}"), group, &[newcomer]).await }
        });
        let found = futures_util::future::join_all(calls).await;
        let mut found: Vec<i64> =
            found.iter().map(|data| data[0]["result"].as_i64().expect("a result")).collect();
        found.sort_unstable();
        assert_eq!(found, [1, 4, 4, 4, 4], "{newcomer}");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn being_in_live_groups_does_not_count_towards_the_limit() {
    let server = Server::with(&[("MUSTER_GROUPS_PER_USER", "1")]).await;
    for id in ["live 1", "live 2"] {
        server.group("o1", id, "AVChatRoom", json!({})).await;
        join(&server, "bob", id).await.ok();
    }
    server.group("o1", "g1", "Work", json!({})).await;
    server.group("o2", "g2", "Work", json!({})).await;
    assert_eq!(lines(&server, "o1", "g1", &["bob"]).await[0]["result"], 1);
    assert_eq!(lines(&server, "o2", "g2", &["bob"]).await[0]["result"], 4);
    server.group("o1", "live 3", "AVChatRoom", json!({})).await;
    join(&server, "bob", "live 3").await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_invites_himself_is_2_as_a_member_and_judged_like_anybody_as_an_administrator() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let data = lines(&server, "alice", &group, &["alice"]).await;
    assert_eq!(results(&data), [("alice".to_owned(), 2)]);
    let data = lines(&server, ADMIN, &group, &[ADMIN]).await;
    assert_eq!(results(&data), [(ADMIN.to_owned(), 1)]);
    let data = lines(&server, ADMIN, &group, &[ADMIN]).await;
    assert_eq!(results(&data), [(ADMIN.to_owned(), 2)]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_reply_keeps_the_order_of_the_request_and_answers_a_repeated_id_once() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    add(&server, &group, &["m"]).await;
    let users = ["zoe", "m", "bob", "zoe", "alice", "m", "carol", "bob"];
    let data = lines(&server, "alice", &group, &users).await;
    let expected = [("zoe", 1), ("m", 2), ("bob", 1), ("alice", 2), ("carol", 1)];
    assert_eq!(results(&data), expected.map(|(user, result)| (user.to_owned(), result)));
    server.check_invariants().await;
    server.stop().await;
}
