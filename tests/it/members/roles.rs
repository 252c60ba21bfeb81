//! Admins are appointed and dismissed by the owner.

use serde_json::json;

use super::{crowd, edit, line};
use crate::common::{ADMIN, Server};
use crate::groups::{everything, group_of, log, named, newest};

#[tokio::test]
async fn the_owner_appoints_and_dismisses_admins_and_everybody_hears_of_it() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let mut socket = server.ws("m2").await;
    edit(&server, "owner", &group, "m1", json!({ "role": "Admin" })).await.ok();
    assert_eq!(line(&server, &group, "m1").await["role"], "Admin");
    let event = socket.expect("onGrantAdministrator").await;
    assert_eq!(event["opUser"]["userID"], "owner");
    assert_eq!(named(&event), ["m1"]);
    edit(&server, "owner", &group, "m1", json!({ "role": "Member" })).await.ok();
    let event = socket.expect("onRevokeAdministrator").await;
    assert_eq!((&event["seq"], named(&event)), (&json!(3), vec!["m1"]));
    assert_eq!(line(&server, &group, "m1").await["role"], "Member");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_role_that_somebody_has_already_makes_no_event() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let before = everything(&server).await;
    edit(&server, "owner", &group, "admin 1", json!({ "role": "Admin" })).await.ok();
    edit(&server, "owner", &group, "m1", json!({ "role": "Member" })).await.ok();
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn who_may_not_appoint_changes_nothing() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let work = group_of(&server, "owner", "work", "Work", (&[], &["m1"]), json!({})).await;
    let live = server.group("owner", "live", "AVChatRoom", json!({})).await;
    let before = everything(&server).await;
    for (caller, reason) in
        [("admin 1", "role_too_low"), ("m2", "role_too_low"), ("stranger", "not_a_member")]
    {
        let answer = edit(&server, caller, &group, "m1", json!({ "role": "Admin" })).await;
        let data = answer.refused(403, 10007, reason);
        assert_eq!(data["source"], "appoint_admins in groups of type Public");
    }
    for caller in ["owner", ADMIN] {
        let answer = edit(&server, caller, &work, "m1", json!({ "role": "Admin" })).await;
        answer.refused(403, 10007, "not_allowed_for_type");
        let answer = edit(&server, caller, &live, "owner", json!({ "role": "Member" })).await;
        answer.refused(403, 10007, "not_allowed_for_type");
        let answer = edit(&server, caller, &group, "nobody", json!({ "role": "Admin" })).await;
        assert_eq!(answer.refused(404, 10004, "member_not_found")["field"], "userID");
        let answer = edit(&server, caller, &group, "m1", json!({ "role": "Owner" })).await;
        assert_eq!(answer.refused(400, 10004, "invalid_parameter")["field"], "role");
    }
    let answer = edit(&server, ADMIN, &group, "owner", json!({ "role": "Member" })).await;
    assert_eq!(answer.refused(403, 10007, "is_owner")["field"], "role");
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn an_admin_may_what_admins_may_and_no_longer_when_he_is_dismissed() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    edit(&server, "owner", &group, "m1", json!({ "role": "Admin" })).await.ok();
    edit(&server, "m1", &group, "m2", json!({ "nameCard": "two" })).await.ok();
    edit(&server, ADMIN, &group, "m1", json!({ "role": "Member" })).await.ok();
    let answer = edit(&server, "m1", &group, "m2", json!({ "nameCard": "three" })).await;
    answer.refused(403, 10007, "role_too_low");
    // Who applies now is shown to the owner and the two admins, not to the one who was dismissed.
    crate::groups::join(&server, "applicant", &group).await.ok();
    assert!(crate::groups::own_stream(&server, "m1").await.is_empty());
    assert_eq!(crate::groups::own_stream(&server, "admin 1").await.len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn a_change_is_made_whole_or_not_at_all() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let before = everything(&server).await;
    for body in [
        json!({ "role": "Admin", "nameCard": "x".repeat(51) }),
        json!({ "role": "Owner", "nameCard": "x" }),
        json!({ "nameCard": "x", "muteSeconds": -1 }),
        json!({ "nameCard": "x", "customFields": { "no good": "1" } }),
        json!({ "nameCard": "x", "nickName": "y" }),
    ] {
        let answer = edit(&server, "owner", &group, "m1", body.clone()).await;
        assert_eq!(
            (answer.status, &answer.body["code"]),
            (400, &json!(10004)),
            "{body}: {answer:?}"
        );
    }
    // An admin may rename a member, but appoints nobody: neither happens.
    let body = json!({ "role": "Admin", "nameCard": "x" });
    edit(&server, "admin 1", &group, "m1", body.clone()).await.refused(403, 10007, "role_too_low");
    assert_eq!(everything(&server).await, before);
    edit(&server, "owner", &group, "m1", body).await.ok();
    let kinds: Vec<String> = log(&server, &group)
        .await
        .iter()
        .map(|event| event["event"].as_str().expect("a name").to_owned())
        .collect();
    assert_eq!(kinds, ["onGroupCreated", "onGrantAdministrator", "onMemberInfoChanged"]);
    let event = newest(&server, &group).await;
    assert_eq!(event["memberList"], json!([{ "userID": "m1", "nameCard": "x" }]));
    server.stop().await;
}
