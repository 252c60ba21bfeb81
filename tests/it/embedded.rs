//! The private PostgreSQL of the embedded default, with real servers, real signals and real files.
//!
//! What has to be killed runs in a process of its own: this test binary again, told by an environment
//! variable to be the [`victim`]. The tests run as root, where PostgreSQL runs as another account
//! (`MUSTER_PG_USER`), and as an ordinary user alike. `PG_BIN_DIR` is honoured.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "also the helpers belong to tests")]

use std::fs::{self, DirBuilder};
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use muster::embedded::{Embedded, Error, Options};
use sqlx::Executor;

use support::*;

mod download;
mod standby;
mod support;

#[tokio::test]
async fn data_outlives_a_restart_and_nothing_else_does() {
    let place = Place::new();
    let first = place.start().await;
    let mut client = connect(first.socket_dir(), &first).await;
    client.execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)").await.unwrap();
    for (setting, expected) in [
        ("listen_addresses", ""),
        ("fsync", "on"),
        ("data_checksums", "on"),
        ("server_encoding", "UTF8"),
        ("unix_socket_permissions", "0700"),
    ] {
        assert_eq!(text(&mut client, &format!("SHOW {setting}")).await, expected, "{setting}");
    }
    let collation = "SELECT datcollate FROM pg_database WHERE datname = current_database()";
    assert_eq!(text(&mut client, collation).await, "C");
    assert!(text(&mut client, "SHOW server_version").await.starts_with(first.server_version()));
    let socket_dir = first.socket_dir().to_owned();
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(place.cluster()).unwrap().permissions().mode() & 0o777, 0o700);

    // A client that stays connected does not keep the server from stopping.
    within(first.stop()).await.unwrap();
    assert_eq!(place.processes(), Vec::<u32>::new());
    assert!(!socket_dir.exists(), "the socket directory is still there");

    // On the way, a log that has grown too large is set aside.
    let mut log =
        fs::OpenOptions::new().append(true).open(place.data.join("postgres.log")).unwrap();
    log.write_all(&vec![b'x'; 11 << 20]).unwrap();

    let second = place.start().await;
    assert!(fs::metadata(place.data.join("postgres.log")).unwrap().len() < 1 << 20);
    assert!(fs::metadata(place.data.join("postgres.log.1")).unwrap().len() > 10 << 20);
    assert_ne!(second.socket_dir(), socket_dir);
    let mut client = connect(second.socket_dir(), &second).await;
    assert_eq!(text(&mut client, "SELECT n::text FROM kept").await, "7");
    within(second.stop()).await.unwrap();
}

#[tokio::test]
async fn a_second_owner_is_refused_and_told_who_the_first_is() {
    let place = Place::new();
    let first = place.start().await;
    let refusal = within(Embedded::start(place.options())).await.unwrap_err();
    assert!(matches!(refusal, Error::Locked { .. }), "{refusal:?}");
    let said = refusal.to_string();
    assert!(said.contains(&place.data.display().to_string()), "{said}");
    assert!(said.contains(&format!("process {}", std::process::id())), "{said}");

    // The refusal did the first no harm, and its end lets the next one in.
    connect(first.socket_dir(), &first).await;
    within(first.stop()).await.unwrap();
    within(place.start().await.stop()).await.unwrap();
}

#[tokio::test]
async fn dropping_it_ends_the_server() {
    let place = Place::new();
    let dropped = place.start().await;
    let socket_dir = dropped.socket_dir().to_owned();
    assert!(!place.processes().is_empty());
    drop(dropped);
    place.wait_until_nothing_runs().await;
    eventually("the socket directory goes", || !socket_dir.exists()).await;
}

#[test]
fn the_end_of_the_runtime_ends_the_server() {
    let place = Place::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let left = runtime.block_on(place.start());
    runtime.shutdown_background();
    tokio::runtime::Runtime::new().unwrap().block_on(place.wait_until_nothing_runs());
    drop(left);
}

#[tokio::test]
async fn a_killed_muster_leaves_nothing_running() {
    let place = Place::new();
    let mut victim = Victim::new(&place).spawn();
    let socket_dir = victim.socket_dir().await;
    victim.kill();
    place.wait_until_nothing_runs().await;
    eventually("the socket directory goes", || !socket_dir.exists()).await;
}

