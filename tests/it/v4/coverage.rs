//! Which of the documented codes each command reaches (`tencent-im.md` 2.3 and 3). The calls are really
//! made; a code that is documented and neither reached nor listed with a reason fails the test, and so does
//! a command that the table of commands has and this one has not.
//!
//! `cargo test --test it v4::coverage -- --nocapture` prints the table.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::calls::{right_call, right_calls};
use super::{group, login, ok};
use crate::common::{ADMIN, Server, cluster, eventually};
use crate::ops::proxy::Proxy;

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

/// Where a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum World {
    /// A server with groups of all kinds.
    Peopled,
    /// A server where an account has to be imported first.
    Registered,
    /// A server with a group of a type of its own, in which next to nothing is anybody's right.
    Forbidding,
    /// A server on which the attributes of a group change once in a second.
    Hasty,
    /// A server with more groups than an answer holds.
    Crowded,
    /// A server whose database went away.
    Cut,
}

/// One call, and the code that it has to get.
struct Try {
    command: String,
    path: String,
    world: World,
    code: i64,
    body: Value,
}

/// A call of a command in its own service.
fn call(command: &str, code: i64, world: World, body: Value) -> Try {
    Try { path: right_call(command).0, command: command.to_owned(), world, code, body }
}

/// The right call with some fields changed.
fn changed(command: &str, code: i64, changes: &Value) -> Try {
    let (_, mut body) = right_call(command);
    for (field, value) in changes.as_object().into_iter().flatten() {
        body[field.as_str()] = value.clone();
    }
    call(command, code, World::Peopled, body)
}

/// The right call, made elsewhere.
fn right_in(world: World, command: &str, code: i64) -> Try {
    call(command, code, world, right_call(command).1)
}

fn is_group(path: &str) -> bool {
    !path.starts_with("im_open_login_svc/")
}

/// What every command can be called like: without its fields or, where it needs none, with a wrong one; by
/// a name that no command has; while the database is away; where it is about a group, with one that is not
/// there and one that cannot be.
fn common_tries() -> Vec<Try> {
    let mut tries = Vec::new();
    for (path, body) in right_calls() {
        let command = path.split('/').nth(1).unwrap_or_default().to_owned();
        let (wrong, fault) = if is_group(&path) { (10_004, 10_002) } else { (70_402, 70_500) };
        // Who says nothing more gets the first page of all groups.
        let needy = command != "get_appid_group_list";
        let bad = if needy { json!({}) } else { json!({"Limit": 10_001}) };
        tries.push(call(&command, wrong, World::Peopled, bad));
        tries.push(call(&command, fault, World::Cut, body.clone()));
        if is_group(&path) && !WITHOUT_UNKNOWN.contains(&command.as_str()) {
            let misspelled = path.replace(&command, &command.to_uppercase());
            let unknown = call(&command, 10_003, World::Peopled, body.clone());
            tries.push(Try { path: misspelled, ..unknown });
        }
        let field = match command.as_str() {
            "get_group_info" => "GroupIdList",
            _ if command.contains("create") || command == "import_group" => continue,
            _ if body.get("GroupId").is_some() => "GroupId",
            _ => continue,
        };
        for (id, code) in [("absent", 10_010), ("x\u{e9}", 10_015)] {
            let id = if field == "GroupIdList" { json!([id]) } else { json!(id) };
            tries.push(changed(&command, code, &json!({ field: id })));
        }
    }
    tries
}

fn people(count: usize) -> Value {
    (0..count).map(|number| json!({"Member_Account": format!("u{number}")})).collect()
}

/// What is particular to a command. New commands add their rows here.
fn particular_tries() -> Vec<Try> {
    let wide = json!({
        "GroupBaseInfoFilter": ["Name", "AppDefinedData"],
        "MemberInfoFilter": ["Role", "AppMemberDefinedData"],
    });
    vec![
        changed("create_group", 10_005, &json!({"MemberList": people(301)})),
        changed("create_group", 10_007, &json!({"Type": "AVChatRoom"})),
        changed("create_group", 10_021, &json!({"GroupId": "g1", "Owner_Account": "bob"})),
        changed("create_group", 10_025, &json!({"GroupId": "g1"})),
        changed("create_group", 10_037, &json!({"Owner_Account": "full"})),
        changed("create_group", 10_038, &json!({"MaxMemberCount": 5_001})),
        changed("import_group", 10_007, &json!({"Type": "AVChatRoom"})),
        changed("import_group", 10_021, &json!({"GroupId": "g1"})),
        changed("import_group_member", 10_005, &json!({"MemberList": people(301)})),
        changed("import_group_member", 10_007, &json!({"GroupId": "live"})),
        changed(
            "get_group_info",
            10_018,
            &json!({"GroupIdList": ["large"], "ResponseFilter": wide}),
        ),
        changed(
            "get_joined_group_list",
            10_018,
            &json!({"Member_Account": "collector", "Limit": 5_000, "ResponseFilter": wide}),
        ),
        changed("modify_group_base_info", 10_007, &json!({"GroupId": "work"})),
        changed("add_group_member", 10_005, &json!({"MemberList": people(301)})),
        changed("add_group_member", 10_007, &json!({"GroupId": "live"})),
        changed("add_group_member", 10_014, &json!({"GroupId": "small", "MemberList": people(2)})),
        right_in(World::Registered, "add_group_member", 10_019),
        changed("delete_group_member", 10_007, &json!({"MemberToDel_Account": ["owner"]})),
        changed("modify_group_member_info", 10_007, &json!({"GroupId": "live"})),
        changed("get_role_in_group", 10_007, &json!({"GroupId": "live"})),
        changed("forbid_send_msg", 10_007, &json!({"GroupId": "work"})),
        changed("change_group_owner", 10_007, &json!({"GroupId": "live"})),
        changed("account_import", 40_601, &json!({"Nick": "x".repeat(501)})),
        changed("account_import", 70_169, &json!({"UserID": "going"})),
        changed("account_delete", 70_107, &json!({"DeleteItem": [{"UserID": "unknown"}]})),
        changed("kick", 70_107, &json!({"UserID": "unknown"})),
        call("get_appid_group_list", 10_018, World::Crowded, json!({})),
    ]
}

