//! The router in bad weather: entries are lost for good, repeated and reordered, the log answers late, clients
//! do not keep up, and connections open, resume and end at any moment in between. Whatever happens, each
//! connection gets exactly the entries of its user's memberships from its start on, in order, and becomes
//! ready: what was lost is found by the repairer's two questions alone.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::super::event::Event;
use super::{Bounds, ConnId, Effect, Origin, Read, Router, Standing, Start};
use crate::model::{Ends, EventKind, GroupId, LogEntry, Moment, StreamKey, UserId};

const GROUPS: u8 = 3;
const USERS: u8 = 4;
/// So many entries the log gives at once.
const CHUNK: usize = 2;

#[derive(Clone, Debug)]
enum Op {
    /// A change in a group: who is in changes sides, or nothing but a number happens.
    Change {
        group: u8,
        users: u8,
        ends_all: bool,
    },
    /// Something in a user's own stream.
    Note {
        user: u8,
    },
    /// An entry on its way arrives.
    Deliver {
        which: usize,
    },
    /// It arrives, and will again.
    Repeat {
        which: usize,
    },
    /// It never does.
    Lose {
        which: usize,
    },
    /// The repairer asks how far the logs reach.
    Heads,
    /// The repairer asks which memberships changed.
    Compare,
    /// A client's queue has no room any more.
    Lag {
        which: usize,
    },
    /// Time passes for streams that nobody is in.
    Rest,
    /// An old one comes again.
    Echo {
        group: u8,
        which: usize,
    },
    Connect {
        user: u8,
        resume: u8,
    },
    Step {
        which: usize,
    },
    Answer {
        which: usize,
    },
    Drain {
        which: usize,
    },
    Hangup {
        which: usize,
    },
}

fn op() -> impl Strategy<Value = Op> {
    let which = || any::<prop::sample::Index>().prop_map(|index| index.index(1 << 20));
    prop_oneof![
        8 => (0..GROUPS, 0..1_u8 << USERS, prop::bool::weighted(0.02))
            .prop_map(|(group, users, ends_all)| Op::Change { group, users, ends_all }),
        1 => (0..USERS).prop_map(|user| Op::Note { user }),
        8 => which().prop_map(|which| Op::Deliver { which }),
        2 => which().prop_map(|which| Op::Repeat { which }),
        1 => which().prop_map(|which| Op::Lose { which }),
        1 => Just(Op::Heads),
        1 => Just(Op::Compare),
        1 => which().prop_map(|which| Op::Lag { which }),
        1 => Just(Op::Rest),
        1 => (0..GROUPS, which()).prop_map(|(group, which)| Op::Echo { group, which }),
        2 => (0..USERS, 0..6_u8).prop_map(|(user, resume)| Op::Connect { user, resume }),
        8 => which().prop_map(|which| Op::Step { which }),
        4 => which().prop_map(|which| Op::Answer { which }),
        3 => which().prop_map(|which| Op::Drain { which }),
        1 => which().prop_map(|which| Op::Hangup { which }),
    ]
}

fn user(number: u8) -> UserId {
    UserId::from_stored(&format!("u{number}"))
}

fn group(number: u8) -> StreamKey {
    StreamKey::Group(GroupId::from_stored(&format!("g{number}")))
}

#[derive(Debug)]
enum Stage {
    Registered,
    Knows(Seen),
    Covered(Seen),
    Open,
    Gone,
}

/// What the database said to a connection that opens.
#[derive(Clone, Debug, Default)]
struct Seen {
    starts: Vec<Start>,
    heads: BTreeMap<StreamKey, i64>,
    left: Vec<(StreamKey, i64)>,
    rev: i64,
    at: Moment,
}

/// Something in a client's queue.
#[derive(Clone, Debug)]
enum Item {
    Event(Arc<Event>),
    Ready,
    Mark,
}

#[derive(Debug)]
struct Client {
    user: UserId,
    resume: i64,
    stage: Stage,
    covered: BTreeSet<StreamKey>,
    starts: Vec<Start>,
    heads: BTreeMap<StreamKey, i64>,
    got: BTreeMap<StreamKey, Vec<i64>>,
    queue: VecDeque<Item>,
    ready: bool,
}

/// The database, the bus, and the clients.
struct World {
    router: Router,
    logs: HashMap<StreamKey, Vec<Arc<Event>>>,
    /// The database's clock: each change takes a second.
    clock: Moment,
    calm: bool,
    flying: Vec<Arc<Event>>,
    reads: Vec<Read>,
    clients: Vec<Client>,
    /// The groups of each change of a user's memberships, in order.
    changes: HashMap<UserId, Vec<StreamKey>>,
    /// What the bus was told to bring.
    followed: HashSet<StreamKey>,
}

