//! What waits, in order: the first item lies in the queue itself, the others behind a pointer.
//!
//! Most sockets of a large fan-out have a single event, and each place in memory that belongs to one socket alone
//! costs it a wait of the processor, because thousands of others came in between.

use std::collections::VecDeque;

use super::queue::Item;

/// So many items behind the first one keep their room when they are gone.
const SPARE: usize = 4;

/// Items, first in, first out.
#[derive(Debug, Default)]
pub(super) struct Items {
    /// Empty only if there is nothing else.
    head: Option<Item>,
    tail: VecDeque<Item>,
}

impl Items {
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.head.is_some()) + self.tail.len()
    }

    pub(super) fn front(&self) -> Option<&Item> {
        self.head.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.head.iter().chain(&self.tail)
    }

    pub(super) fn push_back(&mut self, item: Item) {
        if self.head.is_none() {
            self.head = Some(item);
        } else {
            self.tail.push_back(item);
        }
    }

    pub(super) fn pop_front(&mut self) -> Option<Item> {
        let next = self.tail.pop_front();
        if next.is_none() && self.tail.capacity() > SPARE {
            self.tail = VecDeque::new();
        }
        std::mem::replace(&mut self.head, next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_goes_first_and_nothing_is_kept_for_the_empty_queue() {
        let mut items = Items::default();
        for many in [1, 2, 3, 100, 1] {
            for place in 0..many {
                items.push_back(if place % 2 == 0 { Item::Mark } else { Item::Ready });
                assert_eq!(items.len(), place + 1);
            }
            assert_eq!(items.iter().count(), many);
            for place in 0..many {
                assert!(matches!(items.front(), Some(Item::Mark)) == (place % 2 == 0));
                let taken = items.pop_front().expect("there are more");
                assert!(matches!(taken, Item::Mark) == (place % 2 == 0), "{place} of {many}");
            }
            assert!(items.pop_front().is_none() && items.is_empty() && items.front().is_none());
            assert!(items.tail.capacity() <= SPARE);
        }
    }
}
