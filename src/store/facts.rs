//! Loading what a batch of the engine decides on, once its groups are read ([`super::ahead`]) or locked ([`super::locks`]).

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::{fields, unknown_code};
use crate::model::application::Handled;
use crate::model::{
    Application, ApplicationId, ApplicationKind, ApplicationState, Ban, Ending, GroupId, IdMap,
    Member, Moment, Profile, Role, UserId,
};
use crate::rules::GroupFacts;

/// One person's relation to one group, with the time; the first row may have the time alone.
pub(super) struct RelationRow {
    pub(super) now: Moment,
    pub(super) group_id: Option<String>,
    pub(super) user_id: Option<String>,
    pub(super) role: Option<i16>,
    pub(super) joined_seq: Option<i64>,
    pub(super) left_seq: Option<i64>,
    pub(super) past_joined_seq: Option<i64>,
    pub(super) past_left_seq: Option<i64>,
    pub(super) joined_at: Option<Moment>,
    pub(super) name_card: Option<String>,
    pub(super) mute_until: Option<Moment>,
    pub(super) custom_fields: Option<String>,
    pub(super) user_rev: Option<i64>,
    pub(super) banned: bool,
    pub(super) ban_until: Option<Moment>,
    pub(super) ban_reason: Option<String>,
    pub(super) application_id: Option<ApplicationId>,
    pub(super) kind: Option<i16>,
    pub(super) from_user: Option<String>,
    pub(super) approved_by: Option<String>,
    pub(super) message: Option<String>,
    pub(super) added_at: Option<Moment>,
    pub(super) expires_at: Option<Moment>,
}

