//! `?dryRun=true` answers what a call would answer, and changes nothing.

use reqwest::Method;
use serde_json::{Value, json};

use super::crowd;
use crate::common::{ADMIN, Server};
use crate::groups::{at, everything, join};

#[tokio::test]
async fn every_change_of_members_can_be_tried_first() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    join(&server, "applicant", &group).await.ok();
    let list = server.get("owner", "/v1/applications").await.ok();
    let application =
        list["applicationList"][0]["applicationID"].as_str().expect("an id").to_owned();
    let of = |below: &str| at(&group, below);
    let decide = |what: &str| format!("/v1/applications/{application}/{what}");
    let none = json!({});
    let calls: Vec<(Method, &str, String, Value)> = vec![
        (Method::POST, ADMIN, of("invite"), json!({ "userList": ["new", "m1"] })),
        (Method::PUT, "owner", of("bans/m1"), json!({ "seconds": 5 })),
        (Method::PUT, "owner", of("bans/owner"), none.clone()),
        (Method::DELETE, "owner", of("bans/m1"), none.clone()),
        (Method::PATCH, "owner", of("members/m1"), json!({ "role": "Admin", "nameCard": "x" })),
        (Method::PATCH, "m1", of("members/m2"), json!({ "nameCard": "x" })),
        (Method::PATCH, "owner", of(""), json!({ "muteAll": true })),
        (Method::POST, "m2", of("join"), none.clone()),
        (Method::POST, "stranger", of("join"), none.clone()),
        (Method::POST, "owner", decide("accept"), none.clone()),
        (Method::POST, "m1", decide("refuse"), none.clone()),
        (Method::POST, "owner", of("kick"), json!({ "userList": ["m2", "nobody"] })),
        (Method::POST, "m1", of("quit"), none.clone()),
        (Method::POST, "owner", of("quit"), none.clone()),
        (Method::PUT, "m1", of("owner"), json!({ "userID": "m2" })),
        (Method::PUT, "owner", of("owner"), json!({ "userID": "admin 1" })),
        (Method::DELETE, "owner", of(""), none.clone()),
        (Method::DELETE, ADMIN, of(""), none),
    ];
    for (method, caller, path, body) in calls {
        let before = everything(&server).await;
        let tried = server
            .call(method.clone(), caller, &format!("{path}?dryRun=true"), Some(body.clone()))
            .await;
        assert_eq!(everything(&server).await, before, "{method} {path} {body}");
        let done = server.call(method.clone(), caller, &path, Some(body.clone())).await;
        assert_eq!((tried.status, tried.body), (done.status, done.body), "{method} {path} {body}");
    }
    server.check_invariants().await;
    server.stop().await;
}
