//! Reading users.

use crate::model::{Error, InviteConsent, Moment, UserId};

use super::{Store, unavailable, unknown_code};

/// An account as it can be read.
#[derive(Clone, Debug)]
pub struct Account {
    /// The id.
    pub id: UserId,
    /// The name shown.
    pub nick_name: String,
    /// The address of a picture.
    pub face_url: String,
    /// What an invitation means to him.
    pub invite_consent: InviteConsent,
    /// His own limit on groups; `None` follows the setting.
    pub group_limit: Option<i32>,
    /// In how many groups he is that count towards the limit.
    pub group_count: i32,
    /// When the account was made; `None` while nothing was written about it.
    pub created_at: Option<Moment>,
}

impl Account {
    /// An account of which nothing was written yet.
    #[must_use]
    pub fn unwritten(id: UserId) -> Self {
        Self {
            id,
            nick_name: String::new(),
            face_url: String::new(),
            invite_consent: InviteConsent::Auto,
            group_limit: None,
            group_count: 0,
            created_at: None,
        }
    }
}

impl Store {
    /// The accounts that exist among these.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn accounts(&self, ids: &[UserId]) -> Result<Vec<Account>, Error> {
        let texts: Vec<&str> = ids.iter().map(UserId::as_str).collect();
        let rows = sqlx::query!(
            "select user_id, nick_name, face_url, invite_consent, group_limit, group_count, created_at
               from users where user_id = any($1::text[]) and deleted_at is null",
            &texts as &[&str]
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        rows.into_iter()
            .map(|row| {
                Ok(Account {
                    id: UserId::from_stored(&row.user_id),
                    nick_name: row.nick_name,
                    face_url: row.face_url,
                    invite_consent: InviteConsent::from_code(row.invite_consent)
                        .ok_or_else(|| unavailable(&unknown_code("consent", row.invite_consent)))?,
                    group_limit: row.group_limit,
                    group_count: row.group_count,
                    created_at: Some(row.created_at),
                })
            })
            .collect()
    }
}
