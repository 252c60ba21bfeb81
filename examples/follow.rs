//! Follows the events of one user and loses none: the loop that every client of Muster's websocket needs.
//!
//! ```sh
//! cargo run --example follow -- http://127.0.0.1:8080 "$(muster token alice)" [CURSOR_FILE]
//! ```
//!
//! Each event is one line of JSON on standard output; everything else goes to standard error. With a file for
//! the cursor it can be killed and started again, and goes on where it was. The rules of the loop are the
//! comments below; `/client.js` is the same loop for browsers and Node.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// The longest delay before the first attempt to come back; each further attempt doubles it, up to `MOST`.
const FIRST: Duration = Duration::from_millis(500);
const MOST: Duration = Duration::from_secs(30);
/// A connection that was ready for so long was a good one: the delays begin anew.
const STABLE: Duration = Duration::from_secs(10);
/// So long it may take until the server has said `welcome`.
const OPENING: Duration = Duration::from_secs(30);

/// The credential was refused or has ended.
const CREDENTIAL: u64 = 4001;
/// This program broke the protocol.
const PROTOCOL: u64 = 4002;

type Socket = WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>;

/// All that a client has to remember: the last event of each stream that it has applied.
///
/// The client owns it, because only the client knows what it has applied: the server cannot see whether a
/// frame that it wrote was read, and any node can serve a client that says itself where it stands. It belongs
/// to one user: each has a file of his own.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Cursor {
    /// The history that the numbers belong to: another one after a backup was restored, for instance.
    epoch: String,
    /// The last of the user's own events.
    user: u64,
    /// The last event of each group that he is a member of.
    groups: BTreeMap<String, u64>,
}

/// How a connection ended.
struct End {
    /// The server's code, if it gave one.
    code: Option<u64>,
    why: String,
    /// When the server wants to see this client again.
    retry: Option<Duration>,
}

impl End {
    fn new(why: impl Into<String>) -> Self {
        Self { code: None, why: why.into(), retry: None }
    }
}

/// What outlives a connection.
struct Follower {
    file: Option<PathBuf>,
    /// `None` until the first `welcome`: one who knows nothing yet begins at the present end of everything.
    cursor: Option<Cursor>,
    /// Where memberships ended that the cursor no longer has, so that a repetition is known for one.
    ended: HashMap<String, u64>,
}

/// What is known of the present connection.
#[derive(Default)]
struct Connection {
    user: String,
    /// Where it stands by the server's word.
    start: Cursor,
    /// Whether `welcome` and the `groups` frames behind it are complete.
    open: bool,
    ready: Option<Instant>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(server), Some(token)) = (arguments.next(), arguments.next()) else {
        bail!("usage: follow URL TOKEN [CURSOR_FILE]");
    };
    // `wss` needs one of the TLS features of tokio-tungstenite.
    let url = format!("{}/v1/events", server.trim_end_matches('/').replacen("http", "ws", 1));
    let mut follower = Follower::new(arguments.next().map(PathBuf::from))?;
    let mut failures = 0;
    loop {
        let mut connection = Connection::default();
        let end = follower.follow(&mut connection, &url, &token).await?;
        if connection.ready.is_some_and(|since| since.elapsed() >= STABLE) {
            failures = 0;
        }
        match end.code {
            // A program that can get a fresh token gets one here and comes back. It also sends it as
            // {"type": "auth", "token": …} on the open socket shortly before the old one ends.
            Some(CREDENTIAL) => bail!("the token is refused: {}", end.why),
            // The same again would end the same.
            Some(PROTOCOL) => bail!("the protocol was broken: {}", end.why),
            // 1001 (the server stops), 4008 (too slow), 4009 (silent), 4029 (too many) and everything that
            // breaks without a word: come back.
            _ => {}
        }
        let delay = end.retry.unwrap_or_else(|| backoff(failures));
        failures += 1;
        eprintln!("disconnected ({}), next attempt in {delay:?}", end.why);
        tokio::time::sleep(delay).await;
    }
}

/// Anything from nothing to the whole delay, so that clients that were cut off together do not return together.
fn backoff(failures: u32) -> Duration {
    let whole = FIRST.saturating_mul(2_u32.saturating_pow(failures)).min(MOST);
    whole.mul_f64(rand::random())
}

