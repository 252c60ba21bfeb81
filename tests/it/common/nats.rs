//! A NATS server of a test's own.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muster::bench::Port;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::process::Directory;

/// A server on a port of its own of this machine. It is ended when this is dropped, however the test ends;
/// what it said is shown when the test failed.
pub(crate) struct Nats {
    child: Option<Child>,
    port: Port,
    options: Vec<String>,
    directory: Directory,
}

impl Nats {
    /// A server that lets everybody in.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A server with options of the command line.
    pub(crate) async fn with(options: &[&str]) -> Self {
        let mut nats = Self::nowhere();
        nats.options = options.iter().map(|&option| option.to_owned()).collect();
        nats.start_again().await;
        nats
    }

    /// A place where there is no server yet.
    pub(crate) fn nowhere() -> Self {
        let directory = Directory::reachable("nats");
        Self { child: None, port: Port::reserve().expect("a port"), options: Vec::new(), directory }
    }

    /// Starts it on its port, and waits until it greets those who come.
    pub(crate) async fn start_again(&mut self) {
        self.stop();
        let log = OpenOptions::new().create(true).append(true).open(self.log()).expect("a log");
        let child = Command::new(program())
            .args(["--addr", "127.0.0.1", "--port", &self.port.number().to_string()])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("nats-server");
        let child = self.child.insert(child);
        let address = self.port.address();
        super::eventually("the NATS server listens", || {
            assert_eq!(child.try_wait().expect("a child"), None, "the NATS server ended");
            greets(&address)
        })
        .await;
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    /// Kills it, and waits for its end.
    pub(crate) fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().ok();
            child.wait().ok();
        }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        self.url_of("")
    }

    /// Its address for somebody: `user:password@` or `token@`.
    pub(crate) fn url_of(&self, who: &str) -> String {
        format!("nats://{who}{}", self.port.address())
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.log()).unwrap_or_default();
            eprintln!("the NATS server on {}: {said}", self.port.address());
        }
    }
}

/// Whether a NATS server is what listens there: it is the first to speak.
async fn greets(address: &str) -> Option<()> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let mut greeting = [0; 5];
    let read = stream.read_exact(&mut greeting);
    tokio::time::timeout(Duration::from_secs(1), read).await.ok()?.ok()?;
    (&greeting == b"INFO ").then_some(())
}

/// Packages put the server where not every account looks for programs.
fn program() -> &'static str {
    let place = "/usr/sbin/nats-server";
    if Path::new(place).exists() { place } else { "nats-server" }
}
