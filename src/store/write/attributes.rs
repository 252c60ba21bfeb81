//! Writing attributes of groups, with the count of their changes.

use sqlx::PgConnection;

use super::WriteError;
use crate::model::Moment;
use crate::model::attributes::GroupAttributes;
use crate::rules::Facts;

/// The attributes of groups: a group's row is made with its first attribute and stays.
pub(super) async fn write_attributes(
    connection: &mut PgConnection,
    facts: &Facts,
) -> Result<(), WriteError> {
    let rows: Vec<(&str, &GroupAttributes, Moment)> = facts
        .changes
        .attributes
        .iter()
        .filter_map(|id| {
            let state = facts.groups.get(id)?.attributes.as_ref()?;
            Some((id.as_str(), state, state.window_at?))
        })
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    let ids: Vec<&str> = rows.iter().map(|(id, ..)| *id).collect();
    let texts: Result<Vec<String>, serde_json::Error> =
        rows.iter().map(|(_, state, _)| serde_json::to_string(&state.values)).collect();
    let texts = texts.map_err(|error| sqlx::Error::Encode(error.into()))?;
    let windows: Vec<Moment> = rows.iter().map(|(.., at)| *at).collect();
    let changes: Vec<i32> = rows.iter().map(|(_, state, _)| state.window_changes).collect();
    sqlx::query!(
        "insert into group_attributes (group_id, attributes, window_at, window_changes)
         select u.group_id, u.attributes::jsonb, u.window_at, u.window_changes
           from unnest($1::text[], $2::text[], $3::timestamptz[], $4::integer[])
                as u(group_id, attributes, window_at, window_changes)
             on conflict (group_id) do update
            set attributes = excluded.attributes, window_at = excluded.window_at,
                window_changes = excluded.window_changes",
        &ids as &[&str],
        &texts,
        &windows,
        &changes,
    )
    .execute(connection)
    .await?;
    Ok(())
}
