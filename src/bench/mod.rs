//! `muster bench`: what Muster carries on this machine, beside a yardstick that does the same work.
//!
//! Load, servers and PostgreSQL share the machine, and machines are noisy. So everything is compared with
//! something else in the same run, in turns, round by round, and what counts is the ratio. Writes and reads
//! stand beside a plain client of the same PostgreSQL ([`yardstick`]), deliveries beside a loop that writes the
//! same bytes to the same number of sockets ([`raw`]). Afterwards the state is compared with what was
//! acknowledged ([`state`]): a benchmark of wrong answers is none.

mod bare;
mod caller;
mod fanout;
mod group;
mod growth;
mod load;
mod nodes;
mod port;
mod raw;
mod reads;
mod report;
mod site;
mod sockets;
mod state;
mod stats;
mod stay;
mod usage;
mod writes;
mod yardstick;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::config::Config;
use load::Numbers;
pub use port::Port;
use report::Case;
use site::{Server, Site};
use yardstick::Yardstick;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Invitations into many groups.
    Invite,
    /// Invitations into one group.
    Hot,
    /// Invitations of many people at once.
    Batch,
    /// Statements of the yardstick behind a bare loop over HTTP.
    Bare,
    /// Invitations among few and among very many groups, into a small and a very large group.
    Growth,
    /// Pages and profiles.
    Reads,
    /// Events to the sockets of a group.
    Fanout,
    /// Sockets that only stay.
    Idle,
    /// All sockets lost and back.
    Storm,
    /// Events from one node to another.
    Nodes,
}

impl Scenario {
    /// All of them: the name, what it measures, and whether it is among the usual ones.
    pub const ALL: [(Self, &'static str, &'static str, bool); 10] = [
        (Self::Invite, "invite", "invitations into many groups, beside the same SQL", true),
        (Self::Hot, "hot", "invitations into one group, beside the same SQL", true),
        (
            Self::Batch,
            "batch",
            "20, 100 and 300 people in a call, beside one set-based statement",
            true,
        ),
        (
            Self::Bare,
            "bare",
            "pgbench's statements behind a bare loop over HTTP, without Muster, beside the same without HTTP",
            false,
        ),
        (
            Self::Growth,
            "growth",
            "1,000,000 groups beside 2,000, and 1,000,000 members beside 10",
            false,
        ),
        (Self::Reads, "reads", "pages and profiles, beside the same SQL", true),
        (Self::Fanout, "fanout", "an event to all sockets of a group, beside a raw loop", true),
        (Self::Idle, "idle", "memory and processor time of sockets that only stay", true),
        (Self::Storm, "storm", "all sockets lost and back", true),
        (Self::Nodes, "nodes", "an event on the other of two nodes, beside the same node", true),
    ];

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known, ..)| *known == name).map(|(scenario, ..)| *scenario)
    }
}

/// What to measure, and how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which; none means the usual ones.
    pub scenarios: Vec<Scenario>,
    /// How long one side of one round lasts.
    pub seconds: u32,
    /// How often each pair is measured.
    pub rounds: u32,
    /// Most sockets.
    pub sockets: u32,
    /// Where the figures go as JSON.
    pub json: Option<PathBuf>,
    /// Whether plain connections are the yardstick even where pgbench is installed.
    pub plain: bool,
    /// A server that runs already, instead of one that is started for this.
    pub url: Option<String>,
}

impl Plan {
    fn has(&self, scenario: Scenario) -> bool {
        if self.scenarios.is_empty() {
            return Scenario::ALL.iter().any(|(one, _, _, usual)| *one == scenario && *usual);
        }
        self.scenarios.contains(&scenario)
    }

    fn time(&self) -> Duration {
        Duration::from_secs(u64::from(self.seconds))
    }
}

