//! What waits to be written to one connection, in order, and how far that has got.
//!
//! A frame of which a part is written goes first, whatever is let go of meanwhile: a frame never stands in
//! the middle of another. Then comes what the connection itself says, then the events. A mark stops the
//! writing, so that whoever writes knows when everything before it is written.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::Arc;

use tokio::time::Instant;

use super::items::Items;
use super::{BYTES, Dropped, FRAMES};
use crate::delivery::event::Event;
use crate::delivery::frame::Frame;
use crate::delivery::transport::{Lost, Outlet};
use crate::delivery::wire::READY;
use crate::metrics::Way;

/// Most frames in one call of the kernel.
const SLICES: usize = 64;
/// About so many bytes in one call of the kernel.
const SLICE_BYTES: usize = 64 * 1024;

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
    fn frame(&self) -> Option<&Frame> {
        match self {
            Self::Event(event) => Some(event.frame()),
            Self::Ready => Some(&READY),
            Self::Mark => None,
        }
    }
}

/// Why no more was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::delivery) enum Rest {
    /// Nothing waits.
    Nothing,
    /// Next comes a mark.
    Mark,
    /// There is no room at the moment.
    Blocked,
    /// It was enough for this time.
    Enough,
    /// The credential is in doubt.
    Doubt,
}

/// What was written.
#[derive(Debug)]
pub(in crate::delivery) struct Written {
    /// So many frames to their ends.
    pub(in crate::delivery) frames: usize,
    /// How the first news among them came and when its change was made.
    pub(in crate::delivery) first: Option<(Way, Instant)>,
    /// Why no more.
    pub(in crate::delivery) rest: Rest,
}

/// How much may be written.
#[derive(Clone, Copy, Debug)]
pub(in crate::delivery) struct Limit {
    /// Most frames.
    pub(in crate::delivery) frames: usize,
    /// About so many bytes.
    pub(in crate::delivery) bytes: usize,
}

/// What waits for one connection. Small: a large fan-out goes through thousands of them, and most of them
/// have a single event.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// What goes before the items; rarely anything.
    first: Option<Box<First>>,
    items: Items,
    /// Among the items.
    events: u32,
    /// Of the events.
    bytes: u32,
}

#[derive(Debug, Default)]
struct First {
    /// A frame of which so many bytes are written.
    begun: Option<(Frame, usize)>,
    /// What the connection itself says.
    own: VecDeque<Frame>,
}

impl First {
    fn frames(&self) -> impl Iterator<Item = &[u8]> {
        let begun = self.begun.iter().map(|(frame, at)| &frame.bytes()[*at..]);
        begun.chain(self.own.iter().map(Frame::bytes))
    }

    fn is_empty(&self) -> bool {
        self.begun.is_none() && self.own.is_empty()
    }

    /// Takes out what is written of the next frame; how many bytes more were written than that.
    fn advance(&mut self, bytes: usize, written: &mut Written) -> usize {
        let begun = self.begun.take();
        let next = begun.or_else(|| self.own.pop_front().map(|frame| (frame, 0)));
        let Some((frame, at)) = next else { return bytes };
        let left = frame.size() - at;
        if bytes < left {
            self.begun = Some((frame, at + bytes));
            return 0;
        }
        written.frames += 1;
        bytes - left
    }
}

/// In the little room that a queue has for it; only what found [room](Queue::has_room) is put in.
fn size(event: &Event) -> u32 {
    u32::try_from(event.size()).unwrap_or(u32::MAX)
}

