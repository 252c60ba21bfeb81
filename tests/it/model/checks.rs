//! What has to hold after every batch.

use std::collections::{BTreeMap, BTreeSet};

use muster::model::{
    Ends, EventKind, GroupId, LogEntry, MemberOutcome, Moment, Profile, Reply, Role, StreamKey,
    UserId,
};
use muster::rules::Facts;
use serde_json::Value;

use super::rows::Tables;
use super::world::{KeptOut, NEVER, Seat, Texts, Told, World, moment};

/// A reply without the words on where a limit comes from, which the model does not know.
pub(super) fn plain(reply: Reply) -> Reply {
    let without = |lines: Vec<MemberOutcome>| -> Vec<MemberOutcome> {
        lines.into_iter().map(|line| MemberOutcome { source: None, ..line }).collect()
    };
    match reply {
        Reply::Members(lines) => Reply::Members(without(lines)),
        Reply::Created { group, members } => Reply::Created { group, members: without(members) },
        other => other,
    }
}

/// The event that began a membership, and the one that ended it.
type Interval = (i64, Option<i64>);

/// What the streams tell, read in order.
#[derive(Default)]
pub(super) struct Replay {
    heads: BTreeMap<StreamKey, i64>,
    intervals: BTreeMap<(GroupId, UserId), Vec<Interval>>,
    revisions: BTreeMap<UserId, i64>,
    row_revisions: BTreeMap<(GroupId, UserId), i64>,
}

impl Replay {
    /// Reads one more entry and compares it with what the model says happened.
    pub(super) fn take(&mut self, entry: &LogEntry, world: &World) {
        let head = self.heads.entry(entry.stream.clone()).or_default();
        *head += 1;
        assert_eq!(entry.seq, *head, "numbers have no holes: {entry:?}");
        let frame: Value = serde_json::from_str(&entry.frame).expect("a frame");
        assert_eq!((&frame["type"], &frame["event"]), (&"event".into(), &entry.kind.word().into()));
        let place = usize::try_from(entry.seq - 1).expect("a place");
        match &entry.stream {
            StreamKey::User(user) => {
                assert_eq!(frame["userSeq"], entry.seq);
                assert_eq!(world.people[user].told.get(place), Some(&entry.kind), "{entry:?}");
            }
            StreamKey::Group(group) => {
                assert_eq!(frame["seq"], entry.seq);
                assert_eq!(frame["groupID"], group.as_str());
                let told = world.rooms[group].log.get(place).expect("the model tells less");
                let starts: BTreeSet<UserId> = entry.starts.iter().cloned().collect();
                assert_eq!((told.kind, &told.starts), (entry.kind, &starts), "{entry:?}");
                said(told, &frame);
                if entry.kind == EventKind::onGroupCreated {
                    assert_eq!(frame["groupType"], world.rooms[group].kind.word());
                }
                self.take_memberships(group, entry, &told.ends);
                let stored = LogEntry::from_stored(
                    entry.stream.clone(),
                    entry.seq,
                    entry.at,
                    entry.kind,
                    &entry.frame,
                );
                assert_eq!(stored, *entry, "what is stored reads back equal");
            }
        }
    }

    fn take_memberships(&mut self, group: &GroupId, entry: &LogEntry, ends: &BTreeSet<UserId>) {
        for user in &entry.starts {
            let intervals = self.intervals.entry((group.clone(), user.clone())).or_default();
            assert!(intervals.last().is_none_or(|last| last.1.is_some()), "twice in: {entry:?}");
            intervals.push((entry.seq, None));
            self.changed(group, user);
        }
        if let Ends::Users(users) = &entry.ends {
            assert_eq!(users.iter().cloned().collect::<BTreeSet<_>>(), *ends, "{entry:?}");
        }
        for user in ends {
            let intervals = self.intervals.get_mut(&(group.clone(), user.clone()));
            let last = intervals.and_then(|all| all.last_mut()).expect("he was in");
            assert_eq!(last.1.replace(entry.seq), None, "he was in: {entry:?}");
            self.changed(group, user);
        }
    }

    fn changed(&mut self, group: &GroupId, user: &UserId) {
        let revision = self.revisions.entry(user.clone()).or_default();
        *revision += 1;
        self.row_revisions.insert((group.clone(), user.clone()), *revision);
    }
}

