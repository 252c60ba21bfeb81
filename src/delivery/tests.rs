//! From a commit to the clients: who hears what, through hub, router and connections.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::hub::Message;
use super::testkit::{Database, Node, Peer, eventually, group, user};
use crate::metrics::FoundLabels;
use crate::model::StreamKey;

fn names(events: &[(&str, i64)]) -> Vec<(String, i64)> {
    events.iter().map(|(name, seq)| ((*name).to_owned(), *seq)).collect()
}

async fn hears(peer: &mut Peer, expected: &[(&str, i64)]) {
    for event in names(expected) {
        assert_eq!(peer.event().await, event);
    }
    peer.hears_nothing().await;
}

#[tokio::test]
async fn inviter_invited_and_members_hear_an_invitation_and_a_stranger_nothing() {
    let node = Node::start();
    node.database.invite("g1", &["alice", "bob"]);
    let mut alice = node.client("alice").await;
    let mut bob = node.client("bob").await;
    let mut carol = node.client("carol").await;
    let mut carol_too = node.client("carol").await;
    let mut stranger = node.client("dave").await;
    node.commit(node.database.invite("g1", &["carol"]));
    for peer in [&mut alice, &mut bob, &mut carol, &mut carol_too] {
        hears(peer, &[("onMemberInvited", 2)]).await;
    }
    stranger.hears_nothing().await;
}

#[tokio::test]
async fn the_kicked_hears_it_last_and_is_back_with_the_next_invitation() {
    let node = Node::start();
    node.database.invite("g1", &["alice", "bob"]);
    let mut alice = node.client("alice").await;
    let mut bob = node.client("bob").await;
    node.commit(node.database.kick("g1", &["bob"]));
    node.commit(node.database.invite("g1", &["carol"]));
    hears(&mut bob, &[("onMemberKicked", 2)]).await;
    node.commit(node.database.invite("g1", &["bob"]));
    node.commit(node.database.quit("g1", "carol"));
    hears(&mut bob, &[("onMemberInvited", 4), ("onMemberLeave", 5)]).await;
    let all = [
        ("onMemberKicked", 2),
        ("onMemberInvited", 3),
        ("onMemberInvited", 4),
        ("onMemberLeave", 5),
    ];
    hears(&mut alice, &all).await;
}

#[tokio::test]
async fn who_quits_hears_it_and_so_does_everybody_when_a_group_is_dismissed() {
    let node = Node::start();
    node.database.invite("g1", &["alice", "bob"]);
    let mut alice = node.client("alice").await;
    let mut bob = node.client("bob").await;
    node.commit(node.database.quit("g1", "bob"));
    node.commit(node.database.dismiss("g1"));
    hears(&mut bob, &[("onMemberLeave", 2)]).await;
    hears(&mut alice, &[("onMemberLeave", 2), ("onGroupDismissed", 3)]).await;
}

#[tokio::test]
async fn personal_events_reach_all_sockets_of_that_person_only() {
    let node = Node::start();
    let mut phone = node.client("alice").await;
    let mut laptop = node.client("alice").await;
    let mut bob = node.client("bob").await;
    node.commit(node.database.note("alice"));
    node.commit(node.database.note("alice"));
    for peer in [&mut phone, &mut laptop] {
        hears(peer, &[("onReceiveInvitation", 1), ("onReceiveInvitation", 2)]).await;
    }
    bob.hears_nothing().await;
}

#[tokio::test]
async fn what_did_not_come_by_itself_is_read_from_the_log() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    let mut alice = node.client("alice").await;
    for _ in 0..600 {
        node.database.invite("g1", &["x"]);
    }
    node.database.be_away(true);
    node.commit(node.database.kick("g1", &["x"]));
    alice.hears_nothing().await;
    node.database.be_away(false);
    for seq in 2..=601 {
        assert_eq!(alice.event().await, ("onMemberInvited".to_owned(), seq));
    }
    hears(&mut alice, &[("onMemberKicked", 602)]).await;
}

#[tokio::test]
async fn a_log_that_lost_what_is_needed_ends_the_connection_aloud() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    let alice = node.client("alice").await;
    let mut bob = node.client("bob").await;
    for _ in 0..5 {
        node.database.invite("g1", &["x"]);
    }
    node.database.trim("g1", 4);
    node.commit(node.database.kick("g1", &["x"]));
    assert_eq!(alice.bye().await.0, 1001);
    bob.hears_nothing().await;
    node.client("alice").await.hears_nothing().await;
}

