//! Successful answers: the envelope, and the shapes that several resources share.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::model::{Error, GroupId, MemberOutcome, MemberReason, Moment, Reply, UserId, event};

/// What a handler returns.
pub type Answer = Result<Response, Problem>;

/// 200 with data.
#[must_use]
pub fn ok(data: impl Serialize) -> Response {
    answer(StatusCode::OK, data)
}

/// Data in the envelope.
#[must_use]
pub fn answer(status: StatusCode, data: impl Serialize) -> Response {
    #[derive(Serialize)]
    struct Envelope<T> {
        code: u32,
        desc: &'static str,
        data: T,
    }
    (status, Json(Envelope { code: 0, desc: "ok", data })).into_response()
}

/// Cuts what was read with one item more than the page holds. Returns the page's last item if there are
/// more behind it: the next page begins there.
pub fn cut<T>(items: &mut Vec<T>, limit: i64) -> Option<&T> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    if items.len() <= limit {
        return None;
    }
    items.truncate(limit);
    items.last()
}

/// A page of a list, with the place where the next one begins.
#[must_use]
pub fn page(list: &str, items: Value, next: Option<String>) -> Value {
    let mut data = serde_json::Map::new();
    data.insert(list.to_owned(), items);
    data.extend(next.map(|next| ("next".to_owned(), Value::String(next))));
    Value::Object(data)
}

/// One person's line.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line<'a> {
    #[serde(rename = "memberID")]
    member: &'a UserId,
    result: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

impl<'a> From<&'a MemberOutcome> for Line<'a> {
    fn from(outcome: &'a MemberOutcome) -> Self {
        Self {
            member: &outcome.user,
            result: outcome.result.code(),
            reason: outcome.reason.map(MemberReason::word),
            limit: outcome.limit,
            current: outcome.current,
            source: outcome.source.as_deref(),
        }
    }
}

fn lines(outcomes: &[MemberOutcome]) -> Vec<Line<'_>> {
    outcomes.iter().map(Line::from).collect()
}

/// A moment as the surface shows it.
#[must_use]
pub fn time(at: Moment) -> String {
    event::show_moment(at)
}

/// The answer to an engine's reply.
///
/// # Errors
/// When the engine gave a reply that no operation of this face gets.
pub fn of_engine(reply: Reply) -> Answer {
    Ok(match reply {
        Reply::Created { group, members } => {
            #[derive(Serialize)]
            #[serde(rename_all = "camelCase")]
            struct Created<'a> {
                #[serde(rename = "groupID")]
                group: &'a GroupId,
                #[serde(skip_serializing_if = "Vec::is_empty")]
                member_list: Vec<Line<'a>>,
            }
            let data = Created { group: &group, member_list: lines(&members) };
            answer(StatusCode::CREATED, data)
        }
        Reply::Members(outcomes) => ok(lines(&outcomes)),
        Reply::Joined => ok(json!({ "status": "joined" })),
        Reply::Pending => ok(json!({ "status": "pending" })),
        Reply::Done => ok(Value::Null),
        Reply::More => {
            return Err(Error::internal("a caller got the reply of background work").into());
        }
    })
}
