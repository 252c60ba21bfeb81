//! The queues that something was put into, until it is written.
//!
//! All that one run of messages brings for a socket is written with one call of the kernel, straight from
//! here, and nobody is woken for it. While a large number of sockets is written to, the other tasks have
//! another thread, and what is committed meanwhile is put in, too: a socket that has not had its turn yet gets
//! both with one call. The queues keep the order, so nothing overtakes.

use std::collections::VecDeque;
use std::sync::Arc;

use prometheus_client::metrics::histogram::Histogram;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use super::super::mailbox::Mailbox;
use crate::metrics::{Metrics, Way, WayLabels};

/// So many sockets are written to while other tasks wait: a millisecond or two.
const SOCKETS: usize = 256;

/// So many frames may wait for the end of the run; with more, what waits is written at once.
const FRAMES: u64 = 65_536;

/// Queues to be flushed, in the order in which something was put in.
pub(super) struct Outbox {
    mailboxes: VecDeque<Arc<Mailbox>>,
    frames: u64,
    metrics: Arc<Metrics>,
    /// What is measured, by the way that an event came; looked up once.
    seconds: [Option<Histogram>; 3],
}

impl Outbox {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { mailboxes: VecDeque::new(), frames: 0, metrics, seconds: [const { None }; 3] }
    }

    /// Notes that there is something to flush.
    pub(super) fn push(&mut self, mailbox: &Arc<Mailbox>) {
        self.mailboxes.push_back(mailbox.clone());
    }

    /// Notes how many frames were put in.
    pub(super) fn add(&mut self, frames: u64) {
        self.frames += frames;
    }

    /// Writes what waits in one queue.
    pub(super) fn flush(&mut self, mailbox: &Mailbox) {
        let Some(written) = mailbox.flush() else { return };
        self.frames = self.frames.saturating_sub(written.frames as u64);
        let Some((way, since)) = written.first else { return };
        let place = match way {
            Way::here => 0,
            Way::bus => 1,
            Way::log => 2,
        };
        let seconds = self.seconds[place].get_or_insert_with(|| {
            self.metrics.delivery_seconds.get_or_create(&WayLabels { way }).clone()
        });
        seconds.observe(since.elapsed().as_secs_f64());
    }

    /// How many queues wait.
    pub(super) fn len(&self) -> usize {
        self.mailboxes.len()
    }

    /// Writes what waits if it is much.
    pub(super) fn flush_if_full(&mut self) {
        if self.frames >= FRAMES {
            beside_others(self.len(), || self.flush_first(usize::MAX));
        }
    }

    /// Writes what waits in so many queues, from the first one on.
    pub(super) fn flush_first(&mut self, most: usize) {
        for _ in 0..most.min(self.len()) {
            let Some(mailbox) = self.mailboxes.pop_front() else { break };
            self.flush(&mailbox);
        }
        if self.mailboxes.is_empty() {
            self.frames = 0;
        }
    }
}

/// Writes to so many sockets; to more than a few while the other tasks have another thread. That is better than to
/// let them have their turn in between: each time this task would go on at another core, whose cache knows nothing
/// of it.
pub(super) fn beside_others(sockets: usize, write: impl FnOnce()) {
    if sockets > SOCKETS && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        block_in_place(write);
    } else {
        write();
    }
}
