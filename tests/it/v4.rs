//! The Tencent-compatible face, as an existing back end calls it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "also the helpers belong to tests")]

mod accounts;
mod bans;
mod calls;
mod coverage;
mod custom;
mod edit;
mod fields;
mod gate;
mod groups;
mod hostile;
mod import;
mod joined;
mod members;
mod mutes;
mod reads;
mod types;

use serde_json::{Value, json};

use crate::common::{ADMIN, APP, Server};

/// The answer, which must be a success: status and texts of the envelope, and what it holds beside.
#[track_caller]
fn ok(answer: Value) -> Value {
    assert_eq!(answer["ActionStatus"], "OK", "{answer}");
    assert_eq!(answer["ErrorInfo"], "", "{answer}");
    assert_eq!(answer["ErrorCode"], 0, "{answer}");
    answer
}

/// The text of the answer, which must be a refusal with this code and nothing beside the envelope.
#[track_caller]
fn refused(answer: &Value, code: i64) -> String {
    assert_eq!(answer["ErrorCode"], code, "{answer}");
    assert_eq!(answer["ActionStatus"], "FAIL", "{answer}");
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(3), "{answer}");
    let text = answer["ErrorInfo"].as_str().expect("ErrorInfo").to_owned();
    assert!(!text.is_empty(), "{answer}");
    text
}

/// The path and query of a command, called by the administrator.
fn signed(server: &Server, command: &str) -> String {
    let usersig = server.usersig(ADMIN);
    format!("/v4/{command}?sdkappid={APP}&identifier={ADMIN}&usersig={usersig}")
}

/// A command of the group service.
async fn group(server: &Server, command: &str, body: Value) -> Value {
    server.v4(&format!("group_open_http_svc/{command}"), body).await
}

/// A command of the account service.
async fn login(server: &Server, command: &str, body: Value) -> Value {
    server.v4(&format!("im_open_login_svc/{command}"), body).await
}

/// The member accounts and results of an answer to `add_group_member`, in order.
fn results(answer: &Value) -> Vec<(String, i64)> {
    let lines = answer["MemberList"].as_array().expect("MemberList");
    lines
        .iter()
        .map(|line| {
            assert_eq!(line.as_object().map(serde_json::Map::len), Some(2), "{line}");
            let member = line["Member_Account"].as_str().expect("Member_Account").to_owned();
            (member, line["Result"].as_i64().expect("Result"))
        })
        .collect()
}

/// The names in one field of a list's lines.
fn column<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let lines = list.as_array().expect("a list");
    lines.iter().map(|line| line[field].as_str().expect("a string")).collect()
}

/// Checks an answer that has nothing but the envelope of a success.
#[track_caller]
fn done(answer: &Value) {
    assert_eq!(*answer, json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}));
}

/// A server with the Public group `g1` of `owner`, the admin `admin` and the members `bob` and `carol`.
async fn with_group() -> Server {
    let server = Server::start().await;
    let create = json!({
        "Type": "Public", "Name": "n", "GroupId": "g1", "Owner_Account": "owner", "MemberList": [
            {"Member_Account": "admin", "Role": "Admin"},
            {"Member_Account": "bob"},
            {"Member_Account": "carol"},
        ],
    });
    ok(group(&server, "create_group", create).await);
    server
}

/// What `get_group_info` shows of a group.
async fn info(server: &Server, id: &str) -> Value {
    let answer = ok(group(server, "get_group_info", json!({"GroupIdList": [id]})).await);
    answer["GroupInfo"][0].clone()
}

/// What `get_group_member_info` shows of a member.
async fn member(server: &Server, id: &str, user: &str) -> Value {
    let answer = ok(group(server, "get_group_member_info", json!({"GroupId": id})).await);
    let list = answer["MemberList"].as_array().expect("MemberList");
    list.iter().find(|line| line["Member_Account"] == user).expect("a member").clone()
}

/// The roles of these people in a group.
async fn roles(server: &Server, id: &str, people: &[&str]) -> Vec<String> {
    let body = json!({"GroupId": id, "User_Account": people});
    let answer = ok(group(server, "get_role_in_group", body).await);
    column(&answer["UserIdList"], "Role").into_iter().map(str::to_owned).collect()
}

/// The newest entry of a group's log.
async fn newest_event(server: &Server, id: &str) -> Value {
    let newest = "select frame from group_events where group_id = $1 order by seq desc limit 1";
    let frame: String =
        sqlx::query_scalar(newest).bind(id).fetch_one(&server.db().await).await.expect("an event");
    serde_json::from_str(&frame).expect("JSON")
}
