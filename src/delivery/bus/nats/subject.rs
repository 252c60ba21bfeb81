//! Names of subjects: `muster.<instance>.g.<bucket>.<id>` for a group, `…u.<bucket>.<id>` for a person.
//!
//! The id is in base64, because it may hold what means something in a subject. Streams are spread over
//! so many buckets, so that a node that follows a great many streams can follow whole buckets instead
//! and has a bounded number of subscriptions. All nodes of a database must name and spread alike: what
//! stands here cannot change without a new word in the subject.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::model::StreamKey;

/// Buckets of groups, and as many of people.
const BUCKETS: u32 = 1_024;

/// A bucket of groups or of people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bucket {
    sort: char,
    number: u32,
}

impl Bucket {
    /// Where a stream is.
    pub(super) fn of(stream: &StreamKey) -> Self {
        let (sort, id) = parts(stream);
        Self { sort, number: fnv(id.as_bytes()) % BUCKETS }
    }
}

/// The subjects of one database.
#[derive(Clone, Debug)]
pub(super) struct Subjects {
    instance: String,
}

impl Subjects {
    /// The instance must not hold dots, stars or white space.
    pub(super) fn of(instance: &str) -> Self {
        Self { instance: instance.to_owned() }
    }

    /// Where every node says that it lives.
    pub(super) fn beat(&self) -> String {
        format!("muster.{}.beat", self.instance)
    }

    /// Where a stream's entries are said.
    pub(super) fn exact(&self, stream: &StreamKey) -> String {
        let Bucket { sort, number } = Bucket::of(stream);
        let (_, id) = parts(stream);
        format!("muster.{}.{sort}.{number}.{}", self.instance, URL_SAFE_NO_PAD.encode(id))
    }

    /// Where the entries of all streams of a bucket are said.
    pub(super) fn wide(&self, bucket: Bucket) -> String {
        format!("muster.{}.{}.{}.*", self.instance, bucket.sort, bucket.number)
    }
}

fn parts(stream: &StreamKey) -> (char, &str) {
    match stream {
        StreamKey::Group(id) => ('g', id.as_str()),
        StreamKey::User(id) => ('u', id.as_str()),
    }
}

/// FNV-1a: spreads well enough, and is the same in every version of everything.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::model::{GroupId, UserId};

    fn group(id: &str) -> StreamKey {
        StreamKey::Group(GroupId::from_stored(id))
    }

    /// Nodes of different versions must meet.
    #[test]
    fn subjects_stay_what_they_are() {
        let subjects = Subjects::of("0a-1");
        assert_eq!(subjects.exact(&group("@TGS#_a.b *>")), "muster.0a-1.g.788.QFRHUyNfYS5iICo-");
        let user = StreamKey::User(UserId::from_stored("alice"));
        assert_eq!(subjects.exact(&user), "muster.0a-1.u.999.YWxpY2U");
        assert_eq!(subjects.wide(Bucket::of(&user)), "muster.0a-1.u.999.*");
        assert_eq!(subjects.beat(), "muster.0a-1.beat");
    }

    #[test]
    fn any_id_makes_a_subject_of_five_plain_words() {
        let all: String = (' '..='~').collect();
        let subjects = Subjects::of("i");
        for id in all.as_bytes().chunks(48).map(|id| str::from_utf8(id).expect("ASCII")) {
            let subject = subjects.exact(&group(id));
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            assert!(subject.chars().all(plain) && subject.split('.').count() == 5, "{subject}");
        }
    }

    #[test]
    fn streams_are_spread_over_all_buckets() {
        let buckets: HashSet<Bucket> =
            (0..20_000).map(|number| Bucket::of(&group(&format!("g{number}")))).collect();
        assert_eq!(buckets.len(), 1_024);
    }
}
