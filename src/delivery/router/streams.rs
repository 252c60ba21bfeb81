//! The streams that a node follows, and for how long.
//!
//! A stream that nobody is in any more rests: it is followed on for a while, so that a client that comes back
//! at once, or ten thousand of them, find what they missed in memory. What began or ceased to be followed is
//! noted, since some buses bring a node only what it follows.

use std::collections::{HashMap, VecDeque};

use crate::model::StreamKey;

use super::stream::Stream;

/// All streams of a node.
#[derive(Debug, Default)]
pub(super) struct Streams {
    all: HashMap<StreamKey, Stream>,
    /// What began (`true`) or ceased to be followed since it was last asked for.
    changes: Vec<(StreamKey, bool)>,
    /// Those that rest since the last round, and those that did before.
    resting: VecDeque<StreamKey>,
    rested: VecDeque<StreamKey>,
}

impl Streams {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn get(&self, key: &StreamKey) -> Option<&Stream> {
        self.all.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &StreamKey) -> Option<&mut Stream> {
        self.all.get_mut(key)
    }

    /// The stream, which is followed from now on if it was not.
    pub(super) fn follow(&mut self, key: &StreamKey) -> &mut Stream {
        if !self.all.contains_key(key) {
            self.changes.push((key.clone(), true));
        }
        self.all.entry(key.clone()).or_insert_with(|| Stream::new(key.clone()))
    }

    /// What began or ceased to be followed since this was last asked for.
    pub(super) fn changes(&mut self) -> Vec<(StreamKey, bool)> {
        std::mem::take(&mut self.changes)
    }

    /// Lets the stream rest if nobody needs it; of more than `most` that rest the oldest are forgotten.
    pub(super) fn rest_if_idle(&mut self, key: &StreamKey, most: usize) {
        let Some(stream) = self.all.get_mut(key).filter(|stream| stream.is_idle()) else { return };
        if !stream.is_followed() {
            return self.forget_if_idle(key);
        }
        if stream.rests() {
            self.resting.push_back(key.clone());
        }
        if self.resting.len() + self.rested.len() > most
            && let Some(oldest) = self.rested.pop_front().or_else(|| self.resting.pop_front())
        {
            self.wake(&oldest);
        }
    }

    /// Forgets those that were resting a round ago and still are.
    pub(super) fn end_of_round(&mut self) {
        let over = std::mem::take(&mut self.rested);
        self.rested = std::mem::take(&mut self.resting);
        for key in over {
            self.wake(&key);
        }
    }

    fn wake(&mut self, key: &StreamKey) {
        if let Some(stream) = self.all.get_mut(key) {
            stream.wakes();
        }
        self.forget_if_idle(key);
    }

    fn forget_if_idle(&mut self, key: &StreamKey) {
        if self.all.get(key).is_some_and(Stream::is_idle) {
            self.forget(key);
        }
    }

    /// Forgets a stream.
    pub(super) fn forget(&mut self, key: &StreamKey) {
        if self.all.remove(key).is_some() {
            self.changes.push((key.clone(), false));
        }
    }

    /// Forgets all of them.
    pub(super) fn forget_all(&mut self) {
        let keys: Vec<StreamKey> = self.all.keys().cloned().collect();
        for key in keys {
            self.forget(&key);
        }
    }

    /// The streams that somebody is in or waits for, and the last entry of each that has passed.
    pub(super) fn followed(&self) -> impl Iterator<Item = (&StreamKey, i64)> {
        let needed = self.all.iter().filter(|(_, stream)| !stream.is_idle());
        needed.filter_map(|(key, stream)| stream.last().map(|last| (key, last)))
    }
}
