//! Invitations: into many groups, into one, of many people at once.

use std::sync::Arc;
use std::time::Duration;

use anyhow::ensure;

use super::caller::{Answer, Caller, Request};
use super::load::{Done, OWNER, Work, drive};
use super::report::Case;
use super::site::Server;
use super::state::{Acknowledged, head};
use super::stats::{Spread, u64_to_f64};
use super::yardstick::Yardstick;
use super::{Bench, THEIRS, usage};

/// Groups that callers invite into.
pub(super) const GROUPS: u64 = 1_000;
/// Callers who invite one person each.
const CALLERS: [usize; 4] = [1, 8, 64, 256];
/// Most clients of the yardstick: it gets slower with more.
const CLIENTS: usize = 64;
/// People in a call.
const SIZES: [u64; 3] = [20, 100, 300];

const INVITE: &str = include_str!("scripts/invite.sql");
const BATCH: &str = include_str!("scripts/batch.sql");
const FILL: &str = include_str!("scripts/fill.sql");

/// Invites people whom nobody has seen, each call into one of some groups.
struct Invitations {
    /// How groups and people are called, before their number.
    prefix: String,
    groups: u64,
    /// People in a call.
    size: u64,
    acknowledged: Acknowledged,
}

impl Invitations {
    fn new(prefix: &str, groups: u64, size: u64) -> Self {
        let acknowledged = Acknowledged::new(prefix.to_owned(), groups, size);
        Self { prefix: prefix.to_owned(), groups, size, acknowledged }
    }

    fn group(&self, number: u64) -> u64 {
        number.wrapping_mul(7_919) % self.groups
    }

    fn person(&self, number: u64) -> String {
        format!("{}p{number}", self.prefix)
    }
}

impl Work for Invitations {
    fn request(&self, number: u64) -> Request {
        let people = (number * self.size..(number + 1) * self.size).map(|one| self.person(one));
        let people: Vec<String> = people.map(|person| format!("\"{person}\"")).collect();
        let path = format!("/v1/groups/{}{}/invite", self.prefix, self.group(number));
        Request::post(path, format!(r#"{{"userList":[{}]}}"#, people.join(",")))
    }

    fn judge(&self, number: u64, answer: &Answer<'_>) -> Result<(), String> {
        let invited = answer.body.matches(r#""result":1"#).count();
        if answer.status == 200 && u64::try_from(invited).is_ok_and(|count| count == self.size) {
            let person = || self.person(number * self.size);
            self.acknowledged.note(number, self.group(number), person);
            return Ok(());
        }
        if answer.status >= 500 {
            self.acknowledged.unknown();
        }
        Err(format!("{}: {invited} invited", answer.status))
    }

    fn lost(&self) {
        self.acknowledged.unknown();
    }
}

/// The processor time and the log that a load took.
#[derive(Default)]
pub(super) struct Cost {
    server: Duration,
    postgres: Duration,
    wal: i64,
}

impl Cost {
    /// What came on top since then.
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            postgres: self.postgres.saturating_sub(before.postgres),
            wal: self.wal - before.wal,
        }
    }

    pub(super) fn add(&mut self, more: &Self) {
        self.server += more.server;
        self.postgres += more.postgres;
        self.wal += more.wal;
    }
}

impl Bench<'_> {
    /// Callers who invite one person each into one of many groups.
    pub(super) async fn invite(&mut self) -> anyhow::Result<()> {
        let prefix = self.name("g");
        make_groups(&self.server, &prefix, GROUPS).await?;
        self.fill(THEIRS, GROUPS).await?;
        let work = Arc::new(Invitations::new(&prefix, GROUPS, 1));
        let script = INVITE.replace("GROUPS", &(GROUPS - 1).to_string());
        for callers in CALLERS {
            let case = self.against("invite", work.clone(), callers, &script, callers.min(CLIENTS));
            let mut case = case.await?;
            case.name = format!("{callers} callers, {GROUPS} groups");
            self.found(case)?;
        }
        self.check("invite", &work).await
    }

