//! The AsyncAPI 3.0 document of the websocket, made from the code: `GET /v1/asyncapi.json`.
//!
//! The shapes of the events are those of the OpenAPI document's page of events, the meaning of each field
//! stands in the same table, and only what a socket has besides is written here: its other [`frames`], an
//! [example](examples) of each, and this frame around them.

mod examples;
mod frames;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::openapi::{add_schemas, events};
use crate::delivery::Timing;
use crate::model::EventKind;

/// Longest `hello`, in bytes.
const HELLO_BYTES: usize = 512 * 1024;
/// Longest frame after it, in bytes.
const FRAME_BYTES: usize = 4 * 1024;
/// Frames of a client in a second.
const RATE: u32 = 20;
/// Frames of a client that may come at once after a pause.
const BURST: u32 = 40;

/// Close codes and what they mean.
const CODES: &[(u16, &str)] = &[
    (1001, "the server stops, or cannot serve at the moment: come again after `retryMs`"),
    (4001, "the credential is missing, wrong or over: come again with another one"),
    (4002, "the client sent what the protocol does not allow"),
    (4008, "events came faster than the client read them: come again with the cursor"),
    (4009, "nothing was heard of the client for too long"),
    (4029, "too many frames, or too many sockets of the person"),
];

/// What has to be loaded again, by the schema that tells of it.
const SCOPES: &[(&str, &str)] =
    &[("ResetAll", "all"), ("ResetUser", "user"), ("ResetGroup", "group")];

/// Why something has to be loaded again, and what it can be.
const REASONS: &[(&str, &[&str], &str)] = &[
    ("epoch", &["all"], "the numbers of the cursor belong to another history"),
    ("ahead", &["user", "group"], "the cursor is ahead of the log"),
    ("trimmed", &["user", "group"], "the log does not reach back so far"),
    ("rejoined", &["group"], "the person left the group and came again since"),
    ("lag", &["user", "group"], "more was missed than is told again"),
];

/// What the server does with messages, and what answers them.
struct Operation {
    name: &'static str,
    /// `send` or `receive`.
    action: &'static str,
    summary: &'static str,
    messages: &'static [&'static str],
    reply: Option<&'static str>,
}

/// An operation that nothing answers.
const fn plain(
    name: &'static str,
    action: &'static str,
    summary: &'static str,
    messages: &'static [&'static str],
) -> Operation {
    Operation { name, action, summary, messages, reply: None }
}

/// All operations; `tell` is that of the events.
const OPERATIONS: &[Operation] = &[
    plain("hello", "receive", "The client says who it is and where it stands.", &["hello"]),
    plain("renew", "receive", "The client brings a fresh credential.", &["auth"]),
    Operation {
        reply: Some("pong"),
        ..plain("ask", "receive", "The client asks for a sign of life.", &["ping"])
    },
    plain("live", "receive", "The client gives a sign of life.", &["pong"]),
    plain(
        "open",
        "send",
        "The server says where the connection starts, and that it is live.",
        &["welcome", "groups", "ready"],
    ),
    plain("tell", "send", "The server tells of an event.", &[]),
    plain("reset", "send", "The server says what has to be loaded again.", &["reset"]),
    plain("end", "send", "The server says why this is the end.", &["bye"]),
];

const ABOUT: &str = "Every change of a group reaches its members at once over a websocket.

A connection begins with `hello`. The server answers with `welcome` and, where the person is in very many \
groups, `groups`; then it says by `reset` what has to be loaded again, tells the events that the cursor \
missed, and says `ready`. Events that happen meanwhile may come before `ready`, too.

A client keeps, as its cursor, the epoch and the number of the last event of each stream that it has \
applied. Within a group `seq` is 1, 2, 3, … without holes. With its cursor a client gets every event of its \
memberships once, after removing numbers that it has seen, or a `reset`; nothing is left out in silence.

New fields and new types of frames may appear: ignore what you do not know. The server ignores fields of a \
client's frames that it does not know; a type that it does not know ends the socket.";

/// The document as text.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // A document is made of texts, numbers and lists: this cannot fail.
    let mut text = serde_json::to_string_pretty(&whole()).unwrap_or_default();
    text.push('\n');
    text
});

/// The document as text.
#[must_use]
pub fn document() -> &'static str {
    &DOCUMENT
}

