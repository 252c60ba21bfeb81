//! What an acknowledged call is worth: servers killed and frozen in the middle of their work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::postgres::PgPool;

use crate::common::process::{Directory, Process, embedded_url};
use crate::common::{check_invariants, cluster, eventually};

const GROUPS: u64 = 10;

async fn make_groups(process: &Process) {
    let client = reqwest::Client::new();
    for group in 0..GROUPS {
        let body = json!({
            "groupID": format!("g{group}"), "groupType": "Work", "groupName": "n",
            "maxMemberCount": 100_000
        });
        let made = process.post(&client, "owner", "/v1/groups", &body).await.expect("an answer");
        assert_eq!(made.0, 201, "{made:?}");
    }
}

/// Callers that invite until they are told to stop, and what was acknowledged to them.
struct Callers {
    stop: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<Vec<(u64, String)>>>,
}

impl Callers {
    fn start(process: &Arc<Process>, count: usize, serial: &Arc<AtomicU64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let tasks = (0..count).map(|_| {
            let (process, stop, serial) = (process.clone(), stop.clone(), serial.clone());
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let mut acknowledged = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let number = serial.fetch_add(1, Ordering::Relaxed);
                    let (group, user) = (number % GROUPS, format!("u{number}"));
                    let path = format!("/v1/groups/g{group}/invite");
                    let body = json!({ "userList": [user] });
                    match process.post(&client, "owner", &path, &body).await {
                        Some((200, reply)) => {
                            assert_eq!(reply["data"][0]["result"], 1, "{reply}");
                            acknowledged.push((group, user));
                        }
                        Some((503, _)) => {}
                        Some(other) => panic!("{other:?}"),
                        None => break,
                    }
                }
                acknowledged
            })
        });
        Self { tasks: tasks.collect(), stop }
    }

    async fn end(self) -> Vec<(u64, String)> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await.expect("a caller"));
        }
        all
    }
}

/// Everybody who was acknowledged is a member, named by exactly one event.
async fn check_acknowledged(process: &Process, acknowledged: &[(u64, String)]) {
    for group in 0..GROUPS {
        let mut invited = BTreeSet::new();
        let mut after = 0;
        loop {
            let path = format!("/v1/groups/g{group}/events?after={after}&limit=1000");
            let page = process.get("owner", &path).await;
            let events = page["data"]["eventList"].as_array().expect("events");
            for event in events {
                after += 1;
                assert_eq!(event["seq"], after, "a hole in the log of g{group}");
                for member in event["memberList"].as_array().into_iter().flatten() {
                    let user = member["userID"].as_str().expect("userID").to_owned();
                    assert!(invited.insert(user), "named twice: {event}");
                }
            }
            if page["data"]["next"].is_null() {
                break;
            }
        }
        let of_group = acknowledged.iter().filter(|(of, _)| *of == group);
        for (_, user) in of_group {
            assert!(invited.contains(user), "{user} was acknowledged and is not in the log");
            let path = format!("/v1/groups/g{group}/members?userID={user}");
            let found = process.get("owner", &path).await;
            assert_eq!(found["data"]["memberList"][0]["userID"], Value::from(user.clone()));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_of_invites_loses_nothing_it_acknowledged() {
    let directory = Directory::new("crash");
    let settings = [("MUSTER_DATA_DIR", directory.text())];
    let serial = Arc::new(AtomicU64::new(0));
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let process = Arc::new(Process::start(&settings).await);
        if round == 0 {
            make_groups(&process).await;
        }
        let callers = Callers::start(&process, 8, &serial);
        let goal = serial.load(Ordering::Relaxed) + 100;
        eventually("a hundred more invites were begun", || async {
            (serial.load(Ordering::Relaxed) > goal).then_some(())
        })
        .await;
        process.signal("KILL");
        acknowledged.extend(callers.end().await);
    }
    assert!(acknowledged.len() >= 100, "only {} were acknowledged", acknowledged.len());
    let process = Process::start(&settings).await;
    check_acknowledged(&process, &acknowledged).await;
    check_invariants(&embedded_url(directory.path())).await;
    process.kill();
}

/// Edits groups, which takes transactions of several statements, until it is told to stop.
fn edit_for_ever(process: &Arc<Process>) -> tokio::task::JoinHandle<()> {
    let process = process.clone();
    tokio::spawn(async move {
        let client = reqwest::Client::new();
        for number in 0_u64.. {
            let path = format!("/v1/groups/g{}", number % GROUPS);
            let body = json!({ "groupName": format!("n{number}") });
            process.call(&client, reqwest::Method::PATCH, "owner", &path, &body).await;
        }
    })
}

/// Whether a lane of a frozen server is in the middle of a transaction that holds rows.
async fn holds_a_transaction(pool: &PgPool) -> bool {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity
          where datname = current_database() and application_name = 'muster lane'
            and state = 'idle in transaction' and backend_xid is not null",
    )
    .fetch_one(pool)
    .await
    .expect("pg_stat_activity");
    count > 0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_frozen_in_a_transaction_holds_the_others_up_only_as_long_as_the_timeouts_say() {
    let database = cluster::fresh_database().await;
    let settings = [("DATABASE_URL", database.as_str())];
    let frozen = Arc::new(Process::start(&settings).await);
    let other = Process::start(&settings).await;
    make_groups(&frozen).await;
    let pool = PgPool::connect(&database).await.expect("the database");
    let serial = Arc::new(AtomicU64::new(0));
    let callers = Callers::start(&frozen, 16, &serial);
    let editors = edit_for_ever(&frozen);
    eventually("it is frozen in the middle of a transaction", || async {
        frozen.signal("STOP");
        // What it had sent already comes to its end; what stays open is held by the frozen process.
        tokio::time::sleep(Duration::from_millis(20)).await;
        if holds_a_transaction(&pool).await {
            return Some(());
        }
        frozen.signal("CONT");
        None
    })
    .await;
    let client = reqwest::Client::new();
    let calls = (0..GROUPS).map(|group| {
        let (client, other) = (&client, &other);
        async move {
            let begun = Instant::now();
            let path = format!("/v1/groups/g{group}/invite");
            let body = json!({ "userList": [format!("other{group}")] });
            let answer = other.post(client, "owner", &path, &body).await.expect("an answer");
            assert_eq!(answer.0, 200, "{answer:?}");
            begun.elapsed()
        }
    });
    let slowest = futures_util::future::join_all(calls).await.into_iter().max();
    // Five seconds until PostgreSQL ends the frozen session, and a little for the way there.
    assert!(slowest < Some(Duration::from_secs(9)), "the others waited for {slowest:?}");
    frozen.signal("CONT");
    editors.abort();
    let acknowledged = callers.end().await;
    check_acknowledged(&other, &acknowledged).await;
    check_invariants(&database).await;
    pool.close().await;
}