impl Queue {
    /// Whether nothing waits, not even a mark.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.items.is_empty()
    }

    /// Whether there is room for this event, too.
    pub(super) fn has_room(&self, event: &Event) -> bool {
        (self.events as usize) < FRAMES && self.bytes as usize + event.size() <= BYTES
    }

    pub(super) fn push(&mut self, event: &Arc<Event>) {
        self.events += 1;
        self.bytes += size(event);
        self.items.push_back(Item::Event(event.clone()));
    }

    pub(super) fn put(&mut self, item: Item) {
        self.items.push_back(item);
    }

    pub(super) fn say(&mut self, frame: Frame) {
        self.first.get_or_insert_default().own.push_back(frame);
    }

    /// Lets go of everything but marks and what is begun.
    pub(super) fn let_go(&mut self) -> Dropped {
        let mut dropped = Dropped::default();
        let mut items = std::mem::take(&mut self.items);
        while let Some(item) = items.pop_front() {
            match item {
                Item::Event(event) => dropped.events.push(event),
                Item::Ready => dropped.ready = true,
                Item::Mark => self.items.push_back(item),
            }
        }
        (self.events, self.bytes) = (0, 0);
        dropped
    }

    /// Forgets everything but what is begun and what the connection itself says.
    pub(super) fn clear(&mut self) {
        self.items = Items::default();
        (self.events, self.bytes) = (0, 0);
    }

    /// Takes out the marks that come next; says how many there were.
    pub(super) fn take_marks(&mut self) -> usize {
        let mut marks = 0;
        while self.next_is_mark() {
            self.items.pop_front();
            marks += 1;
        }
        marks
    }

    /// Writes as much as there is room for, up to the limit or a mark.
    pub(super) fn write(&mut self, outlet: &dyn Outlet, limit: Limit) -> Result<Written, Lost> {
        let mut written = Written { frames: 0, first: None, rest: Rest::Nothing };
        let mut left = limit;
        while !self.is_empty() {
            let tried = if self.first.is_none() && self.items.len() == 1 {
                self.try_write::<1>(outlet, left)
            } else {
                self.try_write::<SLICES>(outlet, left)
            };
            let (taken, size) = match tried {
                Ok((_, 0)) => {
                    written.rest = if self.next_is_mark() { Rest::Mark } else { Rest::Enough };
                    return Ok(written);
                }
                Ok((taken, size)) if taken > 0 => (taken, size),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (0, 1),
                Ok(_) | Err(_) => return Err(Lost::Broken),
            };
            self.advance(taken, &mut written);
            if taken < size {
                written.rest = Rest::Blocked;
                return Ok(written);
            }
            left.frames = limit.frames.saturating_sub(written.frames);
            left.bytes = left.bytes.saturating_sub(taken);
        }
        Ok(written)
    }

    /// Writes once, what goes next in order. How many bytes were taken, and of how many.
    fn try_write<const N: usize>(
        &self,
        outlet: &dyn Outlet,
        limit: Limit,
    ) -> io::Result<(usize, usize)> {
        let first = self.first.iter().flat_map(|first| first.frames());
        let items = self.items.iter().map_while(Item::frame).map(Frame::bytes);
        let mut slices = [IoSlice::new(&[]); N];
        let (mut count, mut size) = (0, 0);
        for bytes in first.chain(items).take(N.min(limit.frames)) {
            if size >= limit.bytes.min(SLICE_BYTES) {
                break;
            }
            slices[count] = IoSlice::new(bytes);
            count += 1;
            size += bytes.len();
        }
        if size == 0 {
            return Ok((0, 0));
        }
        outlet.try_write(&slices[..count]).map(|taken| (taken, size))
    }

    fn next_is_mark(&self) -> bool {
        self.first.is_none() && matches!(self.items.front(), Some(Item::Mark))
    }

    /// Takes out what is written: so many bytes more.
    fn advance(&mut self, mut bytes: usize, written: &mut Written) {
        while let Some(first) = &mut self.first
            && bytes > 0
        {
            bytes = first.advance(bytes, written);
            if first.is_empty() {
                self.first = None;
            }
        }
        while bytes > 0
            && let Some(item) = self.items.pop_front()
        {
            if let Item::Event(event) = &item {
                self.events -= 1;
                self.bytes -= size(event);
                written.first = written.first.or_else(|| event.timed());
            }
            let Some(frame) = item.frame() else { break };
            if bytes < frame.size() {
                self.first.get_or_insert_default().begun = Some((frame.clone(), bytes));
                break;
            }
            bytes -= frame.size();
            written.frames += 1;
        }
    }
}
