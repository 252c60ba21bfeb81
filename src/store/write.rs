//! Writing what a batch decided: rows, counters and events in one statement, the rarer tables after it.
//!
//! Every row that is written here was locked before. The updates still demand what the decision assumed,
//! the number before it and the limit, and the affected rows are counted: a second wall behind the locks.

use sqlx::PgConnection;

use crate::model::{Application, ApplicationId, Ban, GroupId, Member, Profile, StreamKey, UserId};
use crate::model::{Group, LogEntry, Moment, User};
use crate::rules::Facts;
use crate::rules::limits::group_limit;

/// Why nothing was written.
#[derive(Debug)]
pub(crate) enum WriteError {
    /// The database said no, or is gone.
    Sql(sqlx::Error),
    /// A row was not as the decision assumed: a fault of ours, or a key stored meanwhile.
    Wall(&'static str),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// A reply to be kept for the caller's retries.
pub(crate) struct NewReply {
    pub(crate) scope: [u8; 32],
    pub(crate) body: [u8; 32],
    pub(crate) reply: String,
}

/// Writes everything that a batch changed.
pub(crate) async fn write(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
    facts: &Facts,
    replies: &[NewReply],
) -> Result<(), WriteError> {
    let changes = &facts.changes;
    create_groups(connection, facts).await?;
    write_profiles(connection, facts).await?;
    write_main(connection, batch, facts).await?;
    write_user_events(connection, &changes.entries).await?;
    write_accounts(connection, facts).await?;
    write_bans(connection, facts).await?;
    write_applications(connection, facts).await?;
    write_releases(connection, facts).await?;
    write_replies(connection, facts.now, replies).await?;
    forget_unused_users(connection, facts).await?;
    Ok(())
}

fn groups<'a>(facts: &'a Facts, created: bool) -> Vec<&'a Group> {
    let changes = &facts.changes;
    changes
        .groups
        .iter()
        .filter(|id| changes.created.contains(*id) == created)
        .filter_map(|id| facts.groups.get(id).and_then(|of_group| of_group.group.as_ref()))
        .collect()
}

async fn create_groups(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let groups = groups(facts, true);
    if groups.is_empty() {
        return Ok(());
    }
    let column = Columns::of(&groups);
    sqlx::query!(
        r#"insert into groups (group_id, group_type, owner_id, join_option, invite_option,
                   max_members, member_count, pending_count, seq, created_at, dismissed_at)
           select u.*, null from unnest($1::text[], $2::smallint[], $3::text[], $4::smallint[],
                   $5::smallint[], $6::integer[], $7::integer[], $8::integer[], $9::bigint[],
                   $10::timestamptz[]) as u"#,
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
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Groups as columns.
#[derive(Default)]
struct Columns<'a> {
    ids: Vec<&'a str>,
    types: Vec<i16>,
    owners: Vec<Option<&'a str>>,
    join_options: Vec<i16>,
    invite_options: Vec<i16>,
    max_members: Vec<Option<i32>>,
    member_counts: Vec<i32>,
    pending_counts: Vec<i32>,
    seqs: Vec<i64>,
    created: Vec<Moment>,
    dismissed: Vec<Option<Moment>>,
}

impl<'a> Columns<'a> {
    fn of(groups: &[&'a Group]) -> Self {
        let mut columns = Self::default();
        for group in groups {
            columns.ids.push(group.id.as_str());
            columns.types.push(group.group_type.code());
            columns.owners.push(group.owner.as_ref().map(UserId::as_str));
            columns.join_options.push(group.join_option.code());
            columns.invite_options.push(group.invite_option.code());
            columns.max_members.push(group.max_members);
            columns.member_counts.push(group.member_count);
            columns.pending_counts.push(group.pending_count);
            columns.seqs.push(group.seq);
            columns.created.push(group.created_at);
            columns.dismissed.push(group.dismissed_at);
        }
        columns
    }
}

/// Memberships as columns.
#[derive(Default)]
struct MemberColumns<'a> {
    groups: Vec<&'a str>,
    users: Vec<&'a str>,
    roles: Vec<i16>,
    joined_seqs: Vec<i64>,
    left_seqs: Vec<Option<i64>>,
    past_joined: Vec<Option<i64>>,
    past_left: Vec<Option<i64>>,
    joined_at: Vec<Moment>,
    name_cards: Vec<&'a str>,
    mutes: Vec<Option<Moment>>,
    revs: Vec<i64>,
}

