//! What the tests of this room share: a database in memory, credentials that need no key, and a client at
//! the other end of a transport in memory.

mod pipe;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{
    Bus, Connection, Gate, Hub, Incoming, Lost, Pass, Position, Source, Timing, WebSocket,
};
use crate::metrics::Metrics;
use crate::model::event::{GroupEvent, UserEvent};
use crate::model::{
    Application, ApplicationKind, ApplicationState, Ends, Error, GroupId, LogEntry, Moment,
    NewMember, Reason, Role, StreamKey, UserId,
};
use crate::store::events::{Snapshot, SnapshotGroup};
use crate::store::logs::Span;
use crate::store::repair::{ChangedMembership, Holder, Sweep, UserChanges};
pub(super) use pipe::{Outgoing, Pipe};

/// Longest wait for anything that should happen.
const SOON: Duration = Duration::from_secs(10);

pub(super) fn user(id: &str) -> UserId {
    UserId::from_stored(id)
}

pub(super) fn group(id: &str) -> GroupId {
    GroupId::from_stored(id)
}

/// Logs in memory, and the memberships that follow from them.
#[derive(Clone)]
pub(super) struct Database {
    inside: Arc<Mutex<Inside>>,
    /// How often a snapshot was taken.
    pub(super) snapshots: Arc<AtomicUsize>,
}

#[derive(Default)]
struct Inside {
    logs: HashMap<StreamKey, Vec<LogEntry>>,
    trimmed: HashMap<StreamKey, i64>,
    /// What was committed, in order.
    order: Vec<(StreamKey, i64)>,
    /// How often a user's memberships have changed.
    revs: HashMap<UserId, i64>,
    epoch: Arc<str>,
    held_by: Option<i64>,
    away: bool,
    lag: Duration,
}

impl Default for Database {
    fn default() -> Self {
        let inside = Inside { epoch: "e1".into(), ..Inside::default() };
        Self { inside: Arc::new(Mutex::new(inside)), snapshots: Arc::default() }
    }
}

