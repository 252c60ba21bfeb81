//! The database goes away and comes back: readiness tells, callers are told to try again, nothing that
//! was acknowledged is lost, and nobody is told that it was the server's fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::ops;
use super::program::{Program, postmaster, signal};
use super::proxy::Proxy;
use crate::common::process::Directory;
use crate::common::{ADMIN, Answer, Server, check_invariants, cluster, eventually};

/// A refusal that says: the same again, in so many seconds.
#[track_caller]
fn told_to_retry(answer: Answer) {
    let wait = answer.headers.get("retry-after").and_then(|value| value.to_str().ok());
    let wait: Option<u32> = wait.and_then(|text| text.parse().ok());
    assert!(wait.is_some_and(|wait| (1..=60).contains(&wait)), "{answer:?}");
    let desc = answer.body["desc"].as_str().unwrap_or_default().to_owned();
    assert!(desc.contains("try again"), "{desc}");
    answer.refused(503, 10002, "unavailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_a_server_is_not_ready_and_calls_are_503() {
    let database = cluster::fresh_database().await;
    let proxy = Proxy::before(&database).await;
    let server = Server::on(&proxy.url, &[]).await;
    server.group("alice", "g", "Work", json!({})).await;
    assert_eq!(ops(&server, "/readyz").await.0, 200);

    proxy.cut();
    let begun = Instant::now();
    let (status, text) = ops(&server, "/readyz").await;
    assert_eq!((status, text.as_str()), (503, "the database does not answer\n"));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(ops(&server, "/healthz").await.0, 200, "the process itself is well");
    assert!(ops(&server, "/metrics").await.1.contains("muster_database_up 0"));
    for path in ["/v1/groups/g", "/v1/groups/g/members", "/v1/users/me/groups", "/v1/applications"]
    {
        told_to_retry(server.get("alice", path).await);
    }
    told_to_retry(
        server.post("alice", "/v1/groups/g/invite?dryRun=true", json!({ "userList": ["x"] })).await,
    );
    // What needs no database goes on; a bad credential is refused as ever.
    server.get("alice", "/v1/limits").await.ok();
    server.send(reqwest::Method::GET, "/v1/limits", &[], "").await.refused(
        401,
        70002,
        "token_missing",
    );
    let writes = join_all((0..4).map(|n| {
        let body = json!({ "userList": [format!("late{n}")] });
        server.post("alice", "/v1/groups/g/invite", body)
    }));
    let begun = Instant::now();
    for answer in writes.await {
        told_to_retry(answer);
    }
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());

    proxy.mend();
    let back = async || (ops(&server, "/readyz").await.0 == 200).then_some(());
    eventually("it is ready again", back).await;
    let body = json!({ "userList": ["late0"] });
    let data = server.post("alice", "/v1/groups/g/invite", body).await.ok();
    assert_eq!(data[0]["result"], 1, "what was refused was not done");
    assert_eq!(server.get("alice", "/v1/groups/g").await.ok()["memberCount"], 2);
    server.stop().await;
    check_invariants(&database).await;
}

/// A write that arrives while the database is away for a moment is simply late.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_absence_costs_time_and_no_call() {
    let database = cluster::fresh_database().await;
    let proxy = Proxy::before(&database).await;
    let server = Server::on(&proxy.url, &[]).await;
    server.group("alice", "g", "Work", json!({})).await;
    for round in 0..5 {
        proxy.cut();
        let body = json!({ "userList": [format!("u{round}")] });
        let call = server.post("alice", "/v1/groups/g/invite", body);
        let mend = async {
            let noticed = async || (ops(&server, "/readyz").await.0 == 503).then_some(());
            eventually("the absence is noticed", noticed).await;
            proxy.mend();
        };
        let (answer, ()) = tokio::join!(call, mend);
        assert_eq!(answer.ok()[0]["result"], 1);
    }
    assert_eq!(server.get("alice", "/v1/groups/g").await.ok()["memberCount"], 6);
    server.stop().await;
    check_invariants(&database).await;
}

