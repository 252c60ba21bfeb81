//! Types of an operator's own, as the database knows them.

use crate::model::{Error, GroupType};

use super::{Store, unavailable, unknown_code};

/// A type of an operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnType {
    /// Its name.
    pub name: String,
    /// The type that it is based on.
    pub base: GroupType,
    /// Whether its groups count towards a user's limit.
    pub counts: bool,
    /// How many groups have it.
    pub groups: i64,
}

impl Store {
    /// The types that were defined at some time, with how many groups have each.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn own_types(&self) -> Result<Vec<OwnType>, Error> {
        let rows = sqlx::query!(
            r#"select t.name, t.group_type, t.counts_towards_limit,
                      (select count(*) from groups g
                        where g.own_type = t.name and g.dismissed_at is null) as "groups!"
                 from own_types t order by t.name"#
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        rows.into_iter()
            .map(|row| {
                let base = GroupType::from_code(row.group_type)
                    .ok_or_else(|| unavailable(&unknown_code("group type", row.group_type)))?;
                let (counts, groups) = (row.counts_towards_limit, row.groups);
                Ok(OwnType { name: row.name, base, counts, groups })
            })
            .collect()
    }

    /// Notes what a type is now, before groups of it are made.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn note_own_type(
        &self,
        name: &str,
        base: GroupType,
        counts: bool,
    ) -> Result<(), Error> {
        sqlx::query!(
            "insert into own_types as t (name, group_type, counts_towards_limit) values ($1, $2, $3)
                 on conflict (name) do update
                set group_type = excluded.group_type,
                    counts_towards_limit = excluded.counts_towards_limit
              where (t.group_type, t.counts_towards_limit)
                    is distinct from (excluded.group_type, excluded.counts_towards_limit)",
            name,
            base.code(),
            counts
        )
        .execute(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        Ok(())
    }
}
