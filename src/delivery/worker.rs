//! The task that owns the router: messages in, effects carried out.
//!
//! It never waits for anything but the next message: events go into bounded queues, the log is read by tasks
//! of their own ([`reads`](super::reads)) whose answers come back as messages. So one slow client, or a
//! database that is away, holds up nobody else.
//!
//! Everything that comes in says of which history it is. What is of another one than the present counts for
//! nothing and makes the worker ask the database; when that has gone over to another history, every
//! connection is asked to come again and is told there to load everything anew.
//!
//! Should the task panic, that is logged, every connection is asked to come again, and the router
//! begins anew: all it knows can be read from the database, and nothing was lost that is in the log.

mod effects;
mod outbox;

use std::future::ready;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::FutureExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::bus::{Bus, News};
use super::cause::Cause;
use super::event::Event;
use super::hub::{Hub, Message, Opening};
use super::reads::{CHUNK, Found, Job, Reads};
use super::router::{ConnId, ConnMap, Origin, Router, Standing};
use super::source::Source;
use crate::metrics::{FoundLabels, SourceLabels, Way};
use crate::model::error::text_of_panic;
use crate::model::{Error, LogEntry, StreamKey};
use crate::store::repair::UserChanges;
use effects::Seat;
use outbox::{Outbox, beside_others};

/// Longest time between the moment of a change and its commit.
const SLACK: TimeDelta = TimeDelta::seconds(20);
/// Messages that are taken at once.
const MESSAGES: usize = 64;
/// So many sockets are written to before somebody looks whether there is more for the others.
const TURN: usize = 32;
/// Messages that are taken at most during a fan-out.
const JOINING: usize = 512;
/// Entries that are routed before what waits is written if it is much.
const PIECE: usize = 8;
/// So often the database is asked at most which history it is of.
const ASK_AGAIN: Duration = Duration::from_millis(100);
/// How often what is counted is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The same while the server stops.
const LAST_LOOK: Duration = Duration::from_millis(10);
/// Looks in a round: for one to two rounds a stream is followed on that nobody is in any more.
const ROUND: u32 = 15;

/// The owner of the router.
pub(super) struct Worker<S> {
    router: Router,
    seats: ConnMap<Seat>,
    outbox: Outbox,
    reads: Reads<S>,
    bus: Bus,
    hub: Hub,
    /// The present history, once anything was heard of it.
    epoch: Option<Arc<str>>,
    /// Whether the database is being asked for it, and when it was last.
    asking: bool,
    asked: Option<Instant>,
    looks: u32,
}

/// Runs the worker until the server stops, again after a panic.
pub(super) async fn supervise<S: Source>(
    mut worker: Worker<S>,
    mut messages: mpsc::UnboundedReceiver<Message>,
) {
    while let Err(panic) = AssertUnwindSafe(worker.run(&mut messages)).catch_unwind().await {
        tracing::error!("the router panicked and begins anew: {}", text_of_panic(&*panic));
        worker.begin_anew(&Cause::Restart);
    }
    worker.begin_anew(&Cause::Stopping);
    worker.last_words(&mut messages).await;
}

impl<S: Source> Worker<S> {
    pub(super) fn new(source: S, bus: Bus, hub: &Hub) -> Self {
        Self {
            router: Router::default(),
            seats: ConnMap::default(),
            outbox: Outbox::new(hub.metrics().clone()),
            reads: Reads::new(source, hub.clone(), bus.reorders()),
            bus,
            hub: hub.clone(),
            epoch: None,
            asking: false,
            asked: None,
            looks: 0,
        }
    }

