//! The limits in force, and where each comes from.

use axum::extract::State;
use serde_json::{Map, Value, json};

use super::asked::{Asked, Query};
use super::openapi::shapes;
use super::reply::{Answer, ok};
use crate::http::{App, BODY_BYTES};
use crate::model::limits::Limit;
use crate::model::{GroupType, Limits, attributes, fields, id, text};
use crate::rules::TypeRules;
use crate::rules::matrix::Action;

/// The limits in force.
///
/// Each with where it comes from: a setting, or `fixed`; and what holds in groups of each type. The example shows one
/// type.
#[utoipa::path(
    get, path = "/limits", tag = "Server",
    responses((status = 200, description = "The limits.", body = shapes::Limits,
        example = json!(example())))
)]
pub async fn get_limits(State(app): State<App>, _: Asked, query: Query) -> Answer {
    query.only(&[], &[])?;
    Ok(ok(all(&app.limits, app.sockets_per_user, app.types.all())))
}

/// The limits of a server that nothing is set for, with one of the types.
fn example() -> Value {
    all(&Limits::defaults(), 20, &[TypeRules::builtin(GroupType::Work)])
}

fn all(limits: &Limits, sockets_per_user: u32, types: &[TypeRules]) -> Value {
    let shown = |limit: &Limit| json!({ "limit": limit.value, "source": limit.source });
    let fixed = |value: usize| -> Value { json!({ "limit": value, "source": "fixed" }) };
    json!({
        "groupsPerUser": shown(&limits.groups_per_user),
        "membersPerGroup": shown(&limits.members_per_group),
        "inviteBatch": shown(&limits.invite_batch),
        "pendingPerGroup": shown(&limits.pending_per_group),
        "pendingPerUser": shown(&limits.pending_per_user),
        "attributeChangesPerSecond": shown(&limits.attribute_changes),
        "applicationSeconds": {
            "limit": limits.application_life.as_secs(), "source": "MUSTER_APPLICATION_DAYS"
        },
        "userIDBytes": { "limit": limits.user_id_bytes, "source": "MUSTER_USER_ID_BYTES" },
        "socketsPerUser": { "limit": sockets_per_user, "source": "MUSTER_SOCKETS_PER_USER" },
        "groupIDBytes": fixed(id::GROUP_ID_BYTES),
        "groupNameBytes": fixed(text::NAME_BYTES),
        "introductionBytes": fixed(text::INTRODUCTION_BYTES),
        "notificationBytes": fixed(text::NOTIFICATION_BYTES),
        "faceUrlBytes": fixed(text::FACE_URL_BYTES),
        "nameCardBytes": fixed(text::NAME_CARD_BYTES),
        "customFieldKeyBytes": fixed(fields::KEY_BYTES),
        "customFieldsOfGroup": fixed(fields::OF_GROUP.keys),
        "customFieldsOfMember": fixed(fields::OF_MEMBER.keys),
        "customFieldValueBytesOfGroup": fixed(fields::OF_GROUP.value_bytes),
        "customFieldValueBytesOfMember": fixed(fields::OF_MEMBER.value_bytes),
        "messageBytes": fixed(text::MESSAGE_BYTES),
        "nickNameBytes": fixed(text::NICK_NAME_BYTES),
        "attributes": fixed(attributes::KEYS),
        "attributeKeyBytes": fixed(attributes::KEY_BYTES),
        "attributeValueBytes": fixed(attributes::VALUE_BYTES),
        "attributesBytes": fixed(attributes::TOTAL_BYTES),
        "bodyBytes": fixed(BODY_BYTES),
        "groupTypes": types.iter().map(of_type).collect::<Map<String, Value>>(),
    })
}

/// What holds in groups of a type.
fn of_type(rules: &TypeRules) -> (String, Value) {
    let traits = rules.traits;
    let permissions: Map<String, Value> = Action::ALL
        .iter()
        .map(|action| (action.word().to_owned(), json!(rules.who(*action).word())))
        .collect();
    let shown = json!({
        "basedOn": rules.own.then(|| rules.base.word()),
        "joinOption": { "default": traits.join_default.word(), "fixed": !traits.join_changeable },
        "inviteOption": {
            "default": traits.invite_default.word(), "fixed": !traits.invite_changeable
        },
        "maxMemberCount": {
            "default": traits.default_max_members, "highest": traits.highest_max_members
        },
        "countsTowardsGroupsPerUser": traits.counts_towards_limit,
        "asksInvitees": traits.asks_invitees,
        "hasAdmins": traits.has_admins,
        "ownerMayQuit": traits.owner_may_quit,
        "visibleToStrangers": traits.visible_to_strangers,
        "permissions": permissions,
    });
    (rules.name.to_string(), shown)
}
