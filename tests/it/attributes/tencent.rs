//! The Tencent face: `set_`, `modify_`, `delete_`, `clear_` and `get_group_attr`.

use serde_json::{Value, json};

use super::{head, newest, patient};
use crate::common::Server;

const ATTRIBUTES: &str = "group_open_attr_http_svc/get_group_attr";

async fn call(server: &Server, command: &str, body: Value) -> Value {
    server.v4(&format!("group_open_http_svc/{command}"), body).await
}

/// The code of an answer, which has nothing beside the envelope.
async fn code(server: &Server, command: &str, body: Value) -> i64 {
    let answer = call(server, command, body).await;
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(3), "{answer}");
    answer["ErrorCode"].as_i64().expect("ErrorCode")
}

async fn pairs(server: &Server, group: &str) -> Value {
    let answer = server.v4(ATTRIBUTES, json!({ "GroupId": group })).await;
    assert_eq!(answer["ErrorCode"], 0, "{answer}");
    answer["GroupAttrAry"].clone()
}

#[tokio::test]
async fn a_back_end_sets_modifies_deletes_and_clears() {
    let server = patient().await;
    server.group("alice", "g1", "Public", json!({})).await;
    assert_eq!(pairs(&server, "g1").await, json!([]));
    let pair = |key: &str, value: &str| json!({ "key": key, "value": value });
    for (command, list, expected, told) in [
        (
            "set_group_attr",
            json!([pair("b", "2"), pair("a", "1")]),
            json!([pair("a", "1"), pair("b", "2")]),
            json!({ "a": "1", "b": "2" }),
        ),
        (
            "modify_group_attr",
            json!([pair("b", "3"), pair("c", "4")]),
            json!([pair("a", "1"), pair("b", "3"), pair("c", "4")]),
            json!({ "b": "3", "c": "4" }),
        ),
        (
            "delete_group_attr",
            json!([{ "key": "a" }, { "key": "c", "value": "x" }, { "key": "a" }]),
            json!([pair("b", "3")]),
            json!({ "a": null, "c": null }),
        ),
        (
            "set_group_attr",
            json!([pair("d", "")]),
            json!([pair("d", "")]),
            json!({ "b": null, "d": "" }),
        ),
        ("clear_group_attr", Value::Null, json!([]), json!({ "d": null })),
    ] {
        let body = json!({ "GroupId": "g1", "GroupAttr": list });
        assert_eq!(code(&server, command, body).await, 0, "{command}");
        assert_eq!(pairs(&server, "g1").await, expected, "{command}");
        let event = newest(&server, "g1").await;
        assert_eq!(event["event"], "onGroupAttributeChanged");
        assert_eq!(event["opUser"]["userID"], "administrator");
        assert_eq!(event["attributes"], told, "{command}");
    }
    let before = head(&server, "g1").await;
    assert_eq!(code(&server, "clear_group_attr", json!({ "GroupId": "g1" })).await, 0);
    let nothing = json!({ "GroupId": "g1", "GroupAttr": [] });
    assert_eq!(code(&server, "set_group_attr", nothing).await, 0);
    assert_eq!(head(&server, "g1").await, before, "what changes nothing has no event");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_native_face_reads_what_the_tencent_face_sets() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({})).await;
    let body = json!({ "GroupId": "g1", "GroupAttr": [{ "key": "k", "value": "v" }] });
    assert_eq!(code(&server, "set_group_attr", body).await, 0);
    assert_eq!(super::read(&server, "alice", "g1").await, json!({ "k": "v" }));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_gets_the_documented_code() {
    let server = patient().await;
    server.group("alice", "g1", "Public", json!({})).await;
    server.group("alice", "gone", "Public", json!({})).await;
    server.delete("alice", "/v1/groups/gone").await.ok();
    let pair = |key: &str, bytes: usize| json!({ "key": key, "value": "v".repeat(bytes) });
    let set = json!({ "GroupId": "g1", "GroupAttr": [pair("k", 1)] });
    assert_eq!(code(&server, "set_group_attr", set).await, 0);
    let before = crate::groups::everything(&server).await;
    let many: Vec<Value> = (0..17).map(|n| pair(&format!("k{n}"), 0)).collect();
    let large: Vec<Value> = ["a", "b", "c", "d"].iter().map(|key| pair(key, 4_000)).collect();
    let table: [(&str, Value, i64); 17] = [
        ("set_group_attr", json!({ "GroupAttr": [pair(&"k".repeat(33), 1)] }), 10_045),
        ("modify_group_attr", json!({ "GroupAttr": [pair("", 1)] }), 10_045),
        ("delete_group_attr", json!({ "GroupAttr": [{ "key": "a\nb" }] }), 10_045),
        ("modify_group_attr", json!({ "GroupAttr": [pair("k", 4_001)] }), 10_046),
        ("set_group_attr", json!({ "GroupAttr": many }), 10_047),
        ("set_group_attr", json!({ "GroupAttr": large }), 10_048),
        ("delete_group_attr", json!({ "GroupAttr": [{ "key": "k" }, { "key": "x" }] }), 10_050),
        ("delete_group_attr", json!({ "GroupAttr": [] }), 10_004),
        ("modify_group_attr", json!({ "GroupAttr": [] }), 10_004),
        ("set_group_attr", json!({}), 10_004),
        ("set_group_attr", json!({ "GroupAttr": [{ "key": "k" }] }), 10_004),
        ("set_group_attr", json!({ "GroupAttr": [pair("k", 1), pair("k", 1)] }), 10_004),
        ("set_group_attr", json!({ "GroupAttr": { "k": "v" } }), 10_004),
        ("set_group_attr", json!({ "GroupId": "absent", "GroupAttr": [] }), 10_010),
        ("clear_group_attr", json!({ "GroupId": "gone" }), 10_010),
        ("clear_group_attr", json!({ "GroupId": "é" }), 10_015),
        ("clear_group_attr", json!({ "GroupId": null }), 10_004),
    ];
    for (command, mut body, expected) in table {
        if body.get("GroupId").is_none() {
            body["GroupId"] = json!("g1");
        }
        assert_eq!(code(&server, command, body.clone()).await, expected, "{command} {body}");
    }
    let absent = server.v4(ATTRIBUTES, json!({ "GroupId": "gone" })).await;
    assert_eq!(absent["ErrorCode"], 10_010);
    assert_eq!(crate::groups::everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_community_has_attributes_but_they_are_not_cleared_at_once() {
    let server = patient().await;
    let group = server.group("alice", "@TGS#_c", "Community", json!({})).await;
    let body = json!({ "GroupId": group, "GroupAttr": [{ "key": "k", "value": "v" }] });
    assert_eq!(code(&server, "set_group_attr", body).await, 0);
    assert_eq!(code(&server, "clear_group_attr", json!({ "GroupId": group })).await, 10_007);
    assert_eq!(pairs(&server, &group).await, json!([{ "key": "k", "value": "v" }]));
    server.stop().await;
}

#[tokio::test]
async fn too_many_changes_in_a_second_are_10049() {
    let server = Server::with(&[("MUSTER_ATTRIBUTE_CHANGES", "2")]).await;
    server.group("alice", "g1", "AVChatRoom", json!({})).await;
    let mut codes = Vec::new();
    for n in 0..40 {
        let list = json!([{ "key": "k", "value": n.to_string() }]);
        let body = json!({ "GroupId": "g1", "GroupAttr": list });
        codes.push(code(&server, "modify_group_attr", body).await);
    }
    assert_eq!(codes[..2], [0, 0]);
    assert!(codes.contains(&10_049), "{codes:?}");
    assert!(codes.iter().all(|code| [0, 10_049].contains(code)), "{codes:?}");
    server.stop().await;
}
