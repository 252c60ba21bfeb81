//! Batches that lock nothing: whatever changes between their reading and their writing is found out, and a write
//! whose answer is lost counts once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor, PgPool};

use super::Pair;
use crate::common::faulty::{Odds, Wire};
use crate::common::{ADMIN, Answer, Server, cluster, eventually, metric, results};

/// Waits until a lane waits for a lock.
async fn a_lane_waits(pool: &PgPool) {
    eventually("a lane waits", || async {
        let waiting = "select count(*) from pg_stat_activity
                        where datname = current_database() and application_name = 'muster lane'
                          and wait_event_type = 'Lock'";
        let lanes: i64 = sqlx::query_scalar(waiting).fetch_one(pool).await.expect("a count");
        (lanes > 0).then_some(())
    })
    .await;
}

/// Calls while another session holds something in an open transaction. Once somebody waits for it, something
/// else is done in a third session, and the transaction commits.
async fn call_across(
    server: &Server,
    hold: &str,
    meanwhile: &str,
    call: impl Future<Output = Answer>,
) -> Answer {
    let pool = PgPool::connect(server.database_url()).await.expect("the database");
    let mut other = pool.acquire().await.expect("a connection");
    other.execute("begin").await.expect("a transaction");
    other.execute(AssertSqlSafe(hold)).await.expect(hold);
    let release = async {
        a_lane_waits(&pool).await;
        pool.execute(AssertSqlSafe(meanwhile)).await.expect(meanwhile);
        other.execute("commit").await.expect("a commit");
    };
    tokio::join!(call, release).0
}

/// The batch ran twice, and not for want of a lock.
async fn ran_twice(server: &Server, what: &str) {
    let retries = |cause: &str| format!("muster_batch_retries_total{{cause=\"{cause}\"}}");
    assert_eq!(metric(server, &retries("raced")).await, 1, "{what}");
    assert_eq!(metric(server, &retries("refused")).await, 0, "{what}");
}

