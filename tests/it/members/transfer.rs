//! A group gets another owner.

use serde_json::{Value, json};

use super::{crowd, line};
use crate::common::{ADMIN, Answer, Server};
use crate::groups::{at, everything, group_of, newest};

async fn transfer(server: &Server, caller: &str, group: &str, to: &str) -> Answer {
    server.put(caller, &at(group, "owner"), json!({ "userID": to })).await
}

#[tokio::test]
async fn the_new_owner_owns_and_the_old_one_is_an_ordinary_member() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let mut socket = server.ws("m2").await;
    assert_eq!(transfer(&server, "owner", &group, "m1").await.ok(), Value::Null);
    let event = socket.expect("onGroupInfoChanged").await;
    assert_eq!(event["changeInfos"], json!([{ "type": "owner", "value": "m1" }]));
    assert_eq!(event["opUser"]["userID"], "owner");
    assert_eq!(line(&server, &group, "m1").await["role"], "Owner");
    assert_eq!(line(&server, &group, "owner").await["role"], "Member");
    assert_eq!(server.get("m2", &at(&group, "")).await.ok()["owner"], "m1");
    transfer(&server, "owner", &group, "m2").await.refused(403, 10007, "role_too_low");
    transfer(&server, "m1", &group, "admin 1").await.ok();
    assert_eq!(line(&server, &group, "admin 1").await["role"], "Owner");
    // The old owner may go now; the new one may not.
    server.post("owner", &at(&group, "quit"), json!({})).await.ok();
    let answer = server.post("admin 1", &at(&group, "quit"), json!({})).await;
    answer.refused(403, 10009, "owner_may_not_quit");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_administrator_gives_an_ownerless_group_an_owner() {
    let server = Server::start().await;
    let group = group_of(&server, "owner", "w", "Work", (&[], &["m1", "m2"]), json!({})).await;
    server.post("owner", &at(&group, "quit"), json!({})).await.ok();
    assert_eq!(server.get("m1", &at(&group, "")).await.ok()["owner"], Value::Null);
    transfer(&server, "m1", &group, "m1").await.refused(403, 10007, "role_too_low");
    transfer(&server, ADMIN, &group, "m2").await.ok();
    assert_eq!(line(&server, &group, "m2").await["role"], "Owner");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_transferred_stays_as_it_is() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let live = server.group("owner", "live", "AVChatRoom", json!({})).await;
    let before = everything(&server).await;
    assert_eq!(transfer(&server, "owner", &group, "owner").await.ok(), Value::Null);
    for caller in ["owner", ADMIN] {
        let data = transfer(&server, caller, &group, "stranger").await;
        assert_eq!(data.refused(400, 10004, "invalid_parameter")["field"], "userID");
        transfer(&server, caller, &live, "owner").await.refused(403, 10007, "not_allowed_for_type");
    }
    transfer(&server, "admin 1", &group, "admin 1").await.refused(403, 10007, "role_too_low");
    transfer(&server, "owner", "no such", "m1").await.refused(404, 10010, "group_not_found");
    for body in
        [json!({}), json!({ "userID": "" }), json!({ "userID": 5 }), json!({ "userID": null })]
    {
        let answer = server.put("owner", &at(&group, "owner"), body.clone()).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (400, &json!(10004)),
            "{body}: {answer:?}"
        );
        assert_eq!(answer.body["data"]["field"], "userID", "{body}");
    }
    assert_eq!(everything(&server).await, before);
    assert_eq!(newest(&server, &group).await["event"], "onGroupCreated");
    server.stop().await;
}
