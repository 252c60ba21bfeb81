//! A NATS server of a test's own.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A server on a free port of this machine. It is ended when this is dropped, however the test ends.
pub(crate) struct Nats {
    child: Option<Child>,
    port: u16,
    options: Vec<String>,
}

impl Nats {
    /// A server that lets everybody in.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A server with options of the command line.
    pub(crate) async fn with(options: &[&str]) -> Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        let mut nats = Self { child: None, port: free_port(), options };
        nats.start_again().await;
        nats
    }

    /// A place where there is no server yet.
    pub(crate) fn nowhere() -> Self {
        Self { child: None, port: free_port(), options: Vec::new() }
    }

    /// Starts it on its port.
    pub(crate) async fn start_again(&mut self) {
        self.stop();
        let child = Command::new(program())
            .args(["--addr", "127.0.0.1", "--port", &self.port.to_string()])
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nats-server");
        self.child = Some(child);
        super::eventually("the NATS server listens", || async {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).ok()
        })
        .await;
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
        format!("nats://{who}127.0.0.1:{}", self.port)
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.stop();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// Packages put the server where not every account looks for programs.
fn program() -> &'static str {
    let place = "/usr/sbin/nats-server";
    if Path::new(place).exists() { place } else { "nats-server" }
}
