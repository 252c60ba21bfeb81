//! The two queues of a bus that is a network: what is to be sent, and what came.
//!
//! Neither is ever waited for. An [`Outbox`] that is full drops its oldest, counts that, and remembers that
//! the receivers have to be told; an inbox that is full drops what comes and hands on [`News::Gap`].

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;

use super::News;
use super::company::Company;
use super::payload::{self, Sender};
use super::window::Window;
use crate::metrics::{Carried, Metrics};
use crate::model::LogEntry;

/// Most entries that wait to be sent.
const ENTRIES: usize = 16_384;
/// Most bytes of frames that wait to be sent.
const BYTES: usize = 16 * 1024 * 1024;
/// Most payloads that wait to be routed.
const PAYLOADS: usize = 1_024;

/// An entry that waits, and the epoch under which it was committed.
pub(super) type Waiting = (Arc<str>, Arc<LogEntry>);

/// What is to be sent.
#[derive(Debug)]
pub(super) struct Outbox {
    inside: Mutex<Inside>,
    filled: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Inside {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    hole: bool,
}

impl Outbox {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { inside: Mutex::default(), filled: Notify::new(), metrics }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing here panics while it holds the lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts entries in, and drops the oldest when there are too many.
    pub(super) fn put(&self, epoch: &Arc<str>, entries: &[Arc<LogEntry>]) {
        let mut inside = self.inside();
        for entry in entries {
            inside.bytes += entry.frame.len();
            inside.waiting.push_back((epoch.clone(), entry.clone()));
        }
        let mut dropped = 0;
        while inside.waiting.len() > ENTRIES || inside.bytes > BYTES {
            let Some((_, entry)) = inside.waiting.pop_front() else { break };
            inside.bytes -= entry.frame.len();
            dropped += 1;
        }
        inside.hole |= dropped > 0;
        drop(inside);
        self.metrics.bus_dropped.inc_by(dropped);
        self.filled.notify_one();
    }

    /// Something is not to be sent: the next payload leaves out a number.
    pub(super) fn pass_over(&self) {
        self.inside().hole = true;
    }

    /// Waits until there is something. May be cancelled.
    pub(super) async fn filled(&self) {
        while self.inside().waiting.is_empty() {
            self.filled.notified().await;
        }
    }

    /// Takes out so many entries, or so many bytes of frames, and whether others were dropped before them.
    pub(super) fn take(&self, entries: usize, bytes: usize) -> (Vec<Waiting>, bool) {
        let mut inside = self.inside();
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < entries && size < bytes {
            let Some((epoch, entry)) = inside.waiting.pop_front() else { break };
            size += entry.frame.len();
            taken.push((epoch, entry));
        }
        inside.bytes -= size;
        (taken, std::mem::take(&mut inside.hole))
    }
}

/// What came, at the end of the router.
#[derive(Debug)]
pub(super) struct Inbox {
    news: mpsc::Receiver<News>,
    gap: Gap,
}

/// Tells the router that something may have been lost just now. Told again before it has heard, it hears it
/// once.
#[derive(Clone, Debug, Default)]
pub(super) struct Gap(Arc<Notify>);

impl Gap {
    pub(super) fn tell(&self) {
        self.0.notify_one();
    }
}

/// What came, at the end of the network.
#[derive(Debug)]
pub(super) struct Feed {
    own: Sender,
    company: Company,
    window: Window,
    news: mpsc::Sender<News>,
    gap: Gap,
    metrics: Arc<Metrics>,
}

/// Both ends of a queue for what others than `own` send.
pub(super) fn inbox(own: Sender, metrics: Arc<Metrics>) -> (Feed, Inbox) {
    let (sender, news) = mpsc::channel(PAYLOADS);
    let gap = Gap::default();
    let (company, window) = (Company::default(), Window::default());
    let feed = Feed { own, company, window, news: sender, gap: gap.clone(), metrics };
    (feed, Inbox { news, gap })
}

impl Inbox {
    /// Waits for what came. May be cancelled without loss.
    pub(super) async fn next(&mut self) -> News {
        tokio::select! {
            biased;
            () = self.gap.0.notified() => News::Gap,
            news = self.news.recv() => match news {
                Some(news) => news,
                // The network's task has ended, as the server is about to.
                None => std::future::pending().await,
            },
        }
    }
}

impl Feed {
    /// For those who see the network fail.
    pub(super) fn gap(&self) -> Gap {
        self.gap.clone()
    }

    /// For those who ask whether anybody else is there.
    pub(super) fn company(&self) -> Company {
        self.company.clone()
    }

    /// Takes what the network brought.
    pub(super) fn take(&mut self, bytes: &[u8]) {
        let read = str::from_utf8(bytes).map_err(|_| payload::Malformed);
        let message = match read.and_then(|text| payload::read(text, self.own)) {
            Ok(Some(message)) => message,
            Ok(None) => return,
            Err(payload::Malformed) => {
                self.metrics.bus_malformed.inc();
                return;
            }
        };
        self.company.heard();
        if let Some(number) = message.number {
            let told = self.window.note(message.sender, number, Instant::now());
            self.metrics.bus_lost.inc_by(told.lost);
            if told.hole {
                self.gap.tell();
            }
        }
        let count = message.entries.len() + message.hints.len();
        self.metrics.bus_received.get_or_create(&Carried::MESSAGES).inc();
        self.metrics.bus_received.get_or_create(&Carried::ENTRIES).inc_by(count as u64);
        let epoch = message.epoch;
        if !message.entries.is_empty() {
            self.put(News::Entries { epoch: epoch.clone(), entries: message.entries });
        }
        if !message.hints.is_empty() {
            self.put(News::Hints { epoch, hints: message.hints });
        }
    }

