//! Groups: `create_group`, `destroy_group`, `get_group_info` (`tencent-im.md` 2.4).

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::body::{Bound, Fields, Name, WIDEST, at_most, first_places};
use super::call::{Call, absent};
use super::custom;
use super::reply::{self, Answer, REPLY_BYTES, Refusal};
use super::table::Family;
use super::views::{self, Asked, Filter};
use super::words;
use crate::http::ids;
use crate::model::command::{CreateGroup, GroupEdit};
use crate::model::{
    Error, GroupId, GroupType, MemberResult, Moment, NewMember, Operation, Reason, Reply, Role,
    UserId, text,
};
use crate::rules::Types;
use crate::rules::matrix::Action;
use crate::store::groups::GroupView;
use crate::store::members::MemberFilter;

/// The group that a command is about.
pub(super) const GROUP_ID: Name = &["GroupId"];
/// A person in a list of members.
pub(super) const MEMBER_ACCOUNT: Name = &["Member_Account"];
/// The filters of a reply.
pub(super) const RESPONSE_FILTER: Name = &["ResponseFilter"];
/// Which base fields of a group.
pub(super) const GROUP_BASE_INFO_FILTER: Name = &["GroupBaseInfoFilter"];
/// Which fields of a member.
pub(super) const MEMBER_INFO_FILTER: Name = &["MemberInfoFilter"];

/// Most groups of one `get_group_info`.
const GROUPS_IN_CALL: usize = 50;
/// No member takes fewer bytes in a reply: `{"Member_Account":"a"},`.
const MEMBER_BYTES: usize = 23;

/// `create_group`.
pub(super) async fn create(call: Call) -> Result<Answer, Refusal> {
    let create = read_create(&call.fields(), call.user_bytes(), &call.app.types)?;
    make(&call, create).await
}

/// Makes a group, and says what became of it.
pub(super) async fn make(call: &Call, create: CreateGroup) -> Result<Answer, Refusal> {
    let group_type = words::group_type(create.group_type);
    let reply = call.submit(Operation::CreateGroup(Box::new(create))).await?;
    let Reply::Created { group, members } = &reply else {
        return Err(Refusal::misplaced(&reply));
    };
    let mut answer = Map::new();
    answer.insert("GroupId".to_owned(), json!(group));
    answer.insert("Type".to_owned(), json!(group_type));
    let at_their_limit: Vec<&UserId> = members
        .iter()
        .filter(|outcome| outcome.result == MemberResult::OverLimit)
        .map(|outcome| &outcome.user)
        .collect();
    if !at_their_limit.is_empty() {
        answer.insert("OverJoinedGroupLimit_Account".to_owned(), json!(at_their_limit));
    }
    Ok(answer)
}

/// The type of a new group: one of Tencent's words, or the name of a type of the operator's own.
fn read_type(fields: &Fields<'_>, types: &Types) -> Result<(GroupType, Option<Arc<str>>), Error> {
    const TYPE: Name = &["Type"];
    let given = fields.any_string(TYPE)?.unwrap_or_default();
    if words::meaning(words::GROUP_TYPES, given).is_none()
        && let Some(own) = types.all().iter().find(|rules| rules.own && &*rules.name == given)
    {
        return Ok((own.base, Some(own.name.clone())));
    }
    Ok((fields.require(TYPE, fields.word(TYPE, words::GROUP_TYPES)?)?, None))
}

