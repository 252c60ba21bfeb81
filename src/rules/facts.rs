//! What the rules know: the rows that were loaded for a batch, locked or to be written only as they were.
//!
//! Facts distinguish "absent" from "not loaded". A rule that needs a row nobody loaded stops with
//! [`Stop::Missing`]; the engine then runs that command again with the row loaded. This happens when an
//! earlier command of the same batch changed what a later one needs to see.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::types::{Rulebook, TypeRules, Types};
use crate::model::attributes::GroupAttributes;
use crate::model::{
    Application, ApplicationId, Ban, Error, Group, GroupId, IdMap, IdSet, Limits, LogEntry, Member,
    Moment, Profile, Reason, User, UserId,
};

/// Why a rule stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The call is refused and leaves no trace.
    Refused(Error),
    /// A row that matters was not loaded: run the command again, with it.
    Missing,
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

/// What is known of one group.
#[derive(Clone, Debug, Default)]
pub struct GroupFacts {
    /// Its row; `None` when there is no such group.
    pub group: Option<Group>,
    /// Its texts, when they were asked for.
    pub profile: Option<Profile>,
    /// Its attributes, when they were asked for.
    pub attributes: Option<GroupAttributes>,
    /// The people whose relation to the group was loaded: membership, ban, open application.
    pub known: IdSet<UserId>,
    /// Memberships of those people, past ones too.
    pub members: IdMap<UserId, Member>,
    /// Bans of those people.
    pub bans: IdMap<UserId, Ban>,
    /// Open applications of those people, and those that were asked for by id.
    pub applications: IdMap<ApplicationId, Application>,
    /// Owner and admins, when they were asked for.
    pub managers: Option<BTreeSet<UserId>>,
}

/// Everything the rules see of a batch, and what they changed in it.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The database's time, when the rows were read.
    pub now: Moment,
    /// The limits in force.
    pub limits: Arc<Limits>,
    /// The types of groups.
    pub types: Arc<Types>,
    /// Groups by id.
    pub groups: IdMap<GroupId, GroupFacts>,
    /// Users; `None` when there is no such account. They are locked, or do not change unnoticed.
    pub users: IdMap<UserId, Option<User>>,
    /// Of accounts that are to be forgotten: whether a membership or an open application is left.
    pub lingering: IdMap<UserId, bool>,
    /// What accepted decisions changed.
    pub changes: Changes,
}

/// What has to be written.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// Groups that did not exist before.
    pub created: BTreeSet<GroupId>,
    /// Groups whose row changed.
    pub groups: BTreeSet<GroupId>,
    /// Groups whose texts changed.
    pub profiles: BTreeSet<GroupId>,
    /// Groups whose attributes changed.
    pub attributes: BTreeSet<GroupId>,
    /// Memberships that changed, by group, and whether they have no row yet.
    pub members: BTreeMap<GroupId, BTreeMap<UserId, bool>>,
    /// Bans that were set, with who set them.
    pub bans: BTreeMap<(GroupId, UserId), UserId>,
    /// Bans that were lifted.
    pub unbanned: BTreeSet<(GroupId, UserId)>,
    /// Users whose row changed.
    pub users: BTreeSet<UserId>,
    /// Users whose profile or settings changed.
    pub accounts: BTreeSet<UserId>,
    /// Users who were marked as deleted.
    pub deleted: BTreeSet<UserId>,
    /// Users whose credentials were revoked, with whether none is worth anything from now on.
    pub revoked: BTreeMap<UserId, bool>,
    /// Users who are to be forgotten, with the number of their newest own event.
    pub forgotten: BTreeMap<UserId, i64>,
    /// Applications that were made or closed.
    pub applications: BTreeSet<(GroupId, ApplicationId)>,
    /// Dismissed groups with members or applications left to release.
    pub releases: BTreeSet<GroupId>,
    /// Dismissed groups of which members were released, with the last of them in byte order.
    pub released_up_to: BTreeMap<GroupId, UserId>,
    /// Dismissed groups of which nothing is left to release.
    pub released: BTreeSet<GroupId>,
    /// New entries of streams, in the order of the decisions.
    pub entries: Vec<LogEntry>,
}

