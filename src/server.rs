//! The composition root: settings become parts, parts become a running server, in one order; stopping
//! goes through the same order backwards.
//!
//! Starting: listeners (a taken port is found before anything else is touched), key, database, engine,
//! delivery, revocations, upkeep, faces. Stopping: no new connections, `bye` to every socket, requests in flight end,
//! the lanes finish what waits, the pool closes, the embedded PostgreSQL stops.

mod key;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use self::key::key;
use crate::auth::{
    Authenticator, KeySource, ProviderSettings, Rate, SecretKey, Settings, SettingsFault,
};
use crate::config::{self, Config, Secret};
use crate::delivery::{Bus, Hub};
use crate::embedded::{self, Embedded, Options};
use crate::engine::{self, Committed, Engine, Outbox};
use crate::http::{self, App, Parts, ops, serve};
use crate::metrics::Metrics;
use crate::model::limits::Accounts;
use crate::rules::{Rulebook, Types};
use crate::store::types::OwnType;
use crate::store::{Place, Store};
use crate::upkeep::{Deleting, Retention, Revoked, Told, Upkeep};

/// Longest time that background tasks get when the server stops.
const GRACE: Duration = Duration::from_secs(15);

/// A running server.
pub struct Server {
    address: SocketAddr,
    ops_address: SocketAddr,
    key: Secret,
    engine: Engine,
    store: Store,
    embedded: Option<Embedded>,
    soft: CancellationToken,
    hard: CancellationToken,
    faces: TaskTracker,
    tasks: TaskTracker,
}

impl Server {
    /// Starts everything. When it returns, requests are answered.
    ///
    /// # Errors
    /// When a listener, the key, the database, a migration or the identity provider's key is not usable.
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let listener = bind(config.listen, "MUSTER_LISTEN").await?;
        let ops_listener = bind(config.ops_listen, "MUSTER_OPS_LISTEN").await?;
        let address = listener.local_addr()?;
        let ops_address = ops_listener.local_addr()?;
        let (embedded, place) = database(&config).await?;
        let key = key(&config)?;
        let auth = Arc::new(authenticator(&config, &key)?);
        let store = Store::connect(&place, config.readers).await?;
        store.migrate().await.context("migrating the database")?;
        check_types(&store, &config.types).await?;

        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let (faces, tasks) = (TaskTracker::new(), TaskTracker::new());
        let metrics = Arc::new(Metrics::new());
        metrics.database_up.set(1);
        let limits = Arc::new(config.limits.clone());
        let types = Arc::new(config.types.clone());
        let rulebook = Rulebook { limits: limits.clone(), types: types.clone() };
        let rate = Arc::new(Rate::new(config.rate_per_user));
        let openings = openings(&config);
        let bus = bus(&config, &store, &metrics, &tasks, &hard).await?;
        let hub = Hub::start(store.clone(), bus, metrics.clone(), &faces, soft.clone(), openings);
        let told = told(&auth, &hub);
        let revoked = Revoked::load(store.clone(), told.clone()).await?;
        let outbox: Outbox = {
            let hub = hub.clone();
            Arc::new(move |committed: Committed| {
                told(&committed.revocations);
                hub.committed(committed.epoch, committed.entries);
            })
        };
        let settings = engine::Settings { lanes: config.lanes, ..engine::Settings::new(rulebook) };
        let engine = Engine::start(store.clone(), settings, metrics.clone(), &outbox, &tasks);
        let upkeep = Upkeep {
            engine: engine.clone(),
            store: store.clone(),
            metrics: metrics.clone(),
            rate: rate.clone(),
        };
        look_after(upkeep, revoked, &config, &tasks, &soft);

        let app = App::from(Parts {
            engine: engine.clone(),
            store: store.clone(),
            auth,
            hub,
            rate,
            limits,
            types,
            app_id: config.app_id,
            sockets_per_user: config.sockets_per_user,
            metrics: metrics.clone(),
        });
        let public = http::public(app, &config.cors_origins)?;
        faces.spawn(serve::serve(listener, public, soft.clone()));
        let ops = ops::Ops { store: store.clone(), metrics, stopping: soft.clone() };
        tasks.spawn(serve::serve(ops_listener, ops::router(ops), hard.clone()));
        announce(&config, address, ops_address, embedded.as_ref());
        Ok(Self { address, ops_address, key, engine, store, embedded, soft, hard, faces, tasks })
    }

    /// Where the public API listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where health and metrics listen.
    #[must_use]
    pub fn ops_address(&self) -> SocketAddr {
        self.ops_address
    }

    /// The key that signs tokens for this server.
    #[must_use]
    pub fn key(&self) -> &Secret {
        &self.key
    }

    /// The way to the database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Serves until the future resolves, then stops in order.
    ///
    /// # Errors
    /// When the embedded PostgreSQL did not stop.
    pub async fn run_until_stopped(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        stop.await;
        self.stop().await
    }

    /// Stops in order: faces and sockets, engine, database.
    ///
    /// # Errors
    /// When the embedded PostgreSQL did not stop.
    pub async fn stop(self) -> anyhow::Result<()> {
        tracing::info!("stopping");
        self.soft.cancel();
        end(&self.faces, "connections").await;
        self.engine.close();
        self.hard.cancel();
        end(&self.tasks, "background tasks").await;
        self.store.close().await;
        if let Some(embedded) = self.embedded {
            embedded.stop().await.context("stopping the embedded PostgreSQL")?;
        }
        tracing::info!("stopped");
        Ok(())
    }
}

