//! What every call has to pass, in the order of row 12 of `decisions.md`, and what is tolerated.

use chrono::{TimeDelta, Utc};
use muster::auth::{SecretKey, usersig};
use muster::model::UserId;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ok, refused, signed};
use crate::common::{ADMIN, APP, KEY, Server, eventually, wire};

const CREATE: &str = "group_open_http_svc/create_group";

/// A signature with this key, for this app, of bob, that was made so many seconds ago for one minute.
fn of_bob(key: &str, app: u64, seconds_ago: i64) -> String {
    let made = Utc::now() - TimeDelta::seconds(seconds_ago);
    let bob = UserId::from_stored("bob");
    usersig::sign(&SecretKey::new(key), app, &bob, made, 60, None).expect("a signature")
}

#[tokio::test]
async fn refusals_come_in_the_documented_order() {
    let server = Server::start().await;
    let alice = server.usersig("alice");
    let admin = server.usersig(ADMIN);
    let other_key = "another key, of enough bytes too";
    let of_other_app = of_bob(other_key, APP + 1, 90);
    let of_other_user = of_bob(other_key, APP, 90);
    let ended = of_bob(KEY, APP, 90);
    let unknown = "/v4/group_open_http_svc/no_such_command";
    let create = format!("/v4/{CREATE}");
    let good = format!("sdkappid={APP}&identifier={ADMIN}&usersig={admin}");
    // Every call is wrong in what is checked later, too: the body is no JSON until the last ones.
    let steps = [
        ("/v4/no_such_svc/create_group".to_owned(), 60_009),
        ("/v4/group_open_http_svc".to_owned(), 60_009),
        ("/v4/".to_owned(), 60_009),
        ("/v4".to_owned(), 60_009),
        ("/v4/Group_Open_Http_Svc/create_group".to_owned(), 60_009),
        (unknown.to_owned(), 60_012),
        (format!("{unknown}?sdkappid=abc"), 60_012),
        (format!("{unknown}?sdkappid=1"), 60_006),
        (format!("{unknown}?sdkappid={APP}"), 70_002),
        (format!("{unknown}?sdkappid={APP}&identifier=bob&usersig=eJx"), 70_003),
        (format!("{unknown}?sdkappid={APP}&identifier=alice&usersig={of_other_app}"), 70_014),
        (format!("{unknown}?sdkappid={APP}&identifier=alice&usersig={of_other_user}"), 70_013),
        (format!("{unknown}?sdkappid={APP}&usersig={of_other_user}"), 70_013),
        (format!("{unknown}?sdkappid={APP}&identifier=bob&usersig={of_other_user}"), 70_009),
        (format!("{unknown}?sdkappid={APP}&identifier=bob&usersig={ended}"), 70_001),
        (format!("{unknown}?sdkappid={APP}&identifier=alice&usersig={alice}"), 60_010),
        (format!("{create}?sdkappid={APP}&identifier=alice&usersig={alice}"), 60_010),
        (format!("{unknown}?{good}"), 10_003),
        (format!("/v4/group_open_http_svc/Create_Group?{good}"), 10_003),
        (format!("/v4/group_open_http_svc/apply_join_group?{good}"), 10_003),
        (format!("/v4/im_open_login_svc/create_group?{good}"), 10_003),
        (format!("{create}?{good}"), 60_003),
    ];
    for (path, code) in steps {
        let (status, answer) = server.v4_raw(&path, b"no JSON").await;
        assert_eq!(status, 200, "{path}");
        refused(&answer, code);
    }
    for body in ["[]", "null", "1", "\"{}\"", "", "{\"Type\":"] {
        let (status, answer) = server.v4_raw(&format!("{create}?{good}"), body.as_bytes()).await;
        assert_eq!(status, 200, "{body}");
        refused(&answer, 60_003);
    }
    let (_, answer) = server.v4_raw(&format!("{create}?{good}"), b"{}").await;
    refused(&answer, 10_004);
    server.stop().await;
}

#[tokio::test]
async fn a_user_is_no_administrator() {
    let server = Server::start().await;
    for command in [CREATE, "im_open_login_svc/account_check"] {
        refused(&server.v4_as("alice", command, json!({})).await, 60_010);
    }
    server.stop().await;
}

