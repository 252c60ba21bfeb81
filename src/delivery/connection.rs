//! The protocol of one socket (`api.md` section 5), over any transport.
//!
//! A connection goes through three stages, one file each: it waits for `hello` and opens (`opening`), it is
//! live (`live`), and it ends with a [`Cause`], of which the client is told by `bye` and a close frame
//! (`socket`). One task serves it, and every bound on time is in one place, [`Timing`]. Events are written by
//! the worker as long as the client keeps up; all else, and all that has to wait, by this task
//! ([`mailbox`](super::mailbox)).
//!
//! What it keeps: `welcome` is on the wire before any event; nothing a client sends is larger, faster or
//! later than allowed; no client is waited for longer than [`Timing`] says; and however it ends, the hub
//! forgets it.

mod live;
mod opening;
mod socket;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use super::cause::Cause;
use super::hub::Hub;
use super::mailbox::Mailbox;
use super::source::Source;
use super::transport::Transport;
use crate::metrics::CauseLabels;
use crate::model::error::text_of_panic;
use crate::model::{Error, Moment, UserId};
use socket::Socket;

/// Longest `hello`.
const HELLO_BYTES: usize = 512 * 1024;
/// Longest frame after it.
const FRAME_BYTES: usize = 4 * 1024;

/// What a credential proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Who it is.
    pub user: UserId,
    /// When the credential was made.
    pub issued_at: Moment,
    /// When the credential ends.
    pub until: Moment,
}

/// Checks credentials.
pub trait Gate: Send + Sync {
    /// Checks a token.
    ///
    /// # Errors
    /// Why it is not good, or [`crate::model::Reason::Unavailable`] when that cannot be said now.
    fn check(&self, token: &str) -> impl Future<Output = Result<Pass, Error>> + Send;

    /// Whether what a credential proved was not revoked since.
    ///
    /// # Errors
    /// That it was.
    fn holds(&self, pass: &Pass) -> Result<(), Error>;
}

/// The bounds on time of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// Within this `hello` must have come.
    pub hello: Duration,
    /// Within this the database must have said where the connection starts.
    pub opening: Duration,
    /// So often the client gets a ping.
    pub heartbeat: Duration,
    /// After so long without any frame the client is taken for gone.
    pub silence: Duration,
    /// Within this a write must have finished.
    pub write: Duration,
    /// So long a connection that ends waits for its last frames to be written, and then for the client to
    /// close.
    pub farewell: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            hello: Duration::from_secs(5),
            opening: Duration::from_secs(15),
            heartbeat: Duration::from_secs(25),
            silence: Duration::from_mins(1),
            write: Duration::from_secs(10),
            farewell: Duration::from_secs(2),
        }
    }
}

/// What a connection needs besides its transport.
#[derive(Clone)]
pub struct Connection<G> {
    /// Where events come from.
    pub hub: Hub,
    /// Checks credentials.
    pub gate: G,
    /// Most sockets of one user on this node.
    pub sockets_per_user: u32,
    /// The bounds on time.
    pub timing: Timing,
}

impl<G: Gate> Connection<G> {
    /// Serves one connection until it ends. `pass`: what the client proved before, in an HTTP header.
    pub async fn run<S: Source, T: Transport>(self, source: S, transport: T, pass: Option<Pass>) {
        let hub = self.hub.clone();
        let open = Open::count(&hub);
        let mailbox = Arc::new(Mailbox::new(transport.outlet()));
        let mut socket = Socket::new(transport, mailbox, self.timing, hub.clone());
        let served = AssertUnwindSafe(self.serve(&mut socket, source, pass)).catch_unwind().await;
        let cause = served.unwrap_or_else(|panic| {
            tracing::error!("a connection panicked: {}", text_of_panic(&*panic));
            Cause::Restart
        });
        let labels = CauseLabels { cause: cause.word() };
        hub.metrics().sockets_closed.get_or_create(&labels).inc();
        Box::pin(socket.farewell(&cause)).await;
        socket.mailbox().cut();
        drop(open);
    }

    async fn serve<S: Source, T: Transport>(
        self,
        socket: &mut Socket<T>,
        source: S,
        pass: Option<Pass>,
    ) -> Cause {
        let stopping = self.hub.stopping().clone();
        // Apart on the heap: opening needs much more memory than an open connection has to keep.
        let opening = Box::pin(opening::open(&self, socket, source, pass));
        let opened = tokio::select! {
            opened = opening => opened,
            () = stopping.cancelled() => Err(Cause::Stopping),
        };
        match opened {
            Ok((line, pass)) => {
                let user = pass.user.clone();
                tracing::debug!(%user, "a socket opened");
                let cause = live::live(&self, socket, &line, pass).await;
                tracing::debug!(%user, cause = cause.word(), "a socket ends: {}", cause.why());
                cause
            }
            Err(cause) => {
                tracing::debug!(cause = cause.word(), "a socket did not open: {}", cause.why());
                cause
            }
        }
    }
}

/// Counts an open socket for as long as it lives.
struct Open(Hub);

impl Open {
    fn count(hub: &Hub) -> Self {
        hub.metrics().sockets.inc();
        Self(hub.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.metrics().sockets.dec();
    }
}
