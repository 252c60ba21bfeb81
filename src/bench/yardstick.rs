//! The yardstick: the same work by a plain client of the database.
//!
//! `pgbench` plays the script where it is installed; otherwise plain connections of our own do, statement by
//! statement, each prepared. Both run on the same PostgreSQL as the server, in a database of their own with the
//! same tables and rows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::load::Done;
use super::site::Site;
use super::stats::{Times, micros};
use crate::store::yardstick::{Plain, Script};

/// Who plays scripts.
pub(super) struct Yardstick {
    pgbench: Option<PathBuf>,
    directory: PathBuf,
    place: [String; 4],
    url: String,
}

impl Yardstick {
    /// On this database, with connections of our own if it has to be `plain`.
    pub(super) fn new(site: &Site, database: &str, plain: bool) -> Self {
        Self {
            pgbench: if plain { None } else { site.program("pgbench") },
            directory: site.directory().to_owned(),
            place: site.place(database),
            url: site.url(database),
        }
    }

    /// What it is called.
    pub(super) fn name(&self) -> &'static str {
        if self.pgbench.is_some() { "pgbench" } else { "plain client" }
    }

    /// Gives PostgreSQL its statistics: a plan that was made for empty tables would be no yardstick.
    pub(super) async fn analyze(&self) -> anyhow::Result<()> {
        let mut plain = Plain::connect(&self.url).await?;
        plain.run("analyze").await?;
        plain.close().await;
        Ok(())
    }

    /// Plays a script with so many clients for so long.
    pub(super) async fn play(
        &self,
        script: &str,
        clients: usize,
        time: Duration,
    ) -> anyhow::Result<Done> {
        match &self.pgbench {
            Some(program) => self.pgbench(program, script, clients, time).await,
            None => self.plain(script, clients, time).await,
        }
    }

    async fn pgbench(
        &self,
        program: &Path,
        script: &str,
        clients: usize,
        time: Duration,
    ) -> anyhow::Result<Done> {
        let (file, log) = (self.directory.join("script.sql"), self.directory.join("yardstick"));
        fs::write(&file, script)?;
        let [host, port, user, database] = &self.place;
        let threads = clients.min(2).to_string();
        let output = Command::new(program)
            .args(["--no-vacuum", "--protocol=prepared", "--log", "--file"])
            .arg(&file)
            .arg(format!("--log-prefix={}", log.display()))
            .args(["--client", &clients.to_string(), "--jobs", &threads])
            .args(["--time", &time.as_secs().max(1).to_string()])
            .args(["--host", host, "--port", port, "--username", user, database])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await?;
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench: {complaint}");
        let rate = said.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate: f64 = rate
            .and_then(|rest| rest.split(' ').next()?.parse().ok())
            .with_context(|| format!("pgbench: {said}{complaint}"))?;
        let times = Times::of(self.take_logs()?);
        let right = u64::try_from(times.len())?;
        let elapsed = Duration::from_secs_f64(super::stats::u64_to_f64(right) / rate.max(1e-9));
        Ok(Done { right, times, elapsed, ..Done::default() })
    }

    /// Reads and removes the logs of single transactions.
    fn take_logs(&self) -> anyhow::Result<Vec<u32>> {
        let mut times = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with("yardstick.") {
                let text = fs::read_to_string(entry.path())?;
                times.extend(
                    text.lines().filter_map(|line| line.split(' ').nth(2)?.parse::<u32>().ok()),
                );
                fs::remove_file(entry.path())?;
            }
        }
        Ok(times)
    }

    async fn plain(&self, script: &str, clients: usize, time: Duration) -> anyhow::Result<Done> {
        let script = Script::read(script)?;
        let mut connections = Vec::with_capacity(clients);
        for _ in 0..clients {
            connections.push(Plain::connect(&self.url).await?);
        }
        let started = Instant::now();
        let tasks: Vec<_> = connections
            .into_iter()
            .map(|mut connection| {
                let script = script.clone();
                tokio::spawn(async move {
                    let mut times = Vec::new();
                    while started.elapsed() < time {
                        let begun = Instant::now();
                        connection.play(&script).await?;
                        times.push(micros(begun.elapsed()));
                    }
                    connection.close().await;
                    anyhow::Ok(times)
                })
            })
            .collect();
        let mut times = Vec::new();
        for task in tasks {
            times.extend(task.await??);
        }
        let times = Times::of(times);
        let right = u64::try_from(times.len())?;
        Ok(Done { right, times, elapsed: started.elapsed(), ..Done::default() })
    }
}