/// Loads memberships, bans and open applications of the named people, and the time. Whoever has none of
/// them costs no row.
pub(crate) async fn relations(
    connection: &mut PgConnection,
    pairs: &[(GroupId, UserId)],
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<Option<Moment>, sqlx::Error> {
    let group_ids: Vec<&str> = pairs.iter().map(|(group, _)| group.as_str()).collect();
    let user_ids: Vec<&str> = pairs.iter().map(|(_, user)| user.as_str()).collect();
    let rows = sqlx::query_as!(
        RelationRow,
        r#"select t.now as "now!", r.group_id as "group_id?", r.user_id as "user_id?",
                  r.role as "role?", r.joined_seq as "joined_seq?", r.left_seq as "left_seq?",
                  r.past_joined_seq as "past_joined_seq?", r.past_left_seq as "past_left_seq?",
                  r.joined_at as "joined_at?", r.name_card as "name_card?",
                  r.mute_until as "mute_until?", r.custom_fields as "custom_fields?",
                  r.user_rev as "user_rev?", coalesce(r.banned, false) as "banned!",
                  r.ban_until as "ban_until?", r.ban_reason as "ban_reason?",
                  r.application_id as "application_id?", r.kind as "kind?",
                  r.from_user as "from_user?", r.approved_by as "approved_by?",
                  r.message as "message?", r.added_at as "added_at?", r.expires_at as "expires_at?"
             from (select clock_timestamp() as now) t
             left join (
                  select p.group_id, p.user_id, m.role, m.joined_seq, m.left_seq, m.past_joined_seq,
                         m.past_left_seq, m.joined_at, m.name_card, m.mute_until,
                         m.custom_fields::text as custom_fields, m.user_rev,
                         b.user_id is not null as banned, b.until as ban_until,
                         b.reason as ban_reason, a.application_id, a.kind, a.from_user,
                         a.approved_by, a.message, a.added_at, a.expires_at
                    from (select unnest($1::text[]) as group_id, unnest($2::text[]) as user_id) p
                    -- One by one: a plan made while there were few would go through all that there are.
                    left join lateral (
                         select * from members x
                          where x.group_id = p.group_id and x.user_id = p.user_id
                         offset 0) m on true
                    left join lateral (
                         select * from bans x
                          where x.group_id = p.group_id and x.user_id = p.user_id
                         offset 0) b on true
                    left join lateral (
                         select * from applications x
                          where x.group_id = p.group_id and x.subject = p.user_id and x.state = 0
                         offset 0) a on true
                   where m.user_id is not null or b.user_id is not null
                         or a.application_id is not null) r on true"#,
        &group_ids as &[&str],
        &user_ids as &[&str]
    )
    .fetch_all(connection)
    .await?;
    for (group, user) in pairs {
        groups.entry(group.clone()).or_default().known.insert(user.clone());
    }
    let now = rows.first().map(|row| row.now);
    for row in rows {
        take_relation(row, groups)?;
    }
    Ok(now)
}

pub(super) fn take_relation(
    row: RelationRow,
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let (Some(group), Some(user)) = (row.group_id, row.user_id) else { return Ok(()) };
    let (group, user) = (GroupId::from_stored(&group), UserId::from_stored(&user));
    let facts = groups.entry(group.clone()).or_default();
    if let (Some(role), Some(joined_seq), Some(joined_at)) =
        (row.role, row.joined_seq, row.joined_at)
    {
        let member = Member {
            role: Role::from_code(role).ok_or_else(|| unknown_code("role", role))?,
            joined_seq,
            left_seq: row.left_seq,
            past: row.past_joined_seq.zip(row.past_left_seq),
            joined_at,
            name_card: row.name_card.unwrap_or_default(),
            mute_until: row.mute_until,
            custom_fields: fields::read(row.custom_fields)?,
            user_rev: row.user_rev.unwrap_or_default(),
        };
        facts.members.insert(user.clone(), member);
    }
    if row.banned {
        let ban = Ban { until: row.ban_until, reason: row.ban_reason.unwrap_or_default() };
        facts.bans.insert(user.clone(), ban);
    }
    if let (Some(id), Some(kind), Some(from_user), Some(added_at), Some(expires_at)) =
        (row.application_id, row.kind, row.from_user, row.added_at, row.expires_at)
    {
        let application = Application {
            id,
            group,
            kind: ApplicationKind::from_code(kind)
                .ok_or_else(|| unknown_code("kind of application", kind))?,
            from_user: UserId::from_stored(&from_user),
            subject: user,
            approved_by: row.approved_by.as_deref().map(UserId::from_stored),
            message: row.message.unwrap_or_default(),
            added_at,
            expires_at,
            state: ApplicationState::Open,
            handled: None,
        };
        facts.applications.insert(id, application);
    }
    Ok(())
}

/// The people who manage each of the groups.
pub(crate) async fn managers(
    connection: &mut PgConnection,
    ids: &[GroupId],
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let texts: Vec<&str> = ids.iter().map(GroupId::as_str).collect();
    let rows = sqlx::query!(
        "select group_id, user_id from members
          where group_id = any($1::text[]) and left_seq is null and role > 1",
        &texts as &[&str]
    )
    .fetch_all(connection)
    .await?;
    for id in ids {
        groups.entry(id.clone()).or_default().managers = Some(BTreeSet::new());
    }
    for row in rows {
        let facts = groups.entry(GroupId::from_stored(&row.group_id)).or_default();
        facts.managers.get_or_insert_default().insert(UserId::from_stored(&row.user_id));
    }
    Ok(())
}

/// The texts of each of the groups.
pub(crate) async fn profiles(
    connection: &mut PgConnection,
    ids: &[GroupId],
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let texts: Vec<&str> = ids.iter().map(GroupId::as_str).collect();
    let rows = sqlx::query!(
        "select group_id, name, introduction, notification, face_url,
                custom_fields::text as custom_fields
           from group_profiles
          where group_id = any($1::text[])",
        &texts as &[&str]
    )
    .fetch_all(connection)
    .await?;
    for row in rows {
        let profile = Profile {
            name: row.name,
            introduction: row.introduction,
            notification: row.notification,
            face_url: row.face_url,
            custom_fields: fields::read(row.custom_fields)?,
        };
        groups.entry(GroupId::from_stored(&row.group_id)).or_default().profile = Some(profile);
    }
    Ok(())
}

/// So many of a group's current members, whoever they are, as pairs to ask [`relations`] for. In a group
/// that is being released those after the last one that was: to look at all before him each time would
/// take ever longer.
pub(crate) async fn some_members(
    connection: &mut PgConnection,
    id: &GroupId,
    most: i64,
) -> Result<Vec<(GroupId, UserId)>, sqlx::Error> {
    let users = sqlx::query_scalar!(
        "select user_id from members
          where group_id = $1 and left_seq is null
            and user_id > coalesce((select after_user from group_releases where group_id = $1), '')
          order by user_id limit $2",
        id.as_str(),
        most
    )
    .fetch_all(connection)
    .await?;
    Ok(users.iter().map(|user| (id.clone(), UserId::from_stored(user))).collect())
}

/// The columns of an application.
pub(crate) struct ApplicationRow {
    pub(crate) group_id: String,
    pub(crate) application_id: ApplicationId,
    pub(crate) kind: i16,
    pub(crate) from_user: String,
    pub(crate) subject: String,
    pub(crate) approved_by: Option<String>,
    pub(crate) message: String,
    pub(crate) added_at: Moment,
    pub(crate) expires_at: Moment,
    pub(crate) state: i16,
    pub(crate) ending: Option<i16>,
    pub(crate) handled_by: Option<String>,
    pub(crate) handled_message: Option<String>,
    pub(crate) handled_at: Option<Moment>,
}

impl TryFrom<ApplicationRow> for Application {
    type Error = sqlx::Error;

    fn try_from(row: ApplicationRow) -> Result<Self, Self::Error> {
        let handled = match (row.ending, row.handled_at) {
            (Some(ending), Some(at)) => Some(Handled {
                by: row.handled_by.as_deref().map(UserId::from_stored),
                ending: Ending::from_code(ending).ok_or_else(|| unknown_code("ending", ending))?,
                message: row.handled_message.unwrap_or_default(),
                at,
            }),
            _ => None,
        };
        Ok(Self {
            id: row.application_id,
            group: GroupId::from_stored(&row.group_id),
            kind: ApplicationKind::from_code(row.kind)
                .ok_or_else(|| unknown_code("kind of application", row.kind))?,
            from_user: UserId::from_stored(&row.from_user),
            subject: UserId::from_stored(&row.subject),
            approved_by: row.approved_by.as_deref().map(UserId::from_stored),
            message: row.message,
            added_at: row.added_at,
            expires_at: row.expires_at,
            state: ApplicationState::from_code(row.state)
                .ok_or_else(|| unknown_code("state of application", row.state))?,
            handled,
        })
    }
}

/// Applications by id, open or not.
pub(crate) async fn applications(
    connection: &mut PgConnection,
    wanted: &[(GroupId, ApplicationId)],
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let group_ids: Vec<&str> = wanted.iter().map(|(group, _)| group.as_str()).collect();
    let ids: Vec<ApplicationId> = wanted.iter().map(|(_, id)| *id).collect();
    let rows = sqlx::query_as!(
        ApplicationRow,
        r#"select a.group_id, a.application_id, a.kind, a.from_user, a.subject, a.approved_by,
                  a.message, a.added_at, a.expires_at, a.state, a.ending, a.handled_by,
                  a.handled_message, a.handled_at
             from unnest($1::text[], $2::uuid[]) as w(group_id, application_id)
             join applications a
               on a.group_id = w.group_id and a.application_id = w.application_id"#,
        &group_ids as &[&str],
        &ids
    )
    .fetch_all(connection)
    .await?;
    take_applications(rows, groups)
}

/// So many of a group's open applications.
pub(crate) async fn some_applications(
    connection: &mut PgConnection,
    id: &GroupId,
    most: i64,
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query_as!(
        ApplicationRow,
        r#"select group_id, application_id, kind, from_user, subject, approved_by, message, added_at,
                  expires_at, state, ending, handled_by, handled_message, handled_at
             from applications where group_id = $1 and state = 0 order by subject limit $2"#,
        id.as_str(),
        most
    )
    .fetch_all(connection)
    .await?;
    take_applications(rows, groups)
}

/// So many open applications of a group that this person made.
pub(crate) async fn applications_by(
    connection: &mut PgConnection,
    id: &GroupId,
    from_user: &UserId,
    most: usize,
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query_as!(
        ApplicationRow,
        r#"select group_id, application_id, kind, from_user, subject, approved_by, message, added_at,
                  expires_at, state, ending, handled_by, handled_message, handled_at
             from applications where from_user = $1 and group_id = $2 and state = 0 limit $3"#,
        from_user.as_str(),
        id.as_str(),
        i64::try_from(most).unwrap_or(i64::MAX)
    )
    .fetch_all(connection)
    .await?;
    take_applications(rows, groups)
}

/// Of each of these users, whether a membership or an open application is left that he is concerned by.
pub(crate) async fn lingering(
    connection: &mut PgConnection,
    users: &[&UserId],
) -> Result<IdMap<UserId, bool>, sqlx::Error> {
    let ids: Vec<&str> = users.iter().map(|user| user.as_str()).collect();
    let rows = sqlx::query!(
        r#"select u.user_id as "user_id!",
                  exists (select from members m where m.user_id = u.user_id and m.left_seq is null)
                  or exists (select from applications a where a.subject = u.user_id and a.state = 0)
                  or exists (select from applications a where a.from_user = u.user_id and a.state = 0)
                  as "left!"
             from unnest($1::text[]) as u(user_id)"#,
        &ids as &[&str]
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(|row| (UserId::from_stored(&row.user_id), row.left)).collect())
}

fn take_applications(
    rows: Vec<ApplicationRow>,
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    for row in rows {
        let application = Application::try_from(row)?;
        let facts = groups.entry(application.group.clone()).or_default();
        facts.applications.insert(application.id, application);
    }
    Ok(())
}