/// Compares what an event of a group says.
fn said(told: &Told, frame: &Value) {
    assert_eq!(told.op.as_ref().map(UserId::as_str), frame["opUser"]["userID"].as_str(), "{frame}");
    let mut names = BTreeMap::new();
    let list = frame["memberList"].as_array().into_iter().flatten();
    for one in list.chain(frame.get("member")) {
        let mut one = one.as_object().expect("an object").clone();
        let user = one.remove("userID").expect("an id");
        let user = UserId::from_stored(user.as_str().expect("a text"));
        assert_eq!(names.insert(user, Value::Object(one)), None, "named twice: {frame}");
    }
    assert_eq!(names, told.names, "{frame}");
    let sorted = |infos: &[Value]| {
        let mut texts: Vec<String> = infos.iter().map(Value::to_string).collect();
        texts.sort();
        texts
    };
    let infos = frame["changeInfos"].as_array().map_or(&[][..], Vec::as_slice);
    assert_eq!(sorted(infos), sorted(&told.infos), "{frame}");
    assert_eq!(frame["reason"].as_str().unwrap_or_default(), told.reason, "{frame}");
    assert_eq!(frame["silent"].as_bool().unwrap_or_default(), told.silent, "{frame}");
}

/// Compares owner and admins, where a command left them among the facts.
pub(super) fn managers(facts: &Facts, world: &World) {
    for (id, of_group) in &facts.groups {
        if let (Some(managers), Some(room)) = (&of_group.managers, world.rooms.get(id)) {
            assert_eq!(*managers, room.managers(), "{id} knows who runs it");
        }
    }
}

/// Compares everything.
pub(super) fn all(after: &Tables, replay: &Replay, world: &World) {
    groups(after, replay, world);
    members(after, replay, world);
    applications(after, world);
    bans(after, world);
    users(after, replay, world);
    for (stream, head) in &replay.heads {
        let told = match stream {
            StreamKey::Group(group) => world.rooms[group].log.len(),
            StreamKey::User(user) => world.people[user].told.len(),
        };
        assert_eq!(
            usize::try_from(*head).ok(),
            Some(told),
            "all that happened is told: {stream:?}"
        );
    }
}

/// Seconds from the beginning; the last second that can be written is never.
fn seconds(at: Moment) -> i64 {
    if at == Moment::from_timestamp(253_402_300_799, 0).expect("a moment") {
        return NEVER;
    }
    (at - moment(0)).num_seconds()
}

fn number(count: usize) -> i32 {
    i32::try_from(count).expect("few")
}

fn groups(after: &Tables, replay: &Replay, world: &World) {
    assert!(after.groups.keys().eq(world.rooms.keys()));
    assert!(after.profiles.keys().eq(world.rooms.keys()));
    for (id, room) in &world.rooms {
        let group = &after.groups[id];
        let own = group.own_type.as_deref();
        assert_eq!((group.group_type, own), (room.kind.base(), room.kind.own()));
        assert_eq!(group.created_at, moment(room.created), "{id}");
        assert_eq!(group.mute_all, room.mute_all, "{id}");
        assert_eq!(group.owner, room.owner, "{id}");
        assert_eq!((group.join_option, group.invite_option), (room.join, room.invite), "{id}");
        assert_eq!(
            (group.max_members, group.dismissed_at.is_some()),
            (room.cap, room.gone),
            "{id}"
        );
        texts(&after.profiles[id], &room.texts);
        let of_group = after.members.iter().filter(|((group, _), _)| group == id);
        let current = of_group.clone().filter(|(_, member)| member.is_current()).count();
        let owners = of_group.filter(|(_, it)| it.is_current() && it.role == Role::Owner);
        let owners: Vec<&UserId> = owners.map(|((_, user), _)| user).collect();
        let owner = group.owner.as_ref().filter(|_| !room.gone);
        assert_eq!(
            owners,
            Vec::from_iter(owner),
            "{id} has one owner or none, and he has the role"
        );
        assert_eq!(group.member_count, number(current), "{id} counts its members");
        let open = after
            .applications
            .iter()
            .filter(|((group, _), one)| group == id && one.handled.is_none());
        assert_eq!(group.pending_count, number(open.count()), "{id} counts what is open");
        let head = replay.heads.get(&StreamKey::Group(id.clone()));
        assert_eq!(Some(&group.seq), head, "{id} knows the number of its newest event");
        let left = !room.waiting.is_empty() && room.gone;
        assert_eq!(after.releases.contains(id), left, "{id} knows what is left to release");
    }
}

fn texts(profile: &Profile, texts: &Texts) {
    let found = Texts {
        name: profile.name.clone(),
        introduction: profile.introduction.clone(),
        notification: profile.notification.clone(),
        face: profile.face_url.clone(),
        fields: profile.custom_fields.clone(),
    };
    assert_eq!(found, *texts);
}