impl Database {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("not poisoned")
    }

    pub(super) fn be_away(&self, away: bool) {
        self.inside().away = away;
    }

    /// Makes every read take so long after it has looked.
    pub(super) fn be_slow(&self, lag: Duration) {
        self.inside().lag = lag;
    }

    /// Goes over to another history, which has lost this many entries of a group.
    pub(super) fn fork(&self, epoch: &str, id: &str, lost: usize) {
        let mut inside = self.inside();
        inside.epoch = epoch.into();
        let log = inside.logs.entry(StreamKey::Group(group(id))).or_default();
        log.truncate(log.len().saturating_sub(lost));
    }

    /// Lets a transaction hold the horizon back, or none.
    pub(super) fn hold(&self, transaction: Option<i64>) {
        self.inside().held_by = transaction;
    }

    /// Forgets the entries up to this one.
    pub(super) fn trim(&self, id: &str, through: i64) {
        self.inside().trimmed.insert(StreamKey::Group(group(id)), through);
    }

    fn append(&self, key: StreamKey, make: impl FnOnce(i64) -> LogEntry) -> LogEntry {
        let mut inside = self.inside();
        let log = inside.logs.entry(key.clone()).or_default();
        let entry = make(i64::try_from(log.len()).expect("short") + 1);
        log.push(entry.clone());
        inside.order.push((key, entry.seq));
        let ended = match &entry.ends {
            Ends::Users(users) => users.clone(),
            Ends::Everybody => Vec::new(),
        };
        for user in entry.starts.iter().chain(&ended) {
            *inside.revs.entry(user.clone()).or_default() += 1;
        }
        entry
    }

    fn happen(&self, id: &str, event: &GroupEvent) -> LogEntry {
        let id = group(id);
        self.append(StreamKey::Group(id.clone()), |seq| event.entry(&id, seq, Moment::UNIX_EPOCH))
    }

    /// Commits that these people are brought in.
    pub(super) fn invite(&self, id: &str, members: &[&str]) -> LogEntry {
        let members = members.iter().map(|id| NewMember::plain(user(id))).collect();
        self.happen(id, &GroupEvent::Invited { op: user("admin"), members, silent: false })
    }

    /// Commits that these people are removed.
    pub(super) fn kick(&self, id: &str, members: &[&str]) -> LogEntry {
        let members = members.iter().map(|id| user(id)).collect();
        let (op, reason) = (user("admin"), String::new());
        self.happen(id, &GroupEvent::Kicked { op, members, reason, silent: false })
    }

    /// Commits that a person leaves.
    pub(super) fn quit(&self, id: &str, member: &str) -> LogEntry {
        self.happen(id, &GroupEvent::Left { member: user(member), op: user(member) })
    }

    /// Commits the end of a group.
    pub(super) fn dismiss(&self, id: &str) -> LogEntry {
        self.happen(id, &GroupEvent::Dismissed { op: user("admin") })
    }

    /// Commits something in a person's own stream.
    pub(super) fn note(&self, id: &str) -> LogEntry {
        let id = user(id);
        let application = Application {
            id: uuid::Uuid::nil(),
            group: group("g"),
            kind: ApplicationKind::Invitation,
            from_user: user("admin"),
            subject: id.clone(),
            approved_by: None,
            message: String::new(),
            added_at: Moment::UNIX_EPOCH,
            expires_at: Moment::UNIX_EPOCH,
            state: ApplicationState::Open,
            handled: None,
        };
        let event = UserEvent::Invitation(Box::new(application));
        self.append(StreamKey::User(id.clone()), |seq| event.entry(&id, seq, Moment::UNIX_EPOCH))
    }

    /// What the log says about a person in a group now: the entry that made him a member and the one
    /// that ended it.
    pub(super) fn membership(&self, id: &GroupId, who: &UserId) -> Option<(i64, Option<i64>)> {
        let inside = self.inside();
        membership(inside.logs.get(&StreamKey::Group(id.clone()))?, who)
    }

    /// The number of a group's newest entry.
    pub(super) fn head(&self, id: &str) -> i64 {
        let inside = self.inside();
        let log = inside.logs.get(&StreamKey::Group(group(id)));
        log.map_or(0, |log| i64::try_from(log.len()).expect("short"))
    }

    fn look(
        &self,
        who: &UserId,
        position: Option<&Position>,
    ) -> Result<(Snapshot, Duration), Error> {
        let inside = self.inside();
        if inside.away {
            return Err(Error::new(Reason::Unavailable, "away"));
        }
        let number = |len: usize| i64::try_from(len).expect("short");
        let head = |key: &StreamKey| inside.logs.get(key).map_or(0, |log| number(log.len()));
        let oldest = |key: &StreamKey| Some(inside.trimmed.get(key).map_or(1, |seq| seq + 1));
        let mine = StreamKey::User(who.clone());
        let mut groups = BTreeMap::new();
        for (key, log) in &inside.logs {
            let StreamKey::Group(id) = key else { continue };
            let Some((joined_seq, left_seq)) = membership(log, who) else { continue };
            let asked = position.is_some_and(|position| position.groups.contains_key(id));
            if left_seq.is_none() || asked {
                let line = SnapshotGroup {
                    group: id.clone(),
                    role: Role::Member,
                    joined_seq,
                    left_seq,
                    head: number(log.len()),
                    oldest: oldest(key),
                };
                groups.insert(id.clone(), line);
            }
        }
        let snapshot = Snapshot {
            epoch: inside.epoch.to_string(),
            user_seq: head(&mine),
            rev: inside.revs.get(who).copied().unwrap_or(0),
            now: Moment::UNIX_EPOCH,
            user_oldest: oldest(&mine),
            groups: groups.into_values().collect(),
        };
        Ok((snapshot, inside.lag))
    }
}

