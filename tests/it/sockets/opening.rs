//! A socket that opens while the groups of its user change misses nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::{invite, kick, named};
use crate::common::{Server, Socket};

const GROUPS: usize = 4;
const SOCKETS: usize = 200;
const PEOPLE: [&str; 3] = ["bob", "carol", "dave"];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sockets_that_open_while_their_groups_change_miss_nothing() {
    let server = Arc::new(Server::with(&[("MUSTER_SOCKETS_PER_USER", "1000")]).await);
    for number in 0..GROUPS {
        server.group("alice", &format!("g{number}"), "Work", json!({})).await;
    }
    let members: Vec<Value> = PEOPLE.iter().map(|user| json!({ "userID": user })).collect();
    server.group("alice", "last", "Work", json!({ "memberList": members })).await;
    let done = Arc::new(AtomicBool::new(false));
    let changes: Vec<_> = (0..GROUPS)
        .map(|number| tokio::spawn(change(server.clone(), format!("g{number}"), done.clone())))
        .collect();

    let mut sockets = Vec::with_capacity(SOCKETS);
    for number in 0..SOCKETS {
        let name = PEOPLE[number % PEOPLE.len()];
        let mut socket = server.ws(name).await;
        sockets.push(tokio::spawn(async move { (name, follow(&mut socket, name).await) }));
    }
    done.store(true, Ordering::Relaxed);
    for change in changes {
        change.await.expect("it changes");
    }
    invite(&server, "last", &["the-end"]).await;
    for socket in sockets {
        let (name, heard) = socket.await.expect("nothing is missed");
        let data = server.get(name, "/v1/users/me/groups").await.ok();
        let lines = data["groupList"].as_array().expect("a list");
        let real: HashMap<String, i64> = lines.iter().map(line).collect();
        assert_eq!(heard, real, "{name}");
    }
    server.check_invariants().await;
    Arc::into_inner(server).expect("nobody else has it").stop().await;
}

/// Brings people in and out until it is told to stop; in the end all are out or all are in.
async fn change(server: Arc<Server>, group: String, done: Arc<AtomicBool>) {
    while !done.load(Ordering::Relaxed) {
        invite(&server, &group, &PEOPLE).await;
        invite(&server, &group, &["somebody"]).await;
        kick(&server, &group, &["somebody", PEOPLE[0]]).await;
        kick(&server, &group, &PEOPLE[1..]).await;
    }
    invite(&server, &group, &PEOPLE[1..]).await;
}

/// A group's id and a number.
fn line(line: &Value) -> (String, i64) {
    let id = line["groupID"].as_str().expect("an id").to_owned();
    (id, line["seq"].as_i64().expect("a number"))
}

/// Reads events until the end is told and nothing comes after it, checks every number, and returns the
/// groups that it ended up in with their last numbers.
async fn follow(socket: &mut Socket, name: &str) -> HashMap<String, i64> {
    let groups = socket.welcome["groups"].as_array().expect("a list");
    let mut at: HashMap<String, i64> = groups.iter().map(line).collect();
    let mut ended = false;
    loop {
        // Between groups there is no order: what the end overtook comes soon.
        let event = if ended {
            let Some(event) = socket.frame_within(Duration::from_secs(1)).await else { return at };
            event
        } else {
            socket.next_event().await
        };
        let (id, seq) = line(&event);
        ended |= id == "last";
        if let Some(before) = at.insert(id.clone(), seq) {
            assert_eq!(seq, before + 1, "{name} in {id}: {event}");
        } else {
            assert_eq!(event["event"], "onMemberInvited", "{event}");
            assert!(named(&event).contains(&name), "{event}");
        }
        if event["event"] == "onMemberKicked" && named(&event).contains(&name) {
            at.remove(&id);
        }
    }
}
