//! What the end of accounts and credentials writes.

use sqlx::PgConnection;

use super::WriteError;
use crate::model::UserId;
use crate::rules::Facts;

/// Marks of deletion, revocations, and accounts that go for good.
pub(super) async fn write_ends(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
    mark_deleted(connection, facts).await?;
    write_revocations(connection, facts).await?;
    forget_users(connection, facts).await
}

async fn mark_deleted(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let deleted = facts.changes.deleted.iter();
    let rows: Vec<(&str, &str)> = deleted
        .filter_map(|id| {
            let user = facts.users.get(id)?.as_ref()?;
            Some((id.as_str(), user.deleted_by.as_ref().map_or("", UserId::as_str)))
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = rows.iter().map(|row| row.0).collect();
    let by: Vec<&str> = rows.iter().map(|row| row.1).collect();
    let marked = sqlx::query!(
        "update users x set deleted_at = $3, deleted_by = u.deleted_by
           from unnest($1::text[], $2::text[]) as u(user_id, deleted_by)
          where x.user_id = u.user_id and x.deleted_at is null",
        &ids as &[&str],
        &by as &[&str],
        facts.now,
    )
    .execute(connection)
    .await?;
    if usize::try_from(marked.rows_affected()).ok() != Some(ids.len()) {
        return Err(WriteError::Wall("deleted users"));
    }
    Ok(())
}

/// The time of a batch is read before its users are locked, so that two nodes may write here in the other
/// order: a revocation never goes back.
async fn write_revocations(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let changes = &facts.changes;
    if changes.revoked.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = changes.revoked.keys().map(UserId::as_str).collect();
    let ended: Vec<bool> = changes.revoked.values().copied().collect();
    // One that is made again leaves a hole between the two, which tells every cursor of the old one.
    let seqs: Vec<i64> = changes
        .revoked
        .keys()
        .map(|user| changes.forgotten.get(user).map_or(0, |seq| seq + 1))
        .collect();
    sqlx::query!(
        "insert into revocations as r (user_id, at, ended, changed_at, user_seq)
         select u.user_id, $4, u.ended, $4, u.user_seq
           from unnest($1::text[], $2::boolean[], $3::bigint[]) as u(user_id, ended, user_seq)
             on conflict (user_id) do update
            set at = greatest(r.at, excluded.at), ended = excluded.ended,
                changed_at = greatest(r.changed_at, excluded.changed_at),
                user_seq = greatest(r.user_seq, excluded.user_seq)",
        &ids as &[&str],
        &ended,
        &seqs,
        facts.now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Removes accounts of which no membership and no open application is left, with all that is kept of
/// them.
async fn forget_users(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let ids: Vec<&str> = facts.changes.forgotten.keys().map(UserId::as_str).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let gone = sqlx::query!(
        "with past_events as (
             delete from user_events where user_id = any($1::text[])
         ), past_memberships as (
             delete from members where user_id = any($1::text[]) and left_seq is not null
         ), past_bans as (
             delete from bans where user_id = any($1::text[])
         )
         delete from users where user_id = any($1::text[]) and deleted_at is not null",
        &ids as &[&str],
    )
    .execute(connection)
    .await?;
    if usize::try_from(gone.rows_affected()).ok() != Some(ids.len()) {
        return Err(WriteError::Wall("forgotten users"));
    }
    Ok(())
}
