//! The way between nodes.
//!
//! A bus carries committed entries to the routers of other nodes and brings theirs. It may lose, repeat
//! and reorder as it likes: the router that receives compares one integer and reads the log when it is
//! ahead. So a bus needs no memory, no acknowledgement and no order, and a new kind is one more variant
//! here with the two operations below; nothing else in this room changes.
//!
//! What a kind has to keep: [`Bus::publish`] is called on the router's task after local delivery and
//! must not wait (a kind with a network has a queue and a task of its own, and may drop when the queue is
//! full); [`Bus::next`] is cancelled freely and must not lose by that what it has taken out of a queue.

use std::future;
use std::sync::Arc;

use crate::model::LogEntry;

/// How entries reach other nodes.
#[derive(Debug)]
pub struct Bus;

/// News.
pub(super) enum News {
    /// Entries.
    Entries { epoch: Arc<str>, entries: Vec<LogEntry> },
    /// Hints.
    Hints { epoch: Arc<str>, hints: Vec<(crate::model::StreamKey, i64)> },
    /// Gap.
    Gap,
}

impl Bus {
    /// Local.
    #[must_use]
    pub fn local() -> Self {
        Self
    }
    pub(super) fn reorders(&self) -> bool {
        false
    }
    pub(super) fn publish(&mut self, _epoch: &Arc<str>, _entries: &[Arc<super::event::Event>]) {}
    pub(super) fn interest(&mut self, _stream: &crate::model::StreamKey, _on: bool) {}
    pub(super) async fn next(&mut self) -> News {
        future::pending().await
    }
}
