//! What somebody may do in a group, and why not.

use axum::extract::State;
use serde_json::{Map, Value, json};

use super::asked::{Asked, InPath, Query};
use super::groups::view;
use super::openapi::{refuses, shapes};
use super::reply::{Answer, ok};
use crate::http::App;
use crate::model::{Error, Reason, UserId};
use crate::rules::matrix::{Action, Standing};
use crate::rules::permissions::{Agreement, Permission, explain, read_of_others};

/// What somebody may do, and why not.
///
/// One's own permissions, or as owner, admin or app administrator those of somebody else (`userID`). The answers are
/// those of the rules that decide the calls themselves. Where somebody acts on somebody else, he also has to stand above
/// him. The example shows two of them.
#[utoipa::path(
    get, path = "/groups/{groupID}/permissions", tag = "Groups",
    params(("userID" = Option<String>, Query)),
    responses((status = 200, description = "The permissions.", body = shapes::Permissions,
        example = json!({
            "groupID": "team", "groupType": "Work", "userID": "alice", "role": "Owner",
            "administrator": false,
            "permissions": {
                "invite": { "allowed": true, "who": "members" },
                "mute": {
                    "allowed": false, "who": "nobody", "reason": "not_allowed_for_type",
                    "desc": "a group of type Work does not support this",
                    "source": "mute in groups of type Work"
                }
            }
        }))),
    extensions(("x-refuses" = json!(refuses![InvalidUserId])))
)]
pub async fn get_permissions(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
) -> Answer {
    let query = query.only(&["userID"], &[])?;
    let group = id.group()?;
    let user = match query.get("userID") {
        Some("me") | None => asked.caller.user.clone(),
        Some(text) => UserId::parse(text, app.limits.user_id_bytes, "userID")?,
    };
    let found = view(&app, &group, &asked.caller.user).await?;
    let rules = app.types.of(&found.group);
    let own = user == asked.caller.user;
    let reader = Standing::of(&asked.caller, found.role);
    if !own {
        read_of_others(reader)?;
    } else if !rules.traits.visible_to_strangers {
        rules.permit(Action::ReadProfile, reader)?;
    }
    let role = if own { found.role } else { view(&app, &group, &user).await?.role };
    let administrator = if own { asked.caller.administrator } else { app.auth.is_admin(&user) };
    let ban = app.store.ban(&group, &user).await?.map(|found| found.ban);
    let standing = Standing { administrator, role };
    let list = explain(&rules, &found.group, standing, ban.as_ref());
    Ok(ok(json!({
        "groupID": found.group.id,
        "groupType": rules.name,
        "userID": user,
        "role": role.map(crate::model::Role::word),
        "administrator": administrator,
        "permissions": list.iter().map(shown).collect::<Map<String, Value>>(),
    })))
}

fn shown(permission: &Permission) -> (String, Value) {
    let who = permission.who.word();
    let value = match &permission.verdict {
        Ok(Agreement::Free) => json!({ "allowed": true, "who": who }),
        Ok(Agreement::OfManagers) => json!({ "allowed": true, "who": who, "needs": "approval" }),
        Err(refusal) => refused(refusal, who),
    };
    (permission.action.word().to_owned(), value)
}

fn refused(refusal: &Error, who: &str) -> Value {
    let reason: Reason = refusal.reason;
    let mut value = json!({
        "allowed": false, "who": who, "reason": reason.word(), "desc": refusal.text
    });
    if let Some(source) = &refusal.source {
        value["source"] = json!(source);
    }
    value
}