/// The document of the websocket.
///
/// The AsyncAPI 3.0 document of `/v1/events`: every frame, what it means, and what it looks like.
#[utoipa::path(
    get, path = "/asyncapi.json", tag = "Server", security(()),
    responses((status = 200, description = "The document.", body = serde_json::Value,
        example = json!({ "asyncapi": "3.0.0" })))
)]
pub async fn asyncapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}

/// Messages and schemas, as they are gathered.
#[derive(Default)]
struct Parts {
    messages: Map<String, Value>,
    schemas: Map<String, Value>,
}

impl Parts {
    fn gather() -> Self {
        let mut parts = Self::default();
        parts.frame::<frames::Hello>("hello");
        parts.frame::<frames::Auth>("auth");
        parts.frame::<frames::Ping>("ping");
        parts.frame::<frames::Pong>("pong");
        parts.frame::<frames::Welcome>("welcome");
        parts.frame::<frames::Groups>("groups");
        parts.frame::<frames::Ready>("ready");
        parts.frame::<frames::Reset>("reset");
        parts.frame::<frames::Bye>("bye");
        for kind in EventKind::ALL {
            parts.event(*kind);
        }
        for (schema, scope) in SCOPES {
            parts.always(schema, "type", "reset");
            parts.always(schema, "scope", scope);
            let reasons = REASONS.iter().filter(|(_, scopes, _)| scopes.contains(scope));
            let reasons: Vec<_> = reasons.map(|(why, _, meaning)| (*why, *meaning)).collect();
            parts.one_of(schema, "why", &reasons);
        }
        parts.one_of("Bye", "code", CODES);
        for (name, bytes) in [("hello", HELLO_BYTES), ("auth", FRAME_BYTES)] {
            parts.messages[name]["x-maxBytes"] = json!(bytes);
        }
        parts
    }

    fn event(&mut self, kind: EventKind) {
        match kind {
            EventKind::onGroupCreated => self.message::<events::onGroupCreated>(kind.word()),
            EventKind::onMemberInvited => self.message::<events::onMemberInvited>(kind.word()),
            EventKind::onMemberEnter => self.message::<events::onMemberEnter>(kind.word()),
            EventKind::onMemberLeave => self.message::<events::onMemberLeave>(kind.word()),
            EventKind::onMemberKicked => self.message::<events::onMemberKicked>(kind.word()),
            EventKind::onMemberInfoChanged => {
                self.message::<events::onMemberInfoChanged>(kind.word());
            }
            EventKind::onGroupInfoChanged => {
                self.message::<events::onGroupInfoChanged>(kind.word());
            }
            EventKind::onGroupDismissed => self.message::<events::onGroupDismissed>(kind.word()),
            EventKind::onGrantAdministrator => {
                self.message::<events::onGrantAdministrator>(kind.word());
            }
            EventKind::onRevokeAdministrator => {
                self.message::<events::onRevokeAdministrator>(kind.word());
            }
            EventKind::onGroupAttributeChanged => {
                self.message::<events::onGroupAttributeChanged>(kind.word());
            }
            EventKind::onReceiveJoinApplication => {
                self.message::<events::onReceiveJoinApplication>(kind.word());
            }
            EventKind::onReceiveInvitation => {
                self.message::<events::onReceiveInvitation>(kind.word());
            }
            EventKind::onApplicationProcessed => {
                self.message::<events::onApplicationProcessed>(kind.word());
            }
        }
    }

    /// A message whose `type` is its name.
    fn frame<T: ToSchema>(&mut self, name: &str) {
        self.message::<T>(name);
        self.always(&T::name(), "type", name);
    }

    fn message<T: ToSchema>(&mut self, name: &str) {
        add_schemas::<T>(&mut self.schemas);
        let schema = T::name();
        let about = self.schemas[&*schema]["description"].as_str().unwrap_or_default();
        let examples: Vec<Value> =
            examples::of(name).into_iter().map(|frame| json!({ "payload": frame })).collect();
        let message = json!({
            "name": name,
            "title": name,
            "summary": about.replace('\n', " "),
            "payload": { "$ref": format!("#/components/schemas/{schema}") },
            "examples": examples,
        });
        self.messages.insert(name.to_owned(), message);
    }

    /// The schema of a field, where this schema has fields of its own.
    fn property(&mut self, schema: &str, field: &str) -> Option<&mut Value> {
        self.schemas.get_mut(schema)?.get_mut("properties")?.get_mut(field)
    }

    /// A field that has always the same value.
    fn always(&mut self, schema: &str, field: &str, value: &str) {
        if let Some(property) = self.property(schema, field) {
            property["const"] = json!(value);
            property["description"] = json!(format!("`{value}`."));
        }
    }

