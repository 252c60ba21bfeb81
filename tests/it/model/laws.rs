//! The model's other operations: leaving, removing, deciding, changing, ending.

use std::collections::BTreeMap;

use muster::model::command::{GroupEdit, UserEdit};
use muster::model::{
    ApplicationId, ApplicationKind, Caller, Command, CustomFields, EventKind, FieldChanges,
    GroupId, InviteOption, JoinOption, MemberOutcome, MemberReason, MemberResult, Operation,
    Reason, Reply, Role, UserId,
};
use serde_json::{Value, json};

use super::kinds::Doing;
use super::world::{KeptOut, Room, Texts, Told, World};

/// What a command is answered with.
pub(super) type Answer = Result<Reply, Reason>;

/// What a call says of a group's options; absent is unchanged.
pub(super) struct Options {
    pub(super) join: Option<JoinOption>,
    pub(super) invite: Option<InviteOption>,
    pub(super) cap: Option<i32>,
}

/// Most fields of a group (1.7).
const FIELDS_OF_GROUP: usize = 10;

/// Fields after changes, and what really changes. An empty value takes a field away (2.4).
pub(super) fn change_fields(
    fields: &mut CustomFields,
    changes: &FieldChanges,
    most: usize,
) -> Result<FieldChanges, Reason> {
    let before = fields.clone();
    for (key, value) in changes {
        match value.as_deref() {
            None | Some("") => fields.remove(key),
            Some(value) => fields.insert(key.clone(), value.to_owned()),
        };
    }
    if fields.len() > most {
        return Err(Reason::InvalidParameter);
    }
    let different = changes.keys().filter(|key| before.get(*key) != fields.get(*key));
    Ok(different.map(|key| (key.clone(), fields.get(key).cloned())).collect())
}

/// What a call did to somebody, without a limit.
pub(super) fn line(
    user: &UserId,
    result: MemberResult,
    reason: Option<MemberReason>,
) -> MemberOutcome {
    let user = user.clone();
    MemberOutcome { user, result, reason, limit: None, current: None, source: None }
}

impl World {
    /// Does what a command asks for, or nothing at all.
    pub(super) fn run(&mut self, command: &Command) -> Answer {
        let mut after = self.clone();
        let answer = after.act(&command.caller, &command.operation);
        if answer.is_ok() {
            *self = after;
        }
        answer
    }

    fn act(&mut self, caller: &Caller, operation: &Operation) -> Answer {
        match operation {
            Operation::CreateGroup(create) => self.create(caller, create),
            Operation::EditGroup { group, edit } => self.edit(caller, group, edit),
            Operation::Dismiss { group } => self.dismiss(caller, group),
            Operation::Invite { group, users, silent } => {
                self.invite(caller, group, users, *silent)
            }
            Operation::Join { group, .. } => self.join(caller, group),
            Operation::Quit { group } => self.quit(caller, group),
            Operation::Kick { group, users, reason, ban_seconds, silent } => {
                self.kick(caller, group, users, (*ban_seconds, reason, *silent))
            }
            Operation::EditMember { group, user, edit } => {
                self.edit_member(caller, group, user, edit)
            }
            Operation::Mute { group, users, seconds } => self.mute(caller, group, users, *seconds),
            Operation::Transfer { group, to } => self.transfer(caller, group, to),
            Operation::Ban { group, users, seconds, reason } => {
                self.ban(caller, group, users, (*seconds, reason))
            }
            Operation::Unban { group, users } => self.unban(caller, group, users),
            Operation::ImportMembers { group, members } => {
                self.import_members(caller, group, members)
            }
            Operation::Decide { group, application, accept, .. } => {
                self.decide(caller, group, *application, *accept)
            }
            Operation::Expire { group, application, .. } => self.expire(group, *application),
            Operation::Release { group } => Ok(self.release(group)),
            Operation::PutUser { user, edit } => self.put_user(caller, user, edit),
            Operation::ImportUsers { users } => self.import(caller, users),
            // Attributes, credentials and the end of accounts have tests of their own.
            _ => unreachable!("no script makes this up"),
        }
    }

    /// A group that is there.
    pub(super) fn living(&self, group: &GroupId) -> Result<&Room, Reason> {
        self.rooms.get(group).filter(|room| !room.gone).ok_or(Reason::GroupNotFound)
    }

    /// A call that brings nobody in, or a group from elsewhere, has bounds that no script comes near (1.5).
    pub(super) fn check_named(named: usize) -> Result<(), Reason> {
        if named == 0 { Err(Reason::InvalidParameter) } else { Ok(()) }
    }

    pub(super) fn check_batch(&self, named: usize) -> Result<(), Reason> {
        match named {
            0 => Err(Reason::InvalidParameter),
            some if some > self.numbers.in_a_call => Err(Reason::TooManyInCall),
            _ => Ok(()),
        }
    }

