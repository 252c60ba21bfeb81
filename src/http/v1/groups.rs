//! Groups: make, read, edit, dismiss.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::asked::{Asked, InPath, Query};
use super::body::{Object, Pairs, Raw, word};
use super::openapi::{refuses, shapes};
use super::reply::{Answer, of_engine, ok, time};
use crate::http::App;
use crate::http::ids::new_group_id;
use crate::model::command::{CreateGroup, GroupEdit};
use crate::model::{
    Caller, CustomFields, Error, FieldChanges, GroupId, GroupType, InviteOption, JoinOption,
    NewMember, Operation, Reason, Role, UserId, fields, text,
};
use crate::rules::matrix::{Action, Standing};
use crate::store::groups::GroupView;

#[derive(Deserialize, ToSchema)]
#[schema(as = CreateGroup)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Create {
    #[serde(rename = "groupID")]
    group_id: Option<String>,
    group_type: String,
    group_name: String,
    owner: Option<String>,
    introduction: Option<String>,
    notification: Option<String>,
    face_url: Option<String>,
    join_option: Option<String>,
    invite_option: Option<String>,
    max_member_count: Option<i64>,
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    custom_fields: Option<Pairs<Option<String>>>,
    #[schema(value_type = Option<Vec<FirstMember>>)]
    member_list: Option<Vec<Object<FirstMember>>>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FirstMember {
    #[serde(rename = "userID")]
    user: String,
    role: Option<String>,
    #[serde(rename = "customFields")]
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    custom_fields: Option<Pairs<Option<String>>>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = EditGroup)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Edit {
    group_name: Option<String>,
    introduction: Option<String>,
    notification: Option<String>,
    face_url: Option<String>,
    join_option: Option<String>,
    invite_option: Option<String>,
    max_member_count: Option<i64>,
    mute_all: Option<bool>,
    #[schema(value_type = Option<BTreeMap<String, Option<String>>>)]
    custom_fields: Option<Pairs<Option<String>>>,
}

/// Make a group.
///
/// The caller owns it, unless an app administrator names an `owner`. Naming the first members is the creator's right
/// in every type but AVChatRoom; limits and consent apply to them as to an invitation. SDK: `createGroup`.
#[utoipa::path(
    post, path = "/groups", tag = "Groups",
    request_body(content = Create, example = json!({
        "groupID": "team", "groupType": "Work", "groupName": "The team",
        "customFields": { "floor": "3" }, "memberList": [{ "userID": "dave" }]
    })),
    responses((status = 201, description = "Made.", body = shapes::CreatedGroup,
        example = json!({ "groupID": "team", "memberList": [{ "memberID": "dave", "result": 1 }] }))),
    extensions(("x-refuses" = json!(refuses![
        MissingField, InvalidGroupId, InvalidUserId, TooManyInCall, MemberCapTooHigh,
        AdministratorsOnly, NotAllowedForType, UnknownAccount, GroupIdTaken, GroupIdTakenByOwner,
        GroupFull, GroupLimitReached,
    ])))
)]
pub async fn create_group(State(app): State<App>, asked: Asked, query: Query, body: Raw) -> Answer {
    let dry_run = query.dry_run()?;
    let create = body.read::<Create>()?.into_command(&app, &asked.caller)?;
    let operation = Operation::CreateGroup(Box::new(create));
    of_engine(asked.perform(&app, operation, &body.0, dry_run).await?)
}

impl Create {
    fn into_command(self, app: &App, caller: &Caller) -> Result<CreateGroup, Error> {
        let rules = app.types.named("groupType", &self.group_type)?;
        let group_type = rules.base;
        let group = match &self.group_id {
            None => new_group_id(group_type),
            Some(text) => {
                let id = GroupId::parse(text, "groupID")?;
                id.check_choice(group_type == GroupType::Community, "groupID")?;
                id
            }
        };
        let owner = match &self.owner {
            None => caller.user.clone(),
            Some(text) => {
                let owner = UserId::parse(text, app.limits.user_id_bytes, "owner")?;
                if !caller.administrator && owner != caller.user {
                    let why = "only an app administrator makes a group for somebody else";
                    return Err(Error::administrators_only(why).field("owner"));
                }
                owner
            }
        };
        let edit = Edit {
            group_name: Some(self.group_name),
            introduction: self.introduction,
            notification: self.notification,
            face_url: self.face_url,
            join_option: self.join_option,
            invite_option: self.invite_option,
            max_member_count: self.max_member_count,
            mute_all: None,
            custom_fields: self.custom_fields,
        }
        .into_edit()?;
        Ok(CreateGroup {
            group,
            group_type,
            own_type: rules.own.then(|| rules.name.clone()),
            name: edit.name.unwrap_or_default(),
            introduction: edit.introduction.unwrap_or_default(),
            notification: edit.notification.unwrap_or_default(),
            face_url: edit.face_url.unwrap_or_default(),
            owner: Some(owner),
            join_option: edit.join_option,
            invite_option: edit.invite_option,
            max_members: edit.max_members,
            custom_fields: set_fields(&edit.custom_fields)?,
            members: first_members(app, self.member_list.unwrap_or_default())?,
            lenient: false,
            imported: None,
        })
    }
}

