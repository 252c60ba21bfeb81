//! What somebody may do in a group, and why not.

use serde_json::{Value, json};

use super::crowd;
use crate::common::{ADMIN, Server};
use crate::groups::{at, group_of};

async fn permissions(server: &Server, reader: &str, group: &str, query: &str) -> Value {
    server.get(reader, &at(group, &format!("permissions{query}"))).await.ok()
}

#[tokio::test]
async fn each_permission_says_who_may_and_why_one_may_not() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let data = permissions(&server, "m1", &group, "").await;
    assert_eq!((&data["groupType"], &data["role"]), (&json!("Public"), &json!("Member")));
    let invite = &data["permissions"]["invite"];
    assert_eq!((&invite["allowed"], &invite["reason"]), (&json!(false), &json!("invite_disabled")));
    assert_eq!(invite["source"], "inviteOption of the group");
    let kick = &data["permissions"]["kick"];
    let expected = json!({
        "allowed": false, "who": "managers", "reason": "role_too_low",
        "desc": "in a group of type Public only the owner and admins may",
        "source": "kick in groups of type Public"
    });
    assert_eq!(kick, &expected);
    assert_eq!(data["permissions"]["quit"], json!({ "allowed": true, "who": "members" }));
    assert_eq!(data["permissions"]["apply"]["reason"], "already_member");
    server.patch("owner", &at(&group, ""), json!({ "inviteOption": "NeedPermission" })).await.ok();
    let invite = permissions(&server, "m1", &group, "").await["permissions"]["invite"].clone();
    assert_eq!(invite, json!({ "allowed": true, "who": "members", "needs": "approval" }));
    let invite = permissions(&server, "admin 1", &group, "").await["permissions"]["invite"].clone();
    assert_eq!(invite, json!({ "allowed": true, "who": "members" }));
    let apply = permissions(&server, "stranger", &group, "").await["permissions"]["apply"].clone();
    assert_eq!(apply, json!({ "allowed": true, "who": "anybody", "needs": "approval" }));
    server.put("owner", &at(&group, "bans/stranger"), json!({})).await.ok();
    let apply = permissions(&server, "stranger", &group, "").await["permissions"]["apply"].clone();
    assert_eq!(apply["reason"], "banned");
    server.stop().await;
}

#[tokio::test]
async fn ones_own_are_for_everybody_those_of_others_for_managers() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let work = group_of(&server, "owner", "work", "Work", (&[], &["m1"]), json!({})).await;
    for reader in ["owner", "admin 1", ADMIN] {
        let data = permissions(&server, reader, &group, "?userID=m1").await;
        assert_eq!((&data["userID"], &data["role"]), (&json!("m1"), &json!("Member")));
        assert_eq!(data["permissions"]["transfer"]["allowed"], false);
    }
    let data = permissions(&server, "owner", &group, "?userID=administrator").await;
    assert_eq!((&data["administrator"], &data["role"]), (&json!(true), &Value::Null));
    assert_eq!(data["permissions"]["transfer"]["allowed"], true);
    let path = at(&group, "permissions?userID=m2");
    server.get("m1", &path).await.refused(403, 10007, "role_too_low");
    server.get("stranger", &path).await.refused(403, 10007, "not_a_member");
    let path = at(&work, "permissions");
    server.get("stranger", &path).await.refused(403, 10007, "not_a_member");
    let data = permissions(&server, "m1", &work, "").await;
    assert_eq!(data["permissions"]["appoint_admins"]["reason"], "not_allowed_for_type");
    server.get("m1", &at("none", "permissions")).await.refused(404, 10010, "group_not_found");
    let answer = server.get("owner", &at(&group, "permissions?userID=")).await;
    answer.refused(400, 10004, "invalid_user_id");
    let answer = server.get("owner", &at(&group, "permissions?user=m1")).await;
    answer.refused(400, 10004, "unknown_field");
    server.stop().await;
}
