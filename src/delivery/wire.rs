//! The frames of the websocket, apart from the events: how they are read and written.
//!
//! A client's frame is a JSON object with a `type`. Fields that are not known are passed over, so that a
//! newer client can talk to an older server; a wrong type of a known one is refused.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::frame::Frame;
use super::resume::{Plan, Reset, Scope};
use crate::model::{GroupId, UserId};

/// Most groups in one `welcome` or `groups` frame.
pub const GROUPS_IN_FRAME: usize = 500;

/// `{"type": "ready"}`
pub(super) static READY: LazyLock<Frame> = LazyLock::new(|| r#"{"type":"ready"}"#.into());
/// `{"type": "pong"}`
pub(super) static PONG: LazyLock<Frame> = LazyLock::new(|| r#"{"type":"pong"}"#.into());

/// What a client says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Who it is and where it stands.
    Hello(Hello),
    /// A fresh credential.
    Auth(Auth),
    /// Asks for a sign of life.
    Ping,
    /// Gives one.
    Pong,
}

/// The first frame.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Hello {
    /// The credential, unless it came in the `Authorization` header.
    pub(super) token: Option<String>,
    /// Where the client stands.
    pub(super) cursor: Option<Cursor>,
}

/// Where a client stands: the last event of each stream that it has applied.
#[derive(Debug, Deserialize, PartialEq, Eq)]
pub struct Cursor {
    /// The history that the numbers belong to.
    pub epoch: String,
    /// The last event of his own stream.
    pub user: Option<u64>,
    /// The last event of each group, by the group's id.
    #[serde(default)]
    pub groups: BTreeMap<String, u64>,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
pub(super) struct Auth {
    pub(super) token: String,
}

#[derive(Deserialize)]
struct Tag {
    r#type: String,
}

/// Reads a frame.
///
/// # Errors
/// What is wrong with it, in words.
pub(super) fn read(text: &str) -> Result<Said, String> {
    if !text.trim_start().starts_with('{') {
        return Err("a frame must be a JSON object".to_owned());
    }
    let tag: Tag = parse(text)?;
    match tag.r#type.as_str() {
        "hello" => parse(text).map(Said::Hello),
        "auth" => parse(text).map(Said::Auth),
        "ping" => Ok(Said::Ping),
        "pong" => Ok(Said::Pong),
        other => {
            let shown: String = other.chars().take(40).collect();
            Err(format!("frames of type {shown:?} are unknown"))
        }
    }
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    // The message may repeat a value; whoever sent it may see it, the log may not.
    serde_json::from_str(text).map_err(|error| format!("the frame cannot be read: {error}"))
}

/// Writes a frame.
pub(super) fn render(frame: &impl Serialize) -> Option<Frame> {
    // The frames of this room have no map with other keys than text and no failing serializer.
    serde_json::to_string(frame).ok().map(Frame::from)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Welcome<'a> {
    r#type: &'static str,
    #[serde(rename = "userID")]
    user: &'a UserId,
    epoch: &'a str,
    heartbeat_ms: u64,
    user_seq: i64,
    groups: &'a [GroupLine<'a>],
}

#[derive(Serialize)]
struct Groups<'a> {
    r#type: &'static str,
    groups: &'a [GroupLine<'a>],
}

#[derive(Serialize)]
struct GroupLine<'a> {
    #[serde(rename = "groupID")]
    group: &'a GroupId,
    seq: i64,
    head: i64,
    role: &'static str,
}

#[derive(Serialize)]
struct ResetFrame<'a> {
    r#type: &'static str,
    scope: &'static str,
    #[serde(rename = "groupID", skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    why: &'static str,
}

/// The frames that a connection begins with: `welcome`, the rest of the groups, and what the client has to
/// load again.
pub(super) fn opening(user: &UserId, plan: &Plan, heartbeat_ms: u64) -> Vec<Frame> {
    let lines: Vec<GroupLine<'_>> = plan
        .groups
        .iter()
        .map(|line| GroupLine {
            group: &line.group,
            seq: line.seq,
            head: line.head,
            role: line.role.word(),
        })
        .collect();
    let (first, rest) = lines.split_at(lines.len().min(GROUPS_IN_FRAME));
    let welcome = Welcome {
        r#type: "welcome",
        user,
        epoch: &plan.epoch,
        heartbeat_ms,
        user_seq: plan.user_seq,
        groups: first,
    };
    let more =
        rest.chunks(GROUPS_IN_FRAME).map(|groups| render(&Groups { r#type: "groups", groups }));
    let resets = plan.resets.iter().map(reset);
    std::iter::once(render(&welcome)).chain(more).chain(resets).flatten().collect()
}

fn reset(reset: &Reset) -> Option<Frame> {
    let (scope, group, seq) = match &reset.scope {
        Scope::All => ("all", None, None),
        Scope::User(seq) => ("user", None, Some(*seq)),
        Scope::Group(group, seq) => ("group", Some(group), Some(*seq)),
    };
    render(&ResetFrame { r#type: "reset", scope, group, seq, why: reset.why.word() })
}
