//! Wires between a node and its servers that lose, double and shuffle the news that a server tells, and
//! that can be frozen and cut. No hook in the program is needed for that.
//!
//! Only news between nodes is touched: PostgreSQL's `NotificationResponse`, NATS's `MSG` and `HMSG`. Everything
//! else passes in order. What happens to each message is thrown with dice of a printed seed.

mod nats;
mod postgres;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, watch};

/// What is done to news.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    /// The share that never arrives.
    pub(crate) lost: f64,
    /// The share that arrives twice.
    pub(crate) doubled: f64,
    /// Whether the rest is held back for random times, so that its order is another.
    pub(crate) shuffled: bool,
}

impl Odds {
    /// 5 % lost, 5 % doubled, the rest shuffled.
    pub(crate) const BAD: Self = Self { lost: 0.05, doubled: 0.05, shuffled: true };
}

/// How many messages with news met which fate.
#[derive(Debug, Default)]
pub(crate) struct Fates {
    pub(crate) passed: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) doubled: AtomicU64,
}

/// How a wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    Frozen,
    Cut,
}

/// Where the server is.
#[derive(Clone, Debug)]
enum Server {
    Socket(PathBuf),
    Address(SocketAddr),
}

/// What the server speaks.
#[derive(Clone, Copy, Debug)]
enum Language {
    Postgres,
    Nats,
}

/// The next whole message of a server.
enum Message {
    News(Bytes),
    Other(Bytes),
}

/// What all connections of a wire share.
struct Shared {
    server: Server,
    language: Language,
    odds: Odds,
    dice: Mutex<StdRng>,
    fates: Fates,
}

/// A wire. It is gone when this is dropped.
pub(crate) struct Wire {
    state: watch::Sender<State>,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
    address: SocketAddr,
}

impl Wire {
    /// A wire to the PostgreSQL of this address, and the database's address through it.
    pub(crate) async fn before_postgres(database: &str, odds: Odds, seed: u64) -> (Self, String) {
        let url = url::Url::parse(database).expect("an address");
        let dir = url.query_pairs().find(|(name, _)| name == "host").expect("a directory").1;
        let port = url.port().unwrap_or(5432);
        let socket = PathBuf::from(format!("{dir}/.s.PGSQL.{port}"));
        let wire = Self::open(Server::Socket(socket), Language::Postgres, odds, seed).await;
        let (user, address) = (url.username(), wire.address);
        let through = format!("postgres://{user}@{address}{}?sslmode=disable", url.path());
        (wire, through)
    }

    /// A wire to the NATS server of this address, and the server's address through it.
    pub(crate) async fn before_nats(url: &str, odds: Odds, seed: u64) -> (Self, String) {
        let address = url.strip_prefix("nats://").and_then(|place| place.parse().ok());
        let address: SocketAddr = address.expect("an address");
        let wire = Self::open(Server::Address(address), Language::Nats, odds, seed).await;
        let through = format!("nats://{}", wire.address);
        (wire, through)
    }

    async fn open(server: Server, language: Language, odds: Odds, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let dice = Mutex::new(StdRng::seed_from_u64(seed));
        let shared = Shared { server, language, odds, dice, fates: Fates::default() };
        let shared = Arc::new(shared);
        let (state, watched) = watch::channel(State::Whole);
        let of_all = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, of_all.clone(), watched.clone()));
            }
        });
        Self { state, shared, task, address }
    }

    /// What became of the news so far.
    pub(crate) fn fates(&self) -> String {
        let fates = &self.shared.fates;
        let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
        let (passed, lost, doubled) =
            (count(&fates.passed), count(&fates.lost), count(&fates.doubled));
        format!("{passed} passed, {lost} lost, {doubled} doubled")
    }

    /// How many messages with news were lost.
    pub(crate) fn lost(&self) -> u64 {
        self.shared.fates.lost.load(Ordering::Relaxed)
    }

    /// Keeps every connection and carries nothing any more.
    pub(crate) fn freeze(&self) {
        self.state.send_replace(State::Frozen);
    }

    /// Ends every connection and every new one.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Carries again.
    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

