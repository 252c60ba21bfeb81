//! The limits in force, and where each comes from.

use axum::extract::State;
use serde_json::{Value, json};

use super::asked::{Asked, Query};
use super::reply::{Answer, ok};
use crate::http::{App, BODY_BYTES};
use crate::model::limits::Limit;
use crate::model::{attributes, id, text};

/// `GET /v1/limits`
pub async fn get_limits(State(app): State<App>, _: Asked, query: Query) -> Answer {
    query.only(&[], &[])?;
    let limits = &app.limits;
    let shown = |limit: &Limit| json!({ "limit": limit.value, "source": limit.source });
    let fixed = |value: usize| -> Value { json!({ "limit": value, "source": "fixed" }) };
    Ok(ok(json!({
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
        "socketsPerUser": { "limit": app.sockets_per_user, "source": "MUSTER_SOCKETS_PER_USER" },
        "groupIDBytes": fixed(id::GROUP_ID_BYTES),
        "groupNameBytes": fixed(text::NAME_BYTES),
        "introductionBytes": fixed(text::INTRODUCTION_BYTES),
        "notificationBytes": fixed(text::NOTIFICATION_BYTES),
        "faceUrlBytes": fixed(text::FACE_URL_BYTES),
        "messageBytes": fixed(text::MESSAGE_BYTES),
        "nickNameBytes": fixed(text::NICK_NAME_BYTES),
        "attributes": fixed(attributes::KEYS),
        "attributeKeyBytes": fixed(attributes::KEY_BYTES),
        "attributeValueBytes": fixed(attributes::VALUE_BYTES),
        "attributesBytes": fixed(attributes::TOTAL_BYTES),
        "bodyBytes": fixed(BODY_BYTES),
    })))
}
