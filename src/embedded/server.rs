//! Starting one server and seeing it ready.
//!
//! Everything that has to be so for the promises of this module to hold is given on the command
//! line, where no configuration file can change it: no network, the socket, durability, and a log
//! that we can read.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::account::Account;
use super::error::Error;
use super::guard::Guard;
use super::locate::Binaries;
use super::log::Log;
use super::recover::{self, PidFile};
use super::socket;

/// How often the server's state is looked at while it starts. It usually takes 0.1 s.
const POLL: Duration = Duration::from_millis(20);

/// A starting server that writes nothing into its log for this long is given up. One that recovers
/// from a crash reports its progress every 10 s (PostgreSQL 15 and newer).
const SILENCE: Duration = Duration::from_mins(1);

/// The longest that a start may take however much it reports: recovery has to come to an end, and
/// giving up means beginning it anew.
const WHOLE: Duration = Duration::from_mins(15);

/// How long a start is repeated while something of an earlier server is still ending.
const CONTENTION: Duration = Duration::from_secs(30);
const AGAIN: Duration = Duration::from_millis(200);

/// What PostgreSQL says in that case: backends without their postmaster still hold the shared memory,
/// or the server of a killed run was started by its guard only now.
const CONTENDED: [&str; 2] =
    ["pre-existing shared memory block", "postmaster.pid\" already exists"];

/// All that it takes to start the server, again and again in the same place.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) binaries: Binaries,
    pub(super) account: Account,
    pub(super) data_dir: PathBuf,
    pub(super) cluster: PathBuf,
    pub(super) socket_dir: PathBuf,
    pub(super) log: Log,
}

/// What became of one attempt.
enum Attempt {
    Ready,
    Ended(io::Result<ExitStatus>),
    Stalled(Duration),
    Cancelled,
}

impl Server {
    /// Starts the server and waits until it takes connections. `None` when that was cancelled and
    /// the server has ended again.
    pub(super) async fn start(&self, cancel: &CancellationToken) -> Result<Option<Guard>, Error> {
        let deadline = Instant::now() + CONTENTION;
        loop {
            recover::settle(&self.cluster, &self.binaries, &self.account).await?;
            if let Err(error) = self.log.trim() {
                tracing::warn!(%error, "cannot set postgres.log aside");
            }
            let mark = self.log.len();
            let mut guard = self.launch()?;
            let why = match self.watch(&mut guard, cancel).await {
                Attempt::Ready => return Ok(Some(guard)),
                Attempt::Cancelled => {
                    guard.finish().await;
                    return Ok(None);
                }
                Attempt::Stalled(after) => {
                    guard.finish().await;
                    format!("not ready after {} s", after.as_secs())
                }
                Attempt::Ended(status) => {
                    let said = self.log.since(mark);
                    if CONTENDED.iter().any(|text| said.contains(text)) && Instant::now() < deadline
                    {
                        tracing::debug!(
                            "a server of an earlier run is still ending; starting again"
                        );
                        tokio::time::sleep(AGAIN).await;
                        continue;
                    }
                    status.map_or_else(|error| error.to_string(), |status| status.to_string())
                }
            };
            let (log, tail) = (self.log.path().to_owned(), self.log.since(mark));
            return Err(Error::Start { why, log, tail });
        }
    }

    /// The error of a start that was cancelled, for a caller who has to have a server.
    pub(super) fn told_to_stop(&self) -> Error {
        let (log, tail) = (self.log.path().to_owned(), String::new());
        Error::Start { why: "it was told to stop".to_owned(), log, tail }
    }

    fn launch(&self) -> Result<Guard, Error> {
        socket::ensure(&self.socket_dir, &self.account).map_err(|error| Error::SocketDir {
            tried: self.socket_dir.display().to_string(),
            why: error.to_string(),
            account: self.account.name().to_owned(),
        })?;
        let log = self.log.open().map_err(Error::data("write", self.log.path()))?;
        let mut args: Vec<OsString> = vec!["-D".into(), self.cluster.clone().into()];
        args.extend(["-k".into(), self.socket_dir.clone().into()]);
        for option in [
            "listen_addresses=".to_owned(),
            format!("port={}", socket::PORT),
            "unix_socket_permissions=0700".to_owned(),
            "fsync=on".to_owned(),
            "full_page_writes=on".to_owned(),
            "logging_collector=off".to_owned(),
            "log_destination=stderr".to_owned(),
        ] {
            args.extend(["-c".into(), option.into()]);
        }
        let postgres = self.binaries.program("postgres");
        Guard::spawn(&self.account, &log, Some(&self.socket_dir), &postgres, args)
            .map_err(|source| Error::Run { program: "/bin/sh".to_owned(), source })
    }

    async fn watch(&self, guard: &mut Guard, cancel: &CancellationToken) -> Attempt {
        let begun = Instant::now();
        let (mut said, mut said_at) = (self.log.len(), begun);
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => return Attempt::Cancelled,
                status = guard.ended() => return Attempt::Ended(status),
                () = tokio::time::sleep(POLL) => {}
            }
            let file = PidFile::read(&self.cluster);
            if file.is_some_and(|file| file.is_ready_on(&self.socket_dir)) {
                return Attempt::Ready;
            }
            let now = Instant::now();
            if self.log.len() != said {
                (said, said_at) = (self.log.len(), now);
            }
            if now - said_at > SILENCE || now - begun > WHOLE {
                return Attempt::Stalled(now - begun);
            }
        }
    }

    /// Stops the server that `guard` runs, if any, and removes what only served the run.
    pub(super) async fn stop(&self, guard: Option<Guard>) -> Result<(), Error> {
        if let Some(guard) = guard
            && !guard.finish().await
        {
            tracing::warn!("PostgreSQL's guard does not end");
        }
        // A guard that was killed could not stop its server.
        recover::settle(&self.cluster, &self.binaries, &self.account).await?;
        socket::remove(&self.data_dir, &self.account);
        Ok(())
    }
}
