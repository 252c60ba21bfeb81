//! A provider's key set behind a URL, fetched when a token needs it and kept.
//!
//! What it keeps: a key that is known verifies without waiting for the provider, except once after the
//! set's hour is over; old keys stay when the provider is away; and whatever `kid` strangers
//! write into tokens, the provider is asked at most once in a while, by one task at a time. The
//! fetch runs on its own task, so that a caller who hangs up neither stops nor repeats it.

use std::error::Error as _;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::Algorithm;
use reqwest::header::ACCEPT;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::keys::PublicKey;
use super::malformed;
use crate::model::{Error, Reason};

#[cfg(test)]
mod tests;

/// Most bytes of a key set.
pub(super) const SET_BYTES: usize = 256 * 1024;
const REDIRECTS: usize = 3;

/// How often the provider is asked, and how patiently.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How long a set counts as fresh.
    pub(super) fresh: Duration,
    /// The pause after a fetch that succeeded.
    pub(super) after_success: Duration,
    /// The pause after one that failed.
    pub(super) after_failure: Duration,
    /// Most time for one fetch.
    pub(super) timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            fresh: Duration::from_hours(1),
            after_success: Duration::from_secs(30),
            after_failure: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
        }
    }
}

/// The key set, and the means to renew it.
pub(super) struct RemoteKeys {
    url: url::Url,
    client: reqwest::Client,
    pace: Pace,
    state: RwLock<Arc<State>>,
    /// Whoever holds it fetches.
    turn: Mutex<()>,
}

/// What is known. Replaced as a whole.
#[derive(Clone, Debug, Default)]
struct State {
    keys: Vec<Arc<PublicKey>>,
    /// When `keys` were fetched.
    fetched: Option<Instant>,
    /// When the last fetch ended, however it ended.
    attempted: Option<Instant>,
    /// Why the last fetch failed, if it did.
    fault: Option<String>,
}

/// Why no key of the set fits.
enum Miss {
    Unknown,
    OtherAlgorithm,
    Ambiguous,
}