    /// Callers who invite one person each into one and the same group.
    pub(super) async fn hot(&mut self) -> anyhow::Result<()> {
        let prefix = self.name("h");
        make_groups(&self.server, &prefix, 1).await?;
        self.fill(THEIRS, GROUPS).await?;
        let work = Arc::new(Invitations::new(&prefix, 1, 1));
        let script = INVITE.replace("GROUPS", "0");
        for callers in [8, 64] {
            let mut case = self.against("hot", work.clone(), callers, &script, 8).await?;
            case.name = format!("{callers} callers, 1 group");
            case.yardstick.push_str(" with 8 clients");
            self.found(case)?;
        }
        self.check("hot", &work).await
    }

    /// Callers who invite many people at once.
    pub(super) async fn batch(&mut self) -> anyhow::Result<()> {
        self.fill(THEIRS, GROUPS).await?;
        for size in SIZES {
            let prefix = self.name(&format!("b{size}g"));
            make_groups(&self.server, &prefix, GROUPS).await?;
            let work = Arc::new(Invitations::new(&prefix, GROUPS, size));
            let script = batch_script(size);
            for callers in [1, 8] {
                let case = self.against("batch", work.clone(), callers, &script, callers);
                let mut case = case.await?;
                case.name = format!("{size} people, {callers} callers");
                case.each = size;
                case.unit = "members";
                self.found(case)?;
            }
            self.check("batch", &work).await?;
        }
        Ok(())
    }

    /// Makes groups of the yardstick by hand, once.
    pub(super) async fn fill(&self, database: &str, groups: u64) -> anyhow::Result<()> {
        let Some(site) = &self.site else { return Ok(()) };
        let mut plain = site.plain(database).await?;
        if plain.number("select count(*) from groups").await? == 0 {
            for statement in FILL.replace("COUNT", &groups.to_string()).split(";\n") {
                if !statement.trim().is_empty() {
                    plain.run(statement).await?;
                }
            }
        }
        plain.close().await;
        Ok(())
    }

    /// The same work by callers of the server and by clients of the yardstick, in turns.
    pub(super) async fn against(
        &self,
        scenario: &'static str,
        work: Arc<dyn Work>,
        callers: usize,
        script: &str,
        clients: usize,
    ) -> anyhow::Result<Case> {
        let yardstick = self.yardstick(THEIRS);
        let (address, load) = (&self.server.address, (callers, clients));
        self.compare(scenario, address, work, load, yardstick.as_ref(), script).await
    }

    /// The same with whoever answers the callers there, and a yardstick of choice.
    pub(super) async fn compare(
        &self,
        scenario: &'static str,
        address: &str,
        work: Arc<dyn Work>,
        (callers, clients): (usize, usize),
        yardstick: Option<&Yardstick>,
        script: &str,
    ) -> anyhow::Result<Case> {
        let token = self.server.token(work.caller())?;
        let mut case = Case { scenario, unit: "calls", each: 1, ..Case::default() };
        let (mut cost, mut theirs) = (Cost::default(), Cost::default());
        let warm = Duration::from_secs(1).min(self.plan.time());
        for round in 0..=self.plan.rounds {
            let warming = round == 0;
            let time = if warming { warm } else { self.plan.time() };
            if round == 1
                && let Some(yardstick) = yardstick
            {
                yardstick.analyze().await?;
            }
            for ours in in_turns(round, [true, false]) {
                if ours {
                    let before = self.spent(&self.server).await?;
                    let load = (callers, time);
                    let done = drive(address, &token, work.clone(), &self.numbers, load).await?;
                    if !warming {
                        cost.add(&self.spent(&self.server).await?.since(&before));
                        case.ours.push(done);
                    }
                } else if let Some(yardstick) = yardstick {
                    let before = self.spent(&self.server).await?;
                    let done = yardstick.play(script, clients, time).await?;
                    if !warming {
                        theirs.add(&self.spent(&self.server).await?.since(&before));
                        case.theirs.push(done);
                    }
                }
            }
        }
        case.yardstick = yardstick.map_or("", Yardstick::name).to_owned();
        if callers == 1 && !case.theirs.is_empty() {
            let medians = case.ours.iter().zip(&case.theirs);
            let ratio = medians.map(|(ours, theirs)| ours.times.at(0.5) / theirs.times.at(0.5));
            let ratio = Spread::of(ratio.collect());
            case.further.push((
                "median of one caller".to_owned(),
                ratio.middle,
                "of the yardstick's",
            ));
        }
        self.costs(&mut case, &cost, &theirs);
        Ok(case)
    }

