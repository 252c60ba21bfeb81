//! What a command would do: the same rules on one read-only state of the database, without a lock or a row.

use sqlx::{Executor, PgConnection};

use crate::model::{Command, Error, Reply};
use crate::rules::{self, Rulebook, Stop};
use crate::store::{Patience, Store, locks, unavailable};

use super::load::{load_facts, wanted_users};

pub(super) async fn preview(
    store: &Store,
    rulebook: &Rulebook,
    command: Command,
) -> Result<Reply, Error> {
    let mut connection = store.reads().acquire().await.map_err(|error| unavailable(&error))?;
    let both = async {
        let result = run(&mut connection, rulebook, &command).await;
        connection.execute("rollback").await.map(|_| result)
    };
    let silence = Patience::default().silence;
    match tokio::time::timeout(silence, both).await {
        Ok(Ok(result)) => result,
        // Whatever state the connection is in, nobody else gets it.
        Ok(Err(error)) => {
            drop(connection.detach());
            Err(unavailable(&error))
        }
        Err(_) => {
            drop(connection.detach());
            Err(unavailable(&sqlx::Error::PoolTimedOut))
        }
    }
}

async fn run(
    connection: &mut PgConnection,
    rulebook: &Rulebook,
    command: &Command,
) -> Result<Reply, Error> {
    let away = |error: sqlx::Error| unavailable(&error);
    connection.execute("begin isolation level repeatable read read only").await.map_err(away)?;
    let groups = match command.operation.group() {
        Some(id) => locks::read_groups(connection, std::slice::from_ref(id)).await.map_err(away)?,
        None => Vec::new(),
    };
    let groups = groups.into_iter().map(|group| (group.id.clone(), group)).collect();
    let mut facts =
        load_facts(connection, &[command], groups, None, rulebook).await.map_err(away)?;
    let wanted = wanted_users(&[command], &facts);
    let mut found = locks::read_users(connection, &wanted.lock).await.map_err(away)?;
    for id in wanted.lock {
        let user = found
            .remove(&id)
            .or_else(|| wanted.make.contains(&id).then(|| locks::unseen(&id, facts.now)));
        facts.users.insert(id, user);
    }
    match rules::decide(&facts, command) {
        Ok(decision) => Ok(decision.reply),
        Err(Stop::Refused(refusal)) => Err(refusal),
        Err(Stop::Missing) => Err(Error::internal("a preview asks for rows that nobody loads")),
    }
}
