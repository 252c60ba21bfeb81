//! `inviteUserToGroup`.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::asked::{Asked, InPath, Query};
use super::body::{Raw, user_list};
use super::openapi::{refuses, shapes};
use super::reply::{Answer, of_engine};
use crate::http::App;
use crate::model::Operation;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Invite {
    user_list: Vec<String>,
}

/// Invite people into a group.
///
/// Each person gets a result, in the order of the call:
///
/// - `1`: is a member now
/// - `2`: nothing to do, `already_member`
/// - `3`: somebody has to agree first: `awaiting_approval` (owner and admins) or `awaiting_invitee`
/// - `4`: is in as many groups as possible, `group_limit_reached`
/// - `0`: failed: `banned`, `unknown_user`, `account_deleted`, `declined_by_user`, `too_many_pending`
///
/// A refusal of the whole call changes nothing. App administrators skip approval and consent, never a ban or a
/// limit. SDK: `inviteUserToGroup`.
#[utoipa::path(
    post, path = "/groups/{groupID}/invite", tag = "Members",
    request_body(content = Invite, example = json!({
        "userList": ["bob", "dave", "carol", "erin", "frank"]
    })),
    responses((status = 200, description = "What became of each.", body = Vec<shapes::MemberResult>,
        example = json!([
            { "memberID": "bob", "result": 1 },
            { "memberID": "dave", "result": 2, "reason": "already_member" },
            { "memberID": "carol", "result": 4, "reason": "group_limit_reached", "limit": 1,
              "current": 1, "source": "groupLimit of the user" },
            { "memberID": "erin", "result": 3, "reason": "awaiting_invitee" },
            { "memberID": "frank", "result": 0, "reason": "declined_by_user" }
        ]))),
    extensions(("x-refuses" = json!(refuses![
        MissingField, InvalidUserId, TooManyInCall, InviteDisabled, UnknownAccount, GroupFull,
    ])))
)]
pub async fn invite_user_to_group(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    let invite: Invite = body.read()?;
    let users = user_list(&app, "userList", &invite.user_list)?;
    let operation = Operation::Invite { group: id.group()?, users, silent: false };
    let reply = asked.perform(&app, operation, &body.0, dry_run).await?;
    of_engine(reply)
}
