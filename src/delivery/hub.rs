//! The handle that the rest of the server holds: the engine hands in what it committed, and connections
//! sign on.
//!
//! All of it are messages to the one task that owns the router ([`worker`](super::worker)); nothing here
//! waits for that task but a connection that opens and the repairer. The queue has no bound of its own: what
//! the engine puts in is bounded by what the database commits, each connection has at most a handful of
//! messages under way, and the task never waits for anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bus::Bus;
use super::cause::Cause;
use super::mailbox::Mailbox;
use super::reads::{Found, Job};
use super::repair::Repair;
use super::router::{ConnId, Start};
use super::source::Source;
use super::worker::{self, Worker};
use crate::metrics::Metrics;
use crate::model::{Error, LogEntry, Moment, StreamKey, UserId};
use crate::store::repair::UserChanges;

/// Most sockets that may be there without having said who they are.
const STRANGERS: usize = 4_096;

/// Where a connection starts, and what is known of it.
#[derive(Debug, Default)]
pub(super) struct Opening {
    /// The history that the numbers belong to.
    pub(super) epoch: Arc<str>,
    /// Where it starts in each stream.
    pub(super) starts: Vec<Start>,
    /// Where it left groups, as far as its client told.
    pub(super) left: Vec<(StreamKey, i64)>,
    /// How often its user's memberships had changed.
    pub(super) rev: i64,
    /// When the database said all this, by its clock.
    pub(super) at: Moment,
}

/// What the router's task is told.
#[derive(Debug)]
pub(super) enum Message {
    /// The engine committed these just now, under this epoch.
    Committed { epoch: Arc<str>, entries: Vec<LogEntry>, at: Instant },
    /// A connection begins to open; answered with whether the user may have another one.
    Register {
        id: ConnId,
        user: UserId,
        most: u32,
        mailbox: Arc<Mailbox>,
        answer: oneshot::Sender<bool>,
    },
    /// A connection will open in these streams; answered as [`Line::interest`] says.
    Interest { id: ConnId, streams: Vec<StreamKey>, answer: oneshot::Sender<bool> },
    /// A connection starts here.
    Open { id: ConnId, opening: Opening },
    /// Credentials of these users were revoked.
    Doubt(Vec<UserId>),
    /// A connection has written everything up to the mark.
    Drained(ConnId),
    /// A connection has ended.
    Unregister(ConnId),
    /// For the test of what happens after a panic.
    #[cfg(test)]
    Panic,
    /// Logs were read.
    Found { jobs: Vec<Job>, found: Result<Found, Error> },
    /// The database says how far logs reach.
    Heads { epoch: Arc<str>, heads: Vec<(StreamKey, i64)> },
    /// The database says which memberships of connected users changed.
    Changes { epoch: Arc<str>, changes: Vec<UserChanges> },
    /// Asks for the streams that are followed, and how far.
    Followed(oneshot::Sender<Vec<(StreamKey, i64)>>),
    /// Asks for the connected users, and how many changes of their memberships are known.
    Users(oneshot::Sender<Vec<(UserId, i64)>>),
    /// The database says which history its logs are of.
    Epoch(Result<Arc<str>, Error>),
}

/// Carries what was committed to the sockets of this node, and to other nodes.
#[derive(Clone)]
pub struct Hub {
    queue: mpsc::UnboundedSender<Message>,
    ids: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    stopping: CancellationToken,
    shared: Arc<Shared>,
}

/// What the parts of this room share beside the queue.
struct Shared {
    /// Wakes the repairer.
    gap: Notify,
    /// Microseconds by which the database's clock is ahead of this machine's.
    clock: AtomicI64,
    /// Sockets that have not said who they are.
    strangers: AtomicUsize,
    /// So many connections may ask the database at a time where they start.
    openings: Arc<Semaphore>,
}

impl Hub {
    /// Starts the task that owns the router, and the repairer. They end when `stopping` is cancelled, and so
    /// do all sockets. `openings`: how many connections may ask the database at a time where they start.
    pub fn start(
        source: impl Source,
        bus: Bus,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stopping: CancellationToken,
        openings: usize,
    ) -> Self {
        let (queue, messages) = mpsc::unbounded_channel();
        let shared = Shared {
            gap: Notify::new(),
            clock: AtomicI64::new(0),
            strangers: AtomicUsize::new(0),
            openings: Arc::new(Semaphore::new(openings.max(1))),
        };
        let hub = Self {
            queue,
            ids: Arc::new(AtomicU64::new(1)),
            metrics,
            tasks: tasks.clone(),
            stopping,
            shared: Arc::new(shared),
        };
        let repair = Repair::new(source.clone(), hub.clone());
        let worker = Worker::new(source, bus, &hub);
        tasks.spawn(worker::supervise(worker, messages));
        tasks.spawn(repair.run());
        hub
    }

    /// Hands in what was committed under this epoch, in the order of the commits. Never waits.
    pub fn committed(&self, epoch: Arc<str>, entries: Vec<LogEntry>) {
        if !entries.is_empty() {
            self.tell(Message::Committed { epoch, entries, at: Instant::now() });
        }
    }