/// The memberships of a user in a log: first and last entry; no last entry while he is a member.
fn memberships(log: &[Arc<Event>], user: &UserId) -> Vec<(i64, Option<i64>)> {
    let mut found: Vec<(i64, Option<i64>)> = Vec::new();
    for entry in log {
        let inside = found.last().is_some_and(|(_, end)| end.is_none());
        if inside && entry.ends.includes(user) {
            if let Some(last) = found.last_mut() {
                last.1 = Some(entry.seq);
            }
        } else if !inside && entry.starts.contains(user) {
            found.push((entry.seq, None));
        }
    }
    found
}

impl World {
    fn new(bounds: Bounds, calm: bool) -> Self {
        Self {
            router: Router::with(bounds),
            logs: HashMap::new(),
            clock: Moment::UNIX_EPOCH,
            calm,
            flying: Vec::new(),
            reads: Vec::new(),
            clients: Vec::new(),
            changes: HashMap::new(),
            followed: HashSet::new(),
        }
    }

    fn log(&self, key: &StreamKey) -> &[Arc<Event>] {
        self.logs.get(key).map_or(&[], Vec::as_slice)
    }

    fn head(&self, key: &StreamKey) -> i64 {
        i64::try_from(self.log(key).len()).expect("short")
    }

    fn append(&mut self, stream: StreamKey, starts: Vec<UserId>, ends: Ends) {
        let seq = self.head(&stream) + 1;
        let member = |who: &UserId| {
            memberships(self.log(&stream), who).last().is_some_and(|(_, end)| end.is_none())
        };
        let ended = (0..USERS).map(user).filter(|who| ends.includes(who) && member(who));
        for who in starts.iter().cloned().chain(ended).collect::<Vec<_>>() {
            self.changes.entry(who).or_default().push(stream.clone());
        }
        self.clock += TimeDelta::seconds(1);
        let entry = Arc::new(Event::from(LogEntry {
            frame: format!("{stream:?} {seq}").into(),
            stream: stream.clone(),
            seq,
            at: self.clock,
            kind: EventKind::onMemberInvited,
            starts,
            ends,
        }));
        self.logs.entry(stream).or_default().push(entry.clone());
        self.flying.push(entry);
    }

    fn change(&mut self, key: StreamKey, users: u8, ends_all: bool) {
        if self.log(&key).last().is_some_and(|entry| entry.ends == Ends::Everybody) {
            return;
        }
        if ends_all {
            return self.append(key, Vec::new(), Ends::Everybody);
        }
        let named: Vec<UserId> = (0..USERS).filter(|bit| users >> bit & 1 == 1).map(user).collect();
        let member = |who: &UserId| {
            memberships(self.log(&key), who).last().is_some_and(|(_, end)| end.is_none())
        };
        let inside = named.first().is_some_and(member);
        let same: Vec<UserId> = named.into_iter().filter(|who| member(who) == inside).collect();
        if inside {
            self.append(key, Vec::new(), Ends::Users(same));
        } else {
            self.append(key, same, Ends::Users(Vec::new()));
        }
    }

    /// What the database says to a connection that opens.
    fn snapshot(&self, client: &Client) -> Seen {
        let mut seen = Seen {
            rev: self.rev(&client.user),
            at: self.clock + TimeDelta::milliseconds(1),
            ..Seen::default()
        };
        for number in 0..GROUPS {
            let stream = group(number);
            let head = self.head(&stream);
            seen.heads.insert(stream.clone(), head);
            match memberships(self.log(&stream), &client.user).last() {
                Some((joined, None)) => {
                    let from = (head - client.resume).max(joined - 1);
                    seen.starts.push(Start { stream, from, until: head, head });
                }
                Some((joined, Some(left))) if client.resume > 2 => {
                    let from = (left - client.resume).max(joined - 1);
                    seen.starts.push(Start { stream, from, until: *left, head });
                }
                Some((_, Some(left))) if client.resume > 0 => seen.left.push((stream, *left)),
                _ => {}
            }
        }
        let stream = StreamKey::User(client.user.clone());
        let head = self.head(&stream);
        seen.heads.insert(stream.clone(), head);
        let from = (head - client.resume).max(0);
        seen.starts.push(Start { stream, from, until: head, head });
        seen
    }

    /// How often a user's memberships have changed.
    fn rev(&self, user: &UserId) -> i64 {
        self.changes.get(user).map_or(0, |all| i64::try_from(all.len()).expect("short"))
    }

