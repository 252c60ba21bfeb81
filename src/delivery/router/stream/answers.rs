//! What the log answers: entries that were missing, entries that somebody catches up with, or nothing.

use std::sync::Arc;

use super::super::super::event::Event;
use super::super::tail::Tail;
use super::super::{ConnId, Desk, Read};
use super::Stream;

/// How often the log may lack what it must have before those who need it are sent away.
const ATTEMPTS: u32 = 3;

impl Stream {
    /// Takes what was read. Returns those who need what the log does not have.
    pub(in super::super) fn fetched(
        &mut self,
        read: &Read,
        mut entries: Vec<Arc<Event>>,
        more: bool,
        desk: &mut Desk,
    ) -> Vec<ConnId> {
        let expected = read.after.saturating_add(1)..;
        let sound = entries.iter().zip(expected).take_while(|(one, seq)| one.seq == *seq).count();
        let whole = sound == entries.len();
        entries.truncate(sound);
        if self.head_read == Some(read.ticket) {
            self.head_read = None;
            self.head_came(read, &entries, whole && !more, desk)
        } else if self.past_read == Some(read.ticket) {
            self.past_read = None;
            self.past_came(read, &entries, desk)
        } else {
            Vec::new()
        }
    }

    fn head_came(
        &mut self,
        read: &Read,
        entries: &[Arc<Event>],
        all: bool,
        desk: &mut Desk,
    ) -> Vec<ConnId> {
        for entry in entries {
            if let Some(tail) = &mut self.tail {
                tail.hold(entry.clone(), desk.bounds.held);
            }
            while let Some(next) = self.tail.as_mut().and_then(Tail::take_next) {
                self.pass(&next, desk);
                desk.tally.entries_found += 1;
            }
        }
        if all && read.through == i64::MAX {
            self.unsure = false;
        }
        let Some(tail) = &self.tail else { return Vec::new() };
        if !(tail.behind() && tail.last() == read.after) {
            return Vec::new();
        }
        if read.attempt + 1 >= ATTEMPTS {
            return self.give_up();
        }
        let span = (read.after, read.through);
        self.head_read = Some(desk.ask(&self.key, span, read.attempt + 1, read.purpose));
        Vec::new()
    }

    fn past_came(&mut self, read: &Read, entries: &[Arc<Event>], desk: &mut Desk) -> Vec<ConnId> {
        let apart: Vec<ConnId> = self.apart.keys().copied().collect();
        for id in apart {
            self.replay(id, entries, desk);
        }
        // Whoever still stands where the read began needs the entry after it, and the log lacks it.
        if entries.is_empty() { self.behind(read.after) } else { Vec::new() }
    }

    /// The log cannot be read. Returns those who need it.
    pub(in super::super) fn fetch_failed(&mut self, read: &Read) -> Vec<ConnId> {
        if self.head_read == Some(read.ticket) {
            self.head_read = None;
            self.give_up()
        } else if self.past_read == Some(read.ticket) {
            self.past_read = None;
            self.behind(read.after)
        } else {
            Vec::new()
        }
    }

    /// Gives the stream up. Returns all who were in it.
    fn give_up(&mut self) -> Vec<ConnId> {
        self.tail = None;
        let all = self.live.iter().chain(self.apart.keys()).chain(&self.interested);
        all.copied().collect()
    }

    fn behind(&self, at: i64) -> Vec<ConnId> {
        self.apart.iter().filter(|(_, place)| place.at <= at).map(|(id, _)| *id).collect()
    }
}