    /// Has the sockets of these users look whether their credentials still hold; those whose do not end.
    /// Never waits.
    pub fn doubt(&self, users: Vec<UserId>) {
        if !users.is_empty() {
            self.tell(Message::Doubt(users));
        }
    }

    /// The tracker of the tasks that must have ended before the server has.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Cancelled when the server stops.
    #[must_use]
    pub fn stopping(&self) -> &CancellationToken {
        &self.stopping
    }

    /// What is counted.
    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Has the repairer look at once.
    pub(super) fn report_gap(&self) {
        self.shared.gap.notify_one();
    }

    /// Waits until somebody reports a gap.
    pub(super) async fn gap(&self) {
        self.shared.gap.notified().await;
    }

    /// Notes what the database's clock says now.
    pub(super) fn set_clock(&self, now: Moment) {
        let ahead = (now - chrono::Utc::now()).num_microseconds().unwrap_or(0);
        self.shared.clock.store(ahead, Ordering::Relaxed);
    }

    /// When, on this machine, it was this moment by the database's clock.
    pub(super) fn instant_of(&self, at: Moment) -> Instant {
        let ahead = chrono::TimeDelta::microseconds(self.shared.clock.load(Ordering::Relaxed));
        let ago: Duration = (chrono::Utc::now() + ahead - at).to_std().unwrap_or_default();
        let now = Instant::now();
        now.checked_sub(ago).unwrap_or(now)
    }

    /// Lets a socket wait for its first frame.
    ///
    /// # Errors
    /// [`Cause::TooMany`] when too many do.
    pub(super) fn stranger(&self) -> Result<Stranger, Cause> {
        let stranger = Stranger(self.shared.clone());
        if self.shared.strangers.fetch_add(1, Ordering::Relaxed) < STRANGERS {
            Ok(stranger)
        } else {
            let why = format!("{STRANGERS} sockets of this node have not said hello");
            Err(Cause::TooMany(why))
        }
    }

    /// Waits for a turn to ask the database where to start: ten thousand clients that come back at once must
    /// not keep everybody else from it.
    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit, Cause> {
        self.shared.openings.clone().acquire_owned().await.map_err(|_| Cause::Stopping)
    }

    /// The streams that somebody is in, and how far each is followed.
    pub(super) async fn followed(&self) -> Vec<(StreamKey, i64)> {
        let (answer, answered) = oneshot::channel();
        self.tell(Message::Followed(answer));
        answered.await.unwrap_or_default()
    }

    /// The connected users, and how many changes of their memberships are known.
    pub(super) async fn users(&self) -> Vec<(UserId, i64)> {
        let (answer, answered) = oneshot::channel();
        self.tell(Message::Users(answer));
        answered.await.unwrap_or_default()
    }

    /// Signs a connection on, with the queue that leads to it.
    ///
    /// # Errors
    /// [`Cause::TooMany`] when the user has `most` of them already; [`Cause::Stopping`].
    pub(super) async fn register(
        &self,
        user: UserId,
        most: u32,
        mailbox: Arc<Mailbox>,
    ) -> Result<Line, Cause> {
        let id = ConnId(self.ids.fetch_add(1, Ordering::Relaxed));
        // Made first: should the caller go away while the answer is under way, its end signs off.
        let line = Line { id, hub: self.clone(), mailbox: mailbox.clone() };
        let registered =
            self.ask(|answer| Message::Register { id, user, most, mailbox, answer }).await?;
        if registered {
            Ok(line)
        } else {
            Err(Cause::TooMany(format!("a user may hold {most} sockets on this node")))
        }
    }

    pub(super) fn tell(&self, message: Message) {
        // Nobody listens any more only when the server stops; then nothing is lost by silence.
        self.queue.send(message).ok();
    }

    async fn ask(
        &self,
        message: impl FnOnce(oneshot::Sender<bool>) -> Message,
    ) -> Result<bool, Cause> {
        let (answer, answered) = oneshot::channel();
        self.tell(message(answer));
        let lost = if self.stopping.is_cancelled() { Cause::Stopping } else { Cause::Restart };
        answered.await.map_err(|_| lost)
    }
}

/// One connection's end of the hub. Signs off when it is dropped.
pub(super) struct Line {
    id: ConnId,
    hub: Hub,
    mailbox: Arc<Mailbox>,
}

impl Line {
    /// What was put in for this connection.
    pub(super) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    /// Declares in which streams this connection will open. True when the numbers to open at have to be
    /// read after this answer, because the end of one of these streams is not known yet.
    pub(super) async fn interest(&self, streams: Vec<StreamKey>) -> Result<bool, Cause> {
        let id = self.id;
        self.hub.ask(|answer| Message::Interest { id, streams, answer }).await
    }

    /// Says where this connection starts. From now on frames come.
    pub(super) fn open(&self, opening: Opening) {
        self.hub.tell(Message::Open { id: self.id, opening });
    }

    /// Answers a mark.
    pub(super) fn drained(&self) {
        self.hub.tell(Message::Drained(self.id));
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.hub.tell(Message::Unregister(self.id));
    }
}

/// A socket that has not said who it is, for as long as this lives.
pub(super) struct Stranger(Arc<Shared>);

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.strangers.fetch_sub(1, Ordering::Relaxed);
    }
}
