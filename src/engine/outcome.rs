//! What became of a batch.

use crate::model::{Error, LogEntry, Reply};

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
    /// The new entries, in order.
    pub(super) entries: Vec<LogEntry>,
}
