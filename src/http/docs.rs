//! `/docs`: the API for people to read, drawn in the browser from `/v1/openapi.json`.
//!
//! Everything is in the binary and nothing is asked of another place: the policy in the headers forbids it,
//! and inline scripts and styles with it.

use axum::Router;
use axum::http::{HeaderName, header};
use axum::routing::get;

/// What the page may load and do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The page's parts: path, kind, text.
const PARTS: &[(&str, &str, &str)] = &[
    ("/docs", "text/html; charset=utf-8", include_str!("docs/index.html")),
    ("/docs/app.js", "text/javascript; charset=utf-8", include_str!("docs/app.js")),
    ("/docs/style.css", "text/css; charset=utf-8", include_str!("docs/style.css")),
    ("/docs/icon.svg", "image/svg+xml", include_str!("docs/icon.svg")),
];

/// The routes of the page and its parts.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    PARTS.iter().fold(Router::new(), |router, (path, kind, text)| {
        let headers: [(HeaderName, &'static str); 5] = [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::CACHE_CONTROL, "no-cache"),
        ];
        router.route(path, get(move || async move { (headers, *text) }))
    })
}
