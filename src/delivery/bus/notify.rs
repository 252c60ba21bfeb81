//! The bus over PostgreSQL: one connection that sends, one that listens, and nothing else to install.
//!
//! Sending is clocked by itself: while one statement is under way, what is published gathers, and the
//! next statement carries all of it in few payloads. So the rate of notifications follows the round trip
//! to the database and never the rate of events.
//!
//! A notification is heard by whoever listens at that moment. Every node therefore numbers its payloads,
//! and says something every second even when nothing happened: a listener sees in the next number that it
//! missed one, and knows that it is deaf when it does not even hear its own node. A node that hears no other
//! sends only that (see [`Company`]).

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::News;
use super::company::Company;
use super::link::{Half, Link, Pause, Up};
use super::payload::{self, Draft, Sender};
use super::queue::{self, Feed, Inbox, Outbox};
use crate::metrics::{Carried, Metrics};
use crate::model::LogEntry;
use crate::store::Store;
use crate::store::notify::{Ear, PAYLOAD_BYTES, Voice};

/// A node that has nothing to say says so this often.
const BEAT: Duration = Duration::from_secs(1);
/// A listener that hears nothing for so long is deaf.
const SILENCE: Duration = Duration::from_secs(5);
/// Longest wait for the answer to a statement.
const ANSWER: Duration = Duration::from_secs(6);
/// Most entries of one statement, and about the most bytes.
const ENTRIES: usize = 1_024;
const BYTES: usize = 512 * 1024;
/// How often the same payloads are sent before they are given up.
const TRIES: u32 = 3;

const VOICE: Half = Half(1);
const EAR: Half = Half(2);

/// The router's end.
#[derive(Debug)]
pub(super) struct Notify {
    outbox: Arc<Outbox>,
    inbox: Inbox,
    company: Company,
}

impl Notify {
    pub(super) fn start(
        store: Store,
        metrics: Arc<Metrics>,
        tasks: &TaskTracker,
        stopping: CancellationToken,
    ) -> Self {
        let own = Sender::random();
        let up = Arc::new(Up::new(&[VOICE, EAR], metrics.clone()));
        let outbox = Arc::new(Outbox::new(metrics.clone()));
        let (feed, inbox) = queue::inbox(own, metrics.clone());
        let company = feed.company();
        let link = Link::new(EAR, "listening to other nodes", up.clone());
        tasks.spawn(listen(store.clone(), feed, link, stopping.clone()));
        let speaker = Speaker {
            own,
            numbers: 0,
            store,
            outbox: outbox.clone(),
            metrics,
            stopping,
            unsent: Unsent::default(),
        };
        tasks.spawn(speaker.run(Link::new(VOICE, "sending to other nodes", up)));
        Self { outbox, inbox, company }
    }

    pub(super) fn publish(&self, epoch: &Arc<str>, entries: &[Arc<LogEntry>]) {
        if self.company.is_alone() {
            self.outbox.pass_over();
        } else {
            self.outbox.put(epoch, entries);
        }
    }

    pub(super) async fn next(&mut self) -> News {
        self.inbox.next().await
    }
}

/// What is under way.
#[derive(Default)]
struct Unsent {
    payloads: Vec<String>,
    entries: u64,
    tries: u32,
}

/// The task that sends.
struct Speaker {
    own: Sender,
    /// The number of the newest payload.
    numbers: u64,
    store: Store,
    outbox: Arc<Outbox>,
    metrics: Arc<Metrics>,
    stopping: CancellationToken,
    unsent: Unsent,
}

impl Speaker {
    async fn run(mut self, mut link: Link) {
        let mut pause = Pause::default();
        while !self.stopping.is_cancelled() {
            match self.store.voice().await {
                Ok(mut voice) => match self.speak(&mut voice, &mut link, &mut pause).await {
                    Ok(()) => voice.close().await,
                    Err(why) => link.lost(&why),
                },
                Err(error) => link.lost(&error.to_string()),
            }
            pause.wait(&self.stopping).await;
        }
    }

