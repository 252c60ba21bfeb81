//! The model's ways to change members: role, name card, mute, fields, owner, bans (1.2, 2.4).

use std::collections::BTreeMap;

use muster::model::command::{FOREVER, MemberEdit};
use muster::model::{
    Caller, EventKind, GroupId, MemberReason, MemberResult, Reason, Reply, Role, UserId,
};
use serde_json::{Value, json};

use super::kinds::Doing;
use super::laws::{Answer, change_fields, line};
use super::world::{KeptOut, NEVER, Room, Told, World, shown};

/// Most fields of a member (1.7).
const FIELDS_OF_MEMBER: usize = 5;

/// Whether somebody is above another by role: the owner above all others, an admin above ordinary members,
/// an app administrator above everybody.
fn is_above(room: &Room, caller: &Caller, other: Role) -> bool {
    match room.role(&caller.user) {
        _ if caller.administrator => true,
        Some(Role::Owner) => other != Role::Owner,
        Some(Role::Admin) => other == Role::Member,
        _ => false,
    }
}

impl World {
    /// Lets somebody not speak for so many seconds, or speak again, and says what is told of it. Nothing is
    /// told when nothing changes.
    fn quiet(&mut self, group: &GroupId, user: &UserId, seconds: u32) -> Option<Value> {
        let now = self.now;
        let until = match seconds {
            0 => None,
            FOREVER => Some(NEVER),
            some => Some(now + i64::from(some)),
        };
        let room = self.room(group);
        if room.quiet_until(user, now) == until {
            return None;
        }
        match until {
            Some(until) => room.quiet.insert(user.clone(), until),
            None => room.quiet.remove(user),
        };
        Some(until.map_or(Value::Null, |until| json!(shown(until))))
    }

    pub(super) fn mute(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        users: &[UserId],
        seconds: u32,
    ) -> Answer {
        let room = self.living(group)?.clone();
        room.kind.permit(Doing::Mute, caller.administrator, room.role(&caller.user))?;
        Self::check_named(users.len())?;
        let mut lines = Vec::new();
        let mut names = BTreeMap::new();
        for user in users {
            lines.push(match room.role(user) {
                None => line(user, MemberResult::Invalid, Some(MemberReason::NotAMember)),
                Some(role) if !is_above(&room, caller, role) => {
                    line(user, MemberResult::Failed, Some(MemberReason::RoleTooLow))
                }
                Some(_) => {
                    if let Some(until) = self.quiet(group, user, seconds) {
                        names.insert(user.clone(), json!({ "muteUntil": until }));
                    }
                    line(user, MemberResult::Done, None)
                }
            });
        }
        if !names.is_empty() {
            let told = Told::of(EventKind::onMemberInfoChanged, &caller.user);
            self.room(group).note(Told { names, ..told });
        }
        Ok(Reply::Members(lines))
    }

    pub(super) fn edit_member(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        user: &UserId,
        edit: &MemberEdit,
    ) -> Answer {
        let room = self.living(group)?.clone();
        let permit = |doing| room.kind.permit(doing, caller.administrator, room.role(&caller.user));
        let himself = caller.user == *user;
        let writes = edit.name_card.is_some() || !edit.custom_fields.is_empty();
        // A call that asks for nothing takes the right to write.
        if writes || (edit.role.is_none() && edit.mute_seconds.is_none()) {
            permit(if himself { Doing::EditSelf } else { Doing::EditMembers })?;
        }
        if edit.role.is_some() {
            permit(Doing::Appoint)?;
        }
        if edit.mute_seconds.is_some() {
            permit(Doing::Mute)?;
        }
        let role = room.role(user).ok_or(Reason::MemberNotFound)?;
        // What one does to oneself needs nobody above, but for a mute.
        let of_his_own = himself && edit.mute_seconds.is_none();
        if !of_his_own && !is_above(&room, caller, role) {
            return Err(Reason::RoleTooLow);
        }
        match (edit.role, role) {
            (None, _) => {}
            (Some(Role::Owner), _) => return Err(Reason::InvalidParameter),
            (Some(Role::Admin), _) if !room.kind.has_admins() => {
                return Err(Reason::NotAllowedForType);
            }
            (Some(_), Role::Owner) => return Err(Reason::IsOwner),
            (Some(new), old) if new == old => {}
            (Some(new), _) => {
                let kind = if new == Role::Admin {
                    EventKind::onGrantAdministrator
                } else {
                    EventKind::onRevokeAdministrator
                };
                let room = self.room(group);
                room.members.get_mut(user).expect("a member").role = new;
                room.note(Told::naming(kind, &caller.user, [user]));
            }
        }
        self.write_member(caller, group, user, edit)
    }

