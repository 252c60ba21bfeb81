//! What became of a batch.

use std::sync::Arc;

use crate::model::{Error, LogEntry, Reply, Revocation};

/// What became of one command of a batch.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    /// Decided: answer the caller.
    Decided(Result<Reply, Error>),
    /// Its group is locked by another node: run it alone, waiting.
    Alone,
    /// It needs a row that became interesting only through an earlier command: run it again.
    Again,
}

/// A batch as it was decided.
#[derive(Debug)]
pub(super) struct Outcome {
    /// Its id, if anything was written.
    pub(super) batch: uuid::Uuid,
    /// One for each command, in order.
    pub(super) verdicts: Vec<Verdict>,
    /// What others have to be told of once it is committed.
    pub(super) committed: Committed,
}

/// What a committed batch did that others have to be told of.
#[derive(Debug, Default)]
pub struct Committed {
    /// The epoch of the database that it was committed to.
    pub epoch: Arc<str>,
    /// The new entries of logs, in order.
    pub entries: Vec<LogEntry>,
    /// The credentials that were revoked.
    pub revocations: Vec<Revocation>,
}

impl Committed {
    /// Whether there is nothing to tell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.revocations.is_empty()
    }
}
