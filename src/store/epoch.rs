//! The epoch of the logs: which history the numbers of events belong to.
//!
//! Three parts, joined in one text. What is stored changes by `muster epoch --renew` alone. The system
//! identifier changes with the cluster: a dump that was loaded elsewhere. The timeline changes with each
//! promotion and each recovery to a point in time: there the history forked. It is read off the name of
//! the file that the server writes its log into now, because what the control file says is only as new as
//! the last checkpoint, and a promoted server makes its first one some time later.
//!
//! Every statement that needs the epoch selects the same three columns and lets [`printed`] join them.
//! A server in recovery writes no log, so it has no epoch: Muster needs the primary.

use std::sync::Arc;

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::model::Error;

use super::{Store, unavailable};

/// What PostgreSQL answers to a question that a server in recovery cannot answer:
/// `object_not_in_prerequisite_state`.
const IN_RECOVERY: &str = "55000";

struct EpochRow {
    stored: Uuid,
    system: i64,
    wal: String,
}

impl EpochRow {
    fn printed(&self) -> Result<String, sqlx::Error> {
        printed(self.stored, self.system, &self.wal)
    }
}

/// The text of an epoch, from `instance.epoch`, `pg_control_system().system_identifier` and
/// `pg_walfile_name(pg_current_wal_lsn())`.
///
/// # Errors
/// When that is not the name of a file of the write-ahead log.
pub(super) fn printed(stored: Uuid, system: i64, wal: &str) -> Result<String, sqlx::Error> {
    let timeline = wal.get(..8).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let timeline = timeline.ok_or_else(|| {
        sqlx::Error::Decode(format!("{wal:?} is no file of the write-ahead log").into())
    })?;
    Ok(format!("{}-{system:x}-{timeline}", stored.simple()))
}

/// The epoch of the database, over a connection of the engine's.
///
/// # Errors
/// When the database does not answer, or is in recovery.
pub async fn epoch(connection: &mut PgConnection) -> Result<Arc<str>, sqlx::Error> {
    let row = sqlx::query_as!(
        EpochRow,
        r#"select i.epoch as stored, s.system_identifier as "system!",
                  pg_walfile_name(pg_current_wal_lsn()) as "wal!"
             from instance i cross join pg_control_system() s"#
    )
    .fetch_one(connection)
    .await?;
    row.printed().map(Arc::from)
}

/// What a failed statement that reads the epoch means to a caller.
pub(super) fn unreadable(error: &sqlx::Error) -> Error {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let refused = unavailable(error);
    if code.is_some_and(|code| code == IN_RECOVERY) {
        let context = "the server of the database is in recovery; Muster needs the primary";
        return refused.context(format!("{context} ({error})"));
    }
    refused
}

impl Store {
    /// The epoch of the database.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away or in recovery.
    pub async fn epoch(&self) -> Result<Arc<str>, Error> {
        let read = async {
            let mut connection = self.reads().acquire().await?;
            epoch(&mut connection).await
        };
        read.await.map_err(|error| unreadable(&error))
    }

    /// Gives the database another epoch and returns it: every cursor that was taken before is answered
    /// with one `reset` for everything.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away or in recovery.
    pub async fn renew_epoch(&self) -> Result<Arc<str>, Error> {
        let renew = async {
            let row = sqlx::query_as!(
                EpochRow,
                r#"update instance i set epoch = gen_random_uuid() from pg_control_system() s
                   returning i.epoch as stored, s.system_identifier as "system!",
                             pg_walfile_name(pg_current_wal_lsn()) as "wal!""#
            )
            .fetch_one(self.reads())
            .await?;
            row.printed().map(Arc::from)
        };
        renew.await.map_err(|error| unreadable(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_is_printed_with_the_timeline_of_the_file_that_is_written_now() {
        let stored = Uuid::from_u128(0xab);
        let printed = |wal| printed(stored, 0x6b09_1de8, wal).map_err(|error| error.to_string());
        let text = |timeline| Ok(format!("{}ab-6b091de8-{timeline}", "0".repeat(30)));
        assert_eq!(printed("000000010000000000000001"), text(1));
        assert_eq!(printed("0000001F00000003000000FE"), text(31));
        assert_eq!(printed("FFFFFFFF0000000000000001"), text(u32::MAX));
    }

    #[test]
    fn what_is_no_file_of_the_log_makes_no_epoch() {
        for wal in ["", "0000001", "0000000Zrest", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
            let error = printed(Uuid::nil(), 1, wal).expect_err(wal);
            assert!(error.to_string().contains("write-ahead log"), "{error}");
        }
    }
}
