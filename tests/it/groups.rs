//! What the tests about groups share: paths, short ways to common calls, and looks at what was stored.

use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;

use crate::common::{ADMIN, Answer, Server};

/// The path of a group, or of something below it.
pub(crate) fn at(group: &str, below: &str) -> String {
    let id = percent_encoding::utf8_percent_encode(group, percent_encoding::NON_ALPHANUMERIC);
    if below.is_empty() { format!("/v1/groups/{id}") } else { format!("/v1/groups/{id}/{below}") }
}

/// `POST …/invite`.
pub(crate) async fn invite(server: &Server, inviter: &str, group: &str, users: &[&str]) -> Answer {
    server.post(inviter, &at(group, "invite"), json!({ "userList": users })).await
}

/// `POST …/join`.
pub(crate) async fn join(server: &Server, user: &str, group: &str) -> Answer {
    server.post(user, &at(group, "join"), json!({})).await
}

/// Adds people by the administrator, whom no consent stops.
pub(crate) async fn add(server: &Server, group: &str, users: &[&str]) {
    let data = invite(server, ADMIN, group, users).await.ok();
    let results: Vec<&Value> = data.as_array().expect("a list").iter().collect();
    assert!(results.iter().all(|line| line["result"] == 1), "{data}");
}

/// Makes a group with admins and ordinary members.
pub(crate) async fn group_of(
    server: &Server,
    owner: &str,
    id: &str,
    group_type: &str,
    (admins, members): (&[&str], &[&str]),
    mut more: Value,
) -> String {
    let admins = admins.iter().map(|user| json!({ "userID": user, "role": "Admin" }));
    let members = members.iter().map(|user| json!({ "userID": user }));
    more["memberList"] = admins.chain(members).collect();
    server.group(owner, id, group_type, more).await
}

/// The ids of a group's members, sorted.
pub(crate) async fn member_ids(server: &Server, group: &str) -> Vec<String> {
    let data = server.get(ADMIN, &at(group, "members?limit=1000")).await.ok();
    let list = data["memberList"].as_array().expect("memberList");
    let mut ids: Vec<String> =
        list.iter().map(|line| line["userID"].as_str().expect("userID").to_owned()).collect();
    ids.sort();
    ids
}

/// A group's log.
pub(crate) async fn log(server: &Server, group: &str) -> Vec<Value> {
    let data = server.get(ADMIN, &at(group, "events?limit=1000")).await.ok();
    data["eventList"].as_array().expect("eventList").clone()
}

/// The newest entry of a group's log.
pub(crate) async fn newest(server: &Server, group: &str) -> Value {
    log(server, group).await.pop().expect("an event")
}

/// The number of the newest entry of a group's log.
pub(crate) async fn head(server: &Server, group: &str) -> i64 {
    let data = server.get(ADMIN, &at(group, "")).await.ok();
    data["seq"].as_i64().expect("seq")
}

/// The names of people in an event's list.
pub(crate) fn named(event: &Value) -> Vec<&str> {
    let list = event["memberList"].as_array().expect("memberList");
    list.iter().map(|member| member["userID"].as_str().expect("userID")).collect()
}

/// A person's own stream, as it is stored.
pub(crate) async fn own_stream(server: &Server, user: &str) -> Vec<Value> {
    let pool = server.db().await;
    let frames: Vec<String> =
        sqlx::query_scalar("select frame from user_events where user_id = $1 order by seq")
            .bind(user)
            .fetch_all(&pool)
            .await
            .expect("a person's stream");
    pool.close().await;
    frames.iter().map(|frame| serde_json::from_str(frame).expect("a frame")).collect()
}

/// Whether there is a row of this user.
pub(crate) async fn has_row(server: &Server, user: &str) -> bool {
    let pool = server.db().await;
    let rows: i64 = sqlx::query_scalar("select count(*) from users where user_id = $1")
        .bind(user)
        .fetch_one(&pool)
        .await
        .expect("a count");
    pool.close().await;
    rows > 0
}

/// Every table with its number of rows and a digest of what they hold.
pub(crate) async fn everything(server: &Server) -> Vec<(String, i64, String)> {
    let pool = server.db().await;
    let mut found = Vec::new();
    for table in tables(&pool).await {
        let query = format!(
            "select count(*), coalesce(md5(string_agg(t::text, '|' order by t::text)), '') from {table} t"
        );
        let (rows, digest): (i64, String) =
            sqlx::query_as(AssertSqlSafe(query)).fetch_one(&pool).await.expect("a digest");
        found.push((table, rows, digest));
    }
    pool.close().await;
    found
}

async fn tables(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select table_name::text from information_schema.tables
          where table_schema = 'public' and table_type = 'BASE TABLE' order by 1",
    )
    .fetch_all(pool)
    .await
    .expect("the tables")
}
