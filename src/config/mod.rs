//! Settings: what they are, where each value came from, and whether the whole of them makes sense.
//!
//! Values come from four layers, each over the one before: defaults, a TOML file, the environment, flags.
//! One validation pass turns the winning texts into a [`Config`] or into *all* that is wrong with them, and
//! every complaint names the setting, its value (secrets masked) and its origin. A server that starts has
//! therefore understood everything it was told: unknown names are refused, nothing is silently ignored.
//! The one exception is an empty environment variable, which counts as not set.
//!
//! `table` lists the settings, `file` and `layers` collect texts, `parse` and `reader` read single values,
//! `check` puts them together, `fault`, `mask` and `nearest` word what is wrong.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::model::{Limits, UserId};
use crate::rules::Types;

mod check;
mod fault;
mod file;
mod layers;
mod mask;
mod nearest;
mod parse;
mod reader;
mod table;
#[cfg(test)]
mod tests;
mod types;

pub use fault::{Fault, Faults, Origin};
pub use layers::Sources;
pub use mask::Secret;
pub use table::{Kind, Preset, SETTINGS, Setting, markdown};

/// Where an identity provider's keys come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A JSON Web Key Set, fetched over HTTP.
    Jwks(url::Url),
    /// One public key as PEM text.
    PublicKeyPem(String),
}

/// An identity provider whose tokens are accepted besides our own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// Its keys.
    pub source: KeySource,
    /// The `iss` that its tokens must carry.
    pub issuer: String,
    /// The `aud` that its tokens must carry.
    pub audience: String,
    /// Whether one of its tokens may be an app administrator's.
    pub admins: bool,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// A setting as `muster config` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveSetting {
    /// The setting's name.
    pub name: &'static str,
    /// Its value, secrets masked; words in parentheses when it has none.
    pub value: String,
    /// Where the value came from.
    pub origin: Origin,
}

/// All settings, understood. One for the life of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the public API and websockets listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where health, readiness and metrics listen; port 0 lets the system choose.
    pub ops_listen: SocketAddr,
    /// The database; without one the embedded default runs.
    pub database_url: Option<Secret>,
    /// The NATS server that carries events between nodes; it parses as a URL.
    pub nats_url: Option<Secret>,
    /// Folder of the embedded PostgreSQL and the generated key. Relative to the working directory.
    pub data_dir: PathBuf,
    /// Account that runs the embedded PostgreSQL when this process is root's.
    pub pg_user: String,
    /// Folder of PostgreSQL's programs; without one they are searched for.
    pub pg_bin_dir: Option<PathBuf>,
    /// Mirror to download PostgreSQL's programs from.
    pub pg_download_url: Option<String>,
    /// The `sdkappid`.
    pub app_id: u64,
    /// The signing key, at least 16 bytes; always there with `database_url`.
    pub secret_key: Option<Secret>,
    /// An identity provider to trust.
    pub provider: Option<Provider>,
    /// App administrators.
    pub admins: BTreeSet<UserId>,
    /// What decisions read.
    pub limits: Limits,
    /// The types of groups.
    pub types: Types,
    /// Requests a second for one caller who is no administrator.
    pub rate_per_user: u32,
    /// Origins whose pages may call REST, as browsers send them; `*` only alone.
    pub cors_origins: Vec<String>,
    /// Websockets that one user may hold on this node.
    pub sockets_per_user: u32,
    /// Days for which events are kept.
    pub event_days: i32,
    /// Lanes of the engine, and so database connections that write.
    pub lanes: usize,
    /// Most database connections for reads.
    pub readers: u32,
    /// The filter of log lines; it parses as an `EnvFilter`.
    pub log: String,
    /// The form of log lines.
    pub log_format: LogFormat,
    /// Every setting as it may be shown, in the order of [`SETTINGS`].
    pub effective: Vec<EffectiveSetting>,
}

impl Config {
    /// Resolves and checks all settings.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn load(sources: &Sources) -> Result<Self, Faults> {
        let mut faults = Vec::new();
        let config = layers::gather(sources, &mut faults)
            .and_then(|values| check::config(&values, &mut faults).ok());
        match config {
            Some(config) if faults.is_empty() => Ok(config),
            _ => Err(Faults(faults)),
        }
    }

    /// Settings from pairs of names and values, as the environment would give them, without reading the
    /// process's environment: for servers inside a test. Any unknown name is a fault.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn for_tests<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Faults> {
        Self::load(&Sources::of_pairs(pairs))
    }

    /// As [`Config::for_tests`], with a settings file below the pairs.
    ///
    /// # Errors
    /// Everything that is wrong, at once.
    pub fn for_tests_with_file<'a>(
        file: PathBuf,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Faults> {
        Self::load(&Sources::of_pairs(pairs).with_file(file))
    }

    /// Whether nobody set this, so that its default holds.
    #[must_use]
    pub fn is_default(&self, name: &str) -> bool {
        self.effective.iter().any(|one| one.name == name && one.origin == Origin::Default)
    }

    /// A complaint about a setting that only its user could find wrong, such as a key that is well-formed
    /// but of a kind that nobody can verify with. Returned as an error from a command, it ends the
    /// program as every wrong setting does.
    pub fn refuse(&self, name: &str, problem: impl Into<String>) -> Faults {
        let given = self.effective.iter().find(|setting| setting.name == name);
        let given = given.map(|setting| (setting.value.clone(), setting.origin.clone()));
        Faults(vec![Fault { about: name.to_owned(), given, problem: problem.into() }])
    }
}
