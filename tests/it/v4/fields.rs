//! Every field of the commands that change or list something, with everything that it cannot be: a
//! refusal says which field it is, and its bound.

use serde_json::{Value, json};

use super::calls::right_call;
use super::{refused, with_group};
use crate::common::Server;

/// What a field is.
#[derive(Clone, Copy)]
enum Kind {
    /// A group that has to be named.
    Group,
    /// Somebody who has to be named.
    User,
    /// Somebody who may be named.
    UserIfNamed,
    /// People who have to be named.
    Users,
    /// A whole number within these bounds that has to be there.
    Number(i64, i64),
    /// A whole number within these bounds.
    NumberIfNamed(i64, i64),
    /// A text of so many bytes.
    Text(usize),
    /// One of a few words; an empty one is none.
    Word,
    /// Objects that name somebody in `Member_Account`.
    Members,
    /// Fields of the app's own: so many, and so many bytes a value.
    Data(usize, usize),
    /// Names.
    Names,
    /// Attributes with their values.
    Attributes,
    /// Attributes without values, at least one.
    Keys,
}

/// The highest number of 32 bits.
const WIDEST: i64 = 4_294_967_295;

/// Command by command, its fields.
const FIELDS: &[(&str, &[(&str, Kind)])] = &[
    (
        "import_group",
        &[
            ("Name", Kind::Text(100)),
            ("Introduction", Kind::Text(400)),
            ("Notification", Kind::Text(400)),
            ("FaceUrl", Kind::Text(500)),
            ("Type", Kind::Word),
            ("Owner_Account", Kind::UserIfNamed),
            ("MaxMemberCount", Kind::NumberIfNamed(1, WIDEST)),
            ("ApplyJoinOption", Kind::Word),
            ("InviteJoinOption", Kind::Word),
            ("CreateTime", Kind::NumberIfNamed(0, WIDEST)),
            ("AppDefinedData", Kind::Data(10, 512)),
        ],
    ),
    ("import_group_member", &[("GroupId", Kind::Group), ("MemberList", Kind::Members)]),
    (
        "modify_group_base_info",
        &[
            ("GroupId", Kind::Group),
            ("Name", Kind::Text(100)),
            ("Introduction", Kind::Text(400)),
            ("Notification", Kind::Text(400)),
            ("FaceUrl", Kind::Text(500)),
            ("MaxMemberNum", Kind::NumberIfNamed(1, WIDEST)),
            ("ApplyJoinOption", Kind::Word),
            ("InviteJoinOption", Kind::Word),
            ("MuteAllMember", Kind::Word),
            ("ShutUpAllMember", Kind::Word),
            ("AppDefinedData", Kind::Data(10, 512)),
            ("From_Account", Kind::UserIfNamed),
        ],
    ),
    (
        "modify_group_member_info",
        &[
            ("GroupId", Kind::Group),
            ("Member_Account", Kind::User),
            ("Role", Kind::Word),
            ("MsgFlag", Kind::Word),
            ("NameCard", Kind::Text(50)),
            ("MuteTime", Kind::NumberIfNamed(0, WIDEST)),
            ("ShutUpTime", Kind::NumberIfNamed(0, WIDEST)),
            ("AppMemberDefinedData", Kind::Data(5, 64)),
        ],
    ),
    (
        "change_group_owner",
        &[
            ("GroupId", Kind::Group),
            ("NewOwner_Account", Kind::User),
            ("From_Account", Kind::UserIfNamed),
        ],
    ),
    (
        "forbid_send_msg",
        &[
            ("GroupId", Kind::Group),
            ("Members_Account", Kind::Users),
            ("MuteTime", Kind::Number(0, WIDEST)),
            ("ShutUpTime", Kind::NumberIfNamed(0, WIDEST)),
        ],
    ),
    ("get_group_muted_account", &[("GroupId", Kind::Group)]),
    ("get_group_shutted_uin", &[("GroupId", Kind::Group)]),
    (
        "ban_group_member",
        &[
            ("GroupId", Kind::Group),
            ("Members_Account", Kind::Users),
            ("Duration", Kind::Number(1, WIDEST)),
            ("Description", Kind::Text(1_000)),
        ],
    ),
    ("unban_group_member", &[("GroupId", Kind::Group), ("Members_Account", Kind::Users)]),
    (
        "get_group_ban_member",
        &[
            ("GroupId", Kind::Group),
            ("Limit", Kind::NumberIfNamed(0, 100)),
            ("Offset", Kind::NumberIfNamed(0, WIDEST)),
        ],
    ),
    (
        "get_specified_group_member_info",
        &[
            ("GroupId", Kind::Group),
            ("Member_List_Account", Kind::Users),
            ("MemberInfoFilter", Kind::Names),
            ("AppDefinedDataFilter_GroupMember", Kind::Names),
        ],
    ),
    (
        "get_appid_group_list",
        &[
            ("Limit", Kind::NumberIfNamed(0, 10_000)),
            ("Next", Kind::NumberIfNamed(0, (1 << 53) - 1)),
            ("GroupType", Kind::Word),
        ],
    ),
    ("set_group_attr", &[("GroupId", Kind::Group), ("GroupAttr", Kind::Attributes)]),
    ("modify_group_attr", &[("GroupId", Kind::Group), ("GroupAttr", Kind::Attributes)]),
    ("delete_group_attr", &[("GroupId", Kind::Group), ("GroupAttr", Kind::Keys)]),
    ("clear_group_attr", &[("GroupId", Kind::Group)]),
    ("get_group_attr", &[("GroupId", Kind::Group)]),
];

