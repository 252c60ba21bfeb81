//! The queue between the router and one connection: bounded in frames and bytes, and never waited for.
//!
//! The router puts in and goes on; the connection takes out as fast as its client reads. A queue that is
//! full closes: what it holds is dropped, and the connection ends as too slow. An idle queue holds no
//! memory beyond itself.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::cause::Cause;
use super::frame::Frame;

/// Most frames in a queue.
pub(super) const FRAMES: usize = 1_024;
/// Most bytes in a queue.
pub(super) const BYTES: usize = 1024 * 1024;

/// Something for a connection.
#[derive(Debug)]
pub(super) enum Item {
    /// To be sent.
    Frame(Frame),
    /// To be answered once everything before it is written.
    Mark,
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
    bytes: usize,
    doubted: bool,
    closed: Option<Cause>,
}

impl Mailbox {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        // Nothing here panics while it holds the lock.
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a frame in. False when this was too much for the queue, which is closed then.
    pub(super) fn push(&self, frame: Frame) -> bool {
        let mut inside = self.inside();
        if inside.closed.is_some() {
            return true;
        }
        inside.bytes += frame.size();
        let fits = inside.items.len() < FRAMES && inside.bytes <= BYTES;
        if fits {
            inside.items.push_back(Item::Frame(frame));
        } else {
            inside.items = VecDeque::new();
            inside.closed = Some(Cause::TooSlow);
        }
        drop(inside);
        self.wake.notify_one();
        fits
    }

    /// Puts a mark in.
    pub(super) fn mark(&self) {
        self.inside().items.push_back(Item::Mark);
        self.wake.notify_one();
    }

    /// Lets the connection end once it has written what is here.
    pub(super) fn close(&self, cause: Cause) {
        self.inside().closed.get_or_insert(cause);
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

    /// Takes out some frames, in order, about so many bytes. The cause when there is nothing left and
    /// nothing will come.
    pub(super) fn take(&self, frames: usize, bytes: usize) -> Result<Vec<Item>, Cause> {
        let mut inside = self.inside();
        let mut taken = Vec::new();
        let mut size = 0;
        while taken.len() < frames && size < bytes {
            let Some(item) = inside.items.pop_front() else { break };
            if let Item::Frame(frame) = &item {
                size += frame.size();
            }
            taken.push(item);
        }
        inside.bytes = inside.bytes.saturating_sub(size);
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

    fn frame(size: usize) -> Frame {
        Frame::from("x".repeat(size))
    }

    #[tokio::test]
    async fn what_goes_in_comes_out_in_order() {
        let mailbox = Mailbox::default();
        assert!(mailbox.push(frame(1)));
        mailbox.mark();
        assert!(mailbox.push(frame(2)));
        mailbox.filled().await;
        let taken = mailbox.take(10, 100).expect("open");
        assert!(matches!(&taken[..], [Item::Frame(_), Item::Mark, Item::Frame(_)]));
        assert!(mailbox.take(10, 100).expect("open").is_empty());
    }

    #[test]
    fn too_many_frames_close_it() {
        let mailbox = Mailbox::default();
        assert!((0..FRAMES).all(|_| mailbox.push(frame(1))));
        assert!(!mailbox.push(frame(1)));
        assert_eq!(mailbox.take(10, 100).expect_err("closed"), Cause::TooSlow);
    }

    #[test]
    fn too_many_bytes_close_it() {
        let mailbox = Mailbox::default();
        assert!(mailbox.push(frame(BYTES)));
        assert_eq!(mailbox.take(10, 100).expect("open").len(), 1);
        assert!(mailbox.push(frame(BYTES)), "what was taken makes room");
        assert!(!mailbox.push(frame(1)));
    }

    #[test]
    fn what_is_there_is_given_out_before_the_end() {
        let mailbox = Mailbox::default();
        mailbox.push(frame(1));
        mailbox.close(Cause::Restart);
        mailbox.close(Cause::Stopping);
        assert_eq!(mailbox.take(10, 100).expect("something is left").len(), 1);
        assert_eq!(mailbox.take(10, 100).expect_err("closed"), Cause::Restart);
    }

    #[tokio::test]
    async fn waiting_ends_with_the_first_item() {
        let mailbox = std::sync::Arc::new(Mailbox::default());
        let waiting = tokio::spawn({
            let mailbox = mailbox.clone();
            async move { mailbox.filled().await }
        });
        tokio::task::yield_now().await;
        mailbox.push(frame(1));
        waiting.await.expect("it ends");
    }
}
