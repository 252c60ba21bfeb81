//! Pages and profiles, beside the same statements by a plain client, on the same rows.

use std::sync::Arc;

use super::caller::{Answer, Caller, Request};
use super::load::Work;
use super::writes::make_group;
use super::{Bench, OURS};

/// Groups that are read.
const GROUPS: u64 = 20;
/// Members of each.
const MEMBERS: u64 = 1_000;
/// Callers at a time.
const CALLERS: [usize; 2] = [8, 64];
/// People in a call.
const CALL: u64 = 250;

/// What is read.
#[derive(Clone, Copy)]
enum Kind {
    Members,
    Joined,
    Group,
}

/// Reads one thing of one group or person after the other.
struct Reading {
    kind: Kind,
    run: String,
}

impl Work for Reading {
    fn request(&self, number: u64) -> Request {
        let (group, user) = (number % GROUPS, number * 7 % MEMBERS);
        let run = &self.run;
        Request::get(match self.kind {
            Kind::Members => format!("/v1/groups/{run}r{group}/members?limit=100"),
            Kind::Joined => format!("/v1/users/{run}q{user}/groups?limit=100"),
            Kind::Group => format!("/v1/groups/{run}r{group}"),
        })
    }

    fn caller(&self) -> &'static str {
        "administrator"
    }

    fn judge(&self, _: u64, answer: &Answer<'_>) -> Result<(), String> {
        let wanted = match self.kind {
            Kind::Members => answer.body.matches(r#""userID":"#).count() == 100,
            Kind::Joined => answer.body.contains(r#""total":20"#),
            Kind::Group => answer.body.contains(r#""memberCount":1001"#),
        };
        if answer.status == 200 && wanted {
            Ok(())
        } else {
            Err(format!("{}: not what was asked for", answer.status))
        }
    }
}

impl Bench<'_> {
    /// Reads of three kinds.
    pub(super) async fn reads(&mut self) -> anyhow::Result<()> {
        let token = self.server.token("administrator")?;
        let mut admin = Caller::connect(&self.server.address, &token).await?;
        for group in 0..GROUPS {
            let id = self.name(&format!("r{group}"));
            make_group(&self.server, &id).await?;
            for call in 0..MEMBERS / CALL {
                let people =
                    (call * CALL..(call + 1) * CALL).map(|one| self.name(&format!("q{one}")));
                let people: Vec<String> = people.collect();
                let body = serde_json::json!({ "userList": people }).to_string();
                admin.must(&Request::post(format!("/v1/groups/{id}/invite"), body)).await?;
            }
        }
        // Statistics come by themselves a minute later; both sides are planned with them.
        if let Some(site) = &self.site {
            let mut plain = site.plain(OURS).await?;
            plain.run("analyze").await?;
            plain.close().await;
        }
        let yardstick = self.yardstick(OURS);
        let kinds = [
            (Kind::Members, "a page of 100 members", include_str!("scripts/members.sql")),
            (Kind::Joined, "the 20 groups of a user", include_str!("scripts/joined.sql")),
            (Kind::Group, "the profile of a group", include_str!("scripts/group.sql")),
        ];
        for (kind, name, script) in kinds {
            let work = Arc::new(Reading { kind, run: self.run.clone() });
            let script = script
                .replace("RUN", &self.run)
                .replace("GROUPS", &(GROUPS - 1).to_string())
                .replace("USERS", &(MEMBERS - 1).to_string());
            for callers in CALLERS {
                let (address, work) = (&self.server.address, work.clone());
                let load = (callers, callers);
                let case = self.compare("reads", address, work, load, yardstick.as_ref(), &script);
                let mut case = case.await?;
                case.name = format!("{name}, {callers} callers");
                self.found(case)?;
            }
        }
        Ok(())
    }
}
