//! What a call did to each person it named.

use serde::{Deserialize, Serialize};

use super::id::UserId;

/// The result of one person, 0 to 4 (`V2TIM_GROUP_MEMBER_RESULT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MemberResult {
    /// 0: it was not done; the reason says why.
    Failed,
    /// 1: done.
    Done,
    /// 2: nothing to do: already a member when inviting, not a member when kicking.
    Invalid,
    /// 3: waits for somebody's consent.
    Pending,
    /// 4: the person is in as many groups as he may be.
    OverLimit,
}

impl MemberResult {
    /// The number of the wire.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Failed => 0,
            Self::Done => 1,
            Self::Invalid => 2,
            Self::Pending => 3,
            Self::OverLimit => 4,
        }
    }
}

/// Why a person's result is not 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the documentation")]
pub enum MemberReason {
    AlreadyMember,
    NotAMember,
    Banned,
    UnknownUser,
    AccountDeleted,
    DeclinedByUser,
    GroupLimitReached,
    AwaitingApproval,
    AwaitingInvitee,
    TooManyPending,
    IsOwner,
    RoleTooLow,
    NotBanned,
}

impl MemberReason {
    /// The stable word of the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::AlreadyMember => "already_member",
            Self::NotAMember => "not_a_member",
            Self::Banned => "banned",
            Self::UnknownUser => "unknown_user",
            Self::AccountDeleted => "account_deleted",
            Self::DeclinedByUser => "declined_by_user",
            Self::GroupLimitReached => "group_limit_reached",
            Self::AwaitingApproval => "awaiting_approval",
            Self::AwaitingInvitee => "awaiting_invitee",
            Self::TooManyPending => "too_many_pending",
            Self::IsOwner => "is_owner",
            Self::RoleTooLow => "role_too_low",
            Self::NotBanned => "not_banned",
        }
    }
}

/// One person's line in a reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberOutcome {
    /// Who.
    pub user: UserId,
    /// What became of it.
    pub result: MemberResult,
    /// Why it is not 1.
    pub reason: Option<MemberReason>,
    /// The limit that was met.
    pub limit: Option<i64>,
    /// Where the person stands with respect to it.
    pub current: Option<i64>,
    /// Where the limit comes from.
    pub source: Option<String>,
}

impl MemberOutcome {
    /// Result 1.
    #[must_use]
    pub fn done(user: UserId) -> Self {
        Self {
            user,
            result: MemberResult::Done,
            reason: None,
            limit: None,
            current: None,
            source: None,
        }
    }

    /// Any other result, with its reason.
    #[must_use]
    pub fn other(user: UserId, result: MemberResult, reason: MemberReason) -> Self {
        Self { user, result, reason: Some(reason), limit: None, current: None, source: None }
    }

    /// Adds the limit that made the result.
    #[must_use]
    pub fn with_limit(mut self, limit: i32, current: i32, source: impl Into<String>) -> Self {
        self.limit = Some(limit.into());
        self.current = Some(current.into());
        self.source = Some(source.into());
        self
    }
}
