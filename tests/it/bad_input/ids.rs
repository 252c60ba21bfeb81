//! Ids that are impossible, and possible ones that only fit into a path when they are percent-encoded.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::requests::ROUTES;
use super::routes::{Route, routes};
use super::{Refusal, World, check};
use crate::common::{ADMIN, Server, results};

/// Ids that are possible, of every character that means something in a URL, a header or SQL.
const AWKWARD: &[&str] = &[
    " ",
    "a b",
    "100%",
    "%41",
    "%",
    "a/b",
    "/",
    "../x",
    "a?b",
    "a#b",
    "a+b&c=d;e",
    "{groupID}",
    "me too",
    "...",
    "a\\b",
    "'; drop table groups; --",
    "\"<b>\"",
    "~!@$^*()_-`|[]:,",
    "@user",
    "null",
    "0",
    "-1",
    "members",
];

fn encoded(id: &str) -> String {
    utf8_percent_encode(id, NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn an_awkward_id_works_on_every_route() {
    let world = World::new().await;
    for id in AWKWARD {
        round(&world.server, id).await;
    }
    world.end().await;
}

/// A group and a user of this id through every route.
async fn round(server: &Server, id: &str) {
    let made = server.group(id, id, "Public", json!({ "joinOption": "FreeAccess" })).await;
    assert_eq!(made, id);
    let group = format!("/v1/groups/{}", encoded(id));
    let user = format!("/v1/users/{}", encoded(id));
    let found = server.get(id, &group).await.ok();
    assert_eq!((&found["groupID"], &found["owner"]), (&json!(id), &json!(id)), "{id}");
    server.patch(id, &group, json!({ "inviteOption": "FreeAccess" })).await.ok();
    let data = server.post(id, &format!("{group}/invite"), json!({ "userList": ["z", id] })).await;
    assert_eq!(results(&data.ok()), [("z".to_owned(), 1), (id.to_owned(), 2)], "{id}");
    let member = format!("{group}/members/{}", encoded("z"));
    server.patch(id, &member, json!({ "role": "Admin", "nameCard": id })).await.ok();
    let member = format!("{group}/members/{}", encoded(id));
    server.patch(id, &member, json!({ "customFields": { "k": id } })).await.ok();
    let ban = format!("{group}/bans/{}", encoded(&format!("{id}3")));
    server.put(id, &ban, json!({ "reason": id })).await.ok();
    assert_eq!(server.get(id, &ban).await.ok()["reason"], id, "{id}");
    let bans = format!("{group}/bans?next={}", encoded(id));
    let bans = server.get(id, &bans).await.ok();
    assert_eq!(bans["banList"].as_array().map(Vec::len), Some(1), "{id}: {bans}");
    server.delete(id, &ban).await.ok();
    let permissions = format!("{group}/permissions?userID={}", encoded(id));
    assert_eq!(server.get(ADMIN, &permissions).await.ok()["role"], "Owner", "{id}");
    let applications = format!("/v1/applications?groupID={}", encoded(id));
    assert_eq!(server.get(id, &applications).await.ok()["applicationList"], json!([]), "{id}");
    let status = server.post("y", &format!("{group}/join"), json!({})).await.ok();
    assert_eq!(status["status"], "joined", "{id}");
    let query = format!("{group}/members?userID={}&userID=y", encoded(id));
    let list = server.get(id, &query).await.ok();
    assert_eq!(list["memberList"].as_array().map(Vec::len), Some(2), "{id}: {list}");
    let events = server.get(id, &format!("{group}/events?after=0")).await.ok();
    assert_eq!(events["eventList"][0]["groupID"], id, "{id}: {events}");
    server.post("y", &format!("{group}/quit"), json!({})).await.ok();
    server.put(ADMIN, &user, json!({ "nickName": id })).await.ok();
    assert_eq!(server.get("z", &user).await.ok()["nickName"], id, "{id}");
    let groups = server.get(ADMIN, &format!("{user}/groups")).await.ok();
    assert_eq!(groups["groupList"][0]["groupID"], id, "{id}: {groups}");
    let next = format!("/v1/users/me/groups?next={}", encoded(id));
    assert_eq!(server.get(id, &next).await.ok()["groupList"], json!([]), "{id}");
    let kicked = server.post(id, &format!("{group}/kick"), json!({ "userList": ["z"] })).await;
    assert_eq!(results(&kicked.ok()), [("z".to_owned(), 1)], "{id}");
    let other = format!("{id}2");
    let kicked = json!({ "userList": [other] });
    server.post(ADMIN, &format!("{group}/invite"), kicked.clone()).await.ok();
    let kicked = server.post(id, &format!("{group}/kick"), kicked).await.ok();
    assert_eq!(kicked[0]["memberID"], other, "{id}");
    server.delete(id, &group).await.ok();
    server.get(id, &group).await.refused(404, 10010, "group_not_found");
}

/// A page of members that begins behind an awkward id goes on behind it.
#[tokio::test]
async fn awkward_ids_page_without_loss() {
    let world = World::new().await;
    world.server.post(ADMIN, "/v1/groups/g/invite", json!({ "userList": AWKWARD })).await.ok();
    let mut seen = Vec::new();
    let mut path = "/v1/groups/g/members?limit=2".to_owned();
    loop {
        let page = world.server.get("alice", &path).await.ok();
        let lines = page["memberList"].as_array().expect("a list").clone();
        seen.extend(lines.iter().map(|line| line["userID"].as_str().expect("an id").to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/groups/g/members?limit=2&next={}", encoded(next));
    }
    let mut expected: Vec<String> = AWKWARD.iter().map(|id| (*id).to_owned()).collect();
    expected.extend(["alice".to_owned(), "bob".to_owned()]);
    expected.sort_unstable();
    assert_eq!(seen, expected);
    world.end().await;
}

/// A path of [`ROUTES`] with other ids: each place of a group, a user or an application once, with the
/// name of the place. Without an id at its end it would be another route.
fn with_id(path: &str, id: &str) -> Vec<(&'static str, String)> {
    let parts: Vec<&str> = path.split('/').collect();
    let mut found = Vec::new();
    for (place, part) in parts.iter().enumerate() {
        let field = match *part {
            "g" => "groupID",
            "bob" | "erin" => "userID",
            "ID" => "applicationID",
            _ => continue,
        };
        if !(id.is_empty() && place + 1 == parts.len()) {
            let mut changed = parts.clone();
            changed[place] = id;
            found.push((field, changed.join("/")));
        }
    }
    found
}

#[tokio::test]
async fn an_impossible_id_in_a_path_is_refused_by_every_route() {
    let world = World::new().await;
    let before = world.state().await;
    let group = Refusal::new(400, 10015, "invalid_group_id").field("groupID");
    let user = Refusal::new(400, 10004, "invalid_user_id").field("userID");
    let long = "x".repeat(49);
    let longer = "x".repeat(5_000);
    let (bodies, mut tried) = (routes("ID"), 0);
    for id in [
        "",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "%00",
        "a%00b",
        "%0a",
        "%7f",
        "%FF",
        "a%C3%28",
        "%ED%A0%80",
        "%C0%80",
        "%C3%A9",
        "%E2%80%AE",
        "\u{e9}",
        &long,
        &longer,
    ] {
        let bounded = |refusal: &Refusal, limit: i64| {
            if id.starts_with('x') { refusal.clone().limit(limit) } else { refusal.clone() }
        };
        for (path, methods) in ROUTES {
            for (field, target) in with_id(path, id) {
                let refusal = match field {
                    "groupID" => bounded(&group, 48),
                    "userID" => bounded(&user, 32),
                    _ => Refusal::invalid("applicationID"),
                };
                let target = target.replace("ID", &world.application);
                for method in *methods {
                    let known = |one: &&Route| one.method == *method && one.path == *path;
                    let body = bodies.iter().find(known).map(|route| route.good.to_string());
                    let body = body.unwrap_or_default();
                    let answer = world.ask(ADMIN, method, &target, &body).await;
                    check(&format!("{method} {target}"), &answer, &refusal);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 300, "{tried}");
    assert_eq!(world.state().await, before);
    world.end().await;
}

/// An escape that is none stands for itself: a percent sign is a character like others.
#[tokio::test]
async fn an_unfinished_escape_is_a_percent_sign() {
    let world = World::new().await;
    world.server.group("alice", "a%zz", "Public", json!({})).await;
    let found = world.ask("alice", "GET", "/v1/groups/a%zz", "").await.ok();
    assert_eq!(found["groupID"], "a%zz");
    world.end().await;
}

#[tokio::test]
async fn me_is_the_caller_in_a_path_and_nobody_elsewhere() {
    let world = World::new().await;
    let server = &world.server;
    server.put("bob", "/v1/users/me", json!({ "nickName": "Bob" })).await.ok();
    assert_eq!(server.get("alice", "/v1/users/bob").await.ok()["nickName"], "Bob");
    assert_eq!(server.get("bob", "/v1/users/me").await.ok()["userID"], "bob");
    let refusal = Refusal::new(400, 10004, "invalid_user_id");
    for (method, path, body, field) in [
        ("POST", "/v1/groups/g/invite", json!({ "userList": ["me"] }), "userList[0]"),
        ("POST", "/v1/groups/g/kick", json!({ "userList": ["bob", "me"] }), "userList[1]"),
        (
            "POST",
            "/v1/groups",
            json!({ "groupType": "Public", "groupName": "n", "owner": "me" }),
            "owner",
        ),
    ] {
        let answer = world.ask(ADMIN, method, path, body.to_string()).await;
        check(path, &answer, &refusal.clone().field(field));
    }
    // For a group it is an id like any other.
    world.server.group("alice", "me", "Public", json!({})).await;
    world.end().await;
}

#[tokio::test]
async fn an_id_of_a_new_group_keeps_to_the_rules_of_its_type() {
    let world = World::new().await;
    let before = world.state().await;
    let refusal = Refusal::new(400, 10015, "invalid_group_id").field("groupID");
    for (group_type, id) in [
        ("Work", "@TGS#1ABC"),
        ("Public", "@TGS#"),
        ("Meeting", "@TGS#_x"),
        ("AVChatRoom", "@TGS#a"),
        ("Community", "city"),
        ("Community", "@TGS#_"),
        ("Community", "@TGS#city"),
    ] {
        let body = json!({ "groupID": id, "groupType": group_type, "groupName": "n" });
        let answer = world.ask(ADMIN, "POST", "/v1/groups", body.to_string()).await;
        check(&format!("{group_type} {id}"), &answer, &refusal);
    }
    assert_eq!(world.state().await, before);
    world.server.group("alice", "@TGS#_city", "Community", json!({})).await;
    world.end().await;
}

/// With a setting, user ids may have up to 64 bytes; the bound in the texts follows.
#[tokio::test]
async fn the_bound_on_user_ids_is_a_setting() {
    let server = Server::with(&[("MUSTER_USER_ID_BYTES", "64")]).await;
    let longest = "u".repeat(64);
    let group = server.group(&longest, "g", "Work", json!({})).await;
    let path = format!("/v1/groups/{group}/invite");
    let data = server.post(&longest, &path, json!({ "userList": ["v".repeat(64)] })).await.ok();
    assert_eq!(data[0]["result"], 1);
    let answer = server.post(&longest, &path, json!({ "userList": ["v".repeat(65)] })).await;
    let refusal = Refusal::new(400, 10004, "invalid_user_id").field("userList[0]").limit(64);
    check("65 bytes", &answer, &refusal);
    let limits = server.get(&longest, "/v1/limits").await.ok();
    assert_eq!(limits["userIDBytes"]["limit"], Value::from(64));
    server.stop().await;
}
