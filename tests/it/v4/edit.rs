//! `modify_group_base_info`, `modify_group_member_info`, `change_group_owner`.

use serde_json::{Value, json};

use super::{done, group, info, member, newest_event, ok, refused, roles, with_group};
use crate::common::{ADMIN, Server};

#[tokio::test]
async fn the_documented_change_of_a_group() {
    let server = with_group().await;
    let before = json!({"GroupId": "g1", "AppDefinedData": [
        {"Key": "GroupTestData1", "Value": "old"}, {"Key": "GroupTestData2", "Value": "old"},
    ]});
    done(&group(&server, "modify_group_base_info", before).await);
    let answer = group(
        &server,
        "modify_group_base_info",
        json!({
            "GroupId": "g1",
            "Name": "NewName",
            "Introduction": "NewIntroduction",
            "Notification": "NewNotification",
            "FaceUrl": "http://this.is.new.face.url",
            "MaxMemberNum": 500,
            "ApplyJoinOption": "DisableApply",
            "InviteJoinOption": "NeedPermission",
            "MuteAllMember": "On",
            "AppDefinedData": [
                {"Key": "GroupTestData1", "Value": "NewData"},
                {"Key": "GroupTestData2", "Value": ""},
            ],
            "From_Account": "owner",
        }),
    )
    .await;
    done(&answer);
    let shown = info(&server, "g1").await;
    for (field, value) in [
        ("Name", json!("NewName")),
        ("Introduction", json!("NewIntroduction")),
        ("Notification", json!("NewNotification")),
        ("FaceUrl", json!("http://this.is.new.face.url")),
        ("MaxMemberNum", json!(500)),
        ("ApplyJoinOption", json!("DisableApply")),
        ("InviteJoinOption", json!("NeedPermission")),
        ("MuteAllMember", json!("On")),
        ("ShutUpAllMember", json!("On")),
        ("AppDefinedData", json!([{"Key": "GroupTestData1", "Value": "NewData"}])),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    let event = newest_event(&server, "g1").await;
    assert_eq!(event["event"], "onGroupInfoChanged");
    assert_eq!(event["opUser"]["userID"], ADMIN, "events name who called");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn older_spellings_change_the_same() {
    let server = with_group().await;
    for (body, shown) in [
        (json!({"ShutUpAllMember": "On"}), "On"),
        (json!({"MuteAllMember": ""}), "On"),
        (json!({"MuteAllMember": null, "ShutUpAllMember": "Off"}), "Off"),
        (json!({"MaxMemberCount": 50, "HistoryMsgBeforeJoin": 1}), "Off"),
    ] {
        let mut body = body;
        body["GroupId"] = json!("g1");
        done(&group(&server, "modify_group_base_info", body).await);
        assert_eq!(info(&server, "g1").await["ShutUpAllMember"], shown);
    }
    assert_eq!(info(&server, "g1").await["MaxMemberNum"], 50);
    let seq = info(&server, "g1").await["InfoSeq"].clone();
    done(&group(&server, "modify_group_base_info", json!({"GroupId": "g1"})).await);
    assert_eq!(info(&server, "g1").await["InfoSeq"], seq, "what changes nothing is no event");
    server.stop().await;
}

#[tokio::test]
async fn groups_of_every_type_are_changed() {
    let server = Server::start().await;
    for group_type in ["Private", "Public", "ChatRoom", "AVChatRoom", "Community"] {
        let made = json!({"Type": group_type, "Name": "n", "Owner_Account": "owner"});
        let made = ok(group(&server, "create_group", made).await);
        let body = json!({
            "GroupId": made["GroupId"], "Name": "new", "MuteAllMember": "On", "MaxMemberNum": 77,
        });
        done(&group(&server, "modify_group_base_info", body).await);
        let shown = info(&server, made["GroupId"].as_str().expect("GroupId")).await;
        assert_eq!((&shown["Name"], &shown["MuteAllMember"]), (&json!("new"), &json!("On")));
        let cap = if group_type == "AVChatRoom" { 0 } else { 77 };
        assert_eq!(shown["MaxMemberNum"], cap, "a live group has no cap");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_lowered_limit_evicts_nobody_and_lets_nobody_in() {
    let server = with_group().await;
    let lower = json!({"GroupId": "g1", "MaxMemberNum": 1});
    done(&group(&server, "modify_group_base_info", lower).await);
    let shown = info(&server, "g1").await;
    assert_eq!((&shown["MemberNum"], &shown["MaxMemberNum"]), (&json!(4), &json!(1)));
    let add = json!({"GroupId": "g1", "MemberList": [{"Member_Account": "dave"}]});
    refused(&group(&server, "add_group_member", add).await, 10_014);
    let card = json!({"GroupId": "g1", "Member_Account": "bob", "NameCard": "still here"});
    done(&group(&server, "modify_group_member_info", card).await);
    server.stop().await;
}

#[tokio::test]
async fn what_modify_group_base_info_refuses() {
    let server = Server::with(&[("MUSTER_MEMBERS_PER_GROUP", "1000")]).await;
    server.group("owner", "g1", "Public", json!({})).await;
    server.group("owner", "work", "Work", json!({})).await;
    let keys: Vec<Value> = (0..11).map(|n| json!({"Key": format!("k{n}"), "Value": "v"})).collect();
    for (body, code, word) in [
        (json!({"GroupId": "g1", "AppDefinedData": keys}), 10_004, "AppDefinedData would have 11"),
        (json!({"GroupId": "g1", "From_Account": "é"}), 10_004, "From_Account"),
        (
            json!({"GroupId": "work", "ApplyJoinOption": "FreeAccess"}),
            10_007,
            "ApplyJoinOption of a group of type Work is always DisableApply",
        ),
        (json!({"GroupId": "absent", "Name": "n"}), 10_010, "no such group"),
        (json!({"GroupId": "\t", "Name": "n"}), 10_015, "GroupId"),
        (
            json!({"GroupId": "g1", "MaxMemberNum": 1_001}),
            10_038,
            "MaxMemberNum is 1001, at most 1000 is possible",
        ),
    ] {
        let text = refused(&group(&server, "modify_group_base_info", body).await, code);
        assert!(text.contains(word), "{text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn the_documented_change_of_a_member() {
    let server = with_group().await;
    let body = json!({
        "GroupId": "g1",
        "Member_Account": "bob",
        "Role": "Admin",
        "MsgFlag": "AcceptAndNotify",
        "NameCard": "bob",
        "MuteTime": 86_400,
        "AppMemberDefinedData": [
            {"Key": "MemberDefined1", "Value": "ModifyDefined1"},
            {"Key": "MemberDefined2", "Value": "ModifyDefined2"},
        ],
    });
    done(&group(&server, "modify_group_member_info", body).await);
    let bob = member(&server, "g1", "bob").await;
    assert_eq!((&bob["Role"], &bob["NameCard"]), (&json!("Admin"), &json!("bob")));
    let until = bob["MuteUntil"].as_i64().expect("MuteUntil");
    let now = chrono::Utc::now().timestamp();
    assert!((now + 86_000..now + 86_500).contains(&until), "{until}");
    assert_eq!(bob["ShutUpUntil"], until);
    let data = json!([
        {"Key": "MemberDefined1", "Value": "ModifyDefined1"},
        {"Key": "MemberDefined2", "Value": "ModifyDefined2"},
    ]);
    assert_eq!(bob["AppMemberDefinedData"], data);

    let back = json!({
        "GroupId": "g1", "Member_Account": "bob", "Role": "Member", "NameCard": "",
        "ShutUpTime": 0, "AppMemberDefinedData": [
            {"Key": "MemberDefined1", "Value": ""}, {"Key": "MemberDefined2", "Value": ""},
        ],
    });
    done(&group(&server, "modify_group_member_info", back).await);
    let bob = member(&server, "g1", "bob").await;
    assert_eq!((&bob["Role"], &bob["NameCard"]), (&json!("Member"), &json!("")));
    assert_eq!((&bob["MuteUntil"], bob.get("AppMemberDefinedData")), (&json!(0), None));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn what_modify_group_member_info_refuses() {
    let server = with_group().await;
    server.group("owner", "live", "AVChatRoom", json!({})).await;
    server.group("owner", "work", "Work", json!({"memberList": [{"userID": "bob"}]})).await;
    let of = |id: &str, user: &str, field: &str, value: Value| json!({"GroupId": id, "Member_Account": user, field: value});
    let keys: Vec<Value> = (0..6).map(|n| json!({"Key": format!("k{n}"), "Value": "v"})).collect();
    for (body, code, word) in [
        (of("g1", "bob", "Role", json!("Owner")), 10_004, "Role must be one of Admin, Member"),
        (of("g1", "stranger", "NameCard", json!("x")), 10_004, "stranger is not a member"),
        (
            of("g1", "bob", "AppMemberDefinedData", json!(keys)),
            10_004,
            "AppMemberDefinedData would have 6 keys, at most 5",
        ),
        (of("g1", "owner", "Role", json!("Member")), 10_007, "owner"),
        (of("work", "bob", "Role", json!("Admin")), 10_007, "Work"),
        (of("work", "bob", "MuteTime", json!(1)), 10_007, "Work"),
        (of("live", "owner", "NameCard", json!("x")), 10_007, "AVChatRoom"),
        (of("absent", "bob", "NameCard", json!("x")), 10_010, "no such group"),
        (of("", "bob", "NameCard", json!("x")), 10_015, "GroupId"),
    ] {
        let text = refused(&group(&server, "modify_group_member_info", body).await, code);
        assert!(text.contains(word), "{text}");
    }
    // All or nothing: the good card does not stay when the role is refused.
    let both =
        json!({"GroupId": "g1", "Member_Account": "owner", "Role": "Admin", "NameCard": "x"});
    refused(&group(&server, "modify_group_member_info", both).await, 10_007);
    assert_eq!(member(&server, "g1", "owner").await["NameCard"], "");
    server.stop().await;
}

#[tokio::test]
async fn the_documented_transfer() {
    let server = with_group().await;
    let body = json!({"GroupId": "g1", "NewOwner_Account": "bob", "From_Account": "owner"});
    done(&group(&server, "change_group_owner", body.clone()).await);
    assert_eq!(
        roles(&server, "g1", &["bob", "owner", "admin"]).await,
        ["Owner", "Member", "Admin"]
    );
    assert_eq!(info(&server, "g1").await["Owner_Account"], "bob");
    let seq = info(&server, "g1").await["InfoSeq"].clone();
    done(&group(&server, "change_group_owner", body).await);
    assert_eq!(info(&server, "g1").await["InfoSeq"], seq, "he was the owner already");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_ownerless_group_gets_an_owner() {
    let server = Server::start().await;
    let create = json!({
        "Type": "Private", "Name": "n", "GroupId": "g1", "MemberList": [{"Member_Account": "bob"}],
    });
    ok(group(&server, "create_group", create).await);
    let body = json!({"GroupId": "g1", "NewOwner_Account": "bob"});
    done(&group(&server, "change_group_owner", body).await);
    assert_eq!(roles(&server, "g1", &["bob"]).await, ["Owner"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn what_change_group_owner_refuses() {
    let server = with_group().await;
    server.group("owner", "live", "AVChatRoom", json!({})).await;
    for (body, code, word) in [
        (
            json!({"GroupId": "g1", "NewOwner_Account": "stranger"}),
            10_004,
            "NewOwner_Account names stranger, who is not a member",
        ),
        (
            json!({"GroupId": "g1", "NewOwner_Account": "bob", "From_Account": 7}),
            10_004,
            "From_Account must be a string",
        ),
        (json!({"GroupId": "live", "NewOwner_Account": "owner"}), 10_007, "AVChatRoom"),
        (json!({"GroupId": "absent", "NewOwner_Account": "bob"}), 10_010, "no such group"),
        (json!({"GroupId": "é", "NewOwner_Account": "bob"}), 10_015, "GroupId"),
    ] {
        let text = refused(&group(&server, "change_group_owner", body).await, code);
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(roles(&server, "g1", &["owner"]).await, ["Owner"]);
    server.stop().await;
}
