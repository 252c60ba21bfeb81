//! Reading several logs at once.

use crate::model::{Error, EventKind, GroupId, LogEntry, Moment, StreamKey, UserId};

use super::{Store, unavailable, unknown_code};

/// A piece of a log: the entries numbered `after + 1` to `through`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The log.
    pub stream: StreamKey,
    /// The entry before the first one.
    pub after: i64,
    /// The last one.
    pub through: i64,
}

/// An entry as a statement answers it, with the place of its span among those that were asked for.
struct Row {
    place: i64,
    seq: i64,
    kind: i16,
    at: Moment,
    frame: String,
}

/// Spans as columns.
#[derive(Default)]
struct Columns<'a> {
    places: Vec<i64>,
    ids: Vec<&'a str>,
    after: Vec<i64>,
    through: Vec<i64>,
}

impl<'a> Columns<'a> {
    fn add(&mut self, place: usize, id: &'a str, span: &Span) {
        self.places.push(i64::try_from(place).unwrap_or(i64::MAX));
        self.ids.push(id);
        self.after.push(span.after);
        self.through.push(span.through);
    }
}

/// Pieces of logs of a kind: its table, and the column that names a log in it.
macro_rules! pieces {
    ($store:expr, $spans:expr, $limit:expr, $table:literal, $stream:literal) => {
        sqlx::query_as!(
            Row,
            r#"select k.place as "place!", e.seq, e.kind, e.at, e.frame
                 from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[])
                          as k(place, id, after, through)
                cross join lateral (
                    select x.seq, x.kind, x.at, x.frame from "#
                + $table
                + r#" x
                     where x."#
                + $stream
                + r#" = k.id collate "C" and x.seq > k.after and x.seq <= k.through
                     order by x.seq limit $5) e
                order by k.place, e.seq"#,
            &$spans.places,
            &$spans.ids as &[&str],
            &$spans.after,
            &$spans.through,
            $limit
        )
        .fetch_all($store.reads())
        .await
    };
}

impl Store {
    /// The entries of these pieces, one list for each, at most `limit` of each. One statement for the logs
    /// of groups and one for personal ones, whatever their number.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn logs(&self, spans: &[Span], limit: i64) -> Result<Vec<Vec<LogEntry>>, Error> {
        let (mut groups, mut users) = (Columns::default(), Columns::default());
        for (place, span) in spans.iter().enumerate() {
            match &span.stream {
                StreamKey::Group(group) => groups.add(place, GroupId::as_str(group), span),
                StreamKey::User(user) => users.add(place, UserId::as_str(user), span),
            }
        }
        let mut rows = Vec::new();
        if !groups.ids.is_empty() {
            let read = pieces!(self, groups, limit, "group_events", "group_id");
            rows.extend(read.map_err(|error| unavailable(&error))?);
        }
        if !users.ids.is_empty() {
            let read = pieces!(self, users, limit, "user_events", "user_id");
            rows.extend(read.map_err(|error| unavailable(&error))?);
        }
        let mut found: Vec<Vec<LogEntry>> = vec![Vec::new(); spans.len()];
        for row in rows {
            let place = usize::try_from(row.place).unwrap_or(usize::MAX);
            let (Some(span), Some(entries)) = (spans.get(place), found.get_mut(place)) else {
                continue;
            };
            let kind = EventKind::from_code(row.kind)
                .ok_or_else(|| unavailable(&unknown_code("kind of event", row.kind)))?;
            let stream = span.stream.clone();
            entries.push(LogEntry::from_stored(stream, row.seq, row.at, kind, &row.frame));
        }
        Ok(found)
    }
}