    /// Sends until the server stops; then also what is left.
    async fn speak(
        &mut self,
        voice: &mut Voice,
        link: &mut Link,
        pause: &mut Pause,
    ) -> Result<(), String> {
        let mut beat = Instant::now();
        loop {
            let mut ending = false;
            if self.unsent.payloads.is_empty() {
                tokio::select! {
                    biased;
                    () = self.stopping.cancelled() => ending = true,
                    () = self.outbox.filled() => {}
                    () = tokio::time::sleep_until(beat) => {}
                }
                self.gather();
            }
            self.say(voice).await?;
            beat = Instant::now() + BEAT;
            link.works();
            pause.reset();
            if ending {
                return Ok(());
            }
        }
    }

    /// Takes what has gathered; if that is nothing, a payload that only has a number.
    fn gather(&mut self) {
        let (waiting, hole) = self.outbox.take(ENTRIES, BYTES);
        // A number that nobody hears tells the others that something was dropped.
        self.numbers += u64::from(hole);
        let entries = waiting.iter().map(|(epoch, entry)| (epoch, &**entry, PAYLOAD_BYTES));
        let mut drafts = payload::pack(entries, PAYLOAD_BYTES);
        if drafts.is_empty() {
            drafts.push(Draft::new("".into()));
        }
        let mut payloads = Vec::with_capacity(drafts.len());
        for draft in &drafts {
            self.numbers += 1;
            payloads.push(draft.text(self.own, Some(self.numbers)));
        }
        self.unsent = Unsent { payloads, entries: waiting.len() as u64, tries: 0 };
    }

    async fn say(&mut self, voice: &mut Voice) -> Result<(), String> {
        let unsent = &mut self.unsent;
        unsent.tries += 1;
        let error = match timeout(ANSWER, voice.say(&unsent.payloads)).await {
            Ok(Ok(())) => {
                let messages = unsent.payloads.len() as u64;
                self.metrics.bus_sent.get_or_create(&Carried::MESSAGES).inc_by(messages);
                self.metrics.bus_sent.get_or_create(&Carried::ENTRIES).inc_by(unsent.entries);
                *unsent = Unsent::default();
                return Ok(());
            }
            Ok(Err(error)) => {
                // Sent again in vain, what the server refuses would hold up everything behind it.
                if error.as_database_error().is_some() && unsent.tries >= TRIES {
                    self.metrics.bus_dropped.inc_by(unsent.entries);
                    *unsent = Unsent::default();
                }
                error.to_string()
            }
            Err(_) => format!("no answer within {} s", ANSWER.as_secs()),
        };
        Err(error)
    }
}

/// Listens until the server stops.
async fn listen(store: Store, mut feed: Feed, mut link: Link, stopping: CancellationToken) {
    let (company, mut pause) = (feed.company(), Pause::default());
    while !stopping.is_cancelled() {
        match store.ear().await {
            Ok(mut ear) => {
                // What was sent before is gone.
                feed.gap().tell();
                company.listens();
                let heard = tokio::select! {
                    () = stopping.cancelled() => None,
                    why = hear(&mut ear, &mut feed, &mut link, &mut pause) => Some(why),
                };
                company.deaf();
                ear.close().await;
                if let Some(why) = heard {
                    link.lost(&why);
                }
            }
            Err(error) => link.lost(&error.to_string()),
        }
        pause.wait(&stopping).await;
    }
}

/// Listens until the connection is lost, and says why it is.
async fn hear(ear: &mut Ear, feed: &mut Feed, link: &mut Link, pause: &mut Pause) -> String {
    loop {
        match timeout(SILENCE, ear.hear()).await {
            Ok(Ok(Some(text))) => {
                link.works();
                pause.reset();
                feed.take(text.as_bytes());
            }
            Ok(Ok(None)) => return "the connection was lost".to_owned(),
            Ok(Err(error)) => return error.to_string(),
            Err(_) => {
                let seconds = SILENCE.as_secs();
                return format!(
                    "nothing was heard for {seconds} s (a pooler that shares connections between \
                     transactions cannot carry LISTEN)"
                );
            }
        }
    }
}