fn membership(log: &[LogEntry], who: &UserId) -> Option<(i64, Option<i64>)> {
    let mut found: Option<(i64, Option<i64>)> = None;
    for entry in log {
        match &mut found {
            Some((_, end @ None)) if entry.ends.includes(who) => *end = Some(entry.seq),
            None | Some((_, Some(_))) if entry.starts.contains(who) => {
                found = Some((entry.seq, None));
            }
            _ => {}
        }
    }
    found
}

impl Source for Database {
    async fn snapshot(
        &self,
        user: &UserId,
        position: Option<&Position>,
    ) -> Result<Snapshot, Error> {
        self.snapshots.fetch_add(1, Ordering::Relaxed);
        let (snapshot, lag) = self.look(user, position)?;
        tokio::time::sleep(lag).await;
        Ok(snapshot)
    }

    async fn logs(&self, spans: &[Span], limit: i64) -> Result<Vec<Vec<LogEntry>>, Error> {
        let (found, lag) = {
            let inside = self.inside();
            if inside.away {
                return Err(Error::new(Reason::Unavailable, "away"));
            }
            let of_one = |span: &Span| {
                let after = span.after.max(inside.trimmed.get(&span.stream).copied().unwrap_or(0));
                let log = inside.logs.get(&span.stream).cloned().unwrap_or_default();
                log.into_iter()
                    .filter(|entry| entry.seq > after && entry.seq <= span.through)
                    .take(usize::try_from(limit).expect("positive"))
                    .collect()
            };
            (spans.iter().map(of_one).collect(), inside.lag)
        };
        tokio::time::sleep(lag).await;
        Ok(found)
    }

    async fn epoch(&self) -> Result<Arc<str>, Error> {
        Ok(self.inside().epoch.clone())
    }

    async fn sweep(&self, from: Option<i64>) -> Result<Sweep, Error> {
        let inside = self.inside();
        if inside.away {
            return Err(Error::new(Reason::Unavailable, "away"));
        }
        let end = i64::try_from(inside.order.len()).expect("short");
        let begin = from.unwrap_or(end);
        // While somebody holds the horizon back, no sweep sees anything.
        let next = if inside.held_by.is_some() { begin } else { end };
        let grown = inside.order.iter().take(usize::try_from(next).expect("positive"));
        let grown = grown.skip(usize::try_from(begin).expect("positive"));
        let heads: BTreeMap<StreamKey, i64> = grown.cloned().collect();
        Ok(Sweep {
            epoch: inside.epoch.clone(),
            next,
            more: false,
            held_by: inside.held_by,
            now: chrono::Utc::now(),
            heads: heads.into_iter().collect(),
        })
    }

    async fn heads(&self, streams: &[(StreamKey, i64)]) -> Result<Vec<(StreamKey, i64)>, Error> {
        let inside = self.inside();
        let head = |key: &StreamKey| inside.logs.get(key).map_or(0, Vec::len);
        let heads = streams.iter().map(|(key, seq)| (key, *seq, i64::try_from(head(key))));
        let further = heads.filter_map(|(key, seq, head)| {
            head.ok().filter(|head| *head > seq).map(|head| (key.clone(), head))
        });
        Ok(further.collect())
    }

    async fn changed_memberships(
        &self,
        users: &[(UserId, i64)],
    ) -> Result<Vec<UserChanges>, Error> {
        let inside = self.inside();
        let mut all = Vec::new();
        for (who, known) in users {
            let rev = inside.revs.get(who).copied().unwrap_or(0);
            if rev <= *known {
                continue;
            }
            let mut memberships = Vec::new();
            for (key, log) in &inside.logs {
                let StreamKey::Group(group) = key else { continue };
                if let Some((joined_seq, left_seq)) = membership(log, who) {
                    let head = i64::try_from(log.len()).expect("short");
                    let group = group.clone();
                    memberships.push(ChangedMembership {
                        group,
                        joined_seq,
                        left_seq,
                        again: false,
                        head,
                    });
                }
            }
            all.push(UserChanges { user: who.clone(), rev, memberships });
        }
        Ok(all)
    }

    async fn holder(&self, _: i64) -> Result<Option<Holder>, Error> {
        Ok(None)
    }
}

