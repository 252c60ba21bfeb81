//! Types of groups that the settings file defines.

use serde_json::{Value, json};

use crate::common::{ADMIN, Server, cluster, results};
use crate::groups::{at, invite, join, log};

/// The example of the documentation: only admins invite, invitees must agree.
const TEAM: &str = r#"
[types.Team]
based_on = "Public"
who = { invite = "managers", edit_profile = "members" }
invite_option = "FreeAccess"
ask_invitees = true
join_option = "DisableApply"
join_option_fixed = true
default_max_members = 4
highest_max_members = 6
visible_to_strangers = false

[types.Hall]
based_on = "Meeting"
counts_towards_limit = false
"#;

async fn team(server: &Server) -> String {
    let members = json!([{ "userID": "lead", "role": "Admin" }, { "userID": "m1" }]);
    // The administrator's call asks nobody.
    let body = json!({
        "groupID": "team", "groupType": "Team", "groupName": "a team", "owner": "owner",
        "memberList": members
    });
    server.post(ADMIN, "/v1/groups", body).await.ok();
    "team".to_owned()
}

#[tokio::test]
async fn a_team_is_entered_only_by_invitation_of_managers_and_with_consent() {
    let server = Server::with_file(&cluster::fresh_database().await, TEAM).await;
    let group = team(&server).await;
    let found = server.get("m1", &at(&group, "")).await.ok();
    assert_eq!((&found["groupType"], &found["maxMemberCount"]), (&json!("Team"), &json!(4)));
    assert_eq!(found["joinOption"], "DisableApply");
    let data = invite(&server, "m1", &group, &["new"]).await.refused(403, 10007, "role_too_low");
    assert_eq!(data["source"], "invite in groups of type Team");
    let data = invite(&server, "lead", &group, &["new"]).await.ok();
    assert_eq!(results(&data), [("new".to_owned(), 3)]);
    assert_eq!(data[0]["reason"], "awaiting_invitee");
    let list = server.get("new", "/v1/applications").await.ok();
    let id = list["applicationList"][0]["applicationID"].as_str().expect("an invitation");
    server.post("new", &format!("/v1/applications/{id}/accept"), json!({})).await.ok();
    assert_eq!(server.get("new", &at(&group, "")).await.ok()["memberCount"], 4);
    join(&server, "stranger", &group).await.refused(403, 10007, "apply_disabled");
    server.get("stranger", &at(&group, "")).await.refused(403, 10007, "not_a_member");
    let data = invite(&server, "lead", &group, &["fifth"]).await.refused(409, 10014, "group_full");
    assert_eq!((&data["limit"], &data["current"]), (&json!(4), &json!(4)));
    server.patch("m1", &at(&group, ""), json!({ "groupName": "ours" })).await.ok();
    let too_many = json!({ "maxMemberCount": 7 });
    let data = server.patch("owner", &at(&group, ""), too_many).await;
    let data = data.refused(400, 10038, "member_cap_too_high");
    assert_eq!((&data["limit"], &data["source"]), (&json!(6), &json!("type Team")));
    let data = server.patch("owner", &at(&group, ""), json!({ "joinOption": "FreeAccess" })).await;
    data.refused(403, 10007, "not_allowed_for_type");
    assert_eq!(log(&server, &group).await[0]["groupType"], "Team");
    let mine = server.get("m1", "/v1/users/me/groups").await.ok();
    assert_eq!(mine["groupList"][0]["groupType"], "Team");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_type_can_be_left_out_of_the_limit_on_groups() {
    let server = Server::with_file(
        &cluster::fresh_database().await,
        &format!("groups_per_user = 1\n{TEAM}"),
    )
    .await;
    for (id, kind) in [("one", "Public"), ("hall 1", "Hall"), ("hall 2", "Hall")] {
        server.group("owner", id, kind, json!({})).await;
    }
    let body = json!({ "groupType": "Meeting", "groupName": "two" });
    server.post("owner", "/v1/groups", body).await.refused(409, 10037, "group_limit_reached");
    for id in ["hall 1", "hall 2"] {
        join(&server, "guest", id).await.ok();
    }
    let counted = server.get("guest", "/v1/users/me").await.ok()["groupCount"].clone();
    assert_eq!(counted, json!(0));
    server.stop().await;
}

#[tokio::test]
async fn a_word_that_is_no_type_is_refused_with_those_that_are() {
    let server = Server::with_file(&cluster::fresh_database().await, TEAM).await;
    for wrong in ["team", "Club", ""] {
        let body = json!({ "groupType": wrong, "groupName": "x" });
        let answer = server.post("owner", "/v1/groups", body).await;
        let text = answer.body["desc"].as_str().expect("desc").to_owned();
        answer.refused(400, 10004, "invalid_parameter");
        assert!(
            text.contains("Community, Hall, Team") || text.contains("Community, Team, Hall"),
            "{text}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn the_other_face_shows_the_type_that_it_is_based_on() {
    let server = Server::with_file(&cluster::fresh_database().await, TEAM).await;
    let group = team(&server).await;
    let body = json!({ "GroupIdList": [group] });
    let answer = server.v4("group_open_http_svc/get_group_info", body).await;
    assert_eq!(answer["GroupInfo"][0]["Type"], "Public", "{answer}");
    // An administrator's call asks nobody, on both faces.
    let body = json!({ "GroupId": "team", "MemberList": [{ "Member_Account": "new" }] });
    let answer = server.v4("group_open_http_svc/add_group_member", body).await;
    assert_eq!(answer["MemberList"], json!([{ "Member_Account": "new", "Result": 1 }]));
    server.stop().await;
}

#[tokio::test]
async fn a_server_does_not_start_without_a_type_that_groups_have() {
    let database = cluster::fresh_database().await;
    let server = Server::with_file(&database, TEAM).await;
    team(&server).await;
    server.stop().await;
    for (text, part) in [
        ("", "1 groups are of type Team, based on Public, which the settings do not define"),
        ("[types.Team]\nbased_on = \"Work\"\n", "were made when it was based on Public"),
        (
            "[types.Team]\nbased_on = \"Public\"\ncounts_towards_limit = false\n",
            "were made when its counts_towards_limit was true",
        ),
    ] {
        let error = Server::start_error(&database, text).await;
        assert!(error.contains(part), "{error}");
    }
    let server = Server::with_file(&database, TEAM).await;
    let found: Value = server.get("m1", &at("team", "")).await.ok();
    assert_eq!(found["groupType"], "Team");
    server.stop().await;
}
