//! The life of an open connection: events out, signs of life in.

use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::socket::Socket;
use super::{Connection, FRAME_BYTES, Gate, Pass, Timing};
use crate::delivery::cause::Cause;
use crate::delivery::frame::Frame;
use crate::delivery::hub::Line;
use crate::delivery::mailbox::{Rest, Written};
use crate::delivery::transport::{Incoming, Transport};
use crate::delivery::wire::{self, PONG, Said};
use crate::metrics::WayLabels;
use crate::model::{Moment, Reason};

/// Longest wait for the end of a credential before the clock is asked again.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// Serves an open connection to its end.
pub(super) async fn live<G: Gate, T: Transport>(
    connection: &Connection<G>,
    socket: &mut Socket<T>,
    line: &Line,
    pass: Pass,
) -> Cause {
    let next_ping = first_ping(connection.timing);
    let newest = pass.clone();
    let mut open = Live { connection, line, pass, newest, next_ping };
    loop {
        if let Err(cause) = open.turn(socket).await {
            return cause;
        }
    }
}

struct Live<'a, G> {
    connection: &'a Connection<G>,
    line: &'a Line,
    /// The credential that lasts longest.
    pass: Pass,
    /// The credential that came last: it may outlive a revocation of the other one.
    newest: Pass,
    next_ping: Instant,
}

/// The first ping comes at a random moment, so that those who came together are not pinged together.
fn first_ping(timing: Timing) -> Instant {
    Instant::now() + rand::random_range(timing.heartbeat / 4..=timing.heartbeat)
}

