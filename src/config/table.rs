//! The one table of settings.
//!
//! `muster --help`, `muster config`, the resolution of values and the documentation all read [`SETTINGS`],
//! so that they cannot tell different stories. A setting that is not in this table does not exist: the
//! validation pass names settings by the constants below, which the same macro puts into the table.

use std::fmt::Write as _;

use super::{mask, parse};

/// What a value may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `ip:port` or `localhost:port`; port 0 lets the system choose.
    Address,
    /// A whole number between two bounds, both included.
    Number {
        /// The lowest value.
        least: u64,
        /// The highest value.
        most: u64,
    },
    /// `true` or `false`.
    Switch,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// Any text.
    Text,
    /// A folder's path, relative to the working directory when it is not absolute.
    Folder,
    /// Texts separated by commas.
    List,
    /// A URL with one of these schemes. A password in it is masked wherever it is shown.
    Url(&'static [&'static str]),
    /// A secret: masked wherever it is shown.
    Secret,
    /// A public key in PEM, or the path of a file that holds one.
    Pem,
    /// A filter of log lines.
    Filter,
}

/// What holds when nobody sets a setting.
#[derive(Clone, Copy, Debug)]
pub enum Preset {
    /// This value.
    Text(&'static str),
    /// A value that the machine decides, and how, in words.
    Computed(fn() -> String, &'static str),
    /// No value, and what that means, in a word or two.
    Absent(&'static str),
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The environment variable; also the setting's name in messages.
    pub name: &'static str,
    /// The long flag without its dashes, when there is one.
    pub flag: Option<&'static str>,
    /// What holds when nobody sets it.
    pub preset: Preset,
    /// What a value may look like.
    pub kind: Kind,
    /// One line for people.
    pub help: &'static str,
}

impl Setting {
    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, flag: None, preset: Preset::Absent("none"), kind, help }
    }

    const fn flag(mut self, flag: &'static str) -> Self {
        self.flag = Some(flag);
        self
    }

    const fn preset(mut self, text: &'static str) -> Self {
        self.preset = Preset::Text(text);
        self
    }

    const fn absent(mut self, meaning: &'static str) -> Self {
        self.preset = Preset::Absent(meaning);
        self
    }

    const fn computed(mut self, value: fn() -> String, meaning: &'static str) -> Self {
        self.preset = Preset::Computed(value, meaning);
        self
    }

    /// The key in a TOML file: the name in lower case without `MUSTER_`.
    pub fn key(&self) -> String {
        self.name.strip_prefix("MUSTER_").unwrap_or(self.name).to_ascii_lowercase()
    }

    /// Whether the value, or a part of it, may be shown to nobody.
    pub fn secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::Url(_))
    }

    /// The value as it may be shown.
    pub fn masked(&self, text: &str) -> String {
        match self.kind {
            Kind::Secret => mask::HIDDEN.to_owned(),
            Kind::Url(_) => mask::url(text),
            Kind::Pem => mask::pem(text),
            _ => text.to_owned(),
        }
    }

    /// The default in words.
    pub fn default_text(&self) -> &'static str {
        match self.preset {
            Preset::Text(text) | Preset::Computed(_, text) | Preset::Absent(text) => text,
        }
    }

    /// What a value may look like, in words.
    pub fn values(&self) -> String {
        match self.kind {
            Kind::Address => "`ip:port` or `localhost:port`".to_owned(),
            Kind::Number { least, most } => format!("{least} to {most}"),
            Kind::Switch => "`true`, `false`".to_owned(),
            Kind::Choice(words) => words.map_join("`, `"),
            Kind::Text => "text".to_owned(),
            Kind::Folder => "folder".to_owned(),
            Kind::List => "list, separated by commas".to_owned(),
            Kind::Url(schemes) => format!("URL: {}", schemes.map_join("`, `")),
            Kind::Secret => format!("secret, at least {} bytes", parse::KEY_BYTES),
            Kind::Pem => "PEM, or a PEM file's path".to_owned(),
            Kind::Filter => "`error` … `trace`, or a filter such as `info,sqlx=warn`".to_owned(),
        }
    }
}

/// Joins words as code.
trait MapJoin {
    fn map_join(&self, between: &str) -> String;
}

