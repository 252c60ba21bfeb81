//! Pages of a list near the end of a group of two hundred thousand.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::postgres::PgPool;

use super::{count_anew, counted, fill};
use crate::common::{ADMIN, Server};

const PEOPLE: i64 = 200_000;
/// How often each page is read: PostgreSQL plans a statement anew the first five times, and may then keep
/// a plan for all values.
const TIMES: usize = 12;

/// The address of a database with a group of so many people, and a few small ones.
async fn crowd() -> String {
    let database = crate::common::cluster::fresh_database().await;
    let pool = PgPool::connect(&database).await.expect("the database");
    let server = Server::on(&database, &[]).await;
    server.group("zoe", "large", "Public", json!({})).await;
    // Small groups beside it, so that the usual group is a small one.
    for n in 0..20 {
        server.group(ADMIN, &format!("small{n}"), "Work", json!({ "owner": "zoe" })).await;
    }
    server.stop().await;
    fill(&pool, "large", PEOPLE).await;
    sqlx::raw_sql("update members set role = 2 where user_id like '%7777'; analyze members")
        .execute(&pool)
        .await
        .expect("admins");
    pool.close().await;
    database
}

/// The ids of a list of a page, and the middle one of the times that it took.
async fn v1(server: &Server, query: &str) -> (Vec<String>, Duration) {
    let mut times = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        let data = server.get(ADMIN, &format!("/v1/groups/large/members?{query}")).await.ok();
        times.push(started.elapsed());
        ids = column(&data["memberList"], "userID");
    }
    times.sort();
    (ids, times[TIMES / 2])
}