    /// The repairer's first question: how far the logs reach.
    fn heads(&mut self) {
        let keys = self.logs.keys().cloned();
        let heads: Vec<_> = keys.map(|key| (key.clone(), self.head(&key))).collect();
        let effects = self.router.heads(&heads);
        self.carry_out(effects);
    }

    /// The repairer's second question: which memberships of the connected users changed.
    fn compare(&mut self) {
        for (user, known) in self.router.users() {
            let all = self.changes.get(&user).cloned().unwrap_or_default();
            let known = usize::try_from(known).expect("small");
            let changed: BTreeSet<StreamKey> = all.into_iter().skip(known).collect();
            if changed.is_empty() {
                continue;
            }
            let standing = |stream: StreamKey| {
                let all = memberships(self.log(&stream), &user);
                let (joined, left) = *all.last().expect("a membership changed");
                let head = self.head(&stream);
                Standing { stream, joined, left, again: all.len() > 1, head }
            };
            let standings: Vec<Standing> = changed.into_iter().map(standing).collect();
            let effects = self.router.standings(&user, self.rev(&user), &standings);
            self.carry_out(effects);
        }
    }

    fn connect(&mut self, user: UserId, resume: u8) {
        let id = ConnId(self.clients.len() as u64);
        self.router.register(id, user.clone());
        self.clients.push(Client {
            user,
            resume: i64::from(resume),
            stage: Stage::Registered,
            covered: BTreeSet::new(),
            starts: Vec::new(),
            heads: BTreeMap::new(),
            got: BTreeMap::new(),
            queue: VecDeque::new(),
            ready: false,
        });
    }

    /// Takes one step of opening. False when there is none left.
    fn step(&mut self, which: usize) -> bool {
        let id = ConnId(which as u64);
        let next = match std::mem::replace(&mut self.clients[which].stage, Stage::Gone) {
            Stage::Registered => {
                let seen = self.snapshot(&self.clients[which]);
                Stage::Knows(seen)
            }
            Stage::Knows(seen) => {
                let covered = &mut self.clients[which].covered;
                let missing: Vec<StreamKey> = seen
                    .starts
                    .iter()
                    .map(|start| start.stream.clone())
                    .filter(|key| covered.insert(key.clone()))
                    .collect();
                if !missing.is_empty() && self.router.interest(id, &missing) {
                    Stage::Registered
                } else {
                    Stage::Covered(seen)
                }
            }
            Stage::Covered(Seen { starts, heads, left, rev, at }) => {
                let client = &mut self.clients[which];
                client.stage = Stage::Open;
                client.starts.clone_from(&starts);
                client.heads = heads;
                self.router.note(id, rev, at, &left);
                let effects = self.router.open(id, &starts);
                self.carry_out(effects);
                return true;
            }
            done @ (Stage::Open | Stage::Gone) => {
                self.clients[which].stage = done;
                return false;
            }
        };
        self.clients[which].stage = next;
        true
    }

