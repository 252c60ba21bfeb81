//! The repairer of a node: finds by itself whatever nobody told.
//!
//! A bus may lose what it likes, a node may die between its commit and its word of it, a connection may break
//! unseen. So each node compares what it knows with the database, from time to time and at once after a gap:
//!
//! - **Which logs grew** since the last look, twice a second. Each entry carries the number of its
//!   transaction; all entries below the oldest transaction that still runs (the *horizon*) are there for good, so
//!   that looking from horizon to horizon passes over none. That costs by the events, not by the streams or
//!   sockets.
//! - **How far the followed logs reach**, asked stream by stream, while some transaction holds the horizon
//!   back, be it of another program. Then repair costs more, but comes no later. The log names who it is.
//! - **Which memberships of the connected users changed**: one question for all of them, so that a lost word
//!   about a *new* group is found.
//!
//! What is found is only told to the router, which knows already most of it and reads the rest.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::hub::{Hub, Message};
use super::source::Source;
use crate::model::{Error, UserId};

/// How often it looks which logs grew.
const SWEEP: Duration = Duration::from_millis(500);
/// How often it asks for memberships, and for the followed logs while the horizon is held back.
const COMPARE: Duration = Duration::from_secs(3);
/// So long the horizon may stand still before the followed logs are asked for.
const HELD: Duration = Duration::from_secs(1);
/// So long it may before that is told, and so long before it is told again.
const TELL: Duration = Duration::from_secs(5);
const TELL_AGAIN: Duration = Duration::from_mins(1);
/// Most users and streams in one question.
const AT_ONCE: usize = 10_000;

/// Compares with the database until the server stops.
pub(super) struct Repair<S> {
    source: S,
    hub: Hub,
    /// Where the next sweep begins.
    from: Option<i64>,
    epoch: Option<Arc<str>>,
    compared: Instant,
    held: Option<Held>,
}

/// The transaction that holds the horizon back.
struct Held {
    transaction: i64,
    since: Instant,
    told: Option<Instant>,
}

impl<S: Source> Repair<S> {
    pub(super) fn new(source: S, hub: Hub) -> Self {
        Self { source, hub, from: None, epoch: None, compared: Instant::now(), held: None }
    }

    pub(super) async fn run(mut self) {
        let stopping = self.hub.stopping().clone();
        let mut gap = false;
        loop {
            let round = async {
                if let Err(error) = self.round(gap).await {
                    // That the database is away is told elsewhere.
                    tracing::debug!(context = error.context.as_deref(), "repair: {error}");
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                () = round => {}
            }
            let pause = rand::random_range(SWEEP * 9 / 10..=SWEEP);
            gap = tokio::select! {
                () = stopping.cancelled() => return,
                () = sleep(pause) => false,
                () = self.hub.gap() => true,
            };
        }
    }

    async fn round(&mut self, gap: bool) -> Result<(), Error> {
        self.sweep().await?;
        let held = self.held.as_ref().is_some_and(|held| held.since.elapsed() >= HELD);
        if gap || self.compared.elapsed() >= COMPARE {
            if held || gap {
                self.compare_logs().await?;
            }
            self.compare_memberships().await?;
            self.compared = Instant::now();
        }
        Ok(())
    }

    /// Looks which logs grew since the last time.
    async fn sweep(&mut self) -> Result<(), Error> {
        loop {
            let sweep = self.source.sweep(self.from).await?;
            self.hub.set_clock(sweep.now);
            self.watch(sweep.held_by).await;
            let same = self.epoch.as_ref().is_some_and(|epoch| *epoch == sweep.epoch);
            let more = sweep.more && same;
            // Of another history the numbers of transactions say nothing; it is followed from here on.
            self.from = if same || self.from.is_none() { Some(sweep.next) } else { None };
            self.epoch = Some(sweep.epoch.clone());
            self.hub.tell(Message::Heads { epoch: sweep.epoch, heads: sweep.heads });
            if self.from.is_some() && !more {
                return Ok(());
            }
        }
    }

    /// Asks for the followed logs one by one.
    async fn compare_logs(&mut self) -> Result<(), Error> {
        let Some(epoch) = self.epoch.clone() else { return Ok(()) };
        let followed = self.hub.followed().await;
        for streams in followed.chunks(AT_ONCE) {
            let heads = self.source.heads(streams).await?;
            self.hub.tell(Message::Heads { epoch: epoch.clone(), heads });
        }
        Ok(())
    }

    /// Asks which memberships of the connected users changed.
    async fn compare_memberships(&mut self) -> Result<(), Error> {
        let Some(epoch) = self.epoch.clone() else { return Ok(()) };
        let users: Vec<(UserId, i64)> = self.hub.users().await;
        for users in users.chunks(AT_ONCE) {
            let changes = self.source.changed_memberships(users).await?;
            if !changes.is_empty() {
                self.hub.tell(Message::Changes { epoch: epoch.clone(), changes });
            }
        }
        Ok(())
    }

    /// Notes which transaction holds the horizon back, and tells of one that does so for long.
    async fn watch(&mut self, transaction: Option<i64>) {
        let same = |held: &Held| Some(held.transaction) == transaction;
        if !self.held.as_ref().is_some_and(same) {
            if let Some(Held { transaction, since, told: Some(_) }) = self.held.take() {
                let seconds = since.elapsed().as_secs();
                tracing::info!(transaction, seconds, "the repair horizon moves again");
            }
            let begin = |transaction| Held { transaction, since: Instant::now(), told: None };
            self.held = transaction.map(begin);
        }
        let gauge = &self.hub.metrics().repair_horizon;
        let Some(held) = &mut self.held else {
            gauge.set(0.0);
            return;
        };
        let stands = held.since.elapsed();
        gauge.set(stands.as_secs_f64());
        let due = held.told.map_or(stands >= TELL, |told| told.elapsed() >= TELL_AGAIN);
        if due {
            held.told = Some(Instant::now());
            let (transaction, seconds) = (held.transaction, stands.as_secs());
            let holder = self.source.holder(transaction).await.ok().flatten();
            let (who, since) = holder.map_or_else(
                || ("somebody whom this role may not see".to_owned(), None),
                |holder| (holder.who, holder.since.map(|since| since.to_rfc3339())),
            );
            tracing::warn!(
                transaction,
                seconds,
                since,
                "an open transaction holds the repair horizon back; lost events are found the dear way: {who}"
            );
        }
    }
}
