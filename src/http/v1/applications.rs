//! Applications: what the caller may decide and what he asked for; accept, refuse.

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;

use super::asked::{Asked, InPath, Query};
use super::body::Raw;
use super::groups::{standing, view};
use super::members::message;
use super::reply::{Answer, cut, of_engine, ok, page};
use crate::http::App;
use crate::model::event::ApplicationFrame;
use crate::model::{Application, ApplicationId, Caller, Error, GroupId, Operation, Reason};
use crate::rules::decide::may_decide;
use crate::rules::matrix::Action;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Decision {
    message: Option<String>,
}

/// `GET /v1/applications`: what the caller may decide and what he asked for; with `groupID` all of a group,
/// for those who decide them.
pub async fn list_applications(State(app): State<App>, asked: Asked, query: Query) -> Answer {
    let query = query.only(&["groupID", "limit", "next"], &[])?;
    let limit = query.limit()?;
    let after = query
        .get("next")
        .map(|text| {
            ApplicationId::try_parse(text).map_err(|_| Error::parameter("next", "is not a UUID"))
        })
        .transpose()?;
    let mut found = match query.get("groupID") {
        None => app.store.applications_for(&asked.caller.user, after, limit + 1).await?,
        Some(text) => of_group(&app, &asked.caller, text, after, limit + 1).await?,
    };
    let next = cut(&mut found, limit).map(|(last, _)| last.id.to_string());
    let lines: Result<Vec<Value>, _> = found
        .iter()
        .map(|(one, decides)| serde_json::to_value(ApplicationFrame::new(one, *decides)))
        .collect();
    let lines = Value::Array(lines.map_err(Error::internal)?);
    Ok(ok(page("applicationList", lines, next)))
}

/// The open applications of a group, each with whether the caller may decide it.
async fn of_group(
    app: &App,
    caller: &Caller,
    group: &str,
    after: Option<ApplicationId>,
    limit: i64,
) -> Result<Vec<(Application, bool)>, Error> {
    let group = GroupId::parse(group, "groupID")?;
    let view = view(app, &group, &caller.user).await?;
    let rules = app.types.of(&view.group);
    let standing = standing(caller, &view);
    rules.permit(Action::Decide, standing)?;
    let found = app.store.applications_of(&group, after, limit).await?;
    let decides = |one: &Application| {
        may_decide(&rules, one.kind, one.subject == caller.user, standing).is_ok()
    };
    Ok(found.into_iter().map(|one| (decides(&one), one)).map(|(may, one)| (one, may)).collect())
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