#[tokio::test]
async fn a_cursor_is_replayed_from_the_log() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    for _ in 0..800 {
        node.database.invite("g1", &["x"]);
    }
    node.database.note("alice");
    node.database.invite("g2", &["alice"]);
    node.database.invite("g3", &["alice"]);
    node.database.kick("g3", &["alice"]);
    node.database.invite("g3", &["x"]);
    let hello = json!({"type": "hello", "token": "alice", "cursor":
        {"epoch": "e1", "user": 0, "groups": {"g1": 1, "g3": 1, "never": 4, "no\u{0}id": 1}}});
    let (mut alice, replayed) = node.enter(hello).await;
    let line = |id: &str, seq: i64, head: i64| json!({"groupID": id, "seq": seq, "head": head, "role": "Member"});
    assert_eq!(alice.welcome["groups"], json!([line("g1", 1, 801), line("g2", 0, 1)]));
    assert_eq!(alice.welcome["userSeq"], 0);
    let of = |id: &str| -> Vec<i64> {
        let mine = replayed.iter().filter(|frame| frame["groupID"] == id);
        mine.filter_map(|frame| frame["seq"].as_i64()).collect()
    };
    assert_eq!(of("g1"), (2..=801).collect::<Vec<_>>());
    assert_eq!(of("g2"), [1]);
    assert_eq!(of("g3"), [2], "up to and with the removal");
    assert_eq!(replayed.iter().filter(|frame| frame["userSeq"] == 1).count(), 1);
    assert_eq!(replayed.len(), 803);
    node.commit(node.database.invite("g1", &["y"]));
    hears(&mut alice, &[("onMemberInvited", 802)]).await;
}

#[tokio::test]
async fn what_cannot_be_replayed_is_reset() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    node.database.kick("g1", &["alice"]);
    node.database.invite("g1", &["x"]);
    node.database.invite("g1", &["alice"]);
    let cursor = |epoch: &str, seq: i64| {
        json!({"type": "hello", "token": "alice",
            "cursor": {"epoch": epoch, "user": 0, "groups": {"g1": seq}}})
    };
    let reset = |why: &str| json!([{"type": "reset", "scope": "group", "groupID": "g1", "seq": 4, "why": why}]);
    let (_, told) = node.enter(cursor("e1", 1)).await;
    assert_eq!(json!(told), reset("rejoined"));
    let (_, told) = node.enter(cursor("e1", 9)).await;
    assert_eq!(json!(told), reset("ahead"));
    let (_, told) = node.enter(cursor("e0", 4)).await;
    assert_eq!(json!(told), json!([{"type": "reset", "scope": "all", "why": "epoch"}]));
    node.database.trim("g1", 3);
    node.database.invite("g1", &["y"]);
    let (mut alice, told) = node.enter(cursor("e1", 4)).await;
    assert_eq!(told.len(), 1);
    assert_eq!(told[0]["seq"], 5);
    node.commit(node.database.invite("g1", &["z"]));
    hears(&mut alice, &[("onMemberInvited", 6)]).await;
}

#[tokio::test]
async fn a_second_look_is_only_taken_at_streams_that_nobody_follows() {
    let node = Node::start();
    node.database.invite("g1", &["alice", "bob"]);
    let looks = || node.database.snapshots.load(Ordering::Relaxed);
    let alice = node.client("alice").await;
    assert_eq!(looks(), 2);
    let _too = node.client("alice").await;
    assert_eq!(looks(), 3);
    drop(alice);
}

#[tokio::test]
async fn after_a_panic_of_the_router_everybody_is_asked_to_come_again() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    let alice = node.client("alice").await;
    node.hub.tell(super::hub::Message::Panic);
    assert_eq!(alice.bye().await.0, 1001);
    let mut alice = node.client("alice").await;
    node.commit(node.database.invite("g1", &["bob"]));
    hears(&mut alice, &[("onMemberInvited", 2)]).await;
}

/// A client that checks every number, and knows which groups it is in and how far each has come.
struct Follower {
    peer: Peer,
    name: &'static str,
    at: BTreeMap<String, i64>,
    past: BTreeMap<String, i64>,
}

fn line(line: &Value) -> (String, i64) {
    let id = line["groupID"].as_str().expect("an id").to_owned();
    (id, line["seq"].as_i64().expect("a number"))
}

impl Follower {
    async fn start(mut peer: Peer, name: &'static str) -> Self {
        peer.say(json!({"type": "hello", "token": name}));
        let welcome = peer.hear().await;
        let at = welcome["groups"].as_array().expect("a list").iter().map(line).collect();
        Self { peer, name, at, past: BTreeMap::new() }
    }

