//! The router: which connection gets which entry, in which order.
//!
//! A pure state machine. What happens goes in ([`Router::committed`], [`Router::open`], …) and what has to
//! be done comes out as a list of [`Effect`]s, in the order in which it has to be done; there is no I/O, no
//! clock and no waiting here, so that every interleaving can be tried in a test. `worker` owns the one
//! router of a node.
//!
//! **What comes in may be lost, repeated and reordered.** For each stream the router knows the number of
//! the last entry that has passed (`tail`): the next one passes, an older one is dropped, and one from
//! further ahead waits while the hole is read from the log.
//!
//! **Who gets an entry.** A connection stands in a stream in one of three ways (`stream`): *live*, at the end
//! of the log; *apart*, on its way there; or merely *interested*, when it is about to open. An entry first brings in the connections of those whose
//! membership it starts, then goes to all that are live, then takes out those whose membership it ends: so
//! the invited and the kicked both get the entry that concerns them, as their first and their last.
//!
//! **How a connection opens without a gap.** It registers its user: from then on entries that start a
//! membership of this user find it. It declares interest in the streams that it read from the database:
//! from then on nothing in them passes unseen. Only then does it read the numbers it starts at, and
//! [`Router::open`] compares them with what has passed: what it missed is replayed, and what the router has
//! not seen yet is read. A connection that resumes from a cursor only starts at lower numbers.
//!
//! **A replay has a window.** After so many frames the router sets a [`Effect::Mark`] and pauses until the
//! connection has written everything up to it, so that a replay never fills the queue of a client that
//! reads.
//!
//! **Who is too slow loses his queue and keeps his place.** [`Router::lagged`] takes back what the queue let
//! go of: from there the connection is led through the log again, as soon as it has written the rest.
//!
//! **What nobody told is found.** The repairer compares with the database from time to time:
//! [`Router::heads`] hears how far the logs reach, [`Router::standings`] which memberships changed.

#[cfg(test)]
mod chaos;
mod conns;
mod ids;
mod mend;
mod place;
mod stream;
mod streams;
mod tail;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::{StreamKey, UserId};

use super::event::Event;
use conns::Conns;
pub(super) use ids::{ConnId, ConnMap};
use streams::Streams;

/// Where an entry comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the engine of this node, just committed.
    Here,
    /// From a bus: it may be an old one that comes again.
    Elsewhere,
}

/// Where a connection starts in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    /// The stream.
    pub(super) stream: StreamKey,
    /// The entry behind which it starts; its user is a member there.
    pub(super) from: i64,
    /// The last entry that it gets, if the membership has ended; otherwise the same as `head`.
    pub(super) until: i64,
    /// The newest entry when the database was read.
    pub(super) head: i64,
}

/// A membership, as the database says: the interval of the group's log that its user sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The group's stream.
    pub(super) stream: StreamKey,
    /// The entry that began it.
    pub(super) joined: i64,
    /// The entry that ended it.
    pub(super) left: Option<i64>,
    /// Whether there was another one before it.
    pub(super) again: bool,
    /// The newest entry of the log.
    pub(super) head: i64,
}

/// What a read of the log is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Entries that are known to exist did not come: perhaps they still do.
    Hole,
    /// Whether there is more than anybody told.
    Probe,
    /// Somebody catches up.
    Past,
}

/// Asks for entries from the log: those behind `after`, up to and with `through`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Read {
    /// The stream.
    pub(super) stream: StreamKey,
    /// The entry before the first one.
    pub(super) after: i64,
    /// The last one; [`i64::MAX`] for whatever there is.
    pub(super) through: i64,
    /// How often the log did not have what it must have.
    pub(super) attempt: u32,
    /// What it is for.
    pub(super) purpose: Purpose,
    /// Tells an answer that is still waited for from one that came too late.
    ticket: u64,
}

/// What has to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Put an event into these queues.
    Send {
        /// Whose.
        to: Vec<ConnId>,
        /// The event.
        event: Arc<Event>,
    },
    /// Put a mark into a queue, to be answered with [`Router::drained`].
    Mark(ConnId),
    /// Tell a connection that its replay is done.
    Ready(ConnId),
    /// Read the log, to be answered with [`Router::fetched`] or [`Router::fetch_failed`].
    Read(Read),
    /// End a connection: the log no longer has what it needs, and only a fresh start helps. The router
    /// has forgotten it already.
    Close(ConnId),
    /// End a connection that is further behind than anybody is led. The router has forgotten it already.
    TooSlow(ConnId),
}

/// What has been done since it was last asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Events that were replayed from memory.
    pub(super) from_memory: u64,
    /// Events that were replayed from the log.
    pub(super) from_log: u64,
    /// Entries that did not come and were read.
    pub(super) entries_found: u64,
    /// Connections that were brought into a group of which nobody had told.
    pub(super) memberships_found: u64,
}

