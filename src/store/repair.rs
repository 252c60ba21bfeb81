//! What the repair of deliveries asks: which logs grew, which memberships changed.
//!
//! These questions have a connection of their own, so that they are answered while callers keep the pool
//! busy.

use std::collections::BTreeMap;

use crate::model::{Error, GroupId, Moment, StreamKey, UserId};

use super::{Store, epoch, unavailable};

/// Most entries that one sweep looks at in each family of logs, and those of one transaction more.
const SWEEP: i64 = 20_000;

/// Which logs grew, in the order in which transactions began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The epoch of the logs.
    pub epoch: std::sync::Arc<str>,
    /// Where the next sweep goes on.
    pub next: i64,
    /// Whether it should do so at once.
    pub more: bool,
    /// The oldest transaction that is still running: what it and those after it write, no sweep shows.
    /// Nothing when none is running.
    pub held_by: Option<i64>,
    /// The database's clock.
    pub now: Moment,
    /// How far logs reach at least.
    pub heads: Vec<(StreamKey, i64)>,
}

/// Who runs a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who and what, for people.
    pub who: String,
    /// Since when.
    pub since: Option<Moment>,
}

/// How a user's memberships changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserChanges {
    /// The user.
    pub user: UserId,
    /// How often they have changed in all.
    pub rev: i64,
    /// Those that did since the number of changes that was asked with.
    pub memberships: Vec<ChangedMembership>,
}

/// A membership that began or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedMembership {
    /// The group.
    pub group: GroupId,
    /// The event that began it.
    pub joined_seq: i64,
    /// The event that ended it; the dismissal if the group is gone.
    pub left_seq: Option<i64>,
    /// Whether there was another one before it.
    pub again: bool,
    /// The number of the log's newest event.
    pub head: i64,
}

/// What a sweep saw.
#[derive(Default)]
struct Grown {
    heads: BTreeMap<StreamKey, i64>,
    /// Of the logs of groups and of personal ones: how many entries were seen, and the last transaction.
    seen: [(i64, i64); 2],
}

impl Grown {
    fn add(&mut self, key: StreamKey, seq: i64, transaction: i64) {
        let family = usize::from(matches!(key, StreamKey::User(_)));
        let (count, last) = &mut self.seen[family];
        *count += 1;
        *last = transaction.max(*last);
        let head = self.heads.entry(key).or_insert(seq);
        *head = seq.max(*head);
    }

    /// Where the next sweep goes on if this one was full.
    fn full(&self) -> Option<i64> {
        let full = self.seen.iter().filter(|(count, _)| *count >= SWEEP);
        full.map(|(_, last)| last + 1).min()
    }
}

fn key(personal: bool, id: &str) -> StreamKey {
    if personal {
        StreamKey::User(UserId::from_stored(id))
    } else {
        StreamKey::Group(GroupId::from_stored(id))
    }
}

