//! `muster migrate`: bring the database's schema up to date, or show where it stands.

use std::process::ExitCode;

use super::{columns, print};
use crate::config::Config;
use crate::server;

pub(super) async fn run(config: &Config, status: bool) -> anyhow::Result<ExitCode> {
    let migrations = if status {
        server::migration_status(config).await?
    } else {
        server::migrate(config).await?
    };
    let mut rows = vec![["VERSION", "STATE", "DESCRIPTION"].map(str::to_owned)];
    rows.extend(migrations.into_iter().map(|(version, description, applied)| {
        let state = if applied { "applied" } else { "pending" };
        [version.to_string(), state.to_owned(), description]
    }));
    print(&columns(&rows))?;
    Ok(ExitCode::SUCCESS)
}
