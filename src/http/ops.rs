//! Health, readiness and metrics, on a listener that is not the public one.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::store::Store;

/// What the operator's routes can reach.
#[derive(Clone)]
pub struct Ops {
    /// Asked whether it answers.
    pub store: Store,
    /// Printed.
    pub metrics: Arc<Metrics>,
    /// Set when the server is stopping.
    pub stopping: CancellationToken,
}

/// The operator's routes.
pub fn router(ops: Ops) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(ops)
}

/// Whether requests can be answered: the database is there and the server is not stopping.
async fn ready(State(ops): State<Ops>) -> (StatusCode, &'static str) {
    if ops.stopping.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    let up = ops.store.answers().await;
    ops.metrics.database_up.set(i64::from(up));
    if up {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n")
    }
}

async fn metrics(State(ops): State<Ops>) -> Response {
    match ops.metrics.print() {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
