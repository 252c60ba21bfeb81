//! One call of each command as it should be. Tests that try every command, or every field, begin here:
//! a command that is added has its call below and is tried with all the others.

use serde_json::{Value, json};

/// Where groups are served.
const GROUP: &str = "group_open_http_svc";
/// Where attributes are read.
const ATTRIBUTES: &str = "group_open_attr_http_svc";
/// Where accounts are served.
const LOGIN: &str = "im_open_login_svc";

/// Each command with a body in which every field stands, about the Public group `g1` of `owner` with the
/// member `bob`. The group's end comes last.
pub(super) fn right_calls() -> Vec<(String, Value)> {
    let mut calls = Vec::new();
    for (service, list) in [
        (GROUP, making()),
        (GROUP, members()),
        (GROUP, reading()),
        (GROUP, attributes()),
        (ATTRIBUTES, vec![("get_group_attr", json!({"GroupId": "g1"}))]),
        (LOGIN, accounts()),
        (GROUP, vec![("destroy_group", json!({"GroupId": "g1"}))]),
    ] {
        calls.extend(list.into_iter().map(|(name, body)| (format!("{service}/{name}"), body)));
    }
    calls
}

/// The path of a command below `/v4/`, and its right body.
#[track_caller]
pub(super) fn right_call(command: &str) -> (String, Value) {
    let ends = |(path, _): &(String, Value)| path.split('/').nth(1) == Some(command);
    right_calls().into_iter().find(ends).unwrap_or_else(|| panic!("no right call of {command}"))
}

fn making() -> Vec<(&'static str, Value)> {
    let data = json!([{"Key": "k", "Value": "v"}]);
    let person = json!([{"Member_Account": "bob", "Role": "Admin", "AppMemberDefinedData": data}]);
    let create = json!({
        "Type": "Public", "Name": "n", "GroupId": "g2", "Owner_Account": "owner",
        "Introduction": "i", "Notification": "n", "FaceUrl": "f", "MaxMemberCount": 9,
        "ApplyJoinOption": "FreeAccess", "InviteJoinOption": "FreeAccess",
        "AppDefinedData": data, "MemberList": person, "SupportTopic": 0,
    });
    let mut import = create.clone();
    import["GroupId"] = json!("g3");
    import["CreateTime"] = json!(1_448_357_837);
    let edit = json!({
        "GroupId": "g1", "Name": "n", "Introduction": "i", "Notification": "n", "FaceUrl": "f",
        "MaxMemberNum": 100, "ApplyJoinOption": "FreeAccess", "InviteJoinOption": "FreeAccess",
        "MuteAllMember": "On", "AppDefinedData": data, "From_Account": "owner",
    });
    let import_members = json!({"GroupId": "g1", "MemberList": [{
        "Member_Account": "bob", "Role": "Admin", "JoinTime": 1_448_357_837, "UnreadMsgNum": 5,
        "AppMemberDefinedData": data,
    }]});
    vec![
        ("create_group", create),
        ("import_group", import),
        ("import_group_member", import_members),
        ("modify_group_base_info", edit),
    ]
}

fn members() -> Vec<(&'static str, Value)> {
    let bob = json!(["bob"]);
    vec![
        (
            "add_group_member",
            json!({"GroupId": "g1", "Silence": 1, "MemberList": [{"Member_Account": "bob"}]}),
        ),
        (
            "modify_group_member_info",
            json!({
                "GroupId": "g1", "Member_Account": "bob", "Role": "Admin", "NameCard": "b",
                "MuteTime": 60, "MsgFlag": "Discard",
                "AppMemberDefinedData": [{"Key": "k", "Value": "v"}],
            }),
        ),
        (
            "forbid_send_msg",
            json!({"GroupId": "g1", "Members_Account": bob, "MuteTime": 60, "TopicId": ""}),
        ),
        (
            "change_group_owner",
            json!({"GroupId": "g1", "NewOwner_Account": "owner", "From_Account": "owner"}),
        ),
        (
            "ban_group_member",
            json!({
                "GroupId": "g1", "Members_Account": ["guest"], "Duration": 60, "Description": "d",
            }),
        ),
        ("unban_group_member", json!({"GroupId": "g1", "Members_Account": ["guest"]})),
        (
            "delete_group_member",
            json!({"GroupId": "g1", "Silence": 1, "Reason": "r", "MemberToDel_Account": bob}),
        ),
    ]
}

fn reading() -> Vec<(&'static str, Value)> {
    let (of_group, of_member) = ("AppDefinedDataFilter_Group", "AppDefinedDataFilter_GroupMember");
    vec![
        (
            "get_group_info",
            json!({"GroupIdList": ["g1"], "ResponseFilter": {
                "GroupBaseInfoFilter": ["Type"], "MemberInfoFilter": ["Role"],
                of_group: ["k"], of_member: ["k"],
            }}),
        ),
        (
            "get_group_member_info",
            json!({
                "GroupId": "g1", "Limit": 1, "Offset": 0, "Next": "", "MemberInfoFilter": ["Role"],
                "MemberRoleFilter": ["Owner"], of_member: ["k"],
            }),
        ),
        (
            "get_specified_group_member_info",
            json!({
                "GroupId": "g1", "Member_List_Account": ["bob"], "MemberInfoFilter": ["Role"],
                of_member: ["k"],
            }),
        ),
        ("get_role_in_group", json!({"GroupId": "g1", "User_Account": ["owner"]})),
        ("get_group_muted_account", json!({"GroupId": "g1"})),
        ("get_group_shutted_uin", json!({"GroupId": "g1"})),
        ("get_group_ban_member", json!({"GroupId": "g1", "Limit": 1, "Offset": 0})),
        (
            "get_joined_group_list",
            json!({
                "Member_Account": "owner", "Limit": 1, "Offset": 0, "GroupType": "Public",
                "WithHugeGroups": 1, "WithNoActiveGroups": 1, "SupportTopic": 0,
                "ResponseFilter": {
                    "GroupBaseInfoFilter": ["Type"], "SelfInfoFilter": ["Role"], of_group: ["k"],
                    of_member: ["k"],
                },
            }),
        ),
        ("get_appid_group_list", json!({"Limit": 1, "Next": 0, "GroupType": "Public"})),
    ]
}

/// What is deleted is there by then.
fn attributes() -> Vec<(&'static str, Value)> {
    let body = |value: &str| json!({"GroupId": "g1", "GroupAttr": [{"key": "k", "value": value}]});
    vec![
        ("set_group_attr", body("v")),
        ("modify_group_attr", body("w")),
        ("delete_group_attr", body("w")),
        ("clear_group_attr", json!({"GroupId": "g1"})),
    ]
}

fn accounts() -> Vec<(&'static str, Value)> {
    vec![
        (
            "account_import",
            json!({"UserID": "u1", "Nick": "n", "FaceUrl": "f", "Identifier": "u2"}),
        ),
        (
            "multiaccount_import",
            json!({"Accounts": ["u1"], "AccountList": [{"UserID": "u2", "Nick": "n"}]}),
        ),
        ("account_check", json!({"CheckItem": [{"UserID": "u1"}]})),
        ("kick", json!({"UserID": "u1", "Identifier": "u2"})),
        ("account_delete", json!({"DeleteItem": [{"UserID": "u2"}]})),
    ]
}
