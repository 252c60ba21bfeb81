//! The end of credentials and of accounts. Letters are those of `decisions.md`.

mod deleted;
mod many;
mod refusals;
mod revoked;

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use muster::auth::{SecretKey, jwt, usersig};
use muster::model::UserId;
use reqwest::Method;
use serde_json::Value;

use crate::common::{ADMIN, APP, Answer, KEY, Server, eventually};

/// A JWT that was made so many seconds ago.
fn old_jwt(user: &str, seconds_ago: i64) -> String {
    let made = Utc::now() - TimeDelta::seconds(seconds_ago);
    jwt::sign_hs256(&SecretKey::new(KEY), &UserId::from_stored(user), made, 3_600).expect("a JWT")
}

/// A UserSig that was made so many seconds ago.
fn old_usersig(user: &str, seconds_ago: i64) -> String {
    let made = Utc::now() - TimeDelta::seconds(seconds_ago);
    usersig::sign(&SecretKey::new(KEY), APP, &UserId::from_stored(user), made, 3_600, None)
        .expect("a UserSig")
}

/// `GET /v1/users/me` with this token.
async fn me(server: &Server, token: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    server.send(Method::GET, "/v1/users/me", &[("authorization", &bearer)], "").await
}

/// Waits until the second is over: a token tells no more of when it was made.
async fn next_second() {
    let now = Utc::now().timestamp();
    eventually("the next second", async || (Utc::now().timestamp() > now).then_some(())).await;
}

async fn delete(server: &Server, user: &str) {
    let data = server.delete(ADMIN, &format!("/v1/users/{user}")).await.ok();
    assert_eq!(data, serde_json::json!({ "status": "deleting" }));
}

/// Waits until an account that is being deleted is gone.
async fn gone(server: &Server, user: &str) {
    eventually(&format!("{user} is gone"), || async {
        (!crate::groups::has_row(server, user).await).then_some(())
    })
    .await;
}

/// A number of the database.
async fn count(database: &str, query: &'static str) -> i64 {
    let pool = sqlx::postgres::PgPool::connect(database).await.expect("the database");
    let count = sqlx::query_scalar(query).fetch_one(&pool).await.expect("a number");
    pool.close().await;
    count
}

/// Waits for the end of a socket, which has to come in time: code and `bye`.
async fn ends_within(seconds: u64, stream: crate::common::socket::Stream) -> (u16, Value) {
    let end = crate::sockets::end_of(stream);
    tokio::time::timeout(Duration::from_secs(seconds), end).await.expect("an end in time")
}