/// A token is `user`, `user/milliseconds` for one that ends soon, `forged`, or `unknowable`.
#[derive(Clone, Default)]
pub(super) struct Names {
    revoked: Arc<Mutex<HashMap<UserId, Moment>>>,
}

impl Names {
    /// From now on nothing counts that this user has shown so far.
    pub(super) fn revoke(&self, name: &str) {
        let mut revoked = self.revoked.lock().expect("not poisoned");
        revoked.insert(user(name), chrono::Utc::now());
    }
}

impl Gate for Names {
    async fn check(&self, token: &str) -> Result<Pass, Error> {
        match token {
            "forged" => Err(Error::new(Reason::TokenSignatureWrong, "the signature is wrong")),
            "unknowable" => Err(Error::new(Reason::Unavailable, "no keys")),
            _ => {
                let (name, millis) = token.split_once('/').unwrap_or((token, "3600000"));
                let valid = chrono::Duration::milliseconds(millis.parse().expect("a number"));
                let now = chrono::Utc::now();
                Ok(Pass { user: user(name), issued_at: now, until: now + valid })
            }
        }
    }

    fn holds(&self, pass: &Pass) -> Result<(), Error> {
        let revoked = self.revoked.lock().expect("not poisoned");
        match revoked.get(&pass.user) {
            Some(at) if pass.issued_at <= *at => {
                Err(Error::new(Reason::TokenRevoked, "it was revoked"))
            }
            _ => Ok(()),
        }
    }
}

/// A hub with everything around it.
pub(super) struct Node {
    pub(super) database: Database,
    pub(super) hub: Hub,
    pub(super) metrics: Arc<Metrics>,
    pub(super) stopping: CancellationToken,
    pub(super) tasks: TaskTracker,
    pub(super) timing: Timing,
    pub(super) sockets_per_user: u32,
    pub(super) gate: Names,
}

impl Node {
    pub(super) fn start() -> Self {
        let database = Database::default();
        let metrics = Arc::new(Metrics::new());
        let tasks = TaskTracker::new();
        let stopping = CancellationToken::new();
        let hub = Hub::start(
            database.clone(),
            Bus::local(),
            metrics.clone(),
            &tasks,
            stopping.clone(),
            8,
        );
        let timing = Timing { farewell: Duration::from_millis(300), ..Timing::default() };
        Self {
            database,
            hub,
            metrics,
            stopping,
            tasks,
            timing,
            sockets_per_user: 100,
            gate: Names::default(),
        }
    }

    /// Hands on what was committed.
    pub(super) fn commit(&self, entry: LogEntry) {
        self.hub.committed("e1".into(), vec![entry]);
    }

    /// A client that has not said anything yet, and takes so many frames without reading.
    pub(super) fn dial(&self, unread: usize, pass: Option<Pass>) -> Peer {
        let (wire, to_server, from_server) = pipe::wire(unread);
        let served = tokio::spawn(self.connection().run(self.database.clone(), wire, pass));
        Peer { to_server, from_server, served, welcome: Value::Null }
    }

    /// A client over TCP with little room on the way, by another implementation of the protocol; it has
    /// not said anything yet.
    pub(super) async fn dial_over_tcp(&self) -> (WebSocketStream<TcpStream>, JoinHandle<()>) {
        let listening = TcpSocket::new_v4().expect("a socket");
        listening.set_send_buffer_size(16_384).expect("a small buffer");
        listening.bind(([127, 0, 0, 1], 0).into()).expect("a port");
        let listener = listening.listen(8).expect("a listener");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(16_384).expect("a small buffer");
        let connecting = socket.connect(listener.local_addr().expect("an address"));
        let (client, accepted) = tokio::join!(connecting, listener.accept());
        let stream = accepted.expect("accepted").0;
        stream.set_nodelay(true).expect("as the accept loop does");
        let websocket = WebSocket::new(stream, &[]);
        let connection = self.connection();
        let served = tokio::spawn(connection.run(self.database.clone(), websocket, None));
        let client = client.expect("connected");
        (WebSocketStream::from_raw_socket(client, protocol::Role::Client, None).await, served)
    }

