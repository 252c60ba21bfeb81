//! A lane: one connection for life, one batch after the other.
//!
//! A lane never gives up a command silently. Each ends with a reply: decided, or "try again" once its
//! deadline passed while the database was away.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;

use crate::metrics::{CauseLabels, Metrics};
use crate::model::error::text_of_panic;
use crate::model::{Command, Error, Reason};
use crate::store::Store;

use super::batch::{self, Locking};
use super::failure::Failure;
use super::outcome::{Outcome, Verdict};
use super::queue::{Key, Pending, Queue, Taken};
use super::session::{MOMENT, Session};
use super::{Outbox, Settings, unavailable};

/// How often a single command runs again for reasons that should not come back.
const TRIES: u32 = 8;

/// After something changed between the reading and the writing of a batch, so many batches lock their groups, and
/// if that is not enough their users, too: where nodes share busy groups, or groups that change at the same time
/// share users, it would happen again and again.
const WARY: u32 = 64;

pub(super) struct Lane {
    number: usize,
    /// So many batches lock something yet.
    wary: u32,
    /// What they lock.
    caution: Locking,
    store: Store,
    settings: Arc<Settings>,
    metrics: Arc<Metrics>,
    outbox: Outbox,
    queue: Arc<Queue>,
    session: Option<Session>,
    /// The mailboxes that it has.
    busy: Vec<Key>,
}

impl Lane {
    pub(super) fn new(
        number: usize,
        store: Store,
        settings: Arc<Settings>,
        metrics: Arc<Metrics>,
        outbox: Outbox,
        queue: Arc<Queue>,
    ) -> Self {
        Self {
            number,
            wary: 0,
            caution: Locking::Groups,
            store,
            settings,
            metrics,
            outbox,
            queue,
            session: None,
            busy: Vec::new(),
        }
    }

