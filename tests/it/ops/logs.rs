//! Log lines: JSON when asked for, with the request's id, and never a credential.

use serde_json::{Value, json};

use super::program::Program;
use crate::common::process::Directory;
use crate::common::wire::{exchange, request};
use crate::common::{ADMIN, APP, KEY, cluster, jwt_of};

fn usersig() -> String {
    let key = muster::auth::SecretKey::new(KEY);
    let user = muster::model::UserId::from_stored(ADMIN);
    muster::auth::usersig::sign(&key, APP, &user, chrono::Utc::now(), 600, None).expect("a UserSig")
}

#[tokio::test]
async fn every_line_is_json_and_names_the_request_and_no_token() {
    let directory = Directory::new("logs");
    let database = cluster::fresh_database().await;
    let settings = [
        ("DATABASE_URL", database.as_str()),
        ("MUSTER_LOG_FORMAT", "json"),
        ("MUSTER_LOG", "trace"),
    ];
    let mut program = Program::start(directory.path(), &settings).await;
    let (jwt, usersig) = (jwt_of("alice", 600), usersig());
    let v4 = format!(
        "/v4/group_open_http_svc/get_appid_group_list?sdkappid={APP}&identifier={ADMIN}&usersig={usersig}"
    );
    let broken = format!("{jwt}x");
    for (method, target, token, body) in [
        ("GET", "/v1/limits", &jwt, json!({})),
        ("GET", "/v1/limits", &usersig, json!({})),
        ("GET", "/v1/limits", &broken, json!({})),
        ("GET", &format!("/v1/limits?token={jwt}"), &jwt, json!({})),
        ("POST", "/v1/groups", &jwt, json!({ "groupType": "Work", "groupName": "n" })),
        ("POST", "/v1/groups/g/invite", &jwt, json!({ "userList": 5 })),
        ("POST", v4.as_str(), &jwt, json!({})),
    ] {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("x-request-id", "id-of-this-test")];
        let bytes = request(method, target, &headers, body.to_string());
        let answer = exchange(&program.url, &bytes).await;
        assert!(answer.status < 500, "{target}: {answer:?}");
    }
    program.signal("TERM");
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
    let mut answered = Vec::new();
    for line in said.lines() {
        let line: Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(line["timestamp"].is_string() && line["level"].is_string(), "{line}");
        assert!(line["fields"]["message"].is_string(), "{line}");
        if line["fields"]["message"] == "answered" {
            answered.push((line["span"]["id"].clone(), line["span"]["path"].clone()));
            assert!(line["fields"]["status"].is_number(), "{line}");
            assert!(line["fields"]["latency_ms"].is_number(), "{line}");
        }
    }
    assert_eq!(answered.len(), 7, "{said}");
    assert!(answered.iter().all(|(id, _)| id == "id-of-this-test"), "{answered:?}");
    assert!(answered.iter().any(|(_, path)| path == "/v1/groups/g/invite"), "{answered:?}");
    // Neither whole nor in part: what makes a token is its last part.
    let signature = jwt.rsplit('.').next().expect("a signature");
    for secret in [&jwt, &usersig, signature, &usersig[usersig.len() / 2..], KEY] {
        assert!(!said.contains(secret), "a credential is in the log: {said}");
    }
    assert!(!directory.path().exists());
}

/// An operator who asks for less gets less: no line for each request.
#[tokio::test]
async fn the_filter_decides_what_is_written() {
    let directory = Directory::new("quiet");
    let database = cluster::fresh_database().await;
    let settings = [("DATABASE_URL", database.as_str()), ("MUSTER_LOG", "error")];
    let mut program = Program::start(directory.path(), &settings).await;
    assert_eq!(program.get("alice", "/v1/limits").await.0, 200);
    assert_eq!(program.get("alice", "/v1/groups/none").await.0, 404);
    program.signal("TERM");
    let (status, said) = program.ended().await;
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}
