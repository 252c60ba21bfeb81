//! The one validation pass: raw values in, a [`Config`] or every fault out.
//!
//! Nothing stops at the first fault: each setting is judged, then the parts are put together, so that an
//! operator sees all that is wrong at once.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use super::fault::{Fault, Origin};
use super::layers::Values;
use super::reader::{Checked, Reader};
use super::table::{self, Kind, SETTINGS, Setting};
use super::{Config, EffectiveSetting, KeySource, LogFormat, Provider, Secret, parse};
use crate::model::UserId;
use crate::model::id::USER_ID_BYTES_CEILING;
use crate::model::limits::{Accounts, Limits};
use crate::rules::Types;

/// Judges all values.
pub(super) fn config(values: &Values, faults: &mut Vec<Fault>) -> Checked<Config> {
    let check = &mut Reader { values, faults };
    let (listen, ops_listen) = check.addresses();
    let database_url = check.optional(&table::DATABASE_URL, |text| {
        check_url(&table::DATABASE_URL, text).map(|_| Secret::new(text.trim()))
    });
    let secret_key = check.secret_key();
    let data_dir = check.required(&table::DATA_DIR, |text| Ok(text.into()));
    let pg_user = check.required(&table::PG_USER, parse::account);
    let pg_bin_dir = check.optional(&table::PG_BIN_DIR, |text| Ok(text.into()));
    let pg_download_url = check.optional(&table::PG_DOWNLOAD_URL, |text| {
        check_url(&table::PG_DOWNLOAD_URL, text).map(|_| text.trim().to_owned())
    });
    let app_id = check.number(&table::APP_ID);
    let provider = check.provider();
    let limits = check.limits();
    let admins = check.admins(limits.as_ref().ok());
    let nats_url = check.optional(&table::NATS_URL, |text| {
        check_url(&table::NATS_URL, text).map(|_| Secret::new(text.trim()))
    });
    let rate_per_user = check.number(&table::RATE_PER_USER);
    let sockets_per_user = check.number(&table::SOCKETS_PER_USER);
    let event_days = check.number(&table::EVENT_DAYS);
    let cors_origins = check.optional(&table::CORS_ORIGINS, origins).map(Option::unwrap_or_default);
    let lanes = check.number(&table::LANES);
    let readers = check.number(&table::READERS);
    let log = check.required(&table::LOG, parse::filter);
    let log_format = check.choice(&table::LOG_FORMAT).map(|word| match word {
        "json" => LogFormat::Json,
        _ => LogFormat::Text,
    });
    Ok(Config {
        listen: listen?,
        ops_listen: ops_listen?,
        database_url: database_url?,
        nats_url: nats_url?,
        data_dir: data_dir?,
        pg_user: pg_user?,
        pg_bin_dir: pg_bin_dir?,
        pg_download_url: pg_download_url?,
        app_id: app_id?,
        secret_key: secret_key?,
        provider: provider?,
        admins: admins?,
        limits: limits?,
        types: Types::with(values.types().iter().cloned()),
        rate_per_user: rate_per_user?,
        cors_origins: cors_origins?,
        sockets_per_user: sockets_per_user?,
        event_days: event_days?,
        lanes: lanes?,
        readers: readers?,
        log: log?,
        log_format: log_format?,
        effective: effective(values),
    })
}

