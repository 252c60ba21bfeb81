//! `get_joined_group_list`.

use serde_json::{Value, json};

use super::{column, group, ok, refused};
use crate::common::Server;

async fn list(server: &Server, mut more: Value) -> Value {
    more["Member_Account"] = json!("bob");
    ok(group(server, "get_joined_group_list", more).await)
}

async fn ids(server: &Server, more: Value) -> (Vec<String>, i64) {
    let answer = list(server, more).await;
    let ids = column(&answer["GroupIdList"], "GroupId").into_iter().map(str::to_owned).collect();
    (ids, answer["TotalCount"].as_i64().expect("TotalCount"))
}

async fn with_groups() -> Server {
    let server = Server::start().await;
    for (id, group_type) in [
        ("a-work", "Work"),
        ("b-public", "Public"),
        ("c-meeting", "Meeting"),
        ("d-live", "AVChatRoom"),
        ("@TGS#_e", "Community"),
    ] {
        server.group("bob", id, group_type, json!({})).await;
    }
    server.group("alice", "not-his", "Work", json!({})).await;
    server
}

#[tokio::test]
async fn groups_are_listed_without_live_ones_unless_asked_for() {
    let server = with_groups().await;
    let (listed, total) = ids(&server, json!({"GroupType": ""})).await;
    assert_eq!(listed, ["@TGS#_e", "a-work", "b-public", "c-meeting"]);
    assert_eq!(total, 4);
    let (listed, total) = ids(&server, json!({"WithHugeGroups": 1, "WithNoActiveGroups": 1})).await;
    assert_eq!((listed.len(), total), (5, 5));
    for (group_type, expected) in [
        ("Private", vec!["a-work"]),
        ("Work", vec!["a-work"]),
        ("Public", vec!["b-public"]),
        ("ChatRoom", vec!["c-meeting"]),
        ("Meeting", vec!["c-meeting"]),
        ("Community", vec!["@TGS#_e"]),
        ("AVChatRoom", vec![]),
    ] {
        let (listed, total) = ids(&server, json!({"GroupType": group_type})).await;
        assert_eq!(listed, expected, "{group_type}");
        assert_eq!(usize::try_from(total), Ok(expected.len()), "{group_type}");
    }
    let live = json!({"GroupType": "AVChatRoom", "WithHugeGroups": 1});
    assert_eq!(ids(&server, live).await.0, ["d-live"]);
    server.stop().await;
}

#[tokio::test]
async fn the_total_does_not_depend_on_the_page() {
    let server = with_groups().await;
    let mut paged = Vec::new();
    for offset in 0..5 {
        let (listed, total) = ids(&server, json!({"Limit": 1, "Offset": offset})).await;
        assert_eq!(total, 4);
        paged.extend(listed);
    }
    assert_eq!(paged, ["@TGS#_e", "a-work", "b-public", "c-meeting"]);
    assert_eq!(ids(&server, json!({"Limit": 0})).await.0.len(), 4);
    server.stop().await;
}

#[tokio::test]
async fn fields_are_shown_as_asked_for() {
    let server = with_groups().await;
    let plain = list(&server, json!({"GroupType": "Public"})).await;
    assert_eq!(plain["GroupIdList"], json!([{"GroupId": "b-public"}]));
    let asked = list(
        &server,
        json!({"GroupType": "Public", "ResponseFilter": {
            "GroupBaseInfoFilter": ["Type", "Name", "MemberNum", "InviteJoinOption"],
            "SelfInfoFilter": ["Role", "JoinTime", "MsgFlag", "UnreadMsgNum"],
        }}),
    )
    .await;
    let found = &asked["GroupIdList"][0];
    let joined = found["SelfInfo"]["JoinTime"].as_i64().expect("JoinTime");
    assert!(joined > 1_700_000_000);
    let expected = json!({
        "GroupId": "b-public", "Type": "Public", "Name": "a group of a test", "MemberNum": 1,
        "InviteJoinOption": "DisableInvite",
        "SelfInfo": {
            "Role": "Owner", "JoinTime": joined, "MsgFlag": "AcceptAndNotify", "UnreadMsgNum": 0,
        },
    });
    assert_eq!(*found, expected);
    server.stop().await;
}

#[tokio::test]
async fn whoever_is_in_no_group_has_an_empty_list() {
    let server = Server::start().await;
    let answer =
        ok(group(&server, "get_joined_group_list", json!({"Member_Account": "nobody"})).await);
    assert_eq!((&answer["TotalCount"], &answer["GroupIdList"]), (&json!(0), &json!([])));
    for body in [
        json!({}),
        json!({"Member_Account": ""}),
        json!({"Member_Account": 7}),
        json!({"Member_Account": "bob", "Limit": 5_001}),
        json!({"Member_Account": "bob", "Limit": -1}),
        json!({"Member_Account": "bob", "Offset": 1e300}),
        json!({"Member_Account": "bob", "GroupType": "Secret"}),
        json!({"Member_Account": "bob", "WithHugeGroups": "yes"}),
        json!({"Member_Account": "bob", "ResponseFilter": "all"}),
        json!({"Member_Account": "bob", "ResponseFilter": {"SelfInfoFilter": {}}}),
    ] {
        refused(&group(&server, "get_joined_group_list", body).await, 10_004);
    }
    server.stop().await;
}
