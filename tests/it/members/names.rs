//! Name cards: one's own, and those of people one stands above.

use serde_json::json;

use super::{crowd, edit, line};
use crate::common::{ADMIN, Server};
use crate::groups::{everything, group_of};

#[tokio::test]
async fn everybody_names_himself_and_managers_those_below_them() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let mut socket = server.ws("m2").await;
    for (caller, user) in [
        ("m1", "m1"),
        ("m1", "me"),
        ("owner", "owner"),
        ("admin 1", "admin 1"),
        ("admin 1", "m1"),
        ("owner", "admin 1"),
        (ADMIN, "owner"),
        (ADMIN, "m1"),
    ] {
        let card = format!("{user} by {caller}");
        edit(&server, caller, &group, user, json!({ "nameCard": card })).await.ok();
        let user = if user == "me" { caller } else { user };
        assert_eq!(line(&server, &group, user).await["nameCard"], card, "{caller} {user}");
        let event = socket.expect("onMemberInfoChanged").await;
        assert_eq!(event["opUser"]["userID"], caller);
        assert_eq!(event["memberList"], json!([{ "userID": user, "nameCard": card }]));
    }
    let before = everything(&server).await;
    for (caller, user, reason) in [
        ("m1", "m2", "role_too_low"),
        ("m1", "owner", "role_too_low"),
        ("admin 1", "admin 2", "role_too_low"),
        ("admin 1", "owner", "role_too_low"),
        ("stranger", "m1", "not_a_member"),
        ("stranger", "stranger", "not_a_member"),
    ] {
        let answer = edit(&server, caller, &group, user, json!({ "nameCard": "x" })).await;
        answer.refused(403, 10007, reason);
    }
    // The same name again is no change.
    let card = line(&server, &group, "m1").await["nameCard"].clone();
    edit(&server, "m1", &group, "m1", json!({ "nameCard": card })).await.ok();
    edit(&server, "m1", &group, "m1", json!({})).await.ok();
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn a_name_card_goes_with_the_membership() {
    let server = Server::start().await;
    let group = group_of(&server, "owner", "g1", "Meeting", (&[], &["m1"]), json!({})).await;
    edit(&server, "m1", &group, "m1", json!({ "nameCard": "one" })).await.ok();
    server.post("m1", &crate::groups::at(&group, "quit"), json!({})).await.ok();
    crate::groups::join(&server, "m1", &group).await.ok();
    assert_eq!(line(&server, &group, "m1").await.get("nameCard"), None);
    server.stop().await;
}
