//! What some batches write: texts, accounts, bans, applications, personal events, stored replies.

use sqlx::PgConnection;

use super::WriteError;
use super::columns::{ApplicationColumns, EntryColumns};
use crate::model::{Application, Ban, GroupId, LogEntry, Moment, Profile, User, UserId};
use crate::rules::Facts;
use crate::store::fields;
use crate::store::lists::folded;

/// The texts of groups.
pub(super) async fn write_profiles(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
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
    let folded: Vec<String> = rows.iter().map(|(_, profile)| folded(&profile.name)).collect();
    let custom: Vec<Option<String>> =
        rows.iter().map(|(_, profile)| fields::written(&profile.custom_fields)).collect();
    let texts = |pick: fn(&Profile) -> &str| -> Vec<&str> {
        rows.iter().map(|(_, profile)| pick(profile)).collect()
    };
    sqlx::query!(
        "insert into group_profiles (group_id, name, folded_name, introduction, notification, face_url,
                custom_fields, changed_at)
         select u.group_id, u.name, u.folded_name, u.introduction, u.notification, u.face_url,
                u.custom_fields::jsonb, $7::timestamptz
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                       $8::text[])
                as u(group_id, name, introduction, notification, face_url, custom_fields,
                     folded_name)
             on conflict (group_id) do update
            set name = excluded.name, folded_name = excluded.folded_name,
                introduction = excluded.introduction,
                notification = excluded.notification, face_url = excluded.face_url,
                custom_fields = excluded.custom_fields, changed_at = excluded.changed_at",
        &ids as &[&str],
        &texts(|profile| &profile.name) as &[&str],
        &texts(|profile| &profile.introduction) as &[&str],
        &texts(|profile| &profile.notification) as &[&str],
        &texts(|profile| &profile.face_url) as &[&str],
        &custom as &[Option<String>],
        facts.now,
        &folded as &[String],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Entries of users' own streams.
pub(super) async fn write_user_events(
    connection: &mut PgConnection,
    entries: &[LogEntry],
) -> Result<(), WriteError> {
    let entry = EntryColumns::of(entries, false);
    if entry.streams.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "insert into user_events (user_id, seq, kind, at, frame)
         select unnest($1::text[]), unnest($2::bigint[]), unnest($3::smallint[]),
                unnest($4::timestamptz[]), unnest($5::text[])",
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

/// Profiles and settings of users.
pub(super) async fn write_accounts(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
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

/// Bans that ended.
async fn lift_bans(connection: &mut PgConnection, facts: &Facts) -> Result<(), WriteError> {
    let lifted = &facts.changes.unbanned;
    if lifted.is_empty() {
        return Ok(());
    }
    let groups: Vec<&str> = lifted.iter().map(|(group, _)| group.as_str()).collect();
    let users: Vec<&str> = lifted.iter().map(|(_, user)| user.as_str()).collect();
    sqlx::query!(
        "delete from bans b using unnest($1::text[], $2::text[]) as u(group_id, user_id)
          where b.group_id = u.group_id and b.user_id = u.user_id",
        &groups as &[&str],
        &users as &[&str],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Bans, set and lifted.
pub(super) async fn write_bans(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
    lift_bans(connection, facts).await?;
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

/// Applications, made or closed.
pub(super) async fn write_applications(
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

/// Which dismissed groups have something left to release.
pub(super) async fn write_releases(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
    let changes = &facts.changes;
    if changes.releases.is_empty()
        && changes.released_up_to.is_empty()
        && changes.released.is_empty()
    {
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
    let (groups, places): (Vec<&str>, Vec<&str>) =
        changes.released_up_to.iter().map(|(group, last)| (group.as_str(), last.as_str())).unzip();
    sqlx::query!(
        "update group_releases r set after_user = u.after_user
           from unnest($1::text[], $2::text[]) as u(group_id, after_user)
          where r.group_id = u.group_id",
        &groups as &[&str],
        &places as &[&str],
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!("delete from group_releases where group_id = any($1::text[])", &done as &[&str])
        .execute(connection)
        .await?;
    Ok(())
}
