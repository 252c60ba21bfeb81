//! From a refusal to a status, a code and a body: one exhaustive match.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::model::{Error, Reason};

/// The HTTP status and the code (`tencent-im.md` section 4) of a reason.
#[must_use]
pub fn status_and_code(reason: Reason) -> (StatusCode, u32) {
    use StatusCode as S;
    match reason {
        Reason::MalformedJson => (S::BAD_REQUEST, 10011),
        Reason::MissingField
        | Reason::UnknownField
        | Reason::InvalidParameter
        | Reason::InvalidUserId => (S::BAD_REQUEST, 10004),
        Reason::InvalidGroupId => (S::BAD_REQUEST, 10015),
        Reason::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, 10004),
        Reason::TooManyInCall => (S::BAD_REQUEST, 10005),
        Reason::AttributeKeyInvalid => (S::BAD_REQUEST, 10045),
        Reason::AttributeValueTooLong => (S::BAD_REQUEST, 10046),
        Reason::MemberCapTooHigh => (S::BAD_REQUEST, 10038),
        Reason::UnknownRoute => (S::NOT_FOUND, 10003),
        Reason::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, 10003),
        Reason::IdempotencyKeyReused => (S::CONFLICT, 10004),
        Reason::TokenMissing => (S::UNAUTHORIZED, 70002),
        Reason::TokenMalformed => (S::UNAUTHORIZED, 70003),
        Reason::TokenExpired => (S::UNAUTHORIZED, 70001),
        Reason::TokenSignatureWrong => (S::UNAUTHORIZED, 70009),
        Reason::TokenOfAnotherApp => (S::UNAUTHORIZED, 70014),
        Reason::TokenOfAnotherUser => (S::UNAUTHORIZED, 70013),
        Reason::TokenRevoked => (S::UNAUTHORIZED, 70052),
        Reason::AdministratorsOnly
        | Reason::NotAMember
        | Reason::RoleTooLow
        | Reason::NotAllowedForType
        | Reason::InviteDisabled
        | Reason::ApplyDisabled
        | Reason::DeclinedByUser
        | Reason::IsOwner
        | Reason::Banned => (S::FORBIDDEN, 10007),
        Reason::OwnerMayNotQuit => (S::FORBIDDEN, 10009),
        Reason::GroupNotFound => (S::NOT_FOUND, 10010),
        Reason::UserNotFound | Reason::UnknownAccount | Reason::AccountDeleted => {
            (S::NOT_FOUND, 10019)
        }
        Reason::ApplicationNotFound | Reason::MemberNotFound | Reason::BanNotFound => {
            (S::NOT_FOUND, 10004)
        }
        Reason::AttributeNotFound => (S::NOT_FOUND, 10050),
        Reason::AlreadyHandled => (S::CONFLICT, 10024),
        Reason::AlreadyMember => (S::CONFLICT, 10013),
        Reason::GroupIdTaken => (S::CONFLICT, 10021),
        Reason::GroupIdTakenByOwner => (S::CONFLICT, 10025),
        Reason::GroupFull => (S::CONFLICT, 10014),
        Reason::GroupLimitReached => (S::CONFLICT, 10037),
        Reason::TooManyPending => (S::CONFLICT, 10006),
        Reason::TooManyAttributes => (S::CONFLICT, 10047),
        Reason::AttributesTooLarge => (S::CONFLICT, 10048),
        Reason::AttributesTooOften => (S::TOO_MANY_REQUESTS, 10049),
        Reason::RateLimited => (S::TOO_MANY_REQUESTS, 10006),
        Reason::Busy | Reason::Unavailable | Reason::OutcomeUnknown => {
            (S::SERVICE_UNAVAILABLE, 10002)
        }
        Reason::Internal => (S::INTERNAL_SERVER_ERROR, 10002),
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    code: u32,
    desc: &'a str,
    data: Explanation<'a>,
}

#[derive(Serialize)]
struct Explanation<'a> {
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    current: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<&'a str>,
}

/// The answer to a refused call. What only the operator may see goes to the log here.
#[must_use]
pub fn response(error: &Error) -> Response {
    let (status, code) = status_and_code(error.reason);
    if let Some(context) = &error.context {
        if error.reason == Reason::Internal {
            tracing::error!("{context}");
        } else {
            tracing::warn!(reason = error.reason.word(), "{context}");
        }
    }
    let data = Explanation {
        reason: error.reason.word(),
        field: error.field.as_deref(),
        limit: error.limit,
        current: error.current,
        source: error.source.as_deref(),
    };
    let body = axum::Json(Envelope { code, desc: &error.text, data });
    let mut response = (status, body).into_response();
    if let Some(seconds) = error.retry_after {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
    }
    response
}

/// A refusal as a handler returns it.
#[derive(Debug)]
pub struct Problem(pub Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        response(&self.0)
    }
}

/// The answer to a path that does not exist.
pub async fn unknown_route() -> Problem {
    Problem(Error::new(Reason::UnknownRoute, "there is no such route"))
}

/// The answer to a method that the path does not know.
pub async fn method_not_allowed() -> Problem {
    Problem(Error::new(Reason::MethodNotAllowed, "the route does not know this method"))
}
