//! The yardstick of deliveries: one thread that writes the same bytes to the same number of sockets,
//! non-blocking, and does nothing else.

use std::io::{ErrorKind, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::fanout::Told;
use super::load::Done;
use super::sockets::Crowd;
use super::stats::{Times, micros};
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

    /// Writes so many frames at once to all sockets, again and again.
    pub(super) async fn write_all(
        &mut self,
        crowd: &Crowd,
        burst: usize,
        time: Duration,
    ) -> anyhow::Result<Told> {
        let begun = Instant::now();
        let (mut delivered, mut times, before) = (0, Vec::new(), self.time());
        while begun.elapsed() < time {
            let start = Instant::now();
            let (seen, sockets) = (crowd.events.seen(), crowd.ready.seen());
            let wanted = sockets * burst as u64;
            self.orders.send(burst).context("the raw loop ended")?;
            self.done.recv().await.context("the raw loop ended")?;
            crowd.events.reaches(seen + wanted, "raw frames").await?;
            delivered += wanted;
            times.push(micros(start.elapsed()));
        }
        let done = Done {
            right: delivered,
            times: Times::of(times),
            elapsed: begun.elapsed(),
            ..Done::default()
        };
        let cost = self.time().saturating_sub(before).as_secs_f64();
        Ok(Told { done, calls: 0, cost })
    }

    /// The thread's processor time so far.
    fn time(&self) -> Duration {
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