    /// Name card, mute and fields, with one event if any of them changes.
    fn write_member(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        user: &UserId,
        edit: &MemberEdit,
    ) -> Answer {
        let mut said = serde_json::Map::new();
        let until = edit.mute_seconds.and_then(|seconds| self.quiet(group, user, seconds));
        said.extend(until.map(|until| ("muteUntil".to_owned(), until)));
        let seat = self.room(group).members.get_mut(user).expect("a member");
        if let Some(card) = edit.name_card.as_ref().filter(|card| **card != seat.card) {
            seat.card.clone_from(card);
            said.insert("nameCard".to_owned(), json!(card));
        }
        let fields = change_fields(&mut seat.fields, &edit.custom_fields, FIELDS_OF_MEMBER)?;
        if !fields.is_empty() {
            said.insert("customFields".to_owned(), json!(fields));
        }
        if !said.is_empty() {
            let told = Told::of(EventKind::onMemberInfoChanged, &caller.user);
            let names = BTreeMap::from([(user.clone(), Value::Object(said))]);
            self.room(group).note(Told { names, ..told });
        }
        Ok(Reply::Done)
    }

    pub(super) fn transfer(&mut self, caller: &Caller, group: &GroupId, to: &UserId) -> Answer {
        let room = self.living(group)?;
        room.kind.permit(Doing::Transfer, caller.administrator, room.role(&caller.user))?;
        // 11: to somebody who is no member is a bad parameter.
        let role = room.role(to).ok_or(Reason::InvalidParameter)?;
        if role == Role::Owner {
            return Ok(Reply::Done);
        }
        let room = self.room(group);
        for seat in room.members.values_mut().filter(|seat| seat.role == Role::Owner) {
            seat.role = Role::Member;
        }
        room.members.get_mut(to).expect("a member").role = Role::Owner;
        room.owner = Some(to.clone());
        let infos = vec![json!({ "type": "owner", "value": to })];
        room.note(Told { infos, ..Told::of(EventKind::onGroupInfoChanged, &caller.user) });
        Ok(Reply::Done)
    }

    pub(super) fn ban(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        users: &[UserId],
        (seconds, reason): (Option<u32>, &str),
    ) -> Answer {
        let room = self.living(group)?.clone();
        room.kind.permit(Doing::Ban, caller.administrator, room.role(&caller.user))?;
        self.check_batch(users.len())?;
        let until = seconds.map_or(NEVER, |seconds| self.now + i64::from(seconds));
        let mut lines = Vec::new();
        let mut removed = Vec::new();
        for user in users {
            let refused = match room.role(user) {
                Some(Role::Owner) => Some(MemberReason::IsOwner),
                Some(role) if !is_above(&room, caller, role) => Some(MemberReason::RoleTooLow),
                _ => None,
            };
            if let Some(reason) = refused {
                lines.push(line(user, MemberResult::Failed, Some(reason)));
                continue;
            }
            // l: a ban closes what is open.
            self.close(group, user);
            let kept_out = KeptOut { until, reason: reason.to_owned(), by: caller.user.clone() };
            self.room(group).banned.insert(user.clone(), kept_out);
            removed.extend(room.role(user).map(|_| user.clone()));
            lines.push(line(user, MemberResult::Done, None));
        }
        if !removed.is_empty() {
            let told = Told::naming(EventKind::onMemberKicked, &caller.user, &removed);
            self.leave(group, Told { reason: reason.to_owned(), ..told }, &removed);
        }
        Ok(Reply::Members(lines))
    }

    pub(super) fn unban(&mut self, caller: &Caller, group: &GroupId, users: &[UserId]) -> Answer {
        let room = self.living(group)?.clone();
        room.kind.permit(Doing::Ban, caller.administrator, room.role(&caller.user))?;
        self.check_batch(users.len())?;
        let mut lines = Vec::new();
        for user in users {
            if room.keeps_out(user, self.now) {
                self.room(group).banned.remove(user);
                lines.push(line(user, MemberResult::Done, None));
            } else {
                let reason = MemberReason::NotBanned;
                lines.push(line(user, MemberResult::Invalid, Some(reason)));
            }
        }
        Ok(Reply::Members(lines))
    }
}
