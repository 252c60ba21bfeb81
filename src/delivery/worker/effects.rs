//! What the router wants done, carried out at the queues of the connections.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::cause::Cause;
use super::super::event::Event;
use super::super::mailbox::{Dropped, Mailbox};
use super::super::router::{ConnId, Effect};
use super::super::source::Source;
use super::Worker;

/// A connection may lag so often before it ends as too slow, within this.
const FALLS: usize = 3;
const FALLS_WITHIN: Duration = Duration::from_mins(1);

/// What the worker has of a connection.
pub(super) struct Seat {
    pub(super) mailbox: Arc<Mailbox>,
    /// When it lagged.
    falls: Vec<Instant>,
}

impl Seat {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox, falls: Vec::new() }
    }

    /// Notes that it lagged. False when that happens too often.
    fn falls(&mut self) -> bool {
        let now = Instant::now();
        self.falls.retain(|at| now - *at < FALLS_WITHIN);
        self.falls.push(now);
        self.falls.len() <= FALLS
    }
}

impl<S: Source> Worker<S> {
    pub(super) fn unregister(&mut self, id: ConnId) {
        self.router.unregister(id);
        self.seats.remove(&id);
    }

    /// Ends a connection that the router may still know.
    pub(super) fn end(&mut self, id: ConnId, cause: Cause) {
        self.router.unregister(id);
        if let Some(seat) = self.seats.remove(&id) {
            match cause {
                Cause::TooSlow => seat.mailbox.give_up(),
                cause => seat.mailbox.close(cause),
            }
        }
    }

    pub(super) fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut lagging: Vec<(ConnId, Dropped)> = Vec::new();
        let mut frames = 0;
        for effect in effects {
            match effect {
                Effect::Send { to, event } => {
                    frames += to.len() as u64;
                    for id in to {
                        lagging.extend(self.send(id, &event).map(|dropped| (id, dropped)));
                    }
                }
                Effect::Ready(id) => {
                    if let Some(seat) = self.seats.get(&id)
                        && seat.mailbox.ready()
                    {
                        self.outbox.push(&seat.mailbox);
                    }
                }
                Effect::Mark(id) => {
                    if let Some(seat) = self.seats.get(&id) {
                        seat.mailbox.mark();
                    }
                }
                Effect::Read(read) => self.reads.want(read),
                Effect::Close(id) => self.end(id, Cause::Restart),
                Effect::TooSlow(id) => self.end(id, Cause::TooSlow),
            }
        }
        self.hub.metrics().frames.inc_by(frames);
        self.outbox.add(frames);
        self.lag(lagging);
    }

    /// Puts an event into the queue of a connection. What the queue let go of, if there was no room.
    fn send(&mut self, id: ConnId, event: &Arc<Event>) -> Option<Dropped> {
        let seat = self.seats.get(&id)?;
        let offered = seat.mailbox.offer(event).or_else(|_| {
            // A client that reads makes room at once: what waits may just not have been flushed.
            self.outbox.flush(&seat.mailbox);
            seat.mailbox.offer(event)
        });
        match offered {
            Ok(true) => self.outbox.push(&seat.mailbox),
            Ok(false) => {}
            Err(_) => {
                let mut dropped = seat.mailbox.let_go();
                dropped.events.push(event.clone());
                return Some(dropped);
            }
        }
        None
    }

    /// Leads those whose queues had no room through the log, or ends them when that happens too often.
    fn lag(&mut self, lagging: Vec<(ConnId, Dropped)>) {
        // What is sent behind the first thing that found no room finds room again: it is let go of, too.
        let mut all: HashMap<ConnId, Dropped> = HashMap::new();
        for (id, dropped) in lagging {
            let of_one = all.entry(id).or_default();
            of_one.events.extend(dropped.events);
            of_one.ready |= dropped.ready;
        }
        for (id, mut dropped) in all {
            let Some(seat) = self.seats.get_mut(&id) else { continue };
            self.hub.metrics().lagged.inc();
            if !seat.falls() {
                self.end(id, Cause::TooSlow);
                continue;
            }
            let rest = seat.mailbox.let_go();
            dropped.events.extend(rest.events);
            dropped.ready |= rest.ready;
            let effects = self.router.lagged(id, &dropped.events, dropped.ready);
            self.carry_out(effects);
        }
    }
}
