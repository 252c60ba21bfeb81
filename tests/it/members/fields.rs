//! Fields of the app's own on groups and members (`AppDefinedData`, `AppMemberDefinedData`).

use serde_json::{Value, json};

use super::{crowd, edit, line};
use crate::common::Server;
use crate::groups::{at, everything, newest};

#[tokio::test]
async fn a_group_begins_with_fields_and_managers_change_them() {
    let server = Server::start().await;
    let more = json!({
        "customFields": { "color": "red", "level": "3", "empty": "" },
        "memberList": [{ "userID": "m1", "customFields": { "seat": "4a" } }]
    });
    let group = server.group("owner", "g1", "Public", more).await;
    let fields = server.get("m1", &at(&group, "")).await.ok()["customFields"].clone();
    assert_eq!(fields, json!({ "color": "red", "level": "3" }));
    assert_eq!(line(&server, &group, "m1").await["customFields"], json!({ "seat": "4a" }));
    let mut socket = server.ws("m1").await;
    let body = json!({ "customFields": { "color": "blue", "level": null, "level2": "9" } });
    server.patch("m1", &at(&group, ""), body.clone()).await.refused(403, 10007, "role_too_low");
    server.patch("owner", &at(&group, ""), body.clone()).await.ok();
    let event = socket.expect("onGroupInfoChanged").await;
    let expected = json!([
        { "type": "customFields", "key": "color", "value": "blue" },
        { "type": "customFields", "key": "level", "value": null },
        { "type": "customFields", "key": "level2", "value": "9" },
    ]);
    assert_eq!(event["changeInfos"], expected);
    let fields = server.get("m1", &at(&group, "")).await.ok()["customFields"].clone();
    assert_eq!(fields, json!({ "color": "blue", "level2": "9" }));
    let before = everything(&server).await;
    server.patch("owner", &at(&group, ""), body).await.ok();
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_member_changes_his_own_and_managers_those_of_others() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let set = |value: Value| json!({ "customFields": { "seat": value } });
    edit(&server, "m1", &group, "m1", set(json!("1"))).await.ok();
    edit(&server, "admin 1", &group, "m1", set(json!("2"))).await.ok();
    edit(&server, "m2", &group, "m1", set(json!("3"))).await.refused(403, 10007, "role_too_low");
    assert_eq!(line(&server, &group, "m1").await["customFields"], json!({ "seat": "2" }));
    let event = newest(&server, &group).await;
    assert_eq!(event["event"], "onMemberInfoChanged");
    let told = json!([{ "userID": "m1", "customFields": { "seat": "2" } }]);
    assert_eq!(event["memberList"], told);
    edit(&server, "m1", &group, "m1", set(Value::Null)).await.ok();
    assert_eq!(line(&server, &group, "m1").await.get("customFields"), None);
    let told = json!([{ "userID": "m1", "customFields": { "seat": null } }]);
    assert_eq!(newest(&server, &group).await["memberList"], told);
    server.stop().await;
}

#[tokio::test]
async fn the_bounds_are_named() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let many = |count: usize| -> Value {
        (0..count).map(|number| (format!("k{number}"), json!("v"))).collect()
    };
    server.patch("owner", &at(&group, ""), json!({ "customFields": many(10) })).await.ok();
    edit(&server, "m1", &group, "m1", json!({ "customFields": many(5) })).await.ok();
    let before = everything(&server).await;
    let long_key = "k".repeat(17);
    for (fields, field, limit) in [
        (json!({ "k11": "v" }), "customFields".to_owned(), 10),
        (json!({ long_key.clone(): "v" }), format!("customFields.{long_key}"), 16),
        (json!({ "a-b": "v" }), "customFields.a-b".to_owned(), 16),
        (json!({ "": "v" }), "customFields.".to_owned(), 16),
        (json!({ "k1": "v".repeat(513) }), "customFields.k1".to_owned(), 512),
    ] {
        let body = json!({ "customFields": fields });
        let data = server.patch("owner", &at(&group, ""), body.clone()).await;
        let data = data.refused(400, 10004, "invalid_parameter");
        assert_eq!((&data["field"], &data["limit"]), (&json!(field), &json!(limit)), "{body}");
    }
    for (fields, limit) in [(json!({ "k6": "v" }), 5), (json!({ "k1": "v".repeat(65) }), 64)] {
        let answer = edit(&server, "m1", &group, "m1", json!({ "customFields": fields })).await;
        assert_eq!(answer.refused(400, 10004, "invalid_parameter")["limit"], limit);
    }
    for wrong in [json!([]), json!("x"), json!({ "k1": 5 }), json!({ "k1": {} })] {
        let body = json!({ "customFields": wrong });
        let answer = server.patch("owner", &at(&group, ""), body.clone()).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (400, &json!(10004)),
            "{body}: {answer:?}"
        );
    }
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}
