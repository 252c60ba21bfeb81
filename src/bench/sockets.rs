//! Many sockets at once, as cheap as they can be: whatever they cost is missing in the figures.
//!
//! They read frames only as far as is needed to count events and to answer pings.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Sockets that open at the same time.
const OPENING: usize = 128;
/// Longest wait for all of them.
const PATIENCE: Duration = Duration::from_mins(2);
/// A key of the handshake; the server's answer to it is not looked at.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// Counts, and tells when there are so many.
#[derive(Debug, Default)]
pub(super) struct Count {
    seen: AtomicU64,
    wanted: AtomicU64,
    reached: Notify,
}

impl Count {
    fn more(&self, by: u64) {
        let seen = self.seen.fetch_add(by, Ordering::AcqRel) + by;
        if seen >= self.wanted.load(Ordering::Acquire) {
            self.reached.notify_one();
        }
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Waits until there are so many in all.
    ///
    /// # Errors
    /// When that takes too long.
    pub(super) async fn reaches(&self, wanted: u64, what: &str) -> anyhow::Result<()> {
        self.wanted.store(wanted, Ordering::Release);
        let begun = Instant::now();
        while self.seen() < wanted {
            let left = PATIENCE.checked_sub(begun.elapsed());
            let left = left.with_context(|| format!("{} of {wanted} {what}", self.seen()))?;
            tokio::time::timeout(left, self.reached.notified()).await.ok();
        }
        Ok(())
    }
}

/// Sockets that stay open.
pub(super) struct Crowd {
    /// Those that have said `ready`.
    pub(super) ready: Arc<Count>,
    /// Events that came.
    pub(super) events: Arc<Count>,
    /// Sockets that ended without being asked to.
    pub(super) broken: Arc<Count>,
    tasks: TaskTracker,
    end: CancellationToken,
}

/// How a socket opens.
#[derive(Clone, Debug)]
pub(super) enum Opening {
    /// A websocket of the user of this token; what it says after `hello`.
    Hello { token: String, cursor: String },
    /// No websocket: bytes come as they are.
    Raw,
}

impl Crowd {
    /// Opens all of them and waits until they are ready.
    ///
    /// # Errors
    /// When one does not open.
    pub(super) async fn open(address: SocketAddr, openings: Vec<Opening>) -> anyhow::Result<Self> {
        let crowd = Self {
            ready: Arc::default(),
            events: Arc::default(),
            broken: Arc::default(),
            tasks: TaskTracker::new(),
            end: CancellationToken::new(),
        };
        let (wanted, turns) = (u64::try_from(openings.len())?, Arc::new(Semaphore::new(OPENING)));
        for opening in openings {
            let turn = turns.clone().acquire_owned().await?;
            let (ready, events, broken) =
                (crowd.ready.clone(), crowd.events.clone(), crowd.broken.clone());
            let end = crowd.end.clone();
            crowd.tasks.spawn(async move {
                let stay = async {
                    let mut socket = Socket::open(address, &opening).await?;
                    let mut turn = Some(turn);
                    if matches!(opening, Opening::Raw) {
                        ready.more(1);
                        turn.take();
                    }
                    loop {
                        let seen = socket.read().await?;
                        if seen.ready {
                            ready.more(1);
                            turn.take();
                        }
                        if seen.events > 0 {
                            events.more(seen.events);
                        }
                    }
                };
                let broke: Result<anyhow::Result<()>, ()> = tokio::select! {
                    () = end.cancelled() => Err(()),
                    broke = stay => Ok(broke),
                };
                if let Ok(Err(error)) = broke {
                    if broken.seen() == 0 {
                        tracing::warn!("a socket broke: {error:#}");
                    }
                    broken.more(1);
                }
            });
            ensure!(crowd.broken.seen() == 0, "a socket did not open");
        }
        crowd.ready.reaches(wanted, "sockets are ready").await?;
        ensure!(crowd.broken.seen() == 0, "{} sockets did not open", crowd.broken.seen());
        Ok(crowd)
    }

    /// Makes sure that none of them broke.
    pub(super) fn is_whole(&self) -> anyhow::Result<()> {
        let broken = self.broken.seen();
        ensure!(broken == 0, "{broken} sockets broke");
        Ok(())
    }

