//! Writing what a batch decided: rows, counters and events in one statement, the rarer tables after it.
//!
//! Every row that is written here was locked before. The updates still demand what the decision assumed,
//! the number before it and the limit, and the affected rows are counted: a second wall behind the locks.

mod accounts;
mod attributes;
mod columns;
mod main;
mod rare;

use sqlx::PgConnection;

use crate::rules::Facts;

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The database said no, or is gone.
    Sql(sqlx::Error),
    /// A row was not as the decision assumed: a fault of ours, or a key stored meanwhile.
    Wall(&'static str),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// A reply to be kept for the caller's retries.
pub(crate) struct NewReply {
    pub(crate) scope: [u8; 32],
    pub(crate) body: [u8; 32],
    pub(crate) reply: String,
}

/// Writes everything that a batch changed.
pub(crate) async fn write(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
    facts: &Facts,
    replies: &[NewReply],
) -> Result<(), WriteError> {
    let changes = &facts.changes;
    main::create_groups(connection, facts).await?;
    rare::write_profiles(connection, facts).await?;
    attributes::write_attributes(connection, facts).await?;
    main::write_main(connection, batch, facts).await?;
    rare::write_members(connection, facts).await?;
    rare::write_user_events(connection, &changes.entries).await?;
    rare::write_accounts(connection, facts).await?;
    rare::write_bans(connection, facts).await?;
    rare::write_applications(connection, facts).await?;
    rare::write_releases(connection, facts).await?;
    rare::write_replies(connection, facts.now, replies).await?;
    accounts::write_ends(connection, facts).await?;
    Ok(())
}
