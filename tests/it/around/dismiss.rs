//! Ending a group (o).

use serde_json::{Value, json};

use crate::common::{ADMIN, Server, eventually};
use crate::groups::{add, at, everything, group_of, join};

/// The log of a group as it is stored: a dismissed one cannot be read any more.
async fn stored_log(server: &Server, group: &str) -> Vec<Value> {
    let pool = server.db().await;
    let frames: Vec<String> =
        sqlx::query_scalar("select frame from group_events where group_id = $1 order by seq")
            .bind(group)
            .fetch_all(&pool)
            .await
            .expect("a log");
    pool.close().await;
    frames.iter().map(|frame| serde_json::from_str(frame).expect("a frame")).collect()
}

#[tokio::test]
async fn who_may_dismiss_depends_on_the_type() {
    let server = Server::start().await;
    // tencent-im.md 1.2, "Dismiss": in a Work group not even the owner.
    for (group_type, owner_may) in [
        ("Work", false),
        ("Public", true),
        ("Meeting", true),
        ("AVChatRoom", true),
        ("Community", true),
    ] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        if group_type == "AVChatRoom" {
            server.group("owner", &id, group_type, json!({})).await;
            join(&server, "member", &id).await.ok();
        } else {
            let admins: &[&str] = if group_type == "Work" { &[] } else { &["admin"] };
            group_of(&server, "owner", &id, group_type, (admins, &["member"]), json!({})).await;
        }
        let before = everything(&server).await;
        let mut refused = vec!["admin", "member", "stranger"];
        if !owner_may {
            refused.push("owner");
        }
        for caller in refused {
            let answer = server.delete(caller, &at(&id, "")).await;
            let found = (answer.status, answer.body["code"].as_i64());
            assert_eq!(found, (403, Some(10007)), "{group_type}, {caller}");
        }
        assert_eq!(everything(&server).await, before);
        let caller = if owner_may { "owner" } else { ADMIN };
        server.delete(caller, &at(&id, "")).await.ok();
        let last = stored_log(&server, &id).await.pop().expect("an event");
        assert_eq!(last["event"], "onGroupDismissed", "{group_type}");
        assert_eq!(last["opUser"]["userID"], caller);
        server.delete(caller, &at(&id, "")).await.refused(404, 10010, "group_not_found");
    }
    let groups = server.get("owner", "/v1/users/me/groups").await.ok();
    assert_eq!((&groups["groupList"], &groups["total"]), (&json!([]), &json!(0)));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_administrator_dismisses_any_group() {
    let server = Server::start().await;
    for group_type in ["Work", "Public", "Meeting", "AVChatRoom", "Community"] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        server.group("owner", &id, group_type, json!({})).await;
        server.delete(ADMIN, &at(&id, "")).await.ok();
        server.get("owner", &at(&id, "")).await.refused(404, 10010, "group_not_found");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_dismissed_group_frees_its_members_places_at_once() {
    let server = Server::with(&[("MUSTER_GROUPS_PER_USER", "1")]).await;
    let group = group_of(&server, "alice", "g1", "Public", (&[], &["bob"]), json!({})).await;
    server.group("carol", "g2", "Work", json!({})).await;
    let data = crate::groups::invite(&server, "carol", "g2", &["bob"]).await.ok();
    assert_eq!(data[0]["result"], 4);
    server.delete("alice", &at(&group, "")).await.ok();
    add(&server, "g2", &["alice", "bob"]).await;
    for below in ["invite", "join", "quit", "kick"] {
        let body = match below {
            "invite" | "kick" => json!({ "userList": ["bob"] }),
            _ => json!({}),
        };
        let answer = server.post("alice", &at(&group, below), body).await;
        answer.refused(404, 10010, "group_not_found");
    }
    server.check_invariants().await;
    server.stop().await;
}

/// How many users count a group, and how many releases are open.
async fn left_over(server: &Server) -> (i64, i64) {
    let pool = server.db().await;
    let found = sqlx::query_as(
        "select (select count(*) from users where group_count <> 0),
                (select count(*) from group_releases)",
    )
    .fetch_one(&pool)
    .await
    .expect("counts");
    pool.close().await;
    found
}

#[tokio::test]
async fn a_group_of_fifteen_hundred_is_gone_at_once_and_released_soon() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Public", json!({})).await;
    let people: Vec<String> = (0..1_500).map(|number| format!("user {number:04}")).collect();
    for some in people.chunks(300) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        add(&server, &group, &some).await;
    }
    assert_eq!(server.get("alice", &at(&group, "")).await.ok()["memberCount"], 1_501);
    assert_eq!(left_over(&server).await, (1_501, 0));
    server.delete("alice", &at(&group, "")).await.ok();
    for user in ["alice", "user 0000", "user 1499"] {
        let groups = server.get(user, "/v1/users/me/groups").await.ok();
        assert_eq!((&groups["groupList"], &groups["total"]), (&json!([]), &json!(0)), "{user}");
        server.get(user, &at(&group, "")).await.refused(404, 10010, "group_not_found");
    }
    eventually("every member is released", || async {
        (left_over(&server).await == (0, 0)).then_some(())
    })
    .await;
    let log = stored_log(&server, &group).await;
    assert_eq!(log.len(), 7, "one event tells of the end, however many there were");
    let pool = server.db().await;
    let ends: Vec<(Option<i64>, i64)> =
        sqlx::query_as("select left_seq, count(*) from members group by 1")
            .fetch_all(&pool)
            .await
            .expect("intervals");
    pool.close().await;
    assert_eq!(ends, [(Some(7), 1_501)], "every membership ended with the dismissal");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_group_of_a_thousand_is_released_with_the_dismissal_itself() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Public", json!({})).await;
    let people: Vec<String> = (0..999).map(|number| format!("user {number:04}")).collect();
    for some in people.chunks(300) {
        let some: Vec<&str> = some.iter().map(String::as_str).collect();
        add(&server, &group, &some).await;
    }
    server.delete("alice", &at(&group, "")).await.ok();
    assert_eq!(left_over(&server).await, (0, 0));
    server.check_invariants().await;
    server.stop().await;
}
