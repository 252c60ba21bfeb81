//! Codes and envelopes.

use std::collections::HashSet;

use super::*;

/// Section 4 of `tencent-im.md`, reason by reason: the code of the group service, and that of the account
/// service.
#[rustfmt::skip]
const CODES: &[(Reason, u32, u32)] = &[
    (Reason::MalformedJson,        60_003, 60_003),
    (Reason::MissingField,         10_004, 70_402),
    (Reason::UnknownField,         10_004, 70_402),
    (Reason::InvalidParameter,     10_004, 70_402),
    (Reason::InvalidGroupId,       10_015, 70_402),
    (Reason::InvalidUserId,        10_004, 70_402),
    (Reason::BodyTooLarge,         10_004, 70_402),
    (Reason::TooManyInCall,        10_005, 70_402),
    (Reason::UnknownRoute,         10_003, 10_003),
    (Reason::MethodNotAllowed,     60_008, 60_008),
    (Reason::IdempotencyKeyReused, 10_004, 70_402),
    (Reason::TokenMissing,         70_002, 70_002),
    (Reason::TokenMalformed,       70_003, 70_003),
    (Reason::TokenExpired,         70_001, 70_001),
    (Reason::TokenSignatureWrong,  70_009, 70_009),
    (Reason::TokenOfAnotherApp,    70_014, 70_014),
    (Reason::TokenOfAnotherUser,   70_013, 70_013),
    (Reason::TokenRevoked,         70_052, 70_052),
    (Reason::AdministratorsOnly,   10_007, 70_403),
    (Reason::NotAMember,           10_007, 10_007),
    (Reason::RoleTooLow,           10_007, 10_007),
    (Reason::NotAllowedForType,    10_007, 10_007),
    (Reason::InviteDisabled,       10_007, 10_007),
    (Reason::ApplyDisabled,        10_007, 10_007),
    (Reason::DeclinedByUser,       10_007, 10_007),
    (Reason::OwnerMayNotQuit,      10_009, 10_009),
    (Reason::Banned,               10_007, 10_007),
    (Reason::GroupNotFound,        10_010, 10_010),
    (Reason::UserNotFound,         10_019, 70_107),
    (Reason::UnknownAccount,       10_019, 70_107),
    (Reason::AccountDeleted,       10_019, 70_169),
    (Reason::ApplicationNotFound,  10_004, 70_402),
    (Reason::AlreadyHandled,       10_024, 10_024),
    (Reason::AlreadyMember,        10_013, 10_013),
    (Reason::GroupIdTaken,         10_021, 10_021),
    (Reason::GroupIdTakenByOwner,  10_025, 10_025),
    (Reason::GroupFull,            10_014, 10_014),
    (Reason::GroupLimitReached,    10_037, 10_037),
    (Reason::MemberCapTooHigh,     10_038, 10_038),
    (Reason::TooManyPending,       10_006, 10_006),
    (Reason::AttributeKeyInvalid,   10_045, 10_045),
    (Reason::AttributeValueTooLong, 10_046, 10_046),
    (Reason::TooManyAttributes,     10_047, 10_047),
    (Reason::AttributesTooLarge,    10_048, 10_048),
    (Reason::AttributesTooOften,    10_049, 10_049),
    (Reason::AttributeNotFound,     10_050, 10_050),
    (Reason::RateLimited,          10_006, 10_006),
    (Reason::Busy,                 10_002, 70_500),
    (Reason::Unavailable,          10_002, 70_500),
    (Reason::OutcomeUnknown,       10_002, 70_500),
    (Reason::Internal,             10_002, 70_500),
];

#[test]
fn every_reason_has_the_code_of_the_document() {
    for (reason, groups, accounts) in CODES {
        assert_eq!(code(*reason, Family::Groups), *groups, "{reason:?}");
        assert_eq!(code(*reason, Family::Accounts), *accounts, "{reason:?}");
    }
    let listed: HashSet<Reason> = CODES.iter().map(|(reason, ..)| *reason).collect();
    assert_eq!(listed.len(), CODES.len());
}

#[test]
fn an_unsupported_type_is_refused_as_the_command_does() {
    let refusal = Refusal::from(Error::new(Reason::NotAllowedForType, "no"));
    assert_eq!(refusal.code(Family::Groups, NO_PERMISSION), 10_007);
    assert_eq!(refusal.code(Family::Groups, PARAMETER_WRONG), 10_004);
    let other = Refusal::from(Error::new(Reason::GroupNotFound, "no"));
    assert_eq!(other.code(Family::Groups, PARAMETER_WRONG), 10_010);
    let own = Refusal::coded(PROFILE_VALUE_TOO_LONG, "no");
    assert_eq!(own.code(Family::Accounts, NO_PERMISSION), 40_601);
}

#[test]
fn a_success_has_its_fields_beside_the_envelope() {
    let mut answer = Answer::new();
    answer.insert("GroupId".to_owned(), json!("g1"));
    let finished = success(answer);
    assert_eq!(finished.code, 0);
    let read: Value = serde_json::from_slice(&finished.body).unwrap();
    let expected = json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "GroupId": "g1"});
    assert_eq!(read, expected);
}

#[test]
fn a_refusal_has_nothing_but_the_envelope() {
    let finished = failure(10_010, "there is no such group");
    assert_eq!(finished.code, 10_010);
    let read: Value = serde_json::from_slice(&finished.body).unwrap();
    let expected = json!({
        "ActionStatus": "FAIL", "ErrorInfo": "there is no such group", "ErrorCode": 10_010
    });
    assert_eq!(read, expected);
}

#[test]
fn an_answer_over_the_bound_is_refused() {
    let of_size = |bytes: usize| {
        let mut answer = Answer::new();
        answer.insert("x".to_owned(), json!("y".repeat(bytes)));
        success(answer)
    };
    let around = of_size(0).body.len();
    let largest = of_size(REPLY_BYTES - around);
    assert_eq!((largest.code, largest.body.len()), (0, REPLY_BYTES));
    let larger = of_size(REPLY_BYTES - around + 1);
    assert_eq!(larger.code, 10_018);
    let read: Value = serde_json::from_slice(&larger.body).unwrap();
    assert_eq!(read["ErrorCode"], 10_018);
    assert!(read.get("x").is_none());
}
