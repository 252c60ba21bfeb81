//! Reading the logs.

use crate::model::{Error, EventKind, GroupId, LogEntry, Moment, StreamKey, UserId};

use super::{Store, unavailable, unknown_code};

struct EventRow {
    seq: i64,
    kind: i16,
    at: Moment,
    frame: String,
}

impl EventRow {
    fn entry(self, stream: StreamKey) -> Result<LogEntry, sqlx::Error> {
        let kind = EventKind::from_code(self.kind)
            .ok_or_else(|| unknown_code("kind of event", self.kind))?;
        Ok(LogEntry::from_stored(stream, self.seq, self.at, kind, &self.frame))
    }
}

impl Store {
    /// The entries of a stream numbered `after + 1` to `through`, at most `limit` of them.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn log(
        &self,
        stream: &StreamKey,
        after: i64,
        through: i64,
        limit: i64,
    ) -> Result<Vec<LogEntry>, Error> {
        let rows = match stream {
            StreamKey::Group(group) => self.group_log(group, after, through, limit).await,
            StreamKey::User(user) => self.user_log(user, after, through, limit).await,
        };
        rows.map_err(|error| unavailable(&error))?
            .into_iter()
            .map(|row| row.entry(stream.clone()).map_err(|error| unavailable(&error)))
            .collect()
    }

    async fn group_log(
        &self,
        group: &GroupId,
        after: i64,
        through: i64,
        limit: i64,
    ) -> Result<Vec<EventRow>, sqlx::Error> {
        sqlx::query_as!(
            EventRow,
            "select seq, kind, at, frame from group_events
              where group_id = $1 and seq > $2 and seq <= $3 order by seq limit $4",
            group.as_str(),
            after,
            through,
            limit
        )
        .fetch_all(self.reads())
        .await
    }

    async fn user_log(
        &self,
        user: &UserId,
        after: i64,
        through: i64,
        limit: i64,
    ) -> Result<Vec<EventRow>, sqlx::Error> {
        sqlx::query_as!(
            EventRow,
            "select seq, kind, at, frame from user_events
              where user_id = $1 and seq > $2 and seq <= $3 order by seq limit $4",
            user.as_str(),
            after,
            through,
            limit
        )
        .fetch_all(self.reads())
        .await
    }

    /// The number of the oldest entry that a group's log still holds.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn oldest(&self, group: &GroupId) -> Result<Option<i64>, Error> {
        sqlx::query_scalar!(
            "select seq from group_events where group_id = $1 order by seq limit 1",
            group.as_str()
        )
        .fetch_optional(self.reads())
        .await
        .map_err(|error| unavailable(&error))
    }

    /// The epoch of the logs: the stored one joined with the server's identity and timeline, so that a
    /// restored or promoted database has another.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn epoch(&self) -> Result<String, Error> {
        let row = sqlx::query!(
            r#"select i.epoch, s.system_identifier as "system!", c.timeline_id as "timeline!"
                 from instance i, pg_control_system() s, pg_control_checkpoint() c"#
        )
        .fetch_one(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(format!("{}-{:x}-{}", row.epoch.simple(), row.system, row.timeline))
    }
}
