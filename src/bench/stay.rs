//! Sockets that only stay, and all sockets lost and back.

use std::time::{Duration, Instant};

use super::caller::{Caller, Request};
use super::group::{Group, address, epoch};
use super::report::Case;
use super::sockets::Crowd;
use super::state::head;
use super::stats::{Spread, u64_to_f64};
use super::{Bench, OURS, most_sockets, usage};

/// How long sockets stay until their memory is read.
const REST: Duration = Duration::from_secs(3);

impl Bench<'_> {
    /// Sockets that only stay: what they cost.
    pub(super) async fn idle(&mut self) -> anyhow::Result<()> {
        // Half as many again as in other scenarios: they do nothing.
        let sockets = (self.plan.sockets.saturating_mul(3) / 2).min(most_sockets());
        let group = Group::make(self, "idle", sockets).await?;
        // A server of its own: one that has worked has memory to spare.
        let fresh = match &self.site {
            Some(site) => Some(site.server(OURS).await?),
            None => None,
        };
        let server = fresh.as_ref().unwrap_or(&self.server);
        let pid = server.pid();
        let time = || pid.and_then(usage::of_process).unwrap_or_default();
        let memory = || pid.and_then(usage::memory).unwrap_or_default();
        let (before, kernel_before) = (memory(), usage::kernel().unwrap_or_default());
        let crowd = group.sockets(server).await?;
        tokio::time::sleep(REST).await;
        let each = |after: u64, before: u64| {
            u64_to_f64(after.saturating_sub(before)) / f64::from(sockets) / 1024.0
        };
        let (process, kernel) =
            (each(memory(), before), each(usage::kernel().unwrap_or_default(), kernel_before));
        let (begun, spent) = (Instant::now(), time());
        tokio::time::sleep(self.plan.time() * self.plan.rounds.min(5)).await;
        let busy = time().saturating_sub(spent).as_secs_f64() / begun.elapsed().as_secs_f64();
        crowd.is_whole()?;
        let mut case =
            Case { scenario: "idle", name: format!("{sockets} sockets"), ..Case::default() };
        if pid.is_some() {
            case.further.push(("memory of the process".to_owned(), process, "KiB for each socket"));
            case.further.push((
                "memory of the kernel, both ends".to_owned(),
                kernel,
                "KiB for each socket",
            ));
            case.further.push(("heartbeats and upkeep".to_owned(), busy * 100.0, "% of a core"));
        }
        self.found(case)?;
        crowd.close().await;
        Ok(())
    }

    /// All sockets lost at once, and back with their cursors.
    pub(super) async fn storm(&mut self) -> anyhow::Result<()> {
        let sockets = self.most_sockets();
        let group = Group::make(self, "storm", sockets).await?;
        let mut case =
            Case { scenario: "storm", name: format!("{sockets} sockets"), ..Case::default() };
        let mut admin =
            Caller::connect(&self.server.address, &self.server.token("administrator")?).await?;
        let mut reads = Vec::new();
        let mut seconds = Vec::new();
        let mut crowd = group.sockets(&self.server).await?;
        for _ in 0..self.plan.rounds {
            let (seq, _) = head(&mut admin, &group.id).await?;
            let epoch = epoch(&self.server).await?;
            crowd.close().await;
            // What comes back missed one event.
            let body = format!(
                r#"{{"userList":["{}"]}}"#,
                self.name(&format!("n{}", self.numbers.next()))
            );
            admin.must(&Request::post(format!("/v1/groups/{}/invite", group.id), body)).await?;
            let cursor = format!(
                r#","cursor":{{"epoch":"{epoch}","user":0,"groups":{{"{}":{seq}}}}}"#,
                group.id
            );
            let openings = group.openings(&self.server, &cursor)?;
            let before = self.transactions().await?;
            let begun = Instant::now();
            crowd = Crowd::open(address(&self.server)?, openings).await?;
            seconds.push(begun.elapsed().as_secs_f64());
            crowd.events.reaches(u64::from(sockets), "missed events").await?;
            // The statistics of PostgreSQL come about a second late.
            tokio::time::sleep(Duration::from_secs(2)).await;
            reads.push(
                u64_to_f64(self.transactions().await?.saturating_sub(before)) / f64::from(sockets),
            );
        }
        crowd.close().await;
        let seconds = Spread::of(seconds);
        case.further.push(("until the last one was ready".to_owned(), seconds.middle, "s"));
        case.further.push(("at most".to_owned(), seconds.most, "s"));
        if self.site.is_some() {
            case.further.push((
                "transactions of the database".to_owned(),
                Spread::of(reads).middle,
                "for each socket",
            ));
        }
        self.found(case)
    }

    async fn transactions(&self) -> anyhow::Result<u64> {
        let Some(site) = &self.site else { return Ok(0) };
        let mut plain = site.plain(OURS).await?;
        let query = "select xact_commit from pg_stat_database where datname = current_database()";
        let count = plain.number(query).await?;
        plain.close().await;
        Ok(u64::try_from(count)?)
    }
}
