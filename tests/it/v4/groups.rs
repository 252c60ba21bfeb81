//! `create_group` and `destroy_group`.

use serde_json::json;

use super::{column, group, ok, refused};
use crate::common::{ADMIN, Server};

#[tokio::test]
async fn the_documented_creation() {
    let server = Server::start().await;
    let answer = ok(group(
        &server,
        "create_group",
        json!({
            "Owner_Account": "leckie",
            "Type": "Public",
            "GroupId": "MyFirstGroup",
            "Name": "TestGroup",
            "Introduction": "This is group Introduction",
            "Notification": "This is group Notification",
            "FaceUrl": "http://this.is.face.url",
            "MaxMemberCount": 500,
            "ApplyJoinOption": "FreeAccess",
            "InviteJoinOption": "NeedPermission",
            "MemberList": [
                {"Member_Account": "bob", "Role": "Admin"},
                {"Member_Account": "peter"},
            ],
        }),
    )
    .await);
    let expected = json!({
        "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0,
        "GroupId": "MyFirstGroup", "Type": "Public",
    });
    assert_eq!(answer, expected);

    let info = ok(group(&server, "get_group_info", json!({"GroupIdList": ["MyFirstGroup"]})).await);
    let info = &info["GroupInfo"][0];
    for (field, value) in [
        ("Type", json!("Public")),
        ("Name", json!("TestGroup")),
        ("Introduction", json!("This is group Introduction")),
        ("Notification", json!("This is group Notification")),
        ("FaceUrl", json!("http://this.is.face.url")),
        ("Owner_Account", json!("leckie")),
        ("MaxMemberNum", json!(500)),
        ("MemberNum", json!(3)),
        ("ApplyJoinOption", json!("FreeAccess")),
        ("InviteJoinOption", json!("NeedPermission")),
    ] {
        assert_eq!(info[field], value, "{field}");
    }
    let roles = json!({"GroupId": "MyFirstGroup", "User_Account": ["leckie", "bob", "peter"]});
    let roles = ok(group(&server, "get_role_in_group", roles).await);
    assert_eq!(column(&roles["UserIdList"], "Role"), ["Owner", "Admin", "Member"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn both_spellings_of_every_type_are_read_and_the_old_one_is_answered() {
    let server = Server::start().await;
    for (sent, answered, id) in [
        ("Private", "Private", "@TGS#1"),
        ("Work", "Private", "@TGS#1"),
        ("Public", "Public", "@TGS#2"),
        ("ChatRoom", "ChatRoom", "@TGS#3"),
        ("Meeting", "ChatRoom", "@TGS#3"),
        ("AVChatRoom", "AVChatRoom", "@TGS#a"),
        ("Community", "Community", "@TGS#_@TGS#c"),
    ] {
        let made = ok(group(&server, "create_group", json!({"Type": sent, "Name": "n"})).await);
        assert_eq!(made["Type"], answered, "{sent}");
        let made_id = made["GroupId"].as_str().expect("GroupId");
        assert!(made_id.starts_with(id), "{made_id}");
        let info = ok(group(&server, "get_group_info", json!({"GroupIdList": [made_id]})).await);
        assert_eq!(info["GroupInfo"][0]["Type"], answered);
        assert_eq!(info["GroupInfo"][0]["Owner_Account"], "", "nobody owns it");
        assert_eq!(info["GroupInfo"][0]["MemberNum"], 0);
    }
    for unknown in ["BChatRoom", "private", "Anything"] {
        let refusal = group(&server, "create_group", json!({"Type": unknown, "Name": "n"})).await;
        assert!(refused(&refusal, 10_004).contains("Type must be one of"));
    }
    server.stop().await;
}

#[tokio::test]
async fn options_that_a_type_fixes_are_passed_over() {
    let server = Server::start().await;
    for (group_type, join, invite) in [
        ("Private", "DisableApply", "NeedPermission"),
        ("ChatRoom", "FreeAccess", "NeedPermission"),
        ("AVChatRoom", "FreeAccess", "DisableInvite"),
    ] {
        let body = json!({
            "Type": group_type, "Name": "n", "ApplyJoinOption": "NeedPermission",
            "InviteJoinOption": "NeedPermission", "MaxMemberCount": 10,
        });
        let made = ok(group(&server, "create_group", body).await);
        let info = json!({"GroupIdList": [made["GroupId"]]});
        let info = ok(group(&server, "get_group_info", info).await);
        assert_eq!(info["GroupInfo"][0]["ApplyJoinOption"], join, "{group_type}");
        assert_eq!(info["GroupInfo"][0]["InviteJoinOption"], invite, "{group_type}");
        let cap = if group_type == "AVChatRoom" { 0 } else { 10 };
        assert_eq!(info["GroupInfo"][0]["MaxMemberNum"], cap, "{group_type}");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_create_group_refuses() {
    let server = Server::with(&[("MUSTER_MEMBERS_PER_GROUP", "1000")]).await;
    server.put(ADMIN, "/v1/users/full", json!({"groupLimit": 0})).await.ok();
    server.group("owner", "taken", "Public", json!({})).await;
    let many: Vec<_> = (0..301).map(|n| json!({"Member_Account": format!("u{n}")})).collect();
    let table = [
        (json!({"Type": "Public"}), 10_004, "Name is missing"),
        (json!({"Name": "n"}), 10_004, "Type is missing"),
        (json!({"Type": "Public", "Name": ""}), 10_004, "Name"),
        (json!({"Type": "Public", "Name": "x".repeat(101)}), 10_004, "at most 100"),
        (json!({"Type": "Public", "Name": 7}), 10_004, "Name must be a string"),
        (json!({"Type": "Public", "Name": "n", "Owner_Account": "x".repeat(33)}), 10_004, "Owner"),
        (
            json!({"Type": "Public", "Name": "n", "ApplyJoinOption": "No"}),
            10_004,
            "ApplyJoinOption",
        ),
        (json!({"Type": "Public", "Name": "n", "MaxMemberCount": -1}), 10_004, "MaxMemberCount"),
        (
            json!({"Type": "Public", "Name": "n", "AppDefinedData": [{"Key": "k k", "Value": "v"}]}),
            10_004,
            "AppDefinedData[0].Key must have 1 to 16 letters",
        ),
        (
            json!({"Type": "Work", "Name": "n", "MemberList": [{"Member_Account": "a", "Role": "Admin"}]}),
            10_004,
            "MemberList",
        ),
        (
            json!({"Type": "Public", "Name": "n", "MemberList": many}),
            10_005,
            "MemberList names 301",
        ),
        (
            json!({"Type": "AVChatRoom", "Name": "n", "MemberList": [{"Member_Account": "a"}]}),
            10_007,
            "AVChatRoom",
        ),
        (json!({"Type": "Public", "Name": "n", "GroupId": "@TGS#1x"}), 10_015, "GroupId"),
        (json!({"Type": "Public", "Name": "n", "GroupId": "x".repeat(49)}), 10_015, "GroupId"),
        (json!({"Type": "Community", "Name": "n", "GroupId": "city"}), 10_015, "GroupId"),
        (json!({"Type": "Public", "Name": "n", "GroupId": "taken"}), 10_021, "exists"),
        (
            json!({"Type": "Public", "Name": "n", "GroupId": "taken", "Owner_Account": "owner"}),
            10_025,
            "owner",
        ),
        (json!({"Type": "Public", "Name": "n", "Owner_Account": "full"}), 10_037, "groups"),
        (json!({"Type": "Public", "Name": "n", "MaxMemberCount": 1_001}), 10_038, "MaxMemberCount"),
        (json!({"Type": "Public", "Name": "n", "MaxMemberNum": u32::MAX}), 10_038, "at most 1000"),
    ];
    for (body, code, word) in table {
        let text = refused(&group(&server, "create_group", body.clone()).await, code);
        assert!(text.contains(word), "{body}: {text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn who_is_at_his_limit_is_left_out_and_named() {
    let server = Server::start().await;
    server.put(ADMIN, "/v1/users/full", json!({"groupLimit": 0})).await.ok();
    let answer = ok(group(
        &server,
        "create_group",
        json!({"Type": "Private", "Name": "n", "GroupId": "g1", "MemberList": [
            {"Member_Account": "bob"}, {"Member_Account": "full"}, {"Member_Account": "bob"},
        ]}),
    )
    .await);
    assert_eq!(answer["OverJoinedGroupLimit_Account"], json!(["full"]));
    let roles = json!({"GroupId": "g1", "User_Account": ["bob", "full"]});
    let roles = ok(group(&server, "get_role_in_group", roles).await);
    assert_eq!(column(&roles["UserIdList"], "Role"), ["Member", "NotMember"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_owner_is_refused_where_accounts_are_registered() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    let body = json!({"Type": "Public", "Name": "n", "Owner_Account": "nobody"});
    refused(&group(&server, "create_group", body.clone()).await, 10_019);
    let import = json!({"UserID": "nobody"});
    ok(server.v4("im_open_login_svc/account_import", import).await);
    ok(group(&server, "create_group", body).await);
    server.stop().await;
}

#[tokio::test]
async fn a_group_of_any_type_is_dismissed_for_ever() {
    let server = Server::start().await;
    for group_type in ["Private", "Public", "ChatRoom", "AVChatRoom"] {
        let create = json!({
            "Type": group_type, "Name": "n", "GroupId": group_type, "Owner_Account": "owner"
        });
        ok(group(&server, "create_group", create.clone()).await);
        let destroy = json!({"GroupId": group_type});
        let answer = ok(group(&server, "destroy_group", destroy.clone()).await);
        assert_eq!(answer, json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}));
        refused(&group(&server, "destroy_group", destroy).await, 10_010);
        refused(&group(&server, "create_group", create).await, 10_021);
    }
    refused(&group(&server, "destroy_group", json!({"GroupId": "never was"})).await, 10_010);
    refused(&group(&server, "destroy_group", json!({"GroupId": "é"})).await, 10_015);
    refused(&group(&server, "destroy_group", json!({"GroupId": ""})).await, 10_015);
    refused(&group(&server, "destroy_group", json!({"GroupId": 7})).await, 10_004);
    refused(&group(&server, "destroy_group", json!({})).await, 10_004);
    server.check_invariants().await;
    server.stop().await;
}