    /// Works until the queue is closed and empty, again after a panic.
    pub(super) async fn run(mut self) {
        // The first caller need not wait for it. If it is not possible now, his batch tries again.
        self.session = self.connect().await.ok();
        while let Err(panic) = AssertUnwindSafe(self.work()).catch_unwind().await {
            tracing::error!(
                lane = self.number,
                "a lane panicked and begins anew: {}",
                text_of_panic(&*panic)
            );
            // Nobody knows what it was in the middle of. Its callers are answered as their commands are dropped.
            self.session = None;
            self.queue.give_back(std::mem::take(&mut self.busy), Vec::new());
        }
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    async fn work(&mut self) {
        while let Some(Taken { keys, commands }) = self.take().await {
            self.busy = keys;
            let rest = self.run_batch(commands).await;
            let waits: Vec<Key> = rest.alone.iter().map(|one| Key::of(&one.command)).collect();
            let free = self.busy.extract_if(.., |key| !waits.contains(key)).collect();
            // Who waits for another node's lock holds up nobody else's mailbox.
            self.queue.give_back(free, rest.again);
            if !rest.alone.is_empty() {
                self.queue.wake();
            }
            for pending in rest.alone {
                self.run_alone(pending).await;
            }
            self.queue.give_back(std::mem::take(&mut self.busy), Vec::new());
        }
    }

    /// Waits for work. A transaction that is open is ended if none comes.
    async fn take(&mut self) -> Option<Taken> {
        if let Some(session) = self.session.as_mut().filter(|session| session.is_open()) {
            match tokio::time::timeout(MOMENT, self.queue.take()).await {
                Ok(taken) => return taken,
                Err(_) if session.rest().await.is_err() => self.session = None,
                Err(_) => {}
            }
        }
        self.queue.take().await
    }

    async fn connect(&self) -> Result<Session, sqlx::Error> {
        Session::open(&self.store, self.settings.patience).await
    }

    /// Runs commands as one batch; returns those that it did not answer.
    async fn run_batch(&mut self, mut commands: Vec<Pending>) -> Rest {
        let mut locking = if self.wary > 0 { self.caution } else { Locking::Optimistic };
        self.wary = self.wary.saturating_sub(1);
        loop {
            commands = answer_late(commands, &unavailable());
            if commands.is_empty() {
                return Rest::default();
            }
            match self.attempt(&commands, locking).await {
                Ok(outcome) => return self.finish(commands, outcome),
                Err(Failure::Raced(_)) if let Some(stricter) = locking.stricter() => {
                    (locking, self.caution, self.wary) = (stricter, stricter, WARY);
                }
                Err(Failure::Lost(_)) => self.pause().await,
                Err(Failure::Unknown(outcome, _)) => match self.look_up(*outcome).await {
                    LookedUp::Committed(outcome) => return self.finish(commands, outcome),
                    LookedUp::NotCommitted => {}
                    LookedUp::Nobody => {
                        answer_all(commands, &outcome_unknown());
                        return Rest::default();
                    }
                },
                Err(Failure::Refused(_) | Failure::Raced(_)) => {
                    for pending in commands {
                        self.run_alone(pending).await;
                    }
                    return Rest::default();
                }
            }
        }
    }

    /// Runs one command in a transaction of its own until it is decided or its deadline is over.
    async fn run_alone(&mut self, pending: Pending) {
        let mut tries = 0;
        let one = vec![pending];
        loop {
            if one.iter().all(|pending| pending.deadline <= Instant::now()) {
                answer_all(one, &unavailable());
                return;
            }
            tries += 1;
            let outcome = match self.attempt(&one, Locking::Pessimistic).await {
                Ok(outcome) => outcome,
                Err(Failure::Unknown(outcome, _)) => match self.look_up(*outcome).await {
                    LookedUp::Committed(outcome) => outcome,
                    LookedUp::NotCommitted => continue,
                    LookedUp::Nobody => {
                        answer_all(one, &outcome_unknown());
                        return;
                    }
                },
                Err(Failure::Lost(_)) => {
                    self.pause().await;
                    continue;
                }
                Err(failure) if failure.passes() && (tries < TRIES || waits(&failure)) => {
                    tokio::time::sleep(Duration::from_millis(5 * u64::from(tries.min(20)))).await;
                    continue;
                }
                Err(failure) => {
                    answer_all(
                        one,
                        &Error::internal(format!("a batch of one failed: {failure:?}")),
                    );
                    return;
                }
            };
            if matches!(outcome.verdicts.as_slice(), [Verdict::Decided(_)]) {
                self.publish(one, outcome);
                return;
            }
            if tries >= TRIES {
                answer_all(one, &Error::internal("a rule asks for rows that nobody loads"));
                return;
            }
        }
    }

    /// Connects if need be and tries to commit the commands.
    async fn attempt(
        &mut self,
        commands: &[Pending],
        locking: Locking,
    ) -> Result<Outcome, Failure> {
        let started = Instant::now();
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.connect().await.map_err(Failure::Lost)?,
        };
        let list: Vec<Arc<Command>> = commands.iter().map(|one| one.command.clone()).collect();
        let mut result =
            batch::attempt(&mut session, &list, locking, &self.settings.rulebook).await;
        match &mut result {
            Ok(outcome) => {
                outcome.committed.epoch = session.epoch.clone();
                self.metrics.batches.inc();
                #[expect(clippy::cast_precision_loss, reason = "a batch has few commands")]
                self.metrics.batch_size.observe(commands.len() as f64);
                self.metrics.batch_seconds.observe(started.elapsed().as_secs_f64());
                self.session = Some(session);
            }
            Err(failure) => {
                let labels = CauseLabels { cause: failure.cause() };
                self.metrics.batch_retries.get_or_create(&labels).inc();
                let (lane, commands) = (self.number, commands.len());
                if matches!(failure, Failure::Raced(_)) && locking.stricter().is_some() {
                    tracing::debug!(lane, commands, "a batch runs again, with locks: {failure:?}");
                } else {
                    tracing::warn!(lane, commands, "a batch did not commit: {failure:?}");
                }
                if matches!(failure, Failure::Refused(_) | Failure::Raced(_)) {
                    self.session = Some(session);
                }
            }
        }
        result
    }

