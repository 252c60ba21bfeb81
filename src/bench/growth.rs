//! The same load where there is little and where there is very much.

use std::sync::Arc;

use anyhow::{Context as _, ensure};

use super::Bench;
use super::caller::{Answer, Request};
use super::load::{Done, Work, drive};
use super::report::Case;
use super::site::Site;
use super::writes::{Cost, in_turns};

/// Few and very many.
const FEW: u64 = 2_000;
const MANY: u64 = 1_000_000;
/// Callers at a time.
const CALLERS: usize = 64;
/// So many times as long as a round both are loaded first: after a checkpoint PostgreSQL logs every page
/// whole when it is first touched, and among a million groups it takes a while until each was.
const WARMING: u32 = 8;

const FILL_MEMBERS: &str = include_str!("scripts/fill_members.sql");

/// The databases.
const LITTLE: &str = "few";
const MUCH: &str = "many";

/// Where callers invite: from this group on, into so many.
type Groups = (u64, u64);

/// What is compared: its name, and the groups on either side.
const PAIRS: [(&str, Groups, &str, Groups); 2] = [
    ("1,000,000 groups beside 2,000", (0, MANY), LITTLE, (0, FEW)),
    ("a group of 1,000,000 beside one of 1", (0, 1), MUCH, (1, 1)),
];

impl Bench<'_> {
    /// Invitations among a million groups and among few; into a group of a million and into one of one.
    pub(super) async fn growth(&mut self) -> anyhow::Result<()> {
        let site = self.site.as_ref().context("growth needs a PostgreSQL of its own")?;
        for (database, groups) in [(LITTLE, FEW), (MUCH, MANY)] {
            site.make(database).await?;
            self.fill(database, groups).await?;
        }
        let mut plain = site.plain(MUCH).await?;
        plain.run(&FILL_MEMBERS.replace("COUNT", &MANY.to_string())).await?;
        plain.run("vacuum analyze users, members").await?;
        plain.run("checkpoint").await?;
        plain.close().await;
        let (small, large) = (site.server(LITTLE).await?, site.server(MUCH).await?);
        let mut cases = Vec::new();
        for (name, much, beside, little) in PAIRS {
            let before = [count(site, LITTLE).await?, count(site, MUCH).await?];
            let mut case = Case { scenario: "growth", unit: "calls", each: 1, ..Case::default() };
            let (mut cost, mut their_cost) = (Cost::default(), Cost::default());
            let (mut invited, mut errors) = ([0, 0], 0);
            for round in 0..=self.plan.rounds {
                let warming = round == 0;
                let time = self.plan.time() * if warming { WARMING } else { 1 };
                for ((database, (first, groups)), ours) in
                    in_turns(round, [((MUCH, much), true), ((beside, little), false)])
                {
                    let server = if database == MUCH { &large } else { &small };
                    let token = server.token("administrator")?;
                    let spent = self.spent(server).await?;
                    let (work, load) = (Arc::new(Among { first, groups }), (CALLERS, time));
                    let done = drive(&server.address, &token, work, &self.numbers, load).await?;
                    let spent = self.spent(server).await?.since(&spent);
                    invited[usize::from(database == MUCH)] += done.right;
                    errors += done.errors.values().sum::<u64>();
                    if !warming {
                        let (runs, sum): (&mut Vec<Done>, _) = if ours {
                            (&mut case.ours, &mut cost)
                        } else {
                            (&mut case.theirs, &mut their_cost)
                        };
                        runs.push(done);
                        sum.add(&spent);
                    }
                }
            }
            for ((database, before), invited) in [LITTLE, MUCH].into_iter().zip(before).zip(invited)
            {
                check(database, before, count(site, database).await?, invited, errors)?;
            }
            name.clone_into(&mut case.name);
            "little".clone_into(&mut case.yardstick);
            self.costs(&mut case, &cost, &their_cost);
            cases.push(case);
        }
        cases.into_iter().try_for_each(|case| self.found(case))
    }
}

/// Memberships, what the groups count of them, and events: of each one more for an invitation.
async fn count(site: &Site, database: &str) -> anyhow::Result<[u64; 3]> {
    let mut plain = site.plain(database).await?;
    let mut counted = [0; 3];
    for (count, question) in counted.iter_mut().zip([
        "select count(*) from members where left_seq is null",
        "select sum(member_count)::bigint from groups",
        "select count(*) from group_events",
    ]) {
        *count = plain.number(question).await?.unsigned_abs();
    }
    plain.close().await;
    Ok(counted)
}

/// Whether everything that was acknowledged is there, and nothing else. What got no answer may be.
fn check(
    database: &str,
    before: [u64; 3],
    after: [u64; 3],
    invited: u64,
    errors: u64,
) -> anyhow::Result<()> {
    for (before, after) in before.into_iter().zip(after) {
        let more = after.saturating_sub(before);
        ensure!(
            (invited..=invited + errors).contains(&more),
            "{database}: {invited} invitations were acknowledged ({errors} errors), the state grew by {more}"
        );
    }
    Ok(())
}

/// Invitations by an administrator into some of the groups that were made by hand.
struct Among {
    first: u64,
    groups: u64,
}

impl Work for Among {
    fn request(&self, number: u64) -> Request {
        let group = self.first + number.wrapping_mul(7_919) % self.groups;
        let body = format!(r#"{{"userList":["a{number}"]}}"#);
        Request::post(format!("/v1/groups/g{group}/invite"), body)
    }

    fn judge(&self, _: u64, answer: &Answer<'_>) -> Result<(), String> {
        if answer.body.contains(r#""result":1"#) {
            Ok(())
        } else {
            Err(format!("{}: not invited", answer.status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_that_is_not_what_was_acknowledged_is_an_error() {
        let before = [10, 10, 20];
        assert!(check("many", before, [15, 15, 25], 5, 0).is_ok());
        assert!(check("many", before, [15, 15, 24], 5, 0).is_err(), "an event is missing");
        assert!(check("many", before, [15, 16, 25], 5, 0).is_err(), "a counter is ahead");
        assert!(check("many", before, [15, 15, 25], 4, 1).is_ok(), "one got no answer");
    }
}