/// How much the router keeps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Newest entries of one stream.
    pub(super) ring: usize,
    /// Newest entries of all streams together.
    pub(super) rings: usize,
    /// Entries of one stream that wait for others before them.
    pub(super) held: usize,
    /// Frames that are replayed before the connection has to have written them.
    pub(super) window_frames: usize,
    /// The same in bytes.
    pub(super) window_bytes: usize,
    /// Streams that a connection has left and is remembered in.
    pub(super) left: usize,
    /// How far back a connection that comes again into a stream is led through the log.
    pub(super) look_back: i64,
    /// How many entries of one stream a connection may be behind.
    pub(super) behind: i64,
    /// Streams that are followed for a while although nobody is in them.
    pub(super) resting: usize,
}

impl Read {
    /// Whether what it brings is news to those who are at the end of the log.
    pub(super) fn is_news(&self) -> bool {
        self.purpose != Purpose::Past
    }
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            ring: 128,
            rings: 65_536,
            held: 512,
            window_frames: 512,
            window_bytes: 256 * 1024,
            left: 4_096,
            look_back: 500,
            behind: 5_000,
            resting: 20_000,
        }
    }
}

/// What the streams share.
#[derive(Debug, Default)]
struct Desk {
    conns: Conns,
    bounds: Bounds,
    out: Vec<Effect>,
    /// What entered a ring, oldest first.
    aged: VecDeque<(StreamKey, i64)>,
    /// Connections that may have become ready.
    unready: Vec<ConnId>,
    /// Connections that are too far behind.
    slow: Vec<ConnId>,
    tally: Tally,
    tickets: u64,
}

impl Desk {
    /// Asks for a piece of the log; returns the ticket of the answer.
    fn ask(
        &mut self,
        stream: &StreamKey,
        (after, through): (i64, i64),
        attempt: u32,
        purpose: Purpose,
    ) -> u64 {
        self.tickets += 1;
        let stream = stream.clone();
        let read = Read { stream, after, through, attempt, purpose, ticket: self.tickets };
        self.out.push(Effect::Read(read));
        self.tickets
    }
}

/// The router of a node.
#[derive(Debug, Default)]
pub(super) struct Router {
    streams: Streams,
    desk: Desk,
}

impl Router {
    /// A router with these bounds.
    #[cfg(test)]
    fn with(bounds: Bounds) -> Self {
        Self { streams: Streams::default(), desk: Desk { bounds, ..Desk::default() } }
    }

    /// How many streams are followed.
    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// How many connections are being led to the end of a log.
    pub(super) fn catching_up(&self) -> usize {
        self.desk.conns.catching_up()
    }

    /// What began (`true`) or ceased to be followed since this was last asked for.
    pub(super) fn changes(&mut self) -> Vec<(StreamKey, bool)> {
        self.streams.changes()
    }

    /// The end: whatever is followed ceases to be.
    pub(super) fn end(mut self) -> Vec<(StreamKey, bool)> {
        self.streams.forget_all();
        self.streams.changes()
    }

    /// What has been done since this was last asked for.
    pub(super) fn tally(&mut self) -> Tally {
        std::mem::take(&mut self.desk.tally)
    }

    /// Forgets streams that nobody has been in for a round.
    pub(super) fn end_of_round(&mut self) {
        self.streams.end_of_round();
    }

    /// Whether the answer to this read is still waited for.
    pub(super) fn wants(&self, read: &Read) -> bool {
        self.streams.get(&read.stream).is_some_and(|stream| stream.wants(read))
    }

    /// Whether a stream is followed.
    pub(super) fn follows(&self, stream: &StreamKey) -> bool {
        self.streams.get(stream).is_some()
    }

    /// The connections of a user.
    pub(super) fn of(&self, user: &UserId) -> &[ConnId] {
        self.desk.conns.of(user)
    }

    /// A connection of this user begins to open.
    pub(super) fn register(&mut self, id: ConnId, user: UserId) {
        self.desk.conns.add(id, user, &self.desk.bounds);
    }

    /// A connection will open in these streams. True when the end of one of them is not known yet: then the
    /// numbers to open at have to be read after this call. Otherwise older ones are as good, since
    /// whatever came after them has passed here or is in the log.
    pub(super) fn interest(&mut self, id: ConnId, streams: &[StreamKey]) -> bool {
        let Some(conn) = self.desk.conns.get_mut(id) else { return false };
        let mut unknown = false;
        for key in streams {
            let stream = self.streams.follow(key);
            stream.attract(id);
            unknown |= !stream.is_followed();
            conn.streams.insert(key.clone());
        }
        unknown
    }

