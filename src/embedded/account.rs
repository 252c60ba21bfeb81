//! The account that PostgreSQL runs as.
//!
//! PostgreSQL refuses root, so Muster started as root runs every program of PostgreSQL as an
//! unprivileged account, and as itself otherwise. Every process this module's siblings start goes
//! through [`Account::command`], which also gives it a known environment: a `PGPORT` or `PGDATA` of
//! the operator's shell must not reach a server that he does not know about.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use super::error::Error;

/// What a program of PostgreSQL inherits from our environment: how to find programs and libraries.
const KEPT: [&str; 3] = ["PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];

/// Short helpers (`id`, `postgres --version`) answer within this time or are taken for broken.
const HELPER: Duration = Duration::from_secs(10);

/// Who runs PostgreSQL.
#[derive(Clone, Debug)]
pub(super) struct Account {
    name: String,
    uid: u32,
    /// The group to switch to; `None` when PostgreSQL runs as we do and nothing is switched.
    switch: Option<u32>,
}

impl Account {
    /// `pg_user` when we are root, ourselves otherwise.
    ///
    /// Asks `id` rather than reading `/etc/passwd`, since accounts may live in a directory service.
    pub(super) async fn resolve(pg_user: &str) -> Result<Self, Error> {
        let uid = id(&["-u"]).await?.map_err(|why| Error::Run {
            program: "id".to_owned(),
            source: io::Error::other(why),
        })?;
        if uid != 0 {
            return Ok(Self { name: own_name(uid).await, uid, switch: None });
        }
        if pg_user.is_empty() || pg_user.starts_with('-') {
            return Err(absent(pg_user, "this is not the name of an account".to_owned()));
        }
        let uid = id(&["-u", pg_user]).await?.map_err(|why| absent(pg_user, why))?;
        let gid = id(&["-g", pg_user]).await?.map_err(|why| absent(pg_user, why))?;
        if uid == 0 {
            return Err(absent(pg_user, "it is root, too".to_owned()));
        }
        Ok(Self { name: pg_user.to_owned(), uid, switch: Some(gid) })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }

    /// Whether we are root and PostgreSQL runs as somebody else.
    pub(super) fn switches(&self) -> bool {
        self.switch.is_some()
    }

    /// A command that runs as this account, with a clean environment and no standard input.
    ///
    /// It starts in `/`, since the account may not be allowed into our own working directory, and
    /// dies with the future that waits for it.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        let kept = KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command
            .env_clear()
            .envs(kept)
            // English messages, since some of them are recognised, and log times that need no zone.
            .envs([("LC_ALL", "C"), ("TZ", "UTC")])
            .current_dir("/")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if let Some(gid) = self.switch {
            // `uid` also empties the list of supplementary groups when root switches.
            command.uid(self.uid).gid(gid);
        }
        command
    }

    /// Gives a file or directory that we made to the account.
    pub(super) fn own(&self, path: &Path) -> io::Result<()> {
        match self.switch {
            Some(gid) => std::os::unix::fs::lchown(path, Some(self.uid), Some(gid)),
            None => Ok(()),
        }
    }

    /// The first directory on the way to `dir`, itself included, that the account may not enter.
    ///
    /// Tries it as the account instead of reading modes, so that access control lists, containers
    /// and network file systems answer for themselves.
    pub(super) async fn blocked_by(&self, dir: &Path) -> Result<Option<PathBuf>, Error> {
        let mut way: Vec<_> = dir.ancestors().collect();
        way.reverse();
        let mut command = self.command("/bin/sh");
        command
            .args(["-c", r#"i=0; for d; do cd "$d" || exit 3; i=$((i+1)); echo $i; done"#, "sh"])
            .args(&way);
        let output = capture(command, HELPER)
            .await
            .map_err(|source| Error::Run { program: "/bin/sh".to_owned(), source })?;
        let entered = String::from_utf8_lossy(&output.stdout).lines().count();
        Ok(way.get(entered).map(|dir| dir.to_path_buf()))
    }
}

/// Runs a command to its end and collects what it writes; killed when it takes longer than `limit`.
pub(super) async fn capture(mut command: Command, limit: Duration) -> io::Result<Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = async {
        loop {
            match command.output().await {
                // A program that was just unpacked is busy for an instant, while a process that
                // another thread starts still holds a copy of the file that was written.
                Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                output => return output,
            }
        }
    };
    match tokio::time::timeout(limit, run).await {
        Ok(output) => output,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("it did not end within {} s", limit.as_secs()),
        )),
    }
}

/// [`capture`] with the limit for programs that only say something about themselves.
pub(super) async fn ask(command: Command) -> io::Result<Output> {
    capture(command, HELPER).await
}

/// What a failed program had to say, for an error text.
pub(super) fn complaint(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    match text.trim() {
        "" => output.status.to_string(),
        text => text.to_owned(),
    }
}

/// The number that `id` prints, or what it says instead.
async fn id(args: &[&str]) -> Result<Result<u32, String>, Error> {
    let output = id_output(args).await?;
    let printed = String::from_utf8_lossy(&output.stdout);
    Ok(printed.trim().parse().map_err(|_| complaint(&output)))
}

async fn own_name(uid: u32) -> String {
    // A container may run as a number without an account; the number is then the best name.
    let name = id_output(&["-un"]).await.ok().filter(|output| output.status.success());
    name.map_or_else(
        || uid.to_string(),
        |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
    )
}

async fn id_output(args: &[&str]) -> Result<Output, Error> {
    let mut command = Command::new("id");
    command.args(args).env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    ask(command).await.map_err(|source| Error::Run { program: "id".to_owned(), source })
}

fn absent(account: &str, why: String) -> Error {
    Error::Account { account: account.to_owned(), why }
}
