//! What an event means for memberships: their beginning and end, roles, and what members are like.

use std::collections::BTreeSet;

use crate::model::event::GroupEvent;
use crate::model::{GroupId, LogEntry, Member, MemberChange, NewMember, Role, UserId};
use crate::rules::Facts;

impl Facts {
    pub(super) fn begin_memberships(&mut self, id: &GroupId, event: &GroupEvent, entry: &LogEntry) {
        match event {
            GroupEvent::Created { members, .. } | GroupEvent::Invited { members, .. } => {
                for new in members {
                    self.begin_membership(id, new, entry);
                }
            }
            _ => {
                for user in &entry.starts {
                    self.begin_membership(id, &NewMember::plain(user.clone()), entry);
                }
            }
        }
    }

    fn begin_membership(&mut self, id: &GroupId, new: &NewMember, entry: &LogEntry) {
        let NewMember { user: user_id, role, .. } = new;
        let role = *role;
        let types = self.types.clone();
        let Some(group) = self.group_mut(id) else { return };
        group.member_count += 1;
        let created_at = group.created_at;
        let counts = types.of(group).traits.counts_towards_limit;
        let Some(user) = self.user_mut(user_id) else { return };
        user.membership_rev += 1;
        user.group_count += i32::from(counts);
        let user_rev = user.membership_rev;
        let Some(facts) = self.groups.get_mut(id) else { return };
        let before = facts.members.get(user_id);
        let is_new = before.is_none();
        let member = Member {
            role,
            joined_seq: entry.seq,
            left_seq: None,
            past: before.and_then(|old| old.left_seq.map(|left| (old.joined_seq, left))),
            // Nobody was in a group before there was one (`decisions.md` r).
            joined_at: new.joined_at.map_or(entry.at, |at| at.max(created_at)),
            custom_fields: new.custom_fields.clone(),
            name_card: String::new(),
            mute_until: before.and_then(|old| old.mute_until),
            user_rev,
        };
        facts.known.insert(user_id.clone());
        facts.members.insert(user_id.clone(), member);
        if role >= Role::Admin
            && let Some(managers) = &mut facts.managers
        {
            managers.insert(user_id.clone());
        }
        self.changes.note_member(id, user_id, is_new);
    }

    pub(super) fn end_memberships(&mut self, id: &GroupId, users: &[UserId]) {
        for user_id in users {
            self.end_membership(id, user_id);
        }
    }

    fn end_membership(&mut self, id: &GroupId, user_id: &UserId) {
        let types = self.types.clone();
        let Some(group) = self.group_mut(id) else { return };
        group.member_count -= 1;
        if group.owner.as_ref() == Some(user_id) && group.dismissed_at.is_none() {
            group.owner = None;
        }
        let left_seq = group.seq;
        let counts = types.of(group).traits.counts_towards_limit;
        let Some(user) = self.user_mut(user_id) else { return };
        user.membership_rev += 1;
        user.group_count -= i32::from(counts);
        let user_rev = user.membership_rev;
        let Some(facts) = self.groups.get_mut(id) else { return };
        if let Some(member) = facts.members.get_mut(user_id) {
            member.left_seq = Some(left_seq);
            member.user_rev = user_rev;
        }
        if let Some(managers) = &mut facts.managers {
            managers.remove(user_id);
        }
        self.changes.note_member(id, user_id, false);
    }

    /// Gives members a role; who has none in the group is passed over.
    pub(super) fn set_role(&mut self, id: &GroupId, users: &[UserId], role: Role) {
        let Some(facts) = self.groups.get_mut(id) else { return };
        for user in users {
            let Some(member) = facts.members.get_mut(user).filter(|it| it.is_current()) else {
                continue;
            };
            member.role = role;
            if let Some(managers) = &mut facts.managers {
                if role >= Role::Admin {
                    managers.insert(user.clone());
                } else {
                    managers.remove(user);
                }
            }
            self.changes.note_member(id, user, false);
        }
    }

    pub(super) fn change_owner(
        &mut self,
        id: &GroupId,
        from: Option<&UserId>,
        to: Option<&UserId>,
    ) {
        if let Some(from) = from {
            self.set_role(id, std::slice::from_ref(from), Role::Member);
        }
        if let Some(to) = to {
            self.set_role(id, std::slice::from_ref(to), Role::Owner);
        }
    }

    pub(super) fn change_member(&mut self, id: &GroupId, change: &MemberChange) {
        let Some(facts) = self.groups.get_mut(id) else { return };
        let Some(member) = facts.members.get_mut(&change.user) else { return };
        if let Some(name_card) = &change.name_card {
            member.name_card.clone_from(name_card);
        }
        if let Some(until) = change.mute_until {
            member.mute_until = until;
        }
        for (key, value) in &change.custom_fields {
            match value {
                Some(value) => member.custom_fields.insert(key.clone(), value.clone()),
                None => member.custom_fields.remove(key),
            };
        }
        self.changes.note_member(id, &change.user, false);
    }

    /// Marks a group as gone. Those members that are not among the facts are released afterwards.
    pub(super) fn dismiss(&mut self, id: &GroupId) {
        let now = self.now;
        let loaded = self.known_members(id).len();
        let Some(group) = self.group_mut(id) else { return };
        group.dismissed_at = Some(now);
        let left_behind = usize::try_from(group.member_count).is_ok_and(|count| count > loaded)
            || group.pending_count > 0;
        if left_behind {
            self.changes.releases.insert(id.clone());
        }
    }

    pub(super) fn known_members(&self, id: &GroupId) -> Vec<UserId> {
        let Some(facts) = self.groups.get(id) else { return Vec::new() };
        let current = facts.members.iter().filter(|(_, member)| member.is_current());
        let users: BTreeSet<UserId> = current
            .map(|(user, _)| user.clone())
            .filter(|user| self.users.get(user).is_some_and(Option::is_some))
            .collect();
        users.into_iter().collect()
    }
}
