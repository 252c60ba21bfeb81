//! Who may not speak: members for a time, or all but owner and admins.

use serde_json::{Value, json};

use super::{crowd, edit, line};
use crate::common::{ADMIN, Server};
use crate::groups::{at, everything, group_of, join, newest};

#[tokio::test]
async fn a_mute_has_an_end_is_told_and_outlives_leaving() {
    let server = Server::start().await;
    let group = group_of(&server, "owner", "g1", "Meeting", (&[], &["m1", "m2"]), json!({})).await;
    let mut socket = server.ws("m2").await;
    edit(&server, "owner", &group, "m1", json!({ "muteSeconds": 3_600 })).await.ok();
    let until = line(&server, &group, "m1").await["muteUntil"].clone();
    let end: chrono::DateTime<chrono::Utc> = until.as_str().expect("a time").parse().expect("3339");
    let left = (end - chrono::Utc::now()).num_seconds();
    assert!((3_590..=3_601).contains(&left), "{left}");
    let event = socket.expect("onMemberInfoChanged").await;
    assert_eq!(event["memberList"], json!([{ "userID": "m1", "muteUntil": until }]));
    let muted = server.get(ADMIN, &at(&group, "members?muted=true")).await.ok();
    assert_eq!(muted["memberList"].as_array().map(Vec::len), Some(1));
    server.post("m1", &at(&group, "quit"), json!({})).await.ok();
    join(&server, "m1", &group).await.ok();
    assert_eq!(line(&server, &group, "m1").await["muteUntil"], until);
    edit(&server, "owner", &group, "m1", json!({ "muteSeconds": 0 })).await.ok();
    assert_eq!(line(&server, &group, "m1").await.get("muteUntil"), None);
    let event = newest(&server, &group).await;
    assert_eq!(event["memberList"], json!([{ "userID": "m1", "muteUntil": null }]));
    let before = everything(&server).await;
    edit(&server, "owner", &group, "m1", json!({ "muteSeconds": 0 })).await.ok();
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn the_highest_number_never_ends() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    edit(&server, "owner", &group, "m1", json!({ "muteSeconds": u32::MAX })).await.ok();
    assert_eq!(line(&server, &group, "m1").await["muteUntil"], "9999-12-31T23:59:59.000Z");
    server.stop().await;
}

#[tokio::test]
async fn who_may_mute_whom() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let mute = json!({ "muteSeconds": 60 });
    for (caller, user) in [("owner", "admin 1"), ("admin 1", "m1"), (ADMIN, "m2")] {
        edit(&server, caller, &group, user, mute.clone()).await.ok();
    }
    let work = group_of(&server, "owner", "work", "Work", (&[], &["m1"]), json!({})).await;
    let before = everything(&server).await;
    for (caller, user) in [
        ("m1", "m2"),
        ("admin 1", "admin 2"),
        ("admin 1", "owner"),
        ("owner", "owner"),
        ("m1", "m1"),
    ] {
        let answer = edit(&server, caller, &group, user, mute.clone()).await;
        answer.refused(403, 10007, "role_too_low");
    }
    for caller in ["owner", ADMIN] {
        let answer = edit(&server, caller, &work, "m1", mute.clone()).await;
        answer.refused(403, 10007, "not_allowed_for_type");
    }
    for wrong in [json!(-1), json!(4_294_967_296_i64), json!("60"), json!(1.5)] {
        let answer = edit(&server, "owner", &group, "m1", json!({ "muteSeconds": wrong })).await;
        let data = answer.refused(400, 10004, "invalid_parameter");
        assert_eq!(data["field"], "muteSeconds");
    }
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn all_can_be_muted_and_everybody_hears_of_it() {
    let server = Server::start().await;
    let group = crowd(&server, "g1").await;
    let mut socket = server.ws("m2").await;
    let all = |on: bool| json!({ "muteAll": on });
    server.patch("m1", &at(&group, ""), all(true)).await.refused(403, 10007, "role_too_low");
    server.patch("admin 1", &at(&group, ""), all(true)).await.ok();
    let event = socket.expect("onGroupInfoChanged").await;
    assert_eq!(event["changeInfos"], json!([{ "type": "muteAll", "value": true }]));
    assert_eq!(server.get("m1", &at(&group, "")).await.ok()["muteAll"], true);
    let before = everything(&server).await;
    server.patch("owner", &at(&group, ""), all(true)).await.ok();
    assert_eq!(everything(&server).await, before);
    server.patch(ADMIN, &at(&group, ""), all(false)).await.ok();
    assert_eq!(server.get("m1", &at(&group, "")).await.ok()["muteAll"], false);
    // In a Work group any member edits the texts, but only the owner mutes all.
    let work = group_of(&server, "owner", "work", "Work", (&[], &["m1"]), json!({})).await;
    let body = json!({ "groupName": "renamed", "muteAll": true });
    server.patch("m1", &at(&work, ""), body).await.refused(403, 10007, "role_too_low");
    let found: Value = server.get("m1", &at(&work, "")).await.ok();
    assert_eq!(found["groupName"], "a group of a test");
    server.patch("owner", &at(&work, ""), all(true)).await.ok();
    server.stop().await;
}
