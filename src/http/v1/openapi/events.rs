//! The shape of each kind of event. The page of events in the OpenAPI document and the messages in the
//! AsyncAPI document are made of these; the tests hold every event that a websocket or a page of any test
//! shows against them.
//!
//! What a field means stands in [`fields`](super::fields), for all kinds together in its lines of `Event`.

#![expect(dead_code, reason = "read by the macro, never made")]
#![expect(non_camel_case_types, reason = "a shape has the name of its kind, which is the SDK's")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use super::shapes::{Application, Person};

/// Shapes with the fields that all events of a group's log have.
macro_rules! of_groups {
    ($($(#[$meaning:meta])* $kind:ident { $($field:ident: $what:ty),+ $(,)? })+) => { $(
        $(#[$meaning])*
        #[derive(ToSchema)]
        #[schema(rename_all = "camelCase")]
        pub struct $kind {
            r#type: String,
            event: String,
            #[schema(rename = "groupID")]
            group_id: String,
            seq: i64,
            time: String,
            $($field: $what),+
        }
    )+ };
}

/// Shapes with the fields that all events of a person's own stream have.
macro_rules! of_users {
    ($($(#[$meaning:meta])* $kind:ident { $($field:ident: $what:ty),+ $(,)? })+) => { $(
        $(#[$meaning])*
        #[derive(ToSchema)]
        #[schema(rename_all = "camelCase")]
        pub struct $kind {
            r#type: String,
            stream: String,
            event: String,
            #[schema(rename = "groupID")]
            group_id: String,
            user_seq: i64,
            time: String,
            $($field: $what),+
        }
    )+ };
}

of_groups! {
    /// The group was made; always number 1.
    onGroupCreated {
        op_user: Person,
        member_list: Vec<FoundingMember>,
        group_type: String,
        group_name: String,
        silent: Option<bool>,
    }

    /// People were brought in.
    onMemberInvited {
        op_user: Person,
        member_list: Vec<InvitedMember>,
        silent: Option<bool>,
    }

    /// Somebody came by himself, at once or after somebody agreed.
    onMemberEnter {
        op_user: Option<Person>,
        member_list: Vec<Person>,
    }

    /// A member left, or his account was deleted.
    onMemberLeave {
        op_user: Person,
        member: Person,
    }

    /// Members were removed.
    onMemberKicked {
        op_user: Person,
        member_list: Vec<Person>,
        reason: Option<String>,
        silent: Option<bool>,
    }

    /// Name cards, mutes or fields of members changed.
    onMemberInfoChanged {
        op_user: Person,
        member_list: Vec<ChangedMember>,
    }

    /// Texts, options, fields or the owner of the group changed.
    onGroupInfoChanged {
        op_user: Person,
        change_infos: Vec<Change>,
    }

    /// The group was dismissed; always the last.
    onGroupDismissed {
        op_user: Person,
    }

    /// Members became admins.
    onGrantAdministrator {
        op_user: Person,
        member_list: Vec<Person>,
    }

    /// Admins became ordinary members.
    onRevokeAdministrator {
        op_user: Person,
        member_list: Vec<Person>,
    }

    /// Attributes of the group changed.
    onGroupAttributeChanged {
        op_user: Person,
        attributes: BTreeMap<String, Option<String>>,
    }
}

of_users! {
    /// Somebody asks to join, or a member's invitation waits for the admins: to the owner and the admins.
    onReceiveJoinApplication {
        op_user: Person,
        application: Application,
    }

    /// Somebody invites the person, who decides.
    onReceiveInvitation {
        op_user: Person,
        application: Application,
    }

    /// An application came to its end: to who asked, and to an invited person who was asked.
    onApplicationProcessed {
        op_user: Option<Person>,
        application: Application,
        op_result: bool,
        op_reason: String,
        outcome: String,
    }
}

/// An event of a group's log, as its members' websockets receive it. `event` is its kind.
#[derive(ToSchema)]
#[serde(untagged)]
#[schema(discriminator = "event")]
#[expect(missing_docs, reason = "what a kind means stands at its shape")]
pub enum Event {
    Created(onGroupCreated),
    Invited(onMemberInvited),
    Entered(onMemberEnter),
    Left(onMemberLeave),
    Kicked(onMemberKicked),
    MembersChanged(onMemberInfoChanged),
    InfoChanged(onGroupInfoChanged),
    Dismissed(onGroupDismissed),
    Granted(onGrantAdministrator),
    Revoked(onRevokeAdministrator),
    AttributesChanged(onGroupAttributeChanged),
}

/// One of the first members of a group.
#[derive(ToSchema)]
pub struct FoundingMember {
    #[schema(rename = "userID")]
    user_id: String,
    role: String,
}

/// Somebody who was brought in.
#[derive(ToSchema)]
pub struct InvitedMember {
    #[schema(rename = "userID")]
    user_id: String,
    role: Option<String>,
}

/// What changed of a member.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct ChangedMember {
    #[schema(rename = "userID")]
    user_id: String,
    name_card: Option<String>,
    mute_until: Option<String>,
    custom_fields: Option<BTreeMap<String, Option<String>>>,
}

/// A field of a group that changed.
#[derive(ToSchema)]
pub struct Change {
    r#type: String,
    key: Option<String>,
    value: Value,
}
