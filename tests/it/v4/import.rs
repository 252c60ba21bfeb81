//! `import_group` and `import_group_member`.

use serde_json::{Value, json};

use super::{column, group, info, member, newest_event, ok, refused, results, roles};
use crate::common::{ADMIN, Server};

const CREATED: i64 = 1_448_357_837;

fn import(id: &str, group_type: &str) -> Value {
    json!({"Owner_Account": "leckie", "Type": group_type, "GroupId": id, "Name": "TestGroup"})
}

fn people(id: &str, people: &[&str]) -> Value {
    let list: Vec<Value> = people.iter().map(|one| json!({"Member_Account": one})).collect();
    json!({"GroupId": id, "MemberList": list})
}

#[tokio::test]
async fn the_documented_import_of_a_group() {
    let server = Server::start().await;
    let body = json!({
        "Owner_Account": "leckie",
        "Type": "Public",
        "GroupId": "MyFirstGroup",
        "Name": "TestGroup",
        "Introduction": "This is group Introduction",
        "Notification": "This is group Notification",
        "FaceUrl": "http://this.is.face.url",
        "MaxMemberCount": 500,
        "ApplyJoinOption": "FreeAccess",
        "AppDefinedData": [
            {"Key": "GroupTestData1", "Value": "xxxxx"}, {"Key": "GroupTestData2", "Value": "abc"},
        ],
        "CreateTime": CREATED,
    });
    let answer = group(&server, "import_group", body.clone()).await;
    let expected = json!({
        "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "GroupId": "MyFirstGroup",
        "Type": "Public",
    });
    assert_eq!(answer, expected);
    let shown = info(&server, "MyFirstGroup").await;
    for field in [
        "Owner_Account",
        "Type",
        "Name",
        "Introduction",
        "Notification",
        "FaceUrl",
        "ApplyJoinOption",
        "AppDefinedData",
        "CreateTime",
    ] {
        assert_eq!(shown[field], body[field], "{field}");
    }
    assert_eq!(shown["MaxMemberNum"], 500);
    assert_eq!(member(&server, "MyFirstGroup", "leckie").await["Role"], "Owner");
    let event = newest_event(&server, "MyFirstGroup").await;
    assert_eq!((&event["event"], &event["silent"]), (&json!("onGroupCreated"), &json!(true)));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn groups_are_imported_with_and_without_a_time() {
    let server = Server::start().await;
    for group_type in ["Private", "Public", "ChatRoom", "Community"] {
        let mut body = import("", group_type);
        body["CreateTime"] = json!(0);
        let made = ok(group(&server, "import_group", body).await);
        assert_eq!(made["Type"], group_type);
        let id = made["GroupId"].as_str().expect("GroupId");
        let created = info(&server, id).await["CreateTime"].as_i64().expect("CreateTime");
        assert!(created > CREATED, "without a time it is now");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_import_group_refuses() {
    let server = Server::start().await;
    ok(group(&server, "import_group", import("taken", "Public")).await);
    let mut in_future = import("g1", "Public");
    in_future["CreateTime"] = json!(u32::MAX);
    for (body, code, word) in [
        (in_future, 10_004, "CreateTime is in the future"),
        (json!({"Type": "Public"}), 10_004, "Name is missing"),
        (import("g1", "AVChatRoom"), 10_007, "AVChatRoom"),
        (import("@TGS#1", "Public"), 10_015, "GroupId"),
        // Also for its own owner: only create_group tells these apart.
        (import("taken", "Public"), 10_021, "id"),
    ] {
        let text = refused(&group(&server, "import_group", body).await, code);
        assert!(text.contains(word), "{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_documented_import_of_members() {
    let server = Server::start().await;
    let mut body = import("g1", "Public");
    body["CreateTime"] = json!(CREATED);
    ok(group(&server, "import_group", body).await);
    server.put(ADMIN, "/v1/users/full", json!({"groupLimit": 0})).await.ok();
    let body = json!({"GroupId": "g1", "MemberList": [
        {"Member_Account": "tommy", "Role": "Admin", "JoinTime": CREATED + 60, "UnreadMsgNum": 5},
        {"Member_Account": "jared", "JoinTime": CREATED - 60},
        {"Member_Account": "full", "JoinTime": CREATED + 60},
        {"Member_Account": "leckie"},
        {"Member_Account": "tommy"},
        {"Member_Account": "now", "AppMemberDefinedData": [{"Key": "k", "Value": "v"}]},
    ]});
    let answer = ok(group(&server, "import_group_member", body).await);
    let expected = [("tommy", 1), ("jared", 1), ("full", 0), ("leckie", 2), ("now", 1)];
    let expected: Vec<_> = expected.iter().map(|(who, what)| ((*who).to_owned(), *what)).collect();
    assert_eq!(results(&answer), expected);

    let tommy = member(&server, "g1", "tommy").await;
    assert_eq!((&tommy["Role"], &tommy["JoinTime"]), (&json!("Admin"), &json!(CREATED + 60)));
    let jared = member(&server, "g1", "jared").await;
    assert_eq!(jared["JoinTime"], CREATED, "nobody was in a group before there was one");
    let now = member(&server, "g1", "now").await;
    assert!(now["JoinTime"].as_i64().is_some_and(|joined| joined > CREATED + 60));
    assert_eq!(now["AppMemberDefinedData"], json!([{"Key": "k", "Value": "v"}]));
    let event = newest_event(&server, "g1").await;
    assert_eq!((&event["event"], &event["silent"]), (&json!("onMemberInvited"), &json!(true)));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn limits_and_bans_hold_for_imports() {
    let server = Server::start().await;
    let mut body = import("g1", "Private");
    body["MaxMemberCount"] = json!(3);
    ok(group(&server, "import_group", body).await);
    let ban = json!({"GroupId": "g1", "Members_Account": ["banned"], "Duration": 600});
    ok(group(&server, "ban_group_member", ban).await);
    let answer = ok(group(&server, "import_group_member", people("g1", &["banned", "a"])).await);
    assert_eq!(results(&answer), [("banned".to_owned(), 0), ("a".to_owned(), 1)]);
    refused(&group(&server, "import_group_member", people("g1", &["b", "c"])).await, 10_014);
    assert_eq!(roles(&server, "g1", &["b", "c"]).await, ["NotMember", "NotMember"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_setting_for_invitations_bounds_no_import_and_no_mute() {
    let server = Server::with(&[("MUSTER_INVITE_BATCH", "2")]).await;
    ok(group(&server, "import_group", import("g1", "Public")).await);
    refused(&group(&server, "add_group_member", people("g1", &["a", "b", "c"])).await, 10_005);
    let answer = ok(group(&server, "import_group_member", people("g1", &["a", "b", "c"])).await);
    assert_eq!(column(&answer["MemberList"], "Member_Account"), ["a", "b", "c"]);
    let mute = json!({"GroupId": "g1", "Members_Account": ["a", "b", "c"], "MuteTime": 60});
    ok(group(&server, "forbid_send_msg", mute).await);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn what_import_group_member_refuses() {
    let server = Server::start().await;
    ok(group(&server, "import_group", import("g1", "Public")).await);
    ok(group(&server, "import_group", import("work", "Private")).await);
    server.group("owner", "live", "AVChatRoom", json!({})).await;
    let many: Vec<String> = (0..301).map(|number| format!("u{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let with = |id: &str, field: &str, value: Value| json!({"GroupId": id, "MemberList": [{"Member_Account": "a", field: value}]});
    for (body, code, word) in [
        (with("g1", "Role", json!("Owner")), 10_004, "MemberList[0].Role must be one of"),
        (with("work", "Role", json!("Admin")), 10_004, "MemberList names an admin"),
        (with("g1", "JoinTime", json!(u32::MAX)), 10_004, "JoinTime is in the future"),
        (with("g1", "JoinTime", json!("now")), 10_004, "MemberList[0].JoinTime must be"),
        (people("g1", &[]), 10_004, "MemberList is empty"),
        (people("g1", &many), 10_005, "MemberList names 301 people, at most 300"),
        (people("live", &["a"]), 10_007, "AVChatRoom"),
        (people("absent", &["a"]), 10_010, "no such group"),
        (people("é", &["a"]), 10_015, "GroupId"),
    ] {
        let text = refused(&group(&server, "import_group_member", body).await, code);
        assert!(text.contains(word), "{text}");
    }
    let full = ok(group(&server, "import_group_member", people("g1", &many[..300])).await);
    assert_eq!(column(&full["MemberList"], "Member_Account").len(), 300);
    server.check_invariants().await;
    server.stop().await;
}
