//! One stream: the end of its log, and how the connections stand in it.

mod answers;

use std::sync::Arc;

use crate::model::{Ends, LogEntry, StreamKey};

use super::super::event::Event;
use super::conns::Conn;
use super::ids::{ConnMap, ConnSet};
use super::place::Place;
use super::tail::Tail;
use super::{ConnId, Desk, Effect, Origin, Purpose, Read, Standing, Start};

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    key: StreamKey,
    /// `None` while nobody has opened and nothing has come: the end of the log is not known.
    tail: Option<Tail>,
    /// Whether the log may reach further than anything here tells.
    unsure: bool,
    /// Whether it is counted among those that rest.
    resting: bool,
    /// About to open.
    interested: ConnSet,
    /// At the end of the log, members.
    live: ConnSet,
    /// Before the end of the log, or beyond what has passed here, or not open yet.
    apart: ConnMap<Place>,
    /// The read that leads the end of the log on, by its ticket.
    head_read: Option<u64>,
    /// The read for those who are behind the ring.
    past_read: Option<u64>,
}

impl Stream {
    pub(super) fn new(key: StreamKey) -> Self {
        Self {
            key,
            tail: None,
            unsure: false,
            resting: false,
            interested: ConnSet::default(),
            live: ConnSet::default(),
            apart: ConnMap::default(),
            head_read: None,
            past_read: None,
        }
    }

    pub(super) fn is_followed(&self) -> bool {
        self.tail.is_some()
    }

    /// The last entry that has passed here.
    pub(super) fn last(&self) -> Option<i64> {
        self.tail.as_ref().map(Tail::last)
    }

    /// Counts it among those that rest. False when it is already.
    pub(super) fn rests(&mut self) -> bool {
        !std::mem::replace(&mut self.resting, true)
    }

    /// It does not count among those that rest any more.
    pub(super) fn wakes(&mut self) {
        self.resting = false;
    }

    /// Learns that the log reaches this far. True when something is missing here.
    pub(super) fn reaches(&mut self, head: i64) -> bool {
        let Some(tail) = &mut self.tail else { return false };
        tail.reaches(head);
        tail.behind()
    }

    /// Whether the answer to this read is still waited for.
    pub(super) fn wants(&self, read: &Read) -> bool {
        [self.head_read, self.past_read].contains(&Some(read.ticket))
    }

    /// Whether nobody needs it. As long as something that came waits for what is before it, it is needed:
    /// it may start the membership of somebody who is not here yet.
    pub(super) fn is_idle(&self) -> bool {
        self.live.is_empty()
            && self.apart.is_empty()
            && self.interested.is_empty()
            && !self.tail.as_ref().is_some_and(Tail::behind)
    }

    pub(super) fn attract(&mut self, id: ConnId) {
        self.interested.insert(id);
    }

    /// The connection has opened; here, or elsewhere only.
    pub(super) fn lose_interest(&mut self, id: ConnId, desk: &mut Desk) {
        self.interested.remove(&id);
        let here = self.live.contains(&id) || self.apart.contains_key(&id);
        if !here && let Some(conn) = desk.conns.get_mut(id) {
            conn.streams.remove(&self.key);
        }
    }

    pub(super) fn remove(&mut self, id: ConnId) {
        self.interested.remove(&id);
        self.live.remove(&id);
        self.apart.remove(&id);
    }

    pub(super) fn age(&mut self, seq: i64) {
        if let Some(tail) = &mut self.tail {
            tail.age(seq);
        }
    }

    /// Whether this connection still waits for something here before it is ready.
    pub(super) fn holds_up(&self, id: ConnId) -> bool {
        let last = self.tail.as_ref().map_or(0, Tail::last);
        self.apart.get(&id).is_some_and(|place| place.at < place.until || place.at < last)
    }

    /// A connection starts here. What its database said overrules what was noted while it opened.
    pub(super) fn open(&mut self, id: ConnId, start: &Start, desk: &mut Desk) {
        let followed = self.is_followed();
        // Somebody who opens has declared interest, and so the stream is there. If not, the log tells.
        self.unsure |= !followed && !self.interested.contains(&id);
        self.tail.get_or_insert_with(|| Tail::at(start.head)).reaches(start.head);
        let place = Place { at: start.from, until: start.until, head: start.head, member: true };
        self.part(id, place, desk);
    }