impl<G: Gate> Live<'_, G> {
    /// Waits for whatever happens first, and reacts.
    async fn turn<T: Transport>(&mut self, socket: &mut Socket<T>) -> Result<(), Cause> {
        let silence = socket.heard() + self.connection.timing.silence;
        let wake = self.next_ping.min(silence).min(self.credential_ends());
        tokio::select! {
            () = self.connection.hub.stopping().cancelled() => {
                while self.write(socket).await? {}
                Err(Cause::Stopping)
            }
            () = self.line.mailbox().filled() => self.write(socket).await.map(drop),
            frame = socket.receive() => self.hear(socket, frame?).await,
            () = sleep_until(wake) => self.look_at_the_clock(socket).await,
        }
    }

    /// Looks whether a credential of this connection still holds.
    fn recheck(&mut self) -> Result<(), Cause> {
        let gate = &self.connection.gate;
        if gate.holds(&self.pass).is_err() {
            gate.holds(&self.newest).map_err(|error| Cause::Credential(error.text))?;
            self.pass = self.newest.clone();
        }
        Ok(())
    }

    /// Takes the pen and writes what waits, one batch at most. False when nothing did.
    async fn write<T: Transport>(&mut self, socket: &mut Socket<T>) -> Result<bool, Cause> {
        let written = self.write_now(socket)?;
        if written.rest == Rest::Blocked {
            // Apart on the heap: few connections wait, and an idle one has to keep little.
            Box::pin(self.write_slowly(socket)).await?;
        }
        Ok(written.frames > 0 || written.rest != Rest::Nothing)
    }

    /// Writes a batch for which there was no room, as its client reads.
    async fn write_slowly<T: Transport>(&mut self, socket: &mut Socket<T>) -> Result<(), Cause> {
        let mut until = socket.patience();
        loop {
            tokio::select! {
                room = socket.room(until) => room?,
                () = self.line.mailbox().disturbed() => {
                    if !self.line.mailbox().take_pen() {
                        // What would have come next is dropped: no use in waiting for this any longer.
                        return Err(Cause::TooSlow);
                    }
                    self.recheck()?;
                    continue;
                }
            }
            let written = self.write_now(socket)?;
            if written.rest != Rest::Blocked {
                return Ok(());
            }
            if written.frames > 0 {
                until = socket.patience();
            }
        }
    }

    /// Writes as much as there is room for, unless the credential does not hold any more.
    fn write_now<T: Transport>(&mut self, socket: &Socket<T>) -> Result<Written, Cause> {
        let mailbox = self.line.mailbox();
        if mailbox.take_pen() {
            self.recheck()?;
        }
        loop {
            let written = socket.write()?;
            if let Some((way, since)) = written.first {
                let labels = WayLabels { way };
                let seconds = &self.connection.hub.metrics().delivery_seconds;
                seconds.get_or_create(&labels).observe(since.elapsed().as_secs_f64());
            }
            match written.rest {
                Rest::Mark => {
                    for _ in 0..mailbox.take_marks() {
                        self.line.drained();
                    }
                }
                Rest::Nothing => return mailbox.closed().map_or(Ok(written), Err),
                Rest::Blocked | Rest::Enough | Rest::Doubt => return Ok(written),
            }
        }
    }

    async fn hear<T: Transport>(
        &mut self,
        socket: &mut Socket<T>,
        frame: Incoming,
    ) -> Result<(), Cause> {
        let text = match frame {
            Incoming::Text(text) => text,
            Incoming::Binary => return Err(Cause::Protocol("binary frames are not used".into())),
            Incoming::Ping(payload) => return self.say(socket, Frame::pong(&payload)).await,
            Incoming::Pong | Incoming::Close(_) => return Ok(()),
        };
        if text.len() > FRAME_BYTES {
            let why = format!("a frame has {} bytes, at most {FRAME_BYTES} are taken", text.len());
            return Err(Cause::Protocol(why));
        }
        match wire::read(&text).map_err(Cause::Protocol)? {
            Said::Hello(_) => Err(Cause::Protocol("hello came a second time".into())),
            Said::Ping => self.say(socket, PONG.clone()).await,
            Said::Pong => Ok(()),
            Said::Auth(auth) => {
                // Nothing is written meanwhile: the credential before may end.
                self.line.mailbox().hold();
                Box::pin(self.renew(&auth.token)).await?;
                self.write(socket).await.map(drop)
            }
        }
    }

    /// Says something besides the events.
    async fn say<T: Transport>(
        &mut self,
        socket: &mut Socket<T>,
        frame: Frame,
    ) -> Result<(), Cause> {
        self.line.mailbox().say(frame);
        self.write(socket).await.map(drop)
    }

    /// Takes a fresh credential of the same user.
    async fn renew(&mut self, token: &str) -> Result<(), Cause> {
        let checking = self.connection.gate.check(token);
        match timeout(self.connection.timing.opening, checking).await {
            Ok(Ok(fresh)) if fresh.user == self.pass.user => {
                if fresh.until >= self.pass.until {
                    self.pass = fresh.clone();
                }
                self.newest = fresh;
                // It may have been revoked while it was checked.
                self.recheck()
            }
            Ok(Ok(_)) => Err(Cause::Credential("the fresh credential is another user's".into())),
            Ok(Err(error)) if error.reason == Reason::RateLimited => {
                Err(Cause::TooMany(error.text))
            }
            Ok(Err(error)) if error.reason != Reason::Unavailable => {
                Err(Cause::Credential(error.text))
            }
            // It cannot be checked at the moment: the one before holds until it ends.
            Ok(Err(_)) | Err(_) => {
                tracing::warn!(user = %self.pass.user, "a fresh credential could not be checked");
                Ok(())
            }
        }
    }

    /// When to look whether the credential has ended.
    fn credential_ends(&self) -> Instant {
        Instant::now() + left(self.pass.until).min(LONGEST_WAIT)
    }

    async fn look_at_the_clock<T: Transport>(
        &mut self,
        socket: &mut Socket<T>,
    ) -> Result<(), Cause> {
        let now = Instant::now();
        if left(self.pass.until).is_zero() {
            return Err(Cause::Credential("the credential has ended".into()));
        }
        if now >= socket.heard() + self.connection.timing.silence {
            return Err(Cause::Silent);
        }
        if now >= self.next_ping {
            let heartbeat = self.connection.timing.heartbeat;
            self.next_ping = now + rand::random_range(heartbeat * 9 / 10..=heartbeat);
            self.say(socket, Frame::ping()).await?;
        }
        Ok(())
    }
}

/// How long it is until this moment.
fn left(until: Moment) -> Duration {
    (until - chrono::Utc::now()).to_std().unwrap_or_default()
}
