//! Why the private PostgreSQL could not run.
//!
//! These texts are read by whoever just typed `muster serve`, so each of them says what happened and
//! then what to do about it. They name paths on purpose: none of them reaches a client.

use std::path::{Path, PathBuf};

/// The way out that always works, said by every error for which no better one is known.
const INSTALL: &str = "install PostgreSQL 14 or newer (Debian and Ubuntu: apt-get install \
                       postgresql; Fedora: dnf install postgresql-server; macOS: brew install \
                       postgresql), or set DATABASE_URL to a server that runs already";

/// Why the private PostgreSQL could not be started, or not be stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Started as root, and the account that PostgreSQL is to run as is absent or unfit.
    #[error(
        "PostgreSQL refuses to run as root, and the account {account:?} cannot run it instead: \
         {why}; name another account in MUSTER_PG_USER, or start muster as an ordinary user"
    )]
    Account {
        /// The account asked for.
        account: String,
        /// What is wrong with it.
        why: String,
    },

    /// The data directory could not be created, read or written.
    #[error(
        "cannot {action} {}: {source}; make it accessible to this user, or choose another data \
         directory with --data-dir", path.display()
    )]
    DataDir {
        /// What was tried, as a verb: "create", "write".
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },

    /// The account that runs PostgreSQL cannot enter the data directory.
    #[error(
        "the account {account:?}, which runs PostgreSQL, cannot reach the data directory {}: it \
         may not enter {}; choose a directory that it can reach with --data-dir (for example \
         /var/lib/muster), or let it pass with chmod o+x on {}",
        dir.display(), blocked_by.display(), blocked_by.display()
    )]
    Unreachable {
        /// The data directory.
        dir: PathBuf,
        /// The first directory on the way that the account may not enter.
        blocked_by: PathBuf,
        /// The account.
        account: String,
    },

    /// Another server owns the data directory.
    #[error(
        "the data directory {} is in use by another muster ({holder}); stop that one first, or \
         choose another directory with --data-dir", dir.display()
    )]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// Who holds it, as far as known: `process 4711`.
        holder: String,
    },

    /// `PG_BIN_DIR` names a directory that holds no usable PostgreSQL. Nothing else is tried then:
    /// whoever names a directory wants that one.
    #[error(
        "PG_BIN_DIR is {}, but {why}; point it at the directory that holds postgres, initdb and \
         pg_ctl, or unset it and let muster search", dir.display()
    )]
    BinDir {
        /// The directory named.
        dir: PathBuf,
        /// Why it does not serve.
        why: String,
    },

    /// No server binaries anywhere, and none can be downloaded for this platform.
    #[error(
        "no PostgreSQL was found{seen}, and there is none to download for this platform; {INSTALL}"
    )]
    NotFound {
        /// What was found and not usable, as a parenthesis, or nothing.
        seen: String,
    },

    /// The existing cluster belongs to a major version that is not here.
    #[error(
        "the cluster in {} was made by PostgreSQL {cluster}, and a server of another major version \
         cannot open it; found: {found}. Install PostgreSQL {cluster}, or move the data with \
         pg_dump or pg_upgrade", dir.display()
    )]
    Version {
        /// The cluster.
        dir: PathBuf,
        /// Its major version.
        cluster: u32,
        /// The versions that are here.
        found: String,
    },

    /// The download failed.
    #[error("no PostgreSQL was found, and downloading {url} failed: {why}; {INSTALL}")]
    Download {
        /// From where.
        url: String,
        /// What went wrong.
        why: String,
    },

    /// What was downloaded is not what was pinned.
    #[error(
        "the archive downloaded from {url} is not the expected one and was deleted (SHA-256 \
         {actual}, expected {expected}); try again from a network that does not alter downloads, \
         or {INSTALL}"
    )]
    Checksum {
        /// From where.
        url: String,
        /// The pinned SHA-256.
        expected: String,
        /// The SHA-256 of what arrived.
        actual: String,
    },

    /// The downloaded server does not run on this system.
    #[error(
        "the PostgreSQL downloaded to {} does not run here: {why}; install what it misses, remove \
         that directory to download it again, or {INSTALL}", dir.display()
    )]
    Unusable {
        /// Where it was unpacked.
        dir: PathBuf,
        /// What it said.
        why: String,
    },

    /// The directory of the cluster holds something else.
    #[error(
        "{} is not empty and holds no PostgreSQL cluster; move it away, or choose another data \
         directory with --data-dir", dir.display()
    )]
    NotACluster {
        /// The directory.
        dir: PathBuf,
    },

    /// The cluster belongs to another account than the one that is to run it.
    #[error(
        "the cluster in {} belongs to user id {owner}, but PostgreSQL is to run as {account:?}; \
         start muster as its owner (as root: name the owner in MUSTER_PG_USER), give the cluster \
         to {account:?} with chown -R, or choose another data directory with --data-dir",
        dir.display()
    )]
    Owner {
        /// The cluster.
        dir: PathBuf,
        /// The user id that owns it.
        owner: u32,
        /// The account that is to run it.
        account: String,
    },

    /// The cluster could not be created.
    #[error(
        "creating the cluster in {} failed ({why}); check the free space and the permissions of \
         that directory. PostgreSQL said:\n{log}", dir.display()
    )]
    Init {
        /// Where the cluster was to be.
        dir: PathBuf,
        /// How it ended.
        why: String,
        /// The end of what PostgreSQL wrote.
        log: String,
    },

    /// The server did not come up.
    #[error(
        "PostgreSQL did not start ({why}); its log is {}, and ends with:\n{tail}", log.display()
    )]
    Start {
        /// How it ended, or that it took too long.
        why: String,
        /// The log file.
        log: PathBuf,
        /// The end of this attempt's log.
        tail: String,
    },

    /// No directory for the socket.
    #[error(
        "no private directory for PostgreSQL's socket could be made below {tried}: {why}; point \
         TMPDIR at a short path that {account:?} can enter"
    )]
    SocketDir {
        /// The directories tried.
        tried: String,
        /// What was wrong with the last one.
        why: String,
        /// The account that runs PostgreSQL.
        account: String,
    },

    /// A server of this cluster does not end.
    #[error(
        "PostgreSQL (process {pid}) still runs on {} and does not stop: {why}; end it by hand, \
         then start muster again", dir.display()
    )]
    StillRunning {
        /// The cluster.
        dir: PathBuf,
        /// The process.
        pid: u32,
        /// What `pg_ctl` said.
        why: String,
    },

    /// A program that is needed could not be run at all.
    #[error(
        "cannot run {program}, which the private PostgreSQL needs: {source}; install it, or set \
         DATABASE_URL to a server that runs already"
    )]
    Run {
        /// The program.
        program: String,
        /// The system's answer.
        source: std::io::Error,
    },

    /// The task that stops the server ended before it had done so.
    #[error(
        "PostgreSQL's supervisor ended too early ({0}); PostgreSQL ends by itself, and the next \
         start takes care of what is left"
    )]
    Supervisor(tokio::task::JoinError),
}

impl Error {
    /// For `map_err` on whatever touches the data directory.
    pub(super) fn data(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::DataDir { action, path, source }
    }
}
