//! What nearly every batch writes: groups, memberships, counters of users, entries of logs.
//!
//! Each row to be changed is looked up by its key first (`offset 0` keeps it so), then written in its place: it
//! stays there, for it is locked or must not have changed. Users who are not locked yet are written, and so
//! locked, in the order of the columns, which is that of bytes: lanes know no other plan than one by one. As a plain
//! join, a plan that was made while a table was tiny goes through the
//! whole table for every batch, until statistics are taken anew: at 31,000 users that was five times slower.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::WriteError;
use super::columns::{Columns, EntryColumns, MemberColumns, UserColumns};
use crate::model::{Group, LogEntry, Moment, StreamKey, UserId};
use crate::rules::Facts;
use crate::store::ahead::RowVersion;

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
    versions: &HashMap<UserId, RowVersion>,
) -> Result<(), WriteError> {
    let groups = groups(facts, false);
    let group = Columns::of(&groups);
    let before: Vec<i64> = groups.iter().map(|group| seq_before(facts, group)).collect();
    let member = MemberColumns::of(facts, true);
    let user = UserColumns::of(facts, false, versions);
    let fresh = UserColumns::of(facts, true, versions);
    let fresh_before: Vec<i64> = seqs_before(facts, &fresh);
    let entry = EntryColumns::of(&facts.changes.entries, true);
    let written = sqlx::query!(
        r#"with
           written_groups as (
               update groups g
                  set owner_id = u.owner_id, join_option = u.join_option,
                      invite_option = u.invite_option, max_members = u.max_members,
                      member_count = u.member_count, pending_count = u.pending_count,
                      seq = u.seq, dismissed_at = u.dismissed_at, mute_all = u.mute_all
                 from (select unnest($1::text[]) as group_id, unnest($2::text[]) as owner_id,
                              unnest($3::smallint[]) as join_option,
                              unnest($4::smallint[]) as invite_option,
                              unnest($5::integer[]) as max_members,
                              unnest($6::integer[]) as member_count,
                              unnest($7::integer[]) as pending_count, unnest($8::bigint[]) as seq,
                              unnest($9::timestamptz[]) as dismissed_at,
                              unnest($10::bigint[]) as seq_before,
                              unnest($34::boolean[]) as mute_all) u
                cross join lateral (select x.ctid as place from groups x
                                     where x.group_id = u.group_id offset 0) k
                where g.ctid = k.place and g.seq = u.seq_before
                  and (u.max_members is null or u.member_count <= u.max_members
                       or u.member_count <= g.member_count)
               returning 1
           ),
           written_members as (
               insert into members (group_id, user_id, role, joined_seq, left_seq,
                      past_joined_seq, past_left_seq, joined_at, name_card, mute_until, user_rev,
                      custom_fields)
               select unnest($11::text[]), unnest($12::text[]), unnest($13::smallint[]),
                      unnest($14::bigint[]), unnest($15::bigint[]), unnest($16::bigint[]),
                      unnest($17::bigint[]), unnest($18::timestamptz[]), unnest($19::text[]),
                      unnest($20::timestamptz[]), unnest($21::bigint[]),
                      unnest($35::text[])::jsonb
               returning 1
           ),
           fresh_users as (
               insert into users (user_id, created_at, group_count, pending_count, membership_rev,
                      user_seq)
               select u.user_id, u.created_at, u.group_count, u.pending_count, u.membership_rev,
                      u.user_seq
                 from (select unnest($36::text[]) as user_id,
                              unnest($37::timestamptz[]) as created_at,
                              unnest($38::integer[]) as group_count, unnest($39::integer[]) as cap,
                              unnest($40::integer[]) as pending_count,
                              unnest($41::bigint[]) as membership_rev,
                              unnest($42::bigint[]) as user_seq,
                              unnest($43::bigint[]) as seq_before) u
                where u.group_count <= u.cap
                  and u.seq_before = coalesce((select r.user_seq from revocations r
                                                where r.user_id = u.user_id), 0)
                order by u.user_id collate "C"
               returning 1
           ),
           written_users as (
               update users x
                  set group_count = u.group_count, pending_count = u.pending_count,
                      membership_rev = u.membership_rev, user_seq = u.user_seq
                 from (select unnest($22::text[]) as user_id,
                              unnest($23::integer[]) as group_count, unnest($24::integer[]) as cap,
                              unnest($25::integer[]) as pending_count,
                              unnest($26::bigint[]) as membership_rev,
                              unnest($27::bigint[]) as user_seq,
                              unnest($44::integer[]) as version) u
                cross join lateral (select y.ctid as place from users y
                                     where y.user_id = u.user_id offset 0) k
                where x.ctid = k.place
                  and (u.version is null or x.xmin = u.version)
                  and (u.group_count <= u.cap or u.group_count <= x.group_count)
               returning 1
           ),
           written_events as (
               insert into group_events (group_id, seq, kind, at, frame)
               select unnest($28::text[]), unnest($29::bigint[]), unnest($30::smallint[]),
                      unnest($31::timestamptz[]), unnest($32::text[])
               returning 1
           ),
           written_batch as (
               insert into batches (batch_id, committed_at) values ($33, clock_timestamp())
           )
           select (select count(*) from written_groups) as "groups!",
                  (select count(*) from written_members) as "members!",
                  (select count(*) from written_users) as "users!",
                  (select count(*) from fresh_users) as "fresh!",
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
        &fresh.ids as &[&str],
        &fresh.created,
        &fresh.groups,
        &fresh.caps,
        &fresh.pending,
        &fresh.revs,
        &fresh.seqs,
        &fresh_before,
        &user.versions as &[Option<i32>],
    )
    .fetch_one(connection)
    .await?;
    let expected = [
        (written.groups, groups.len(), "groups"),
        (written.members, member.users.len(), "members"),
        (written.users, user.ids.len(), "users"),
        (written.fresh, fresh.ids.len(), "fresh users"),
        (written.events, entry.streams.len(), "events"),
    ];
    for (written, wanted, what) in expected {
        if usize::try_from(written).ok() != Some(wanted) {
            return Err(WriteError::Wall(what));
        }
    }
    Ok(())
}

/// The numbers of the users' newest own events before this batch.
fn seqs_before(facts: &Facts, users: &UserColumns<'_>) -> Vec<i64> {
    let mut written: HashMap<&str, i64> = HashMap::new();
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
