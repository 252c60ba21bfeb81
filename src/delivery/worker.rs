//! The task that owns the router: messages in, effects carried out.
//!
//! It never waits for anything but the next message: frames go into bounded queues, reads of the log run
//! in tasks of their own and come back as messages. So one slow client, or a database that is away,
//! holds up nobody else.
//!
//! Should the task panic, that is logged, every connection is asked to come again, and the router
//! begins anew: all it knows can be read from the database, and nothing was lost that is in the log.

use std::any::Any;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::{Semaphore, mpsc};

use super::bus::{Bus, News};
use super::cause::Cause;
use super::hub::{Hub, Message};
use super::mailbox::Mailbox;
use super::router::{ConnId, Effect, Origin, Read, Router};
use super::source::Source;
use super::wire;
use crate::model::{Error, LogEntry, Reason};

/// Most entries of one read of the log.
const CHUNK: i64 = 500;
/// Most reads of the log at a time, so that others get connections to the database too.
const READS: usize = 4;
/// Messages that are taken at once.
const MESSAGES: usize = 64;
/// Pauses between tries while the database is away.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The owner of the router.
pub(super) struct Worker<S> {
    router: Router,
    mailboxes: HashMap<ConnId, Arc<Mailbox>>,
    source: S,
    bus: Bus,
    epoch: Arc<str>,
    hub: Hub,
    reads: Arc<Semaphore>,
}

/// Runs the worker until the server stops, again after a panic.
pub(super) async fn supervise<S: Source>(
    mut worker: Worker<S>,
    mut messages: mpsc::UnboundedReceiver<Message>,
) {
    while let Err(panic) = AssertUnwindSafe(worker.run(&mut messages)).catch_unwind().await {
        tracing::error!("the router panicked and begins anew: {}", text(&*panic));
        worker.begin_anew(&Cause::Restart);
    }
    worker.begin_anew(&Cause::Stopping);
}

/// The text of a panic.
pub(super) fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a text")
}

impl<S: Source> Worker<S> {
    pub(super) fn new(source: S, bus: Bus, hub: &Hub) -> Self {
        Self {
            router: Router::default(),
            mailboxes: HashMap::new(),
            source,
            bus,
            epoch: "".into(),
            hub: hub.clone(),
            reads: Arc::new(Semaphore::new(READS)),
        }
    }

