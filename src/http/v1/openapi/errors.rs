//! Refusals in the document: from reasons to responses, through the same match that answers with them.
//!
//! A route names only the reasons of its own. What many share follows from what the route has: a
//! credential, a body, a group or another id in the path, a change.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::http::v1::problem::status_and_code;
use crate::model::Reason;

/// The reasons of a route's own, for the `x-refuses` of its documentation.
macro_rules! refuses {
    ($($reason:ident),+ $(,)?) => {
        $crate::http::v1::openapi::refused(&[$($crate::model::Reason::$reason),+])
    };
}
pub(in crate::http::v1) use refuses;

/// A reason as the document holds it until its place is found.
pub(in crate::http::v1) fn refused(reasons: &[Reason]) -> Value {
    let line = |reason: &Reason| {
        let (status, code) = status_and_code(*reason);
        json!({
            "reason": reason.word(),
            "status": status.as_u16(),
            "code": code,
            "meaning": meaning(*reason),
        })
    };
    reasons.iter().map(line).collect()
}

/// What a reason means, in one line for people.
const fn meaning(reason: Reason) -> &'static str {
    use Reason as R;
    match reason {
        R::MalformedJson => "the body is not JSON",
        R::MissingField => "a field is missing; `field` names it",
        R::UnknownField => "a field or query parameter is unknown; `field` names it",
        R::InvalidParameter => "a value breaks its rule; `field` names it",
        R::InvalidGroupId => "no group can have this id",
        R::InvalidUserId => "no user can have this id; `field` names it",
        R::BodyTooLarge => "the body is larger than `limit` bytes",
        R::TooManyInCall => "more people are named than one call may name",
        R::IsOwner => "the person is the group's owner",
        R::MemberNotFound => "the person is not a member of the group",
        R::BanNotFound => "the person is not banned",
        R::AttributeKeyInvalid => {
            "the key of an attribute is empty, too long or has control characters"
        }
        R::AttributeValueTooLong => "the value of an attribute is too long",
        R::AttributeNotFound => "the group has no attribute of this key",
        R::TooManyAttributes => "the group would have too many attributes",
        R::AttributesTooLarge => "the group's attributes would be too large together",
        R::AttributesTooOften => "the group's attributes changed too often within a second",
        R::UnknownRoute => "there is no such route",
        R::MethodNotAllowed => "the route does not know this method",
        R::IdempotencyKeyReused => "the key was used with another body",
        R::TokenMissing => "there is no credential",
        R::TokenMalformed => "the credential cannot be read",
        R::TokenExpired => "the credential has expired",
        R::TokenSignatureWrong => "the credential's signature is wrong",
        R::TokenOfAnotherApp => "the credential was made for another app",
        R::TokenOfAnotherUser => "the credential was made for another user",
        R::TokenRevoked => "the credential was revoked, or its account deleted",
        R::AdministratorsOnly => "only app administrators may do this",
        R::NotAMember => "the caller is not a member of the group",
        R::RoleTooLow => "the caller's role in the group is too low",
        R::NotAllowedForType => "a group of this type does not support it",
        R::InviteDisabled => "the group's `inviteOption` is `DisableInvite`",
        R::ApplyDisabled => "the group's `joinOption` is `DisableApply`",
        R::DeclinedByUser => "the person does not want to be invited",
        R::OwnerMayNotQuit => "the owner cannot leave a group of this type",
        R::Banned => "the person is banned from the group",
        R::GroupNotFound => "there is no such group",
        R::UserNotFound => "there is no such user",
        R::UnknownAccount => "the person has no account",
        R::AccountDeleted => "the account was deleted",
        R::ApplicationNotFound => "there is no such application",
        R::AlreadyHandled => "the application was decided already, or has ended",
        R::AlreadyMember => "the person is a member already",
        R::GroupIdTaken => "the id belongs to a group, or did once",
        R::GroupIdTakenByOwner => "the owner has a group with this id already",
        R::GroupFull => "not everybody finds room in the group",
        R::GroupLimitReached => "the person is in as many groups as possible",
        R::MemberCapTooHigh => "`maxMemberCount` is above the setting",
        R::TooManyPending => "too many applications are open",
        R::RateLimited => "too many requests; wait as `Retry-After` says",
        R::Busy => "too much waits for this group; nothing was changed",
        R::Unavailable => "the database does not answer; nothing was changed",
        R::OutcomeUnknown => "whether it was done is not known: repeat it with the same key",
        R::Internal => "a fault of the server; it was logged",
    }
}