/// What is done with revocations, own ones and those of other nodes: from now on nobody comes in with what
/// was revoked, and whoever is in with it has to go.
fn told(auth: &Arc<Authenticator>, hub: &Hub) -> Told {
    let (auth, hub) = (auth.clone(), hub.clone());
    Arc::new(move |revocations| {
        let news = revocations.iter().filter(|one| auth.revocations().note(one));
        hub.doubt(news.map(|one| one.user.clone()).collect());
    })
}

async fn end(tracker: &TaskTracker, what: &str) {
    tracker.close();
    if tokio::time::timeout(GRACE, tracker.wait()).await.is_err() {
        tracing::warn!("{} {what} did not end in time", tracker.len());
    }
}

async fn bind(address: SocketAddr, setting: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{setting}: listening on {address} is not possible"))
}

/// The operator's database, or the embedded one, started.
async fn database(config: &Config) -> anyhow::Result<(Option<Embedded>, Place)> {
    if let Some(url) = &config.database_url {
        return Ok((None, Place::Url(url.expose().to_owned())));
    }
    let mut options = Options::new(&config.data_dir);
    options.pg_user.clone_from(&config.pg_user);
    options.bin_dir.clone_from(&config.pg_bin_dir);
    if let (Some(url), Some(pinned)) = (&config.pg_download_url, &mut options.download) {
        pinned.url.clone_from(url);
    }
    let embedded = Embedded::start(options).await?;
    let place = Place::Socket {
        dir: embedded.socket_dir().to_owned(),
        port: embedded::PORT,
        user: embedded.user().to_owned(),
        database: embedded.database().to_owned(),
    };
    Ok((Some(embedded), place))
}

/// Begins what a server does without being asked.
fn look_after(
    upkeep: Upkeep,
    revoked: Revoked,
    config: &Config,
    tasks: &TaskTracker,
    stopping: &CancellationToken,
) {
    let (store, metrics) = (upkeep.store.clone(), upkeep.metrics.clone());
    let retention = Retention::new(store, metrics, config.event_days);
    tasks.spawn(Deleting::beside(&upkeep).run(stopping.clone()));
    tasks.spawn(retention.run(stopping.clone()));
    tasks.spawn(revoked.run(stopping.clone()));
    tasks.spawn(upkeep.run(stopping.clone()));
}

/// How many sockets may ask the database at a time where they start: some of the connections for reads stay
/// free for callers.
fn openings(config: &Config) -> usize {
    (config.readers as usize * 2).div_ceil(3)
}

/// The way to other nodes: NATS if there is one, PostgreSQL otherwise. The embedded database has a private
/// socket, which no second node can reach, so that there it leads nowhere. It outlives the sockets, since
/// what requests in flight commit concerns the other nodes too.
async fn bus(
    config: &Config,
    store: &Store,
    metrics: &Arc<Metrics>,
    tasks: &TaskTracker,
    stopping: &CancellationToken,
) -> anyhow::Result<Bus> {
    if let Some(url) = &config.nats_url {
        let url = url.expose().parse().context("MUSTER_NATS_URL")?;
        let instance = store.instance().await.context("reading what names the database")?;
        return Bus::nats(&url, &instance, metrics.clone(), tasks, stopping.clone()).await;
    }
    if config.database_url.is_none() {
        return Ok(Bus::local());
    }
    Ok(Bus::notify(store.clone(), metrics.clone(), tasks, stopping.clone()))
}

/// Groups of a type that the settings no longer define, or define on other grounds, would be judged by other
/// rules than they were made under, and the counters of their members would be wrong: such a server does
/// not start.
async fn check_types(store: &Store, types: &Types) -> anyhow::Result<()> {
    let own = || types.all().iter().filter(|rules| rules.own);
    for noted in store.own_types().await?.iter().filter(|noted| noted.groups > 0) {
        let OwnType { name, groups, .. } = noted;
        let base = noted.base.word();
        let Some(rules) = own().find(|rules| *rules.name == **name) else {
            anyhow::bail!(
                "{groups} groups are of type {name}, based on {base}, which the settings do not \
                 define: add [types.{name}] to the settings file"
            );
        };
        if rules.base != noted.base {
            anyhow::bail!(
                "{groups} groups of type {name} were made when it was based on {base}; the settings \
                 base it on {}",
                rules.base.word()
            );
        }
        if rules.traits.counts_towards_limit != noted.counts {
            anyhow::bail!(
                "{groups} groups of type {name} were made when its counts_towards_limit was {}; it \
                 cannot change while there are any",
                noted.counts
            );
        }
    }
    for rules in own() {
        let counts = rules.traits.counts_towards_limit;
        store.note_own_type(&rules.name, rules.base, counts).await?;
    }
    Ok(())
}

