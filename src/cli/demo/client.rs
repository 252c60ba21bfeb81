//! The demo's own client: plain HTTP and a websocket, as an app would use them, printing what goes by.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::print;

/// Longest wait for an answer or an event.
const PATIENCE: Duration = Duration::from_secs(10);

/// Somebody with a token.
pub(super) struct Person {
    name: String,
    url: String,
    token: String,
    http: reqwest::Client,
    socket: Option<WebSocketStream<MaybeTlsStream<TcpStream>>>,
}

impl Person {
    pub(super) fn new(name: &str, url: &str, token: String) -> Self {
        Self {
            name: name.to_owned(),
            url: url.to_owned(),
            token,
            http: reqwest::Client::new(),
            socket: None,
        }
    }

    /// Asks, prints request and reply, and checks the status; returns `data`.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Value,
        status: u16,
    ) -> anyhow::Result<Value> {
        let shown = if body.is_null() { String::new() } else { format!("  {body}") };
        print(&format!("\n{:>13}  {method} {path}{shown}\n", self.name))?;
        let mut request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .timeout(PATIENCE)
            .bearer_auth(&self.token);
        if !body.is_null() {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let found = response.status().as_u16();
        let reply: Value = response.json().await?;
        print(&format!("{:>13}  {found} {reply}\n", "<-"))?;
        if found != status {
            bail!("{path} answered {found} instead of {status}");
        }
        Ok(reply["data"].clone())
    }

    /// Opens a websocket and waits until it is ready.
    pub(super) async fn connect(&mut self) -> anyhow::Result<()> {
        let url = format!("{}/v1/events", self.url.replacen("http", "ws", 1));
        let (mut socket, _) = tokio_tungstenite::connect_async(url).await?;
        let hello = json!({ "type": "hello", "token": self.token });
        socket.send(Message::text(hello.to_string())).await?;
        self.socket = Some(socket);
        while self.frame().await?["type"] != "ready" {}
        Ok(())
    }

    /// Waits for the next event, prints it and checks its kind.
    pub(super) async fn hear(&mut self, event: &str) -> anyhow::Result<Value> {
        let frame =
            self.frame().await.with_context(|| format!("{} waits for {event}", self.name))?;
        print(&format!("{:>13}  {frame}\n", format!("~> {}", self.name)))?;
        if frame["event"] != event {
            bail!("{} heard {frame} instead of {event}", self.name);
        }
        Ok(frame)
    }

    async fn frame(&mut self) -> anyhow::Result<Value> {
        let socket = self.socket.as_mut().context("there is no websocket")?;
        let next = async {
            loop {
                match socket.next().await.context("the websocket ended")?? {
                    Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                    Message::Close(frame) => bail!("the websocket was closed: {frame:?}"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.context("nothing came")?
    }

    /// Says good-bye to the server.
    pub(super) async fn leave(mut self) {
        if let Some(mut socket) = self.socket.take() {
            socket.close(None).await.ok();
        }
    }
}
