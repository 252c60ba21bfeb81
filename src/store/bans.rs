//! Reading bans. Those that have ended are as if they were not there.

use crate::model::{Ban, Error, GroupId, Moment, UserId};

use super::{Store, unavailable};

/// A ban as lists show it.
#[derive(Clone, Debug)]
pub struct BanView {
    /// Who is kept out.
    pub user: UserId,
    /// Until when, and why.
    pub ban: Ban,
    /// By whom.
    pub by: UserId,
    /// Since when.
    pub at: Moment,
}

impl Store {
    /// A page of a group's bans in byte order of the people's ids.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn bans(
        &self,
        group: &GroupId,
        after: Option<&UserId>,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<BanView>, Error> {
        let rows = sqlx::query!(
            "select user_id, until, reason, banned_by, banned_at from bans
              where group_id = $1 and ($2::text is null or user_id > $2)
                and (until is null or until > clock_timestamp())
              order by user_id offset $3 limit $4",
            group.as_str(),
            after.map(UserId::as_str) as Option<&str>,
            offset,
            limit
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(rows
            .into_iter()
            .map(|row| BanView {
                user: UserId::from_stored(&row.user_id),
                ban: Ban { until: row.until, reason: row.reason },
                by: UserId::from_stored(&row.banned_by),
                at: row.banned_at,
            })
            .collect())
    }

    /// Somebody's ban from a group.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn ban(&self, group: &GroupId, user: &UserId) -> Result<Option<BanView>, Error> {
        let row = sqlx::query!(
            "select until, reason, banned_by, banned_at from bans
              where group_id = $1 and user_id = $2
                and (until is null or until > clock_timestamp())",
            group.as_str(),
            user.as_str()
        )
        .fetch_optional(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(row.map(|row| BanView {
            user: user.clone(),
            ban: Ban { until: row.until, reason: row.reason },
            by: UserId::from_stored(&row.banned_by),
            at: row.banned_at,
        }))
    }
}
