//! What a run that did not end properly leaves behind, made harmless before the next start.
//!
//! - Muster killed: its guard is still stopping the server, or the guard was killed too and the
//!   server runs on. Whoever holds the lock of the data directory owns the cluster, so such a server
//!   is stopped, not adopted: its settings and its socket belong to the dead run.
//! - The server killed: `postmaster.pid` stays and names a process that is gone or, by now, somebody
//!   else. PostgreSQL refuses to start while any process of that number lives under its own account;
//!   in a container, where the same few numbers come back after every restart, that is the rule
//!   rather than the exception.
//!
//! A stale `postmaster.pid` is not removed. It also names the shared memory of the dead server, by
//! which PostgreSQL notices that orphaned backends of it still write to the same files. So only the
//! process number in it is replaced, by one that no process can have; then PostgreSQL does that
//! check, and removes the file itself.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::account::{Account, ask, capture, complaint};
use super::error::Error;
use super::guard::PATIENCE;
use super::locate::Binaries;

/// No system gives out this number: Linux ends at 2^22, macOS at 99,999.
const NOBODY: u32 = i32::MAX as u32;

/// More than eight lines ever take.
const LARGEST: u64 = 8 << 10;

/// The lines of `postmaster.pid` that matter here.
#[derive(Debug)]
pub(super) struct PidFile {
    pid: u32,
    socket_dir: PathBuf,
    ready: bool,
}

impl PidFile {
    /// `None` when there is none, or one that was cut short.
    pub(super) fn read(cluster: &Path) -> Option<Self> {
        let mut bytes = Vec::new();
        File::open(path(cluster)).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        let mut lines = text.lines();
        // A single-user server writes its number with a minus sign.
        let pid = lines.next()?.trim().trim_start_matches('-').parse().ok()?;
        let mut lines = lines.skip(3);
        let socket_dir = PathBuf::from(lines.next().unwrap_or_default());
        let ready = lines.nth(2).is_some_and(|status| status.trim() == "ready");
        Some(Self { pid, socket_dir, ready })
    }

    /// Whether this is the file of a server that was started on `socket_dir` and takes connections.
    pub(super) fn is_ready_on(&self, socket_dir: &Path) -> bool {
        self.ready && self.pid != NOBODY && self.socket_dir == socket_dir
    }
}

/// Afterwards no server runs on the cluster, and nothing stale keeps the next one from starting.
pub(super) async fn settle(
    cluster: &Path,
    binaries: &Binaries,
    account: &Account,
) -> Result<(), Error> {
    if let Some(file) = PidFile::read(cluster)
        && runs(file.pid, cluster, account).await
    {
        let pid = file.pid;
        tracing::warn!(pid, "stopping the PostgreSQL that an earlier run left behind");
        stop(pid, cluster, binaries, account).await?;
    }
    disown(cluster, account).await
}

async fn stop(
    pid: u32,
    cluster: &Path,
    binaries: &Binaries,
    account: &Account,
) -> Result<(), Error> {
    let mut why = String::new();
    for (mode, seconds) in [("fast", PATIENCE), ("immediate", 10)] {
        let mut command = account.command(binaries.program("pg_ctl"));
        command.args(["stop", "-w", "-s", "-m", mode, "-t", &seconds.to_string(), "-D"]);
        command.arg(cluster);
        match capture(command, Duration::from_secs(u64::from(seconds) + 5)).await {
            Ok(output) => why = complaint(&output),
            Err(error) => why = error.to_string(),
        }
        // It may have ended by itself meanwhile, whatever pg_ctl makes of that.
        if !runs(pid, cluster, account).await {
            return Ok(());
        }
    }
    Err(Error::StillRunning { dir: cluster.to_owned(), pid, why })
}

/// Whether a process is a server of this cluster, and not another one that got its number.
async fn runs(pid: u32, cluster: &Path, account: &Account) -> bool {
    if pid == NOBODY {
        return false;
    }
    let process = PathBuf::from(format!("/proc/{pid}"));
    if Path::new("/proc/self/cmdline").exists() {
        let Ok(command_line) = fs::read(process.join("cmdline")) else { return false };
        let mut words = command_line.split(|byte| *byte == 0);
        let program = words.next().unwrap_or_default();
        return is_server(program)
            && (words.any(|word| word == cluster.as_os_str().as_bytes())
                // A server that somebody started by hand may spell the directory differently.
                || fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd == cluster));
    }
    let mut ps = account.command("ps");
    ps.args(["-ww", "-o", "args=", "-p", &pid.to_string()]);
    let Ok(output) = ask(ps).await else { return false };
    let program = output.stdout.split(|byte| *byte == b' ').next().unwrap_or_default();
    let cluster = cluster.as_os_str().as_bytes();
    is_server(program) && output.stdout.windows(cluster.len()).any(|window| window == cluster)
}

fn is_server(program: &[u8]) -> bool {
    let name = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    // A macOS build and a wrapper may add to the name.
    name.starts_with(b"postgres") || name.starts_with(b"postmaster")
}

/// Gives a `postmaster.pid` that is left over to nobody. `$1` cluster, `$2` nobody's number.
///
/// A file without a whole first line was cut short by a full disk or a power failure: it says
/// nothing, and PostgreSQL would refuse to start beside it.
const DISOWN: &str = r#"
cd "$1" || exit 1
[ -e postmaster.pid ] || exit 0
if read -r pid <postmaster.pid; then
    { echo "$2" && tail -n +2 postmaster.pid; } >postmaster.pid.muster &&
        mv -f postmaster.pid.muster postmaster.pid
else
    rm -f postmaster.pid
fi
"#;

/// Runs [`DISOWN`] as the account: everything in the cluster is the account's, and as root we would
/// follow whatever link it may have put there.
async fn disown(cluster: &Path, account: &Account) -> Result<(), Error> {
    let path = path(cluster);
    if fs::symlink_metadata(&path).is_err() {
        return Ok(());
    }
    let mut command = account.command("/bin/sh");
    command.args(["-c", DISOWN, "sh"]).arg(cluster).arg(NOBODY.to_string());
    let done = match ask(command).await {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(io::Error::other(complaint(&output))),
        Err(error) => Err(error),
    };
    done.map_err(Error::data("write", &path))
}

fn path(cluster: &Path) -> PathBuf {
    cluster.join("postmaster.pid")
}
