//! The private PostgreSQL of the embedded default: what runs when no `DATABASE_URL` is given.
//!
//! It is a real server on a real cluster below the data directory. Who lives here:
//!
//! | file | is about |
//! |---|---|
//! | `locate`, `download` | where the server's binaries come from |
//! | `account` | who runs them: PostgreSQL refuses root |
//! | `lock` | one owner for a data directory |
//! | `cluster` | PostgreSQL's files: complete, or absent |
//! | `socket` | the private directory that is the only way in |
//! | `guard` | ends the server when Muster is gone, however it went |
//! | `recover` | what a killed run left behind |
//! | `server`, `supervise` | starting it, seeing it ready, keeping it up, stopping it |
//! | `log` | `postgres.log`, bounded |
//! | `throw_away` | a data directory for something short |
//!
//! Invariants:
//!
//! - No start needs anything but the data directory, and none is stopped by what an earlier run left
//!   in it: every step is either done or repeated from its beginning.
//! - Nothing that is started here outlives Muster by more than PostgreSQL's own shutdown.
//! - Whoever holds the lock is the only one to touch the cluster.
//! - Nobody but the account that runs the server, and root, can connect to it.
//! - As root we write nothing inside of the cluster ourselves; what the account owns, the account
//!   writes.
//!
//! No SQL is spoken here, since all SQL lives in `store`: PostgreSQL writes into `postmaster.pid`
//! when it is ready, and `postgres --single` makes the database. Why this is not a library's work is
//! told in `docs/decisions/embedded-postgresql.md`.

mod account;
mod cluster;
mod download;
mod error;
mod guard;
mod locate;
mod lock;
mod log;
mod recover;
mod server;
mod socket;
mod supervise;
mod throw_away;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::download::Download;
pub use self::error::Error;
pub use self::throw_away::ThrowAway;

use self::account::Account;
use self::locate::{Binaries, Places, Search};
use self::lock::Lock;
use self::log::Log;
use self::server::Server;

/// The port that is part of the socket's file name, `.s.PGSQL.5432`. Clients have to name it, since
/// the `PGPORT` of an environment would otherwise lead them elsewhere.
pub const PORT: u16 = socket::PORT;

/// What the private PostgreSQL is made of.
#[derive(Clone, Debug)]
pub struct Options {
    /// Holds the cluster, the log and, if need be, the downloaded binaries. Created when absent.
    pub data_dir: PathBuf,
    /// The account that runs PostgreSQL when we are root; otherwise of no meaning.
    pub pg_user: String,
    /// The only directory to look for binaries in (`PG_BIN_DIR`); `None` searches.
    pub bin_dir: Option<PathBuf>,
    /// Whether binaries that are installed on the system may be used. Without, only a download is,
    /// also an earlier one: the same version on every machine.
    pub installed: bool,
    /// What to download when no binaries are found; `None` downloads nothing.
    pub download: Option<Download>,
}

impl Options {
    /// The defaults: the account `postgres`, any binaries, and the pinned download.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            pg_user: "postgres".to_owned(),
            bin_dir: None,
            installed: true,
            download: Download::pinned(),
        }
    }
}

/// A running PostgreSQL that is kept up until [`Embedded::stop`] or until this is dropped.
#[derive(Debug)]
pub struct Embedded {
    socket_dir: PathBuf,
    version: String,
    /// Dropping it tells the supervisor to stop.
    running: DropGuard,
    supervisor: JoinHandle<Result<(), Error>>,
}

impl Embedded {
    /// Starts the server of `options.data_dir`, and returns when it takes connections.
    ///
    /// Finds or downloads the binaries, makes the cluster if there is none, and takes over whatever a
    /// killed run left. Dropping the future ends what it has started. Must be called on a tokio
    /// runtime, which then also runs the supervisor.
    ///
    /// # Errors
    ///
    /// Each says what the operator can do about it.
    pub async fn start(options: Options) -> Result<Self, Error> {
        let account = Account::resolve(&options.pg_user).await?;
        let data_dir = prepare(&options.data_dir, &account).await?;
        let lock = Lock::take(&data_dir)?;
        let binaries = binaries(&options, &data_dir, &account).await?;
        let log = Log::new(&data_dir);
        cluster::ensure(&data_dir, &binaries, &account, &log).await?;
        socket::remove(&data_dir, &account);
        let server = Server {
            cluster: cluster::path(&data_dir),
            socket_dir: socket::create(&data_dir, &account).await?,
            binaries,
            account,
            data_dir,
            log,
        };
        let cancel = CancellationToken::new();
        let guard = match server.start(&cancel).await {
            Ok(Some(guard)) => guard,
            failed => {
                socket::remove(&server.data_dir, &server.account);
                return Err(failed.err().unwrap_or_else(|| server.told_to_stop()));
            }
        };
        let (socket_dir, version) =
            (server.socket_dir.clone(), server.binaries.version().to_owned());
        tracing::info!(
            version, cluster = %server.cluster.display(), socket = %socket_dir.display(),
            "PostgreSQL is running"
        );
        let running = cancel.clone().drop_guard();
        let supervisor = tokio::spawn(supervise::supervise(server, guard, cancel, lock));
        Ok(Self { socket_dir, version, running, supervisor })
    }

