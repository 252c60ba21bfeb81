//! `account_import`, `multiaccount_import`, `account_check`.

use serde_json::{Value, json};

use super::{login, ok, refused};
use crate::common::{ADMIN, Server};

async fn nick(server: &Server, user: &str) -> Value {
    server.get(ADMIN, &format!("/v1/users/{user}")).await.ok()["nickName"].clone()
}

#[tokio::test]
async fn an_account_is_imported_and_refreshed() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    let import = json!({"UserID": "test", "Nick": "Tester", "FaceUrl": "http://www.qq.com"});
    let answer = ok(login(&server, "account_import", import.clone()).await);
    assert_eq!(answer, json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}));
    ok(login(&server, "account_import", import).await);
    assert_eq!(nick(&server, "test").await, "Tester");
    // The old name of the field; what is absent stays as it is.
    ok(login(&server, "account_import", json!({"Identifier": "test", "Type": 0})).await);
    assert_eq!(nick(&server, "test").await, "Tester");
    ok(login(&server, "account_import", json!({"Identifier": "test", "Nick": "Other"})).await);
    assert_eq!(nick(&server, "test").await, "Other");
    server.stop().await;
}

#[tokio::test]
async fn what_account_import_refuses() {
    let server = Server::start().await;
    for (body, code) in [
        (json!({}), 70_402),
        (json!({"UserID": ""}), 70_402),
        (json!({"UserID": null}), 70_402),
        (json!({"UserID": 7}), 70_402),
        (json!({"UserID": "x".repeat(33)}), 70_402),
        (json!({"UserID": "é"}), 70_402),
        (json!({"UserID": "a", "Nick": []}), 70_402),
        (json!({"UserID": "a", "Nick": "x".repeat(501)}), 40_601),
        (json!({"UserID": "a", "FaceUrl": "x".repeat(501)}), 40_601),
    ] {
        refused(&login(&server, "account_import", body).await, code);
    }
    server.stop().await;
}

#[tokio::test]
async fn many_accounts_are_imported_in_both_ways() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    let old = json!({"Accounts": ["test1", "test2", "", "test1"]});
    let answer = ok(login(&server, "multiaccount_import", old).await);
    assert_eq!(answer["FailAccounts"], json!([""]));
    let new = json!({"AccountList": [
        {"UserID": "test2", "Nick": "Two"},
        {"UserID": "test3", "Nick": "Three", "FaceUrl": "http://face"},
        {"UserID": "x".repeat(33)},
    ]});
    let answer = ok(login(&server, "multiaccount_import", new).await);
    assert_eq!(answer["FailAccounts"], json!(["x".repeat(33)]));
    assert_eq!(nick(&server, "test2").await, "Two");
    assert_eq!(nick(&server, "test3").await, "Three");
    let nothing = ok(login(&server, "multiaccount_import", json!({"Accounts": ["me"]})).await);
    assert_eq!(nothing["FailAccounts"], json!(["me"]));

    let many: Vec<String> = (0..101).map(|number| format!("u{number}")).collect();
    for body in [
        json!({}),
        json!({"Accounts": []}),
        json!({"Accounts": "a"}),
        json!({"Accounts": [1]}),
        json!({"AccountList": [{}]}),
        json!({"Accounts": many}),
    ] {
        refused(&login(&server, "multiaccount_import", body).await, 70_402);
    }
    let hundred = json!({"Accounts": many[..100]});
    assert_eq!(ok(login(&server, "multiaccount_import", hundred).await)["FailAccounts"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn accounts_are_checked_one_by_one() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    ok(login(&server, "account_import", json!({"UserID": "here"})).await);
    let body = json!({"CheckItem": [
        {"UserID": "here"}, {"UserID": "not-here"}, {"Identifier": "here"}, {"UserID": "é"},
    ]});
    let answer = ok(login(&server, "account_check", body).await);
    let items = answer["ResultItem"].as_array().expect("ResultItem");
    assert_eq!(items.len(), 3);
    let imported =
        json!({"UserID": "here", "ResultCode": 0, "ResultInfo": "", "AccountStatus": "Imported"});
    assert_eq!(items[0], imported);
    let absent = json!({
        "UserID": "not-here", "ResultCode": 0, "ResultInfo": "", "AccountStatus": "NotImported"
    });
    assert_eq!(items[1], absent);
    assert_eq!((&items[2]["UserID"], &items[2]["ResultCode"]), (&json!("é"), &json!(70_402)));

    let many: Vec<Value> = (0..101).map(|n| json!({"UserID": format!("u{n}")})).collect();
    for body in [
        json!({}),
        json!({"CheckItem": []}),
        json!({"CheckItem": {}}),
        json!({"CheckItem": ["a"]}),
        json!({"CheckItem": [{}]}),
        json!({"CheckItem": [{"UserID": 1}]}),
        json!({"CheckItem": many}),
    ] {
        refused(&login(&server, "account_check", body).await, 70_402);
    }
    server.stop().await;
}
