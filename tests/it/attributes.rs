//! Attributes of groups, on both faces (`decisions.md` q, `tencent-im.md` 1.5 and 2.3).

mod tencent;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use crate::common::{ADMIN, Server, eventually};
use crate::groups::{at, everything, group_of, head, newest};

/// The path of a group's attributes.
fn path(group: &str) -> String {
    at(group, "attributes")
}

/// The attributes that a member reads.
async fn read(server: &Server, user: &str, group: &str) -> Value {
    server.get(user, &path(group)).await.ok()["attributes"].clone()
}

/// A server on which the bound on changes in a second is far away.
async fn patient() -> Server {
    Server::with(&[("MUSTER_ATTRIBUTE_CHANGES", "1000")]).await
}

#[tokio::test]
async fn attributes_are_replaced_merged_and_cleared() {
    let server = patient().await;
    let group = group_of(&server, "alice", "g1", "Public", (&["bob"], &["carol"]), json!({})).await;
    assert_eq!(read(&server, "carol", &group).await, json!({}));
    let put = |values: Value| json!({ "attributes": values });
    let steps: [(&str, Value, Value, Option<Value>); 7] = [
        (
            "PUT",
            json!({ "a": "1", "b": "2" }),
            json!({ "a": "1", "b": "2" }),
            Some(json!({ "a": "1", "b": "2" })),
        ),
        (
            "PATCH",
            json!({ "b": "3", "c": "é\n" }),
            json!({ "a": "1", "b": "3", "c": "é\n" }),
            Some(json!({ "b": "3", "c": "é\n" })),
        ),
        (
            "PATCH",
            json!({ "a": null, "z": null }),
            json!({ "b": "3", "c": "é\n" }),
            Some(json!({ "a": null })),
        ),
        ("PATCH", json!({ "b": "3", "z": null }), json!({ "b": "3", "c": "é\n" }), None),
        ("PUT", json!({ "c": "é\n", "b": "3" }), json!({ "b": "3", "c": "é\n" }), None),
        (
            "PUT",
            json!({ "b": "", "d": "4" }),
            json!({ "b": "", "d": "4" }),
            Some(json!({ "b": "", "c": null, "d": "4" })),
        ),
        ("DELETE", Value::Null, json!({}), Some(json!({ "b": null, "d": null }))),
    ];
    for (method, sent, expected, told) in steps {
        let before = head(&server, &group).await;
        let answer = match method {
            "PUT" => server.put("bob", &path(&group), put(sent)).await,
            "PATCH" => server.patch("bob", &path(&group), put(sent)).await,
            _ => server.delete("bob", &path(&group)).await,
        };
        assert_eq!(answer.ok(), Value::Null);
        let data = server.get("carol", &path(&group)).await.ok();
        assert_eq!(data["attributes"], expected, "{method}");
        let rose = i64::from(told.is_some());
        assert_eq!(data["seq"], before + rose, "what changes nothing has no event: {method}");
        let Some(told) = told else { continue };
        let event = newest(&server, &group).await;
        assert_eq!(event["event"], "onGroupAttributeChanged");
        assert_eq!((&event["opUser"]["userID"], &event["attributes"]), (&json!("bob"), &told));
    }
    server.delete("bob", &path(&group)).await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_change_reaches_the_sockets_of_all_members_at_once() {
    let server = Server::start().await;
    let group = group_of(&server, "alice", "g1", "Work", (&[], &["bob"]), json!({})).await;
    let mut alice = server.ws("alice").await;
    let mut bob = server.ws("bob").await;
    let body = json!({ "attributes": { "topic": "tea" } });
    server.put("bob", &path(&group), body).await.ok();
    for socket in [&mut alice, &mut bob] {
        let event = socket.expect("onGroupAttributeChanged").await;
        assert_eq!(event["groupID"], "g1");
        assert_eq!((&event["seq"], &event["attributes"]), (&json!(2), &json!({ "topic": "tea" })));
    }
    server.stop().await;
}

#[tokio::test]
async fn given_keys_are_read_alone() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let body = json!({ "attributes": { "a": "1", "b c": "2", "d": "3" } });
    server.put("alice", &path(&group), body).await.ok();
    for (query, expected) in [
        ("?key=a", json!({ "a": "1" })),
        ("?key=a&key=b%20c&key=a", json!({ "a": "1", "b c": "2" })),
        ("?key=nothing", json!({})),
    ] {
        let data = server.get("alice", &format!("{}{query}", path(&group))).await.ok();
        assert_eq!((&data["attributes"], &data["seq"]), (&expected, &json!(2)), "{query}");
    }
    let too_long = format!("{}?key={}", path(&group), "k".repeat(33));
    server.get("alice", &too_long).await.refused(400, 10045, "attribute_key_invalid");
    server.get("alice", &format!("{}?keys=a", path(&group))).await.refused(
        400,
        10004,
        "unknown_field",
    );
    server.stop().await;
}

