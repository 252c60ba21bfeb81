//! Events to all sockets of a group.
//!
//! Beside the server stands a raw loop ([`raw`](super::raw)); both sides are read by the same clients. What is
//! compared is the processor time of the side that writes, since on one machine the readers decide how long it
//! takes. In turns the server delivers what it commits, and it commits as much in an empty group while the raw
//! loop delivers after each call: so what is taken off for the invitations was measured at the same pace and
//! with caches as cold. Without that pause an invitation costs half, and the deliveries would pay for the rest.

use std::time::{Duration, Instant};

use super::caller::{Caller, Request};
use super::group::Group;
use super::load::Done;
use super::raw::Raw;
use super::report::Case;
use super::sockets::{Crowd, Opening};
use super::stats::{Spread, Times, micros, u64_to_f64};
use super::writes::{in_turns, make_group};
use super::{Bench, usage};

/// Sockets in a group, as far as the plan allows.
const SIZES: [u32; 3] = [100, 1_000, 10_000];
/// Events that come at once.
const BURSTS: [usize; 2] = [1, 8];
/// Calls before each measurement. After a pause the kernel acknowledges the first 16 segments of a connection at once,
/// and whoever had his turn right before, in the round before this one, would be ahead by that.
const WARM: usize = 20;

impl Bench<'_> {
    /// An event to all sockets of a group.
    pub(super) async fn fanout(&mut self) -> anyhow::Result<()> {
        self.beside_the_loop().await?;
        let most = self.most_sockets();
        if self.sizes().iter().all(|size| *size < most) {
            self.without_the_loop(most).await?;
        }
        Ok(())
    }

    /// More sockets than there are descriptors for a raw loop beside them: how long it takes, and what it costs.
    async fn without_the_loop(&mut self, sockets: u32) -> anyhow::Result<()> {
        let group = Group::make(self, &format!("f{sockets}"), sockets).await?;
        let crowd = group.sockets(&self.server).await?;
        let mut case = Case {
            scenario: "fanout",
            name: format!("{sockets} sockets, without a loop"),
            unit: "deliveries",
            each: 1,
            ..Case::default()
        };
        let token = self.server.token("administrator")?;
        let mut callers = [Caller::connect(&self.server.address, &token).await?];
        let mut costs = Vec::new();
        for round in 0..=self.plan.rounds {
            let time = if round == 0 { Duration::from_millis(500) } else { self.plan.time() };
            let deliver = Deliver::ByServer(&crowd, sockets);
            let told = self.tell_all(&mut callers, &group.id, deliver, time).await?;
            if round > 0 {
                costs.push(told.cost * 1e6 / u64_to_f64(told.done.right.max(1)));
                case.ours.push(told.done);
            }
        }
        if self.server.pid().is_some() {
            let what = "µs of the server's processor time, the invitation among it";
            case.further.push(("a delivery".to_owned(), Spread::of(costs).middle, what));
        }
        crowd.is_whole()?;
        crowd.close().await;
        self.found(case)
    }

    async fn beside_the_loop(&mut self) -> anyhow::Result<()> {
        for sockets in self.sizes() {
            let group = Group::make(self, &format!("f{sockets}"), sockets).await?;
            let crowd = group.sockets(&self.server).await?;
            for burst in BURSTS {
                let case = self.fan(&group, &crowd, sockets, burst).await?;
                self.found(case)?;
            }
            crowd.is_whole()?;
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
            let (mut alone, mut told) = (Told::default(), Told::default());
            for server in in_turns(round, [true, false]) {
                if server {
                    let deliver = Deliver::ByServer(crowd, sockets);
                    told = self.tell_all(&mut callers, &group.id, deliver, time).await?;
                } else {
                    let deliver = Deliver::ByLoop(&mut raw, &raw_crowd, burst);
                    alone = self.tell_all(&mut callers, &empty, deliver, time).await?;
                }
            }
            if round > 0 {
                let cost = told.beyond(&alone);
                let raw_cost = alone.looped / u64_to_f64(alone.done.right.max(1));
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

    /// Invites into a group again and again, so many at once; each time all sockets of one side have to hear
    /// of it. What comes first is not measured.
    async fn tell_all(
        &self,
        callers: &mut [Caller],
        group: &str,
        mut deliver: Deliver<'_>,
        time: Duration,
    ) -> anyhow::Result<Told> {
        for _ in 0..WARM {
            self.tell(callers, group, &mut deliver).await?;
        }
        let (server, looped) = (self.server_time(), deliver.looped());
        let begun = Instant::now();
        let (mut times, mut calls, mut delivered) = (Vec::new(), 0_u64, 0_u64);
        while begun.elapsed() < time {
            let start = Instant::now();
            delivered += self.tell(callers, group, &mut deliver).await?;
            times.push(micros(start.elapsed()));
            calls += callers.len() as u64;
        }
        let cost = self.server_time().saturating_sub(server).as_secs_f64();
        let looped = deliver.looped().saturating_sub(looped).as_secs_f64();
        let done = Done {
            right: delivered,
            times: Times::of(times),
            elapsed: begun.elapsed(),
            ..Done::default()
        };
        Ok(Told { done, calls, cost, looped })
    }

    /// Invites once, so many at once, and waits until all sockets of one side have heard of it. How many deliveries
    /// that were.
    async fn tell(
        &self,
        callers: &mut [Caller],
        group: &str,
        deliver: &mut Deliver<'_>,
    ) -> anyhow::Result<u64> {
        let seen = match deliver {
            Deliver::ByServer(crowd, _) => crowd.events.seen(),
            Deliver::ByLoop(..) => 0,
        };
        let asking = callers.iter_mut().map(|caller| {
            let user = self.name(&format!("n{}", self.numbers.next()));
            let body = format!(r#"{{"userList":["{user}"]}}"#);
            let request = Request::post(format!("/v1/groups/{group}/invite"), body);
            async move { caller.must(&request).await.map(drop) }
        });
        futures_util::future::try_join_all(asking).await?;
        match deliver {
            Deliver::ByServer(crowd, sockets) => {
                let wanted = u64::from(*sockets) * callers.len() as u64;
                crowd.events.reaches(seen + wanted, "events").await?;
                Ok(wanted)
            }
            Deliver::ByLoop(raw, crowd, burst) => raw.write(crowd, *burst).await,
        }
    }

    /// The server's processor time so far, if it runs here.
    pub(super) fn server_time(&self) -> Duration {
        self.server.pid().and_then(usage::of_process).unwrap_or_default()
    }
}

/// Who tells the sockets of what was committed.
enum Deliver<'a> {
    /// The server: so many sockets.
    ByServer(&'a Crowd, u32),
    /// The raw loop: its own sockets, of so many events.
    ByLoop(&'a mut Raw, &'a Crowd, usize),
}

impl Deliver<'_> {
    /// The raw loop's processor time so far, if it is the one that delivers.
    fn looped(&self) -> Duration {
        match self {
            Self::ByServer(..) => Duration::ZERO,
            Self::ByLoop(raw, ..) => raw.time(),
        }
    }
}

/// What a run of events took.
#[derive(Default)]
struct Told {
    done: Done,
    calls: u64,
    /// Seconds of the server's processor time.
    cost: f64,
    /// Seconds of the raw loop's.
    looped: f64,
}

impl Told {
    /// What a delivery costs beyond the calls, which cost as much as without any.
    fn beyond(&self, alone: &Self) -> f64 {
        let calls = u64_to_f64(self.calls) * alone.cost / u64_to_f64(alone.calls.max(1));
        // A run of moments can seem to cost less than its calls alone.
        (self.cost - calls).max(0.0) / u64_to_f64(self.done.right.max(1))
    }
}