impl MapJoin for [&'static str] {
    fn map_join(&self, between: &str) -> String {
        format!("`{}`", self.join(between))
    }
}

macro_rules! settings {
    ($($id:ident: $setting:expr;)*) => {
        $(pub(super) const $id: Setting = $setting;)*

        /// Every setting there is, in the order in which people are shown them.
        pub const SETTINGS: &[Setting] = &[$($id),*];
    };
}

const fn number(least: u64, most: u64) -> Kind {
    Kind::Number { least, most }
}

/// The largest whole number that every JSON reader keeps exact.
const JSON_SAFE: u64 = (1 << 53) - 1;
const WEB: Kind = Kind::Url(&["https", "http"]);

settings! {
    LISTEN: Setting::new("MUSTER_LISTEN", Kind::Address, "public API and websockets")
        .flag("listen").preset("127.0.0.1:8080");
    OPS_LISTEN: Setting::new("MUSTER_OPS_LISTEN", Kind::Address, "`/healthz`, `/readyz` and `/metrics`")
        .flag("ops-listen").preset("127.0.0.1:8081");
    DATABASE_URL: Setting::new("DATABASE_URL", Kind::Url(&["postgres", "postgresql"]),
        "PostgreSQL 14 or newer; without it the embedded default runs").flag("database-url");
    DATA_DIR: Setting::new("MUSTER_DATA_DIR", Kind::Folder,
        "the embedded PostgreSQL's cluster and the generated key").flag("data-dir").preset("./muster-data");
    PG_USER: Setting::new("MUSTER_PG_USER", Kind::Text,
        "account that runs the embedded PostgreSQL when Muster is started as root").preset("postgres");
    PG_BIN_DIR: Setting::new("PG_BIN_DIR", Kind::Folder,
        "folder of PostgreSQL's programs for the embedded default").absent("searched for");
    PG_DOWNLOAD_URL: Setting::new("MUSTER_PG_DOWNLOAD_URL", WEB,
        "mirror for the PostgreSQL archive that the embedded default downloads when it finds no PostgreSQL");
    APP_ID: Setting::new("MUSTER_APP_ID", number(1, JSON_SAFE), "the `sdkappid`")
        .flag("app-id").preset("1400000000");
    SECRET_KEY: Setting::new("MUSTER_SECRET_KEY", Kind::Secret,
        "signs and verifies UserSig and HS256 JWT; required with `DATABASE_URL`")
        .absent("generated once into the data directory");
    JWKS_URL: Setting::new("MUSTER_JWKS_URL", WEB,
        "keys of an identity provider whose RS256, ES256 and EdDSA tokens are accepted too");
    JWT_PUBLIC_KEY: Setting::new("MUSTER_JWT_PUBLIC_KEY", Kind::Pem,
        "the provider's one key, instead of `MUSTER_JWKS_URL`");
    JWT_ISSUER: Setting::new("MUSTER_JWT_ISSUER", Kind::Text,
        "`iss` that the provider's tokens must carry; required with either of the two");
    JWT_AUDIENCE: Setting::new("MUSTER_JWT_AUDIENCE", Kind::Text,
        "`aud` that the provider's tokens must carry; required with either of the two");
    JWT_ADMINS: Setting::new("MUSTER_JWT_ADMINS", Kind::Switch,
        "whether a provider's token may be an app administrator's").preset("false");
    ADMINS: Setting::new("MUSTER_ADMINS", Kind::List, "user ids that are app administrators")
        .flag("admins").preset("administrator");
    ACCOUNTS: Setting::new("MUSTER_ACCOUNTS", Kind::Choice(&["open", "registered"]),
        "`open`: an unknown user id is a new user; `registered`: it must have been imported").preset("open");
    NATS_URL: Setting::new("MUSTER_NATS_URL", Kind::Url(&["nats", "tls"]),
        "NATS server that carries events between nodes; without it PostgreSQL's NOTIFY does").flag("nats-url");
    GROUPS_PER_USER: Setting::new("MUSTER_GROUPS_PER_USER", number(1, 1_000_000),
        "groups that one user may be in").preset("1000");
    MEMBERS_PER_GROUP: Setting::new("MUSTER_MEMBERS_PER_GROUP", number(1, 10_000_000),
        "highest `maxMemberCount` that a group may be given").preset("1000000");
    INVITE_BATCH: Setting::new("MUSTER_INVITE_BATCH", number(1, 500),
        "most people named in one call (invite, kick, initial members)").preset("300");
    PENDING_PER_GROUP: Setting::new("MUSTER_PENDING_PER_GROUP", number(1, 1_000_000),
        "open applications that one group may have").preset("1000");
    PENDING_PER_USER: Setting::new("MUSTER_PENDING_PER_USER", number(1, 1_000_000),
        "open applications that one person may have").preset("50");
    ATTRIBUTE_CHANGES: Setting::new("MUSTER_ATTRIBUTE_CHANGES", number(1, 1_000),
        "changes of one group's attributes in a second").preset("10");
    APPLICATION_DAYS: Setting::new("MUSTER_APPLICATION_DAYS", number(1, 3_650),
        "days for which an application stays open").preset("7");
    EVENT_DAYS: Setting::new("MUSTER_EVENT_DAYS", number(1, 3_650),
        "days for which events are kept; a client that was away longer is told to load everything again").preset("35");
    USER_ID_BYTES: Setting::new("MUSTER_USER_ID_BYTES", number(1, 64), "longest user id, in bytes")
        .preset("32");
    RATE_PER_USER: Setting::new("MUSTER_RATE_PER_USER", number(1, 1_000_000),
        "requests a second for one caller who is no administrator; bursts of four times that").preset("50");
    SOCKETS_PER_USER: Setting::new("MUSTER_SOCKETS_PER_USER", number(1, 10_000),
        "websockets that one user may hold on one node").preset("20");
    CORS_ORIGINS: Setting::new("MUSTER_CORS_ORIGINS", Kind::List,
        "origins whose pages may call REST: `scheme://host[:port]`, or `*` alone");
    LANES: Setting::new("MUSTER_LANES", number(1, 64),
        "connections that write, one for each lane of the engine; half have work as a rule")
        .computed(two_for_each_core, "two for each core");
    READERS: Setting::new("MUSTER_READERS", number(1, 200), "most database connections for reads")
        .preset("10");
    LOG: Setting::new("MUSTER_LOG", Kind::Filter, "which log lines are written").preset("info");
    LOG_FORMAT: Setting::new("MUSTER_LOG_FORMAT", Kind::Choice(&["text", "json"]), "form of log lines")
        .preset("text");
}