/// Measures, and tells of each case as soon as it is known, until it is done or told to `stop`; then whatever was
/// started has ended. False when an answer or the state was wrong.
///
/// # Errors
/// When something cannot be started, the state is not what was acknowledged, or it was told to stop.
pub async fn run(
    plan: &Plan,
    config: &Config,
    tell: &dyn Fn(&str) -> anyhow::Result<()>,
    stop: impl Future<Output = ()>,
) -> anyhow::Result<bool> {
    let mut bench = Bench::start(plan, config, tell).await?;
    let measured = tokio::select! {
        measured = bench.all() => measured,
        () = stop => Err(anyhow::anyhow!("stopped before everything was measured")),
    };
    let Bench { site, server, cases, machine, .. } = bench;
    drop(server);
    if let Some(site) = site {
        site.stop().await?;
    }
    measured?;
    if let Some(file) = &plan.json {
        let text = serde_json::to_string_pretty(&report::json(&machine, &cases))?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    Ok(cases.iter().all(|case| case.errors().is_empty()))
}

/// Descriptors that are needed besides sockets.
const SPARE: u64 = 500;

/// How many sockets this process may have, after asking for as many descriptors as there are.
fn most_sockets() -> u32 {
    let descriptors = rlimit::increase_nofile_limit(u64::MAX).unwrap_or(1_024);
    u32::try_from(descriptors.saturating_sub(SPARE)).unwrap_or(u32::MAX)
}

/// A benchmark under way.
struct Bench<'a> {
    plan: &'a Plan,
    tell: &'a dyn Fn(&str) -> anyhow::Result<()>,
    site: Option<Site>,
    server: Server,
    numbers: Numbers,
    /// Begins the names of whatever this run makes, so that none was there before.
    run: String,
    machine: serde_json::Value,
    cases: Vec<Case>,
}

/// The database of the server.
const OURS: &str = "ours";
/// The database of the yardstick.
const THEIRS: &str = "theirs";

impl<'a> Bench<'a> {
    async fn start(
        plan: &'a Plan,
        config: &Config,
        tell: &'a dyn Fn(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let (site, server, postgres) = if let Some(url) = &plan.url {
            let key = config.secret_key.as_ref();
            let key = key.context("--url needs the server's key in MUSTER_SECRET_KEY")?;
            (None, Server::running(url, key.expose()).await?, "?".to_owned())
        } else {
            let site = Site::start(config).await?;
            site.make(OURS).await?;
            site.make(THEIRS).await?;
            let server = site.server(OURS).await?;
            let version = site.version().to_owned();
            (Some(site), server, version)
        };
        let machine = json!({
            "cores": cores, "postgres": postgres, "muster": env!("CARGO_PKG_VERSION"),
            "seconds": plan.seconds, "rounds": plan.rounds,
            "release": !cfg!(debug_assertions),
        });
        writes::make_owner(&server).await?;
        let beside = match &site {
            Some(site) => Yardstick::new(site, THEIRS, plan.plain).name(),
            None => "nothing beside it",
        };
        tell(&format!(
            "{cores} cores for load, servers and PostgreSQL {postgres}; {} rounds of {} s; yardstick: {beside}\n",
            plan.rounds, plan.seconds
        ))?;
        if cfg!(debug_assertions) {
            tell("This is a debug build: its figures say nothing about a release build.\n")?;
        }
        tell(&report::head())?;
        let (numbers, cases) = (Numbers::default(), Vec::new());
        let run = format!("x{:04x}", rand::random::<u16>());
        Ok(Self { plan, tell, site, server, numbers, run, machine, cases })
    }

    async fn all(&mut self) -> anyhow::Result<()> {
        let own = self.site.is_some();
        for (scenario, name, _, _) in Scenario::ALL {
            if !self.plan.has(scenario) {
                continue;
            }
            let needs_own = matches!(scenario, Scenario::Bare | Scenario::Growth | Scenario::Nodes);
            if needs_own && !own {
                let named = self.plan.scenarios.contains(&scenario);
                ensure!(!named, "{name} starts its own servers: leave --url out");
                continue;
            }
            match scenario {
                Scenario::Invite => self.invite().await,
                Scenario::Hot => self.hot().await,
                Scenario::Batch => self.batch().await,
                Scenario::Bare => self.bare().await,
                Scenario::Growth => self.growth().await,
                Scenario::Reads => self.reads().await,
                Scenario::Fanout => self.fanout().await,
                Scenario::Idle => self.idle().await,
                Scenario::Storm => self.storm().await,
                Scenario::Nodes => self.nodes().await,
            }
            .with_context(|| format!("scenario {name}"))?;
        }
        Ok(())
    }

    /// A name that nothing had before this run.
    fn name(&self, rest: &str) -> String {
        format!("{}{rest}", self.run)
    }

    /// Notes a case and tells of it.
    fn found(&mut self, case: Case) -> anyhow::Result<()> {
        (self.tell)(&report::lines(&case))?;
        self.cases.push(case);
        Ok(())
    }

    fn yardstick(&self, database: &str) -> Option<Yardstick> {
        self.site.as_ref().map(|site| Yardstick::new(site, database, self.plan.plain))
    }
}