    /// Takes an entry: holds it until its turn comes, or looks whether it is news from before this node
    /// followed the stream.
    pub(super) fn take(&mut self, entry: &Arc<Event>, origin: Origin, desk: &mut Desk) {
        #[expect(clippy::single_match_else, reason = "the two cases stand side by side")]
        let tail = match &mut self.tail {
            Some(tail) => tail,
            None => {
                // An entry from elsewhere can be an old one, which others follow in the log.
                self.unsure = origin == Origin::Elsewhere;
                self.tail.insert(Tail::at(entry.seq - 1))
            }
        };
        if entry.seq <= tail.base() {
            self.catch_late_starts(entry, desk);
        } else {
            tail.hold(entry.clone(), desk.bounds.held);
        }
    }

    /// Does what has become possible: lets entries pass, replays, and asks for what is missing.
    pub(super) fn settle(&mut self, desk: &mut Desk) {
        while let Some(entry) = self.tail.as_mut().and_then(Tail::take_next) {
            self.pass(&entry, desk);
        }
        let apart: Vec<ConnId> = self.apart.keys().copied().collect();
        for id in apart {
            self.replay(id, &[], desk);
        }
        self.ask(desk);
    }

    /// Lets the next entry pass.
    fn pass(&mut self, entry: &Arc<Event>, desk: &mut Desk) {
        self.begin(entry, desk);
        if !self.live.is_empty() {
            let to = self.live.iter().copied().collect();
            desk.out.push(Effect::Send { to, event: entry.clone() });
        }
        if let Some(tail) = &mut self.tail {
            tail.pass(entry.clone(), desk.bounds.ring);
            desk.aged.push_back((self.key.clone(), entry.seq));
        }
        self.end(entry, desk);
    }

    /// Brings in the connections of those whose membership the entry starts.
    fn begin(&mut self, entry: &LogEntry, desk: &mut Desk) {
        let base = self.tail.as_ref().map_or(entry.seq, Tail::base);
        for user in &entry.starts {
            for id in desk.conns.of(user).to_vec() {
                if self.has_settled(id, entry.seq, desk) {
                    continue;
                }
                let place = self.place_for(id, entry.seq, desk);
                match desk.conns.get_mut(id) {
                    // Nothing can have been between what it knows and this entry but what passed here.
                    Some(conn) if conn.open && (place.at >= base || place.at == entry.seq - 1) => {
                        conn.enter(&self.key);
                        self.live.insert(id);
                    }
                    _ => self.part(id, place, desk),
                }
            }
        }
    }

    /// Takes out the connections of those whose membership the entry ends.
    fn end(&mut self, entry: &LogEntry, desk: &mut Desk) {
        let gone: Vec<ConnId> = match &entry.ends {
            Ends::Everybody => self.live.drain().collect(),
            Ends::Users(users) => {
                let ids = users.iter().flat_map(|user| desk.conns.of(user));
                ids.copied().filter(|id| self.live.remove(id)).collect()
            }
        };
        for id in gone {
            if let Some(conn) = desk.conns.get_mut(id) {
                conn.leave(&self.key, entry.seq, desk.bounds.left);
            }
        }
    }

    /// An entry from before this node followed the stream, which may not have been known when those whose
    /// membership it starts opened: they are led to the end of the log from there.
    fn catch_late_starts(&mut self, entry: &LogEntry, desk: &mut Desk) {
        for user in &entry.starts {
            for id in desk.conns.of(user).to_vec() {
                if !self.has_settled(id, entry.seq, desk) {
                    let place = self.place_for(id, entry.seq, desk);
                    self.part(id, place, desk);
                }
            }
        }
    }

    /// Whether this entry need not bring in this connection, because it is here already or was.
    fn has_settled(&self, id: ConnId, seq: i64, desk: &Desk) -> bool {
        let left = || desk.conns.get(id).and_then(|conn| conn.left_at(&self.key));
        self.live.contains(&id)
            || self.apart.contains_key(&id)
            || left().is_some_and(|left| left >= seq)
    }

    /// Where a connection begins whose user becomes a member with this entry: just before it, or, if it was
    /// here not long ago, where it left, so that no membership in between is passed over.
    fn place_for(&self, id: ConnId, seq: i64, desk: &Desk) -> Place {
        let left = desk.conns.get(id).and_then(|conn| conn.left_at(&self.key));
        let near = left.filter(|left| seq - left <= desk.bounds.look_back);
        let at = near.unwrap_or(seq - 1);
        Place { at, until: at, head: at, member: false }
    }

