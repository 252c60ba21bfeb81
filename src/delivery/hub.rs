//! The handle that the rest of the server holds: the engine hands in what it committed, and connections
//! sign on.
//!
//! All of it are messages to the one task that owns the router ([`worker`](super::worker)); nothing here
//! waits for that task but a connection that opens. The queue has no bound of its own: what the engine
//! puts in is bounded by what the database commits, each connection has at most a handful of messages
//! under way, and the task never waits for anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::bus::Bus;
use super::cause::Cause;
use super::mailbox::Mailbox;
use super::router::{ConnId, Read, Start};
use super::source::Source;
use super::worker::{self, Worker};
use crate::metrics::Metrics;
use crate::model::{Error, LogEntry, StreamKey, UserId};

/// What the router's task is told.
#[derive(Debug)]
pub(super) enum Message {
    /// The engine committed these.
    Committed(Vec<LogEntry>),
    /// Another node committed these.
    Elsewhere(Vec<LogEntry>),
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
    Open { id: ConnId, starts: Vec<Start> },
    /// Credentials of these users were revoked.
    Doubt(Vec<UserId>),
    /// A connection has written everything up to the mark.
    Drained(ConnId),
    /// A connection has ended.
    Unregister(ConnId),
    /// For the test of what happens after a panic.
    #[cfg(test)]
    Panic,
    /// The log was read: the entries, and whether there are more of them.
    Read { read: Read, found: Result<(Vec<LogEntry>, bool), Error> },
}

/// Carries what was committed to the sockets of this node, and to other nodes.
#[derive(Clone)]
pub struct Hub {
    queue: mpsc::UnboundedSender<Message>,
    ids: Arc<AtomicU64>,
    metrics: Arc<Metrics>,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

impl Hub {
    /// Starts the task that owns the router. It ends when `stopping` is cancelled, and so do all sockets.
    pub fn start(
        source: impl Source,
        bus: Bus,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stopping: CancellationToken,
    ) -> Self {
        let (queue, messages) = mpsc::unbounded_channel();
        let hub = Self {
            queue,
            ids: Arc::new(AtomicU64::new(1)),
            metrics,
            tasks: tasks.clone(),
            stopping,
        };
        let worker = Worker::new(source, bus, &hub);
        tasks.spawn(worker::supervise(worker, messages));
        hub
    }

    /// Hands in what was committed, in the order of the commits. Never waits.
    pub fn committed(&self, entries: Vec<LogEntry>) {
        if !entries.is_empty() {
            self.tell(Message::Committed(entries));
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

    /// Signs a connection on.
    ///
    /// # Errors
    /// [`Cause::TooMany`] when the user has `most` of them already; [`Cause::Stopping`].
    pub(super) async fn register(&self, user: UserId, most: u32) -> Result<Line, Cause> {
        let id = ConnId(self.ids.fetch_add(1, Ordering::Relaxed));
        let mailbox = Arc::new(Mailbox::default());
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
    pub(super) fn open(&self, starts: Vec<Start>) {
        self.hub.tell(Message::Open { id: self.id, starts });
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
