//! One connection of a caller: plain HTTP/1.1, kept alive, as cheap as it can be.
//!
//! Load and server share the machine, so whatever the load costs is missing in the figures.

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: String,
}

impl Request {
    pub(super) fn get(path: impl Into<String>) -> Self {
        Self { method: "GET", path: path.into(), body: String::new() }
    }

    pub(super) fn post(path: impl Into<String>, body: impl Into<String>) -> Self {
        Self { method: "POST", path: path.into(), body: body.into() }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) status: u16,
    pub(super) body: &'a str,
}

/// A connection that is kept alive.
pub(super) struct Caller {
    stream: TcpStream,
    head: String,
    buffer: Vec<u8>,
}

impl Caller {
    /// Connects to `HOST:PORT` as the user of this token.
    pub(super) async fn connect(address: &str, token: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await.context("connecting to the server")?;
        stream.set_nodelay(true)?;
        let head = format!("host: {address}\r\nauthorization: Bearer {token}\r\n");
        Ok(Self { stream, head, buffer: vec![0; 16 * 1024] })
    }

    /// Asks and waits for the whole answer.
    pub(super) async fn ask(&mut self, request: &Request) -> anyhow::Result<Answer<'_>> {
        let Request { method, path, body } = request;
        let text = format!(
            "{method} {path} HTTP/1.1\r\n{}content-length: {}\r\n\r\n{body}",
            self.head,
            body.len()
        );
        self.stream.write_all(text.as_bytes()).await?;
        let mut filled = 0;
        let (start, end, status) = loop {
            if filled == self.buffer.len() {
                ensure!(filled < 16 * 1024 * 1024, "an answer is too long");
                self.buffer.resize(filled * 2, 0);
            }
            let free = self.buffer.get_mut(filled..).unwrap_or_default();
            let read = self.stream.read(free).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
            let seen = self.buffer.get(..filled).unwrap_or_default();
            if let Some((start, length, status)) = head(seen)?
                && filled >= start + length
            {
                break (start, start + length, status);
            }
        };
        let body = std::str::from_utf8(self.buffer.get(start..end).unwrap_or_default())?;
        Ok(Answer { status, body })
    }

    /// Asks for something that must succeed; returns `data`.
    pub(super) async fn must(&mut self, request: &Request) -> anyhow::Result<serde_json::Value> {
        let answer = self.ask(request).await?;
        if !(200..300).contains(&answer.status) {
            let shown: String = request.body.chars().take(200).collect();
            bail!("{} {} {shown}: {} {}", request.method, request.path, answer.status, answer.body);
        }
        let mut body: serde_json::Value = serde_json::from_str(answer.body)?;
        Ok(body["data"].take())
    }
}

/// Where the body of an answer starts, how long it is, and the status; nothing while the head is not whole.
fn head(seen: &[u8]) -> anyhow::Result<Option<(usize, usize, u16)>> {
    let Some((start, length)) = body_of(seen)? else { return Ok(None) };
    let text = std::str::from_utf8(seen.get(..start).unwrap_or_default())?;
    let status = text.split(' ').nth(1).context("no status")?;
    Ok(Some((start, length, status.parse()?)))
}

/// Where the body of a message starts, and how long it is; nothing while the head is not whole.
pub(super) fn body_of(seen: &[u8]) -> anyhow::Result<Option<(usize, usize)>> {
    let Some(end) = seen.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(seen.get(..end).unwrap_or_default())?;
    let length = text
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or("0", |(_, value)| value.trim());
    Ok(Some((end + 4, length.parse()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_of_an_answer() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 7\r\nx: y\r\n\r\n{\"a\":1}";
        assert_eq!(head(text).expect("right"), Some((49, 7, 201)));
        assert_eq!(head(&text[..30]).expect("right"), None);
        assert!(head(b"HTTP/1.1\r\n\r\n").is_err());
    }
}