/// The fields that a new group begins with. An empty one is none.
fn set_fields(changes: &FieldChanges) -> Result<CustomFields, Error> {
    let (set, _) = fields::OF_GROUP.merge("customFields", &CustomFields::new(), changes)?;
    Ok(set)
}

fn first_members(app: &App, list: Vec<Object<FirstMember>>) -> Result<Vec<NewMember>, Error> {
    let mut seen = std::collections::HashSet::with_capacity(list.len());
    let mut members = Vec::with_capacity(list.len());
    for (index, Object(named)) in list.into_iter().enumerate() {
        let field = format!("memberList[{index}].userID");
        let user = UserId::parse(&named.user, app.limits.user_id_bytes, &field)?;
        let role = match named.role.as_deref() {
            None => Role::Member,
            Some(text) => {
                let field = format!("memberList[{index}].role");
                word(&field, text, &[Role::Member, Role::Admin], Role::word)?
            }
        };
        let fields = named.custom_fields.map(|Pairs(fields)| fields).unwrap_or_default();
        let place = format!("memberList[{index}].customFields");
        fields::OF_MEMBER.check(&place, &fields)?;
        let (custom_fields, _) = fields::OF_MEMBER.merge(&place, &CustomFields::new(), &fields)?;
        if seen.insert(user.clone()) {
            members.push(NewMember { custom_fields, ..NewMember::with_role(user, role) });
        }
    }
    Ok(members)
}

impl Edit {
    fn into_edit(self) -> Result<GroupEdit, Error> {
        if let Some(name) = &self.group_name {
            text::check_line("groupName", name, text::NAME_BYTES)?;
            if name.is_empty() {
                return Err(Error::parameter("groupName", "is empty"));
            }
        }
        if let Some(introduction) = &self.introduction {
            text::check_lines("introduction", introduction, text::INTRODUCTION_BYTES)?;
        }
        if let Some(notification) = &self.notification {
            text::check_lines("notification", notification, text::NOTIFICATION_BYTES)?;
        }
        if let Some(face_url) = &self.face_url {
            text::check_line("faceUrl", face_url, text::FACE_URL_BYTES)?;
        }
        let custom_fields = self.custom_fields.map(|Pairs(fields)| fields).unwrap_or_default();
        fields::OF_GROUP.check("customFields", &custom_fields)?;
        let join_option = self.join_option.as_deref();
        let invite_option = self.invite_option.as_deref();
        let max_members = self.max_member_count.map(i32::try_from).transpose().map_err(|_| {
            Error::parameter("maxMemberCount", format!("must be from 1 to {}", i32::MAX))
                .limit(i32::MAX)
        })?;
        Ok(GroupEdit {
            name: self.group_name,
            introduction: self.introduction,
            notification: self.notification,
            face_url: self.face_url,
            join_option: join_option
                .map(|text| word("joinOption", text, JoinOption::ALL, JoinOption::word))
                .transpose()?,
            invite_option: invite_option
                .map(|text| word("inviteOption", text, InviteOption::ALL, InviteOption::word))
                .transpose()?,
            max_members,
            mute_all: self.mute_all,
            custom_fields,
        })
    }
}

/// A group that the caller looks at.
///
/// # Errors
/// [`Reason::GroupNotFound`].
pub(super) async fn view(app: &App, id: &GroupId, reader: &UserId) -> Result<GroupView, Error> {
    app.store.group_view(id, reader).await?.ok_or_else(absent)
}

