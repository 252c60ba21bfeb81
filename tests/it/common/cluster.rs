//! One PostgreSQL for the whole run, made by Muster's own embedded default, with a database for each test.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use muster::embedded::{self, Embedded, Options};
use muster::store::{Place, Store};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};
use tokio::sync::Mutex;

struct Cluster {
    dir: PathBuf,
    socket_dir: PathBuf,
    user: String,
    template: String,
    /// Removes the directory when this process is gone.
    _broom: Child,
}

/// Databases are made one at a time: a template must not be in use.
static MAKING: Mutex<()> = Mutex::const_new(());
static NUMBER: AtomicU32 = AtomicU32::new(0);

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let (sender, receiver) = std::sync::mpsc::channel();
    // The server lives on a runtime of its own: that of a test ends with the test. When the process ends,
    // the guard of the embedded PostgreSQL stops it.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(async move {
            let dir = std::env::temp_dir().join(format!("muster-it-{}", std::process::id()));
            let broom = sweep_later(&dir);
            let embedded = Embedded::start(Options::new(&dir)).await.expect("PostgreSQL");
            let place = Place::Socket {
                dir: embedded.socket_dir().to_owned(),
                port: embedded::PORT,
                user: embedded.user().to_owned(),
                database: embedded.database().to_owned(),
            };
            let store = Store::connect(&place, 1).await.expect("a store");
            store.migrate().await.expect("migrations");
            store.close().await;
            let cluster = Cluster {
                dir,
                socket_dir: embedded.socket_dir().to_owned(),
                user: embedded.user().to_owned(),
                template: embedded.database().to_owned(),
                _broom: broom,
            };
            sender.send(cluster).expect("somebody waits");
            std::future::pending::<()>().await;
            drop(embedded);
        });
    });
    receiver.recv().expect("a cluster")
});

/// Removes the directory once this process has ended, however it ended.
fn sweep_later(dir: &std::path::Path) -> Child {
    Command::new("/bin/sh")
        .arg("-c")
        .arg(
            "trap '' INT TERM HUP; cat >/dev/null
             for i in $(seq 100); do
                 if [ ! -e \"$0/pg/postmaster.pid\" ]; then rm -rf \"$0\" && exit; fi
                 sleep 0.2
             done; rm -rf \"$0\"",
        )
        .arg(dir)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

impl Cluster {
    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(embedded::PORT)
            .username(&self.user)
    }

    fn url(&self, database: &str) -> String {
        let dir = self.socket_dir.display();
        format!("postgres://{}@localhost:{}/{database}?host={dir}", self.user, embedded::PORT)
    }
}

async fn cluster() -> &'static Cluster {
    tokio::task::spawn_blocking(|| LazyLock::force(&CLUSTER)).await.expect("the cluster")
}

/// The directory of the run, which is gone after it.
pub(crate) async fn directory() -> &'static std::path::Path {
    &cluster().await.dir
}

/// The directory with the programs of the PostgreSQL that runs here.
pub(crate) async fn programs() -> PathBuf {
    let options = cluster().await.dir.join("pg/postmaster.opts");
    let line = std::fs::read_to_string(options).expect("how the server was started");
    let (server, _) = line.split_once(" \"").expect("a program and its options");
    PathBuf::from(server).parent().expect("a directory").to_owned()
}

/// A connection to the database `postgres`.
async fn maintenance(cluster: &Cluster) -> PgConnection {
    cluster.options().database("postgres").connect().await.expect("a connection")
}

/// The address of a new, migrated database.
pub(crate) async fn fresh_database() -> String {
    let cluster = cluster().await;
    make(cluster, &format!("template {}", cluster.template)).await
}

/// The address of a new, empty database whose collation is not C.
pub(crate) async fn foreign_database() -> String {
    let cluster = cluster().await;
    let icu =
        "template template0 encoding 'UTF8' locale_provider icu icu_locale 'en-US' locale 'C'";
    make(cluster, icu).await
}

async fn make(cluster: &Cluster, how: &str) -> String {
    let name = format!("it_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let _one_at_a_time = MAKING.lock().await;
    let mut connection = maintenance(cluster).await;
    let statement = format!("create database {name} {how}");
    connection.execute(AssertSqlSafe(statement)).await.expect("a database");
    connection.close().await.ok();
    cluster.url(&name)
}

/// How many deadlocks PostgreSQL has counted in a database.
pub(crate) async fn deadlocks(database: &str) -> i64 {
    let mut connection = sqlx::PgConnection::connect(database).await.expect("a connection");
    let count = sqlx::query_scalar(
        "select coalesce(deadlocks, 0) from pg_stat_database where datname = current_database()",
    )
    .fetch_one(&mut connection)
    .await
    .expect("statistics");
    connection.close().await.ok();
    count
}
