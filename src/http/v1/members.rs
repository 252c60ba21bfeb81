//! Members: list, join, quit, kick.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asked, InPath, Query};
use super::body::{Raw, user_list, word};
use super::groups::{standing, view};
use super::reply::{Answer, cut, of_engine, ok, page, time};
use crate::http::App;
use crate::model::{Error, Operation, Reason, Role, UserId, text};
use crate::rules::matrix::{Action, permit};
use crate::store::members::{MemberFilter, MemberView};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Kick {
    user_list: Vec<String>,
    reason: Option<String>,
    ban_seconds: Option<i64>,
}

/// A message of at most the bound, absent is empty.
pub(super) fn message(field: &str, text: Option<String>) -> Result<String, Error> {
    let text = text.unwrap_or_default();
    text::check_lines(field, &text, text::MESSAGE_BYTES)?;
    Ok(text)
}

/// `POST /v1/groups/{groupID}/join`
pub async fn join_group(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    query.only(&[], &[])?;
    let message = message("message", body.read::<Join>()?.message)?;
    let operation = Operation::Join { group: id.group()?, message };
    of_engine(app.engine.submit(asked.command(operation, &body.0)).await?)
}

/// `POST /v1/groups/{groupID}/quit`
pub async fn quit_group(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    query.only(&[], &[])?;
    body.read::<Nothing>()?;
    let operation = Operation::Quit { group: id.group()? };
    of_engine(app.engine.submit(asked.command(operation, &body.0)).await?)
}

/// `POST /v1/groups/{groupID}/kick`
pub async fn kick_members(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    query.only(&[], &[])?;
    let kick: Kick = body.read()?;
    let ban_seconds = kick.ban_seconds.map(ban_seconds).transpose()?;
    let operation = Operation::Kick {
        group: id.group()?,
        users: user_list(&app, "userList", &kick.user_list)?,
        reason: message("reason", kick.reason)?,
        ban_seconds,
        silent: false,
    };
    of_engine(app.engine.submit(asked.command(operation, &body.0)).await?)
}

fn ban_seconds(seconds: i64) -> Result<u32, Error> {
    match u32::try_from(seconds) {
        Ok(seconds) if seconds > 0 => Ok(seconds),
        _ => Err(Error::parameter("banSeconds", format!("must be from 1 to {}", u32::MAX))
            .limit(u32::MAX)
            .current(seconds)),
    }
}

/// `GET /v1/groups/{groupID}/members`
pub async fn list_members(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
) -> Answer {
    let query = query.only(&["role", "limit", "next"], &["userID"])?;
    let group = id.group()?;
    let limit = query.limit()?;
    let mut filter = MemberFilter { limit: limit + 1, ..MemberFilter::default() };
    if let Some(text) = query.get("role") {
        filter.role = Some(word("role", text, Role::ALL, Role::word)?);
    }
    if let Some(text) = query.get("next") {
        filter.after = Some(UserId::parse(text, app.limits.user_id_bytes, "next")?);
    }
    let given: Vec<String> = query.all("userID").map(ToOwned::to_owned).collect();
    if !given.is_empty() {
        filter.given = Some(user_list(&app, "userID", &given)?);
    }
    let view = view(&app, &group, &asked.caller.user).await?;
    permit(view.group.group_type, Action::ReadMembers, standing(&asked.caller, &view))?;
    let Some((seq, mut members)) = app.store.members(&group, &filter).await? else {
        return Err(Error::new(Reason::GroupNotFound, "there is no such group").into());
    };
    let next = cut(&mut members, limit).map(|last| last.user.to_string());
    let mut data = page("memberList", members.iter().map(member).collect(), next);
    data["seq"] = json!(seq);
    Ok(ok(data))
}

fn member(member: &MemberView) -> Value {
    let mut line = json!({
        "userID": member.user,
        "role": member.role.word(),
        "joinTime": time(member.joined_at),
    });
    if !member.name_card.is_empty() {
        line["nameCard"] = json!(member.name_card);
    }
    if let Some(until) = member.mute_until {
        line["muteUntil"] = json!(time(until));
    }
    line
}
