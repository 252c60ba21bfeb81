//! The queue between the router and one connection: bounded in frames and bytes, and never waited for.
//!
//! The router puts in and goes on; the connection takes out as fast as its client reads. When there is no
//! room, the queue lets go of the events that it holds and hands them back: the router remembers where the
//! connection stands and leads it through the log again once it has written what is left. So a slow client
//! costs a bounded queue whatever the rate, and loses nothing. An idle queue holds no memory beyond itself.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use super::cause::Cause;
use super::event::Event;
use super::frame::Frame;
use super::wire::READY;
use crate::metrics::Way;

/// Most events in a queue.
pub(super) const FRAMES: usize = 1_024;
/// Most bytes of events in a queue.
pub(super) const BYTES: usize = 512 * 1024;

/// Something for a connection.
#[derive(Debug)]
pub(super) enum Item {
    /// To be sent.
    Event(Arc<Event>),
    /// `ready`, to be sent.
    Ready,
    /// To be answered once everything before it is written.
    Mark,
}

impl Item {
    /// What goes over the wire.
    pub(super) fn frame(&self) -> Option<Frame> {
        match self {
            Self::Event(event) => Some(event.frame()),
            Self::Ready => Some(READY.into()),
            Self::Mark => None,
        }
    }

    /// How it came and when its change was made, if it is news.
    pub(super) fn timed(&self) -> Option<(Way, Instant)> {
        match self {
            Self::Event(event) => event.timed(),
            Self::Ready | Self::Mark => None,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Event(event) => event.size(),
            Self::Ready | Self::Mark => 0,
        }
    }
}

/// What a queue without room let go of.
#[derive(Debug, Default)]
pub(super) struct Dropped {
    /// The events, in order; the last one is the one that found no room.
    pub(super) events: Vec<Arc<Event>>,
    /// Whether `ready` was among them.
    pub(super) ready: bool,
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inside: Mutex<Inside>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Inside {
    items: VecDeque<Item>,
    events: usize,
    bytes: usize,
    doubted: bool,
    closed: Option<Cause>,
}

impl Inside {
    /// Lets go of everything but marks.
    fn let_go(&mut self) -> Dropped {
        let mut dropped = Dropped::default();
        for item in std::mem::take(&mut self.items) {
            match item {
                Item::Event(event) => dropped.events.push(event),
                Item::Ready => dropped.ready = true,
                Item::Mark => self.items.push_back(item),
            }
        }
        (self.events, self.bytes) = (0, 0);
        dropped
    }
}

impl Mailbox {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing here panics while it holds the lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an event in.
    ///
    /// # Errors
    /// When there is no room: what the queue let go of, this event included.
    pub(super) fn push(&self, event: &Arc<Event>) -> Result<(), Dropped> {
        let mut inside = self.inside();
        if inside.closed.is_some() {
            return Ok(());
        }
        inside.events += 1;
        inside.bytes += event.size();
        if inside.events > FRAMES || inside.bytes > BYTES {
            let mut dropped = inside.let_go();
            dropped.events.push(event.clone());
            return Err(dropped);
        }
        inside.items.push_back(Item::Event(event.clone()));
        drop(inside);
        self.wake.notify_one();
        Ok(())
    }

    /// Lets go of what is here but marks.
    pub(super) fn let_go(&self) -> Dropped {
        self.inside().let_go()
    }

    /// Has the connection say `ready` once it has written what is before.
    pub(super) fn ready(&self) {
        self.put(Item::Ready);
    }

    /// Puts a mark in.
    pub(super) fn mark(&self) {
        self.put(Item::Mark);
    }

    fn put(&self, item: Item) {
        self.inside().items.push_back(item);
        self.wake.notify_one();
    }

    /// Lets the connection end once it has written what is here.
    pub(super) fn close(&self, cause: Cause) {
        self.inside().closed.get_or_insert(cause);
        self.wake.notify_one();
    }

    /// Ends the connection as too slow: what it has not written is dropped, and no write is waited for.
    pub(super) fn give_up(&self) {
        let mut inside = self.inside();
        inside.items = VecDeque::new();
        inside.closed = Some(Cause::TooSlow);
        drop(inside);
        self.wake.notify_one();
    }

    /// Has the connection look whether its credential still holds, before it writes anything more.
    pub(super) fn doubt(&self) {
        self.inside().doubted = true;
        self.wake.notify_one();
    }

    /// Whether the credential is in doubt; the doubt is taken out.
    pub(super) fn take_doubt(&self) -> bool {
        std::mem::take(&mut self.inside().doubted)
    }