impl<'a> MemberColumns<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut columns = Self::default();
        for (group, user) in &facts.changes.members {
            let member = facts.groups.get(group).and_then(|of_group| of_group.members.get(user));
            if let Some(member) = member {
                columns.push(group, user, member);
            }
        }
        columns
    }

    fn push(&mut self, group: &'a GroupId, user: &'a UserId, member: &'a Member) {
        self.groups.push(group.as_str());
        self.users.push(user.as_str());
        self.roles.push(member.role.code());
        self.joined_seqs.push(member.joined_seq);
        self.left_seqs.push(member.left_seq);
        self.past_joined.push(member.past.map(|(joined, _)| joined));
        self.past_left.push(member.past.map(|(_, left)| left));
        self.joined_at.push(member.joined_at);
        self.name_cards.push(&member.name_card);
        self.mutes.push(member.mute_until);
        self.revs.push(member.user_rev);
    }
}

/// Counters of users as columns.
#[derive(Default)]
struct UserColumns<'a> {
    ids: Vec<&'a str>,
    groups: Vec<i32>,
    caps: Vec<i32>,
    pending: Vec<i32>,
    revs: Vec<i64>,
    seqs: Vec<i64>,
}

impl<'a> UserColumns<'a> {
    fn of(facts: &'a Facts) -> Self {
        let mut columns = Self::default();
        for id in &facts.changes.users {
            if let Some(Some(user)) = facts.users.get(id) {
                columns.ids.push(user.id.as_str());
                columns.groups.push(user.group_count);
                columns.caps.push(group_limit(user, &facts.limits).0);
                columns.pending.push(user.pending_count);
                columns.revs.push(user.membership_rev);
                columns.seqs.push(user.user_seq);
            }
        }
        columns
    }
}

/// Entries of one family of streams as columns.
#[derive(Default)]
struct EntryColumns<'a> {
    streams: Vec<&'a str>,
    seqs: Vec<i64>,
    kinds: Vec<i16>,
    at: Vec<Moment>,
    frames: Vec<&'a str>,
}

impl<'a> EntryColumns<'a> {
    fn of(entries: &'a [LogEntry], of_groups: bool) -> Self {
        let mut columns = Self::default();
        for entry in entries {
            let stream = match &entry.stream {
                StreamKey::Group(group) if of_groups => group.as_str(),
                StreamKey::User(user) if !of_groups => user.as_str(),
                _ => continue,
            };
            columns.streams.push(stream);
            columns.seqs.push(entry.seq);
            columns.kinds.push(entry.kind.code());
            columns.at.push(entry.at);
            columns.frames.push(&entry.frame);
        }
        columns
    }
}