    fn put(&self, news: News) {
        if let Err(mpsc::error::TrySendError::Full(news)) = self.news.try_send(news) {
            let count = match news {
                News::Entries { entries, .. } => entries.len(),
                News::Hints { hints, .. } => hints.len(),
                News::Gap => 0,
            };
            self.metrics.bus_dropped.inc_by(count as u64);
            self.gap.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::bus::payload::{Draft, pack};
    use crate::model::{EventKind, GroupId, Moment, StreamKey};

    fn entry(seq: i64, bytes: usize) -> Arc<LogEntry> {
        let stream = StreamKey::Group(GroupId::from_stored("g"));
        let frame = format!(r#""{}""#, "x".repeat(bytes));
        let kind = EventKind::onGroupInfoChanged;
        Arc::new(LogEntry::from_stored(stream, seq, Moment::UNIX_EPOCH, kind, &frame))
    }

    fn numbers(taken: &[Waiting]) -> Vec<i64> {
        taken.iter().map(|(_, entry)| entry.seq).collect()
    }

    #[test]
    fn a_full_outbox_drops_its_oldest_counts_them_and_says_so_once() {
        let metrics = Arc::new(Metrics::new());
        let outbox = Outbox::new(metrics.clone());
        let epoch: Arc<str> = "e".into();
        let all: Vec<_> = (1..=20_000).map(|seq| entry(seq, 1)).collect();
        outbox.put(&epoch, &all);
        assert_eq!(metrics.bus_dropped.get(), 20_000 - ENTRIES as u64);
        let (taken, hole) = outbox.take(2, usize::MAX);
        let first = 20_001 - i64::try_from(ENTRIES).expect("small");
        assert_eq!((numbers(&taken), hole), (vec![first, first + 1], true));
        let (taken, hole) = outbox.take(usize::MAX, 5);
        assert_eq!((numbers(&taken), hole), (vec![first + 2, first + 3], false));
    }

    #[test]
    fn an_outbox_is_bounded_in_bytes_too() {
        let metrics = Arc::new(Metrics::new());
        let outbox = Outbox::new(metrics.clone());
        for seq in 1..=20 {
            outbox.put(&"e".into(), &[entry(seq, 1024 * 1024)]);
        }
        assert_eq!(metrics.bus_dropped.get(), 5);
        assert_eq!(outbox.take(usize::MAX, usize::MAX).0.len(), 15);
        assert_eq!(outbox.inside().bytes, 0);
    }

    #[tokio::test]
    async fn a_full_inbox_drops_what_comes_counts_it_and_tells_of_a_gap_first() {
        let metrics = Arc::new(Metrics::new());
        let (mut feed, mut inbox) = inbox(Sender::of(1), metrics.clone());
        let epoch: Arc<str> = "e".into();
        for seq in 1..=1_030 {
            let entry = entry(seq, 1);
            let drafts = pack([(&epoch, &*entry, 8_000)], 8_000);
            feed.take(drafts[0].text(Sender::of(2), None).as_bytes());
        }
        assert_eq!(metrics.bus_dropped.get(), 6);
        assert!(matches!(inbox.next().await, News::Gap));
        for seq in 1..=1_024 {
            let News::Entries { entries, .. } = inbox.next().await else { panic!("no entries") };
            assert_eq!(entries[0].seq, seq);
        }
        assert!(futures_util::FutureExt::now_or_never(inbox.next()).is_none());
    }

    #[tokio::test]
    async fn a_hole_in_a_senders_counter_is_a_gap() {
        let (mut feed, mut inbox) = inbox(Sender::of(1), Arc::new(Metrics::new()));
        let beat = Draft::new("e".into());
        feed.take(beat.text(Sender::of(2), Some(5)).as_bytes());
        feed.take(beat.text(Sender::of(2), Some(6)).as_bytes());
        assert!(futures_util::FutureExt::now_or_never(inbox.next()).is_none());
        feed.take(beat.text(Sender::of(2), Some(8)).as_bytes());
        assert!(matches!(inbox.next().await, News::Gap));
        assert!(futures_util::FutureExt::now_or_never(inbox.next()).is_none());
    }

    #[test]
    fn what_is_no_payload_is_counted_and_nothing_else() {
        let metrics = Arc::new(Metrics::new());
        let (mut feed, mut inbox) = inbox(Sender::of(1), metrics.clone());
        for text in ["", "{}", "null", "\u{0}", r#"{"v":2,"from":"0000000000000002"}"#] {
            feed.take(text.as_bytes());
        }
        feed.take(&[0xFF, 0xFE]);
        assert_eq!(metrics.bus_malformed.get(), 6);
        assert!(futures_util::FutureExt::now_or_never(inbox.next()).is_none());
    }
}
