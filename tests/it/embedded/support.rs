//! What the tests of the private PostgreSQL share: a place for each, its processes, a victim.

use std::fs::{self, DirBuilder};
use std::future::Future;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use muster::embedded::{Embedded, Options, PORT};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};

/// No single wait takes longer than this, even on a machine that is busy with other tests.
pub(super) const BOUND: Duration = Duration::from_secs(90);

/// A directory for one test, in which nothing runs any more and nothing is left when it is dropped.
pub(super) struct Place {
    pub(super) dir: PathBuf,
    pub(super) data: PathBuf,
}

impl Place {
    pub(super) fn new() -> Self {
        // Short, and open to every account, unlike what TMPDIR may name.
        let dir = PathBuf::from(format!("/tmp/muster-test-{:016x}", rand::random::<u64>()));
        DirBuilder::new().mode(0o755).create(&dir).unwrap();
        let dir = fs::canonicalize(dir).unwrap();
        // A name that a careless shell or configuration file would stumble over.
        Self { data: dir.join("it's data"), dir }
    }

    pub(super) fn options(&self) -> Options {
        let mut options = Options::new(&self.data);
        options.pg_user = pg_user();
        options.bin_dir = std::env::var_os("PG_BIN_DIR").map(PathBuf::from);
        options
    }

