//! `AppDefinedData` and `AppMemberDefinedData`: given, shown, filtered; and
//! `get_specified_group_member_info`.

use serde_json::{Value, json};

use super::{group, ok, refused};
use crate::common::Server;

/// A server with group `g1` whose group and member have fields of the app's own.
async fn with_data() -> Server {
    let server = Server::start().await;
    let create = json!({
        "Type": "Public", "Name": "n", "GroupId": "g1", "Owner_Account": "owner",
        "AppDefinedData": [
            {"Key": "GroupTestData1", "Value": "xxxxx"}, {"Key": "GroupTestData2", "Value": "abc"},
            {"Key": "Nothing", "Value": ""},
        ],
        "MemberList": [{
            "Member_Account": "bob",
            "AppMemberDefinedData": [
                {"Key": "MemberDefined1", "Value": "1"}, {"Key": "MemberDefined2", "Value": "2"},
            ],
        }],
    });
    ok(group(&server, "create_group", create).await);
    server
}

fn of_group() -> Value {
    json!([{"Key": "GroupTestData1", "Value": "xxxxx"}, {"Key": "GroupTestData2", "Value": "abc"}])
}

fn of_bob() -> Value {
    json!([{"Key": "MemberDefined1", "Value": "1"}, {"Key": "MemberDefined2", "Value": "2"}])
}

#[tokio::test]
async fn all_of_it_is_shown_to_who_filters_nothing() {
    let server = with_data().await;
    let answer = ok(group(&server, "get_group_info", json!({"GroupIdList": ["g1"]})).await);
    assert_eq!(answer["GroupInfo"][0]["AppDefinedData"], of_group());
    let answer = ok(group(&server, "get_group_member_info", json!({"GroupId": "g1"})).await);
    assert_eq!(answer["MemberList"][0]["AppMemberDefinedData"], of_bob());
    assert_eq!(answer["MemberList"][1].get("AppMemberDefinedData"), None, "the owner has none");
    server.stop().await;
}

#[tokio::test]
async fn filters_name_the_keys_that_are_wanted() {
    let server = with_data().await;
    let filter = json!({
        "GroupBaseInfoFilter": ["Name"],
        "MemberInfoFilter": ["Role"],
        "AppDefinedDataFilter_Group": ["GroupTestData2", "Unknown"],
        "AppDefinedDataFilter_GroupMember": ["MemberDefined1"],
    });
    let body = json!({"GroupIdList": ["g1"], "ResponseFilter": filter});
    let answer = ok(group(&server, "get_group_info", body).await);
    let bob = json!({
        "Member_Account": "bob", "Role": "Member",
        "AppMemberDefinedData": [{"Key": "MemberDefined1", "Value": "1"}],
    });
    let expected = json!([{
        "GroupId": "g1", "ErrorCode": 0, "ErrorInfo": "", "Name": "n",
        "AppDefinedData": [{"Key": "GroupTestData2", "Value": "abc"}],
        "MemberList": [bob, {"Member_Account": "owner", "Role": "Owner"}],
    }]);
    assert_eq!(answer["GroupInfo"], expected);

    let body = json!({
        "GroupId": "g1", "Limit": 1, "MemberInfoFilter": ["Role"],
        "AppDefinedDataFilter_GroupMember": ["MemberDefined1"],
    });
    let answer = ok(group(&server, "get_group_member_info", body).await);
    assert_eq!(answer["MemberList"], json!([bob]));
    // A filter of base fields alone leaves them out, unless it names them.
    let body = json!({"GroupId": "g1", "Limit": 1, "MemberInfoFilter": ["Role"]});
    let answer = ok(group(&server, "get_group_member_info", body).await);
    assert_eq!(answer["MemberList"], json!([{"Member_Account": "bob", "Role": "Member"}]));
    let body = json!({"GroupId": "g1", "Limit": 1, "MemberInfoFilter": ["AppMemberDefinedData"]});
    let answer = ok(group(&server, "get_group_member_info", body).await);
    let expected = json!([{"Member_Account": "bob", "AppMemberDefinedData": of_bob()}]);
    assert_eq!(answer["MemberList"], expected);
    server.stop().await;
}

