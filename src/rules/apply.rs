//! The only place that creates and ends memberships, raises counters and numbers events.
//!
//! A membership changes because an event says so: there is no step "add this member" beside the event,
//! so no path can forget to tell of it, and the event and the row cannot disagree about the number.
//! [`Facts::apply`] brings a decision into the facts, so that the next command of the batch sees it,
//! and notes what has to be written. Whatever changes a membership, a ban or an application notes the group's
//! row, too: by that row others see that something changed ([`crate::store::ahead`]).

mod memberships;

use std::collections::BTreeSet;

use crate::model::application::Handled;
use crate::model::attributes::GroupAttributes;
use crate::model::command::UserEdit;
use crate::model::event::{GroupEvent, UserEvent};
use crate::model::{
    Application, ApplicationId, Ban, Ends, Group, GroupId, Reply, Role, User, UserId,
};

use super::facts::{Facts, Stop};

/// What a rule decided: the answer, and what has to change for it to be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The answer.
    pub reply: Reply,
    /// The changes, in order.
    pub steps: Vec<Step>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An event of a group, with everything that it means for the rows.
    Group(GroupId, GroupEvent),
    /// An event of a person's own stream.
    Personal(UserId, UserEvent),
    /// An application comes into being.
    Open(Box<Application>),
    /// An application comes to its end.
    Close(GroupId, ApplicationId, Handled),
    /// Somebody is kept out.
    Ban {
        /// Where.
        group: GroupId,
        /// Who.
        user: UserId,
        /// Until when, and why.
        ban: Ban,
        /// By whom.
        by: UserId,
    },
    /// Somebody may come back.
    Unban(GroupId, UserId),
    /// An account is made or changed.
    PutUser(UserId, UserEdit),
    /// Memberships end that a dismissal left behind; the dismissal was their event.
    Release(GroupId, Vec<UserId>),
    /// Nothing is left to release in a dismissed group.
    Released(GroupId),
    /// All credentials that a user has by now become worthless.
    Revoke {
        /// Whose.
        user: UserId,
        /// Whether those made from now on are worth nothing either.
        ended: bool,
    },
    /// An account is marked as deleted.
    Delete {
        /// Which.
        user: UserId,
        /// By whom.
        by: UserId,
    },
    /// An account goes, with everything that is kept of it.
    Forget(UserId),
}

impl Decision {
    /// An answer that changes nothing.
    #[must_use]
    pub fn unchanged(reply: Reply) -> Self {
        Self { reply, steps: Vec::new() }
    }
}

impl Facts {
    /// Brings a decision into the facts.
    ///
    /// # Errors
    /// [`Stop::Missing`], before anything changed, when a row that it touches was not loaded.
    pub fn apply(&mut self, decision: &Decision) -> Result<(), Stop> {
        for step in &decision.steps {
            self.require_users(step)?;
        }
        for step in &decision.steps {
            match step {
                Step::Group(group, event) => self.apply_group_event(group, event),
                Step::Personal(user, event) => self.apply_user_event(user, event),
                Step::Open(application) => self.open(application),
                Step::Close(group, id, handled) => self.close(group, *id, handled),
                Step::Ban { group, user, ban, by } => self.ban(group, user, ban, by),
                Step::Unban(group, user) => self.unban(group, user),
                Step::PutUser(user, edit) => self.put_user(user, edit),
                Step::Release(group, users) => {
                    self.end_memberships(group, users);
                    if let Some(last) = users.iter().max() {
                        self.changes.released_up_to.insert(group.clone(), last.clone());
                    }
                }
                Step::Released(group) => {
                    self.changes.released.insert(group.clone());
                }
                Step::Revoke { user, ended } => {
                    self.changes.revoked.insert(user.clone(), *ended);
                }
                Step::Delete { user, by } => self.delete(user, by),
                Step::Forget(user) => self.forget(user),
            }
        }
        debug_assert!(self.changes.note_their_groups(), "{decision:?}");
        Ok(())
    }

    fn apply_group_event(&mut self, id: &GroupId, event: &GroupEvent) {
        match event {
            GroupEvent::Created { group, profile, .. } => {
                let facts = self.groups.entry(id.clone()).or_default();
                facts.group = Some(Group { seq: 0, member_count: 0, ..(**group).clone() });
                facts.profile = Some((**profile).clone());
                facts.managers = Some(BTreeSet::new());
                facts.attributes = Some(GroupAttributes::default());
                self.changes.created.insert(id.clone());
                self.changes.profiles.insert(id.clone());
            }
            GroupEvent::InfoChanged { group, profile, .. } => {
                if let Some(facts) = self.groups.get_mut(id) {
                    let before = facts.group.replace((**group).clone());
                    let before = before.and_then(|group| group.owner);
                    if before != group.owner {
                        self.change_owner(id, before.as_ref(), group.owner.as_ref());
                    }
                }
                if let (Some(profile), Some(facts)) = (profile, self.groups.get_mut(id)) {
                    facts.profile = Some((**profile).clone());
                    self.changes.profiles.insert(id.clone());
                }
            }
            GroupEvent::MembersChanged { changes, .. } => {
                for change in changes {
                    self.change_member(id, change);
                }
            }
            GroupEvent::Granted { members, .. } => self.set_role(id, members, Role::Admin),
            GroupEvent::Revoked { members, .. } => self.set_role(id, members, Role::Member),
            GroupEvent::AttributesChanged { state, .. } => {
                if let Some(facts) = self.groups.get_mut(id) {
                    facts.attributes = Some((**state).clone());
                    self.changes.attributes.insert(id.clone());
                }
            }
            GroupEvent::Dismissed { .. } => self.dismiss(id),
            GroupEvent::Invited { .. }
            | GroupEvent::Entered { .. }
            | GroupEvent::Left { .. }
            | GroupEvent::Kicked { .. } => {}
        }
        let now = self.now;
        let Some(group) = self.group_mut(id) else { return };
        group.seq += 1;
        let entry = event.entry(id, group.seq, now);
        self.begin_memberships(id, event, &entry);
        let ended = match &entry.ends {
            Ends::Users(users) => users.clone(),
            Ends::Everybody => self.known_members(id),
        };
        self.end_memberships(id, &ended);
        self.changes.entries.push(entry);
    }

