//! Bodies that are no JSON, no object, too large or not text.

use serde_json::json;

use super::routes::routes;
use super::{Refusal, World, check, check_envelope};

/// The bound on a body.
const BODY: usize = 256 * 1024;

/// Bodies that are no JSON at all.
fn no_json() -> Vec<(&'static str, Vec<u8>)> {
    let deep = |open: &str| open.repeat(50_000).into_bytes();
    let mut utf16: Vec<u8> = vec![0xff, 0xfe];
    utf16.extend("{}".encode_utf16().flat_map(u16::to_le_bytes));
    vec![
        ("half an object", b"{".to_vec()),
        ("half a text", br#"{"message": "a"#.to_vec()),
        ("half an escape", br#"{"message": "\u12"}"#.to_vec()),
        ("a lone surrogate", br#"{"message": "\ud800"}"#.to_vec()),
        ("a raw control character", b"{\"message\": \"a\nb\"}".to_vec()),
        ("a comma too many", br#"{"message": "a",}"#.to_vec()),
        ("single quotes", b"{'message': 'a'}".to_vec()),
        ("a comment", b"{/* */}".to_vec()),
        ("two values", b"{}{}".to_vec()),
        ("something behind", b"{} x".to_vec()),
        ("a NUL behind", b"{}\0".to_vec()),
        ("a NUL", b"\0".to_vec()),
        ("blanks", b" \n\t ".to_vec()),
        ("a word", b"nope".to_vec()),
        ("not a number", b"NaN".to_vec()),
        ("a form", b"userList=bob&userList=carol".to_vec()),
        ("a page", b"<html></html>".to_vec()),
        ("UTF-16", utf16),
        ("a byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("invalid UTF-8 in a value", b"{\"message\": \"\xff\xfe\"}".to_vec()),
        ("invalid UTF-8 in a name", b"{\"mess\xffage\": \"a\"}".to_vec()),
        ("an overlong NUL", b"{\"message\": \"\xc0\x80\"}".to_vec()),
        ("a surrogate in UTF-8", b"{\"message\": \"\xed\xa0\x80\"}".to_vec()),
        ("deep lists", deep("[")),
        ("deep objects", deep(r#"{"a":"#)),
        ("deep in a field", [br#"{"message":"#.as_slice(), &deep("[")].concat()),
        ("a huge number", br#"{"banSeconds": 1e99999}"#.to_vec()),
        ("random bytes", (0..2_000_u32).map(|n| (n * n % 251) as u8).collect()),
    ]
}

/// JSON, and not an object.
const NO_OBJECTS: &[&str] = &[
    "[]",
    "[{}]",
    "[null]",
    r#"["x"]"#,
    r#"[["dave"]]"#,
    r#"["x",["dave"],null,null,null,null,null,null,null,null,null]"#,
    "null",
    "true",
    "0",
    "-1.5e3",
    r#""{}""#,
];

#[tokio::test]
async fn what_is_no_json_object_is_refused_by_every_route() {
    let world = World::new().await;
    let before = world.state().await;
    for route in routes(&world.application) {
        for (what, body) in no_json() {
            let what = format!("{} {} with {what}", route.method, route.path);
            let answer = world.ask(route.user, route.method, &route.path, &body).await;
            check_envelope(&what, &answer);
            // What is wrong first is told: in an object that may be a field, and an array is none.
            let possible: &[&str] = match body.first() {
                Some(b'{') => {
                    &["malformed_json", "unknown_field", "missing_field", "invalid_parameter"]
                }
                Some(b'[') => &["malformed_json", "invalid_parameter"],
                _ => &["malformed_json"],
            };
            let reason = answer.body["data"]["reason"].as_str().unwrap_or_default();
            assert!(answer.status == 400 && possible.contains(&reason), "{what}: {answer:?}");
            assert_eq!(world.state().await, before, "{what}");
        }
        for body in NO_OBJECTS {
            let what = format!("{} {} with {body}", route.method, route.path);
            let answer = world.ask(route.user, route.method, &route.path, body).await;
            check(&what, &answer, &Refusal::invalid("the body"));
            assert_eq!(world.state().await, before, "{what}");
        }
    }
    world.end().await;
}

/// The code of malformed JSON, and where it is malformed.
#[tokio::test]
async fn malformed_json_is_10011_and_says_where() {
    let world = World::new().await;
    let path = "/v1/groups/g/kick";
    for (body, place) in [
        (&b"{\n  \"userList\": [\"bob\"\n"[..], "line 3"),
        (b"{\"userList\": [\"bob\"]} x", "column 23"),
        (b"{\"userList\": [\"b\xffb\"]}", "line 1"),
        (b"nope", "column 2"),
    ] {
        let answer = world.ask("alice", "POST", path, body).await;
        let what = String::from_utf8_lossy(body).into_owned();
        check(&what, &answer, &Refusal::malformed());
        let desc = answer.body["desc"].as_str().expect("desc");
        assert!(desc.contains(place), "{what}: {desc}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_body_has_at_most_256_kib() {
    let world = World::new().await;
    let before = world.state().await;
    let large = Refusal::new(413, 10004, "body_too_large").limit(256 * 1024);
    for route in routes(&world.application) {
        let mut body = route.good.to_string().into_bytes();
        body.resize(BODY + 1, b' ');
        let answer = world.ask(route.user, route.method, &route.path, &body).await;
        check(&route.path, &answer, &large);
    }
    let path = "/v1/groups/g/kick";
    let answer = world.ask("alice", "POST", path, vec![b'['; 8 * 1024 * 1024]).await;
    check("eight MiB", &answer, &large);
    assert_eq!(world.state().await, before);

    let mut body = json!({ "userList": ["bob"] }).to_string().into_bytes();
    body.resize(BODY, b' ');
    let answer = world.ask("alice", "POST", path, &body).await;
    assert_eq!(answer.ok()[0]["result"], 1);
    world.end().await;
}

/// The length need not be known beforehand.
#[tokio::test]
async fn a_chunked_body_has_the_same_bound() {
    let world = World::new().await;
    let chunked = |chunks: usize, size: usize| {
        let chunk = format!("{size:x}\r\n{}\r\n", " ".repeat(size));
        let body = r#"{"userList":["bob"]}"#;
        format!("{:x}\r\n{body}\r\n{}0\r\n\r\n", body.len(), chunk.repeat(chunks))
    };
    let headers = [("transfer-encoding", "chunked")];
    let path = "/v1/groups/g/kick";
    let answer = world.ask_with("alice", "POST", path, &headers, chunked(300, 1_024)).await;
    let large = Refusal::new(413, 10004, "body_too_large").limit(256 * 1024);
    check("300 KiB in chunks", &answer, &large);
    let answer = world.ask_with("alice", "POST", path, &headers, "zzz\r\n\r\n").await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer = world.ask_with("alice", "POST", path, &headers, chunked(200, 1_024)).await;
    assert_eq!(answer.ok()[0]["result"], 1);
    world.end().await;
}

/// A body is JSON whatever its type is said to be, and absent it is `{}`.
#[tokio::test]
async fn the_content_type_does_not_matter_and_an_empty_body_is_an_empty_object() {
    let world = World::new().await;
    for kind in ["text/plain", "application/x-www-form-urlencoded", "nonsense", ""] {
        let headers = [("content-type", kind)];
        let body = json!({ "nickName": kind }).to_string();
        world.ask_with("dave", "PUT", "/v1/users/me", &headers, body).await.ok();
        let found = world.server.get("dave", "/v1/users/me").await.ok();
        assert_eq!(found["nickName"], kind);
    }
    world.ask("bob", "POST", "/v1/groups/g/quit", "").await.ok();
    let answer = world.ask("alice", "POST", "/v1/groups/g/kick", "").await;
    let missing = Refusal::new(400, 10004, "missing_field").field("userList");
    check("an empty body", &answer, &missing);
    world.end().await;
}