#[tokio::test]
async fn a_users_list_of_groups_shows_what_is_asked_for() {
    let server = with_data().await;
    let list = async |filter: Value| {
        let body = json!({"Member_Account": "bob", "ResponseFilter": filter});
        ok(group(&server, "get_joined_group_list", body).await)["GroupIdList"][0].clone()
    };
    assert_eq!(list(json!({})).await, json!({"GroupId": "g1"}));
    let shown = list(json!({
        "AppDefinedDataFilter_Group": ["GroupTestData1"],
        "AppDefinedDataFilter_GroupMember": ["MemberDefined2"],
    }))
    .await;
    let expected = json!({
        "GroupId": "g1",
        "AppDefinedData": [{"Key": "GroupTestData1", "Value": "xxxxx"}],
        "SelfInfo": {"AppMemberDefinedData": [{"Key": "MemberDefined2", "Value": "2"}]},
    });
    assert_eq!(shown, expected);
    let shown = list(json!({
        "GroupBaseInfoFilter": ["Type", "AppDefinedData"],
        "SelfInfoFilter": ["Role", "NameCard", "AppMemberDefinedData"],
    }))
    .await;
    let expected = json!({
        "GroupId": "g1", "Type": "Public", "AppDefinedData": of_group(),
        "SelfInfo": {"Role": "Member", "NameCard": "", "AppMemberDefinedData": of_bob()},
    });
    assert_eq!(shown, expected);
    server.stop().await;
}

#[tokio::test]
async fn the_documented_question_after_given_members() {
    let server = with_data().await;
    let body = json!({
        "GroupId": "g1",
        "Member_List_Account": ["owner", "stranger", "bob", "owner"],
        "MemberInfoFilter": ["Role", "NameCard", "ShutUpUntil"],
        "AppDefinedDataFilter_GroupMember": ["MemberDefined1"],
    });
    let answer = group(&server, "get_specified_group_member_info", body).await;
    let expected = json!({
        "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "GroupId": "g1",
        "MemberList": [
            {"Member_Account": "owner", "Role": "Owner", "NameCard": "", "ShutUpUntil": 0},
            {
                "Member_Account": "bob", "Role": "Member", "NameCard": "", "ShutUpUntil": 0,
                "AppMemberDefinedData": [{"Key": "MemberDefined1", "Value": "1"}],
            },
        ],
    });
    assert_eq!(answer, expected);
    let body = json!({"GroupId": "g1", "Member_List_Account": ["bob"]});
    let answer = ok(group(&server, "get_specified_group_member_info", body).await);
    for field in ["Role", "JoinTime", "MsgFlag", "MuteUntil", "AppMemberDefinedData"] {
        assert!(answer["MemberList"][0].get(field).is_some(), "{field}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_the_question_after_given_members_refuses() {
    let server = with_data().await;
    server.group("owner", "live", "AVChatRoom", json!({})).await;
    let many: Vec<String> = (0..51).map(|number| format!("u{number}")).collect();
    let of = |id: &str, people: Value| json!({"GroupId": id, "Member_List_Account": people});
    for (body, code, word) in [
        (of("g1", json!(many)), 10_005, "Member_List_Account has 51 entries, at most 50"),
        (of("live", json!(["owner"])), 10_007, "AVChatRoom"),
        (of("absent", json!(["owner"])), 10_010, "no such group"),
        (of("é", json!(["owner"])), 10_015, "GroupId"),
    ] {
        let text = refused(&group(&server, "get_specified_group_member_info", body).await, code);
        assert!(text.contains(word), "{text}");
    }
    let body = of("g1", json!(many[..50]));
    let answer = ok(group(&server, "get_specified_group_member_info", body).await);
    assert_eq!(answer["MemberList"], json!([]));
    server.stop().await;
}
