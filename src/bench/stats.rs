//! Figures of several runs: middle, spread, shares.

use std::time::Duration;

/// Times of single calls.
#[derive(Clone, Debug, Default)]
pub(super) struct Times(Vec<u32>);

impl Times {
    /// Takes microseconds, in any order.
    pub(super) fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        Self(micros)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that this share of all calls did not pass, in milliseconds.
    pub(super) fn at(&self, share: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let index = (usize_to_f64(last) * share).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an index into a list of times"
        )]
        let micros = self.0.get(index as usize).copied().unwrap_or_default();
        f64::from(micros) / 1_000.0
    }

    /// The times of several runs together.
    pub(super) fn together<'a>(runs: impl IntoIterator<Item = &'a Self>) -> Self {
        Self::of(runs.into_iter().flat_map(|run| run.0.iter().copied()).collect())
    }
}

/// A time in whole microseconds.
pub(super) fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

/// The middle of some figures and how far they are apart.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spread {
    pub(super) middle: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// Of any number of figures; of none, zeros.
    pub(super) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        let (Some(least), Some(most)) = (figures.first(), figures.last()) else {
            return Self::default();
        };
        let half = figures.len() / 2;
        let upper = figures.get(half).copied().unwrap_or_default();
        let lower = figures.get(half.saturating_sub(1)).copied().unwrap_or_default();
        let middle =
            if figures.len().is_multiple_of(2) { f64::midpoint(lower, upper) } else { upper };
        Self { middle, least: *least, most: *most }
    }
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn usize_to_f64(count: usize) -> f64 {
    count as f64
}

/// A count as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
pub(super) fn u64_to_f64(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_times() {
        let times = Times::of((1..=101).rev().map(|n| n * 1_000).collect());
        assert_eq!((times.at(0.0), times.at(0.5), times.at(1.0)), (1.0, 51.0, 101.0));
        assert!(Times::default().at(0.5).abs() < f64::EPSILON);
        assert_eq!(Times::together([&times, &times]).len(), 202);
    }

    #[test]
    fn the_middle_of_figures_and_their_ends() {
        let spread = |middle, least, most| Spread { middle, least, most };
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), spread(2.0, 1.0, 3.0));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]), spread(2.5, 1.0, 4.0));
        assert_eq!(Spread::of(vec![]), Spread::default());
    }
}
