//! The real binary as a process of its own, for tests that kill or freeze it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster::bench::Port;

use super::{KEY, jwt_of};

/// A server process. It is ended when this is dropped, however the test ends.
pub(crate) struct Process {
    child: Child,
    pub(crate) url: String,
    pub(crate) ops: String,
    _ports: [Port; 2],
}

/// The real binary, without the settings of whoever runs the tests.
pub(crate) fn muster() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_muster"));
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("MUSTER_") || name == "DATABASE_URL") {
            command.env_remove(name);
        }
    }
    command
}

impl Process {
    /// Starts `muster serve` with these settings beside the usual ones and waits until it is ready.
    pub(crate) async fn start(settings: &[(&str, &str)]) -> Self {
        let process = Self::spawn(settings, None);
        process.ready().await;
        process
    }

    /// The same; what it logs is added to this file.
    pub(crate) async fn start_with_log(settings: &[(&str, &str)], log: &Path) -> Self {
        let process = Self::spawn(settings, Some(log));
        process.ready().await;
        process
    }

    fn spawn(settings: &[(&str, &str)], log: Option<&Path>) -> Self {
        let ports = [(); 2].map(|()| Port::reserve().expect("a port"));
        let [listen, ops_listen] = ports.each_ref().map(Port::address);
        let mut command = muster();
        if let Some(log) = log {
            let file = std::fs::OpenOptions::new().create(true).append(true).open(log);
            command.stderr(file.expect("a file for the log"));
        }
        let child = command
            .arg("serve")
            .env("MUSTER_LISTEN", &listen)
            .env("MUSTER_OPS_LISTEN", &ops_listen)
            .env("MUSTER_SECRET_KEY", KEY)
            .env("MUSTER_RATE_PER_USER", "100000")
            .env("MUSTER_LOG", "error")
            .envs(settings.iter().copied())
            .stdin(Stdio::null())
            .spawn()
            .expect("the binary");
        let (url, ops) = (format!("http://{listen}"), format!("http://{ops_listen}"));
        Self { child, url, ops, _ports: ports }
    }

    async fn ready(&self) {
        super::eventually("the server is ready", || async {
            let answer = reqwest::get(format!("{}/readyz", self.ops)).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status()
            .expect("kill");
        assert!(status.success(), "kill -{name}");
    }

    /// The process's number.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it in order and waits for its end. Returns whether it said that all went well.
    pub(crate) async fn terminate(mut self) -> bool {
        self.signal("TERM");
        for _ in 0..1_200 {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("it does not end within thirty seconds")
    }

    /// Kills it as a power cut would, and waits for its end.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
    }

    /// Posts as a user; status and body, or nothing when the connection failed.
    pub(crate) async fn post(
        &self,
        client: &reqwest::Client,
        user: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> Option<(u16, serde_json::Value)> {
        self.call(client, reqwest::Method::POST, user, path, body).await
    }

    /// Any call as a user; status and body, or nothing when the connection failed.
    pub(crate) async fn call(
        &self,
        client: &reqwest::Client,
        method: reqwest::Method,
        user: &str,
        path: &str,
        body: &serde_json::Value,
    ) -> Option<(u16, serde_json::Value)> {
        let request = client
            .request(method, format!("{}{path}", self.url))
            .bearer_auth(jwt_of(user, 3_600))
            .timeout(Duration::from_secs(30))
            .json(body);
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.json().await.ok()?))
    }

    /// Gets as a user.
    pub(crate) async fn get(&self, user: &str, path: &str) -> serde_json::Value {
        let client = reqwest::Client::new();
        let request = client.get(format!("{}{path}", self.url)).bearer_auth(jwt_of(user, 3_600));
        let response = request.send().await.expect("an answer");
        response.json().await.expect("JSON")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A directory that goes when the test ends; PostgreSQL's account can reach it.
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// One that exists, and that every account can enter.
    pub(crate) fn reachable(name: &str) -> Self {
        let directory = Self::new(name);
        std::fs::create_dir(directory.path()).expect("a directory");
        let permissions = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(directory.path(), permissions).expect("permissions");
        directory
    }

    pub(crate) fn new(name: &str) -> Self {
        let unique =
            format!("muster-it-{name}-{}-{:04x}", std::process::id(), rand::random::<u16>());
        Self(std::env::temp_dir().join(unique))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn text(&self) -> &str {
        self.0.to_str().expect("a path of text")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // PostgreSQL may still be at work on its end.
        for _ in 0..100 {
            let stopped = !self.0.join("pg/postmaster.pid").exists();
            if stopped && (std::fs::remove_dir_all(&self.0).is_ok() || !self.0.exists()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        std::fs::remove_dir_all(&self.0).ok();
    }
}

/// The address of the embedded PostgreSQL that runs below a data directory.
pub(crate) fn embedded_url(data_dir: &Path) -> String {
    let pid_file = data_dir.join("pg/postmaster.pid");
    let text = std::fs::read_to_string(pid_file).expect("postmaster.pid");
    let lines: Vec<&str> = text.lines().collect();
    format!("postgres://muster@localhost:{}/muster?host={}", lines[3], lines[4])
}
