//! Reading the logs, and where a connection starts in them.

use std::collections::BTreeMap;

use crate::model::{Error, EventKind, GroupId, LogEntry, Moment, Role, StreamKey, UserId};

use super::epoch::{printed, unreadable};
use super::{Store, unavailable, unknown_code};

struct EventRow {
    seq: i64,
    kind: i16,
    at: Moment,
    frame: String,
}

/// What a connection starts from: one state of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The epoch of the logs.
    pub epoch: String,
    /// The number of the newest event of the user's own stream.
    pub user_seq: i64,
    /// How often his memberships have changed.
    pub rev: i64,
    /// The database's clock.
    pub now: Moment,
    /// The oldest that the stream still holds.
    pub user_oldest: Option<i64>,
    /// His memberships, in byte order of the groups.
    pub groups: Vec<SnapshotGroup>,
}

/// A user's present or last membership of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotGroup {
    /// The group.
    pub group: GroupId,
    /// His role.
    pub role: Role,
    /// The event that made him a member.
    pub joined_seq: i64,
    /// The event that ended it; the dismissal if the group is gone.
    pub left_seq: Option<i64>,
    /// The number of the log's newest event.
    pub head: i64,
    /// The oldest that the log still holds.
    pub oldest: Option<i64>,
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

    /// What a connection of a user starts from, in one statement and so of one moment: his memberships, and
    /// of the groups that are asked for also those that have ended. The oldest events are only looked up
    /// for a client that resumes.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn snapshot(
        &self,
        user: &UserId,
        asked: Option<&BTreeMap<GroupId, i64>>,
    ) -> Result<Snapshot, Error> {
        let names: Vec<&str> = asked.into_iter().flatten().map(|(id, _)| id.as_str()).collect();
        let rows = sqlx::query!(
            r#"with mine as (
                   select group_id, role, joined_seq, left_seq from members
                    where user_id = $1 and left_seq is null
                   union all
                   select group_id, role, joined_seq, left_seq from members
                    where user_id = $1 and group_id = any($2::text[]) and left_seq is not null)
               select i.epoch, s.system_identifier as "system!", w.file as "wal!",
                      coalesce(u.user_seq, 0) as "user_seq!",
                      coalesce(u.membership_rev, 0) as "rev!", clock_timestamp() as "now!",
                      (select min(e.seq) from user_events e
                        where $3::boolean and e.user_id = $1) as user_oldest,
                      g.group_id as "group_id?", m.role as "role?", m.joined_seq as "joined_seq?",
                      coalesce(m.left_seq, case when g.dismissed_at is not null then g.seq end)
                          as left_seq,
                      g.seq as "head?",
                      (select min(e.seq) from group_events e
                        where $3::boolean and e.group_id = g.group_id) as oldest
                 from instance i
                cross join pg_control_system() s
                cross join (select pg_walfile_name(pg_current_wal_lsn()) as file) w
                 left join users u on u.user_id = $1
                 left join mine m on true
                 left join groups g on g.group_id = m.group_id
                order by g.group_id"#,
            user.as_str(),
            &names as &[&str],
            asked.is_some()
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unreadable(&error))?;
        let mut snapshot = Snapshot::default();
        for row in rows {
            snapshot.epoch =
                printed(row.epoch, row.system, &row.wal).map_err(|error| unavailable(&error))?;
            snapshot.user_seq = row.user_seq;
            snapshot.rev = row.rev;
            snapshot.now = row.now;
            snapshot.user_oldest = row.user_oldest;
            if let (Some(group), Some(code), Some(joined_seq), Some(head)) =
                (row.group_id, row.role, row.joined_seq, row.head)
            {
                snapshot.groups.push(SnapshotGroup {
                    group: GroupId::from_stored(&group),
                    role: Role::from_code(code)
                        .ok_or_else(|| unavailable(&unknown_code("role", code)))?,
                    joined_seq,
                    left_seq: row.left_seq,
                    head,
                    oldest: row.oldest,
                });
            }
        }
        Ok(snapshot)
    }
}