    /// The directory of the socket: what a client calls the host. The [`PORT`] belongs to it.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The database user, a superuser without a password.
    pub fn user(&self) -> &'static str {
        cluster::USER
    }

    /// The database, empty at first.
    pub fn database(&self) -> &'static str {
        cluster::DATABASE
    }

    /// The server's version as it says it: `15.14`.
    pub fn server_version(&self) -> &str {
        &self.version
    }

    /// Stops the server: disconnects its clients, writes everything to disk and ends.
    ///
    /// After 30 s it is ended at once, which costs the next start a recovery and loses nothing.
    ///
    /// # Errors
    ///
    /// A server that does not even end then.
    pub async fn stop(self) -> Result<(), Error> {
        drop(self.running);
        self.supervisor.await.unwrap_or_else(|error| Err(Error::Supervisor(error)))
    }
}

/// The data directory, without links and dots in its path; made if absent, unless the account could
/// not reach it then.
async fn prepare(data_dir: &Path, account: &Account) -> Result<PathBuf, Error> {
    let dir = std::path::absolute(data_dir).map_err(Error::data("read", data_dir))?;
    let mut missing: Vec<_> = dir.ancestors().take_while(|dir| !dir.exists()).collect();
    let existing = dir.ancestors().nth(missing.len()).unwrap_or(Path::new("/"));
    let existing = fs::canonicalize(existing).map_err(Error::data("read", existing))?;
    if let Some(blocked_by) = account.blocked_by(&existing).await? {
        return Err(Error::Unreachable { dir, blocked_by, account: account.name().to_owned() });
    }
    // As root the account has to pass through, and needs to see nothing on the way.
    let mode = if account.switches() { 0o711 } else { 0o700 };
    while let Some(dir) = missing.pop() {
        match fs::create_dir(dir) {
            // With just this mode, whatever the umask.
            Ok(()) => fs::set_permissions(dir, fs::Permissions::from_mode(mode))
                .map_err(Error::data("create", dir))?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::data("create", dir)(error)),
        }
    }
    fs::canonicalize(&dir).map_err(Error::data("read", &dir))
}

/// The binaries to use, downloaded if need be.
async fn binaries(
    options: &Options,
    data_dir: &Path,
    account: &Account,
) -> Result<Binaries, Error> {
    let wanted = cluster::major(data_dir, account)?;
    let bin_dir = options.bin_dir.as_deref();
    let places = Places { bin_dir, installed: options.installed, data_dir };
    let found = locate::search(places, wanted, account).await?;
    let (unusable, others) = match found {
        Search::Found(binaries) => return Ok(binaries),
        Search::Nothing { unusable } => (unusable, Vec::new()),
        Search::Others { versions } => (Vec::new(), versions),
    };
    let download = options.download.as_ref().filter(|download| {
        // A directory that was named is the only one; a cluster opens with its own version only.
        bin_dir.is_none() && wanted.is_none_or(|wanted| download.major() == Some(wanted))
    });
    match (download, wanted) {
        (Some(download), _) => download::fetch(download, data_dir, account).await,
        (None, Some(cluster)) => Err(Error::Version {
            dir: cluster::path(data_dir),
            cluster,
            found: if others.is_empty() { "none".to_owned() } else { others.join(", ") },
        }),
        (None, None) if unusable.is_empty() => Err(Error::NotFound { seen: String::new() }),
        (None, None) => Err(Error::NotFound { seen: format!(" ({})", unusable.join("; ")) }),
    }
}

/// Removes the unfinished directories of killed runs, whose names start so.
///
/// As far as it can: what such a run has started may still write into one for a moment, until its
/// guard has ended it. No name is used twice, so a leftover is in nobody's way, and the next start
/// tries again.
fn sweep(dir: &Path, prefix: &str) {
    for leftover in named(dir, prefix) {
        if let Err(error) = fs::remove_dir_all(&leftover) {
            tracing::debug!(dir = %leftover.display(), %error, "cannot remove a leftover yet");
        }
    }
}

/// What is in `dir` under a name that starts so; nothing when it cannot be read.
fn named(dir: &Path, prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let named_so =
        |entry: &fs::DirEntry| entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
    entries.flatten().filter(named_so).map(|entry| entry.path()).collect()
}
