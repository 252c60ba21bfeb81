//! Deleted accounts: what ends with them, what goes on, and what the id is afterwards (j).

use serde_json::{Value, json};

use super::{delete, ends_within, gone, me, next_second, old_jwt, old_usersig};
use crate::common::held::Held;
use crate::common::{ADMIN, Server, Socket, eventually};
use crate::groups::{add, at, has_row, invite, join, log, member_ids, own_stream};

/// What a socket is told of somebody's leaving: the groups, sorted.
async fn hears_of_leaving(socket: &mut Socket, who: &str, events: usize) -> Vec<String> {
    let mut groups = Vec::new();
    for _ in 0..events {
        let event = socket.expect("onMemberLeave").await;
        assert_eq!(event["opUser"]["userID"], ADMIN, "{event}");
        assert_eq!(event["member"]["userID"], who, "{event}");
        groups.push(event["groupID"].as_str().expect("groupID").to_owned());
    }
    groups.sort();
    groups
}

#[tokio::test]
async fn the_memberships_end_one_by_one_and_the_groups_stay() {
    let server = Server::start().await;
    let with = |users: &[&str]| -> Value {
        json!({ "memberList": users.iter().map(|user| json!({ "userID": user })).collect::<Vec<_>>() })
    };
    server.group("carol", "owned", "Public", with(&["bob"])).await;
    server.group("alice", "joined", "Work", with(&["bob", "carol"])).await;
    server.group("alice", "other", "Work", with(&["bob"])).await;
    server.group("bob", "live", "AVChatRoom", json!({})).await;
    join(&server, "carol", "live").await.ok();
    // What is gone already tells nobody anything.
    server.group("carol", "gone", "Public", with(&["bob"])).await;
    server.delete("carol", &at("gone", "")).await.ok();
    add(&server, "other", &["carol"]).await;
    server.post("carol", &at("other", "quit"), json!({})).await.ok();
    let mut bob = server.ws("bob").await;
    let carol = server.ws("carol").await;

    delete(&server, "carol").await;
    let (code, _) = ends_within(3, carol.raw).await;
    assert_eq!(code, 4001);
    let left = hears_of_leaving(&mut bob, "carol", 3).await;
    assert_eq!(left, ["joined", "live", "owned"]);
    gone(&server, "carol").await;

    let owned = server.get("bob", &at("owned", "")).await.ok();
    assert!(owned["owner"].is_null(), "{owned}");
    assert_eq!(owned["memberCount"], 1);
    assert_eq!(member_ids(&server, "joined").await, ["alice", "bob"]);
    assert_eq!(log(&server, "other").await.len(), 3);
    // The groups go on.
    add(&server, "owned", &["dave"]).await;
    assert_eq!(bob.next_event().await["event"], "onMemberInvited");
    server.get("bob", "/v1/users/carol").await.refused(404, 10019, "user_not_found");
    server.check_invariants().await;
    server.stop().await;
}

/// How the newest event of somebody's own stream says that an application ended.
async fn told_of_the_end(server: &Server, user: &str) {
    let event = own_stream(server, user).await.pop().expect("an event");
    assert_eq!(event["event"], "onApplicationProcessed", "{user}: {event}");
    assert_eq!(event["opResult"], false, "{user}: {event}");
    assert!(event.get("opUser").is_none_or(Value::is_null), "{user}: {event}");
}

