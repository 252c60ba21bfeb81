//! One attempt: read, decide, write, commit.
//!
//! The usual batch takes two round trips and locks nothing: one statement reads the groups and the people
//! ([`crate::store::ahead`]), another one writes what was decided, if all rows are still as they were read, and
//! commits by itself. Other batches are transactions that lock what they read, and more round trips: the commit of
//! one begins the next ([`super::session`]). Other tables are asked only when a command needs them. House law on
//! locks: groups in byte order, then users in byte order, then nothing more.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::PgConnection;
use tokio::time::timeout;

use crate::model::{Command, Error, Reason, Reply, Revocation};
use crate::rules::{self, Facts, Rulebook, Stop};
use crate::store::ahead::{Found, Versions};
use crate::store::engine::{self as memory, StoredReply};
use crate::store::write::{self, NewReply, WriteError};

use super::failure::{Failure, no_answer};
use super::load;
use super::outcome::{Committed, Outcome, Verdict};
use super::session::Session;

/// How a batch makes sure that nothing changes between its reading and its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locking {
    /// It locks nothing and fails with [`Failure::Raced`] if something did change. Only if all of its commands allow
    /// that.
    Optimistic,
    /// It locks groups, and fails if users did change. Only if all of its commands allow that.
    Groups,
    /// It locks groups and users, and waits for whoever has them.
    Pessimistic,
}

impl Locking {
    /// What to do next after something did change.
    pub(super) fn stricter(self) -> Option<Self> {
        match self {
            Self::Optimistic => Some(Self::Groups),
            Self::Groups => Some(Self::Pessimistic),
            Self::Pessimistic => None,
        }
    }
}

/// Tries to run commands as one transaction.
pub(super) async fn attempt(
    session: &mut Session,
    commands: &[Arc<Command>],
    locking: Locking,
    rulebook: &Rulebook,
) -> Result<Outcome, Failure> {
    let batch = uuid::Uuid::now_v7();
    // Whatever ends accounts or credentials must not meet a user who changes meanwhile.
    let foreseen = commands.iter().all(|command| rules::foreseen(command).is_some());
    let locking = if foreseen { locking } else { Locking::Pessimistic };
    let silence = session.silence;
    let decided = async {
        if locking != Locking::Optimistic {
            session.begin().await?;
        }
        decide_all(&mut session.connection, commands, locking, rulebook).await
    };
    // Whoever stops waiting gives the connection up, and with it whatever was begun on it.
    match timeout(silence, decided).await.unwrap_or_else(|_| Err(Failure::silent())) {
        Ok(decided) if decided.is_nothing() => {
            session.undo().await?;
            Ok(decided.into_outcome(batch))
        }
        Ok(decided) if decided.is_one_statement() && !session.is_open() => {
            write_at_once(session, decided, batch).await
        }
        Ok(decided) => {
            let more = locking != Locking::Optimistic || !decided.is_one_statement();
            write_and_commit(session, decided, batch, more).await
        }
        Err(failure) => Err(undone(session, failure).await),
    }
}

/// Writes in a statement that is a transaction of its own.
async fn write_at_once(
    session: &mut Session,
    decided: Decided,
    batch: uuid::Uuid,
) -> Result<Outcome, Failure> {
    let silence = session.silence;
    let written = timeout(silence, decided.write(&mut session.connection, batch)).await;
    let outcome = decided.into_outcome(batch);
    match written {
        Ok(Ok(())) => Ok(outcome),
        Ok(Err(WriteError::Wall(what))) => Err(Failure::Raced(what)),
        Ok(Err(WriteError::Sql(error))) => Err(Failure::at_commit(outcome, error)),
        Err(_) => Err(Failure::at_commit(outcome, no_answer())),
    }
}

/// Writes in a transaction; `more` says whether the next batch is likely to need one, too.
async fn write_and_commit(
    session: &mut Session,
    decided: Decided,
    batch: uuid::Uuid,
    more: bool,
) -> Result<Outcome, Failure> {
    let silence = session.silence;
    let write = async {
        session.begin().await?;
        decided.write(&mut session.connection, batch).await.map_err(Failure::from)
    };
    let written = timeout(silence, write).await.unwrap_or_else(|_| Err(Failure::silent()));
    if let Err(failure) = written {
        return Err(undone(session, failure).await);
    }
    let outcome = decided.into_outcome(batch);
    match timeout(silence, session.commit(more)).await {
        Ok(Ok(())) => Ok(outcome),
        Ok(Err(error)) => Err(Failure::at_commit(outcome, error)),
        Err(_) => Err(Failure::at_commit(outcome, no_answer())),
    }
}

