//! Every frame that a websocket of any test receives is one that the AsyncAPI document describes, with no
//! field that it does not know; and so is every frame that a test sends and means to be right.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::judge::Judge;

/// The document, as the server gives it out.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(muster::http::v1::asyncapi::document()).expect("the document is JSON")
});

/// A judge by the document.
pub(crate) fn judge() -> Judge {
    Judge(&DOCUMENT)
}

/// The names of the messages that the server sends (`send`) or takes (`receive`).
pub(crate) fn messages(action: &str) -> BTreeSet<&'static str> {
    let operations = DOCUMENT["operations"].as_object().expect("operations");
    let of = |list: &'static Value| list.as_array().into_iter().flatten().map(name_of);
    operations
        .values()
        .flat_map(|operation| {
            let own =
                if operation["action"] == action { &operation["messages"] } else { &Value::Null };
            let answers = operation["action"] != action;
            let reply = if answers { &operation["reply"]["messages"] } else { &Value::Null };
            of(own).chain(of(reply))
        })
        .collect()
}

/// The name at the end of a reference to a message of the channel.
fn name_of(reference: &'static Value) -> &'static str {
    let place = reference["$ref"].as_str().expect("a reference");
    place.strip_prefix("#/channels/events/messages/").unwrap_or_else(|| panic!("{place}"))
}

/// The message that a frame is: its type, or the kind of an event.
pub(crate) fn message_of(frame: &Value) -> &str {
    let kind = if frame["type"] == "event" { &frame["event"] } else { &frame["type"] };
    kind.as_str().unwrap_or_default()
}

/// The schema of a message.
pub(crate) fn payload(message: &str) -> &'static Value {
    &DOCUMENT["components"]["messages"][message]["payload"]
}

/// What is wrong with a frame of the server (`send`) or of a client (`receive`).
pub(crate) fn faults(action: &str, frame: &Value) -> Vec<String> {
    let message = message_of(frame);
    if !messages(action).contains(message) {
        return vec![format!("the message {message:?} is not documented")];
    }
    judge().faults(payload(message), frame)
}

/// Reads a frame of the server, which is as documented.
#[track_caller]
pub(crate) fn received(text: &str) -> Value {
    let frame: Value = serde_json::from_str(text).expect("a JSON frame");
    let faults = faults("send", &frame);
    assert!(faults.is_empty(), "the server sent {frame}: {faults:#?}");
    frame
}

/// A frame of a client as text, which is as documented.
#[track_caller]
pub(crate) fn said(frame: &Value) -> String {
    let faults = faults("receive", frame);
    assert!(faults.is_empty(), "a test sends {frame}: {faults:#?}");
    frame.to_string()
}