/// What an administrator may do in groups of all five types, but not where a type of the operator's own
/// leaves it to nobody.
fn forbidden_tries() -> Vec<Try> {
    [
        "get_group_info",
        "get_group_muted_account",
        "get_group_shutted_uin",
        "set_group_attr",
        "modify_group_attr",
        "delete_group_attr",
        "clear_group_attr",
        "get_group_attr",
        "destroy_group",
    ]
    .map(|command| right_in(World::Forbidding, command, 10_007))
    .into()
}

fn pairs(count: usize, bytes: usize) -> Value {
    let pair = |number| json!({"key": format!("k{number}"), "value": "v".repeat(bytes)});
    (0..count).map(pair).collect()
}

fn attribute_tries() -> Vec<Try> {
    let with = |command, code, list| changed(command, code, &json!({"GroupAttr": list}));
    let long = json!([{"key": "k".repeat(33), "value": "v"}]);
    let mut tries = vec![
        with("delete_group_attr", 10_045, long.clone()),
        with("delete_group_attr", 10_050, json!([{"key": "absent"}])),
    ];
    for command in ["set_group_attr", "modify_group_attr"] {
        tries.extend([
            with(command, 10_045, long.clone()),
            with(command, 10_046, pairs(1, 4_001)),
            with(command, 10_047, pairs(17, 1)),
            with(command, 10_048, pairs(4, 4_000)),
        ]);
    }
    for command in ["set_group_attr", "modify_group_attr", "delete_group_attr", "clear_group_attr"]
    {
        tries.push(right_in(World::Hasty, command, 10_049));
    }
    tries
}

/// Members whose fields together are more than an answer holds.
async fn make_large(server: &Server) {
    let create = json!({"Type": "Public", "Name": "n", "GroupId": "large"});
    ok(group(server, "create_group", create).await);
    let data: Vec<Value> = (0..5)
        .map(|number| json!({"Key": format!("key_of_member_{number}"), "Value": "v".repeat(64)}))
        .collect();
    for round in 0..8 {
        let members: Vec<Value> = (0..300)
            .map(|number| {
                let user = format!("member-{round}-{number}");
                json!({"Member_Account": user, "AppMemberDefinedData": data})
            })
            .collect();
        let body = json!({"GroupId": "large", "MemberList": members});
        ok(group(server, "import_group_member", body).await);
    }
}

/// Somebody in groups whose fields together are more than an answer holds.
async fn make_collector(server: &Server) {
    let data: Vec<Value> = (0..10)
        .map(|number| json!({"Key": format!("key_of_group_{number}"), "Value": "v".repeat(512)}))
        .collect();
    for number in 0..200 {
        let body = json!({
            "Type": "Public", "Name": "n", "GroupId": format!("wide-{number}"),
            "Owner_Account": "collector", "AppDefinedData": data,
        });
        ok(group(server, "import_group", body).await);
    }
}

/// A server with all that the tries are about.
async fn peopled() -> Server {
    let server = Server::with(&[("MUSTER_MEMBERS_PER_GROUP", "5000")]).await;
    server.put(ADMIN, "/v1/users/full", json!({"groupLimit": 0})).await.ok();
    for (id, group_type, more) in [
        ("g1", "Public", json!({})),
        ("work", "Work", json!({})),
        ("live", "AVChatRoom", json!({})),
        ("small", "Public", json!({"maxMemberCount": 2})),
    ] {
        server.group("owner", id, group_type, more).await;
    }
    make_large(&server).await;
    make_collector(&server).await;
    ok(login(&server, "account_import", json!({"UserID": "going"})).await);
    // As while the account is being deleted.
    sqlx::query("update users set deleted_at = now() where user_id = 'going'")
        .execute(&server.db().await)
        .await
        .expect("an update");
    server
}

async fn registered() -> Server {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    ok(login(&server, "account_import", json!({"UserID": "owner"})).await);
    server.group("owner", "g1", "Public", json!({})).await;
    server
}

