//! Paths, methods, queries and headers that are wrong.

use std::collections::BTreeSet;

use super::routes::{Kind, routes};
use super::{Refusal, World, check, check_envelope};
use crate::common::contract;
use crate::common::wire::{exchange, request};

/// Every route that answers in the envelope, and its methods: in the group `g`, of the user `bob`, who is a
/// member, or `erin`, who is banned there, and of the application `ID`.
pub(crate) const ROUTES: &[(&str, &[&str])] = &[
    ("/v1/groups", &["GET", "POST"]),
    ("/v1/groups/g", &["GET", "PATCH", "DELETE"]),
    ("/v1/groups/g/attributes", &["GET", "PUT", "PATCH", "DELETE"]),
    ("/v1/groups/g/invite", &["POST"]),
    ("/v1/groups/g/join", &["POST"]),
    ("/v1/groups/g/quit", &["POST"]),
    ("/v1/groups/g/kick", &["POST"]),
    ("/v1/groups/g/members", &["GET"]),
    ("/v1/groups/g/members/bob", &["PATCH"]),
    ("/v1/groups/g/owner", &["PUT"]),
    ("/v1/groups/g/bans", &["GET"]),
    ("/v1/groups/g/bans/erin", &["GET", "PUT", "DELETE"]),
    ("/v1/groups/g/permissions", &["GET"]),
    ("/v1/groups/g/events", &["GET"]),
    ("/v1/users/erin", &["GET", "PUT", "DELETE"]),
    ("/v1/users/erin/credentials", &["DELETE"]),
    ("/v1/users/erin/groups", &["GET"]),
    ("/v1/applications", &["GET"]),
    ("/v1/applications/ID/accept", &["POST"]),
    ("/v1/applications/ID/refuse", &["POST"]),
    ("/v1/limits", &["GET"]),
];

/// Routes that change something and cannot be tried with `dryRun`.
pub(crate) const WITHOUT_DRY_RUN: &[(&str, &str)] = &[
    ("PUT", "/v1/users/erin"),
    ("DELETE", "/v1/users/erin"),
    ("DELETE", "/v1/users/erin/credentials"),
];

fn unknown(name: &str) -> Refusal {
    Refusal::new(400, 10004, "unknown_field").field(name)
}

/// Every route with its method, the application's id filled in.
fn calls(world: &World) -> Vec<(&'static str, String)> {
    let all = ROUTES.iter().flat_map(|(path, methods)| {
        let path = path.replace("ID", &world.application);
        methods.iter().map(move |method| (*method, path.clone()))
    });
    all.collect()
}

/// A path of the document as a path of [`ROUTES`].
fn filled(pattern: &str) -> String {
    let user = if pattern.contains("/members/") { "bob" } else { "erin" };
    let filled = pattern.replace("{groupID}", "g").replace("{userID}", user);
    filled.replace("{applicationID}", "ID")
}

/// A route that is not in the tables is a route that nobody tried to break, and so is a field.
#[test]
fn the_tables_know_every_route_and_every_field() {
    let with_bodies = routes("ID");
    let mut found = BTreeSet::new();
    for (pattern, method, operation) in contract::operations() {
        // A websocket, which has tests of its own, and what is open to everybody.
        if ["/v1/events", "/v1/openapi.json", "/v1/asyncapi.json"].contains(&pattern) {
            continue;
        }
        let (path, method) = (filled(pattern), method.to_uppercase());
        let known = ROUTES.iter().find(|(known, _)| *known == path);
        let (_, methods) = known.unwrap_or_else(|| panic!("{path} is not in ROUTES"));
        assert!(methods.contains(&method.as_str()), "{method} {path}");
        found.insert(format!("{method} {path}"));
        let tried = with_bodies.iter().find(|one| one.method == method && one.path == path);
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(tried.is_some(), body.is_object(), "{method} {path}");
        let Some(tried) = tried else { continue };
        let schema = contract::resolve(body);
        let fields = schema["properties"].as_object().into_iter().flatten();
        let fields: BTreeSet<&str> = fields.map(|(name, _)| name.as_str()).collect();
        let tried_fields = tried.fields.iter().map(|field| field.name).collect();
        assert_eq!(fields, tried_fields, "{method} {path}");
        for field in &tried.fields {
            let all = schema["required"].as_array();
            let required = all.is_some_and(|all| all.iter().any(|name| name == field.name));
            assert_eq!(required, field.required, "{method} {path}: {}", field.name);
            if let Kind::Text { bytes, .. } = field.kind {
                let shown = &schema["properties"][field.name]["maxLength"];
                assert_eq!(*shown, bytes, "{method} {path}: {}", field.name);
            }
        }
    }
    let listed = ROUTES
        .iter()
        .flat_map(|(path, methods)| methods.iter().map(move |method| format!("{method} {path}")));
    assert_eq!(found, listed.collect());
}

