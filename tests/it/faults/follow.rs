//! A client that keeps its cursor as README says, comes and goes, and writes down everything that it sees.

mod load;
mod paced;
mod session;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{mpsc, watch};

use super::nodes::Nodes;
use super::record::{Cursor, Record, Said};
use super::truth::Truth;
pub(super) use paced::Pace;
use session::{End, Session};

/// What clients do of themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// They come and go.
    Restless,
    /// They stay connected, and come back when they are thrown out.
    Steady,
    /// They stop.
    Over,
}

/// How a client behaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Habits {
    /// It stays connected for about this long, at most twice as long.
    pub(super) stay: Duration,
    /// It stays away for at most this long.
    pub(super) away: Duration,
    /// Whether it waits for as long as `bye` says.
    pub(super) polite: bool,
    /// Whether the system keeps little of what the client does not read.
    pub(super) narrow: bool,
}

impl Habits {
    pub(super) const RESTLESS: Self = Self {
        stay: Duration::from_secs(3),
        away: Duration::from_millis(1_500),
        polite: false,
        narrow: false,
    };
    /// It stays connected, and comes back when `bye` says.
    pub(super) const STEADY: Self =
        Self { stay: Duration::from_hours(1), polite: true, ..Self::RESTLESS };
}

/// What a client and its loader share.
struct Shared {
    user: String,
    nodes: Arc<Nodes>,
    record: Mutex<Record>,
    cursor: Mutex<Option<Cursor>>,
    /// Groups that are to be loaded.
    wanted: Mutex<BTreeSet<String>>,
    /// How often was asked for one and not yet answered.
    asked: AtomicU64,
    ready: watch::Sender<bool>,
    pace: watch::Sender<Pace>,
}

impl Shared {
    fn note(&self, said: Said) {
        self.record.lock().expect("nobody panicked").note(said);
    }
}

/// A client at work.
pub(super) struct Client {
    shared: Arc<Shared>,
    mood: watch::Sender<Mood>,
    task: tokio::task::JoinHandle<()>,
}

impl Client {
    pub(super) fn start(user: &str, nodes: Arc<Nodes>, habits: Habits, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            user: user.to_owned(),
            nodes,
            record: Mutex::new(Record::new(user)),
            cursor: Mutex::new(None),
            wanted: Mutex::default(),
            asked: AtomicU64::new(0),
            ready: watch::Sender::new(false),
            pace: watch::Sender::new(Pace::Normal),
        });
        let (mood, watched) = watch::channel(Mood::Restless);
        let task = tokio::spawn(live(shared.clone(), habits, watched, seed));
        Self { shared, mood, task }
    }

    pub(super) fn be(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }

    /// Lets it read at this pace from now on.
    pub(super) fn read(&self, pace: Pace) {
        self.shared.pace.send_replace(pace);
    }

    pub(super) fn user(&self) -> &str {
        &self.shared.user
    }

    /// Waits until it is connected and the replay is done.
    pub(super) async fn ready(&self) {
        let mut ready = self.shared.ready.subscribe();
        let waited = tokio::time::timeout(Duration::from_secs(30), ready.wait_for(|it| *it)).await;
        let ready = waited.is_ok_and(|it| it.is_ok());
        assert!(ready, "{} is not ready within thirty seconds", self.user());
    }

    /// Why it has not yet seen all that it may see, if so.
    pub(super) fn behind(&self, truth: &Truth) -> Option<String> {
        let user = self.user();
        if !*self.shared.ready.borrow() {
            return Some(format!("{user} is not ready"));
        }
        if self.shared.asked.load(Ordering::Relaxed) > 0 {
            return Some(format!("{user} has not loaded everything"));
        }
        let cursor = self.shared.cursor.lock().expect("nobody panicked");
        let cursor = cursor.as_ref()?;
        if cursor.user < truth.user_head(user) {
            return Some(format!("{user} lacks a personal event"));
        }
        let mut groups = truth.spans.get(user)?.iter();
        groups.find_map(|(group, spans)| {
            let last = truth.last_visible(user, group)?;
            let place = cursor.groups.get(group).copied();
            let current = spans.last().is_some_and(|span| span.to.is_none());
            let lacks = place.map_or(current, |place| place < last);
            lacks.then(|| format!("{user} stands at {place:?} of {last} in {group}"))
        })
    }

    /// Ends it: what it saw. It must be connected.
    pub(super) async fn end(self) -> Record {
        self.be(Mood::Over);
        self.task.await.expect("the client");
        let record = self.shared.record.lock().expect("nobody panicked");
        record.clone()
    }
}

/// The life of a client: it connects, stays, goes, and comes back, until it is over.
async fn live(shared: Arc<Shared>, habits: Habits, mut mood: watch::Receiver<Mood>, seed: u64) {
    let mut dice = StdRng::seed_from_u64(seed);
    let (ask, asked) = mpsc::unbounded_channel();
    let loader = tokio::spawn(load::load(shared.clone(), asked));
    while *mood.borrow() != Mood::Over {
        let url = shared.nodes.any(&mut dice);
        let told = match Session::open(&shared, &url, habits.narrow, ask.clone()).await {
            Some(session) => {
                let stay = habits.stay.mul_f64(dice.random_range(0.05..2.0));
                let end = session.run(&mut mood, stay, dice.random_bool(0.5)).await;
                shared.ready.send_replace(false);
                if matches!(end, End::Over) {
                    break;
                }
                shared.note(Said::Ended);
                end.retry()
            }
            None => None,
        };
        let away = match told {
            Some(told) if habits.polite => told,
            _ => habits.away.mul_f64(dice.random_range(0.01..1.0)),
        };
        // A client that is over does not come back.
        let over = mood.wait_for(|mood| *mood == Mood::Over);
        drop(tokio::time::timeout(away, over).await);
    }
    loader.abort();
}
