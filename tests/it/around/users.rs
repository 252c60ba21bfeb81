//! Users, and the groups that they are in.

use serde_json::{Value, json};

use crate::common::{ADMIN, Server};
use crate::groups::{add, at, everything, group_of, has_row, join};

#[tokio::test]
async fn everybody_sees_a_users_name_and_face_and_he_himself_the_rest() {
    let server = Server::start().await;
    let put = json!({
        "nickName": "Bob", "faceUrl": "https://example.com/bob", "inviteConsent": "ask"
    });
    server.put("bob", "/v1/users/me", put).await.ok();
    for path in ["/v1/users/me", "/v1/users/bob"] {
        let data = server.get("bob", path).await.ok();
        assert_eq!(data["userID"], "bob");
        assert_eq!(data["nickName"], "Bob");
        assert_eq!(data["faceUrl"], "https://example.com/bob");
        assert_eq!(data["inviteConsent"], "ask");
        assert_eq!(data["groupLimit"], Value::Null);
    }
    let data = server.get(ADMIN, "/v1/users/bob").await.ok();
    assert_eq!(data["inviteConsent"], "ask");
    let data = server.get("stranger", "/v1/users/bob").await.ok();
    let expected =
        json!({ "userID": "bob", "nickName": "Bob", "faceUrl": "https://example.com/bob" });
    assert_eq!(data, expected);
    let answer = server.get("stranger", "/v1/users/nobody").await;
    assert_eq!((answer.status, &answer.body["code"]), (404, &json!(10019)), "{answer:?}");
    assert!(!has_row(&server, "nobody").await);
    server.stop().await;
}

#[tokio::test]
async fn what_is_absent_stays_as_it_was() {
    let server = Server::start().await;
    server.put("bob", "/v1/users/me", json!({ "nickName": "Bob" })).await.ok();
    server.put("bob", "/v1/users/bob", json!({ "inviteConsent": "deny" })).await.ok();
    server.put(ADMIN, "/v1/users/bob", json!({ "groupLimit": 7 })).await.ok();
    server.put("bob", "/v1/users/me", json!({})).await.ok();
    let data = server.get("bob", "/v1/users/me").await.ok();
    assert_eq!(data["nickName"], "Bob");
    assert_eq!(data["inviteConsent"], "deny");
    assert_eq!(data["groupLimit"], 7);
    server.put(ADMIN, "/v1/users/bob", json!({ "groupLimit": null })).await.ok();
    let data = server.get("bob", "/v1/users/me").await.ok();
    assert_eq!((&data["groupLimit"], &data["inviteConsent"]), (&Value::Null, &json!("deny")));
    server.stop().await;
}