/// The refusal of a group that does not exist or was dismissed.
pub(super) fn absent() -> Error {
    Error::new(Reason::GroupNotFound, "there is no such group").field("groupID")
}

/// Read a group.
///
/// Members and app administrators see all of it; others name, type, face, introduction, member count and join
/// option, and of a Work group nothing. SDK: `getGroupsInfo`.
#[utoipa::path(
    get, path = "/groups/{groupID}", tag = "Groups",
    responses((status = 200, description = "The group.", body = shapes::Group,
        example = json!({
            "groupID": "team", "groupType": "Work", "groupName": "The team", "faceUrl": "",
            "introduction": "", "memberCount": 3, "joinOption": "DisableApply", "owner": "alice",
            "notification": "", "inviteOption": "FreeAccess", "maxMemberCount": 6000,
            "muteAll": false, "customFields": { "floor": "3" }, "seq": 2, "createTime": "2026-01-01T12:00:00.000Z",
            "role": "Owner"
        })))
)]
pub async fn get_group(State(app): State<App>, asked: Asked, id: InPath, query: Query) -> Answer {
    query.only(&[], &[])?;
    let view = view(&app, &id.group()?, &asked.caller.user).await?;
    let rules = app.types.of(&view.group);
    match rules.permit(Action::ReadProfile, Standing::of(&asked.caller, view.role)) {
        Ok(()) => Ok(ok(whole(&view))),
        Err(_) if rules.traits.visible_to_strangers => Ok(ok(outside(&view))),
        Err(refusal) => Err(refusal.into()),
    }
}

/// A group as anybody may see it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    #[serde(rename = "groupID")]
    id: &'a GroupId,
    group_type: &'a str,
    group_name: &'a str,
    face_url: &'a str,
    introduction: &'a str,
    member_count: i32,
    join_option: &'static str,
    #[serde(flatten)]
    inside: Option<Inside<'a>>,
}

/// What members and administrators see besides.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Inside<'a> {
    owner: Option<&'a UserId>,
    notification: &'a str,
    invite_option: &'static str,
    max_member_count: Option<i32>,
    mute_all: bool,
    custom_fields: &'a CustomFields,
    seq: i64,
    create_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
}

fn outside(view: &GroupView) -> Shown<'_> {
    Shown {
        id: &view.group.id,
        group_type: view.group.type_word(),
        group_name: &view.profile.name,
        face_url: &view.profile.face_url,
        introduction: &view.profile.introduction,
        member_count: view.group.member_count,
        join_option: view.group.join_option.word(),
        inside: None,
    }
}

fn whole(view: &GroupView) -> Shown<'_> {
    let inside = Inside {
        owner: view.group.owner.as_ref(),
        notification: &view.profile.notification,
        invite_option: view.group.invite_option.word(),
        max_member_count: view.group.max_members,
        mute_all: view.group.mute_all,
        custom_fields: &view.profile.custom_fields,
        seq: view.group.seq,
        create_time: time(view.group.created_at),
        role: view.role.map(Role::word),
    };
    Shown { inside: Some(inside), ..outside(view) }
}

/// Change a group.
///
/// What is absent stays. Name and texts: in a Work group any member, otherwise owner and admins. Options: owner and
/// admins, in a Work group the owner; likewise `muteAll`. SDK: `setGroupInfo`.
#[utoipa::path(
    patch, path = "/groups/{groupID}", tag = "Groups",
    request_body(content = Edit, example = json!({
        "groupName": "Our team", "inviteOption": "NeedPermission"
    })),
    responses((status = 200, description = "Changed.")),
    extensions(("x-refuses" = json!(refuses![MemberCapTooHigh])))
)]
pub async fn edit_group(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    let edit = Box::new(body.read::<Edit>()?.into_edit()?);
    let operation = Operation::EditGroup { group: id.group()?, edit };
    of_engine(asked.perform(&app, operation, &body.0, dry_run).await?)
}

/// End a group.
///
/// It is gone from every list at once, and its id is never free again. The owner's right, in a Work group only an
/// app administrator's. SDK: `dismissGroup`.
#[utoipa::path(
    delete, path = "/groups/{groupID}", tag = "Groups",
    responses((status = 200, description = "Ended."))
)]
pub async fn dismiss_group(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
) -> Answer {
    let dry_run = query.dry_run()?;
    let operation = Operation::Dismiss { group: id.group()? };
    of_engine(asked.perform(&app, operation, &[], dry_run).await?)
}
