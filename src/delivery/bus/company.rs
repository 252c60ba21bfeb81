//! Whether any other node is there to hear what this one says.
//!
//! Every node says something every second. A node that listens and has heard nobody else for [`QUIET`] is
//! alone, and need not tell anybody what it committed: 64 callers of a lone node get a sixth more invitations
//! through without it (`docs/benchmarks.md`). It goes on beating, so whoever comes is known within a second.
//! What is committed in between is a hole in the numbers, which the other one's repairer looks into; it would
//! find it without, too.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Who has not been heard for so long is not there.
const QUIET: Duration = Duration::from_secs(10);

/// What the ear knows, and the mouth asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Company(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    /// Since when the ear works.
    listening: Option<Instant>,
    /// When another node was heard last.
    other: Option<Instant>,
}

impl Heard {
    fn is_alone(&self, now: Instant) -> bool {
        let quiet = |since: Instant| now.duration_since(since) >= QUIET;
        self.listening.is_some_and(quiet) && self.other.is_none_or(quiet)
    }
}

impl Company {
    /// The ear works from now on.
    pub(super) fn listens(&self) {
        self.inside().listening = Some(Instant::now());
    }

    /// The ear works no more: others may be there.
    pub(super) fn deaf(&self) {
        self.inside().listening = None;
    }

    /// Another node was heard.
    pub(super) fn heard(&self) {
        self.inside().other = Some(Instant::now());
    }

    /// Whether nobody else is there.
    pub(super) fn is_alone(&self) -> bool {
        self.inside().is_alone(Instant::now())
    }

    fn inside(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_and_hears_nobody_is_alone_until_somebody_is_heard() {
        let (start, tick) = (Instant::now(), Duration::from_millis(1));
        let mut heard = Heard::default();
        assert!(!heard.is_alone(start + QUIET), "it does not listen");
        heard.listening = Some(start);
        assert!(!heard.is_alone(start + QUIET - tick), "it has not listened for long");
        assert!(heard.is_alone(start + QUIET));
        heard.other = Some(start + QUIET);
        assert!(!heard.is_alone(start + QUIET * 2 - tick));
        assert!(heard.is_alone(start + QUIET * 2), "the other one has gone");
        heard.listening = None;
        assert!(!heard.is_alone(start + QUIET * 9), "it cannot know");
        heard.listening = Some(start + QUIET * 9);
        assert!(!heard.is_alone(start + QUIET * 9 + tick), "it could not hear anybody before");
    }
}