fn members(after: &Tables, replay: &Replay, world: &World) {
    assert!(after.members.keys().eq(replay.intervals.keys()), "rows and events tell of the same");
    for (key, member) in &after.members {
        let intervals = &replay.intervals[key];
        let last = intervals.last().copied();
        assert_eq!(last, Some((member.joined_seq, member.left_seq)), "the interval of {key:?}");
        let closed = |(joined, left): &Interval| (*joined, left.expect("it ended"));
        let past = intervals.len().checked_sub(2).map(|place| closed(&intervals[place]));
        assert_eq!(member.past, past, "the interval before of {key:?}");
        assert_eq!(member.user_rev, replay.row_revisions[key], "{key:?}");
        let (room, user) = (&world.rooms[&key.0], &key.1);
        let seat = member.is_current().then(|| Seat {
            role: member.role,
            since: seconds(member.joined_at),
            card: member.name_card.clone(),
            fields: member.custom_fields.clone(),
        });
        assert_eq!(seat.as_ref(), room.members.get(user), "{key:?}");
        // Also of those who left: a mute outlives leaving and coming back.
        let quiet = member.muted(moment(world.now)).map(seconds);
        assert_eq!(quiet, room.quiet_until(user, world.now), "until when {key:?} may not speak");
    }
    let inside = world.rooms.values().map(|room| room.members.len()).sum::<usize>();
    let current = after.members.values().filter(|member| member.is_current()).count();
    assert_eq!(current, inside);
}

fn applications(after: &Tables, world: &World) {
    let mut open = BTreeSet::new();
    for ((group, id), one) in &after.applications {
        assert_eq!((&one.group, one.id), (group, *id));
        if one.handled.is_some() {
            assert!(world.past.contains_key(id), "it came to an end: {one:?}");
            continue;
        }
        assert!(open.insert((group, &one.subject)), "one open for a group and a person: {one:?}");
        let waiting = &world.rooms[group].waiting[&one.subject];
        assert_eq!(waiting.id, Some(one.id));
        assert_eq!((waiting.kind, &waiting.from), (one.kind, &one.from_user));
        assert_eq!(waiting.approved, one.approved_by.is_some(), "{one:?}");
        assert_eq!((one.expires_at - one.added_at).num_seconds(), world.numbers.life);
    }
    let waiting = world.rooms.values().map(|room| room.waiting.len()).sum::<usize>();
    assert_eq!(open.len(), waiting);
}

fn bans(after: &Tables, world: &World) {
    let now = moment(world.now);
    let holding = after.bans.iter().filter(|(_, (ban, _))| ban.holds(now));
    let found = holding.map(|(key, (ban, by))| {
        let until = ban.until.map_or(NEVER, seconds);
        (key.clone(), KeptOut { until, reason: ban.reason.clone(), by: by.clone() })
    });
    let expected = world.rooms.iter().flat_map(|(id, room)| {
        let holding = room.banned.iter().filter(|(_, ban)| ban.until > world.now);
        holding.map(move |(user, ban)| ((id.clone(), user.clone()), ban.clone()))
    });
    assert_eq!(found.collect::<BTreeMap<_, _>>(), expected.collect::<BTreeMap<_, _>>());
}

fn users(after: &Tables, replay: &Replay, world: &World) {
    let rows: Vec<&UserId> = after.users.keys().collect();
    let people: Vec<&UserId> = world.people.keys().collect();
    assert_eq!(rows, people, "a row for everybody whom something happened to, and nobody else");
    for (id, user) in &after.users {
        let person = &world.people[id];
        assert_eq!((user.invite_consent, user.group_limit), (person.consent, person.limit), "{id}");
        assert_eq!(user.group_count, world.groups_of(id), "{id} counts his groups");
        assert_eq!(user.pending_count, world.pending_of(id), "{id} counts what is open");
        let revision = replay.revisions.get(id).copied().unwrap_or(0);
        assert_eq!(user.membership_rev, revision, "{id}: each change raises the revision");
        let head = replay.heads.get(&StreamKey::User(id.clone())).copied().unwrap_or(0);
        assert_eq!(user.user_seq, head, "{id} knows the number of his newest event");
    }
}

/// How many are in each group, and in how many groups each is, as a command finds it.
pub(super) struct Counts {
    groups: BTreeMap<GroupId, i32>,
    users: BTreeMap<UserId, i32>,
}

impl Counts {
    pub(super) fn of(facts: &Facts) -> Self {
        let rows = facts
            .groups
            .iter()
            .filter_map(|(id, of_group)| Some((id.clone(), of_group.group.as_ref()?.member_count)));
        let users = facts.users.values().flatten().map(|user| (user.id.clone(), user.group_count));
        Self { groups: rows.collect(), users: users.collect() }
    }

    /// Whatever has grown is within its limit; what is over it because the limit was lowered stays.
    pub(super) fn grew_within_limits(&self, facts: &Facts) {
        for (id, of_group) in &facts.groups {
            let Some(group) = &of_group.group else { continue };
            let grew = group.member_count > self.groups.get(id).copied().unwrap_or(0);
            let within = group.max_members.is_none_or(|cap| group.member_count <= cap);
            assert!(within || !grew, "{group:?}");
        }
        for user in facts.users.values().flatten() {
            let grew = user.group_count > self.users.get(&user.id).copied().unwrap_or(0);
            let limit = user.group_limit.unwrap_or(facts.limits.groups_per_user.value);
            assert!(user.group_count <= limit || !grew, "{user:?}");
        }
    }
}
