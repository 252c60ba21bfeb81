//! What nearly every batch writes, in one statement: groups, memberships, counters of users, entries of logs.

use sqlx::PgConnection;

use super::columns::{Columns, EntryColumns, MemberColumns, ReplyColumns, UserColumns};
use super::parts::statement;
use super::{NewReply, WriteError};
use crate::model::{Group, IdMap, LogEntry, StreamKey};
use crate::rules::Facts;
use crate::store::ahead::Versions;

/// What PostgreSQL says if not all rows were written.
const NOT_WHOLE: &str = "22012";

fn groups(facts: &Facts, created: bool) -> Vec<&Group> {
    let changes = &facts.changes;
    changes
        .groups
        .iter()
        .filter(|id| changes.created.contains(*id) == created)
        .filter_map(|id| facts.groups.get(id).and_then(|of_group| of_group.group.as_ref()))
        .collect()
}

/// Makes the rows of new groups.
pub(super) async fn create_groups(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
    let groups = groups(facts, true);
    if groups.is_empty() {
        return Ok(());
    }
    let column = Columns::of(&groups);
    sqlx::query!(
        r#"insert into groups (group_id, group_type, owner_id, join_option, invite_option,
                   max_members, member_count, pending_count, seq, created_at, own_type, mute_all)
           select * from unnest($1::text[], $2::smallint[], $3::text[], $4::smallint[],
                   $5::smallint[], $6::integer[], $7::integer[], $8::integer[], $9::bigint[],
                   $10::timestamptz[], $11::text[], $12::boolean[])"#,
        &column.ids as &[&str],
        &column.types,
        &column.owners as &[Option<&str>],
        &column.join_options,
        &column.invite_options,
        &column.max_members as &[Option<i32>],
        &column.member_counts,
        &column.pending_counts,
        &column.seqs,
        &column.created,
        &column.own_types as &[Option<&str>],
        &column.mute_all,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The rows that nearly every batch writes, in one statement.
pub(super) async fn write_main(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
    facts: &Facts,
    versions: &Versions,
    replies: &[NewReply],
) -> Result<(), WriteError> {
    let groups = groups(facts, false);
    let group = Columns::of(&groups);
    let before: Vec<i64> = groups.iter().map(|group| seq_before(facts, group)).collect();
    let version = |group: &&Group| versions.groups.get(&group.id).map(|version| version.bits());
    let group_versions: Vec<Option<i32>> = groups.iter().map(version).collect();
    let (member, changed) = MemberColumns::of(facts);
    let (fresh, user) = UserColumns::of(facts, &versions.users);
    let fresh_before = seqs_before(facts, &fresh);
    let entry = EntryColumns::of(&facts.changes.entries, true);
    let reply = ReplyColumns::of(replies);
    let rows = [
        group.ids.len(),
        member.users.len(),
        changed.users.len(),
        user.ids.len(),
        fresh.ids.len(),
        entry.streams.len(),
        reply.texts.len(),
    ];
    let counts = rows.iter().filter(|rows| **rows > 0);
    let counts: Vec<i64> = counts.map(|rows| i64::try_from(*rows).unwrap_or(i64::MAX)).collect();
    let query = sqlx::query(statement(&rows));
    let query = query.bind(&group.ids).bind(&group.owners).bind(&group.join_options);
    let query = query.bind(&group.invite_options).bind(&group.max_members);
    let query = query.bind(&group.member_counts).bind(&group.pending_counts).bind(&group.seqs);
    let query = query.bind(&group.dismissed).bind(&group.mute_all);
    let query = query.bind(&before).bind(&group_versions);
    let query = fresh.bind_made(user.bind_known(changed.bind(member.bind(query))), &fresh_before);
    let query = reply.bind(entry.bind(query)).bind(facts.now);
    match query.bind(batch).bind(&counts).execute(connection).await {
        Ok(_) => Ok(()),
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some(NOT_WHOLE) => {
            Err(WriteError::Wall("rows"))
        }
        Err(error) => Err(error.into()),
    }
}

/// The numbers of the users' newest own events before this batch.
fn seqs_before(facts: &Facts, users: &UserColumns<'_>) -> Vec<i64> {
    let mut written: IdMap<&str, i64> = IdMap::default();
    for entry in &facts.changes.entries {
        if let StreamKey::User(user) = &entry.stream {
            *written.entry(user.as_str()).or_default() += 1;
        }
    }
    let before = |(id, seq): (&&str, &i64)| seq - written.get(id).copied().unwrap_or_default();
    users.ids.iter().zip(&users.seqs).map(before).collect()
}

/// The number of a group's newest event before this batch.
fn seq_before(facts: &Facts, group: &Group) -> i64 {
    let of_this =
        |entry: &&LogEntry| matches!(&entry.stream, StreamKey::Group(id) if *id == group.id);
    let written = facts.changes.entries.iter().filter(of_this).count();
    group.seq - i64::try_from(written).unwrap_or(0)
}