    async fn next(&mut self) {
        let frame = self.peer.hear().await;
        if frame["type"] != "event" {
            return;
        }
        let (id, seq) = line(&frame);
        let named: Vec<&str> = frame["memberList"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(|one| one["userID"].as_str())
            .collect();
        if let Some(before) = self.at.get(&id) {
            assert_eq!(seq, before + 1, "{id} has a hole or a repetition");
        } else {
            assert!(named.contains(&self.name), "{frame} starts nothing");
            assert!(self.past.get(&id).is_none_or(|before| *before < seq), "{frame} came again");
        }
        self.at.insert(id.clone(), seq);
        if frame["event"] == "onMemberKicked" && named.contains(&self.name) {
            self.at.remove(&id);
            self.past.insert(id, seq);
        }
    }

    /// Follows until nothing comes any more, and then knows what is true in the end.
    async fn follow(mut self, mut truth: watch::Receiver<Option<Truth>>) {
        loop {
            let known = truth.borrow().as_ref().map(|truth| truth[self.name].clone());
            tokio::select! {
                () = self.next() => {}
                _ = truth.changed(), if known.is_none() => {}
                () = sleep(Duration::from_secs(1)), if known.is_some() => {
                    assert_eq!(Some(self.at), known, "{}", self.name);
                    return;
                }
            }
        }
    }
}

/// What each person is in, and how far each group has come.
type Truth = BTreeMap<&'static str, BTreeMap<String, i64>>;

const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

fn truth(database: &Database) -> Truth {
    let of = |name: &'static str| {
        let groups = (0..5).map(|number| format!("g{number}"));
        let mine = groups.filter_map(|id| {
            let inside = database.membership(&group(&id), &user(name));
            let head = database.head(&id);
            inside.is_some_and(|(_, left)| left.is_none()).then_some((id, head))
        });
        (name, mine.collect())
    };
    PEOPLE.map(of).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn connections_that_open_while_their_groups_change_miss_nothing() {
    let node = Node::start();
    node.database.be_slow(Duration::from_micros(300));
    let (database, hub) = (node.database.clone(), node.hub.clone());
    let changing = tokio::spawn(async move {
        for round in 0..3_000_u32 {
            let id = format!("g{}", rand::random_range(0..5));
            let who = PEOPLE[rand::random_range(0..3)];
            let inside = database
                .membership(&group(&id), &user(who))
                .is_some_and(|(_, left)| left.is_none());
            let entry =
                if inside { database.kick(&id, &[who]) } else { database.invite(&id, &[who]) };
            hub.committed("e1".into(), vec![entry]);
            if round % 8 == 0 {
                sleep(Duration::from_micros(200)).await;
            }
        }
    });
    let (tell, told) = watch::channel(None);
    let mut clients = Vec::new();
    while !changing.is_finished() {
        for name in PEOPLE {
            let follower = Follower::start(node.dial(100_000, None), name).await;
            clients.push(tokio::spawn(follower.follow(told.clone())));
        }
    }
    changing.await.expect("it changes");
    tell.send(Some(truth(&node.database))).expect("somebody listens");
    assert!(clients.len() > 30, "{}", clients.len());
    for client in clients {
        timeout(Duration::from_secs(30), client).await.expect("it is told").expect("in order");
    }
}

#[tokio::test]
async fn what_nobody_told_is_found_in_the_log() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    let mut alice = node.client("alice").await;
    node.database.invite("g1", &["bob"]);
    node.database.note("alice");
    let mut heard = vec![alice.event().await, alice.event().await];
    heard.sort();
    assert_eq!(heard, names(&[("onMemberInvited", 2), ("onReceiveInvitation", 1)]));
    let found = FoundLabels { what: "event" };
    eventually(|| node.metrics.repaired.get_or_create(&found).get() == 2).await;
}

#[tokio::test]
async fn a_group_of_which_nobody_told_is_found() {
    let node = Node::start();
    let mut alice = node.client("alice").await;
    node.database.invite("g1", &["bob"]);
    node.database.invite("g1", &["alice"]);
    node.database.kick("g1", &["bob"]);
    hears(&mut alice, &[("onMemberInvited", 2), ("onMemberKicked", 3)]).await;
    node.database.kick("g1", &["alice"]);
    hears(&mut alice, &[("onMemberKicked", 4)]).await;
    let found = FoundLabels { what: "membership" };
    eventually(|| node.metrics.repaired.get_or_create(&found).get() == 1).await;
}

#[tokio::test]
async fn a_membership_that_began_and_ended_unheard_is_told_whole() {
    let node = Node::start();
    let mut alice = node.client("alice").await;
    node.database.invite("g1", &["bob", "alice"]);
    node.database.quit("g1", "alice");
    node.database.quit("g1", "bob");
    hears(&mut alice, &[("onMemberInvited", 1), ("onMemberLeave", 2)]).await;
}

#[tokio::test]
async fn while_a_transaction_holds_the_horizon_back_losses_are_found_all_the_same() {
    let node = Node::start();
    node.database.invite("g1", &["alice"]);
    let mut alice = node.client("alice").await;
    node.database.hold(Some(4_711));
    node.database.invite("g1", &["bob"]);
    assert_eq!(alice.event().await.1, 2);
    assert!(node.metrics.repair_horizon.get() > 0.5);
    node.database.hold(None);
    eventually(|| node.metrics.repair_horizon.get() == 0.0).await;
}