fn announce(config: &Config, address: SocketAddr, ops: SocketAddr, embedded: Option<&Embedded>) {
    let database = match embedded {
        Some(embedded) => {
            format!(
                "embedded PostgreSQL {} in {}",
                embedded.server_version(),
                config.data_dir.display()
            )
        }
        None => "DATABASE_URL".to_owned(),
    };
    let limits = &config.limits;
    let accounts = match limits.accounts {
        Accounts::Open => "open",
        Accounts::Registered => "registered",
    };
    tracing::info!(
        groups_per_user = limits.groups_per_user.value,
        members_per_group = limits.members_per_group.value,
        invite_batch = limits.invite_batch.value,
        accounts,
        lanes = config.lanes,
        %database,
        "serving http://{address}, health and metrics at http://{ops}"
    );
}

fn authenticator(config: &Config, key: &Secret) -> anyhow::Result<Authenticator> {
    let provider = config.provider.as_ref().map(|provider| ProviderSettings {
        source: match &provider.source {
            config::KeySource::Jwks(url) => KeySource::JwksUrl(url.clone()),
            config::KeySource::PublicKeyPem(pem) => KeySource::PublicKeyPem(pem.clone()),
        },
        issuer: provider.issuer.clone(),
        audience: provider.audience.clone(),
        admins: provider.admins,
    });
    let settings = Settings {
        app_id: config.app_id,
        secret_key: SecretKey::new(key.expose()),
        admins: config.admins.clone(),
        user_id_bytes: config.limits.user_id_bytes,
        provider,
    };
    Authenticator::new(settings).map_err(|fault| {
        let name = match &fault {
            SettingsFault::SecretKeyEmpty => "MUSTER_SECRET_KEY",
            SettingsFault::IssuerEmpty => "MUSTER_JWT_ISSUER",
            SettingsFault::AudienceEmpty => "MUSTER_JWT_AUDIENCE",
            SettingsFault::PublicKey(_) => "MUSTER_JWT_PUBLIC_KEY",
            SettingsFault::JwksUrl(_) => "MUSTER_JWKS_URL",
        };
        config.refuse(name, fault.to_string()).into()
    })
}

/// The database of the settings, for a command that only needs that.
async fn store_of(config: &Config) -> anyhow::Result<(Option<Embedded>, Store)> {
    let (embedded, place) = database(config).await?;
    let store = Store::connect(&place, 1).await?;
    Ok((embedded, store))
}

async fn release(embedded: Option<Embedded>, store: &Store) -> anyhow::Result<()> {
    store.close().await;
    if let Some(embedded) = embedded {
        embedded.stop().await?;
    }
    Ok(())
}

/// Applies what is missing of the migrations: version, description, and whether it is applied now.
///
/// # Errors
/// When the database is not usable or a migration fails.
pub async fn migrate(config: &Config) -> anyhow::Result<Vec<(i64, String, bool)>> {
    let (embedded, store) = store_of(config).await?;
    let result = async {
        store.migrate().await?;
        store.migrations().await
    };
    let result = result.await;
    release(embedded, &store).await?;
    result
}

/// Every migration: version, description, and whether it is applied.
///
/// # Errors
/// When the database is not usable.
pub async fn migration_status(config: &Config) -> anyhow::Result<Vec<(i64, String, bool)>> {
    let (embedded, store) = store_of(config).await?;
    let result = store.migrations().await;
    release(embedded, &store).await?;
    result
}

/// The epoch of the database, renewed first if that is asked for.
///
/// # Errors
/// When the database is not usable or holds no tables of Muster.
pub async fn epoch(config: &Config, renew: bool) -> anyhow::Result<Arc<str>> {
    let (embedded, store) = store_of(config).await?;
    let read = async {
        if store.migrations().await?.iter().all(|(.., applied)| !applied) {
            anyhow::bail!(
                "the database holds no tables of Muster yet; `muster migrate` makes them"
            );
        }
        let epoch = if renew { store.renew_epoch().await } else { store.epoch().await };
        epoch.map_err(|error| anyhow::anyhow!(error.context.unwrap_or(error.text)))
    };
    let result = read.await;
    release(embedded, &store).await?;
    result
}
