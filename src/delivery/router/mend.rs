//! What the router does when something went wrong on the way: a client that cannot keep up, entries and
//! memberships of which nobody told.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Moment, StreamKey, UserId};

use super::super::event::Event;
use super::{ConnId, Effect, Router, Standing};

impl Router {
    /// The queue of a connection had no room and let go of these events, and of `ready` if so. It is led
    /// through the log from the first of them on, once it has written what is left in its queue.
    pub(in super::super) fn lagged(
        &mut self,
        id: ConnId,
        events: &[Arc<Event>],
        ready: bool,
    ) -> Vec<Effect> {
        let Some(conn) = self.desk.conns.get_mut(id) else { return Vec::new() };
        conn.ready &= !ready;
        if conn.pause() {
            self.desk.out.push(Effect::Mark(id));
        }
        let mut firsts: BTreeMap<&StreamKey, &Arc<Event>> = BTreeMap::new();
        for event in events {
            let first = firsts.entry(&event.stream).or_insert(event);
            if event.seq < first.seq {
                *first = event;
            }
        }
        for (key, first) in firsts {
            if !self.streams.follow(key).step_back(id, first, &mut self.desk) {
                // It left so many groups meanwhile that nobody knows any more where it stood.
                self.desk.slow.push(id);
            }
            self.settle(key);
        }
        self.finish()
    }

    /// The logs reach this far.
    pub(in super::super) fn heads(&mut self, heads: &[(StreamKey, i64)]) -> Vec<Effect> {
        for (key, head) in heads {
            let Some(stream) = self.streams.get_mut(key) else { continue };
            let nobody = stream.is_idle();
            if stream.reaches(*head) {
                if nobody {
                    // What it missed is read when somebody comes.
                    self.streams.forget(key);
                } else {
                    self.settle(key);
                }
            }
        }
        self.finish()
    }

    /// The streams that somebody is in, and the last entry of each that has passed.
    pub(in super::super) fn followed(&self) -> Vec<(StreamKey, i64)> {
        self.streams.followed().map(|(key, last)| (key.clone(), last)).collect()
    }

    /// Notes what is known of a connection that is about to open: up to which of its user's changes of
    /// memberships, what began before when is known as well, and where it left groups.
    pub(in super::super) fn note(
        &mut self,
        id: ConnId,
        rev: i64,
        since: Moment,
        left: &[(StreamKey, i64)],
    ) {
        let most = self.desk.bounds.left;
        self.desk.conns.know(id, rev);
        if let Some(conn) = self.desk.conns.get_mut(id) {
            conn.since = since;
            for (key, seq) in left {
                conn.knows_end(key, *seq, most);
            }
        }
    }

    /// The users that are connected, each with how many changes of his memberships are known here.
    pub(in super::super) fn users(&self) -> Vec<(UserId, i64)> {
        self.desk.conns.users()
    }

    /// A user's memberships changed up to `rev`: these are the ones that did.
    pub(in super::super) fn standings(
        &mut self,
        user: &UserId,
        rev: i64,
        standings: &[Standing],
    ) -> Vec<Effect> {
        self.desk.conns.catch_up(user, rev);
        for standing in standings {
            let ids = self.desk.conns.of(user).to_vec();
            if ids.is_empty() {
                break;
            }
            self.streams.follow(&standing.stream).stands(&ids, standing, &mut self.desk);
            self.settle(&standing.stream);
        }
        self.finish()
    }
}