/// The rows that nearly every batch writes, in one statement.
async fn write_main(
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
                      seq = u.seq, dismissed_at = u.dismissed_at
                 from unnest($1::text[], $2::text[], $3::smallint[], $4::smallint[], $5::integer[],
                             $6::integer[], $7::integer[], $8::bigint[], $9::timestamptz[],
                             $10::bigint[])
                      as u(group_id, owner_id, join_option, invite_option, max_members,
                           member_count, pending_count, seq, dismissed_at, seq_before)
                where g.group_id = u.group_id and g.seq = u.seq_before
                  and (u.max_members is null or u.member_count <= u.max_members
                       or u.member_count <= g.member_count)
               returning 1
           ),
           written_members as (
               insert into members as m (group_id, user_id, role, joined_seq, left_seq,
                      past_joined_seq, past_left_seq, joined_at, name_card, mute_until, user_rev)
               select * from unnest($11::text[], $12::text[], $13::smallint[], $14::bigint[],
                      $15::bigint[], $16::bigint[], $17::bigint[], $18::timestamptz[], $19::text[],
                      $20::timestamptz[], $21::bigint[])
               on conflict (group_id, user_id) do update
                  set role = excluded.role, joined_seq = excluded.joined_seq,
                      left_seq = excluded.left_seq, past_joined_seq = excluded.past_joined_seq,
                      past_left_seq = excluded.past_left_seq, joined_at = excluded.joined_at,
                      name_card = excluded.name_card, mute_until = excluded.mute_until,
                      user_rev = excluded.user_rev
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

async fn write_profiles(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let rows: Vec<(&str, &Profile)> = facts
        .changes
        .profiles
        .iter()
        .filter_map(|id| Some((id.as_str(), facts.groups.get(id)?.profile.as_ref()?)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = rows.iter().map(|(id, _)| *id).collect();
    let texts = |pick: fn(&Profile) -> &str| -> Vec<&str> {
        rows.iter().map(|(_, profile)| pick(profile)).collect()
    };
    sqlx::query!(
        "insert into group_profiles (group_id, name, introduction, notification, face_url, changed_at)
         select u.*, $6::timestamptz
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) as u
             on conflict (group_id) do update
            set name = excluded.name, introduction = excluded.introduction,
                notification = excluded.notification, face_url = excluded.face_url,
                changed_at = excluded.changed_at",
        &ids as &[&str],
        &texts(|profile| &profile.name) as &[&str],
        &texts(|profile| &profile.introduction) as &[&str],
        &texts(|profile| &profile.notification) as &[&str],
        &texts(|profile| &profile.face_url) as &[&str],
        facts.now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_user_events(
    connection: &mut PgConnection,
    entries: &[LogEntry],
) -> Result<(), WriteError> {
    let entry = EntryColumns::of(entries, false);
    if entry.streams.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into user_events (user_id, seq, kind, at, frame)
         select * from unnest($1::text[], $2::bigint[], $3::smallint[], $4::timestamptz[], $5::text[])",
        &entry.streams as &[&str],
        &entry.seqs,
        &entry.kinds,
        &entry.at,
        &entry.frames as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_accounts(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let rows: Vec<&User> = facts
        .changes
        .accounts
        .iter()
        .filter_map(|id| facts.users.get(id).and_then(Option::as_ref))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = rows.iter().map(|user| user.id.as_str()).collect();
    let nick_names: Vec<&str> = rows.iter().map(|user| user.nick_name.as_str()).collect();
    let face_urls: Vec<&str> = rows.iter().map(|user| user.face_url.as_str()).collect();
    let consents: Vec<i16> = rows.iter().map(|user| user.invite_consent.code()).collect();
    let limits: Vec<Option<i32>> = rows.iter().map(|user| user.group_limit).collect();
    sqlx::query!(
        "update users x
            set nick_name = u.nick_name, face_url = u.face_url,
                invite_consent = u.invite_consent, group_limit = u.group_limit
           from unnest($1::text[], $2::text[], $3::text[], $4::smallint[], $5::integer[])
                as u(user_id, nick_name, face_url, invite_consent, group_limit)
          where x.user_id = u.user_id",
        &ids as &[&str],
        &nick_names as &[&str],
        &face_urls as &[&str],
        &consents,
        &limits as &[Option<i32>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_bans(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let bans = &facts.changes.bans;
    let rows: Vec<(&GroupId, &UserId, &UserId, &Ban)> = bans
        .iter()
        .filter_map(|((group, user), by)| {
            Some((group, user, by, facts.groups.get(group)?.bans.get(user)?))
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let groups: Vec<&str> = rows.iter().map(|row| row.0.as_str()).collect();
    let users: Vec<&str> = rows.iter().map(|row| row.1.as_str()).collect();
    let by: Vec<&str> = rows.iter().map(|row| row.2.as_str()).collect();
    let until: Vec<Option<Moment>> = rows.iter().map(|row| row.3.until).collect();
    let reasons: Vec<&str> = rows.iter().map(|row| row.3.reason.as_str()).collect();
    sqlx::query!(
        "insert into bans (group_id, user_id, until, reason, banned_by, banned_at)
         select u.*, $6::timestamptz
           from unnest($1::text[], $2::text[], $3::timestamptz[], $4::text[], $5::text[]) as u
             on conflict (group_id, user_id) do update
            set until = excluded.until, reason = excluded.reason,
                banned_by = excluded.banned_by, banned_at = excluded.banned_at",
        &groups as &[&str],
        &users as &[&str],
        &until as &[Option<Moment>],
        &reasons as &[&str],
        &by as &[&str],
        facts.now,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Applications as columns.
#[derive(Default)]
struct ApplicationColumns<'a> {
    groups: Vec<&'a str>,
    ids: Vec<ApplicationId>,
    kinds: Vec<i16>,
    from: Vec<&'a str>,
    subjects: Vec<&'a str>,
    approved: Vec<Option<&'a str>>,
    messages: Vec<&'a str>,
    added: Vec<Moment>,
    expires: Vec<Moment>,
    states: Vec<i16>,
    endings: Vec<Option<i16>>,
    handled_by: Vec<Option<&'a str>>,
    handled_messages: Vec<Option<&'a str>>,
    handled_at: Vec<Option<Moment>>,
}

impl<'a> ApplicationColumns<'a> {
    fn of(rows: &[&'a Application]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            let handled = row.handled.as_ref();
            columns.groups.push(row.group.as_str());
            columns.ids.push(row.id);
            columns.kinds.push(row.kind.code());
            columns.from.push(row.from_user.as_str());
            columns.subjects.push(row.subject.as_str());
            columns.approved.push(row.approved_by.as_ref().map(UserId::as_str));
            columns.messages.push(&row.message);
            columns.added.push(row.added_at);
            columns.expires.push(row.expires_at);
            columns.states.push(row.state.code());
            columns.endings.push(handled.map(|end| end.ending.code()));
            columns.handled_by.push(handled.and_then(|end| end.by.as_ref()).map(UserId::as_str));
            columns.handled_messages.push(handled.map(|end| end.message.as_str()));
            columns.handled_at.push(handled.map(|end| end.at));
        }
        columns
    }
}

async fn write_applications(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
    let mut rows: Vec<&Application> = facts
        .changes
        .applications
        .iter()
        .filter_map(|(group, id)| facts.groups.get(group)?.applications.get(id))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    // The open one of a group and a person is unique: the old one closes before the new one opens.
    rows.sort_by_key(|application| application.handled.is_none());
    let column = ApplicationColumns::of(&rows);
    sqlx::query!(
        "insert into applications (group_id, application_id, kind, from_user, subject, approved_by,
                message, added_at, expires_at, state, ending, handled_by, handled_message, handled_at)
         select * from unnest($1::text[], $2::uuid[], $3::smallint[], $4::text[], $5::text[],
                $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::smallint[],
                $11::smallint[], $12::text[], $13::text[], $14::timestamptz[])
             on conflict (group_id, application_id) do update
            set state = excluded.state, ending = excluded.ending,
                handled_by = excluded.handled_by, handled_message = excluded.handled_message,
                handled_at = excluded.handled_at",
        &column.groups as &[&str],
        &column.ids,
        &column.kinds,
        &column.from as &[&str],
        &column.subjects as &[&str],
        &column.approved as &[Option<&str>],
        &column.messages as &[&str],
        &column.added,
        &column.expires,
        &column.states,
        &column.endings as &[Option<i16>],
        &column.handled_by as &[Option<&str>],
        &column.handled_messages as &[Option<&str>],
        &column.handled_at as &[Option<Moment>],
    )
    .execute(connection)
    .await?;
    Ok(())
}

async fn write_releases(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let changes = &facts.changes;
    if changes.releases.is_empty() && changes.released.is_empty() {
        return Ok(());
    }
    let begun: Vec<&str> = changes.releases.iter().map(GroupId::as_str).collect();
    let done: Vec<&str> = changes.released.iter().map(GroupId::as_str).collect();
    sqlx::query!(
        "insert into group_releases (group_id, since)
         select u.group_id, $2 from unnest($1::text[]) as u(group_id) on conflict do nothing",
        &begun as &[&str],
        facts.now,
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from group_releases where group_id = any($1::text[])", &done as &[&str])
        .execute(connection)
        .await?;
    Ok(())
}

async fn write_replies(
    connection: &mut PgConnection,
    now: Moment,
    replies: &[NewReply],
) -> Result<(), WriteError> {
    if replies.is_empty() {
        return Ok(());
    }
    let mut sorted: Vec<&NewReply> = replies.iter().collect();
    sorted.sort_by_key(|reply| reply.scope);
    let scopes: Vec<&[u8]> = sorted.iter().map(|reply| reply.scope.as_slice()).collect();
    let bodies: Vec<&[u8]> = sorted.iter().map(|reply| reply.body.as_slice()).collect();
    let texts: Vec<&str> = sorted.iter().map(|reply| reply.reply.as_str()).collect();
    // A key whose day is over may be used again; one that somebody stored just now may not.
    let stored = sqlx::query!(
        "insert into stored_replies as s (scope, body, reply, stored_at)
         select u.*, $4::timestamptz from unnest($1::bytea[], $2::bytea[], $3::text[]) as u
             on conflict (scope) do update
            set body = excluded.body, reply = excluded.reply, stored_at = excluded.stored_at
          where s.stored_at <= excluded.stored_at - interval '24 hours'",
        &scopes as &[&[u8]],
        &bodies as &[&[u8]],
        &texts as &[&str],
        now,
    )
    .execute(connection)
    .await?;
    if usize::try_from(stored.rows_affected()).ok() != Some(replies.len()) {
        return Err(WriteError::Wall("stored replies"));
    }
    Ok(())
}

/// Removes rows of users that were made for decisions which then needed none.
async fn forget_unused_users(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
    let changes = &facts.changes;
    let unused: Vec<&str> = facts
        .users
        .values()
        .flatten()
        .filter(|user| user.fresh)
        .filter(|user| !changes.users.contains(&user.id) && !changes.accounts.contains(&user.id))
        .map(|user| user.id.as_str())
        .collect();
    if unused.is_empty() {
        return Ok(());
    }
    sqlx::query!("delete from users where user_id = any($1::text[])", &unused as &[&str])
        .execute(connection)
        .await?;
    Ok(())
}
