//! Whether what a client saw is what it had to see.
//!
//! The judge walks through a client's record beside the logs. It keeps the cursor by itself, as README says a
//! client does, and finds: a hole, a wrong order, a repetition that the client did not remove, an event from outside
//! one's membership, one that differs from the log, a membership of which the client never heard, a
//! start or a reset without reason, a `ready` that did not come, and at the end a view that is not the database's.
//!
//! One thing is allowed, and documented: a group that one joined and left again wholly while one was away, and
//! that does not stand in one's cursor, is not told.

#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::record::Record;
use super::truth::Truth;
use walk::Walk;

/// What was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// An event of a stream was passed over.
    Hole,
    /// The client took an event twice.
    Repeat,
    /// An event came after a later one, and not for the second time.
    Order,
    /// An event or a group was shown to somebody who was not its member then.
    Outside,
    /// What was shown is not what the log has.
    Altered,
    /// What had to come did not.
    Missing,
    /// `welcome` does not fit the cursor.
    Start,
    /// A reset without reason, or none where there is one.
    Reset,
    /// `ready` did not come, or came too early.
    Ready,
    /// The connection ended in a way that it must not end.
    End,
    /// A frame that no client expects.
    Strange,
    /// The client said another cursor than it had to: a fault of the client.
    Cursor,
    /// What the client shows at the end is not what is so.
    View,
}

/// Something broken: by whom it was seen, and what.
#[derive(Clone, Debug)]
pub(super) struct Violation {
    pub(super) kind: Kind,
    text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.text)
    }
}

/// What may happen in a run besides.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    /// Reasons for which a reset may be told.
    pub(super) resets: &'static [&'static str],
    /// Codes with which a connection may end.
    pub(super) byes: &'static [u64],
    /// Longest time from an event to its arrival, in whatever trouble the run makes. A membership
    /// that is told later than that may be one of those that nobody is told of.
    pub(super) patience: Duration,
}

impl Rules {
    /// Nothing goes wrong but what the clients do themselves.
    pub(super) const CALM: Self =
        Self { resets: &["rejoined"], byes: &[1001], patience: Duration::from_secs(3) };
    /// Nodes and news get lost: what nobody told is found within some seconds.
    pub(super) const LOSSY: Self = Self { patience: Duration::from_secs(6), ..Self::CALM };
}

/// What was counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) clients: u64,
    pub(super) connections: u64,
    pub(super) resumed: u64,
    pub(super) events: u64,
    pub(super) repeats: u64,
    /// Memberships that nobody had to be told of.
    pub(super) unheard: u64,
    /// Those of them that began just before the client went, and had not been told yet.
    pub(super) cut_off: u64,
    pub(super) resets: BTreeMap<String, u64>,
    pub(super) byes: BTreeMap<u64, u64>,
}

/// What the judge found.
#[derive(Clone, Debug, Default)]
pub(super) struct Verdict {
    pub(super) counts: Counts,
    pub(super) violations: Vec<Violation>,
    /// From an event's moment to its arrival, of those that arrived live, in microseconds.
    pub(super) delays: Vec<i64>,
}

impl Verdict {
    /// The delay that this share of the live events does not pass.
    pub(super) fn delay(&mut self, share: f64) -> Duration {
        self.delays.sort_unstable();
        let last = self.delays.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place in a list"
        )]
        let place = (last as f64 * share) as usize;
        let micros = self.delays.get(place).copied().unwrap_or_default();
        Duration::from_micros(u64::try_from(micros).unwrap_or_default())
    }

    /// Prints what was counted, and fails if anything was broken.
    #[track_caller]
    pub(super) fn pass(&mut self, name: &str) {
        let (p50, p99, last) = (self.delay(0.5), self.delay(0.99), self.delay(1.0));
        let late = self.delays.iter().filter(|micros| **micros > 250_000).count();
        println!("{name}: {:?}", self.counts);
        println!(
            "{name}: {} live events, delay p50 {p50:?} p99 {p99:?} max {last:?}, {late} later than 250 ms; {} violations",
            self.delays.len(),
            self.violations.len()
        );
        let mut kinds: BTreeMap<Kind, u64> = BTreeMap::new();
        for violation in &self.violations {
            *kinds.entry(violation.kind).or_default() += 1;
        }
        for violation in self.violations.iter().take(20) {
            println!("{name}: {violation}");
        }
        assert!(self.violations.is_empty(), "{name}: {kinds:?}, the first: {}", self.violations[0]);
        assert!(self.counts.events > 0, "{name}: nothing was received, so nothing was shown");
    }
}

/// Judges all records. A history belongs to each epoch; all clients end in the last.
pub(super) fn judge(records: &[Record], truths: &[(String, Truth)], rules: &Rules) -> Verdict {
    let mut verdict = Verdict::default();
    for record in records {
        verdict.counts.clients += 1;
        Walk::new(&record.user, truths, rules, &mut verdict).through(&record.items);
    }
    verdict
}
