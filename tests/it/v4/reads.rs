//! `get_group_info`, `get_group_member_info`, `get_role_in_group`.

use serde_json::{Value, json};

use super::{column, group, ok, refused};
use crate::common::Server;

/// A server with group `g1` of owner, two admins and so many members `m000`, `m001`, ….
async fn peopled(members: usize) -> Server {
    let server = Server::start().await;
    let mut list = vec![
        json!({"Member_Account": "admin-1", "Role": "Admin"}),
        json!({"Member_Account": "admin-2", "Role": "Admin"}),
    ];
    list.extend((0..members).map(|number| json!({"Member_Account": format!("m{number:03}")})));
    let create = json!({
        "Type": "Public", "Name": "n", "GroupId": "g1", "Owner_Account": "owner",
        "MemberList": list,
    });
    ok(group(&server, "create_group", create).await);
    server
}

async fn page(server: &Server, mut more: Value) -> (Vec<String>, Value) {
    if more["GroupId"].is_null() {
        more["GroupId"] = json!("g1");
    }
    let answer = ok(group(server, "get_group_member_info", more).await);
    let members = column(&answer["MemberList"], "Member_Account");
    (members.into_iter().map(str::to_owned).collect(), answer)
}

#[tokio::test]
async fn profiles_of_many_groups_are_answered_one_by_one() {
    let server = peopled(2).await;
    server.group("bob", "gone", "Public", json!({})).await;
    ok(group(&server, "destroy_group", json!({"GroupId": "gone"})).await);
    let list = json!({"GroupIdList": ["g1", "absent", "gone", "é", "g1", ""], "Unknown": 1});
    let answer = ok(group(&server, "get_group_info", list).await);
    let info = answer["GroupInfo"].as_array().expect("GroupInfo");
    let codes: Vec<_> =
        info.iter().map(|one| (one["GroupId"].as_str(), one["ErrorCode"].as_i64())).collect();
    let expected = [("g1", 0), ("absent", 10_010), ("gone", 10_010), ("é", 10_015), ("", 10_015)];
    let expected: Vec<_> = expected.iter().map(|(id, code)| (Some(*id), Some(*code))).collect();
    assert_eq!(codes, expected);
    assert_eq!(info[0]["ErrorInfo"], "");
    assert!(info[1]["ErrorInfo"].as_str().is_some_and(|text| !text.is_empty()));
    assert_eq!(info[1].as_object().map(serde_json::Map::len), Some(3));

    let whole = &info[0];
    for (field, value) in [
        ("Type", json!("Public")),
        ("Name", json!("n")),
        ("Owner_Account", json!("owner")),
        ("MemberNum", json!(5)),
        ("MaxMemberNum", json!(6_000)),
        ("InfoSeq", json!(1)),
        ("NextMsgSeq", json!(2)),
        ("LastMsgTime", json!(0)),
        ("ApplyJoinOption", json!("NeedPermission")),
        ("InviteJoinOption", json!("DisableInvite")),
        ("MuteAllMember", json!("Off")),
        ("ShutUpAllMember", json!("Off")),
        ("Appid", json!(1_400_000_000)),
    ] {
        assert_eq!(whole[field], value, "{field}");
    }
    for time in ["CreateTime", "LastInfoTime"] {
        assert!(whole[time].as_i64().is_some_and(|seconds| seconds > 1_700_000_000), "{time}");
    }
    assert!(whole.get("MemberList").is_none());
    server.stop().await;
}

#[tokio::test]
async fn filters_of_a_profile() {
    let server = peopled(1).await;
    server.group("bob", "live", "AVChatRoom", json!({})).await;
    let body = json!({"GroupIdList": ["g1", "live"], "ResponseFilter": {
        "GroupBaseInfoFilter": ["Name", "ShutUpAllMember"],
        "MemberInfoFilter": ["Role"],
        "AppDefinedDataFilter_Group": ["x"],
    }});
    let answer = ok(group(&server, "get_group_info", body).await);
    let expected = json!({
        "GroupId": "g1", "ErrorCode": 0, "ErrorInfo": "", "Name": "n", "ShutUpAllMember": "Off",
        "MemberList": [
            {"Member_Account": "admin-1", "Role": "Admin"},
            {"Member_Account": "admin-2", "Role": "Admin"},
            {"Member_Account": "m000", "Role": "Member"},
            {"Member_Account": "owner", "Role": "Owner"},
        ],
    });
    assert_eq!(answer["GroupInfo"][0], expected);
    assert!(answer["GroupInfo"][1].get("MemberList").is_none(), "no list of a live group");
    for open in [json!({}), json!({"GroupBaseInfoFilter": [], "MemberInfoFilter": []})] {
        let body = json!({"GroupIdList": ["g1"], "ResponseFilter": open});
        let answer = ok(group(&server, "get_group_info", body).await);
        assert_eq!(answer["GroupInfo"][0]["Type"], "Public");
        assert!(answer["GroupInfo"][0].get("MemberList").is_none());
    }
    server.stop().await;
}

