//! What the counters of other nodes tell: whether something of theirs is missing.
//!
//! Each sender numbers his payloads 1, 2, 3, …, so that a number that is left out shows a loss, or a payload
//! that is late. The first is to be looked into at once and is reported as a hole; it is counted as lost
//! only when the number has not come a little later. A number that is doubled or late is no news.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;

use super::payload::Sender;

/// How long a number may be late.
const LATE: Duration = Duration::from_secs(2);
/// Numbers of one sender that are waited for; of a larger hole the rest is lost at once.
const AWAITED: usize = 64;
/// A sender that was not heard for so long is gone.
const GONE: Duration = Duration::from_hours(1);
/// Most senders that are remembered.
const SENDERS: usize = 4_096;

/// The senders that were heard.
#[derive(Debug, Default)]
pub(super) struct Window {
    senders: HashMap<Sender, Heard>,
}

#[derive(Debug)]
struct Heard {
    next: u64,
    at: Instant,
    /// Numbers that were left out, and since when, oldest first.
    awaited: VecDeque<(u64, Instant)>,
}

/// What a number tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    /// A hole that was not there before.
    pub(super) hole: bool,
    /// Payloads that are now known to be lost.
    pub(super) lost: u64,
}

impl Window {
    /// A payload with this number came.
    pub(super) fn note(&mut self, sender: Sender, number: u64, now: Instant) -> Told {
        let Some(heard) = self.senders.get_mut(&sender) else {
            self.remember(sender, number, now);
            return Told::default();
        };
        let mut told = Told::default();
        heard.at = now;
        heard.awaited.retain(|(awaited, since)| {
            let late = *awaited != number && now.duration_since(*since) >= LATE;
            told.lost += u64::from(late);
            *awaited != number && !late
        });
        if number >= heard.next {
            let missing = number - heard.next;
            told.hole = missing > 0;
            let first = number - missing.min(AWAITED as u64);
            told.lost += first - heard.next;
            heard.awaited.extend((first..number).map(|one| (one, now)));
            while heard.awaited.len() > AWAITED {
                heard.awaited.pop_front();
                told.lost += 1;
            }
            heard.next = number.saturating_add(1);
        }
        told
    }

    fn remember(&mut self, sender: Sender, number: u64, now: Instant) {
        self.senders.retain(|_, heard| now.duration_since(heard.at) < GONE);
        if self.senders.len() >= SENDERS {
            self.senders.clear();
        }
        let next = number.saturating_add(1);
        self.senders.insert(sender, Heard { next, at: now, awaited: VecDeque::new() });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOTHING: Told = Told { hole: false, lost: 0 };
    const HOLE: Told = Told { hole: true, lost: 0 };

    fn lost(lost: u64) -> Told {
        Told { hole: false, lost }
    }

    /// A window at which numbers of one sender come.
    struct One(Window, Instant);

    impl One {
        fn new() -> Self {
            Self(Window::default(), Instant::now())
        }

        fn hears(&mut self, number: u64) -> Told {
            self.0.note(Sender::of(1), number, self.1)
        }

        fn wait(&mut self, time: Duration) {
            self.1 += time;
        }
    }

    #[test]
    fn whoever_is_heard_first_may_begin_anywhere() {
        let mut one = One::new();
        assert_eq!([one.hears(50), one.hears(51), one.hears(52)], [NOTHING; 3]);
    }

    #[test]
    fn what_is_left_out_is_a_hole_at_once_and_lost_a_little_later() {
        let mut one = One::new();
        one.hears(1);
        assert_eq!([one.hears(4), one.hears(5)], [HOLE, NOTHING]);
        one.wait(LATE);
        assert_eq!([one.hears(6), one.hears(7)], [lost(2), NOTHING]);
    }

    #[test]
    fn what_is_late_or_doubled_is_not_lost() {
        let mut one = One::new();
        one.hears(1);
        assert_eq!([one.hears(4), one.hears(3), one.hears(3)], [HOLE, NOTHING, NOTHING]);
        assert_eq!([one.hears(4), one.hears(2), one.hears(1)], [NOTHING; 3]);
        one.wait(LATE);
        assert_eq!(one.hears(5), NOTHING);
    }

    #[test]
    fn what_comes_after_it_was_counted_is_not_counted_again() {
        let mut one = One::new();
        one.hears(1);
        one.hears(3);
        one.wait(LATE);
        assert_eq!(
            [one.hears(4), one.hears(2), one.hears(2), one.hears(5)],
            [lost(1), NOTHING, NOTHING, NOTHING]
        );
    }

    #[test]
    fn a_huge_hole_costs_no_memory_and_is_counted_whole() {
        let mut one = One::new();
        one.hears(1);
        let told = one.hears(1_000_002);
        assert_eq!(told, Told { hole: true, lost: 1_000_000 - AWAITED as u64 });
        one.wait(LATE);
        assert_eq!(one.hears(1_000_003), lost(AWAITED as u64));
        assert!(one.hears(u64::MAX).hole);
        assert!(!one.hears(u64::MAX).hole);
    }

    #[test]
    fn senders_are_apart_and_forgotten_after_an_hour() {
        let mut one = One::new();
        one.hears(1);
        assert_eq!(one.0.note(Sender::of(2), 9, one.1), NOTHING);
        assert_eq!(one.hears(2), NOTHING);
        one.wait(GONE);
        assert_eq!(one.0.note(Sender::of(3), 1, one.1), NOTHING);
        assert_eq!(one.0.senders.len(), 1);
        assert_eq!(one.hears(77), NOTHING);
    }

    proptest! {
        /// Whatever comes in whatever order: in the end exactly what never came is lost.
        #[test]
        fn lost_is_what_never_came(
            came in proptest::collection::vec(any::<bool>(), 2..60),
            order in proptest::collection::vec((0..60_usize, 0..60_usize), 0..40),
            doubled in proptest::collection::vec(0..60_usize, 0..10),
        ) {
            let mut numbers: Vec<u64> =
                (2..).zip(&came).filter(|(_, came)| **came).map(|(number, _)| number).collect();
            let end = came.len() as u64 + 2;
            for (left, right) in order {
                if left < numbers.len() && right < numbers.len() {
                    numbers.swap(left, right);
                }
            }
            for place in doubled {
                numbers.extend(numbers.get(place).copied());
            }
            let mut one = One::new();
            one.hears(1);
            let mut sum: u64 = numbers.into_iter().map(|number| one.hears(number).lost).sum();
            sum += one.hears(end).lost;
            one.wait(LATE);
            sum += one.hears(end + 1).lost;
            let never = came.iter().filter(|came| !**came).count() as u64;
            prop_assert_eq!(sum, never);
        }
    }
}
