//! One connection of a client, from `hello` to its end.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::paced::Paced;
use super::{Mood, Shared};
use crate::common::{frames, jwt_of};
use crate::faults::record::{Cursor, Line, Said, Scope};
use crate::faults::truth::digest;

/// Longest wait for a connection.
const CONNECTING: Duration = Duration::from_secs(5);

/// How a connection ended.
pub(super) enum End {
    /// The client is over; it was still connected.
    Over,
    /// The client went.
    Left,
    /// The server ended it, and said perhaps when to come again.
    Thrown(Option<Duration>),
}

impl End {
    /// When the server wants to see the client again.
    pub(super) fn retry(&self) -> Option<Duration> {
        match self {
            Self::Thrown(told) => *told,
            Self::Over | Self::Left => None,
        }
    }
}

pub(super) struct Session<'a> {
    shared: &'a Shared,
    stream: WebSocketStream<Paced>,
    ask: mpsc::UnboundedSender<String>,
    /// Where this connection begins.
    start: Option<Cursor>,
    retry: Option<Duration>,
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(-1)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

async fn connect(address: &str, narrow: bool) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if narrow {
        socket.set_recv_buffer_size(4 * 1024)?;
    }
    socket.connect(address.parse().expect("an address")).await
}

impl<'a> Session<'a> {
    /// Connects and says hello. `None` when nobody is there.
    pub(super) async fn open(
        shared: &'a Shared,
        url: &str,
        narrow: bool,
        ask: mpsc::UnboundedSender<String>,
    ) -> Option<Self> {
        let address = url.strip_prefix("http://").expect("an http address");
        let connecting = async {
            let stream = connect(address, narrow).await.ok()?;
            stream.set_nodelay(true).ok()?;
            let stream = Paced::new(stream, shared.pace.subscribe());
            let request = format!("ws://{address}/v1/events");
            Some(tokio_tungstenite::client_async(request, stream).await.ok()?.0)
        };
        let mut stream = timeout(CONNECTING, connecting).await.ok()??;
        let cursor = shared.cursor.lock().expect("nobody panicked").clone();
        let token = jwt_of(&shared.user, 86_400);
        let mut hello = json!({ "type": "hello", "token": token });
        if let Some(cursor) = &cursor {
            hello["cursor"] = serde_json::to_value(cursor).expect("a cursor");
        }
        shared.note(Said::Hello(cursor));
        if stream.send(Message::text(hello.to_string())).await.is_err() {
            shared.note(Said::Ended);
            return None;
        }
        Some(Self { shared, stream, ask, start: None, retry: None })
    }

    /// Follows until it ends. A restless client goes after a while, with or without a word.
    pub(super) async fn run(
        mut self,
        mood: &mut watch::Receiver<Mood>,
        stay: Duration,
        with_a_word: bool,
    ) -> End {
        let until = Instant::now() + stay;
        loop {
            let now = *mood.borrow_and_update();
            if now == Mood::Over {
                return End::Over;
            }
            tokio::select! {
                frame = self.stream.next() => match frame {
                    Some(Ok(Message::Text(text))) => self.take(&text),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Thrown(self.retry),
                    Some(Ok(other)) => self.shared.note(Said::Strange(format!("{other:?}"))),
                },
                () = sleep_until(until), if now == Mood::Restless => {
                    if with_a_word {
                        drop(timeout(CONNECTING, self.stream.close(None)).await);
                    }
                    return End::Left;
                }
                changed = mood.changed() => {
                    if changed.is_err() {
                        return End::Over;
                    }
                }
            }
        }
    }

    fn take(&mut self, frame: &str) {
        let Ok(value) = serde_json::from_str::<Value>(frame) else {
            return self.shared.note(Said::Strange(frame.to_owned()));
        };
        // Judging by the document is dear: all frames but events, and some of those.
        if value["type"] != "event" || number(&value["seq"]) % 16 == 2 {
            for fault in frames::faults("send", &value) {
                self.shared.note(Said::Strange(format!("{fault} in {frame}")));
            }
        }
        match value["type"].as_str() {
            Some("event") => self.event(frame, &value),
            Some("welcome") => {
                let (epoch, user_seq) = (text(&value["epoch"]), number(&value["userSeq"]));
                let groups = std::collections::BTreeMap::new();
                let start = Cursor { epoch: epoch.clone(), user: user_seq, groups };
                let mut cursor = self.shared.cursor.lock().expect("nobody panicked");
                cursor.get_or_insert(start.clone());
                drop(cursor);
                self.start = Some(start);
                let lines = self.lines(&value);
                self.shared.note(Said::Welcome { epoch, user_seq, lines });
            }
            Some("groups") => {
                let lines = self.lines(&value);
                self.shared.note(Said::Groups(lines));
            }
            Some("ready") => {
                self.shared.note(Said::Ready);
                self.shared.ready.send_replace(true);
            }
            Some("reset") => self.reset(&value),
            Some("bye") => {
                let code = value["code"].as_u64().unwrap_or_default();
                self.retry = value["retryMs"].as_u64().map(Duration::from_millis);
                self.shared.note(Said::Bye(code));
            }
            Some("ping" | "pong") => {}
            _ => self.shared.note(Said::Strange(frame.to_owned())),
        }
    }

