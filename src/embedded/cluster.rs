//! The cluster: PostgreSQL's files, in `pg` below the data directory.
//!
//! Invariant: `pg` is complete or absent. A cluster is made beside it, with its database, and renamed
//! only when all of that has reached the disk, so that a run killed in the middle costs the next one
//! nothing but the removal of what is left.
//!
//! There are no passwords: the only way in is the socket, in a directory that is closed to others.
//! The locale is C and the encoding UTF-8, so that the database sorts as Rust does and does not
//! depend on the system's locales, which change under an index with the system's libraries.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::Account;
use super::error::Error;
use super::guard::Guard;
use super::locate::Binaries;
use super::log::Log;

/// The superuser, and the database that belongs to it.
pub(super) const USER: &str = "muster";
pub(super) const DATABASE: &str = "muster";

/// A cluster in the making is named so, with random digits behind.
const UNFINISHED: &str = "pg.new-";

/// `initdb` takes a second or two; on a slow disk, with its syncs, a minute.
const PATIENCE: Duration = Duration::from_mins(5);

/// What an operator may well change in the cluster's `postgresql.conf`; the options that must not be
/// changed are given on the command line of the server.
const SETTINGS: &str = "
# Muster's defaults. Change them as you like.
wal_compression = on
log_lock_waits = on
";

/// `$1` cluster, `$2` settings.
const CONFIGURE: &str = r#"printf %s "$2" >>"$1/postgresql.conf""#;

/// `$1` SQL, then the single-user server. It takes the place of the shell, so that the guard signals
/// the server itself.
const WITH_SQL: &str = r#"
sql=$1
shift
exec "$@" <<END
$sql
END
"#;

pub(super) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("pg")
}

/// The major version of the cluster, or `None` when there is none yet.
pub(super) fn major(data_dir: &Path, account: &Account) -> Result<Option<u32>, Error> {
    let cluster = path(data_dir);
    let file = cluster.join("PG_VERSION");
    match fs::read_to_string(&file) {
        Ok(text) => {
            check_owner(&cluster, account)?;
            match text.trim().parse() {
                Ok(major) => Ok(Some(major)),
                Err(_) => Err(Error::NotACluster { dir: cluster }),
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // An empty directory, such as a fresh mount point, is as good as none.
            if super::named(&cluster, "").is_empty() {
                return Ok(None);
            }
            Err(Error::NotACluster { dir: cluster })
        }
        Err(source) => {
            // Somebody else's cluster is the usual reason for not being let in.
            check_owner(&cluster, account)?;
            Err(Error::data("read", &file)(source))
        }
    }
}

/// PostgreSQL demands this, too, but does not say what to do.
fn check_owner(cluster: &Path, account: &Account) -> Result<(), Error> {
    let owner = fs::metadata(cluster).map_err(Error::data("read", cluster))?.uid();
    if owner == account.uid() {
        return Ok(());
    }
    Err(Error::Owner { dir: cluster.to_owned(), owner, account: account.name().to_owned() })
}

/// Makes the cluster unless there is one.
pub(super) async fn ensure(
    data_dir: &Path,
    binaries: &Binaries,
    account: &Account,
    log: &Log,
) -> Result<(), Error> {
    super::sweep(data_dir, UNFINISHED);
    match major(data_dir, account)? {
        Some(_) => Ok(()),
        None => create(data_dir, binaries, account, log).await,
    }
}

async fn create(
    data_dir: &Path,
    binaries: &Binaries,
    account: &Account,
    log: &Log,
) -> Result<(), Error> {
    let cluster = path(data_dir);
    tracing::info!(
        dir = %cluster.display(), version = binaries.version(), "creating a PostgreSQL cluster"
    );
    let unfinished = data_dir.join(format!("{UNFINISHED}{:08x}", rand::random::<u32>()));
    DirBuilder::new()
        .mode(0o700)
        .create(&unfinished)
        .and_then(|()| account.own(&unfinished))
        .map_err(Error::data("create", &unfinished))?;
    let made = fill(&unfinished, binaries, account, log).await;
    if let Err(error) = made {
        let _ = fs::remove_dir_all(&unfinished);
        return Err(error);
    }
    // An empty directory in the way, such as a mount point's, was accepted above. `rename` replaces
    // it where it can.
    fs::rename(&unfinished, &cluster).map_err(Error::data("create", &cluster))?;
    // The rename itself has to reach the disk before anything is promised to be kept.
    File::open(data_dir).and_then(|dir| dir.sync_all()).map_err(Error::data("sync", data_dir))
}

async fn fill(
    cluster: &Path,
    binaries: &Binaries,
    account: &Account,
    log: &Log,
) -> Result<(), Error> {
    let step = Step { cluster, account, log };
    let dir = cluster.as_os_str();
    let mut initdb =
        words(&["--username", USER, "--encoding=UTF8", "--locale=C", "--data-checksums"]);
    initdb.extend(words(&["--auth-local=trust", "--auth-host=reject", "--pgdata"]));
    initdb.push(dir);
    step.run("initdb", &binaries.program("initdb"), &initdb).await?;

    let shell = Path::new("/bin/sh");
    let mut configure = words(&["-c", CONFIGURE, "sh"]);
    configure.extend([dir, OsStr::new(SETTINGS)]);
    step.run("configuring", shell, &configure).await?;

    let sql = format!("CREATE DATABASE {DATABASE}");
    let postgres = binaries.program("postgres");
    let mut single = words(&["-c", WITH_SQL, "sh", &sql]);
    single.extend([postgres.as_os_str(), OsStr::new("--single"), OsStr::new("-D"), dir]);
    // By itself a single-user server goes on after an error, and ends well.
    single.extend(words(&["-c", "exit_on_error=on", "postgres"]));
    step.run("creating the database", shell, &single).await
}

fn words<'a>(words: &[&'a str]) -> Vec<&'a OsStr> {
    words.iter().copied().map(OsStr::new).collect()
}

/// What the steps of making a cluster share.
struct Step<'a> {
    cluster: &'a Path,
    account: &'a Account,
    log: &'a Log,
}

impl Step<'_> {
    async fn run(&self, name: &str, program: &Path, args: &[&OsStr]) -> Result<(), Error> {
        let mark = self.log.len();
        let failed = |why: String| Error::Init {
            dir: self.cluster.to_owned(),
            why: format!("{name}: {why}"),
            log: self.log.since(mark),
        };
        let log = self.log.open().map_err(Error::data("write", self.log.path()))?;
        let mut guard = Guard::spawn(self.account, &log, None, program, args)
            .map_err(|source| Error::Run { program: "/bin/sh".to_owned(), source })?;
        match tokio::time::timeout(PATIENCE, guard.ended()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(failed(status.to_string())),
            Ok(Err(error)) => Err(failed(error.to_string())),
            Err(_) => {
                guard.finish().await;
                Err(failed(format!("not done after {} s", PATIENCE.as_secs())))
            }
        }
    }
}