    /// A field that has one of these values, each with its meaning.
    fn one_of<T: serde::Serialize + std::fmt::Display>(
        &mut self,
        schema: &str,
        field: &str,
        values: &[(T, &str)],
    ) {
        let Some(property) = self.property(schema, field) else { return };
        let meanings: Vec<String> =
            values.iter().map(|(value, meaning)| format!("- `{value}`: {meaning}")).collect();
        let about = property["description"].as_str().unwrap_or_default();
        property["description"] = json!(format!("{about}\n\n{}", meanings.join("\n")));
        property["enum"] = values.iter().map(|(value, _)| json!(value)).collect();
    }
}

/// References to these messages of the channel.
fn of_channel<'a>(names: impl IntoIterator<Item = &'a str>) -> Value {
    let place = |name| json!({ "$ref": format!("#/channels/events/messages/{name}") });
    names.into_iter().map(place).collect()
}

fn operations() -> Value {
    let mut all = Map::new();
    for Operation { name, action, summary, messages, reply } in OPERATIONS {
        let channel = json!({ "$ref": "#/channels/events" });
        let kinds = EventKind::ALL.iter().map(|kind| kind.word()).filter(|_| messages.is_empty());
        let mut operation = json!({
            "action": action,
            "channel": channel,
            "summary": summary,
            "messages": of_channel(messages.iter().copied().chain(kinds)),
        });
        if reply.is_some() {
            operation["reply"] = json!({ "channel": channel, "messages": of_channel(*reply) });
        }
        all.insert((*name).to_owned(), operation);
    }
    all.into()
}

fn channel(messages: &Map<String, Value>) -> Value {
    let timing = Timing::default();
    let codes: Vec<String> =
        CODES.iter().map(|(code, meaning)| format!("- {code}: {meaning}")).collect();
    let description = format!(
        "JSON text frames. `hello` comes first, within {} seconds, with at most {} KiB; every later frame of \
         the client has at most {} KiB, and {RATE} of them may come in a second, {BURST} at once after a \
         pause. Any frame is a sign of life, pings and pongs of the websocket protocol too; without one for \
         {} seconds the socket ends.\n\nThe socket ends with `bye` and a close frame of the same code:\n\n{}",
        timing.hello.as_secs(),
        HELLO_BYTES / 1024,
        FRAME_BYTES / 1024,
        timing.silence.as_secs(),
        codes.join("\n"),
    );
    let place =
        |name: &String| (name.clone(), json!({ "$ref": format!("#/components/messages/{name}") }));
    json!({
        "address": "/v1/events",
        "title": "Events",
        "summary": "Every event of the person's groups, and the person's own.",
        "description": description,
        "messages": messages.keys().map(place).collect::<Map<String, Value>>(),
        "bindings": { "ws": { "method": "GET", "bindingVersion": "0.1.0" } },
        "x-limits": {
            "helloSeconds": timing.hello.as_secs(),
            "helloBytes": HELLO_BYTES,
            "frameBytes": FRAME_BYTES,
            "framesPerSecond": RATE,
            "framesAtOnce": BURST,
            "silenceSeconds": timing.silence.as_secs(),
        },
        "x-closeCodes": CODES.iter().map(|(code, meaning)| (code.to_string(), json!(meaning)))
            .collect::<Map<String, Value>>(),
    })
}

fn server(protocol: &str, description: &str) -> Value {
    json!({
        "host": "{host}",
        "protocol": protocol,
        "description": description,
        "variables": { "host": {
            "default": "127.0.0.1:8080", "description": "Name and port of the server.",
        } },
        "security": [{ "$ref": "#/components/securitySchemes/bearer" }],
    })
}

fn whole() -> Value {
    let Parts { messages, schemas } = Parts::gather();
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Muster events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
        },
        "defaultContentType": "application/json",
        "servers": {
            "plain": server("ws", "A server as it listens by itself."),
            "tls": server("wss", "A server behind a proxy that speaks TLS."),
        },
        "channels": { "events": channel(&messages) },
        "operations": operations(),
        "components": {
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A UserSig, or a JWT with `sub`, `iat` and `exp`, in the `Authorization` \
                                header. A client that cannot set headers, such as a browser, sends it as \
                                `token` of `hello` instead. Never in the URL."
            } },
            "messages": messages,
            "schemas": schemas,
        },
    })
}