/// Each time on a new server, whose lanes are not wary yet.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_between_the_reading_and_the_writing_is_decided_anew() {
    let cases = [("group_limit = 0", 4), ("invite_consent = 2", 3), ("nick_name = 'n'", 1)];
    // Before the write begins, and while it waits for the row.
    for early in [true, false] {
        for (setting, result) in cases {
            let server = Server::start().await;
            server.group("owner", "g", "Work", json!({})).await;
            server.put(ADMIN, "/v1/users/u", json!({})).await.ok();
            let change = format!("update users set {setting} where user_id = 'u'");
            let (hold, meanwhile) = if early {
                ("lock table group_events in access exclusive mode", change.as_str())
            } else {
                (change.as_str(), "select 1")
            };
            let body = json!({ "userList": ["u", "friend-of-u"] });
            let call = server.post("owner", "/v1/groups/g/invite", body);
            let answer = call_across(&server, hold, meanwhile, call).await;
            let expected = [("u".to_owned(), result), ("friend-of-u".to_owned(), 1)];
            assert_eq!(results(&answer.ok()), expected, "{change}, early: {early}");
            ran_twice(&server, &format!("{change}, early: {early}")).await;
            let db = PgPool::connect(server.database_url()).await.expect("the database");
            let kept = format!("select count(*) from users where user_id = 'u' and {setting}");
            let kept: i64 =
                sqlx::query_scalar(AssertSqlSafe(kept)).fetch_one(&db).await.expect("a count");
            assert_eq!(kept, 1, "{change}, early: {early}");
            assert_eq!(cluster::deadlocks(server.database_url()).await, 0);
            server.check_invariants().await;
            server.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_groups_share_a_user_few_batches_run_twice() {
    let database = cluster::fresh_database().await;
    let server = Server::on(&database, &[("MUSTER_LANES", "4")]).await;
    for group in 0..40 {
        server.group(ADMIN, &format!("g{group}"), "Public", json!({})).await;
    }
    let callers = (0..16).map(|caller: usize| {
        let server = &server;
        async move {
            for turn in 0..60 {
                let verb = if turn % 2 == 0 { "invite" } else { "kick" };
                let path = format!("/v1/groups/g{}/{verb}", (caller * 7 + turn) % 40);
                server.post(ADMIN, &path, json!({ "userList": ["everywhere"] })).await.ok();
            }
        }
    });
    join_all(callers).await;
    let batches = metric(&server, "muster_batches_total").await;
    let raced = metric(&server, "muster_batch_retries_total{cause=\"raced\"}").await;
    println!("{batches} batches, {raced} ran twice");
    assert!(raced * 8 < batches, "{raced} of {batches} batches ran twice");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_somebody_else_holds_is_decided_on_as_it_is_afterwards() {
    let pair = Pair::start(&[]).await;
    let server = pair.turn(0);
    server.group("owner", "g", "Work", json!({ "maxMemberCount": 2 })).await;
    let change = "with g as (update groups set max_members = 1 where group_id = 'g')
                  insert into bans (group_id, user_id, reason, banned_by, banned_at)
                  values ('g', 'banned', '', 'owner', now())";
    let call = server.post("owner", "/v1/groups/g/invite", json!({ "userList": ["banned"] }));
    let answer = call_across(server, change, "select 1", call).await;
    assert_eq!(results(&answer.ok()), [("banned".to_owned(), 0)]);
    let body = json!({ "userList": ["anybody"] });
    server.post("owner", "/v1/groups/g/invite", body).await.refused(409, 10014, "group_full");
    pair.end().await;
}

/// Of two nodes that write to the same group at once one finds its group changed, and nothing else: it does not get as
/// far as the members and events that the other one is writing.
#[tokio::test(flavor = "multi_thread")]
async fn where_nodes_share_busy_groups_few_batches_run_twice_and_none_is_refused() {
    let pair = Pair::start(&[]).await;
    for group in 0..3 {
        pair.turn(0).group("owner", &format!("g{group}"), "Work", json!({})).await;
    }
    let callers = (0..24).map(|caller: usize| {
        let server = pair.turn(caller);
        async move {
            for turn in 0..60 {
                let path = format!("/v1/groups/g{}/invite", (caller / 2 + turn) % 3);
                let body = json!({ "userList": [format!("u{caller}-{turn}")] });
                let answer = server.post("owner", &path, body).await;
                assert_eq!(results(&answer.ok())[0].1, 1);
            }
        }
    });
    join_all(callers).await;
    let (mut batches, mut raced, mut refused) = (0, 0, 0);
    for server in &pair.servers {
        batches += metric(server, "muster_batches_total").await;
        raced += metric(server, "muster_batch_retries_total{cause=\"raced\"}").await;
        refused += metric(server, "muster_batch_retries_total{cause=\"refused\"}").await;
    }
    println!("{batches} batches, {raced} ran twice");
    assert_eq!(refused, 0);
    assert!(raced > 0 && raced * 5 < batches, "{raced} of {batches} batches ran twice");
    pair.end().await;
}

/// The group's row, and what is kept beside it, change after they were read and before they are written. Each time on a
/// new server, whose lanes are not wary yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_changes_between_the_reading_and_the_writing_is_decided_on_anew() {
    let changes = [
        "with g as (update groups set seq = seq where group_id = 'g')
         insert into bans (group_id, user_id, reason, banned_by, banned_at)
         values ('g', 'u', '', 'owner', now())",
        "update groups set max_members = 1 where group_id = 'g'",
        "update groups set dismissed_at = now() where group_id = 'g'",
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let server = Server::start().await;
        server.group("owner", "g", "Work", json!({ "maxMemberCount": 5 })).await;
        let hold = "lock table group_events in access exclusive mode";
        let call = server.post("owner", "/v1/groups/g/invite", json!({ "userList": ["u"] }));
        let answer = call_across(&server, hold, change, call).await;
        match number {
            0 => assert_eq!(results(&answer.ok()), [("u".to_owned(), 0)]),
            1 => drop(answer.refused(409, 10014, "group_full")),
            _ => assert_eq!(answer.status, 404, "{answer:?}"),
        }
        ran_twice(&server, change).await;
        // What was changed by hand is no state of Muster's.
        server.stop().await;
    }
}

/// The connection ends while the statement that writes and commits is under way. The lane looks up what became
/// of it: before it has come to its end, and afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_answer_is_lost_counts_once() {
    let database = cluster::fresh_database().await;
    let odds = Odds { lost: 0.0, doubled: 0.0, shuffled: false };
    let (wire, through) = Wire::before_postgres(&database, odds, 1).await;
    let server = Server::on(&through, &[("MUSTER_LANES", "1")]).await;
    server.group("owner", "g", "Work", json!({})).await;
    let pool = PgPool::connect(&database).await.expect("the database");
    let unknown = "muster_batch_retries_total{cause=\"unknown\"}";
    for (round, straggles) in [true, false, true, false].into_iter().enumerate() {
        // A lane that was surprised is wary for a while; what it does then is told of elsewhere.
        for number in 0..70 {
            let body = json!({ "userList": [format!("w{round}-{number}")] });
            server.post("owner", "/v1/groups/g/invite", body).await.ok();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let user = format!("u{round}");
        server.put(ADMIN, &format!("/v1/users/{user}"), json!({})).await.ok();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let before = metric(&server, unknown).await;
        let mut other = pool.acquire().await.expect("a connection");
        other.execute("begin").await.expect("a transaction");
        // Its version stays the same: only the lock is in the way.
        let hold = format!("select from users where user_id = '{user}' for no key update");
        other.execute(AssertSqlSafe(hold)).await.expect("a lock");
        let body = json!({ "userList": [user] });
        let call = server.post("owner", "/v1/groups/g/invite", body);
        let lose = async {
            a_lane_waits(&pool).await;
            if !straggles {
                wire.freeze();
                other.execute("commit").await.expect("a commit");
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            wire.cut();
            tokio::time::sleep(Duration::from_millis(100)).await;
            wire.mend();
            if straggles {
                eventually("it is looked up", || async {
                    (metric(&server, unknown).await > before).then_some(())
                })
                .await;
                tokio::time::sleep(Duration::from_millis(500)).await;
                other.execute("commit").await.expect("a commit");
            }
        };
        let (answer, ()) = tokio::join!(call, lose);
        assert_eq!(results(&answer.ok()), [(user.clone(), 1)], "straggles: {straggles}");
        assert!(metric(&server, unknown).await > before, "straggles: {straggles}");
        let told = format!("select count(*) from group_events where frame like '%\"{user}\"%'");
        let told: i64 =
            sqlx::query_scalar(AssertSqlSafe(told)).fetch_one(&pool).await.expect("a count");
        assert_eq!(told, 1, "straggles: {straggles}");
    }
    server.check_invariants().await;
    server.stop().await;
}
