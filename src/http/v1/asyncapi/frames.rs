//! The shapes of the websocket's frames besides the events, for the document only: [`delivery`] reads and
//! writes the values itself, and the tests hold every frame of every test against these.
//!
//! What a field means stands in the table of fields of the OpenAPI document.
//!
//! [`delivery`]: crate::delivery

#![expect(dead_code, reason = "read by the macro, never made")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

/// The first frame: who it is and where it stands.
#[derive(ToSchema)]
pub(super) struct Hello {
    r#type: String,
    token: Option<String>,
    cursor: Option<Cursor>,
}

/// Where a client stands: the last event of each stream that it has applied.
#[derive(ToSchema)]
pub(super) struct Cursor {
    epoch: String,
    user: Option<u64>,
    groups: Option<BTreeMap<String, u64>>,
}

/// A fresh credential before the old one ends. Nothing answers it when it is good; otherwise the socket ends
/// with 4001.
#[derive(ToSchema)]
pub(super) struct Auth {
    r#type: String,
    token: String,
}

/// Asks for a sign of life.
#[derive(ToSchema)]
pub(super) struct Ping {
    r#type: String,
}

/// A sign of life.
#[derive(ToSchema)]
pub(super) struct Pong {
    r#type: String,
}

/// The first answer: who is connected and where it starts in each stream. More groups follow in `groups`.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Welcome {
    r#type: String,
    #[schema(rename = "userID")]
    user_id: String,
    epoch: String,
    heartbeat_ms: u64,
    user_seq: i64,
    groups: Vec<Place>,
}

/// More of the person's groups than fit into `welcome`.
#[derive(ToSchema)]
pub(super) struct Groups {
    r#type: String,
    groups: Vec<Place>,
}

/// A group that the person is a member of, and where the connection starts in its log.
#[derive(ToSchema)]
pub(super) struct Place {
    #[schema(rename = "groupID")]
    group_id: String,
    seq: i64,
    head: i64,
    role: String,
}

/// What was missed is told; from here on events come as they happen.
#[derive(ToSchema)]
pub(super) struct Ready {
    r#type: String,
}

/// What was missed cannot be told: load it over REST and go on from there.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum Reset {
    All(ResetAll),
    User(ResetUser),
    Group(ResetGroup),
}

/// Load everything again; `welcome` says where each stream goes on.
#[derive(ToSchema)]
pub(super) struct ResetAll {
    r#type: String,
    scope: String,
    why: String,
}

/// Load again what comes in the person's own stream: the open applications.
#[derive(ToSchema)]
pub(super) struct ResetUser {
    r#type: String,
    scope: String,
    seq: i64,
    why: String,
}

/// Load a group again. One that the person has left meanwhile is gone for him.
#[derive(ToSchema)]
pub(super) struct ResetGroup {
    r#type: String,
    scope: String,
    #[schema(rename = "groupID")]
    group_id: String,
    seq: i64,
    why: String,
}

/// The last frame; the close frame with the same code follows.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(super) struct Bye {
    r#type: String,
    code: u16,
    retry_ms: u64,
    why: String,
}