    /// Ends all of them at once.
    pub(super) async fn close(self) {
        self.end.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    ready: bool,
    events: u64,
    /// A ping wants an answer.
    pinged: bool,
}

struct Socket {
    stream: TcpStream,
    /// The beginning of a frame whose end has not come.
    rest: Vec<u8>,
}

impl Socket {
    async fn open(address: SocketAddr, opening: &Opening) -> anyhow::Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut rest = Vec::new();
        if let Opening::Hello { token, cursor } = opening {
            let request = format!(
                "GET /v1/events HTTP/1.1\r\nhost: {address}\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                 sec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\nauthorization: Bearer {token}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).await?;
            let hello = format!(r#"{{"type":"hello"{cursor}}}"#);
            stream.write_all(&masked(0x1, hello.as_bytes())?).await?;
            let mut buffer = [0; 2 * 1024];
            let end = loop {
                let read = stream.read(&mut buffer).await?;
                ensure!(read > 0, "the handshake got no answer");
                rest.extend_from_slice(buffer.get(..read).unwrap_or_default());
                if let Some(end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
                    break end + 4;
                }
            };
            let head = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
            ensure!(head.starts_with("HTTP/1.1 101"), "{head}");
            rest.drain(..end);
        }
        Ok(Self { stream, rest })
    }

    /// Reads what has come.
    async fn read(&mut self) -> anyhow::Result<Seen> {
        let mut seen = self.count();
        if seen == Seen::default() {
            self.stream.readable().await?;
            let mut buffer = [0; 16 * 1024];
            match self.stream.try_read(&mut buffer) {
                Ok(0) => bail!("the server closed"),
                Ok(read) => self.rest.extend_from_slice(buffer.get(..read).unwrap_or_default()),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
            seen = self.count();
        }
        if seen.pinged {
            self.stream.write_all(&masked(0xa, &[])?).await?;
        }
        Ok(seen)
    }

    /// Counts whole frames and lets go of them.
    fn count(&mut self) -> Seen {
        let mut seen = Seen::default();
        let mut from = 0;
        while let Some((code, start, end)) = frame(self.rest.get(from..).unwrap_or_default()) {
            let payload = self.rest.get(from + start..from + end).unwrap_or_default();
            match code {
                0x1 if payload.starts_with(br#"{"type":"event""#) => seen.events += 1,
                0x1 if payload.starts_with(br#"{"type":"ready""#) => seen.ready = true,
                0x9 => seen.pinged = true,
                _ => {}
            }
            from += end;
        }
        self.rest.drain(..from);
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        seen
    }
}

/// The kind of the first frame, and where its payload starts and ends; nothing while it is not whole.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let [first, second, behind @ ..] = bytes else { return None };
    let (start, length) = match (second & 0x7f, behind) {
        (126, [high, low, ..]) => (4, usize::from(u16::from_be_bytes([*high, *low]))),
        (127, behind) => {
            let eight: [u8; 8] = behind.get(..8)?.try_into().ok()?;
            (10, usize::try_from(u64::from_be_bytes(eight)).ok()?)
        }
        (126, _) => return None,
        (short, _) => (2, usize::from(short)),
    };
    (bytes.len() >= start + length).then_some((first & 0x0f, start, start + length))
}

/// A short frame as a client sends it, with a mask of zeros.
fn masked(code: u8, payload: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0x80 | code];
    match payload.len() {
        length @ 0..126 => bytes.push(0x80 | u8::try_from(length)?),
        length => {
            bytes.push(0xfe);
            bytes.extend_from_slice(&u16::try_from(length)?.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(payload);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_when_they_are_whole() {
        let short = [0x81, 2, b'a', b'b'];
        assert_eq!(frame(&short), Some((1, 2, 4)));
        assert_eq!(frame(&short[..3]), None);
        let mut long = vec![0x81, 126, 1, 0];
        long.resize(4 + 256, b'x');
        assert_eq!(frame(&long), Some((1, 4, 260)));
        assert_eq!(frame(&long[..259]), None);
        assert_eq!(frame(&[0x89, 0]), Some((9, 2, 2)));
        assert_eq!(frame(&[0x81]), None);
    }

    #[test]
    fn what_is_sent_is_masked() {
        assert_eq!(masked(0xa, &[]).expect("short"), [0x8a, 0x80, 0, 0, 0, 0]);
        assert_eq!(masked(0x1, &[7; 200]).expect("short")[..4], [0x81, 0xfe, 0, 200]);
    }
}
