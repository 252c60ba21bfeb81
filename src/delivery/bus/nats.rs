//! The bus over a NATS server: by interest, so that a node gets what somebody there follows.
//!
//! An entry is said on the subject of its stream. One that begins or ends memberships is also said on the
//! subject of each person concerned, because the node that serves him may not follow the group yet;
//! there it is a mere hint when it is not small, since hundreds may be named.
//!
//! Nothing is stored in NATS (core NATS, no JetStream): the log is in PostgreSQL. What a node misses while
//! its connection is away is found by the repair that [`News::Gap`] sets off. Entries are not numbered by
//! their sender, since every node hears another selection of them; the beats, which all nodes hear, are.

mod interest;
mod subject;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use async_nats::{Client, ConnectOptions, Event as Happening, ServerAddr, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::{AbortHandle, Abortable, SelectAll};
use percent_encoding::percent_decode_str;
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use self::interest::{Interest, Step};
use self::subject::Subjects;
use super::News;
use super::link::{Half, LONGEST_PAUSE, Link, Up};
use super::payload::{self, Draft, Sender};
use super::queue::{self, Feed, Gap, Inbox, Outbox};
use crate::metrics::{Carried, Metrics};
use crate::model::{Ends, LogEntry, StreamKey};

/// A node says this often that it lives.
const BEAT: Duration = Duration::from_secs(1);
/// After a new connection, how long it may take until the server knows all subscriptions.
const SETTLE: Duration = Duration::from_secs(1);
/// How often it is looked for streams that nobody follows any more.
const SWEEP: Duration = Duration::from_secs(5);
/// A connection that answers none of a few pings that are so far apart is dead.
const PING: Duration = Duration::from_secs(2);
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long what is left may take when the server stops.
const FAREWELL: Duration = Duration::from_secs(1);
/// Most entries that are taken at once, and about the most bytes.
const ENTRIES: usize = 1_024;
const BYTES: usize = 512 * 1024;
/// Most bytes of a message; less if the server wants it so.
const MESSAGE: usize = 256 * 1024;
/// Most bytes of an entry that is said to a person concerned.
const SMALL: usize = 1_024;
/// Messages of one subscription that wait to be read.
const UNREAD: usize = 4_096;

/// The router's end.
#[derive(Debug)]
pub(super) struct Nats {
    outbox: Arc<Outbox>,
    inbox: Inbox,
    wishes: Arc<Wishes>,
}

impl Nats {
    /// Starts to connect, and does not wait for it.
    pub(super) async fn start(
        url: &Url,
        instance: &str,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stopping: CancellationToken,
    ) -> anyhow::Result<Self> {
        let own = Sender::random();
        let half = Half(1);
        let up = Arc::new(Up::new(&[half], metrics.clone()));
        let outbox = Arc::new(Outbox::new(metrics.clone()));
        let wishes = Arc::new(Wishes::default());
        let (feed, inbox) = queue::inbox(own, metrics.clone());
        let watch = Arc::new(Watch {
            link: Mutex::new(Link::new(half, "the way to other nodes through NATS", up)),
            complaint: Mutex::default(),
            gap: feed.gap(),
            connected: Notify::new(),
        });
        let client = connect(url, watch.clone()).await?;
        let subjects = Subjects::of(instance);
        let listener = Listener {
            client: client.clone(),
            beat: subjects.beat(),
            interest: Interest::new(subjects.clone()),
            open: HashMap::new(),
            heard: SelectAll::new(),
            feed,
            wishes: wishes.clone(),
            watch,
        };
        tasks.spawn(listener.run(stopping.clone()));
        let speaker = Speaker {
            own,
            beats: 0,
            next_beat: Instant::now(),
            client,
            subjects,
            outbox: outbox.clone(),
            metrics,
            unsent: VecDeque::new(),
        };
        tasks.spawn(speaker.run(stopping));
        Ok(Self { outbox, inbox, wishes })
    }

