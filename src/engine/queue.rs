//! Mailboxes: what waits for each group, and which lane may take it.
//!
//! A mailbox is either idle, ready (something waits and no lane has it) or busy (a lane has it). A lane
//! takes ready mailboxes in the order in which they became ready, so no group starves another; a busy
//! mailbox keeps gathering until its lane gives it back.
//!
//! A free lane takes what is ready at once if no other lane works. While others do, it lets some gather first: a
//! batch for several groups costs much less than a batch for each of them, and starting at once would make many small
//! ones. Groups are counted, not commands: those of a busy group gather by themselves, and hold up no other group. It
//! waits for no longer than [`GATHER`], whatever the others do.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};

use crate::metrics::Metrics;
use crate::model::{Command, Error, GroupId, Operation, Reason, Reply, UserId};

/// Most commands in a batch.
const COMMANDS: usize = 128;
/// Most people named in a batch, unless a single command names more.
const WEIGHT: usize = 2_000;
/// Most mailboxes in a batch.
const MAILBOXES: usize = 64;
/// Most commands that wait for one group.
const WAITING: usize = 1_000;
/// Longest time that commands gather while a lane is free.
const GATHER: Duration = Duration::from_millis(10);

/// Whose mailbox a command lies in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// A group's.
    Group(GroupId),
    /// A user's, for commands that concern no group.
    User(UserId),
}

impl Key {
    pub(super) fn of(command: &Command) -> Self {
        match (command.operation.group(), &command.operation) {
            (Some(group), _) => Self::Group(group.clone()),
            (
                None,
                Operation::PutUser { user, .. }
                | Operation::RevokeCredentials { user }
                | Operation::DeleteUser { user }
                | Operation::ForgetUser { user },
            ) => Self::User(user.clone()),
            (None, Operation::ImportUsers { users }) => {
                Self::User(users.first().map_or(&command.caller.user, |(user, _)| user).clone())
            }
            (None, _) => Self::User(command.caller.user.clone()),
        }
    }
}

/// A command that waits, and who waits for it.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) command: Arc<Command>,
    pub(super) reply: oneshot::Sender<Result<Reply, Error>>,
    pub(super) since: Instant,
    pub(super) deadline: Instant,
}

impl Pending {
    /// Answers the caller, who may have gone.
    pub(super) fn answer(self, result: Result<Reply, Error>) {
        drop(self.reply.send(result));
    }
}

/// What a lane took: mailboxes, and what lay in them, in order.
#[derive(Debug, Default)]
pub(super) struct Taken {
    pub(super) keys: Vec<Key>,
    pub(super) commands: Vec<Pending>,
}

#[derive(Default)]
struct Mailbox {
    waiting: VecDeque<Pending>,
    busy: bool,
}

#[derive(Default)]
struct Inner {
    boxes: HashMap<Key, Mailbox>,
    ready: VecDeque<Key>,
    /// Beside so many batches of equal size one more begins.
    abreast: usize,
    /// Until when a free lane lets commands gather.
    gathers_until: Option<Instant>,
    closed: bool,
}

/// All mailboxes of a server.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    something: Notify,
    metrics: Arc<Metrics>,
}

impl Queue {
    /// For so many lanes, of which half have work as a rule.
    pub(super) fn new(lanes: usize, metrics: Arc<Metrics>) -> Self {
        let inner = Inner { abreast: (lanes / 2).saturating_sub(1).max(1), ..Inner::default() };
        Self { inner: Mutex::new(inner), something: Notify::new(), metrics }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a command into its mailbox.
    pub(super) fn push(&self, pending: Pending) -> Result<(), Error> {
        let key = Key::of(&pending.command);
        let wake = {
            let mut inner = self.lock();
            if inner.closed {
                let text = "the server is stopping; try again";
                return Err(Error::new(Reason::Unavailable, text).retry_after(1));
            }
            let mailbox = inner.boxes.entry(key.clone()).or_default();
            if mailbox.waiting.len() >= WAITING {
                let text = format!("{WAITING} commands wait for this group already; try again");
                return Err(Error::new(Reason::Busy, text)
                    .limit(WAITING)
                    .current(mailbox.waiting.len())
                    .retry_after(1));
            }
            let since = pending.since;
            mailbox.waiting.push_back(pending);
            if mailbox.waiting.len() == 1 && !mailbox.busy {
                inner.ready.push_back(key);
                // Whoever lets commands gather already need not hear of each.
                inner.is_enough() || inner.gathers_until.is_none_or(|until| until <= since)
            } else {
                false
            }
        };
        self.metrics.waiting.inc();
        if wake {
            self.something.notify_last();
        }
        Ok(())
    }

    /// Waits for work; `None` when the queue is closed and empty. The lane that worked last is the first to get
    /// work again: what it needs is still warm, in its connection's process, too.
    pub(super) async fn take(&self) -> Option<Taken> {
        loop {
            let woken = self.something.notified();
            let look = self.lock().look();
            match look {
                Look::Take { taken, more } => {
                    if more {
                        self.something.notify_last();
                    }
                    self.note(&taken);
                    return Some(taken);
                }
                Look::Gather { until } => {
                    // Either there is enough, or it is time.
                    tokio::time::timeout_at(until.into(), woken).await.ok();
                }
                Look::Nothing => woken.await,
                Look::Finished => {
                    // The next lane looks, too.
                    self.something.notify_last();
                    return None;
                }
            }
        }
    }

    fn note(&self, taken: &Taken) {
        let now = Instant::now();
        for pending in &taken.commands {
            self.metrics.waiting.dec();
            let waited = now.saturating_duration_since(pending.since);
            self.metrics.lane_wait_seconds.observe(waited.as_secs_f64());
        }
    }

    /// Gives mailboxes back, with commands that have to run again before what gathered meanwhile. Wakes nobody: a lane
    /// that gives back looks for more itself.
    pub(super) fn give_back(&self, keys: Vec<Key>, again: Vec<Pending>) {
        let mut inner = self.lock();
        for pending in again.into_iter().rev() {
            self.metrics.waiting.inc();
            let key = Key::of(&pending.command);
            inner.boxes.entry(key).or_default().waiting.push_front(pending);
        }
        for key in keys {
            let Some(mailbox) = inner.boxes.get_mut(&key) else { continue };
            mailbox.busy = false;
            if mailbox.waiting.is_empty() {
                inner.boxes.remove(&key);
            } else {
                inner.ready.push_back(key);
            }
        }
    }

    /// Lets another lane look for work.
    pub(super) fn wake(&self) {
        self.something.notify_last();
    }

    /// Takes no more; lanes end when everything that waits is done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake();
    }
}

