//! Pages of members: who is on them, and that each line is one person's.

use serde_json::{Value, json};

use super::{crowd, edit};
use crate::common::{ADMIN, Server};
use crate::groups::at;

/// The lines of a page without the times of joining.
async fn lines(server: &Server, group: &str, query: &str) -> Value {
    let mut data = server.get(ADMIN, &at(group, &format!("members?{query}"))).await.ok();
    let lines = data["memberList"].as_array_mut().expect("memberList");
    for line in lines.iter_mut() {
        let line = line.as_object_mut().expect("a line");
        line.remove("joinTime").expect("joinTime");
        if let Some(until) = line.get_mut("muteUntil") {
            *until = json!("set");
        }
    }
    data["memberList"].take()
}

/// Columns that few members fill must not slip to another's line.
#[tokio::test]
async fn each_line_holds_what_is_one_persons() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let body = json!({ "customFields": { "seat": "4a" } });
    edit(&server, ADMIN, &group, "admin 2", body).await.ok();
    edit(&server, ADMIN, &group, "m1", json!({ "nameCard": "Em" })).await.ok();
    edit(&server, ADMIN, &group, "m2", json!({ "muteSeconds": 600 })).await.ok();

    let first = json!({ "userID": "admin 1", "role": "Admin" });
    let seated = json!({ "userID": "admin 2", "role": "Admin", "customFields": { "seat": "4a" } });
    let named = json!({ "userID": "m1", "role": "Member", "nameCard": "Em" });
    let muted = json!({ "userID": "m2", "role": "Member", "muteUntil": "set" });
    let owner = json!({ "userID": "owner", "role": "Owner" });
    for (query, expected) in [
        ("limit=100", json!([first, seated, named, muted, owner])),
        ("limit=2", json!([first, seated])),
        ("limit=2&next=admin%202", json!([named, muted])),
        ("limit=2&next=m2", json!([owner])),
        ("next=owner", json!([])),
        ("role=Member", json!([named, muted])),
        ("role=Admin", json!([first, seated])),
        ("role=Owner&next=owner", json!([])),
        ("muted=true", json!([muted])),
        ("muted=true&role=Admin", json!([])),
        ("userID=m2&userID=m1&userID=nobody", json!([named, muted])),
        ("userID=nobody", json!([])),
    ] {
        assert_eq!(lines(&server, &group, query).await, expected, "{query}");
    }
    server.stop().await;
}

/// The page and the right to see it are read in one statement, for each way of asking.
#[tokio::test]
async fn whoever_may_not_see_members_sees_none_however_he_asks() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    for query in ["limit=100", "role=Member", "role=Owner", "muted=true", "userID=m1"] {
        let path = at(&group, &format!("members?{query}"));
        server.get("m1", &path).await.ok();
        server.get("stranger", &path).await.refused(403, 10007, "not_a_member");
        let path = at("absent", &format!("members?{query}"));
        let body = server.get("m1", &path).await.refused(404, 10010, "group_not_found");
        assert_eq!(body["field"], "groupID", "{query}");
    }
    server.stop().await;
}