#[tokio::test]
async fn a_route_that_does_not_exist_is_404_in_the_envelope() {
    let world = World::new().await;
    let gone = Refusal::new(404, 10003, "unknown_route");
    let long = format!("/v1/{}", "x/".repeat(5_000));
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v2/groups",
        "/v1/group",
        "/V1/groups",
        "/v1/groups/",
        "/v1/groups//",
        "/v1/groups/g/",
        "/v1/groups/g/Invite",
        "/v1/groups/g/invite/",
        "/v1/groups/a/b/invite",
        "/v1//groups",
        "//v1/groups",
        "/v1/users/",
        "/v1/users/a/b",
        "/v1/applications/x",
        "/v1/%67roups",
        "/v1/groups%2Fg",
        "/v1/../v1/groups",
        "/metrics",
        "/healthz",
        "/favicon.ico",
        "/v1/groups/g/invite%00",
        &long,
    ] {
        for (method, user) in [("GET", "alice"), ("POST", "alice")] {
            let answer = world.ask(user, method, path, "").await;
            check(path, &answer, &gone);
        }
    }
    world.end().await;
}

#[tokio::test]
async fn a_method_that_a_route_does_not_know_is_405() {
    let world = World::new().await;
    let before = world.state().await;
    let refusal = Refusal::new(405, 10003, "method_not_allowed");
    for (path, methods) in ROUTES {
        let path = path.replace("ID", &world.application);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if methods.contains(&method) {
                continue;
            }
            let what = format!("{method} {path}");
            let answer = world.ask("alice", method, &path, "{}").await;
            check(&what, &answer, &refusal);
            let allow = answer.headers.get("allow").and_then(|value| value.to_str().ok());
            let allow = allow.unwrap_or_else(|| panic!("{what}: no Allow"));
            for known in *methods {
                assert!(allow.split(',').any(|one| one.trim() == *known), "{what}: {allow}");
            }
        }
    }
    assert_eq!(world.state().await, before);
    world.end().await;
}

#[tokio::test]
async fn a_query_parameter_that_a_route_does_not_know_is_named() {
    let world = World::new().await;
    let before = world.state().await;
    for (method, path) in calls(&world) {
        for (query, refusal) in [
            ("zzz=1", unknown("zzz")),
            ("zzz", unknown("zzz")),
            ("=", unknown("")),
            ("a%00b=1", unknown("a\0b")),
            ("%FF=1", unknown("\u{fffd}")),
            ("dryrun=true", unknown("dryrun")),
            ("Limit=5", unknown("Limit")),
            ("limit[]=5", unknown("limit[]")),
            ("token=abc", unknown("token")),
        ] {
            let what = format!("{method} {path}?{query}");
            let answer = world.ask("alice", method, &format!("{path}?{query}"), "{}").await;
            check(&what, &answer, &refusal);
        }
    }
    assert_eq!(world.state().await, before);
    world.end().await;
}

#[tokio::test]
async fn a_bad_size_of_a_page_is_named() {
    let world = World::new().await;
    let lists = [
        "/v1/groups/g/members",
        "/v1/groups/g/events",
        "/v1/groups/g/bans",
        "/v1/users/alice/groups",
        "/v1/applications",
    ];
    for path in lists {
        for text in ["0", "1001", "-1", "", "abc", "1.5", "1e2", "9".repeat(30).as_str(), "%00"] {
            let target = format!("{path}?limit={text}");
            let answer = world.ask("alice", "GET", &target, "").await;
            check(&target, &answer, &Refusal::invalid("limit").limit(1_000));
        }
        for text in ["1", "1000"] {
            let target = format!("{path}?limit={text}");
            world.ask("alice", "GET", &target, "").await.ok();
        }
        let target = format!("{path}?limit=5&limit=5");
        let answer = world.ask("alice", "GET", &target, "").await;
        check(&target, &answer, &Refusal::invalid("limit"));
    }
    world.end().await;
}

