//! Ending large groups (o): gone at once, released in the background, and nobody else notices.

use std::time::{Duration, Instant};

use serde_json::json;
use sqlx::postgres::PgPool;

use super::{count_anew, counted, fill};
use crate::common::{ADMIN, Server, cluster, eventually, results};
use crate::groups::{at, invite};

/// Members of the large group.
const LARGE: i64 = 30_000;
/// Longest time that one call may take on a machine that does much else.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// The gauges of what is left: groups, members.
async fn gauges(server: &Server) -> (i64, i64) {
    let answer = reqwest::get(format!("{}/metrics", server.ops_url())).await.expect("an answer");
    let text = answer.text().await.expect("a text");
    let value = |name: &str| {
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        let value = line.and_then(|line| line.split(' ').nth(1)).expect(name);
        value.parse().expect("a whole number")
    };
    (value("muster_unreleased_groups"), value("muster_unreleased_members"))
}

/// Releases that are open, and the members that a group still has.
async fn left(pool: &PgPool, group: &str) -> (i64, i32) {
    sqlx::query_as(
        "select (select count(*) from group_releases),
                (select member_count from groups where group_id = $1)",
    )
    .bind(group)
    .fetch_one(pool)
    .await
    .expect("counts")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_thirty_thousand_is_released_while_other_groups_go_on() {
    let server = Server::start().await;
    let pool = server.db().await;
    server.group("alice", "large", "Public", json!({})).await;
    server.group("carol", "other", "Work", json!({})).await;
    fill(&pool, "large", LARGE).await;
    assert_eq!(gauges(&server).await, (0, 0));

    let started = Instant::now();
    server.delete("alice", &at("large", "")).await.ok();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(1), "the dismissal took {took:?}");
    server.get("u000007", &at("large", "")).await.refused(404, 10010, "group_not_found");

    let (mut slowest, mut invited, mut seen) = (Duration::ZERO, 0, Vec::new());
    let begun = Instant::now();
    while left(&pool, "large").await.0 > 0 {
        assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", left(&pool, "large").await);
        // Some of those who come are being released at this moment.
        let user = format!("u{:06}", (invited * 37) % LARGE);
        let started = Instant::now();
        let data = invite(&server, "carol", "other", &[&user]).await.ok();
        slowest = slowest.max(started.elapsed());
        assert_eq!(results(&data), [(user, 1)]);
        invited += 1;
        seen.push(gauges(&server).await);
    }
    assert!(slowest < PATIENCE, "an invitation waited {slowest:?}");
    assert!(invited > 5, "{invited}");
    let during: Vec<i64> =
        seen.iter().filter(|(groups, _)| *groups == 1).map(|(_, members)| *members).collect();
    assert!(during.iter().any(|members| (1..LARGE).contains(members)), "{seen:?}");
    assert!(during.is_sorted_by(|one, two| one >= two), "{during:?}");
    eventually("nothing is left", || async { (gauges(&server).await == (0, 0)).then_some(()) })
        .await;
    let counts: Vec<(i32, i64)> = sqlx::query_as(
        "select group_count, count(*) from users where user_id like 'u%' group by 1 order by 1",
    )
    .fetch_all(&pool)
    .await
    .expect("counts");
    assert_eq!(counts, [(0, LARGE - invited), (1, invited)]);
    pool.close().await;
    server.check_invariants().await;
    server.stop().await;
}

/// Ends groups as a server does that is killed right after it said so.
async fn dismissed_by_a_server_that_died(pool: &PgPool, groups: &[&str]) {
    for (place, group) in groups.iter().enumerate() {
        let place = i32::try_from(place).expect("few");
        for statement in [
            "update groups set dismissed_at = now(), seq = seq + 1
              where group_id = $1 and $2 >= 0",
            "insert into group_events (group_id, seq, kind, at, frame)
             select group_id, seq, 8, now(), '{}' from groups where group_id = $1 and $2 >= 0",
            "insert into group_releases (group_id, since)
             values ($1, now() + $2 * interval '1 millisecond')",
        ] {
            sqlx::query(statement).bind(group).bind(place).execute(pool).await.expect("an end");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_take_turns_and_a_release_goes_on_where_it_was_left() {
    let database = cluster::fresh_database().await;
    let pool = PgPool::connect(&database).await.expect("the database");
    let server = Server::on(&database, &[]).await;
    for (group, people) in [("large", LARGE), ("middle", 1_500), ("live", 2_000)] {
        let group_type = if group == "live" { "AVChatRoom" } else { "Public" };
        server.group("alice", group, group_type, json!({})).await;
        fill(&pool, group, people).await;
    }
    // Being in a live group does not count.
    sqlx::query("update users set group_count = group_count - 1 where user_id < 'u002000' and user_id >= 'u'")
        .execute(&pool)
        .await
        .expect("an update");
    server.stop().await;
    dismissed_by_a_server_that_died(&pool, &["large", "middle", "live"]).await;
    pool.close().await;
    count_anew(&database).await;

    let pool = PgPool::connect(&database).await.expect("the database");

    let server = Server::on(&database, &[]).await;
    eventually("the smaller ones are released", || async {
        (left(&pool, "middle").await == (1, 0)).then_some(())
    })
    .await;
    assert!(left(&pool, "large").await.1 > 0, "they did not wait for the large one");
    server.stop().await;
    let place: String = sqlx::query_scalar("select after_user from group_releases")
        .fetch_one(&pool)
        .await
        .expect("a place");
    let released: i64 = sqlx::query_scalar(
        "select count(*) from members where group_id = 'large' and left_seq = 2",
    )
    .fetch_one(&pool)
    .await
    .expect("a count");
    let up_to: i64 = sqlx::query_scalar(
        "select count(*) from members where group_id = 'large' and user_id <= $1",
    )
    .bind(&place)
    .fetch_one(&pool)
    .await
    .expect("a count");
    assert_eq!((released > 0, released), (true, up_to), "{place}");

    let server = Server::on(&database, &[]).await;
    let begun = Instant::now();
    while left(&pool, "large").await.0 > 0 {
        assert!(begun.elapsed() < Duration::from_secs(90), "{:?}", left(&pool, "large").await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.stop().await;
    let counting: i64 = sqlx::query_scalar("select count(*) from users where group_count <> 0")
        .fetch_one(&pool)
        .await
        .expect("a count");
    assert_eq!(counting, 0);
    pool.close().await;
    let (_, entries) = counted(&database).await;
    let people = LARGE + 1_500 + 2_000;
    assert!(entries < 12 * people, "{entries} entries of indexes were read for {people} members");
    crate::common::check_invariants(&database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_release_the_same_group_once() {
    let first = Server::start().await;
    let second = first.beside().await;
    let pool = first.db().await;
    first.group("alice", "large", "Community", json!({ "groupID": "@TGS#_large" })).await;
    fill(&pool, "@TGS#_large", 5_000).await;
    second.delete(ADMIN, &at("@TGS#_large", "")).await.ok();
    eventually("everybody is released", || async {
        (left(&pool, "@TGS#_large").await == (0, 0)).then_some(())
    })
    .await;
    assert_eq!(cluster::deadlocks(first.database_url()).await, 0);
    pool.close().await;
    first.check_invariants().await;
    second.stop().await;
    first.stop().await;
}
