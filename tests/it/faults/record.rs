//! What a client saw, in order, for the judge.

use std::collections::BTreeMap;

use serde::Serialize;

use super::truth::Members;

/// All that a client has to remember.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Cursor {
    pub(super) epoch: String,
    pub(super) user: i64,
    pub(super) groups: BTreeMap<String, i64>,
}

/// A group in `welcome` or `groups`.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) group: String,
    pub(super) seq: i64,
    pub(super) head: i64,
}

/// What has to be loaded again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    All,
    User(i64),
    Group(String, i64),
}

/// One thing that happened to a client.
#[derive(Clone, Debug)]
pub(super) enum Said {
    /// It connected and said hello with this cursor.
    Hello(Option<Cursor>),
    Welcome {
        epoch: String,
        user_seq: i64,
        lines: Vec<Line>,
    },
    Groups(Vec<Line>),
    Ready,
    /// An event of a group, or of the user's own stream. `taken`: the client did not remove it as a
    /// repetition.
    Event {
        group: Option<String>,
        seq: i64,
        digest: u64,
        taken: bool,
    },
    Reset {
        scope: Scope,
        why: String,
    },
    Bye(u64),
    /// The connection is over, by whomever.
    Ended,
    /// A group was loaded over REST; `None` when he is not in it.
    Loaded {
        group: String,
        list: Option<(i64, Members)>,
    },
    /// Something that no client expects.
    Strange(String),
}

/// The same with its moment, in microseconds.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) at: i64,
    pub(super) said: Said,
}

/// Everything that happened to one client.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) user: String,
    pub(super) items: Vec<Item>,
}

impl Record {
    pub(super) fn new(user: &str) -> Self {
        Self { user: user.to_owned(), items: Vec::new() }
    }

    /// Notes what happened now.
    pub(super) fn note(&mut self, said: Said) {
        self.items.push(Item { at: now(), said });
    }
}

/// The present moment in microseconds.
pub(super) fn now() -> i64 {
    chrono::Utc::now().timestamp_micros()
}
