//! The limits in force: values of settings, with the place each comes from.

use std::sync::Arc;
use std::time::Duration;

/// A limit and where it was set, so that a refusal can say both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The value.
    pub value: i32,
    /// The setting and its origin, for example `MUSTER_INVITE_BATCH (default)`.
    pub source: Arc<str>,
}

impl Limit {
    /// A limit with its origin.
    pub fn new(value: i32, source: &str) -> Self {
        Self { value, source: Arc::from(source) }
    }
}

/// Who counts as an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accounts {
    /// An unknown id is a new user.
    Open,
    /// An account must have been imported.
    Registered,
}

/// All limits that decisions read. One set for the life of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Groups a user may be in, unless his row says otherwise.
    pub groups_per_user: Limit,
    /// Highest `maxMemberCount` a group may be given.
    pub members_per_group: Limit,
    /// Most people named in one call.
    pub invite_batch: Limit,
    /// Most open applications of a group.
    pub pending_per_group: Limit,
    /// Most open applications that would make one person a member.
    pub pending_per_user: Limit,
    /// Most changes of one group's attributes in a second.
    pub attribute_changes: Limit,
    /// How long an application stays open.
    pub application_life: Duration,
    /// Who counts as an account.
    pub accounts: Accounts,
    /// Most bytes of a user id.
    pub user_id_bytes: usize,
}

impl Limits {
    /// The documented defaults (`api.md` section 1, `decisions.md` 13, m and u).
    #[must_use]
    pub fn defaults() -> Self {
        let limit = |value, name: &str| Limit::new(value, &format!("{name} (default)"));
        Self {
            groups_per_user: limit(1_000, "MUSTER_GROUPS_PER_USER"),
            members_per_group: limit(1_000_000, "MUSTER_MEMBERS_PER_GROUP"),
            invite_batch: limit(300, "MUSTER_INVITE_BATCH"),
            pending_per_group: limit(1_000, "MUSTER_PENDING_PER_GROUP"),
            pending_per_user: limit(50, "MUSTER_PENDING_PER_USER"),
            attribute_changes: limit(10, "MUSTER_ATTRIBUTE_CHANGES"),
            application_life: Duration::from_hours(7 * 24),
            accounts: Accounts::Open,
            user_id_bytes: 32,
        }
    }
}
