//! Members: list, join, quit, kick, change, transfer.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::{Asked, InPath, MemberPath, PAGE_MOST, Query};
use super::body::{Pairs, Raw, user_list, word};
use super::groups::absent;
use super::openapi::{refuses, shapes};
use super::reply::{Answer, cut, of_engine, ok, time};
use crate::http::App;
use crate::model::command::MemberEdit;
use crate::model::{CustomFields, Error, Operation, Reason, Role, UserId, fields, text};
use crate::rules::matrix::{Action, Standing};
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
        ApplyDisabled, Banned, InviteDisabled, UnknownAccount, AccountDeleted, AlreadyMember,
        GroupFull, GroupLimitReached, TooManyPending,
    ])))
)]
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

/// Leave a group.
///
/// The owner leaves only a Work group, which is then without. SDK: `quitGroup`.
#[utoipa::path(
    post, path = "/groups/{groupID}/quit", tag = "Members",
    request_body(content = Nothing, example = json!({})),
    responses((status = 200, description = "Left.")),
    extensions(("x-refuses" = json!(refuses![OwnerMayNotQuit])))
)]
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
    extensions(("x-refuses" = json!(refuses![MissingField, InvalidUserId, TooManyInCall])))
)]
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

/// List members.
///
/// Sorted by id; all, those of one role, the muted, or given ones. For members and app administrators. SDK:
/// `getGroupMemberList`, `getGroupMembersInfo`.
#[utoipa::path(
    get, path = "/groups/{groupID}/members", tag = "Members",
    params(
        ("role" = Option<String>, Query), ("muted" = Option<bool>, Query),
        ("userID" = Option<Vec<String>>, Query),
        ("limit" = Option<i64>, Query), ("next" = Option<String>, Query)
    ),
    responses((status = 200, description = "A page of members.", body = shapes::MemberPage,
        example = json!({ "memberList": [
            { "userID": "alice", "role": "Owner", "joinTime": "2026-01-01T12:00:00.000Z" },
            { "userID": "bob", "role": "Member", "joinTime": "2026-01-01T12:00:01.000Z" },
            { "userID": "dave", "role": "Member", "joinTime": "2026-01-01T12:00:00.000Z" }
        ], "seq": 2 }))),
    extensions(("x-refuses" = json!(refuses![InvalidUserId, TooManyInCall])))
)]
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
        filter.roles = vec![word("role", text, Role::ALL, Role::word)?];
    }
    filter.muted = query.flag("muted")?;
    if let Some(text) = query.get("next") {
        filter.after = Some(UserId::parse(text, app.limits.user_id_bytes, "next")?);
    }
    let given: Vec<String> = query.all("userID").map(ToOwned::to_owned).collect();
    if i64::try_from(given.len()).is_ok_and(|named| named > PAGE_MOST) {
        let text = format!("userID stands {} times, at most {PAGE_MOST} are possible", given.len());
        let refusal = Error::new(Reason::TooManyInCall, text).field("userID");
        return Err(refusal.limit(PAGE_MOST).current(given.len()).into());
    }
    if !given.is_empty() {
        filter.given = Some(user_list(&app, "userID", &given)?);
    }
    // The page brings along what decides whether the caller may see it.
    let page = app.store.members(&group, &asked.caller.user, &filter).await?.ok_or_else(absent)?;
    let rules = app.types.get(page.group_type, page.own_type.as_deref());
    rules.permit(Action::ReadMembers, Standing::of(&asked.caller, page.role))?;
    let (mut members, seq) = (page.members, page.seq);
    let next = cut(&mut members, limit).map(|last| last.user.to_string());
    Ok(ok(Page { member_list: members.iter().map(Line::of).collect(), next, seq }))
}

/// A page of members.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Page<'a> {
    member_list: Vec<Line<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    seq: i64,
}

/// A member in a list.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(rename = "userID")]
    user: &'a UserId,
    role: &'static str,
    join_time: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    name_card: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    mute_until: Option<String>,
    #[serde(skip_serializing_if = "CustomFields::is_empty")]
    custom_fields: &'a CustomFields,
}

impl<'a> Line<'a> {
    fn of(member: &'a MemberView) -> Self {
        Self {
            user: &member.user,
            role: member.role.word(),
            join_time: time(member.joined_at),
            name_card: &member.name_card,
            mute_until: member.mute_until.map(time),
            custom_fields: &member.custom_fields,
        }
    }
}

#[derive(Deserialize, ToSchema)]
#[schema(as = EditMember)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Edit {
    role: Option<String>,
    name_card: Option<String>,
    mute_seconds: Option<i64>,
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    custom_fields: Option<Pairs<Option<String>>>,
}

impl Edit {
    fn into_edit(self) -> Result<MemberEdit, Error> {
        if let Some(name_card) = &self.name_card {
            text::check_line("nameCard", name_card, text::NAME_CARD_BYTES)?;
        }
        let custom_fields = self.custom_fields.map(|Pairs(fields)| fields).unwrap_or_default();
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

/// Change a member.
///
/// His role, name card, mute and fields of the app's own: all or nothing. The owner appoints admins; everybody
/// changes his own name card and fields, owner and admins those of people below them. `muteSeconds` 0 lifts a mute,
/// 4294967295 never ends. SDK: `setGroupMemberRole`, `setGroupMemberInfo`, `muteGroupMember`.
#[utoipa::path(
    patch, path = "/groups/{groupID}/members/{userID}", tag = "Members",
    request_body(content = Edit, example = json!({ "nameCard": "Bob (ops)", "customFields": { "desk": "4a" } })),
    responses((status = 200, description = "Changed.")),
    extensions(("x-refuses" = json!(refuses![IsOwner, MemberNotFound])))
)]
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

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOwner {
    #[serde(rename = "userID")]
    user: String,
}

/// Hand a group over.
///
/// The owner's right, not in an AVChatRoom. The new owner must be a member; the one before stays as an ordinary member. SDK: `transferGroupOwner`.
#[utoipa::path(
    put, path = "/groups/{groupID}/owner", tag = "Groups",
    request_body(content = NewOwner, example = json!({ "userID": "bob" })),
    responses((status = 200, description = "Handed over.")),
    extensions(("x-refuses" = json!(refuses![MissingField, InvalidUserId])))
)]
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