    async fn run(&mut self, messages: &mut mpsc::UnboundedReceiver<Message>) {
        let stopping = self.hub.stopping().clone();
        let mut taken = Vec::with_capacity(MESSAGES);
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.reads.due();
            tokio::select! {
                () = stopping.cancelled() => return,
                count = messages.recv_many(&mut taken, MESSAGES) => {
                    if count == 0 {
                        return;
                    }
                    taken.drain(..).for_each(|message| self.handle(message));
                }
                news = self.bus.next() => self.hear(news),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                _ = looks.tick() => self.look(),
                () = ready(()), if self.outbox.len() > 0 => {}
            }
            self.ask();
            self.flush(messages);
            // A long run of messages must not keep the other tasks of this thread waiting.
            tokio::task::consume_budget().await;
        }
    }

    /// Asks the bus and the log for what the router has come to need.
    fn ask(&mut self) {
        for (stream, on) in self.router.changes() {
            self.bus.interest(&stream, on);
        }
        self.reads.ask(&self.router);
    }

    /// Writes what waits by now. What is told in the meantime joins what is not written yet; the rest of that has the
    /// next turn, so there is an end to this one, however much is told.
    fn flush(&mut self, messages: &mut mpsc::UnboundedReceiver<Message>) {
        let (mut waiting, mut most) = (self.outbox.len(), JOINING);
        beside_others(waiting, || {
            while waiting > 0 {
                self.outbox.flush_first(TURN);
                waiting = waiting.saturating_sub(TURN);
                most -= self.join(messages, most);
            }
        });
    }

    /// Takes what has been told by now, so many messages at most. How many it was.
    fn join(&mut self, messages: &mut mpsc::UnboundedReceiver<Message>, most: usize) -> usize {
        let mut taken = 0;
        while taken < most.min(MESSAGES)
            && let Ok(message) = messages.try_recv()
        {
            self.handle(message);
            taken += 1;
        }
        if taken < most
            && let Some(news) = self.bus.next().now_or_never()
        {
            self.hear(news);
            taken += 1;
        }
        if taken > 0 {
            self.ask();
        }
        taken
    }

    /// Forgets everything, and asks every connection to come again.
    fn begin_anew(&mut self, cause: &Cause) {
        for (stream, on) in std::mem::take(&mut self.router).end() {
            self.bus.interest(&stream, on);
        }
        for seat in std::mem::take(&mut self.seats).into_values() {
            seat.mailbox.close(cause.clone());
        }
    }

    /// Tells other nodes of what requests in flight still commit, until nothing else of the server's faces is
    /// at work.
    async fn last_words(&mut self, messages: &mut mpsc::UnboundedReceiver<Message>) {
        let mut looks = interval(LAST_LOOK);
        loop {
            let last = self.hub.tasks().len() <= 1;
            while let Ok(message) = messages.try_recv() {
                if let Message::Committed { epoch, entries, .. } = message {
                    let entries: Vec<Arc<LogEntry>> = entries.into_iter().map(Arc::new).collect();
                    self.bus.publish(&epoch, &entries);
                }
            }
            if last {
                return;
            }
            looks.tick().await;
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Committed { epoch, entries, at } => {
                let entries: Vec<Arc<LogEntry>> = entries.into_iter().map(Arc::new).collect();
                self.bus.publish(&epoch, &entries);
                if self.is_present(&epoch) {
                    let event = |entry| Arc::new(Event::news(entry, Way::here, at));
                    let events: Vec<Arc<Event>> = entries.into_iter().map(event).collect();
                    for piece in events.chunks(PIECE) {
                        let effects = self.router.committed(piece, Origin::Here);
                        self.carry_out(effects);
                        self.outbox.flush_if_full();
                    }
                }
            }
            Message::Register { id, user, most, mailbox, answer } => {
                let room = self.router.of(&user).len() < most as usize;
                if room {
                    self.router.register(id, user);
                    self.seats.insert(id, Seat::new(mailbox));
                }
                // Whoever does not wait any more signs off next.
                answer.send(room).ok();
            }
            Message::Interest { id, streams, answer } => {
                answer.send(self.router.interest(id, &streams)).ok();
            }
            Message::Open { id, opening } => self.open(id, &opening),
            Message::Doubt(users) => {
                let ids = users.iter().flat_map(|user| self.router.of(user));
                for seat in ids.filter_map(|id| self.seats.get(id)) {
                    seat.mailbox.doubt();
                }
            }
            Message::Drained(id) => {
                let effects = self.router.drained(id);
                self.carry_out(effects);
            }
            Message::Unregister(id) => self.unregister(id),
            #[cfg(test)]
            Message::Panic => std::panic::panic_any("a test wants it"),
            Message::Found { jobs, found } => self.take_found(jobs, found),
            Message::Heads { epoch, heads } => {
                if self.is_present(&epoch) {
                    let effects = self.router.heads(&heads);
                    self.carry_out(effects);
                }
            }
            Message::Changes { epoch, changes } => {
                if self.is_present(&epoch) {
                    self.take_changes(changes);
                }
            }
            // Who asks may be gone.
            Message::Followed(answer) => drop(answer.send(self.router.followed())),
            Message::Users(answer) => drop(answer.send(self.router.users())),
            Message::Epoch(epoch) => self.take_epoch(epoch),
        }
    }

    /// Takes what other nodes have to say.
    fn hear(&mut self, news: News) {
        match news {
            News::Entries { epoch, entries } => {
                if self.is_present(&epoch) {
                    self.elsewhere(entries, Way::bus);
                }
            }
            News::Hints { epoch, hints } => {
                if self.is_present(&epoch) {
                    let effects = self.router.heads(&hints);
                    self.carry_out(effects);
                    for (stream, seq) in hints {
                        if !self.router.follows(&stream) {
                            self.reads.hint(stream, seq);
                        }
                    }
                }
            }
            News::Gap => self.hub.report_gap(),
        }
    }

    /// Takes entries that others committed.
    fn elsewhere(&mut self, entries: Vec<LogEntry>, way: Way) {
        let hub = &self.hub;
        let event = |entry: LogEntry| {
            let since = hub.instant_of(entry.at);
            Arc::new(Event::news(Arc::new(entry), way, since))
        };
        let events: Vec<Arc<Event>> = entries.into_iter().map(event).collect();
        let effects = self.router.committed(&events, Origin::Elsewhere);
        self.carry_out(effects);
    }

    /// Whether this is the present history. If not, the database is asked.
    fn is_present(&mut self, epoch: &Arc<str>) -> bool {
        let present = self.epoch.get_or_insert_with(|| epoch.clone());
        if present == epoch {
            return true;
        }
        // A node that was cut off may go on about its own history; that is no reason to ask each time.
        let just_asked = self.asked.is_some_and(|asked| asked.elapsed() < ASK_AGAIN);
        if !self.asking && !just_asked {
            self.asking = true;
            self.asked = Some(Instant::now());
            let (source, hub) = (self.reads.source().clone(), self.hub.clone());
            self.hub.tasks().spawn(async move {
                let epoch = source.epoch().await;
                hub.tell(Message::Epoch(epoch));
            });
        }
        false
    }

    fn take_epoch(&mut self, epoch: Result<Arc<str>, Error>) {
        self.asking = false;
        // If it could not be asked, whatever comes next is a reason to ask again.
        if let Ok(epoch) = epoch
            && self.epoch.as_ref() != Some(&epoch)
        {
            tracing::warn!(
                %epoch,
                before = self.epoch.as_deref(),
                "the database went over to another history; all clients begin anew"
            );
            self.epoch = Some(epoch);
            self.begin_anew(&Cause::Restart);
        }
    }

    fn open(&mut self, id: ConnId, opening: &Opening) {
        if !self.is_present(&opening.epoch) {
            return self.end(id, Cause::Restart);
        }
        self.router.note(id, opening.rev, opening.at - SLACK, &opening.left);
        let effects = self.router.open(id, &opening.starts);
        self.carry_out(effects);
    }

    fn take_changes(&mut self, changes: Vec<UserChanges>) {
        for UserChanges { user, rev, memberships } in changes {
            let standings: Vec<Standing> = memberships
                .into_iter()
                .map(|one| Standing {
                    stream: StreamKey::Group(one.group),
                    joined: one.joined_seq,
                    left: one.left_seq,
                    again: one.again,
                    head: one.head,
                })
                .collect();
            let effects = self.router.standings(&user, rev, &standings);
            self.carry_out(effects);
        }
    }

    fn take_found(&mut self, jobs: Vec<Job>, found: Result<Found, Error>) {
        self.reads.answered();
        let (epoch, lists) = match found {
            Ok(found) => found,
            Err(error) => return self.no_way_on(jobs, &error),
        };
        if !self.is_present(&epoch) {
            // Those who wait for it are asked to come again, or the answer was of the past.
            for job in jobs {
                if let Job::Read(read) = job {
                    self.reads.want(read);
                }
            }
            return;
        }
        for (job, entries) in jobs.into_iter().zip(lists) {
            self.hub.metrics().log_reads.inc_by(entries.len() as u64);
            match job {
                Job::Hint(..) => self.elsewhere(entries, Way::bus),
                Job::Read(read) => {
                    let more = i64::try_from(entries.len()).is_ok_and(|len| len >= CHUNK);
                    let news = read.is_news();
                    let hub = self.hub.clone();
                    let event = |entry: LogEntry| {
                        let since = hub.instant_of(entry.at);
                        if news {
                            Event::news(Arc::new(entry), Way::log, since)
                        } else {
                            Event::from(entry)
                        }
                    };
                    let events = entries.into_iter().map(event).map(Arc::new).collect();
                    let effects = self.router.fetched(&read, events, more);
                    self.carry_out(effects);
                }
            }
        }
    }

    fn no_way_on(&mut self, jobs: Vec<Job>, error: &Error) {
        let context = error.context.as_deref().unwrap_or(&error.text);
        tracing::error!(logs = jobs.len(), "no way on: {context}");
        for job in jobs {
            if let Job::Read(read) = job {
                let effects = self.router.fetch_failed(&read);
                self.carry_out(effects);
            }
        }
    }

    /// Looks at what is counted.
    fn look(&mut self) {
        self.looks += 1;
        if self.looks.is_multiple_of(ROUND) {
            self.router.end_of_round();
        }
        let tally = self.router.tally();
        let metrics = self.hub.metrics();
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.streams.set(whole(self.router.streams()));
        metrics.catching_up.set(whole(self.router.catching_up()));
        for (source, count) in [("memory", tally.from_memory), ("log", tally.from_log)] {
            metrics.replayed.get_or_create(&SourceLabels { source }).inc_by(count);
        }
        let found = [("event", tally.entries_found), ("membership", tally.memberships_found)];
        for (what, count) in found {
            metrics.repaired.get_or_create(&FoundLabels { what }).inc_by(count);
        }
    }
}
