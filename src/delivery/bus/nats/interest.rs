//! Which subjects a node follows, as its interest in streams comes and goes.
//!
//! A pure state machine: interest goes in, subscriptions to be made and ended come out. A subscription
//! costs memory here and a place in the server's routing, so their number is bounded: of a bucket with few
//! streams each has its own, a bucket with more is followed as a whole. A stream that nobody needs any
//! more is followed a little longer, because a client that lost its connection comes back soon.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::subject::{Bucket, Subjects};
use crate::model::StreamKey;

/// Most streams of a bucket that are followed one by one.
const FEW: usize = 4;
/// How long a stream is followed on.
const LINGER: Duration = Duration::from_secs(30);

/// What has to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Follow a subject.
    Begin(String),
    /// Follow it no longer.
    End(String),
}

/// The interest of a node.
#[derive(Debug)]
pub(super) struct Interest {
    subjects: Subjects,
    buckets: HashMap<Bucket, Streams>,
}

#[derive(Debug, Default)]
struct Streams {
    /// Since when nobody needs them, if so.
    all: HashMap<StreamKey, Option<Instant>>,
    /// Whether the bucket is followed as a whole.
    wide: bool,
}

impl Interest {
    /// No interest yet.
    pub(super) fn new(subjects: Subjects) -> Self {
        Self { subjects, buckets: HashMap::new() }
    }

    /// Somebody here begins to need a stream, or nobody needs it any more.
    pub(super) fn set(&mut self, stream: StreamKey, on: bool, now: Instant) -> Vec<Step> {
        let bucket = Bucket::of(&stream);
        if !on {
            let streams = self.buckets.get_mut(&bucket);
            if let Some(since) = streams.and_then(|streams| streams.all.get_mut(&stream)) {
                since.get_or_insert(now);
            }
            return Vec::new();
        }
        let streams = self.buckets.entry(bucket).or_default();
        let subject = self.subjects.exact(&stream);
        let known = streams.all.insert(stream, None).is_some();
        if known || streams.wide {
            return Vec::new();
        }
        if streams.all.len() <= FEW {
            return vec![Step::Begin(subject)];
        }
        // First the whole, then the parts: what comes in between comes twice and is not lost.
        streams.wide = true;
        let mut steps = vec![Step::Begin(self.subjects.wide(bucket))];
        let parts = streams.all.keys().map(|stream| self.subjects.exact(stream));
        steps.extend(parts.filter(|part| *part != subject).map(Step::End));
        steps
    }

    /// Gives up what nobody has needed for a while.
    pub(super) fn sweep(&mut self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        let subjects = &self.subjects;
        self.buckets.retain(|bucket, streams| {
            let wide = streams.wide;
            streams.all.retain(|stream, since| {
                let stays = since.is_none_or(|since| now.duration_since(since) < LINGER);
                if !stays && !wide {
                    steps.push(Step::End(subjects.exact(stream)));
                }
                stays
            });
            // Not as soon as it could be: a bucket at the border is not to go back and forth.
            if wide && streams.all.len() <= FEW / 2 {
                streams.wide = false;
                let parts = streams.all.keys().map(|stream| subjects.exact(stream));
                steps.extend(parts.map(Step::Begin));
                steps.push(Step::End(subjects.wide(*bucket)));
            }
            !streams.all.is_empty()
        });
        steps
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::{GroupId, UserId};

    fn group(id: &str) -> StreamKey {
        StreamKey::Group(GroupId::from_stored(id))
    }

    /// Groups of one bucket.
    fn neighbours(count: usize) -> Vec<StreamKey> {
        let bucket = Bucket::of(&group("first"));
        let all = (0..).map(|number| group(&format!("g{number}")));
        all.filter(|stream| Bucket::of(stream) == bucket).take(count).collect()
    }

    /// What is followed, when the steps are carried out.
    #[derive(Default)]
    struct Followed(HashSet<String>);

    impl Followed {
        fn carry_out(&mut self, steps: Vec<Step>) {
            for step in steps {
                match step {
                    Step::Begin(subject) => assert!(self.0.insert(subject), "twice"),
                    Step::End(subject) => assert!(self.0.remove(&subject), "never begun"),
                }
            }
        }

        fn hears(&self, subjects: &Subjects, stream: &StreamKey) -> bool {
            self.0.contains(&subjects.exact(stream))
                || self.0.contains(&subjects.wide(Bucket::of(stream)))
        }
    }

    #[test]
    fn a_stream_is_followed_at_once_and_given_up_later() {
        let subjects = Subjects::of("i");
        let mut interest = Interest::new(subjects.clone());
        let now = Instant::now();
        let exact = subjects.exact(&group("g"));
        assert_eq!(interest.set(group("g"), true, now), [Step::Begin(exact.clone())]);
        assert_eq!(interest.set(group("g"), true, now), []);
        assert_eq!(interest.set(group("g"), false, now), []);
        assert_eq!(interest.sweep(now + LINGER / 2), []);
        // Whoever comes back in time finds it still followed.
        assert_eq!(interest.set(group("g"), true, now + LINGER / 2), []);
        assert_eq!(interest.sweep(now + LINGER * 2), []);
        interest.set(group("g"), false, now + LINGER * 2);
        assert_eq!(interest.sweep(now + LINGER * 3), [Step::End(exact)]);
        assert!(interest.buckets.is_empty());
        assert_eq!(interest.set(group("never seen"), false, now), []);
    }

    #[test]
    fn a_bucket_with_many_streams_is_followed_as_a_whole() {
        let subjects = Subjects::of("i");
        let mut interest = Interest::new(subjects.clone());
        let mut followed = Followed::default();
        let now = Instant::now();
        let streams = neighbours(50);
        for (count, stream) in streams.iter().enumerate() {
            followed.carry_out(interest.set(stream.clone(), true, now));
            assert_eq!(followed.0.len(), if count < FEW { count + 1 } else { 1 });
        }
        assert_eq!(followed.0, HashSet::from([subjects.wide(Bucket::of(&streams[0]))]));
        for stream in &streams[2..] {
            followed.carry_out(interest.set(stream.clone(), false, now));
        }
        followed.carry_out(interest.sweep(now + LINGER));
        let expected = streams[..2].iter().map(|stream| subjects.exact(stream)).collect();
        assert_eq!(followed.0, expected);
    }

    proptest! {
        /// Whatever comes and goes: what is needed is heard, nothing is begun or ended twice, and what is
        /// left in the end is nothing.
        #[test]
        fn what_is_needed_is_heard(
            deeds in proptest::collection::vec((0..12_usize, any::<bool>(), 0..20_u64), 0..200),
        ) {
            let subjects = Subjects::of("i");
            let mut interest = Interest::new(subjects.clone());
            let mut followed = Followed::default();
            let mut streams = neighbours(10);
            streams.push(group("elsewhere"));
            streams.push(StreamKey::User(UserId::from_stored("g")));
            let mut needed = HashSet::new();
            let mut now = Instant::now();
            for (place, on, seconds) in deeds {
                let stream = streams[place].clone();
                if on { needed.insert(stream.clone()); } else { needed.remove(&stream); }
                followed.carry_out(interest.set(stream, on, now));
                now += Duration::from_secs(seconds);
                followed.carry_out(interest.sweep(now));
                for stream in &needed {
                    prop_assert!(followed.hears(&subjects, stream));
                }
                prop_assert!(followed.0.len() <= FEW + 2);
            }
            for stream in streams {
                interest.set(stream, false, now);
            }
            followed.carry_out(interest.sweep(now + LINGER));
            prop_assert!(followed.0.is_empty() && interest.buckets.is_empty());
        }
    }
}
