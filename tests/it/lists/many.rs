//! Lists of very many groups: every page is an index range, and the last costs what the first does.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use sqlx::postgres::PgPool;

use super::page;
use crate::common::{ADMIN, Server};
use crate::large::{alone, count_anew};

const MANY: i64 = 200_000;
/// How often each page is read: PostgreSQL plans a statement anew the first five times, and may then keep
/// a plan for all values.
const TIMES: usize = 12;

/// Makes groups `g000001`, `g000002`, … with names `Name 1`, …; every fifth is of each type, and only one
/// in ten thousand is a live group.
async fn make_many(pool: &PgPool) {
    sqlx::raw_sql(
        "insert into groups (group_id, group_type, join_option, invite_option, member_count,
                             pending_count, seq, created_at)
         select 'g' || lpad(n::text, 6, '0'),
                case when n % 10000 = 0 then 4 else (array[1, 2, 3, 5])[1 + n % 4] end,
                1, 1, 0, 0, 1, now() from generate_series(1, 200000) n;
         insert into group_profiles
                (group_id, name, folded_name, introduction, notification, face_url, changed_at)
         select 'g' || lpad(n::text, 6, '0'), 'Name ' || n, 'name ' || n, '', '', '', now()
           from generate_series(1, 200000) n;
         analyze groups, group_profiles",
    )
    .execute(pool)
    .await
    .expect("many groups");
}

/// The middle one of the times that a page took.
async fn time(server: &Server, path: &str) -> (Vec<String>, Option<String>, Duration) {
    let mut times = Vec::new();
    let mut read = (Vec::new(), None);
    for _ in 0..TIMES {
        let started = Instant::now();
        let data = server.get(ADMIN, path).await.ok();
        times.push(started.elapsed());
        read = page(&data);
    }
    times.sort();
    (read.0, read.1, times[TIMES / 2])
}

fn cursor(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_hundred_thousand_groups_the_last_page_costs_what_the_first_does() {
    let database = crate::common::cluster::fresh_database().await;
    let pool = PgPool::connect(&database).await.expect("the database");
    make_many(&pool).await;
    pool.close().await;
    count_anew(&database).await;
    let server = Server::on(&database, &[]).await;
    let mut pages = 0;
    for (query, at_the_end, last) in [
        ("type=Work", cursor("n199990"), "g199996"),
        ("limit=100", cursor("n199950"), "g200000"),
        ("type=AVChatRoom", cursor("n190000"), "g200000"),
        ("search=g", cursor("ig199980"), ""),
        ("search=G19999", cursor("tg199995\nname 199995"), ""),
        ("search=NAME", cursor("tg099990\nname 99990"), "g099999"),
    ] {
        let (first, next, beginning) = time(&server, &format!("/v1/groups?{query}")).await;
        assert!(next.is_some() || first.len() < 100, "{query}");
        let path = format!("/v1/groups?{query}&next={at_the_end}");
        let (ids, next, end) = time(&server, &path).await;
        if !last.is_empty() {
            assert_eq!((ids.last().map(String::as_str), next), (Some(last), None), "{query}");
        }
        let bound = 5 * beginning + Duration::from_millis(50);
        assert!(end < bound, "{query}: {beginning:?} at the beginning, {end:?} at the end");
        pages += 2 * i64::try_from(TIMES).expect("few");
    }
    server.stop().await;
    let pool = alone(&database).await;
    let (whole, entries): (i64, i64) = sqlx::query_as(
        "select (select sum(seq_scan)::bigint from pg_stat_user_tables
                  where relname in ('groups', 'group_profiles')),
                (select sum(idx_tup_read)::bigint from pg_stat_user_indexes
                  where relname in ('groups', 'group_profiles'))",
    )
    .fetch_one(&pool)
    .await
    .expect("statistics");
    pool.close().await;
    assert_eq!(whole, 0, "no table was read as a whole");
    // A page of 100 reads its groups and their names; a search that fills its page from names tries ids
    // first.
    assert!((1..=pages * 101 * 4).contains(&entries), "{entries} index entries for {pages} pages");
}

/// What fits is rare: the page looks at so many groups, and says where to go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_search_for_what_is_rare_comes_in_bounded_pages_and_finds_everything() {
    let server = Server::start().await;
    let pool = server.db().await;
    make_many(&pool).await;
    let mut found = Vec::new();
    let mut next = String::new();
    let mut requests = 0;
    loop {
        let started = Instant::now();
        let path = format!("/v1/groups?search=g&type=AVChatRoom&limit=1000{next}");
        let (ids, more) = page(&server.get(ADMIN, &path).await.ok());
        assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
        requests += 1;
        found.extend(ids);
        let Some(more) = more else { break };
        next = format!("&next={more}");
    }
    let expected: Vec<String> = (1..=MANY / 10_000).map(|n| format!("g{n:02}0000")).collect();
    assert_eq!(found, expected);
    assert!((20..=22).contains(&requests), "{requests}");
    pool.close().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_back_end_reads_two_hundred_thousand_groups_in_twenty_pages() {
    let server = Server::start().await;
    let pool = server.db().await;
    make_many(&pool).await;
    let mut found = 0;
    let mut next = json!(0);
    let mut slowest = Duration::ZERO;
    for number in 1..=20 {
        let started = Instant::now();
        let body = json!({ "Next": next });
        let answer = server.v4("group_open_http_svc/get_appid_group_list", body).await;
        slowest = slowest.max(started.elapsed());
        assert_eq!((&answer["ErrorCode"], &answer["TotalCount"]), (&json!(0), &json!(MANY)));
        found += answer["GroupIdList"].as_array().expect("GroupIdList").len();
        next = answer["Next"].clone();
        assert_eq!(next == 0, number == 20);
    }
    assert_eq!(found, 200_000);
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    pool.close().await;
    server.stop().await;
}

#[tokio::test]
async fn an_answer_of_more_than_a_megabyte_is_refused() {
    let server = Server::start().await;
    let pool = server.db().await;
    // Ids of 48 bytes, most of which take two in JSON.
    sqlx::raw_sql(
        "insert into groups (group_id, group_type, join_option, invite_option, member_count,
                             pending_count, seq, created_at)
         select rpad(n::text, 48, '\"'), 1, 1, 1, 0, 0, 1, now() from generate_series(10001, 20000) n;
         insert into group_profiles select group_id, 'n', '', '', '', now() from groups",
    )
    .execute(&pool)
    .await
    .expect("many groups");
    let list = async |body| server.v4("group_open_http_svc/get_appid_group_list", body).await;
    assert_eq!(list(json!({})).await["ErrorCode"], 10_018);
    let half = list(json!({ "Limit": 5_000 })).await;
    assert_eq!((&half["ErrorCode"], &half["TotalCount"]), (&json!(0), &json!(10_000)));
    pool.close().await;
    server.stop().await;
}