/// Reads a group that is to be made.
///
/// # Errors
/// The first field that breaks its rule.
pub(super) fn read_create(
    fields: &Fields<'_>,
    user_bytes: usize,
    types: &Types,
) -> Result<CreateGroup, Error> {
    const NAME: Name = &["Name"];
    let (group_type, own_type) = read_type(fields, types)?;
    let community = group_type == GroupType::Community;
    let chosen = fields.chosen_group(GROUP_ID, community)?;
    let texts = read_texts(fields)?;
    // A Community without topics is what is made, whatever is asked; the reply of get_group_info says so.
    fields.flag(&["SupportTopic"])?;
    Ok(CreateGroup {
        group: chosen.unwrap_or_else(|| ids::new_group_id(group_type)),
        group_type,
        own_type,
        name: fields.require(NAME, texts.name)?,
        introduction: texts.introduction.unwrap_or_default(),
        notification: texts.notification.unwrap_or_default(),
        face_url: texts.face_url.unwrap_or_default(),
        owner: fields.user_if_named(&["Owner_Account"], user_bytes)?,
        join_option: texts.join_option,
        invite_option: texts.invite_option,
        max_members: read_max_members(fields, group_type)?,
        custom_fields: custom::first_of_group(fields)?,
        members: read_first_members(fields, user_bytes)?,
        lenient: true,
        imported: None,
    })
}

/// The texts and options of a group, as far as they are named: what creating and editing read alike.
pub(super) fn read_texts(fields: &Fields<'_>) -> Result<GroupEdit, Error> {
    const NAME: Name = &["Name"];
    let name = fields.text(NAME, Bound::Line(text::NAME_BYTES))?;
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(Error::parameter("Name", "is empty"));
    }
    let lines = |name, most| fields.text(name, Bound::Lines(most));
    Ok(GroupEdit {
        name,
        introduction: lines(&["Introduction"], text::INTRODUCTION_BYTES)?,
        notification: lines(&["Notification"], text::NOTIFICATION_BYTES)?,
        face_url: fields.text(&["FaceUrl"], Bound::Line(text::FACE_URL_BYTES))?,
        join_option: fields.word(&["ApplyJoinOption"], words::JOIN_OPTIONS)?,
        invite_option: fields.word(&["InviteJoinOption"], words::INVITE_OPTIONS)?,
        ..GroupEdit::default()
    })
}

/// A live group has no cap: what is said about it there is passed over (`decisions.md` r).
fn read_max_members(fields: &Fields<'_>, group_type: GroupType) -> Result<Option<i32>, Error> {
    if group_type == GroupType::AVChatRoom {
        return Ok(None);
    }
    most_members(fields, &["MaxMemberCount", "MaxMemberNum"])
}

/// A highest number of members.
pub(super) fn most_members(fields: &Fields<'_>, name: Name) -> Result<Option<i32>, Error> {
    let count = fields.number(name, 1..=WIDEST)?;
    // What no setting can allow is refused by the rules, as everything above the setting is.
    Ok(count.map(|count| i32::try_from(count).unwrap_or(i32::MAX)))
}

fn read_first_members(fields: &Fields<'_>, user_bytes: usize) -> Result<Vec<NewMember>, Error> {
    let list = fields.objects(&["MemberList"])?.unwrap_or_default();
    let mut members = Vec::with_capacity(list.len());
    for member in list {
        members.push(read_new_member(&member, user_bytes)?);
    }
    Ok(first_places(members, |member: &NewMember| member.user.clone()))
}

/// Reads somebody who is to become a member with a role and fields of the app's own.
pub(super) fn read_new_member(fields: &Fields<'_>, user_bytes: usize) -> Result<NewMember, Error> {
    let user = fields.user(MEMBER_ACCOUNT, user_bytes)?;
    let role = fields.word(&["Role"], words::GIVEN_ROLES)?.unwrap_or(Role::Member);
    let custom_fields = custom::first_of_member(fields)?;
    Ok(NewMember { custom_fields, ..NewMember::with_role(user, role) })
}

/// `destroy_group`.
pub(super) async fn destroy(call: Call) -> Result<Answer, Refusal> {
    let group = call.fields().group(GROUP_ID)?;
    call.submit(Operation::Dismiss { group }).await?;
    Ok(Map::new())
}