    async fn run(&mut self, messages: &mut mpsc::UnboundedReceiver<Message>) {
        let stopping = self.hub.stopping().clone();
        let mut taken = Vec::with_capacity(MESSAGES);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                count = messages.recv_many(&mut taken, MESSAGES) => {
                    if count == 0 {
                        return;
                    }
                    for message in taken.drain(..) {
                        self.handle(message);
                    }
                }
                news = self.bus.next() => self.hear(news),
            }
            let streams = i64::try_from(self.router.streams()).unwrap_or(i64::MAX);
            self.hub.metrics().streams.set(streams);
            // A long run of messages must not keep the other tasks of this thread waiting.
            tokio::task::consume_budget().await;
        }
    }

    /// Forgets everything, and asks every connection to come again.
    fn begin_anew(&mut self, cause: &Cause) {
        self.router = Router::default();
        for mailbox in std::mem::take(&mut self.mailboxes).into_values() {
            mailbox.close(cause.clone());
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Committed(entries) => {
                let entries: Vec<Arc<LogEntry>> = entries.into_iter().map(Arc::new).collect();
                let effects = self.router.committed(&entries, Origin::Here);
                self.carry_out(effects);
                self.bus.publish(&self.epoch, &entries);
                self.follow(&entries);
            }
            Message::Elsewhere(entries) => self.hear_of(entries),
            Message::Register { id, user, most, mailbox, answer } => {
                let room = self.router.of(&user).len() < most as usize;
                if room {
                    self.router.register(id, user);
                    self.mailboxes.insert(id, mailbox);
                }
                // Whoever does not wait any more signs off next.
                answer.send(room).ok();
            }
            Message::Interest { id, streams, answer } => {
                for stream in &streams {
                    self.bus.interest(stream, true);
                }
                answer.send(self.router.interest(id, &streams)).ok();
            }
            Message::Open { id, starts } => {
                let effects = self.router.open(id, &starts);
                self.carry_out(effects);
            }
            Message::Doubt(users) => {
                let ids = users.iter().flat_map(|user| self.router.of(user));
                for mailbox in ids.filter_map(|id| self.mailboxes.get(id)) {
                    mailbox.doubt();
                }
            }
            Message::Drained(id) => {
                let effects = self.router.drained(id);
                self.carry_out(effects);
            }
            Message::Unregister(id) => self.unregister(id),
            #[cfg(test)]
            Message::Panic => std::panic::panic_any("a test wants it"),
            Message::Read { read, found } => self.take_read(&read, found),
        }
    }

    /// Takes what other nodes say.
    fn hear(&mut self, news: News) {
        match news {
            News::Entries { entries, .. } => self.hear_of(entries),
            News::Hints { hints, .. } => {
                for (stream, seq) in hints {
                    let (source, hub) = (self.source.clone(), self.hub.clone());
                    self.hub.tasks().spawn(async move {
                        if let Ok(found) = source.log(&stream, seq - 1, seq, 1).await {
                            hub.tell(Message::Elsewhere(found));
                        }
                    });
                }
            }
            News::Gap => {}
        }
    }

    fn hear_of(&mut self, entries: Vec<LogEntry>) {
        let entries: Vec<Arc<LogEntry>> = entries.into_iter().map(Arc::new).collect();
        let effects = self.router.committed(&entries, Origin::Elsewhere);
        self.carry_out(effects);
        self.follow(&entries);
    }

    /// Whoever of this node comes into a group follows it.
    fn follow(&mut self, entries: &[Arc<LogEntry>]) {
        for entry in entries {
            if entry.starts.iter().any(|user| !self.router.of(user).is_empty()) {
                self.bus.interest(&entry.stream, true);
            }
        }
    }

    fn take_read(&mut self, read: &Read, found: Result<(Vec<LogEntry>, bool), Error>) {
        let effects = match found {
            Ok((entries, more)) => {
                self.hub.metrics().log_reads.inc_by(entries.len() as u64);
                let entries = entries.into_iter().map(Arc::new).collect();
                self.router.fetched(read, entries, more)
            }
            Err(error) => {
                let context = error.context.as_deref().unwrap_or(&error.text);
                tracing::error!(stream = ?read.stream, after = read.after, "no way on: {context}");
                self.router.fetch_failed(read)
            }
        };
        self.carry_out(effects);
    }

    fn unregister(&mut self, id: ConnId) {
        self.router.unregister(id);
        self.mailboxes.remove(&id);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut slow = Vec::new();
        let mut frames = 0;
        for effect in effects {
            match effect {
                Effect::Send { to, frame } => {
                    frames += to.len() as u64;
                    for id in to {
                        if self.mailboxes.get(&id).is_some_and(|box_| !box_.push(frame.clone())) {
                            slow.push(id);
                        }
                    }
                }
                Effect::Ready(id) => {
                    if self.mailboxes.get(&id).is_some_and(|box_| !box_.push(wire::READY.into())) {
                        slow.push(id);
                    }
                }
                Effect::Mark(id) => {
                    if let Some(mailbox) = self.mailboxes.get(&id) {
                        mailbox.mark();
                    }
                }
                Effect::Read(read) => self.read(read),
                Effect::Close(id) => {
                    if let Some(mailbox) = self.mailboxes.remove(&id) {
                        mailbox.close(Cause::Restart);
                    }
                }
            }
        }
        self.hub.metrics().frames.inc_by(frames);
        for id in slow {
            self.unregister(id);
        }
    }

    /// Reads the log, for as long as it takes.
    fn read(&self, read: Read) {
        let source = self.source.clone();
        let reads = self.reads.clone();
        let hub = self.hub.clone();
        self.hub.tasks().spawn(async move {
            let found = AssertUnwindSafe(find(&source, &read, &reads)).catch_unwind();
            let found = tokio::select! {
                found = found => found,
                () = hub.stopping().cancelled() => return,
            };
            let found = found.unwrap_or_else(|panic| {
                Err(Error::internal(format!("reading the log panicked: {}", text(&*panic))))
            });
            hub.tell(Message::Read { read, found });
        });
    }
}

async fn find<S: Source>(
    source: &S,
    read: &Read,
    reads: &Semaphore,
) -> Result<(Vec<LogEntry>, bool), Error> {
    if read.attempt > 0 {
        tokio::time::sleep(FIRST_PAUSE * read.attempt).await;
    }
    let mut pause = FIRST_PAUSE;
    loop {
        let turn = reads.acquire().await.map_err(Error::internal)?;
        match source.log(&read.stream, read.after, read.through, CHUNK).await {
            Ok(entries) => {
                let more = i64::try_from(entries.len()).is_ok_and(|len| len >= CHUNK);
                return Ok((entries, more));
            }
            Err(error) if error.reason == Reason::Unavailable => {
                tracing::warn!(stream = ?read.stream, "reading the log again in {pause:?}: {error}");
            }
            Err(error) => return Err(error),
        }
        drop(turn);
        tokio::time::sleep(rand::random_range(pause / 2..=pause)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
