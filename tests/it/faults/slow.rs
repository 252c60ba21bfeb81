//! Clients that do not read, or hardly, cost the others nothing and the node no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::ALONE;
use super::field::{Size, end, epoch_of, settle};
use super::follow::{Client, Habits, Pace};
use super::judge::{Rules, Verdict, judge};
use super::nodes::Nodes;
use super::truth::Truth;
use crate::common::postgres::Postgres;
use crate::common::{ADMIN, jwt_of};

/// What slow clients may be told besides.
const RULES: Rules =
    Rules { resets: &["lag"], byes: &[1001, 4008], patience: Duration::from_secs(20) };
/// How much is sent to those who do not read, in MiB.
const FLOW: u64 = 20;
/// How much more a node's memory may grow meanwhile than without them: much less.
const GROWTH: u64 = 10;
/// How much it may grow at all.
const MOST: u64 = 48;

/// What one run showed.
struct Shown {
    good: Verdict,
    bad: Verdict,
    /// Resident memory of the node before and at most, in MiB.
    before: u64,
    most: u64,
    /// How often a connection lost its queue, as the node counts.
    lagged: f64,
}

/// The resident memory of a process, in MiB.
fn memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("a process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib / 1024
}

async fn call(nodes: &Nodes, method: Method, path: &str, body: &Value) {
    let request = nodes.http().request(method, format!("{}{path}", nodes.url(0)));
    let request = request.bearer_auth(jwt_of(ADMIN, 600)).body(body.to_string());
    let answer = request.send().await.expect("an answer");
    assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
}

async fn group(nodes: &Nodes, id: &str, members: &[String]) {
    let members: Vec<Value> = members.iter().map(|user| json!({ "userID": user })).collect();
    let body = json!({ "groupID": id, "groupType": "Public", "groupName": "n", "owner": "owner",
        "memberList": members });
    call(nodes, Method::POST, "/v1/groups", &body).await;
}

/// Small events in a group of all, and meanwhile so many MiB of large ones in a group of the bad.
async fn flow(nodes: &Nodes) {
    let sent = AtomicU64::new(0);
    let goes_on = || sent.load(Ordering::Relaxed) < FLOW * 1024 * 1024;
    let small = async {
        let mut number = 0;
        while goes_on() {
            number += 1;
            let body = json!({ "groupName": format!("name {number}") });
            call(nodes, Method::PATCH, "/v1/groups/all", &body).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let large = futures_util::future::join_all((0..4).map(|_| async {
        while goes_on() {
            let value = format!("{:03990}", rand::random::<u64>());
            let all = json!({ "a": value, "b": value, "c": value, "d": value });
            let body = json!({ "attributes": all });
            call(nodes, Method::PUT, "/v1/groups/large/attributes", &body).await;
            sent.fetch_add(4 * 3_990, Ordering::Relaxed);
        }
    }));
    tokio::join!(small, large);
}

/// One run, with as many bad clients of each kind as are named.
async fn run(size: Size, bad: usize) -> Shown {
    let postgres = Postgres::start().await;
    let settings = [("MUSTER_ATTRIBUTE_CHANGES", "1000")];
    let nodes = Arc::new(Nodes::start(1, &postgres.url(), &settings).await);
    let good: Vec<String> = (0..size.clients).map(|number| format!("good{number}")).collect();
    let bad: Vec<String> = (0..bad * 2).map(|number| format!("bad{number}")).collect();
    let all: Vec<String> = good.iter().chain(&bad).cloned().collect();
    group(&nodes, "all", &all).await;
    // One of the good, too: what comes there can be followed.
    let large: Vec<String> = bad.iter().chain(&good[..1]).cloned().collect();
    group(&nodes, "large", &large).await;
    let client = |user: &String, narrow: bool| {
        let habits = Habits { narrow, ..Habits::STEADY };
        Client::start(user, nodes.clone(), habits, size.seed)
    };
    let good: Vec<Client> = good.iter().map(|user| client(user, false)).collect();
    let bad: Vec<Client> = bad.iter().map(|user| client(user, true)).collect();
    for client in good.iter().chain(&bad) {
        client.ready().await;
    }
    for (number, client) in bad.iter().enumerate() {
        client.read(if number % 2 == 0 { Pace::Frozen } else { Pace::Crawling });
    }
    let pid = nodes.of(0, crate::common::process::Process::pid).await;
    let before = memory(pid);
    let (over, mut most) = (AtomicBool::new(false), before);
    let watch = async {
        while !over.load(Ordering::Relaxed) {
            most = most.max(memory(pid));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let flow = async {
        flow(&nodes).await;
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(flow, watch);
    let lagged = nodes.metric("muster_lagged_total").await;
    for client in &bad {
        client.read(Pace::Normal);
    }
    let truth = Truth::read(&postgres.url()).await;
    settle(&good, &truth, Duration::from_secs(10)).await;
    settle(&bad, &truth, Duration::from_secs(30)).await;
    let (good, bad) = (end(good).await, end(bad).await);
    let truths = [(epoch_of(&good), truth)];
    let (good, bad) = (judge(&good, &truths, &RULES), judge(&bad, &truths, &RULES));
    Shown { good, bad, before, most, lagged }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_that_hardly_read_cost_the_others_nothing_and_the_node_no_memory() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let mut without = run(size, 0).await;
    let mut with = run(size, size.clients.div_ceil(100)).await;
    without.good.pass("without slow clients");
    with.good.pass("beside slow clients");
    with.bad.pass("slow clients");
    for (name, shown) in [("without", &without), ("with", &with)] {
        println!("{name} slow clients: from {} MiB to {} MiB", shown.before, shown.most);
    }
    let (usual, grown) = (without.most - without.before, with.most - with.before);
    assert!(grown < usual + GROWTH && grown < MOST, "by {grown} MiB, without them {usual} MiB");
    let bound = without.good.delay(0.99) * 3 + Duration::from_millis(20);
    let p99 = with.good.delay(0.99);
    assert!(p99 < bound, "p99 {p99:?} beside slow clients, at most {bound:?} is allowed");
    println!(
        "queues were lost {} times without slow clients, {} times with",
        without.lagged, with.lagged
    );
    assert!(with.lagged >= 2.0, "the slow clients kept up, so nothing was shown");
}