async fn forbidding() -> Server {
    let types = r#"
        [types.Closed]
        based_on = "Public"
        who.dismiss = "nobody"
        who.read_profile = "nobody"
        who.read_members = "nobody"
        who.read_attributes = "nobody"
        who.edit_attributes = "nobody"
    "#;
    let server = Server::with_file(&cluster::fresh_database().await, types).await;
    server.group("owner", "g1", "Closed", json!({})).await;
    server
}

async fn hasty() -> Server {
    let server = Server::with(&[("MUSTER_ATTRIBUTE_CHANGES", "1")]).await;
    server.group("owner", "g1", "Public", json!({})).await;
    server
}

async fn crowded() -> Server {
    let server = Server::start().await;
    // Ids of 48 bytes, most of which take two in JSON.
    sqlx::raw_sql(
        "insert into groups (group_id, group_type, join_option, invite_option, member_count,
                             pending_count, seq, created_at)
         select rpad(n::text, 48, '\"'), 2, 1, 1, 0, 0, 1, now() from generate_series(10001, 20000) n;
         insert into group_profiles
                (group_id, name, folded_name, introduction, notification, face_url, changed_at)
         select group_id, 'n', 'n', '', '', '', now() from groups",
    )
    .execute(&server.db().await)
    .await
    .expect("many groups");
    server
}

/// The code and text of an answer: of the call, or of the one group or account that it asks about.
fn outcome(answer: &Value) -> (i64, String) {
    let lines = [
        (&answer["ErrorCode"], &answer["ErrorInfo"]),
        (&answer["GroupInfo"][0]["ErrorCode"], &answer["GroupInfo"][0]["ErrorInfo"]),
        (&answer["ResultItem"][0]["ResultCode"], &answer["ResultItem"][0]["ResultInfo"]),
    ];
    let read = lines.iter().filter_map(|(code, text)| Some((code.as_i64()?, text.as_str()?)));
    let refusal = read.into_iter().find(|(code, _)| *code != 0);
    refusal.map_or((0, String::new()), |(code, text)| (code, text.to_owned()))
}

/// What was reached: command and code, with the text of the refusal.
type Reached = BTreeMap<(String, i64), String>;

/// Makes the calls of one world, each of which has to get its code.
async fn make(server: &Server, world: World, tries: &[Try], reached: &mut Reached) {
    let tries = tries.iter().filter(|one| one.world == world);
    let asked =
        join_all(tries.map(async |one| (one, server.v4(&one.path, one.body.clone()).await)));
    for (one, answer) in asked.await {
        let (code, text) = outcome(&answer);
        assert_eq!(code, one.code, "{} in {world:?}: {answer}", one.path);
        assert!(!text.is_empty(), "{}: {answer}", one.path);
        reached.insert((one.command.clone(), one.code), text);
    }
}

/// Makes the calls that are refused when they come within a second of another one: right after one that
/// changed something, and once more after another when the machine was too slow for that.
async fn make_in_haste(server: &Server, tries: &[Try], reached: &mut Reached) {
    for one in tries.iter().filter(|one| one.world == World::Hasty) {
        for round in 0.. {
            assert!(round < 20, "{}: no two calls came within a second", one.path);
            let list = json!([{"key": "k", "value": round.to_string()}]);
            let before = json!({"GroupId": "g1", "GroupAttr": list});
            eventually("the second before is over", async || {
                let answer = group(server, "set_group_attr", before.clone()).await;
                (answer["ErrorCode"] == 0).then_some(())
            })
            .await;
            let answer = server.v4(&one.path, one.body.clone()).await;
            let (code, text) = outcome(&answer);
            if code != 0 {
                assert_eq!(code, one.code, "{}: {answer}", one.path);
                reached.insert((one.command.clone(), code), text);
                break;
            }
        }
    }
}

async fn make_all() -> Reached {
    let mut tries = common_tries();
    tries.extend(particular_tries());
    tries.extend(attribute_tries());
    tries.extend(forbidden_tries());
    let mut reached = Reached::new();
    let server = peopled().await;
    make(&server, World::Peopled, &tries, &mut reached).await;
    server.check_invariants().await;
    server.stop().await;

    let server = registered().await;
    make(&server, World::Registered, &tries, &mut reached).await;
    server.stop().await;

    let server = forbidding().await;
    make(&server, World::Forbidding, &tries, &mut reached).await;
    server.check_invariants().await;
    server.stop().await;

    let server = hasty().await;
    make_in_haste(&server, &tries, &mut reached).await;
    server.check_invariants().await;
    server.stop().await;

    let server = crowded().await;
    make(&server, World::Crowded, &tries, &mut reached).await;
    server.stop().await;

    let proxy = Proxy::before(&cluster::fresh_database().await).await;
    let server = Server::on(&proxy.url, &[]).await;
    server.group("owner", "g1", "Public", json!({})).await;
    proxy.cut();
    make(&server, World::Cut, &tries, &mut reached).await;
    proxy.mend();
    server.stop().await;
    reached
}

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