    /// A connection has been told where it starts, and gets entries from now on.
    pub(super) fn open(&mut self, id: ConnId, starts: &[Start]) -> Vec<Effect> {
        let Some(conn) = self.desk.conns.get_mut(id) else { return Vec::new() };
        conn.open = true;
        let mut keys = conn.streams.clone();
        for start in starts {
            self.streams.follow(&start.stream).open(id, start, &mut self.desk);
            keys.insert(start.stream.clone());
        }
        for key in &keys {
            if let Some(stream) = self.streams.get_mut(key) {
                stream.lose_interest(id, &mut self.desk);
            }
            self.settle(key);
        }
        self.desk.unready.push(id);
        self.finish()
    }

    /// A connection has written everything up to the mark.
    pub(super) fn drained(&mut self, id: ConnId) -> Vec<Effect> {
        let Some(conn) = self.desk.conns.get_mut(id) else { return Vec::new() };
        conn.resume(&self.desk.bounds);
        let apart: Vec<StreamKey> = conn.apart.iter().cloned().collect();
        for key in apart {
            self.settle(&key);
        }
        self.finish()
    }

    /// A connection has ended.
    pub(super) fn unregister(&mut self, id: ConnId) {
        let Some(conn) = self.desk.conns.remove(id) else { return };
        for key in conn.streams {
            if let Some(stream) = self.streams.get_mut(&key) {
                stream.remove(id);
                self.streams.rest_if_idle(&key, self.desk.bounds.resting);
            }
        }
    }

    /// Entries were committed.
    pub(super) fn committed(&mut self, entries: &[Arc<Event>], origin: Origin) -> Vec<Effect> {
        let mut touched: Option<&StreamKey> = None;
        for entry in entries {
            if let Some(before) = touched.filter(|before| **before != entry.stream) {
                self.settle(before);
            }
            touched = self.take(entry, origin).then_some(&entry.stream);
        }
        if let Some(key) = touched {
            self.settle(key);
        }
        self.finish()
    }

    /// The log was read. `more`: there are further entries up to the one that was asked for.
    pub(super) fn fetched(
        &mut self,
        read: &Read,
        entries: Vec<Arc<Event>>,
        more: bool,
    ) -> Vec<Effect> {
        if let Some(stream) = self.streams.get_mut(&read.stream) {
            let stuck = stream.fetched(read, entries, more, &mut self.desk);
            self.close(stuck, Effect::Close);
            self.settle(&read.stream);
        }
        self.finish()
    }

    /// The log cannot be read, now or later.
    pub(super) fn fetch_failed(&mut self, read: &Read) -> Vec<Effect> {
        if let Some(stream) = self.streams.get_mut(&read.stream) {
            let stuck = stream.fetch_failed(read);
            self.close(stuck, Effect::Close);
            self.settle(&read.stream);
        }
        self.finish()
    }

    /// Takes an entry if it concerns anybody here.
    fn take(&mut self, entry: &Arc<Event>, origin: Origin) -> bool {
        let conns = &self.desk.conns;
        let stream = match self.streams.get_mut(&entry.stream) {
            Some(stream) => stream,
            None if entry.starts.iter().any(|user| !conns.of(user).is_empty()) => {
                self.streams.follow(&entry.stream)
            }
            None => return false,
        };
        stream.take(entry, origin, &mut self.desk);
        true
    }

    /// Does what has become possible in a stream.
    fn settle(&mut self, key: &StreamKey) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.settle(&mut self.desk);
            self.streams.rest_if_idle(key, self.desk.bounds.resting);
        }
    }

    fn close(&mut self, ids: Vec<ConnId>, how: fn(ConnId) -> Effect) {
        for id in ids {
            if self.desk.conns.get(id).is_some() {
                self.desk.out.push(how(id));
                self.unregister(id);
            }
        }
    }

    /// Bounds the rings, says who became ready, and hands out what is to be done.
    fn finish(&mut self) -> Vec<Effect> {
        let slow = std::mem::take(&mut self.desk.slow);
        self.close(slow, Effect::TooSlow);
        while self.desk.aged.len() > self.desk.bounds.rings {
            if let Some((key, seq)) = self.desk.aged.pop_front()
                && let Some(stream) = self.streams.get_mut(&key)
            {
                stream.age(seq);
            }
        }
        for id in std::mem::take(&mut self.desk.unready) {
            let Some(conn) = self.desk.conns.get_mut(id) else { continue };
            let waits = |key| self.streams.get(key).is_some_and(|stream| stream.holds_up(id));
            if conn.open && !conn.ready && !conn.apart.iter().any(waits) {
                conn.ready = true;
                self.desk.out.push(Effect::Ready(id));
            }
        }
        std::mem::take(&mut self.desk.out)
    }
}
