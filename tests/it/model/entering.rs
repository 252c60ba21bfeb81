//! The model's ways into a group: being named at its beginning, invited, joining, being accepted.

use std::collections::BTreeMap;

use muster::model::command::CreateGroup;
use muster::model::{
    ApplicationKind, Caller, CustomFields, EventKind, GroupId, InviteConsent, InviteOption,
    JoinOption, MemberOutcome, MemberReason, MemberResult, NewMember, Reason, Reply, Role, UserId,
};
use serde_json::json;

use super::kinds::{Doing, Kind};
use super::laws::{Answer, Options, line};
use super::world::{Room, Seat, Texts, Told, Waiting, World, moment};

/// How an invitation goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Path {
    Unconditional,
    Direct,
    Approval,
}

/// Who may invite, and how (1.4, b to d).
fn path(room: &Room, user: &UserId, administrator: bool) -> Result<Path, Reason> {
    let role = room.role(user);
    room.kind.permit(Doing::Invite, administrator, role)?;
    match (room.invite, role) {
        _ if administrator => Ok(Path::Unconditional),
        (InviteOption::DisableInvite, _) => Err(Reason::InviteDisabled),
        (InviteOption::NeedPermission, Some(Role::Member)) => Ok(Path::Approval),
        _ => Ok(Path::Direct),
    }
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
            let line = line(user, result, Some(reason));
            MemberOutcome { limit: Some(limit.into()), current: Some(current.into()), ..line }
        };
        let waiting = room.waiting.get(user).map(|waiting| waiting.kind);
        let agrees = waiting == Some(ApplicationKind::Join)
            || (self.consent_of(user) == InviteConsent::Auto && !room.kind.asks());
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
        } else if room.keeps_out(user, self.now) {
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
    fn enter(
        &mut self,
        group: &GroupId,
        kind: EventKind,
        op: Option<&UserId>,
        newcomers: Vec<(UserId, Seat)>,
        silent: bool,
    ) {
        let mut names = BTreeMap::new();
        for (user, seat) in newcomers {
            let told = match (kind, seat.role) {
                (EventKind::onGroupCreated, role) => json!({ "role": role.word() }),
                (_, Role::Member) => json!({}),
                (_, role) => json!({ "role": role.word() }),
            };
            names.insert(user.clone(), told);
            self.person(&user);
            self.room(group).members.insert(user, seat);
        }
        let starts = names.keys().cloned().collect();
        let nobody = UserId::from_stored("nobody");
        let told = Told { starts, names, silent, ..Told::of(kind, op.unwrap_or(&nobody)) };
        self.room(group).note(Told { op: op.cloned(), ..told });
    }

    /// An ordinary member, from now on.
    fn seat(&self) -> Seat {
        let (card, fields) = (String::new(), CustomFields::new());
        Seat { role: Role::Member, since: self.now, card, fields }
    }

    /// Lets one ordinary member in.
    fn enter_alone(
        &mut self,
        group: &GroupId,
        kind: EventKind,
        op: Option<&UserId>,
        user: &UserId,
    ) {
        let newcomer = (user.clone(), self.seat());
        self.enter(group, kind, op, vec![newcomer], false);
    }

    /// Those of the named who join, as they are named.
    fn as_named(
        &self,
        room: &Room,
        joining: &[UserId],
        named: &[NewMember],
    ) -> Vec<(UserId, Seat)> {
        let his = |one: &NewMember| {
            // r: nobody was in it before it was there.
            let given = one.joined_at.map(|at| (at - moment(0)).num_seconds());
            let since = given.map_or(self.now, |at| at.max(room.created));
            (
                one.user.clone(),
                Seat { role: one.role, since, fields: one.custom_fields.clone(), ..self.seat() },
            )
        };
        named.iter().filter(|one| joining.contains(&one.user)).map(his).collect()
    }

    pub(super) fn invite(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        users: &[UserId],
        silent: bool,
    ) -> Answer {
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
            let newcomers = sorted.joining.iter().map(|user| (user.clone(), self.seat())).collect();
            self.enter(group, EventKind::onMemberInvited, Some(&caller.user), newcomers, silent);
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
        if room.keeps_out(user, self.now) {
            return Err(Reason::Banned);
        }
        let waiting = room.waiting.get(user);
        if let Some(invitation) = waiting.filter(|it| it.kind == ApplicationKind::Invitation) {
            return self.accept(caller, group, user, invitation);
        }
        if !room.kind.knows_applications() {
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
        self.enter_alone(group, EventKind::onMemberEnter, None, user);
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
        if room.keeps_out(subject, self.now) {
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
                InviteConsent::Deny => return Err(Reason::DeclinedByUser),
                InviteConsent::Auto if !room.kind.asks() => {}
                InviteConsent::Auto | InviteConsent::Ask => {
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
        self.enter_alone(group, kind, Some(op), subject);
        Ok(Reply::Joined)
    }

    /// Brings in the members of a group that comes from elsewhere: an invitation by an administrator, of
    /// which nobody is shown anything (2.4).
    pub(super) fn import_members(
        &mut self,
        caller: &Caller,
        group: &GroupId,
        members: &[NewMember],
    ) -> Answer {
        let room = self.living(group)?.clone();
        room.kind.permit(Doing::Import, caller.administrator, None)?;
        Self::check_named(members.len())?;
        check_roles(room.kind, members)?;
        if members.iter().any(|one| one.joined_at.is_some_and(|at| at > moment(self.now))) {
            return Err(Reason::InvalidParameter);
        }
        let mut sorted = Sorted::default();
        for one in members {
            self.sort(&mut sorted, &room, Path::Unconditional, &one.user);
        }
        if !room.has_room(sorted.joining.len()) {
            return Err(Reason::GroupFull);
        }
        for user in &sorted.joining {
            self.close(group, user);
        }
        if !sorted.joining.is_empty() {
            let newcomers = self.as_named(&room, &sorted.joining, members);
            self.enter(group, EventKind::onMemberInvited, Some(&caller.user), newcomers, true);
        }
        Ok(Reply::Members(sorted.lines))
    }

    pub(super) fn create(&mut self, caller: &Caller, create: &CreateGroup) -> Answer {
        let room = self.new_room(caller, create)?;
        let mut newcomers = Vec::new();
        if let Some(owner) = &create.owner {
            if !self.has_account(owner) {
                return Err(Reason::UnknownAccount);
            }
            if room.counts() && self.is_at_his_limit(owner) {
                return Err(Reason::GroupLimitReached);
            }
            newcomers.push((owner.clone(), Seat { role: Role::Owner, ..self.seat() }));
        }
        // Somebody who is named and owns the group is in it already.
        let mut begun = room.clone();
        begun.members = newcomers.iter().cloned().collect();
        let path = if caller.administrator { Path::Unconditional } else { Path::Direct };
        let mut sorted = Sorted::default();
        for NewMember { user, .. } in &create.members {
            self.sort(&mut sorted, &begun, path, user);
        }
        let unknown = Some(MemberReason::UnknownUser);
        if create.lenient && sorted.lines.iter().any(|line| line.reason == unknown) {
            return Err(Reason::UnknownAccount);
        }
        if !begun.has_room(sorted.joining.len() + sorted.asked.len()) {
            return Err(Reason::GroupFull);
        }
        newcomers.extend(self.as_named(&room, &sorted.joining, &create.members));
        self.rooms.insert(create.group.clone(), room);
        let (kind, silent) = (EventKind::onGroupCreated, create.imported.is_some());
        self.enter(&create.group, kind, Some(&caller.user), newcomers, silent);
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
        let kind = Kind::of(create.group_type, create.own_type.as_deref());
        if create.imported.is_some() {
            kind.permit(Doing::Import, caller.administrator, None)?;
        }
        if !create.members.is_empty() {
            kind.permit(Doing::NameFirstMembers, caller.administrator, Some(Role::Owner))?;
            self.check_batch(create.members.len())?;
        }
        check_roles(kind, &create.members)?;
        let made = create.imported.as_ref().and_then(|imported| imported.created_at);
        let created = made.map_or(self.now, |at| (at - moment(0)).num_seconds());
        if created > self.now {
            return Err(Reason::InvalidParameter);
        }
        let (join, invite, cap) = kind.beginning();
        let texts = Texts {
            name: create.name.clone(),
            introduction: create.introduction.clone(),
            notification: create.notification.clone(),
            face: create.face_url.clone(),
            fields: create.custom_fields.clone(),
        };
        let mut room = Room {
            kind,
            created,
            owner: create.owner.clone(),
            texts,
            join,
            invite,
            cap: cap.map(|cap| cap.min(kind.highest(self.numbers.highest_cap))),
            mute_all: false,
            members: BTreeMap::new(),
            quiet: BTreeMap::new(),
            banned: BTreeMap::new(),
            waiting: BTreeMap::new(),
            log: Vec::new(),
            gone: false,
        };
        let options = Options {
            join: create.join_option,
            invite: create.invite_option,
            cap: create.max_members,
        };
        self.set_options(&mut room, &options, create.lenient)?;
        Ok(room)
    }
}

/// Whether the named may begin with their roles (1.2: not every type knows admins).
fn check_roles(kind: Kind, members: &[NewMember]) -> Result<(), Reason> {
    let names_admins = members.iter().any(|one| one.role == Role::Admin);
    if names_admins && !kind.has_admins() { Err(Reason::InvalidParameter) } else { Ok(()) }
}