#[tokio::test]
async fn a_start_after_a_kill_waits_for_the_server_that_is_still_stopping() {
    let place = Place::new();
    let mut victim = Victim::new(&place).spawn();
    let socket_dir = victim.socket_dir().await;
    client(&socket_dir).await.execute("CREATE TABLE kept ()").await.unwrap();
    victim.kill();
    let next = place.start().await;
    connect(next.socket_dir(), &next).await.execute("TABLE kept").await.unwrap();
    within(next.stop()).await.unwrap();
    assert!(!socket_dir.exists());
}

#[tokio::test]
async fn an_orphaned_server_is_stopped_and_replaced() {
    let place = Place::new();
    let mut victim = Victim::new(&place).spawn();
    let socket_dir = victim.socket_dir().await;
    let mut old = client(&socket_dir).await;
    old.execute("CREATE TABLE kept ()").await.unwrap();
    let orphan = place.postmaster();
    // The guard first, so that nobody is left to stop the server; and Muster must not notice.
    victim.freeze();
    place.kill_guards();
    victim.kill();
    old.execute("TABLE kept").await.unwrap();

    let next = place.start().await;
    assert_ne!(place.postmaster(), orphan);
    assert!(old.execute("TABLE kept").await.is_err(), "the orphan still answers");
    connect(next.socket_dir(), &next).await.execute("TABLE kept").await.unwrap();
    assert!(!socket_dir.exists(), "the orphan's socket directory is still there");
    within(next.stop()).await.unwrap();
    assert_eq!(place.processes(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_killed_server_comes_back_in_the_same_place() {
    let place = Place::new();
    let embedded = place.start().await;
    let socket_dir = embedded.socket_dir().to_owned();
    client(&socket_dir).await.execute("CREATE TABLE kept ()").await.unwrap();
    for _ in 0..2 {
        let before = place.postmaster();
        signal("KILL", before);
        place.wait_for_another_server_than(before, &socket_dir).await;
        client(&socket_dir).await.execute("TABLE kept").await.unwrap();
    }

    // A process that is busy does not notice that its server died, and holds the shared memory.
    let mut busy = client(&socket_dir).await;
    let before = place.postmaster();
    let work = tokio::spawn(async move {
        let two_seconds =
            "DO $$ BEGIN WHILE clock_timestamp() < now() + interval '2 s' LOOP END LOOP; END $$";
        let _ = busy.execute(two_seconds).await;
    });
    let mut other = client(&socket_dir).await;
    let seen =
        "SELECT count(*)::text FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO%'";
    while text(&mut other, seen).await != "1" {}
    signal("KILL", before);
    place.wait_for_another_server_than(before, &socket_dir).await;
    within(work).await.unwrap();

    // Nor is stopping it disturbed by its having been killed.
    signal("KILL", place.postmaster());
    within(embedded.stop()).await.unwrap();
    assert_eq!(place.processes(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_killed_guard_is_replaced_with_its_server() {
    let place = Place::new();
    let embedded = place.start().await;
    let before = place.postmaster();
    place.kill_guards();
    place.wait_for_another_server_than(before, embedded.socket_dir()).await;
    within(embedded.stop()).await.unwrap();
    assert_eq!(place.processes(), Vec::<u32>::new());
}

#[tokio::test]
async fn ordinary_signals_to_the_guard_change_nothing() {
    let place = Place::new();
    let embedded = place.start().await;
    let before = place.postmaster();
    // A terminal and a service manager send these to whole groups of processes.
    for guard in place.guards() {
        for name in ["INT", "TERM", "HUP"] {
            signal(name, guard);
        }
    }
    let mut client = connect(embedded.socket_dir(), &embedded).await;
    client.execute("SELECT 1").await.unwrap();
    assert_eq!(place.postmaster(), before);
    assert!(!place.guards().is_empty());
    within(embedded.stop()).await.unwrap();
    assert_eq!(place.processes(), Vec::<u32>::new());
}

#[tokio::test]
async fn a_stale_pid_file_that_names_a_living_process_is_no_obstacle() {
    let place = Place::new();
    let embedded = place.start().await;
    let pid_file = place.cluster().join("postmaster.pid");
    let left = fs::read_to_string(&pid_file).unwrap();
    within(embedded.stop()).await.unwrap();

    // Of the same account, since PostgreSQL itself recognises the processes of others.
    let mut stranger = Command::new("sleep");
    stranger.arg("600").stdin(Stdio::null());
    if let Some((uid, gid)) = Place::account() {
        stranger.uid(uid).gid(gid);
    }
    let mut stranger = Reaped(stranger.spawn().unwrap());
    let (_, rest) = left.split_once('\n').unwrap();
    fs::write(&pid_file, format!("{}\n{rest}", stranger.0.id())).unwrap();
    Place::give(&pid_file);

    within(place.start().await.stop()).await.unwrap();
    assert!(stranger.0.try_wait().unwrap().is_none(), "the stranger was harmed");

    // Neither is one that was cut short.
    fs::write(&pid_file, "").unwrap();
    Place::give(&pid_file);
    within(place.start().await.stop()).await.unwrap();
}

#[tokio::test]
async fn a_start_that_is_given_up_leaves_nothing_behind() {
    let place = Place::new();
    for milliseconds in [20, 100, 300, 600, 900, 1200, 1500] {
        let limit = Duration::from_millis(milliseconds);
        drop(tokio::time::timeout(limit, Embedded::start(place.options())).await);
    }
    place.wait_until_nothing_runs().await;
    let next = place.start().await;
    assert_eq!(place.unfinished(), Vec::<String>::new());
    within(next.stop()).await.unwrap();
}

#[tokio::test]
async fn a_kill_while_the_cluster_is_made_costs_nothing() {
    let place = Place::new();
    let mut victim = Victim::new(&place).spawn();
    eventually("a cluster is begun", || !place.unfinished().is_empty()).await;
    victim.kill();
    assert!(!place.cluster().exists(), "the kill came too late");
    place.wait_until_nothing_runs().await;

    let next = place.start().await;
    assert_eq!(place.unfinished(), Vec::<String>::new());
    connect(next.socket_dir(), &next).await;
    within(next.stop()).await.unwrap();
}

#[tokio::test]
async fn a_directory_out_of_reach_is_named() {
    let place = Place::new();
    let closed = place.dir.join("closed");
    let mode = if am_root() { 0o700 } else { 0o500 };
    DirBuilder::new().mode(mode).create(&closed).unwrap();
    let mut options = place.options();
    options.data_dir = closed.join("data");
    let refusal = within(Embedded::start(options)).await.unwrap_err();
    let said = refusal.to_string();
    assert!(said.contains(&closed.join("data").display().to_string()), "{said}");
    assert!(said.contains("--data-dir"), "{said}");
    if am_root() {
        assert!(matches!(&refusal, Error::Unreachable { blocked_by, .. } if *blocked_by == closed));
        assert!(said.contains(&pg_user()), "{said}");
        assert_eq!(names(&closed), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_absent_account_is_named_with_its_setting() {
    if !am_root() {
        return; // Only root needs one.
    }
    let place = Place::new();
    let mut options = place.options();
    options.pg_user = "no-such-account".to_owned();
    let said = within(Embedded::start(options)).await.unwrap_err().to_string();
    assert!(said.contains("no-such-account") && said.contains("MUSTER_PG_USER"), "{said}");
}

#[tokio::test]
async fn an_ordinary_user_needs_nothing_but_a_directory() {
    let place = Place::new();
    let mut victim = if am_root() {
        fs::set_permissions(&place.dir, fs::Permissions::from_mode(0o777)).unwrap();
        Victim::as_user(&place, "nobody")
    } else {
        Victim::new(&place)
    };
    // A temporary directory that is too long for a socket's address is not used.
    let long = place.dir.join("long".repeat(25));
    DirBuilder::new().mode(0o777).create(&long).unwrap();
    victim.command.env("TMPDIR", &long);

    let mut victim = victim.spawn();
    let socket_dir = victim.socket_dir().await;
    assert!(socket_dir.as_os_str().len() < 80, "{}", socket_dir.display());
    if am_root() {
        let owner = fs::metadata(place.cluster()).unwrap().uid();
        assert_eq!(owner, id("-u", "nobody").unwrap());
    }
    client(&socket_dir).await.execute("CREATE TABLE kept ()").await.unwrap();
    victim.kill();
    place.wait_until_nothing_runs().await;
}

#[tokio::test]
async fn a_cluster_of_somebody_else_is_named_with_its_owner() {
    if !am_root() {
        return; // Cannot make one.
    }
    let place = Place::new();
    within(place.start().await.stop()).await.unwrap();
    let mut options = place.options();
    options.pg_user = "nobody".to_owned();
    let said = within(Embedded::start(options)).await.unwrap_err().to_string();
    let (uid, _) = Place::account().unwrap();
    assert!(said.contains(&format!("user id {uid}")) && said.contains("nobody"), "{said}");
}

#[tokio::test]
async fn a_named_bin_dir_is_not_second_guessed() {
    let place = Place::new();
    let mut options = place.options();
    options.bin_dir = Some(place.dir.clone());
    let refusal = within(Embedded::start(options)).await.unwrap_err();
    assert!(matches!(&refusal, Error::BinDir { dir, .. } if *dir == place.dir), "{refusal:?}");
    assert!(refusal.to_string().contains("PG_BIN_DIR"), "{refusal}");
}

#[tokio::test]
async fn a_cluster_of_another_major_version_is_refused_with_both_versions() {
    let place = Place::new();
    let embedded = place.start().await;
    let version = embedded.server_version().to_owned();
    within(embedded.stop()).await.unwrap();
    fs::write(place.cluster().join("PG_VERSION"), "99\n").unwrap();
    let said = within(Embedded::start(place.options())).await.unwrap_err().to_string();
    assert!(said.contains("PostgreSQL 99") && said.contains(&version), "{said}");
}

#[tokio::test]
async fn a_directory_that_holds_something_else_is_left_alone() {
    let place = Place::new();
    fs::create_dir_all(place.cluster()).unwrap();
    fs::write(place.cluster().join("holiday.jpg"), "").unwrap();
    let refusal = within(Embedded::start(place.options())).await.unwrap_err();
    assert!(matches!(refusal, Error::NotACluster { .. }), "{refusal:?}");
    assert!(place.cluster().join("holiday.jpg").exists());
}

#[tokio::test]
async fn a_server_that_does_not_start_says_why() {
    let place = Place::new();
    within(place.start().await.stop()).await.unwrap();
    let conf = place.cluster().join("postgresql.conf");
    let mut conf = fs::OpenOptions::new().append(true).open(conf).unwrap();
    conf.write_all(b"shared_buffers = 'a lot'\n").unwrap();
    let refusal = within(Embedded::start(place.options())).await.unwrap_err();
    assert!(matches!(refusal, Error::Start { .. }), "{refusal:?}");
    let said = refusal.to_string();
    assert!(said.contains("shared_buffers") && said.contains("postgres.log"), "{said}");
    assert_eq!(place.processes(), Vec::<u32>::new());
}

/// Not a test of its own: what [`Victim`] runs in another process. Lives until it is killed.
#[tokio::test]
async fn victim() {
    let Some(dir) = std::env::var_os("MUSTER_TEST_VICTIM") else { return };
    let mut options = Options::new(&dir);
    options.pg_user = pg_user();
    options.bin_dir = std::env::var_os("PG_BIN_DIR").map(PathBuf::from);
    options.download = None;
    let ready = Path::new(&dir).with_file_name("ready");
    match Embedded::start(options).await {
        Ok(embedded) => {
            let half_done = ready.with_extension("new");
            fs::write(&half_done, embedded.socket_dir().as_os_str().as_bytes()).unwrap();
            fs::rename(half_done, &ready).unwrap();
            // Bounded, so that a victim whose test died does not stay for ever.
            tokio::time::sleep(2 * BOUND).await;
        }
        Err(error) => fs::write(ready, format!("failed: {error}")).unwrap(),
    }
}
