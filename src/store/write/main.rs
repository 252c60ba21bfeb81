//! What nearly every batch writes: groups, memberships, counters of users, entries of logs.

use sqlx::PgConnection;

use super::WriteError;
use super::columns::{Columns, EntryColumns, MemberColumns, UserColumns};
use crate::model::{Group, LogEntry, Moment, StreamKey};
use crate::rules::Facts;

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
#[expect(clippy::too_many_lines, reason = "one statement and its parameters")]
pub(super) async fn write_main(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
    facts: &Facts,
) -> Result<(), WriteError> {
    let groups = groups(facts, false);
    let group = Columns::of(&groups);
    let before: Vec<i64> = groups.iter().map(|group| seq_before(facts, group)).collect();
    let member = MemberColumns::of(facts);
    let user = UserColumns::of(facts);
    let entry = EntryColumns::of(&facts.changes.entries, true);
    let written = sqlx::query!(
        r#"with
           written_groups as (
               update groups g
                  set owner_id = u.owner_id, join_option = u.join_option,
                      invite_option = u.invite_option, max_members = u.max_members,
                      member_count = u.member_count, pending_count = u.pending_count,
                      seq = u.seq, dismissed_at = u.dismissed_at, mute_all = u.mute_all
                 from unnest($1::text[], $2::text[], $3::smallint[], $4::smallint[], $5::integer[],
                             $6::integer[], $7::integer[], $8::bigint[], $9::timestamptz[],
                             $10::bigint[], $34::boolean[])
                      as u(group_id, owner_id, join_option, invite_option, max_members,
                           member_count, pending_count, seq, dismissed_at, seq_before, mute_all)
                where g.group_id = u.group_id and g.seq = u.seq_before
                  and (u.max_members is null or u.member_count <= u.max_members
                       or u.member_count <= g.member_count)
               returning 1
           ),
           written_members as (
               insert into members as m (group_id, user_id, role, joined_seq, left_seq,
                      past_joined_seq, past_left_seq, joined_at, name_card, mute_until, user_rev,
                      custom_fields)
               select u.group_id, u.user_id, u.role, u.joined_seq, u.left_seq, u.past_joined_seq,
                      u.past_left_seq, u.joined_at, u.name_card, u.mute_until, u.user_rev,
                      u.custom_fields::jsonb
                 from unnest($11::text[], $12::text[], $13::smallint[], $14::bigint[],
                      $15::bigint[], $16::bigint[], $17::bigint[], $18::timestamptz[], $19::text[],
                      $20::timestamptz[], $21::bigint[], $35::text[])
                      as u(group_id, user_id, role, joined_seq, left_seq, past_joined_seq,
                           past_left_seq, joined_at, name_card, mute_until, user_rev, custom_fields)
               on conflict (group_id, user_id) do update
                  set role = excluded.role, joined_seq = excluded.joined_seq,
                      left_seq = excluded.left_seq, past_joined_seq = excluded.past_joined_seq,
                      past_left_seq = excluded.past_left_seq, joined_at = excluded.joined_at,
                      name_card = excluded.name_card, mute_until = excluded.mute_until,
                      user_rev = excluded.user_rev, custom_fields = excluded.custom_fields
               returning 1
           ),
           written_users as (
               update users x
                  set group_count = u.group_count, pending_count = u.pending_count,
                      membership_rev = u.membership_rev, user_seq = u.user_seq
                 from unnest($22::text[], $23::integer[], $24::integer[], $25::integer[],
                             $26::bigint[], $27::bigint[])
                      as u(user_id, group_count, cap, pending_count, membership_rev, user_seq)
                where x.user_id = u.user_id
                  and (u.group_count <= u.cap or u.group_count <= x.group_count)
               returning 1
           ),
           written_events as (
               insert into group_events (group_id, seq, kind, at, frame)
               select * from unnest($28::text[], $29::bigint[], $30::smallint[],
                                    $31::timestamptz[], $32::text[])
               returning 1
           ),
           written_batch as (
               insert into batches (batch_id, committed_at) values ($33, clock_timestamp())
           )
           select (select count(*) from written_groups) as "groups!",
                  (select count(*) from written_members) as "members!",
                  (select count(*) from written_users) as "users!",
                  (select count(*) from written_events) as "events!""#,
        &group.ids as &[&str],
        &group.owners as &[Option<&str>],
        &group.join_options,
        &group.invite_options,
        &group.max_members as &[Option<i32>],
        &group.member_counts,
        &group.pending_counts,
        &group.seqs,
        &group.dismissed as &[Option<Moment>],
        &before,
        &member.groups as &[&str],
        &member.users as &[&str],
        &member.roles,
        &member.joined_seqs,
        &member.left_seqs as &[Option<i64>],
        &member.past_joined as &[Option<i64>],
        &member.past_left as &[Option<i64>],
        &member.joined_at,
        &member.name_cards as &[&str],
        &member.mutes as &[Option<Moment>],
        &member.revs,
        &user.ids as &[&str],
        &user.groups,
        &user.caps,
        &user.pending,
        &user.revs,
        &user.seqs,
        &entry.streams as &[&str],
        &entry.seqs,
        &entry.kinds,
        &entry.at,
        &entry.frames as &[&str],
        batch,
        &group.mute_all,
        &member.fields as &[Option<String>],
    )
    .fetch_one(connection)
    .await?;
    let expected = [
        (written.groups, groups.len(), "groups"),
        (written.members, member.users.len(), "members"),
        (written.users, user.ids.len(), "users"),
        (written.events, entry.streams.len(), "events"),
    ];
    for (written, wanted, what) in expected {
        if usize::try_from(written).ok() != Some(wanted) {
            return Err(WriteError::Wall(what));
        }
    }
    Ok(())
}

/// The number of a group's newest event before this batch.
fn seq_before(facts: &Facts, group: &Group) -> i64 {
    let of_this =
        |entry: &&LogEntry| matches!(&entry.stream, StreamKey::Group(id) if *id == group.id);
    let written = facts.changes.entries.iter().filter(of_this).count();
    group.seq - i64::try_from(written).unwrap_or(0)
}
