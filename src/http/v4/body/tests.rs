//! Every kind of value in every kind of field.

use serde_json::json;

use super::*;
use crate::http::v4::words::{GROUP_TYPES, ROLES};
use crate::model::{GroupType, Role};

const F: Name = &["New", "Old"];

fn map(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("no object: {other}"),
    }
}

/// Reads field `New` of a body.
fn with<T>(body: Value, read: impl Fn(&Fields<'_>) -> T) -> T {
    read(&Fields::new(&map(body)))
}

/// The text of the refusal when field `New` has this value.
fn refused<T>(value: &Value, read: impl Fn(&Fields<'_>) -> Result<T, Error>) -> String {
    let error = with(json!({"New": value}), read).err();
    let error = error.unwrap_or_else(|| panic!("{value} was read"));
    assert!(error.field.is_some(), "{error:?}");
    error.text
}

fn every_other_kind(than: &str) -> Vec<Value> {
    let all = [json!(true), json!(1), json!("text"), json!([1]), json!({"a": 1})];
    all.into_iter().filter(|value| kind(value) != than).collect()
}

#[test]
fn a_body_is_an_object() {
    assert!(parse(b"{}", false).is_ok());
    assert!(parse(b" \r\n{\"a\": 1}\n", false).is_ok());
    assert!(parse(b"", true).is_ok_and(|body| body.is_empty()));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let nested = format!("{{\"a\":{deep}}}");
    for broken in [
        b"".as_slice(),
        b"[]",
        b"null",
        b"1",
        b"\"{}\"",
        b"{",
        b"{}{}",
        b"{\"a\": 1,}",
        b"{a: 1}",
        b"\xff\xfe",
        b"{\"a\": \"\xff\"}",
        b"{\"a\": 1e999}",
        b"{\"a\": \"\\ud800\"}",
        b"GroupId=1",
        nested.as_bytes(),
    ] {
        let refusal = parse(broken, false).expect_err("refused");
        assert!(matches!(refusal, Refusal::Coded(BODY_NOT_JSON, _)), "{refusal:?}");
    }
    assert!(parse(b"[]", true).is_err());
}

#[test]
fn null_is_absent_everywhere() {
    for body in [json!({}), json!({"New": null}), json!({"New": null, "Old": null})] {
        assert_eq!(with(body.clone(), |it| it.text(F, Bound::Line(9))), Ok(None));
        assert_eq!(with(body.clone(), |it| it.word(F, GROUP_TYPES)), Ok(None));
        assert_eq!(with(body.clone(), |it| it.number(F, 0..=9)), Ok(None));
        assert_eq!(with(body.clone(), |it| it.flag(F)), Ok(false));
        assert_eq!(with(body.clone(), |it| it.words(F, ROLES)), Ok(vec![]));
        assert_eq!(with(body.clone(), |it| it.user_if_named(F, 32)), Ok(None));
        assert_eq!(with(body.clone(), |it| it.chosen_group(F, false)), Ok(None));
        assert!(with(body.clone(), |it| it.object(F).is_ok_and(|found| found.is_none())));
        assert!(with(body.clone(), |it| it.objects(F).is_ok_and(|found| found.is_none())));
        assert!(with(body.clone(), |it| it.strings(F).is_ok_and(|found| found.is_none())));
        assert_eq!(with(body.clone(), |it| it.seconds(F, 0)), Ok(None));
        assert_eq!(with(body.clone(), |it| it.moment(F)), Ok(None));
        for missing in [
            with(body.clone(), |it| it.group(F)).expect_err("required"),
            with(body.clone(), |it| it.user(F, 32)).expect_err("required"),
            with(body.clone(), |it| it.users(F, 32)).expect_err("required"),
            with(body, |it| it.require(F, None::<u8>)).expect_err("required"),
        ] {
            assert_eq!(missing.reason, Reason::MissingField);
            assert_eq!(missing.text, "New is missing");
            assert_eq!(missing.field.as_deref(), Some("New"));
        }
    }
}

#[test]
fn older_spellings_are_read_and_named_as_sent() {
    let text = |body| with(body, |it| it.text(F, Bound::Line(9)));
    assert_eq!(text(json!({"Old": "b"})), Ok(Some("b".to_owned())));
    assert_eq!(text(json!({"New": "a", "Old": "b"})), Ok(Some("a".to_owned())));
    assert_eq!(text(json!({"New": null, "Old": "b"})), Ok(Some("b".to_owned())));
    assert_eq!(text(json!({"new": "a"})), Ok(None));
    let error = text(json!({"Old": 7})).expect_err("no string");
    assert_eq!(error.text, "Old must be a string, not a number");
    assert_eq!(error.field.as_deref(), Some("Old"));
}

#[test]
fn texts_are_bounded_in_bytes() {
    let line = |value: Value| with(json!({"New": value}), |it| it.text(F, Bound::Line(4)));
    assert_eq!(line(json!("")), Ok(Some(String::new())));
    assert_eq!(line(json!("aé1")), Ok(Some("aé1".to_owned())));
    let error = line(json!("aéé")).expect_err("too long");
    assert_eq!(error.text, "New has 5 bytes, at most 4 are allowed");
    assert_eq!((error.limit, error.current), (Some(4), Some(5)));
    assert!(line(json!("a\nb")).is_err());
    assert!(line(json!("a\u{0}")).is_err());
    let lines = |value: Value| with(json!({"New": value}), |it| it.text(F, Bound::Lines(4)));
    assert!(lines(json!("a\nb")).is_ok());
    assert!(lines(json!("a\u{0}")).is_err());
    for other in every_other_kind("a string") {
        let text = refused(&other, |it| it.text(F, Bound::Line(4)));
        assert_eq!(text, format!("New must be a string, not {}", kind(&other)));
    }
}

#[test]
fn words_are_exact_and_an_empty_one_is_absent() {
    let word = |value: Value| with(json!({"New": value}), |it| it.word(F, GROUP_TYPES));
    assert_eq!(word(json!("")), Ok(None));
    assert_eq!(word(json!("Private")), Ok(Some(GroupType::Work)));
    assert_eq!(word(json!("Meeting")), Ok(Some(GroupType::Meeting)));
    for unknown in [json!("private"), json!(" "), json!("x".repeat(100_000))] {
        let text = refused(&unknown, |it| it.word(F, GROUP_TYPES));
        assert!(text.starts_with("New must be one of Private, Public, ChatRoom, "), "{text}");
        assert!(text.len() < 200, "{text}");
    }
    for other in every_other_kind("a string") {
        refused(&other, |it| it.word(F, GROUP_TYPES));
    }
}

#[test]
fn numbers_are_whole_and_within_their_range() {
    let number = |value: Value| with(json!({"New": value}), |it| it.number(F, 0..=6_000));
    assert_eq!(number(json!(0)), Ok(Some(0)));
    assert_eq!(number(json!(6_000)), Ok(Some(6_000)));
    for wrong in [
        json!(-1),
        json!(6_001),
        json!(i64::MIN),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1.5),
        json!(-0.0),
        json!(1e300),
        json!(-1e300),
    ] {
        let text = refused(&wrong, |it| it.number(F, 0..=6_000));
        assert!(text.starts_with("New must be a whole number from 0 to 6000, not "), "{text}");
    }
    for other in every_other_kind("a number") {
        let text = refused(&other, |it| it.number(F, 0..=6_000));
        let expected = "New must be a whole number from 0 to 6000, not ";
        assert_eq!(text, format!("{expected}{}", kind(&other)));
    }
    let huge: Value = serde_json::from_str("123456789012345678901234567890").unwrap();
    refused(&huge, |it| it.number(F, 0..=6_000));
    assert_eq!(with(json!({"New": 1}), |it| it.flag(F)), Ok(true));
    assert_eq!(with(json!({"New": 0}), |it| it.flag(F)), Ok(false));
    for wrong in [json!(2), json!(-1), json!(true), json!("1")] {
        refused(&wrong, |it| it.flag(F));
    }
}

#[test]
fn lists_name_the_place_of_what_is_wrong() {
    let body = json!({"New": [{"Old": "a"}, {"New": 5}]});
    let error = with(body, |it| {
        let list = it.objects(F)?.unwrap_or_default();
        list.iter().map(|one| one.user(F, 32)).collect::<Result<Vec<_>, _>>()
    });
    assert_eq!(error.expect_err("a number").text, "New[1].New must be a string, not a number");

    assert_eq!(refused(&json!(["a", null]), |it| it.strings(F).map(drop)), {
        "New[1] must be a string, not null"
    });
    assert_eq!(refused(&json!([{}, "a"]), |it| it.objects(F).map(drop)), {
        "New[1] must be an object, not a string"
    });
    let missing = with(json!({"New": [{}]}), |it| {
        it.objects(F)?.unwrap_or_default().first().map(|one| one.user(F, 32)).transpose()
    });
    assert_eq!(missing.expect_err("required").text, "New[0].New is missing");
    for other in every_other_kind("a list") {
        let text = refused(&other, |it| it.strings(F).map(drop));
        assert_eq!(text, format!("New must be a list of strings, not {}", kind(&other)));
        refused(&other, |it| it.objects(F).map(drop));
        refused(&other, |it| it.users(F, 32));
        refused(&other, |it| it.words(F, ROLES));
    }
    let inner = with(json!({"New": {"Old": []}}), |it| {
        it.object(F)?.map(|inner| inner.text(F, Bound::Line(9))).transpose()
    });
    assert_eq!(inner.expect_err("a list").text, "New.Old must be a string, not a list");
    for other in every_other_kind("an object") {
        refused(&other, |it| it.object(F).map(drop));
    }
}

#[test]
fn words_of_a_list_are_read_once() {
    let words = |value: Value| with(json!({"New": value}), |it| it.words(F, ROLES));
    assert_eq!(words(json!([])), Ok(vec![]));
    let twice = words(json!(["Admin", "Owner", "Admin"]));
    assert_eq!(twice, Ok(vec![Role::Admin, Role::Owner]));
    assert!(words(json!(["Admin", ""])).is_err());
    assert!(words(json!(["NotMember"])).is_err());
}

#[test]
fn ids_are_possible_and_people_are_named_once() {
    let group = |value: Value| with(json!({"New": value}), |it| it.group(F));
    assert_eq!(group(json!("@TGS#1ABC")).map(|id| id.to_string()), Ok("@TGS#1ABC".to_owned()));
    for impossible in [json!(""), json!("x".repeat(49)), json!("é"), json!("."), json!("a\n")] {
        let error = group(impossible).expect_err("impossible");
        assert_eq!(error.reason, Reason::InvalidGroupId);
    }
    assert_eq!(group(json!(7)).expect_err("a number").reason, Reason::InvalidParameter);

    let user = |value: Value| with(json!({"New": value}), |it| it.user(F, 32));
    for impossible in [json!(""), json!("x".repeat(33)), json!("me"), json!("\u{7f}")] {
        let error = user(impossible).expect_err("impossible");
        assert_eq!(error.reason, Reason::InvalidUserId);
        assert_eq!(error.field.as_deref(), Some("New"));
    }
    let users = |value: Value| with(json!({"New": value}), |it| it.users(F, 32));
    let texts = |users: Vec<UserId>| -> Vec<String> {
        users.iter().map(|user| user.as_str().to_owned()).collect()
    };
    let read = users(json!(["b", "a", "b", "c", "a"])).map(texts);
    assert_eq!(read, Ok(vec!["b".to_owned(), "a".to_owned(), "c".to_owned()]));
    let nobody = users(json!([])).expect_err("nobody");
    assert_eq!(nobody.reason, Reason::InvalidParameter);
    assert_eq!(nobody.text, "New is empty, it has to name somebody");
    let impossible = users(json!(["a", ""])).expect_err("impossible");
    assert_eq!(impossible.field.as_deref(), Some("New[1]"));
}

#[test]
fn a_chosen_group_id_keeps_to_its_type() {
    let chosen =
        |value: &str, community| with(json!({"New": value}), |it| it.chosen_group(F, community));
    assert_eq!(chosen("", false), Ok(None));
    assert!(chosen("team", false).is_ok_and(|id| id.is_some()));
    assert!(chosen("@TGS#_city", true).is_ok_and(|id| id.is_some()));
    for (text, community) in [("@TGS#1x", false), ("city", true), ("@TGS#_", true)] {
        let error = chosen(text, community).expect_err(text);
        assert_eq!(error.reason, Reason::InvalidGroupId);
    }
}

#[test]
fn times_are_seconds_of_32_bits() {
    let seconds = |value: Value, least| with(json!({"New": value}), |it| it.seconds(F, least));
    assert_eq!(seconds(json!(0), 0), Ok(Some(0)));
    assert_eq!(seconds(json!(4_294_967_295_u64), 1), Ok(Some(u32::MAX)));
    assert!(seconds(json!(0), 1).is_err());
    let moment = |value: Value| with(json!({"New": value}), |it| it.moment(F));
    assert_eq!(moment(json!(0)), Ok(None));
    assert_eq!(moment(json!(1_700_000_000)), Ok(Moment::from_timestamp(1_700_000_000, 0)));
    assert_eq!(moment(json!(4_294_967_295_u64)), Ok(Moment::from_timestamp(WIDEST, 0)));
    for wrong in [json!(-1), json!(4_294_967_296_u64), json!(0.5), json!("7"), json!([7])] {
        refused(&wrong, |it| it.seconds(F, 0));
        refused(&wrong, |it| it.moment(F));
    }
}

#[test]
fn a_bound_on_entries_says_both_numbers() {
    assert_eq!(at_most("List", 3, 3, Reason::TooManyInCall), Ok(()));
    let error = at_most("List", 4, 3, Reason::TooManyInCall).expect_err("too many");
    assert_eq!(error.text, "List has 4 entries, at most 3 are possible");
    assert_eq!((error.limit, error.current), (Some(3), Some(4)));
}
