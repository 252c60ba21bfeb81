//! Reading applications.

use crate::model::{Application, ApplicationId, ApplicationKind, Error, GroupId, Role, UserId};

use super::facts::ApplicationRow;
use super::{Store, unavailable};

impl Store {
    /// An application by id, open or not.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn application(&self, id: ApplicationId) -> Result<Option<Application>, Error> {
        let row = sqlx::query_as!(
            ApplicationRow,
            r#"select group_id, application_id, kind, from_user, subject, approved_by, message,
                      added_at, expires_at, state, ending, handled_by, handled_message, handled_at
                 from applications where application_id = $1"#,
            id
        )
        .fetch_optional(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        row.map(|row| Application::try_from(row).map_err(|error| unavailable(&error))).transpose()
    }

    /// The open applications of a group, oldest first.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn applications_of(
        &self,
        group: &GroupId,
        after: Option<ApplicationId>,
        limit: i64,
    ) -> Result<Vec<Application>, Error> {
        // A group has at most as many as the setting allows, so that sorting them costs little.
        let rows = sqlx::query_as!(
            ApplicationRow,
            r#"select group_id, application_id, kind, from_user, subject, approved_by, message,
                      added_at, expires_at, state, ending, handled_by, handled_message, handled_at
                 from applications
                where group_id = $1 and state = 0 and ($2::uuid is null or application_id > $2)
                order by application_id limit $3"#,
            group.as_str(),
            after,
            limit
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        rows.into_iter()
            .map(|row| Application::try_from(row).map_err(|error| unavailable(&error)))
            .collect()
    }

    /// The open applications that a person may decide or that he made, oldest first: each with whether he
    /// may decide it.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn applications_for(
        &self,
        user: &UserId,
        after: Option<ApplicationId>,
        limit: i64,
    ) -> Result<Vec<(Application, bool)>, Error> {
        let rows = sqlx::query!(
            r#"with seen as (
                   select a.application_id, a.kind = $4 as decides
                     from applications a where a.subject = $1 and a.state = 0
                   union all
                   select a.application_id, false
                     from applications a where a.from_user = $1 and a.state = 0
                   union all
                   select a.application_id, a.kind <> $4
                     from members m
                     join applications a on a.group_id = m.group_id and a.state = 0
                    where m.user_id = $1 and m.left_seq is null and m.role >= $5
               ), mine as (
                   select application_id, bool_or(decides) as decides from seen
                    where $2::uuid is null or application_id > $2
                    group by application_id order by application_id limit $3
               )
               select a.group_id, a.application_id, a.kind, a.from_user, a.subject, a.approved_by,
                      a.message, a.added_at, a.expires_at, a.state, a.ending, a.handled_by,
                      a.handled_message, a.handled_at, mine.decides as "decides!"
                 from mine
                 join applications a on a.application_id = mine.application_id
                 join groups g on g.group_id = a.group_id and g.dismissed_at is null
                order by a.application_id"#,
            user.as_str(),
            after,
            limit,
            ApplicationKind::Invitation.code(),
            Role::Admin.code()
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        rows.into_iter()
            .map(|row| {
                let decides = row.decides;
                let row = ApplicationRow {
                    group_id: row.group_id,
                    application_id: row.application_id,
                    kind: row.kind,
                    from_user: row.from_user,
                    subject: row.subject,
                    approved_by: row.approved_by,
                    message: row.message,
                    added_at: row.added_at,
                    expires_at: row.expires_at,
                    state: row.state,
                    ending: row.ending,
                    handled_by: row.handled_by,
                    handled_message: row.handled_message,
                    handled_at: row.handled_at,
                };
                let application =
                    Application::try_from(row).map_err(|error| unavailable(&error))?;
                Ok((application, decides))
            })
            .collect()
    }
}
