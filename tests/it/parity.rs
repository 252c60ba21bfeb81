//! One product, two faces: the same deeds of an administrator through `/v1` and through `/v4`, each on a
//! database of its own, end in the same rows and the same events.
//!
//! Ids are the same on both sides, so everything is compared but moments and numbers that are drawn; a time
//! that is counted from its event is compared as so many seconds.

mod deeds;
mod refusals;
mod rows;

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{ADMIN, Server};
use rows::rows;

/// One deed, as each face does it.
struct Deed {
    native: (Method, String, Value),
    /// `None` when it is done through the native face on both sides, since the other has no words for it.
    tencent: Option<(&'static str, Value)>,
    /// `code` there, `ErrorCode` here.
    codes: (i64, i64),
}

/// A deed that both faces do.
fn deed(native: (&str, &str, Value), command: &'static str, body: Value) -> Deed {
    let (method, path, native) = native;
    let method = method.parse().expect("a method");
    Deed {
        native: (method, path.to_owned(), native),
        tencent: Some((command, body)),
        codes: (0, 0),
    }
}

/// Something that only the native face can do, done on both sides.
fn given(method: &str, path: &str, body: Value) -> Deed {
    let native = (method.parse().expect("a method"), path.to_owned(), body);
    Deed { native, tencent: None, codes: (0, 0) }
}

impl Deed {
    /// Both faces refuse it with this code.
    fn refused(self, code: i64) -> Self {
        self.answered(code, code)
    }

    /// The native face answers with the first code, the other one with the second.
    fn answered(self, native: i64, tencent: i64) -> Self {
        Self { codes: (native, tencent), ..self }
    }
}

/// Does everything on both sides; after each deed they must be the same.
async fn both(deeds: Vec<Deed>) {
    let (left, right) = (Server::start().await, Server::start().await);
    let (left_rows, right_rows) = (left.db().await, right.db().await);
    for Deed { native: (method, path, body), tencent, codes } in deeds {
        let what = format!("{method} {path} {body}");
        let answer = left.call(method.clone(), ADMIN, &path, Some(body.clone())).await;
        assert_eq!(answer.body["code"], codes.0, "{what}: {answer:?}");
        if let Some((command, wire)) = tencent {
            let command = format!("group_open_http_svc/{command}");
            let other = right.v4(&command, wire).await;
            assert_eq!(other["ErrorCode"], codes.1, "{what}: {command}: {other}");
            if command.ends_with("/add_group_member") && codes.1 == 0 {
                assert_eq!(results_of_v1(&answer.body), results_of_v4(&other), "{what}");
            }
        } else {
            let other = right.call(method, ADMIN, &path, Some(body)).await;
            assert_eq!(other.body["code"], codes.0, "{what}: {other:?}");
        }
        let (one, other) = (rows(&left_rows).await, rows(&right_rows).await);
        for (table, one) in &one {
            assert_eq!(Some(one), other.get(table), "{what}: {table}");
        }
        assert_eq!(one.len(), other.len(), "{what}");
    }
    for (server, pool) in [(left, left_rows), (right, right_rows)] {
        pool.close().await;
        server.check_invariants().await;
        server.stop().await;
    }
}

fn results_of_v1(body: &Value) -> Vec<(Value, Value)> {
    let lines = body["data"].as_array().expect("a list");
    lines.iter().map(|line| (line["memberID"].clone(), line["result"].clone())).collect()
}

fn results_of_v4(body: &Value) -> Vec<(Value, Value)> {
    let lines = body["MemberList"].as_array().expect("MemberList");
    lines.iter().map(|line| (line["Member_Account"].clone(), line["Result"].clone())).collect()
}

/// Pairs of the Tencent face.
fn pairs(fields: &Value) -> Value {
    let fields = fields.as_object().expect("an object");
    fields.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

/// A new group of `owner` with an admin and members; the type in both spellings.
fn create(id: &str, (native, wire): (&str, &str), members: &[&str]) -> Deed {
    let list = |name: &str| -> Value { members.iter().map(|user| json!({ name: user })).collect() };
    let mut left = json!({
        "groupID": id, "groupType": native, "groupName": "n", "owner": "owner",
        "memberList": list("userID"),
    });
    let mut right = json!({
        "GroupId": id, "Type": wire, "Name": "n", "Owner_Account": "owner",
        "MemberList": list("Member_Account"),
    });
    if !["Work", "AVChatRoom"].contains(&native) && !members.is_empty() {
        left["memberList"][0]["role"] = json!("Admin");
        right["MemberList"][0]["Role"] = json!("Admin");
    }
    deed(("POST", "/v1/groups", left), "create_group", right)
}

const PUBLIC: (&str, &str) = ("Public", "Public");
const WORK: (&str, &str) = ("Work", "Private");
const LIVE: (&str, &str) = ("AVChatRoom", "AVChatRoom");

fn invite(group: &str, users: &[&str]) -> Deed {
    let list: Value = users.iter().map(|user| json!({ "Member_Account": user })).collect();
    let path = format!("/v1/groups/{group}/invite");
    let body = json!({ "GroupId": group, "MemberList": list });
    deed(("POST", &path, json!({ "userList": users })), "add_group_member", body)
}

fn kick(group: &str, users: &[&str]) -> Deed {
    let path = format!("/v1/groups/{group}/kick");
    let native = json!({ "userList": users, "reason": "why" });
    let body = json!({ "GroupId": group, "MemberToDel_Account": users, "Reason": "why" });
    deed(("POST", &path, native), "delete_group_member", body)
}

fn edit(group: &str, native: Value, mut wire: Value) -> Deed {
    wire["GroupId"] = json!(group);
    deed(("PATCH", &format!("/v1/groups/{group}"), native), "modify_group_base_info", wire)
}

fn edit_member(group: &str, user: &str, native: Value, mut wire: Value) -> Deed {
    wire["GroupId"] = json!(group);
    wire["Member_Account"] = json!(user);
    let path = format!("/v1/groups/{group}/members/{user}");
    deed(("PATCH", &path, native), "modify_group_member_info", wire)
}

fn mute(group: &str, user: &str, seconds: u32) -> Deed {
    let path = format!("/v1/groups/{group}/members/{user}");
    let wire = json!({ "GroupId": group, "Members_Account": [user], "MuteTime": seconds });
    deed(("PATCH", &path, json!({ "muteSeconds": seconds })), "forbid_send_msg", wire)
}

fn transfer(group: &str, to: &str) -> Deed {
    let path = format!("/v1/groups/{group}/owner");
    let wire = json!({ "GroupId": group, "NewOwner_Account": to });
    deed(("PUT", &path, json!({ "userID": to })), "change_group_owner", wire)
}

fn ban(group: &str, user: &str, seconds: u32) -> Deed {
    let path = format!("/v1/groups/{group}/bans/{user}");
    let wire = json!({
        "GroupId": group, "Members_Account": [user], "Duration": seconds, "Description": "noise",
    });
    let native = json!({ "seconds": seconds, "reason": "noise" });
    deed(("PUT", &path, native), "ban_group_member", wire)
}

fn unban(group: &str, user: &str) -> Deed {
    let path = format!("/v1/groups/{group}/bans/{user}");
    let wire = json!({ "GroupId": group, "Members_Account": [user] });
    deed(("DELETE", &path, json!({})), "unban_group_member", wire)
}

fn dismiss(group: &str) -> Deed {
    let path = format!("/v1/groups/{group}");
    deed(("DELETE", &path, json!({})), "destroy_group", json!({ "GroupId": group }))
}
