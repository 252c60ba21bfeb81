//! The server's end of a websocket over TCP, once the HTTP handshake is over.
//!
//! Both sides work on the bare socket: what comes in is read into a piece of the stack and kept only as far
//! as a frame is not whole (`reader`), what goes out are frames that are ready for the wire. So an idle
//! connection owns no buffer, and a frame is written with one call of the kernel and no copy.

mod reader;
#[cfg(test)]
mod tests;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::Stream;
use socket2::SockRef;
use tokio::net::TcpStream;

use super::transport::{Incoming, Lost, Outlet, Transport};
use reader::Reader;

/// Bytes that are read at once.
const CHUNK: usize = 4 * 1024;

/// The server's end of a websocket.
pub struct WebSocket {
    stream: Arc<TcpStream>,
    reader: Reader,
    hung_up: bool,
}

impl WebSocket {
    /// A websocket whose handshake is over. `early`: what the client sent together with the handshake.
    #[must_use]
    pub fn new(stream: TcpStream, early: &[u8]) -> Self {
        let mut reader = Reader::default();
        reader.feed(early);
        Self { stream: Arc::new(stream), reader, hung_up: false }
    }
}

impl Stream for WebSocket {
    type Item = Result<Incoming, Lost>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(frame) = this.reader.next().transpose() {
                return Poll::Ready(Some(frame));
            }
            if this.hung_up {
                return Poll::Ready(None);
            }
            let mut chunk = [0; CHUNK];
            let read = match ready!(this.stream.poll_read_ready(cx)) {
                Ok(()) => this.stream.try_read(&mut chunk),
                Err(error) => Err(error),
            };
            match read {
                Ok(count) if count > 0 => this.reader.feed(&chunk[..count]),
                Err(error) if is_no_end(&error) => {}
                // Without the closing handshake it is broken, however it came about.
                Ok(_) | Err(_) => {
                    this.hung_up = true;
                    let expected = this.reader.is_over();
                    return Poll::Ready((!expected).then_some(Err(Lost::Broken)));
                }
            }
        }
    }
}

/// Whether a read can be tried again.
fn is_no_end(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

impl Transport for WebSocket {
    fn outlet(&self) -> Arc<dyn Outlet> {
        self.stream.clone()
    }
}

impl Outlet for TcpStream {
    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        // Past the runtime's record of what is ready, which nobody has touched lately: for each socket of a large
        // fan-out the processor would have to wait until that came from memory. It is asked, and corrected, when
        // there is no room.
        match parts {
            [one] => match SockRef::from(self).send(one) {
                Err(full) if full.kind() == io::ErrorKind::WouldBlock => Self::try_write(self, one),
                sent => sent,
            },
            many => self.try_write_vectored(many),
        }
    }

    fn poll_room(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_write_ready(cx)
    }
}
