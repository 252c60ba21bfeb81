//! Changing a group.

use serde_json::{Value, json};

use crate::common::{ADMIN, Server};
use crate::groups::{at, everything, group_of, log, newest};

/// The changes that an event tells of, as pairs.
fn changes(event: &Value) -> Vec<(String, Value)> {
    let list = event["changeInfos"].as_array().expect("changeInfos");
    let pair =
        |one: &Value| (one["type"].as_str().expect("a type").to_owned(), one["value"].clone());
    let mut found: Vec<_> = list.iter().map(pair).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

#[tokio::test]
async fn an_event_tells_what_changed_and_nothing_else() {
    let server = Server::start().await;
    let more = json!({ "introduction": "as before" });
    let group = group_of(&server, "alice", "g1", "Public", (&["bob"], &["carol"]), more).await;
    let edit = json!({
        "groupName": "a new name", "introduction": "as before", "notification": "hear, hear",
        "inviteOption": "FreeAccess", "joinOption": "NeedPermission", "maxMemberCount": 77
    });
    server.patch("bob", &at(&group, ""), edit).await.ok();
    let event = newest(&server, &group).await;
    assert_eq!((&event["event"], &event["seq"]), (&json!("onGroupInfoChanged"), &json!(2)));
    assert_eq!(event["opUser"]["userID"], "bob");
    let expected = [
        ("groupName", json!("a new name")),
        ("inviteOption", json!("FreeAccess")),
        ("maxMemberCount", json!(77)),
        ("notification", json!("hear, hear")),
    ];
    assert_eq!(changes(&event), expected.map(|(field, value)| (field.to_owned(), value)));
    let data = server.get("carol", &at(&group, "")).await.ok();
    assert_eq!(data["groupName"], "a new name");
    assert_eq!(data["notification"], "hear, hear");
    assert_eq!(data["introduction"], "as before");
    assert_eq!(data["inviteOption"], "FreeAccess");
    assert_eq!((&data["maxMemberCount"], &data["seq"]), (&json!(77), &json!(2)));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn what_is_as_it_was_makes_no_event() {
    let server = Server::start().await;
    let more = json!({ "faceUrl": "https://example.com/", "maxMemberCount": 9 });
    let group = group_of(&server, "alice", "g1", "Public", (&[], &[]), more).await;
    let before = everything(&server).await;
    for edit in [
        json!({}),
        json!({ "groupName": "a group of a test" }),
        json!({ "faceUrl": "https://example.com/", "introduction": "" }),
        json!({ "maxMemberCount": 9, "joinOption": "NeedPermission" }),
        json!({ "inviteOption": "DisableInvite" }),
    ] {
        server.patch("alice", &at(&group, ""), edit).await.ok();
    }
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn who_may_change_a_profile_depends_on_the_type() {
    let server = Server::start().await;
    // tencent-im.md 1.2, "Edit group profile": who is enough, apart from the app administrator.
    for (group_type, allowed) in [
        ("Work", &["owner", "member"] as &[&str]),
        ("Public", &["owner", "admin"]),
        ("Meeting", &["owner", "admin"]),
        ("AVChatRoom", &["owner"]),
        ("Community", &["owner", "admin"]),
    ] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        match group_type {
            "AVChatRoom" => {
                server.group("owner", &id, group_type, json!({})).await;
                server.post("member", &at(&id, "join"), json!({})).await.ok();
            }
            "Work" => {
                group_of(&server, "owner", &id, group_type, (&[], &["member"]), json!({})).await;
            }
            _ => {
                let people = (&["admin"] as &[&str], &["member"] as &[&str]);
                group_of(&server, "owner", &id, group_type, people, json!({})).await;
            }
        }
        for caller in ["owner", "admin", "member", "stranger", ADMIN] {
            let edit = json!({ "groupName": format!("{caller}'s name") });
            let answer = server.patch(caller, &at(&id, ""), edit).await;
            if allowed.contains(&caller) || caller == ADMIN {
                assert_eq!(answer.status, 200, "{group_type}, {caller}: {answer:?}");
                assert_eq!(newest(&server, &id).await["opUser"]["userID"], caller);
            } else {
                let found = (answer.status, answer.body["code"].as_i64());
                assert_eq!(found, (403, Some(10007)), "{group_type}, {caller}");
            }
        }
        let events = log(&server, &id).await;
        let edits = events.iter().filter(|event| event["event"] == "onGroupInfoChanged").count();
        assert_eq!(edits, allowed.len() + 1, "{group_type}");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_options_are_the_managers_even_where_any_member_edits_the_profile() {
    let server = Server::start().await;
    let group = group_of(&server, "alice", "g1", "Work", (&[], &["bob"]), json!({})).await;
    let before = everything(&server).await;
    for edit in [
        json!({ "inviteOption": "DisableInvite" }),
        json!({ "maxMemberCount": 2 }),
        json!({ "groupName": "all or nothing", "maxMemberCount": 2 }),
    ] {
        let answer = server.patch("bob", &at(&group, ""), edit).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    }
    assert_eq!(everything(&server).await, before);
    server.patch("alice", &at(&group, ""), json!({ "maxMemberCount": 2 })).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn an_option_that_the_type_fixes_stays() {
    let server = Server::start().await;
    // 1.3: the join option of Work, Meeting and AVChatRoom does not change; 1.4: the invite option of
    // AVChatRoom is not applicable.
    for (group_type, edit) in [
        ("Work", json!({ "joinOption": "FreeAccess" })),
        ("Meeting", json!({ "joinOption": "NeedPermission" })),
        ("AVChatRoom", json!({ "joinOption": "DisableApply" })),
        ("AVChatRoom", json!({ "inviteOption": "FreeAccess" })),
    ] {
        let data = json!({ "groupType": group_type, "groupName": "n" });
        let data = server.post("alice", "/v1/groups", data).await.ok();
        let id = data["groupID"].as_str().expect("groupID");
        for caller in ["alice", ADMIN] {
            let answer = server.patch(caller, &at(id, ""), edit.clone()).await;
            assert!(matches!(answer.status, 400 | 403), "{group_type} {edit}: {answer:?}");
        }
        assert_eq!(log(&server, id).await.len(), 1);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_is_impossible_is_refused_and_named() {
    let server = Server::with(&[("MUSTER_MEMBERS_PER_GROUP", "10")]).await;
    let group = server.group("alice", "g1", "Public", json!({})).await;
    let before = everything(&server).await;
    for (edit, code, field) in [
        (json!({ "groupName": "" }), 10004, "groupName"),
        (json!({ "groupName": "é".repeat(51) }), 10004, "groupName"),
        (json!({ "groupName": "two\nlines" }), 10004, "groupName"),
        (json!({ "introduction": "x".repeat(401) }), 10004, "introduction"),
        (json!({ "notification": "x".repeat(401) }), 10004, "notification"),
        (json!({ "faceUrl": "x".repeat(501) }), 10004, "faceUrl"),
        (json!({ "maxMemberCount": 0 }), 10004, "maxMemberCount"),
        (json!({ "maxMemberCount": -1 }), 10004, "maxMemberCount"),
        (json!({ "maxMemberCount": 11 }), 10038, "maxMemberCount"),
        (json!({ "joinOption": "Free" }), 10004, "joinOption"),
        (json!({ "groupType": "Work" }), 10004, "groupType"),
        (json!({ "owner": "bob" }), 10004, "owner"),
    ] {
        let answer = server.patch("alice", &at(&group, ""), edit.clone()).await;
        let found = (answer.body["code"].as_i64(), answer.body["data"]["field"].as_str());
        assert_eq!(found, (Some(code), Some(field)), "{edit}: {answer:?}");
        assert!(matches!(answer.status, 400 | 409), "{edit}: {answer:?}");
    }
    assert_eq!(everything(&server).await, before);
    // Exactly at the bounds.
    let edit = json!({
        "groupName": "é".repeat(50), "introduction": "x".repeat(400),
        "notification": "x".repeat(400), "faceUrl": "x".repeat(500), "maxMemberCount": 10
    });
    server.patch("alice", &at(&group, ""), edit).await.ok();
    server.patch("alice", &at("nowhere", ""), json!({})).await.refused(
        404,
        10010,
        "group_not_found",
    );
    server.stop().await;
}
