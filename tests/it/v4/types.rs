//! Which types of groups each command supports (`tencent-im.md` 2.3), and what it answers for the others.

use serde_json::{Value, json};

use super::calls::right_call;
use super::{column, group, info, ok, refused};
use crate::common::{Server, cluster};

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

/// The groups of all pages of a list, with the total of each page.
async fn pages(server: &Server, body: &Value) -> (Vec<String>, Vec<i64>) {
    let (mut found, mut totals, mut next) = (Vec::new(), Vec::new(), json!(0));
    loop {
        let mut asked = body.clone();
        asked["Next"] = next;
        let page = ok(group(server, "get_appid_group_list", asked).await);
        totals.push(page["TotalCount"].as_i64().expect("TotalCount"));
        found.extend(column(&page["GroupIdList"], "GroupId").into_iter().map(str::to_owned));
        next = page["Next"].clone();
        if next == 0 {
            return (found, totals);
        }
    }
}

#[tokio::test]
async fn types_of_the_operators_own_are_made_by_name_and_listed_with_what_they_are_based_on() {
    let types = "[types.Team]\nbased_on = \"Public\"\n[types.Club]\nbased_on = \"Public\"\n\
                 [types.Hall]\nbased_on = \"Meeting\"\n";
    let server = Server::with_file(&cluster::fresh_database().await, types).await;
    for (id, group_type, shown) in [
        ("a", "Team", "Public"),
        ("b", "Public", "Public"),
        ("c", "Hall", "ChatRoom"),
        ("d", "Club", "Public"),
        ("e", "Team", "Public"),
        ("f", "ChatRoom", "ChatRoom"),
        ("g", "Public", "Public"),
    ] {
        let body = json!({"Type": group_type, "Name": "n", "GroupId": id, "Owner_Account": "o"});
        assert_eq!(ok(group(&server, "create_group", body).await)["Type"], shown, "{id}");
        assert_eq!(info(&server, id).await["Type"], shown, "{id}");
    }
    for (group_type, expected) in [
        ("", ["a", "b", "c", "d", "e", "f", "g"].as_slice()),
        ("Public", &["a", "b", "d", "e", "g"]),
        ("ChatRoom", &["c", "f"]),
        ("Community", &[]),
    ] {
        let total = i64::try_from(expected.len()).expect("a few");
        for limit in [1, 2, 3, 0] {
            let body = json!({"Limit": limit, "GroupType": group_type});
            let (found, totals) = pages(&server, &body).await;
            assert_eq!(found, expected, "{body}");
            assert!(totals.iter().all(|one| *one == total), "{body}: {totals:?}");
        }
        let body = json!({"Member_Account": "o", "GroupType": group_type});
        let joined = ok(group(&server, "get_joined_group_list", body).await);
        let mut found = column(&joined["GroupIdList"], "GroupId");
        found.sort_unstable();
        assert_eq!((found.as_slice(), &joined["TotalCount"]), (expected, &json!(total)));
    }
    // The list is by Tencent's types alone.
    let body = json!({"GroupType": "Team"});
    refused(&group(&server, "get_appid_group_list", body).await, 10_004);
    server.check_invariants().await;
    server.stop().await;
}
