//! `inviteUserToGroup`.

use axum::extract::State;
use serde::Deserialize;

use super::asked::{Asked, InPath, Query};
use super::body::{Raw, user_list};
use super::reply::{Answer, of_engine};
use crate::http::App;
use crate::model::Operation;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Invite {
    user_list: Vec<String>,
}

/// `POST /v1/groups/{groupID}/invite`
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
