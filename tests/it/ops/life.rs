//! Starting and ending: in order, by force, twice in one place, and without a database.

use std::time::{Duration, Instant};

use serde_json::json;

use super::program::{Program, postmaster, processes_of};
use crate::common::process::Directory;
use crate::common::wire::{Wire, request};
use crate::common::{cluster, eventually, jwt_of};

/// Waits until nothing of a directory's PostgreSQL runs.
async fn nothing_left(directory: &Directory) {
    let none = async || processes_of(directory.path()).is_empty().then_some(());
    eventually("nothing of the embedded PostgreSQL is left", none).await;
    assert_eq!(postmaster(directory.path()), None);
}

fn new_group(id: &str) -> serde_json::Value {
    json!({ "groupID": id, "groupType": "Work", "groupName": "n" })
}

#[tokio::test]
async fn sigterm_finishes_what_is_in_flight_ends_with_0_and_leaves_nothing_running() {
    let directory = Directory::new("term");
    let mut program = Program::start(directory.path(), &[]).await;
    assert!(!processes_of(directory.path()).is_empty());
    // Half a request is in flight when the signal comes; the rest follows.
    let bearer = format!("Bearer {}", jwt_of("alice", 600));
    let body = new_group("g").to_string();
    let bytes = request("POST", "/v1/groups", &[("authorization", &bearer)], &body);
    let mut wire = Wire::open(&program.url).await;
    wire.say(&bytes[..bytes.len() - 10]).await;
    // It is being read once a later request on another connection is answered.
    assert_eq!(program.get("alice", "/v1/limits").await.0, 200);
    program.signal("TERM");
    let draining = async || (program.readiness().await != Some(200)).then_some(());
    eventually("it is not ready any more", draining).await;
    wire.say(&bytes[bytes.len() - 10..]).await;
    let answer = wire.answer().await.expect("an answer");
    assert_eq!(answer.status, 201, "{answer:?}");
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("SIGTERM") && said.contains("stopped"), "{said}");
    nothing_left(&directory).await;

    let program = Program::start(directory.path(), &[]).await;
    assert_eq!(program.get("alice", "/v1/groups/g").await.0, 200);
}

/// What was acknowledged is there again, whatever ended the server.
#[tokio::test]
async fn acknowledged_groups_survive_kill_9() {
    let directory = Directory::new("kill");
    let mut acknowledged = Vec::new();
    for round in 0..2 {
        let mut program = Program::start(directory.path(), &[]).await;
        for n in 0..20 {
            let id = format!("g{round}-{n}");
            let made = program.post("alice", "/v1/groups", &new_group(&id)).await;
            assert_eq!(made.map(|(status, ..)| status), Some(201), "{}", program.said());
            acknowledged.push(id);
        }
        program.signal("KILL");
        let (status, _) = program.ended().await;
        assert_eq!(status.code(), None);
    }
    let program = Program::start(directory.path(), &[]).await;
    for id in &acknowledged {
        assert_eq!(program.get("alice", &format!("/v1/groups/{id}")).await.0, 200, "{id}");
    }
    let (_, list) = program.get("alice", "/v1/users/me/groups").await;
    assert_eq!(list["data"]["total"], acknowledged.len());
}

#[tokio::test]
async fn a_second_server_in_the_same_directory_is_refused_and_harms_nothing() {
    let directory = Directory::new("twice");
    let first = Program::start(directory.path(), &[]).await;
    let mut second = Program::spawn(directory.path(), &[]);
    let (status, said) = second.ended().await;
    assert_eq!(status.code(), Some(1), "{said}");
    let last = said.lines().last().unwrap_or_default();
    assert!(last.starts_with("muster: ") && last.contains(directory.text()), "{said}");
    assert!(last.contains("another") || last.contains("in use"), "{said}");
    assert!(!said.contains("panicked"), "{said}");
    let made = first.post("alice", "/v1/groups", &new_group("g")).await;
    assert_eq!(made.map(|(status, ..)| status), Some(201));
}

/// One line that says what is wrong and where, within a bounded time, without the password.
#[tokio::test]
async fn a_database_that_cannot_be_used_is_a_clear_error() {
    let directory = Directory::new("nodb");
    let closed = "postgres://ann:hunter2@127.0.0.1:1/muster".to_owned();
    let unknown = "postgres://ann:hunter2@no-such-host.invalid/muster".to_owned();
    let database = cluster::fresh_database().await;
    let missing = database.replace("/it_", "/never_made_");
    for (url, named) in
        [(closed, "127.0.0.1:1"), (unknown, "no-such-host.invalid"), (missing, "never_made_")]
    {
        let begun = Instant::now();
        let mut program = Program::spawn(directory.path(), &[("DATABASE_URL", &url)]);
        let (status, said) = program.ended().await;
        assert_eq!(status.code(), Some(1), "{url}: {said}");
        let line = said.lines().last().unwrap_or_default();
        assert!(line.starts_with("muster: ") && line.contains(named), "{url}: {said}");
        assert!(line.contains("PostgreSQL"), "{url}: {said}");
        assert!(!said.contains("hunter2") && !said.contains("panicked"), "{url}: {said}");
        assert!(begun.elapsed() < Duration::from_secs(30), "{url}");
    }
    assert!(!directory.path().exists(), "the data directory is not for this");
}

/// An address behind which nobody speaks.
#[tokio::test]
async fn a_silent_address_of_a_database_is_a_clear_error_in_bounded_time() {
    let directory = Directory::new("silent");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address").to_string();
    let url = format!("postgres://ann:hunter2@{address}/muster");
    let mut program = Program::spawn(directory.path(), &[("DATABASE_URL", &url)]);
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(1), "{said}");
    assert!(said.contains(&address) && !said.contains("hunter2"), "{said}");
}

/// A port that somebody else has is found before anything is started.
#[tokio::test]
async fn a_taken_port_is_named_and_nothing_is_started() {
    let directory = Directory::new("port");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    for setting in ["MUSTER_LISTEN", "MUSTER_OPS_LISTEN"] {
        let mut program = Program::spawn(directory.path(), &[(setting, &address)]);
        let (status, said) = program.ended().await;
        assert_eq!(status.code(), Some(1), "{said}");
        let line = said.lines().last().unwrap_or_default();
        assert!(line.contains(setting) && line.contains(&address), "{said}");
    }
    assert!(!directory.path().exists());
}