    /// Takes a connection back to just before an event that was sent to it and that it did not get. False
    /// when it is not known where it left the stream.
    pub(super) fn step_back(&mut self, id: ConnId, event: &Arc<Event>, desk: &mut Desk) -> bool {
        let Some(conn) = desk.conns.get(id) else { return true };
        let at = event.seq - 1;
        if let Some(place) = self.apart.get_mut(&id) {
            if at < place.at {
                (place.at, place.member) = (at, true);
            }
            return true;
        }
        let end = if self.live.remove(&id) { Some(at) } else { conn.left_at(&self.key) };
        let Some(end) = end else { return false };
        self.tail.get_or_insert_with(|| Tail::at(end));
        self.part(id, Place { at, until: end, head: end, member: true }, desk);
        true
    }

    /// The database says how a user stands, of whom these are the connections: those that have not heard of
    /// it are led there.
    pub(super) fn stands(&mut self, ids: &[ConnId], standing: &Standing, desk: &mut Desk) {
        let Standing { joined, left, again, head, .. } = *standing;
        self.tail.get_or_insert_with(|| Tail::at(head)).reaches(head);
        for id in ids {
            if self.has_settled(*id, joined, desk) {
                continue;
            }
            // If this is not the first one, and it is not known where it left, those before may be news.
            let left_at = desk.conns.get(*id).and_then(|conn| conn.left_at(&self.key));
            let at = if again && left_at.is_none() {
                (joined - 1 - desk.bounds.look_back).max(0)
            } else {
                self.place_for(*id, joined, desk).at
            };
            let (until, head) = left.map_or((at, at), |left| (left, head.max(left)));
            self.part(*id, Place { at, until, head, member: false }, desk);
            desk.tally.memberships_found += 1;
        }
    }

    fn part(&mut self, id: ConnId, place: Place, desk: &mut Desk) {
        if let Some(conn) = desk.conns.get_mut(id) {
            conn.enter(&self.key);
            conn.apart.insert(self.key.clone());
            self.apart.insert(id, place);
        }
    }

    /// Leads a connection towards the end of the log, through the ring and what was read.
    fn replay(&mut self, id: ConnId, read: &[Arc<Event>], desk: &mut Desk) {
        let (Some(tail), Some(place), Some(conn)) =
            (&self.tail, self.apart.get_mut(&id), desk.conns.get_mut(id))
        else {
            return;
        };
        while conn.takes_replay() && place.at < tail.last() {
            let next = place.at + 1;
            let in_ring = tail.in_ring(next);
            let Some(entry) = in_ring.or_else(|| find(read, next)) else { break };
            if place.step(entry, conn) {
                let full = conn.charge(entry.size());
                let from = &mut desk.tally;
                let count =
                    if in_ring.is_some() { &mut from.from_memory } else { &mut from.from_log };
                *count += 1;
                desk.out.push(Effect::Send { to: vec![id], event: entry.clone() });
                if full {
                    desk.out.push(Effect::Mark(id));
                }
            }
        }
        if tail.last() - place.at > desk.bounds.behind {
            desk.slow.push(id);
        }
        let arrived = if place.member { place.at == tail.last() } else { place.at >= tail.last() };
        if !(conn.open && arrived && place.at >= place.until) {
            return;
        }
        if !conn.ready {
            desk.unready.push(id);
        }
        conn.apart.remove(&self.key);
        if place.member {
            self.live.insert(id);
        } else {
            conn.leave(&self.key, place.at, desk.bounds.left);
        }
        self.apart.remove(&id);
    }

    /// Asks for what is missing at the end, and for what those need who are behind the ring.
    fn ask(&mut self, desk: &mut Desk) {
        let Some(tail) = &self.tail else { return };
        let hole = tail.hole().map(|span| (span, Purpose::Hole));
        let probe = self.unsure.then_some(((tail.last(), i64::MAX), Purpose::Probe));
        match hole.or(probe) {
            // What was missing came by itself.
            None => self.head_read = None,
            Some((span, purpose)) if self.head_read.is_none() => {
                self.head_read = Some(desk.ask(&self.key, span, 0, purpose));
            }
            Some(_) => {}
        }
        if self.past_read.is_none() {
            let base = tail.ring_base();
            let waits = |id: &ConnId| desk.conns.get(*id).is_some_and(Conn::takes_replay);
            let behind = self.apart.iter().filter(|(id, place)| place.at < base && waits(id));
            let after = behind.map(|(_, place)| place.at).min();
            self.past_read =
                after.map(|after| desk.ask(&self.key, (after, base), 0, Purpose::Past));
        }
    }
}

/// The entry of this number among entries that follow one another.
fn find(entries: &[Arc<Event>], seq: i64) -> Option<&Arc<Event>> {
    let first = entries.first()?.seq;
    entries.get(usize::try_from(seq - first).ok()?)
}