/// The rules that look at more than one setting.
impl Reader<'_> {
    fn addresses(&mut self) -> (Checked<SocketAddr>, Checked<SocketAddr>) {
        let listen = self.required(&table::LISTEN, parse::address);
        let ops_listen = self.required(&table::OPS_LISTEN, |text| {
            let address = parse::address(text)?;
            if listen.is_ok_and(|taken| taken == address) && address.port() != 0 {
                return Err(format!("is the address of {} too", table::LISTEN.name));
            }
            Ok(address)
        });
        (listen, ops_listen)
    }

    fn secret_key(&mut self) -> Checked<Option<Secret>> {
        let key =
            self.optional(&table::SECRET_KEY, |text| parse::signing_key(text).map(Secret::new))?;
        match self.values.get(&table::DATABASE_URL) {
            Some(database) if key.is_none() && !database.text.trim().is_empty() => {
                let problem = format!(
                    "is not set, and is required with {} ({}): all nodes of one database sign with \
                     the same key",
                    table::DATABASE_URL.name,
                    database.origin
                );
                self.note(Fault::general(table::SECRET_KEY.name, problem))
            }
            _ => Ok(key),
        }
    }

    fn provider(&mut self) -> Checked<Option<Provider>> {
        let url = self.optional(&table::JWKS_URL, |text| check_url(&table::JWKS_URL, text));
        let both = self.values.get(&table::JWKS_URL).is_some();
        let pem = self.optional(&table::JWT_PUBLIC_KEY, |text| {
            if both {
                return Err(format!("and {} exclude each other", table::JWKS_URL.name));
            }
            parse::public_key(text)
        });
        let issuer = self.optional(&table::JWT_ISSUER, |text| Ok(text.trim().to_owned()));
        let audience = self.optional(&table::JWT_AUDIENCE, |text| Ok(text.trim().to_owned()));
        let admins = self.required(&table::JWT_ADMINS, parse::switch);
        let source = match (url?, pem?) {
            (Some(url), _) => KeySource::Jwks(url),
            (None, Some(pem)) => KeySource::PublicKeyPem(pem),
            (None, None) => return self.no_provider(admins?),
        };
        let issuer = self.with_provider(&table::JWT_ISSUER, issuer?);
        let audience = self.with_provider(&table::JWT_AUDIENCE, audience?);
        Ok(Some(Provider { source, issuer: issuer?, audience: audience?, admins: admins? }))
    }

    /// A value that a provider's tokens need: without it any token of that provider would be good here.
    fn with_provider(&mut self, setting: &Setting, value: Option<String>) -> Checked<String> {
        if let Some(value) = value {
            return Ok(value);
        }
        let (url, pem) = (table::JWKS_URL.name, table::JWT_PUBLIC_KEY.name);
        let problem = format!("is not set, and is required with {url} and {pem}");
        self.note(Fault::general(setting.name, problem))
    }

    /// Without a key, what else is said of a provider would silently mean nothing.
    fn no_provider(&mut self, admins: bool) -> Checked<Option<Provider>> {
        let mut idle = vec![table::JWT_ISSUER, table::JWT_AUDIENCE];
        if admins {
            idle.push(table::JWT_ADMINS);
        }
        let mut outcome = Ok(None);
        for setting in idle {
            if let Some(value) = self.values.get(&setting) {
                let (url, pem) = (table::JWKS_URL.name, table::JWT_PUBLIC_KEY.name);
                let problem = format!("needs {url} or {pem}, and neither is set");
                outcome = self.note(Fault::wrong(&setting, &value.text, &value.origin, problem));
            }
        }
        outcome
    }

    fn limits(&mut self) -> Checked<Limits> {
        let groups_per_user = self.limit(&table::GROUPS_PER_USER);
        let members_per_group = self.limit(&table::MEMBERS_PER_GROUP);
        let invite_batch = self.limit(&table::INVITE_BATCH);
        let pending_per_group = self.limit(&table::PENDING_PER_GROUP);
        let pending_per_user = self.limit(&table::PENDING_PER_USER);
        let attribute_changes = self.limit(&table::ATTRIBUTE_CHANGES);
        let days: Checked<u64> = self.number(&table::APPLICATION_DAYS);
        let accounts = self.choice(&table::ACCOUNTS).map(|word| match word {
            "registered" => Accounts::Registered,
            _ => Accounts::Open,
        });
        let user_id_bytes = self.number(&table::USER_ID_BYTES);
        Ok(Limits {
            groups_per_user: groups_per_user?,
            members_per_group: members_per_group?,
            invite_batch: invite_batch?,
            pending_per_group: pending_per_group?,
            pending_per_user: pending_per_user?,
            attribute_changes: attribute_changes?,
            application_life: Duration::from_secs(days? * 24 * 3_600),
            accounts: accounts?,
            user_id_bytes: user_id_bytes?,
        })
    }

    fn admins(&mut self, limits: Option<&Limits>) -> Checked<BTreeSet<UserId>> {
        let bytes = limits.map_or(USER_ID_BYTES_CEILING, |limits| limits.user_id_bytes);
        self.required(&table::ADMINS, |text| {
            parse::list(text)
                .map(|id| {
                    UserId::parse(id, bytes, format_args!("has a user id, {id:?}, that"))
                        .map_err(|error| error.text)
                })
                .collect()
        })
    }
}

fn effective(values: &Values) -> Vec<EffectiveSetting> {
    SETTINGS
        .iter()
        .map(|setting| match values.get(setting) {
            Some(value) => EffectiveSetting {
                name: setting.name,
                value: match setting.masked(value.text.trim()) {
                    text if text.is_empty() => "(empty)".to_owned(),
                    text => text,
                },
                origin: value.origin.clone(),
            },
            None => EffectiveSetting {
                name: setting.name,
                value: format!("({})", setting.default_text()),
                origin: Origin::Default,
            },
        })
        .collect()
}

fn check_url(setting: &Setting, text: &str) -> Result<url::Url, String> {
    let schemes = match setting.kind {
        Kind::Url(schemes) => schemes,
        _ => &[],
    };
    parse::url(text, schemes)
}

fn origins(text: &str) -> Result<Vec<String>, String> {
    let mut origins = Vec::new();
    for part in parse::list(text) {
        let origin = parse::origin(part)?;
        if !origins.contains(&origin) {
            origins.push(origin);
        }
    }
    if origins.len() > 1 && origins.iter().any(|origin| origin == "*") {
        return Err("has * beside other origins; * already means every origin".to_owned());
    }
    Ok(origins)
}
