//! Applications: somebody would become a member once somebody else agrees.

use super::Moment;
use super::group::words;
use super::id::{ApplicationId, GroupId, UserId};
use serde::{Deserialize, Serialize};

words! {
    /// The three kinds (`tencent-im.md` 6.3; Tencent numbers them 0, 2 and 1).
    ApplicationKind {
        /// Somebody asks to join; owner and admins decide.
        Join = 1,
        /// A member's invitation; owner and admins decide.
        Invite = 2,
        /// An invitation that the invitee decides.
        Invitation = 3,
    }
}

impl ApplicationKind {
    /// The word of the public surface.
    #[must_use]
    pub fn wire(self) -> &'static str {
        match self {
            Self::Join => "join",
            Self::Invite => "invite",
            Self::Invitation => "invitation",
        }
    }
}

words! {
    /// Where an application stands.
    ApplicationState {
        /// Waits for a decision.
        Open = 0,
        /// Somebody agreed.
        Accepted = 1,
        /// Somebody declined.
        Refused = 2,
        /// It ended without a decision.
        Ended = 3,
    }
}

words! {
    /// How an application came to its end.
    Ending {
        /// Somebody agreed.
        Accepted = 1,
        /// Somebody declined.
        Refused = 2,
        /// Nobody decided in time.
        Expired = 3,
        /// The person became a member in another way.
        Joined = 4,
        /// The person was banned from the group.
        Banned = 5,
        /// The group was dismissed.
        Dismissed = 6,
        /// The admins agreed, and now the invitee is asked.
        Forwarded = 7,
        /// The account behind it was deleted.
        AccountDeleted = 8,
    }
}

impl Ending {
    /// The word of the public surface.
    #[must_use]
    pub fn wire(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Joined => "joined",
            Self::Banned => "banned",
            Self::Dismissed => "dismissed",
            Self::Forwarded => "forwarded",
            Self::AccountDeleted => "account_deleted",
        }
    }

    /// The state that it leaves the application in.
    #[must_use]
    pub fn state(self) -> ApplicationState {
        match self {
            Self::Accepted | Self::Forwarded => ApplicationState::Accepted,
            Self::Refused => ApplicationState::Refused,
            _ => ApplicationState::Ended,
        }
    }

    /// Whether the wish was granted, as `onApplicationProcessed` reports it.
    #[must_use]
    pub fn granted(self) -> bool {
        matches!(self, Self::Accepted | Self::Forwarded | Self::Joined)
    }
}

/// One application. At most one is open for a group and a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// The id.
    pub id: ApplicationId,
    /// The group it is about.
    pub group: GroupId,
    /// The kind, and thereby who decides.
    pub kind: ApplicationKind,
    /// Who asked: the applicant or the inviter.
    pub from_user: UserId,
    /// Who would become a member.
    pub subject: UserId,
    /// The admin who already agreed, when an invitation has passed both: the admins, then the invitee.
    pub approved_by: Option<UserId>,
    /// What the asker wrote.
    pub message: String,
    /// When it was made.
    pub added_at: Moment,
    /// When it ends by itself.
    pub expires_at: Moment,
    /// Where it stands.
    pub state: ApplicationState,
    /// Who decided, how it ended and what he wrote; `None` while it is open.
    pub handled: Option<Handled>,
}

/// The end of an application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handled {
    /// Who decided; `None` when nobody did.
    pub by: Option<UserId>,
    /// How it ended.
    pub ending: Ending,
    /// What the decider wrote.
    pub message: String,
    /// When.
    pub at: Moment,
}

impl Application {
    /// The invitee, if this is an invitation.
    #[must_use]
    pub fn to_user(&self) -> Option<&UserId> {
        match self.kind {
            ApplicationKind::Join => None,
            ApplicationKind::Invite | ApplicationKind::Invitation => Some(&self.subject),
        }
    }

    /// Whom its end concerns: who asked, and an invitee who was asked.
    #[must_use]
    pub fn concerned(&self) -> Vec<UserId> {
        let mut users = vec![self.from_user.clone()];
        if self.kind == ApplicationKind::Invitation && self.subject != self.from_user {
            users.push(self.subject.clone());
        }
        users
    }
}
