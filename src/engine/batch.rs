//! One attempt: lock, load, decide, write, commit.
//!
//! Round trips of the usual batch: lock the groups and read the people ([`crate::store::ahead`]), write, commit
//! and begin the next ([`super::session`]). Other tables are asked only when a command needs them. House law
//! on locks: groups in byte order, then users in byte order, then nothing more.

use std::collections::HashMap;
use std::sync::Arc;

use sqlx::PgConnection;
use tokio::time::timeout;

use crate::model::{Command, Error, Reason, Reply, Revocation};
use crate::rules::{self, Facts, Rulebook, Stop};
use crate::store::ahead::Locked;
use crate::store::engine::{self as memory, StoredReply};
use crate::store::write::{NewReply, write};

use super::failure::{Failure, keeps_connection, no_answer};
use super::load;
use super::outcome::{Committed, Outcome, Verdict};
use super::session::Session;

/// How a batch makes sure that users do not change between its decision and its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Users {
    /// It reads them with the groups if all commands allow that, and fails with [`Failure::Raced`] if they changed.
    Seen,
    /// It locks them, and waits for whoever has them.
    Locked,
}

/// Tries to run commands as one transaction.
pub(super) async fn attempt(
    session: &mut Session,
    commands: &[Arc<Command>],
    users: Users,
    rulebook: &Rulebook,
) -> Result<Outcome, Failure> {
    let (batch, silence) = (uuid::Uuid::now_v7(), session.silence);
    let prepared = async {
        session.begin().await?;
        prepare(&mut session.connection, commands, users, rulebook, batch).await
    };
    // Whoever stops waiting gives the connection up, and with it whatever was begun on it.
    let prepared = timeout(silence, prepared).await.unwrap_or_else(|_| Err(Failure::silent()));
    match prepared {
        Ok((outcome, true)) => commit(session, outcome).await,
        Ok((outcome, false)) => {
            session.undo().await?;
            Ok(outcome)
        }
        Err(failure) => {
            if matches!(failure, Failure::Lost(_)) {
                return Err(failure);
            }
            match session.undo().await {
                Ok(()) => Err(failure),
                Err(error) => Err(Failure::Lost(error)),
            }
        }
    }
}

async fn commit(session: &mut Session, outcome: Outcome) -> Result<Outcome, Failure> {
    match timeout(session.silence, session.commit()).await {
        Ok(Ok(())) => Ok(outcome),
        Ok(Err(error)) if keeps_connection(&error) => Err(Failure::Refused(error)),
        Ok(Err(error)) => Err(Failure::Unknown(Box::new(outcome), error)),
        Err(_) => Err(Failure::Unknown(Box::new(outcome), no_answer())),
    }
}

/// Everything up to the commit; says whether there is anything to commit.
async fn prepare(
    connection: &mut PgConnection,
    commands: &[Arc<Command>],
    users: Users,
    rulebook: &Rulebook,
    batch: uuid::Uuid,
) -> Result<(Outcome, bool), Failure> {
    let Locked { groups, elsewhere, mut seen } =
        load::lock_groups(connection, commands, users).await?;
    let ours: Vec<&Command> = commands
        .iter()
        .map(AsRef::as_ref)
        .filter(|command| !command.operation.group().is_some_and(|id| elsewhere.contains(id)))
        .collect();
    let mut stored = load::load_replies(connection, &ours).await?;
    let mut facts = load::load_facts(connection, &ours, groups, seen.as_mut(), rulebook).await?;
    let held = load::hold_users(connection, &ours, &facts, seen).await?;
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
    let anything = !facts.changes.is_empty() || !replies.is_empty();
    if anything {
        write(connection, batch, &facts, &held.versions, &replies).await?;
    }
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
    Ok((Outcome { batch, verdicts, committed }, anything))
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
