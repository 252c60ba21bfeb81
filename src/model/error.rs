//! One closed enum of everything that can go wrong for a caller.
//!
//! The text for people (`text`) never carries SQL, paths or secrets; what only the operator may see
//! goes into `context`, which no face prints. Each face maps [`Reason`] with one exhaustive `match`.

use std::any::Any;
use std::fmt;

/// Why a call was refused: stable, public, spelled in snake_case on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the documentation; api.md lists them")]
pub enum Reason {
    // What was sent
    MalformedJson,
    MissingField,
    UnknownField,
    InvalidParameter,
    InvalidGroupId,
    InvalidUserId,
    BodyTooLarge,
    TooManyInCall,
    AttributeKeyInvalid,
    AttributeValueTooLong,
    UnknownRoute,
    MethodNotAllowed,
    IdempotencyKeyReused,
    // Who asks
    TokenMissing,
    TokenMalformed,
    TokenExpired,
    TokenSignatureWrong,
    TokenOfAnotherApp,
    TokenOfAnotherUser,
    TokenRevoked,
    // What he may do
    AdministratorsOnly,
    NotAMember,
    RoleTooLow,
    NotAllowedForType,
    InviteDisabled,
    ApplyDisabled,
    DeclinedByUser,
    OwnerMayNotQuit,
    IsOwner,
    Banned,
    // What there is
    GroupNotFound,
    MemberNotFound,
    BanNotFound,
    UserNotFound,
    UnknownAccount,
    AccountDeleted,
    ApplicationNotFound,
    AttributeNotFound,
    AlreadyHandled,
    AlreadyMember,
    GroupIdTaken,
    GroupIdTakenByOwner,
    // How much there may be
    GroupFull,
    GroupLimitReached,
    MemberCapTooHigh,
    TooManyPending,
    TooManyAttributes,
    AttributesTooLarge,
    AttributesTooOften,
    RateLimited,
    // The server's side
    Busy,
    Unavailable,
    OutcomeUnknown,
    Internal,
}

impl Reason {
    /// The stable word of the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::MissingField => "missing_field",
            Self::UnknownField => "unknown_field",
            Self::InvalidParameter => "invalid_parameter",
            Self::InvalidGroupId => "invalid_group_id",
            Self::InvalidUserId => "invalid_user_id",
            Self::BodyTooLarge => "body_too_large",
            Self::TooManyInCall => "too_many_in_call",
            Self::AttributeKeyInvalid => "attribute_key_invalid",
            Self::AttributeValueTooLong => "attribute_value_too_long",
            Self::UnknownRoute => "unknown_route",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::TokenMissing => "token_missing",
            Self::TokenMalformed => "token_malformed",
            Self::TokenExpired => "token_expired",
            Self::TokenSignatureWrong => "token_signature_wrong",
            Self::TokenOfAnotherApp => "token_of_another_app",
            Self::TokenOfAnotherUser => "token_of_another_user",
            Self::TokenRevoked => "token_revoked",
            Self::AdministratorsOnly => "administrators_only",
            Self::NotAMember => "not_a_member",
            Self::RoleTooLow => "role_too_low",
            Self::NotAllowedForType => "not_allowed_for_type",
            Self::InviteDisabled => "invite_disabled",
            Self::ApplyDisabled => "apply_disabled",
            Self::DeclinedByUser => "declined_by_user",
            Self::OwnerMayNotQuit => "owner_may_not_quit",
            Self::IsOwner => "is_owner",
            Self::Banned => "banned",
            Self::GroupNotFound => "group_not_found",
            Self::MemberNotFound => "member_not_found",
            Self::BanNotFound => "ban_not_found",
            Self::UserNotFound => "user_not_found",
            Self::UnknownAccount => "unknown_user",
            Self::AccountDeleted => "account_deleted",
            Self::ApplicationNotFound => "application_not_found",
            Self::AttributeNotFound => "attribute_not_found",
            Self::AlreadyHandled => "already_handled",
            Self::AlreadyMember => "already_member",
            Self::GroupIdTaken => "group_id_taken",
            Self::GroupIdTakenByOwner => "group_id_taken_by_owner",
            Self::GroupFull => "group_full",
            Self::GroupLimitReached => "group_limit_reached",
            Self::MemberCapTooHigh => "member_cap_too_high",
            Self::TooManyPending => "too_many_pending",
            Self::TooManyAttributes => "too_many_attributes",
            Self::AttributesTooLarge => "attributes_too_large",
            Self::AttributesTooOften => "attributes_too_often",
            Self::RateLimited => "rate_limited",
            Self::Busy => "busy",
            Self::Unavailable => "unavailable",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::Internal => "internal",
        }
    }

    /// Whether the same call may succeed when it is simply sent again.
    #[must_use]
    pub fn retryable(self) -> bool {
        matches!(
            self,
            Self::AttributesTooOften
                | Self::RateLimited
                | Self::Busy
                | Self::Unavailable
                | Self::OutcomeUnknown
        )
    }
}

/// A refused call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Why, as a stable word.
    pub reason: Reason,
    /// Why, for people.
    pub text: String,
    /// The field that is at fault, as the caller spelled it.
    pub field: Option<String>,
    /// The limit that was met: a count or a number of bytes, as `text` says.
    pub limit: Option<i64>,
    /// Where the caller stands with respect to the limit.
    pub current: Option<i64>,
    /// Where the limit comes from: a setting, a field of a group or of a user.
    pub source: Option<String>,
    /// Seconds after which a retry makes sense.
    pub retry_after: Option<u32>,
    /// For the operator's log only.
    pub context: Option<String>,
}

impl Error {
    /// A refusal with a text for people.
    pub fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
            field: None,
            limit: None,
            current: None,
            source: None,
            retry_after: None,
            context: None,
        }
    }

    /// A parameter that breaks its rule.
    pub fn parameter(field: &str, rule: impl fmt::Display) -> Self {
        Self::new(Reason::InvalidParameter, format!("{field} {rule}")).field(field)
    }

    /// A call that only app administrators may make.
    pub fn administrators_only(text: impl Into<String>) -> Self {
        Self::new(Reason::AdministratorsOnly, text).source("MUSTER_ADMINS")
    }

    /// A fault of the server. The caller learns only that it happened.
    pub fn internal(context: impl fmt::Display) -> Self {
        let mut error = Self::new(Reason::Internal, "an internal error happened; it was logged");
        error.context = Some(context.to_string());
        error
    }

    /// Names the field at fault.
    #[must_use]
    pub fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    /// Names the limit.
    #[must_use]
    pub fn limit(mut self, limit: impl TryInto<i64>) -> Self {
        self.limit = Some(limit.try_into().unwrap_or(i64::MAX));
        self
    }

    /// Says where the caller stands with respect to the limit.
    #[must_use]
    pub fn current(mut self, current: impl TryInto<i64>) -> Self {
        self.current = Some(current.try_into().unwrap_or(i64::MAX));
        self
    }

    /// Says where the limit comes from.
    #[must_use]
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Says after how many seconds a retry makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// Adds what only the operator may see.
    #[must_use]
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.context = Some(context.to_string());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// The text of a panic.
#[must_use]
pub fn text_of_panic(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a text")
}
