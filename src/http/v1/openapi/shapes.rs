//! The shapes of answers, for the document only: the handlers write the values themselves, and the tests
//! hold every answer of every test against these.
//!
//! What a field means stands in [`fields`](super::fields).

#![expect(dead_code, reason = "read by the macro, never made")]
#![expect(clippy::struct_field_names, reason = "the names are those of the surface")]

use std::collections::BTreeMap;

use utoipa::ToSchema;

use super::events::Event;

/// What became of a new group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct CreatedGroup {
    #[schema(rename = "groupID")]
    group_id: String,
    member_list: Option<Vec<MemberResult>>,
}

/// What a call did to one of the people that it named.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct MemberResult {
    #[schema(rename = "memberID")]
    member_id: String,
    result: u8,
    reason: Option<String>,
    limit: Option<i64>,
    current: Option<i64>,
    source: Option<String>,
}

/// Whether somebody became a member.
#[derive(ToSchema)]
pub struct Joining {
    status: String,
}

/// A group. Members and app administrators see all fields; others see those that are always there.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Group {
    #[schema(rename = "groupID")]
    group_id: String,
    group_type: String,
    group_name: String,
    face_url: String,
    introduction: String,
    member_count: i32,
    join_option: String,
    owner: Option<String>,
    notification: Option<String>,
    invite_option: Option<String>,
    max_member_count: Option<i32>,
    mute_all: Option<bool>,
    custom_fields: Option<BTreeMap<String, String>>,
    seq: Option<i64>,
    create_time: Option<String>,
    role: Option<String>,
}

/// A member of a group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Member {
    #[schema(rename = "userID")]
    user_id: String,
    role: String,
    join_time: String,
    name_card: Option<String>,
    mute_until: Option<String>,
    custom_fields: Option<BTreeMap<String, String>>,
}

/// A page of members.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct MemberPage {
    member_list: Vec<Member>,
    next: Option<String>,
    seq: i64,
}

/// A page of a group's events.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct EventPage {
    event_list: Vec<Event>,
    oldest: i64,
    next: Option<String>,
}

/// A user. He himself and app administrators see all fields; others see those that are always there.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct User {
    #[schema(rename = "userID")]
    user_id: String,
    nick_name: String,
    face_url: String,
    invite_consent: Option<String>,
    group_limit: Option<i32>,
    effective_group_limit: Option<i32>,
    group_count: Option<i32>,
    create_time: Option<String>,
}

/// A group that a user is in.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct JoinedGroup {
    #[schema(rename = "groupID")]
    group_id: String,
    group_type: String,
    group_name: String,
    role: String,
    seq: i64,
}

/// A page of the groups that a user is in.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct JoinedGroupPage {
    group_list: Vec<JoinedGroup>,
    next: Option<String>,
    total: i64,
}

/// Somebody becomes a member once somebody else agrees.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Application {
    #[schema(rename = "applicationID")]
    application_id: String,
    r#type: String,
    #[schema(rename = "groupID")]
    group_id: String,
    from_user: String,
    to_user: String,
    message: String,
    add_time: String,
    expire_time: String,
    can_decide: bool,
}

/// A page of applications.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ApplicationPage {
    application_list: Vec<Application>,
    next: Option<String>,
}

/// A limit in force.
#[derive(ToSchema)]
pub struct Limit {
    limit: i64,
    source: String,
}

/// The limits in force.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Limits {
    groups_per_user: Limit,
    members_per_group: Limit,
    invite_batch: Limit,
    pending_per_group: Limit,
    pending_per_user: Limit,
    application_seconds: Limit,
    #[schema(rename = "userIDBytes")]
    user_id_bytes: Limit,
    sockets_per_user: Limit,
    #[schema(rename = "groupIDBytes")]
    group_id_bytes: Limit,
    group_name_bytes: Limit,
    introduction_bytes: Limit,
    notification_bytes: Limit,
    face_url_bytes: Limit,
    message_bytes: Limit,
    nick_name_bytes: Limit,
    body_bytes: Limit,
    attribute_changes_per_second: Limit,
    name_card_bytes: Limit,
    custom_field_key_bytes: Limit,
    custom_fields_of_group: Limit,
    custom_fields_of_member: Limit,
    custom_field_value_bytes_of_group: Limit,
    custom_field_value_bytes_of_member: Limit,
    attributes: Limit,
    attribute_key_bytes: Limit,
    attribute_value_bytes: Limit,
    attributes_bytes: Limit,
    group_types: BTreeMap<String, GroupTypeRules>,
}

/// What holds in groups of a type.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "a row of yes and no, as in the answer")]
pub struct GroupTypeRules {
    #[schema(required = true)]
    based_on: Option<String>,
    join_option: JoinOptionRules,
    invite_option: InviteOptionRules,
    max_member_count: MaxMemberRules,
    counts_towards_groups_per_user: bool,
    asks_invitees: bool,
    has_admins: bool,
    owner_may_quit: bool,
    visible_to_strangers: bool,
    permissions: BTreeMap<String, String>,
}

/// The join option in groups of a type.
#[derive(ToSchema)]
pub struct JoinOptionRules {
    default: String,
    fixed: bool,
}

/// The invite option in groups of a type.
#[derive(ToSchema)]
pub struct InviteOptionRules {
    default: String,
    fixed: bool,
}

/// The highest number of members in groups of a type.
#[derive(ToSchema)]
pub struct MaxMemberRules {
    #[schema(required = true)]
    default: Option<i32>,
    #[schema(required = true)]
    highest: Option<i32>,
}

/// A person.
#[derive(ToSchema)]
pub struct Person {
    #[schema(rename = "userID")]
    user_id: String,
}

/// A ban.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct BanLine {
    #[schema(rename = "userID")]
    user_id: String,
    #[schema(required = true)]
    ban_until: Option<String>,
    reason: String,
    op_user: Person,
    ban_time: String,
}

/// A page of bans.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct BanPage {
    ban_list: Vec<BanLine>,
    next: Option<String>,
}

/// What somebody may do in a group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Permissions {
    #[schema(rename = "groupID")]
    group_id: String,
    group_type: String,
    #[schema(rename = "userID")]
    user_id: String,
    #[schema(required = true)]
    role: Option<String>,
    administrator: bool,
    permissions: BTreeMap<String, Permission>,
}

/// Whether somebody may do something.
#[derive(ToSchema)]
pub struct Permission {
    allowed: bool,
    who: String,
    needs: Option<String>,
    reason: Option<String>,
    desc: Option<String>,
    source: Option<String>,
}

/// A group's attributes.
#[derive(ToSchema)]
pub struct Attributes {
    attributes: BTreeMap<String, String>,
    seq: i64,
}

/// A group in the list of all groups.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ListedGroup {
    #[schema(rename = "groupID")]
    group_id: String,
    group_type: String,
    group_name: String,
    #[schema(required = true)]
    owner: Option<String>,
    member_count: i32,
    #[schema(required = true)]
    max_member_count: Option<i32>,
    create_time: String,
    seq: i64,
}

/// A page of all groups.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct GroupPage {
    group_list: Vec<ListedGroup>,
    next: Option<String>,
}

/// An account that is being deleted.
#[derive(ToSchema)]
pub struct Deleting {
    status: String,
}