fn two_for_each_core() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (cores * 2).min(64).to_string()
}

/// The table as Markdown, for the documentation.
pub fn markdown() -> String {
    let mut text = String::from(
        "| setting | TOML key | flag | default | values | meaning |\n|---|---|---|---|---|---|\n",
    );
    for setting in SETTINGS {
        let flag = setting.flag.map_or_else(String::new, |flag| format!("`--{flag}`"));
        let default = match setting.preset {
            Preset::Text(text) => format!("`{text}`"),
            Preset::Computed(_, words) | Preset::Absent(words) => words.to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| `{}` | `{}` | {flag} | {default} | {} | {} |",
            setting.name,
            setting.key(),
            setting.values(),
            setting.help
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_keys_and_flags_are_unique() {
        let distinct = |words: Vec<String>| words.iter().collect::<BTreeSet<_>>().len();
        let flags: Vec<_> =
            SETTINGS.iter().filter_map(|setting| setting.flag).map(str::to_owned).collect();
        assert_eq!(distinct(flags.clone()), flags.len());
        assert_eq!(
            distinct(SETTINGS.iter().map(|it| it.name.to_owned()).collect()),
            SETTINGS.len()
        );
        assert_eq!(distinct(SETTINGS.iter().map(Setting::key).collect()), SETTINGS.len());
    }

    #[test]
    fn a_key_is_the_name_in_lower_case_without_the_prefix() {
        assert_eq!(LISTEN.key(), "listen");
        assert_eq!(DATABASE_URL.key(), "database_url");
        assert_eq!(PG_BIN_DIR.key(), "pg_bin_dir");
    }

    #[test]
    fn the_markdown_has_a_row_for_every_setting() {
        let text = markdown();
        println!("{text}");
        assert_eq!(text.lines().count(), SETTINGS.len() + 2);
        for setting in SETTINGS {
            assert!(text.contains(&format!("| `{}` |", setting.name)), "{}", setting.name);
        }
    }
}
