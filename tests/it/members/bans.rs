//! Bans: who is kept out, by whom, until when, and what that means for entering.

use serde_json::{Value, json};

use super::crowd;
use crate::common::{ADMIN, Answer, Server, results};
use crate::groups::{at, everything, group_of, invite, join, member_ids, newest, own_stream};

async fn ban(server: &Server, caller: &str, group: &str, user: &str, body: Value) -> Answer {
    server.put(caller, &path(group, user), body).await
}

fn path(group: &str, user: &str) -> String {
    let user = percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC);
    at(group, &format!("bans/{user}"))
}

#[tokio::test]
async fn a_banned_member_goes_and_cannot_come_back_in_any_way() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let mut socket = server.ws("m1").await;
    let body = json!({ "seconds": 3_600, "reason": "spam" });
    assert_eq!(ban(&server, "admin 1", &group, "m1", body).await.ok(), Value::Null);
    let event = socket.expect("onMemberKicked").await;
    assert_eq!((&event["reason"], &event["opUser"]["userID"]), (&json!("spam"), &json!("admin 1")));
    assert!(!member_ids(&server, &group).await.contains(&"m1".to_owned()));
    let found = server.get("owner", &path(&group, "m1")).await.ok();
    assert_eq!((&found["userID"], &found["reason"]), (&json!("m1"), &json!("spam")));
    assert_eq!(found["opUser"]["userID"], "admin 1");
    let times = ["banTime", "banUntil"].map(|name| {
        let text = found[name].as_str().expect(name);
        text.parse::<chrono::DateTime<chrono::Utc>>().expect("a time")
    });
    assert_eq!((times[1] - times[0]).num_seconds(), 3_600);
    join(&server, "m1", &group).await.refused(403, 10007, "banned");
    let data = invite(&server, ADMIN, &group, &["m1", "new"]).await.ok();
    assert_eq!(results(&data), [("m1".to_owned(), 0), ("new".to_owned(), 1)]);
    assert_eq!(data[0]["reason"], "banned");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn whose_ban_is_lifted_may_come_back() {
    let server = Server::start().await;
    let group = group_of(&server, "owner", "g1", "Meeting", (&[], &["m1"]), json!({})).await;
    ban(&server, "owner", &group, "m1", json!({})).await.ok();
    let found = server.get("owner", &path(&group, "m1")).await.ok();
    assert_eq!(found["banUntil"], Value::Null, "without seconds it has no end: {found}");
    server.delete("m1", &path(&group, "m1")).await.refused(403, 10007, "not_a_member");
    server.delete("owner", &path(&group, "m1")).await.ok();
    let before = everything(&server).await;
    server.delete("owner", &path(&group, "m1")).await.refused(404, 10004, "ban_not_found");
    server.get("owner", &path(&group, "m1")).await.refused(404, 10004, "ban_not_found");
    assert_eq!(everything(&server).await, before);
    join(&server, "m1", &group).await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_stranger_can_be_banned_and_his_application_ends() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    join(&server, "applicant", &group).await.ok();
    let before = newest(&server, &group).await;
    ban(&server, "owner", &group, "applicant", json!({ "reason": "no" })).await.ok();
    assert_eq!(newest(&server, &group).await, before, "nobody left, so the group hears nothing");
    let told = own_stream(&server, "applicant").await;
    let last = told.last().expect("an event");
    assert_eq!(
        (&last["event"], &last["opResult"]),
        (&json!("onApplicationProcessed"), &json!(false))
    );
    assert_eq!(last["outcome"], "banned");
    join(&server, "applicant", &group).await.refused(403, 10007, "banned");
    let open = server.get("owner", "/v1/applications").await.ok();
    assert_eq!(open["applicationList"], json!([]));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_ban_that_has_ended_is_as_if_it_were_not_there() {
    let server = Server::start().await;
    let group = group_of(&server, "owner", "g1", "Meeting", (&[], &["m1"]), json!({})).await;
    ban(&server, "owner", &group, "m1", json!({ "seconds": 1 })).await.ok();
    crate::common::eventually("the ban's end", || async {
        (join(&server, "m1", &group).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(server.get("owner", &at(&group, "bans")).await.ok()["banList"], json!([]));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_may_ban_whom() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let before = everything(&server).await;
    for (caller, user, reason) in [
        ("m1", "m2", "role_too_low"),
        ("stranger", "m2", "not_a_member"),
        ("admin 1", "admin 2", "role_too_low"),
        ("admin 1", "owner", "is_owner"),
        ("owner", "owner", "is_owner"),
        (ADMIN, "owner", "is_owner"),
    ] {
        let data = ban(&server, caller, &group, user, json!({})).await.refused(403, 10007, reason);
        assert!(data["field"] == "userID" || data["source"].is_string(), "{caller} {user}: {data}");
    }
    for caller in ["m1", "stranger"] {
        for path in [at(&group, "bans"), path(&group, "m2")] {
            assert_eq!(server.get(caller, &path).await.status, 403, "{caller} {path}");
        }
    }
    assert_eq!(everything(&server).await, before);
    for (caller, user) in [("admin 1", "m1"), ("owner", "admin 2"), (ADMIN, "admin 1")] {
        ban(&server, caller, &group, user, json!({})).await.ok();
    }
    // A live group knows no kick, but its owner keeps people out (tencent-im.md 1.2).
    let live = server.group("owner", "live", "AVChatRoom", json!({})).await;
    join(&server, "m1", &live).await.ok();
    ban(&server, "owner", &live, "m1", json!({ "seconds": 60 })).await.ok();
    join(&server, "m1", &live).await.refused(403, 10007, "banned");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_list_is_read_in_pages() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    for number in 0..7 {
        ban(&server, "owner", &group, &format!("b{number}"), json!({})).await.ok();
    }
    let mut seen = Vec::new();
    let mut next = String::new();
    loop {
        let path = at(&group, &format!("bans?limit=3{next}"));
        let data = server.get("admin 1", &path).await.ok();
        let list = data["banList"].as_array().expect("banList");
        assert!(list.len() <= 3);
        seen.extend(list.iter().map(|ban| ban["userID"].as_str().expect("userID").to_owned()));
        match data["next"].as_str() {
            Some(place) => next = format!("&next={place}"),
            None => break,
        }
    }
    assert_eq!(seen, (0..7).map(|number| format!("b{number}")).collect::<Vec<_>>());
    server.stop().await;
}

#[tokio::test]
async fn bad_input_names_the_field() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let before = everything(&server).await;
    for (body, field) in [
        (json!({ "seconds": 0 }), "seconds"),
        (json!({ "seconds": -5 }), "seconds"),
        (json!({ "seconds": "1" }), "seconds"),
        (json!({ "seconds": 4_294_967_296_i64 }), "seconds"),
        (json!({ "reason": "x".repeat(1_001) }), "reason"),
        (json!({ "reason": 5 }), "reason"),
        (json!({ "until": 5 }), "until"),
    ] {
        let answer = ban(&server, "owner", &group, "m1", body.clone()).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (400, &json!(10004)),
            "{body}: {answer:?}"
        );
        assert_eq!(answer.body["data"]["field"], field, "{body}");
    }
    let long = "u".repeat(33);
    let answer = ban(&server, "owner", &group, &long, json!({})).await;
    answer.refused(400, 10004, "invalid_user_id");
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

/// A refusal is not stored with a key: once there is a ban, the same call lifts it.
#[tokio::test]
async fn a_refused_call_with_an_idempotency_key_may_be_repeated() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let bearer = format!("Bearer {}", server.token("owner"));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "k")];
    let of_m1 = path(&group, "m1");
    let lift = || server.send(reqwest::Method::DELETE, &of_m1, &headers, "");
    let before = everything(&server).await;
    lift().await.refused(404, 10004, "ban_not_found");
    let put = server.send(reqwest::Method::PUT, &path(&group, "owner"), &headers, "{}").await;
    put.refused(403, 10007, "is_owner");
    assert_eq!(everything(&server).await, before);
    ban(&server, "owner", &group, "m1", json!({})).await.ok();
    lift().await.ok();
    server.stop().await;
}
