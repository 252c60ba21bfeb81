//! The examples of the document are what a server really answers: they are sent, one after the other, to
//! a server in the state that they speak of.

use reqwest::Method;
use serde_json::{Value, json};

use super::{example_path, success};
use crate::common::contract::operations;
use crate::common::{ADMIN, Server};

/// A value with every time and every id that a server makes blanked out.
fn blank(value: &mut Value) {
    match value {
        Value::String(text) => {
            let made = chrono::DateTime::parse_from_rfc3339(text).is_ok()
                || uuid::Uuid::try_parse(text).is_ok();
            if made {
                "…".clone_into(text);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(blank),
        Value::Object(fields) => fields.values_mut().for_each(blank),
        _ => {}
    }
}

/// Leaves of objects with very many names only those that the example shows.
fn part(value: &mut Value, shown: &Value) {
    let Value::Object(fields) = value else { return };
    for (name, inner) in fields {
        if let (true, Some(fields)) =
            (["groupTypes", "permissions"].contains(&name.as_str()), inner.as_object_mut())
        {
            fields.retain(|inner, _| shown[name].get(inner).is_some());
        }
        part(inner, &shown[name]);
    }
}

/// Sends the example of an operation as somebody; the answer must be the example's.
async fn try_example(server: &Server, caller: &str, id: &str, application: Option<&str>) {
    let all = operations();
    let (path, method, operation) =
        all.iter().find(|(.., one)| one["operationId"] == id).unwrap_or_else(|| panic!("{id}"));
    let mut target = example_path(path, operation);
    if let Some(application) = application {
        let shown = path.split("/{").next().expect("a path");
        let rest = path.split('}').nth(1).expect("a rest");
        target = format!("{shown}/{application}{rest}");
    }
    let body = match operation.get("requestBody") {
        Some(body) => body["content"]["application/json"]["example"].to_string(),
        None => String::new(),
    };
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
    let bearer = format!("Bearer {}", server.token(caller));
    let answer = server.send(method, &target, &[("authorization", &bearer)], body).await;
    let (status, media) = success(operation);
    assert_eq!(answer.status, status, "{id}: {answer:?}");
    let (mut real, mut shown) = (answer.body, media["example"].clone());
    part(&mut real, &shown);
    blank(&mut real);
    blank(&mut shown);
    assert_eq!(real, shown, "{id}");
}

/// The id of the only application that somebody may decide.
async fn application(server: &Server, decider: &str) -> String {
    let list = server.get(decider, "/v1/applications").await.ok();
    let list = list["applicationList"].as_array().expect("applications");
    let mut open = list.iter().filter(|one| one["canDecide"] == true);
    let id = open.next().expect("an application")["applicationID"].as_str().expect("an id");
    assert!(open.next().is_none());
    id.to_owned()
}

#[tokio::test]
async fn the_examples_are_what_a_server_answers() {
    let server = Server::start().await;
    server.group("carol", "other", "Work", json!({ "groupName": "The others" })).await;
    for (user, edit) in [
        ("carol", json!({ "groupLimit": 1 })),
        ("erin", json!({ "inviteConsent": "ask" })),
        ("frank", json!({ "inviteConsent": "deny" })),
        ("gina", json!({ "inviteConsent": "ask" })),
    ] {
        server.put(ADMIN, &format!("/v1/users/{user}"), edit).await.ok();
    }
    try_example(&server, "alice", "getLimits", None).await;
    try_example(&server, "alice", "createGroup", None).await;
    try_example(&server, "alice", "inviteUserToGroup", None).await;
    try_example(&server, "alice", "getGroup", None).await;
    try_example(&server, ADMIN, "listAllGroups", None).await;
    try_example(&server, "alice", "getPermissions", None).await;
    try_example(&server, "bob", "listMembers", None).await;
    try_example(&server, "alice", "listEvents", None).await;
    try_example(&server, "bob", "putUser", None).await;
    try_example(&server, "bob", "getUser", None).await;
    try_example(&server, "bob", "listGroups", None).await;
    try_example(&server, "bob", "editMember", None).await;
    try_example(&server, "bob", "replaceAttributes", None).await;
    try_example(&server, "bob", "getAttributes", None).await;
    try_example(&server, "bob", "mergeAttributes", None).await;
    try_example(&server, "alice", "clearAttributes", None).await;
    try_example(&server, "erin", "listApplications", None).await;
    let id = application(&server, "erin").await;
    try_example(&server, "erin", "acceptApplication", Some(&id)).await;
    let invited = json!({ "userList": ["gina"] });
    server.post("alice", "/v1/groups/team/invite", invited).await.ok();
    let id = application(&server, "gina").await;
    try_example(&server, "gina", "refuseApplication", Some(&id)).await;
    try_example(&server, "alice", "editGroup", None).await;
    try_example(&server, "alice", "kickMembers", None).await;
    server.delete("alice", "/v1/groups/team/bans/dave").await.ok();
    server.put("alice", "/v1/groups/team/bans/mallory", json!({})).await.ok();
    try_example(&server, "alice", "putBan", None).await;
    try_example(&server, "alice", "getBan", None).await;
    try_example(&server, "alice", "listBans", None).await;
    try_example(&server, "alice", "deleteBan", None).await;
    let back = json!({ "userList": ["bob", "dave"] });
    server.post(ADMIN, "/v1/groups/team/invite", back).await.ok();
    try_example(&server, "alice", "transferGroup", None).await;
    server.group("alice", "club", "Public", json!({})).await;
    try_example(&server, "bob", "joinGroup", None).await;
    try_example(&server, "bob", "quitGroup", None).await;
    try_example(&server, ADMIN, "revokeCredentials", None).await;
    try_example(&server, ADMIN, "deleteUser", None).await;
    try_example(&server, ADMIN, "dismissGroup", None).await;
    server.check_invariants().await;
    server.stop().await;
}
