//! Attributes of groups: what a batch decides on, and reading them.

use sqlx::PgConnection;

use super::{Store, unavailable};
use crate::model::attributes::{Attributes, GroupAttributes};
use crate::model::{Error, GroupId, IdMap};
use crate::rules::GroupFacts;

/// Loads the attributes of each of the groups. A group without a row has none yet.
pub(crate) async fn load(
    connection: &mut PgConnection,
    ids: &[GroupId],
    groups: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let texts: Vec<&str> = ids.iter().map(GroupId::as_str).collect();
    let rows = sqlx::query!(
        r#"select group_id, attributes::text as "attributes!", window_at, window_changes
             from group_attributes where group_id = any($1::text[])"#,
        &texts as &[&str]
    )
    .fetch_all(connection)
    .await?;
    for id in ids {
        groups.entry(id.clone()).or_default().attributes = Some(GroupAttributes::default());
    }
    for row in rows {
        let state = GroupAttributes {
            values: read(&row.attributes)?,
            window_at: Some(row.window_at),
            window_changes: row.window_changes,
        };
        groups.entry(GroupId::from_stored(&row.group_id)).or_default().attributes = Some(state);
    }
    Ok(())
}

fn read(json: &str) -> Result<Attributes, sqlx::Error> {
    serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(error.into()))
}

impl Store {
    /// A group's attributes with the log's number that they are true at, both of one moment; `None` when
    /// there is no such group.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn attributes(&self, group: &GroupId) -> Result<Option<(i64, Attributes)>, Error> {
        let row = sqlx::query!(
            r#"select g.seq, a.attributes::text as "attributes?"
                 from groups g left join group_attributes a on a.group_id = g.group_id
                where g.group_id = $1 and g.dismissed_at is null"#,
            group.as_str()
        )
        .fetch_optional(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        let Some(row) = row else { return Ok(None) };
        let values = row.attributes.as_deref().map(read).transpose();
        let values = values.map_err(|error| unavailable(&error))?;
        Ok(Some((row.seq, values.unwrap_or_default())))
    }
}
