//! Reading, in one statement, what the decisions of a batch will most likely ask for: the groups, the relations of
//! people to them, and the people's own rows.
//!
//! [`look`] locks nothing. A statement reads the database as it was at one moment, and whoever writes demands that
//! the rows which are changed are still the versions that were read ([`super::write`]). Every change of a relation
//! rewrites the group's row ([`crate::rules::apply`]), so its version stands for everything that was read beside it.
//! (What is left of an account that is forgotten, ended memberships and bans, goes without that: his own row
//! tells.) So a batch decides on the database of one moment, as if it had run at that moment alone.
//!
//! [`lock_and_look`] locks the groups on the way. It reads the database as it was when it began, but locks a row as it
//! is now: what was read beside a group belongs to it only if the locked row is the version that was seen.

use std::collections::BTreeSet;

use sqlx::PgConnection;

use super::facts::{RelationRow, take_relation};
use super::locks::{GroupRow, UserRow, unseen};
use crate::model::{ApplicationId, Group, GroupId, IdMap, IdSet, Moment, User, UserId};
use crate::rules::{GroupFacts, Rows};

/// Which version of a row was read: its `xmin`. No two committed versions of a row have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowVersion(i32);

impl RowVersion {
    /// From `xmin` as a number.
    fn of(xmin: i64) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "an xid has 32 bits")]
        Self(xmin as i32)
    }

    /// As PostgreSQL compares it with an `xid`: the same 32 bits.
    pub(super) fn bits(self) -> i32 {
        self.0
    }
}

/// Versions of rows that are not locked: they must be there still when what was decided on them is written.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    pub(crate) groups: IdMap<GroupId, RowVersion>,
    pub(crate) users: IdMap<UserId, RowVersion>,
}

/// Groups, and what was read with them.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) groups: IdMap<GroupId, Group>,
    /// The versions of those that are not locked.
    pub(crate) versions: IdMap<GroupId, RowVersion>,
    /// Groups that were to be locked, but somebody else holds them.
    pub(crate) elsewhere: BTreeSet<GroupId>,
    /// Nothing, if a group was changed while it was being locked.
    pub(crate) seen: Option<Seen>,
}

/// What was read in the statement that read the groups.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The database's time.
    pub(crate) now: Moment,
    /// Relations of the people who were asked for.
    pub(crate) groups: IdMap<GroupId, GroupFacts>,
    /// Whose own rows were asked for.
    asked: IdSet<UserId>,
    /// Those that there are, or that something else tells of.
    users: IdMap<UserId, (User, Option<RowVersion>)>,
}

/// Users on whom a batch may decide, and the versions of those who are not locked.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) users: IdMap<UserId, Option<User>>,
    pub(crate) versions: IdMap<UserId, RowVersion>,
}

impl Seen {
    /// These users, if all of them were asked for.
    pub(crate) fn hold(mut self, wanted: &Rows) -> Option<Held> {
        let mut held = Held::default();
        for id in &wanted.lock {
            if !self.asked.contains(id) {
                return None;
            }
            let may_begin = wanted.make.contains(id);
            let user = match self.users.remove(id) {
                Some((user, Some(version))) => {
                    held.versions.insert(id.clone(), version);
                    Some(user)
                }
                Some((user, None)) => may_begin.then_some(user),
                None => may_begin.then(|| unseen(id, self.now)),
            };
            held.users.insert(id.clone(), user);
        }
        Some(held)
    }
}

/// A group, a person's relation to a group, or a person's own row: which one, tells who is named.
struct Row {
    now: Moment,
    group_id: Option<String>,
    user_id: Option<String>,
    unchanged: bool,
    group_type: Option<i16>,
    own_type: Option<String>,
    owner_id: Option<String>,
    join_option: Option<i16>,
    invite_option: Option<i16>,
    max_members: Option<i32>,
    mute_all: Option<bool>,
    member_count: Option<i32>,
    pending_count: Option<i32>,
    seq: Option<i64>,
    created_at: Option<Moment>,
    dismissed_at: Option<Moment>,
    role: Option<i16>,
    joined_seq: Option<i64>,
    left_seq: Option<i64>,
    past_joined_seq: Option<i64>,
    past_left_seq: Option<i64>,
    joined_at: Option<Moment>,
    name_card: Option<String>,
    mute_until: Option<Moment>,
    custom_fields: Option<String>,
    user_rev: Option<i64>,
    banned: bool,
    ban_until: Option<Moment>,
    ban_reason: Option<String>,
    application_id: Option<ApplicationId>,
    kind: Option<i16>,
    from_user: Option<String>,
    approved_by: Option<String>,
    message: Option<String>,
    added_at: Option<Moment>,
    expires_at: Option<Moment>,
    version: Option<i64>,
    nick_name: Option<String>,
    face_url: Option<String>,
    invite_consent: Option<i16>,
    group_limit: Option<i32>,
    group_count: Option<i32>,
    membership_rev: Option<i64>,
    deleted_at: Option<Moment>,
    deleted_by: Option<String>,
}

