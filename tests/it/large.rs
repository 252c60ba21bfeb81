//! Groups so large that whatever grew with them would show: ending them, and listing their members.

mod listing;
mod release;

use sqlx::postgres::{PgPool, PgPoolOptions};

use crate::common::eventually;

/// Brings people `u000000`, `u000001`, … into a group by the thousand, with everything counted.
async fn fill(pool: &PgPool, group: &str, people: i64) {
    let mut connection = pool.acquire().await.expect("a connection");
    for statement in [
        "insert into users (user_id, created_at)
         select 'u' || lpad(n::text, 6, '0'), now() from generate_series(0, $2 - 1) n
          where $1::text is not null on conflict do nothing",
        "insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev)
         select $1, 'u' || lpad(n::text, 6, '0'), 1, 1, now(), '', 1
           from generate_series(0, $2 - 1) n",
        "update users set group_count = group_count + 1, membership_rev = membership_rev + 1
          where user_id between 'u000000' and 'u' || lpad(($2 - 1)::text, 6, '0')
            and $1::text is not null",
        "update groups set member_count = member_count + $2, max_members = 1000000
          where group_id = $1",
    ] {
        sqlx::query(statement)
            .bind(group)
            .bind(people)
            .execute(&mut *connection)
            .await
            .expect("people come in");
    }
}

/// The only session of a database, once all others have ended: only then are their counters complete.
pub(crate) async fn alone(database: &str) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(1).connect(database).await;
    let pool = pool.expect("the database");
    eventually("all other sessions have ended", || async {
        let others: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
              where datname = current_database() and pid <> pg_backend_pid()
                and backend_type = 'client backend'",
        )
        .fetch_one(&pool)
        .await
        .expect("the sessions");
        (others == 0).then_some(())
    })
    .await;
    pool
}

/// Counts what PostgreSQL does from now on. Nobody else may be at work.
pub(crate) async fn count_anew(database: &str) {
    let pool = alone(database).await;
    sqlx::query("select pg_stat_reset()").execute(&pool).await.expect("a reset");
    pool.close().await;
}

/// How often `members` was read as a whole since then, and how many entries of its indexes were read.
/// Nobody else may be at work.
async fn counted(database: &str) -> (i64, i64) {
    let pool = alone(database).await;
    sqlx::query_as(
        "select (select sum(seq_scan)::bigint from pg_stat_user_tables where relname = 'members'),
                (select sum(idx_tup_read)::bigint from pg_stat_user_indexes
                  where relname = 'members')",
    )
    .fetch_one(&pool)
    .await
    .expect("statistics")
}
