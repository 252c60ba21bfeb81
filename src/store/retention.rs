//! Removing entries of logs that have become too old, in bounded steps.
//!
//! A step walks the primary key of a kind of log from where the step before it ended, whoever made that.
//! It looks at the oldest entry of each stream: if that is young, it jumps to the next stream; if it is
//! old, it takes it and looks at the one behind it. So a log is trimmed from its front only, stays
//! without holes, and a step costs one probe of the index for each entry it looks at, however long the
//! logs are. Numbers are given by `groups.seq` and `users.user_seq`, which nothing here touches: none is
//! ever used again.
//!
//! Where the walk stands is a row. A node that finds it locked leaves the work to the node that has it.

use std::time::Duration;

use crate::model::Error;

use super::{Store, unavailable};

/// A kind of log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// The groups' logs.
    Groups,
    /// The users' own streams.
    Users,
}

/// How the walk is made.
#[derive(Clone, Copy, Debug)]
pub struct Walk {
    /// Days for which an entry is kept.
    pub days: i32,
    /// Most entries that a step looks at, and so most that it removes.
    pub entries: i32,
    /// Pause between two steps, of all nodes together.
    pub pause: Duration,
    /// Pause between two walks.
    pub rest: Duration,
}

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// How many entries it removed.
    pub removed: i64,
    /// When the walk is through with this step: how many entries it has removed in all.
    pub walk: Option<i64>,
}

/// A step of the walk over a kind of log: its number, its table, and the column that names a log in it.
macro_rules! step {
    ($store:expr, $walk:expr, $log:literal, $table:literal, $stream:literal) => {
        sqlx::query_as!(
            Step,
            r#"with recursive turn as materialized (
                   select after_stream, after_seq, removed,
                          now() - make_interval(days => $1) as young
                     from retention where log = "# + $log + r#" and due_at <= clock_timestamp()
                      for update skip locked),
               walk as (
                   select 1 as n, e.*, e.at < t.young as old, t.young
                     from turn t
                    cross join lateral (
                        select x."# + $stream + r#" as stream, x.seq, x.at, x.ctid as place from "# + $table + r#" x
                         where (x."# + $stream + r#", x.seq) > (t.after_stream, t.after_seq)
                         order by x."# + $stream + r#", x.seq limit 1) e
                   union all
                   select w.n + 1, e.*, e.at < w.young, w.young
                     from walk w
                    cross join lateral (
                        select x."# + $stream + r#" as stream, x.seq, x.at, x.ctid as place from "# + $table + r#" x
                         where (x."# + $stream + r#", x.seq) >
                               (w.stream, case when w.old then w.seq else 9223372036854775807 end)
                         order by x."# + $stream + r#", x.seq limit 1) e
                    where w.n < $2),
               gone as (
                   delete from "# + $table + r#"
                    where ctid = any(array(select place from walk where old)) returning 1),
               count as materialized (
                   select (select count(*) from gone) as gone,
                          (select count(*) from walk) < $2 as through),
               noted as (
                   update retention r
                      set after_stream = case when c.through then '' else l.stream end,
                          after_seq = case when c.through then 0 else l.seq end,
                          due_at = clock_timestamp() + make_interval(
                              secs => case when c.through then $4::float8 else $3::float8 end),
                          removed = case when c.through then 0 else r.removed + c.gone end,
                          trimmed = r.trimmed + c.gone
                     from turn t cross join count c
                     left join (select stream, case when old then seq else 9223372036854775807 end as seq
                                  from walk order by n desc limit 1) l on true
                    where r.log = "# + $log + r#"
                   returning c.gone, case when c.through then t.removed + c.gone end as walk)
               select gone as "removed!", walk from noted"#,
            $walk.days,
            $walk.entries,
            $walk.pause.as_secs_f64(),
            $walk.rest.as_secs_f64()
        )
        .fetch_optional($store.reads())
        .await
    };
}

impl Store {
    /// Makes the next step of the walk over a kind of log. `None` when it is not due, or another node is
    /// at it.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn trim(&self, log: Log, walk: &Walk) -> Result<Option<Step>, Error> {
        let step = match log {
            Log::Groups => step!(self, walk, "1", "group_events", "group_id"),
            Log::Users => step!(self, walk, "2", "user_events", "user_id"),
        };
        step.map_err(|error| unavailable(&error))
    }
}
