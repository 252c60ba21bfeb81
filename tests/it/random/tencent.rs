//! The Tencent face: every command of its table, also those that this file has no body for.

use futures_util::future::join_all;
use rand::RngExt;
use serde_json::{Value, json};

use super::damage::{damaged, query};
use super::one;
use super::player::{IN_A_GROUP, Player, WORLDS, seed, share};
use crate::common::wire::request;
use crate::common::{ADMIN, APP, Answer, commands};

/// A body that a command takes, in a group and with a number for new names. People whom the next requests
/// need are not among those whose accounts end.
fn good(command: &str, group: &str, number: usize) -> Value {
    let fields = json!([{ "Key": "k", "Value": "v" }]);
    let member = json!([{
        "Member_Account": "dave", "Role": "Admin", "AppMemberDefinedData": fields, "JoinTime": 1_700_000_000,
        "UnreadMsgNum": 0,
    }]);
    let profile = json!({
        "Type": "Public", "Name": "n", "GroupId": format!("new{number}"), "Owner_Account": "alice",
        "Introduction": "i", "Notification": "n", "FaceUrl": "f", "MaxMemberCount": 9,
        "ApplyJoinOption": "FreeAccess", "InviteJoinOption": "FreeAccess", "AppDefinedData": fields,
        "MemberList": member, "SupportTopic": 0, "CreateTime": 1_700_000_000,
    });
    let attributes = json!([{ "key": "a", "value": "b" }]);
    match command {
        "create_group" | "import_group" => profile,
        "modify_group_base_info" => json!({
            "GroupId": group, "Name": "m", "Introduction": "i", "Notification": "n", "FaceUrl": "f",
            "MaxMemberNum": 50, "ApplyJoinOption": "NeedPermission", "InviteJoinOption": "DisableInvite",
            "MuteAllMember": "On", "ShutUpAllMember": "Off", "AppDefinedData": fields,
        }),
        "add_group_member" => json!({
            "GroupId": group, "Silence": 0, "MemberList": [{ "Member_Account": "dave" }],
        }),
        "import_group_member" => json!({ "GroupId": group, "MemberList": member }),
        "delete_group_member" => json!({
            "GroupId": group, "Silence": 1, "Reason": "r", "MemberToDel_Account": ["bob"],
        }),
        "modify_group_member_info" => json!({
            "GroupId": group, "Member_Account": "bob", "Role": "Admin", "NameCard": "card", "MuteTime": 60,
            "ShutUpTime": 0, "MsgFlag": "Discard", "AppMemberDefinedData": fields,
        }),
        "get_group_info" => json!({ "GroupIdList": [group], "ResponseFilter": {
            "GroupBaseInfoFilter": ["Type", "Name"], "MemberInfoFilter": ["Role"],
            "AppDefinedDataFilter_Group": ["k"], "AppDefinedDataFilter_GroupMember": ["k"],
        }}),
        "get_joined_group_list" => json!({
            "Member_Account": "alice", "Limit": 10, "Offset": 0, "GroupType": "Public", "WithHugeGroups": 1,
            "WithNoActiveGroups": 1, "SupportTopic": 0,
            "ResponseFilter": { "GroupBaseInfoFilter": ["Type"], "SelfInfoFilter": ["Role"] },
        }),
        "account_import" => json!({ "UserID": format!("n{number}"), "Nick": "n", "FaceUrl": "f" }),
        "multiaccount_import" => json!({
            "Accounts": [format!("n{number}")], "AccountList": [{ "UserID": "o", "Nick": "n" }],
        }),
        "account_check" => json!({ "CheckItem": [{ "UserID": "alice" }] }),
        "account_delete" => json!({ "DeleteItem": [{ "UserID": format!("n{}", number / 2) }] }),
        "kick" => json!({ "UserID": format!("n{}", number / 2) }),
        "set_group_attr" | "modify_group_attr" => {
            json!({ "GroupId": group, "GroupAttr": attributes })
        }
        "delete_group_attr" => json!({ "GroupId": group, "GroupAttr": [{ "key": "a" }] }),
        // Whatever a command about a group may want; it passes over the rest.
        _ => json!({
            "GroupId": group, "Limit": 10, "Offset": 0, "Next": "", "MemberInfoFilter": ["Role"],
            "MemberRoleFilter": ["Owner"], "User_Account": ["alice", "bob"], "Member_List_Account": ["bob"],
            "Members_Account": ["bob"], "MuteTime": 60, "Duration": 60, "Description": "d",
            "NewOwner_Account": "bob", "GroupType": "Public",
        }),
    }
}