    /// Waits until there is something to take, or a doubt.
    pub(super) async fn filled(&self) {
        self.until(|inside| !inside.items.is_empty() || inside.closed.is_some() || inside.doubted)
            .await;
    }

    /// Waits until it was too much for the queue, or for a doubt.
    pub(super) async fn disturbed(&self) {
        self.until(|inside| inside.closed == Some(Cause::TooSlow) || inside.doubted).await;
    }

    /// Only one task may wait at a time.
    async fn until(&self, so: impl Fn(&Inside) -> bool) {
        while !so(&self.inside()) {
            self.wake.notified().await;
        }
    }

    /// Takes out some items, in order, about so many bytes. The cause when there is nothing left and
    /// nothing will come.
    pub(super) fn take(&self, items: usize, bytes: usize) -> Result<Vec<Item>, Cause> {
        let mut inside = self.inside();
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < items && size < bytes {
            let Some(item) = inside.items.pop_front() else { break };
            size += item.size();
            inside.events -= usize::from(matches!(item, Item::Event(_)));
            taken.push(item);
        }
        inside.bytes -= size;
        if inside.items.is_empty() {
            inside.items = VecDeque::new();
        }
        match &inside.closed {
            Some(cause) if taken.is_empty() => Err(cause.clone()),
            _ => Ok(taken),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::GroupEvent;
    use crate::model::{GroupId, Moment, UserId};

    /// An event whose frame has about this many bytes.
    fn event(size: usize) -> Arc<Event> {
        let (op, reason) = (UserId::from_stored("op"), "x".repeat(size));
        let kick = GroupEvent::Kicked { op, members: Vec::new(), reason, silent: false };
        let entry = kick.entry(&GroupId::from_stored("g"), 1, Moment::UNIX_EPOCH);
        Arc::new(Event::from(entry))
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_in_order() {
        let mailbox = Mailbox::default();
        mailbox.push(&event(1)).expect("room");
        mailbox.mark();
        mailbox.push(&event(2)).expect("room");
        mailbox.ready();
        mailbox.filled().await;
        let taken = mailbox.take(10, 10_000).expect("open");
        let [Item::Event(_), Item::Mark, Item::Event(_), Item::Ready] = &taken[..] else {
            panic!("{taken:?}")
        };
        assert!(mailbox.take(10, 10_000).expect("open").is_empty());
    }

    #[test]
    fn too_many_events_are_handed_back_and_marks_stay() {
        let mailbox = Mailbox::default();
        let one = event(1);
        mailbox.mark();
        mailbox.ready();
        assert!((0..FRAMES).all(|_| mailbox.push(&one).is_ok()));
        let dropped = mailbox.push(&one).expect_err("no room");
        assert_eq!((dropped.events.len(), dropped.ready), (FRAMES + 1, true));
        assert!(matches!(mailbox.take(10, 10_000).expect("open")[..], [Item::Mark]));
        mailbox.push(&one).expect("there is room again");
    }

    #[test]
    fn too_many_bytes_are_handed_back() {
        let mailbox = Mailbox::default();
        mailbox.push(&event(BYTES - 500)).expect("room");
        assert_eq!(mailbox.take(10, 100).expect("open").len(), 1);
        mailbox.push(&event(BYTES - 500)).expect("what was taken makes room");
        assert_eq!(mailbox.push(&event(501)).expect_err("no room").events.len(), 2);
    }

    #[test]
    fn what_is_there_is_given_out_before_the_end() {
        let mailbox = Mailbox::default();
        mailbox.push(&event(1)).expect("room");
        mailbox.close(Cause::Restart);
        mailbox.close(Cause::Stopping);
        assert_eq!(mailbox.take(10, 100).expect("something is left").len(), 1);
        assert_eq!(mailbox.take(10, 100).expect_err("closed"), Cause::Restart);
    }

    #[test]
    fn who_is_given_up_gets_nothing_more() {
        let mailbox = Mailbox::default();
        mailbox.push(&event(1)).expect("room");
        mailbox.give_up();
        assert_eq!(mailbox.take(10, 100).expect_err("closed"), Cause::TooSlow);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_first_item() {
        let mailbox = Arc::new(Mailbox::default());
        let waiting = tokio::spawn({
            let mailbox = mailbox.clone();
            async move { mailbox.filled().await }
        });
        tokio::task::yield_now().await;
        mailbox.push(&event(1)).expect("room");
        waiting.await.expect("it ends");
    }
}