#[tokio::test]
async fn what_real_clients_send_is_tolerated() {
    let server = Server::start().await;
    let path = signed(&server, CREATE);
    let body = json!({
        "Type": "Public", "Name": "n", "GroupType": "", "MaxMemberCount": 500, "Unknown": [1],
    });
    let bytes = body.to_string().into_bytes();
    let queries = [
        path.clone(),
        format!("{path}&random=99999999&contenttype=json"),
        format!("{path}&random=abc&contenttype=xml&extra=1&extra=2"),
        path.replace('*', "%2A"),
    ];
    for path in queries {
        for method in [Method::POST, Method::GET] {
            for content_type in ["", "application/json", "text/plain", "application/x-www-form"] {
                let headers = [("content-type", content_type)];
                let headers = if content_type.is_empty() { &[][..] } else { &headers };
                let answer = server.send(method.clone(), &path, headers, bytes.clone()).await;
                assert_eq!(answer.status, 200);
                assert_eq!(answer.headers["content-type"], "application/json");
                ok(answer.body);
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_get_without_a_body_has_no_fields() {
    let server = Server::start().await;
    let path = signed(&server, CREATE);
    let answer = server.send(Method::GET, &path, &[], "").await;
    assert_eq!(answer.status, 200);
    assert!(refused(&answer.body, 10_004).contains("Type is missing"));
    server.stop().await;
}

#[tokio::test]
async fn other_methods_are_answered_too() {
    let server = Server::start().await;
    let path = signed(&server, CREATE);
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = server.send(method, &path, &[], "{}").await;
        assert_eq!(answer.status, 200);
        refused(&answer.body, 60_008);
    }
    let answer = server.send(Method::HEAD, &path, &[], "").await;
    assert_eq!((answer.status, answer.body), (200, Value::String(String::new())));
    server.stop().await;
}

#[tokio::test]
async fn a_body_has_a_bound() {
    let server = Server::start().await;
    let path = signed(&server, CREATE);
    let sized = |bytes: usize| {
        let mut body = json!({"Type": "Public", "Name": "n", "Pad": ""}).to_string();
        body.truncate(body.len() - 2);
        let padding = "x".repeat(bytes - body.len() - 2);
        body + &padding + "\"}"
    };
    let bound = muster::http::BODY_BYTES;
    let (status, answer) = server.v4_raw(&path, sized(bound).as_bytes()).await;
    assert_eq!(status, 200);
    ok(answer);
    for bytes in [bound + 1, 2 * bound, 4 * bound] {
        let (status, answer) = server.v4_raw(&path, sized(bytes).as_bytes()).await;
        assert_eq!(status, 200);
        assert!(refused(&answer, 10_004).contains("bytes"));
    }
    // A refused caller comes to read the answer as well.
    let (status, answer) = server.v4_raw(&format!("/v4/{CREATE}"), sized(bound).as_bytes()).await;
    assert_eq!(status, 200);
    refused(&answer, 60_012);
    server.stop().await;
}

#[tokio::test]
async fn a_path_is_taken_as_it_is() {
    let server = Server::start().await;
    let good = signed(&server, CREATE);
    for wrong in [
        good.replace("/v4/", "/v4//"),
        good.replace("create_group?", "create_group/?"),
        good.replace("create_group?", "create%5Fgroup?"),
        good.replace("create_group?", "create_group/x?"),
        good.replace("/v4/group_open_http_svc/", "/v4/../v4/group_open_http_svc/%2e%2e/"),
        good.replace("create_group?", "%ff?"),
    ] {
        let request = wire::request("POST", &wrong, &[], "{}");
        let answer = Box::pin(wire::exchange(server.url(), &request)).await;
        assert_eq!(answer.status, 200, "{wrong}");
        let code = answer.body["ErrorCode"].as_i64();
        assert!(matches!(code, Some(60_009 | 10_003)), "{wrong}: {}", answer.body);
    }
    server.stop().await;
}

#[tokio::test]
async fn calls_are_counted_by_command_and_code() {
    let server = Server::start().await;
    ok(server.v4(CREATE, json!({"Type": "Public", "Name": "n"})).await);
    refused(&server.v4(CREATE, json!({})).await, 10_004);
    refused(&server.v4("group_open_http_svc/invented_by_a_client", json!({})).await, 10_003);
    server.v4_raw("/v4/invented_svc/x", b"").await;
    let expected = [
        "face=\"v4\",route=\"create_group\",status=\"0\"} 1",
        "face=\"v4\",route=\"create_group\",status=\"10004\"} 1",
        "face=\"v4\",route=\"unknown\",status=\"10003\"} 1",
        "face=\"v4\",route=\"unknown\",status=\"60009\"} 1",
    ];
    eventually("the metrics count the calls", async || {
        let url = format!("{}/metrics", server.ops_url());
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        assert!(!text.contains("invented"), "{text}");
        expected.iter().all(|line| text.contains(line)).then_some(())
    })
    .await;
    server.stop().await;
}