#[tokio::test]
async fn applications_that_it_made_or_that_concern_it_end_and_those_concerned_are_told() {
    let server = Server::start().await;
    for user in ["carol", "dave"] {
        server.put(user, "/v1/users/me", json!({ "inviteConsent": "ask" })).await.ok();
    }
    server.group("alice", "a", "Work", json!({})).await;
    server.group("alice", "b", "Public", json!({ "joinOption": "NeedPermission" })).await;
    server.group("carol", "c", "Work", json!({})).await;
    // Carol is asked, asks to join, and asks somebody.
    assert_eq!(invite(&server, "alice", "a", &["carol"]).await.ok()[0]["result"], 3);
    assert_eq!(join(&server, "carol", "b").await.ok()["status"], "pending");
    assert_eq!(invite(&server, "carol", "c", &["dave"]).await.ok()[0]["result"], 3);
    // These are others' and stay.
    assert_eq!(join(&server, "bob", "b").await.ok()["status"], "pending");
    assert_eq!(invite(&server, "alice", "a", &["dave"]).await.ok()[0]["result"], 3);
    let mut dave = server.ws("dave").await;

    delete(&server, "carol").await;
    gone(&server, "carol").await;
    let ended = dave.expect("onApplicationProcessed").await;
    assert_eq!(ended["application"]["groupID"], "c", "{ended}");
    told_of_the_end(&server, "alice").await;
    told_of_the_end(&server, "dave").await;
    let pool = server.db().await;
    let endings: Vec<(String, i16, Option<i16>)> = sqlx::query_as(
        "select group_id || ' ' || subject, state, ending from applications order by 1",
    )
    .fetch_all(&pool)
    .await
    .expect("applications");
    pool.close().await;
    let line = |name: &str, state, ending| (name.to_owned(), state, ending);
    let expected = [
        line("a carol", 3, Some(8)),
        line("a dave", 0, None),
        line("b bob", 0, None),
        line("b carol", 3, Some(8)),
        line("c dave", 3, Some(8)),
    ];
    assert_eq!(endings, expected);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn while_it_is_being_deleted_it_enters_nowhere_and_comes_in_nowhere() {
    let server = Server::start().await;
    let other = server.beside().await;
    server.group("carol", "held", "Public", json!({})).await;
    server.group("alice", "g1", "Public", json!({ "joinOption": "FreeAccess" })).await;
    let held = Held::lock(server.database_url(), "held").await;
    delete(&server, "carol").await;
    eventually("the other node knows", async || {
        (me(&other, &old_jwt("carol", -20)).await.status == 401).then_some(())
    })
    .await;
    // No token counts, not even one of the future.
    for node in [&server, &other] {
        for token in [old_jwt("carol", 5), old_jwt("carol", -20), old_usersig("carol", -20)] {
            me(node, &token).await.refused(401, 70052, "token_revoked");
        }
    }
    let expected = json!([{ "memberID": "carol", "result": 0, "reason": "account_deleted" }]);
    for dry in ["invite", "invite?dryRun=true"] {
        let body = json!({ "userList": ["carol"] });
        assert_eq!(server.post(ADMIN, &at("g1", dry), body).await.ok(), expected);
    }
    let body = json!({ "GroupId": "g1", "MemberList": [{ "Member_Account": "carol" }] });
    let answer = server.v4("group_open_http_svc/add_group_member", body).await;
    assert_eq!(answer["MemberList"][0]["Result"], 0, "{answer}");
    let new = json!({ "groupID": "g2", "groupType": "Work", "groupName": "n", "owner": "carol" });
    server.post(ADMIN, "/v1/groups", new).await.refused(404, 10019, "unknown_user");
    let new = json!({
        "groupID": "g2", "groupType": "Work", "groupName": "n", "memberList": [{ "userID": "carol" }]
    });
    let made = server.post("alice", "/v1/groups", new).await.ok();
    assert_eq!(made["memberList"], expected);
    server.put(ADMIN, "/v1/users/carol", json!({})).await.refused(404, 10019, "account_deleted");
    server.get(ADMIN, "/v1/users/carol").await.refused(404, 10019, "user_not_found");
    let login = |command: &str| format!("im_open_login_svc/{command}");
    let answer = server.v4(&login("account_import"), json!({ "UserID": "carol" })).await;
    assert_eq!(answer["ErrorCode"], 70169, "{answer}");
    let many = json!({ "Accounts": ["carol", "dave"] });
    let answer = server.v4(&login("multiaccount_import"), many).await;
    assert_eq!((&answer["ErrorCode"], &answer["FailAccounts"]), (&json!(0), &json!(["carol"])));
    let check = json!({ "CheckItem": [{ "UserID": "carol" }] });
    let answer = server.v4(&login("account_check"), check).await;
    assert_eq!(answer["ResultItem"][0]["AccountStatus"], "NotImported", "{answer}");
    // Once more changes nothing, and there is nothing to revoke.
    delete(&other, "carol").await;
    other.delete(ADMIN, "/v1/users/carol/credentials").await.ok();
    assert!(has_row(&server, "carol").await);

    held.release().await;
    gone(&server, "carol").await;
    assert_eq!(log(&server, "held").await.len(), 2);
    assert_eq!(log(&server, "g1").await.len(), 1);
    server.check_invariants().await;
    other.stop().await;
    server.stop().await;
}

/// Opens a socket that goes on from a cursor: `welcome`, and what comes before `ready`.
async fn resume(server: &Server, token: &str, cursor: &Value) -> (Value, Vec<Value>) {
    let mut stream = server.raw_ws().await;
    let hello = json!({ "type": "hello", "token": token, "cursor": cursor });
    crate::common::socket::say(&mut stream, &hello).await;
    let welcome = crate::sockets::frame_of(&mut stream).await;
    assert_eq!(welcome["type"], "welcome", "{welcome}");
    let mut before = Vec::new();
    loop {
        let frame = crate::sockets::frame_of(&mut stream).await;
        if frame["type"] == "ready" {
            return (welcome, before);
        }
        before.push(frame);
    }
}

/// A token of a new account under an old id, once it counts on this node.
async fn fresh_token(server: &Server, user: &str) -> String {
    next_second().await;
    eventually("a new token counts", || async {
        let token = old_jwt(user, 0);
        (me(server, &token).await.status == 200).then_some(token)
    })
    .await
}

#[tokio::test]
async fn afterwards_the_id_is_free_for_an_account_that_has_nothing_to_do_with_it() {
    let server = Server::start().await;
    let profile = json!({ "nickName": "Old", "groupLimit": 7, "inviteConsent": "ask" });
    server.put(ADMIN, "/v1/users/carol", profile).await.ok();
    for group in ["g1", "g2", "g3"] {
        server.group("alice", group, "Meeting", json!({})).await;
        add(&server, group, &["carol"]).await;
    }
    server.post("carol", &at("g3", "quit"), json!({})).await.ok();
    let kick = json!({ "userList": ["carol"], "banSeconds": 3_600 });
    server.post("alice", &at("g2", "kick"), kick).await.ok();
    server.group("alice", "asks", "Work", json!({})).await;
    invite(&server, "alice", "asks", &["carol"]).await.ok();
    let old = old_jwt("carol", 0);
    let welcome = Socket::open(server.url(), &old).await.welcome;
    assert_eq!(welcome["userSeq"], 1, "{welcome}");
    let groups = json!({ "g1": 2, "g2": 2, "g3": 2, "asks": 1 });
    let cursor = |user: i64| json!({ "epoch": welcome["epoch"], "user": user, "groups": groups });

    delete(&server, "carol").await;
    gone(&server, "carol").await;
    me(&server, &old).await.refused(401, 70052, "token_revoked");
    let token = fresh_token(&server, "carol").await;
    me(&server, &old).await.refused(401, 70052, "token_revoked");
    let found = me(&server, &token).await.ok();
    assert_eq!((&found["nickName"], &found["groupLimit"]), (&json!(""), &json!(null)));
    assert_eq!((&found["groupCount"], &found["inviteConsent"]), (&json!(0), &json!("auto")));

    // The account comes into being with its first invitation; no ban of the old one holds.
    add(&server, "g2", &["carol"]).await;
    let (welcome, before) = resume(&server, &token, &cursor(1)).await;
    let line = json!({ "groupID": "g2", "seq": 4, "head": 4, "role": "Member" });
    assert_eq!(welcome["groups"], json!([line]));
    let resets: Vec<(&str, &str)> = before
        .iter()
        .map(|frame| {
            assert_eq!(frame["type"], "reset", "{frame}");
            (frame["scope"].as_str().expect("scope"), frame["why"].as_str().expect("why"))
        })
        .collect();
    assert_eq!(resets, [("user", "trimmed"), ("group", "rejoined")]);
    // However many events of its own the new one has, no cursor of the old one meets them.
    server.put(ADMIN, "/v1/users/carol", json!({ "inviteConsent": "ask" })).await.ok();
    for group in ["asks", "g1", "g3"] {
        server.patch("alice", &at(group, ""), json!({ "inviteOption": "FreeAccess" })).await.ok();
        assert_eq!(invite(&server, "alice", group, &["carol"]).await.ok()[0]["result"], 3);
    }
    for seen in 0..=1 {
        let (_, before) = resume(&server, &token, &cursor(seen)).await;
        let personal = |frame: &&Value| frame["stream"] == "user" || frame["scope"] == "user";
        let personal: Vec<&Value> = before.iter().filter(personal).collect();
        assert_eq!(personal.len(), 1, "{before:?}");
        assert_eq!(personal[0]["why"], "trimmed", "{before:?}");
    }
    let stream = own_stream(&server, "carol").await;
    assert_eq!(stream.len(), 3, "{stream:?}");
    server.check_invariants().await;
    server.stop().await;
}

/// Under `registered` the id has to be imported again.
#[tokio::test]
async fn a_deleted_account_that_must_be_imported_is_unknown_until_it_is() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    for user in ["alice", "carol"] {
        server.put(ADMIN, &format!("/v1/users/{user}"), json!({})).await.ok();
    }
    server.group("alice", "g1", "Work", json!({})).await;
    add(&server, "g1", &["carol"]).await;
    delete(&server, "carol").await;
    gone(&server, "carol").await;
    invite(&server, "alice", "g1", &["carol"]).await.refused(404, 10019, "unknown_user");
    let answer = server.v4("im_open_login_svc/account_import", json!({ "UserID": "carol" })).await;
    assert_eq!(answer["ErrorCode"], 0, "{answer}");
    assert_eq!(invite(&server, "alice", "g1", &["carol"]).await.ok()[0]["result"], 1);
    server.check_invariants().await;
    server.stop().await;
}