/// What is looked for.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) groups: BTreeSet<GroupId>,
    /// How these people are related to the groups.
    pub(crate) people: IdMap<GroupId, IdSet<UserId>>,
    /// Whose own rows.
    pub(crate) users: IdSet<UserId>,
}

/// Reads groups, how people are related to them, and users.
pub(crate) async fn look(
    connection: &mut PgConnection,
    wanted: Wanted,
) -> Result<Found, sqlx::Error> {
    ask(connection, wanted, false).await
}

/// Locks those groups, in order, that nobody else holds, and reads the rest on the way.
pub(crate) async fn lock_and_look(
    connection: &mut PgConnection,
    wanted: Wanted,
) -> Result<Found, sqlx::Error> {
    ask(connection, wanted, true).await
}

#[expect(clippy::too_many_lines, reason = "one statement and its columns")]
async fn ask(
    connection: &mut PgConnection,
    wanted: Wanted,
    lock: bool,
) -> Result<Found, sqlx::Error> {
    let Wanted { groups, people, users } = wanted;
    let ids: Vec<&str> = groups.iter().map(GroupId::as_str).collect();
    let (locked_ids, read_ids) = if lock { (ids, Vec::new()) } else { (Vec::new(), ids) };
    let relations =
        people.iter().flat_map(|(group, users)| users.iter().map(move |user| (group, user)));
    let (group_ids, people_ids): (Vec<&str>, Vec<&str>) =
        relations.map(|(group, user)| (group.as_str(), user.as_str())).unzip();
    let user_ids: Vec<&str> = users.iter().map(UserId::as_str).collect();
    // Wide rows of four kinds: joined to one another they cost a third more.
    let rows = sqlx::query_as!(
        Row,
        r#"with held as materialized (
               select group_id, group_type, own_type, owner_id, join_option, invite_option, max_members,
                      mute_all, member_count, pending_count, seq, created_at, dismissed_at,
                      xmin as version
                 from groups where group_id = any($1::text[])
                order by group_id
                  for no key update skip locked)
           select clock_timestamp() as "now!", s.group_id as "group_id?", null::text as "user_id?",
                  coalesce(h.version = s.version, false) as "unchanged!",
                  h.group_type as "group_type?", h.own_type as "own_type?", h.owner_id as "owner_id?",
                  h.join_option as "join_option?", h.invite_option as "invite_option?",
                  h.max_members as "max_members?", h.mute_all as "mute_all?",
                  h.member_count as "member_count?", h.pending_count as "pending_count?",
                  h.seq as "seq?", h.created_at as "created_at?", h.dismissed_at as "dismissed_at?",
                  null::smallint as "role?", null::bigint as "joined_seq?",
                  null::bigint as "left_seq?", null::bigint as "past_joined_seq?",
                  null::bigint as "past_left_seq?", null::timestamptz as "joined_at?",
                  null::text as "name_card?", null::timestamptz as "mute_until?",
                  null::text as "custom_fields?", null::bigint as "user_rev?",
                  false as "banned!", null::timestamptz as "ban_until?", null::text as "ban_reason?",
                  null::uuid as "application_id?", null::smallint as "kind?",
                  null::text as "from_user?", null::text as "approved_by?", null::text as "message?",
                  null::timestamptz as "added_at?", null::timestamptz as "expires_at?",
                  null::bigint as "version?", null::text as "nick_name?", null::text as "face_url?",
                  null::smallint as "invite_consent?", null::integer as "group_limit?",
                  null::integer as "group_count?", null::bigint as "membership_rev?",
                  null::timestamptz as "deleted_at?", null::text as "deleted_by?"
             from (select group_id, xmin as version from groups where group_id = any($1::text[])) s
             left join held h on h.group_id = s.group_id
           union all
           select clock_timestamp(), group_id, null, true,
                  group_type, own_type, owner_id, join_option, invite_option, max_members, mute_all,
                  member_count, pending_count, seq, created_at, dismissed_at,
                  null, null, null, null, null, null, null, null, null, null,
                  false, null, null, null, null, null, null, null, null, null,
                  xmin::text::bigint, null, null, null, null, null, null, null, null
             from groups where group_id = any($5::text[])
           union all
           select clock_timestamp(), p.group_id, p.user_id, false,
                  null, null, null, null, null, null, null, null, null, null, null, null,
                  m.role, m.joined_seq, m.left_seq, m.past_joined_seq, m.past_left_seq, m.joined_at,
                  m.name_card, m.mute_until, m.custom_fields::text, m.user_rev,
                  b.user_id is not null, b.until, b.reason,
                  a.application_id, a.kind, a.from_user, a.approved_by, a.message, a.added_at,
                  a.expires_at,
                  null, null, null, null, null, null, null, null, null
             from (select unnest($2::text[]) as group_id, unnest($3::text[]) as user_id) p
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
            where m.user_id is not null or b.user_id is not null or a.application_id is not null
           union all
           select clock_timestamp(), null, user_id, false,
                  null, null, null, null, null, null, null, null, pending_count, user_seq, created_at,
                  null, null, null, null, null, null, null, null, null, null, null, false, null, null,
                  null, null, null, null, null, null, null,
                  xmin::text::bigint, nick_name, face_url, invite_consent, group_limit, group_count,
                  membership_rev, deleted_at, deleted_by
             from users where user_id = any($4::text[])
           union all
           -- Of accounts that were here and are not any more, or will not be known before long.
           select clock_timestamp(), null, user_id, false,
                  null, null, null, null, null, null, null, null, null, user_seq, null,
                  null, null, null, null, null, null, null, null, null, null, null, false, null, null,
                  null, null, null, null, null, null, null,
                  null, null, null, null, null, null, null, null, null
             from revocations where user_id = any($4::text[])"#,
        &locked_ids as &[&str],
        &group_ids as &[&str],
        &people_ids as &[&str],
        &user_ids as &[&str],
        &read_ids as &[&str]
    )
    .fetch_all(connection)
    .await?;
    let mut found = Found::default();
    let now = rows.first().map(|row| row.now);
    let mut seen = now.map(|now| Seen::nothing(now, people, users));
    let mut unchanged = true;
    for row in rows {
        match (&row.group_id, &row.user_id) {
            (Some(_), None) => {
                unchanged &= row.unchanged || row.group_type.is_none();
                found.take_group(row)?;
            }
            (Some(_), Some(_)) => {
                if let Some(seen) = &mut seen {
                    take_relation(row.into_relation(), &mut seen.groups)?;
                }
            }
            (None, _) => {
                if let Some(seen) = &mut seen {
                    seen.take_user(row)?;
                }
            }
        }
    }
    found.seen = seen.filter(|_| unchanged);
    Ok(found)
}

