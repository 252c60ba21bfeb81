//! The end of accounts and credentials: what is revoked, which accounts are being deleted, and what is
//! left of them.

use chrono::TimeDelta;

use crate::model::{Error, GroupId, Moment, Revocation, UserId};

use super::{Store, unavailable};

/// Where a page of [`Store::revocations_since`] ended.
pub type Place = (Moment, UserId);

impl Store {
    /// The database's time.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn now(&self) -> Result<Moment, Error> {
        sqlx::query_scalar!(r#"select clock_timestamp() as "now!""#)
            .fetch_one(self.reads())
            .await
            .map_err(|error| unavailable(&error))
    }

    /// All revocations, in byte order of the users, behind this one.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn revocations(
        &self,
        after: Option<&UserId>,
        most: i64,
    ) -> Result<Vec<Revocation>, Error> {
        let rows = sqlx::query!(
            "select user_id, at, ended, changed_at from revocations
              where user_id > $1 order by user_id limit $2",
            after.map_or("", UserId::as_str),
            most
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(rows
            .into_iter()
            .map(|row| Revocation {
                user: UserId::from_stored(&row.user_id),
                at: row.at,
                ended: row.ended,
                changed_at: row.changed_at,
            })
            .collect())
    }

    /// Revocations that were changed since, oldest change first, behind this place of the page before.
    /// So much is looked back behind `since`, or behind the database's time if that is earlier: a change
    /// becomes visible only with its commit, and clocks are set back.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn revocations_since(
        &self,
        since: Moment,
        look_back: TimeDelta,
        after: Option<&Place>,
        most: i64,
    ) -> Result<Vec<Revocation>, Error> {
        let rows = sqlx::query!(
            "select user_id, at, ended, changed_at from revocations
              where changed_at > least($1, statement_timestamp()) - make_interval(secs => $2)
                and ($3::timestamptz is null or (changed_at, user_id) > ($3, $4))
              order by changed_at, user_id limit $5",
            since,
            look_back.as_seconds_f64(),
            after.map(|(at, _)| *at),
            after.map_or("", |(_, user)| user.as_str()),
            most
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(rows
            .into_iter()
            .map(|row| Revocation {
                user: UserId::from_stored(&row.user_id),
                at: row.at,
                ended: row.ended,
                changed_at: row.changed_at,
            })
            .collect())
    }

    /// How many accounts are being deleted.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn accounts_being_deleted(&self) -> Result<i64, Error> {
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from users where deleted_at is not null"#
        )
        .fetch_one(self.reads())
        .await
        .map_err(|error| unavailable(&error))
    }

    /// Accounts that are being deleted, oldest deletion first, behind this place of the page before.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn deleted_accounts(
        &self,
        after: Option<&Place>,
        most: i64,
    ) -> Result<Vec<Place>, Error> {
        let rows = sqlx::query!(
            r#"select deleted_at as "deleted_at!", user_id from users
                where deleted_at is not null
                  and ($1::timestamptz is null or (deleted_at, user_id) > ($1, $2))
                order by deleted_at, user_id limit $3"#,
            after.map(|(at, _)| *at),
            after.map_or("", |(_, user)| user.as_str()),
            most
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(rows
            .into_iter()
            .map(|row| (row.deleted_at, UserId::from_stored(&row.user_id)))
            .collect())
    }

    /// Groups that somebody is a member of, or in which an open application concerns him, in byte order
    /// behind this one.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn groups_to_depart(
        &self,
        user: &UserId,
        after: Option<&GroupId>,
        most: i64,
    ) -> Result<Vec<GroupId>, Error> {
        let ids = sqlx::query_scalar!(
            r#"(select group_id as "group_id!" from members
                 where user_id = $1 and left_seq is null and group_id > $2
                 order by group_id limit $3)
               union
               (select group_id from applications
                 where subject = $1 and state = 0 and group_id > $2)
               union
               (select distinct group_id from applications
                 where from_user = $1 and state = 0 and group_id > $2
                 order by group_id limit $3)
               order by 1 limit $3"#,
            user.as_str(),
            after.map_or("", GroupId::as_str),
            most
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(ids.iter().map(|id| GroupId::from_stored(id)).collect())
    }

    /// Removes, in one bounded step, what is kept of an account that is being deleted: events of its own,
    /// memberships that have ended, bans. Returns how many rows went: none, when nothing is left.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn trim_account(&self, user: &UserId, most: i64) -> Result<i64, Error> {
        sqlx::query_scalar!(
            r#"with gone as (
                   select user_id from users where user_id = $1 and deleted_at is not null
               ), past_events as (
                   delete from user_events where user_id in (select user_id from gone) and seq in (
                       select seq from user_events where user_id = $1 order by seq limit $2)
                   returning 1
               ), past_memberships as (
                   delete from members
                    where user_id in (select user_id from gone) and left_seq is not null
                      and group_id in (
                       select group_id from members
                        where user_id = $1 and left_seq is not null order by group_id limit $2)
                   returning 1
               ), past_bans as (
                   delete from bans where user_id in (select user_id from gone) and group_id in (
                       select group_id from bans where user_id = $1 order by group_id limit $2)
                   returning 1
               )
               select (select count(*) from past_events) + (select count(*) from past_memberships)
                    + (select count(*) from past_bans) as "count!""#,
            user.as_str(),
            most
        )
        .fetch_one(self.reads())
        .await
        .map_err(|error| unavailable(&error))
    }
}
