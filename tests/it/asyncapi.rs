//! The AsyncAPI document: whole, and true. That every frame of every test is one that it describes is
//! checked where frames come in and go out (`common::frames`).

mod coverage;
mod limits;
mod play;

use std::collections::BTreeSet;

use muster::model::EventKind;
use reqwest::Method;
use serde_json::{Value, json};

use crate::common::frames::{DOCUMENT, faults, judge, message_of, messages, payload};
use crate::common::{Server, contract};

/// The parts of the document by their names.
fn parts(kind: &str) -> &'static serde_json::Map<String, Value> {
    DOCUMENT["components"][kind].as_object().unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn it_has_what_the_standard_asks_for() {
    assert_eq!(DOCUMENT["asyncapi"], "3.0.0");
    for text in ["title", "version", "description"] {
        assert!(DOCUMENT["info"][text].as_str().is_some_and(|text| text.len() > 3), "{text}");
    }
    for server in DOCUMENT["servers"].as_object().expect("servers").values() {
        assert!(server["host"].is_string() && server["protocol"].is_string(), "{server}");
        let host = server["host"].as_str().expect("a host");
        assert!(!host.contains('{') || server["variables"]["host"]["default"].is_string());
        let scheme = judge().resolve(&server["security"][0]);
        assert_eq!((&scheme["type"], &scheme["scheme"]), (&json!("http"), &json!("bearer")));
    }
    let channel = &DOCUMENT["channels"]["events"];
    assert_eq!(channel["address"], "/v1/events");
    assert!(contract::DOCUMENT["paths"]["/v1/events"]["get"].is_object(), "the same address");
    for operation in DOCUMENT["operations"].as_object().expect("operations").values() {
        assert!(["send", "receive"].contains(&operation["action"].as_str().expect("an action")));
        assert_eq!(operation["channel"]["$ref"], "#/channels/events");
        assert!(operation["messages"].as_array().is_some_and(|all| !all.is_empty()));
        assert!(operation["summary"].is_string());
    }
    for schema in parts("schemas").values() {
        assert!(schema["description"].is_string(), "{schema}");
        assert!(schema["properties"].is_object() != schema["oneOf"].is_array(), "{schema}");
        assert!(schema.as_object().is_some_and(|all| all.values().all(|one| !one.is_null())));
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{field} has no meaning: {schema}");
        }
    }
}

/// Each message of the channel is one of the document, is sent or taken by an operation, and the other way
/// round; and every kind of event is one.
#[test]
fn every_message_is_said_by_somebody_and_every_kind_of_event_is_one() {
    let channel = DOCUMENT["channels"]["events"]["messages"].as_object().expect("messages");
    let names: BTreeSet<&str> = parts("messages").keys().map(String::as_str).collect();
    assert_eq!(channel.keys().map(String::as_str).collect::<BTreeSet<_>>(), names);
    let (sent, taken) = (messages("send"), messages("receive"));
    assert_eq!(sent.union(&taken).copied().collect::<BTreeSet<_>>(), names);
    let both: Vec<&&str> = sent.intersection(&taken).collect();
    assert_eq!(both, [&"pong"]);
    assert_eq!(taken, BTreeSet::from(["hello", "auth", "ping", "pong"]));
    let kinds = EventKind::ALL.iter().map(|kind| kind.word());
    let others = ["welcome", "groups", "ready", "reset", "pong", "bye"];
    assert_eq!(sent, kinds.chain(others).collect::<BTreeSet<_>>());
}

