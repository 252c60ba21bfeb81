//! Who may end credentials and accounts, and what such a call may say.

use serde_json::{Value, json};

use crate::common::{ADMIN, Server};
use crate::groups::everything;

const ROUTES: [&str; 2] = ["", "/credentials"];

#[tokio::test]
async fn only_administrators_end_credentials_and_accounts() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({})).await;
    let before = everything(&server).await;
    for below in ROUTES {
        for user in ["alice", "me", "nobody", ADMIN] {
            let answer = server.delete("alice", &format!("/v1/users/{user}{below}")).await;
            answer.refused(403, 10007, "administrators_only");
        }
        let answer = server.send(reqwest::Method::DELETE, "/v1/users/alice", &[], "").await;
        answer.refused(401, 70002, "token_missing");
    }
    for command in ["account_delete", "kick"] {
        let body = json!({ "UserID": "alice", "DeleteItem": [{ "UserID": "alice" }] });
        let answer = server.v4_as("alice", &format!("im_open_login_svc/{command}"), body).await;
        assert_eq!(answer["ErrorCode"], 60010, "{answer}");
    }
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_named_as_such() {
    for accounts in ["open", "registered"] {
        let server = Server::with(&[("MUSTER_ACCOUNTS", accounts)]).await;
        let before = everything(&server).await;
        for below in ROUTES {
            let answer = server.delete(ADMIN, &format!("/v1/users/nobody{below}")).await;
            let data = answer.refused(404, 10019, "unknown_user");
            assert_eq!(data["field"], "userID");
        }
        let answer = server.v4("im_open_login_svc/kick", json!({ "UserID": "nobody" })).await;
        assert_eq!(
            (&answer["ActionStatus"], &answer["ErrorCode"]),
            (&json!("FAIL"), &json!(70107))
        );
        let body = json!({ "DeleteItem": [{ "UserID": "nobody" }] });
        let answer = server.v4("im_open_login_svc/account_delete", body).await;
        assert_eq!(answer["ErrorCode"], 0, "{answer}");
        assert_eq!(answer["ResultItem"][0]["ResultCode"], 70107, "{answer}");
        assert_eq!(everything(&server).await, before, "not even a row of a user was made");
        server.stop().await;
    }
}

#[tokio::test]
async fn the_native_routes_refuse_what_they_do_not_know() {
    let server = Server::start().await;
    server.put(ADMIN, "/v1/users/alice", json!({})).await.ok();
    let before = everything(&server).await;
    for below in ROUTES {
        let path = format!("/v1/users/alice{below}");
        let data = server.delete(ADMIN, &format!("{path}?force=true")).await;
        let data = data.refused(400, 10004, "unknown_field");
        assert_eq!(data["field"], "force");
        for id in ["%20%00", "%FF", &"x".repeat(33)] {
            let answer = server.delete(ADMIN, &format!("/v1/users/{id}{below}")).await;
            answer.refused(400, 10004, "invalid_user_id");
        }
    }
    server.get(ADMIN, "/v1/users/alice/credentials").await.refused(
        405,
        10003,
        "method_not_allowed",
    );
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn what_kick_refuses() {
    let server = Server::start().await;
    for body in [
        json!({}),
        json!({ "UserID": null }),
        json!({ "UserID": "" }),
        json!({ "UserID": 7 }),
        json!({ "UserID": ["alice"] }),
        json!({ "UserID": {} }),
        json!({ "UserID": "x".repeat(33) }),
        json!({ "UserID": "a\u{0}b" }),
        json!({ "Identifier": true }),
    ] {
        let answer = server.v4("im_open_login_svc/kick", body.clone()).await;
        assert_eq!(answer["ErrorCode"], 70402, "{body}: {answer}");
        let text = answer["ErrorInfo"].as_str().unwrap_or_default();
        assert!(text.contains("UserID") || text.contains("Identifier"), "{body}: {answer}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_account_delete_refuses() {
    let server = Server::start().await;
    let many: Vec<Value> = (0..101).map(|n| json!({ "UserID": format!("u{n}") })).collect();
    for body in [
        json!({}),
        json!({ "DeleteItem": null }),
        json!({ "DeleteItem": [] }),
        json!({ "DeleteItem": {} }),
        json!({ "DeleteItem": "alice" }),
        json!({ "DeleteItem": ["alice"] }),
        json!({ "DeleteItem": [null] }),
        json!({ "DeleteItem": [{}] }),
        json!({ "DeleteItem": [{ "UserID": null }] }),
        json!({ "DeleteItem": [{ "UserID": 7 }] }),
        json!({ "DeleteItem": many }),
    ] {
        let answer = server.v4("im_open_login_svc/account_delete", body.clone()).await;
        assert_eq!(answer["ErrorCode"], 70402, "{body}: {answer}");
        assert!(answer["ErrorInfo"].as_str().is_some_and(|text| text.contains("DeleteItem")));
    }
    server.stop().await;
}

#[tokio::test]
async fn account_delete_answers_for_each() {
    let server = Server::start().await;
    server.put(ADMIN, "/v1/users/alice", json!({})).await.ok();
    server.put(ADMIN, "/v1/users/bob", json!({})).await.ok();
    let body = json!({ "DeleteItem": [
        { "UserID": "alice" }, { "UserID": "nobody" }, { "UserID": "" }, { "Identifier": "bob" },
        { "UserID": "x".repeat(33) }, { "UserID": "alice" },
    ] });
    let answer = server.v4("im_open_login_svc/account_delete", body).await;
    assert_eq!((&answer["ActionStatus"], &answer["ErrorCode"]), (&json!("OK"), &json!(0)));
    let items = answer["ResultItem"].as_array().expect("ResultItem");
    let found: Vec<(&str, i64)> = items
        .iter()
        .map(|item| {
            let code = item["ResultCode"].as_i64().expect("ResultCode");
            assert_eq!(item["ResultInfo"] == "", code == 0, "{item}");
            (item["UserID"].as_str().expect("UserID"), code)
        })
        .collect();
    let long = "x".repeat(33);
    let expected =
        [("alice", 0), ("nobody", 70107), ("", 70402), ("bob", 0), (long.as_str(), 70402)];
    assert_eq!(found, expected);
    super::gone(&server, "alice").await;
    super::gone(&server, "bob").await;
    server.check_invariants().await;
    server.stop().await;
}
