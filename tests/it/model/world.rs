//! The model: groups are sets of members, users are what they want, everything else is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use chrono::{SecondsFormat, TimeDelta};
use muster::model::{
    ApplicationId, ApplicationKind, CustomFields, EventKind, GroupId, InviteConsent, InviteOption,
    JoinOption, Limits, Moment, Role, UserId,
};
use muster::rules::Facts;
use serde_json::Value;

use super::kinds::Kind;

/// The end of what never ends.
pub(super) const NEVER: i64 = i64::MAX;

/// A moment, so many seconds after the beginning.
pub(super) fn moment(seconds: i64) -> Moment {
    Moment::from_timestamp(1_700_000_000, 0).expect("a moment") + TimeDelta::seconds(seconds)
}

/// A moment as clients read it.
pub(super) fn shown(seconds: i64) -> String {
    if seconds == NEVER {
        return "9999-12-31T23:59:59.000Z".to_owned();
    }
    moment(seconds).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A person with an account.
#[derive(Clone, Debug)]
pub(super) struct Person {
    pub(super) consent: InviteConsent,
    pub(super) limit: Option<i32>,
    /// What he was told, in order.
    pub(super) told: Vec<EventKind>,
}

/// One event of a group.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    pub(super) kind: EventKind,
    pub(super) op: Option<UserId>,
    pub(super) starts: BTreeSet<UserId>,
    pub(super) ends: BTreeSet<UserId>,
    /// Who is named, each with what is said of him.
    pub(super) names: BTreeMap<UserId, Value>,
    /// What changed of the group.
    pub(super) infos: Vec<Value>,
    pub(super) reason: String,
    pub(super) silent: bool,
}

impl Told {
    /// An event that names nobody.
    pub(super) fn of(kind: EventKind, op: &UserId) -> Self {
        Self {
            kind,
            op: Some(op.clone()),
            starts: BTreeSet::new(),
            ends: BTreeSet::new(),
            names: BTreeMap::new(),
            infos: Vec::new(),
            reason: String::new(),
            silent: false,
        }
    }

    /// An event that names people and says nothing more of them.
    pub(super) fn naming<'a>(
        kind: EventKind,
        op: &UserId,
        users: impl IntoIterator<Item = &'a UserId>,
    ) -> Self {
        let nothing = || Value::Object(serde_json::Map::new());
        let names = users.into_iter().map(|user| (user.clone(), nothing())).collect();
        Self { names, ..Self::of(kind, op) }
    }
}

/// Somebody would be a member if somebody agreed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) kind: ApplicationKind,
    pub(super) from: UserId,
    pub(super) approved: bool,
    pub(super) until: i64,
    /// Learnt from the rules, which make the ids.
    pub(super) id: Option<ApplicationId>,
}

/// A membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    pub(super) role: Role,
    pub(super) since: i64,
    pub(super) card: String,
    pub(super) fields: CustomFields,
}

/// Somebody is kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptOut {
    pub(super) until: i64,
    pub(super) reason: String,
    pub(super) by: UserId,
}

/// What people read of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) name: String,
    pub(super) introduction: String,
    pub(super) notification: String,
    pub(super) face: String,
    pub(super) fields: CustomFields,
}

/// A group, also after its end.
#[derive(Clone, Debug)]
pub(super) struct Room {
    pub(super) kind: Kind,
    pub(super) created: i64,
    pub(super) owner: Option<UserId>,
    pub(super) texts: Texts,
    pub(super) join: JoinOption,
    pub(super) invite: InviteOption,
    pub(super) cap: Option<i32>,
    pub(super) mute_all: bool,
    pub(super) members: BTreeMap<UserId, Seat>,
    /// Until when people may not speak, members or not: a mute outlives leaving.
    pub(super) quiet: BTreeMap<UserId, i64>,
    pub(super) banned: BTreeMap<UserId, KeptOut>,
    pub(super) waiting: BTreeMap<UserId, Waiting>,
    /// Shared by the copies that a refused call is undone with.
    pub(super) log: Vec<Rc<Told>>,
    pub(super) gone: bool,
}

impl Room {
    /// Adds an event to the log.
    pub(super) fn note(&mut self, told: Told) {
        self.log.push(Rc::new(told));
    }

    /// Whether being in it counts towards a user's limit.
    pub(super) fn counts(&self) -> bool {
        self.kind.counts()
    }

    pub(super) fn role(&self, user: &UserId) -> Option<Role> {
        self.members.get(user).map(|seat| seat.role)
    }

    /// Whether so many more find room.
    pub(super) fn has_room(&self, newcomers: usize) -> bool {
        let wanted = i32::try_from(self.members.len() + newcomers).expect("few");
        newcomers == 0 || self.cap.is_none_or(|cap| wanted <= cap)
    }

