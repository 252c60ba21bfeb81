//! The yardstick of deliveries: one thread that writes the same bytes to the same number of sockets,
//! non-blocking, and does nothing else.

use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;

use super::sockets::Crowd;
use super::usage;

/// The loop that is compared with: a thread with sockets of its own.
pub(super) struct Raw {
    pub(super) address: SocketAddr,
    orders: mpsc::Sender<usize>,
    done: tokio::sync::mpsc::UnboundedReceiver<()>,
    /// The thread's number, where threads have one.
    thread: Option<u32>,
}

impl Raw {
    pub(super) fn start(sockets: u32, frame: Vec<u8>) -> anyhow::Result<Self> {
        // All of them come at once.
        let socket = tokio::net::TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        let listener = socket.listen(4_096)?.into_std()?;
        listener.set_nonblocking(false)?;
        let address = listener.local_addr()?;
        let (orders, ordered) = mpsc::channel::<usize>();
        let (ends, done) = tokio::sync::mpsc::unbounded_channel();
        let (name, named) = mpsc::channel();
        std::thread::spawn(move || -> anyhow::Result<()> {
            name.send(usage::this_thread())?;
            let mut streams = Vec::new();
            for _ in 0..sockets {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                stream.set_nonblocking(true)?;
                streams.push(stream);
            }
            while let Ok(times) = ordered.recv() {
                let bytes = frame.repeat(times);
                for stream in &mut streams {
                    write(stream, &bytes)?;
                }
                ends.send(())?;
            }
            Ok(())
        });
        Ok(Self { address, orders, done, thread: named.recv()? })
    }

    /// Writes so many frames at once to all sockets, and waits until all are read. How many that were.
    pub(super) async fn write(&mut self, crowd: &Crowd, burst: usize) -> anyhow::Result<u64> {
        let wanted = crowd.ready.seen() * burst as u64;
        let seen = crowd.events.seen();
        self.orders.send(burst).context("the raw loop ended")?;
        self.done.recv().await.context("the raw loop ended")?;
        crowd.events.reaches(seen + wanted, "raw frames").await?;
        Ok(wanted)
    }

    /// The thread's processor time so far.
    pub(super) fn time(&self) -> Duration {
        self.thread.and_then(usage::of_thread).unwrap_or_default()
    }
}

/// Writes all bytes; a socket without room is tried again.
fn write(stream: &mut TcpStream, mut bytes: &[u8]) -> anyhow::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
