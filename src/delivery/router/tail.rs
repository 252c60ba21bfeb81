//! The end of one stream's log, as far as this node has followed it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::event::Event;

/// What is known of the end of a log.
///
/// Entries `base + 1 ..= last` have passed here one by one, the newest of them are in `ring`. Entries up
/// to `known` are known to exist; those of them beyond `last` wait in `held` or have to be read.
#[derive(Debug)]
pub(super) struct Tail {
    base: i64,
    last: i64,
    known: i64,
    ring: VecDeque<Arc<Event>>,
    held: BTreeMap<i64, Arc<Event>>,
}

fn count(len: usize) -> i64 {
    i64::try_from(len).unwrap_or(i64::MAX)
}

impl Tail {
    /// Begins to follow a log behind this entry.
    pub(super) fn at(last: i64) -> Self {
        Self { base: last, last, known: last, ring: VecDeque::new(), held: BTreeMap::new() }
    }

    /// The entry behind which this node began to follow.
    pub(super) fn base(&self) -> i64 {
        self.base
    }

    /// The newest entry that has passed here.
    pub(super) fn last(&self) -> i64 {
        self.last
    }

    /// Learns that the log reaches at least this far.
    pub(super) fn reaches(&mut self, seq: i64) {
        self.known = self.known.max(seq);
    }

    /// Whether something is known to exist that has not passed here.
    pub(super) fn behind(&self) -> bool {
        self.last < self.known
    }

    /// Keeps an entry until its turn comes. Of more than `most` that wait for others the highest are
    /// dropped: what is near is needed first, and the log has the rest.
    pub(super) fn hold(&mut self, entry: Arc<Event>, most: usize) {
        if entry.seq <= self.last {
            return;
        }
        self.reaches(entry.seq);
        let waits = entry.seq > self.last + 1;
        self.held.insert(entry.seq, entry);
        if waits && self.held.len() > most {
            self.held.pop_last();
        }
    }

    /// The entry whose turn it is, if it is here.
    pub(super) fn take_next(&mut self) -> Option<Arc<Event>> {
        self.held.remove(&(self.last + 1))
    }

    /// Lets the entry whose turn it is pass; the ring keeps at most `most`.
    pub(super) fn pass(&mut self, entry: Arc<Event>, most: usize) {
        debug_assert_eq!(entry.seq, self.last + 1, "entries pass in order");
        self.last = entry.seq;
        self.reaches(entry.seq);
        self.ring.push_back(entry);
        if self.ring.len() > most {
            self.ring.pop_front();
        }
    }

    /// The entry behind which the ring begins.
    pub(super) fn ring_base(&self) -> i64 {
        self.last - count(self.ring.len())
    }

    /// The entry of this number, if the ring has it.
    pub(super) fn in_ring(&self, seq: i64) -> Option<&Arc<Event>> {
        let place = usize::try_from(seq - self.ring_base() - 1).ok()?;
        self.ring.get(place)
    }

    /// Drops the oldest entry of the ring if it still is this one.
    pub(super) fn age(&mut self, seq: i64) {
        if self.ring.front().is_some_and(|entry| entry.seq == seq) {
            self.ring.pop_front();
        }
    }

    /// What has to be read so that the next entry can pass: behind the first number, through the second.
    pub(super) fn hole(&self) -> Option<(i64, i64)> {
        let through = match self.held.keys().next() {
            Some(first) => first - 1,
            None => self.known,
        };
        (self.last < through).then_some((self.last, through))
    }
}
