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

/// A part of a group's log.
#[derive(Debug, Default)]
pub struct History {
    /// The number of the oldest entry that the log still holds, or will hold next.
    pub oldest: i64,
    /// The entries that were asked for.
    pub entries: Vec<LogEntry>,
}

/// What a connection starts from: one state of the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// The epoch of the logs.
    pub epoch: String,
    /// The number of the newest event of the user's own stream.
    pub user_seq: i64,
    /// His `membership_rev`: it rises with each change of his memberships. 0 without an account.
    pub rev: i64,
    /// The database's clock.
    pub now: Moment,
    /// The oldest that the stream still holds, if he stands before its end.
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
    /// The oldest that the log still holds, if he stands before its end, or before that of his membership.
    pub oldest: Option<i64>,
}

/// Where a client stands that comes back.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The last event of the user's own stream that it has seen.
    pub user: Option<i64>,
    /// The last event that it has seen of each group.
    pub groups: &'a BTreeMap<GroupId, i64>,
}

impl EventRow {
    fn entry(self, stream: StreamKey) -> Result<LogEntry, sqlx::Error> {
        let kind = EventKind::from_code(self.kind)
            .ok_or_else(|| unknown_code("kind of event", self.kind))?;
        Ok(LogEntry::from_stored(stream, self.seq, self.at, kind, &self.frame))
    }
}

impl Store {
    /// The entries of a group's log behind `after`, at most `limit` of them, and the number of the oldest
    /// that it still holds: the next one that will be, if it holds none. Nothing of a group that never was.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn history(&self, group: &GroupId, after: i64, limit: i64) -> Result<History, Error> {
        let rows = sqlx::query!(
            r#"select coalesce(o.seq, g.seq + 1) as "oldest!",
                      e.seq as "seq?", e.kind as "kind?", e.at as "at?", e.frame as "frame?"
                 from groups g
                 left join lateral (select x.seq from group_events x where x.group_id = g.group_id
                                     order by x.seq limit 1) o on true
                 left join lateral (select x.seq, x.kind, x.at, x.frame from group_events x
                                     where x.group_id = g.group_id and x.seq > $2
                                     order by x.seq limit $3) e on true
                where g.group_id = $1
                order by e.seq"#,
            group.as_str(),
            after,
            limit
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        let mut history = History::default();
        for row in rows {
            history.oldest = row.oldest;
            if let (Some(seq), Some(kind), Some(at), Some(frame)) =
                (row.seq, row.kind, row.at, row.frame)
            {
                let entry =
                    EventRow { seq, kind, at, frame }.entry(StreamKey::Group(group.clone()));
                history.entries.push(entry.map_err(|error| unavailable(&error))?);
            }
        }
        Ok(history)
    }

    /// What a connection of a user starts from, in one statement and so of one moment: his memberships, and
    /// of the groups that he asks for also those that have ended. Each membership is one probe of an index;
    /// a log is only looked into where the client stands before its end.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away or in recovery.
    pub async fn snapshot(
        &self,
        user: &UserId,
        asked: Option<Asked<'_>>,
    ) -> Result<Snapshot, Error> {
        let places = asked.map(|asked| asked.groups);
        let (names, seqs): (Vec<&str>, Vec<i64>) =
            places.into_iter().flatten().map(|(id, seq)| (id.as_str(), *seq)).unzip();
        let rows = sqlx::query_as!(
            SnapshotRow,
            r#"with asked as (
                   select group_id, seq from unnest($2::text[], $3::bigint[]) as a(group_id, seq)),
               present as (
                   select group_id, role, joined_seq, left_seq from members
                    where user_id = $1 and left_seq is null),
               mine as (
                   select * from present
                   union all
                   select a.group_id, m.role, m.joined_seq, m.left_seq
                     from asked a
                    cross join lateral (select role, joined_seq, left_seq from members x
                                         where x.group_id = a.group_id and x.user_id = $1
                                           and x.left_seq is not null offset 0) m
                    where not exists (select from present p where p.group_id = a.group_id))
               select i.epoch, s.system_identifier as "system!", w.file as "wal!",
                      w.now as "now!", coalesce(u.user_seq, 0) as "user_seq!",
                      coalesce(u.membership_rev, 0) as "rev!", h.seq as "user_oldest?",
                      m.group_id as "group_id?", m.role as "role?", m.joined_seq as "joined_seq?",
                      g.left_seq, g.seq as "head?", o.seq as "oldest?"
                 from instance i
                cross join pg_control_system() s
                cross join (select pg_walfile_name(pg_current_wal_lsn()) as file,
                                   clock_timestamp() as now) w
                 left join users u on u.user_id = $1
                 left join lateral (
                     select e.seq from user_events e
                      where e.user_id = $1 and $4::bigint < u.user_seq
                      order by e.seq limit 1) h on true
                 left join mine m on true
                 left join asked a on a.group_id = m.group_id
                 left join lateral (
                     select x.seq, coalesce(m.left_seq, case when x.dismissed_at is not null then x.seq end)
                                       as left_seq
                       from groups x where x.group_id = m.group_id offset 0) g on true
                 left join lateral (
                     select e.seq from group_events e
                      where e.group_id = m.group_id and $5::boolean
                        and coalesce(a.seq, 0) < coalesce(g.left_seq, g.seq)
                      order by e.seq limit 1) o on true
                order by m.group_id"#,
            user.as_str(),
            &names as &[&str],
            &seqs,
            asked.and_then(|asked| asked.user),
            asked.is_some()
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unreadable(&error))?;
        Snapshot::of(rows).map_err(|error| unavailable(&error))
    }
}

struct SnapshotRow {
    epoch: uuid::Uuid,
    system: i64,
    wal: String,
    user_seq: i64,
    rev: i64,
    now: Moment,
    user_oldest: Option<i64>,
    group_id: Option<String>,
    role: Option<i16>,
    joined_seq: Option<i64>,
    left_seq: Option<i64>,
    head: Option<i64>,
    oldest: Option<i64>,
}

impl Snapshot {
    /// Rows that say the same of the user, and each something of another group; one without a group if he
    /// has none.
    fn of(rows: Vec<SnapshotRow>) -> Result<Self, sqlx::Error> {
        let mut snapshot = Self::default();
        if let Some(row) = rows.first() {
            snapshot.epoch = printed(row.epoch, row.system, &row.wal)?;
            snapshot.user_seq = row.user_seq;
            snapshot.rev = row.rev;
            snapshot.now = row.now;
            snapshot.user_oldest = row.user_oldest;
        }
        for row in rows {
            if let (Some(group), Some(code), Some(joined_seq), Some(head)) =
                (row.group_id, row.role, row.joined_seq, row.head)
            {
                snapshot.groups.push(SnapshotGroup {
                    group: GroupId::from_stored(&group),
                    role: Role::from_code(code).ok_or_else(|| unknown_code("role", code))?,
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