fn column(list: &Value, field: &str) -> Vec<String> {
    let list = list.as_array().expect("a list");
    list.iter().map(|line| line[field].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_the_members_of_a_large_group_is_a_range_of_an_index() {
    let database = crowd().await;
    count_anew(&database).await;
    let server = Server::on(&database, &[]).await;
    let (mut read, mut slowest) = (0, Duration::ZERO);
    for (query, first, count) in [
        ("limit=100", "u000000", 100),
        ("limit=100&next=u199899", "u199900", 100),
        ("limit=100&role=Member&next=u199899", "u199900", 100),
        ("limit=1000&next=u199998", "u199999", 2),
        ("role=Admin", "u007777", 20),
        ("role=Admin&next=u187776", "u187777", 2),
        ("role=Owner", "zoe", 1),
        ("role=Owner&next=u100000", "zoe", 1),
        ("userID=u150000&userID=nobody&userID=u000001", "u000001", 2),
    ] {
        let (ids, time) = v1(&server, query).await;
        assert_eq!((ids.first().map(String::as_str), ids.len()), (Some(first), count), "{query}");
        slowest = slowest.max(time);
        read += i64::try_from(TIMES * (count + 1)).expect("few");
    }
    server.stop().await;
    let (whole, entries) = counted(&database).await;
    assert_eq!(whole, 0, "the members were never read as a whole");
    // Beside its members a page reads the caller's own row, and admins twenty-one rows in all.
    let bound = 2 * read + 100 * i64::try_from(TIMES).expect("few");
    assert!(entries <= bound, "{entries} entries of indexes for {read} members");
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}

/// The members of a page of the Tencent face, and the middle one of the times that it took.
async fn v4(server: &Server, mut body: Value) -> (Vec<String>, Duration) {
    body["GroupId"] = json!("large");
    let mut times = Vec::new();
    let mut ids = Vec::new();
    for _ in 0..TIMES {
        let started = Instant::now();
        let command = "group_open_http_svc/get_group_member_info";
        let answer = server.v4(command, body.clone()).await;
        times.push(started.elapsed());
        ids = column(&answer["MemberList"], "Member_Account");
    }
    times.sort();
    (ids, times[TIMES / 2])
}

/// Paging by offset goes through what it leaves out, which takes less than a second; showing thousands of
/// members takes its time wherever the page is.
#[tokio::test(flavor = "multi_thread")]
async fn pages_by_offset_near_the_end_of_a_large_group_take_less_than_a_second_more() {
    let database = crowd().await;
    let server = Server::on(&database, &[]).await;
    let (ids, largest) = v4(&server, json!({})).await;
    assert_eq!((ids[0].as_str(), ids.len()), ("u000000", 6_000));
    for (body, first, count, beginning) in [
        (json!({ "Limit": 100, "Offset": 199_950 }), "u199950", 51, Duration::ZERO),
        (json!({ "Offset": 194_001 }), "u194001", 6_000, largest),
        (
            json!({ "Limit": 10, "Offset": 199_970, "MemberRoleFilter": ["Member"] }),
            "u199990",
            10,
            Duration::ZERO,
        ),
        (
            json!({ "MemberRoleFilter": ["Owner", "Admin"], "Limit": 5 }),
            "u007777",
            5,
            Duration::ZERO,
        ),
        (json!({ "MemberRoleFilter": ["Admin"], "Offset": 19 }), "u197777", 1, Duration::ZERO),
    ] {
        let (ids, took) = v4(&server, body.clone()).await;
        let found = (ids.first().map(String::as_str), ids.len());
        assert_eq!(found, (Some(first), count), "{body}");
        assert!(took < beginning + Duration::from_secs(1), "{body}: {took:?}, {beginning:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_page_of_a_users_three_thousand_groups_costs_what_the_first_does() {
    let server = Server::with(&[("MUSTER_GROUPS_PER_USER", "10000")]).await;
    let pool = server.db().await;
    sqlx::raw_sql(
        "insert into groups (group_id, group_type, join_option, invite_option, member_count,
                             pending_count, seq, created_at)
         select 'g' || lpad(n::text, 6, '0'), 1, 1, 1, (n % 10 = 0)::int, 0, 1, now()
           from generate_series(0, 29999) n;
         insert into group_profiles select group_id, 'n', '', '', '', now() from groups;
         insert into users (user_id, group_count, created_at) values ('zoe', 3000, now());
         insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev)
         select group_id, 'zoe', 1, 1, now(), '', 1 from groups where member_count = 1",
    )
    .execute(&pool)
    .await
    .expect("many groups");
    let mut times = Vec::new();
    for next in ["", "&next=g028980"] {
        let mut taken = Vec::new();
        for _ in 0..TIMES {
            let path = format!("/v1/users/me/groups?limit=101{next}");
            let started = Instant::now();
            let data = server.get("zoe", &path).await.ok();
            taken.push(started.elapsed());
            assert_eq!(data["total"], 3_000);
            assert_eq!(data["groupList"].as_array().map(Vec::len), Some(101), "{next}");
            assert_eq!(data["next"].is_null(), !next.is_empty());
        }
        taken.sort();
        times.push(taken[TIMES / 2]);
    }
    let bound = 5 * times[0] + Duration::from_millis(50);
    assert!(times[1] < bound, "{times:?}");
    pool.close().await;
    server.stop().await;
}

/// Pages of a group are a range of its own memberships, however many other people there are whose ids come
/// before or between; likewise a user's groups and a group's bans.
#[tokio::test(flavor = "multi_thread")]
async fn pages_of_one_group_and_one_user_do_not_walk_through_the_memberships_of_others() {
    let database = crate::common::cluster::fresh_database().await;
    let pool = PgPool::connect(&database).await.expect("the database");
    let server = Server::on(&database, &[]).await;
    server.group("zoe", "g50", "Public", json!({})).await;
    server.stop().await;
    for statement in [
        "insert into groups (group_id, group_type, join_option, invite_option, member_count,
                             pending_count, seq, created_at)
         select 'g' || n, 2, 1, 1, 500, 0, 1, now() from generate_series(1, 100) n
             on conflict do nothing",
        "insert into group_profiles
                (group_id, name, folded_name, introduction, notification, face_url, changed_at)
         select 'g' || n, 'n', 'n', '', '', '', now() from generate_series(1, 100) n
             on conflict do nothing",
        "insert into users (user_id, created_at)
         select 'm' || lpad(n::text, 5, '0'), now() from generate_series(1, 8000) n",
        // Everybody is in a quarter of the groups, but in that one are only those whose ids come last.
        "insert into members (group_id, user_id, role, joined_seq, joined_at, name_card, user_rev, mute_until)
         select 'g' || g, 'm' || lpad(n::text, 5, '0'), 1, 1, now(), '', 1,
                case when n % 10 = 0 then now() + '1 day'::interval end
           from generate_series(1, 100) g, generate_series(1, 8000) n
          where case when g = 50 then n > 7900 else n % 4 = g % 4 end order by n, g",
        "insert into bans (group_id, user_id, reason, banned_by, banned_at)
         select 'g' || g, 'b' || lpad(n::text, 5, '0'), '', 'm0', now()
           from generate_series(1, 100) g, generate_series(1, 500) n order by n, g",
        "analyze",
    ] {
        sqlx::raw_sql(statement).execute(&pool).await.expect("many memberships");
    }
    pool.close().await;
    let paths = [
        "/v1/groups/g50/members?limit=50",
        "/v1/groups/g50/members?limit=50&role=Member",
        "/v1/users/m07998/groups?limit=20",
        "/v1/groups/g50/bans?limit=50",
    ];
    for path in paths {
        count_anew(&database).await;
        let server = Server::on(&database, &[]).await;
        for _ in 0..TIMES {
            server.get(ADMIN, path).await.ok();
        }
        server.stop().await;
        let pool = crate::large::alone(&database).await;
        // Entries that an index skips by itself are not counted as read; blocks are.
        let blocks: i64 = sqlx::query_scalar(
            "select sum(idx_blks_hit + idx_blks_read)::bigint from pg_statio_user_indexes
              where relname in ('members', 'bans')",
        )
        .fetch_one(&pool)
        .await
        .expect("statistics");
        pool.close().await;
        let pages = i64::try_from(TIMES).expect("few");
        let fits = (pages..pages * 60).contains(&blocks);
        assert!(fits, "{path}: {blocks} blocks");
    }
}