impl Changes {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        // Whatever else changes comes with an event, a group's row or a user's row.
        self.entries.is_empty()
            && self.groups.is_empty()
            && self.users.is_empty()
            && self.accounts.is_empty()
            && self.members.is_empty()
            && self.bans.is_empty()
            && self.unbanned.is_empty()
            && self.releases.is_empty()
            && self.released.is_empty()
            && self.revoked.is_empty()
            && self.forgotten.is_empty()
    }
}

impl Changes {
    /// Notes a membership that changed. Who has no row yet has none until the end of the batch.
    pub(super) fn note_member(&mut self, group: &GroupId, user: &UserId, is_new: bool) {
        self.members.entry(group.clone()).or_default().entry(user.clone()).or_insert(is_new);
    }

    /// Whether the row of every group is noted in which somebody's relation to it changed. By the version of
    /// that row others see whether what they read of the group still holds.
    #[must_use]
    pub fn note_their_groups(&self) -> bool {
        let members = self.members.keys();
        let bans = self.bans.keys().chain(&self.unbanned).map(|(group, _)| group);
        let applications = self.applications.iter().map(|(group, _)| group);
        members.chain(bans).chain(applications).all(|group| self.groups.contains(group))
    }
}

impl Facts {
    /// Facts before anything was loaded.
    #[must_use]
    pub fn new(now: Moment, rulebook: &Rulebook) -> Self {
        Self {
            now,
            limits: rulebook.limits.clone(),
            types: rulebook.types.clone(),
            groups: IdMap::default(),
            users: IdMap::default(),
            lingering: IdMap::default(),
            changes: Changes::default(),
        }
    }

    /// What holds in groups of this one's type.
    #[must_use]
    pub fn rules(&self, group: &Group) -> Cow<'_, TypeRules> {
        self.types.of(group)
    }

    /// What is known of a group.
    pub fn of(&self, group: &GroupId) -> Result<&GroupFacts, Stop> {
        self.groups.get(group).ok_or(Stop::Missing)
    }

    /// A group that exists and was not dismissed, with what is known of it.
    pub fn existing(&self, id: &GroupId) -> Result<(&Group, &GroupFacts), Stop> {
        let facts = self.of(id)?;
        match &facts.group {
            Some(group) if group.dismissed_at.is_none() => Ok((group, facts)),
            Some(_) => Err(absent("the group was dismissed").into()),
            None => Err(absent("there is no such group").into()),
        }
    }

    /// A user; `None` when there is no such account.
    pub fn user(&self, id: &UserId) -> Result<Option<&User>, Stop> {
        self.users.get(id).map(Option::as_ref).ok_or(Stop::Missing)
    }
}

fn absent(text: &str) -> Error {
    Error::new(Reason::GroupNotFound, text).field("groupID")
}

impl GroupFacts {
    /// A person's membership, if it lasts.
    pub fn member(&self, user: &UserId) -> Result<Option<&Member>, Stop> {
        self.require(user)?;
        Ok(self.members.get(user).filter(|member| member.is_current()))
    }

    /// A person's ban, if it holds now.
    pub fn ban(&self, user: &UserId, now: Moment) -> Result<Option<&Ban>, Stop> {
        self.require(user)?;
        Ok(self.bans.get(user).filter(|ban| ban.holds(now)))
    }

    /// The open application that would make this person a member.
    pub fn open_application(&self, subject: &UserId) -> Result<Option<&Application>, Stop> {
        self.require(subject)?;
        Ok(self
            .applications
            .values()
            .find(|application| application.handled.is_none() && application.subject == *subject))
    }

    /// Owner and admins.
    pub fn managers(&self) -> Result<&BTreeSet<UserId>, Stop> {
        self.managers.as_ref().ok_or(Stop::Missing)
    }

    /// The membership of somebody whom a call is about.
    ///
    /// # Errors
    /// [`Reason::MemberNotFound`].
    pub fn target(&self, user: &UserId) -> Result<&Member, Stop> {
        self.member(user)?.ok_or_else(|| {
            let text = format!("{user} is not a member of the group");
            Error::new(Reason::MemberNotFound, text).field("userID").into()
        })
    }

    fn require(&self, user: &UserId) -> Result<(), Stop> {
        if self.known.contains(user) { Ok(()) } else { Err(Stop::Missing) }
    }
}
