//! `muster bench`: what Muster carries on this machine, beside a plain client of the same database.

use std::process::ExitCode;

use super::{FAILED, WRONG_USE, complain, print, signals};
use crate::bench::{self, Plan};
use crate::config::Config;

/// Runs the benchmark. The exit code is 1 when an answer or the state was wrong.
pub(super) async fn run(config: &Config, plan: &Plan) -> anyhow::Result<ExitCode> {
    let stop = signals::stop()?;
    if config.database_url.is_some() {
        complain("a benchmark runs on a PostgreSQL of its own; leave --database-url out");
        return Ok(WRONG_USE.into());
    }
    if bench::run(plan, config, &print, stop).await? {
        return Ok(ExitCode::SUCCESS);
    }
    complain("some answers were wrong; their figures are worth nothing");
    Ok(FAILED.into())
}