type Reader = Box<dyn AsyncRead + Send + Unpin>;
type Writer = Box<dyn AsyncWrite + Send + Unpin>;

async fn reach(server: &Server) -> Option<(Reader, Writer)> {
    match server {
        Server::Socket(path) => {
            let (reader, writer) = UnixStream::connect(path).await.ok()?.into_split();
            Some((Box::new(reader), Box::new(writer)))
        }
        Server::Address(address) => {
            let stream = TcpStream::connect(address).await.ok()?;
            stream.set_nodelay(true).ok()?;
            let (reader, writer) = stream.into_split();
            Some((Box::new(reader), Box::new(writer)))
        }
    }
}

async fn carry(client: TcpStream, shared: Arc<Shared>, mut state: watch::Receiver<State>) {
    if *state.borrow_and_update() == State::Cut {
        return;
    }
    client.set_nodelay(true).ok();
    let Some((from_server, to_server)) = reach(&shared.server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (post, letters) = mpsc::unbounded_channel();
    let there = pass(from_client, to_server, state.clone());
    let back = hear(from_server, post, shared, state.clone());
    let home = deliver(letters, Box::new(to_client), state.clone());
    tokio::select! {
        () = async { tokio::join!(back, home); } => {}
        () = there => {}
        _ = state.wait_for(|state| *state == State::Cut) => {}
    }
}

/// Waits while the wire is frozen. False when it is gone.
async fn flows(state: &mut watch::Receiver<State>) -> bool {
    state.wait_for(|state| *state != State::Frozen).await.is_ok_and(|now| *now == State::Whole)
}

/// Carries what the client says.
async fn pass(mut from: impl AsyncRead + Unpin, mut to: Writer, mut state: watch::Receiver<State>) {
    let mut buffer = vec![0; 32 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if !flows(&mut state).await || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Takes apart what the server says, and throws for what is news.
async fn hear(
    mut from: Reader,
    post: mpsc::UnboundedSender<Bytes>,
    shared: Arc<Shared>,
    mut state: watch::Receiver<State>,
) {
    let mut buffer = BytesMut::with_capacity(32 * 1024);
    while let Ok(1..) = from.read_buf(&mut buffer).await {
        if !flows(&mut state).await {
            return;
        }
        loop {
            let next = match shared.language {
                Language::Postgres => postgres::next(&mut buffer),
                Language::Nats => nats::next(&mut buffer),
            };
            match next {
                Some(Message::Other(bytes)) => drop(post.send(bytes)),
                Some(Message::News(bytes)) => shared.throw(&bytes, &post),
                None => break,
            }
        }
    }
}

impl Shared {
    /// Decides about a message with news.
    fn throw(&self, bytes: &Bytes, post: &mpsc::UnboundedSender<Bytes>) {
        let mut dice = self.dice.lock().expect("nobody panicked");
        let fate = dice.random::<f64>();
        let copies = if fate < self.odds.lost {
            self.fates.lost.fetch_add(1, Ordering::Relaxed);
            0
        } else if fate < self.odds.lost + self.odds.doubled {
            self.fates.doubled.fetch_add(1, Ordering::Relaxed);
            2
        } else {
            self.fates.passed.fetch_add(1, Ordering::Relaxed);
            1
        };
        for _ in 0..copies {
            let held = if self.odds.shuffled { held(&mut dice) } else { Duration::ZERO };
            let (bytes, post) = (bytes.clone(), post.clone());
            if held.is_zero() {
                drop(post.send(bytes));
                continue;
            }
            tokio::spawn(async move {
                tokio::time::sleep(held).await;
                drop(post.send(bytes));
            });
        }
    }
}

/// For how long a message is held back: mostly a little, now and then some hundred milliseconds.
fn held(dice: &mut StdRng) -> Duration {
    let most = if dice.random_bool(0.1) { 300 } else { 40 };
    Duration::from_millis(dice.random_range(0..=most))
}

/// Writes to the client what comes out, in the order in which it comes out.
async fn deliver(
    mut letters: mpsc::UnboundedReceiver<Bytes>,
    mut to: Writer,
    mut state: watch::Receiver<State>,
) {
    while let Some(bytes) = letters.recv().await {
        if !flows(&mut state).await || to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}