/// Whether a command only reads.
fn reads(command: &str) -> bool {
    command.starts_with("get_") || command == "account_check"
}

/// Checks that an answer is one of the face's and does not blame the server.
#[track_caller]
fn check(what: &str, answer: &Answer) -> bool {
    assert_eq!(answer.status, 200, "{what}: {answer:?}");
    let body = &answer.body;
    let code = body["ErrorCode"].as_i64().unwrap_or_else(|| panic!("{what}: {answer:?}"));
    assert!(![10_002, 70_500].contains(&code), "{what}: {answer:?}");
    let status = if code == 0 { "OK" } else { "FAIL" };
    assert_eq!(body["ActionStatus"], status, "{what}: {answer:?}");
    let text = body["ErrorInfo"].as_str().unwrap_or_else(|| panic!("{what}: {answer:?}"));
    assert_eq!(text.is_empty(), code == 0, "{what}: {answer:?}");
    assert!(text.len() < 1_000, "{what}: {text}");
    for secret in ["select ", "insert ", "sqlx", "postgres", ".rs:", "panicked"] {
        assert!(!text.to_lowercase().contains(secret), "{what}: {text}");
    }
    code == 0
}

/// Path and query of a command: mostly as they should be.
fn target(command: &str, usersig: &str, player: &mut Player) -> String {
    let dice = &mut player.dice;
    let signed = format!("sdkappid={APP}&identifier={ADMIN}&usersig={usersig}&random=1");
    match dice.random_range(0..40) {
        0 => format!("/v4/{command}{}", query(dice)),
        1 => format!("/v4/{command}{}&{signed}", query(dice)),
        2 => format!("/v4/{command}x?{signed}"),
        3 => format!("/v4/{command}?{}", signed.replace("00", "01")),
        4 => format!("/v4/{command}?{}", signed.replace(ADMIN, "bob")),
        _ => format!("/v4/{command}?{signed}&contenttype=json"),
    }
}

async fn play(seed: u64, requests: usize) -> Player {
    let mut player = Player::new(seed).await;
    let usersig = player.world.server.usersig(ADMIN);
    let (mut group, commands) = ("g".to_owned(), commands::all());
    for number in 0..requests {
        if number % IN_A_GROUP == 0 {
            group = format!("group{number}");
            player.renew(&group).await;
        }
        let command = one(&mut player.dice, &commands).clone();
        let name = command.split('/').next_back().expect("a name");
        // What ends the group is rare, or little would be tried in it.
        if name == "destroy_group" && player.dice.random_bool(0.9) {
            continue;
        }
        let body = damaged(&good(name, &group, number), &mut player.dice);
        let target = target(&command, &usersig, &mut player);
        let answer = player.send(&request("POST", &target, &[], &body)).await;
        let shown: String = String::from_utf8_lossy(&body).chars().take(400).collect();
        let what = format!("seed {seed}, {number}: {target} {shown}");
        let taken = check(&what, &answer);
        player.judge(&format!("{what}\n{answer:?}"), taken, !reads(name)).await;
    }
    player
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_requests_to_the_tencent_face_are_answered_and_refused_ones_leave_no_trace() {
    let seed = seed();
    println!("MUSTER_TEST_SEED={seed}");
    let share = share();
    let worlds = (0..WORLDS).map(|number| play(seed.wrapping_add(number as u64), share));
    let (mut taken, mut refused) = (0, 0);
    for player in join_all(worlds).await {
        (taken, refused) = (taken + player.taken, refused + player.refused);
        player.end().await;
    }
    println!("{taken} taken, {refused} refused");
    let all = taken + refused;
    assert!(taken > all / 10, "seed {seed}: only {taken} were taken, so little was tried");
    assert!(refused > all / 10, "seed {seed}: only {refused} were refused");
}

/// Every command of the table is meant: undamaged, its body comes as far as the rules.
#[tokio::test]
async fn every_command_takes_its_undamaged_body() {
    let mut player = Player::new(1).await;
    for (number, command) in commands::all().iter().enumerate() {
        let name = command.split('/').next_back().expect("a name");
        let group = format!("group{number}");
        player.renew(&group).await;
        let answer = player.world.server.v4(command, good(name, &group, number)).await;
        let code = answer["ErrorCode"].as_i64().expect("ErrorCode");
        // Of a body that this file does not know a field may be missing; an account or an attribute may not
        // be there.
        assert!([0, 10_004, 10_007, 10_050, 70_107].contains(&code), "{command}: {answer}");
    }
    player.end().await;
}