impl RemoteKeys {
    /// Prepares; nothing is fetched. Otherwise says what is wrong, in words that follow "the address".
    pub(super) fn new(url: url::Url, pace: Pace) -> Result<Self, String> {
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err("must be a whole http or https URL".to_owned());
        }
        let client = reqwest::Client::builder()
            .timeout(pace.timeout)
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
            .https_only(url.scheme() == "https")
            .user_agent(concat!("muster/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|fault| format!("cannot be used: {}", told(fault)))?;
        Ok(Self { url, client, pace, state: RwLock::default(), turn: Mutex::default() })
    }

    /// The key for a token that says to be signed with `algorithm` by the key `kid`.
    ///
    /// # Errors
    /// [`Reason::TokenSignatureWrong`] when the provider has no such key,
    /// [`Reason::TokenMalformed`] when several fit a token without `kid`, [`Reason::Unavailable`] when
    /// the provider is away and could know more.
    pub(super) async fn find(
        self: &Arc<Self>,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Arc<PublicKey>, Error> {
        let state = self.state();
        let known = state.select(algorithm, kid);
        let fresh = state.fetched.is_some_and(|moment| moment.elapsed() < self.pace.fresh);
        let found = match known {
            Ok(key) if fresh || !self.is_due(&state) => Ok(key),
            // The provider was away already: nobody waits for it to be away again.
            Ok(key) if state.fault.is_some() => {
                if self.turn.try_lock().is_ok() {
                    tokio::spawn(Arc::clone(self).renew());
                }
                Ok(key)
            }
            Err(Miss::Unknown) if !self.is_due(&state) => Err(Miss::Unknown),
            Err(miss) if fresh && !matches!(miss, Miss::Unknown) => Err(miss),
            Ok(_) | Err(_) => {
                tokio::spawn(Arc::clone(self).renew()).await.map_err(Error::internal)?;
                self.state().select(algorithm, kid)
            }
        };
        found.map_err(|miss| self.refusal(&miss))
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn is_due(&self, state: &State) -> bool {
        self.pause(state).is_zero()
    }

    /// How long the provider is still left alone.
    fn pause(&self, state: &State) -> Duration {
        let pause =
            if state.fault.is_some() { self.pace.after_failure } else { self.pace.after_success };
        state.attempted.map_or(Duration::ZERO, |moment| pause.saturating_sub(moment.elapsed()))
    }

    /// Fetches the set, unless somebody else did while this task waited for its turn.
    async fn renew(self: Arc<Self>) {
        let _turn = self.turn.lock().await;
        let before = self.state();
        if !self.is_due(&before) {
            return;
        }
        let fetched = self.fetch().await;
        let now = Instant::now();
        let after = match fetched {
            Ok(keys) => {
                tracing::info!(keys = keys.len(), "the identity provider's key set was fetched");
                State { keys, fetched: Some(now), attempted: Some(now), fault: None }
            }
            Err(fault) => {
                tracing::warn!(
                    fault,
                    kept = before.keys.len(),
                    "the identity provider's key set could not be fetched"
                );
                State { attempted: Some(now), fault: Some(fault), ..State::clone(&before) }
            }
        };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
    }

    async fn fetch(&self) -> Result<Vec<Arc<PublicKey>>, String> {
        let asked = self.client.get(self.url.clone()).header(ACCEPT, "application/json");
        let mut reply = asked.send().await.map_err(told)?;
        if !reply.status().is_success() {
            return Err(format!("the provider answered {}", reply.status()));
        }
        let mut body = Vec::new();
        while let Some(chunk) = reply.chunk().await.map_err(told)? {
            if body.len() + chunk.len() > SET_BYTES {
                return Err(format!("the key set has more than {SET_BYTES} bytes"));
            }
            body.extend_from_slice(&chunk);
        }
        read_set(&body)
    }

    fn refusal(&self, miss: &Miss) -> Error {
        let state = self.state();
        match (miss, &state.fault) {
            (Miss::OtherAlgorithm, _) => Error::new(
                Reason::TokenSignatureWrong,
                "the identity provider's key with the token's kid is for another algorithm",
            ),
            (Miss::Ambiguous, _) => {
                malformed("names no kid, and several keys of the identity provider fit it")
            }
            (Miss::Unknown, None) => Error::new(
                Reason::TokenSignatureWrong,
                "the identity provider has no key with the token's kid and algorithm",
            ),
            (Miss::Unknown, Some(fault)) => {
                let pause = self.pause(&state).as_secs();
                Error::new(
                    Reason::Unavailable,
                    "the identity provider's keys cannot be fetched now",
                )
                .retry_after(u32::try_from(pause).unwrap_or(u32::MAX).saturating_add(1))
                .context(format!("fetching the key set: {fault}"))
            }
        }
    }
}

impl fmt::Debug for RemoteKeys {
    /// Leaves out the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteKeys").field("state", &self.state()).finish_non_exhaustive()
    }
}

impl State {
    /// The one key that fits. A token without `kid` gets one only when there is no choice.
    fn select(&self, algorithm: Algorithm, kid: Option<&str>) -> Result<Arc<PublicKey>, Miss> {
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.algorithm() == algorithm && (kid.is_none() || key.kid() == kid));
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(Arc::clone(key)),
            (Some(key), Some(_)) if kid.is_some() => Ok(Arc::clone(key)),
            (Some(_), Some(_)) => Err(Miss::Ambiguous),
            (None, _) if kid.is_some() && self.keys.iter().any(|key| key.kid() == kid) => {
                Err(Miss::OtherAlgorithm)
            }
            (None, _) => Err(Miss::Unknown),
        }
    }
}

/// Reads a key set. A key that cannot be used here is left out and takes no other with it.
fn read_set(body: &[u8]) -> Result<Vec<Arc<PublicKey>>, String> {
    #[derive(Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(body)
        .map_err(|fault| format!("the reply is no key set: {fault}"))?;
    let mut keys = Vec::with_capacity(set.keys.len());
    for key in set.keys {
        match PublicKey::from_jwk(key) {
            Ok(key) => keys.push(Arc::new(key)),
            Err(why) => tracing::debug!(why, "a key of the identity provider is left out"),
        }
    }
    Ok(keys)
}

/// An error with its causes and without the URL, which may hold a password.
fn told(fault: reqwest::Error) -> String {
    let fault = fault.without_url();
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
