//! One transport with the bounds that every stage keeps: how long a write takes, how often a client speaks,
//! when it was heard last, and how it is told that this is the end.

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{Incoming, Lost, Outgoing, Timing, Transport};
use crate::delivery::cause::Cause;

/// Frames of a client in a second.
const RATE: f64 = 20.0;
/// Frames that may come at once after a pause.
const BURST: f64 = 40.0;

/// A transport with its bounds.
pub(super) struct Socket<T> {
    transport: T,
    timing: Timing,
    stopping: CancellationToken,
    heard: Instant,
    tokens: f64,
}

impl<T: Transport> Socket<T> {
    pub(super) fn new(transport: T, timing: Timing, stopping: CancellationToken) -> Self {
        Self { transport, timing, stopping, heard: Instant::now(), tokens: BURST }
    }

    /// When the client was heard last.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// Waits for the next frame. May be cancelled.
    pub(super) async fn receive(&mut self) -> Result<Incoming, Cause> {
        match self.transport.next().await {
            None | Some(Ok(Incoming::Close)) => Err(Cause::Closed),
            Some(Err(Lost::Broken)) => Err(Cause::Broken),
            Some(Err(Lost::TooLarge)) => Err(Cause::Protocol("the frame is too large".to_owned())),
            Some(Err(Lost::Malformed)) => {
                Err(Cause::Protocol("what came is no websocket frame with UTF-8 text".to_owned()))
            }
            Some(Ok(frame)) => {
                self.count()?;
                Ok(frame)
            }
        }
    }

    /// Counts a frame of the client.
    fn count(&mut self) -> Result<(), Cause> {
        let now = Instant::now();
        let since = now.duration_since(self.heard).as_secs_f64();
        self.heard = now;
        self.tokens = (self.tokens + since * RATE).min(BURST) - 1.0;
        if self.tokens < 0.0 {
            return Err(Cause::TooMany(format!("more than {RATE} frames a second")));
        }
        Ok(())
    }

    /// Writes frames with one flush.
    pub(super) async fn send(
        &mut self,
        frames: impl IntoIterator<Item = Outgoing>,
    ) -> Result<(), Cause> {
        let Self { transport, timing, stopping, .. } = self;
        let write = async {
            for frame in frames {
                transport.feed(frame).await?;
            }
            transport.flush().await
        };
        let stopped = async {
            stopping.cancelled().await;
            sleep(timing.farewell).await;
        };
        tokio::select! {
            written = write => written.map_err(|_| Cause::Broken),
            () = sleep(timing.write) => Err(Cause::TooSlow),
            () = stopped => Err(Cause::Stopping),
        }
    }

    /// Tells the client why this is the end, and waits a little for it to close: a connection that is
    /// dropped at once can lose what was written last.
    pub(super) async fn farewell(&mut self, cause: &Cause) {
        let limit = self.timing.farewell;
        if let (Some(code), Some(bye)) = (cause.code(), cause.bye()) {
            let close = Outgoing::Close { code, reason: cause.reason() };
            let last = async {
                self.transport.feed(Outgoing::Text(bye)).await?;
                self.transport.feed(close).await?;
                self.transport.flush().await
            };
            if !matches!(timeout(limit, last).await, Ok(Ok(()))) {
                return;
            }
        }
        if *cause != Cause::Broken {
            let closed = async { while let Some(Ok(_)) = self.transport.next().await {} };
            timeout(limit, closed).await.ok();
        }
    }
}
