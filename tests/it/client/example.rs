//! The Rust example, as a process: killed, started again, and nothing is lost or repeated.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use super::line::Line;
use crate::common::process::Directory;
use crate::common::{Server, eventually, jwt_of};

/// The example. It is ended when this is dropped, however the test ends.
struct Follower {
    child: Child,
    lines: Receiver<Value>,
}

/// Where cargo puts examples: beside the binary, which it builds with the tests as well.
fn binary() -> PathBuf {
    let muster = Path::new(env!("CARGO_BIN_EXE_muster"));
    muster.with_file_name("examples").join("follow")
}

fn read(out: ChildStdout) -> Receiver<Value> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            let event = serde_json::from_str(&line).expect("a line of JSON");
            if sender.send(event).is_err() {
                return;
            }
        }
    });
    lines
}

impl Follower {
    fn start(url: &str, token: &str, cursor: &Path) -> Self {
        let mut child = Command::new(binary())
            .args([url, token])
            .arg(cursor)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the example, which cargo test builds");
        let lines = read(child.stdout.take().expect("a pipe"));
        Self { child, lines }
    }

    /// Name and number of the next event.
    fn next(&self) -> (String, u64) {
        let event = self.lines.recv_timeout(Duration::from_secs(20)).expect("an event");
        assert_eq!(event["type"], "event", "{event}");
        let number = event["seq"].as_u64().or(event["userSeq"].as_u64()).expect("a number");
        (event["event"].as_str().expect("a name").to_owned(), number)
    }

    /// Kills it as a power cut would. What it had printed besides is a fault.
    fn kill(mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
        let rest: Vec<Value> = self.lines.iter().collect();
        assert!(rest.is_empty(), "{rest:?}");
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until this is what the file of the cursor says of the groups.
async fn kept(file: &Path, groups: &Value) {
    eventually(&format!("the cursor is at {groups}"), || async {
        let cursor: Value = serde_json::from_str(&std::fs::read_to_string(file).ok()?).ok()?;
        (cursor["groups"] == *groups).then_some(())
    })
    .await;
}

async fn rename(server: &Server, group: &str, times: usize) {
    for number in 0..times {
        let body = json!({ "groupName": format!("name {number}") });
        server.patch("alice", &format!("/v1/groups/{group}"), body).await.ok();
    }
}

async fn invite(server: &Server, group: &str, user: &str) {
    let path = format!("/v1/groups/{group}/invite");
    server.post("alice", &path, json!({ "userList": [user] })).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_goes_on_where_it_was_killed_and_where_its_connection_broke() {
    let server = Server::start().await;
    let directory = Directory::new("follow");
    std::fs::create_dir_all(directory.path()).expect("a directory");
    let file = directory.path().join("cursor.json");
    let with_bob = json!({ "memberList": [{ "userID": "bob" }] });
    server.group("alice", "g1", "Work", with_bob.clone()).await;
    server.group("alice", "g2", "Work", with_bob).await;
    let line = Line::before(server.url()).await;
    let token = jwt_of("bob", 600);
    let follower = Follower::start(&line.url, &token, &file);
    kept(&file, &json!({ "g1": 1, "g2": 1 })).await;
    rename(&server, "g1", 2).await;
    invite(&server, "g1", "carol").await;
    let seen = [follower.next(), follower.next(), follower.next()];
    let renamed = |seq| ("onGroupInfoChanged".to_owned(), seq);
    assert_eq!(seen, [renamed(2), renamed(3), ("onMemberInvited".to_owned(), 4)]);
    kept(&file, &json!({ "g1": 4, "g2": 1 })).await;
    follower.kill();

    // While it is dead: more of the one, the end of the other.
    rename(&server, "g1", 40).await;
    let body = json!({ "userList": ["bob"] });
    server.post("alice", "/v1/groups/g2/kick", body).await.ok();
    line.open(&[3_000, 4_000]);
    let follower = Follower::start(&line.url, &token, &file);
    let mut seen: Vec<_> = (0..41).map(|_| follower.next()).collect();
    let kicked = seen.iter().position(|(name, _)| name == "onMemberKicked").expect("the end");
    assert_eq!(seen.remove(kicked).1, 2);
    assert_eq!(seen, (5..45).map(renamed).collect::<Vec<_>>());
    kept(&file, &json!({ "g1": 44 })).await;
    assert!(line.carried() > 1, "it broke in between");

    // A membership that begins anew is told from its beginning.
    invite(&server, "g2", "bob").await;
    assert_eq!(follower.next(), ("onMemberInvited".to_owned(), 3));
    kept(&file, &json!({ "g1": 44, "g2": 3 })).await;
    follower.kill();
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_ends_when_its_token_is_refused() {
    let server = Server::start().await;
    let run = |arguments: Vec<String>| async move {
        let run = move || Command::new(binary()).args(arguments).output().expect("the example");
        let output = tokio::task::spawn_blocking(run).await.expect("it runs");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (good, said) = run(vec![server.url().to_owned(), "nonsense".to_owned()]).await;
    assert!(!good && said.contains("the token is refused"), "{said}");
    let (good, said) = run(Vec::new()).await;
    assert!(!good && said.contains("usage: follow URL TOKEN"), "{said}");
    server.stop().await;
}
