//! Events that have become too old go, from the front of each log, in bounded steps, and nothing else does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use muster::store::retention::{Log, Walk};
use muster::store::{Place, Store};
use serde_json::{Value, json};
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::common::{ADMIN, Server, Socket, cluster, eventually};

/// A walk without pauses.
fn walk(days: i32, entries: i32) -> Walk {
    Walk { days, entries, pause: Duration::ZERO, rest: Duration::ZERO }
}

/// Walks once through: what each step removed.
async fn through(store: &Store, log: Log, walk: &Walk) -> Vec<i64> {
    let mut steps = Vec::new();
    loop {
        let step = store.trim(log, walk).await.expect("a step").expect("nobody else walks");
        steps.push(step.removed);
        if let Some(removed) = step.walk {
            assert_eq!(steps.iter().sum::<i64>(), removed);
            return steps;
        }
    }
}

async fn run(db: &PgPool, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(db).await.expect("a statement");
}

/// The numbers that are left of a log.
async fn left(db: &PgPool, table: &str, stream: &str) -> Vec<i64> {
    let sql = format!("select seq from {table}_events where {table}_id = $1 order by seq");
    sqlx::query_scalar(AssertSqlSafe(sql)).bind(stream).fetch_all(db).await.expect("a log")
}

async fn rename(server: &Server, group: &str, times: usize) {
    for number in 0..times {
        let name = json!({ "groupName": format!("name {number}") });
        server.patch(ADMIN, &format!("/v1/groups/{group}"), name).await.ok();
    }
}

/// Asks somebody into a group who wants to be asked: an event of his own.
async fn ask(server: &Server, user: &str, group: &str) {
    server.put(user, "/v1/users/me", json!({ "inviteConsent": "ask" })).await.ok();
    server.group("alice", group, "Work", json!({})).await;
    let path = format!("/v1/groups/{group}/invite");
    let data = server.post("alice", &path, json!({ "userList": [user] })).await.ok();
    assert_eq!(data[0]["result"], 3, "{data}");
}

