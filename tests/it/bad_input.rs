//! What must not be believed: every route of the native face against bodies, ids, queries and clients that
//! are wrong in every way we could think of.
//!
//! A refusal is an answer: it has the envelope, the right status and code, names the field and the bound,
//! and leaves the database as it was, byte for byte. The routes and their fields stand in one table
//! ([`routes`]), from which the cases are made, so that a new field gets them all with one line.

mod bodies;
mod clients;
mod fields;
mod ids;
pub(crate) mod requests;
pub(crate) mod routes;

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use crate::common::wire::{exchange, request};
use crate::common::{ADMIN, Answer, Server, contract};

/// Fills a group that bad requests could spoil: a Public one of `alice` with the member `bob`, from which
/// `erin` is banned. Returns the open application of `carol`.
pub(crate) async fn furnish(server: &Server, group: &str) -> String {
    server.group("alice", group, "Public", json!({})).await;
    let at = |below: &str| format!("/v1/groups/{group}/{below}");
    server.post(ADMIN, &at("invite"), json!({ "userList": ["bob"] })).await.ok();
    server.put("alice", &at("bans/erin"), json!({ "reason": "noise" })).await.ok();
    server.post("carol", &at("join"), json!({})).await.ok();
    let list = server.get("alice", &format!("/v1/applications?groupID={group}")).await.ok();
    let application = list["applicationList"][0]["applicationID"].as_str();
    application.expect("an application").to_owned()
}

/// A server with something in it that bad requests could spoil.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) pool: PgPool,
    state_query: String,
    /// An open application of `carol` to join the group `g`.
    pub(crate) application: String,
}

impl World {
    /// With the group `g`, see [`furnish`].
    pub(crate) async fn new() -> Self {
        let server = Server::start().await;
        let application = furnish(&server, "g").await;
        let pool = server.narrow_db().await;
        let tables: Vec<String> = sqlx::query_scalar(
            "select relname::text from pg_class
              where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1",
        )
        .fetch_all(&pool)
        .await
        .expect("the tables");
        assert!(tables.len() > 10, "{tables:?}");
        let state_query = tables
            .iter()
            .map(|table| {
                format!(
                    "select '{table}', count(*),
                            md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from {table} t"
                )
            })
            .collect::<Vec<_>>()
            .join(" union all ");
        Self { server, pool, state_query, application }
    }

    /// Every table, how many rows it has and what is in them.
    pub(crate) async fn state(&self) -> Vec<(String, i64, String)> {
        let query = sqlx::query_as(AssertSqlSafe(self.state_query.clone()));
        query.fetch_all(&self.pool).await.expect("the state")
    }

    /// Sends a request as it is.
    pub(super) async fn ask(
        &self,
        user: &str,
        method: &str,
        target: &str,
        body: impl AsRef<[u8]>,
    ) -> Answer {
        self.ask_with(user, method, target, &[], body).await
    }

    /// Sends a request with headers besides the credential.
    pub(super) async fn ask_with(
        &self,
        user: &str,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.server.token(user));
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        let answer = exchange(self.server.url(), &request(method, target, &all, body)).await;
        contract::check(method, target, answer.status, &answer.body);
        answer
    }

    /// Stops the server, having checked that the database is sound.
    pub(crate) async fn end(self) {
        self.server.check_invariants().await;
        self.pool.close().await;
        self.server.stop().await;
    }
}

/// How something must be refused.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: i64,
    pub(super) reason: &'static str,
    /// `data.field`; it must be named in `desc`, too, unless it cannot be shown.
    pub(super) field: Option<String>,
    /// `data.limit`; it must be named in `desc`, too.
    pub(super) limit: Option<i64>,
}

impl Refusal {
    pub(super) fn new(status: u16, code: i64, reason: &'static str) -> Self {
        Self { status, code, reason, field: None, limit: None }
    }

    /// 400 with 10004.
    pub(super) fn invalid(field: &str) -> Self {
        Self::new(400, 10004, "invalid_parameter").field(field)
    }

    pub(super) fn malformed() -> Self {
        Self::new(400, 10011, "malformed_json")
    }

    pub(super) fn field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    pub(super) fn limit(mut self, limit: i64) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// Checks a refusal, part by part.
#[track_caller]
pub(super) fn check(what: &str, answer: &Answer, expected: &Refusal) {
    check_envelope(what, answer);
    let data = &answer.body["data"];
    let found = (answer.status, answer.body["code"].as_i64(), data["reason"].as_str());
    let wanted = (expected.status, Some(expected.code), Some(expected.reason));
    assert_eq!(found, wanted, "{what}: {answer:?}");
    let desc = answer.body["desc"].as_str().expect("desc");
    if let Some(field) = &expected.field {
        assert_eq!(data["field"].as_str(), Some(field.as_str()), "{what}: {answer:?}");
        let shown = field.contains(char::is_control) || desc.contains(field.as_str());
        assert!(shown, "{what}: the text does not name {field}: {desc}");
    }
    if let Some(limit) = expected.limit {
        assert_eq!(data["limit"].as_i64(), Some(limit), "{what}: {answer:?}");
        assert!(
            desc.contains(&limit.to_string()),
            "{what}: the text does not name {limit}: {desc}"
        );
    }
}

/// Checks that an answer is one of ours and tells nothing that it should not.
#[track_caller]
pub(crate) fn check_envelope(what: &str, answer: &Answer) {
    let body = answer.body.as_object().unwrap_or_else(|| panic!("{what}: {answer:?}"));
    let names: Vec<&str> = body.keys().map(String::as_str).collect();
    assert_eq!(names, ["code", "desc", "data"], "{what}: {answer:?}");
    assert!(answer.headers.contains_key("x-request-id"), "{what}: {answer:?}");
    assert_eq!(answer.headers["content-type"], "application/json", "{what}");
    assert!(answer.status < 500, "{what}: {answer:?}");
    let success = answer.status < 300;
    assert_eq!(answer.body["code"] == 0, success, "{what}: {answer:?}");
    if success {
        return;
    }
    let data = answer.body["data"].as_object().unwrap_or_else(|| panic!("{what}: {answer:?}"));
    let known = ["reason", "field", "limit", "current", "source"];
    assert!(data.keys().all(|name| known.contains(&name.as_str())), "{what}: {answer:?}");
    let desc = answer.body["desc"].as_str().unwrap_or_default();
    assert!(!desc.is_empty() && desc.len() < 1_000, "{what}: {answer:?}");
    for secret in ["select ", "insert ", "sqlx", "postgres", ".rs:", "panicked"] {
        assert!(!desc.to_lowercase().contains(secret), "{what}: {desc}");
    }
}

/// A body with one field set.
pub(super) fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}
