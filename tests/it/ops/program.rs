//! The real binary as an operator starts it, with what it says and how it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use muster::bench::Port;
use serde_json::Value;

use crate::common::process::muster;
use crate::common::{KEY, jwt_of};

/// Longest wait for a start or an end, on a machine that is busy with other tests.
const BOUND: Duration = Duration::from_mins(1);

/// A process of the binary. It is killed when this is dropped, however the test ends.
pub(super) struct Program {
    child: Child,
    said: Arc<Mutex<String>>,
    reader: Option<std::thread::JoinHandle<()>>,
    pub(super) url: String,
    pub(super) ops: String,
    _ports: [Port; 2],
}

impl Program {
    /// `muster serve` on its embedded PostgreSQL in this directory, or on the database of the settings.
    pub(super) fn spawn(directory: &Path, settings: &[(&str, &str)]) -> Self {
        let ports = [(); 2].map(|()| Port::reserve().expect("a port"));
        let [listen, ops_listen] = ports.each_ref().map(Port::address);
        let mut child = muster()
            .arg("serve")
            .env("MUSTER_LISTEN", &listen)
            .env("MUSTER_OPS_LISTEN", &ops_listen)
            .env("MUSTER_DATA_DIR", directory)
            .env("MUSTER_SECRET_KEY", KEY)
            .env("MUSTER_RATE_PER_USER", "100000")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let said = Arc::new(Mutex::new(String::new()));
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe"));
        let heard = Arc::clone(&said);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).is_ok_and(|length| length > 0) {
                heard.lock().expect("nobody panicked").push_str(&line);
                line.clear();
            }
        });
        let (url, ops) = (format!("http://{listen}"), format!("http://{ops_listen}"));
        Self { child, said, reader: Some(reader), url, ops, _ports: ports }
    }

    /// The same, once it is ready.
    pub(super) async fn start(directory: &Path, settings: &[(&str, &str)]) -> Self {
        let mut program = Self::spawn(directory, settings);
        let begun = Instant::now();
        while program.readiness().await != Some(200) {
            let ended = program.child.try_wait().expect("a child");
            assert!(ended.is_none() && begun.elapsed() < BOUND, "{ended:?}: {}", program.said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        program
    }

    /// The status of `/readyz`, if somebody answers.
    pub(super) async fn readiness(&self) -> Option<u16> {
        let answer = reqwest::get(format!("{}/readyz", self.ops)).await.ok()?;
        Some(answer.status().as_u16())
    }

    /// What it wrote to standard error so far.
    pub(super) fn said(&self) -> String {
        self.said.lock().expect("nobody panicked").clone()
    }

    pub(super) fn signal(&self, name: &str) {
        signal(name, self.child.id());
    }

    /// Waits for its end; then everything that it said is known.
    pub(super) async fn ended(&mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                // Whoever inherited its standard error may live a little longer, and say nothing.
                while self.reader.as_ref().is_some_and(|reader| !reader.is_finished())
                    && begun.elapsed() < BOUND
                {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                return (status, self.said());
            }
            assert!(begun.elapsed() < BOUND, "it does not end: {}", self.said());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Posts as a user: status, `Retry-After` and body, or nothing when the connection failed.
    pub(super) async fn post(
        &self,
        user: &str,
        path: &str,
        body: &Value,
    ) -> Option<(u16, Option<String>, Value)> {
        let request = reqwest::Client::new()
            .post(format!("{}{path}", self.url))
            .bearer_auth(jwt_of(user, 3_600))
            .timeout(Duration::from_secs(30))
            .json(body);
        let response = request.send().await.ok()?;
        let wait = response.headers().get("retry-after");
        let wait = wait.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Some((response.status().as_u16(), wait, response.json().await.ok()?))
    }

    /// Gets as a user.
    pub(super) async fn get(&self, user: &str, path: &str) -> (u16, Value) {
        let request = reqwest::Client::new()
            .get(format!("{}{path}", self.url))
            .bearer_auth(jwt_of(user, 3_600))
            .timeout(Duration::from_secs(30));
        let response = request.send().await.expect("an answer");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Sends a signal by name to one process.
pub(super) fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).status();
    assert!(status.expect("kill").success(), "kill -{name} {pid}");
}

/// The process of PostgreSQL below a data directory.
pub(super) fn postmaster(directory: &Path) -> Option<u32> {
    let text = std::fs::read_to_string(directory.join("pg/postmaster.pid")).ok()?;
    text.lines().next()?.trim().parse().ok()
}

/// Processes that name this directory in their command line: PostgreSQL and its guard.
pub(super) fn processes_of(directory: &Path) -> Vec<String> {
    let here = directory.to_string_lossy().into_owned();
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|words| String::from_utf8_lossy(&words).replace('\0', " "));
    lines.filter(|line| line.contains(&here)).collect()
}
