//! A PostgreSQL of a test's own, which it may kill, copy and promote.
//!
//! The files are copied from a cluster that is made once for the run. `fsync` is off: what is killed here
//! are processes, never the machine, and a killed process loses nothing that it has written.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::cluster;
use super::process::Directory;

/// The name of the superuser and of the database.
const NAME: &str = "muster";
const PORT: u16 = 5432;
/// Longest wait for a start, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(1);

/// The files that all others are copies of.
static TEMPLATE: tokio::sync::OnceCell<PathBuf> = tokio::sync::OnceCell::const_new();

/// A server and its files. Both are gone when this is dropped.
pub(crate) struct Postgres {
    directory: Directory,
    programs: PathBuf,
    child: Mutex<Option<Child>>,
}

/// The account that PostgreSQL runs as, when we are root.
fn account() -> Option<(u32, u32)> {
    let ask = |what: &[&str]| -> Option<u32> {
        let output = Command::new("id").args(what).output().ok()?;
        String::from_utf8_lossy(&output.stdout).trim().parse().ok()
    };
    if ask(&["-u"]) != Some(0) {
        return None;
    }
    let name = std::env::var("MUSTER_PG_USER").unwrap_or_else(|_| "postgres".to_owned());
    let account = ask(&["-u", &name]).zip(ask(&["-g", &name]));
    Some(account.unwrap_or_else(|| panic!("there is no account {name}")))
}

/// A command that runs as PostgreSQL's account and says nothing.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = account() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let output = command.stderr(Stdio::piped()).output().expect("a program");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
}

/// A directory that PostgreSQL's account owns.
fn owned_directory(name: &str) -> Directory {
    let directory = Directory::new(name);
    make(directory.path());
    directory
}

fn make(directory: &Path) {
    std::fs::create_dir_all(directory).expect("a directory");
    if let Some((uid, gid)) = account() {
        std::os::unix::fs::chown(directory, Some(uid), Some(gid)).expect("its owner");
    }
}

async fn template(programs: &Path) -> &'static Path {
    let made = TEMPLATE.get_or_init(|| async {
        let directory = cluster::directory().await.join("template");
        make(&directory);
        let files = directory.join("pg");
        let mut initdb = command(&programs.join("initdb"));
        initdb.args(["--username", NAME, "--encoding=UTF8", "--locale=C", "--no-sync"]);
        run(initdb.args(["--auth=trust", "--pgdata"]).arg(&files));
        files
    });
    made.await
}

impl Postgres {
    /// A new server with an empty database.
    pub(crate) async fn start() -> Self {
        let programs = cluster::programs().await;
        let template = template(&programs).await;
        let directory = owned_directory("own");
        run(command(Path::new("cp")).arg("-a").arg(template).arg(directory.path()));
        let postgres = Self { directory, programs, child: Mutex::new(None) };
        postgres.launch().await;
        let mut connection = postgres.connection("postgres").await.expect("a connection");
        let create = format!("create database {NAME}");
        connection.execute(AssertSqlSafe(create)).await.expect("a database");
        connection.close().await.ok();
        postgres
    }

    /// The database's address.
    pub(crate) fn url(&self) -> String {
        self.url_of(NAME)
    }

    fn url_of(&self, database: &str) -> String {
        let dir = self.directory.path().display();
        format!("postgres://{NAME}@localhost:{PORT}/{database}?host={dir}")
    }

    fn files(&self) -> PathBuf {
        self.directory.path().join("pg")
    }

    async fn connection(&self, database: &str) -> Result<PgConnection, sqlx::Error> {
        PgConnection::connect(&self.url_of(database)).await
    }

    /// Starts the server in its place and waits until it takes connections.
    pub(crate) async fn launch(&self) {
        let log = self.directory.path().join("log");
        let begun = tokio::time::Instant::now();
        loop {
            if self.ended() {
                let mut server = command(&self.programs.join("postgres"));
                server.arg("-D").arg(self.files()).arg("-k").arg(self.directory.path());
                for option in [
                    "listen_addresses=",
                    "fsync=off",
                    "max_connections=200",
                    "max_wal_size=256MB",
                    "log_lock_waits=on",
                ] {
                    server.args(["-c", option]);
                }
                let file = std::fs::OpenOptions::new().create(true).append(true).open(&log);
                server.stderr(file.expect("a log"));
                *self.child.lock().expect("nobody panicked") =
                    Some(server.spawn().expect("postgres"));
            }
            if self.connection("postgres").await.is_ok() {
                return;
            }
            if begun.elapsed() > PATIENCE {
                let said = std::fs::read_to_string(&log).unwrap_or_default();
                panic!("PostgreSQL does not start: {said}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Whether no server runs.
    fn ended(&self) -> bool {
        let mut child = self.child.lock().expect("nobody panicked");
        child.as_mut().is_none_or(|child| child.try_wait().expect("a child").is_some())
    }

    /// Kills the server and all its processes as a power cut would.
    pub(crate) fn kill(&self) {
        let Some(mut child) = self.child.lock().expect("nobody panicked").take() else { return };
        let children = children_of(child.id());
        child.kill().expect("kill -9");
        for pid in children {
            signal("KILL", pid);
        }
        child.wait().expect("its end");
    }

    /// Stops the server in order, ending all connections.
    pub(crate) fn stop(&self) {
        let Some(mut child) = self.child.lock().expect("nobody panicked").take() else { return };
        signal("INT", child.id());
        child.wait().expect("its end");
    }

    /// Takes a copy of the files while the server runs.
    pub(crate) fn copy(&self) -> Directory {
        let directory = owned_directory("copy");
        let mut backup = command(&self.programs.join("pg_basebackup"));
        backup.arg("--pgdata").arg(directory.path().join("pg"));
        backup.arg("--host").arg(self.directory.path()).args(["--username", NAME]);
        run(backup.args(["--checkpoint=fast", "--wal-method=stream", "--no-sync"]));
        directory
    }

    /// Puts a copy into the place of the files and promotes it: the same address, another history.
    pub(crate) async fn replace_by(&self, copy: Directory) {
        self.stop();
        std::fs::remove_dir_all(self.files()).expect("the files go");
        std::fs::rename(copy.path().join("pg"), self.files()).expect("the copy comes");
        std::fs::write(self.files().join("standby.signal"), "").expect("a standby");
        self.launch().await;
        let mut connection = self.connection("postgres").await.expect("a connection");
        let promoted: bool = sqlx::query_scalar("select pg_promote(true, 60)")
            .fetch_one(&mut connection)
            .await
            .expect("an answer");
        assert!(promoted, "the copy is promoted");
        connection.close().await.ok();
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        // Nobody waits for its end any more.
        std::fs::remove_file(self.files().join("postmaster.pid")).ok();
    }
}

pub(crate) fn signal(name: &str, pid: u32) {
    let script = format!("kill -{name} {pid}");
    Command::new("/bin/sh").args(["-c", &script]).stderr(Stdio::null()).status().expect("a shell");
}

/// The processes whose parent is this one.
fn children_of(parent: u32) -> Vec<u32> {
    let output = Command::new("ps").args(["-eo", "pid=,ppid="]).output().expect("ps");
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let of = |line: &str| {
        let mut numbers = line.split_whitespace().map(|number| number.parse::<u32>().ok());
        let (pid, of) = (numbers.next()??, numbers.next()??);
        (of == parent).then_some(pid)
    };
    lines.lines().filter_map(of).collect()
}
