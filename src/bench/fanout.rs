//! Events to all sockets of a group.
//!
//! Beside the server stands a raw loop ([`raw`](super::raw)); both sides are read by the same clients. What is
//! compared is the processor time of the side that writes, since on one machine the readers decide how long it
//! takes. The server's part without any delivery, an invitation into an empty group, is measured in the same
//! round and taken off.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::caller::{Caller, Request};
use super::group::{Group, address};
use super::load::Done;
use super::raw::Raw;
use super::report::Case;
use super::sockets::{Crowd, Opening};
use super::stats::{Spread, Times, micros, u64_to_f64};
use super::writes::make_group;
use super::{Bench, usage};

/// Sockets in a group, as far as the plan allows.
const SIZES: [u32; 3] = [100, 1_000, 10_000];
/// Events that come at once.
const BURSTS: [usize; 2] = [1, 8];

impl Bench<'_> {
    /// An event to all sockets of a group.
    pub(super) async fn fanout(&mut self) -> anyhow::Result<()> {
        for sockets in self.sizes() {
            let group = Group::make(self, &format!("f{sockets}"), sockets).await?;
            let crowd =
                Crowd::open(address(&self.server)?, group.openings(&self.server, "")?).await?;
            for burst in BURSTS {
                let case = self.fan(&group, &crowd, sockets, burst).await?;
                self.found(case)?;
            }
            ensure!(crowd.broken.seen() == 0, "{} sockets broke", crowd.broken.seen());
            crowd.close().await;
        }
        Ok(())
    }

    fn sizes(&self) -> Vec<u32> {
        // The raw loop needs as many again, and both their ends are here.
        let most = self.plan.sockets.min(super::most_sockets() / 3);
        let mut sizes: Vec<u32> = SIZES.into_iter().map(|size| size.min(most)).collect();
        sizes.dedup();
        sizes
    }

    /// As many sockets as the plan and the descriptors allow.
    pub(super) fn most_sockets(&self) -> u32 {
        self.plan.sockets.min(super::most_sockets())
    }

    async fn fan(
        &self,
        group: &Group,
        crowd: &Crowd,
        sockets: u32,
        burst: usize,
    ) -> anyhow::Result<Case> {
        let mut case = Case {
            scenario: "fanout",
            name: format!("{sockets} sockets, {burst} at once"),
            unit: "deliveries",
            each: 1,
            ..Case::default()
        };
        let mut callers = Vec::new();
        for _ in 0..burst {
            callers.push(
                Caller::connect(&self.server.address, &self.server.token("administrator")?).await?,
            );
        }
        let mut raw = Raw::start(sockets, group.frame_bytes(&mut callers).await?)?;
        let raw_crowd =
            Crowd::open(raw.address, vec![Opening::Raw; usize::try_from(sockets)?]).await?;
        // What an invitation costs without any delivery.
        let empty = self.name(&format!("e{sockets}x{burst}"));
        make_group(&self.server, &empty).await?;
        let (mut ratios, mut ours, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=self.plan.rounds {
            let time = if round == 0 { Duration::from_millis(500) } else { self.plan.time() };
            let alone = self.tell_all(&mut callers, &empty, None, time / 4).await?;
            let told = self.tell_all(&mut callers, &group.id, Some((crowd, sockets)), time).await?;
            let looped = raw.write_all(&raw_crowd, burst, time).await?;
            if round > 0 {
                let calls = u64_to_f64(told.calls);
                let invite = alone.cost / u64_to_f64(alone.calls.max(1));
                // A run of moments can seem to cost less than its invitations alone.
                let cost = (told.cost - calls * invite).max(0.0) / u64_to_f64(told.done.right);
                let raw_cost = looped.cost / u64_to_f64(looped.done.right);
                if cost > 0.0 {
                    ratios.push(raw_cost / cost);
                }
                ours.push(cost * 1e6);
                theirs.push(raw_cost * 1e6);
                case.ours.push(told.done);
            }
        }
        let of = |figures: &[f64]| Spread::of(figures.to_vec()).middle;
        if self.server.pid().is_some() {
            case.further.push((
                "a delivery".to_owned(),
                of(&ours),
                "µs of the server's processor time",
            ));
            case.further.push(("in the raw loop".to_owned(), of(&theirs), "µs"));
            case.costs = Some(Spread::of(ratios));
        }
        raw_crowd.close().await;
        Ok(case)
    }

    /// Invites into a group again and again, so many at once; each time all sockets have to hear of it.
    async fn tell_all(
        &self,
        callers: &mut [Caller],
        group: &str,
        crowd: Option<(&Crowd, u32)>,
        time: Duration,
    ) -> anyhow::Result<Told> {
        let (begun, before) = (Instant::now(), self.server_time());
        let (mut times, mut calls, mut delivered) = (Vec::new(), 0_u64, 0_u64);
        while begun.elapsed() < time {
            let start = Instant::now();
            let seen = crowd.map_or(0, |(crowd, _)| crowd.events.seen());
            let wanted = crowd.map_or(0, |(_, sockets)| u64::from(sockets) * callers.len() as u64);
            let asking = callers.iter_mut().map(|caller| {
                let body = format!(
                    r#"{{"userList":["{}"]}}"#,
                    self.name(&format!("n{}", self.numbers.next()))
                );
                let request = Request::post(format!("/v1/groups/{group}/invite"), body);
                async move { caller.must(&request).await.map(drop) }
            });
            futures_util::future::try_join_all(asking).await?;
            if let Some((crowd, _)) = crowd {
                crowd.events.reaches(seen + wanted, "events").await?;
            }
            times.push(micros(start.elapsed()));
            calls += callers.len() as u64;
            delivered += wanted;
        }
        let cost = self.server_time().saturating_sub(before).as_secs_f64();
        let done = Done {
            right: delivered,
            times: Times::of(times),
            elapsed: begun.elapsed(),
            ..Done::default()
        };
        Ok(Told { done, calls, cost })
    }

    /// The server's processor time so far, if it runs here.
    pub(super) fn server_time(&self) -> Duration {
        self.server.pid().and_then(usage::of_process).unwrap_or_default()
    }
}

/// What a run of events took.
pub(super) struct Told {
    pub(super) done: Done,
    pub(super) calls: u64,
    /// Seconds of processor time.
    pub(super) cost: f64,
}
