//! Invitations a second through the whole server, beside pgbench doing the same work as a plain client.
//!
//! `cargo bench --bench invite [-- SECONDS]` starts a PostgreSQL of its own (fsync on), the server as a
//! process of its own, and N callers on keep-alive connections over loopback. Each call invites one user
//! who was never seen before into one of 1,000 groups: permission, both limits, membership, counters,
//! event, commit. pgbench then runs the same statements as one client-side transaction on the same
//! PostgreSQL, with as many clients. Load, server and database share the machine, so only the ratio of
//! two figures of one run means something.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use muster::auth::{SecretKey, jwt};
use muster::embedded::{self, Embedded, Options};
use muster::model::UserId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const GROUPS: u64 = 1_000;
const KEY: &str = "a key for measurements only";
const CALLERS: [usize; 4] = [1, 8, 64, 256];

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let seconds = std::env::args().find_map(|text| text.parse().ok()).unwrap_or(8);
    let dir = std::env::temp_dir().join(format!("muster-bench-{}", std::process::id()));
    let result = measure(&dir, Duration::from_secs(seconds)).await;
    std::fs::remove_dir_all(&dir).ok();
    result
}

async fn measure(dir: &Path, time: Duration) -> anyhow::Result<()> {
    let embedded = Embedded::start(Options::new(dir)).await?;
    let socket = embedded.socket_dir().to_owned();
    let url = format!(
        "postgres://{}@localhost:{}/{}?host={}",
        embedded.user(),
        embedded::PORT,
        embedded.database(),
        socket.display()
    );
    let server = Server::start(&url).await?;
    let token = jwt::sign_hs256(
        &SecretKey::new(KEY),
        &UserId::parse("owner", 32, "user")?,
        chrono::Utc::now(),
        86_400,
    )?;
    make_groups(&server).await?;
    println!(
        "{:>8} {:>12} {:>9} {:>9} {:>12} {:>7}",
        "callers", "invites/s", "p50 ms", "p99 ms", "pgbench/s", "ratio"
    );
    let serial = Arc::new(AtomicU64::new(0));
    for callers in CALLERS {
        let (rate, latencies) = load(&server, &token, callers, time, &serial).await?;
        let plain = pgbench(&embedded, &socket, callers.min(64), time, dir)?;
        let at = |share: f64| percentile(&latencies, share);
        println!(
            "{callers:>8} {rate:>12.0} {:>9.2} {:>9.2} {plain:>12.0} {:>7.2}",
            at(0.50),
            at(0.99),
            rate / plain
        );
    }
    println!("(256 callers are compared with pgbench's 64 clients, its best case)");
    drop(server);
    embedded.stop().await?;
    Ok(())
}

/// The server, as a process.
struct Server {
    child: std::process::Child,
    address: String,
}

