//! The model's ways into a group: being named at its beginning, invited, joining, being accepted.

use std::collections::BTreeSet;

use muster::model::command::CreateGroup;
use muster::model::{
    ApplicationKind, Caller, EventKind, GroupId, GroupType, InviteConsent, InviteOption,
    JoinOption, MemberOutcome, MemberReason, MemberResult, NewMember, Reason, Reply, Role, UserId,
};

use super::laws::{Answer, at_least};
use super::world::{Room, Told, Waiting, World};

/// How an invitation goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    Unconditional,
    Direct,
    Approval,
}

/// Who may invite, and how (1.4, b to d).
fn path(room: &Room, user: &UserId, administrator: bool) -> Result<Path, Reason> {
    if room.group_type == GroupType::AVChatRoom {
        return Err(Reason::NotAllowedForType);
    }
    if administrator {
        return Ok(Path::Unconditional);
    }
    let role = room.role(user).ok_or(Reason::NotAMember)?;
    match (room.invite, role) {
        (InviteOption::DisableInvite, _) => Err(Reason::InviteDisabled),
        (InviteOption::NeedPermission, Role::Member) => Ok(Path::Approval),
        _ => Ok(Path::Direct),
    }
}

fn line(user: &UserId, result: MemberResult, reason: Option<MemberReason>) -> MemberOutcome {
    let user = user.clone();
    MemberOutcome { user, result, reason, limit: None, current: None, source: None }
}

/// What becomes of the people named in one call.
#[derive(Default)]
struct Sorted {
    lines: Vec<MemberOutcome>,
    joining: Vec<UserId>,
    asked: Vec<(UserId, ApplicationKind)>,
}

impl World {
    /// Goes through one more person. `room` is the group that it is about.
    fn sort(&self, sorted: &mut Sorted, room: &Room, path: Path, user: &UserId) {
        use MemberReason as R;
        let unconditional = path == Path::Unconditional;
        let failed = |reason| line(user, MemberResult::Failed, Some(reason));
        let with_numbers = |result, reason, limit: i32, current: i32| {
            let mut line = line(user, result, Some(reason));
            line.limit = Some(limit.into());
            line.current = Some(current.into());
            line
        };
        let waiting = room.waiting.get(user).map(|waiting| waiting.kind);
        let agrees =
            self.consent_of(user) == InviteConsent::Auto || waiting == Some(ApplicationKind::Join);
        let pending = |kind| {
            let reason = match kind {
                ApplicationKind::Invitation => R::AwaitingInvitee,
                _ => R::AwaitingApproval,
            };
            line(user, MemberResult::Pending, Some(reason))
        };
        let of_group = i32::try_from(room.waiting.len() + sorted.asked.len()).expect("few");
        let answer = if room.role(user).is_some() {
            line(user, MemberResult::Invalid, Some(R::AlreadyMember))
        } else if room.banned.get(user).is_some_and(|until| *until > self.now) {
            failed(R::Banned)
        } else if !self.has_account(user) {
            failed(R::UnknownUser)
        } else if self.consent_of(user) == InviteConsent::Deny && !unconditional {
            failed(R::DeclinedByUser)
        } else if room.counts() && self.is_at_his_limit(user) {
            let (limit, current) = (self.limit_of(user), self.groups_of(user));
            with_numbers(MemberResult::OverLimit, R::GroupLimitReached, limit, current)
        } else if unconditional || (path == Path::Direct && agrees) {
            sorted.joining.push(user.clone());
            line(user, MemberResult::Done, None)
        } else if let Some(kind) = waiting {
            pending(kind)
        } else if of_group >= self.numbers.pending_per_group {
            let limit = self.numbers.pending_per_group;
            with_numbers(MemberResult::Failed, R::TooManyPending, limit, of_group)
        } else if self.pending_of(user) >= self.numbers.pending_per_user {
            let (limit, current) = (self.numbers.pending_per_user, self.pending_of(user));
            with_numbers(MemberResult::Failed, R::TooManyPending, limit, current)
        } else {
            let kind = match path {
                Path::Approval => ApplicationKind::Invite,
                _ => ApplicationKind::Invitation,
            };
            sorted.asked.push((user.clone(), kind));
            pending(kind)
        };
        sorted.lines.push(answer);
    }

