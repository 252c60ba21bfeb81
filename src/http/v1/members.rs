//! Members: list, join, quit, kick.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::asked::{Asked, InPath, Query};
use super::body::{Raw, user_list, word};
use super::groups::{standing, view};
use super::openapi::{refuses, shapes};
use super::reply::{Answer, cut, of_engine, ok, page, time};
use crate::http::App;
use crate::model::{Error, Operation, Reason, Role, UserId, text};
use crate::rules::matrix::{Action, permit};
use crate::store::members::{MemberFilter, MemberView};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Join {
    message: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize, ToSchema)]
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

/// Join a group.
///
/// As the group's `joinOption` says: at once, or as an application to owner and admins. Whoever is invited and has
/// not answered yet enters with this, too. SDK: `joinGroup`.
#[utoipa::path(
    post, path = "/groups/{groupID}/join", tag = "Members",
    params(("groupID" = String, Path, example = "club")),
    request_body(content = Join, example = json!({ "message": "Bob from next door" })),
    responses((status = 200, description = "A member now, or waiting.", body = shapes::Joining,
        example = json!({ "status": "pending" }))),
    extensions(("x-refuses" = json!(refuses![
        NotAllowedForType, ApplyDisabled, Banned, NotAMember, RoleTooLow, InviteDisabled,
        UnknownAccount, AccountDeleted, AlreadyMember, GroupFull, GroupLimitReached, TooManyPending,
    ])))
)]
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

/// Leave a group.
///
/// The owner leaves only a Work group, which is then without. SDK: `quitGroup`.
#[utoipa::path(
    post, path = "/groups/{groupID}/quit", tag = "Members",
    request_body(content = Nothing, example = json!({})),
    responses((status = 200, description = "Left.")),
    extensions(("x-refuses" = json!(refuses![NotAMember, OwnerMayNotQuit])))
)]
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

/// Remove people from a group.
///
/// Owner and admins, who remove only those below them; in a Work group the owner. With `banSeconds` the removed may
/// not come back for so long. Results as of an invitation: `0` failed (`is_owner`, `role_too_low`), `1` removed,
/// `2` not a member. SDK: `kickGroupMember`.
#[utoipa::path(
    post, path = "/groups/{groupID}/kick", tag = "Members",
    request_body(content = Kick, example = json!({
        "userList": ["dave"], "reason": "Changed teams", "banSeconds": 3600
    })),
    responses((status = 200, description = "What became of each.", body = Vec<shapes::MemberResult>,
        example = json!([{ "memberID": "dave", "result": 1 }]))),
    extensions(("x-refuses" = json!(refuses![
        MissingField, InvalidUserId, TooManyInCall, NotAMember, RoleTooLow, NotAllowedForType,
    ])))
)]
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

/// List members.
///
/// Sorted by id; all, those of one role, or given ones. For members and app administrators. SDK:
/// `getGroupMemberList`, `getGroupMembersInfo`.
#[utoipa::path(
    get, path = "/groups/{groupID}/members", tag = "Members",
    params(
        ("role" = Option<String>, Query), ("userID" = Option<Vec<String>>, Query),
        ("limit" = Option<i64>, Query), ("next" = Option<String>, Query)
    ),
    responses((status = 200, description = "A page of members.", body = shapes::MemberPage,
        example = json!({ "memberList": [
            { "userID": "alice", "role": "Owner", "joinTime": "2026-01-01T12:00:00.000Z" },
            { "userID": "bob", "role": "Member", "joinTime": "2026-01-01T12:00:01.000Z" },
            { "userID": "dave", "role": "Member", "joinTime": "2026-01-01T12:00:00.000Z" }
        ], "seq": 2 }))),
    extensions(("x-refuses" = json!(refuses![InvalidUserId, NotAMember])))
)]
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
