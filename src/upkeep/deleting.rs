//! Ending what deleted accounts have left: group by group, then the account itself.
//!
//! Where it stands is nowhere written down but in the rows that are left, so that it goes on after any
//! end of a server, and on several nodes at once. What fails is tried again a second later and holds up
//! nothing else: neither the account's other groups nor other accounts.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::model::{Error, GroupId, Moment, Operation, Reply, UserId};
use crate::store::Store;
use crate::store::accounts::Place;

use super::{Upkeep, submit};

/// How often it looks for accounts that are being deleted.
const LOOK: Duration = Duration::from_secs(1);
/// How long an account stays marked at least: by then every node knows that its credentials are over, and
/// none takes one of them for a new account's.
const KNOWN: TimeDelta = TimeDelta::seconds(2);
/// Accounts that are worked on together.
const ACCOUNTS: usize = 16;
/// Accounts read at a time.
const ACCOUNTS_PAGE: i64 = 100;
/// Groups of one account that are worked on together.
const GROUPS: usize = 32;
/// Groups read at a time.
const PAGE: i64 = 200;
/// Rows that one step of forgetting removes of each kind.
const ROWS: i64 = 1_000;

/// Works on accounts that are being deleted.
pub struct Deleting {
    engine: Engine,
    store: Store,
    metrics: Arc<Metrics>,
}

impl Deleting {
    /// Works with the same parts as the rest of upkeep.
    #[must_use]
    pub fn beside(upkeep: &Upkeep) -> Self {
        Self {
            engine: upkeep.engine.clone(),
            store: upkeep.store.clone(),
            metrics: upkeep.metrics.clone(),
        }
    }

    /// Works until the token is cancelled.
    pub async fn run(self, stopping: CancellationToken) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut after = None;
        let mut waiting: VecDeque<Place> = VecDeque::new();
        let mut busy: HashSet<UserId> = HashSet::new();
        let mut working = FuturesUnordered::new();
        loop {
            while working.len() < ACCOUNTS
                && let Some((deleted_at, user)) = waiting.pop_front()
            {
                if busy.insert(user.clone()) {
                    working.push(self.work_on(user, deleted_at));
                }
            }
            tokio::select! {
                () = stopping.cancelled() => return,
                Some(user) = working.next() => {
                    busy.remove(&user);
                }
                _ = looks.tick(), if waiting.is_empty() => match self.look(&mut after).await {
                    Ok(page) => waiting.extend(page),
                    Err(error) => {
                        // That the database is away is told elsewhere.
                        let context = error.context.as_deref();
                        tracing::debug!(context, "accounts that are being deleted: {error}");
                    }
                },
            }
        }
    }

    /// The next accounts that are being deleted, from the beginning again behind the last.
    async fn look(&self, after: &mut Option<Place>) -> Result<Vec<Place>, Error> {
        self.metrics.accounts_ending.set(self.store.accounts_being_deleted().await?);
        let page = self.store.deleted_accounts(after.as_ref(), ACCOUNTS_PAGE).await?;
        let full = i64::try_from(page.len()).is_ok_and(|length| length >= ACCOUNTS_PAGE);
        *after = page.last().filter(|_| full).cloned();
        Ok(page)
    }

    async fn work_on(&self, user: UserId, deleted_at: Moment) -> UserId {
        if let Err(error) = self.end(&user, deleted_at).await {
            let context = error.context.as_deref();
            tracing::warn!(%user, context, "an account is not deleted yet: {error}");
        }
        user
    }

    /// Ends everything that is left of an account, as far as that is possible now.
    async fn end(&self, user: &UserId, deleted_at: Moment) -> Result<(), Error> {
        let mut departing = FuturesUnordered::new();
        let mut failed = None;
        let mut after = None;
        loop {
            let page = self.store.groups_to_depart(user, after.as_ref(), PAGE).await?;
            let Some(last) = page.last().cloned() else { break };
            after = Some(last);
            for group in page {
                // As many as that at once, of whatever page: one that has to wait holds up no other.
                if departing.len() >= GROUPS {
                    failed = departing.next().await.and_then(Result::err).or(failed);
                }
                departing.push(depart(self.engine.clone(), user.clone(), group));
            }
        }
        while let Some(departed) = departing.next().await {
            failed = departed.err().or(failed);
        }
        if let Some(error) = failed {
            return Err(error);
        }
        while self.store.trim_account(user, ROWS).await? > 0 {}
        if self.store.now().await? < deleted_at + KNOWN {
            return Ok(());
        }
        if submit(&self.engine, Operation::ForgetUser { user: user.clone() }).await? == Reply::Done
        {
            tracing::info!(%user, "an account is deleted; its id is free");
        }
        Ok(())
    }
}

/// Ends everything that an account has in a group.
async fn depart(engine: Engine, user: UserId, group: GroupId) -> Result<(), Error> {
    loop {
        let operation = Operation::Depart { group: group.clone(), user: user.clone() };
        match submit(&engine, operation).await {
            Ok(Reply::More) => {}
            Ok(_) => return Ok(()),
            Err(error) => {
                let context = error.context.as_deref();
                tracing::warn!(%user, %group, context, "a deleted account is still here: {error}");
                return Err(error);
            }
        }
    }
}
