//! Locking groups and users and waiting for them, and reading the same rows without a lock.
//!
//! Groups before users, each in byte order of the id, always `FOR NO KEY UPDATE`. What else matters is read by a
//! later statement (see [`super::facts`]): one that waited for a lock still sees the database as it was before the
//! wait. Without a wait, [`super::ahead`] does both at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sqlx::PgConnection;

use super::unknown_code;
use crate::model::{
    Group, GroupId, GroupType, IdSet, InviteConsent, InviteOption, JoinOption, Moment, User, UserId,
};

/// The columns of a group's row.
pub(super) struct GroupRow {
    pub(super) group_id: String,
    pub(super) group_type: i16,
    pub(super) own_type: Option<String>,
    pub(super) owner_id: Option<String>,
    pub(super) join_option: i16,
    pub(super) invite_option: i16,
    pub(super) max_members: Option<i32>,
    pub(super) mute_all: bool,
    pub(super) member_count: i32,
    pub(super) pending_count: i32,
    pub(super) seq: i64,
    pub(super) created_at: Moment,
    pub(super) dismissed_at: Option<Moment>,
}

impl TryFrom<GroupRow> for Group {
    type Error = sqlx::Error;

    fn try_from(row: GroupRow) -> Result<Self, Self::Error> {
        Ok(Self {
            id: GroupId::from_stored(&row.group_id),
            group_type: GroupType::from_code(row.group_type)
                .ok_or_else(|| unknown_code("group type", row.group_type))?,
            own_type: row.own_type.map(Arc::from),
            owner: row.owner_id.as_deref().map(UserId::from_stored),
            join_option: JoinOption::from_code(row.join_option)
                .ok_or_else(|| unknown_code("join option", row.join_option))?,
            invite_option: InviteOption::from_code(row.invite_option)
                .ok_or_else(|| unknown_code("invite option", row.invite_option))?,
            max_members: row.max_members,
            mute_all: row.mute_all,
            member_count: row.member_count,
            pending_count: row.pending_count,
            seq: row.seq,
            created_at: row.created_at,
            dismissed_at: row.dismissed_at,
        })
    }
}

/// Locks groups in order, waiting for those that others hold.
pub(crate) async fn lock_groups(
    connection: &mut PgConnection,
    ids: &BTreeSet<GroupId>,
) -> Result<Vec<Group>, sqlx::Error> {
    let ids: Vec<&str> = ids.iter().map(GroupId::as_str).collect();
    let rows = sqlx::query_as!(
        GroupRow,
        r#"select group_id, group_type, own_type, owner_id, join_option, invite_option,
                  max_members, mute_all, member_count, pending_count, seq, created_at, dismissed_at
             from groups where group_id = any($1::text[])
            order by group_id
              for no key update"#,
        &ids as &[&str]
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Group::try_from).collect()
}

/// Groups as they are, without a lock.
pub(crate) async fn read_groups(
    connection: &mut PgConnection,
    ids: &[GroupId],
) -> Result<Vec<Group>, sqlx::Error> {
    let ids: Vec<&str> = ids.iter().map(GroupId::as_str).collect();
    let rows = sqlx::query_as!(
        GroupRow,
        r#"select group_id, group_type, own_type, owner_id, join_option, invite_option,
                  max_members, mute_all, member_count, pending_count, seq, created_at, dismissed_at
             from groups where group_id = any($1::text[])"#,
        &ids as &[&str]
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Group::try_from).collect()
}

/// The database's time.
pub(crate) async fn now(connection: &mut PgConnection) -> Result<Moment, sqlx::Error> {
    sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#).fetch_one(connection).await
}

/// The columns of a user's row.
pub(super) struct UserRow {
    pub(super) user_id: String,
    pub(super) nick_name: String,
    pub(super) face_url: String,
    pub(super) invite_consent: i16,
    pub(super) group_limit: Option<i32>,
    pub(super) group_count: i32,
    pub(super) pending_count: i32,
    pub(super) membership_rev: i64,
    pub(super) user_seq: i64,
    pub(super) deleted_at: Option<Moment>,
    pub(super) deleted_by: Option<String>,
    pub(super) created_at: Moment,
    pub(super) fresh: bool,
}

