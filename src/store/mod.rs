//! All SQL of Muster, one file a table family, checked by the compiler against the committed `.sqlx`.
//!
//! Statements are set-based: their number does not grow with the people a call names. What the engine
//! uses inside its transaction takes a `&mut PgConnection`; reads are single statements, each of which
//! sees one state of the database, on a pool of their own. No statement here decides anything.

pub mod accounts;
pub mod ahead;
pub mod applications;
pub mod attributes;
pub mod bans;
pub mod engine;
pub mod epoch;
pub mod events;
pub mod facts;
mod fields;
pub mod groups;
pub mod joined;
pub mod lists;
pub mod locks;
pub mod logs;
pub mod members;
pub mod notify;
pub mod repair;
pub mod retention;
mod together;
pub mod types;
pub mod upkeep;
pub mod users;
pub mod write;
pub mod yardstick;

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{Migrate, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor};

use crate::model::{Error, Reason};
use together::Together;

/// The migrations, embedded.
pub static MIGRATIONS: Migrator = sqlx::migrate!();

/// The oldest PostgreSQL that Muster runs on, as `server_version_num`.
const OLDEST_SERVER: i32 = 140_000;

/// Longest wait for the first answer of a database.
const FIRST_ANSWER: Duration = Duration::from_secs(10);

/// Where the database is.
#[derive(Clone, Debug)]
pub enum Place {
    /// A server of the operator's, by address.
    Url(String),
    /// A server on a private socket.
    Socket {
        /// The directory of the socket.
        dir: std::path::PathBuf,
        /// The number in the socket's file name.
        port: u16,
        /// The role.
        user: String,
        /// The database.
        database: String,
    },
}

/// Bounds on how long a session of the engine may hold others up.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Longest wait for a lock.
    pub lock: Duration,
    /// Longest statement.
    pub statement: Duration,
    /// Longest wait on this side, for a connection, for a batch or for a COMMIT: a server that has gone
    /// silent does not keep its own timeouts.
    pub silence: Duration,
    /// Longest pause inside a transaction, after which PostgreSQL ends the session: what a frozen node
    /// costs the others.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            lock: Duration::from_secs(2),
            statement: Duration::from_secs(8),
            silence: Duration::from_secs(10),
            idle: Duration::from_secs(5),
        }
    }
}

/// Connections for lists of all groups, which only administrators ask for.
const LISTS: u32 = 2;

/// How sessions plan whose statements are all walks along an index. A generic plan spares planning each time
/// (a statement that takes an array would be planned anew whenever it runs), and without the other shapes it
/// stays right however large the tables become. Compiling a statement would take longer than running it.
const WALKS: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("jit", "off"),
];

/// The way to the database: a pool for reads, and connections of their own for the engine's lanes.
#[derive(Clone, Debug)]
pub struct Store {
    /// Shared: every request clones the store.
    options: Arc<PgConnectOptions>,
    reads: PgPool,
    /// For lists of all groups: how to walk through them depends on what is looked for.
    lists: PgPool,
    /// One connection, for the questions of the repair of deliveries.
    repairs: PgPool,
    /// The usual reads, each kind asked together.
    together: Arc<Kinds>,
}

/// The reads that are asked together.
#[derive(Debug)]
struct Kinds {
    views: Together<groups::ViewOf>,
    pages: Together<members::PageOf>,
    joined: Together<joined::JoinedOf>,
}

impl Store {
    /// Connects and makes sure that the server is new enough and takes writes.
    ///
    /// # Errors
    /// When the address is malformed, the server cannot be reached, is older than PostgreSQL 14 or in recovery.
    pub async fn connect(place: &Place, readers: u32) -> anyhow::Result<Self> {
        let options = options(place)?;
        let first = async {
            let mut probe = PgConnection::connect_with(&options).await.map_err(|error| {
                anyhow::anyhow!("PostgreSQL at {} cannot be reached: {error}", describe(&options))
            })?;
            check_server(&mut probe, &options).await?;
            probe.close().await.ok();
            anyhow::Ok(())
        };
        tokio::time::timeout(FIRST_ANSWER, first).await.unwrap_or_else(|_| {
            let seconds = FIRST_ANSWER.as_secs();
            let place = describe(&options);
            Err(anyhow::anyhow!("PostgreSQL at {place} did not answer within {seconds} s"))
        })?;
        let reads = pool(
            readers,
            options
                .clone()
                .application_name("muster read")
                .options([("statement_timeout", "10s")])
                .options(WALKS),
        );
        let lists = pool(
            LISTS,
            options
                .clone()
                .application_name("muster list")
                .options([("statement_timeout", "10s"), ("jit", "off")]),
        );
        let repairs = pool(
            1,
            options.clone().application_name("muster repair").options([
                ("statement_timeout", "10s"),
                ("jit", "off"),
                ("enable_seqscan", "off"),
            ]),
        );
        let together = Arc::new(Kinds {
            views: Together::new(reads.clone()),
            pages: Together::new(reads.clone()),
            joined: Together::new(reads.clone()),
        });
        Ok(Self { options: Arc::new(options), reads, lists, repairs, together })
    }