    /// Opens an application and tells those who decide it.
    fn ask(&mut self, group: &GroupId, subject: &UserId, kind: ApplicationKind, from: &UserId) {
        self.person(subject);
        let until = self.now + self.numbers.life;
        let from = from.clone();
        let waiting = Waiting { kind, from, approved: false, until, id: None };
        self.room(group).waiting.insert(subject.clone(), waiting);
        if kind == ApplicationKind::Invitation {
            self.tell(subject, EventKind::onReceiveInvitation);
        } else {
            for manager in self.rooms[group].managers() {
                self.tell(&manager, EventKind::onReceiveJoinApplication);
            }
        }
    }

    /// Lets people in with one event.
    fn enter(&mut self, group: &GroupId, kind: EventKind, op: Option<&UserId>, users: &[UserId]) {
        for user in users {
            self.person(user);
            self.room(group).members.insert(user.clone(), Role::Member);
        }
        let told = Told {
            kind,
            op: op.cloned(),
            starts: users.iter().cloned().collect(),
            ends: BTreeSet::new(),
        };
        self.room(group).log.push(told);
    }

    pub(super) fn invite(&mut self, caller: &Caller, group: &GroupId, users: &[UserId]) -> Answer {
        let room = self.living(group)?.clone();
        let path = path(&room, &caller.user, caller.administrator)?;
        self.check_batch(users.len())?;
        let mut sorted = Sorted::default();
        for user in users {
            self.sort(&mut sorted, &room, path, user);
        }
        if sorted.lines.iter().all(|line| line.reason == Some(MemberReason::UnknownUser)) {
            return Err(Reason::UnknownAccount);
        }
        if !room.has_room(sorted.joining.len() + sorted.asked.len()) {
            return Err(Reason::GroupFull);
        }
        for user in &sorted.joining {
            self.close(group, user);
        }
        if !sorted.joining.is_empty() {
            self.enter(group, EventKind::onMemberInvited, Some(&caller.user), &sorted.joining);
        }
        for (user, kind) in &sorted.asked {
            self.ask(group, user, *kind, &caller.user);
        }
        Ok(Reply::Members(sorted.lines))
    }

    pub(super) fn join(&mut self, caller: &Caller, group: &GroupId) -> Answer {
        let user = &caller.user;
        let room = self.living(group)?.clone();
        if room.role(user).is_some() {
            return Err(Reason::AlreadyMember);
        }
        if room.banned.get(user).is_some_and(|until| *until > self.now) {
            return Err(Reason::Banned);
        }
        let waiting = room.waiting.get(user);
        if let Some(invitation) = waiting.filter(|it| it.kind == ApplicationKind::Invitation) {
            return self.accept(caller, group, user, invitation);
        }
        if room.group_type == GroupType::Work {
            return Err(Reason::NotAllowedForType);
        }
        if room.join == JoinOption::DisableApply && !caller.administrator {
            return Err(Reason::ApplyDisabled);
        }
        if !self.has_account(user) {
            return Err(Reason::UnknownAccount);
        }
        if room.counts() && self.is_at_his_limit(user) {
            return Err(Reason::GroupLimitReached);
        }
        if !room.has_room(1) {
            return Err(Reason::GroupFull);
        }
        if room.join == JoinOption::NeedPermission && !caller.administrator {
            return self.apply_to_join(group, user, &room);
        }
        self.close(group, user);
        self.enter(group, EventKind::onMemberEnter, None, std::slice::from_ref(user));
        Ok(Reply::Joined)
    }

    fn apply_to_join(&mut self, group: &GroupId, user: &UserId, room: &Room) -> Answer {
        let open = i32::try_from(room.waiting.len()).expect("few");
        if !room.waiting.contains_key(user) {
            if open >= self.numbers.pending_per_group
                || self.pending_of(user) >= self.numbers.pending_per_user
            {
                return Err(Reason::TooManyPending);
            }
            self.ask(group, user, ApplicationKind::Join, user);
        }
        Ok(Reply::Pending)
    }