#[tokio::test]
async fn who_may_read_and_change_attributes_depends_on_the_type() {
    let server = patient().await;
    for (group_type, may_change) in [
        ("Work", &["owner", "member"] as &[&str]),
        ("Public", &["owner", "admin"]),
        ("Meeting", &["owner", "admin"]),
        ("AVChatRoom", &["owner"]),
        ("Community", &["owner", "admin"]),
    ] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        if group_type == "AVChatRoom" {
            server.group("owner", &id, group_type, json!({})).await;
            crate::groups::join(&server, "member", &id).await.ok();
        } else {
            let admins: &[&str] = if group_type == "Work" { &[] } else { &["admin"] };
            group_of(&server, "owner", &id, group_type, (admins, &["member"]), json!({})).await;
        }
        for caller in ["owner", "admin", "member", "stranger", ADMIN] {
            let place = format!("{group_type}, {caller}");
            let body = json!({ "attributes": { "by": caller } });
            let answer = server.patch(caller, &path(&id), body).await;
            let expected = if caller == ADMIN || may_change.contains(&caller) { 200 } else { 403 };
            assert_eq!(answer.status, expected, "{place}: {answer:?}");
            let is_inside = match caller {
                "stranger" => false,
                "admin" => !matches!(group_type, "Work" | "AVChatRoom"),
                _ => true,
            };
            let answer = server.get(caller, &path(&id)).await;
            if is_inside {
                answer.ok();
            } else {
                answer.refused(403, 10007, "not_a_member");
            }
        }
        assert_eq!(read(&server, "member", &id).await, json!({ "by": ADMIN }));
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_bounds_hold_to_the_byte_and_a_refusal_changes_nothing() {
    let server = patient().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let longest = "é".repeat(16);
    let body = json!({ "attributes": { longest.as_str(): "v".repeat(4_000) } });
    server.put("alice", &path(&group), body).await.ok();
    let many = |count: usize| -> Value {
        let pairs: Map<String, Value> =
            (0..count).map(|n| (format!("k{n:02}"), json!(""))).collect();
        json!({ "attributes": pairs })
    };
    server.put("alice", &path(&group), many(16)).await.ok();
    let full = |last: usize| {
        let sizes = [("a", 4_000), ("b", 4_000), ("c", 4_000), ("d", 3_000), ("e", last)];
        let pairs: Map<String, Value> =
            sizes.iter().map(|(key, size)| ((*key).to_owned(), json!("v".repeat(*size)))).collect();
        json!({ "attributes": pairs })
    };
    let before = everything(&server).await;
    let one = |key: &str, value: &str| json!({ "attributes": { key: value } });
    for (method, body, status, code, reason) in [
        ("PATCH", one(&"k".repeat(33), ""), 400, 10045, "attribute_key_invalid"),
        ("PATCH", one("", ""), 400, 10045, "attribute_key_invalid"),
        ("PATCH", one("a\u{7}", ""), 400, 10045, "attribute_key_invalid"),
        ("PATCH", json!({ "attributes": { "": null } }), 400, 10045, "attribute_key_invalid"),
        ("PATCH", one("k00", &"v".repeat(4_001)), 400, 10046, "attribute_value_too_long"),
        ("PATCH", one("k00", "a\0b"), 400, 10004, "invalid_parameter"),
        ("PATCH", one("k16", ""), 409, 10047, "too_many_attributes"),
        ("PUT", many(17), 409, 10047, "too_many_attributes"),
        ("PUT", full(996), 409, 10048, "attributes_too_large"),
        ("PUT", json!({ "attributes": { "a": null } }), 400, 10004, "invalid_parameter"),
        ("PUT", json!({ "attributes": { "a": 1 } }), 400, 10004, "invalid_parameter"),
        ("PUT", json!({ "attributes": ["a"] }), 400, 10004, "invalid_parameter"),
        ("PUT", json!({}), 400, 10004, "missing_field"),
        ("PATCH", json!({ "attributes": {}, "more": 1 }), 400, 10004, "unknown_field"),
    ] {
        let answer = match method {
            "PUT" => server.put("alice", &path(&group), body).await,
            _ => server.patch("alice", &path(&group), body).await,
        };
        let data = answer.refused(status, code, reason);
        assert!(data["field"].as_str().is_some_and(|field| field.len() < 120), "{data}");
    }
    let bearer = format!("Bearer {}", server.token("alice"));
    let headers = [("authorization", bearer.as_str())];
    let twice = r#"{"attributes": {"a": "1", "b": "2", "a": "1"}}"#;
    let answer = server.send(reqwest::Method::PUT, &path(&group), &headers, twice).await;
    answer.refused(400, 10004, "invalid_parameter");
    let long = format!(r#"{{"attributes": {{"{}": 7}}}}"#, "k".repeat(100_000));
    let answer = server.send(reqwest::Method::PUT, &path(&group), &headers, long).await;
    assert!(answer.body["desc"].as_str().expect("desc").len() < 500);
    answer.refused(400, 10004, "invalid_parameter");
    assert_eq!(everything(&server).await, before);
    server.put("alice", &path(&group), full(995)).await.ok();
    let answer = server.patch("alice", &path(&group), one("e", &"v".repeat(996))).await;
    let data = answer.refused(409, 10048, "attributes_too_large");
    assert_eq!((&data["limit"], &data["current"]), (&json!(16_000), &json!(16_001)));
    server.stop().await;
}

#[tokio::test]
async fn attributes_of_a_group_that_is_gone_or_never_was_cannot_be_read_or_changed() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Public", json!({})).await;
    let body = || json!({ "attributes": { "a": "1" } });
    server.put("alice", &path(&group), body()).await.ok();
    server.delete("alice", &at(&group, "")).await.ok();
    for id in ["g1", "absent"] {
        for user in ["alice", ADMIN] {
            let gone = (404, 10010, "group_not_found");
            server.get(user, &path(id)).await.refused(gone.0, gone.1, gone.2);
            server.put(user, &path(id), body()).await.refused(gone.0, gone.1, gone.2);
            server.patch(user, &path(id), body()).await.refused(gone.0, gone.1, gone.2);
            server.delete(user, &path(id)).await.refused(gone.0, gone.1, gone.2);
        }
    }
    server.stop().await;
}

/// Waits until the second in which changes of a group are counted is over.
async fn a_new_second(server: &Server, group: &str) {
    let pool = server.db().await;
    eventually("the second is over", || async {
        let over: bool = sqlx::query_scalar(
            "select clock_timestamp() >= window_at + interval '1 second' from group_attributes
              where group_id = $1",
        )
        .bind(group)
        .fetch_one(&pool)
        .await
        .expect("a row");
        over.then_some(())
    })
    .await;
    pool.close().await;
}

/// Fifty callers on two servers begin in one second: exactly as many get through as the setting says, in
/// each second that they fall into.
#[tokio::test(flavor = "multi_thread")]
async fn the_bound_on_changes_in_a_second_is_exact_on_two_servers() {
    const BOUND: usize = 7;
    let setting = [("MUSTER_ATTRIBUTE_CHANGES", "7")];
    let first = Server::with(&setting).await;
    let second = Server::on(first.database_url(), &setting).await;
    let group = first.group("alice", "g1", "Work", json!({})).await;
    let other = first.group("alice", "g2", "Work", json!({})).await;
    let mut seconds = Vec::new();
    for round in 0..3 {
        let group = &group;
        let servers = [&first, &second];
        let calls = (0..50).map(|n| async move {
            let body = json!({ "attributes": { "k": format!("{round} {n}") } });
            servers[n % 2].patch("alice", &path(group), body).await
        });
        let answers = join_all(calls).await;
        let through = answers.iter().filter(|answer| answer.status == 200).count();
        for answer in answers {
            if answer.status == 200 {
                continue;
            }
            assert_eq!(answer.headers["retry-after"], "1");
            let data = answer.refused(429, 10049, "attributes_too_often");
            assert_eq!((&data["limit"], &data["current"]), (&json!(BOUND), &json!(BOUND)));
            assert_eq!(data["source"], "MUSTER_ATTRIBUTE_CHANGES (environment)");
        }
        seconds.push(through);
        // Another group has a count of its own, and what changes nothing counts nowhere.
        let body = json!({ "attributes": { "round": round.to_string() } });
        second.patch("alice", &path(&other), body).await.ok();
        a_new_second(&first, group).await;
    }
    // The log says which changes fell into one second: the window begins with the first of them.
    let pool = first.db().await;
    let changes: Vec<i64> = sqlx::query_scalar(
        "select (extract(epoch from at) * 1000000)::bigint from group_events
          where group_id = 'g1' and kind = 11 order by seq",
    )
    .fetch_all(&pool)
    .await
    .expect("the log");
    pool.close().await;
    assert_eq!(changes.len(), seconds.iter().sum::<usize>());
    assert!(seconds.iter().all(|through| *through >= BOUND), "{seconds:?}");
    let (mut begun, mut counted) = (0, 0);
    for at in changes {
        if at - begun >= 1_000_000 {
            (begun, counted) = (at, 0);
        }
        counted += 1;
        assert!(counted <= BOUND, "{counted} changes within a second");
    }
    first.check_invariants().await;
    second.stop().await;
    first.stop().await;
}

#[tokio::test]
async fn what_changes_nothing_is_not_counted_and_a_new_second_is_free_again() {
    let server = Server::with(&[("MUSTER_ATTRIBUTE_CHANGES", "1")]).await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let body = |value: &str| json!({ "attributes": { "k": value } });
    server.put("alice", &path(&group), body("1")).await.ok();
    for _ in 0..20 {
        server.patch("alice", &path(&group), body("1")).await.ok();
    }
    a_new_second(&server, &group).await;
    server.put("alice", &path(&group), body("2")).await.ok();
    let retry = async || {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let answer = server.put("alice", &path(&group), body("3")).await;
        (answer.status == 200).then_some(())
    };
    eventually("a refused change comes through later", retry).await;
    assert_eq!(read(&server, "alice", &group).await, json!({ "k": "3" }));
    server.stop().await;
}

#[tokio::test]
async fn the_limits_say_what_holds_for_attributes() {
    let server = Server::with(&[("MUSTER_ATTRIBUTE_CHANGES", "3")]).await;
    let limits = server.get("alice", "/v1/limits").await.ok();
    for (name, value) in [
        ("attributes", 16),
        ("attributeKeyBytes", 32),
        ("attributeValueBytes", 4_000),
        ("attributesBytes", 16_000),
        ("attributeChangesPerSecond", 3),
    ] {
        assert_eq!(limits[name]["limit"], value, "{name}");
    }
    server.stop().await;
}