/// Responses that many routes share, by their names among the components.
const SHARED: &[(&str, &[Reason])] = &[
    (
        "Unauthorized",
        &[
            Reason::TokenMissing,
            Reason::TokenMalformed,
            Reason::TokenExpired,
            Reason::TokenSignatureWrong,
            Reason::TokenOfAnotherApp,
            Reason::TokenOfAnotherUser,
            Reason::TokenRevoked,
        ],
    ),
    ("BodyTooLarge", &[Reason::BodyTooLarge]),
    ("TooManyRequests", &[Reason::RateLimited]),
    ("Internal", &[Reason::Internal]),
    ("Unavailable", &[Reason::Unavailable]),
    ("ChangeUnavailable", &[Reason::Busy, Reason::Unavailable, Reason::OutcomeUnknown]),
];

/// What follows from a body, a query, an id in the path or an idempotency key.
const IMPLIED: &[Reason] = &[
    Reason::MalformedJson,
    Reason::UnknownField,
    Reason::InvalidParameter,
    Reason::InvalidGroupId,
    Reason::GroupNotFound,
    Reason::InvalidUserId,
    Reason::IdempotencyKeyReused,
];

/// What the permission brings that every route of a group asks for. A type of an operator's own can give
/// it to anybody, so that each of these is possible everywhere.
const PERMISSION: &[Reason] = &[
    Reason::NotAllowedForType,
    Reason::AdministratorsOnly,
    Reason::NotAMember,
    Reason::RoleTooLow,
];

/// The shared responses.
pub(super) fn components() -> Value {
    let mut all = Map::new();
    for (name, reasons) in SHARED {
        all.insert((*name).to_owned(), response(&refused(reasons)));
    }
    Value::Object(all)
}

/// An example of every refusal that stands in one of these operations or in a shared response.
pub(super) fn examples<'a>(own: impl Iterator<Item = &'a Value>) -> Value {
    let shared = SHARED.iter().flat_map(|(_, reasons)| list(&refused(reasons)));
    let many = IMPLIED.iter().chain(PERMISSION).copied().collect::<Vec<_>>();
    let many = list(&refused(&many));
    let mut all = Map::new();
    for line in many.into_iter().chain(shared).chain(own.cloned()) {
        let word = line["reason"].as_str().unwrap_or_default().to_owned();
        let value = json!({
            "code": line["code"], "desc": line["meaning"], "data": { "reason": word }
        });
        all.entry(word).or_insert(json!({ "value": value }));
    }
    Value::Object(all)
}

/// The schema of every refusal.
pub(super) fn schema() -> Value {
    json!({
        "type": "object",
        "description": "Why a call was refused. A refused call changed nothing, unless `reason` is \
                        `outcome_unknown`.",
        "required": ["code", "desc", "data"],
        "properties": {
            "code": { "type": "integer", "description": "An error number of Tencent IM." },
            "desc": { "type": "string", "description": "Why, for people. The text may change." },
            "data": {
                "type": "object",
                "description": "What explains it.",
                "required": ["reason"],
                "properties": {
                    "reason": { "type": "string", "description": "Why, as a stable word." },
                    "field": { "type": "string", "description": "The field at fault." },
                    "limit": { "type": "integer", "description": "The limit that was met." },
                    "current": {
                        "type": "integer",
                        "description": "Where the caller stands with respect to the limit."
                    },
                    "source": {
                        "type": "string",
                        "description": "Where the limit comes from: a setting, a group or a user."
                    }
                }
            }
        }
    })
}

/// What a route has that brings refusals with it.
pub(super) struct Traits<'a> {
    pub(super) path: &'a str,
    pub(super) method: &'a str,
    /// Whether it asks for a credential.
    pub(super) secured: bool,
    /// Whether it takes a body.
    pub(super) body: bool,
    /// Whether it is a websocket, which counts no requests.
    pub(super) socket: bool,
    /// The refusals of its own.
    pub(super) own: &'a [Value],
}

