//! The guard: a small shell that runs one program of PostgreSQL and ends it when Muster is gone.
//!
//! Invariant: nothing that Muster started outlives it by more than the program's own shutdown, even
//! after `kill -9`. Only the kernel tells a process reliably that another one died, and the portable
//! way in which it does so is the end of a pipe: we hold the writing end and never write, the guard
//! reads. The guard has a process group of its own, so that Ctrl-C in a terminal reaches Muster
//! alone, which then stops things in order.
//!
//! The shell has to wait for two things at once, the pipe and the program. So a subshell blocks in
//! `read`, and signals the shell, which blocks in `wait`:
//!
//! - SIGUSR1 passes SIGINT on (PostgreSQL: disconnect everybody, checkpoint, end); SIGUSR2 passes
//!   SIGQUIT (end at once, recover at the next start) when patience is over. They are repeated every
//!   second, since a program that has just been forked may still ignore them.
//! - Only the shell that also reaps the program signals it, so the number it signals is never that
//!   of an unrelated process.
//! - A trap interrupts `wait`, and then the shell waits again; a trap that ran just before `wait` has
//!   already passed the signal on, so nothing is lost between the two.
//! - The ordinary signals mean nothing to either shell: a service manager may send SIGTERM to every
//!   process of a service, and PostgreSQL must outlast Muster's own orderly end.
//! - When the program ends by itself, the guard ends too, with its status. That is how we notice. The
//!   subshell goes by SIGKILL, because a signal with a trap could meet it just after its fork and be
//!   lost; the last `kill` is for its `sleep` and reaches the guard's own group only.
//!
//! The socket directory is removed only after Muster has gone: while it lives, the server is about
//! to be started again in the same place.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{Child, ChildStdin};

use super::account::Account;

/// Seconds that a program is given to end properly before it has to end at once.
pub(super) const PATIENCE: u32 = 30;

/// How long an immediate end may take on top. PostgreSQL kills its last processes after 5 s.
const IMMEDIATE: Duration = Duration::from_secs(15);

/// `$1` directory to remove, or empty; `$2` patience in seconds; then the program.
const SCRIPT: &str = r#"
dir=$1 patience=$2
shift 2
trap 'woken=1' HUP INT TERM
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
exec >/dev/null 2>&1
gone= woken=
trap 'woken=1 gone=1; kill -INT "$child"' USR1
trap 'woken=1 gone=1; kill -QUIT "$child"' USR2
(
    trap '' HUP INT TERM
    while read -r line <&3; do :; done
    waited=0
    while :; do
        if [ "$waited" -lt "$patience" ]; then sig=USR1; else sig=USR2; fi
        kill -"$sig" "$$" || exit 0
        sleep 1
        waited=$((waited + 1))
    done
) &
reader=$!
exec 3<&-
while :; do
    woken=
    wait "$child"
    status=$?
    [ -n "$woken" ] || break
done
trap '' USR1 USR2
kill -KILL "$reader"
wait "$reader"
kill -USR1 0
if [ -n "$gone" ] && [ -n "$dir" ]; then rm -rf -- "$dir"; fi
exit "$status"
"#;

/// A program of PostgreSQL under guard. Dropping it lets go of the pipe, which ends the program.
#[derive(Debug)]
pub(super) struct Guard {
    shell: Child,
    /// Our end of the pipe. Never written to.
    tether: Option<ChildStdin>,
}

impl Guard {
    /// Runs `program` as `account`; what it says is appended to `log`.
    ///
    /// `remove` is the directory to remove after Muster let go and the program ended.
    pub(super) fn spawn<A: AsRef<OsStr>>(
        account: &Account,
        log: &File,
        remove: Option<&Path>,
        program: &Path,
        args: impl IntoIterator<Item = A>,
    ) -> io::Result<Self> {
        let mut command = account.command("/bin/sh");
        command
            .args(["-c", SCRIPT, "muster-postgres"])
            .arg(remove.map_or(OsStr::new(""), Path::as_os_str))
            .arg(PATIENCE.to_string())
            .arg(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log.try_clone()?)
            .process_group(0)
            // A guard that is killed cannot end its program.
            .kill_on_drop(false);
        let mut shell = command.spawn()?;
        // Taken out, since waiting for the child would close it.
        let tether = shell.stdin.take();
        Ok(Self { shell, tether })
    }

    /// Waits for the program's own end. May be cancelled and called again.
    pub(super) async fn ended(&mut self) -> io::Result<ExitStatus> {
        self.shell.wait().await
    }

    /// Ends the program and waits for that; false when even its immediate end took too long.
    pub(super) async fn finish(mut self) -> bool {
        drop(self.tether.take());
        let limit = Duration::from_secs(u64::from(PATIENCE)) + IMMEDIATE;
        tokio::time::timeout(limit, self.shell.wait()).await.is_ok()
    }
}
