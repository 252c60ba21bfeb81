//! An event on the node that committed it and on another one.

use std::time::Instant;

use anyhow::Context as _;

use super::caller::{Caller, Request};
use super::group::{Group, address};
use super::load::Done;
use super::report::Case;
use super::sockets::{Crowd, Opening};
use super::stats::{Spread, Times, micros};
use super::{Bench, OURS};

/// Times from a call to the socket on the node that was called, and to the one on the other node.
#[derive(Default)]
struct Arrivals {
    same: Vec<u32>,
    other: Vec<u32>,
}

impl Bench<'_> {
    /// One socket on each of two nodes, and calls to the first.
    pub(super) async fn nodes(&mut self) -> anyhow::Result<()> {
        let site = self.site.as_ref().context("two nodes need a PostgreSQL of their own")?;
        let second = site.server(OURS).await?;
        let group = Group::make(self, "nodes", 2).await?;
        let mut openings = group.openings(&self.server, "")?.into_iter();
        let mut one =
            || -> anyhow::Result<Vec<Opening>> { Ok(vec![openings.next().context("two people")?]) };
        let same = Crowd::open(address(&self.server)?, one()?).await?;
        let other = Crowd::open(address(&second)?, one()?).await?;
        let mut case = Case {
            scenario: "nodes",
            name: "one socket on each of two".to_owned(),
            unit: "calls",
            each: 1,
            yardstick: "the node that commits".to_owned(),
            ..Case::default()
        };
        for round in 0..=self.plan.rounds {
            let begun = Instant::now();
            let arrivals = self.call(&group, &same, &other).await?;
            let done = |times: Vec<u32>| Done {
                right: times.len() as u64,
                times: Times::of(times),
                elapsed: begun.elapsed(),
                ..Done::default()
            };
            if round > 0 {
                case.theirs.push(done(arrivals.same));
                case.ours.push(done(arrivals.other));
            }
        }
        let pairs = case.ours.iter().zip(&case.theirs);
        let later = pairs.map(|(other, same)| other.times.at(0.5) - same.times.at(0.5)).collect();
        let later = Spread::of(later).middle;
        case.further.push(("the other node, at the median".to_owned(), later, "ms later"));
        self.found(case)?;
        same.close().await;
        other.close().await;
        Ok(())
    }

    async fn call(&self, group: &Group, same: &Crowd, other: &Crowd) -> anyhow::Result<Arrivals> {
        let token = self.server.token("administrator")?;
        let mut admin = Caller::connect(&self.server.address, &token).await?;
        let (begun, mut arrivals) = (Instant::now(), Arrivals::default());
        while begun.elapsed() < self.plan.time() {
            let start = Instant::now();
            let person = self.name(&format!("n{}", self.numbers.next()));
            let body = format!(r#"{{"userList":["{person}"]}}"#);
            let request = Request::post(format!("/v1/groups/{}/invite", group.id), body);
            let (same_next, other_next) = (same.events.seen() + 1, other.events.seen() + 1);
            let heard = async |crowd: &Crowd, next: u64| {
                crowd.events.reaches(next, "events").await.map(|()| micros(start.elapsed()))
            };
            let (_, at_same, at_other) = tokio::try_join!(
                admin.must(&request),
                heard(same, same_next),
                heard(other, other_next)
            )?;
            arrivals.same.push(at_same);
            arrivals.other.push(at_other);
        }
        Ok(arrivals)
    }
}