    /// Accepts an open application: everything is checked again (13, l).
    pub(super) fn accept(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        subject: &UserId,
        open: &Waiting,
    ) -> Answer {
        let room = self.living(group)?.clone();
        if open.kind != ApplicationKind::Join {
            let now = path(&room, &open.from, false)?;
            if open.kind == ApplicationKind::Invitation && now == Path::Approval && !open.approved {
                return Err(Reason::RoleTooLow);
            }
        }
        if room.banned.get(subject).is_some_and(|until| *until > self.now) {
            return Err(Reason::Banned);
        }
        if room.counts() && self.is_at_his_limit(subject) {
            return Err(Reason::GroupLimitReached);
        }
        if !room.has_room(1) {
            return Err(Reason::GroupFull);
        }
        if open.kind == ApplicationKind::Invite && !caller.administrator {
            match self.consent_of(subject) {
                InviteConsent::Auto => {}
                InviteConsent::Deny => return Err(Reason::DeclinedByUser),
                InviteConsent::Ask => {
                    self.close(group, subject);
                    self.ask(group, subject, ApplicationKind::Invitation, &open.from);
                    let forwarded = self.room(group).waiting.get_mut(subject);
                    forwarded.expect("just opened").approved = true;
                    return Ok(Reply::Pending);
                }
            }
        }
        self.close(group, subject);
        let (kind, op) = match open.kind {
            ApplicationKind::Join => (EventKind::onMemberEnter, &caller.user),
            _ => (EventKind::onMemberInvited, &open.from),
        };
        self.enter(group, kind, Some(op), std::slice::from_ref(subject));
        Ok(Reply::Joined)
    }

    pub(super) fn create(&mut self, caller: &Caller, create: &CreateGroup) -> Answer {
        let mut room = self.new_room(caller, create)?;
        if let Some(owner) = &create.owner {
            if !self.has_account(owner) {
                return Err(Reason::UnknownAccount);
            }
            if room.counts() && self.is_at_his_limit(owner) {
                return Err(Reason::GroupLimitReached);
            }
            room.members.insert(owner.clone(), Role::Owner);
        }
        let path = if caller.administrator { Path::Unconditional } else { Path::Direct };
        let mut sorted = Sorted::default();
        for NewMember { user, .. } in &create.members {
            self.sort(&mut sorted, &room, path, user);
        }
        if !room.has_room(sorted.joining.len() + sorted.asked.len()) {
            return Err(Reason::GroupFull);
        }
        for NewMember { user, role, .. } in &create.members {
            if sorted.joining.contains(user) {
                room.members.insert(user.clone(), *role);
            }
        }
        let everybody: BTreeSet<UserId> = room.members.keys().cloned().collect();
        for user in &everybody {
            self.person(user);
        }
        room.log.push(Told {
            kind: EventKind::onGroupCreated,
            op: Some(caller.user.clone()),
            starts: everybody,
            ends: BTreeSet::new(),
        });
        self.rooms.insert(create.group.clone(), room);
        for (user, kind) in &sorted.asked {
            self.ask(&create.group, user, *kind, &caller.user);
        }
        Ok(Reply::Created { group: create.group.clone(), members: sorted.lines })
    }

    /// A group as it is asked for, still empty.
    fn new_room(&self, caller: &Caller, create: &CreateGroup) -> Result<Room, Reason> {
        if let Some(taken) = self.rooms.get(&create.group) {
            let owner = create.owner.as_ref().unwrap_or(&caller.user);
            let own = !taken.gone && taken.owner.as_ref() == Some(owner);
            return Err(if own { Reason::GroupIdTakenByOwner } else { Reason::GroupIdTaken });
        }
        if !create.members.is_empty() {
            if create.group_type == GroupType::AVChatRoom {
                return Err(Reason::NotAllowedForType);
            }
            self.check_batch(create.members.len())?;
        }
        let names_admins =
            create.members.iter().any(|one| at_least(Some(one.role), Role::Admin).is_ok());
        if create.group_type == GroupType::Work && names_admins {
            return Err(Reason::InvalidParameter);
        }
        // tencent-im.md 1.2 to 1.4, decisions b and c.
        let (join, invite, cap) = match create.group_type {
            GroupType::Work => (JoinOption::DisableApply, InviteOption::FreeAccess, Some(6_000)),
            GroupType::Public => {
                (JoinOption::NeedPermission, InviteOption::DisableInvite, Some(6_000))
            }
            GroupType::Meeting => {
                (JoinOption::FreeAccess, InviteOption::DisableInvite, Some(6_000))
            }
            GroupType::AVChatRoom => (JoinOption::FreeAccess, InviteOption::DisableInvite, None),
            GroupType::Community => {
                (JoinOption::FreeAccess, InviteOption::FreeAccess, Some(100_000))
            }
        };
        let mut room = Room {
            group_type: create.group_type,
            owner: create.owner.clone(),
            name: create.name.clone(),
            join,
            invite,
            cap: cap.map(|cap: i32| cap.min(self.numbers.highest_cap)),
            members: std::collections::BTreeMap::new(),
            banned: std::collections::BTreeMap::new(),
            waiting: std::collections::BTreeMap::new(),
            log: Vec::new(),
            gone: false,
        };
        self.set_options(&mut room, create.join_option, create.invite_option, create.max_members)?;
        Ok(room)
    }
}
