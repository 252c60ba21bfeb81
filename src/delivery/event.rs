//! A log entry on its way to the sockets, with its frame ready for the wire.

use std::ops::Deref;
use std::sync::Arc;

use tokio::time::Instant;

use super::frame::Frame;
use crate::metrics::Way;
use crate::model::LogEntry;

/// A log entry on its way out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Without its text: that is in the frame, and thousands of events are kept in memory.
    entry: LogEntry,
    frame: Frame,
    /// How it came and when its change was made, for what is measured; nothing for one that is replayed.
    news: Option<(Way, Instant)>,
}

impl Event {
    /// An entry that is news: how it came, and when its change was made.
    pub(super) fn news(entry: impl Into<Self>, way: Way, since: Instant) -> Self {
        Self { news: Some((way, since)), ..entry.into() }
    }

    /// The frame.
    pub(super) fn frame(&self) -> &Frame {
        &self.frame
    }

    /// Bytes of the frame.
    pub(super) fn size(&self) -> usize {
        self.frame.size()
    }

    /// How it came and when its change was made, if it is news.
    pub(super) fn timed(&self) -> Option<(Way, Instant)> {
        self.news
    }
}

impl From<LogEntry> for Event {
    /// An entry from the log, which somebody has to catch up with.
    fn from(mut entry: LogEntry) -> Self {
        let frame = Frame::from(&entry.frame);
        entry.frame = Arc::default();
        Self { entry, frame, news: None }
    }
}

impl From<Arc<LogEntry>> for Event {
    /// An entry that the bus may still have.
    fn from(entry: Arc<LogEntry>) -> Self {
        Self::from(Arc::unwrap_or_clone(entry))
    }
}

impl Deref for Event {
    type Target = LogEntry;

    fn deref(&self) -> &LogEntry {
        &self.entry
    }
}