impl Found {
    fn take_group(&mut self, row: Row) -> Result<(), sqlx::Error> {
        let Some(group_id) = row.group_id else { return Ok(()) };
        let id = GroupId::from_stored(&group_id);
        if let Some(version) = row.version {
            self.versions.insert(id.clone(), RowVersion::of(version));
        }
        let (Some(group_type), Some(join_option), Some(invite_option), Some(created_at)) =
            (row.group_type, row.join_option, row.invite_option, row.created_at)
        else {
            self.elsewhere.insert(id);
            return Ok(());
        };
        let group = GroupRow {
            group_id,
            group_type,
            own_type: row.own_type,
            owner_id: row.owner_id,
            join_option,
            invite_option,
            max_members: row.max_members,
            mute_all: row.mute_all.unwrap_or_default(),
            member_count: row.member_count.unwrap_or_default(),
            pending_count: row.pending_count.unwrap_or_default(),
            seq: row.seq.unwrap_or_default(),
            created_at,
            dismissed_at: row.dismissed_at,
        };
        self.groups.insert(id, Group::try_from(group)?);
        Ok(())
    }
}

impl Seen {
    /// What is known before anything was found: that these were asked for.
    fn nothing(now: Moment, people: IdMap<GroupId, IdSet<UserId>>, asked: IdSet<UserId>) -> Self {
        let known = |known| GroupFacts { known, ..GroupFacts::default() };
        let groups = people.into_iter().map(|(group, users)| (group, known(users))).collect();
        Self { now, groups, asked, users: IdMap::default() }
    }

    fn take_user(&mut self, row: Row) -> Result<(), sqlx::Error> {
        let Some(user_id) = row.user_id else { return Ok(()) };
        let id = UserId::from_stored(&user_id);
        let user_seq = row.seq.unwrap_or_default();
        let (Some(version), Some(invite_consent), Some(created_at)) =
            (row.version, row.invite_consent, row.created_at)
        else {
            let user = User { user_seq, ..unseen(&id, self.now) };
            self.users.entry(id).or_insert((user, None));
            return Ok(());
        };
        let user = UserRow {
            user_id,
            nick_name: row.nick_name.unwrap_or_default(),
            face_url: row.face_url.unwrap_or_default(),
            invite_consent,
            group_limit: row.group_limit,
            group_count: row.group_count.unwrap_or_default(),
            pending_count: row.pending_count.unwrap_or_default(),
            membership_rev: row.membership_rev.unwrap_or_default(),
            user_seq,
            deleted_at: row.deleted_at,
            deleted_by: row.deleted_by,
            created_at,
            fresh: false,
        };
        self.users.insert(id, (User::try_from(user)?, Some(RowVersion::of(version))));
        Ok(())
    }
}

impl Row {
    fn into_relation(self) -> RelationRow {
        RelationRow {
            now: self.now,
            group_id: self.group_id,
            user_id: self.user_id,
            role: self.role,
            joined_seq: self.joined_seq,
            left_seq: self.left_seq,
            past_joined_seq: self.past_joined_seq,
            past_left_seq: self.past_left_seq,
            joined_at: self.joined_at,
            name_card: self.name_card,
            mute_until: self.mute_until,
            custom_fields: self.custom_fields,
            user_rev: self.user_rev,
            banned: self.banned,
            ban_until: self.ban_until,
            ban_reason: self.ban_reason,
            application_id: self.application_id,
            kind: self.kind,
            from_user: self.from_user,
            approved_by: self.approved_by,
            message: self.message,
            added_at: self.added_at,
            expires_at: self.expires_at,
        }
    }
}
