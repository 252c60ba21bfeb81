//! Writing what a batch decided: rows, counters and events in one statement, the rarer tables after it.
//!
//! Every row that is changed here was locked before, or has to be still the very version that was read. The updates
//! demand what else the decision assumed, too, the number before it and the limit, and the affected rows are counted:
//! a second wall.

mod accounts;
mod attributes;
mod columns;
mod main;
mod parts;
mod rare;

use sqlx::PgConnection;

use super::ahead::Versions;
use crate::model::StreamKey;
use crate::rules::{Changes, Facts};

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

/// Whether [`write`] takes no more than one statement, which may commit by itself.
pub(crate) fn is_one_statement(changes: &Changes) -> bool {
    // All fields by name, so that a new one is thought of here.
    let Changes {
        created,
        groups: _,
        profiles,
        attributes,
        members: _,
        bans,
        unbanned,
        users: _,
        accounts,
        deleted,
        revoked,
        forgotten,
        applications,
        releases,
        released_up_to,
        released,
        entries,
    } = changes;
    created.is_empty()
        && profiles.is_empty()
        && attributes.is_empty()
        && bans.is_empty()
        && unbanned.is_empty()
        && accounts.is_empty()
        && deleted.is_empty()
        && revoked.is_empty()
        && forgotten.is_empty()
        && applications.is_empty()
        && releases.is_empty()
        && released_up_to.is_empty()
        && released.is_empty()
        && entries.iter().all(|entry| matches!(entry.stream, StreamKey::Group(_)))
}

/// Writes everything that a batch changed. `versions` are those of the rows that are not locked.
pub(crate) async fn write(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
    facts: &Facts,
    versions: &Versions,
    replies: &[NewReply],
) -> Result<(), WriteError> {
    let changes = &facts.changes;
    main::create_groups(connection, facts).await?;
    rare::write_profiles(connection, facts).await?;
    attributes::write_attributes(connection, facts).await?;
    main::write_main(connection, batch, facts, versions, replies).await?;
    rare::write_user_events(connection, &changes.entries).await?;
    rare::write_accounts(connection, facts).await?;
    rare::write_bans(connection, facts).await?;
    rare::write_applications(connection, facts).await?;
    rare::write_releases(connection, facts).await?;
    accounts::write_ends(connection, facts).await?;
    Ok(())
}
