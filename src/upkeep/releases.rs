//! Releasing what large dismissed groups left behind.
//!
//! A step releases some members of one group in a transaction of its own and goes on where the step
//! before it ended, whoever made that. The groups take turns, so that a large one keeps none waiting;
//! one step runs at a time, so that the other lanes stay free for callers. How much is left is asked of
//! the database, where all nodes read the same.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Upkeep;
use crate::model::{Error, GroupId, Operation, Reply};

/// How long the groups take turns before anything else that is due gets its own.
const SLICE: Duration = Duration::from_secs(1);
/// How often the log says how much is left.
const TELL: Duration = Duration::from_secs(5);
/// Most groups that take turns; those that were dismissed first.
const GROUPS: i64 = 64;

/// The groups whose turn comes, and what was told of them.
#[derive(Debug, Default)]
pub(super) struct Releases {
    turns: VecDeque<Turn>,
    told: Option<Instant>,
}

#[derive(Debug)]
struct Turn {
    group: GroupId,
    begun: Instant,
    steps: u32,
}

impl Releases {
    /// Lets the groups take turns for a slice of time. Says whether there is more to do at once.
    ///
    /// # Errors
    /// When the database cannot be asked what there is to do. A group whose step fails waits for the next
    /// slice.
    pub(super) async fn work(&mut self, upkeep: &Upkeep) -> Result<bool, Error> {
        self.gather(upkeep).await?;
        let until = Instant::now() + SLICE;
        let mut failed = VecDeque::new();
        while Instant::now() < until {
            let Some(mut turn) = self.turns.pop_front() else { break };
            match upkeep.submit(Operation::Release { group: turn.group.clone() }).await {
                Ok(Reply::More) => {
                    turn.steps += 1;
                    self.turns.push_back(turn);
                }
                Ok(_) => {
                    let seconds = turn.begun.elapsed().as_secs_f32();
                    tracing::info!(group = %turn.group, steps = turn.steps + 1, seconds, "released a dismissed group");
                }
                Err(error) => {
                    let context = error.context.as_deref();
                    tracing::warn!(group = %turn.group, context, "a group is not released: {error}");
                    failed.push_back(turn);
                }
            }
        }
        let more = !self.turns.is_empty();
        self.turns.append(&mut failed);
        self.tell(upkeep).await?;
        Ok(more)
    }

    /// Finds out which groups there are: new ones come last, and those that another node finished go.
    async fn gather(&mut self, upkeep: &Upkeep) -> Result<(), Error> {
        let listed = upkeep.store.unreleased_groups(GROUPS).await?;
        self.turns.retain(|turn| listed.iter().any(|(group, _)| *group == turn.group));
        for (group, members) in listed {
            if self.turns.iter().all(|turn| turn.group != group) {
                tracing::info!(%group, members, "releasing a dismissed group");
                self.turns.push_back(Turn { group, begun: Instant::now(), steps: 0 });
            }
        }
        Ok(())
    }

    /// Says how much is left: to the metrics each time, to the log now and then.
    async fn tell(&mut self, upkeep: &Upkeep) -> Result<(), Error> {
        let (groups, members) = upkeep.store.left_to_release().await?;
        upkeep.metrics.unreleased_groups.set(groups);
        upkeep.metrics.unreleased_members.set(members);
        if groups == 0 {
            self.told = None;
        } else if self.told.get_or_insert_with(Instant::now).elapsed() >= TELL {
            self.told = Some(Instant::now());
            tracing::info!(groups, members, "dismissed groups are being released");
        }
        Ok(())
    }
}