    pub(super) async fn start(&self) -> Embedded {
        match within(Embedded::start(self.options())).await {
            Ok(embedded) => embedded,
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) fn cluster(&self) -> PathBuf {
        self.data.join("pg")
    }

    pub(super) fn unfinished(&self) -> Vec<String> {
        names(&self.data).into_iter().filter(|name| name.starts_with("pg.new-")).collect()
    }

    pub(super) fn downloaded(&self) -> Vec<String> {
        let of_a_download = ["postgresql-", "download-"];
        let named_so = |name: &String| of_a_download.iter().any(|start| name.starts_with(start));
        names(&self.data).into_iter().filter(named_so).collect()
    }

    /// The user and group that PostgreSQL runs as, if not as ourselves.
    pub(super) fn account() -> Option<(u32, u32)> {
        let user = pg_user();
        am_root().then(|| (id("-u", &user).unwrap(), id("-g", &user).unwrap()))
    }

    pub(super) fn give(path: &Path) {
        if let Some((uid, gid)) = Self::account() {
            std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
        }
    }

    pub(super) fn postmaster(&self) -> u32 {
        self.try_postmaster().expect("postmaster.pid names a process")
    }

    fn try_postmaster(&self) -> Option<u32> {
        let text = fs::read_to_string(self.cluster().join("postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// Every process that has this place in its command line: guards and servers. Those of PostgreSQL's
    /// processes that serve clients do not have it, but end with their server.
    pub(super) fn processes(&self) -> Vec<u32> {
        self.processes_like("")
    }

    pub(super) fn guards(&self) -> Vec<u32> {
        self.processes_like("muster-postgres")
    }

    fn processes_like(&self, also: &str) -> Vec<u32> {
        let here = self.data.display().to_string();
        let mut found = command_lines();
        found.retain(|(_, words)| words.contains(&here) && words.contains(also));
        found.into_iter().map(|(pid, _)| pid).collect()
    }

    /// Leaves the server without anybody who would stop it.
    pub(super) fn kill_guards(&self) {
        let guards = self.guards();
        assert!(!guards.is_empty());
        for guard in guards {
            signal("KILL", guard);
        }
    }

    pub(super) async fn wait_until_nothing_runs(&self) {
        eventually("everything ends", || self.processes().is_empty()).await;
    }

    pub(super) async fn wait_for_another_server_than(&self, before: u32, socket_dir: &Path) {
        let changed = || self.try_postmaster().is_some_and(|pid| pid != before);
        eventually("another server is there", changed).await;
        client(socket_dir).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // After a failed test something may still run; it must not stay.
        for pid in self.processes() {
            signal("KILL", pid);
        }
        if let Ok(socket_dir) = fs::read_to_string(self.data.join("socket-dir")) {
            let _ = fs::remove_dir_all(socket_dir);
        }
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// This test binary again, to be killed.
pub(super) struct Victim {
    pub(super) command: Command,
    ready: PathBuf,
}

impl Victim {
    pub(super) fn new(place: &Place) -> Self {
        Self::of(&std::env::current_exe().unwrap(), place)
    }

    /// The same as another user, for which one has to be root. The binary is copied, since it may
    /// lie where that user cannot reach it.
    pub(super) fn as_user(place: &Place, user: &str) -> Self {
        let copy = place.dir.join("victim");
        fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
        let mut victim = Self::of(&copy, place);
        victim.command.uid(id("-u", user).unwrap()).gid(id("-g", user).unwrap());
        victim
    }

    fn of(program: &Path, place: &Place) -> Self {
        // The test is called by the path of the module above, without the name of the crate.
        let (_, module) = module_path!().split_once("::").unwrap();
        let (module, _) = module.rsplit_once("::").unwrap();
        let mut command = Command::new(program);
        command
            .args(["--exact", &format!("{module}::victim")])
            .env("MUSTER_TEST_VICTIM", &place.data)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Self { command, ready: place.dir.join("ready") }
    }

    pub(super) fn spawn(mut self) -> Running {
        loop {
            match self.command.spawn() {
                Ok(child) => return Running { child: Reaped(child), ready: self.ready },
                // A copied binary is busy while a process that another test starts still holds it.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
}

pub(super) struct Running {
    child: Reaped,
    ready: PathBuf,
}

impl Running {
    /// Where its server is, as soon as it is there.
    pub(super) async fn socket_dir(&mut self) -> PathBuf {
        let (child, ready) = (&mut self.child.0, &self.ready);
        eventually("the victim is ready", || ready.exists() || child.try_wait().unwrap().is_some())
            .await;
        let said = fs::read_to_string(&self.ready).expect("the victim died before it was ready");
        assert!(said.starts_with('/'), "{said}");
        PathBuf::from(said)
    }

    pub(super) fn freeze(&self) {
        signal("STOP", self.child.0.id());
    }

    /// SIGKILL, and gone.
    pub(super) fn kill(&mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }
}

/// A child that does not outlive its test.
pub(super) struct Reaped(pub(super) Child);

impl Drop for Reaped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A connection with what [`Embedded`] tells.
pub(super) async fn connect(socket_dir: &Path, embedded: &Embedded) -> PgConnection {
    connection(socket_dir, embedded.user(), embedded.database()).await
}

/// A connection to the server of another process, of which only the place is known.
pub(super) async fn client(socket_dir: &Path) -> PgConnection {
    connection(socket_dir, "muster", "muster").await
}

/// Tries until the server takes connections.
async fn connection(socket_dir: &Path, user: &str, database: &str) -> PgConnection {
    let options = PgConnectOptions::new_without_pgpass()
        .socket(socket_dir)
        .port(PORT)
        .username(user)
        .database(database)
        .ssl_mode(PgSslMode::Disable);
    let begun = Instant::now();
    loop {
        match within(PgConnection::connect_with(&options)).await {
            Ok(connection) => return connection,
            Err(error) if begun.elapsed() > BOUND => panic!("cannot connect: {error}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

pub(super) async fn text(client: &mut PgConnection, sql: &str) -> String {
    let query = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned()));
    within(query.fetch_one(client)).await.unwrap()
}

pub(super) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("it takes too long")
}

pub(super) async fn eventually(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < BOUND, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) fn pg_user() -> String {
    std::env::var("MUSTER_PG_USER").unwrap_or_else(|_| "postgres".to_owned())
}

pub(super) fn am_root() -> bool {
    id("-u", "").unwrap() == 0
}

pub(super) fn id(what: &str, user: &str) -> Option<u32> {
    let mut command = Command::new("id");
    command.arg(what).args((!user.is_empty()).then_some(user));
    String::from_utf8_lossy(&command.output().ok()?.stdout).trim().parse().ok()
}

pub(super) fn signal(name: &str, pid: u32) {
    // The shell's own `kill`, since the program of that name is not on every system.
    let script = format!("kill -{name} {pid}");
    Command::new("/bin/sh").args(["-c", &script]).stderr(Stdio::null()).status().unwrap();
}

pub(super) fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Every process with its command line, words separated by blanks.
fn command_lines() -> Vec<(u32, String)> {
    if Path::new("/proc/self/cmdline").exists() {
        let pids = names(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok());
        let words = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let text = |pid| String::from_utf8_lossy(&words(pid)).replace('\0', " ");
        return pids.map(|pid| (pid, text(pid))).collect();
    }
    let output = Command::new("ps").args(["-axww", "-o", "pid=,args="]).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    let parse = |line: &str| {
        let (pid, words) = line.trim().split_once(' ')?;
        Some((pid.parse().ok()?, words.to_owned()))
    };
    lines.lines().filter_map(parse).collect()
}
