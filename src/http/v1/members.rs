//! Members: list, join, quit, kick, change, transfer.

use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::asked::{Asked, InPath, MemberPath, Query};
use super::body::{Raw, user_list, word};
use super::groups::{standing, view};
use super::reply::{Answer, cut, of_engine, ok, page, time};
use crate::http::App;
use crate::model::command::MemberEdit;
use crate::model::{Error, FieldChanges, Operation, Reason, Role, UserId, fields, text};
use crate::rules::matrix::Action;
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
    let dry_run = query.dry_run()?;
    let message = message("message", body.read::<Join>()?.message)?;
    let operation = Operation::Join { group: id.group()?, message };
    of_engine(asked.perform(&app, operation, &body.0, dry_run).await?)
}

/// `POST /v1/groups/{groupID}/quit`
pub async fn quit_group(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    body.read::<Nothing>()?;
    let operation = Operation::Quit { group: id.group()? };
    of_engine(asked.perform(&app, operation, &body.0, dry_run).await?)
}

/// `POST /v1/groups/{groupID}/kick`
pub async fn kick_members(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    let kick: Kick = body.read()?;
    let ban_seconds = kick.ban_seconds.map(|it| seconds("banSeconds", it, 1)).transpose()?;
    let operation = Operation::Kick {
        group: id.group()?,
        users: user_list(&app, "userList", &kick.user_list)?,
        reason: message("reason", kick.reason)?,
        ban_seconds,
        silent: false,
    };
    of_engine(asked.perform(&app, operation, &body.0, dry_run).await?)
}

/// A span of time in whole seconds, at least so many.
pub(super) fn seconds(field: &str, seconds: i64, least: u32) -> Result<u32, Error> {
    match u32::try_from(seconds) {
        Ok(seconds) if seconds >= least => Ok(seconds),
        _ => Err(Error::parameter(field, format!("must be from {least} to {}", u32::MAX))
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
    let query = query.only(&["role", "muted", "limit", "next"], &["userID"])?;
    let group = id.group()?;
    let limit = query.limit()?;
    let mut filter = MemberFilter { limit: limit + 1, ..MemberFilter::default() };
    if let Some(text) = query.get("role") {
        filter.role = Some(word("role", text, Role::ALL, Role::word)?);
    }
    filter.muted = query.flag("muted")?;
    if let Some(text) = query.get("next") {
        filter.after = Some(UserId::parse(text, app.limits.user_id_bytes, "next")?);
    }
    let given: Vec<String> = query.all("userID").map(ToOwned::to_owned).collect();
    if !given.is_empty() {
        filter.given = Some(user_list(&app, "userID", &given)?);
    }
    let view = view(&app, &group, &asked.caller.user).await?;
    let rules = app.types.of(&view.group);
    rules.permit(Action::ReadMembers, standing(&asked.caller, &view))?;
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
    if !member.custom_fields.is_empty() {
        line["customFields"] = json!(member.custom_fields);
    }
    line
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Edit {
    role: Option<String>,
    name_card: Option<String>,
    mute_seconds: Option<i64>,
    custom_fields: Option<FieldChanges>,
}

impl Edit {
    fn into_edit(self) -> Result<MemberEdit, Error> {
        if let Some(name_card) = &self.name_card {
            text::check_line("nameCard", name_card, text::NAME_CARD_BYTES)?;
        }
        let custom_fields = self.custom_fields.unwrap_or_default();
        fields::OF_MEMBER.check("customFields", &custom_fields)?;
        let role = self.role.as_deref();
        Ok(MemberEdit {
            role: role.map(|text| word("role", text, Role::ALL, Role::word)).transpose()?,
            name_card: self.name_card,
            mute_seconds: self.mute_seconds.map(|it| seconds("muteSeconds", it, 0)).transpose()?,
            custom_fields,
        })
    }
}

/// `PATCH /v1/groups/{groupID}/members/{userID}`
pub async fn edit_member(
    State(app): State<App>,
    asked: Asked,
    path: MemberPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    let (group, user) = path.ids(&app, &asked)?;
    let edit = Box::new(body.read::<Edit>()?.into_edit()?);
    let operation = Operation::EditMember { group, user, edit };
    of_engine(asked.perform(&app, operation, &body.0, dry_run).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewOwner {
    #[serde(rename = "userID")]
    user: String,
}

/// `PUT /v1/groups/{groupID}/owner`
pub async fn transfer_group(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    let to = body.read::<NewOwner>()?.user;
    let to = UserId::parse(&to, app.limits.user_id_bytes, "userID")?;
    let operation = Operation::Transfer { group: id.group()?, to };
    of_engine(asked.perform(&app, operation, &body.0, dry_run).await?)
}
