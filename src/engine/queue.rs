//! Mailboxes: what waits for each group, and which lane may take it.
//!
//! A mailbox is either idle, ready (something waits and no lane has it) or busy (a lane has it). A lane
//! takes ready mailboxes in the order in which they became ready, so no group starves another; a busy
//! mailbox keeps gathering until its lane gives it back.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Notify, oneshot};

use crate::metrics::Metrics;
use crate::model::{Command, Error, GroupId, Operation, Reason, Reply, UserId};

/// Most commands in a batch.
const COMMANDS: usize = 64;
/// Most people named in a batch, unless a single command names more.
const WEIGHT: usize = 2_000;
/// Most mailboxes in a batch.
const MAILBOXES: usize = 32;
/// Most commands that wait for one group.
const WAITING: usize = 1_000;

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
    closed: bool,
}

/// All mailboxes of a server.
pub(super) struct Queue {
    inner: Mutex<Inner>,
    something: Notify,
    metrics: Arc<Metrics>,
}

impl Queue {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { inner: Mutex::default(), something: Notify::new(), metrics }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here panics while it holds the lock.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a command into its mailbox.
    pub(super) fn push(&self, pending: Pending) -> Result<(), Error> {
        let key = Key::of(&pending.command);
        {
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
            mailbox.waiting.push_back(pending);
            if mailbox.waiting.len() == 1 && !mailbox.busy {
                inner.ready.push_back(key);
            }
        }
        self.metrics.waiting.inc();
        self.something.notify_last();
        Ok(())
    }

    /// Waits for work; `None` when the queue is closed and empty. The lane that worked last is the first to get
    /// work again: what it needs is still warm, in its connection's process, too.
    pub(super) async fn take(&self) -> Option<Taken> {
        loop {
            let woken = self.something.notified();
            let (taken, more, finished) = {
                let mut inner = self.lock();
                let taken = inner.take();
                (taken, !inner.ready.is_empty(), inner.closed && inner.boxes.is_empty())
            };
            if !taken.commands.is_empty() {
                if more {
                    self.something.notify_last();
                }
                self.note(&taken);
                return Some(taken);
            }
            if finished {
                // The next lane looks, too.
                self.something.notify_last();
                return None;
            }
            woken.await;
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

    /// Gives mailboxes back, with commands that have to run again before what gathered meanwhile.
    pub(super) fn give_back(&self, keys: Vec<Key>, again: Vec<Pending>) {
        let mut wake = false;
        {
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
                    wake = true;
                }
            }
            wake |= inner.closed && inner.boxes.is_empty();
        }
        if wake {
            self.something.notify_last();
        }
    }

    /// Takes no more; lanes end when everything that waits is done.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.something.notify_last();
    }
}

impl Inner {
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
        Queue::new(Arc::new(Metrics::new()))
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
        for n in 0..40 {
            queue.push(pending(&format!("h{n}"), 1)).expect("room");
        }
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
}
