//! The calls that are made, and where.

use serde_json::{Value, json};

use super::super::calls::{right_call, right_calls};
use super::WITHOUT_UNKNOWN;

/// Where a call is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum World {
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
pub(super) struct Try {
    pub(super) command: String,
    pub(super) path: String,
    pub(super) world: World,
    pub(super) code: i64,
    pub(super) body: Value,
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

/// Every call that is made.
pub(super) fn all() -> Vec<Try> {
    [common_tries(), particular_tries(), attribute_tries(), forbidden_tries()]
        .into_iter()
        .flatten()
        .collect()
}
