//! Bans: who is kept out of a group. Owner and admins read and change them.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::asked::{Asked, InPath, MemberPath, Query};
use super::body::Raw;
use super::groups::view;
use super::members::{message, seconds};
use super::openapi::{refuses, shapes};
use super::reply::{Answer, cut, ok, page, time};
use crate::http::App;
use crate::model::{
    Caller, Error, GroupId, MemberOutcome, MemberReason, Operation, Reason, Reply, UserId,
};
use crate::rules::matrix::{Action, Standing};
use crate::store::bans::BanView;

#[derive(Deserialize, ToSchema)]
#[schema(as = Ban)]
#[serde(deny_unknown_fields)]
struct Put {
    seconds: Option<i64>,
    reason: Option<String>,
}

async fn permit(app: &App, group: &GroupId, caller: &Caller) -> Result<(), Error> {
    let view = view(app, group, &caller.user).await?;
    app.types.of(&view.group).permit(Action::Ban, Standing::of(caller, view.role))
}

fn shown(ban: &BanView) -> Value {
    json!({
        "userID": ban.user,
        "banUntil": ban.ban.until.map(time),
        "reason": ban.ban.reason,
        "opUser": { "userID": ban.by },
        "banTime": time(ban.at),
    })
}

/// List bans.
///
/// Who is kept out, sorted by id. For those who may ban: owner and admins, in a Work group the owner. Bans that have ended
/// are not listed.
#[utoipa::path(
    get, path = "/groups/{groupID}/bans", tag = "Bans",
    params(("limit" = Option<i64>, Query), ("next" = Option<String>, Query)),
    responses((status = 200, description = "A page of bans.", body = shapes::BanPage,
        example = json!({ "banList": [{
            "userID": "bob", "banUntil": "2026-01-01T13:00:05.000Z", "reason": "spam",
            "opUser": { "userID": "alice" }, "banTime": "2026-01-01T12:00:05.000Z"
        }, {
            "userID": "mallory", "banUntil": null, "reason": "",
            "opUser": { "userID": "alice" }, "banTime": "2026-01-01T12:00:04.000Z"
        }] }))),
    extensions(("x-refuses" = json!(refuses![InvalidUserId])))
)]
pub async fn list_bans(State(app): State<App>, asked: Asked, id: InPath, query: Query) -> Answer {
    let query = query.only(&["limit", "next"], &[])?;
    let group = id.group()?;
    let limit = query.limit()?;
    let bytes = app.limits.user_id_bytes;
    let after = query.get("next").map(|text| UserId::parse(text, bytes, "next")).transpose()?;
    permit(&app, &group, &asked.caller).await?;
    let mut bans = app.store.bans(&group, after.as_ref(), 0, limit + 1).await?;
    let next = cut(&mut bans, limit).map(|last| last.user.to_string());
    Ok(ok(page("banList", bans.iter().map(shown).collect(), next)))
}

/// Read a person's ban.
///
/// For those who may ban. A ban that has ended is none.
#[utoipa::path(
    get, path = "/groups/{groupID}/bans/{userID}", tag = "Bans",
    responses((status = 200, description = "The ban.", body = shapes::BanLine,
        example = json!({
            "userID": "bob", "banUntil": "2026-01-01T13:00:05.000Z", "reason": "spam",
            "opUser": { "userID": "alice" }, "banTime": "2026-01-01T12:00:05.000Z"
        }))),
    extensions(("x-refuses" = json!(refuses![BanNotFound])))
)]
pub async fn get_ban(
    State(app): State<App>,
    asked: Asked,
    path: MemberPath,
    query: Query,
) -> Answer {
    query.only(&[], &[])?;
    let (group, user) = path.ids(&app, &asked)?;
    permit(&app, &group, &asked.caller).await?;
    match app.store.ban(&group, &user).await? {
        Some(ban) => Ok(ok(shown(&ban))),
        None => Err(absent(&user).into()),
    }
}

/// Keep somebody out.
///
/// Owner and admins, who ban members below them only; in a Work group the owner. A member is removed with it; a stranger
/// can be kept out, too, and his open application ends. Until the ban ends, nobody brings the person in and he cannot
/// enter or apply, not even through an app administrator. A ban that there is already is replaced.
#[utoipa::path(
    put, path = "/groups/{groupID}/bans/{userID}", tag = "Bans",
    request_body(content = Put, example = json!({ "seconds": 3600, "reason": "spam" })),
    responses((status = 200, description = "Banned.")),
    extensions(("x-refuses" = json!(refuses![IsOwner])))
)]
pub async fn put_ban(
    State(app): State<App>,
    asked: Asked,
    path: MemberPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    let (group, user) = path.ids(&app, &asked)?;
    let put: Put = body.read()?;
    let operation = Operation::Ban {
        group,
        users: vec![user],
        seconds: put.seconds.map(|it| seconds("seconds", it, 1)).transpose()?,
        reason: message("reason", put.reason)?,
    };
    of_one(&asked.perform(&app, operation, &body.0, dry_run).await?)
}

/// Lift a ban.
///
/// For those who may ban. Whoever was removed with it does not come back by himself.
#[utoipa::path(
    delete, path = "/groups/{groupID}/bans/{userID}", tag = "Bans",
    responses((status = 200, description = "Lifted.")),
    extensions(("x-refuses" = json!(refuses![BanNotFound])))
)]
pub async fn delete_ban(
    State(app): State<App>,
    asked: Asked,
    path: MemberPath,
    query: Query,
) -> Answer {
    let dry_run = query.dry_run()?;
    let (group, user) = path.ids(&app, &asked)?;
    let operation = Operation::Unban { group, users: vec![user] };
    of_one(&asked.perform(&app, operation, &[], dry_run).await?)
}

/// The answer to a call about one person: his line is the call's. Where that is a refusal the engine has
/// nevertheless decided something, and with an idempotency key would store it: hence without one.
fn of_one(reply: &Reply) -> Answer {
    let Reply::Members(outcomes) = reply else {
        return Err(Error::internal("a reply that does not belong to a ban").into());
    };
    match outcomes.first() {
        Some(MemberOutcome { reason: Some(reason), user, .. }) => {
            Err(refusal(*reason, user).into())
        }
        _ => Ok(ok(Value::Null)),
    }
}

fn refusal(reason: MemberReason, user: &UserId) -> Error {
    match reason {
        MemberReason::IsOwner => {
            Error::new(Reason::IsOwner, format!("{user} is the owner, who cannot be banned"))
        }
        MemberReason::NotBanned => return absent(user),
        _ => {
            let text = format!("{user} has a role that is not below the caller's");
            Error::new(Reason::RoleTooLow, text).source("the roles of the two")
        }
    }
    .field("userID")
}

fn absent(user: &UserId) -> Error {
    Error::new(Reason::BanNotFound, format!("{user} is not banned")).field("userID")
}