    pub(super) fn managers(&self) -> BTreeSet<UserId> {
        let managing = self.members.iter().filter(|(_, seat)| seat.role != Role::Member);
        managing.map(|(user, _)| user.clone()).collect()
    }

    /// Whether somebody is kept out at this moment.
    pub(super) fn keeps_out(&self, user: &UserId, now: i64) -> bool {
        self.banned.get(user).is_some_and(|ban| ban.until > now)
    }

    /// Until when somebody may not speak, if he may not at this moment.
    pub(super) fn quiet_until(&self, user: &UserId, now: i64) -> Option<i64> {
        self.quiet.get(user).copied().filter(|until| *until > now)
    }
}

/// Numbers that decisions depend on.
#[derive(Clone, Debug)]
pub(super) struct Numbers {
    pub(super) groups_per_user: i32,
    pub(super) highest_cap: i32,
    pub(super) in_a_call: usize,
    pub(super) pending_per_group: i32,
    pub(super) pending_per_user: i32,
    pub(super) life: i64,
    pub(super) registered: bool,
}

/// Everything there is.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) numbers: Numbers,
    pub(super) now: i64,
    pub(super) people: BTreeMap<UserId, Person>,
    pub(super) rooms: BTreeMap<GroupId, Room>,
    /// Applications that came to an end: where, what, about whom.
    pub(super) past: BTreeMap<ApplicationId, (GroupId, ApplicationKind, UserId)>,
}

impl World {
    pub(super) fn new(limits: &Limits) -> Self {
        let numbers = Numbers {
            groups_per_user: limits.groups_per_user.value,
            highest_cap: limits.members_per_group.value,
            in_a_call: usize::try_from(limits.invite_batch.value).expect("few"),
            pending_per_group: limits.pending_per_group.value,
            pending_per_user: limits.pending_per_user.value,
            life: i64::try_from(limits.application_life.as_secs()).expect("short"),
            registered: limits.accounts == muster::model::limits::Accounts::Registered,
        };
        Self {
            numbers,
            now: 0,
            people: BTreeMap::new(),
            rooms: BTreeMap::new(),
            past: BTreeMap::new(),
        }
    }

    /// In how many groups that count somebody is.
    pub(super) fn groups_of(&self, user: &UserId) -> i32 {
        let his = self.rooms.values().filter(|room| room.counts() && room.role(user).is_some());
        i32::try_from(his.count()).expect("few")
    }

    /// How many open applications would make somebody a member.
    pub(super) fn pending_of(&self, user: &UserId) -> i32 {
        let his = self.rooms.values().filter(|room| room.waiting.contains_key(user));
        i32::try_from(his.count()).expect("few")
    }

    /// A person's own limit on groups.
    pub(super) fn limit_of(&self, user: &UserId) -> i32 {
        let own = self.people.get(user).and_then(|person| person.limit);
        own.unwrap_or(self.numbers.groups_per_user)
    }

    pub(super) fn is_at_his_limit(&self, user: &UserId) -> bool {
        self.groups_of(user) >= self.limit_of(user)
    }

    pub(super) fn consent_of(&self, user: &UserId) -> InviteConsent {
        self.people.get(user).map_or(InviteConsent::Auto, |person| person.consent)
    }

    /// Whether a user id stands for somebody.
    pub(super) fn has_account(&self, user: &UserId) -> bool {
        !self.numbers.registered || self.people.contains_key(user)
    }

    /// The account of somebody, from now on at the latest.
    pub(super) fn person(&mut self, user: &UserId) -> &mut Person {
        self.people.entry(user.clone()).or_insert_with(|| Person {
            consent: InviteConsent::Auto,
            limit: None,
            told: Vec::new(),
        })
    }

    pub(super) fn tell(&mut self, user: &UserId, kind: EventKind) {
        self.person(user).told.push(kind);
    }

    pub(super) fn room(&mut self, group: &GroupId) -> &mut Room {
        self.rooms.get_mut(group).expect("a group")
    }

    /// An open application, by its id.
    pub(super) fn open(&self, id: ApplicationId) -> Option<(GroupId, UserId, Waiting)> {
        self.rooms.iter().find_map(|(group, room)| {
            let (subject, waiting) =
                room.waiting.iter().find(|(_, waiting)| waiting.id == Some(id))?;
            Some((group.clone(), subject.clone(), waiting.clone()))
        })
    }

    /// Learns the ids of applications that have just been made.
    pub(super) fn learn_ids(&mut self, facts: &Facts) {
        for (group, room) in &mut self.rooms {
            for (subject, waiting) in &mut room.waiting {
                if waiting.id.is_some() {
                    continue;
                }
                let open = facts.groups.get(group).and_then(|of_group| {
                    let mut all = of_group.applications.values();
                    all.find(|one| one.handled.is_none() && one.subject == *subject)
                });
                waiting.id = Some(open.expect("an open application").id);
            }
        }
    }
}
