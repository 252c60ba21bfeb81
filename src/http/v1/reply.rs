//! Successful answers: the envelope, and the shapes that several resources share.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};

use super::problem::Problem;
use crate::model::{Error, MemberOutcome, Moment, Reply, event};

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
#[must_use]
pub fn outcome(outcome: &MemberOutcome) -> Value {
    let mut line = json!({ "memberID": outcome.user, "result": outcome.result.code() });
    if let Some(reason) = outcome.reason {
        line["reason"] = json!(reason.word());
    }
    if let Some(limit) = outcome.limit {
        line["limit"] = json!(limit);
    }
    if let Some(current) = outcome.current {
        line["current"] = json!(current);
    }
    if let Some(source) = &outcome.source {
        line["source"] = json!(source);
    }
    line
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
            let mut data = json!({ "groupID": group });
            if !members.is_empty() {
                data["memberList"] = members.iter().map(outcome).collect();
            }
            answer(StatusCode::CREATED, data)
        }
        Reply::Members(outcomes) => ok(outcomes.iter().map(outcome).collect::<Value>()),
        Reply::Joined => ok(json!({ "status": "joined" })),
        Reply::Pending => ok(json!({ "status": "pending" })),
        Reply::Done => ok(Value::Null),
        Reply::More => {
            return Err(Error::internal("a caller got the reply of background work").into());
        }
    })
}
