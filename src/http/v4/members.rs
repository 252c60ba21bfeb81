//! Members of a group: `add_group_member`, `delete_group_member`, `get_group_member_info`,
//! `get_specified_group_member_info`, `get_role_in_group` (`tencent-im.md` 2.4).

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::body::{Bound, Fields, Name, WIDEST, at_most, first_places};
use super::call::Call;
use super::groups::{GROUP_ID, MEMBER_ACCOUNT, MEMBER_INFO_FILTER};
use super::reply::{Answer, NO_PERMISSION, Refusal};
use super::views::{self, Asked, Filter};
use super::{custom, words};
use crate::model::{
    Error, GroupId, GroupType, MemberOutcome, MemberReason, Operation, Reason, Reply, UserId, text,
};
use crate::rules::matrix::Action;
use crate::store::members::{MemberFilter, MemberView};

const SILENCE: Name = &["Silence"];
const MEMBER_LIST: Name = &["MemberList"];

/// Most people of one `get_role_in_group`.
const ROLES_IN_CALL: usize = 500;
/// Most people of one `get_specified_group_member_info`.
const SPECIFIED_IN_CALL: usize = 50;
/// Most members of a page, and the page of who names no size.
const PAGE: i64 = 6_000;
/// Most members of a page of a Community.
const COMMUNITY_PAGE: i64 = 100;

/// `add_group_member`: `inviteUserToGroup` as an administrator.
pub(super) async fn add(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let operation = Operation::Invite {
        group: fields.group(GROUP_ID)?,
        users: read_members(&fields, call.user_bytes())?,
        silent: fields.flag(SILENCE)?,
    };
    let reply = call.submit(operation).await?;
    let Reply::Members(outcomes) = &reply else { return Err(Refusal::misplaced(&reply)) };
    let line = |outcome: &MemberOutcome| json!({"Member_Account": outcome.user, "Result": outcome.result.code()});
    let mut answer = Map::new();
    answer.insert("MemberList".to_owned(), outcomes.iter().map(line).collect());
    Ok(answer)
}

fn read_members(fields: &Fields<'_>, user_bytes: usize) -> Result<Vec<UserId>, Error> {
    let list = fields.require(MEMBER_LIST, fields.objects(MEMBER_LIST)?)?;
    if list.is_empty() {
        return Err(fields.names_nobody(MEMBER_LIST));
    }
    let users: Result<Vec<UserId>, Error> =
        list.iter().map(|member| member.user(MEMBER_ACCOUNT, user_bytes)).collect();
    Ok(first_places(users?, Clone::clone))
}

/// `delete_group_member`. The reply has no line for each person: who is no member is passed over, but a
/// call that removes nobody because it names the owner is refused (`decisions.md`, row 11).
pub(super) async fn delete(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let reason = fields.text(&["Reason"], Bound::Lines(text::MESSAGE_BYTES))?;
    let operation = Operation::Kick {
        group: fields.group(GROUP_ID)?,
        users: fields.users(&["MemberToDel_Account"], call.user_bytes())?,
        reason: reason.unwrap_or_default(),
        ban_seconds: None,
        silent: fields.flag(SILENCE)?,
    };
    let reply = call.submit(operation).await?;
    let Reply::Members(outcomes) = &reply else { return Err(Refusal::misplaced(&reply)) };
    refuse_if_only_owner(outcomes, "removed")?;
    Ok(Map::new())
}

/// Refuses a call that did nothing to anybody because it names the group's owner. Its reply has no place
/// to say so of one person.
pub(super) fn refuse_if_only_owner(outcomes: &[MemberOutcome], what: &str) -> Result<(), Refusal> {
    let done = outcomes.iter().any(|outcome| outcome.reason.is_none());
    let owner = outcomes.iter().find(|outcome| outcome.reason == Some(MemberReason::IsOwner));
    match owner {
        Some(owner) if !done => {
            let text = format!("{} is the group's owner, who cannot be {what}", owner.user);
            Err(Refusal::coded(NO_PERMISSION, text))
        }
        _ => Ok(()),
    }
}