impl Store {
    /// Which logs grew by transactions numbered from `from` on, as far as all of those before the oldest
    /// running one go. Without `from` nothing but where to begin.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn sweep_logs(&self, from: Option<i64>) -> Result<Sweep, Error> {
        let rows = sqlx::query!(
            r#"with h as materialized (
                   select pg_snapshot_xmin(s)::text::bigint as xmin,
                          pg_snapshot_xmax(s)::text::bigint as xmax
                     from pg_current_snapshot() s),
               grown as materialized (
                   (select false as personal, e.group_id as id, e.seq, e.xid
                      from group_events e
                     where e.xid >= $1::bigint::text::xid8
                       and e.xid < (select xmin::text::xid8 from h)
                     order by e.xid fetch first $2 rows with ties)
                   union all
                   (select true, e.user_id, e.seq, e.xid
                      from user_events e
                     where e.xid >= $1::bigint::text::xid8
                       and e.xid < (select xmin::text::xid8 from h)
                     order by e.xid fetch first $2 rows with ties))
               select i.epoch, s.system_identifier as "system!",
                      pg_walfile_name(pg_current_wal_lsn()) as "wal!",
                      h.xmin as "xmin!", h.xmax as "xmax!", clock_timestamp() as "now!",
                      g.personal as "personal?", g.id as "id?", g.seq as "seq?",
                      g.xid::text::bigint as xid
                 from instance i
                cross join pg_control_system() s
                cross join h
                 left join grown g on true"#,
            from,
            SWEEP
        )
        .fetch_all(&self.repairs)
        .await
        .map_err(|error| epoch::unreadable(&error))?;
        let first = rows.first().ok_or_else(|| Error::internal("the database has no epoch"))?;
        let printed = epoch::printed(first.epoch, first.system, &first.wal)
            .map_err(|error| unavailable(&error))?;
        let (xmin, now) = (first.xmin, first.now);
        let held_by = (first.xmin < first.xmax).then_some(first.xmin);
        let mut grown = Grown::default();
        for row in rows {
            if let (Some(personal), Some(id), Some(seq), Some(xid)) =
                (row.personal, row.id, row.seq, row.xid)
            {
                grown.add(key(personal, &id), seq, xid);
            }
        }
        let full = grown.full();
        Ok(Sweep {
            epoch: printed.into(),
            next: full.unwrap_or(xmin),
            more: full.is_some(),
            held_by,
            now,
            heads: grown.heads.into_iter().collect(),
        })
    }

    /// Who runs this transaction, if that can be seen: a session of another role shows itself only to
    /// members of `pg_read_all_stats`.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn holder(&self, transaction: i64) -> Result<Option<Holder>, Error> {
        // Sessions show the lower half of the number.
        let short = transaction & i64::from(u32::MAX);
        let found = sqlx::query!(
            r#"select format('process %s (%s) of role %s in database %s, %s', pid,
                             coalesce(nullif(application_name, ''), 'without a name'),
                             coalesce(usename, '?'), coalesce(datname, '?'),
                             coalesce(state, 'at work')) as "who!", xact_start as since
                 from pg_stat_activity where backend_xid::text::bigint = $1
               union all
               select format('prepared transaction %L of role %s in database %s', gid, owner, database),
                      prepared
                 from pg_prepared_xacts where transaction::text::bigint = $1
               limit 1"#,
            short
        )
        .fetch_optional(&self.repairs)
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(found.map(|row| Holder { who: row.who, since: row.since }))
    }

    /// Of these streams those that reach further than the number beside them, and how far.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn heads(
        &self,
        streams: &[(StreamKey, i64)],
    ) -> Result<Vec<(StreamKey, i64)>, Error> {
        let (mut groups, mut group_seqs) = (Vec::new(), Vec::new());
        let (mut users, mut user_seqs) = (Vec::new(), Vec::new());
        for (key, seq) in streams {
            match key {
                StreamKey::Group(group) => {
                    groups.push(group.as_str());
                    group_seqs.push(*seq);
                }
                StreamKey::User(user) => {
                    users.push(user.as_str());
                    user_seqs.push(*seq);
                }
            }
        }
        let rows = sqlx::query!(
            r#"select false as "personal!", k.id as "id!", g.seq as "seq!"
                 from unnest($1::text[], $2::bigint[]) as k(id, seq)
                cross join lateral (select x.seq from groups x
                                     where x.group_id = k.id collate "C" and x.seq > k.seq offset 0) g
               union all
               select true, k.id, u.seq
                 from unnest($3::text[], $4::bigint[]) as k(id, seq)
                cross join lateral (select x.user_seq as seq from users x
                                     where x.user_id = k.id collate "C" and x.user_seq > k.seq
                                    offset 0) u"#,
            &groups as &[&str],
            &group_seqs,
            &users as &[&str],
            &user_seqs
        )
        .fetch_all(&self.repairs)
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(rows.iter().map(|row| (key(row.personal, &row.id), row.seq)).collect())
    }

    /// Of these users those whose memberships have changed more often than the number beside them, with the
    /// memberships that did. One statement, whatever their number.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn changed_memberships(
        &self,
        users: &[(UserId, i64)],
    ) -> Result<Vec<UserChanges>, Error> {
        let ids: Vec<&str> = users.iter().map(|(user, _)| user.as_str()).collect();
        let revs: Vec<i64> = users.iter().map(|(_, rev)| *rev).collect();
        let rows = sqlx::query!(
            r#"select k.user_id as "user_id!", u.membership_rev as "rev!",
                      m.group_id as "group_id?", m.joined_seq as "joined_seq?",
                      coalesce(m.left_seq, case when g.dismissed_at is not null then g.seq end)
                          as left_seq,
                      m.past_joined_seq is not null as "again!", g.seq as "head?"
                 from unnest($1::text[], $2::bigint[]) as k(user_id, rev)
                cross join lateral (
                    select x.membership_rev from users x
                     where x.user_id = k.user_id collate "C" and x.membership_rev > k.rev
                    offset 0) u
                 left join lateral (
                    select x.group_id, x.joined_seq, x.left_seq, x.past_joined_seq from members x
                     where x.user_id = k.user_id collate "C" and x.left_seq is null
                       and x.user_rev > k.rev
                    union all
                    select x.group_id, x.joined_seq, x.left_seq, x.past_joined_seq from members x
                     where x.user_id = k.user_id collate "C" and x.left_seq is not null
                       and x.user_rev > k.rev
                    offset 0) m on true
                 left join lateral (
                    select x.seq, x.dismissed_at from groups x where x.group_id = m.group_id
                    offset 0) g on true"#,
            &ids as &[&str],
            &revs
        )
        .fetch_all(&self.repairs)
        .await
        .map_err(|error| unavailable(&error))?;
        let mut changes: BTreeMap<String, UserChanges> = BTreeMap::new();
        for row in rows {
            let user = UserId::from_stored(&row.user_id);
            let empty = || UserChanges { user, rev: row.rev, memberships: Vec::new() };
            let of_user = changes.entry(row.user_id).or_insert_with(empty);
            if let (Some(group), Some(joined_seq), Some(head)) =
                (row.group_id, row.joined_seq, row.head)
            {
                of_user.memberships.push(ChangedMembership {
                    group: GroupId::from_stored(&group),
                    joined_seq,
                    left_seq: row.left_seq,
                    again: row.again,
                    head,
                });
            }
        }
        Ok(changes.into_values().collect())
    }
}