/// What a free lane finds.
enum Look {
    Take {
        taken: Taken,
        /// Whether another lane finds something, too.
        more: bool,
    },
    Gather {
        until: Instant,
    },
    Nothing,
    Finished,
}

impl Inner {
    fn look(&mut self) -> Look {
        if self.ready.is_empty() {
            let finished = self.closed && self.boxes.is_empty();
            return if finished { Look::Finished } else { Look::Nothing };
        }
        if !self.is_enough() && !self.closed {
            let now = Instant::now();
            let until = *self.gathers_until.get_or_insert(now + GATHER);
            if now < until {
                return Look::Gather { until };
            }
        }
        self.gathers_until = None;
        Look::Take { taken: self.take(), more: !self.ready.is_empty() }
    }

    /// Whether what is ready is worth a batch of its own beside those at work: as many mailboxes as each of them has, if
    /// they are `abreast`, or a full batch. It is if nothing is at work.
    fn is_enough(&self) -> bool {
        let ready = self.ready.len();
        // A mailbox with nothing in it that no lane has is gone.
        let busy = self.boxes.len() - ready;
        ready * self.abreast >= busy || ready >= MAILBOXES
    }

    fn take(&mut self) -> Taken {
        let mut taken = Taken::default();
        let mut weight = 0;
        while taken.keys.len() < MAILBOXES && taken.commands.len() < COMMANDS && weight < WEIGHT {
            let Some(key) = self.ready.pop_front() else { break };
            let Some(mailbox) = self.boxes.get_mut(&key) else { continue };
            let before = taken.commands.len();
            while taken.commands.len() < COMMANDS {
                let Some(next) = mailbox.waiting.front() else { break };
                let size = next.command.operation.weight();
                if weight > 0 && weight + size > WEIGHT {
                    break;
                }
                weight += size;
                taken.commands.extend(mailbox.waiting.pop_front());
            }
            if taken.commands.len() == before {
                // Too large for what is left of this batch: it is the next lane's first.
                self.ready.push_front(key);
                break;
            }
            mailbox.busy = true;
            taken.keys.push(key);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;
    use crate::model::Caller;

    fn pending(group: &str, users: usize) -> Pending {
        let command = Command {
            caller: Caller { user: UserId::from_stored("a"), administrator: false },
            operation: Operation::Invite {
                group: GroupId::from_stored(group),
                users: (0..users).map(|n| UserId::from_stored(&format!("u{n}"))).collect(),
                silent: false,
            },
            idempotency: None,
        };
        let (reply, _) = oneshot::channel();
        let now = Instant::now();
        Pending { command: Arc::new(command), reply, since: now, deadline: now }
    }

    fn queue() -> Queue {
        Queue::new(4, Arc::new(Metrics::new()))
    }

    /// One command each for so many groups.
    fn push_all(queue: &Queue, name: &str, count: usize) {
        for n in 0..count {
            queue.push(pending(&format!("{name}{n}"), 1)).expect("room");
        }
    }

    /// What a free lane gets at once, if anything.
    async fn at_once(queue: &Queue) -> Option<Taken> {
        let mut taken = std::pin::pin!(queue.take());
        match poll_fn(|context| Poll::Ready(taken.as_mut().poll(context))).await {
            Poll::Ready(taken) => taken,
            Poll::Pending => None,
        }
    }

    #[tokio::test]
    async fn a_group_belongs_to_one_lane_at_a_time() {
        let queue = queue();
        queue.push(pending("g", 1)).expect("room");
        let first = queue.take().await.expect("work");
        queue.push(pending("g", 1)).expect("room");
        queue.push(pending("h", 1)).expect("room");
        let second = queue.take().await.expect("work");
        assert_eq!(second.keys, [Key::Group(GroupId::from_stored("h"))]);
        queue.give_back(first.keys, Vec::new());
        let third = queue.take().await.expect("work");
        assert_eq!(third.keys, [Key::Group(GroupId::from_stored("g"))]);
        assert_eq!(third.commands.len(), 1);
    }

    #[tokio::test]
    async fn a_batch_has_bounds_and_keeps_the_order() {
        let queue = queue();
        for n in 1..=100 {
            queue.push(pending("g", n)).expect("room");
        }
        let taken = queue.take().await.expect("work");
        let sizes: Vec<usize> =
            taken.commands.iter().map(|one| one.command.operation.weight()).collect();
        assert!(sizes.iter().sum::<usize>() <= WEIGHT && sizes.len() <= COMMANDS);
        assert!(sizes.is_sorted());
        push_all(&queue, "h", MAILBOXES + 8);
        assert_eq!(queue.take().await.expect("work").keys.len(), MAILBOXES);
    }

    #[tokio::test]
    async fn a_full_mailbox_refuses_and_a_closed_queue_ends() {
        let queue = queue();
        for _ in 0..WAITING {
            queue.push(pending("g", 1)).expect("room");
        }
        assert_eq!(queue.push(pending("g", 1)).expect_err("full").reason, Reason::Busy);
        queue.close();
        assert_eq!(queue.push(pending("g", 1)).expect_err("closed").reason, Reason::Unavailable);
        while let Some(taken) = queue.take().await {
            queue.give_back(taken.keys, Vec::new());
        }
    }

    #[tokio::test]
    async fn beside_others_at_work_a_lane_lets_some_gather() {
        let queue = Queue::new(6, Arc::new(Metrics::new()));
        push_all(&queue, "a", 8);
        let first = at_once(&queue).await.expect("nobody is at work");
        assert_eq!(first.commands.len(), 8);
        push_all(&queue, "b", 3);
        assert!(at_once(&queue).await.is_none(), "three beside eight");
        push_all(&queue, "c", 1);
        let second = at_once(&queue).await.expect("half as much as is at work");
        assert_eq!(second.commands.len(), 4);
        push_all(&queue, "d", 5);
        assert!(at_once(&queue).await.is_none(), "five beside twelve");
        queue.give_back(first.keys, Vec::new());
        assert_eq!(at_once(&queue).await.expect("five beside four").commands.len(), 5);
    }

    #[tokio::test]
    async fn a_lane_lets_commands_gather_for_a_moment_only() {
        let queue = queue();
        push_all(&queue, "a", 8);
        let first = queue.take().await.expect("work");
        push_all(&queue, "b", 1);
        let begun = Instant::now();
        assert_eq!(queue.take().await.expect("time is over").commands.len(), 1);
        assert!(begun.elapsed() >= GATHER, "{:?}", begun.elapsed());
        // Others do not wait for it again, nor is anything counted twice.
        queue.give_back(first.keys, Vec::new());
        push_all(&queue, "c", 1);
        assert_eq!(at_once(&queue).await.expect("one beside one").commands.len(), 1);
    }

    #[tokio::test]
    async fn a_full_batch_waits_for_nothing() {
        let queue = queue();
        for round in 0..6 {
            push_all(&queue, &format!("{round}x"), MAILBOXES);
            let taken = at_once(&queue).await.expect("a full batch");
            assert_eq!(taken.keys.len(), MAILBOXES);
        }
    }

    #[tokio::test]
    async fn a_busy_group_does_not_hold_up_a_quiet_one() {
        let queue = queue();
        for _ in 0..50 {
            queue.push(pending("busy", 1)).expect("room");
        }
        assert_eq!(at_once(&queue).await.expect("work").commands.len(), 50);
        queue.push(pending("quiet", 1)).expect("room");
        assert_eq!(at_once(&queue).await.expect("one group beside one").commands.len(), 1);
    }

    #[tokio::test]
    async fn what_waits_for_a_busy_group_is_not_ready() {
        let queue = queue();
        push_all(&queue, "a", 2);
        let taken = queue.take().await.expect("work");
        push_all(&queue, "a", 2);
        assert!(at_once(&queue).await.is_none(), "both groups are busy");
        assert_eq!(queue.lock().ready.len(), 0);
        queue.give_back(taken.keys, taken.commands);
        assert_eq!(queue.lock().ready.len(), 2);
        assert_eq!(at_once(&queue).await.expect("work").commands.len(), 4);
        assert_eq!(queue.lock().ready.len(), 0);
    }
}