/// Everything that `$ref` points to is there, and every schema is pointed to.
#[test]
fn references_and_schemas_agree() {
    fn gather(value: &'static Value, found: &mut BTreeSet<&'static str>) {
        match value {
            Value::Object(fields) => {
                if let Some(place) = value["$ref"].as_str() {
                    assert!(judge().resolve(value).is_object(), "{place}");
                    found.insert(place);
                }
                fields.values().for_each(|inner| gather(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| gather(inner, found)),
            _ => {}
        }
    }
    let mut pointed = BTreeSet::new();
    gather(&DOCUMENT, &mut pointed);
    for name in parts("schemas").keys() {
        assert!(pointed.contains(format!("#/components/schemas/{name}").as_str()), "{name}");
    }
}

#[test]
fn every_message_has_examples_and_they_are_right() {
    for (name, message) in parts("messages") {
        assert_eq!(message["name"], **name);
        assert!(message["summary"].as_str().is_some_and(|text| text.len() > 3), "{name}");
        let examples = message["examples"].as_array().expect("examples");
        assert!(!examples.is_empty(), "{name}");
        for example in examples {
            let frame = &example["payload"];
            assert_eq!(message_of(frame), name);
            assert_eq!(judge().faults(payload(name), frame), [""; 0], "{name}");
        }
    }
}

/// A shape that stands in both documents is the same in both.
#[test]
fn events_have_one_shape_in_both_documents() {
    let rest = contract::DOCUMENT["components"]["schemas"].as_object().expect("schemas");
    let both: Vec<&String> =
        parts("schemas").keys().filter(|name| rest.contains_key(*name)).collect();
    for name in &both {
        assert_eq!(parts("schemas")[*name], rest[*name], "{name}");
    }
    let kinds = rest["Event"]["oneOf"].as_array().expect("kinds");
    let kinds: Vec<&str> = kinds.iter().filter_map(|kind| kind["$ref"].as_str()).collect();
    let of_groups = parts("schemas").iter().filter(|(_, schema)| {
        let fields = &schema["properties"];
        fields["event"].is_object() && fields["seq"].is_object()
    });
    let of_groups = of_groups.map(|(name, _)| format!("#/components/schemas/{name}"));
    assert_eq!(
        of_groups.collect::<BTreeSet<_>>(),
        kinds.iter().map(|kind| (*kind).to_owned()).collect()
    );
    assert_eq!(kinds.len(), 11);
}

/// The judge of frames sees what it should: otherwise every frame would be as documented.
#[test]
fn a_frame_that_is_not_as_documented_is_found() {
    type Spoil = fn(&mut Value);
    let good = parts("messages")["onMemberKicked"]["examples"][0]["payload"].clone();
    assert_eq!(faults("send", &good), [""; 0]);
    let spoilt: [(&str, Spoil); 7] = [
        ("another kind's field", |event| event["attributes"] = json!({})),
        ("a field too many inside", |event| event["memberList"][0]["role"] = "Admin".into()),
        ("a field too few", |event| drop(event.as_object_mut().map(|all| all.remove("opUser")))),
        ("another type", |event| event["seq"] = "8".into()),
        ("no number", |event| event["seq"] = 0.into()),
        ("no time", |event| event["time"] = "today".into()),
        ("an unknown kind", |event| event["event"] = "onMemberPromoted".into()),
    ];
    for (what, spoil) in spoilt {
        let mut event = good.clone();
        spoil(&mut event);
        assert_eq!(faults("send", &event).len(), 1, "{what}: {event}");
    }
    let reset = |scope: &str, why: &str| json!({ "type": "reset", "scope": scope, "why": why });
    assert_eq!(faults("send", &reset("all", "epoch")), [""; 0]);
    assert_ne!(faults("send", &reset("all", "lag")), [""; 0]);
    assert_ne!(faults("send", &reset("user", "lag")), [""; 0], "without seq");
    assert_ne!(faults("send", &json!({ "type": "ping" })), [""; 0], "only clients say so");
    assert_ne!(faults("receive", &json!({ "type": "ready" })), [""; 0], "only the server says so");
}

#[tokio::test]
async fn the_document_is_given_to_everybody_as_it_is_committed() {
    let server = Server::start().await;
    let answer = server.send(Method::GET, "/v1/asyncapi.json", &[], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.body, *DOCUMENT);
    server.stop().await;
}