impl Server {
    async fn start(database: &str) -> anyhow::Result<Self> {
        let free = || -> anyhow::Result<String> {
            Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
        };
        let (address, ops) = (free()?, free()?);
        let child = Command::new(env!("CARGO_BIN_EXE_muster"))
            .arg("serve")
            .env("DATABASE_URL", database)
            .env("MUSTER_SECRET_KEY", KEY)
            .env("MUSTER_LISTEN", &address)
            .env("MUSTER_OPS_LISTEN", &ops)
            .env("MUSTER_RATE_PER_USER", "1000000")
            .env("MUSTER_LOG", "warn")
            .stdin(Stdio::null())
            .spawn()?;
        let server = Self { child, address };
        for _ in 0..200 {
            if TcpStream::connect(&ops).await.is_ok() {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the server did not start")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// One keep-alive connection.
struct Caller {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

impl Caller {
    async fn connect(server: &Server, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(&server.address).await?;
        stream.set_nodelay(true)?;
        let head = format!("host: bench\r\nauthorization: Bearer {token}\r\n");
        Ok(Self { stream, head, buffer: vec![0; 16 * 1024] })
    }

    /// Posts and returns the reply's body, which must come with a success.
    async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<String> {
        let request = format!(
            "POST {path} HTTP/1.1\r\n{}content-length: {}\r\n\r\n{body}",
            self.head,
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        loop {
            let read = self.stream.read(&mut self.buffer[filled..]).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            let text = std::str::from_utf8(&self.buffer[..filled])?;
            let Some((head, rest)) = text.split_once("\r\n\r\n") else { continue };
            let length: usize = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length: ")
                        .map(ToOwned::to_owned)
                })
                .context("no length")?
                .parse()?;
            if rest.len() >= length {
                ensure!(head.starts_with("HTTP/1.1 20"), "{text}");
                return Ok(rest.to_owned());
            }
        }
    }
}

async fn make_groups(server: &Server) -> anyhow::Result<()> {
    let key = SecretKey::new(KEY);
    let admin = UserId::parse("administrator", 32, "user")?;
    let admin = jwt::sign_hs256(&key, &admin, chrono::Utc::now(), 86_400)?;
    let mut caller = Caller::connect(server, &admin).await?;
    for group in 0..GROUPS {
        let body = format!(
            r#"{{"groupID":"g{group}","groupType":"Work","groupName":"g","owner":"owner"}}"#
        );
        caller.post("/v1/groups", &body).await?;
    }
    Ok(())
}

async fn load(
    server: &Server,
    token: &str,
    callers: usize,
    time: Duration,
    serial: &Arc<AtomicU64>,
) -> anyhow::Result<(f64, Vec<f64>)> {
    let started = Instant::now();
    let until = started + time;
    let mut tasks = Vec::with_capacity(callers);
    for _ in 0..callers {
        let mut caller = Caller::connect(server, token).await?;
        let serial = serial.clone();
        tasks.push(tokio::spawn(async move {
            let mut latencies = Vec::new();
            while Instant::now() < until {
                let number = serial.fetch_add(1, Ordering::Relaxed);
                let path = format!("/v1/groups/g{}/invite", number.wrapping_mul(7_919) % GROUPS);
                let begun = Instant::now();
                let reply = caller.post(&path, &format!(r#"{{"userList":["u{number}"]}}"#)).await?;
                latencies.push(begun.elapsed().as_secs_f64() * 1_000.0);
                ensure!(reply.contains(r#""result":1"#), "{reply}");
            }
            Ok::<_, anyhow::Error>(latencies)
        }));
    }
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let elapsed = started.elapsed().as_secs_f64();
    latencies.sort_by(f64::total_cmp);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let rate = latencies.len() as f64 / elapsed;
    Ok((rate, latencies))
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index into a list of latencies"
)]
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let index = ((sorted.len() as f64 - 1.0) * share) as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// The same work as one transaction of a plain client.
const SCRIPT: &str = r"
\set group random(0, 999)
\set user random(1, 1000000000000)
begin;
select group_type, invite_option, max_members, member_count, seq, dismissed_at from groups where group_id = 'g' || :group for no key update;
select role from members where group_id = 'g' || :group and user_id = 'owner' and left_seq is null;
select 1 from members where group_id = 'g' || :group and user_id = 'p' || :user and left_seq is null;
insert into users (user_id, created_at) values ('p' || :user, now()) on conflict do nothing;
select group_count, group_limit from users where user_id = 'p' || :user for no key update;
insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev) select 'g' || :group, 'p' || :user, 1, seq + 1, now(), '', 1 from groups where group_id = 'g' || :group on conflict do nothing;
update users set group_count = group_count + 1, membership_rev = membership_rev + 1 where user_id = 'p' || :user;
update groups set member_count = member_count + 1, seq = seq + 1 where group_id = 'g' || :group;
insert into group_events (group_id, seq, kind, at, frame) select 'g' || :group, seq, 2, now(), repeat('x', 180) from groups where group_id = 'g' || :group;
commit;
";

fn pgbench(
    embedded: &Embedded,
    socket: &Path,
    clients: usize,
    time: Duration,
    dir: &Path,
) -> anyhow::Result<f64> {
    let script: PathBuf = dir.join("invite.sql");
    std::fs::write(&script, SCRIPT)?;
    let program = ["/usr/lib/postgresql/15/bin/pgbench", "pgbench"]
        .into_iter()
        .find(|program| Command::new(program).arg("--version").output().is_ok())
        .context("pgbench is not installed")?;
    let output = Command::new(program)
        .args(["-n", "-M", "prepared", "-f"])
        .arg(&script)
        .args(["-c", &clients.to_string(), "-j", "2", "-T", &time.as_secs().to_string()])
        .arg("-h")
        .arg(socket)
        .args(["-p", &embedded::PORT.to_string(), "-U", embedded.user(), embedded.database()])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok())
        .with_context(|| format!("{text}{}", String::from_utf8_lossy(&output.stderr)))
}
