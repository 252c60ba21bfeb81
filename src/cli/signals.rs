//! SIGTERM and SIGINT: the first one asks for an orderly end, a second one ends at once.
//!
//! The second exists for people who do not want to wait for slow requests; it gives 130. The embedded
//! PostgreSQL is stopped in order even then, since its guard does that when this process is gone.

use std::future::Future;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a shell reports for a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Begins to listen for both signals; the future ends at the first one. Until it is polled signals are
/// kept, so call this before a long start.
pub(super) fn stop() -> anyhow::Result<impl Future<Output = ()> + Send + use<>> {
    let mut signals = Signals {
        terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
        interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
    };
    Ok(async move {
        let name = signals.next().await;
        tracing::info!("{name}: stopping; a second signal ends at once");
        tokio::spawn(async move {
            signals.next().await;
            std::process::exit(INTERRUPTED);
        });
    })
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