#[tokio::test]
async fn what_get_group_info_refuses() {
    let server = peopled(0).await;
    let many: Vec<String> = (0..51).map(|number| format!("g{number}")).collect();
    for (body, word) in [
        (json!({}), "GroupIdList is missing"),
        (json!({"GroupIdList": []}), "GroupIdList is empty"),
        (json!({"GroupIdList": "g1"}), "GroupIdList must be a list"),
        (json!({"GroupIdList": [7]}), "GroupIdList[0] must be a string"),
        (json!({"GroupIdList": many}), "at most 50"),
        (json!({"GroupIdList": ["g1"], "ResponseFilter": []}), "ResponseFilter must be an object"),
        (
            json!({"GroupIdList": ["g1"], "ResponseFilter": {"MemberInfoFilter": [1]}}),
            "ResponseFilter.MemberInfoFilter[0] must be a string",
        ),
    ] {
        let text = refused(&group(&server, "get_group_info", body).await, 10_004);
        assert!(text.contains(word), "{text}");
    }
    // A list of so many members cannot fit, and is not even read.
    sqlx::query("update groups set member_count = 100000")
        .execute(&server.db().await)
        .await
        .expect("an update");
    let body = json!({"GroupIdList": ["g1"], "ResponseFilter": {"MemberInfoFilter": ["Role"]}});
    refused(&group(&server, "get_group_info", body).await, 10_018);
    ok(group(&server, "get_group_info", json!({"GroupIdList": ["g1"]})).await);
    server.stop().await;
}

#[tokio::test]
async fn members_are_listed_in_pages() {
    let server = peopled(7).await;
    let (all, answer) = page(&server, json!({})).await;
    assert_eq!(all.len(), 10);
    assert_eq!(answer["MemberNum"], 10);
    assert!(answer.get("Next").is_none());
    let first = &answer["MemberList"][0];
    assert!(first["JoinTime"].as_i64().is_some_and(|seconds| seconds > 1_700_000_000));
    for (field, value) in [
        ("Member_Account", json!("admin-1")),
        ("Role", json!("Admin")),
        ("MsgSeq", json!(0)),
        ("MsgFlag", json!("AcceptAndNotify")),
        ("LastSendMsgTime", json!(0)),
        ("NameCard", json!("")),
        ("MuteUntil", json!(0)),
        ("ShutUpUntil", json!(0)),
    ] {
        assert_eq!(first[field], value, "{field}");
    }
    let mut paged = Vec::new();
    for offset in [0, 4, 8, 12] {
        let (members, answer) = page(&server, json!({"Limit": 4, "Offset": offset})).await;
        assert_eq!(answer["MemberNum"], 10, "the total does not depend on the page");
        paged.extend(members);
    }
    assert_eq!(paged, all);
    // What clients send for "no limit", "no filter".
    let open = json!({
        "Limit": 0, "Offset": 0, "MemberInfoFilter": null, "MemberRoleFilter": [], "Next": "m001"
    });
    assert_eq!(page(&server, open).await.0, all);
    server.stop().await;
}

#[tokio::test]
async fn members_are_filtered_by_role_and_field() {
    let server = peopled(3).await;
    for (roles, expected) in [
        (json!(["Owner"]), vec!["owner"]),
        (json!(["Owner", "Admin"]), vec!["admin-1", "admin-2", "owner"]),
        (json!(["Member"]), vec!["m000", "m001", "m002"]),
        (json!(["Member", "Owner", "Member"]), vec!["m000", "m001", "m002", "owner"]),
    ] {
        let (members, answer) = page(&server, json!({"MemberRoleFilter": roles})).await;
        assert_eq!(members, expected);
        assert_eq!(answer["MemberNum"], 6);
    }
    let body = json!({
        "MemberRoleFilter": ["Owner", "Admin"], "Limit": 1, "Offset": 2,
        "MemberInfoFilter": ["Role", "ShutUpUntil"], "AppDefinedDataFilter_GroupMember": ["x"],
    });
    let (_, answer) = page(&server, body).await;
    let expected = json!([{"Member_Account": "owner", "Role": "Owner", "ShutUpUntil": 0}]);
    assert_eq!(answer["MemberList"], expected);
    server.stop().await;
}

