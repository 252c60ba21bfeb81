//! What a server does without being asked: ends applications whose time is over, releases what large
//! dismissed groups left behind, forgets what nobody needs any more, and watches the database. Accounts that
//! are being deleted ([`Deleting`]), events that have become too old ([`Retention`]) and credentials that
//! other nodes revoke ([`Revoked`]) have tasks of their own, which nothing here holds up.
//!
//! Every change goes through the engine like a caller's. Several nodes may do the same work at the same
//! time: whoever comes second finds nothing left to do.

mod deleting;
mod releases;
mod retention;
mod revoked;

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::auth::Rate;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::model::{Caller, Command, Error, Operation, Reply, UserId};
use crate::store::Store;
use releases::Releases;

pub use deleting::Deleting;
pub use retention::Retention;
pub use revoked::{Revoked, Told};

/// How often it looks for what is due.
const LOOK: Duration = Duration::from_secs(1);
/// Rounds of looking between two sweeps.
const SWEEP: u64 = 60;
/// Most applications ended in one round.
const DUE: i64 = 200;

/// What upkeep works with.
pub struct Upkeep {
    /// Makes the changes.
    pub engine: Engine,
    /// Finds what is due.
    pub store: Store,
    /// Told whether the database answers.
    pub metrics: Arc<Metrics>,
    /// Forgets quiet callers.
    pub rate: Arc<Rate>,
}

impl Upkeep {
    /// Works until the token is cancelled.
    pub async fn run(self, stopping: CancellationToken) {
        let mut round: u64 = 0;
        let mut releases = Releases::default();
        let mut wait = LOOK;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            round += 1;
            wait = LOOK;
            let up = self.store.answers().await;
            if i64::from(up) != self.metrics.database_up.set(i64::from(up)) {
                if up {
                    tracing::info!("the database answers");
                } else {
                    tracing::warn!("the database does not answer");
                }
            }
            if !up {
                continue;
            }
            let work = async {
                match self.round(round.is_multiple_of(SWEEP), &mut releases).await {
                    // A release that is not finished took a round's time: the next one follows at once.
                    Ok(true) => wait = Duration::ZERO,
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(context = error.context.as_deref(), "upkeep: {error}");
                    }
                }
            };
            tokio::select! {
                () = stopping.cancelled() => return,
                () = work => {}
            }
        }
    }

    /// Does what is due. Says whether there is more to do at once.
    async fn round(&self, sweep: bool, releases: &mut Releases) -> Result<bool, Error> {
        for due in self.store.due_applications(DUE).await? {
            let operation = Operation::Expire {
                group: due.group,
                application: due.id,
                subject: due.subject,
                from_user: due.from_user,
            };
            // Its group may be dismissed meanwhile: then the release ends it.
            if let Err(error) = self.submit(operation).await {
                tracing::debug!("an application could not be ended: {error}");
            }
        }
        let more = releases.work(self).await?;
        if sweep {
            self.rate.forget();
            let gone = self.store.sweep().await?;
            tracing::debug!(gone, "swept");
        }
        Ok(more)
    }

    async fn submit(&self, operation: Operation) -> Result<Reply, Error> {
        submit(&self.engine, operation).await
    }
}

/// Has the engine do something of the server's own.
async fn submit(engine: &Engine, operation: Operation) -> Result<Reply, Error> {
    let caller = Caller { user: UserId::from_stored("muster"), administrator: true };
    engine.submit(Command { caller, operation, idempotency: None }).await
}