impl Follower {
    fn new(file: Option<PathBuf>) -> anyhow::Result<Self> {
        let cursor = match &file {
            Some(path) if path.exists() => {
                let text = std::fs::read_to_string(path).context("the file of the cursor")?;
                // To go on without it would be the silent gap that a cursor is there to prevent.
                Some(serde_json::from_str(&text).context("the file holds no cursor")?)
            }
            _ => None,
        };
        Ok(Self { file, cursor, ended: HashMap::new() })
    }

    /// Follows one connection to its end.
    async fn follow(
        &mut self,
        connection: &mut Connection,
        url: &str,
        token: &str,
    ) -> anyhow::Result<End> {
        let opening = tokio::time::timeout(OPENING, connect_async(url)).await;
        let mut socket = match opening {
            Ok(Ok((socket, _))) => socket,
            Ok(Err(error)) => return Ok(End::new(error.to_string())),
            Err(_) => return Ok(End::new("there was no connection in time")),
        };
        // The first frame, within five seconds. The token is never part of the URL, which ends up in logs.
        let hello = json!({ "type": "hello", "token": token, "cursor": self.cursor });
        if let Err(error) = socket.send(Message::text(hello.to_string())).await {
            return Ok(End::new(error.to_string()));
        }
        let mut patience = OPENING;
        loop {
            let text = match hear(&mut socket, patience).await {
                Ok(text) => text,
                Err(end) => return Ok(end),
            };
            let frame: Value = serde_json::from_str(&text).context("a frame of the server")?;
            if frame["type"] == "welcome" {
                // Whatever comes counts as life, also the pings of the transport, to which the library
                // answers by itself. The server sends one in each heartbeat.
                let heartbeat = frame["heartbeatMs"].as_u64().unwrap_or(25_000);
                patience = Duration::from_millis(heartbeat.saturating_mul(5) / 2);
            }
            if let Some(end) = self.take(connection, &frame)? {
                return Ok(end);
            }
        }
    }

    /// Takes a frame. An end, if this was the last one.
    fn take(&mut self, connection: &mut Connection, frame: &Value) -> anyhow::Result<Option<End>> {
        let kind = frame["type"].as_str().unwrap_or_default();
        if kind == "welcome" {
            connection.user = text(frame, "userID");
            connection.start.epoch = text(frame, "epoch");
            connection.start.user = number(frame, "userSeq");
        }
        if kind == "welcome" || kind == "groups" {
            for group in frame["groups"].as_array().into_iter().flatten() {
                connection.start.groups.insert(text(group, "groupID"), number(group, "seq"));
            }
            return Ok(None);
        }
        if !connection.open {
            connection.open = true;
            self.opened(connection)?;
        }
        match kind {
            "event" if frame["stream"] == "user" => self.own_event(connection, frame),
            "event" => self.group_event(connection, frame),
            "reset" => self.reset(connection, frame).map(|()| None),
            "ready" => self.ready(connection).map(|()| None),
            "bye" => Ok(Some(End {
                code: frame["code"].as_u64(),
                why: text(frame, "why"),
                // Drawn by the server so that not all of its clients come back at once.
                retry: frame["retryMs"].as_u64().map(Duration::from_millis),
            })),
            // A newer server may say more.
            _ => Ok(None),
        }
    }

    /// All groups were named: this is where the connection starts.
    ///
    /// A place that is known stays: the replay comes from there, and a connection that breaks in the middle
    /// of it has to be able to ask again. A group that was not known is replayed from its `seq` on.
    fn opened(&mut self, connection: &Connection) -> anyhow::Result<()> {
        let cursor = self.cursor.get_or_insert_with(|| connection.start.clone());
        for (group, seq) in &connection.start.groups {
            cursor.groups.entry(group.clone()).or_insert(*seq);
        }
        eprintln!("{} is in {} groups", connection.user, connection.start.groups.len());
        self.save()
    }

    fn own_event(
        &mut self,
        connection: &mut Connection,
        event: &Value,
    ) -> anyhow::Result<Option<End>> {
        let cursor = self.cursor.get_or_insert_default();
        let seq = number(event, "userSeq");
        if seq <= cursor.user {
            return Ok(None);
        }
        if seq > cursor.user + 1 {
            return Ok(Some(End::new("an event is missing")));
        }
        cursor.user = seq;
        connection.start.user = seq;
        self.apply(event).map(|()| None)
    }

