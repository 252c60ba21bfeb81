//! Each field of each route: wrong types, wrong values, absence, and the bound itself.

use serde_json::{Value, json};

use super::routes::{Field, Kind, Route, routes};
use super::{Refusal, World, check, with};
use crate::common::ADMIN;

/// What must be refused in a field, and how.
fn bad_values(field: &Field) -> Vec<(Value, Refusal)> {
    let name = field.name;
    let mut bad = wrong_types(field);
    match &field.kind {
        Kind::Text { bytes, lines, empty } => bad.extend(bad_texts(name, *bytes, *lines, *empty)),
        Kind::Word(words) => {
            let lower = words[0].to_lowercase();
            let strangers = ["", " ", "nope", "\u{0}", &lower, &words[0].to_uppercase()];
            let strangers = strangers.iter().filter(|text| !words.contains(text));
            bad.extend(strangers.map(|text| (json!(text), Refusal::invalid(name))));
        }
        Kind::Number { least, below, most, above } => {
            bad.extend(bad_numbers(name, (*least, *below), (*most, *above)));
        }
        Kind::GroupId => bad.extend(bad_ids(name, 48, ("invalid_group_id", 10015))),
        Kind::UserId => bad.extend(bad_user_ids(name)),
        Kind::Users => bad.extend(bad_lists(name)),
        Kind::Members => bad.extend(bad_members(name)),
        Kind::Attributes => bad.extend(bad_attributes(name)),
        // What is no boolean is a wrong type.
        Kind::Flag => {}
        Kind::Fields { keys, bytes } => bad.extend(bad_fields(name, *keys, *bytes)),
    }
    if field.required {
        bad.push((Value::Null, Refusal::invalid(name)));
    }
    bad
}

fn wrong_types(field: &Field) -> Vec<(Value, Refusal)> {
    let mut values = vec![json!(1.5)];
    if !matches!(field.kind, Kind::Flag) {
        values.push(json!(true));
    }
    if !matches!(field.kind, Kind::Fields { .. } | Kind::Attributes) {
        values.extend([json!({}), json!({ "a": [] })]);
    }
    match field.kind {
        Kind::Number { .. } => values.extend([json!("5"), json!(""), json!([]), json!([5])]),
        Kind::Users | Kind::Members => values.extend([json!("bob"), json!(5)]),
        Kind::Flag => values.extend([json!(0), json!("true"), json!(""), json!([true])]),
        Kind::Fields { .. } => {
            values.extend([json!(5), json!("a"), json!([]), json!([["a", "b"]])]);
        }
        _ => values.extend([json!(5), json!(-1), json!([]), json!(["x"])]),
    }
    values.into_iter().map(|value| (value, Refusal::invalid(field.name))).collect()
}

fn bad_attributes(name: &str) -> Vec<(Value, Refusal)> {
    let below = |key: &str| format!("{name}.{key}");
    let key =
        |key: &str| Refusal::new(400, 10045, "attribute_key_invalid").field(&below(key)).limit(32);
    let (long_key, longer_key) = ("k".repeat(33), "k".repeat(100_000));
    let long = Refusal::new(400, 10046, "attribute_value_too_long").field(&below("a"));
    vec![
        (json!({ "": "" }), key("")),
        (json!({ long_key.as_str(): "" }), key(&long_key)),
        (json!({ longer_key.as_str(): "" }), key(&longer_key[..40])),
        (json!({ "a": "v".repeat(4_001) }), long.limit(4_000)),
        (json!({ "a": "\0" }), Refusal::invalid(&below("a"))),
        (json!({ "a": [] }), Refusal::invalid(&below("a"))),
        (json!({ "a": 5 }), Refusal::invalid(&below("a"))),
        (json!({ "a": { "b": "c" } }), Refusal::invalid(&below("a"))),
    ]
}

