//! Removing members, with a ban if asked.

use serde_json::{Value, json};

use crate::common::{ADMIN, Answer, Server, results};
use crate::groups::{add, at, everything, group_of, head, join, member_ids, named, newest};

async fn kick(server: &Server, caller: &str, group: &str, users: &[&str]) -> Answer {
    server.post(caller, &at(group, "kick"), json!({ "userList": users })).await
}

/// A Public group with two admins and two members.
async fn crowd(server: &Server, id: &str) -> String {
    let people = (&["admin 1", "admin 2"] as &[&str], &["m1", "m2"] as &[&str]);
    group_of(server, "owner", id, "Public", people, json!({})).await
}

#[tokio::test]
async fn each_named_person_gets_his_line_and_one_event_tells_of_those_removed() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let body = json!({
        "userList": ["m1", "stranger", "owner", "admin 1", "m2", "m1"], "reason": "a quarrel"
    });
    let data = server.post("admin 2", &at(&group, "kick"), body).await.ok();
    let expected = json!([
        { "memberID": "m1", "result": 1 },
        { "memberID": "stranger", "result": 2, "reason": "not_a_member" },
        { "memberID": "owner", "result": 0, "reason": "is_owner" },
        { "memberID": "admin 1", "result": 0, "reason": "role_too_low" },
        { "memberID": "m2", "result": 1 },
    ]);
    assert_eq!(data, expected);
    let event = newest(&server, &group).await;
    assert_eq!((&event["event"], &event["seq"]), (&json!("onMemberKicked"), &json!(2)));
    assert_eq!(event["opUser"]["userID"], "admin 2");
    assert_eq!(named(&event), ["m1", "m2"]);
    assert_eq!(event["reason"], "a quarrel");
    assert_eq!(member_ids(&server, &group).await, ["admin 1", "admin 2", "owner"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_may_remove_whom() {
    let server = Server::start().await;
    // tencent-im.md 1.2 "Kick", decision 11: nobody removes the owner.
    for (caller, expected) in [("owner", [0, 1, 1]), ("admin 1", [0, 0, 1]), (ADMIN, [0, 1, 1])] {
        let group = crowd(&server, &format!("of {caller}")).await;
        let data = kick(&server, caller, &group, &["owner", "admin 2", "m1"]).await.ok();
        let found: Vec<i64> = results(&data).into_iter().map(|(_, result)| result).collect();
        assert_eq!(found, expected, "{caller}: {data}");
        for refused in ["m2", "stranger"] {
            let answer = kick(&server, refused, &group, &["m2"]).await;
            assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
        }
    }
    let work = group_of(&server, "owner", "work", "Work", (&[], &["m1", "m2"]), json!({})).await;
    let answer = kick(&server, "m1", &work, &["m2"]).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    assert_eq!(kick(&server, "owner", &work, &["m2"]).await.ok()[0]["result"], 1);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn removing_nobody_makes_no_event() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let before = everything(&server).await;
    let data = kick(&server, "admin 1", &group, &["owner", "admin 2", "never seen"]).await.ok();
    let found: Vec<i64> = results(&data).into_iter().map(|(_, result)| result).collect();
    assert_eq!(found, [0, 0, 2]);
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn whoever_is_removed_may_come_back_unless_he_is_banned() {
    let server = Server::start().await;
    let group = group_of(&server, "owner", "g1", "Meeting", (&[], &["bob"]), json!({})).await;
    kick(&server, "owner", &group, &["bob"]).await.ok();
    join(&server, "bob", &group).await.ok();
    let body = json!({ "userList": ["bob"], "banSeconds": 3600, "reason": "again" });
    server.post("owner", &at(&group, "kick"), body).await.ok();
    let before = everything(&server).await;
    join(&server, "bob", &group).await.refused(403, 10007, "banned");
    assert_eq!(everything(&server).await, before);
    let pool = server.db().await;
    let (seconds,): (f64,) = sqlx::query_as(
        "select extract(epoch from until - banned_at)::float8 from bans where user_id = 'bob'",
    )
    .fetch_one(&pool)
    .await
    .expect("a ban");
    assert!((seconds - 3600.0).abs() < 5.0, "{seconds}");
    sqlx::query("update bans set until = now() - interval '1 second'")
        .execute(&pool)
        .await
        .expect("an earlier end");
    pool.close().await;
    join(&server, "bob", &group).await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn only_those_who_are_removed_are_banned() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let body = json!({ "userList": ["owner", "admin 2", "m1", "stranger"], "banSeconds": 60 });
    server.post("admin 1", &at(&group, "kick"), body).await.ok();
    let pool = server.db().await;
    let banned: Vec<String> =
        sqlx::query_scalar("select user_id from bans").fetch_all(&pool).await.expect("bans");
    pool.close().await;
    assert_eq!(banned, ["m1"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_kick_is_named() {
    let server = Server::with(&[("MUSTER_INVITE_BATCH", "2")]).await;
    let group = group_of(&server, "owner", "g1", "Meeting", (&[], &["m1"]), json!({})).await;
    let before = everything(&server).await;
    let refuse = |body: Value| server.post("owner", "/v1/groups/g1/kick", body);
    refuse(json!({ "userList": [] })).await.refused(400, 10004, "invalid_parameter");
    refuse(json!({})).await.refused(400, 10004, "missing_field");
    for seconds in [json!(0), json!(-1), json!(1.5), json!("60"), json!(4_294_967_296_i64)] {
        let answer = refuse(json!({ "userList": ["m1"], "banSeconds": seconds })).await;
        assert_eq!(answer.refused(400, 10004, "invalid_parameter")["field"], "banSeconds");
    }
    let data = refuse(json!({ "userList": ["m1", "m2", "m3"] })).await;
    let data = data.refused(400, 10005, "too_many_in_call");
    assert_eq!((&data["limit"], &data["current"]), (&json!(2), &json!(3)));
    kick(&server, "owner", "nowhere", &["m1"]).await.refused(404, 10010, "group_not_found");
    assert_eq!(everything(&server).await, before);
    assert_eq!(head(&server, &group).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_removed_admin_comes_back_as_an_ordinary_member() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    kick(&server, "owner", &group, &["admin 1"]).await.ok();
    add(&server, &group, &["admin 1"]).await;
    let data = server.get("admin 1", &at(&group, "")).await.ok();
    assert_eq!(data["role"], "Member");
    let answer = kick(&server, "admin 1", &group, &["m1"]).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    server.check_invariants().await;
    server.stop().await;
}