/// Undoes what was begun before a failure.
async fn undone(session: &mut Session, failure: Failure) -> Failure {
    if matches!(failure, Failure::Lost(_)) {
        return failure;
    }
    session.undo().await.map_or_else(Failure::Lost, |()| failure)
}

/// What a batch decided.
struct Decided {
    facts: Facts,
    versions: Versions,
    verdicts: Vec<Verdict>,
    replies: Vec<NewReply>,
}

impl Decided {
    /// Whether there is nothing to write.
    fn is_nothing(&self) -> bool {
        self.facts.changes.is_empty() && self.replies.is_empty()
    }

    fn is_one_statement(&self) -> bool {
        write::is_one_statement(&self.facts.changes)
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        batch: uuid::Uuid,
    ) -> Result<(), WriteError> {
        write::write(connection, batch, &self.facts, &self.versions, &self.replies).await
    }

    fn into_outcome(self, batch: uuid::Uuid) -> Outcome {
        let Self { mut facts, verdicts, .. } = self;
        let now = facts.now;
        let committed = Committed {
            // The lane knows whom it is connected to.
            epoch: Arc::default(),
            revocations: std::mem::take(&mut facts.changes.revoked)
                .into_iter()
                .map(|(user, ended)| Revocation { user, at: now, ended, changed_at: now })
                .collect(),
            entries: facts.changes.entries,
        };
        Outcome { batch, verdicts, committed }
    }
}

/// Reads what the commands need, and decides one after the other.
async fn decide_all(
    connection: &mut PgConnection,
    commands: &[Arc<Command>],
    locking: Locking,
    rulebook: &Rulebook,
) -> Result<Decided, Failure> {
    let Found { groups, versions, elsewhere, mut seen } =
        load::find_groups(connection, commands, locking).await?;
    let ours: Vec<&Command> = commands
        .iter()
        .map(AsRef::as_ref)
        .filter(|command| !command.operation.group().is_some_and(|id| elsewhere.contains(id)))
        .collect();
    let mut stored = load::load_replies(connection, &ours).await?;
    let mut facts = load::load_facts(connection, &ours, groups, seen.as_mut(), rulebook).await?;
    let held = load::hold_users(connection, &ours, &facts, seen, locking).await?;
    facts.users = held.users;
    load::load_lingering(connection, &ours, &mut facts).await?;

    let mut verdicts = Vec::with_capacity(commands.len());
    let mut replies = Vec::new();
    for command in commands {
        if command.operation.group().is_some_and(|id| elsewhere.contains(id)) {
            verdicts.push(Verdict::Alone);
        } else {
            verdicts.push(decide(&mut facts, command, &mut stored, &mut replies));
        }
    }
    let versions = Versions { groups: versions, users: held.versions };
    Ok(Decided { facts, versions, verdicts, replies })
}

fn decide(
    facts: &mut Facts,
    command: &Command,
    stored: &mut HashMap<[u8; 32], StoredReply>,
    replies: &mut Vec<NewReply>,
) -> Verdict {
    if let Some(key) = &command.idempotency
        && let Some(earlier) = stored.get(&key.scope)
    {
        return Verdict::Decided(repeat(earlier, key.body));
    }
    let decision = match rules::decide(facts, command) {
        Ok(decision) => decision,
        Err(Stop::Refused(refusal)) => return Verdict::Decided(Err(refusal)),
        Err(Stop::Missing) => return Verdict::Again,
    };
    if facts.apply(&decision).is_err() {
        return Verdict::Again;
    }
    if let Some(key) = &command.idempotency {
        let text = match serde_json::to_string(&decision.reply) {
            Ok(text) => text,
            Err(error) => return Verdict::Decided(Err(Error::internal(error))),
        };
        stored.insert(key.scope, StoredReply { body: key.body, reply: text.clone() });
        replies.push(NewReply { scope: key.scope, body: key.body, reply: text });
    }
    Verdict::Decided(Ok(decision.reply))
}

/// The answer to a call whose key was seen before.
fn repeat(earlier: &StoredReply, body: [u8; 32]) -> Result<Reply, Error> {
    if earlier.body != body {
        let text = "this Idempotency-Key was used with another body";
        return Err(Error::new(Reason::IdempotencyKeyReused, text).field("Idempotency-Key"));
    }
    serde_json::from_str(&earlier.reply).map_err(Error::internal)
}

/// Whether a batch whose COMMIT got no answer was committed.
pub(super) async fn was_committed(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
) -> Result<bool, sqlx::Error> {
    memory::was_committed(connection, batch).await
}
