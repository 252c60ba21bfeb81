//! Keeping the server up for as long as Muster wants it.
//!
//! A server that ends by itself is started again in the same place, so that connection pools find it
//! under the address that they have. There is no number of attempts after which it is given up:
//! without its database Muster can do nothing better than to try, and readiness tells the rest.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::error::Error;
use super::guard::Guard;
use super::lock::Lock;
use super::server::Server;

/// The pause before the first attempt; doubled with each.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A server that was up for this long begins again with the shortest pause.
const SETTLED: Duration = Duration::from_secs(30);

/// How often the log's size is looked at.
const HOUSEKEEPING: Duration = Duration::from_mins(1);

/// Runs until `cancel`, then stops the server. Holds the lock until nothing of the server is left.
pub(super) async fn supervise(
    server: Server,
    guard: Guard,
    cancel: CancellationToken,
    lock: Lock,
) -> Result<(), Error> {
    let guard = keep_up(&server, guard, &cancel).await;
    let stopped = server.stop(guard).await;
    drop(lock);
    stopped
}

/// Returns when cancelled, with the guard of the running server if one runs.
async fn keep_up(server: &Server, mut guard: Guard, cancel: &CancellationToken) -> Option<Guard> {
    let mut pause = FIRST_PAUSE;
    loop {
        let up_since = Instant::now();
        let mark = server.log.len();
        let status = tokio::select! {
            biased;
            () = cancel.cancelled() => return Some(guard),
            status = guard.ended() => status,
            never = keep_house(server) => match never {},
        };
        tracing::warn!(
            status = %status.map_or_else(|error| error.to_string(), |status| status.to_string()),
            log = server.log.since(mark),
            "PostgreSQL ended by itself; starting it again"
        );
        if up_since.elapsed() >= SETTLED {
            pause = FIRST_PAUSE;
        }
        guard = bring_back(server, &mut pause, cancel).await?;
    }
}

/// Starts the server until it is up; `None` when cancelled.
async fn bring_back(
    server: &Server,
    pause: &mut Duration,
    cancel: &CancellationToken,
) -> Option<Guard> {
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return None,
            () = tokio::time::sleep(*pause) => {}
        }
        *pause = (*pause * 2).min(LONGEST_PAUSE);
        match server.start(cancel).await {
            Ok(Some(guard)) => {
                tracing::info!("PostgreSQL is back");
                return Some(guard);
            }
            Ok(None) => return None,
            Err(error) => tracing::error!(%error, "PostgreSQL does not come back; trying again"),
        }
    }
}

async fn keep_house(server: &Server) -> std::convert::Infallible {
    let mut tick = tokio::time::interval(HOUSEKEEPING);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        if let Err(error) = server.log.trim() {
            tracing::warn!(%error, "cannot set postgres.log aside");
        }
    }
}