#[tokio::test]
async fn bad_values_of_query_parameters_are_named() {
    let world = World::new().await;
    let too_long = "x".repeat(49);
    let user = Refusal::new(400, 10004, "invalid_user_id");
    let group = Refusal::new(400, 10015, "invalid_group_id");
    let cases = [
        ("/v1/groups/g/members", "role", "admin", Refusal::invalid("role")),
        ("/v1/groups/g/members", "role", "", Refusal::invalid("role")),
        ("/v1/groups/g/members", "next", "", user.clone().field("next")),
        ("/v1/groups/g/members", "next", "%00", user.clone().field("next")),
        ("/v1/groups/g/members", "next", &too_long, user.clone().field("next").limit(32)),
        ("/v1/groups/g/members", "userID", "", user.clone().field("userID[0]")),
        ("/v1/groups/g/members", "userID", "%FF", user.clone().field("userID[0]")),
        ("/v1/groups/g/members", "userID", "me", user.clone().field("userID[0]")),
        ("/v1/groups/g/members", "muted", "", Refusal::invalid("muted")),
        ("/v1/groups/g/members", "muted", "1", Refusal::invalid("muted")),
        ("/v1/groups/g/members", "muted", "True", Refusal::invalid("muted")),
        ("/v1/groups/g/members", "muted", "true&muted=true", Refusal::invalid("muted")),
        ("/v1/groups/g/bans", "next", "", user.clone().field("next")),
        ("/v1/groups/g/bans", "next", "%00", user.clone().field("next")),
        ("/v1/groups/g/bans", "next", &too_long, user.clone().field("next").limit(32)),
        ("/v1/groups/g/permissions", "userID", "", user.clone().field("userID")),
        ("/v1/groups/g/permissions", "userID", ".", user.clone().field("userID")),
        ("/v1/groups/g/permissions", "userID", "%FF", user.clone().field("userID")),
        ("/v1/groups/g/permissions", "userID", &too_long, user.field("userID").limit(32)),
        ("/v1/groups/g/permissions", "userID", "bob&userID=bob", Refusal::invalid("userID")),
        ("/v1/groups/g/events", "after", "-1", Refusal::invalid("after")),
        ("/v1/groups/g/events", "after", "", Refusal::invalid("after")),
        ("/v1/groups/g/events", "after", "1.0", Refusal::invalid("after")),
        ("/v1/groups/g/events", "after", "9223372036854775808", Refusal::invalid("after")),
        ("/v1/groups/g/events", "next", "x", Refusal::invalid("next")),
        ("/v1/users/alice/groups", "next", "", group.clone().field("next")),
        ("/v1/users/alice/groups", "next", &too_long, group.clone().field("next").limit(48)),
        ("/v1/applications", "groupID", "", group.clone().field("groupID")),
        ("/v1/applications", "groupID", "%C3", group.clone().field("groupID")),
        ("/v1/applications", "groupID", "..", group.clone().field("groupID")),
        ("/v1/applications", "groupID", &too_long, group.field("groupID").limit(48)),
        ("/v1/applications", "groupID", "g&groupID=g", Refusal::invalid("groupID")),
        ("/v1/applications", "next", "", Refusal::invalid("next")),
        ("/v1/applications", "next", "g", Refusal::invalid("next")),
    ];
    for (path, name, text, refusal) in cases {
        let target = format!("{path}?{name}={text}");
        let answer = world.ask("alice", "GET", &target, "").await;
        check(&target, &answer, &refusal);
    }
    world.end().await;
}

/// Whatever changes something can be tried first, and a flag that is none is refused before anything else.
#[tokio::test]
async fn a_bad_dry_run_is_named_by_every_route_that_changes_something() {
    let world = World::new().await;
    let before = world.state().await;
    let bodies = routes(&world.application);
    for (method, path) in calls(&world).into_iter().filter(|(method, _)| *method != "GET") {
        let known = bodies.iter().find(|one| one.method == method && one.path == path);
        let body = known.map_or_else(String::new, |route| route.good.to_string());
        let user = known.map_or("alice", |route| route.user);
        for text in ["", "1", "True", "yes", "%00", "false&dryRun=false", "true&dryRun=true"] {
            let target = format!("{path}?dryRun={text}");
            let answer = world.ask(user, method, &target, &body).await;
            let without = WITHOUT_DRY_RUN.contains(&(method, &path));
            let refusal = if without { unknown("dryRun") } else { Refusal::invalid("dryRun") };
            check(&format!("{method} {target}"), &answer, &refusal);
        }
        assert_eq!(world.state().await, before, "{method} {path}");
    }
    world.end().await;
}

