//! `muster epoch`: which history the numbers of events belong to, and a new one after a restore in place.

use std::process::{Output, Stdio};

use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::program::{Program, processes_of};
use crate::common::process::{Directory, muster};
use crate::common::{KEY, Server, Socket, cluster};

/// Runs `muster epoch` with these arguments, without the settings of whoever runs the tests.
async fn epoch(arguments: &[&str]) -> Output {
    let mut command = muster();
    command.arg("epoch").args(arguments).env("MUSTER_SECRET_KEY", KEY).stdin(Stdio::null());
    let run = tokio::task::spawn_blocking(move || command.output());
    run.await.expect("no panic").expect("the binary")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What it printed: one line.
#[track_caller]
fn printed(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", said(output));
    let text = String::from_utf8(output.stdout.clone()).expect("a text");
    assert_eq!(text.lines().count(), 1, "{text}");
    text.trim_end().to_owned()
}

/// The last line of what it says when it cannot.
#[track_caller]
fn refused(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", said(output));
    assert!(output.stdout.is_empty());
    let line = said(output).lines().last().unwrap_or_default().to_owned();
    assert!(line.starts_with("muster: "), "{line}");
    line
}

/// Cluster and timeline: what a renewal leaves alone.
fn place(epoch: &str) -> &str {
    epoch.split_once('-').expect("three parts").1
}

/// A socket of Bob's that goes on from this epoch, and what it is told before `ready`.
async fn resume(server: &Server, epoch: &str) -> (String, Option<serde_json::Value>) {
    let cursor = json!({ "epoch": epoch, "user": 0, "groups": { "g": 1 } });
    let hello = json!({ "type": "hello", "token": server.token("bob"), "cursor": cursor });
    let mut socket = Socket::open_with(server.url(), hello).await;
    socket.say(&json!({ "type": "ping" })).await;
    let told = socket.early();
    assert_eq!(socket.frame().await["type"], "pong");
    (socket.welcome["epoch"].as_str().expect("an epoch").to_owned(), told)
}

#[tokio::test]
async fn after_a_renewal_every_cursor_is_answered_with_one_reset() {
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let database = server.database_url().to_owned();
    let flag = format!("--database-url={database}");
    let before = printed(&epoch(&[&flag]).await);
    assert_eq!(resume(&server, &before).await, (before.clone(), None));
    server.stop().await;

    let after = printed(&epoch(&[&flag, "--renew"]).await);
    assert_ne!(after, before);
    assert_eq!(place(&after), place(&before));
    assert_eq!(printed(&epoch(&[&flag]).await), after, "reading changes nothing");
    let server = Server::on(&database, &[]).await;
    let reset = json!({ "type": "reset", "scope": "all", "why": "epoch" });
    assert_eq!(resume(&server, &before).await, (after.clone(), Some(reset)));
    assert_eq!(resume(&server, &after).await, (after, None));
    server.stop().await;
}

#[tokio::test]
async fn the_embedded_default_is_renewed_while_no_server_runs_there() {
    let directory = Directory::new("epoch");
    let flag = format!("--data-dir={}", directory.text());
    let mut program = Program::start(directory.path(), &[]).await;
    for renew in [&[][..], &["--renew"]] {
        let arguments: Vec<&str> = renew.iter().copied().chain([flag.as_str()]).collect();
        let line = refused(&epoch(&arguments).await);
        assert!(line.contains("in use by another muster") && line.contains("stop"), "{line}");
    }
    let socket = Socket::open(&program.url, &crate::common::jwt_of("bob", 600)).await;
    let before = socket.welcome["epoch"].as_str().expect("an epoch").to_owned();
    program.signal("TERM");
    let (status, said) = program.ended().await;
    assert_eq!(status.code(), Some(0), "{said}");

    assert_eq!(printed(&epoch(&[&flag]).await), before);
    let after = printed(&epoch(&["--renew", &flag]).await);
    assert_ne!(after, before);
    assert_eq!(printed(&epoch(&[&flag]).await), after);
    assert_eq!(processes_of(directory.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_database_without_tables_has_no_epoch() {
    let flag = format!("--database-url={}", cluster::foreign_database().await);
    for renew in [None, Some("--renew")] {
        let arguments: Vec<&str> = renew.into_iter().chain([flag.as_str()]).collect();
        let line = refused(&epoch(&arguments).await);
        assert!(line.contains("no tables") && line.contains("muster migrate"), "{line}");
    }
}

/// A role that owns its database and may nothing else.
#[tokio::test]
async fn an_ordinary_role_is_enough() {
    let database = cluster::foreign_database().await;
    let role = format!("plain_{:08x}", rand::random::<u32>());
    let mut owner = PgConnection::connect(&database).await.expect("a connection");
    let name: String = sqlx::query_scalar("select current_database()")
        .fetch_one(&mut owner)
        .await
        .expect("a name");
    let give = format!(
        "create role {role} login; alter database {name} owner to {role}; \
                        alter schema public owner to {role}"
    );
    owner.execute(AssertSqlSafe(give)).await.expect("a role");
    owner.close().await.ok();
    let (_, rest) = database.split_once('@').expect("a user");
    let database = format!("postgres://{role}@{rest}");

    let server = Server::on(&database, &[]).await;
    server.group("alice", "g", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let flag = format!("--database-url={database}");
    let shown = printed(&epoch(&[&flag]).await);
    assert_eq!(resume(&server, &shown).await, (shown.clone(), None));
    assert_ne!(printed(&epoch(&[&flag, "--renew"]).await), shown);
    server.stop().await;
}
