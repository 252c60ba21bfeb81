//! What is measured: a PostgreSQL of its own with fsync on, and servers as processes of their own. Or a server
//! that runs already, wherever it is.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::net::TcpStream;

use crate::auth::{SecretKey, jwt};
use crate::config::Config;
use crate::embedded::{self, Embedded, Options, ThrowAway};
use crate::model::{Error, UserId};
use crate::store::yardstick::Plain;
use crate::store::{Place, Store};

use super::Port;

/// Signs tokens of the servers that are started here.
const KEY: &str = "a key for measurements only";
/// How long a server may take to start.
const START: Duration = Duration::from_mins(1);
/// How long a token lasts: longer than any benchmark.
const DAY: u32 = 86_400;

/// A PostgreSQL for the benchmark in a directory that goes with it.
pub(super) struct Site {
    embedded: Embedded,
    directory: ThrowAway,
}

impl Site {
    /// Starts PostgreSQL.
    pub(super) async fn start(config: &Config) -> anyhow::Result<Self> {
        let directory = ThrowAway::new("bench");
        let mut options = Options::new(directory.path());
        options.pg_user.clone_from(&config.pg_user);
        options.bin_dir.clone_from(&config.pg_bin_dir);
        Ok(Self { embedded: Embedded::start(options).await?, directory })
    }

    /// A directory to put files into.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The version of PostgreSQL.
    pub(super) fn version(&self) -> &str {
        self.embedded.server_version()
    }

    /// How a client is told where a database is: host, port, user, name.
    pub(super) fn place(&self, database: &str) -> [String; 4] {
        let host = self.embedded.socket_dir().display().to_string();
        let user = self.embedded.user().to_owned();
        [host, embedded::PORT.to_string(), user, database.to_owned()]
    }

    /// The address of a database.
    pub(super) fn url(&self, database: &str) -> String {
        let [host, port, user, database] = self.place(database);
        format!("postgres://{user}@localhost:{port}/{database}?host={host}")
    }

    /// Makes a database with Muster's tables.
    pub(super) async fn make(&self, database: &str) -> anyhow::Result<()> {
        let mut first = self.plain(self.embedded.database()).await?;
        first.run(&format!("create database {database}")).await?;
        first.close().await;
        let store = Store::connect(&Place::Url(self.url(database)), 1).await?;
        store.migrate().await?;
        store.close().await;
        Ok(())
    }

    /// A plain connection to a database.
    pub(super) async fn plain(&self, database: &str) -> anyhow::Result<Plain> {
        Plain::connect(&self.url(database)).await
    }

    /// The process that all others of this PostgreSQL come from.
    pub(super) fn postmaster(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.directory().join("pg/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// One of the programs that came with this PostgreSQL, if it is there.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        let line = std::fs::read_to_string(self.directory().join("pg/postmaster.opts")).ok()?;
        let (server, _) = line.split_once(" \"")?;
        let beside = Path::new(server).with_file_name(name);
        let works = |program: &Path| {
            let asked = Command::new(program).arg("--version").stdout(Stdio::null()).status();
            asked.is_ok_and(|status| status.success())
        };
        [beside, PathBuf::from(name)].into_iter().find(|program| works(program))
    }

    /// Starts a server on a database that [`Site::make`] made.
    pub(super) async fn server(&self, database: &str) -> anyhow::Result<Server> {
        Server::start(&self.url(database)).await
    }

    /// Stops PostgreSQL.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        Ok(self.embedded.stop().await?)
    }
}

/// A server, and who may ask it.
pub(super) struct Server {
    /// `HOST:PORT`.
    pub(super) address: String,
    key: SecretKey,
    child: Option<Child>,
    _ports: Option<[Port; 2]>,
}

impl Server {
    /// One that runs already, at `http://HOST:PORT`.
    ///
    /// # Errors
    /// When the address is not of this form or nobody answers there.
    pub(super) async fn running(url: &str, key: &str) -> anyhow::Result<Self> {
        let address = url.strip_prefix("http://").with_context(|| {
            format!("--url {url}: must be http://HOST:PORT; TLS would be what is measured")
        })?;
        let address = address.trim_end_matches('/').to_owned();
        TcpStream::connect(&address).await.with_context(|| format!("--url {url}"))?;
        Ok(Self { address, key: SecretKey::new(key), child: None, _ports: None })
    }

    async fn start(database: &str) -> anyhow::Result<Self> {
        let ports = [Port::reserve()?, Port::reserve()?];
        let [address, ops] = ports.each_ref().map(Port::address);
        let mut command = Command::new(std::env::current_exe()?);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("MUSTER_")) {
                command.env_remove(&name);
            }
        }
        let child = command
            .arg("serve")
            .env("DATABASE_URL", database)
            .env("MUSTER_SECRET_KEY", KEY)
            .env("MUSTER_LISTEN", &address)
            .env("MUSTER_OPS_LISTEN", &ops)
            .env("MUSTER_RATE_PER_USER", "1000000")
            .env("MUSTER_LOG", "warn")
            .stdin(Stdio::null())
            .spawn()
            .context("starting a server")?;
        let (key, child) = (SecretKey::new(KEY), Some(child));
        let mut server = Self { address, key, child, _ports: Some(ports) };
        let begun = Instant::now();
        while TcpStream::connect(&ops).await.is_err() {
            if let Some(child) = &mut server.child {
                ensure!(child.try_wait()?.is_none(), "the server ended at once");
            }
            if begun.elapsed() > START {
                bail!("the server did not start within {} s", START.as_secs());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// The server's process, if it was started here.
    pub(super) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// A token of a user.
    pub(super) fn token(&self, user: &str) -> anyhow::Result<String> {
        let user = UserId::parse(user, 32, "user")?;
        let signed = jwt::sign_hs256(&self.key, &user, chrono::Utc::now(), DAY);
        signed.map_err(|error: Error| anyhow::anyhow!("signing a token: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // What it had committed is all that counts here.
            child.kill().ok();
            child.wait().ok();
        }
    }
}
