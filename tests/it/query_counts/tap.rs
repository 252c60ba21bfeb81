//! A wire between a server and PostgreSQL that writes down the statements it carries.
//!
//! It reads what clients say in PostgreSQL's protocol: Parse gives a statement's text, Bind names the
//! statement of a portal, Execute runs it; a simple Query is its own text. What the server says passes
//! through unread.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// What was heard on the connections of lanes and readers, which are those that work for callers.
type Statements = Arc<Mutex<Vec<String>>>;

/// The wire. It is gone when this is dropped.
pub(super) struct Tap {
    statements: Statements,
    passed_over: BTreeSet<String>,
    task: tokio::task::JoinHandle<()>,
    /// The database's address through the wire.
    pub(super) url: String,
}

impl Tap {
    /// A wire to a database of the tests' cluster.
    pub(super) async fn before(database: &str) -> Self {
        let url = url::Url::parse(database).expect("an address");
        let dir = url.query_pairs().find(|(name, _)| name == "host").expect("a directory").1;
        let port = url.port().unwrap_or(5432);
        let socket = format!("{dir}/.s.PGSQL.{port}");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let url = format!("postgres://{}@{address}{}?sslmode=disable", url.username(), url.path());
        let statements = Statements::default();
        let heard = statements.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, socket.clone(), heard.clone()));
            }
        });
        Self { statements, passed_over: BTreeSet::new(), task, url }
    }

    /// The statements since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        let mut statements = self.statements.lock().expect("nobody panicked");
        let taken = std::mem::take(&mut *statements);
        taken.into_iter().filter(|text| !self.passed_over.contains(text)).collect()
    }

    /// What a server without callers runs again and again. It looks after several things, each in a round
    /// of a second at most, so that in four seconds each comes round more than once, on a busy machine too.
    pub(super) async fn round(&self) -> BTreeSet<String> {
        // What was heard so far belongs to the start.
        self.take();
        tokio::time::sleep(Duration::from_secs(4)).await;
        let heard = self.statements.lock().expect("nobody panicked");
        let mut once = BTreeSet::new();
        let again = heard.iter().filter(|text| !once.insert(*text));
        let again: BTreeSet<String> = again.cloned().collect();
        assert!(again.len() > 2, "only {again:?} came back");
        again
    }

    /// Leaves these out from now on.
    pub(super) fn pass_over(&mut self, statements: &BTreeSet<String>) {
        self.passed_over.clone_from(statements);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, socket: String, heard: Statements) {
    let Ok(server) = UnixStream::connect(socket).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        tokio::io::copy(&mut from_server, &mut to_client).await.ok();
    });
    let mut ear = Ear { heard, of_a_call: false, texts: HashMap::new(), portals: HashMap::new() };
    let mut unread = Vec::new();
    let mut started = false;
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from_client.read(&mut buffer).await {
        unread.extend_from_slice(&buffer[..length]);
        // Heard before it is passed on: who has the answer finds its statement written down.
        while let Some(length) = whole(&unread, started) {
            let message: Vec<u8> = unread.drain(..length).collect();
            if started {
                ear.hear(message[0], &message[5..]);
            } else {
                ear.greet(&message[8..]);
                started = true;
            }
        }
        if to_server.write_all(&buffer[..length]).await.is_err() {
            break;
        }
    }
    drop(to_server);
    answers.await.ok();
}

/// The length of the first message, if it is whole. The very first one has no type.
fn whole(bytes: &[u8], started: bool) -> Option<usize> {
    let before = usize::from(started);
    let length: [u8; 4] = bytes.get(before..before + 4)?.try_into().ok()?;
    let length = before + usize::try_from(u32::from_be_bytes(length)).ok()?;
    (bytes.len() >= length).then_some(length)
}

/// The texts of a message that end with a zero byte, in order.
fn texts(body: &[u8]) -> impl Iterator<Item = String> {
    body.split(|byte| *byte == 0).map(|text| String::from_utf8_lossy(text).into_owned())
}

/// What is known of one connection.
struct Ear {
    heard: Statements,
    of_a_call: bool,
    /// Of prepared statements, by name.
    texts: HashMap<String, String>,
    /// Which statement a portal runs.
    portals: HashMap<String, String>,
}

impl Ear {
    /// The first message: who connects.
    fn greet(&mut self, body: &[u8]) {
        let words: Vec<String> = texts(body).collect();
        let name = words.iter().position(|word| word == "application_name");
        let name = name.and_then(|place| words.get(place + 1)).map(String::as_str);
        self.of_a_call = matches!(name, Some("muster lane" | "muster read"));
    }

    fn hear(&mut self, kind: u8, body: &[u8]) {
        let mut words = texts(body);
        let mut word = || words.next().unwrap_or_default();
        match kind {
            b'P' => {
                let (name, text) = (word(), word());
                self.texts.insert(name, text);
            }
            b'B' => {
                let (portal, name) = (word(), word());
                self.portals.insert(portal, name);
            }
            b'E' => {
                let name = self.portals.get(&word()).cloned().unwrap_or_default();
                let text = self.texts.get(&name).cloned().unwrap_or_default();
                self.note(text);
            }
            b'Q' => self.note(word()),
            _ => {}
        }
    }

    fn note(&self, text: String) {
        // A reader that was idle is asked whether it still lives. A transaction begins with the commit before
        // it or, if that was a while ago, by itself.
        let by_the_clock = text.contains("SQLx ping") || text == "begin" || text == "rollback";
        if self.of_a_call && !by_the_clock {
            self.heard.lock().expect("nobody panicked").push(text);
        }
    }
}
