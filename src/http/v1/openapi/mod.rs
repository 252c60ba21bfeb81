//! The OpenAPI 3.1 document of the native face, made from the code.
//!
//! A route is registered together with its documentation or not at all: the router is built with
//! `routes!`, which takes both from the handler. Beside a handler stands only what is its own: a summary,
//! its query, its body, an example and the reasons of its own. Everything else follows from that
//! ([`finish`]) and from two tables: [`fields`] and [`errors`].

mod errors;
pub mod events;
mod fields;
mod finish;
pub mod shapes;

use std::sync::LazyLock;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;

pub(in crate::http::v1) use errors::{refused, refuses};
pub(in crate::http::v1) use finish::add_schemas;

/// The document as text.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let (_, routes) = OpenApiRouter::default().nest("/v1", super::routes()).split_for_parts();
    let mut text = serde_json::to_value(&routes)
        .map(finish::finish)
        .and_then(|document| serde_json::to_string_pretty(&document))
        // A document is made of texts, numbers and lists: this cannot fail.
        .unwrap_or_default();
    text.push('\n');
    text
});

/// The document as text.
#[must_use]
pub fn document() -> &'static str {
    &DOCUMENT
}

/// This document.
///
/// The OpenAPI 3.1 document of these routes. `/docs` shows it to people.
#[utoipa::path(
    get, path = "/openapi.json", tag = "Server", security(()),
    responses((status = 200, description = "The document.", body = serde_json::Value,
        example = json!({ "openapi": "3.1.0" })))
)]
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], document()).into_response()
}
