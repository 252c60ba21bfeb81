//! One transport with the bounds that every stage keeps: how long a write takes, how often a client speaks,
//! when it was heard last, and how it is told that this is the end.

use futures_util::{SinkExt, StreamExt};
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout};

use super::{Incoming, Lost, Outgoing, Timing, Transport};
use crate::delivery::cause::Cause;
use crate::delivery::hub::Hub;

/// Frames of a client in a second.
const RATE: f64 = 20.0;
/// Frames that may come at once after a pause.
const BURST: f64 = 40.0;

/// A transport with its bounds.
pub(super) struct Socket<T> {
    transport: T,
    timing: Timing,
    hub: Hub,
    heard: Instant,
    tokens: f64,
}

impl<T: Transport> Socket<T> {
    pub(super) fn new(transport: T, timing: Timing, hub: Hub) -> Self {
        Self { transport, timing, hub, heard: Instant::now(), tokens: BURST }
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

    /// How many sockets end together with this one if the server stops.
    fn crowd(&self) -> i64 {
        self.hub.metrics().sockets.get()
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

    /// Writes frames with one flush. Each frame has its time: who reads slowly is waited for as long as he
    /// reads.
    pub(super) async fn send(
        &mut self,
        frames: impl IntoIterator<Item = Outgoing>,
    ) -> Result<(), Cause> {
        let Self { transport, timing, hub, .. } = self;
        let in_time = |written: Result<Result<(), Lost>, Elapsed>| match written {
            Ok(written) => written.map_err(|_| Cause::Broken),
            Err(_) => Err(Cause::TooSlow),
        };
        let write = async {
            for frame in frames {
                in_time(timeout(timing.write, transport.feed(frame)).await)?;
            }
            in_time(timeout(timing.write, transport.flush()).await)
        };
        let stopped = async {
            hub.stopping().cancelled().await;
            sleep(timing.farewell).await;
        };
        tokio::select! {
            written = write => written,
            () = stopped => Err(Cause::Stopping),
        }
    }

    /// Tells the client why this is the end, and waits a little for it to close: a connection that is
    /// dropped at once can lose what was written last.
    pub(super) async fn farewell(&mut self, cause: &Cause) {
        let limit = self.timing.farewell;
        if let (Some(code), Some(bye)) = (cause.code(), cause.bye(self.crowd())) {
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
