//! Groups so large that whatever grew with them would show: ending them, and listing their members.

mod listing;
mod release;

use sqlx::postgres::PgPool;

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

/// Counts what PostgreSQL does from now on.
async fn count_anew(pool: &PgPool) {
    sqlx::query("select pg_stat_reset()").execute(pool).await.expect("a reset");
}

/// How often `members` was read as a whole since then, and how many entries of its indexes were read. The
/// counters of a session are complete once it has ended.
async fn counted(pool: &PgPool) -> (i64, i64) {
    sqlx::query_as(
        "select (select sum(seq_scan)::bigint from pg_stat_user_tables where relname = 'members'),
                (select sum(idx_tup_read)::bigint from pg_stat_user_indexes
                  where relname = 'members')",
    )
    .fetch_one(pool)
    .await
    .expect("statistics")
}
