//! Answers: the envelope, and the code of every refusal (`tencent-im.md` section 4).
//!
//! A call is answered with HTTP status 200 whatever becomes of it; `ErrorCode` tells. Refusals that only
//! this face knows carry their code, all others get it from their [`Reason`].

use serde_json::{Map, Value, json};

use super::table::Family;
use crate::model::{Error, Reason, Reply};

/// Largest answer in bytes; a call that asks for more is refused with 10018.
pub(super) const REPLY_BYTES: usize = 1024 * 1024;

/// The body cannot be read as a JSON object.
pub(super) const BODY_NOT_JSON: u32 = 60_003;
/// The `sdkappid` is not this server's.
pub(super) const APP_UNKNOWN: u32 = 60_006;
/// The request did not come whole or in time, or with a method that no command is called with.
pub(super) const REQUEST_BROKEN: u32 = 60_008;
/// The path cannot be that of any command.
pub(super) const PATH_WRONG: u32 = 60_009;
/// The caller is no app administrator.
pub(super) const ADMINISTRATORS_ONLY: u32 = 60_010;
/// The query names no `sdkappid`.
pub(super) const APP_MISSING: u32 = 60_012;
/// The service has no such command, or Muster does not offer it.
pub(super) const COMMAND_UNKNOWN: u32 = 10_003;
/// A command that the group's type does not support.
pub(super) const NO_PERMISSION: u32 = 10_007;
/// A parameter that breaks its rule.
pub(super) const PARAMETER_WRONG: u32 = 10_004;
/// The answer would be larger than [`REPLY_BYTES`].
pub(super) const REPLY_TOO_LARGE: u32 = 10_018;
/// A text of an account's profile is too long.
pub(super) const PROFILE_VALUE_TOO_LONG: u32 = 40_601;

/// What a command answers beside the envelope.
pub(super) type Answer = Map<String, Value>;

/// Why a call is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// For a reason that both faces share.
    Shared(Error),
    /// For a reason that only this face knows.
    Coded(u32, String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Shared(error)
    }
}

impl Refusal {
    /// A refusal with a code of this face's own.
    pub(super) fn coded(code: u32, text: impl Into<String>) -> Self {
        Self::Coded(code, text.into())
    }

    /// A reply of the engine that does not belong to the operation.
    pub(super) fn misplaced(reply: &Reply) -> Self {
        Self::Shared(Error::internal(format!("a reply that does not belong here: {reply:?}")))
    }

    /// The code. `unsupported` is what the command answers for a type of group that it does not
    /// support.
    pub(super) fn code(&self, family: Family, unsupported: u32) -> u32 {
        match self {
            Self::Coded(code, _) => *code,
            Self::Shared(error) if error.reason == Reason::NotAllowedForType => unsupported,
            Self::Shared(error) => code(error.reason, family),
        }
    }

    /// The text for people.
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Coded(_, text) => text,
            Self::Shared(error) => &error.text,
        }
    }
}

/// The code of a reason. The account service has numbers of its own for what goes wrong inside it; for
/// everything else both are the same.
pub(super) fn code(reason: Reason, family: Family) -> u32 {
    let same = |code| (code, code);
    let (groups, accounts) = match reason {
        Reason::MalformedJson => same(BODY_NOT_JSON),
        Reason::MissingField
        | Reason::UnknownField
        | Reason::InvalidParameter
        | Reason::InvalidUserId
        | Reason::BodyTooLarge
        | Reason::IdempotencyKeyReused
        | Reason::ApplicationNotFound
        | Reason::MemberNotFound
        | Reason::BanNotFound => (PARAMETER_WRONG, 70_402),
        Reason::InvalidGroupId => (10_015, 70_402),
        Reason::TooManyInCall => (10_005, 70_402),
        Reason::UnknownRoute => same(COMMAND_UNKNOWN),
        Reason::MethodNotAllowed => same(REQUEST_BROKEN),
        Reason::TokenMissing => same(70_002),
        Reason::TokenMalformed => same(70_003),
        Reason::TokenExpired => same(70_001),
        Reason::TokenSignatureWrong => same(70_009),
        Reason::TokenOfAnotherApp => same(70_014),
        Reason::TokenOfAnotherUser => same(70_013),
        Reason::TokenRevoked => same(70_052),
        Reason::AdministratorsOnly => (NO_PERMISSION, 70_403),
        Reason::NotAMember
        | Reason::RoleTooLow
        | Reason::NotAllowedForType
        | Reason::InviteDisabled
        | Reason::ApplyDisabled
        | Reason::DeclinedByUser
        | Reason::IsOwner
        | Reason::Banned => same(NO_PERMISSION),
        Reason::OwnerMayNotQuit => same(10_009),
        Reason::GroupNotFound => same(10_010),
        Reason::UserNotFound | Reason::UnknownAccount => (10_019, 70_107),
        // For the account service this is over soon: the code that tells its clients to try again.
        Reason::AccountDeleted => (10_019, 70_169),
        Reason::AlreadyHandled => same(10_024),
        Reason::AlreadyMember => same(10_013),
        Reason::GroupIdTaken => same(10_021),
        Reason::GroupIdTakenByOwner => same(10_025),
        Reason::GroupFull => same(10_014),
        Reason::GroupLimitReached => same(10_037),
        Reason::MemberCapTooHigh => same(10_038),
        Reason::AttributeKeyInvalid => same(10_045),
        Reason::AttributeValueTooLong => same(10_046),
        Reason::TooManyAttributes => same(10_047),
        Reason::AttributesTooLarge => same(10_048),
        Reason::AttributesTooOften => same(10_049),
        Reason::AttributeNotFound => same(10_050),
        Reason::RateLimited | Reason::TooManyPending => same(10_006),
        Reason::Busy | Reason::Unavailable | Reason::OutcomeUnknown | Reason::Internal => {
            (10_002, 70_500)
        }
    };
    match family {
        Family::Groups => groups,
        Family::Accounts => accounts,
    }
}

/// A finished answer: its code, and its bytes.
pub(super) struct Finished {
    pub(super) code: u32,
    pub(super) body: Vec<u8>,
}

/// Puts an answer into the envelope, within [`REPLY_BYTES`].
pub(super) fn success(answer: Answer) -> Finished {
    let mut envelope = Map::new();
    envelope.insert("ActionStatus".to_owned(), json!("OK"));
    envelope.insert("ErrorInfo".to_owned(), json!(""));
    envelope.insert("ErrorCode".to_owned(), json!(0));
    envelope.extend(answer);
    let body = Value::Object(envelope).to_string().into_bytes();
    if body.len() > REPLY_BYTES {
        return failure(REPLY_TOO_LARGE, &too_large_text());
    }
    Finished { code: 0, body }
}

/// The refusal of a call whose answer would not fit.
pub(super) fn too_large() -> Refusal {
    Refusal::Coded(REPLY_TOO_LARGE, too_large_text())
}

fn too_large_text() -> String {
    format!("the answer would be larger than {REPLY_BYTES} bytes; ask for less at a time")
}

/// The envelope of a refusal.
pub(super) fn failure(code: u32, text: &str) -> Finished {
    let envelope = json!({"ActionStatus": "FAIL", "ErrorInfo": text, "ErrorCode": code});
    Finished { code, body: envelope.to_string().into_bytes() }
}

#[cfg(test)]
mod tests;