/// What the text of a refusal has to have besides the field's name.
type Bad = (Value, i64, String);

fn bad(value: Value, text: impl Into<String>) -> Bad {
    (value, 10_004, text.into())
}

fn missing() -> Vec<Bad> {
    vec![bad(Value::Null, "is missing")]
}

fn ids() -> Vec<Bad> {
    let long = "x".repeat(33);
    [json!(7), json!(true), json!(["a"]), json!({})]
        .map(|value| bad(value, "must be a string"))
        .into_iter()
        .chain([bad(json!(long), "at most 32"), bad(json!("é"), "printable ASCII")])
        .collect()
}

fn numbers(least: i64, most: i64) -> Vec<Bad> {
    let wrong = [
        json!("7"),
        json!(true),
        json!([1]),
        json!({}),
        json!(1.5),
        json!(-1),
        json!(least - 1),
        json!(most + 1),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e300),
    ];
    let bounds = format!("must be a whole number from {least} to {most}");
    wrong.map(|value| bad(value, bounds.as_str())).into()
}

fn lists(of: &str) -> Vec<Bad> {
    [json!("a"), json!(7), json!(true), json!({"a": 1})]
        .map(|value| bad(value, format!("must be a list of {of}")))
        .into()
}

fn members() -> Vec<Bad> {
    let mut all = missing();
    all.extend(lists("objects"));
    all.extend([
        bad(json!([]), "is empty"),
        bad(json!(["a"]), "[0] must be an object"),
        bad(json!([{}]), "[0].Member_Account is missing"),
        bad(json!([{"Member_Account": 7}]), "[0].Member_Account must be a string"),
        bad(json!([{"Member_Account": "a", "Role": 7}]), "[0].Role must be a string"),
        bad(json!([{"Member_Account": "a", "JoinTime": -1}]), "[0].JoinTime must be"),
    ]);
    all
}

fn data(keys: usize, bytes: usize) -> Vec<Bad> {
    let one = |key: Value, value: Value| json!([{"Key": key, "Value": value}]);
    let many: Vec<Value> =
        (0..=keys).map(|number| json!({"Key": format!("x{number}"), "Value": "v"})).collect();
    let mut all = lists("objects");
    all.extend([
        bad(json!(["k"]), "[0] must be an object"),
        bad(json!([{}]), "[0].Key is missing"),
        bad(json!([{"Key": "k"}]), "[0].Value is missing"),
        bad(one(json!(7), json!("v")), "[0].Key must be a string"),
        bad(one(json!("k"), json!(7)), "[0].Value must be a string"),
        bad(one(json!(""), json!("v")), "[0].Key must have 1 to 16"),
        bad(one(json!("x".repeat(17)), json!("v")), "[0].Key must have 1 to 16"),
        bad(one(json!("é"), json!("v")), "[0].Key must have 1 to 16"),
        bad(one(json!("k"), json!("x".repeat(bytes + 1))), format!("at most {bytes}")),
        bad(one(json!("k"), json!("\0")), "[0].Value has the control character"),
        bad(json!(many), format!("at most {keys}")),
    ]);
    all
}

