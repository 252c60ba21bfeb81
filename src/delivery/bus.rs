//! The way between nodes.
//!
//! A bus carries committed entries to the routers of other nodes and brings theirs. It may lose, repeat
//! and reorder as it likes: the router that receives compares one integer and reads the log when it is
//! ahead. So a bus needs no memory, no acknowledgement and no order. What it does know about its losses it
//! says, as [`News::Gap`], so that they are looked into at once.
//!
//! There are three kinds. `Local` leads nowhere. `notify` goes through the database, which every node has
//! anyway, and brings everything to every node. `nats` goes through a NATS server and brings a node only
//! what somebody there follows. The last two share what travels (`payload`), what waits (`queue`), how
//! losses are found (`window`) and how they come back when they were away (`link`).
//!
//! What a kind has to keep: [`Bus::publish`] and [`Bus::interest`] are called on the router's task and must
//! not wait (a kind with a network has a bounded queue and a task of its own, and drops when the queue is
//! full); [`Bus::next`] is cancelled freely and must not lose by that what it has taken out of a queue.

mod company;
mod link;
mod nats;
mod notify;
mod payload;
mod queue;
mod window;

use std::future;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

use self::nats::Nats;
use self::notify::Notify;
use crate::metrics::Metrics;
use crate::model::{LogEntry, StreamKey};
use crate::store::Store;

/// How entries reach other nodes.
#[derive(Debug)]
pub struct Bus(Kind);

#[derive(Debug)]
enum Kind {
    Local,
    Notify(Notify),
    Nats(Nats),
}

/// What other nodes have to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Entries of other nodes, in no promised order, perhaps repeated.
    Entries {
        /// The epoch under which they were committed.
        epoch: Arc<str>,
        /// Never empty.
        entries: Vec<LogEntry>,
    },
    /// Numbers of entries that did not travel themselves, mostly because they were too large: who follows
    /// such a stream reads the log.
    Hints {
        /// The epoch under which they were committed.
        epoch: Arc<str>,
        /// Never empty.
        hints: Vec<(StreamKey, i64)>,
    },
    /// Something may have been lost just now.
    Gap,
}

impl Bus {
    /// Nothing leaves the node.
    #[must_use]
    pub fn local() -> Self {
        Self(Kind::Local)
    }

    /// Over PostgreSQL, by two connections of their own. They are made in the background and made anew
    /// whenever they are lost, until `stopping` is cancelled; then what is left is sent.
    pub fn notify(
        store: Store,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stopping: CancellationToken,
    ) -> Self {
        Self(Kind::Notify(Notify::start(store, metrics, tasks, stopping)))
    }

    /// Over a NATS server, which need not be there yet. The URL may hold a user and a password, or a token. The
    /// instance names the database, so that several Musters can share one NATS; it is made of letters,
    /// digits and hyphens.
    ///
    /// # Errors
    /// When the address is none of NATS.
    pub async fn nats(
        url: &Url,
        instance: &str,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stopping: CancellationToken,
    ) -> anyhow::Result<Self> {
        Ok(Self(Kind::Nats(Nats::start(url, instance, metrics, tasks, stopping).await?)))
    }

    /// Whether what it brings may come in another order than it was committed in.
    pub(super) fn reorders(&self) -> bool {
        !matches!(self.0, Kind::Local)
    }

    /// Hands on what was committed here, under this epoch of the database.
    pub(super) fn publish(&mut self, epoch: &Arc<str>, entries: &[Arc<LogEntry>]) {
        match &mut self.0 {
            Kind::Local => {}
            Kind::Notify(notify) => notify.publish(epoch, entries),
            Kind::Nats(nats) => nats.publish(epoch, entries),
        }
    }

    /// Somebody on this node begins to follow a stream, or nobody does any more.
    pub(super) fn interest(&mut self, stream: &StreamKey, on: bool) {
        match &mut self.0 {
            // Everything comes here anyway.
            Kind::Local | Kind::Notify(_) => {}
            Kind::Nats(nats) => nats.interest(stream, on),
        }
    }

    /// Waits for what other nodes committed. May be cancelled without loss.
    pub(super) async fn next(&mut self) -> News {
        match &mut self.0 {
            Kind::Local => future::pending().await,
            Kind::Notify(notify) => notify.next().await,
            Kind::Nats(nats) => nats.next().await,
        }
    }
}