#[tokio::test]
async fn nobody_writes_anothers_account_and_only_administrators_a_limit() {
    let server = Server::start().await;
    server.put("bob", "/v1/users/me", json!({ "nickName": "Bob" })).await.ok();
    let before = everything(&server).await;
    for (caller, path, body) in [
        ("stranger", "/v1/users/bob", json!({ "nickName": "Bobby" })),
        ("stranger", "/v1/users/nobody", json!({})),
        ("bob", "/v1/users/me", json!({ "groupLimit": 5_000 })),
        ("bob", "/v1/users/me", json!({ "groupLimit": null })),
        ("bob", "/v1/users/bob", json!({ "nickName": "B", "groupLimit": 1 })),
        ("never seen", "/v1/users/me", json!({ "groupLimit": 1 })),
    ] {
        let answer = server.put(caller, path, body.clone()).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{body}");
    }
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_an_account_is_named() {
    let server = Server::start().await;
    for (body, field) in [
        (json!({ "inviteConsent": "Ask" }), "inviteConsent"),
        (json!({ "inviteConsent": 1 }), "inviteConsent"),
        (json!({ "groupLimit": -1 }), "groupLimit"),
        (json!({ "groupLimit": "7" }), "groupLimit"),
        (json!({ "nickName": "x".repeat(501) }), "nickName"),
        (json!({ "nickName": "two\nlines" }), "nickName"),
        (json!({ "faceUrl": "x".repeat(501) }), "faceUrl"),
        (json!({ "userID": "bob" }), "userID"),
    ] {
        let answer = server.put(ADMIN, "/v1/users/bob", body.clone()).await;
        let found =
            (answer.status, answer.body["code"].as_i64(), answer.body["data"]["field"].as_str());
        assert_eq!(found, (400, Some(10004), Some(field)), "{body}");
    }
    for id in ["b%C3%B6b", "%0A", &"u".repeat(33)] {
        let answer = server.put(ADMIN, &format!("/v1/users/{id}"), json!({})).await;
        answer.refused(400, 10004, "invalid_user_id");
    }
    assert!(!has_row(&server, "bob").await);
    server.stop().await;
}

#[tokio::test]
async fn a_users_groups_go_over_several_pages_with_their_total() {
    let server = Server::start().await;
    let ids: Vec<String> = (0..7).map(|number| format!("g{number}")).collect();
    for id in &ids {
        server.group("alice", id, "Work", json!({})).await;
        add(&server, id, &["bob"]).await;
    }
    let mut found: Vec<String> = Vec::new();
    let mut sizes = Vec::new();
    let mut path = "/v1/users/me/groups?limit=3".to_owned();
    loop {
        let data = server.get("bob", &path).await.ok();
        assert_eq!(data["total"], 7, "independent of paging");
        let page = data["groupList"].as_array().expect("groupList");
        sizes.push(page.len());
        for line in page {
            assert_eq!((&line["role"], &line["groupType"]), (&json!("Member"), &json!("Work")));
            assert_eq!(
                (&line["seq"], &line["groupName"]),
                (&json!(2), &json!("a group of a test"))
            );
            found.push(line["groupID"].as_str().expect("groupID").to_owned());
        }
        let Some(next) = data["next"].as_str() else { break };
        path = format!("/v1/users/me/groups?limit=3&next={next}");
    }
    assert_eq!(sizes, [3, 3, 1]);
    found.sort();
    assert_eq!(found, ids);
    server.stop().await;
}

#[tokio::test]
async fn a_users_groups_are_all_his_living_groups_with_his_role() {
    let server = Server::start().await;
    group_of(&server, "bob", "owned", "Public", (&[], &[]), json!({})).await;
    group_of(&server, "alice", "managed", "Meeting", (&["bob"], &[]), json!({})).await;
    group_of(&server, "alice", "@TGS#_c", "Community", (&[], &["bob"]), json!({})).await;
    server.group("alice", "live", "AVChatRoom", json!({})).await;
    join(&server, "bob", "live").await.ok();
    group_of(&server, "alice", "left", "Work", (&[], &["bob"]), json!({})).await;
    server.post("bob", &at("left", "quit"), json!({})).await.ok();
    group_of(&server, "alice", "gone", "Public", (&[], &["bob"]), json!({})).await;
    server.delete("alice", &at("gone", "")).await.ok();
    let data = server.get("bob", "/v1/users/bob/groups").await.ok();
    let list = data["groupList"].as_array().expect("groupList");
    let mut found: Vec<(&str, &str, &str)> = list
        .iter()
        .map(|line| {
            let text = |field: &str| line[field].as_str().expect("a text");
            (text("groupID"), text("groupType"), text("role"))
        })
        .collect();
    found.sort_unstable();
    let expected = [
        ("@TGS#_c", "Community", "Member"),
        ("live", "AVChatRoom", "Member"),
        ("managed", "Meeting", "Admin"),
        ("owned", "Public", "Owner"),
    ];
    assert_eq!(found, expected);
    assert_eq!(data["total"], 4);
    assert_eq!(server.get(ADMIN, "/v1/users/bob/groups").await.ok(), data);
    let answer = server.get("alice", "/v1/users/bob/groups").await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    server.check_invariants().await;
    server.stop().await;
}
