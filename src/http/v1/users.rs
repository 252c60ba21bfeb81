//! Users: the account, and the groups that it is in.

use axum::extract::State;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::asked::{Asked, InPath, Query};
use super::body::{Raw, word};
use super::openapi::{refuses, shapes};
use super::reply::{Answer, cut, of_engine, ok, time};
use crate::http::App;
use crate::model::command::UserEdit;
use crate::model::limits::Accounts;
use crate::model::{Error, GroupId, GroupType, InviteConsent, Operation, Reason, text};
use crate::store::users::Account;

#[derive(Deserialize, ToSchema)]
#[schema(as = EditUser)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[expect(clippy::option_option, reason = "absent, null and a number are three things")]
struct Put {
    nick_name: Option<String>,
    face_url: Option<String>,
    invite_consent: Option<String>,
    #[schema(value_type = Option<i64>)]
    #[serde(default, deserialize_with = "present")]
    group_limit: Option<Option<i64>>,
}

/// Tells `null` (follow the setting again) from an absent field (unchanged).
#[expect(clippy::option_option, reason = "absent, null and a number are three things")]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<i64>>, D::Error> {
    Option::<i64>::deserialize(deserializer).map(Some)
}

impl Put {
    fn into_edit(self) -> Result<UserEdit, Error> {
        if let Some(nick_name) = &self.nick_name {
            text::check_line("nickName", nick_name, text::NICK_NAME_BYTES)?;
        }
        if let Some(face_url) = &self.face_url {
            text::check_line("faceUrl", face_url, text::FACE_URL_BYTES)?;
        }
        let consent = self.invite_consent.as_deref();
        let group_limit = match self.group_limit {
            Some(Some(limit)) => match i32::try_from(limit) {
                Ok(limit) if limit >= 0 => Some(Some(limit)),
                _ => {
                    let rule = format!("must be from 0 to {}, or null", i32::MAX);
                    return Err(Error::parameter("groupLimit", rule).limit(i32::MAX));
                }
            },
            Some(None) => Some(None),
            None => None,
        };
        Ok(UserEdit {
            nick_name: self.nick_name,
            face_url: self.face_url,
            invite_consent: consent
                .map(|text| word("inviteConsent", text, InviteConsent::ALL, InviteConsent::wire))
                .transpose()?,
            group_limit,
        })
    }
}

/// Read a user.
///
/// Everybody sees name and face, the user himself and app administrators the rest.
#[utoipa::path(
    get, path = "/users/{userID}", tag = "Users",
    responses((status = 200, description = "The user.", body = shapes::User,
        example = json!({
            "userID": "bob", "nickName": "Bob", "faceUrl": "", "inviteConsent": "ask",
            "groupLimit": null, "effectiveGroupLimit": 1000, "groupCount": 1,
            "createTime": "2026-01-01T12:00:01.000Z"
        }))),
    extensions(("x-refuses" = json!(refuses![UserNotFound])))
)]
pub async fn get_user(State(app): State<App>, asked: Asked, id: InPath, query: Query) -> Answer {
    query.only(&[], &[])?;
    let user = asked.user(&app, &id.0)?;
    let himself = asked.caller.user == user;
    let account = match app.store.accounts(std::slice::from_ref(&user)).await?.pop() {
        Some(account) => account,
        // Who has a credential is a user, even before anything was written about him.
        None if himself && app.limits.accounts == Accounts::Open => Account::unwritten(user),
        None => return Err(Error::new(Reason::UserNotFound, "there is no such user").into()),
    };
    let mut data = json!({
        "userID": account.id,
        "nickName": account.nick_name,
        "faceUrl": account.face_url,
    });
    if himself || asked.caller.administrator {
        let setting = &app.limits.groups_per_user;
        data["inviteConsent"] = json!(account.invite_consent.wire());
        data["groupLimit"] = json!(account.group_limit);
        data["effectiveGroupLimit"] = json!(account.group_limit.unwrap_or(setting.value));
        data["groupCount"] = json!(account.group_count);
        data["createTime"] = json!(account.created_at.map(time));
    }
    Ok(ok(data))
}

