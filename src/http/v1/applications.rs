//! Applications: what the caller may decide and what he asked for; accept, refuse.

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::asked::{Asked, InPath, Query};
use super::body::Raw;
use super::members::message;
use super::reply::{Answer, cut, of_engine, ok, page};
use crate::http::App;
use crate::model::event::ApplicationFrame;
use crate::model::{ApplicationId, Error, Operation, Reason};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    message: Option<String>,
}

/// `GET /v1/applications`
pub async fn list_applications(State(app): State<App>, asked: Asked, query: Query) -> Answer {
    let query = query.only(&["limit", "next"], &[])?;
    let limit = query.limit()?;
    let after = query
        .get("next")
        .map(|text| {
            ApplicationId::try_parse(text).map_err(|_| Error::parameter("next", "is not a UUID"))
        })
        .transpose()?;
    let mut found = app.store.applications_for(&asked.caller.user, after, limit + 1).await?;
    let next = cut(&mut found, limit).map(|(last, _)| last.id.to_string());
    let lines: Result<Vec<Value>, _> = found
        .iter()
        .map(|(one, decides)| serde_json::to_value(ApplicationFrame::new(one, *decides)))
        .collect();
    let lines = Value::Array(lines.map_err(Error::internal)?);
    Ok(ok(page("applicationList", lines, next)))
}

/// `POST /v1/applications/{applicationID}/accept`
pub async fn accept_application(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    decide(&app, asked, &id, query, &body, true).await
}

/// `POST /v1/applications/{applicationID}/refuse`
pub async fn refuse_application(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    decide(&app, asked, &id, query, &body, false).await
}

async fn decide(
    app: &App,
    asked: Asked,
    id: &InPath,
    query: Query,
    body: &Raw,
    accept: bool,
) -> Answer {
    let dry_run = query.dry_run()?;
    let id = id.application()?;
    let message = message("message", body.read::<Decision>()?.message)?;
    let Some(found) = app.store.application(id).await? else {
        return Err(Error::new(Reason::ApplicationNotFound, "there is no such application").into());
    };
    let operation = Operation::Decide {
        group: found.group,
        application: id,
        subject: found.subject,
        from_user: found.from_user,
        accept,
        message,
    };
    of_engine(asked.perform(app, operation, &body.0, dry_run).await?)
}
