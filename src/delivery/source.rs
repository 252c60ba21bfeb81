//! What this room reads from the database.
//!
//! A trait, so that the protocol and the repair of losses can be tested without one; the store is the only
//! implementation outside tests.

use std::future::Future;

use super::resume::Position;
use crate::model::{Error, LogEntry, StreamKey, UserId};
use crate::store::Store;
use crate::store::events::{Asked, Snapshot};

/// Reads the truth.
pub trait Source: Clone + Send + Sync + 'static {
    /// What a connection starts from, as one state of the database.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    fn snapshot(
        &self,
        user: &UserId,
        position: Option<&Position>,
    ) -> impl Future<Output = Result<Snapshot, Error>> + Send;

    /// The entries of a stream numbered `after + 1` to `through`, at most `limit` of them.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    fn log(
        &self,
        stream: &StreamKey,
        after: i64,
        through: i64,
        limit: i64,
    ) -> impl Future<Output = Result<Vec<LogEntry>, Error>> + Send;
}

impl Source for Store {
    async fn snapshot(
        &self,
        user: &UserId,
        position: Option<&Position>,
    ) -> Result<Snapshot, Error> {
        let asked = position.map(|at| Asked { user: at.user, groups: &at.groups });
        Self::snapshot(self, user, asked).await
    }

    async fn log(
        &self,
        stream: &StreamKey,
        after: i64,
        through: i64,
        limit: i64,
    ) -> Result<Vec<LogEntry>, Error> {
        Self::log(self, stream, after, through, limit).await
    }
}