    fn connection(&self) -> Connection<Names> {
        Connection {
            hub: self.hub.clone(),
            gate: self.gate.clone(),
            sockets_per_user: self.sockets_per_user,
            timing: self.timing,
        }
    }

    /// A client that has said this hello and heard what comes before `ready`.
    pub(super) async fn enter(&self, hello: Value) -> (Peer, Vec<Value>) {
        let mut peer = self.dial(10_000, None);
        peer.say(hello);
        let welcome = peer.hear().await;
        assert_eq!(welcome["type"], "welcome", "{welcome}");
        peer.welcome = welcome;
        let mut before = Vec::new();
        loop {
            let frame = peer.hear().await;
            if frame["type"] == "ready" {
                return (peer, before);
            }
            before.push(frame);
        }
    }

    /// A client that is live.
    pub(super) async fn client(&self, token: &str) -> Peer {
        let (peer, before) = self.enter(json!({"type": "hello", "token": token})).await;
        assert!(before.is_empty(), "{before:?}");
        peer
    }
}

/// Waits until something is so.
pub(super) async fn eventually(so: impl Fn() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(SOON, waiting).await.expect("it becomes so");
}

/// A client at the other end.
pub(super) struct Peer {
    to_server: mpsc::UnboundedSender<Result<Incoming, Lost>>,
    pub(super) from_server: Arc<Pipe>,
    pub(super) served: JoinHandle<()>,
    pub(super) welcome: Value,
}

impl Peer {
    #[expect(clippy::needless_pass_by_value, reason = "frames are written where they are said")]
    pub(super) fn say(&self, frame: Value) {
        self.send(Incoming::Text(frame.to_string()));
    }

    pub(super) fn send(&self, frame: Incoming) {
        self.to_server.send(Ok(frame)).ok();
    }

    pub(super) fn fail(&self, lost: Lost) {
        self.to_server.send(Err(lost)).ok();
    }

    /// The next frame, of whatever kind.
    pub(super) async fn receive(&mut self) -> Outgoing {
        timeout(SOON, self.from_server.recv()).await.expect("in time").expect("not ended")
    }

    /// The next text frame.
    pub(super) async fn hear(&mut self) -> Value {
        loop {
            match self.receive().await {
                Outgoing::Text(text) => {
                    return serde_json::from_str(&text).expect("JSON");
                }
                Outgoing::Ping | Outgoing::Pong(_) => {}
                Outgoing::Close { code, reason } => panic!("closed with {code} {reason}"),
            }
        }
    }

    /// The next text frame, which must be an event: its name and number.
    pub(super) async fn event(&mut self) -> (String, i64) {
        let frame = self.hear().await;
        assert_eq!(frame["type"], "event", "{frame}");
        let number = frame["seq"].as_i64().or(frame["userSeq"].as_i64()).expect("a number");
        (frame["event"].as_str().expect("a name").to_owned(), number)
    }

    /// Makes sure that nothing was sent before the answer to a ping.
    pub(super) async fn hears_nothing(&mut self) {
        self.say(json!({"type": "ping"}));
        let frame = self.hear().await;
        assert_eq!(frame["type"], "pong", "{frame}");
    }

    /// The code of `bye`, which must be that of the close frame after it; what came before is dropped.
    pub(super) async fn bye(mut self) -> (u16, Value) {
        loop {
            if let Outgoing::Text(text) = self.receive().await {
                let bye: Value = serde_json::from_str(&text).expect("JSON");
                if bye["type"] == "bye" {
                    let last = self.receive().await;
                    let Outgoing::Close { code, .. } = last else { panic!("{last:?}") };
                    assert_eq!(bye["code"], code);
                    assert!(bye["retryMs"].is_u64(), "{bye}");
                    self.send(Incoming::Close(None));
                    timeout(SOON, &mut self.served).await.expect("it ends").expect("in peace");
                    return (code, bye);
                }
            }
        }
    }
}