impl Traits<'_> {
    /// All refusals of the route, as responses by status.
    pub(super) fn responses(&self) -> BTreeMap<String, Value> {
        let mut of_status: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        let (mut implied, mut places) = (self.implied(), Vec::new());
        for (status, name) in self.shared() {
            if self.own.iter().any(|line| line["status"] == status) {
                // One answer has both: what is shared and what is the route's own.
                let of_name = SHARED.iter().filter(|(known, _)| *known == name);
                implied.extend(of_name.flat_map(|(_, reasons)| *reasons));
            } else {
                places.push((status, name));
            }
        }
        let implied = list(&refused(&implied));
        for line in implied.iter().chain(self.own) {
            let lines = of_status.entry(line["status"].to_string()).or_default();
            if !lines.contains(line) {
                lines.push(line.clone());
            }
        }
        let mut all: BTreeMap<String, Value> = of_status
            .into_iter()
            .map(|(status, lines)| (status, response(&Value::Array(lines))))
            .collect();
        for (status, name) in places {
            let place = json!({ "$ref": format!("#/components/responses/{name}") });
            all.insert(status.to_string(), place);
        }
        all
    }

    /// The reasons that follow from what the route has.
    fn implied(&self) -> Vec<Reason> {
        let cases = [
            (self.body, Reason::MalformedJson),
            (self.secured && !self.socket, Reason::UnknownField),
            (self.secured, Reason::InvalidParameter),
            (self.path.contains("{groupID}"), Reason::InvalidGroupId),
            (self.path.contains("{groupID}"), Reason::GroupNotFound),
            (self.path.contains("{userID}"), Reason::InvalidUserId),
            (self.method == "post", Reason::IdempotencyKeyReused),
        ];
        let hold = cases.into_iter().filter_map(|(holds, reason)| holds.then_some(reason));
        let of_group = self.path.contains("{groupID}").then_some(PERMISSION);
        hold.chain(of_group.into_iter().flatten().copied()).collect()
    }

    /// The responses that the route shares with others.
    fn shared(&self) -> Vec<(u16, &'static str)> {
        let unavailable = if self.method == "get" { "Unavailable" } else { "ChangeUnavailable" };
        let cases = [
            (self.secured, 401, "Unauthorized"),
            (self.body, 413, "BodyTooLarge"),
            (self.secured && !self.socket, 429, "TooManyRequests"),
            (self.secured, 500, "Internal"),
            (self.secured, 503, unavailable),
        ];
        let hold = cases.into_iter().filter(|(holds, ..)| *holds);
        hold.map(|(_, status, name)| (status, name)).collect()
    }
}

/// The lines of a list.
fn list(lines: &Value) -> Vec<Value> {
    lines.as_array().cloned().unwrap_or_default()
}

/// A response for reasons of one status.
fn response(lines: &Value) -> Value {
    let lines = list(lines);
    let text: Vec<String> = lines
        .iter()
        .map(|line| {
            let word = line["reason"].as_str().unwrap_or_default();
            let meaning = line["meaning"].as_str().unwrap_or_default();
            format!("- `{word}` ({}): {meaning}", line["code"])
        })
        .collect();
    let mut codes: Vec<u64> = lines.iter().filter_map(|line| line["code"].as_u64()).collect();
    codes.sort_unstable();
    codes.dedup();
    let words: Vec<&Value> = lines.iter().map(|line| &line["reason"]).collect();
    let examples: Map<String, Value> = lines
        .iter()
        .filter_map(|line| line["reason"].as_str())
        .map(|word| (word.to_owned(), json!({ "$ref": format!("#/components/examples/{word}") })))
        .collect();
    let mut response = json!({
        "description": text.join("\n"),
        "content": { "application/json": {
            "schema": {
                "$ref": "#/components/schemas/Refusal",
                "properties": {
                    "code": { "enum": codes },
                    "data": { "properties": { "reason": { "enum": words } } }
                }
            },
            "examples": examples
        } }
    });
    if [429, 503].iter().any(|status| lines.iter().any(|line| line["status"] == *status)) {
        response["headers"] = json!({ "Retry-After": {
            "description": "Seconds after which a retry makes sense.",
            "schema": { "type": "integer" }
        } });
    }
    response
}
