//! Whether what was acknowledged is what there is: members, counters and events, as the server tells them.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context as _, ensure};

use super::caller::{Caller, Request};
use super::site::Server;

/// Events in a page.
const PAGE: u64 = 1_000;
/// Of so many calls one is looked at closer.
const SAMPLE: u64 = 997;

/// What was acknowledged for each of some groups that were new.
#[derive(Debug)]
pub(super) struct Acknowledged {
    /// How the groups are called, before their number.
    prefix: String,
    /// Calls for each group.
    calls: Vec<AtomicU64>,
    /// People in each call.
    size: u64,
    /// Some of those who were invited.
    people: Mutex<Vec<String>>,
    /// Calls whose end is not known.
    unknown: AtomicU64,
}

impl Acknowledged {
    pub(super) fn new(prefix: String, groups: u64, size: u64) -> Self {
        let calls = (0..groups).map(|_| AtomicU64::new(0)).collect();
        Self { prefix, calls, size, people: Mutex::default(), unknown: AtomicU64::new(0) }
    }

    /// Notes a call with this number into this group; `person` was invited in it.
    pub(super) fn note(&self, number: u64, group: u64, person: impl FnOnce() -> String) {
        if let Some(calls) = usize::try_from(group).ok().and_then(|at| self.calls.get(at)) {
            calls.fetch_add(1, Ordering::Relaxed);
        }
        if number.is_multiple_of(SAMPLE)
            && let Ok(mut people) = self.people.lock()
        {
            people.push(person());
        }
    }

    /// Notes a call that may have been done or not.
    pub(super) fn unknown(&self) {
        self.unknown.fetch_add(1, Ordering::Relaxed);
    }

    /// Compares with what the server says. Returns what was compared.
    ///
    /// # Errors
    /// The first thing that is not as it was acknowledged.
    pub(super) async fn check(&self, server: &Server) -> anyhow::Result<String> {
        let mut admin = Caller::connect(&server.address, &server.token("administrator")?).await?;
        let mut spare = self.unknown.load(Ordering::Relaxed);
        let (mut events, mut members) = (0, 0);
        for (group, calls) in self.calls.iter().enumerate() {
            let calls = calls.load(Ordering::Relaxed);
            let id = format!("{}{group}", self.prefix);
            let (seq, count) = head(&mut admin, &id).await?;
            // The first event and the first member are the owner's.
            let (done, joined) = (seq.saturating_sub(1), count.saturating_sub(1));
            let more = done.checked_sub(calls).filter(|more| *more <= spare);
            let more = more.with_context(|| {
                format!("{id}: {calls} calls were acknowledged, its log has {done}")
            })?;
            spare -= more;
            ensure!(
                joined == done * self.size,
                "{id}: {done} calls invited {} people, it has {joined} more members",
                done * self.size
            );
            log_is_whole(&mut admin, &id, seq).await?;
            (events, members) = (events + done, members + joined);
        }
        let people = self.people.lock().map(|people| people.clone()).unwrap_or_default();
        for person in &people {
            let seen = admin.must(&Request::get(format!("/v1/users/{person}"))).await?;
            ensure!(seen["groupCount"] == 1, "{person} should be in one group: {seen}");
        }
        Ok(format!(
            "{events} events without a hole, {members} memberships, the counters of {} users",
            people.len()
        ))
    }
}

/// The number of a group's newest event and of its members.
pub(super) async fn head(admin: &mut Caller, group: &str) -> anyhow::Result<(u64, u64)> {
    let seen = admin.must(&Request::get(format!("/v1/groups/{group}"))).await?;
    let number = |name: &str| seen[name].as_u64().with_context(|| format!("{group}: {seen}"));
    Ok((number("seq")?, number("memberCount")?))
}

/// Reads a log and sees that every number is there once.
async fn log_is_whole(admin: &mut Caller, group: &str, seq: u64) -> anyhow::Result<()> {
    let mut last = 0;
    while last < seq {
        let path = format!("/v1/groups/{group}/events?after={last}&limit={PAGE}");
        let page = admin.must(&Request::get(path)).await?;
        let events = page["eventList"].as_array().map(Vec::as_slice).unwrap_or_default();
        ensure!(!events.is_empty(), "{group}: the log ends with {last}, not with {seq}");
        for event in events {
            ensure!(event["seq"] == last + 1, "{group}: {last} is followed by {}", event["seq"]);
            last += 1;
        }
    }
    ensure!(last == seq, "{group}: the log goes on behind {seq}");
    Ok(())
}
