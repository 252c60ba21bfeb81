//! Whatever a client sends, the answer has HTTP status 200 and no code that blames the server.

use serde_json::{Map, Value, json};

use super::calls::right_calls;
use super::{group, signed};
use crate::common::Server;

fn hostile_values() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(-0.5),
        json!(""),
        json!(" "),
        json!("."),
        json!("\u{0}"),
        json!("a\u{0}b"),
        json!("é\u{202e}\u{1f600}"),
        json!("'; drop table groups; --"),
        json!("x".repeat(10_000)),
        json!([]),
        json!([null]),
        json!([[[]]]),
        json!(["\u{0}", "\u{0}"]),
        json!([{}]),
        json!([{"Member_Account": null, "UserID": []}]),
        json!(vec![json!("x"); 5_000]),
        json!({}),
        json!({"Member_Account": "bob"}),
    ]
}

/// The body with one field, at any depth, set to a value, for every field.
fn variants(body: &Value, value: &Value) -> Vec<Value> {
    match body {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, inner)| {
                let mut all = vec![value.clone()];
                all.extend(variants(inner, value));
                all.into_iter().map(|changed| {
                    let mut fields: Map<String, Value> = fields.clone();
                    fields.insert(name.clone(), changed);
                    Value::Object(fields)
                })
            })
            .collect(),
        Value::Array(list) => list
            .first()
            .map(|first| {
                let mut all = vec![json!([value])];
                all.extend(variants(first, value).into_iter().map(|one| json!([one])));
                all
            })
            .unwrap_or_default(),
        _ => Vec::new(),
    }
}

#[tokio::test]
async fn no_value_in_any_field_is_the_servers_fault() {
    // Otherwise most changes of attributes would be refused for coming too often.
    let server = Server::with(&[("MUSTER_ATTRIBUTE_CHANGES", "1000")]).await;
    let create = json!({"Type": "Public", "Name": "n", "GroupId": "g1", "Owner_Account": "owner"});
    group(&server, "create_group", create).await;
    for (command, right) in right_calls() {
        let path = signed(&server, &command);
        for value in hostile_values() {
            for body in variants(&right, &value) {
                let (status, answer) = server.v4_raw(&path, body.to_string().as_bytes()).await;
                let shown: String = body.to_string().chars().take(300).collect();
                assert_eq!(status, 200, "{command} {shown}");
                let code = answer["ErrorCode"].as_i64().expect("ErrorCode");
                assert!(!matches!(code, 10_002 | 70_500), "{command} {shown}: {answer}");
                let expected = if code == 0 { "OK" } else { "FAIL" };
                assert_eq!(answer["ActionStatus"], expected, "{command} {shown}");
            }
        }
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn no_bytes_are_the_servers_fault() {
    let server = Server::start().await;
    let deep = "[".repeat(100_000);
    let nested = format!("{{\"a\":{}{}}}", "[".repeat(120), "]".repeat(120));
    let twice = br#"{"GroupId": "a", "GroupId": 7, "GroupId": "b"}"#;
    for (command, _) in right_calls() {
        let path = signed(&server, &command);
        // The only command that needs no field: all that is a JSON object asks for its first page.
        let needy = command != "group_open_http_svc/get_appid_group_list";
        for body in [
            b"".as_slice(),
            b"\0",
            b"\xff\xfe{}",
            b"\xef\xbb\xbf{}",
            b"{\"GroupId\": \"\xff\"}",
            b"{\"GroupId\": \"\\ud800\"}",
            b"{\"GroupId\": 1e9999}",
            b"{\"GroupId\": 123456789012345678901234567890}",
            deep.as_bytes(),
            nested.as_bytes(),
            twice,
        ] {
            let (status, answer) = server.v4_raw(&path, body).await;
            assert_eq!(status, 200, "{command}");
            let code = answer["ErrorCode"].as_i64().expect("ErrorCode");
            assert!(!matches!(code, 10_002 | 70_500), "{command}: {answer}");
            let object = serde_json::from_slice::<Map<String, Value>>(body).is_ok();
            assert_eq!(code == 0, object && !needy, "{command}: {answer}");
        }
    }
    server.stop().await;
}
