//! The model's other operations: leaving, removing, deciding, changing, ending.

use std::collections::BTreeSet;

use muster::model::command::{GroupEdit, UserEdit};
use muster::model::{
    ApplicationId, ApplicationKind, Caller, Command, EventKind, GroupId, GroupType, InviteOption,
    JoinOption, MemberOutcome, MemberReason, MemberResult, Operation, Reason, Reply, Role, UserId,
};

use super::world::{Room, Told, World};

/// What a command is answered with.
pub(super) type Answer = Result<Reply, Reason>;

/// Whether a role is enough.
pub(super) fn at_least(role: Option<Role>, least: Role) -> Result<(), Reason> {
    match role {
        None => Err(Reason::NotAMember),
        Some(role) if role >= least => Ok(()),
        Some(_) => Err(Reason::RoleTooLow),
    }
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
            Operation::Invite { group, users, .. } => self.invite(caller, group, users),
            Operation::Join { group, .. } => self.join(caller, group),
            Operation::Quit { group } => self.quit(caller, group),
            Operation::Kick { group, users, ban_seconds, .. } => {
                self.kick(caller, group, users, *ban_seconds)
            }
            Operation::Decide { group, application, accept, .. } => {
                self.decide(caller, group, *application, *accept)
            }
            Operation::Expire { group, application, .. } => self.expire(group, *application),
            Operation::Release { group } => Ok(self.release(group)),
            Operation::PutUser { user, edit } => self.put_user(caller, user, edit),
            Operation::ImportUsers { users } => self.import(caller, users),
            Operation::RevokeCredentials { .. }
            | Operation::DeleteUser { .. }
            | Operation::Depart { .. }
            | Operation::ForgetUser { .. } => unreachable!("the scripts end no accounts"),
        }
    }

    /// A group that is there.
    pub(super) fn living(&self, group: &GroupId) -> Result<&Room, Reason> {
        self.rooms.get(group).filter(|room| !room.gone).ok_or(Reason::GroupNotFound)
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
    fn leave(&mut self, group: &GroupId, kind: EventKind, op: &UserId, users: &[UserId]) {
        let room = self.room(group);
        for user in users {
            room.members.remove(user);
            if room.owner.as_ref() == Some(user) && kind != EventKind::onGroupDismissed {
                room.owner = None;
            }
        }
        room.log.push(Told {
            kind,
            op: Some(op.clone()),
            starts: BTreeSet::new(),
            ends: users.iter().cloned().collect(),
        });
    }

    fn quit(&mut self, caller: &Caller, group: &GroupId) -> Answer {
        let room = self.living(group)?;
        let role = room.role(&caller.user).ok_or(Reason::NotAMember)?;
        if role == Role::Owner && room.group_type != GroupType::Work {
            return Err(Reason::OwnerMayNotQuit);
        }
        let user = caller.user.clone();
        self.leave(group, EventKind::onMemberLeave, &user, std::slice::from_ref(&user));
        Ok(Reply::Done)
    }

    fn kick(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        users: &[UserId],
        ban: Option<u32>,
    ) -> Answer {
        let room = self.living(group)?;
        let role = room.role(&caller.user);
        match room.group_type {
            GroupType::AVChatRoom => return Err(Reason::NotAllowedForType),
            _ if caller.administrator => {}
            GroupType::Work => at_least(role, Role::Owner)?,
            _ => at_least(role, Role::Admin)?,
        }
        self.check_batch(users.len())?;
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
            let user = user.clone();
            lines.push(MemberOutcome {
                user,
                result,
                reason,
                limit: None,
                current: None,
                source: None,
            });
        }
        if let Some(seconds) = ban {
            let until = self.now + i64::from(seconds);
            let banned = removed.iter().map(|user| (user.clone(), until));
            self.room(group).banned.extend(banned);
        }
        if !removed.is_empty() {
            self.leave(group, EventKind::onMemberKicked, &caller.user, &removed);
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
        } else if !caller.administrator {
            at_least(room.role(&caller.user), Role::Admin)?;
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
        match room.group_type {
            _ if caller.administrator => {}
            GroupType::Work => return Err(Reason::AdministratorsOnly),
            _ => at_least(room.role(&caller.user), Role::Owner)?,
        }
        let everybody: Vec<UserId> = room.members.keys().cloned().collect();
        self.leave(group, EventKind::onGroupDismissed, &caller.user, &everybody);
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
        let role = room.role(&caller.user);
        let options = edit.join_option.is_some()
            || edit.invite_option.is_some()
            || edit.max_members.is_some();
        if !caller.administrator {
            let (profile, option) = match room.group_type {
                GroupType::Work => (Role::Member, Role::Owner),
                GroupType::AVChatRoom => (Role::Owner, Role::Owner),
                _ => (Role::Admin, Role::Admin),
            };
            if edit.name.is_some() || !options {
                at_least(role, profile)?;
            }
            if options {
                at_least(role, option)?;
            }
        }
        self.set_options(&mut room, edit.join_option, edit.invite_option, edit.max_members)?;
        if let Some(name) = &edit.name {
            room.name.clone_from(name);
        }
        let before = self.room(group);
        let told = |room: &Room| (room.join, room.invite, room.cap, room.name.clone());
        if told(before) != told(&room) {
            room.log.push(Told {
                kind: EventKind::onGroupInfoChanged,
                op: Some(caller.user.clone()),
                starts: BTreeSet::new(),
                ends: BTreeSet::new(),
            });
            *before = room;
        }
        Ok(Reply::Done)
    }

    /// Sets options as far as the type lets them be set (1.3, 1.4, r).
    pub(super) fn set_options(
        &self,
        room: &mut Room,
        join: Option<JoinOption>,
        invite: Option<InviteOption>,
        cap: Option<i32>,
    ) -> Result<(), Reason> {
        let live = room.group_type == GroupType::AVChatRoom;
        let fixed =
            matches!(room.group_type, GroupType::Work | GroupType::Meeting | GroupType::AVChatRoom);
        if let Some(join) = join {
            if fixed && join != room.join {
                return Err(Reason::NotAllowedForType);
            }
            room.join = join;
        }
        if let Some(invite) = invite {
            if live && invite != room.invite {
                return Err(Reason::NotAllowedForType);
            }
            room.invite = invite;
        }
        if let Some(cap) = cap.filter(|_| !live) {
            if cap < 1 {
                return Err(Reason::InvalidParameter);
            }
            if cap > self.numbers.highest_cap {
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