fn keys() -> Vec<Bad> {
    let one = |key: Value| json!([{"key": key, "value": "v"}]);
    let mut all = missing();
    all.extend(lists("objects"));
    all.extend([
        bad(json!(["k"]), "[0] must be an object"),
        bad(json!([{"value": "v"}]), "[0].key is missing"),
        bad(one(json!(7)), "[0].key must be a string"),
        (one(json!("")), 10_045, "[0].key is an empty key, it must have 1 to 32".to_owned()),
        (one(json!("k".repeat(33))), 10_045, "at most 32".to_owned()),
        (one(json!("k\n")), 10_045, "the control character U+000A".to_owned()),
    ]);
    all
}

fn attributes() -> Vec<Bad> {
    let one = |value: Value| json!([{"key": "k", "value": value}]);
    let mut all = keys();
    all.extend([
        bad(json!([{"key": "k"}]), "[0].value is missing"),
        bad(one(json!(7)), "[0].value must be a string"),
        bad(one(json!("\0")), "[0].value has the control character U+0000"),
        (one(json!("v".repeat(4_001))), 10_046, "at most 4000".to_owned()),
        bad(
            json!([{"key": "k", "value": "v"}, {"key": "k", "value": "v"}]),
            "[1].key stands twice",
        ),
    ]);
    all
}

/// Everything that a field of this kind cannot be, with the code and a part of the text.
fn everything_wrong(kind: Kind) -> Vec<Bad> {
    let not_text = |value: Value| bad(value, "must be a string");
    match kind {
        Kind::Group => {
            let mut all = missing();
            all.extend([json!(7), json!([]), json!({}), json!(false)].map(not_text));
            let long = json!("x".repeat(49));
            all.extend([
                (json!(""), 10_015, "is empty".to_owned()),
                (long, 10_015, "at most 48".to_owned()),
                (json!("a\nb"), 10_015, "printable ASCII".to_owned()),
            ]);
            all
        }
        Kind::User => {
            [missing(), ids(), vec![bad(json!(""), "is empty")]].into_iter().flatten().collect()
        }
        Kind::UserIfNamed => ids(),
        Kind::Users => {
            let items = ids().into_iter().map(|(value, code, text)| (json!([value]), code, text));
            let mut all = missing();
            all.extend(lists("strings"));
            all.extend(items);
            all.extend([
                bad(json!([]), "is empty"),
                bad(json!(["a", null]), "[1] must be a string"),
            ]);
            all
        }
        Kind::Number(least, most) => {
            [missing(), numbers(least, most)].into_iter().flatten().collect()
        }
        Kind::NumberIfNamed(least, most) => numbers(least, most),
        Kind::Text(most) => {
            let mut all: Vec<Bad> = [json!(7), json!([]), json!({})].map(not_text).into();
            all.push(bad(json!("x".repeat(most + 1)), format!("at most {most}")));
            all.push(bad(json!("\0"), "has the control character U+0000"));
            all
        }
        Kind::Word => {
            let mut all: Vec<Bad> = [json!(7), json!([]), json!(true)].map(not_text).into();
            all.push(bad(json!("Nonsense"), "must be one of"));
            all
        }
        Kind::Members => members(),
        Kind::Data(keys, bytes) => data(keys, bytes),
        Kind::Names => {
            let mut all = lists("strings");
            all.push(bad(json!([7]), "[0] must be a string"));
            all
        }
        Kind::Attributes => attributes(),
        Kind::Keys => {
            let mut all = keys();
            all.push(bad(json!([]), "is empty"));
            all
        }
    }
}

async fn try_field(server: &Server, command: &str, field: &str, kind: Kind) {
    for (value, code, word) in everything_wrong(kind) {
        let (path, mut body) = right_call(command);
        body[field] = value;
        if let Some(fields) = body.as_object_mut()
            && let Some(today) = field.strip_prefix("ShutUp").map(|rest| format!("Mute{rest}"))
        {
            // The old spelling counts where today's is absent.
            fields.remove(&today);
        }
        let text = refused(&server.v4(&path, body.clone()).await, code);
        assert!(text.contains(field), "{command} {field}: {text}");
        assert!(text.contains(&word), "{command} {field}: {word:?} is not in {text:?}");
    }
}

#[tokio::test]
async fn every_field_that_breaks_its_rule_is_named_with_its_bound() {
    let server = with_group().await;
    for (command, fields) in FIELDS {
        for (field, kind) in *fields {
            try_field(&server, command, field, *kind).await;
        }
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_right_calls_are_right() {
    let server = with_group().await;
    for (path, body) in super::calls::right_calls() {
        let answer = server.v4(&path, body).await;
        assert_eq!(answer["ErrorCode"], 0, "{path}: {answer}");
    }
    server.check_invariants().await;
    server.stop().await;
}