    /// Ends what is open about a person, if anything is, and tells those whom it concerns.
    pub(super) fn close(&mut self, group: &GroupId, subject: &UserId) {
        let Some(open) = self.room(group).waiting.remove(subject) else { return };
        let id = open.id.expect("an id was learnt");
        self.past.insert(id, (group.clone(), open.kind, subject.clone()));
        self.tell(&open.from, EventKind::onApplicationProcessed);
        if open.kind == ApplicationKind::Invitation && open.from != *subject {
            self.tell(subject, EventKind::onApplicationProcessed);
        }
    }

    /// Ends memberships with one event.
    pub(super) fn leave(&mut self, group: &GroupId, event: Told, users: &[UserId]) {
        let room = self.room(group);
        for user in users {
            room.members.remove(user);
            if room.owner.as_ref() == Some(user) && event.kind != EventKind::onGroupDismissed {
                room.owner = None;
            }
        }
        room.note(Told { ends: users.iter().cloned().collect(), ..event });
    }

    fn quit(&mut self, caller: &Caller, group: &GroupId) -> Answer {
        let room = self.living(group)?;
        let role = room.role(&caller.user).ok_or(Reason::NotAMember)?;
        if role == Role::Owner && !room.kind.lets_the_owner_go() {
            return Err(Reason::OwnerMayNotQuit);
        }
        let user = std::slice::from_ref(&caller.user);
        self.leave(group, Told::naming(EventKind::onMemberLeave, &caller.user, user), user);
        Ok(Reply::Done)
    }

    fn kick(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        users: &[UserId],
        (ban, reason, silent): (Option<u32>, &str, bool),
    ) -> Answer {
        let room = self.living(group)?;
        let role = room.role(&caller.user);
        room.kind.permit(Doing::Kick, caller.administrator, role)?;
        self.check_batch(users.len())?;
        if ban.is_some() {
            room.kind.permit(Doing::Ban, caller.administrator, role)?;
        }
        let mut lines = Vec::new();
        let mut removed = Vec::new();
        for user in users {
            let (result, reason) = match room.role(user) {
                None => (MemberResult::Invalid, Some(MemberReason::NotAMember)),
                Some(Role::Owner) => (MemberResult::Failed, Some(MemberReason::IsOwner)),
                Some(Role::Admin) if !caller.administrator && role != Some(Role::Owner) => {
                    (MemberResult::Failed, Some(MemberReason::RoleTooLow))
                }
                Some(_) => {
                    removed.push(user.clone());
                    (MemberResult::Done, None)
                }
            };
            lines.push(line(user, result, reason));
        }
        for user in removed.iter().filter(|_| ban.is_some()) {
            let until = self.now + i64::from(ban.unwrap_or_default());
            let kept_out = KeptOut { until, reason: reason.to_owned(), by: caller.user.clone() };
            self.room(group).banned.insert(user.clone(), kept_out);
        }
        if !removed.is_empty() {
            let told = Told::naming(EventKind::onMemberKicked, &caller.user, &removed);
            let told = Told { reason: reason.to_owned(), silent, ..told };
            self.leave(group, told, &removed);
        }
        Ok(Reply::Members(lines))
    }

    fn decide(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        id: ApplicationId,
        accept: bool,
    ) -> Answer {
        let room = self.living(group)?;
        let open = self.open(id);
        let (kind, subject) = match (&open, self.past.get(&id)) {
            (Some((_, subject, waiting)), _) => (waiting.kind, subject.clone()),
            (None, Some((_, kind, subject))) => (*kind, subject.clone()),
            (None, None) => return Err(Reason::ApplicationNotFound),
        };
        if kind == ApplicationKind::Invitation {
            if caller.user != subject && !caller.administrator {
                return Err(Reason::RoleTooLow);
            }
        } else {
            room.kind.permit(Doing::Decide, caller.administrator, room.role(&caller.user))?;
        }
        let (_, _, waiting) = open.ok_or(Reason::AlreadyHandled)?;
        if accept {
            return self.accept(caller, group, &subject, &waiting);
        }
        self.close(group, &subject);
        Ok(Reply::Done)
    }

    fn expire(&mut self, group: &GroupId, id: ApplicationId) -> Answer {
        self.living(group)?;
        match self.open(id) {
            Some((_, subject, waiting)) if waiting.until <= self.now => {
                self.close(group, &subject);
                Ok(Reply::Done)
            }
            None if !self.past.contains_key(&id) => Err(Reason::ApplicationNotFound),
            _ => Ok(Reply::Done),
        }
    }

    fn dismiss(&mut self, caller: &Caller, group: &GroupId) -> Answer {
        let room = self.living(group)?;
        room.kind.permit(Doing::Dismiss, caller.administrator, room.role(&caller.user))?;
        let everybody: Vec<UserId> = room.members.keys().cloned().collect();
        self.leave(group, Told::of(EventKind::onGroupDismissed, &caller.user), &everybody);
        self.room(group).gone = true;
        Ok(Reply::Done)
    }

    /// What a dismissal left behind: the open applications.
    fn release(&mut self, group: &GroupId) -> Reply {
        if self.rooms.get(group).is_some_and(|room| room.gone) {
            let subjects: Vec<UserId> = self.rooms[group].waiting.keys().cloned().collect();
            for subject in subjects {
                self.close(group, &subject);
            }
        }
        Reply::Done
    }