#[tokio::test]
async fn what_is_too_old_goes_from_the_front_and_nothing_else() {
    let database = cluster::fresh_database().await;
    let server = Server::on(&database, &[]).await;
    for (group, events) in [("a", 8), ("b", 4), ("c", 3), ("d", 3), ("e", 1)] {
        server.group("alice", group, "Work", json!({})).await;
        rename(&server, group, events - 1).await;
    }
    for group in ["x", "y", "z"] {
        ask(&server, "bob", group).await;
    }
    server.stop().await;
    let db = PgPool::connect(&database).await.expect("the database");
    // Of a five entries are old, of b all, of c none. In d the clock went back once; e is just not old.
    run(
        &db,
        "update group_events set at = at - interval '36 days'
          where (group_id = 'a' and seq <= 5) or group_id = 'b' or (group_id = 'd' and seq = 2);
         update group_events set at = now() - interval '35 days' + interval '1 minute'
          where group_id = 'e';
         update user_events set at = at - interval '36 days' where user_id = 'bob' and seq <= 2;
         update retention set due_at = now()",
    )
    .await;
    let store = Store::connect(&Place::Url(database.clone()), 1).await.expect("a store");
    for log in [Log::Groups, Log::Users] {
        assert_eq!(through(&store, log, &walk(37, 100)).await, [0]);
    }
    let steps = through(&store, Log::Groups, &walk(35, 3)).await;
    assert_eq!(steps.iter().sum::<i64>(), 9);
    assert!(steps.len() > 4 && steps.iter().all(|removed| *removed <= 3), "{steps:?}");
    assert_eq!(through(&store, Log::Users, &walk(35, 2)).await.iter().sum::<i64>(), 2);
    assert_eq!(left(&db, "group", "a").await, [6, 7, 8]);
    assert_eq!(left(&db, "group", "b").await, Vec::<i64>::new());
    assert_eq!(left(&db, "group", "c").await, [1, 2, 3]);
    assert_eq!(left(&db, "group", "d").await, [1, 2, 3]);
    assert_eq!(left(&db, "group", "e").await, [1]);
    assert_eq!(left(&db, "user", "bob").await, [3]);
    for log in [Log::Groups, Log::Users] {
        assert_eq!(through(&store, log, &walk(35, 100)).await, [0], "nothing is left to do");
    }
    store.close().await;

    // Numbers go on, also in a log that is empty.
    let server = Server::on(&database, &[]).await;
    rename(&server, "b", 2).await;
    ask(&server, "bob", "w").await;
    assert_eq!(left(&db, "group", "b").await, [5, 6]);
    assert_eq!(left(&db, "user", "bob").await, [3, 4]);
    server.check_invariants().await;
    db.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_step_that_is_not_due_or_that_another_node_makes_is_left_out() {
    let database = cluster::fresh_database().await;
    let store = Store::connect(&Place::Url(database.clone()), 2).await.expect("a store");
    let rest = Walk { rest: Duration::from_hours(1), ..walk(35, 10) };
    let step = store.trim(Log::Groups, &rest).await.expect("a step").expect("it is due");
    assert_eq!((step.removed, step.walk), (0, Some(0)));
    assert_eq!(store.trim(Log::Groups, &rest).await, Ok(None), "it rests");
    let mut other = PgConnection::connect(&database).await.expect("a connection");
    let hold = "begin; select from retention where log = 2 for update";
    other.execute(hold).await.expect("the row");
    assert_eq!(store.trim(Log::Users, &rest).await, Ok(None), "another node is at it");
    other.execute("rollback").await.expect("an end");
    other.close().await.ok();
    assert!(store.trim(Log::Users, &rest).await.expect("a step").is_some());
    store.close().await;
}

/// A socket of somebody's that goes on from these places, and all that it is told before `ready`.
async fn resume(server: &Server, user: &str, own: i64, group: i64) -> Vec<Value> {
    let epoch = Socket::open(server.url(), &server.token(user)).await.welcome["epoch"].clone();
    let cursor = json!({ "epoch": epoch, "user": own, "groups": { "g": group } });
    let hello = json!({ "type": "hello", "token": server.token(user), "cursor": cursor });
    let mut socket = Socket::open_with(server.url(), hello).await;
    std::iter::from_fn(|| socket.early()).collect()
}

async fn page(server: &Server, reader: &str) -> (i64, Vec<i64>) {
    let data = server.get(reader, "/v1/groups/g/events?after=0").await.ok();
    let list = data["eventList"].as_array().expect("a list");
    let seqs = list.iter().map(|event| event["seq"].as_i64().expect("seq")).collect();
    (data["oldest"].as_i64().expect("oldest"), seqs)
}

/// Lets the server walk now, and waits until it has removed so many entries in all.
async fn trimmed(server: &Server, db: &PgPool, total: i64) {
    run(db, "update retention set due_at = now()").await;
    let line = format!("muster_events_trimmed_total {total}\n");
    eventually("the old entries are gone", async || {
        let answer = reqwest::get(format!("{}/metrics", server.ops_url())).await.ok()?;
        answer.text().await.ok()?.contains(&line).then_some(())
    })
    .await;
}

#[tokio::test]
async fn whoever_was_away_longer_is_told_and_pages_say_where_they_begin() {
    let server = Server::with(&[("MUSTER_EVENT_DAYS", "10")]).await;
    server.group("alice", "g", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    rename(&server, "g", 4).await;
    let joined = json!({ "userList": ["carol"] });
    server.post("alice", "/v1/groups/g/invite", joined).await.ok();
    rename(&server, "g", 2).await;
    ask(&server, "bob", "h").await;
    ask(&server, "bob", "i").await;
    let db = server.db().await;
    run(
        &db,
        "update group_events set at = at - interval '11 days' where group_id = 'g' and seq <= 4;
         update user_events set at = at - interval '11 days' where user_id = 'bob' and seq = 1",
    )
    .await;
    trimmed(&server, &db, 5).await;

    let reset = |seq: i64| json!({ "type": "reset", "scope": "group", "groupID": "g", "seq": seq, "why": "trimmed" });
    let own = json!({ "type": "reset", "scope": "user", "seq": 2, "why": "trimmed" });
    assert_eq!(resume(&server, "bob", 0, 2).await, [own, reset(8)]);
    assert_eq!(resume(&server, "bob", 2, 3).await, [reset(8)], "the first that he lacks is gone");
    let replayed = resume(&server, "bob", 1, 4).await;
    let numbers: Vec<i64> = replayed.iter().filter_map(|event| event["seq"].as_i64()).collect();
    assert_eq!((replayed.len(), numbers), (5, vec![5, 6, 7, 8]), "all that he lacks is there");
    assert_eq!(resume(&server, "bob", 2, 8).await, Vec::<Value>::new());
    assert_eq!(page(&server, "alice").await, (5, vec![5, 6, 7, 8]));
    assert_eq!(page(&server, ADMIN).await, (5, vec![5, 6, 7, 8]));
    assert_eq!(page(&server, "carol").await, (6, vec![6, 7, 8]));

    run(&db, "update group_events set at = at - interval '11 days'").await;
    let others: i64 = sqlx::query_scalar("select count(*) from group_events")
        .fetch_one(&db)
        .await
        .expect("a count");
    trimmed(&server, &db, 5 + others).await;
    for reader in ["alice", "carol", ADMIN] {
        assert_eq!(page(&server, reader).await, (9, vec![]), "{reader}");
    }
    assert_eq!(resume(&server, "bob", 2, 7).await, [reset(8)]);
    assert_eq!(resume(&server, "bob", 2, 8).await, Vec::<Value>::new());
    rename(&server, "g", 1).await;
    assert_eq!(page(&server, "carol").await, (9, vec![9]));
    server.check_invariants().await;
    db.close().await;
    server.stop().await;
}

#[tokio::test]
async fn who_was_removed_while_he_was_away_is_told_although_the_log_is_gone() {
    let server = Server::with(&[("MUSTER_EVENT_DAYS", "10")]).await;
    for group in ["g", "dismissed"] {
        server.group("alice", group, "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
        rename(&server, group, 2).await;
    }
    server.post("alice", "/v1/groups/g/kick", json!({ "userList": ["bob"] })).await.ok();
    server.delete(ADMIN, "/v1/groups/dismissed").await.ok();
    rename(&server, "g", 1).await;
    let db = server.db().await;
    run(&db, "update group_events set at = at - interval '11 days'").await;
    let all: i64 = sqlx::query_scalar("select count(*) from group_events")
        .fetch_one(&db)
        .await
        .expect("a count");
    trimmed(&server, &db, all).await;

    let welcome = server.ws("bob").await.welcome;
    let cursor = json!({ "epoch": welcome["epoch"], "groups": { "g": 2, "dismissed": 3 } });
    let hello = json!({ "type": "hello", "token": server.token("bob"), "cursor": cursor });
    let mut socket = Socket::open_with(server.url(), hello).await;
    let mut resets = Vec::new();
    while let Some(reset) = socket.early() {
        assert_eq!((&reset["type"], &reset["why"]), (&json!("reset"), &json!("trimmed")));
        resets.push((reset["groupID"].clone(), reset["seq"].clone()));
    }
    assert_eq!(resets, [(json!("dismissed"), json!(4)), (json!("g"), json!(4))]);
    db.close().await;
    server.stop().await;
}

/// Makes steps until nothing old is left: how many, the largest, and the longest.
async fn steps(database: String, done: Arc<AtomicBool>) -> (usize, i64, Duration) {
    let store = Store::connect(&Place::Url(database), 1).await.expect("a store");
    let (mut count, mut largest, mut longest) = (0, 0, Duration::ZERO);
    while !done.load(Ordering::Relaxed) {
        let begun = Instant::now();
        if let Some(step) = store.trim(Log::Groups, &walk(35, 2_000)).await.expect("a step") {
            count += 1;
            largest = largest.max(step.removed);
            longest = longest.max(begun.elapsed());
        }
        tokio::task::yield_now().await;
    }
    store.close().await;
    (count, largest, longest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_log_goes_in_bounded_steps_of_several_nodes_while_its_group_goes_on() {
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({})).await;
    let db = server.db().await;
    run(
        &db,
        "insert into group_events (group_id, seq, kind, at, frame)
         select 'g', n, 7, now() - interval '36 days', '{}' from generate_series(2, 100001) n;
         update group_events set at = now() - interval '37 days' where group_id = 'g' and seq = 1;
         update groups set seq = 100001 where group_id = 'g';
         update retention set due_at = now()",
    )
    .await;
    let mut socket = server.ws("alice").await;
    let done = Arc::new(AtomicBool::new(false));
    let database = server.database_url().to_owned();
    let nodes: Vec<_> =
        (0..2).map(|_| tokio::spawn(steps(database.clone(), done.clone()))).collect();
    let mut writes: i64 = 0;
    let mut slowest = Duration::ZERO;
    let begun = Instant::now();
    loop {
        let sent = Instant::now();
        let name = json!({ "groupName": format!("name {writes}") });
        server.patch("alice", "/v1/groups/g", name).await.ok();
        slowest = slowest.max(sent.elapsed());
        writes += 1;
        let trimmed: i64 = sqlx::query_scalar("select trimmed from retention where log = 1")
            .fetch_one(&db)
            .await
            .expect("a count");
        assert!(trimmed <= 100_001, "{trimmed}: something young went");
        if trimmed == 100_001 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_mins(1), "{trimmed} after {writes} writes");
    }
    let took = begun.elapsed();
    done.store(true, Ordering::Relaxed);
    for node in nodes {
        let (count, largest, longest) = node.await.expect("no panic");
        println!("{count} steps, {largest} entries at most, {longest:?} at most");
        assert!(largest <= 2_000);
    }
    println!("{writes} writes meanwhile in {took:?}, the slowest took {slowest:?}");
    assert!(writes > 5, "hardly anybody wrote meanwhile: {writes}");
    for number in 1..=writes {
        assert_eq!(socket.expect("onGroupInfoChanged").await["seq"], 100_001 + number);
    }
    let kept: Vec<i64> = (100_002..=100_001 + writes).collect();
    assert_eq!(left(&db, "group", "g").await, kept);
    server.check_invariants().await;
    db.close().await;
    server.stop().await;
}
