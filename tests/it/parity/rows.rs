//! What is stored, without what differs by nature: moments, and numbers that are drawn.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

/// The engine's own memory and the migrations are not what the faces are about.
const OF_THE_ENGINE: &[&str] =
    &["_sqlx_migrations", "batches", "instance", "retention", "stored_replies"];

/// Columns and fields that are moments or drawn; whether they are there is compared.
const DIFFERING: &[&str] = &[
    "added_at",
    "addTime",
    "application_id",
    "applicationID",
    "at",
    "banned_at",
    "changed_at",
    "created_at",
    "deleted_at",
    "dismissed_at",
    "expires_at",
    "expireTime",
    "handled_at",
    "joined_at",
    "number",
    "since",
    "time",
    "window_at",
    "xid",
];

/// Columns and fields that are so many seconds after an event.
const COUNTED: &[&str] = &["until", "mute_until", "muteUntil"];

/// The rows of every table, sorted.
pub(super) async fn rows(pool: &PgPool) -> BTreeMap<String, Vec<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
          where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1",
    )
    .fetch_all(pool)
    .await
    .expect("the tables");
    let mut found = BTreeMap::new();
    for table in tables.into_iter().filter(|table| !OF_THE_ENGINE.contains(&table.as_str())) {
        let query = format!("select to_jsonb(t)::text from {table} t");
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(pool).await.expect("the rows");
        let mut rows: Vec<String> = rows.iter().map(|row| comparable(row)).collect();
        rows.sort();
        found.insert(table, rows);
    }
    assert!(found.len() > 8, "{:?}", found.keys());
    found
}

fn comparable(row: &str) -> String {
    let mut row: Value = serde_json::from_str(row).expect("a row");
    if let Some(frame) = row["frame"].as_str() {
        row["frame"] = serde_json::from_str(frame).expect("a frame");
    }
    let moments = moments(&row);
    level(&mut row, &moments);
    row.to_string()
}

fn moment(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

/// The moments of a row that a span of time may be counted from.
fn moments(row: &Value) -> Vec<DateTime<Utc>> {
    let places = [&row["at"], &row["banned_at"], &row["frame"]["time"]];
    places.into_iter().filter_map(moment).collect()
}

fn level(value: &mut Value, moments: &[DateTime<Utc>]) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields.iter_mut() {
                if COUNTED.contains(&name.as_str()) {
                    *inner = span(inner, moments);
                } else if DIFFERING.contains(&name.as_str()) {
                    *inner = json!(!inner.is_null());
                } else {
                    level(inner, moments);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|inner| level(inner, moments)),
        _ => {}
    }
}

/// How many seconds after its row's moment. A row that has none, that of a member, says only whether there
/// is an end: the event that tells of it has the span.
fn span(until: &Value, moments: &[DateTime<Utc>]) -> Value {
    let Some(end) = moment(until) else { return until.clone() };
    match moments.first() {
        // What never ends has an end that stands still, at the end of all dates.
        Some(start) if (end - *start).num_days() > 365 * 1_000 => json!("never"),
        Some(start) => {
            json!(((end - *start).num_milliseconds() + 500).div_euclid(1_000))
        }
        None => json!(true),
    }
}