#[tokio::test]
async fn when_the_database_goes_over_to_another_history_everybody_begins_anew() {
    let node = Node::start();
    for _ in 0..3 {
        node.database.invite("g1", &["alice"]);
    }
    let (alice, _) = node.enter(json!({"type": "hello", "token": "alice"})).await;
    let cursor = json!({"epoch": alice.welcome["epoch"], "user": 0, "groups": {"g1": 3}});
    node.database.fork("e2", "g1", 2);
    // What the other history calls 2 is not what this one calls 2.
    node.hub.committed("e2".into(), vec![node.database.kick("g1", &["bob"])]);
    let (code, bye) = alice.bye().await;
    assert_eq!((code, bye["why"].as_str()), (1001, Some("the server lost its place")));
    let hello = json!({"type": "hello", "token": "alice", "cursor": cursor});
    let (alice, before) = node.enter(hello).await;
    assert_eq!(before, [json!({"type": "reset", "scope": "all", "why": "epoch"})]);
    assert_eq!(alice.welcome["epoch"], "e2");
    assert_eq!(alice.welcome["groups"][0]["seq"], 2);
}

/// A group whose members have more sockets than are written to at a time.
async fn many(node: &Node) -> Vec<Peer> {
    let names: Vec<String> = (0..600).map(|number| format!("u{number}")).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    node.commit(node.database.invite("g1", &all));
    let mut peers = Vec::new();
    for name in &names {
        peers.push(node.client(name).await);
    }
    peers
}

/// Many sockets get several events.
async fn fan_out_to_many() {
    let node = Node::start();
    let mut peers = many(&node).await;
    for number in 0..20 {
        node.commit(node.database.invite("g1", &[&format!("x{number}")]));
    }
    for peer in &mut peers {
        for seq in 2..=21 {
            assert_eq!(peer.event().await, ("onMemberInvited".to_owned(), seq));
        }
        peer.hears_nothing().await;
    }
}

#[tokio::test]
async fn a_large_fan_out_reaches_everybody_in_order() {
    fan_out_to_many().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_fan_out_reaches_everybody_in_order_on_several_threads() {
    fan_out_to_many().await;
}

/// What is committed while an event goes out to many sockets goes out with it to those whose turn has not come yet.
async fn what_comes_meanwhile_joins() {
    let node = Node::start();
    let mut peers = many(&node).await;
    let before: Vec<usize> = peers.iter().map(|peer| peer.from_server.writes()).collect();
    let first = node.database.invite("g1", &["first"]);
    let second = Arc::new(Mutex::new(Some(node.database.invite("g1", &["second"]))));
    for peer in &peers {
        let (hub, second) = (node.hub.clone(), second.clone());
        peer.from_server.when_written(move || {
            if let Some(entry) = second.lock().expect("nobody panicked").take() {
                hub.committed("e1".into(), vec![entry]);
            }
        });
    }
    node.commit(first);
    for peer in &mut peers {
        for seq in [2, 3] {
            assert_eq!(peer.event().await, ("onMemberInvited".to_owned(), seq));
        }
    }
    let writes = peers.iter().zip(before).map(|(peer, before)| peer.from_server.writes() - before);
    let together = writes.filter(|writes| *writes == 1).count();
    assert!(together > 500, "{together} of 600 got both with one call");
}

#[tokio::test]
async fn what_comes_during_a_large_fan_out_joins_it() {
    what_comes_meanwhile_joins().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_during_a_large_fan_out_joins_it_on_several_threads() {
    what_comes_meanwhile_joins().await;
}

#[tokio::test]
async fn what_is_found_missing_during_a_fan_out_is_read_at_once() {
    let node = Node::start();
    node.commit(node.database.invite("g1", &["alice"]));
    let mut alice = node.client("alice").await;
    let begun = Instant::now();
    for round in 0..5 {
        let told = node.database.invite("g1", &[&format!("a{round}")]);
        node.database.invite("g1", &[&format!("nobody tells of him {round}")]);
        let (hub, head) = (node.hub.clone(), node.database.head("g1"));
        alice.from_server.when_written(move || {
            let heads = vec![(StreamKey::Group(group("g1")), head)];
            hub.tell(Message::Heads { epoch: "e1".into(), heads });
        });
        node.commit(told);
        for seq in [head - 1, head] {
            assert_eq!(alice.event().await, ("onMemberInvited".to_owned(), seq));
        }
    }
    // Whatever else wakes the worker comes a few times in a second.
    assert!(begun.elapsed() < Duration::from_secs(1), "it took {:?}", begun.elapsed());
}