/// A place behind the end is a place: the page is empty.
#[tokio::test]
async fn a_page_behind_the_end_is_empty() {
    let world = World::new().await;
    for (path, list) in [
        ("/v1/groups/g/members?next=~", "memberList"),
        ("/v1/groups/g/members?userID=nobody", "memberList"),
        ("/v1/groups/g/members?muted=true", "memberList"),
        ("/v1/groups/g/bans?next=~", "banList"),
        ("/v1/groups/g/events?after=9223372036854775807", "eventList"),
        ("/v1/groups/g/events?after=1000000&limit=1000", "eventList"),
        ("/v1/users/alice/groups?next=~", "groupList"),
        ("/v1/applications?next=ffffffff-ffff-ffff-ffff-ffffffffffff", "applicationList"),
    ] {
        let data = world.ask("alice", "GET", path, "").await.ok();
        assert_eq!(data[list].as_array().map(Vec::len), Some(0), "{path}: {data}");
        assert!(data.get("next").is_none(), "{path}: {data}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_bad_idempotency_key_is_refused_before_anything_happens() {
    let world = World::new().await;
    let before = world.state().await;
    let body = r#"{"userList":["dave"]}"#;
    let long = "k".repeat(256);
    let huge = "k".repeat(10_000);
    let refusal = || Refusal::invalid("Idempotency-Key");
    for (key, refusal) in [
        ("", refusal()),
        (&long, refusal().limit(255)),
        (&huge, refusal().limit(255)),
        ("schlüssel", refusal()),
        ("\u{1f680}", refusal()),
    ] {
        for (method, path) in calls(&world) {
            let what = format!("{method} {path} with the key {key:.20}");
            let headers = [("idempotency-key", key)];
            let answer = world.ask_with("alice", method, &path, &headers, body).await;
            check(&what, &answer, &refusal);
        }
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    let answer = world.ask_with("alice", "POST", "/v1/groups/g/kick", &twice, body).await;
    check("two keys", &answer, &refusal());
    assert_eq!(world.state().await, before);
    world.end().await;
}

#[tokio::test]
async fn huge_headers_are_refused_and_harm_nobody() {
    let world = World::new().await;
    let huge = "x".repeat(200_000);
    let many: Vec<String> = (0..500).map(|n| format!("x-{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    for (what, bytes) in [
        ("a huge header", request("GET", "/v1/limits", &[("x-huge", &huge)], "")),
        ("many headers", request("GET", "/v1/limits", &many, "")),
        ("a huge path", request("GET", &format!("/v1/{huge}"), &[], "")),
        ("a huge query", request("GET", &format!("/v1/limits?{huge}"), &[], "")),
    ] {
        let answer = exchange(world.server.url(), &bytes).await;
        assert!([400, 414, 431].contains(&answer.status), "{what}: {answer:?}");
        world.server.get("alice", "/v1/groups/g").await.ok();
    }
    let bearer = format!("Bearer {}", "x".repeat(50_000));
    let headers = [("authorization", bearer.as_str())];
    let answer = exchange(world.server.url(), &request("GET", "/v1/limits", &headers, "")).await;
    check("a huge token", &answer, &Refusal::new(401, 70003, "token_malformed"));
    world.end().await;
}

/// What hyper refuses itself never reaches a route; it must still be a refusal.
#[tokio::test]
async fn what_is_no_http_is_refused_and_harms_nobody() {
    let world = World::new().await;
    let url = world.server.url();
    for bytes in [
        &b"nonsense\r\n\r\n"[..],
        b"GET\r\n\r\n",
        b"GET /v1/limits HTTP/9.9\r\n\r\n",
        b"GET /v1/li mits HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET /v1/limits HTTP/1.1\r\nhost: a\r\nbad header\r\n\r\n",
        b"GET /v1/limits HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n",
        b"POST /v1/groups HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
        b"POST /v1/groups HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let what = String::from_utf8_lossy(bytes).into_owned();
        let mut wire = crate::common::wire::Wire::open(url).await;
        wire.say(bytes).await;
        if let Some(answer) = wire.answer().await {
            assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
        }
        world.server.get("alice", "/v1/groups/g").await.ok();
    }
    world.end().await;
}

/// HEAD is GET without the body; the length is that of GET.
#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let world = World::new().await;
    for (path, status) in [("/v1/limits", 200), ("/v1/groups/g", 200), ("/v1/groups/none", 404)] {
        let got = world.server.get("alice", path).await;
        check_envelope(path, &got);
        let token = format!("Bearer {}", world.server.token("alice"));
        let headers = [("authorization", token.as_str())];
        let head = world.server.send(reqwest::Method::HEAD, path, &headers, "").await;
        assert_eq!((head.status, got.status), (status, status), "{path}");
        assert_eq!(head.headers["content-length"], got.headers["content-length"], "{path}");
    }
    world.end().await;
}