    /// The pool for reads.
    pub(crate) fn reads(&self) -> &PgPool {
        &self.reads
    }

    /// The pool for lists of all groups.
    fn lists(&self) -> &PgPool {
        &self.lists
    }

    /// A connection for one lane of the engine, with its timeouts.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn lane_connection(&self, patience: Patience) -> Result<PgConnection, sqlx::Error> {
        let millis = |duration: Duration| format!("{}ms", duration.as_millis());
        let options =
            PgConnectOptions::clone(&self.options).application_name("muster lane").options([
                ("lock_timeout", millis(patience.lock)),
                ("statement_timeout", millis(patience.statement)),
                ("idle_in_transaction_session_timeout", millis(patience.idle)),
            ]);
        let options = options.options(WALKS);
        match tokio::time::timeout(patience.silence, options.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
        }
    }

    /// Whether the database answers.
    pub async fn answers(&self) -> bool {
        let probe = async { self.reads.execute("select 1").await.is_ok() };
        tokio::time::timeout(Duration::from_secs(2), probe).await.unwrap_or(false)
    }

    /// Applies what is missing of the migrations.
    ///
    /// # Errors
    /// When one fails, or when the database was migrated by a newer Muster.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let mut connection = self.options.connect().await?;
        MIGRATIONS.run(&mut connection).await?;
        connection.close().await.ok();
        Ok(())
    }

    /// Every migration: version, description, and whether it is applied.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn migrations(&self) -> anyhow::Result<Vec<(i64, String, bool)>> {
        let mut connection = self.options.connect().await?;
        let table = MIGRATIONS.table_name.as_ref();
        connection.ensure_migrations_table(table).await?;
        let applied = connection.list_applied_migrations(table).await?;
        connection.close().await.ok();
        Ok(MIGRATIONS
            .iter()
            .map(|known| {
                let done = applied.iter().any(|one| one.version == known.version);
                (known.version, known.description.to_string(), done)
            })
            .collect())
    }

    /// Closes the pool, waiting for its connections.
    pub async fn close(&self) {
        self.repairs.close().await;
        self.lists.close().await;
        self.reads.close().await;
    }
}

/// A pool whose connections are made when they are needed.
fn pool(most: u32, options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(Duration::from_secs(3))
        // A ping before each use would double the round trips. One that was idle is asked whether it
        // still lives, so that reads go on by themselves after a restart of the database.
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > Duration::from_millis(100) {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options)
}

fn options(place: &Place) -> anyhow::Result<PgConnectOptions> {
    let options = match place {
        Place::Url(url) => PgConnectOptions::from_str(url)
            .map_err(|error| anyhow::anyhow!("DATABASE_URL cannot be read: {error}"))?,
        Place::Socket { dir, port, user, database } => PgConnectOptions::new_without_pgpass()
            .socket(dir)
            .port(*port)
            .username(user)
            .database(database),
    };
    Ok(options
        .application_name("muster")
        // "already exists, skipping" of a second start is no news.
        .options([("client_min_messages", "warning")])
        .disable_statement_logging())
}

fn describe(options: &PgConnectOptions) -> String {
    match options.get_socket() {
        Some(dir) => dir.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    }
}

async fn check_server(
    connection: &mut PgConnection,
    options: &PgConnectOptions,
) -> anyhow::Result<()> {
    let found = sqlx::query!(
        r#"select current_setting('server_version_num')::integer as "number!",
                  current_setting('server_version') as "name!", pg_is_in_recovery() as "standby!""#
    )
    .fetch_one(connection)
    .await?;
    if found.number < OLDEST_SERVER {
        anyhow::bail!(
            "the server at {} is PostgreSQL {}; Muster needs PostgreSQL 14 or newer",
            describe(options),
            found.name
        );
    }
    if found.standby {
        anyhow::bail!(
            "the server at {} is in recovery, perhaps a standby; Muster needs the primary",
            describe(options)
        );
    }
    Ok(())
}

/// What a failed read means to a caller.
pub(crate) fn unavailable(error: &sqlx::Error) -> Error {
    if matches!(error, sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. }) {
        return Error::internal(format!("reading the database: {error}"));
    }
    Error::new(Reason::Unavailable, "the database does not answer; try again")
        .retry_after(1)
        .context(format!("reading the database: {error}"))
}

/// A number in the database that this version does not know.
pub(crate) fn unknown_code(what: &str, code: i16) -> sqlx::Error {
    sqlx::Error::Decode(format!("{code} is no {what}").into())
}
