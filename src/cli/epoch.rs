//! `muster epoch`: which history the numbers of events belong to, and a new one after a restore in place.

use std::process::ExitCode;

use super::print;
use crate::config::Config;
use crate::server;

pub(super) async fn run(config: &Config, renew: bool) -> anyhow::Result<ExitCode> {
    let epoch = server::epoch(config, renew).await?;
    print(&format!("{epoch}\n"))?;
    Ok(ExitCode::SUCCESS)
}
