//! What happens by itself: things that are due, and things nobody needs any more.

use crate::model::{Application, Error, GroupId};

use super::facts::ApplicationRow;
use super::{Store, unavailable};

impl Store {
    /// Open applications whose time is over.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn due_applications(&self, most: i64) -> Result<Vec<Application>, Error> {
        let rows = sqlx::query_as!(
            ApplicationRow,
            r#"select group_id, application_id, kind, from_user, subject, approved_by, message,
                      added_at, expires_at, state, ending, handled_by, handled_message, handled_at
                 from applications where state = 0 and expires_at <= clock_timestamp()
                order by expires_at limit $1"#,
            most
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        rows.into_iter()
            .map(|row| Application::try_from(row).map_err(|error| unavailable(&error)))
            .collect()
    }

    /// Dismissed groups of which something is left to release, with their members, those first that were
    /// dismissed first.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn unreleased_groups(&self, most: i64) -> Result<Vec<(GroupId, i32)>, Error> {
        let rows = sqlx::query!(
            r#"select r.group_id, g.member_count
                 from (select * from group_releases order by since, group_id limit $1) r
                cross join lateral (select member_count from groups x
                                     where x.group_id = r.group_id offset 0) g
                order by r.since, r.group_id"#,
            most
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(rows.iter().map(|row| (GroupId::from_stored(&row.group_id), row.member_count)).collect())
    }

    /// How many dismissed groups are not released yet, and how many members are left in them.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn left_to_release(&self) -> Result<(i64, i64), Error> {
        let left = sqlx::query!(
            r#"select count(*) as "groups!", coalesce(sum(g.member_count), 0) as "members!"
                 from group_releases r
                cross join lateral (select member_count from groups x
                                     where x.group_id = r.group_id offset 0) g"#
        )
        .fetch_one(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok((left.groups, left.members))
    }

    /// Forgets, in bounded steps, stored replies after their day and batches after an hour, when no
    /// COMMIT can be in doubt any more. Ids of batches are in the order of time, so those to go are first. Returns how many rows went.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn sweep(&self) -> Result<u64, Error> {
        let replies = sqlx::query!(
            "delete from stored_replies where scope in (
                 select scope from stored_replies
                  where stored_at < clock_timestamp() - interval '25 hours' limit 10000)"
        )
        .execute(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        let batches = sqlx::query!(
            "delete from batches where batch_id in (
                 select batch_id from (
                        (select * from batches order by batch_id limit 20000)
                        union all
                        -- Ids that older versions made are in no order.
                        (select * from batches order by batch_id desc limit 1000)) ends
                  where committed_at < clock_timestamp() - interval '1 hour')"
        )
        .execute(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(replies.rows_affected() + batches.rows_affected())
    }
}