    fn group_event(
        &mut self,
        connection: &mut Connection,
        event: &Value,
    ) -> anyhow::Result<Option<End>> {
        let cursor = self.cursor.get_or_insert_default();
        let (group, seq) = (text(event, "groupID"), number(event, "seq"));
        let known = cursor.groups.get(&group).copied();
        // Numbers only grow: what is not beyond the last one is a repetition.
        if seq <= known.or(self.ended.get(&group).copied()).unwrap_or(0) {
            return Ok(None);
        }
        let of_himself = names(event, &connection.user);
        let name = event["event"].as_str().unwrap_or_default();
        let begins =
            of_himself && matches!(name, "onGroupCreated" | "onMemberInvited" | "onMemberEnter");
        // Within a membership there are no holes. The server keeps that; should it ever not, the log knows
        // better: come back and ask for what follows the cursor.
        if !begins && known.is_none_or(|known| seq > known + 1) {
            return Ok(Some(End::new("an event is missing")));
        }
        let ends = name == "onGroupDismissed"
            || (of_himself && matches!(name, "onMemberLeave" | "onMemberKicked"));
        if ends {
            // The membership is over, and with it the group's place: should he join again, the server finds
            // no place and tells of the new membership from its beginning. An old place would mean a reset.
            cursor.groups.remove(&group);
            connection.start.groups.remove(&group);
            self.ended.insert(group, seq);
        } else {
            cursor.groups.insert(group.clone(), seq);
            connection.start.groups.insert(group, seq);
        }
        self.apply(event).map(|()| None)
    }

    /// Something cannot be replayed. A program that keeps state of its own loads it over REST here.
    fn reset(&mut self, connection: &mut Connection, reset: &Value) -> anyhow::Result<()> {
        eprintln!("load again over REST: {reset}");
        let cursor = self.cursor.get_or_insert_default();
        let seq = number(reset, "seq");
        match reset["scope"].as_str() {
            Some("user") => {
                cursor.user = seq;
                connection.start.user = seq;
            }
            Some("group") => {
                let group = text(reset, "groupID");
                if let Some(place) = connection.start.groups.get_mut(&group) {
                    *place = seq;
                    cursor.groups.insert(group, seq);
                } else {
                    cursor.groups.remove(&group);
                    self.ended.insert(group, seq);
                }
            }
            // Everything: another epoch has other numbers.
            _ => {
                cursor.clone_from(&connection.start);
                self.ended.clear();
            }
        }
        self.save()
    }

    /// The replay is done. A place that no group of the user's and no event answered to is a membership
    /// whose end the log no longer tells.
    fn ready(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        connection.ready = Some(Instant::now());
        let cursor = self.cursor.get_or_insert_default();
        cursor.groups.retain(|group, _| {
            let member = connection.start.groups.contains_key(group);
            if !member {
                eprintln!("load again over REST: no member of {group} any more");
            }
            member
        });
        eprintln!("ready");
        self.save()
    }

    /// What this program makes of an event: a line. Then the cursor is saved. Killed between the two, it
    /// prints the line again; a program that must not saves the cursor in the transaction of its own change.
    /// Events with `"silent": true` are not for people to see, and move the cursor like all others.
    fn apply(&self, event: &Value) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{event}").and_then(|()| out.flush()).context("standard output")?;
        self.save()
    }

    fn save(&self) -> anyhow::Result<()> {
        let (Some(file), Some(cursor)) = (&self.file, &self.cursor) else { return Ok(()) };
        replace(file, &serde_json::to_string(cursor)?).context("the file of the cursor")
    }
}

/// Waits for a text frame, as long as anything at all is heard.
async fn hear(socket: &mut Socket, patience: Duration) -> Result<String, End> {
    loop {
        match tokio::time::timeout(patience, socket.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => return Ok(text.as_str().to_owned()),
            // `bye` comes before a close frame and says more; this is for the case that it was lost.
            Ok(Some(Ok(Message::Close(Some(close))))) => {
                let code = Some(u64::from(u16::from(close.code)));
                return Err(End { code, why: close.reason.to_string(), retry: None });
            }
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(error))) => return Err(End::new(error.to_string())),
            Ok(None) => return Err(End::new("the connection broke")),
            Err(_) => return Err(End::new("nothing was heard of the server")),
        }
    }
}

/// Whole or not at all: a cursor cut in half would be none.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, text)?;
    std::fs::rename(&fresh, file)
}

fn names(event: &Value, user: &str) -> bool {
    let list = event["memberList"].as_array().into_iter().flatten();
    list.chain(event.get("member")).any(|one| one["userID"] == user)
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_default()
}