    /// Answers what was decided and sorts out the rest.
    fn finish(&self, commands: Vec<Pending>, outcome: Outcome) -> Rest {
        let lonely = commands.len() == 1;
        let mut decided = Vec::with_capacity(commands.len());
        let mut rest = Rest::default();
        let mut verdicts = Vec::with_capacity(commands.len());
        for (pending, verdict) in commands.into_iter().zip(outcome.verdicts) {
            match verdict {
                Verdict::Decided(_) => {
                    decided.push(pending);
                    verdicts.push(verdict);
                }
                Verdict::Alone => rest.alone.push(pending),
                // Alone it sees everything that it asked for: once more would be the same again.
                Verdict::Again if lonely => {
                    pending.answer(Err(Error::internal("a rule asks for rows that nobody loads")));
                }
                Verdict::Again => rest.again.push(pending),
            }
        }
        self.publish(decided, Outcome { verdicts, ..outcome });
        rest
    }

    /// Hands the committed entries on, then answers the callers.
    fn publish(&self, commands: Vec<Pending>, outcome: Outcome) {
        if !outcome.committed.is_empty() {
            self.metrics.events.inc_by(outcome.committed.entries.len() as u64);
            (self.outbox)(outcome.committed);
        }
        for (pending, verdict) in commands.into_iter().zip(outcome.verdicts) {
            if let Verdict::Decided(result) = verdict {
                pending.answer(result);
            }
        }
    }

    /// Finds out what became of a batch whose COMMIT got no answer.
    async fn look_up(&mut self, mut outcome: Outcome) -> LookedUp {
        let until = Instant::now() + self.settings.deadline;
        while Instant::now() < until {
            if let Ok(mut session) = self.connect().await
                && let silence = session.silence
                && let asked = batch::was_committed(&mut session.connection, outcome.batch)
                && let Ok(Ok(committed)) = tokio::time::timeout(silence, asked).await
            {
                tracing::warn!(lane = self.number, committed, "looked up the outcome of a batch");
                outcome.committed.epoch = session.epoch.clone();
                self.session = Some(session);
                return if committed {
                    LookedUp::Committed(outcome)
                } else {
                    LookedUp::NotCommitted
                };
            }
            self.pause().await;
        }
        LookedUp::Nobody
    }

    /// Waits a little before the database is asked again, each lane at its own pace.
    async fn pause(&mut self) {
        self.session = None;
        let millis = 100 + 23 * u64::try_from(self.number % 8).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
}

/// The commands of a batch that it did not answer.
#[derive(Default)]
struct Rest {
    /// They need another batch.
    again: Vec<Pending>,
    /// Another node holds their groups: each waits by itself.
    alone: Vec<Pending>,
}

enum LookedUp {
    Committed(Outcome),
    NotCommitted,
    Nobody,
}

/// Whether a failure only means that somebody else holds the row for a while.
fn waits(failure: &Failure) -> bool {
    matches!(failure, Failure::Refused(sqlx::Error::Database(error))
        if error.code().as_deref() == Some("55P03"))
}

/// Answers those whose deadline is over; returns the others.
fn answer_late(commands: Vec<Pending>, error: &Error) -> Vec<Pending> {
    let now = Instant::now();
    let (late, others): (Vec<_>, Vec<_>) =
        commands.into_iter().partition(|pending| pending.deadline <= now);
    answer_all(late, error);
    others
}

fn answer_all(commands: Vec<Pending>, error: &Error) -> Vec<Pending> {
    for pending in commands {
        pending.answer(Err(error.clone()));
    }
    Vec::new()
}

fn outcome_unknown() -> Error {
    let text = "the database went away during the commit; try again with the same Idempotency-Key";
    Error::new(Reason::OutcomeUnknown, text).retry_after(1)
}