/// The wire breaks again and again under load: each call is either done or to be tried again, and what
/// was acknowledged is there exactly once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn breaks_under_load_lose_nothing_that_was_acknowledged() {
    let database = cluster::fresh_database().await;
    let proxy = Proxy::before(&database).await;
    let server = Server::on(&proxy.url, &[]).await;
    server.group(ADMIN, "g", "Work", json!({})).await;
    let stop = AtomicBool::new(false);
    let caller = async |number: usize| {
        let mut done = Vec::new();
        for serial in 0.. {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let user = format!("u{number}-{serial}");
            let body = json!({ "userList": [user] }).to_string();
            let bearer = format!("Bearer {}", server.token(ADMIN));
            let headers = [("authorization", bearer.as_str()), ("idempotency-key", user.as_str())];
            loop {
                let path = "/v1/groups/g/invite";
                let post = reqwest::Method::POST;
                let answer = server.send(post, path, &headers, body.clone()).await;
                if answer.status == 503 {
                    assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
                    continue;
                }
                assert_eq!(answer.ok()[0]["result"], 1);
                done.push(user);
                break;
            }
        }
        done
    };
    let breaker = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            proxy.cut();
            tokio::time::sleep(Duration::from_millis(50)).await;
            proxy.mend();
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (done, ()) = tokio::join!(join_all((0..6).map(caller)), breaker);
    let done: usize = done.iter().map(Vec::len).sum();
    assert!(done >= 6, "{done}");
    // Connections for reads that the last break cut are found out one by one.
    let read = async || Some(server.get(ADMIN, "/v1/groups/g").await).filter(|it| it.status == 200);
    let found = eventually("reads go on", read).await.ok();
    assert_eq!(found["memberCount"], done + 1);
    let named: i64 = sqlx::query_scalar(
        "select sum(jsonb_array_length(frame::jsonb -> 'memberList'))::bigint from group_events
          where group_id = 'g' and seq > 1",
    )
    .fetch_one(&server.db().await)
    .await
    .expect("a sum");
    assert_eq!(usize::try_from(named).ok(), Some(done));
    server.stop().await;
    check_invariants(&database).await;
}

/// The embedded PostgreSQL is killed: it comes back by itself, and calls meanwhile are late or told to
/// try again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_embedded_postgresql_comes_back_by_itself() {
    let directory = Directory::new("postmaster");
    let program = Arc::new(Program::start(directory.path(), &[]).await);
    let group = json!({ "groupID": "g", "groupType": "Work", "groupName": "n" });
    let made = program.post("alice", "/v1/groups", &group).await;
    assert_eq!(made.map(|(status, ..)| status), Some(201));
    let mut done = 0;
    for round in 0..2 {
        let pid = postmaster(directory.path()).expect("a postmaster");
        let writer = {
            let program = Arc::clone(&program);
            tokio::spawn(async move {
                let mut done = 0;
                for n in 0..40 {
                    let body = json!({ "userList": [format!("u{round}-{n}")] });
                    let answer = program.post("alice", "/v1/groups/g/invite", &body).await;
                    let (status, wait, reply) = answer.expect("an answer");
                    match status {
                        200 => done += usize::from(reply["data"][0]["result"] == 1),
                        503 => assert!(wait.is_some(), "{reply}"),
                        _ => panic!("{status} {reply}"),
                    }
                }
                done
            })
        };
        signal("KILL", pid);
        let begun = Instant::now();
        let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
        let another = async || {
            let readiness = program.readiness().await;
            seen.borrow_mut().insert(readiness);
            let status = program.get("alice", "/v1/groups/g").await.0;
            assert!([200, 503].contains(&status), "{status}");
            (postmaster(directory.path()).is_some_and(|now| now != pid) && status == 200)
                .then_some(())
        };
        eventually("another postmaster serves", another).await;
        let ready = async || (program.readiness().await == Some(200)).then_some(());
        eventually("it is ready", ready).await;
        let seen = seen.into_inner();
        println!("round {round}: recovered in {:?}, readiness {seen:?}", begun.elapsed());
        assert!(seen.iter().all(|status| matches!(status, Some(200 | 503))), "{seen:?}");
        done += writer.await.expect("the writer");
    }
    let (status, found) = program.get("alice", "/v1/groups/g").await;
    assert_eq!(status, 200);
    let members = found["data"]["memberCount"].as_u64().expect("a count");
    // A 503 whose outcome was unknown may have been done.
    assert!(members > u64::try_from(done).expect("a small number"), "{members} {done}");
    assert!(done >= 20, "{done}");
}

/// A database that is silent instead of gone, as when its network is: whoever asks is answered within a
/// bound all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_database_holds_no_caller_for_ever() {
    let database = cluster::fresh_database().await;
    let proxy = Proxy::before(&database).await;
    let server = Server::on(&proxy.url, &[]).await;
    server.group("alice", "g", "Work", json!({})).await;
    proxy.silence();
    assert_eq!(ops(&server, "/readyz").await.0, 503);
    let bound = Duration::from_secs(30);
    let read = tokio::time::timeout(bound, server.get("alice", "/v1/groups/g")).await;
    told_to_retry(read.expect("a read is answered in time"));
    for path in ["/v1/groups/g/invite?dryRun=true", "/v1/groups/g/invite"] {
        let call = server.post("alice", path, json!({ "userList": ["bob"] }));
        let answer = tokio::time::timeout(bound, call).await;
        told_to_retry(answer.unwrap_or_else(|_| panic!("{path} is not answered in time")));
    }
    proxy.mend();
    let back = async || (ops(&server, "/readyz").await.0 == 200).then_some(());
    eventually("it is ready again", back).await;
    let data = server.post("alice", "/v1/groups/g/invite", json!({ "userList": ["bob"] })).await;
    assert_eq!(data.ok()[0]["result"], 1);
    server.stop().await;
    check_invariants(&database).await;
}
