//! Whether a bus works, and how it comes back: what the metrics and the log say of it, and the pauses
//! between tries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Pauses between tries.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// The longest of them.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A half of a bus, as a bit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Half(pub(super) u8);

/// Whether a bus works: all its halves have to.
#[derive(Debug)]
pub(super) struct Up {
    missing: AtomicU8,
    metrics: Arc<Metrics>,
}

impl Up {
    /// Nothing works yet.
    pub(super) fn new(halves: &[Half], metrics: Arc<Metrics>) -> Self {
        metrics.bus_up.set(0);
        let missing = halves.iter().fold(0, |all, half| all | half.0);
        Self { missing: AtomicU8::new(missing), metrics }
    }

    fn set(&self, half: Half, up: bool) {
        let missing = if up {
            self.missing.fetch_and(!half.0, Ordering::AcqRel) & !half.0
        } else {
            self.missing.fetch_or(half.0, Ordering::AcqRel) | half.0
        };
        self.metrics.bus_up.set(i64::from(missing == 0));
    }
}

/// One half of a bus, as it goes and comes back: the log has a line for each, however many tries it takes.
#[derive(Debug)]
pub(super) struct Link {
    half: Half,
    name: &'static str,
    state: State,
    up: Arc<Up>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Works,
    Away,
}

impl Link {
    /// A half that has not been tried. The name is what it does, as in "sending is not possible".
    pub(super) fn new(half: Half, name: &'static str, up: Arc<Up>) -> Self {
        Self { half, name, state: State::New, up }
    }

    /// It works.
    pub(super) fn works(&mut self) {
        if self.state == State::Works {
            return;
        }
        if self.state == State::Away {
            tracing::info!("{} works again", self.name);
        }
        self.state = State::Works;
        self.up.set(self.half, true);
    }

    /// It does not work.
    pub(super) fn lost(&mut self, why: &str) {
        if self.state != State::Away {
            let name = self.name;
            tracing::warn!("{name} is not possible, events come later meanwhile: {why}");
        }
        self.state = State::Away;
        self.up.set(self.half, false);
    }
}

/// The pauses between tries: each longer than the one before, and no two nodes in step.
#[derive(Debug)]
pub(super) struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(FIRST_PAUSE)
    }
}

impl Pause {
    /// Something worked.
    pub(super) fn reset(&mut self) {
        self.0 = FIRST_PAUSE;
    }

    /// How long to wait now.
    pub(super) fn next(&mut self) -> Duration {
        let pause = rand::random_range(self.0 / 2..=self.0);
        self.0 = (self.0 * 2).min(LONGEST_PAUSE);
        pause
    }

    /// Waits, unless the server stops.
    pub(super) async fn wait(&mut self, stopping: &CancellationToken) {
        let pause = self.next();
        tokio::select! {
            () = stopping.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_is_up_when_all_of_it_is() {
        let metrics = Arc::new(Metrics::new());
        let (left, right) = (Half(1), Half(2));
        let up = Arc::new(Up::new(&[left, right], metrics.clone()));
        let (mut left, mut right) =
            (Link::new(left, "left", up.clone()), Link::new(right, "right", up));
        assert_eq!(metrics.bus_up.get(), 0);
        left.works();
        assert_eq!(metrics.bus_up.get(), 0);
        right.works();
        assert_eq!(metrics.bus_up.get(), 1);
        left.lost("a test");
        left.lost("a test");
        assert_eq!(metrics.bus_up.get(), 0);
        left.works();
        assert_eq!(metrics.bus_up.get(), 1);
    }

    #[test]
    fn pauses_grow_to_a_bound_and_begin_anew() {
        let mut pause = Pause::default();
        assert!(pause.next() <= FIRST_PAUSE);
        let last = (0..20).map(|_| pause.next()).last().expect("one");
        assert!((LONGEST_PAUSE / 2..=LONGEST_PAUSE).contains(&last), "{last:?}");
        pause.reset();
        assert!(pause.next() <= FIRST_PAUSE);
    }
}