    pub(super) fn publish(&self, epoch: &Arc<str>, entries: &[Arc<LogEntry>]) {
        self.outbox.put(epoch, entries);
    }

    pub(super) fn interest(&self, stream: &StreamKey, on: bool) {
        self.wishes.note(stream, on);
    }

    pub(super) async fn next(&mut self) -> News {
        self.inbox.next().await
    }
}

/// A client that connects now and whenever its connection is lost.
async fn connect(url: &Url, watch: Arc<Watch>) -> anyhow::Result<Client> {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut options = ConnectOptions::new()
        .name(concat!("muster ", env!("CARGO_PKG_VERSION")))
        .retry_on_initial_connect()
        .no_echo()
        .ping_interval(PING)
        .connection_timeout(CONNECT)
        .subscription_capacity(UNREAD)
        .reconnect_delay_callback(|attempts| {
            let steps = u32::try_from(attempts.min(6)).unwrap_or(6);
            let pause = (Duration::from_millis(25) * 2_u32.pow(steps)).min(LONGEST_PAUSE);
            rand::random_range(pause / 2..=pause)
        })
        .event_callback(move |happening| {
            watch.note(happening);
            std::future::ready(())
        });
    options = match (url.username(), url.password()) {
        ("", None) => options,
        (token, None) => options.token(decoded(token)),
        (user, Some(password)) => options.user_and_password(decoded(user), decoded(password)),
    };
    let address = ServerAddr::from_url(url.clone()).context("the address of NATS")?;
    options.connect(address).await.context("starting the client of NATS")
}

/// What happens to the connection.
#[derive(Debug)]
struct Watch {
    link: Mutex<Link>,
    /// What the server complained about last.
    complaint: Mutex<String>,
    gap: Gap,
    connected: Notify,
}

impl Watch {
    fn note(&self, happening: Happening) {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        match happening {
            Happening::Connected => {
                link.works();
                self.gap.tell();
                self.connected.notify_one();
            }
            Happening::Disconnected | Happening::Closed => link.lost("the connection was lost"),
            Happening::ClientError(error) => link.lost(&error.to_string()),
            // Messages were dropped on this side.
            Happening::SlowConsumer(_) => self.gap.tell(),
            Happening::ServerError(error) => {
                let error = error.to_string();
                let mut last = self.complaint.lock().unwrap_or_else(PoisonError::into_inner);
                if *last != error {
                    tracing::warn!("the NATS server complains: {error}");
                    *last = error;
                }
            }
            // Then it ends the connection, and says so again.
            Happening::LameDuckMode | Happening::Draining => {}
        }
    }
}

/// Changes of interest that were not carried out yet. There are at most as many as streams.
#[derive(Debug, Default)]
struct Wishes {
    changes: Mutex<HashMap<StreamKey, bool>>,
    some: Notify,
}

impl Wishes {
    fn note(&self, stream: &StreamKey, on: bool) {
        let mut changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        changes.insert(stream.clone(), on);
        drop(changes);
        self.some.notify_one();
    }

    fn take(&self) -> HashMap<StreamKey, bool> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The task that listens.
struct Listener {
    client: Client,
    beat: String,
    interest: Interest,
    open: HashMap<String, AbortHandle>,
    heard: SelectAll<Abortable<Subscriber>>,
    feed: Feed,
    wishes: Arc<Wishes>,
    watch: Arc<Watch>,
}

impl Listener {
    async fn run(mut self, stopping: CancellationToken) {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.listen() => {}
        }
    }

    async fn listen(&mut self) {
        self.carry_out(vec![Step::Begin(self.beat.clone())]).await;
        let mut sweep = interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut settled: Option<Instant> = None;
        loop {
            tokio::select! {
                Some(message) = self.heard.next() => self.feed.take(&message.payload),
                () = self.wishes.some.notified() => {
                    for (stream, on) in self.wishes.take() {
                        let steps = self.interest.set(stream, on, Instant::now());
                        self.carry_out(steps).await;
                    }
                }
                () = self.watch.connected.notified() => settled = Some(Instant::now() + SETTLE),
                () = sleep_until(settled.unwrap_or_else(Instant::now)), if settled.is_some() => {
                    settled = None;
                    self.watch.gap.tell();
                }
                _ = sweep.tick() => {
                    let steps = self.interest.sweep(Instant::now());
                    self.carry_out(steps).await;
                }
            }
        }
    }

