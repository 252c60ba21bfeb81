//! The names of connections, and tables of them that lie in memory in the order of their age.
//!
//! A large fan-out goes through thousands of connections in the order of such a table. What belongs to a
//! connection, here and in the kernel, was allocated when it was made: in that order it comes from the
//! cache, in any other from memory.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

/// Names a connection of this node; they are counted up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::delivery) struct ConnId(pub(in crate::delivery) u64);

/// The number itself decides where it lies: nobody outside chooses it.
#[derive(Default)]
pub(in crate::delivery) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 << 8 | u64::from(*byte));
        }
    }

    fn write_u64(&mut self, id: u64) {
        // The table takes the place from the lower bits, and a mark that tells neighbours apart from the
        // highest seven.
        self.0 = id ^ id << 57;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Connections.
pub(super) type ConnSet = HashSet<ConnId, BuildHasherDefault<IdHasher>>;
/// Something for each connection.
pub(in crate::delivery) type ConnMap<T> = HashMap<ConnId, T, BuildHasherDefault<IdHasher>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_gone_through_in_the_order_of_their_age() {
        let mut set = ConnSet::default();
        let all: Vec<ConnId> = (5_000..5_700).map(ConnId).collect();
        set.extend(all.iter().rev());
        let mut told: Vec<ConnId> = set.iter().copied().collect();
        // The table is a ring.
        let youngest = told.iter().position(|id| id.0 == 5_699).expect("it is there");
        told.rotate_left(youngest + 1);
        assert_eq!(told, all);
    }
}
