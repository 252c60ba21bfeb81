//! What this room reads from the database.
//!
//! A trait, so that the protocol and the repair of losses can be tested without one; the store is the only
//! implementation outside tests.

use std::future::Future;
use std::sync::Arc;

use super::resume::Position;
use crate::model::{Error, LogEntry, StreamKey, UserId};
use crate::store::Store;
use crate::store::events::{Asked, Snapshot};
use crate::store::logs::Span;
use crate::store::repair::{Holder, Sweep, UserChanges};

/// Reads the truth. Every answer is [`crate::model::Reason::Unavailable`] while the database is away.
pub trait Source: Clone + Send + Sync + 'static {
    /// What a connection starts from, as one state of the database.
    ///
    /// # Errors
    /// While the database is away.
    fn snapshot(
        &self,
        user: &UserId,
        position: Option<&Position>,
    ) -> impl Future<Output = Result<Snapshot, Error>> + Send;

    /// The entries of these pieces of logs, at most `limit` of each.
    ///
    /// # Errors
    /// While the database is away.
    fn logs(
        &self,
        spans: &[Span],
        limit: i64,
    ) -> impl Future<Output = Result<Vec<Vec<LogEntry>>, Error>> + Send;

    /// Which history the logs are of now.
    ///
    /// # Errors
    /// While the database is away.
    fn epoch(&self) -> impl Future<Output = Result<Arc<str>, Error>> + Send;

    /// Which logs grew, from there on.
    ///
    /// # Errors
    /// While the database is away.
    fn sweep(&self, from: Option<i64>) -> impl Future<Output = Result<Sweep, Error>> + Send;

    /// Which of these logs reach further than the number beside them.
    ///
    /// # Errors
    /// While the database is away.
    fn heads(
        &self,
        streams: &[(StreamKey, i64)],
    ) -> impl Future<Output = Result<Vec<(StreamKey, i64)>, Error>> + Send;

    /// Which of these users' memberships changed more often than the number beside them.
    ///
    /// # Errors
    /// While the database is away.
    fn changed_memberships(
        &self,
        users: &[(UserId, i64)],
    ) -> impl Future<Output = Result<Vec<UserChanges>, Error>> + Send;

    /// Who runs this transaction.
    ///
    /// # Errors
    /// While the database is away.
    fn holder(
        &self,
        transaction: i64,
    ) -> impl Future<Output = Result<Option<Holder>, Error>> + Send;
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

    async fn logs(&self, spans: &[Span], limit: i64) -> Result<Vec<Vec<LogEntry>>, Error> {
        Self::logs(self, spans, limit).await
    }

    async fn epoch(&self) -> Result<Arc<str>, Error> {
        Self::epoch(self).await
    }

    async fn sweep(&self, from: Option<i64>) -> Result<Sweep, Error> {
        self.sweep_logs(from).await
    }

    async fn heads(&self, streams: &[(StreamKey, i64)]) -> Result<Vec<(StreamKey, i64)>, Error> {
        Self::heads(self, streams).await
    }

    async fn changed_memberships(
        &self,
        users: &[(UserId, i64)],
    ) -> Result<Vec<UserChanges>, Error> {
        Self::changed_memberships(self, users).await
    }

    async fn holder(&self, transaction: i64) -> Result<Option<Holder>, Error> {
        Self::holder(self, transaction).await
    }
}
