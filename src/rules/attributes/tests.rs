//! The bounds, what changes, and how often it may.

use super::*;
use crate::model::limits::Limit;
use crate::rules::Rulebook;

fn map(pairs: &[(&str, &str)]) -> Attributes {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn at(millis: i64) -> Moment {
    Moment::from_timestamp_millis(1_700_000_000_000 + millis).expect("a moment")
}

fn limits(changes: i32) -> Limits {
    Limits { attribute_changes: Limit::new(changes, "a test"), ..Limits::defaults() }
}

#[test]
fn a_change_leaves_what_it_says() {
    let before = map(&[("a", "1"), ("b", "2")]);
    let merge = |pairs: &[(&str, Option<&str>)]| {
        let owned =
            |(key, value): &(&str, Option<&str>)| ((*key).to_owned(), value.map(ToOwned::to_owned));
        AttributeChange::Merge(pairs.iter().map(owned).collect())
    };
    let delete =
        |keys: &[&str]| AttributeChange::Delete(keys.iter().map(|key| (*key).into()).collect());
    for (change, expected) in [
        (AttributeChange::Replace(map(&[("c", "3")])), map(&[("c", "3")])),
        (AttributeChange::Replace(map(&[])), map(&[])),
        (merge(&[("a", Some("9")), ("c", Some(""))]), map(&[("a", "9"), ("b", "2"), ("c", "")])),
        (merge(&[("a", None), ("z", None)]), map(&[("b", "2")])),
        (merge(&[]), before.clone()),
        (delete(&["a"]), map(&[("b", "2")])),
        (delete(&["b", "a"]), map(&[])),
        (AttributeChange::Clear, map(&[])),
    ] {
        assert_eq!(after(&before, &change), Ok(expected), "{change:?}");
    }
    let error = after(&before, &delete(&["a", "z"])).expect_err("z is absent");
    assert_eq!(error.reason, Reason::AttributeNotFound);
}

#[test]
fn only_what_differs_is_told() {
    let (before, now) =
        (map(&[("a", "1"), ("b", "2"), ("c", "3")]), map(&[("b", "2"), ("c", "4")]));
    let changed = difference(&before, &now);
    let expected = [("a".to_owned(), None), ("c".to_owned(), Some("4".to_owned()))];
    assert_eq!(changed.into_iter().collect::<Vec<_>>(), expected);
    assert!(difference(&before, &before).is_empty());
}

#[test]
fn the_bounds_are_16_keys_and_16000_bytes() {
    let many = |count: usize| (0..count).map(|n| (format!("k{n}"), String::new())).collect();
    assert_eq!(check_bounds(&many(16)), Ok(()));
    let error = check_bounds(&many(17)).expect_err("too many");
    assert_eq!(error.reason, Reason::TooManyAttributes);
    assert_eq!((error.limit, error.current), (Some(16), Some(17)));
    // Five keys of one byte each, and values that make it 16,000 bytes together.
    let sized = |last: usize| -> Attributes {
        let sizes = [4_000, 4_000, 4_000, 3_000, last];
        let pair = |(n, bytes): (usize, &usize)| (n.to_string(), "v".repeat(*bytes));
        sizes.iter().enumerate().map(pair).collect()
    };
    assert_eq!(check_bounds(&sized(995)), Ok(()));
    let error = check_bounds(&sized(996)).expect_err("too large");
    assert_eq!(error.reason, Reason::AttributesTooLarge);
    assert_eq!((error.limit, error.current), (Some(16_000), Some(16_001)));
}

#[test]
fn a_second_sees_so_many_changes_and_the_next_one_begins_when_it_is_over() {
    let limits = limits(3);
    let mut state = GroupAttributes::default();
    let mut change = |millis: i64| -> Result<i32, Reason> {
        let (begun, changes) = count(&state, at(millis), &limits).map_err(|it| it.reason)?;
        state.window_at = Some(begun);
        state.window_changes = changes;
        Ok(changes)
    };
    let often = Err(Reason::AttributesTooOften);
    assert_eq!([change(0), change(0), change(400), change(500)], [Ok(1), Ok(2), Ok(3), often]);
    assert_eq!([change(999), change(1_000), change(1_999)], [often, Ok(1), Ok(2)]);
    assert_eq!([change(2_000), change(2_001)], [Ok(1), Ok(2)]);
    assert_eq!(change(-50), Ok(1), "a clock that was set back makes nobody wait");
}

#[test]
fn the_refusal_of_too_many_changes_says_when_to_come_back() {
    let state = GroupAttributes { window_at: Some(at(0)), window_changes: 1, ..Default::default() };
    let error = count(&state, at(1), &limits(1)).expect_err("too often");
    assert_eq!((error.retry_after, error.limit, error.current), (Some(1), Some(1), Some(1)));
    assert_eq!(error.source.as_deref(), Some("a test"));
}

#[test]
fn what_was_not_loaded_is_asked_for() {
    let group = GroupId::from_stored("g");
    let caller = Caller { user: crate::model::UserId::from_stored("a"), administrator: true };
    let facts = Facts::new(at(0), &Rulebook::builtin(limits(1)));
    let decided = decide(&facts, &caller, &group, &AttributeChange::Clear);
    assert_eq!(decided, Err(Stop::Missing));
}
