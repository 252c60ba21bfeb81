//! `/client.js`: the client for browsers and Node, as one module without dependencies.
//!
//! Pages of any origin may import it: it holds nothing that is anybody's, and the websocket that it opens asks
//! for a token. A browser asks whether its copy is still the server's, so that client and server go together.

use std::fmt::Write as _;
use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

const MODULE: &str = include_str!("client.js");

/// Names this text of the module.
static TAG: LazyLock<String> = LazyLock::new(|| {
    let digest = Sha256::digest(MODULE);
    let hex = digest.iter().take(12).fold(String::new(), |mut hex, byte| {
        // A text takes whatever is written to it.
        write!(hex, "{byte:02x}").ok();
        hex
    });
    format!("\"{hex}\"")
});

/// The module's route.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/client.js", get(module))
}

async fn module(asked: HeaderMap) -> Response {
    let headers: [(HeaderName, &'static str); 5] = [
        (header::ETAG, TAG.as_str()),
        (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
    ];
    if knows(&asked) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, MODULE).into_response()
}

/// Whether whoever asks has this text already.
fn knows(asked: &HeaderMap) -> bool {
    let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|tags| tags.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == TAG.as_str()
    })
}
