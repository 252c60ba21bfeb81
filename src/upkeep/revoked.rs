//! Learning of revoked credentials: all of them before the server serves, and from then on those that
//! other nodes revoke.
//!
//! What this node revokes itself it knows with the commit. Of the rest it hears by reading the table
//! again: a question to an index twice a second, whose answer is empty as long as nobody revokes
//! anything.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio_util::sync::CancellationToken;

use crate::model::{Error, Moment, Revocation};
use crate::store::Store;

/// How often it asks.
const LOOK: Duration = Duration::from_millis(500);
/// How far it looks back behind what it has seen: longer than the engine waits for the commit of a change
/// whose time it has taken.
const LOOK_BACK: TimeDelta = TimeDelta::seconds(30);
/// Most revocations of one answer.
const PAGE: i64 = 5_000;

/// Told of revocations, new ones and ones that it knows.
pub type Told = Arc<dyn Fn(&[Revocation]) + Send + Sync>;

/// Follows the table of revocations.
pub struct Revoked {
    store: Store,
    told: Told,
    since: Moment,
}

impl Revoked {
    /// Tells of all that are known. Nobody may be let in before.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn load(store: Store, told: Told) -> Result<Self, Error> {
        let since = store.now().await?;
        let mut after = None;
        loop {
            let page = store.revocations(after.as_ref(), PAGE).await?;
            told(&page);
            match page.last() {
                Some(last) => after = Some(last.user.clone()),
                None => return Ok(Self { store, told, since }),
            }
        }
    }

    /// Follows until the token is cancelled.
    pub async fn run(mut self, stopping: CancellationToken) {
        let mut away = false;
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
            let result = tokio::select! {
                () = stopping.cancelled() => return,
                result = self.look() => result,
            };
            if let Err(error) = &result
                && !away
            {
                tracing::warn!(
                    context = error.context.as_deref(),
                    "revocations of other nodes cannot be read: {error}"
                );
            }
            away = result.is_err();
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page =
                self.store.revocations_since(self.since, LOOK_BACK, after.as_ref(), PAGE).await?;
            (self.told)(&page);
            let Some(last) = page.last() else { return Ok(()) };
            self.since = self.since.max(last.changed_at);
            after = Some((last.changed_at, last.user.clone()));
            if i64::try_from(page.len()).is_ok_and(|length| length < PAGE) {
                return Ok(());
            }
        }
    }
}