/// `get_group_member_info`: pages by `Offset`, of a Community by `Next`.
pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let asked = read_asked(&fields)?;
    let roles = fields.words(&["MemberRoleFilter"], words::ROLES)?;
    // Clients that set no limit send 0.
    let limit = fields.number(&["Limit"], 0..=PAGE)?.filter(|limit| *limit > 0).unwrap_or(PAGE);
    let offset = fields.number(&["Offset"], 0..=WIDEST)?.unwrap_or(0);
    let next = fields.user_if_named(&["Next"], call.user_bytes())?;

    let view = call.group(&group, Action::ReadMembers).await?;
    let by_cursor = view.group.group_type == GroupType::Community;
    let limit = if by_cursor { limit.min(COMMUNITY_PAGE) } else { limit };
    let after = next.filter(|_| by_cursor);
    let offset = if after.is_some() { 0 } else { offset };
    let filter = MemberFilter { roles, after, offset, limit: limit + 1, ..MemberFilter::default() };
    let page = call.app.store.members(&group, &call.caller.user, &filter).await?;
    let mut members = page.map(|page| page.members).unwrap_or_default();
    let more = members.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        members.pop();
    }
    let now = chrono::Utc::now();
    let mut answer = Map::new();
    answer.insert("MemberNum".to_owned(), json!(view.group.member_count));
    answer.insert(
        "MemberList".to_owned(),
        members.iter().map(|member| views::member(member, now, &asked)).collect(),
    );
    if by_cursor {
        answer.insert("Next".to_owned(), json!(cursor(&members, more)));
    }
    Ok(answer)
}

/// Where the next page begins: after the last member of this one; empty at the end.
fn cursor(members: &[MemberView], more: bool) -> &str {
    members.last().filter(|_| more).map_or("", |member| member.user.as_str())
}

fn read_asked<'a>(fields: &Fields<'a>) -> Result<Asked<'a>, Error> {
    let base = Filter::read(fields, MEMBER_INFO_FILTER)?;
    Ok(Asked { base, custom: Filter::read(fields, custom::FILTER_OF_MEMBERS)? })
}

/// Those of these people who are members of a group that the caller may read.
async fn given(
    call: &Call,
    group: &GroupId,
    users: &[UserId],
) -> Result<HashMap<UserId, MemberView>, Refusal> {
    let filter = MemberFilter {
        given: Some(users.to_vec()),
        limit: i64::try_from(users.len()).unwrap_or(i64::MAX),
        ..MemberFilter::default()
    };
    let members = call.members(group, &filter).await?;
    Ok(members.into_iter().map(|member| (member.user.clone(), member)).collect())
}

/// `get_specified_group_member_info`: in the order of the call. Who is no member is passed over.
pub(super) async fn specified(call: Call) -> Result<Answer, Refusal> {
    const LIST: Name = &["Member_List_Account"];
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let users = fields.users(LIST, call.user_bytes())?;
    at_most("Member_List_Account", users.len(), SPECIFIED_IN_CALL, Reason::TooManyInCall)?;
    let asked = read_asked(&fields)?;
    let members = given(&call, &group, &users).await?;
    let now = chrono::Utc::now();
    let named = users.iter().filter_map(|user| members.get(user));
    let mut answer = Map::new();
    answer.insert("GroupId".to_owned(), json!(group));
    answer.insert(
        "MemberList".to_owned(),
        named.map(|member| views::member(member, now, &asked)).collect(),
    );
    Ok(answer)
}

/// `get_role_in_group`.
pub(super) async fn roles(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let users = fields.users(&["User_Account"], call.user_bytes())?;
    at_most("User_Account", users.len(), ROLES_IN_CALL, Reason::TooManyInCall)?;
    let members = given(&call, &group, &users).await?;
    let role_of = |user: &UserId| -> Value {
        let member = members.get(user);
        let role = member.map_or(words::NOT_A_MEMBER, |member| words::role(member.role));
        json!({"Member_Account": user, "Role": role})
    };
    let mut answer = Map::new();
    answer.insert("UserIdList".to_owned(), users.iter().map(role_of).collect());
    Ok(answer)
}