fn bad_texts(name: &str, bytes: usize, lines: bool, empty: bool) -> Vec<(Value, Refusal)> {
    let most = i64::try_from(bytes).expect("a small number");
    let too_long = [
        "x".repeat(bytes + 1),
        // Fewer characters than the bound, more bytes.
        "é".repeat(bytes / 2) + "xx",
        "🚀".repeat(bytes / 4 + 1),
        "x".repeat(100_000),
    ];
    let mut bad: Vec<(Value, Refusal)> =
        too_long.iter().map(|text| (json!(text), Refusal::invalid(name).limit(most))).collect();
    let mut controls = vec!["\u{0}", "a\u{0}b", "\u{1}", "\u{1b}[31m", "\u{7f}", "\u{85}"];
    if !lines {
        controls.extend(["\n", "a\r\nb", "\t"]);
    }
    bad.extend(controls.iter().map(|text| (json!(text), Refusal::invalid(name))));
    if !empty {
        bad.push((json!(""), Refusal::invalid(name)));
    }
    bad
}

fn bad_numbers(name: &str, least: (i64, i64), most: (i64, i64)) -> Vec<(Value, Refusal)> {
    let coded = |code| match code {
        10038 => Refusal::new(400, code, "member_cap_too_high").field(name),
        _ => Refusal::invalid(name),
    };
    vec![
        (json!(least.0 - 1), coded(least.1)),
        (json!(-1), coded(least.1)),
        (json!(i32::MIN), coded(least.1)),
        (json!(i64::MIN), coded(least.1)),
        (json!(most.0 + 1), coded(most.1)),
        (json!(i64::MAX), Refusal::invalid(name)),
        (json!(u64::MAX), Refusal::invalid(name)),
        (json!(1e300), Refusal::invalid(name)),
        (json!(-1e300), Refusal::invalid(name)),
        (json!(0.1), Refusal::invalid(name)),
        (json!(10.0), Refusal::invalid(name)),
    ]
}

