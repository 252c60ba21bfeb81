//! `muster serve`: run until a signal, then stop in order.

use std::process::ExitCode;

use super::signals;
use crate::config::Config;
use crate::server::Server;

/// Serves. A signal during the start gives the start up: what it has built so far ends as it is dropped,
/// and there are no clients yet to take leave of.
pub(super) async fn run(config: Config) -> anyhow::Result<ExitCode> {
    let mut stop = Box::pin(signals::stop()?);
    // A socket is a descriptor, and the usual limit is 1,024.
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(most) => tracing::info!(most, "descriptors: each socket and each caller takes one"),
        Err(error) => tracing::warn!("the limit of descriptors stays as it is: {error}"),
    }
    let server = tokio::select! {
        biased;
        () = &mut stop => return Ok(ExitCode::SUCCESS),
        server = Server::start(config) => server?,
    };
    server.run_until_stopped(stop).await?;
    Ok(ExitCode::SUCCESS)
}
