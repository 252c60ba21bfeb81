//! A group's row held by somebody else, so that commands of the group wait for as long as a test likes.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::eventually;

/// The lock on a group's row.
pub(crate) struct Held(PgConnection);

impl Held {
    /// Locks the row, which must not be locked.
    pub(crate) async fn lock(database: &str, group: &str) -> Self {
        let mut connection = PgConnection::connect(database).await.expect("a connection");
        let lock = format!("begin; select 1 from groups where group_id = '{group}' for update");
        connection.execute(AssertSqlSafe(lock)).await.expect("a lock");
        Self(connection)
    }

    /// Waits until somebody waits for a lock of this database.
    pub(crate) async fn until_somebody_waits(&self, database: &str) {
        let mut other = PgConnection::connect(database).await.expect("a connection");
        let connection = tokio::sync::Mutex::new(&mut other);
        eventually("somebody waits for the lock", || async {
            let count: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity
                  where datname = current_database() and wait_event_type = 'Lock'",
            )
            .fetch_one(&mut **connection.lock().await)
            .await
            .expect("a count");
            (count > 0).then_some(())
        })
        .await;
        other.close().await.ok();
    }

    /// Lets the row go.
    pub(crate) async fn release(self) {
        self.0.close().await.expect("the end of the connection");
    }
}
