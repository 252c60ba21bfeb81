//! A websocket client of the tests.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::frames;

/// The bare stream.
pub(crate) type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longest wait for a frame that must come.
const PATIENCE: Duration = Duration::from_secs(5);

/// Connects and says nothing.
pub(crate) async fn connect(url: &str) -> Stream {
    let url = format!("{}/v1/events", url.replacen("http", "ws", 1));
    connect_async(url).await.expect("a websocket").0
}

/// Sends a frame, which is as documented.
pub(crate) async fn say(stream: &mut Stream, frame: &Value) {
    stream.send(Message::text(frames::said(frame))).await.expect("a frame is sent");
}

/// A socket of a user after `ready`.
pub(crate) struct Socket {
    pub(crate) welcome: Value,
    /// Events that came between `welcome` and `ready`.
    early: VecDeque<Value>,
    pub(crate) raw: Stream,
}

impl Socket {
    /// Connects, says hello and waits for `ready`.
    pub(crate) async fn open(url: &str, token: &str) -> Self {
        Self::open_with(url, json!({ "type": "hello", "token": token })).await
    }

    /// Connects, says this hello and waits for `ready`.
    pub(crate) async fn open_with(url: &str, hello: Value) -> Self {
        let raw = connect(url).await;
        let mut socket = Self { welcome: Value::Null, early: VecDeque::new(), raw };
        socket.say(&hello).await;
        socket.welcome = socket.frame().await;
        assert_eq!(socket.welcome["type"], "welcome", "{}", socket.welcome);
        loop {
            let frame = socket.frame().await;
            match frame["type"].as_str() {
                Some("ready") => return socket,
                Some("groups") => {
                    let more = frame["groups"].as_array().expect("groups").clone();
                    socket.welcome["groups"].as_array_mut().expect("groups").extend(more);
                }
                _ => socket.early.push_back(frame),
            }
        }
    }

    /// Sends a frame, which is as documented.
    pub(crate) async fn say(&mut self, frame: &Value) {
        say(&mut self.raw, frame).await;
    }

    /// The first of what is left of what came between `welcome` and `ready`.
    pub(crate) fn early(&mut self) -> Option<Value> {
        self.early.pop_front()
    }

    /// The next JSON frame, whatever it is; websocket pings are passed over.
    pub(crate) async fn frame(&mut self) -> Value {
        self.frame_within(PATIENCE).await.expect("a frame within five seconds")
    }

    /// The next JSON frame, if one comes in time.
    pub(crate) async fn frame_within(&mut self, patience: Duration) -> Option<Value> {
        let next = async {
            loop {
                match self.raw.next().await {
                    Some(Ok(Message::Text(text))) => return frames::received(&text),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    other => panic!("instead of a frame: {other:?}"),
                }
            }
        };
        tokio::time::timeout(patience, next).await.ok()
    }

    /// The next event.
    pub(crate) async fn next_event(&mut self) -> Value {
        if let Some(event) = self.early.pop_front() {
            return event;
        }
        loop {
            let frame = self.frame().await;
            match frame["type"].as_str() {
                Some("event") => return frame,
                Some("ping" | "pong") => {}
                _ => panic!("instead of an event: {frame}"),
            }
        }
    }

    /// The next event, which must be of this kind.
    pub(crate) async fn expect(&mut self, event: &str) -> Value {
        let found = self.next_event().await;
        assert_eq!(found["event"], event, "{found}");
        found
    }
}