    async fn carry_out(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Begin(subject) => match self.client.subscribe(subject.clone()).await {
                    Ok(subscriber) => {
                        let (handle, registration) = AbortHandle::new_pair();
                        self.heard.push(Abortable::new(subscriber, registration));
                        self.open.insert(subject, handle);
                    }
                    Err(error) => tracing::error!("{subject} cannot be followed: {error}"),
                },
                Step::End(subject) => {
                    if let Some(handle) = self.open.remove(&subject) {
                        handle.abort();
                    }
                }
            }
        }
    }
}

/// A message that is to be sent, and how many entries it holds.
struct Unsent {
    subject: String,
    payload: Bytes,
    entries: u64,
}

/// The task that sends.
struct Speaker {
    own: Sender,
    /// The number of the newest beat.
    beats: u64,
    next_beat: Instant,
    client: Client,
    subjects: Subjects,
    outbox: Arc<Outbox>,
    metrics: Arc<Metrics>,
    unsent: VecDeque<Unsent>,
}

impl Speaker {
    async fn run(mut self, stopping: CancellationToken) {
        tokio::select! {
            () = stopping.cancelled() => {}
            () = self.speak() => {}
        }
        let rest = async {
            self.send().await;
            self.gather();
            self.send().await;
            self.client.flush().await.ok();
        };
        timeout(FAREWELL, rest).await.ok();
    }

    async fn speak(&mut self) {
        loop {
            tokio::select! {
                () = self.outbox.filled() => {}
                () = sleep_until(self.next_beat) => {}
            }
            self.gather();
            self.send().await;
        }
    }

    /// Takes what has gathered, and adds a beat when it is time for one.
    fn gather(&mut self) {
        let (waiting, hole) = self.outbox.take(ENTRIES, BYTES);
        let most = self.client.max_payload().min(MESSAGE);
        let mut letters = Letters::default();
        for (epoch, entry) in &waiting {
            letters.add(self.subjects.exact(&entry.stream), epoch, entry, most);
            for person in concerned(entry) {
                letters.add(self.subjects.exact(&person), epoch, entry, SMALL);
            }
        }
        for (subject, entries) in letters.in_order() {
            for draft in payload::pack(entries, most) {
                let payload = Bytes::from(draft.text(self.own, None));
                let entries = draft.count;
                self.unsent.push_back(Unsent { subject: subject.clone(), payload, entries });
            }
        }
        // A number that nobody hears tells the others that something was dropped.
        self.beats += u64::from(hole);
        if hole || Instant::now() >= self.next_beat {
            self.beats += 1;
            let payload = Draft::new("".into()).text(self.own, Some(self.beats)).into();
            let subject = self.subjects.beat();
            self.unsent.push_back(Unsent { subject, payload, entries: 0 });
            self.next_beat = Instant::now() + BEAT;
        }
    }

    /// Hands everything to the client. While there is no connection and the client has taken what it can
    /// hold, this waits, and the outbox fills. May be cancelled.
    async fn send(&mut self) {
        while let Some(Unsent { subject, payload, entries }) = self.unsent.front() {
            let entries = *entries;
            if self.client.publish(subject.clone(), payload.clone()).await.is_ok() {
                self.metrics.bus_sent.get_or_create(&Carried::MESSAGES).inc();
                self.metrics.bus_sent.get_or_create(&Carried::ENTRIES).inc_by(entries);
            } else {
                // Too large after all, for a server that came back with a smaller limit.
                self.metrics.bus_dropped.inc_by(entries);
                self.beats += 1;
            }
            self.unsent.pop_front();
        }
    }
}

