//! Callers at work: each asks, waits for the answer, looks whether it is right, and asks again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::caller::{Answer, Caller, Request};
use super::stats::{Times, micros, u64_to_f64};

/// Who owns all groups, and asks unless it has to be somebody else.
pub(super) const OWNER: &str = "owner";

/// What callers ask for.
pub(super) trait Work: Send + Sync + 'static {
    /// The request with this number. No number comes twice.
    fn request(&self, number: u64) -> Request;

    /// Looks at the answer: what it did, or why it is not right.
    ///
    /// # Errors
    /// A word for what was wrong.
    fn judge(&self, number: u64, answer: &Answer<'_>) -> Result<(), String>;

    /// Who asks.
    fn caller(&self) -> &'static str {
        OWNER
    }

    /// Notes that a request got no answer.
    fn lost(&self) {}
}

/// Numbers for requests, for the whole of a benchmark.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers(Arc<AtomicU64>);

impl Numbers {
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// What became of a load.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    pub(super) right: u64,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) times: Times,
    pub(super) elapsed: Duration,
}

impl Done {
    /// Right answers a second.
    pub(super) fn rate(&self) -> f64 {
        u64_to_f64(self.right) / self.elapsed.as_secs_f64()
    }
}

/// Lets so many callers work for this time.
///
/// # Errors
/// When they cannot connect.
pub(super) async fn drive(
    address: &str,
    token: &str,
    work: Arc<dyn Work>,
    numbers: &Numbers,
    (callers, time): (usize, Duration),
) -> anyhow::Result<Done> {
    let mut connected = Vec::with_capacity(callers);
    for _ in 0..callers {
        connected.push(Caller::connect(address, token).await?);
    }
    let started = Instant::now();
    let until = started + time;
    let tasks: Vec<_> = connected
        .into_iter()
        .map(|caller| tokio::spawn(one(caller, work.clone(), numbers.clone(), until)))
        .collect();
    let (mut done, mut times) = (Done::default(), Vec::new());
    for task in tasks {
        let (right, errors, of_one) = task.await?;
        done.right += right;
        for (what, count) in errors {
            *done.errors.entry(what).or_default() += count;
        }
        times.extend(of_one);
    }
    done.elapsed = started.elapsed();
    done.times = Times::of(times);
    Ok(done)
}

async fn one(
    mut caller: Caller,
    work: Arc<dyn Work>,
    numbers: Numbers,
    until: Instant,
) -> (u64, BTreeMap<String, u64>, Vec<u32>) {
    let (mut right, mut errors, mut times) = (0, BTreeMap::new(), Vec::new());
    loop {
        let begun = Instant::now();
        if begun >= until {
            return (right, errors, times);
        }
        let number = numbers.next();
        match caller.ask(&work.request(number)).await {
            Ok(answer) => {
                times.push(micros(begun.elapsed()));
                match work.judge(number, &answer) {
                    Ok(()) => right += 1,
                    Err(what) => *errors.entry(what).or_default() += 1,
                }
            }
            Err(error) => {
                work.lost();
                *errors.entry(format!("no answer: {error}")).or_default() += 1;
                return (right, errors, times);
            }
        }
    }
}
