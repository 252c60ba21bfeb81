//! Which types of groups each command supports (`tencent-im.md` 2.3), and what it answers for the others.

use serde_json::{Value, json};

use super::calls::right_call;
use super::{column, group, ok};
use crate::common::Server;

/// The letters of the document.
const LETTERS: &[(char, &str)] = &[
    ('P', "Private"),
    ('U', "Public"),
    ('C', "ChatRoom"),
    ('A', "AVChatRoom"),
    ('M', "Community"),
];

/// Command, supported types, the code for any other type, and a call that the supported ones allow. The
/// group's end comes last.
fn table() -> Vec<(&'static str, &'static str, i64, Value)> {
    let guest = json!(["guest"]);
    let guests = json!([{"Member_Account": "guest"}]);
    let attributes = json!({"GroupAttr": [{"key": "k", "value": "v"}]});
    vec![
        ("import_group_member", "PUCM", 10_007, json!({"MemberList": guests})),
        ("modify_group_base_info", "PUCAM", 10_007, json!({"Name": "new"})),
        ("add_group_member", "PUCM", 10_007, json!({"MemberList": guests})),
        ("delete_group_member", "PUCM", 10_004, json!({"MemberToDel_Account": guest})),
        ("get_group_member_info", "PUCM", 10_007, json!({})),
        (
            "get_specified_group_member_info",
            "PUCM",
            10_007,
            json!({"Member_List_Account": ["owner"]}),
        ),
        (
            "modify_group_member_info",
            "PUCM",
            10_007,
            json!({"Member_Account": "owner", "NameCard": "card"}),
        ),
        ("get_role_in_group", "PUCM", 10_007, json!({"User_Account": ["owner"]})),
        ("forbid_send_msg", "UCAM", 10_007, json!({"Members_Account": ["owner"], "MuteTime": 60})),
        ("get_group_muted_account", "PUCAM", 10_007, json!({})),
        ("get_group_shutted_uin", "PUCAM", 10_007, json!({})),
        ("change_group_owner", "PUCM", 10_007, json!({"NewOwner_Account": "owner"})),
        ("ban_group_member", "PUCAM", 10_007, json!({"Members_Account": guest, "Duration": 60})),
        ("get_group_ban_member", "PUCAM", 10_007, json!({})),
        ("unban_group_member", "PUCAM", 10_007, json!({"Members_Account": guest})),
        ("set_group_attr", "PUCAM", 10_007, attributes.clone()),
        ("modify_group_attr", "PUCAM", 10_007, attributes.clone()),
        ("get_group_attr", "PUCAM", 10_007, json!({})),
        ("delete_group_attr", "PUCAM", 10_007, attributes),
        ("clear_group_attr", "PUCA", 10_007, json!({})),
        ("destroy_group", "PUCAM", 10_007, json!({})),
    ]
}

#[tokio::test]
async fn commands_support_the_documented_types_and_no_other() {
    let server = Server::start().await;
    for (letter, group_type) in LETTERS {
        let made = json!({"Type": group_type, "Name": "n", "Owner_Account": "owner"});
        let made = ok(group(&server, "create_group", made).await);
        let list = json!({"GroupType": group_type});
        let list = ok(group(&server, "get_appid_group_list", list).await);
        assert_eq!(json!(column(&list["GroupIdList"], "GroupId")), json!([made["GroupId"]]));
        for (command, types, unsupported, mut body) in table() {
            body["GroupId"] = made["GroupId"].clone();
            let answer = server.v4(&right_call(command).0, body).await;
            let expected = if types.contains(*letter) { 0 } else { unsupported };
            assert_eq!(answer["ErrorCode"], expected, "{command} {group_type}: {answer}");
        }
        let import = json!({"Type": group_type, "Name": "n", "Owner_Account": "owner"});
        let answer = group(&server, "import_group", import).await;
        let expected = if "PUCM".contains(*letter) { 0 } else { 10_007 };
        assert_eq!(answer["ErrorCode"], expected, "import_group {group_type}: {answer}");
    }
    server.check_invariants().await;
    server.stop().await;
}
