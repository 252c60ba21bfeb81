//! `MUSTER_ACCOUNTS=registered`: an account must have been imported (4).

use serde_json::json;

use crate::common::{ADMIN, Answer, Server};
use crate::groups::{at, everything, group_of, has_row, invite, join, member_ids};

async fn registered(users: &[&str]) -> Server {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    for user in users {
        server.put(ADMIN, &format!("/v1/users/{user}"), json!({})).await.ok();
    }
    server
}

/// What everybody without an account gets.
#[track_caller]
fn has_no_account(answer: &Answer) {
    assert_eq!((answer.status, &answer.body["code"]), (404, &json!(10019)), "{answer:?}");
}

#[tokio::test]
async fn who_has_no_account_makes_no_group_enters_none_and_writes_nothing() {
    let server = registered(&["alice"]).await;
    let group = server.group("alice", "g1", "Meeting", json!({})).await;
    let before = everything(&server).await;
    let body = json!({ "groupType": "Work", "groupName": "n" });
    has_no_account(&server.post("nobody", "/v1/groups", body.clone()).await);
    let mut for_nobody = body;
    for_nobody["owner"] = json!("nobody");
    has_no_account(&server.post(ADMIN, "/v1/groups", for_nobody).await);
    has_no_account(&join(&server, "nobody", &group).await);
    has_no_account(&server.put("nobody", "/v1/users/me", json!({ "nickName": "N" })).await);
    has_no_account(&server.get("alice", "/v1/users/nobody").await);
    assert_eq!(everything(&server).await, before);
    server.put(ADMIN, "/v1/users/nobody", json!({})).await.ok();
    join(&server, "nobody", &group).await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_first_member_without_an_account_is_0_and_the_group_is_made() {
    let server = registered(&["alice", "bob"]).await;
    let body = json!({
        "groupID": "g1", "groupType": "Work", "groupName": "n",
        "memberList": [{ "userID": "nobody" }, { "userID": "bob" }]
    });
    let data = server.post("alice", "/v1/groups", body).await.ok();
    let expected = json!([
        { "memberID": "nobody", "result": 0, "reason": "unknown_user" },
        { "memberID": "bob", "result": 1 },
    ]);
    assert_eq!(data["memberList"], expected);
    assert_eq!(member_ids(&server, "g1").await, ["alice", "bob"]);
    assert!(!has_row(&server, "nobody").await);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_account_that_is_made_meanwhile_is_invited() {
    let server = registered(&["alice"]).await;
    let group = group_of(&server, "alice", "g1", "Work", (&[], &[]), json!({})).await;
    has_no_account(&invite(&server, "alice", &group, &["bob"]).await);
    let dry = at(&group, "invite?dryRun=true");
    has_no_account(&server.post("alice", &dry, json!({ "userList": ["bob"] })).await);
    server.put(ADMIN, "/v1/users/bob", json!({ "nickName": "Bob" })).await.ok();
    assert_eq!(invite(&server, "alice", &group, &["bob"]).await.ok()[0]["result"], 1);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_account_that_is_imported_on_the_tencent_face_is_invited() {
    let server = registered(&["alice"]).await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    has_no_account(&invite(&server, "alice", &group, &["bob"]).await);
    let import = json!({ "UserID": "bob", "Nick": "Bob" });
    let answer = server.v4("im_open_login_svc/account_import", import).await;
    assert_eq!((&answer["ActionStatus"], &answer["ErrorCode"]), (&json!("OK"), &json!(0)));
    assert_eq!(invite(&server, "alice", &group, &["bob"]).await.ok()[0]["result"], 1);
    assert_eq!(server.get("alice", "/v1/users/bob").await.ok()["nickName"], "Bob");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn in_the_open_mode_whoever_is_named_is_a_user() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    assert_eq!(invite(&server, "alice", &group, &["never seen"]).await.ok()[0]["result"], 1);
    assert!(has_row(&server, "never seen").await);
    let data = server.get("alice", "/v1/users/never%20seen").await.ok();
    assert_eq!(data["userID"], "never seen");
    // Who has a credential is a user before anything was written about him.
    assert_eq!(server.get("somebody", "/v1/users/me").await.ok()["inviteConsent"], "auto");
    let groups = server.get("somebody", "/v1/users/me/groups").await.ok();
    assert_eq!((&groups["groupList"], &groups["total"]), (&json!([]), &json!(0)));
    assert!(!has_row(&server, "somebody").await);
    server.check_invariants().await;
    server.stop().await;
}