    fn edit(&mut self, caller: &Caller, group: &GroupId, edit: &GroupEdit) -> Answer {
        let mut room = self.living(group)?.clone();
        let (kind, role) = (room.kind, room.role(&caller.user));
        let permit = |doing| kind.permit(doing, caller.administrator, role);
        let options =
            Options { join: edit.join_option, invite: edit.invite_option, cap: edit.max_members };
        let asks_options =
            options.join.is_some() || options.invite.is_some() || options.cap.is_some();
        let new = [&edit.name, &edit.introduction, &edit.notification, &edit.face_url];
        let asks_texts = new.iter().any(|text| text.is_some()) || !edit.custom_fields.is_empty();
        // A call that asks for nothing takes the least right there is.
        if asks_texts || !(asks_options || edit.mute_all.is_some()) {
            permit(Doing::EditProfile)?;
        }
        if asks_options {
            permit(Doing::EditOptions)?;
        }
        if edit.mute_all.is_some() {
            permit(Doing::MuteAll)?;
        }
        self.set_options(&mut room, &options, false)?;
        room.mute_all = edit.mute_all.unwrap_or(room.mute_all);
        let texts = &mut room.texts;
        let places =
            [&mut texts.name, &mut texts.introduction, &mut texts.notification, &mut texts.face];
        for (place, new) in places.into_iter().zip(new) {
            place.clone_from(new.as_ref().unwrap_or(&place.clone()));
        }
        let fields = &mut room.texts.fields;
        let fields = change_fields(fields, &edit.custom_fields, FIELDS_OF_GROUP)?;
        let mut infos = differences(self.room(group), &room);
        let of_field = |(key, value): (String, Option<String>)| json!({ "type": "customFields", "key": key, "value": value });
        infos.extend(fields.into_iter().map(of_field));
        if !infos.is_empty() {
            room.note(Told { infos, ..Told::of(EventKind::onGroupInfoChanged, &caller.user) });
            *self.room(group) = room;
        }
        Ok(Reply::Done)
    }

    /// Sets options as far as the type lets them be set (1.3, 1.4, r). A lenient call's other wishes are
    /// passed over.
    pub(super) fn set_options(
        &self,
        room: &mut Room,
        options: &Options,
        lenient: bool,
    ) -> Result<(), Reason> {
        let join = options.join.filter(|join| *join != room.join);
        let invite = options.invite.filter(|invite| *invite != room.invite);
        if let Some(join) = join {
            if !room.kind.join_is_fixed() {
                room.join = join;
            } else if !lenient {
                return Err(Reason::NotAllowedForType);
            }
        }
        if let Some(invite) = invite {
            if !room.kind.invite_is_fixed() {
                room.invite = invite;
            } else if !lenient {
                return Err(Reason::NotAllowedForType);
            }
        }
        // A group that has no bound gets none (r).
        if let Some(cap) = options.cap.filter(|_| room.cap.is_some()) {
            if cap < 1 {
                return Err(Reason::InvalidParameter);
            }
            if cap > room.kind.highest(self.numbers.highest_cap) {
                return Err(Reason::MemberCapTooHigh);
            }
            room.cap = Some(cap);
        }
        Ok(())
    }

    fn put_user(&mut self, caller: &Caller, user: &UserId, edit: &UserEdit) -> Answer {
        let himself = caller.user == *user;
        if !caller.administrator && (!himself || edit.group_limit.is_some()) {
            return Err(Reason::AdministratorsOnly);
        }
        if !caller.administrator && !self.has_account(user) {
            return Err(Reason::UnknownAccount);
        }
        let person = self.person(user);
        person.consent = edit.invite_consent.unwrap_or(person.consent);
        person.limit = edit.group_limit.unwrap_or(person.limit);
        Ok(Reply::Done)
    }

    fn import(&mut self, caller: &Caller, users: &[(UserId, UserEdit)]) -> Answer {
        if !caller.administrator {
            return Err(Reason::AdministratorsOnly);
        }
        for (user, edit) in users {
            self.put_user(caller, user, edit)?;
        }
        Ok(Reply::Done)
    }
}

/// What is told of a group that was changed, but for the app's own fields.
fn differences(before: &Room, after: &Room) -> Vec<Value> {
    let shown = |room: &Room| -> BTreeMap<&str, Value> {
        let Texts { name, introduction, notification, face, .. } = &room.texts;
        BTreeMap::from([
            ("groupName", json!(name)),
            ("introduction", json!(introduction)),
            ("notification", json!(notification)),
            ("faceUrl", json!(face)),
            ("joinOption", json!(room.join.word())),
            ("inviteOption", json!(room.invite.word())),
            ("maxMemberCount", json!(room.cap)),
            ("muteAll", json!(room.mute_all)),
        ])
    };
    let before = shown(before);
    let different = shown(after).into_iter().filter(|(field, value)| before[field] != *value);
    different.map(|(field, value)| json!({ "type": field, "value": value })).collect()
}