    fn apply_user_event(&mut self, id: &UserId, event: &UserEvent) {
        let now = self.now;
        if let Some(user) = self.user_mut(id) {
            user.user_seq += 1;
            let seq = user.user_seq;
            self.changes.entries.push(event.entry(id, seq, now));
        }
    }

    fn open(&mut self, application: &Application) {
        if let Some(group) = self.group_mut(&application.group) {
            group.pending_count += 1;
        }
        if let Some(user) = self.user_mut(&application.subject) {
            user.pending_count += 1;
        }
        if let Some(facts) = self.groups.get_mut(&application.group) {
            facts.applications.insert(application.id, application.clone());
        }
        self.changes.applications.insert((application.group.clone(), application.id));
    }

    fn close(&mut self, id: &GroupId, application: ApplicationId, handled: &Handled) {
        let Some(facts) = self.groups.get_mut(id) else { return };
        let Some(open) = facts.applications.get_mut(&application) else { return };
        open.state = handled.ending.state();
        open.handled = Some(handled.clone());
        let subject = open.subject.clone();
        if let Some(group) = self.group_mut(id) {
            group.pending_count -= 1;
        }
        if let Some(user) = self.user_mut(&subject) {
            user.pending_count -= 1;
        }
        self.changes.applications.insert((id.clone(), application));
    }

    fn ban(&mut self, id: &GroupId, user: &UserId, ban: &Ban, by: &UserId) {
        if let Some(facts) = self.groups.get_mut(id) {
            facts.bans.insert(user.clone(), ban.clone());
            self.changes.groups.insert(id.clone());
            let place = (id.clone(), user.clone());
            self.changes.unbanned.remove(&place);
            self.changes.bans.insert(place, by.clone());
        }
    }

    fn unban(&mut self, id: &GroupId, user: &UserId) {
        if let Some(facts) = self.groups.get_mut(id) {
            facts.bans.remove(user);
            self.changes.groups.insert(id.clone());
            let place = (id.clone(), user.clone());
            self.changes.bans.remove(&place);
            self.changes.unbanned.insert(place);
        }
    }

    fn put_user(&mut self, id: &UserId, edit: &UserEdit) {
        self.changes.accounts.insert(id.clone());
        let Some(user) = self.user_mut(id) else { return };
        if let Some(nick_name) = &edit.nick_name {
            user.nick_name.clone_from(nick_name);
        }
        if let Some(face_url) = &edit.face_url {
            user.face_url.clone_from(face_url);
        }
        if let Some(consent) = edit.invite_consent {
            user.invite_consent = consent;
        }
        if let Some(limit) = edit.group_limit {
            user.group_limit = limit;
        }
    }

    fn delete(&mut self, id: &UserId, by: &UserId) {
        let now = self.now;
        if let Some(Some(user)) = self.users.get_mut(id) {
            user.deleted_at = Some(now);
            user.deleted_by = Some(by.clone());
            self.changes.deleted.insert(id.clone());
        }
    }

    /// Whoever needs this account later in the batch finds it not loaded, and is decided again: whether
    /// it comes into being anew is not for this batch to know.
    fn forget(&mut self, id: &UserId) {
        if let Some(Some(user)) = self.users.remove(id) {
            self.changes.forgotten.insert(id.clone(), user.user_seq);
        }
    }

    /// Whether all users were loaded whose rows a step touches.
    fn require_users(&self, step: &Step) -> Result<(), Stop> {
        let all = |users: &[UserId]| users.iter().try_for_each(|user| self.user(user).map(drop));
        match step {
            Step::Group(_, event) => {
                all(&event.starts())?;
                if let Ends::Users(ended) = event.ends() { all(&ended) } else { Ok(()) }
            }
            Step::Personal(user, _)
            | Step::PutUser(user, _)
            | Step::Revoke { user, .. }
            | Step::Delete { user, .. }
            | Step::Forget(user) => self.user(user).map(drop),
            Step::Open(application) => self.user(&application.subject).map(drop),
            Step::Release(_, users) => all(users),
            Step::Close(..) | Step::Ban { .. } | Step::Unban(..) | Step::Released(_) => Ok(()),
        }
    }

    /// The row of a group, noted as changed.
    fn group_mut(&mut self, id: &GroupId) -> Option<&mut Group> {
        let group = self.groups.get_mut(id)?.group.as_mut()?;
        self.changes.groups.insert(id.clone());
        Some(group)
    }

    /// The row of a user, noted as changed.
    fn user_mut(&mut self, id: &UserId) -> Option<&mut User> {
        let user = self.users.get_mut(id)?.as_mut()?;
        self.changes.users.insert(id.clone());
        Some(user)
    }
}
