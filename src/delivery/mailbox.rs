//! The queue between the router and one connection: bounded in frames and bytes, and never waited for.
//!
//! The router puts in and goes on. When it has nothing more to put in at the moment, it has the worker
//! *flush*: what waits is written straight to the socket, and nobody is woken for that. Only when the
//! socket does not take everything at once, or something is to be answered, the worker hands the *pen* to
//! the connection's task, which writes as fast as its client reads, and lays the pen down when nothing waits
//! any more. One lock guards the queue, the pen and every write, so whoever writes, a frame never stands in the
//! middle of another, and always what was put in first goes out first.
//!
//! When there is no room, the queue lets go of the events that it holds and hands them back: the router
//! remembers where the connection stands and leads it through the log again once it has written what is
//! left. So a slow client costs a bounded queue whatever the rate, and loses nothing. An idle queue holds hardly
//! any memory beyond itself.

mod items;
mod queue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::cause::Cause;
use super::event::Event;
use super::frame::Frame;
use super::transport::{Lost, Outlet};
use queue::{Item, Queue};
pub(super) use queue::{Limit, Rest, Written};

/// Most events in a queue.
pub(super) const FRAMES: usize = 1_024;
/// Most bytes of events in a queue.
pub(super) const BYTES: usize = 512 * 1024;

/// What a queue without room let go of.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// The events, in order; the last one is the one that found no room.
    pub(super) events: Vec<Arc<Event>>,
    /// Whether `ready` was among them.
    pub(super) ready: bool,
}

/// The queue of one connection. With the counts of its owners it fills two neighbouring lines of the
/// processor's cache: a large fan-out goes through thousands twice, and waits for each line of each.
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    /// Apart, because a fan-out wakes nobody.
    wake: Box<Notify>,
}

const _: () = assert!(size_of::<Mailbox>() + 2 * size_of::<usize>() <= 128, "see `Mailbox`");

/// Who may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pen {
    /// Whoever has something to write.
    Free,
    /// The connection's task alone.
    Task,
}

struct Inside {
    queue: Queue,
    /// The way out; none any more once the connection has ended.
    outlet: Option<Arc<dyn Outlet>>,
    /// Whether the connection has been told where it starts, and has not ended. Otherwise nothing but what it
    /// says itself is written.
    open: bool,
    pen: Pen,
    /// Whether the worker is going to flush.
    dirty: bool,
    doubted: bool,
    closed: Option<Box<Cause>>,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inside = self.inside();
        f.debug_struct("Mailbox")
            .field("queue", &inside.queue)
            .field("pen", &inside.pen)
            .field("closed", &inside.closed)
            .finish_non_exhaustive()
    }
}

impl Inside {
    /// Writes what waits. Nothing at all while the credential is in doubt.
    fn write(&mut self, limit: Limit) -> Result<Written, Lost> {
        if self.open && self.doubted {
            return Ok(Written { frames: 0, first: None, rest: Rest::Doubt });
        }
        let outlet = self.outlet.as_deref().ok_or(Lost::Broken)?;
        self.queue.write(outlet, limit)
    }

    /// Notes that there is something to flush. True when that was not known.
    fn soil(&mut self) -> bool {
        !std::mem::replace(&mut self.dirty, true)
    }
}

impl Mailbox {
    /// The queue of a connection that is not open yet: its task has the pen.
    pub(super) fn new(outlet: Arc<dyn Outlet>) -> Self {
        let inside = Inside {
            queue: Queue::default(),
            outlet: Some(outlet),
            open: false,
            pen: Pen::Task,
            dirty: false,
            doubted: false,
            closed: None,
        };
        Self { inside: Mutex::new(inside), wake: Box::default() }
    }

    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing here panics while it holds the lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // What the worker does.

    /// Puts an event in if there is room. True when there was nothing to flush before it.
    ///
    /// # Errors
    /// When there is no room.
    pub(super) fn offer(&self, event: &Arc<Event>) -> Result<bool, NoRoom> {
        let mut inside = self.inside();
        if inside.closed.is_some() {
            return Ok(false);
        }
        if !inside.queue.has_room(event) {
            return Err(NoRoom);
        }
        inside.queue.push(event);
        Ok(inside.soil())
    }

    /// Lets go of what is here but marks and what is begun.
    pub(super) fn let_go(&self) -> Dropped {
        self.inside().queue.let_go()
    }

    /// Has `ready` said once what is before is written. True when there was nothing to flush before it.
    pub(super) fn ready(&self) -> bool {
        let mut inside = self.inside();
        if inside.closed.is_some() {
            return false;
        }
        inside.queue.put(Item::Ready);
        inside.soil()
    }

