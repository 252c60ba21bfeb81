//! The engine's own memory: stored replies and the outcomes of batches.

use std::collections::HashMap;

use sqlx::PgConnection;

/// What is kept of an earlier call: the body it had (as a hash) and the reply it got.
#[derive(Clone, Debug)]
pub(crate) struct StoredReply {
    pub(crate) body: [u8; 32],
    pub(crate) reply: String,
}

/// Replies stored under these scopes within the last 24 hours.
pub(crate) async fn stored_replies(
    connection: &mut PgConnection,
    scopes: &[[u8; 32]],
) -> Result<HashMap<[u8; 32], StoredReply>, sqlx::Error> {
    let wanted: Vec<&[u8]> = scopes.iter().map(<[u8; 32]>::as_slice).collect();
    let rows = sqlx::query!(
        "select scope, body, reply from stored_replies
          where scope = any($1::bytea[]) and stored_at > clock_timestamp() - interval '24 hours'",
        &wanted as &[&[u8]]
    )
    .fetch_all(connection)
    .await?;
    let fixed = |bytes: Vec<u8>| -> Result<[u8; 32], sqlx::Error> {
        bytes.try_into().map_err(|_| sqlx::Error::Decode("a stored hash is not 32 bytes".into()))
    };
    rows.into_iter()
        .map(|row| {
            Ok((fixed(row.scope)?, StoredReply { body: fixed(row.body)?, reply: row.reply }))
        })
        .collect()
}

/// Whether a batch was committed whose COMMIT got no answer.
///
/// Inserting its id waits for a transaction that is still at work on it, and fails to insert only if that
/// one committed. Afterwards the id is taken, so a straggler can no longer commit.
pub(crate) async fn was_committed(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query!(
        "insert into batches (batch_id, committed_at) values ($1, clock_timestamp())
             on conflict do nothing",
        batch
    )
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 0)
}
