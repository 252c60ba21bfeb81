//! Writing what a batch decided: rows, counters and events in one statement, the rarer tables after it.
//!
//! Every row that is written here was locked before, except for users who were only read: of them the very version
//! that was read has to be there still. The updates of the others, too, demand what the decision assumed, the
//! number before it and the limit, and the affected rows are counted: a second wall behind the locks.

mod accounts;
mod attributes;
mod columns;
mod main;
mod rare;

use std::collections::HashMap;

use sqlx::PgConnection;

use super::ahead::RowVersion;
use crate::model::UserId;
use crate::rules::Facts;

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The database said no, or is gone.
    Sql(sqlx::Error),
    /// A row was not as the decision assumed: somebody changed it after it was read, or a key was stored meanwhile.
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

/// Writes everything that a batch changed. `versions` are those of the users who are not locked.
pub(crate) async fn write(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
    facts: &Facts,
    versions: &HashMap<UserId, RowVersion>,
    replies: &[NewReply],
) -> Result<(), WriteError> {
    let changes = &facts.changes;
    main::create_groups(connection, facts).await?;
    rare::write_profiles(connection, facts).await?;
    attributes::write_attributes(connection, facts).await?;
    main::write_main(connection, batch, facts, versions).await?;
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
