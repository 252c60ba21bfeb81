//! Tables in memory. They give the rules exactly what these ask for, as the engine does, and keep exactly
//! what these note as changed.

use std::collections::{BTreeMap, BTreeSet};

use muster::model::{
    Application, ApplicationId, Ban, Command, Group, GroupId, InviteConsent, Member, Moment,
    Profile, User, UserId,
};
use muster::rules::{self, Facts, GroupFacts, Needs, Rows, Rulebook};

use super::checks::Replay;
use super::world::World;

/// What is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tables {
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) profiles: BTreeMap<GroupId, Profile>,
    pub(super) members: BTreeMap<(GroupId, UserId), Member>,
    /// Bans, with who set them.
    pub(super) bans: BTreeMap<(GroupId, UserId), (Ban, UserId)>,
    pub(super) applications: BTreeMap<(GroupId, ApplicationId), Application>,
    pub(super) users: BTreeMap<UserId, User>,
    pub(super) releases: BTreeSet<GroupId>,
}

impl Tables {
    /// What a batch needs of its groups.
    pub(super) fn facts(&self, batch: &[Command], now: Moment, rulebook: &Rulebook) -> Facts {
        let mut facts = Facts::new(now, rulebook);
        for command in batch {
            let Some(id) = command.operation.group() else { continue };
            let group = self.groups.get(id);
            let of_group = facts.groups.entry(id.clone()).or_default();
            of_group.group = group.cloned();
            self.fill(of_group, id, &rules::look(command, group));
        }
        facts
    }

    fn fill(&self, facts: &mut GroupFacts, id: &GroupId, needs: &Needs) {
        for user in &needs.people {
            self.relation(facts, id, user);
        }
        if needs.inviters {
            let open: Vec<UserId> = facts
                .applications
                .values()
                .filter(|one| one.handled.is_none() && needs.people.contains(&one.subject))
                .map(|one| one.from_user.clone())
                .collect();
            for inviter in open {
                self.relation(facts, id, &inviter);
            }
        }
        let up_to = |most: Option<i64>| usize::try_from(most.unwrap_or(0)).expect("a bound");
        for user in self.current(id).take(up_to(needs.members_up_to)) {
            self.relation(facts, id, &user);
        }
        let here = self.applications.iter().filter(|((group, _), _)| group == id);
        let open = here.clone().filter(|(_, one)| one.handled.is_none());
        for ((_, key), one) in open.take(up_to(needs.applications_up_to)) {
            facts.applications.insert(*key, one.clone());
        }
        for ((_, key), one) in here.filter(|((_, key), _)| needs.applications.contains(key)) {
            facts.applications.insert(*key, one.clone());
        }
        if needs.managers {
            let managing = |user: &UserId| {
                self.members[&(id.clone(), user.clone())].role != muster::model::Role::Member
            };
            facts.managers = Some(self.current(id).filter(managing).collect());
        }
        if needs.profile {
            facts.profile = self.profiles.get(id).cloned();
        }
    }

    fn current(&self, id: &GroupId) -> impl Iterator<Item = UserId> {
        let members = self.members.iter().filter(move |((group, _), _)| group == id);
        members.filter(|(_, member)| member.is_current()).map(|((_, user), _)| user.clone())
    }

    fn relation(&self, facts: &mut GroupFacts, id: &GroupId, user: &UserId) {
        let key = (id.clone(), user.clone());
        facts.known.insert(user.clone());
        if let Some(member) = self.members.get(&key) {
            facts.members.insert(user.clone(), member.clone());
        }
        if let Some((ban, _)) = self.bans.get(&key) {
            facts.bans.insert(user.clone(), ban.clone());
        }
        for ((group, key), one) in &self.applications {
            if group == id && one.subject == *user && one.handled.is_none() {
                facts.applications.insert(*key, one.clone());
            }
        }
    }

    /// Adds the rows of users that a command wants, new ones where it wants them made.
    pub(super) fn lock(&self, facts: &mut Facts, wanted: Rows) {
        for id in wanted.lock {
            if facts.users.get(&id).is_some_and(Option::is_some) {
                continue;
            }
            let made = || wanted.make.contains(&id).then(|| fresh(&id, facts.now));
            let row = self.users.get(&id).cloned().or_else(made);
            facts.users.insert(id, row);
        }
    }

    /// Writes what is noted as changed, and nothing else.
    pub(super) fn write(&mut self, mut facts: Facts, replay: &mut Replay, world: &World) {
        let changes = std::mem::take(&mut facts.changes);
        for id in &changes.groups {
            let group = facts.groups[id].group.clone().expect("a group that changed");
            let before = self.groups.insert(id.clone(), group);
            assert_eq!(before.is_none(), changes.created.contains(id), "{id} is made once");
        }
        for id in &changes.profiles {
            let profile = facts.groups[id].profile.clone().expect("texts that changed");
            self.profiles.insert(id.clone(), profile);
        }
        for (id, users) in &changes.members {
            for user in users.keys() {
                let member = facts.groups[id].members[user].clone();
                self.members.insert((id.clone(), user.clone()), member);
            }
        }
        for ((id, user), by) in &changes.bans {
            let ban = facts.groups[id].bans[user].clone();
            self.bans.insert((id.clone(), user.clone()), (ban, by.clone()));
        }
        for place in &changes.unbanned {
            assert!(!changes.bans.contains_key(place), "set and lifted at once: {place:?}");
            self.bans.remove(place);
        }
        for (id, key) in &changes.applications {
            let one = facts.groups[id].applications[key].clone();
            self.applications.insert((id.clone(), *key), one);
        }
        self.releases.extend(changes.releases);
        self.releases.retain(|id| !changes.released.contains(id));
        let touched = changes.users.union(&changes.accounts);
        for id in touched {
            let Some(user) = &facts.users[id] else { continue };
            let row = self.users.entry(id.clone()).or_insert_with(|| {
                assert!(user.fresh, "{id} was made by this batch");
                fresh(id, facts.now)
            });
            row.fresh = false;
            if changes.users.contains(id) {
                row.group_count = user.group_count;
                row.pending_count = user.pending_count;
                row.membership_rev = user.membership_rev;
                row.user_seq = user.user_seq;
            }
            if changes.accounts.contains(id) {
                row.invite_consent = user.invite_consent;
                row.group_limit = user.group_limit;
            }
        }
        for entry in &changes.entries {
            replay.take(entry, world);
        }
    }
}

fn fresh(id: &UserId, now: Moment) -> User {
    User {
        id: id.clone(),
        nick_name: String::new(),
        face_url: String::new(),
        invite_consent: InviteConsent::Auto,
        group_limit: None,
        group_count: 0,
        pending_count: 0,
        membership_rev: 0,
        user_seq: 0,
        deleted_at: None,
        deleted_by: None,
        created_at: now,
        fresh: true,
    }
}