    pub(super) fn costs(&self, case: &mut Case, cost: &Cost, theirs: &Cost) {
        let calls = |runs: &[Done]| -> u64 { runs.iter().map(|run| run.right).sum() };
        let (ours, others) = (calls(&case.ours), calls(&case.theirs));
        if self.site.is_none() || ours == 0 {
            return;
        }
        let each = |time: Duration, calls: u64| time.as_secs_f64() * 1e6 / u64_to_f64(calls.max(1));
        let bytes =
            |wal: i64, calls: u64| u64_to_f64(wal.unsigned_abs()) / u64_to_f64(calls.max(1));
        let time = "µs of processor time for each call";
        case.further.push(("server".to_owned(), each(cost.server, ours), time));
        case.further.push(("PostgreSQL".to_owned(), each(cost.postgres, ours), time));
        case.further.push(("  of the yardstick".to_owned(), each(theirs.postgres, others), time));
        if cost.wal > 0 {
            let unit = "bytes for each call";
            case.further.push(("write-ahead log".to_owned(), bytes(cost.wal, ours), unit));
            case.further.push(("  of the yardstick".to_owned(), bytes(theirs.wal, others), unit));
        }
    }

    /// What a server, PostgreSQL and its log took so far.
    pub(super) async fn spent(&self, server: &Server) -> anyhow::Result<Cost> {
        let Some(site) = &self.site else { return Ok(Cost::default()) };
        let mut plain = site.plain(super::OURS).await?;
        let wal = plain.number("select (pg_current_wal_lsn() - '0/0')::bigint").await?;
        plain.close().await;
        let server = server.pid().and_then(usage::of_process).unwrap_or_default();
        let postgres = site.postmaster().and_then(usage::of_postgres).unwrap_or_default();
        Ok(Cost { server, postgres, wal })
    }

    /// Compares the state with what was acknowledged.
    async fn check(&mut self, scenario: &str, work: &Invitations) -> anyhow::Result<()> {
        let checked = work.acknowledged.check(&self.server).await?;
        (self.tell)(&format!("    {scenario}: as it was acknowledged: {checked}\n"))
    }
}

/// The yardstick's set-based statement for so many people.
pub(super) fn batch_script(size: u64) -> String {
    let script = BATCH.replace("SIZE", &size.to_string());
    script.replace("GROUPS", &(GROUPS - 1).to_string())
}

/// Makes the owner of all groups, who may be in very many.
pub(super) async fn make_owner(server: &Server) -> anyhow::Result<()> {
    let mut admin = Caller::connect(&server.address, &server.token("administrator")?).await?;
    let body = r#"{"groupLimit":1000000}"#.to_owned();
    let path = format!("/v1/users/{OWNER}");
    admin.must(&Request { method: "PUT", path, body }).await.map(drop)
}

/// Makes a Work group of the owner.
pub(super) async fn make_group(server: &Server, id: &str) -> anyhow::Result<()> {
    let mut admin = Caller::connect(&server.address, &server.token("administrator")?).await?;
    make(&mut admin, id).await
}

/// The cap is as high as the server allows: a group that all callers invite into gets many members.
async fn make(admin: &mut Caller, id: &str) -> anyhow::Result<()> {
    let body = format!(
        r#"{{"groupID":"{id}","groupType":"Work","groupName":"g","owner":"{OWNER}","maxMemberCount":1000000}}"#
    );
    admin.must(&Request::post("/v1/groups", body)).await.map(drop)
}

/// Makes Work groups of the owner.
async fn make_groups(server: &Server, prefix: &str, groups: u64) -> anyhow::Result<()> {
    let mut admin = Caller::connect(&server.address, &server.token("administrator")?).await?;
    for group in 0..groups {
        make(&mut admin, &format!("{prefix}{group}")).await?;
    }
    let (seq, members) = head(&mut admin, &format!("{prefix}0")).await?;
    ensure!((seq, members) == (1, 1), "{prefix}0 is not new");
    Ok(())
}

/// First the one, then the other, and in the next round the other way round.
pub(super) fn in_turns<T>(round: u32, mut sides: [T; 2]) -> [T; 2] {
    if round % 2 == 1 {
        sides.reverse();
    }
    sides
}
