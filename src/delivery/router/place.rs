//! Where a connection stands in a stream before it is at the end of the log.

use crate::model::LogEntry;

use super::conns::Conn;

/// Where a connection stands that is not at the end of the log.
#[derive(Debug)]
pub(super) struct Place {
    /// The last entry that is settled for it: sent, or not meant for it.
    pub(super) at: i64,
    /// It has not caught up before this one.
    pub(super) until: i64,
    /// When its membership ended at `until`: nothing up to this one is meant for it.
    pub(super) head: i64,
    /// Whether its user is a member behind `at`.
    pub(super) member: bool,
}

impl Place {
    /// Takes the next entry. True when the connection gets it.
    pub(super) fn step(&mut self, entry: &LogEntry, conn: &Conn) -> bool {
        let told = if self.member {
            self.member = !entry.ends.includes(&conn.user);
            true
        } else {
            self.member = entry.starts.contains(&conn.user) && entry.at >= conn.since;
            self.member
        };
        self.at = entry.seq;
        if self.at == self.until && self.until < self.head {
            self.at = self.head;
            self.member = false;
        }
        told
    }
}