    /// Puts a mark in, which the connection's task will answer.
    pub(super) fn mark(&self) {
        let mut inside = self.inside();
        if inside.closed.is_some() {
            return;
        }
        inside.queue.put(Item::Mark);
        inside.pen = Pen::Task;
        drop(inside);
        self.wake.notify_one();
    }

    /// Writes what waits if the pen is free, and hands it to the connection's task if something is left.
    /// The task finds out by itself when the socket is broken.
    pub(super) fn flush(&self) -> Option<Written> {
        let mut inside = self.inside();
        inside.dirty = false;
        // The task looks into the queue before it lays the pen down, and whoever closed or doubted woke it.
        if inside.pen == Pen::Task
            || !inside.open
            || inside.closed.is_some()
            || inside.queue.is_empty()
        {
            return None;
        }
        let written = inside.write(Limit { frames: FRAMES, bytes: BYTES });
        if !matches!(written, Ok(Written { rest: Rest::Nothing, .. })) {
            inside.pen = Pen::Task;
            drop(inside);
            self.wake.notify_one();
        }
        written.ok()
    }

    /// Lets the connection end once it has written what is here.
    pub(super) fn close(&self, cause: Cause) {
        self.inside().closed.get_or_insert_with(|| Box::new(cause));
        self.wake.notify_one();
    }

    /// Ends the connection as too slow: what it has not written is dropped, and no write is waited for.
    pub(super) fn give_up(&self) {
        let mut inside = self.inside();
        inside.queue.clear();
        inside.closed = Some(Box::new(Cause::TooSlow));
        drop(inside);
        self.wake.notify_one();
    }

    /// Has the connection look whether its credential still holds, before anything more is written to it.
    pub(super) fn doubt(&self) {
        self.inside().doubted = true;
        self.wake.notify_one();
    }

    // What the connection's task does.

    /// Takes the pen. True when the credential is in doubt; the doubt is taken out.
    pub(super) fn take_pen(&self) -> bool {
        let mut inside = self.inside();
        inside.pen = Pen::Task;
        std::mem::take(&mut inside.doubted)
    }

    /// Takes the pen, and leaves the doubt.
    pub(super) fn hold(&self) {
        self.inside().pen = Pen::Task;
    }

    /// Takes the pen and says something before everything else that waits.
    pub(super) fn say(&self, frame: Frame) {
        let mut inside = self.inside();
        inside.pen = Pen::Task;
        inside.queue.say(frame);
    }

    /// Lets events be written from now on; lays the pen down.
    pub(super) fn open(&self) {
        let mut inside = self.inside();
        inside.open = true;
        inside.pen = if inside.queue.is_empty() { Pen::Free } else { Pen::Task };
    }

    /// Writes what waits, and lays the pen down when nothing is left.
    ///
    /// # Errors
    /// When the socket is broken.
    pub(super) fn write(&self, limit: Limit) -> Result<Written, Lost> {
        let mut inside = self.inside();
        let written = inside.write(limit)?;
        if inside.open && written.rest == Rest::Nothing {
            inside.pen = Pen::Free;
        }
        Ok(written)
    }

    /// Takes out the marks that come next; says how many there were.
    pub(super) fn take_marks(&self) -> usize {
        self.inside().queue.take_marks()
    }

    /// Why the connection ends, if it does.
    pub(super) fn closed(&self) -> Option<Cause> {
        self.inside().closed.as_deref().cloned()
    }

    /// The end: what is begun is still to be written, and what the task says from now on, and nothing else.
    pub(super) fn end(&self) {
        let mut inside = self.inside();
        inside.queue.clear();
        (inside.open, inside.pen) = (false, Pen::Task);
        inside.closed.get_or_insert_with(|| Box::new(Cause::Closed));
    }

    /// Gives the way out back: from now on the connection's task alone has the socket.
    pub(super) fn cut(&self) {
        self.inside().outlet = None;
    }

    /// Waits until there is something for the connection's task to do.
    pub(super) async fn filled(&self) {
        let so = |inside: &Inside| {
            let has_work = inside.pen == Pen::Task && !inside.queue.is_empty();
            has_work || inside.closed.is_some() || inside.doubted
        };
        self.until(so).await;
    }

    /// Waits until it was too much for the queue, or for a doubt.
    pub(super) async fn disturbed(&self) {
        self.until(|inside| inside.closed.as_deref() == Some(&Cause::TooSlow) || inside.doubted)
            .await;
    }

    /// Only one task may wait at a time.
    async fn until(&self, so: impl Fn(&Inside) -> bool) {
        while !so(&self.inside()) {
            self.wake.notified().await;
        }
    }
}

/// There is no room in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoRoom;