/// Ids that are impossible: 0x20 to 0x7E, at least one byte and at most so many, not `.` and not `..`.
fn bad_ids(name: &str, bytes: usize, (reason, code): (&'static str, i64)) -> Vec<(Value, Refusal)> {
    let refusal = Refusal::new(400, code, reason).field(name);
    let texts =
        ["", ".", "..", "a\u{0}", "\u{0}", "a\nb", "\t", "\u{7f}", "é", "日本", "a\u{202e}b"];
    let mut bad: Vec<_> = texts.iter().map(|text| (json!(text), refusal.clone())).collect();
    let bounded = refusal.limit(i64::try_from(bytes).expect("a small number"));
    bad.push((json!("x".repeat(bytes + 1)), bounded.clone()));
    bad.push((json!("x".repeat(100_000)), bounded));
    bad
}

fn bad_user_ids(name: &str) -> Vec<(Value, Refusal)> {
    let mut bad = bad_ids(name, 32, ("invalid_user_id", 10004));
    bad.push((json!("me"), Refusal::new(400, 10004, "invalid_user_id").field(name)));
    bad
}

fn bad_lists(name: &str) -> Vec<(Value, Refusal)> {
    let second = format!("{name}[1]");
    let crowd: Vec<String> = (0..301).map(|n| format!("u{n}")).collect();
    let mut bad = vec![
        (json!([]), Refusal::invalid(name)),
        (json!(crowd), Refusal::new(400, 10005, "too_many_in_call").field(name).limit(300)),
    ];
    for value in [json!(5), json!(null), json!(true), json!(["dave"]), json!({ "userID": "dave" })]
    {
        bad.push((json!(["frank", value]), Refusal::invalid(&second)));
    }
    for (id, refusal) in bad_user_ids(&second) {
        bad.push((json!(["frank", id]), refusal));
    }
    bad
}

/// Fields of the app's own: what is wrong with a key, with a value, and with their number.
fn bad_fields(name: &str, keys: usize, bytes: usize) -> Vec<(Value, Refusal)> {
    let most = |bound: usize| i64::try_from(bound).expect("a small number");
    let at = |key: &str| Refusal::invalid(&format!("{name}.{key}"));
    let crowd: Value = (0..=keys).map(|n| (format!("k{n}"), json!("v"))).collect();
    let mut bad = vec![(crowd, Refusal::invalid(name).limit(most(keys)))];
    let (long, longer) = ("k".repeat(17), "k".repeat(100_000));
    for key in ["", " ", "a b", "a-b", "a.b", "é", "a\u{0}", "\u{1f680}", &long] {
        bad.push((json!({ key: "v" }), at(key).limit(16)));
    }
    bad.push((json!({ longer.as_str(): "v" }), at(&longer[..40]).limit(16)));
    for value in [json!(5), json!(true), json!([]), json!(["v"]), json!({}), json!(1.5)] {
        bad.push((json!({ "ok": "v", "k": value }), at("k")));
    }
    for value in ["v".repeat(bytes + 1), "é".repeat(bytes / 2) + "xx", "v".repeat(100_000)] {
        bad.push((json!({ "k": value }), at("k").limit(most(bytes))));
    }
    bad.push((json!({ "k": "a\u{0}b" }), at("k")));
    bad
}

fn bad_members(name: &str) -> Vec<(Value, Refusal)> {
    let crowd: Vec<Value> = (0..301).map(|n| json!({ "userID": format!("u{n}") })).collect();
    let first = |what: &str| format!("{name}[0].{what}");
    let unknown = Refusal::new(400, 10004, "unknown_field").field(&first("nickName"));
    let missing = Refusal::new(400, 10004, "missing_field").field(&first("userID"));
    let mut bad = vec![
        (json!(crowd), Refusal::new(400, 10005, "too_many_in_call").field(name).limit(300)),
        (json!(["dave"]), Refusal::invalid(&format!("{name}[0]"))),
        (json!([null]), Refusal::invalid(&format!("{name}[0]"))),
        (json!([["dave", "Admin"]]), Refusal::invalid(&format!("{name}[0]"))),
        (json!([{}]), missing.clone()),
        (json!([{ "role": "Admin" }]), missing),
        (json!([{ "userID": "dave", "nickName": "d" }]), unknown),
        (json!([{ "userID": null }]), Refusal::invalid(&first("userID"))),
        (json!([{ "userID": 5 }]), Refusal::invalid(&first("userID"))),
    ];
    for role in [json!("Owner"), json!("admin"), json!(""), json!(300), json!([])] {
        let members = json!([{ "userID": "dave", "role": role }]);
        bad.push((members, Refusal::invalid(&first("role"))));
    }
    for (id, refusal) in bad_user_ids(&first("userID")) {
        bad.push((json!([{ "userID": id }]), refusal));
    }
    for (fields, refusal) in bad_fields(&first("customFields"), 5, 64) {
        bad.push((json!([{ "userID": "dave", "customFields": fields }]), refusal));
    }
    bad
}

#[tokio::test]
async fn every_bad_value_of_every_field_is_refused_by_name_and_changes_nothing() {
    let world = World::new().await;
    let before = world.state().await;
    let mut cases = 0;
    for route in routes(&world.application) {
        for field in &route.fields {
            for (value, refusal) in bad_values(field) {
                let body = with(route.good.clone(), field.name, value).to_string();
                let shown: String = body.chars().take(120).collect();
                let what = format!("{} {} {shown}", route.method, route.path);
                let answer = world.ask(route.user, route.method, &route.path, &body).await;
                check(&what, &answer, &refusal);
                if route.tries() {
                    let tried = format!("{}?dryRun=true", route.path);
                    let answer = world.ask(route.user, route.method, &tried, &body).await;
                    check(&format!("dry run: {what}"), &answer, &refusal);
                }
                assert_eq!(world.state().await, before, "{what}");
                cases += 1;
            }
        }
    }
    assert!(cases > 700, "{cases}");
    world.end().await;
}

/// Every field is refused when it stands twice, unknown ones and misspelled ones always.
#[tokio::test]
async fn unknown_missing_and_repeated_fields_are_named() {
    let world = World::new().await;
    let before = world.state().await;
    for route in routes(&world.application) {
        for (body, refusal) in bad_shapes(&route) {
            let what = format!("{} {} {body}", route.method, route.path);
            let answer = world.ask(route.user, route.method, &route.path, &body).await;
            check(&what, &answer, &refusal);
            assert_eq!(world.state().await, before, "{what}");
        }
    }
    world.end().await;
}

fn bad_shapes(route: &Route) -> Vec<(String, Refusal)> {
    let unknown = |name: &str| Refusal::new(400, 10004, "unknown_field").field(name);
    let strange = ["zzz", "", "a.b", "a b", "userlist", "UserList", "Member_Account", "__proto__"];
    let mut bad: Vec<(String, Refusal)> = strange
        .iter()
        .map(|name| (with(route.good.clone(), name, json!(1)).to_string(), unknown(name)))
        .collect();
    let long = "x".repeat(5_000);
    let refusal = unknown(&long[..100]);
    bad.push((with(route.good.clone(), &long, Value::Null).to_string(), refusal));
    for field in &route.fields {
        let mut others = route.good.clone();
        let value = others.as_object_mut().and_then(|body| body.remove(field.name));
        if field.required {
            let refusal = Refusal::new(400, 10004, "missing_field").field(field.name);
            bad.push((others.to_string(), refusal));
        }
        let value = value.unwrap_or(Value::Null);
        let twice = format!(r#"{{"{0}":{value},"{0}":{value}}}"#, field.name);
        bad.push((twice, Refusal::invalid(field.name)));
    }
    bad
}

#[tokio::test]
async fn a_text_of_exactly_its_bound_is_taken_and_comes_back() {
    let world = World::new().await;
    let server = &world.server;
    let texts = |bytes: usize| "é".repeat(bytes / 2);
    let body = json!({
        "groupID": "x".repeat(48), "groupType": "Public", "groupName": texts(100),
        "introduction": texts(400), "notification": "🚀".repeat(100), "faceUrl": texts(500),
        "maxMemberCount": 1_000_000,
    });
    let path = format!("/v1/groups/{}", "x".repeat(48));
    server.post("alice", "/v1/groups", body.clone()).await.ok();
    let found = server.get("alice", &path).await.ok();
    for (name, value) in body.as_object().expect("an object") {
        assert_eq!(&found[name.as_str()], value, "{name}");
    }
    let edit = json!({
        "groupName": "日".repeat(33) + "x", "introduction": "a\n\tb\r\n".to_owned() + &texts(394),
        "notification": "", "faceUrl": "", "maxMemberCount": 1,
    });
    server.patch("alice", &path, edit.clone()).await.ok();
    let found = server.get("alice", &path).await.ok();
    for (name, value) in edit.as_object().expect("an object") {
        assert_eq!(&found[name.as_str()], value, "{name}");
    }
    let user = "u".repeat(32);
    let limit = i32::MAX;
    let put = json!({ "nickName": texts(500), "faceUrl": texts(500), "groupLimit": limit });
    server.put(ADMIN, &format!("/v1/users/{user}"), put.clone()).await.ok();
    let found = server.get(&user, "/v1/users/me").await.ok();
    for (name, value) in put.as_object().expect("an object") {
        assert_eq!(&found[name.as_str()], value, "{name}");
    }
    server.post(&user, "/v1/groups/g/join", json!({ "message": texts(1_000) })).await.ok();
    let accept = format!("/v1/applications/{}/accept", world.application);
    server.post("alice", &accept, json!({ "message": texts(1_000) })).await.ok();
    let longest = u32::MAX;
    let kick = json!({ "userList": ["bob"], "reason": texts(1_000), "banSeconds": longest });
    let data = server.post("alice", "/v1/groups/g/kick", kick).await.ok();
    assert_eq!(data[0]["result"], 1);
    let crowd: Vec<String> = (0..300).map(|n| format!("u{n}")).collect();
    let data = server.post(ADMIN, "/v1/groups/g/invite", json!({ "userList": crowd })).await.ok();
    assert_eq!(data.as_array().map(Vec::len), Some(300));
    world.end().await;
}

#[tokio::test]
async fn fields_of_ones_own_cards_and_bans_of_exactly_their_bounds_are_taken_and_come_back() {
    let world = World::new().await;
    let server = &world.server;
    let fields = |keys: usize, bytes: usize| -> Value {
        (0..keys).map(|n| (format!("key_{n:012}"), json!("é".repeat(bytes / 2)))).collect()
    };
    let longest_fields = json!({ "customFields": fields(10, 512) });
    server.patch("alice", "/v1/groups/g", longest_fields.clone()).await.ok();
    let found = server.get("alice", "/v1/groups/g").await.ok();
    assert_eq!(found["customFields"], longest_fields["customFields"]);
    let member = json!({
        "nameCard": "é".repeat(25), "muteSeconds": u32::MAX, "customFields": fields(5, 64),
    });
    server.patch("alice", "/v1/groups/g/members/bob", member.clone()).await.ok();
    let found = server.get("alice", "/v1/groups/g/members?userID=bob").await.ok();
    for name in ["nameCard", "customFields"] {
        assert_eq!(found["memberList"][0][name], member[name], "{name}");
    }
    let ban = json!({ "reason": "é".repeat(500), "seconds": u32::MAX });
    server.put("alice", "/v1/groups/g/bans/erin", ban).await.ok();
    let found = server.get("alice", "/v1/groups/g/bans/erin").await.ok();
    assert_eq!(found["reason"], "é".repeat(500));
    world.end().await;
}

/// `null` is the same as absent where a field may be absent; only `groupLimit` gives it a meaning.
#[tokio::test]
async fn null_in_an_optional_field_changes_nothing() {
    let world = World::new().await;
    let server = &world.server;
    let before = server.get("alice", "/v1/groups/g").await.ok();
    let names = [
        "groupName",
        "introduction",
        "notification",
        "faceUrl",
        "joinOption",
        "inviteOption",
        "maxMemberCount",
        "muteAll",
        "customFields",
    ];
    let nothing: Value = names.iter().map(|name| (*name, Value::Null)).collect();
    server.patch("alice", "/v1/groups/g", nothing).await.ok();
    assert_eq!(server.get("alice", "/v1/groups/g").await.ok(), before);
    let line = "/v1/groups/g/members?userID=bob";
    let bob = server.get("alice", line).await.ok();
    let names = ["role", "nameCard", "muteSeconds", "customFields"];
    let nothing: Value = names.iter().map(|name| (*name, Value::Null)).collect();
    server.patch("alice", "/v1/groups/g/members/bob", nothing).await.ok();
    assert_eq!(server.get("alice", line).await.ok(), bob);
    let endless = json!({ "seconds": null, "reason": null });
    server.put("alice", "/v1/groups/g/bans/frank", endless).await.ok();
    let ban = server.get("alice", "/v1/groups/g/bans/frank").await.ok();
    assert_eq!((&ban["banUntil"], &ban["reason"]), (&Value::Null, &json!("")));
    server.put(ADMIN, "/v1/users/bob", json!({ "groupLimit": 7, "nickName": "B" })).await.ok();
    server.put(ADMIN, "/v1/users/bob", json!({ "groupLimit": null, "nickName": null })).await.ok();
    let bob = server.get("bob", "/v1/users/me").await.ok();
    assert_eq!((&bob["groupLimit"], &bob["nickName"]), (&Value::Null, &json!("B")));
    world.end().await;
}