    fn client(&mut self, id: ConnId) -> &mut Client {
        &mut self.clients[usize::try_from(id.0).expect("small")]
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send { to, event } => {
                    for id in to {
                        let client = self.client(id);
                        assert!(matches!(client.stage, Stage::Open), "sent to {client:?}");
                        client.queue.push_back(Item::Event(event.clone()));
                    }
                }
                Effect::Mark(id) => {
                    let client = self.client(id);
                    let marked = client.queue.iter().any(|item| matches!(item, Item::Mark));
                    assert!(!marked, "one mark at a time");
                    client.queue.push_back(Item::Mark);
                }
                Effect::Ready(id) => {
                    let client = self.client(id);
                    let twice = client.queue.iter().any(|item| matches!(item, Item::Ready));
                    assert!(!client.ready && !twice, "ready once");
                    client.queue.push_back(Item::Ready);
                }
                Effect::Read(read) => self.reads.push(read),
                Effect::Close(id) | Effect::TooSlow(id) => {
                    panic!("{id:?} was closed, but the log has everything")
                }
            }
        }
        for (stream, on) in self.router.changes() {
            let changed =
                if on { self.followed.insert(stream) } else { self.followed.remove(&stream) };
            assert!(changed, "followed twice, or forgotten twice");
        }
        assert_eq!(self.followed.len(), self.router.streams(), "the bus knows what is followed");
    }

    /// Lets a client's queue lose what is in it but marks.
    fn lag(&mut self, which: usize) {
        let client = &mut self.clients[which];
        let (mut events, mut ready) = (Vec::new(), false);
        client.queue.retain(|item| {
            match item {
                Item::Event(event) => events.push(event.clone()),
                Item::Ready => ready = true,
                Item::Mark => return true,
            }
            false
        });
        if events.is_empty() {
            if ready {
                client.queue.push_back(Item::Ready);
            }
            return;
        }
        let effects = self.router.lagged(ConnId(which as u64), &events, ready);
        self.carry_out(effects);
    }

    fn answer(&mut self, which: usize) {
        let read = self.reads.swap_remove(which);
        let wanted = |entry: &&Arc<Event>| entry.seq > read.after && entry.seq <= read.through;
        let found: Vec<_> =
            self.log(&read.stream).iter().filter(wanted).take(CHUNK).cloned().collect();
        let more = found.len() == CHUNK;
        let effects = self.router.fetched(&read, found, more);
        self.carry_out(effects);
    }

    fn deliver(&mut self, entry: &Arc<Event>) {
        let origin = if self.calm { Origin::Here } else { Origin::Elsewhere };
        let effects = self.router.committed(std::slice::from_ref(entry), origin);
        self.carry_out(effects);
    }

    /// Lets a client write everything. False when there is nothing.
    fn drain(&mut self, which: usize) -> bool {
        let queue = std::mem::take(&mut self.clients[which].queue);
        let busy = !queue.is_empty();
        for item in queue {
            let client = &mut self.clients[which];
            match item {
                Item::Event(event) => {
                    client.got.entry(event.stream.clone()).or_default().push(event.seq);
                }
                Item::Ready => {
                    client.ready = true;
                    for start in &client.starts {
                        let got = client.got.get(&start.stream).and_then(|got| got.last());
                        let at = got.copied().unwrap_or(start.from).max(start.from);
                        assert!(at >= start.until, "ready too early: {start:?} at {at}");
                    }
                }
                Item::Mark => {
                    let effects = self.router.drained(ConnId(which as u64));
                    self.carry_out(effects);
                }
            }
        }
        busy
    }

    /// What becomes of entries on their way. In calm weather they only arrive, in order.
    #[expect(clippy::needless_pass_by_value, reason = "an operation is done once")]
    fn fly(&mut self, op: Op) {
        let pick = |which: usize, len: usize| (len > 0).then(|| which % len);
        let flying = self.flying.len();
        match op {
            Op::Deliver { which } => {
                if let Some(which) = pick(if self.calm { 0 } else { which }, flying) {
                    let entry = self.flying.remove(which);
                    self.deliver(&entry);
                }
            }
            Op::Repeat { which } if !self.calm => {
                if let Some(which) = pick(which, flying) {
                    let entry = self.flying[which].clone();
                    self.deliver(&entry);
                }
            }
            Op::Lose { which } if !self.calm => {
                if let Some(which) = pick(which, flying) {
                    self.flying.remove(which);
                }
            }
            Op::Echo { group: number, which } if !self.calm => {
                let log = self.log(&group(number));
                if let Some(entry) = pick(which, log.len()).map(|which| log[which].clone()) {
                    self.deliver(&entry);
                }
            }
            _ => {}
        }
    }

    fn apply(&mut self, op: Op) {
        let pick = |which: usize, len: usize| (len > 0).then(|| which % len);
        let clients = self.clients.len();
        match op {
            Op::Change { group: number, users, ends_all } => {
                self.change(group(number), users, ends_all);
            }
            Op::Note { user: number } => {
                self.append(StreamKey::User(user(number)), Vec::new(), Ends::Users(Vec::new()));
            }
            Op::Deliver { .. } | Op::Repeat { .. } | Op::Lose { .. } | Op::Echo { .. } => {
                self.fly(op);
            }
            Op::Heads => self.heads(),
            Op::Compare => self.compare(),
            Op::Lag { which } => {
                if let Some(which) = pick(which, clients) {
                    self.lag(which);
                }
            }
            Op::Rest => {
                self.router.end_of_round();
                self.carry_out(Vec::new());
            }
            Op::Connect { user: number, resume } => self.connect(user(number), resume),
            Op::Step { which } => {
                if let Some(which) = pick(which, clients) {
                    self.step(which);
                }
            }
            Op::Answer { which } => {
                if let Some(which) = pick(which, self.reads.len()) {
                    self.answer(which);
                }
            }
            Op::Drain { which } => {
                if let Some(which) = pick(which, clients) {
                    self.drain(which);
                }
            }
            Op::Hangup { which } => {
                if let Some(which) = pick(which, clients) {
                    self.clients[which].stage = Stage::Gone;
                    self.clients[which].queue.clear();
                    self.router.unregister(ConnId(which as u64));
                }
            }
        }
    }

    /// Lets everything that is under way come to its end, and the repairer ask until nothing comes of it.
    fn calm_down(&mut self) {
        while self.calm && !self.flying.is_empty() {
            let entry = self.flying.remove(0);
            self.deliver(&entry);
        }
        let mut quiet = 0;
        for _ in 0..100_000 {
            let mut busy = false;
            if !self.reads.is_empty() {
                self.answer(0);
                busy = true;
            }
            for which in 0..self.clients.len() {
                busy |= self.drain(which) | self.step(which);
            }
            quiet = if busy { 0 } else { quiet + 1 };
            if quiet > 2 {
                return;
            }
            if quiet > 0 {
                self.heads();
                self.compare();
            }
        }
        panic!("it never comes to rest");
    }

    fn check(&self) {
        for client in self.clients.iter().filter(|client| matches!(client.stage, Stage::Open)) {
            assert!(client.ready, "not ready: {client:?}");
            for key in client.heads.keys() {
                self.check_stream(client, key);
            }
        }
    }

    fn check_stream(&self, client: &Client, key: &StreamKey) {
        let head = client.heads[key];
        let start = client.starts.iter().find(|start| start.stream == *key);
        let mine = memberships(self.log(key), &client.user);
        let personal = matches!(key, StreamKey::User(_));
        let expected: Vec<i64> = (1..=self.head(key))
            .filter(|seq| {
                let member = personal
                    || mine
                        .iter()
                        .any(|(first, last)| first <= seq && last.is_none_or(|last| *seq <= last));
                member && start.map_or(*seq > head, |start| *seq > start.from)
            })
            .collect();
        let from = start.map_or(head, |start| start.from);
        // In a group that was new to it, what it hears of first may be a later membership than the first.
        let first = client.got.get(key).into_iter().flatten().find(|seq| **seq > head);
        let expected = match (start, first) {
            (None, Some(first)) if !self.calm => {
                expected.into_iter().filter(|seq| seq >= first).collect()
            }
            _ => expected,
        };
        let mut got: Vec<i64> = Vec::new();
        let mut stale = BTreeSet::new();
        for seq in client.got.get(key).into_iter().flatten() {
            if *seq <= from {
                stale.insert(*seq);
            } else if got.last().is_none_or(|last| last < seq) {
                got.push(*seq);
            }
        }
        assert_eq!(got, expected, "{key:?} of {client:?}");
        // An old start may come again after everything; then the whole of that membership does.
        for (first, last) in &mine {
            if stale.contains(first) {
                let last = last.expect("the current membership is no old one");
                assert!(
                    (*first..=last).all(|seq| stale.remove(&seq)),
                    "a piece of {first}..{last} of {key:?} to {client:?}"
                );
            }
        }
        assert!(stale.is_empty(), "{stale:?} of {key:?} to {client:?}");
    }

    fn hang_up_all(&mut self) {
        for which in 0..self.clients.len() {
            self.router.unregister(ConnId(which as u64));
        }
        self.router.end_of_round();
        self.router.end_of_round();
        assert_eq!(self.router.streams(), 0, "nothing is kept for nobody for long");
        assert!(self.router.users().is_empty(), "nor are users");
    }
}

fn run(ops: Vec<Op>, bounds: Bounds, calm: bool) {
    let mut world = World::new(bounds, calm);
    for op in ops {
        world.apply(op);
    }
    world.calm_down();
    world.check();
    world.hang_up_all();
}

/// Everything so small that every bound is met all the time.
const NARROW: Bounds = Bounds {
    ring: 2,
    rings: 4,
    held: 2,
    window_frames: 3,
    window_bytes: 1 << 20,
    left: 100,
    look_back: 1_000,
    behind: 1_000,
    resting: 1,
};

proptest! {
    #![proptest_config(ProptestConfig {
        // PROPTEST_CASES makes it more.
        cases: ProptestConfig::default().cases.max(400),
        max_shrink_iters: 20_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn in_bad_weather_with_narrow_bounds(ops in prop::collection::vec(op(), 0..200)) {
        run(ops, NARROW, false);
    }

    #[test]
    fn in_bad_weather(ops in prop::collection::vec(op(), 0..200)) {
        run(ops, Bounds::default(), false);
    }

    #[test]
    fn in_calm_weather(ops in prop::collection::vec(op(), 0..200)) {
        run(ops, NARROW, true);
    }
}
