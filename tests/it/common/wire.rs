//! HTTP as bytes, for requests that no well-behaved client sends.

use std::fmt::Write as _;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::Answer;

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The bytes of a request. Its length is said unless the headers say something else about the body.
pub(crate) fn request(
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> Vec<u8> {
    let body = body.as_ref();
    let mut head = format!("{method} {target} HTTP/1.1\r\nhost: muster.test\r\n");
    let told = headers.iter().any(|(name, _)| {
        name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding")
    });
    if !told {
        write!(head, "content-length: {}\r\n", body.len()).expect("a text takes it");
    }
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("a text takes it");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A connection of which every byte is ours.
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    pub(crate) async fn open(url: &str) -> Self {
        let address = url.strip_prefix("http://").expect("an http address");
        let stream = TcpStream::connect(address).await.expect("a connection");
        stream.set_nodelay(true).expect("an option of the socket");
        Self { stream, read: Vec::new() }
    }

    /// Sends bytes that the server must take.
    pub(crate) async fn say(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("bytes are sent");
    }

    /// Sends bytes that the server may refuse half-way, and reads its answer meanwhile.
    pub(crate) async fn ask(self, bytes: &[u8]) -> Option<Answer> {
        let Self { stream, mut read } = self;
        let (mut reader, mut writer) = stream.into_split();
        let (_, answer) =
            tokio::join!(writer.write_all(bytes), read_answer(&mut reader, &mut read));
        answer
    }

    /// Sends a request and reads its answer meanwhile; `None` when the server closed instead.
    pub(crate) async fn trade(&mut self, bytes: &[u8]) -> Option<Answer> {
        let (mut reader, mut writer) = self.stream.split();
        let (_, answer) =
            tokio::join!(writer.write_all(bytes), read_answer(&mut reader, &mut self.read));
        answer
    }

    /// The next answer, or `None` when the server closed instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        read_answer(&mut self.stream, &mut self.read).await
    }

    /// Waits until the server has closed the connection.
    pub(crate) async fn until_closed(&mut self) {
        let mut rest = Vec::new();
        let closing = tokio::time::timeout(PATIENCE, self.stream.read_to_end(&mut rest));
        // A reset is an end, too.
        drop(closing.await.expect("the server closes"));
    }
}

/// Sends one request on a connection of its own.
pub(crate) async fn exchange(url: &str, bytes: &[u8]) -> Answer {
    Wire::open(url).await.ask(bytes).await.expect("an answer")
}

async fn read_answer(from: &mut (impl AsyncReadExt + Unpin), read: &mut Vec<u8>) -> Option<Answer> {
    let whole = async {
        loop {
            if let Some((answer, length)) = parse(read) {
                read.drain(..length);
                return Some(answer);
            }
            let mut buffer = vec![0; 16 * 1024];
            match from.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(length) => read.extend_from_slice(&buffer[..length]),
            }
        }
    };
    tokio::time::timeout(PATIENCE, whole).await.expect("an answer or the end in time")
}

/// The answer at the beginning of these bytes, if it is whole, and how many bytes it has.
fn parse(bytes: &[u8]) -> Option<(Answer, usize)> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&bytes[..head]).expect("a head of text");
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status line");
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a header's name");
        headers.append(name, HeaderValue::from_str(value).expect("a header's value"));
    }
    let length = headers.get("content-length").map_or(0, |value| {
        value.to_str().ok().and_then(|text| text.parse().ok()).expect("a length")
    });
    let body = bytes.get(head + 4..head + 4 + length)?;
    let text = String::from_utf8(body.to_vec()).expect("a body of text");
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    let status = status.parse().expect("a status");
    Some((Answer { status, headers, body }, head + 4 + length))
}
