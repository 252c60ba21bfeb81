//! Log lines go to standard error, as text or JSON, filtered by `MUSTER_LOG`; colour only on a terminal.
//!
//! A line that cannot be written is dropped without a word: the words would go the same way, and a closed
//! standard error must not end a server.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, anyhow};
use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging for the rest of the process.
pub(super) fn start(config: &Config) -> anyhow::Result<()> {
    let mut filter = EnvFilter::try_new(&config.log).context("reading MUSTER_LOG")?;
    // The client of NATS has a line for every try. The bus has one when NATS goes and one when it comes.
    if !config.log.contains("async_nats") {
        filter = filter.add_directive("async_nats=off".parse().context("a filter of log lines")?);
    }
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    let started = match config.log_format {
        LogFormat::Json => lines.json().try_init(),
        // On a terminal the library decides, since it also heeds NO_COLOR.
        LogFormat::Text if io::stderr().is_terminal() => lines.try_init(),
        LogFormat::Text => lines.with_ansi(false).try_init(),
    };
    started.map_err(|error| anyhow!("starting the log: {error}"))
}
