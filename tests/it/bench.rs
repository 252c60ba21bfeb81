//! `muster bench` in short: every scenario runs, its figures are there, and the state is what it acknowledged.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::common::postgres::signal;
use crate::common::process::{Directory, muster};
use crate::common::{ADMIN, KEY, Server, eventually};
use crate::demo::processes_of;

/// The command, in a directory of the test.
fn command(directory: &Directory, arguments: &[&str]) -> Command {
    let mut command = muster();
    command
        .arg("bench")
        .args(arguments)
        .args(["--rounds", "1", "--sockets", "40", "--json"])
        .arg(directory.path().join("figures.json"))
        .env("TMPDIR", directory.path())
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nowhere")
        .env("MUSTER_SECRET_KEY", KEY)
        .stdin(Stdio::null());
    command
}

/// In short.
fn bench(directory: &Directory, arguments: &[&str]) -> Output {
    command(directory, arguments).args(["--seconds", "1"]).output().expect("the binary")
}

fn shown(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// The cases that were written as JSON.
fn cases(directory: &Directory) -> Vec<Value> {
    let text = std::fs::read_to_string(directory.path().join("figures.json")).expect("figures");
    let figures: Value = serde_json::from_str(&text).expect("JSON");
    figures["cases"].as_array().expect("cases").clone()
}

/// Every case of these scenarios has calls, no errors, and a ratio if it has a yardstick.
fn check(cases: &[Value], scenarios: &[&str]) {
    for scenario in scenarios {
        let of = cases.iter().filter(|case| case["scenario"] == *scenario);
        assert!(of.clone().count() > 0, "{scenario} is missing in {cases:?}");
        for case in of {
            assert_eq!(case["errors"], serde_json::json!({}), "{case}");
            assert!(case["muster"]["calls"].as_u64().is_some_and(|calls| calls > 0), "{case}");
            assert!(case["ratio"]["middle"].as_f64().is_some_and(|ratio| ratio > 0.0), "{case}");
        }
    }
}

#[test]
fn writes_and_reads_stand_beside_a_yardstick_and_the_state_is_checked() {
    let directory = Directory::reachable("bench");
    let scenarios = ["invite", "hot", "batch", "reads"];
    let output = bench(&directory, &scenarios);
    let text = shown(&output);
    assert!(output.status.success(), "{text}");
    check(&cases(&directory), &scenarios);
    assert_eq!(text.matches("as it was acknowledged").count(), 5, "{text}");
    let left = std::fs::read_dir(directory.path()).expect("the directory").count();
    assert_eq!(left, 1, "something besides the figures was left behind: {text}");
}

#[test]
fn statements_behind_a_bare_loop_over_http_are_measured() {
    let directory = Directory::reachable("bench");
    let output = bench(&directory, &["bare"]);
    assert!(output.status.success(), "{}", shown(&output));
    let cases = cases(&directory);
    check(&cases, &["bare"]);
    assert_eq!(cases.len(), 5, "{cases:?}");
}

#[test]
fn without_pgbench_plain_connections_are_the_yardstick() {
    let directory = Directory::reachable("bench");
    let output = bench(&directory, &["hot", "--plain"]);
    assert!(output.status.success(), "{}", shown(&output));
    let cases = cases(&directory);
    check(&cases, &["hot"]);
    assert_eq!(cases[0]["yardstickName"], "plain client with 8 clients");
}

#[test]
fn deliveries_idle_sockets_storms_and_two_nodes_are_measured() {
    let directory = Directory::reachable("bench");
    let output = bench(&directory, &["fanout", "idle", "storm", "nodes"]);
    let text = shown(&output);
    assert!(output.status.success(), "{text}");
    let cases = cases(&directory);
    check(&cases, &["nodes"]);
    let fanout = cases.iter().filter(|case| case["scenario"] == "fanout");
    for case in fanout.clone() {
        assert!(case["muster"]["calls"].as_u64().is_some_and(|calls| calls >= 40), "{case}");
        // With so few sockets for so short a time the ratio is a number, but no figure.
        assert!(case["ratio"]["middle"].is_number(), "{case}");
    }
    assert_eq!(fanout.count(), 2);
    for scenario in ["idle", "storm"] {
        let case = cases.iter().find(|case| case["scenario"] == scenario).expect(scenario);
        let figures = case["further"].as_array().expect("figures");
        assert!(figures.iter().all(|one| one["figure"].is_number()), "{case}");
        assert!(figures.len() >= 3, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_is_loaded_without_a_yardstick() {
    let server = Server::with(&[("MUSTER_RATE_PER_USER", "1000000")]).await;
    let url = server.url().to_owned();
    let directory = Directory::reachable("bench");
    let (output, directory) = tokio::task::spawn_blocking(move || {
        (bench(&directory, &["hot", "--url", &url]), directory)
    })
    .await
    .expect("a run");
    assert!(output.status.success(), "{}", shown(&output));
    let cases = cases(&directory);
    assert!(cases[0]["ratio"].is_null() && cases[0]["muster"]["calls"].as_u64() > Some(0));
    server.get(ADMIN, "/v1/limits").await.ok();
    server.stop().await;
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let directory = Directory::reachable("bench");
    let refused = [
        (vec!["--url", "https://127.0.0.1:1"], "must be http://HOST:PORT"),
        (vec!["--url", "http://127.0.0.1:1"], "Connection refused"),
        (vec!["hot", "--database-url", "postgres://x@y/z"], "PostgreSQL of its own"),
    ];
    for (arguments, why) in refused {
        let output = bench(&directory, &arguments);
        let text = shown(&output);
        assert!(!output.status.success() && text.contains(why), "{arguments:?}: {text}");
    }
}

#[tokio::test]
async fn a_benchmark_that_is_told_to_stop_leaves_nothing_behind() {
    let directory = Directory::reachable("bench");
    let mut child = command(&directory, &["hot", "--seconds", "60"]).spawn().expect("the binary");
    // PostgreSQL names its directory, pgbench its script.
    eventually("the yardstick is at work", || async {
        let processes = processes_of(directory.path());
        processes.iter().any(|line| line.contains("script.sql")).then_some(())
    })
    .await;
    signal("TERM", child.id());
    let status = tokio::task::spawn_blocking(move || child.wait()).await.expect("a task");
    assert!(!status.expect("an end").success());
    eventually("no process is left", || async {
        processes_of(directory.path()).is_empty().then_some(())
    })
    .await;
    let left = std::fs::read_dir(directory.path()).expect("the directory").count();
    assert_eq!(left, 0);
}
