//! The connections that the router knows, by their ids and by their users.

use std::collections::{HashMap, HashSet};

use crate::model::{Moment, StreamKey, UserId};

use super::ids::ConnMap;
use super::{Bounds, ConnId};

/// One connection.
#[derive(Debug)]
pub(super) struct Conn {
    /// Whose it is.
    pub(super) user: UserId,
    /// Whether it has been told where it starts; before that nothing is sent to it.
    pub(super) open: bool,
    /// Whether it has been told that its replay is done.
    pub(super) ready: bool,
    /// Memberships that began before this were known to the database when it opened.
    pub(super) since: Moment,
    /// Every stream that has this connection in one of its tables.
    pub(super) streams: HashSet<StreamKey>,
    /// The streams in which it does not stand at the end of the log.
    pub(super) apart: HashSet<StreamKey>,
    /// The last entry that it got of groups that its user was in and left while it was open.
    left: HashMap<StreamKey, i64>,
    paused: bool,
    frames_left: usize,
    bytes_left: usize,
}

impl Conn {
    fn new(user: UserId, bounds: &Bounds) -> Self {
        Self {
            user,
            open: false,
            ready: false,
            since: Moment::UNIX_EPOCH,
            streams: HashSet::new(),
            apart: HashSet::new(),
            left: HashMap::new(),
            paused: false,
            frames_left: bounds.window_frames,
            bytes_left: bounds.window_bytes,
        }
    }

    /// Notes that one of the tables of a stream has it.
    pub(super) fn enter(&mut self, stream: &StreamKey) {
        self.left.remove(stream);
        self.streams.insert(stream.clone());
    }

    /// Notes that it got its last entry of a stream, of which no table has it any more. Of more than `most`
    /// nothing is remembered: then an entry that comes again may be sent again.
    pub(super) fn leave(&mut self, stream: &StreamKey, seq: i64, most: usize) {
        self.streams.remove(stream);
        self.knows_end(stream, seq, most);
    }

    /// Notes that its client knows of a membership that ended with this entry.
    pub(super) fn knows_end(&mut self, stream: &StreamKey, seq: i64, most: usize) {
        if self.left.len() >= most {
            self.left.clear();
        }
        self.left.insert(stream.clone(), seq);
    }

    /// The last entry that it got of a stream that it has left.
    pub(super) fn left_at(&self, stream: &StreamKey) -> Option<i64> {
        self.left.get(stream).copied()
    }

    /// Whether something may be replayed to it now.
    pub(super) fn takes_replay(&self) -> bool {
        self.open && !self.paused
    }

    /// Counts a replayed frame. True when the window is used up: the replay pauses until the connection
    /// says that its queue is empty again.
    pub(super) fn charge(&mut self, bytes: usize) -> bool {
        self.frames_left = self.frames_left.saturating_sub(1);
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.paused = self.frames_left == 0 || self.bytes_left == 0;
        self.paused
    }

    /// Lets no replay go on until the connection says that its queue is empty. False when that is so already.
    pub(super) fn pause(&mut self) -> bool {
        !std::mem::replace(&mut self.paused, true)
    }

    /// Opens the window again.
    pub(super) fn resume(&mut self, bounds: &Bounds) {
        self.paused = false;
        self.frames_left = bounds.window_frames;
        self.bytes_left = bounds.window_bytes;
    }
}

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Conns {
    by_id: ConnMap<Conn>,
    by_user: HashMap<UserId, Vec<ConnId>>,
    /// How many changes of his memberships are known here to all connections of a user, as far as any has
    /// opened.
    revs: HashMap<UserId, i64>,
}

impl Conns {
    pub(super) fn add(&mut self, id: ConnId, user: UserId, bounds: &Bounds) {
        self.by_user.entry(user.clone()).or_default().push(id);
        self.by_id.insert(id, Conn::new(user, bounds));
    }

    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        let conn = self.by_id.remove(&id)?;
        if let Some(ids) = self.by_user.get_mut(&conn.user) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.by_user.remove(&conn.user);
                self.revs.remove(&conn.user);
            }
        }
        Some(conn)
    }

    pub(super) fn get(&self, id: ConnId) -> Option<&Conn> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        self.by_id.get_mut(&id)
    }

    /// Notes up to which change of its user's memberships a connection knows them. Another one may know less.
    pub(super) fn know(&mut self, id: ConnId, rev: i64) {
        if let Some(conn) = self.by_id.get(&id) {
            let known = self.revs.entry(conn.user.clone()).or_insert(rev);
            *known = rev.min(*known);
        }
    }

    /// Notes that all connections of a user know his memberships up to this change.
    pub(super) fn catch_up(&mut self, user: &UserId, rev: i64) {
        if let Some(known) = self.revs.get_mut(user) {
            *known = rev.max(*known);
        }
    }

    /// The users of open connections, each with the change up to which his memberships are known.
    pub(super) fn users(&self) -> Vec<(UserId, i64)> {
        self.revs.iter().map(|(user, rev)| (user.clone(), *rev)).collect()
    }

    /// How many connections do not stand at the end of all their streams.
    pub(super) fn catching_up(&self) -> usize {
        self.by_id.values().filter(|conn| conn.open && !conn.apart.is_empty()).count()
    }

    /// The connections of a user.
    pub(super) fn of(&self, user: &UserId) -> &[ConnId] {
        self.by_user.get(user).map_or(&[], Vec::as_slice)
    }
}
