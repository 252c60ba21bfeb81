//! A connection that is read as slowly as a test likes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

/// How a client reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Normal,
    /// Not at all.
    Frozen,
    /// A byte at a time.
    Crawling,
}

/// A byte each so often.
const BYTE: Duration = Duration::from_millis(2);
/// So often somebody frozen looks whether he may go on.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Paced {
    inner: TcpStream,
    pace: watch::Receiver<Pace>,
    rest: Pin<Box<Sleep>>,
}

impl Paced {
    pub(super) fn new(inner: TcpStream, pace: watch::Receiver<Pace>) -> Self {
        Self { inner, pace, rest: Box::pin(sleep(Duration::ZERO)) }
    }

    fn rest_for(&mut self, time: Duration) {
        self.rest.as_mut().reset(Instant::now() + time);
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let pace = *self.pace.borrow();
            if pace == Pace::Normal {
                return Pin::new(&mut self.inner).poll_read(cx, buffer);
            }
            std::task::ready!(self.rest.as_mut().poll(cx));
            if pace == Pace::Frozen {
                self.rest_for(LOOK);
                continue;
            }
            let mut byte = [0];
            let mut one = ReadBuf::new(&mut byte);
            std::task::ready!(Pin::new(&mut self.inner).poll_read(cx, &mut one))?;
            buffer.put_slice(one.filled());
            self.rest_for(BYTE);
            return Poll::Ready(Ok(()));
        }
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
