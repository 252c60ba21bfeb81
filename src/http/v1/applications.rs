//! Applications: what the caller may decide and what he asked for; accept, refuse.

use axum::extract::State;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::asked::{Asked, InPath, Query};
use super::body::Raw;
use super::groups::view;
use super::members::message;
use super::openapi::{refuses, shapes};
use super::reply::{Answer, cut, of_engine, ok, page};
use crate::http::App;
use crate::model::event::ApplicationFrame;
use crate::model::{Application, ApplicationId, Caller, Error, GroupId, Operation, Reason};
use crate::rules::decide::may_decide;
use crate::rules::matrix::{Action, Standing};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Decision {
    message: Option<String>,
}

/// Open applications.
///
/// What the caller may decide, as an invited person or as owner or admin of a group, and what he asked for himself. With
/// `groupID` all of that group, for its owner and admins.
#[utoipa::path(
    get, path = "/applications", tag = "Applications",
    params(
        ("groupID" = Option<String>, Query), ("limit" = Option<i64>, Query), ("next" = Option<String>, Query)
    ),
    responses((status = 200, description = "A page of applications.", body = shapes::ApplicationPage,
        example = json!({ "applicationList": [{
            "applicationID": "019ab0c4-7a1e-7c6b-9d2e-5f0a1b2c3d4e", "type": "invitation",
            "groupID": "team", "fromUser": "alice", "toUser": "erin", "message": "",
            "addTime": "2026-01-01T12:00:00.000Z", "expireTime": "2026-01-08T12:00:00.000Z",
            "canDecide": true
        }] }))),
    extensions(("x-refuses" = json!(refuses![
        InvalidGroupId, GroupNotFound, NotAllowedForType, AdministratorsOnly, NotAMember,
        RoleTooLow,
    ])))
)]
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
    let standing = Standing::of(caller, view.role);
    rules.permit(Action::Decide, standing)?;
    let found = app.store.applications_of(&group, after, limit).await?;
    let decides = |one: &Application| {
        may_decide(&rules, one.kind, one.subject == caller.user, standing).is_ok()
    };
    Ok(found.into_iter().map(|one| (decides(&one), one)).map(|(may, one)| (one, may)).collect())
}

/// Accept an application.
///
/// Everything is checked again at this moment: the inviter's permission, room, limit, ban. An accept that fails
/// leaves the application open. When the admins accept an invitation of somebody who wants to be asked, he is
/// asked next, and the answer is `pending`.
#[utoipa::path(
    post, path = "/applications/{applicationID}/accept", tag = "Applications",
    request_body(content = Decision, example = json!({ "message": "Glad to" })),
    responses((status = 200, description = "Accepted.", body = shapes::Joining,
        example = json!({ "status": "joined" }))),
    extensions(("x-refuses" = json!(refuses![
        ApplicationNotFound, AlreadyHandled, GroupNotFound, NotAMember, RoleTooLow,
        NotAllowedForType, InviteDisabled, DeclinedByUser, Banned, GroupFull, GroupLimitReached,
        UnknownAccount, AccountDeleted, AdministratorsOnly,
    ])))
)]
pub async fn accept_application(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    decide(&app, asked, &id, query, &body, true).await
}

/// Refuse an application.
///
/// It ends, and those concerned are told.
#[utoipa::path(
    post, path = "/applications/{applicationID}/refuse", tag = "Applications",
    request_body(content = Decision, example = json!({ "message": "Not now" })),
    responses((status = 200, description = "Refused.")),
    extensions(("x-refuses" = json!(refuses![
        ApplicationNotFound, AlreadyHandled, GroupNotFound, NotAMember, RoleTooLow,
        NotAllowedForType, AdministratorsOnly,
    ])))
)]
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
