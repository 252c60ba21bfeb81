//! Forgetting events that have become too old.
//!
//! The logs of groups and the users' own streams are walked through about once an hour, a step at a time,
//! by all nodes together: who comes first makes the step. A step is bounded and short, and a second passes
//! before the next one, so that the walk takes a small share of the database's time however much there is
//! to remove.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::model::Error;
use crate::store::Store;
use crate::store::retention::{Log, Walk};

/// How often it looks whether a step is due, and the pause between two steps.
const LOOK: Duration = Duration::from_secs(1);
/// The pause between two walks.
const REST: Duration = Duration::from_hours(1);
/// Most entries that a step looks at.
const ENTRIES: i32 = 2_000;

/// Trims the logs.
pub struct Retention {
    store: Store,
    metrics: Arc<Metrics>,
    walk: Walk,
}

impl Retention {
    /// Keeps what is younger than so many days.
    #[must_use]
    pub fn new(store: Store, metrics: Arc<Metrics>, days: i32) -> Self {
        Self { store, metrics, walk: Walk { days, entries: ENTRIES, pause: LOOK, rest: REST } }
    }

    /// Works until the token is cancelled.
    pub async fn run(self, stopping: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = looks.tick() => {}
            }
            for log in [Log::Groups, Log::Users] {
                if let Err(error) = self.step(log).await {
                    // That the database is away is told elsewhere.
                    let context = error.context.as_deref();
                    tracing::debug!(context, "old events are not removed yet: {error}");
                }
            }
        }
    }

    async fn step(&self, log: Log) -> Result<(), Error> {
        let Some(step) = self.store.trim(log, &self.walk).await? else { return Ok(()) };
        self.metrics.events_trimmed.inc_by(step.removed.unsigned_abs());
        if let Some(removed) = step.walk.filter(|removed| *removed > 0) {
            let days = self.walk.days;
            let whose = match log {
                Log::Groups => "groups",
                Log::Users => "users",
            };
            tracing::info!(removed, days, "events of {whose} were removed for their age");
        }
        Ok(())
    }
}
