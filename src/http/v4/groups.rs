//! Groups: `create_group`, `destroy_group`, `get_group_info` (`tencent-im.md` 2.4).

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::body::{Bound, Fields, Name, at_most, first_places};
use super::call::{Call, absent};
use super::reply::{self, Answer, REPLY_BYTES, Refusal};
use super::table::Family;
use super::views::{self, Filter};
use super::words;
use crate::http::ids;
use crate::model::command::CreateGroup;
use crate::model::{
    CustomFields, Error, GroupId, GroupType, MemberResult, Moment, NewMember, Operation, Reason,
    Reply, Role, UserId, text,
};
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
/// The type of `MaxMemberCount` on Tencent's wire is an unsigned number of 32 bits.
const WIDEST_COUNT: i64 = 4_294_967_295;
/// No member takes fewer bytes in a reply: `{"Member_Account":"a"},`.
const MEMBER_BYTES: usize = 23;

/// `create_group`.
pub(super) async fn create(call: Call) -> Result<Answer, Refusal> {
    let create = read_create(&call.fields(), call.user_bytes())?;
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

fn read_create(fields: &Fields<'_>, user_bytes: usize) -> Result<CreateGroup, Error> {
    const TYPE: Name = &["Type"];
    const NAME: Name = &["Name"];
    let group_type = fields.require(TYPE, fields.word(TYPE, words::GROUP_TYPES)?)?;
    let community = group_type == GroupType::Community;
    let chosen = fields.chosen_group(GROUP_ID, community)?;
    let name = fields.require(NAME, fields.text(NAME, Bound::Line(text::NAME_BYTES))?)?;
    if name.is_empty() {
        return Err(Error::parameter("Name", "is empty"));
    }
    let lines = |name, most| fields.text(name, Bound::Lines(most));
    let introduction = lines(&["Introduction"], text::INTRODUCTION_BYTES)?;
    let notification = lines(&["Notification"], text::NOTIFICATION_BYTES)?;
    let face_url = fields.text(&["FaceUrl"], Bound::Line(text::FACE_URL_BYTES))?;
    fields.refuse_unless_empty(&["AppDefinedData"])?;
    // A Community without topics is what is made, whatever is asked; the reply of get_group_info says so.
    fields.flag(&["SupportTopic"])?;
    Ok(CreateGroup {
        group: chosen.unwrap_or_else(|| ids::new_group_id(group_type)),
        group_type,
        own_type: None,
        name,
        introduction: introduction.unwrap_or_default(),
        notification: notification.unwrap_or_default(),
        face_url: face_url.unwrap_or_default(),
        owner: fields.user_if_named(&["Owner_Account"], user_bytes)?,
        join_option: fields.word(&["ApplyJoinOption"], words::JOIN_OPTIONS)?,
        invite_option: fields.word(&["InviteJoinOption"], words::INVITE_OPTIONS)?,
        max_members: read_max_members(fields, group_type)?,
        custom_fields: CustomFields::new(),
        members: read_first_members(fields, user_bytes)?,
        lenient: true,
        imported: None,
    })
}

/// A live group has no cap: what is said about it there is passed over (`decisions.md` r).
fn read_max_members(fields: &Fields<'_>, group_type: GroupType) -> Result<Option<i32>, Error> {
    if group_type == GroupType::AVChatRoom {
        return Ok(None);
    }
    let count = fields.number(&["MaxMemberCount", "MaxMemberNum"], 1..=WIDEST_COUNT)?;
    // What no setting can allow is refused by the rules, as everything above the setting is.
    Ok(count.map(|count| i32::try_from(count).unwrap_or(i32::MAX)))
}

fn read_first_members(fields: &Fields<'_>, user_bytes: usize) -> Result<Vec<NewMember>, Error> {
    let list = fields.objects(&["MemberList"])?.unwrap_or_default();
    let mut members = Vec::with_capacity(list.len());
    for member in list {
        member.refuse_unless_empty(&["AppMemberDefinedData"])?;
        let user = member.user(MEMBER_ACCOUNT, user_bytes)?;
        let role = member.word(&["Role"], words::FIRST_ROLES)?;
        members.push(NewMember::with_role(user, role.unwrap_or(Role::Member)));
    }
    Ok(first_places(members, |member: &NewMember| member.user.clone()))
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
    let base = read(GROUP_BASE_INFO_FILTER)?;
    let members = read(MEMBER_INFO_FILTER)?;

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
fn shows_members(view: &GroupView, filter: &Filter<'_>) -> bool {
    !filter.is_all() && view.group.group_type != GroupType::AVChatRoom
}

/// Refuses what cannot fit into an answer before anything of it is read.
fn check_room(views: &HashMap<GroupId, GroupView>, filter: &Filter<'_>) -> Result<(), Refusal> {
    let members: usize = views
        .values()
        .filter(|view| shows_members(view, filter))
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
    filter: &Filter<'_>,
    now: Moment,
) -> Result<Option<Value>, Refusal> {
    if !shows_members(view, filter) {
        return Ok(None);
    }
    call.permit(view, Action::ReadMembers)?;
    let most = i64::try_from(REPLY_BYTES / MEMBER_BYTES + 1).unwrap_or(i64::MAX);
    let all = MemberFilter { limit: most, ..MemberFilter::default() };
    let read = call.app.store.members(&view.group.id, &all).await?;
    let (_, members) = read.unwrap_or_default();
    Ok(Some(members.iter().map(|member| views::member(member, now, filter)).collect()))
}

#[cfg(test)]
mod tests;
