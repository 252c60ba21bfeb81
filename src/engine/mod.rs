//! The engine: commands in, one transaction for what is waiting, replies after the commit.
//!
//! The cast: [`queue`] keeps a mailbox for each group; a few lanes ([`lane`]) each own one connection for
//! life and take whatever waits; [`batch`] turns commands into one transaction; [`preview`] answers what a
//! command would do. While lanes work, the next commands gather: the size of a batch follows the load, and a lone
//! caller waits for nobody.
//!
//! What holds: a group belongs to one lane at a time, so its commands are decided in the order in which
//! they came. A caller gets his reply only after the commit, and hanging up cancels nothing, because a
//! command runs on the lane's own task from the moment it is queued. A transaction that the server
//! refused harms only the command that it refused. See `docs/decisions/engine.md`.

mod batch;
mod failure;
mod lane;
mod load;
mod outcome;
mod preview;
mod queue;
mod session;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::metrics::{CommandLabels, Metrics, ResultLabels};
use crate::model::{Command, Error, Operation, Reason, Reply};
use crate::rules::Rulebook;
use crate::store::{Patience, Store};

use queue::{Pending, Queue};

pub use outcome::Committed;

/// Receives what each committed batch did, in order, before the callers get their replies. Must not block.
pub type Outbox = Arc<dyn Fn(Committed) + Send + Sync>;

/// How an engine is set up.
#[derive(Clone)]
pub struct Settings {
    /// The limits and types that the rules read.
    pub rulebook: Rulebook,
    /// How many lanes, each with a connection of its own.
    pub lanes: usize,
    /// How long a command may wait for the database before its caller is told to try again.
    pub deadline: Duration,
    /// The timeouts of the lanes' sessions.
    pub patience: Patience,
}

impl Settings {
    /// The usual timeouts with these limits and types: two lanes for each core. One for each has work as a rule; the
    /// others are there for when a lane waits, for another node's locks or for an answer that does not come.
    #[must_use]
    pub fn new(rulebook: Rulebook) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            rulebook,
            lanes: 2 * cores,
            deadline: Duration::from_secs(12),
            patience: Patience::default(),
        }
    }
}

/// The handle that faces submit commands through.
#[derive(Clone)]
pub struct Engine {
    queue: Arc<Queue>,
    store: Store,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    tracker: TaskTracker,
}

impl Engine {
    /// Starts the lanes. They end after [`Engine::close`], when nothing waits any more.
    #[must_use]
    pub fn start(
        store: Store,
        settings: Settings,
        metrics: Arc<Metrics>,
        outbox: &Outbox,
        tracker: &TaskTracker,
    ) -> Self {
        let queue = Arc::new(Queue::new(settings.lanes, metrics.clone()));
        let settings = Arc::new(settings);
        for number in 0..settings.lanes.max(1) {
            let lane = lane::Lane::new(
                number,
                store.clone(),
                settings.clone(),
                metrics.clone(),
                outbox.clone(),
                queue.clone(),
            );
            tracker.spawn(lane.run());
        }
        Self { queue, store, settings, metrics, tracker: tracker.clone() }
    }

    /// Decides a command and makes it true. Dropping the future cancels nothing.
    ///
    /// # Errors
    /// The refusal; [`Reason::Busy`] when too much waits for the group, [`Reason::Unavailable`] when the
    /// database was away for too long and nothing was changed, [`Reason::OutcomeUnknown`] when it went
    /// away during the commit.
    pub async fn submit(&self, command: Command) -> Result<Reply, Error> {
        let (sender, receiver) = oneshot::channel();
        let now = Instant::now();
        let name = command.operation.name();
        let invites = matches!(command.operation, Operation::Invite { .. });
        let pending = Pending {
            command: Arc::new(command),
            reply: sender,
            since: now,
            deadline: now + self.settings.deadline,
        };
        let result = match self.queue.push(pending) {
            Ok(()) => receiver.await.unwrap_or_else(|_| {
                Err(Error::internal(format!("a lane dropped the command {name}")))
            }),
            Err(refusal) => Err(refusal),
        };
        self.count(name, invites, &result);
        result
    }

    /// Answers what a command would do, from one state of the database, and changes nothing.
    ///
    /// # Errors
    /// The refusal that the command would get, or [`Reason::Unavailable`].
    pub async fn preview(&self, command: Command) -> Result<Reply, Error> {
        let store = self.store.clone();
        let settings = self.settings.clone();
        // On a task of its own: a caller who hangs up must not leave an open transaction in the pool.
        let task = self
            .tracker
            .spawn(async move { preview::preview(&store, &settings.rulebook, command).await });
        task.await.unwrap_or_else(|error| Err(Error::internal(format!("preview: {error}"))))
    }

    /// Takes no more commands; the lanes finish what waits and end.
    pub fn close(&self) {
        self.queue.close();
    }

    fn count(&self, command: &'static str, invites: bool, result: &Result<Reply, Error>) {
        let outcome = match result {
            Ok(_) => "ok",
            Err(error) => error.reason.word(),
        };
        self.metrics.commands.get_or_create(&CommandLabels { command, outcome }).inc();
        if let (true, Ok(Reply::Members(outcomes))) = (invites, result) {
            let mut counts: BTreeMap<u8, u64> = BTreeMap::new();
            for outcome in outcomes {
                *counts.entry(outcome.result.code()).or_default() += 1;
            }
            for (result, count) in counts {
                let labels = ResultLabels { result: result.into() };
                self.metrics.invited.get_or_create(&labels).inc_by(count);
            }
        }
    }
}

/// The refusal of a command that the database did not let through in time.
fn unavailable() -> Error {
    Error::new(Reason::Unavailable, "the database does not answer; nothing was changed, try again")
        .retry_after(1)
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Engine")
    }
}
