//! The faces: HTTP in, commands and reads in the middle, HTTP out.
//!
//! Only this folder knows axum. The native face ([`v1`]) and the Tencent face ([`v4`]) share the commands
//! and the reads, never each other's types: each decodes its own words into
//! [`Operation`](crate::model::Operation)s and maps [`Reason`](crate::model::Reason)s to its own codes.
//! Health and metrics ([`ops`]) have a listener of their own; people read of the native face at `/docs`
//! ([`docs`]), and programs follow its websocket with `/client.js` ([`client`]).

pub mod client;
pub mod docs;
pub mod ids;
pub mod layers;
pub mod ops;
pub mod serve;
pub mod v1;
pub mod v4;

use std::ops::Deref;
use std::sync::Arc;

use axum::Router;

use crate::auth::{Authenticator, Rate};
use crate::delivery::Hub;
use crate::engine::Engine;
use crate::metrics::Metrics;
use crate::model::Limits;
use crate::rules::Types;
use crate::store::Store;

/// Longest body of a request.
pub const BODY_BYTES: usize = 256 * 1024;

/// What every handler can reach. Shared: every layer of every request takes its own.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl From<Parts> for App {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The parts of the server that handlers work with.
pub struct Parts {
    /// The way to change anything.
    pub engine: Engine,
    /// The way to read.
    pub store: Store,
    /// Turns credentials into callers.
    pub auth: Arc<Authenticator>,
    /// Carries events to sockets.
    pub hub: Hub,
    /// Bounds the calls of each caller.
    pub rate: Arc<Rate>,
    /// The limits in force.
    pub limits: Arc<Limits>,
    /// The types of groups.
    pub types: Arc<Types>,
    /// The `sdkappid`.
    pub app_id: u64,
    /// Most sockets of one user.
    pub sockets_per_user: u32,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The public surface: both faces, with what surrounds every request.
///
/// # Errors
/// When a CORS origin cannot be a header's value.
pub fn public(app: App, cors_origins: &[String]) -> anyhow::Result<Router> {
    let routes = Router::new()
        .nest("/v1", v1::router())
        .merge(v4::router())
        .merge(docs::router())
        .merge(client::router())
        .fallback(v1::problem::unknown_route)
        .method_not_allowed_fallback(v1::problem::method_not_allowed);
    layers::surround(routes, &app, cors_origins).map(|router| router.with_state(app))
}
