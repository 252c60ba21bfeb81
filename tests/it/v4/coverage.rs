//! Which of the documented codes each command reaches (`tencent-im.md` 2.3 and 3). The calls are really
//! made; a code that is documented and neither reached nor listed with a reason fails the test, and so does
//! a command that the table of commands has and this one has not.
//!
//! `cargo test --test it v4::coverage -- --nocapture` prints the table.

mod tries;
mod worlds;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::json;

use self::worlds::{Reached, make_all};
use super::calls::right_calls;
use crate::common::Server;

/// What is documented for each command of the group service besides 10002, 10003 and 10004, which are
/// documented for all but [`WITHOUT_UNKNOWN`].
const GROUP_CODES: &[(&str, &[i64])] = &[
    (
        "create_group",
        &[10_005, 10_006, 10_007, 10_008, 10_016, 10_021, 10_025, 10_036, 10_037, 10_038, 10_058],
    ),
    ("import_group", &[10_007, 10_021]),
    ("import_group_member", &[10_005, 10_006, 10_007, 10_010, 10_015]),
    ("destroy_group", &[10_007, 10_010, 10_015]),
    ("get_group_info", &[10_007, 10_010, 10_015, 10_018]),
    ("modify_group_base_info", &[10_007, 10_010, 10_015, 10_026]),
    ("add_group_member", &[10_005, 10_007, 10_010, 10_014, 10_015, 10_016, 10_019, 10_026, 10_037]),
    ("delete_group_member", &[10_007, 10_010, 10_015]),
    ("get_group_member_info", &[10_010, 10_015]),
    ("get_specified_group_member_info", &[]),
    ("modify_group_member_info", &[10_007, 10_010, 10_015]),
    ("get_joined_group_list", &[10_018]),
    ("get_role_in_group", &[10_007, 10_010, 10_015]),
    ("forbid_send_msg", &[10_007, 10_010, 10_015]),
    ("get_group_muted_account", &[10_007, 10_010, 10_015]),
    ("get_group_shutted_uin", &[10_007, 10_010, 10_015]),
    ("change_group_owner", &[10_007, 10_010, 10_015]),
    ("ban_group_member", &[]),
    ("unban_group_member", &[]),
    ("get_group_ban_member", &[]),
    ("get_appid_group_list", &[10_007, 10_018]),
    ("set_group_attr", ATTRIBUTE_CODES),
    ("modify_group_attr", ATTRIBUTE_CODES),
    ("delete_group_attr", DELETE_ATTRIBUTE_CODES),
    ("clear_group_attr", ATTRIBUTE_CODES),
    ("get_group_attr", ATTRIBUTE_CODES),
];

/// What is documented for all commands about attributes alike, whatever they do with them.
const ATTRIBUTE_CODES: &[i64] = &[10_007, 10_010, 10_015, 10_045, 10_046, 10_047, 10_048, 10_049];
/// The same, and an attribute that is absent.
const DELETE_ATTRIBUTE_CODES: &[i64] =
    &[10_007, 10_010, 10_015, 10_045, 10_046, 10_047, 10_048, 10_049, 10_050];

/// The commands for which 10003 is not documented.
const WITHOUT_UNKNOWN: &[&str] = &["change_group_owner", "get_appid_group_list"];

/// What is documented for each command of the account service.
const ACCOUNT_CODES: &[(&str, &[i64])] = &[
    ("account_import", &[40_006, 40_601, 70_169, 70_398, 70_402, 70_403, 70_500]),
    ("multiaccount_import", &[70_169, 70_202, 70_398, 70_402, 70_403, 70_500]),
    ("account_check", &[70_402, 70_403, 70_500]),
    ("account_delete", &[70_107, 70_402, 70_403, 70_500, 71_000]),
    ("kick", &[70_107, 70_402, 70_403, 70_500]),
];

/// Stands for every command that a code is documented for.
const EVERY: &str = "*";

/// Documented codes that no call can get from Muster: command, code, and why.
const WITHOUT_CAUSE: &[(&str, i64, &str)] = &[
    ("create_group", 10_006, "Muster sets no number of new groups a day"),
    ("create_group", 10_008, "signatures are checked before any command: 70001 to 70052"),
    ("create_group", 10_036, "there are no editions that bound live groups"),
    ("create_group", 10_058, "there is no trial edition"),
    (EVERY, 10_016, "this version asks no webhook before it acts"),
    (EVERY, 10_026, "no command is switched off for an app"),
    ("import_group_member", 10_006, "Muster does not bound how often an administrator calls"),
    ("add_group_member", 10_037, "who is at his limit gets result 4, the others go on"),
    (
        "get_appid_group_list",
        10_007,
        "who is no administrator is refused before any command: 60010",
    ),
    ("delete_group_attr", 10_046, "a value that stands beside a key is passed over"),
    ("delete_group_attr", 10_047, "the command only makes attributes fewer"),
    ("delete_group_attr", 10_048, "the command only makes attributes fewer"),
    ("clear_group_attr", 10_045, "the command names no key"),
    ("clear_group_attr", 10_046, "the command has no value"),
    ("clear_group_attr", 10_047, "the command only makes attributes fewer"),
    ("clear_group_attr", 10_048, "the command only makes attributes fewer"),
    ("get_group_attr", 10_045, "the command names no key: all are read"),
    ("get_group_attr", 10_046, "the command has no value"),
    ("get_group_attr", 10_047, "the command adds nothing"),
    ("get_group_attr", 10_048, "the command adds nothing"),
    ("get_group_attr", 10_049, "only changes are bounded, not how often attributes are read"),
    ("account_delete", 71_000, "there are no editions: every account can be deleted"),
    ("account_import", 40_006, "a fault of the server is 70500 for all that is imported"),
    ("multiaccount_import", 70_169, "accounts that are being deleted are in FailAccounts"),
    (EVERY, 70_202, "time that runs out is 70500"),
    (EVERY, 70_398, "there is no trial edition"),
    (EVERY, 70_403, "who is no administrator is refused before any command: 60010"),
];

