//! What can go wrong with a batch, sorted by what may be done about it.

use crate::store::write::WriteError;

use super::outcome::Outcome;

/// Why an attempt did not end with a commit.
#[derive(Debug)]
#[expect(dead_code, reason = "the causes are read by the log, through Debug")]
pub(super) enum Failure {
    /// The server refused, nothing is changed, the connection is good: run the commands one by one.
    Refused(sqlx::Error),
    /// Something changed between the reading and the writing: somebody else wrote a row that is not locked, or made
    /// the same group. Nothing is changed: the same command can simply run again.
    Raced(&'static str),
    /// The connection is gone before COMMIT was sent, so nothing is changed.
    Lost(sqlx::Error),
    /// The connection is gone after COMMIT was sent: the batch's id tells what became of it.
    Unknown(Box<Outcome>, sqlx::Error),
}

impl Failure {
    /// A failure before COMMIT was sent.
    pub(super) fn before_commit(error: sqlx::Error) -> Self {
        if keeps_connection(&error) { Self::Refused(error) } else { Self::Lost(error) }
    }

    /// A failure after COMMIT was sent, or a statement that commits by itself.
    pub(super) fn at_commit(outcome: Outcome, error: sqlx::Error) -> Self {
        if keeps_connection(&error) {
            Self::Refused(error)
        } else {
            Self::Unknown(Box::new(outcome), error)
        }
    }

    /// The server said nothing for too long, before COMMIT was sent.
    pub(super) fn silent() -> Self {
        Self::Lost(no_answer())
    }

    /// The cause as a metric's label.
    pub(super) fn cause(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Raced(_) => "raced",
            Self::Lost(_) => "lost",
            Self::Unknown(..) => "unknown",
        }
    }

    /// Whether one command alone may succeed when it runs again.
    pub(super) fn passes(&self) -> bool {
        match self {
            Self::Refused(error) => passes(error),
            Self::Raced(_) | Self::Lost(_) | Self::Unknown(..) => true,
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::before_commit(error)
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Sql(error) => Self::before_commit(error),
            WriteError::Wall(what) => Self::Raced(what),
        }
    }
}

/// The error of a server that says nothing.
pub(super) fn no_answer() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Whether the session goes on after this error.
fn keeps_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            // Shutdown, crash, and the end of a session that was idle inside a transaction.
            !(code.starts_with("57P") || code == "25P03" || code.starts_with("08"))
        }
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::PoolClosed
        | sqlx::Error::PoolTimedOut => false,
        _ => true,
    }
}

/// Whether time heals it: a lock not granted, a deadlock, a conflict, a slow statement, a unique key
/// that somebody else was the first to write.
fn passes(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(database) = error else { return false };
    matches!(
        database.code().unwrap_or_default().as_ref(),
        "55P03" | "40P01" | "40001" | "57014" | "23505" | "53300" | "53200" | "53100"
    )
}
