//! What a connection needs of a transport: frames that come in, and a way out for bytes.
//!
//! What comes in is read by the connection's task alone. The way out is used from two sides, by that task
//! and by the worker; `mailbox` sees to it that they never do so at the same time.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;

/// A frame from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Text.
    Text(String),
    /// Bytes, which are not allowed.
    Binary,
    /// Asks for a pong with the same payload of at most 125 bytes.
    Ping(Vec<u8>),
    /// An answer to a ping.
    Pong,
    /// The client closes, with this code.
    Close(Option<u16>),
}

/// Why a transport cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The client sent more than the transport takes.
    TooLarge,
    /// What came was not the transport's protocol.
    Malformed,
    /// It broke.
    Broken,
}

/// One end of a websocket. After an error, or a frame that ends it, the stream passes over whatever else
/// comes and ends when the other side has hung up.
pub trait Transport: Stream<Item = Result<Incoming, Lost>> + Send + Unpin {
    /// The way out.
    fn outlet(&self) -> Arc<dyn Outlet>;
}

/// A way out for bytes.
pub trait Outlet: Send + Sync {
    /// Writes as much as there is room for now, in order, and says how many bytes that was.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when there is no room, anything else when it broke.
    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Waits for room. Only one task may wait at a time; that there is room is a hint.
    ///
    /// # Errors
    /// When it broke.
    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;
}
