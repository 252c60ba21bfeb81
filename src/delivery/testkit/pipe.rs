//! A transport in memory: frames go to the server as they are, and what comes back is bytes, taken apart
//! into frames again. It takes as much as a test allows and no more, so that a write can end anywhere.

use std::collections::VecDeque;
use std::io::{self, Cursor, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use futures_util::Stream;
use tokio::sync::{Notify, mpsc};
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::delivery::transport::{Incoming, Lost, Outlet, Transport};

/// A frame to the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::delivery) enum Outgoing {
    /// Text.
    Text(String),
    /// A ping.
    Ping,
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// The last frame.
    Close { code: u16, reason: String },
}

/// The way from the server to a client.
pub(in crate::delivery) struct Pipe {
    inside: Mutex<Inside>,
    filled: Notify,
}

struct Inside {
    /// What is no whole frame yet.
    bytes: Vec<u8>,
    frames: VecDeque<Outgoing>,
    /// So many frames it takes while nobody reads.
    unread: usize,
    /// So many bytes it takes at once; after each time it says once that there is no room.
    at_once: Option<usize>,
    full: bool,
    /// How often it was written to.
    writes: usize,
    /// To be done when it is written to.
    then: Option<Box<dyn FnOnce() + Send>>,
    waiting: Option<Waker>,
    /// The server has hung up.
    over: bool,
}

impl Pipe {
    /// A pipe that takes so many frames while nobody reads.
    pub(in crate::delivery) fn new(unread: usize) -> Self {
        let inside = Inside {
            bytes: Vec::new(),
            frames: VecDeque::new(),
            unread,
            at_once: None,
            full: false,
            writes: 0,
            then: None,
            waiting: None,
            over: false,
        };
        Self { inside: Mutex::new(inside), filled: Notify::new() }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().expect("not poisoned")
    }

    /// From now on it takes so many bytes at once.
    pub(in crate::delivery) fn narrow(&self, at_once: usize) {
        self.inside().at_once = Some(at_once);
    }

    /// From now on it takes so many frames while nobody reads.
    pub(in crate::delivery) fn allow(&self, unread: usize) {
        let mut inside = self.inside();
        inside.unread = unread;
        inside.wake();
    }

    /// How often it was written to.
    pub(in crate::delivery) fn writes(&self) -> usize {
        self.inside().writes
    }

    /// Has this done when it is next written to.
    pub(in crate::delivery) fn when_written(&self, then: impl FnOnce() + Send + 'static) {
        self.inside().then = Some(Box::new(then));
    }

    /// The frames that have come whole and were not read.
    pub(in crate::delivery) fn frames(&self) -> Vec<Outgoing> {
        let mut inside = self.inside();
        inside.wake();
        inside.frames.drain(..).collect()
    }

    /// The next frame, once it is there; none when the server has hung up.
    pub(in crate::delivery) async fn recv(&self) -> Option<Outgoing> {
        loop {
            {
                let mut inside = self.inside();
                if let Some(frame) = inside.frames.pop_front() {
                    inside.wake();
                    return Some(frame);
                }
                if inside.over {
                    return None;
                }
            }
            self.filled.notified().await;
        }
    }
}

impl Inside {
    fn wake(&mut self) {
        if let Some(waker) = self.waiting.take() {
            waker.wake();
        }
    }

    fn has_room(&self) -> bool {
        self.frames.len() < self.unread && !self.full
    }

    /// Takes the first of these bytes, up to the end of a frame. How many it took.
    fn take(&mut self, bytes: &[u8]) -> usize {
        let parse = |bytes: &[u8]| {
            let mut cursor = Cursor::new(bytes);
            let header = FrameHeader::parse(&mut cursor).expect("a websocket header");
            let start = usize::try_from(cursor.position()).expect("small");
            header.map(|(header, length)| {
                (header, start, start + usize::try_from(length).expect("small"))
            })
        };
        let mut taken = 0;
        let (header, start, end) = loop {
            if let Some(whole) = parse(&self.bytes) {
                break whole;
            }
            let Some(byte) = bytes.get(taken) else { return taken };
            self.bytes.push(*byte);
            taken += 1;
        };
        let rest = (end - self.bytes.len()).min(bytes.len() - taken);
        self.bytes.extend(&bytes[taken..taken + rest]);
        if self.bytes.len() == end {
            self.whole(&header, start);
        }
        taken + rest
    }

    /// Takes out a whole frame.
    fn whole(&mut self, header: &FrameHeader, start: usize) {
        assert!(header.is_final && header.mask.is_none() && !header.rsv1, "{header:?}");
        let payload = self.bytes.split_off(start);
        self.bytes.clear();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        self.frames.push_back(match header.opcode {
            OpCode::Data(Data::Text) => Outgoing::Text(text(&payload)),
            OpCode::Control(Control::Ping) => Outgoing::Ping,
            OpCode::Control(Control::Pong) => Outgoing::Pong(payload),
            OpCode::Control(Control::Close) => {
                let code = payload.first_chunk().map_or(1005, |code| u16::from_be_bytes(*code));
                let reason = text(payload.get(2..).unwrap_or_default());
                Outgoing::Close { code, reason }
            }
            other => panic!("{other:?}"),
        });
    }
}

impl Outlet for Pipe {
    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut inside = self.inside();
        if inside.over {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if !inside.has_room() {
            inside.full = false;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        inside.writes += 1;
        let most = inside.at_once.unwrap_or(usize::MAX);
        let mut taken = 0;
        for part in parts {
            let mut part = &part[..];
            while !part.is_empty() && taken < most && inside.frames.len() < inside.unread {
                let count = inside.take(&part[..part.len().min(most - taken)]);
                part = &part[count..];
                taken += count;
            }
        }
        inside.full = inside.at_once.is_some();
        let then = inside.then.take();
        drop(inside);
        if let Some(then) = then {
            then();
        }
        self.filled.notify_one();
        Ok(taken)
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inside = self.inside();
        inside.full = false;
        if inside.over || inside.has_room() {
            return Poll::Ready(Ok(()));
        }
        inside.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The server's end.
pub(super) struct Wire {
    incoming: mpsc::UnboundedReceiver<Result<Incoming, Lost>>,
    pipe: Arc<Pipe>,
}

/// Both ends of a transport that takes so many frames while nobody reads.
pub(super) fn wire(
    unread: usize,
) -> (Wire, mpsc::UnboundedSender<Result<Incoming, Lost>>, Arc<Pipe>) {
    let (to_server, incoming) = mpsc::unbounded_channel();
    let pipe = Arc::new(Pipe::new(unread));
    (Wire { incoming, pipe: pipe.clone() }, to_server, pipe)
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.pipe.inside().over = true;
        self.pipe.filled.notify_one();
    }
}

impl Stream for Wire {
    type Item = Result<Incoming, Lost>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.incoming.poll_recv(cx)
    }
}

impl Transport for Wire {
    fn outlet(&self) -> Arc<dyn Outlet> {
        self.pipe.clone()
    }
}