impl TryFrom<UserRow> for User {
    type Error = sqlx::Error;

    fn try_from(row: UserRow) -> Result<Self, Self::Error> {
        Ok(Self {
            id: UserId::from_stored(&row.user_id),
            nick_name: row.nick_name,
            face_url: row.face_url,
            invite_consent: InviteConsent::from_code(row.invite_consent)
                .ok_or_else(|| unknown_code("consent", row.invite_consent))?,
            group_limit: row.group_limit,
            group_count: row.group_count,
            pending_count: row.pending_count,
            membership_rev: row.membership_rev,
            user_seq: row.user_seq,
            deleted_at: row.deleted_at,
            deleted_by: row.deleted_by.as_deref().map(UserId::from_stored),
            created_at: row.created_at,
            fresh: row.fresh,
        })
    }
}

/// Locks users in order. For those of `make` that are absent there is a row as it would begin: it is written
/// with the batch ([`super::write`]), if anything needs it.
///
/// An absent row cannot be locked. Two sessions that both think that they make it find out when they insert
/// it: one of them waits, makes nothing and tries again. Rows are inserted only after all locks are taken, and
/// in order, so nobody waits in a circle. Where an account of this id was deleted, the numbers of the new
/// one's own events go on behind those of the old one.
pub(crate) async fn lock_users(
    connection: &mut PgConnection,
    lock: &IdSet<UserId>,
    make: &IdSet<UserId>,
    now: Moment,
) -> Result<BTreeMap<UserId, User>, sqlx::Error> {
    let ids: Vec<&str> = lock.iter().map(UserId::as_str).collect();
    let may_begin: Vec<&str> = make.iter().map(UserId::as_str).collect();
    let rows = sqlx::query_as!(
        UserRow,
        r#"select user_id as "user_id!", nick_name as "nick_name!", face_url as "face_url!",
                  invite_consent as "invite_consent!", group_limit, group_count as "group_count!",
                  pending_count as "pending_count!", membership_rev as "membership_rev!",
                  user_seq as "user_seq!", deleted_at, deleted_by, created_at as "created_at!",
                  false as "fresh!"
             from (select * from users where user_id = any($1::text[])
                    order by user_id for no key update) held
           union all
           select user_id, '', '', 1::smallint, null, 0, 0, 0, user_seq, null, null, at, true
             from revocations where user_id = any($2::text[])"#,
        &ids as &[&str],
        &may_begin as &[&str]
    )
    .fetch_all(connection)
    .await?;
    let mut users = BTreeMap::new();
    for row in rows {
        let user = User::try_from(row)?;
        if user.fresh {
            let after = user.user_seq;
            users
                .entry(user.id.clone())
                .or_insert(User { user_seq: after, ..unseen(&user.id, now) });
        } else {
            users.insert(user.id.clone(), user);
        }
    }
    for id in make {
        users.entry(id.clone()).or_insert_with(|| unseen(id, now));
    }
    Ok(users)
}

/// A user that nobody has seen yet, as his row would begin.
pub(crate) fn unseen(id: &UserId, now: Moment) -> User {
    User {
        id: id.clone(),
        nick_name: String::new(),
        face_url: String::new(),
        invite_consent: InviteConsent::Auto,
        group_limit: None,
        group_count: 0,
        pending_count: 0,
        membership_rev: 0,
        user_seq: 0,
        deleted_at: None,
        deleted_by: None,
        created_at: now,
        fresh: true,
    }
}

/// Users as they are, without a lock.
pub(crate) async fn read_users(
    connection: &mut PgConnection,
    ids: &IdSet<UserId>,
) -> Result<BTreeMap<UserId, User>, sqlx::Error> {
    let ids: Vec<&str> = ids.iter().map(UserId::as_str).collect();
    let rows = sqlx::query_as!(
        UserRow,
        r#"select user_id, nick_name, face_url, invite_consent, group_limit, group_count,
                  pending_count, membership_rev, user_seq, deleted_at, deleted_by, created_at,
                  false as "fresh!"
             from users where user_id = any($1::text[])"#,
        &ids as &[&str]
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|row| User::try_from(row).map(|user| (user.id.clone(), user))).collect()
}