/// Command by command, all that is documented.
fn documented() -> Vec<(&'static str, Vec<i64>)> {
    let of_groups = GROUP_CODES.iter().map(|(command, codes)| {
        let unknown = !WITHOUT_UNKNOWN.contains(command);
        let common = [Some(10_002), unknown.then_some(10_003), Some(10_004)];
        (*command, common.into_iter().flatten().chain(codes.iter().copied()).collect())
    });
    let of_accounts = ACCOUNT_CODES.iter().map(|(command, codes)| (*command, codes.to_vec()));
    of_groups.chain(of_accounts).collect()
}

fn why_not(command: &str, code: i64) -> Option<&'static str> {
    let fits = |listed: &str| listed == command || listed == EVERY;
    let found = WITHOUT_CAUSE.iter().find(|(listed, of, _)| fits(listed) && *of == code);
    found.map(|(_, _, why)| *why)
}

/// The table, and what is wrong with it.
fn judge(reached: &Reached) -> (String, Vec<String>) {
    let (mut table, mut wrong) = (String::new(), Vec::new());
    for (command, codes) in documented() {
        writeln!(table, "\n{command}").expect("a text takes it");
        let codes: BTreeSet<i64> = codes.into_iter().collect();
        for code in &codes {
            let got = reached.get(&(command.to_owned(), *code));
            let line = match (got, why_not(command, *code)) {
                (Some(text), None) => format!("reached: {text}"),
                (None, Some(why)) => format!("no cause here: {why}"),
                (Some(_), Some(why)) => {
                    wrong.push(format!("{command} {code} is reached, though: {why}"));
                    "reached, and listed as without a cause".to_owned()
                }
                (None, None) => {
                    wrong.push(format!("{command} {code} is documented and not reached"));
                    "MISSING".to_owned()
                }
            };
            writeln!(table, "  {code}  {line}").expect("a text takes it");
        }
        for ((_, code), text) in reached.iter().filter(|((name, _), _)| name == command) {
            if !codes.contains(code) {
                writeln!(table, "  {code}  beyond the list: {text}").expect("a text takes it");
            }
        }
    }
    for (command, code, why) in WITHOUT_CAUSE {
        let of = |(name, codes): &(&str, Vec<i64>)| {
            (command == name || *command == EVERY) && codes.contains(code)
        };
        if !documented().iter().any(of) {
            wrong.push(format!("{command} {code} is not documented: {why}"));
        }
    }
    (table, wrong)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_code_is_reached_or_has_no_cause_here() {
    let (table, wrong) = judge(&make_all().await);
    println!("{table}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_of_the_table_is_covered() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/v4/table.rs");
    let source = std::fs::read_to_string(path).expect("the table of commands");
    let rows = source.lines().filter(|line| line.trim_start().starts_with("Row { service:"));
    let names: BTreeSet<&str> =
        rows.map(|row| row.split('"').nth(1).expect("a command's name")).collect();
    let documented: BTreeSet<&str> = documented().iter().map(|(command, _)| *command).collect();
    assert_eq!(names, documented);
    let calls = right_calls();
    let called: BTreeSet<&str> =
        calls.iter().map(|(path, _)| path.split('/').nth(1).expect("a command")).collect();
    assert_eq!(names, called, "each has a right call in calls.rs");
}

#[tokio::test]
async fn commands_that_are_not_about_groups_members_and_accounts_are_unknown() {
    let server = Server::start().await;
    let groups = [
        "import_group_msg",
        "set_unread_msg_num",
        "send_group_msg",
        "send_group_system_notification",
        "send_broadcast_msg",
        "group_msg_recall",
        "group_msg_get_simple",
        "delete_group_msg_by_sender",
        "get_group_msg_receipt",
        "get_group_msg_receipt_detail",
        "get_group_counter",
        "update_group_counter",
        "delete_group_counter",
        "get_online_member_num",
        "apply_join_group",
        "handle_apply_join_group",
        "handle_invite_join_group",
        "handle_invite_join_permission_group",
        "quit_group",
        "get_pendency",
        "report_pendency",
        "get_group_public_info",
        "get_group_self_member_info",
        "search_group",
        "get_group_notify",
        "msg_read_report",
        "group_msg_get",
        "get_group_simplify_info",
    ];
    let paths = groups.iter().map(|command| format!("group_open_http_svc/{command}")).chain(
        [
            "group_open_avchatroom_http_svc/get_members",
            "group_open_avchatroom_http_svc/modify_user_info",
            "group_open_avchatroom_http_svc/modify_admin",
            "group_open_avchatroom_http_svc/get_admin_list",
            "group_open_avchatroom_http_svc/check_members",
            "group_open_http_noauth_svc/get_group_public_info",
            "million_group_open_http_svc/create_topic",
            "million_group_open_http_svc/get_topic",
            "million_group_open_http_svc/modify_topic",
            "million_group_open_http_svc/destroy_topic",
            "million_group_open_http_svc/import_topic",
            "openim/modify_group_msg",
            "openim_msg_ext_http_svc/group_get_key_values",
            "openim_msg_ext_http_svc/group_set_key_values",
        ]
        .map(str::to_owned),
    );
    for path in paths {
        let answer = server.v4(&path, json!({"GroupId": "g1"})).await;
        assert_eq!(answer["ErrorCode"], 10_003, "{path}: {answer}");
    }
    server.stop().await;
}
