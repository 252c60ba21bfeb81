//! One transport with the bounds that every stage keeps: how long a write takes, how often a client speaks,
//! when it was heard last, and how it is told that this is the end.

use std::future::poll_fn;
use std::sync::Arc;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until, timeout};

use super::Timing;
use crate::delivery::cause::Cause;
use crate::delivery::frame::Frame;
use crate::delivery::hub::Hub;
use crate::delivery::mailbox::{Limit, Mailbox, Rest, Written};
use crate::delivery::transport::{Incoming, Lost, Outlet, Transport};

/// Frames of a client in a second.
const RATE: f64 = 20.0;
/// Frames that may come at once after a pause.
const BURST: f64 = 40.0;
/// Most frames that are written before the connection looks at something else.
const BATCH_FRAMES: usize = 64;
/// About how many bytes.
const BATCH_BYTES: usize = 64 * 1024;

/// A transport with its bounds.
pub(super) struct Socket<T> {
    transport: T,
    outlet: Arc<dyn Outlet>,
    mailbox: Arc<Mailbox>,
    timing: Timing,
    hub: Hub,
    heard: Instant,
    tokens: f64,
    /// Until when a write may take since the server stops.
    last_write: Option<Instant>,
    /// The code that the client closed with.
    closed_with: Option<u16>,
}

impl<T: Transport> Socket<T> {
    pub(super) fn new(transport: T, mailbox: Arc<Mailbox>, timing: Timing, hub: Hub) -> Self {
        let outlet = transport.outlet();
        let heard = Instant::now();
        let (last_write, closed_with) = (None, None);
        let tokens = BURST;
        Self { transport, outlet, mailbox, timing, hub, heard, tokens, last_write, closed_with }
    }

    /// What waits to be written.
    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// When the client was heard last.
    pub(super) fn heard(&self) -> Instant {
        self.heard
    }

    /// Waits for the next frame. May be cancelled.
    pub(super) async fn receive(&mut self) -> Result<Incoming, Cause> {
        match self.transport.next().await {
            None => Err(Cause::Closed),
            Some(Ok(Incoming::Close(code))) => {
                self.closed_with = code;
                Err(Cause::Closed)
            }
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

    /// Writes what waits as far as there is room, one batch at most.
    pub(super) fn write(&self) -> Result<Written, Cause> {
        let limit = Limit { frames: BATCH_FRAMES, bytes: BATCH_BYTES };
        self.mailbox.write(limit).map_err(|_| Cause::Broken)
    }

    /// How long a frame that begins now may take.
    pub(super) fn patience(&self) -> Instant {
        Instant::now() + self.timing.write
    }

    /// Waits for room, until a moment, and not long once the server stops. May be cancelled.
    pub(super) async fn room(&mut self, until: Instant) -> Result<(), Cause> {
        loop {
            let limit = self.last_write.map_or(until, |last| last.min(until));
            tokio::select! {
                room = poll_fn(|cx| self.outlet.poll_room(cx)) => {
                    return room.map_err(|_| Cause::Broken);
                }
                () = sleep_until(limit) => {
                    let stopped = limit < until;
                    return Err(if stopped { Cause::Stopping } else { Cause::TooSlow });
                }
                () = self.hub.stopping().cancelled(), if self.last_write.is_none() => {
                    self.last_write = Some(Instant::now() + self.timing.farewell);
                }
            }
        }
    }

    /// Says something. Each frame has its time: who reads slowly is waited for as long as he reads.
    pub(super) async fn send(
        &mut self,
        frames: impl IntoIterator<Item = Frame>,
    ) -> Result<(), Cause> {
        for frame in frames {
            self.mailbox.say(frame);
        }
        let mut until = self.patience();
        loop {
            let written = self.write()?;
            if written.frames > 0 {
                until = self.patience();
            }
            match written.rest {
                Rest::Blocked => self.room(until).await?,
                Rest::Enough => {}
                Rest::Nothing | Rest::Mark | Rest::Doubt => return Ok(()),
            }
        }
    }

    /// Tells the client why this is the end, and waits a little for it to close: a connection that is
    /// dropped at once can lose what was written last.
    pub(super) async fn farewell(&mut self, cause: &Cause) {
        let limit = self.timing.farewell;
        self.mailbox.end();
        if let (Some(code), Some(bye)) = (cause.code(), cause.bye(self.crowd())) {
            let last = [bye, Frame::close(code, &cause.reason())];
            if !matches!(timeout(limit, self.say_last(last)).await, Ok(Ok(()))) {
                return;
            }
        } else if *cause == Cause::Closed {
            // Both have said it: the server hangs up first.
            timeout(limit, self.say_last([answer(self.closed_with)])).await.ok();
            return;
        }
        if *cause != Cause::Broken {
            let closed = async {
                while let Some(Ok(frame)) = self.transport.next().await {
                    if matches!(frame, Incoming::Close(_)) {
                        return;
                    }
                }
            };
            timeout(limit, closed).await.ok();
        }
    }

    async fn say_last(&self, frames: impl IntoIterator<Item = Frame>) -> Result<(), Cause> {
        for frame in frames {
            self.mailbox.say(frame);
        }
        while self.write()?.rest != Rest::Nothing {
            let room = poll_fn(|cx| self.outlet.poll_room(cx)).await;
            room.map_err(|_| Cause::Broken)?;
        }
        Ok(())
    }
}

/// The answer to a close frame with this code.
fn answer(code: Option<u16>) -> Frame {
    match code {
        None => Frame::plain_close(),
        Some(code @ (1000..=1003 | 1007..=1013 | 3000..=4999)) => Frame::close(code, ""),
        Some(_) => Frame::close(1002, ""),
    }
}