/// The own streams of those whose membership an entry begins or ends. When it ends everybody's, every node
/// that serves a member follows the group.
fn concerned(entry: &LogEntry) -> impl Iterator<Item = StreamKey> {
    let ends = match &entry.ends {
        Ends::Users(users) => users.as_slice(),
        Ends::Everybody => &[],
    };
    entry.starts.iter().chain(ends).cloned().map(StreamKey::User)
}

/// An entry, its epoch, and the most bytes with which it travels whole.
type Enclosed<'a> = (&'a Arc<str>, &'a LogEntry, usize);

/// Entries by subject, both in the order in which they came.
#[derive(Default)]
struct Letters<'a> {
    places: HashMap<String, usize>,
    letters: Vec<(String, Vec<Enclosed<'a>>)>,
}

impl<'a> Letters<'a> {
    fn add(&mut self, subject: String, epoch: &'a Arc<str>, entry: &'a LogEntry, whole: usize) {
        let place = *self.places.entry(subject.clone()).or_insert_with(|| {
            self.letters.push((subject, Vec::new()));
            self.letters.len() - 1
        });
        if let Some((_, entries)) = self.letters.get_mut(place) {
            entries.push((epoch, entry, whole));
        }
    }

    fn in_order(self) -> impl Iterator<Item = (String, Vec<Enclosed<'a>>)> {
        self.letters.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::GroupEvent;
    use crate::model::{GroupId, Moment, NewMember, UserId};

    #[test]
    fn an_entry_concerns_those_who_come_and_go() {
        let (group, at) = (GroupId::from_stored("g"), Moment::UNIX_EPOCH);
        let user = UserId::from_stored;
        let (op, reason) = (user("a"), String::new());
        let invited = GroupEvent::Invited {
            op: op.clone(),
            members: vec![NewMember::plain(user("b")), NewMember::plain(user("c"))],
            silent: false,
        };
        let kicked =
            GroupEvent::Kicked { op: op.clone(), members: vec![user("d")], reason, silent: false };
        let dismissed = GroupEvent::Dismissed { op };
        let of = |event: &GroupEvent| -> Vec<StreamKey> {
            concerned(&event.entry(&group, 1, at)).collect()
        };
        assert_eq!(of(&invited), [StreamKey::User(user("b")), StreamKey::User(user("c"))]);
        assert_eq!(of(&kicked), [StreamKey::User(user("d"))]);
        assert_eq!(of(&dismissed), []);
    }

    #[test]
    fn letters_keep_the_order_of_their_entries() {
        let at = Moment::UNIX_EPOCH;
        let event = GroupEvent::Dismissed { op: UserId::from_stored("a") };
        let epoch: Arc<str> = "e".into();
        let entries: Vec<LogEntry> =
            (1..=4).map(|seq| event.entry(&GroupId::from_stored("g"), seq, at)).collect();
        let mut letters = Letters::default();
        for (entry, subject) in entries.iter().zip(["x", "y", "x", "z"]) {
            letters.add(subject.to_owned(), &epoch, entry, 9);
        }
        let found: Vec<(String, Vec<i64>)> = letters
            .in_order()
            .map(|(subject, all)| (subject, all.iter().map(|(_, entry, _)| entry.seq).collect()))
            .collect();
        let expected = [("x", vec![1, 3]), ("y", vec![2]), ("z", vec![4])];
        assert_eq!(found, expected.map(|(subject, all)| (subject.to_owned(), all)));
    }

    #[test]
    fn a_wish_that_changes_is_one_wish() {
        let wishes = Wishes::default();
        let stream = StreamKey::Group(GroupId::from_stored("g"));
        wishes.note(&stream, true);
        wishes.note(&stream, false);
        assert_eq!(wishes.take(), HashMap::from([(stream, false)]));
        assert_eq!(wishes.take(), HashMap::new());
    }
}
