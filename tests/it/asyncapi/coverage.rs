//! Everything that the document lists is really seen: every message, every field that may be absent both
//! there and absent, and every word of every list, among them each reason of a reset and each close code.

use std::collections::BTreeSet;

use serde_json::Value;

use super::play::World;
use crate::common::frames::{DOCUMENT, judge, message_of, messages, payload};

/// What the test does not cause, and why.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("Bye.code=4008", "takes some seconds: sockets::endings sees it"),
    ("Bye.code=4009", "takes a minute: the tests of the connection see it with a shorter one"),
];

/// The name of what a schema describes, and the schema itself.
fn named<'a>(name: &'a str, schema: &'static Value) -> (&'a str, &'static Value) {
    let Some(place) = schema["$ref"].as_str() else { return (name, schema) };
    (place.rsplit('/').next().expect("a name"), judge().resolve(schema))
}

/// Writes down what a schema lists.
fn listed(name: &str, schema: &'static Value, found: &mut BTreeSet<String>) {
    let (name, schema) = named(name, schema);
    for option in schema["oneOf"].as_array().into_iter().flatten() {
        listed(name, option, found);
    }
    for word in schema["enum"].as_array().into_iter().flatten() {
        found.insert(format!("{name}={}", shown(word)));
    }
    if schema["type"].as_array().is_some_and(|types| types.iter().any(|one| one == "null")) {
        found.insert(format!("{name} is null"));
    }
    if schema["items"].is_object() {
        listed(name, &schema["items"], found);
    }
    let required = schema["required"].as_array();
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{name}.{field}");
        if !required.is_some_and(|all| all.iter().any(|one| one == field)) {
            found.insert(format!("{place} is absent"));
        }
        listed(&place, inner, found);
        found.insert(place);
    }
}

/// Writes down what a value shows of a schema.
fn seen(name: &str, schema: &'static Value, value: &Value, found: &mut BTreeSet<String>) {
    let (name, schema) = named(name, schema);
    for option in schema["oneOf"].as_array().into_iter().flatten() {
        if judge().faults(option, value).is_empty() {
            seen(name, option, value, found);
        }
    }
    if schema["enum"].is_array() {
        found.insert(format!("{name}={}", shown(value)));
    }
    if schema["type"].is_array() && value.is_null() {
        found.insert(format!("{name} is null"));
    }
    for item in value.as_array().into_iter().flatten() {
        seen(name, &schema["items"], item, found);
    }
    for (field, inner) in schema["properties"].as_object().into_iter().flatten() {
        let place = format!("{name}.{field}");
        match value.get(field) {
            Some(value) => {
                seen(&place, inner, value, found);
                found.insert(place);
            }
            None => drop(found.insert(format!("{place} is absent"))),
        }
    }
}

fn shown(word: &Value) -> String {
    word.as_str().map_or_else(|| word.to_string(), ToOwned::to_owned)
}

/// What the document lists and these frames do not show.
pub(super) fn missing(frames: &[Value]) -> BTreeSet<String> {
    let mut expected = BTreeSet::new();
    for message in messages("send").union(&messages("receive")) {
        expected.insert((*message).to_owned());
        listed(message, payload(message), &mut expected);
    }
    for frame in frames {
        let message = message_of(frame);
        expected.remove(message);
        let mut found = BTreeSet::new();
        seen(message, payload(message), frame, &mut found);
        expected.retain(|one| !found.contains(one));
    }
    expected
}

#[test]
fn what_is_listed_is_read_off_the_document() {
    let all = missing(&[]);
    for one in [
        "hello",
        "Hello.cursor is absent",
        "Cursor.user",
        "ResetGroup.why=lag",
        "Bye.code=4029",
        "onGroupCreated.silent is absent",
        "FoundingMember.role=Admin",
        "Change.type=owner",
        "ChangedMember.muteUntil is null",
        "onApplicationProcessed.outcome=forwarded",
    ] {
        assert!(all.contains(one), "{one}: {all:#?}");
    }
    let frame = serde_json::json!({ "type": "bye", "code": 4029, "retryMs": 1, "why": "" });
    let rest = missing(&[frame]);
    let gone: Vec<&String> = all.difference(&rest).collect();
    assert_eq!(gone, ["Bye.code", "Bye.code=4029", "Bye.retryMs", "Bye.type", "Bye.why", "bye"]);
    let codes = DOCUMENT["channels"]["events"]["x-closeCodes"].as_object().expect("codes");
    let listed = all.iter().filter_map(|one| one.strip_prefix("Bye.code="));
    assert_eq!(codes.keys().map(String::as_str).collect::<BTreeSet<_>>(), listed.collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_that_the_document_lists_is_really_seen() {
    let mut world = World::new().await;
    world.open_in_many_groups().await;
    world.be_refused().await;
    world.change_groups().await;
    world.decide_applications().await;
    world.come_back().await;
    let left = BTreeSet::from(["Bye.code=1001".to_owned()]);
    let except: BTreeSet<String> = EXCEPTIONS.iter().map(|(what, _)| (*what).to_owned()).collect();
    world
        .wait_until(|frames| missing(frames).difference(&except).all(|one| left.contains(one)))
        .await;
    let frames = world.stop().await;
    assert_eq!(missing(&frames), except, "listed and not seen, but for the exceptions");
}
