//! A group's events, as the websocket sent them.

use axum::extract::State;
use serde::Serialize;
use serde_json::value::RawValue;

use super::asked::{Asked, InPath, Query};
use super::groups::view;
use super::openapi::shapes;
use super::reply::{Answer, cut, ok};
use crate::http::App;
use crate::model::{Error, Reason};
use crate::rules::matrix::{Action, Standing};
use crate::store::events::History;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    event_list: Vec<&'a RawValue>,
    oldest: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// A group's events.
///
/// As the websocket sent them. A member sees them from the one that made him a member, an app administrator all; nobody
/// else any. `oldest` is the first that the caller can still read: events go after `MUSTER_EVENT_DAYS`.
#[utoipa::path(
    get, path = "/groups/{groupID}/events", tag = "Events",
    params(
        ("after" = Option<i64>, Query), ("limit" = Option<i64>, Query),
        ("next" = Option<String>, Query)
    ),
    responses((status = 200, description = "A page of events.", body = shapes::EventPage,
        example = json!({ "eventList": [
            { "type": "event", "event": "onGroupCreated", "groupID": "team", "seq": 1,
              "time": "2026-01-01T12:00:00.000Z", "opUser": { "userID": "alice" },
              "memberList": [{ "userID": "alice", "role": "Owner" },
                             { "userID": "dave", "role": "Member" }],
              "groupType": "Work", "groupName": "The team" },
            { "type": "event", "event": "onMemberInvited", "groupID": "team", "seq": 2,
              "time": "2026-01-01T12:00:01.000Z", "opUser": { "userID": "alice" },
              "memberList": [{ "userID": "bob" }] }
        ], "oldest": 1 })))
)]
pub async fn list_events(State(app): State<App>, asked: Asked, id: InPath, query: Query) -> Answer {
    let query = query.only(&["after", "limit", "next"], &[])?;
    let limit = query.limit()?;
    let after = match (query.get("next"), query.get("after")) {
        (Some(text), _) => number("next", text)?,
        (None, Some(text)) => number("after", text)?,
        (None, None) => 0,
    };
    let view = view(&app, &id.group()?, &asked.caller.user).await?;
    let rules = app.types.of(&view.group);
    rules.permit(Action::ReadMembers, Standing::of(&asked.caller, view.role))?;
    let first = match view.joined_seq {
        _ if asked.caller.administrator => 1,
        Some(joined) => joined,
        // Also where a type of the operator's own shows its members to strangers.
        None => return Err(not_a_member().into()),
    };
    let group = &view.group.id;
    let History { oldest, mut entries } =
        app.store.history(group, after.max(first - 1), limit + 1).await?;
    let next = cut(&mut entries, limit).map(|entry| entry.seq.to_string());
    let frames: Result<Vec<&RawValue>, _> =
        entries.iter().map(|entry| serde_json::from_str(&entry.frame)).collect();
    Ok(ok(Page { event_list: frames.map_err(Error::internal)?, oldest: oldest.max(first), next }))
}

fn not_a_member() -> Error {
    Error::new(Reason::NotAMember, "the caller is not a member of the group")
}

fn number(field: &str, text: &str) -> Result<i64, Error> {
    match text.parse::<i64>() {
        Ok(number) if number >= 0 => Ok(number),
        _ => Err(Error::parameter(field, "must be a number of an event, or 0")),
    }
}
