//! A lane's session with the database, in which the commit of a batch begins the transaction of the next.
//!
//! A round trip less for each batch that needs a transaction at all. The one that waits for work has no snapshot, no number and no lock,
//! so it holds nothing up; a lane without work ends it after a moment ([`Session::rest`]).

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, Executor, PgConnection};
use tokio::time::timeout;

use crate::store::epoch::epoch;
use crate::store::{Patience, Store};

use super::failure::no_answer;

/// How long a lane without work leaves its transaction open.
pub(super) const MOMENT: Duration = Duration::from_millis(20);

/// A connection, and which history it writes on.
pub(super) struct Session {
    pub(super) connection: PgConnection,
    pub(super) epoch: Arc<str>,
    /// Longest wait for whatever is asked here.
    pub(super) silence: Duration,
    /// Whether a transaction is open.
    open: bool,
}

impl Session {
    /// Connects. A server that took over from another one is known by its epoch before anything is written.
    pub(super) async fn open(store: &Store, patience: Patience) -> Result<Self, sqlx::Error> {
        let mut connection = store.lane_connection(patience).await?;
        let silence = patience.silence;
        match timeout(silence, epoch(&mut connection)).await {
            Ok(epoch) => Ok(Self { connection, epoch: epoch?, silence, open: false }),
            Err(_) => Err(no_answer()),
        }
    }

    /// Whether a transaction is open.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Begins a transaction, unless one is open.
    pub(super) async fn begin(&mut self) -> Result<(), sqlx::Error> {
        if !self.open {
            self.connection.execute("begin").await?;
            self.open = true;
        }
        Ok(())
    }

    /// Commits, and begins the next transaction with it if there is to be `more`.
    pub(super) async fn commit(&mut self, more: bool) -> Result<(), sqlx::Error> {
        let committed = if more {
            self.connection.execute("commit and chain").await
        } else {
            self.connection.execute("commit").await
        };
        // After an error there is none to go on with.
        self.open = more && committed.is_ok();
        committed.map(drop)
    }

    /// Undoes everything since a transaction began, if one did, and goes on in a new one.
    pub(super) async fn undo(&mut self) -> Result<(), sqlx::Error> {
        if self.open {
            self.connection.execute("rollback and chain").await?;
        }
        Ok(())
    }

    /// Ends the transaction that is open.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    pub(super) async fn rest(&mut self) -> Result<(), sqlx::Error> {
        self.open = false;
        match timeout(self.silence, self.connection.execute("rollback")).await {
            Ok(ended) => ended.map(drop),
            Err(_) => Err(no_answer()),
        }
    }

    /// Takes leave of the database.
    pub(super) async fn close(self) {
        self.connection.close().await.ok();
    }
}