#[tokio::test]
async fn a_community_is_listed_by_cursor() {
    let server = Server::start().await;
    let id = "@TGS#_city";
    server.group("owner", id, "Community", json!({})).await;
    let list: Vec<_> =
        (0..204).map(|number| json!({"Member_Account": format!("u{number:03}")})).collect();
    let add = json!({"GroupId": id, "MemberList": list});
    ok(group(&server, "add_group_member", add).await);
    let mut all = Vec::new();
    let mut next = String::new();
    let mut pages = Vec::new();
    loop {
        let body = json!({"GroupId": id, "Limit": 1_000, "Next": next});
        let (members, answer) = page(&server, body).await;
        assert_eq!(answer["MemberNum"], 205);
        pages.push(members.len());
        all.extend(members);
        next = answer["Next"].as_str().expect("Next").to_owned();
        if next.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [100, 100, 5]);
    assert_eq!(all.len(), 205);
    assert!(all.is_sorted());
    let (rest, answer) = page(&server, json!({"GroupId": id, "Limit": 5, "Offset": 200})).await;
    assert_eq!((rest.len(), answer["Next"].as_str()), (5, Some("")));
    refused(
        &group(&server, "get_group_member_info", json!({"GroupId": id, "Next": "é"})).await,
        10_004,
    );
    server.stop().await;
}

#[tokio::test]
async fn roles_are_answered_in_the_order_of_the_call() {
    let server = peopled(1).await;
    let people = json!(["m000", "stranger", "owner", "admin-1", "m000"]);
    let body = json!({"GroupId": "g1", "User_Account": people});
    let answer = ok(group(&server, "get_role_in_group", body).await);
    let expected = json!([
        {"Member_Account": "m000", "Role": "Member"},
        {"Member_Account": "stranger", "Role": "NotMember"},
        {"Member_Account": "owner", "Role": "Owner"},
        {"Member_Account": "admin-1", "Role": "Admin"},
    ]);
    assert_eq!(answer["UserIdList"], expected);
    server.stop().await;
}

#[tokio::test]
async fn what_the_lists_of_members_refuse() {
    let server = peopled(0).await;
    server.group("bob", "live", "AVChatRoom", json!({})).await;
    let many: Vec<String> = (0..501).map(|number| format!("u{number}")).collect();
    let table = [
        ("get_group_member_info", json!({}), 10_004),
        ("get_group_member_info", json!({"GroupId": "g1", "Limit": 6_001}), 10_004),
        ("get_group_member_info", json!({"GroupId": "g1", "Limit": -1}), 10_004),
        ("get_group_member_info", json!({"GroupId": "g1", "Offset": -1}), 10_004),
        ("get_group_member_info", json!({"GroupId": "g1", "Offset": u64::MAX}), 10_004),
        ("get_group_member_info", json!({"GroupId": "g1", "Offset": "0"}), 10_004),
        ("get_group_member_info", json!({"GroupId": "g1", "MemberRoleFilter": ["Boss"]}), 10_004),
        ("get_group_member_info", json!({"GroupId": "live"}), 10_007),
        ("get_group_member_info", json!({"GroupId": "absent"}), 10_010),
        ("get_group_member_info", json!({"GroupId": ""}), 10_015),
        ("get_role_in_group", json!({"GroupId": "g1"}), 10_004),
        ("get_role_in_group", json!({"GroupId": "g1", "User_Account": []}), 10_004),
        ("get_role_in_group", json!({"GroupId": "g1", "User_Account": [""]}), 10_004),
        ("get_role_in_group", json!({"GroupId": "g1", "User_Account": many}), 10_005),
        ("get_role_in_group", json!({"GroupId": "live", "User_Account": ["a"]}), 10_007),
        ("get_role_in_group", json!({"GroupId": "absent", "User_Account": ["a"]}), 10_010),
        ("get_role_in_group", json!({"GroupId": "\n", "User_Account": ["a"]}), 10_015),
    ];
    for (command, body, code) in table {
        refused(&group(&server, command, body).await, code);
    }
    server.stop().await;
}