/// `get_group_info`: every group of the list is answered by itself.
pub(super) async fn info(call: Call) -> Result<Answer, Refusal> {
    const LIST: Name = &["GroupIdList"];
    let fields = call.fields();
    let named: Vec<&str> =
        fields.require(LIST, fields.strings(LIST)?)?.into_iter().map(|(_, id)| id).collect();
    if named.is_empty() {
        return Err(fields.names_nobody(LIST).into());
    }
    at_most("GroupIdList", named.len(), GROUPS_IN_CALL, Reason::InvalidParameter)?;
    let named = first_places(named, |id| *id);
    let filters = fields.object(RESPONSE_FILTER)?;
    let read = |name| filters.as_ref().map_or(Ok(Filter::All), |all| Filter::read(all, name));
    let base =
        Asked { base: read(GROUP_BASE_INFO_FILTER)?, custom: read(custom::FILTER_OF_GROUPS)? };
    let members =
        Asked { base: read(MEMBER_INFO_FILTER)?, custom: read(custom::FILTER_OF_MEMBERS)? };

    let ids: Vec<GroupId> =
        named.iter().filter_map(|id| GroupId::parse(id, "GroupId").ok()).collect();
    let views = call.app.store.group_views(&ids, &call.caller.user).await?;
    let views: HashMap<GroupId, GroupView> =
        views.into_iter().map(|view| (view.group.id.clone(), view)).collect();
    check_room(&views, &members)?;
    let now = chrono::Utc::now();
    let mut shown = Vec::with_capacity(named.len());
    for id in named {
        let found = match GroupId::parse(id, "GroupId") {
            Ok(id) => views.get(&id).ok_or_else(absent),
            Err(malformed) => Err(malformed),
        };
        let permitted = found.and_then(|view| {
            call.permit(view, Action::ReadProfile)?;
            Ok(view)
        });
        shown.push(match permitted {
            Ok(view) => {
                let mut group = group_line(id, 0, "");
                group.extend(views::group(view, call.app.app_id, &base));
                if let Some(list) = member_list(&call, view, &members, now).await? {
                    group.insert("MemberList".to_owned(), list);
                }
                Value::Object(group)
            }
            Err(error) => {
                let code = reply::code(error.reason, Family::Groups);
                Value::Object(group_line(id, code, &error.text))
            }
        });
    }
    let mut answer = Map::new();
    answer.insert("GroupInfo".to_owned(), Value::Array(shown));
    Ok(answer)
}

/// What the answer says of every group, whatever else is known of it.
fn group_line(id: &str, code: u32, text: &str) -> Map<String, Value> {
    let mut group = Map::new();
    group.insert("GroupId".to_owned(), json!(id));
    group.insert("ErrorCode".to_owned(), json!(code));
    group.insert("ErrorInfo".to_owned(), json!(text));
    group
}

/// Whether the list of a group's members is part of the answer. Of live groups it is not given out.
fn shows_members(view: &GroupView, asked: &Asked<'_>) -> bool {
    !asked.base.is_all() && view.group.group_type != GroupType::AVChatRoom
}

/// Refuses what cannot fit into an answer before anything of it is read.
fn check_room(views: &HashMap<GroupId, GroupView>, asked: &Asked<'_>) -> Result<(), Refusal> {
    let members: usize = views
        .values()
        .filter(|view| shows_members(view, asked))
        .map(|view| usize::try_from(view.group.member_count).unwrap_or(0))
        .sum();
    if members.saturating_mul(MEMBER_BYTES) > REPLY_BYTES {
        return Err(reply::too_large());
    }
    Ok(())
}

async fn member_list(
    call: &Call,
    view: &GroupView,
    asked: &Asked<'_>,
    now: Moment,
) -> Result<Option<Value>, Refusal> {
    if !shows_members(view, asked) {
        return Ok(None);
    }
    call.permit(view, Action::ReadMembers)?;
    let most = i64::try_from(REPLY_BYTES / MEMBER_BYTES + 1).unwrap_or(i64::MAX);
    let all = MemberFilter { limit: most, ..MemberFilter::default() };
    let page = call.app.store.members(&view.group.id, &call.caller.user, &all).await?;
    let members = page.map(|page| page.members).unwrap_or_default();
    Ok(Some(members.iter().map(|member| views::member(member, now, asked)).collect()))
}

#[cfg(test)]
mod tests;
