//! PostgreSQL as the way between nodes: what `pg_notify` says on one connection, `listen` hears on another.
//!
//! Both are connections of their own. A notification is sent after the commits that it tells of, in a
//! transaction that does nothing else: inside a writing transaction it would take a lock of the whole
//! server over the flush of the log. Channels belong to a database, so that one name is enough; what carries
//! several databases needs [`Store::instance`].

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgListener, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection};

use super::Store;

/// The channel. It also stands in the statement of [`Voice::say`].
const CHANNEL: &str = "muster";

/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);

/// Most bytes of a payload. PostgreSQL refuses more.
pub const PAYLOAD_BYTES: usize = 7_999;

/// The connection that sends.
#[derive(Debug)]
pub struct Voice(PgConnection);

/// The connection that listens.
#[derive(Debug)]
pub struct Ear {
    listener: PgListener,
    /// Of one connection, the listener's: that is how it is handed one.
    pool: PgPool,
}

impl Store {
    /// What names the database whatever happens to it, in letters, digits and hyphens: its epoch without the
    /// timeline, which a promotion changes, and its number in the server, which a copy beside it has not.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn instance(&self) -> Result<String, sqlx::Error> {
        let found = sqlx::query!(
            r#"select i.epoch, s.system_identifier as "system!", d.oid as "number!"
                 from instance i cross join pg_control_system() s
                 join pg_database d on d.datname = current_database()"#
        )
        .fetch_one(self.reads())
        .await?;
        Ok(format!("{}-{:x}-{}", found.epoch.simple(), found.system, found.number.0))
    }

    fn bus_options(&self) -> PgConnectOptions {
        PgConnectOptions::clone(&self.options).application_name("muster bus").options([
            ("statement_timeout", "5s"),
            // Nothing is written, so there is nothing to wait for.
            ("synchronous_commit", "off"),
        ])
    }

    /// A connection that sends.
    ///
    /// # Errors
    /// When the server cannot be reached within a few seconds.
    pub async fn voice(&self) -> Result<Voice, sqlx::Error> {
        let connected = tokio::time::timeout(CONNECT, self.bus_options().connect()).await;
        connected.unwrap_or_else(|_| Err(late())).map(Voice)
    }

    /// A connection that listens. From its making on nothing is missed but what a broken connection loses.
    ///
    /// # Errors
    /// When the server cannot be reached within a few seconds.
    pub async fn ear(&self) -> Result<Ear, sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(self.bus_options());
        let listening = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            // A lost connection is to be seen, not mended in silence.
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok(listener)
        };
        let listening = tokio::time::timeout(CONNECT, listening).await;
        let listener = listening.unwrap_or_else(|_| Err(late()))?;
        Ok(Ear { listener, pool })
    }
}

impl Voice {
    /// Sends payloads of at most [`PAYLOAD_BYTES`] each, all or none of them. Two that are equal would be
    /// taken for one.
    ///
    /// # Errors
    /// When they were not sent, or nobody knows.
    pub async fn say(&mut self, payloads: &[String]) -> Result<(), sqlx::Error> {
        sqlx::query!(
            "select pg_notify('muster', payload) from unnest($1::text[]) as payload",
            payloads
        )
        .fetch_all(&mut self.0)
        .await?;
        Ok(())
    }

    /// Takes leave of the server.
    pub async fn close(self) {
        tokio::time::timeout(CONNECT, self.0.close()).await.ok();
    }
}

impl Ear {
    /// Waits for the next payload; `None` when the connection was lost. To be dropped then, and when this was
    /// cancelled.
    ///
    /// # Errors
    /// When the connection is of no use any more.
    pub async fn hear(&mut self) -> Result<Option<String>, sqlx::Error> {
        let heard = self.listener.try_recv().await?;
        Ok(heard.map(|heard| heard.payload().to_owned()))
    }

    /// Takes leave of the server.
    pub async fn close(self) {
        let Self { listener, pool } = self;
        drop(listener);
        tokio::time::timeout(CONNECT, pool.close()).await.ok();
    }
}

fn late() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}
