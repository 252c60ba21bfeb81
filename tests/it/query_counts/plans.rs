//! A plan that was made while the tables were tiny stays right when they have grown.

use serde_json::{Value, json};
use sqlx::PgPool;

use crate::common::{ADMIN, Server, cluster, eventually};

/// Rows that come into each table at once.
const MANY: i64 = 30_000;

/// What everybody does with the group `g`: reads of each kind, and writes of new and of old rows.
async fn everyday(server: &Server, newcomers: &[&str]) {
    for path in ["/v1/groups/g", "/v1/groups/g/members?limit=5", "/v1/users/old/groups?limit=5"] {
        server.get(ADMIN, path).await.ok();
    }
    for user in newcomers {
        let named = json!({ "userList": [user, "old"] });
        let lines = server.post(ADMIN, "/v1/groups/g/invite", named).await.ok();
        assert_eq!((&lines[0]["result"], &lines[1]["result"]), (&json!(1), &json!(2)), "{lines}");
        server.post(ADMIN, "/v1/groups/h/invite", json!({ "userList": [user] })).await.ok();
        let card: Value = json!({ "nameCard": user });
        server.patch(ADMIN, &format!("/v1/groups/g/members/{user}"), card).await.ok();
        server.post(user, "/v1/groups/g/quit", json!({})).await.ok();
    }
}

async fn run(db: &PgPool, statement: &'static str) {
    sqlx::query(statement).bind(MANY).execute(db).await.expect(statement);
}

/// Entries of indexes that were read for these tables, and the indexes of most of them.
async fn entries(db: &PgPool) -> (i64, Vec<(String, i64)>) {
    sqlx::query("select pg_stat_clear_snapshot()").execute(db).await.expect("statistics");
    let read: Vec<(String, i64)> = sqlx::query_as(
        "select indexrelname::text, idx_tup_read from pg_stat_user_indexes
          where relname in ('users', 'groups', 'group_profiles', 'members', 'bans', 'revocations')
          order by idx_tup_read desc",
    )
    .fetch_all(db)
    .await
    .expect("statistics");
    (read.iter().map(|(_, entries)| entries).sum(), read)
}

#[tokio::test]
async fn a_plan_of_the_first_minute_does_not_go_through_whole_tables_later() {
    let database = cluster::fresh_database().await;
    let db = PgPool::connect(&database).await.expect("the database");
    let server = Server::on(&database, &[("MUSTER_LANES", "1"), ("MUSTER_READERS", "1")]).await;
    for id in ["g", "h"] {
        server.group("owner", id, "Public", json!({})).await;
    }
    server.post(ADMIN, "/v1/groups/g/invite", json!({ "userList": ["old"] })).await.ok();
    // Nobody takes statistics anew in between, as in the minute before autovacuum comes.
    for table in ["users", "groups", "group_profiles", "members", "bans", "revocations"] {
        let sql = format!("alter table {table} set (autovacuum_enabled = false)");
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&db).await.expect("a setting");
    }
    sqlx::query("vacuum analyze").execute(&db).await.expect("statistics");
    everyday(&server, &["a", "b"]).await;
    run(
        &db,
        "insert into users (user_id, created_at) select 'u' || n, now() from generate_series(1, $1::bigint) n",
    )
    .await;
    run(
        &db,
        "insert into groups (group_id, group_type, join_option, invite_option, member_count, pending_count, seq, created_at)
         select 'x' || n, 1, 2, 1, 0, 0, 1, now() from generate_series(1, $1::bigint) n",
    )
    .await;
    run(
        &db,
        "insert into group_profiles (group_id, name, introduction, notification, face_url, changed_at)
         select 'x' || n, 'x', '', '', '', now() from generate_series(1, $1::bigint) n",
    )
    .await;
    run(
        &db,
        "insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev)
         select 'x' || n, 'u' || n, 1, 1, now(), '', 1 from generate_series(1, $1::bigint) n",
    )
    .await;
    everyday(&server, &["c", "d"]).await;
    server.stop().await;
    let (read, of) = eventually("the server's sessions have told what they did", async || {
        let first = entries(&db).await;
        (first.0 > 0 && entries(&db).await == first).then_some(first)
    })
    .await;
    assert!(read < MANY / 10, "{read} entries of indexes were read for a few calls: {of:?}");
}