    /// The groups of `welcome`: an unknown one is taken into the cursor where it starts, and loaded.
    fn lines(&mut self, value: &Value) -> Vec<Line> {
        let lines = value["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
        let line = |line: &Value| Line {
            group: text(&line["groupID"]),
            seq: number(&line["seq"]),
            head: number(&line["head"]),
        };
        let lines: Vec<Line> = lines.iter().map(line).collect();
        let mut unknown = Vec::new();
        let mut cursor = self.shared.cursor.lock().expect("nobody panicked");
        if let (Some(cursor), Some(start)) = (cursor.as_mut(), &mut self.start) {
            let same = cursor.epoch == start.epoch;
            for line in &lines {
                start.groups.insert(line.group.clone(), line.seq);
                if same && !cursor.groups.contains_key(&line.group) {
                    cursor.groups.insert(line.group.clone(), line.seq);
                    unknown.push(&line.group);
                }
            }
        }
        drop(cursor);
        for group in unknown {
            self.want(group);
        }
        lines
    }

    fn event(&mut self, frame: &str, value: &Value) {
        let personal = value["stream"] == "user";
        let group = (!personal).then(|| text(&value["groupID"]));
        let seq = number(&value[if personal { "userSeq" } else { "seq" }]);
        let mut cursor = self.shared.cursor.lock().expect("nobody panicked");
        let place = match (cursor.as_mut(), &group) {
            (None, _) => None,
            (Some(cursor), None) => Some(&mut cursor.user),
            (Some(cursor), Some(group)) => Some(cursor.groups.entry(group.clone()).or_insert(0)),
        };
        let taken = place.is_some_and(|place| {
            let new = seq > *place;
            *place = (*place).max(seq);
            new
        });
        drop(cursor);
        self.shared.note(Said::Event { group: group.clone(), seq, digest: digest(frame), taken });
        if let Some(group) = group.filter(|_| taken && self.begins(value)) {
            self.want(&group);
        }
    }

    /// Whether an event makes this user a member.
    fn begins(&self, value: &Value) -> bool {
        let kind = value["event"].as_str().unwrap_or_default();
        let list = value["memberList"].as_array().map(Vec::as_slice).unwrap_or_default();
        ["onGroupCreated", "onMemberInvited", "onMemberEnter"].contains(&kind)
            && list.iter().any(|one| one["userID"] == self.shared.user)
    }

    fn reset(&mut self, value: &Value) {
        let seq = number(&value["seq"]);
        let mut cursor = self.shared.cursor.lock().expect("nobody panicked");
        let scope = match value["scope"].as_str() {
            Some("all") => {
                cursor.clone_from(&self.start);
                Scope::All
            }
            Some("user") => {
                if let Some(cursor) = cursor.as_mut() {
                    cursor.user = seq;
                }
                Scope::User(seq)
            }
            _ => {
                let group = text(&value["groupID"]);
                if let Some(cursor) = cursor.as_mut() {
                    cursor.groups.insert(group.clone(), seq);
                }
                Scope::Group(group, seq)
            }
        };
        drop(cursor);
        self.shared.note(Said::Reset { scope: scope.clone(), why: text(&value["why"]) });
        match scope {
            Scope::All => {
                let start = self.start.clone().map(|start| start.groups).unwrap_or_default();
                for group in start.keys() {
                    self.want(group);
                }
            }
            Scope::Group(group, _) => self.want(&group),
            Scope::User(_) => {}
        }
    }

    /// Has a group loaded.
    fn want(&self, group: &str) {
        let mut wanted = self.shared.wanted.lock().expect("nobody panicked");
        wanted.insert(group.to_owned());
        self.shared.asked.fetch_add(1, Ordering::Relaxed);
        drop(self.ask.send(group.to_owned()));
    }
}
