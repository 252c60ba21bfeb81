//! Reads of the log: gathered while others are under way, a few at a time, many streams in one question.
//!
//! A hole in what came is not read at once when there is a bus: most of them fill themselves, because two
//! nodes' messages overtook each other. Nothing here is waited for by the router; each answer goes back to
//! it as a message, and a stream that does not want it any more passes it over.

use std::collections::{BTreeMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::hub::{Hub, Message};
use super::router::{Purpose, Read, Router};
use super::source::Source;
use crate::model::error::text_of_panic;
use crate::model::{Error, Reason, StreamKey};
use crate::store::logs::Span;

/// Most entries of one read of one log.
pub(super) const CHUNK: i64 = 500;
/// Most questions at a time, so that others get connections to the database too.
const QUESTIONS: usize = 4;
/// Most streams in one question.
const STREAMS: usize = 64;
/// About how many entries one question may ask for.
const ENTRIES: i64 = 2_000;
/// So long a hole may take to fill itself.
const PATIENCE: Duration = Duration::from_millis(20);
/// Pauses between tries while the database is away, or does not have what it must have.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Something to be read.
#[derive(Debug)]
pub(super) enum Job {
    /// What the router asked for.
    Read(Read),
    /// An entry that another node told of, in a stream that nobody follows here.
    Hint(StreamKey, i64),
}

impl Job {
    fn span(&self) -> Span {
        match self {
            Self::Read(read) => {
                Span { stream: read.stream.clone(), after: read.after, through: read.through }
            }
            Self::Hint(stream, seq) => {
                Span { stream: stream.clone(), after: seq - 1, through: *seq }
            }
        }
    }

    /// About how many entries it asks for.
    fn weight(&self) -> i64 {
        match self {
            Self::Read(read) => read.through.saturating_sub(read.after).clamp(1, CHUNK),
            Self::Hint(..) => 1,
        }
    }
}

/// What is to be read, and how much is being read.
pub(super) struct Reads<S> {
    source: S,
    hub: Hub,
    /// Whether holes may fill themselves.
    patient: bool,
    waiting: VecDeque<Job>,
    /// Reads whose time has not come, by that time.
    later: BTreeMap<(Instant, u64), Read>,
    count: u64,
    under_way: usize,
}

impl<S: Source> Reads<S> {
    pub(super) fn new(source: S, hub: Hub, patient: bool) -> Self {
        let (waiting, later) = (VecDeque::new(), BTreeMap::new());
        Self { source, hub, patient, waiting, later, count: 0, under_way: 0 }
    }

    pub(super) fn source(&self) -> &S {
        &self.source
    }

    /// Takes what the router asked for.
    pub(super) fn want(&mut self, read: Read) {
        let pause = match (read.attempt, read.purpose) {
            (0, Purpose::Hole) if self.patient => PATIENCE,
            (0, _) => return self.waiting.push_back(Job::Read(read)),
            (attempt, _) => FIRST_PAUSE * attempt,
        };
        self.count += 1;
        self.later.insert((Instant::now() + pause, self.count), read);
    }

    /// Takes what another node told of.
    pub(super) fn hint(&mut self, stream: StreamKey, seq: i64) {
        self.waiting.push_back(Job::Hint(stream, seq));
    }

    /// When the next one's time comes.
    pub(super) fn due(&self) -> Option<Instant> {
        self.later.first_key_value().map(|((at, _), _)| *at)
    }

    /// One question was answered.
    pub(super) fn answered(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    /// Asks what can be asked now. What filled itself meanwhile is not read.
    pub(super) fn ask(&mut self, router: &Router) {
        while let Some(first) = self.later.first_entry() {
            if first.key().0 > Instant::now() {
                break;
            }
            self.waiting.push_back(Job::Read(first.remove()));
        }
        while self.under_way < QUESTIONS && !self.waiting.is_empty() {
            let mut jobs = Vec::new();
            let mut weight = 0;
            while jobs.len() < STREAMS && weight < ENTRIES {
                let Some(job) = self.waiting.pop_front() else { break };
                if matches!(&job, Job::Read(read) if !router.wants(read)) {
                    continue;
                }
                weight += job.weight();
                jobs.push(job);
            }
            if !jobs.is_empty() {
                self.under_way += 1;
                self.question(jobs);
            }
        }
    }

    /// Asks the database, for as long as it takes.
    fn question(&self, jobs: Vec<Job>) {
        let source = self.source.clone();
        let hub = self.hub.clone();
        self.hub.tasks().spawn(async move {
            let spans: Vec<Span> = jobs.iter().map(Job::span).collect();
            let found = AssertUnwindSafe(find(&source, &spans)).catch_unwind();
            let found = tokio::select! {
                found = found => found,
                () = hub.stopping().cancelled() => return,
            };
            let found = found.unwrap_or_else(|panic| {
                Err(Error::internal(format!(
                    "reading the log panicked: {}",
                    text_of_panic(&*panic)
                )))
            });
            hub.tell(Message::Found { jobs, found });
        });
    }
}

/// What was read: the history that it is of, and the entries of each piece.
pub(super) type Found = (std::sync::Arc<str>, Vec<Vec<crate::model::LogEntry>>);

async fn find<S: Source>(source: &S, spans: &[Span]) -> Result<Found, Error> {
    let mut pause = FIRST_PAUSE;
    loop {
        let read = async {
            let entries = source.logs(spans, CHUNK).await?;
            // Afterwards: should the history change in between, what was read counts as the new one's, whose
            // receivers are not those who asked.
            Ok((source.epoch().await?, entries))
        };
        match read.await {
            Err(error) if matches!(&error, Error { reason: Reason::Unavailable, .. }) => {
                tracing::warn!(logs = spans.len(), "reading logs again in {pause:?}: {error}");
            }
            other => return other,
        }
        tokio::time::sleep(rand::random_range(pause / 2..=pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