/// Change a user.
///
/// What is absent stays. A user changes himself, an app administrator anybody and `groupLimit`; whoever has no
/// account gets one.
#[utoipa::path(
    put, path = "/users/{userID}", tag = "Users",
    request_body(content = Put, example = json!({ "nickName": "Bob", "inviteConsent": "ask" })),
    responses((status = 200, description = "Changed.")),
    extensions(("x-refuses" = json!(refuses![AdministratorsOnly, UnknownAccount, AccountDeleted])))
)]
pub async fn put_user(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    query.only(&[], &[])?;
    let user = asked.user(&app, &id.0)?;
    let edit = Box::new(body.read::<Put>()?.into_edit()?);
    let operation = Operation::PutUser { user, edit };
    of_engine(app.engine.submit(asked.command(operation, &body.0)).await?)
}

/// Delete an account.
///
/// For app administrators. Its credentials are worth nothing from now on and its sockets close; then its memberships and
/// open applications end, group by group, by themselves. A group that it owned stays, without an owner. The id is
/// free again when this is finished.
#[utoipa::path(
    delete, path = "/users/{userID}", tag = "Users",
    responses((status = 200, description = "It is being deleted.", body = shapes::Deleting,
        example = json!({ "status": "deleting" }))),
    extensions(("x-refuses" = json!(refuses![AdministratorsOnly, UnknownAccount])))
)]
pub async fn delete_user(State(app): State<App>, asked: Asked, id: InPath, query: Query) -> Answer {
    query.only(&[], &[])?;
    let user = asked.user(&app, &id.0)?;
    app.engine.submit(asked.command(Operation::DeleteUser { user }, &[])).await?;
    Ok(ok(json!({ "status": "deleting" })))
}

/// Revoke a user's credentials.
///
/// For app administrators. All that were made until now are refused from now on, and the sockets that were opened with
/// one close; who has a newer one may come again.
#[utoipa::path(
    delete, path = "/users/{userID}/credentials", tag = "Users",
    responses((status = 200, description = "Revoked.")),
    extensions(("x-refuses" = json!(refuses![AdministratorsOnly, UnknownAccount])))
)]
pub async fn revoke_credentials(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
) -> Answer {
    query.only(&[], &[])?;
    let user = asked.user(&app, &id.0)?;
    let operation = Operation::RevokeCredentials { user };
    of_engine(app.engine.submit(asked.command(operation, &[])).await?)
}

/// List the groups of a user.
///
/// For himself and app administrators, of all types. SDK: `getJoinedGroupList`.
#[utoipa::path(
    get, path = "/users/{userID}/groups", tag = "Users",
    params(("limit" = Option<i64>, Query), ("next" = Option<String>, Query)),
    responses((status = 200, description = "A page of groups.", body = shapes::JoinedGroupPage,
        example = json!({ "groupList": [{
            "groupID": "team", "groupType": "Work", "groupName": "The team", "role": "Member",
            "seq": 2
        }], "total": 1 }))),
    extensions(("x-refuses" = json!(refuses![AdministratorsOnly, InvalidGroupId])))
)]
pub async fn list_groups(State(app): State<App>, asked: Asked, id: InPath, query: Query) -> Answer {
    let query = query.only(&["limit", "next"], &[])?;
    let user = asked.user(&app, &id.0)?;
    if user != asked.caller.user && !asked.caller.administrator {
        let text = "only the user himself and app administrators may read his groups";
        return Err(Error::administrators_only(text).into());
    }
    let limit = query.limit()?;
    let after = query.get("next").map(|text| GroupId::parse(text, "next")).transpose()?;
    let (total, mut groups) =
        app.store.groups_of(&user, GroupType::ALL, after.as_ref(), 0, limit + 1).await?;
    let next = cut(&mut groups, limit).map(|(view, _)| view.group.id.to_string());
    let lines = groups.iter().map(|(view, member)| Line {
        id: &view.group.id,
        group_type: view.group.type_word(),
        group_name: &view.profile.name,
        role: member.role.word(),
        seq: view.group.seq,
    });
    Ok(ok(Page { group_list: lines.collect(), next, total }))
}

/// A page of groups.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    group_list: Vec<Line<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    total: i64,
}

/// A group in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(rename = "groupID")]
    id: &'a GroupId,
    group_type: &'a str,
    group_name: &'a str,
    role: &'static str,
    seq: i64,
}
