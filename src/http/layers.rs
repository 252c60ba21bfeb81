//! What surrounds every request of the public surface: a request id, a line in the log, a count, a longest
//! time, CORS, and a wall that a panic does not get over.

use std::any::Any;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowOrigin, CorsLayer};
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};
use tower_http::sensitive_headers::SetSensitiveRequestHeadersLayer;
use tower_http::trace::TraceLayer;
use tracing::Span;

use super::App;
use super::v1::problem;
use crate::metrics::RequestLabels;
use crate::model::{Error, Reason};

/// Longest time for an answer. What waits below this gives up earlier by itself.
const ANSWER: Duration = Duration::from_secs(30);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts the layers around the routes, outermost first.
///
/// # Errors
/// When a CORS origin cannot be a header's value.
pub fn surround(
    routes: Router<App>,
    app: &App,
    cors_origins: &[String],
) -> anyhow::Result<Router<App>> {
    let cors = if cors_origins.is_empty() { None } else { Some(cors(cors_origins)?) };
    let trace = TraceLayer::new_for_http()
        .make_span_with(span)
        .on_request(())
        .on_response(|response: &Response, latency: Duration, _: &Span| {
            tracing::info!(
                status = response.status().as_u16(),
                latency_ms = u64::try_from(latency.as_millis()).unwrap_or(u64::MAX),
                "answered"
            );
        })
        .on_failure(());
    // All in one layer: a router boxes the service and the future of each layer that it is given.
    Ok(routes.layer(
        ServiceBuilder::new()
            .layer(SetSensitiveRequestHeadersLayer::new([header::AUTHORIZATION]))
            .layer(SetRequestIdLayer::new(REQUEST_ID, MakeRequestUuid))
            .layer(PropagateRequestIdLayer::new(REQUEST_ID))
            .layer(trace)
            .option_layer(cors)
            .layer(middleware::from_fn_with_state(app.clone(), count))
            .layer(CatchPanicLayer::custom(panicked)),
    ))
}

/// The span of a request. The query is left out: on the Tencent face it carries the signature.
fn span(request: &Request) -> Span {
    let id = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or("");
    tracing::info_span!(
        "request",
        id,
        method = %request.method(),
        path = request.uri().path(),
    )
}

async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unknown".to_owned(), |path| path.as_str().to_owned());
    // The Tencent face counts by command and code itself: its status is always 200.
    let ours = !route.starts_with("/v4");
    let reads = request.method().is_safe();
    let answered = tokio::time::timeout(ANSWER, next.run(request)).await;
    let response = answered.unwrap_or_else(|_| problem::response(&too_late(reads)));
    if ours {
        let status = response.status().as_str().to_owned();
        let labels = RequestLabels { face: "v1", route, status };
        app.metrics.requests.get_or_create(&labels).inc();
        app.metrics.request_seconds.observe(started.elapsed().as_secs_f64());
    }
    response
}

/// The refusal of a request that took too long, as when the database is silent instead of gone.
fn too_late(reads: bool) -> Error {
    let seconds = ANSWER.as_secs();
    if reads {
        let text = format!("there was no answer within {seconds} s; try again");
        return Error::new(Reason::Unavailable, text).retry_after(1);
    }
    let text = format!(
        "there was no answer within {seconds} s; whether it was done is not known: \
                        try again with the same Idempotency-Key"
    );
    Error::new(Reason::OutcomeUnknown, text).retry_after(1)
}

fn cors(origins: &[String]) -> anyhow::Result<CorsLayer> {
    let allowed = if origins == ["*"] {
        AllowOrigin::any()
    } else {
        let values: Result<Vec<HeaderValue>, _> =
            origins.iter().map(|origin| HeaderValue::from_str(origin)).collect();
        AllowOrigin::list(values?)
    };
    Ok(CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            REQUEST_ID,
        ])
        .expose_headers([header::RETRY_AFTER, REQUEST_ID])
        .max_age(Duration::from_hours(1)))
}

#[expect(clippy::needless_pass_by_value, reason = "the layer hands the panic over")]
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a text");
    problem::response(&Error::internal(format!("panic: {text}")))
}
