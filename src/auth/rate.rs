//! How often a caller may call. Counted on each node for itself, in memory: a bound against runaway
//! clients, not an account.

use std::num::NonZeroU32;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::model::{Error, Reason, UserId};

/// Bounds how many requests a caller may make: so many a second, with bursts of four times that.
pub struct Rate {
    per_second: NonZeroU32,
    callers: DefaultKeyedRateLimiter<UserId>,
}

impl Rate {
    /// A bound for each caller.
    #[must_use]
    pub fn new(per_second: u32) -> Self {
        let per_second = NonZeroU32::new(per_second).unwrap_or(NonZeroU32::MIN);
        let burst = per_second.saturating_mul(NonZeroU32::MIN.saturating_add(3));
        let callers = RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst));
        Self { per_second, callers }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// [`Reason::RateLimited`] with the seconds to wait.
    pub fn check(&self, user: &UserId) -> Result<(), Error> {
        self.callers.check_key(user).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
            let text = format!("more than {} requests a second", self.per_second);
            Error::new(Reason::RateLimited, text)
                .limit(self.per_second.get())
                .source("MUSTER_RATE_PER_USER")
                .retry_after(seconds.max(1))
        })
    }

    /// Forgets callers who have been quiet for a while.
    pub fn forget(&self) {
        self.callers.retain_recent();
        self.callers.shrink_to_fit();
    }
}
