//! Nodes that reach each other through NATS.

use serde_json::json;

use super::{all_scenes, invite, is, rename, soon, up};
use crate::common::nats::Nats;
use crate::common::{Server, cluster, eventually, metric};

/// Two nodes of one database.
async fn pair(url: &str) -> (Server, Server) {
    let settings = [("MUSTER_NATS_URL", url)];
    let one = Server::with(&settings).await;
    let other = Server::on(one.database_url(), &settings).await;
    (one, other)
}

async fn stop(nodes: (Server, Server)) {
    nodes.1.stop().await;
    nodes.0.stop().await;
}

#[tokio::test]
#[ignore = "needs nats-server: .ci/run installs it"]
async fn what_happens_on_one_node_is_heard_on_the_other() {
    let nats = Nats::start().await;
    let nodes = pair(&nats.url()).await;
    all_scenes(&nodes.0, &nodes.1).await;
    stop(nodes).await;
}

#[tokio::test]
#[ignore = "needs nats-server: .ci/run installs it"]
async fn users_with_passwords_and_tokens_come_in_and_others_do_not() {
    let both = [
        (&["--user", "ann", "--pass", "p@ss/word"][..], "ann:p%40ss%2Fword@"),
        (&["--auth", "t0ken"][..], "t0ken@"),
    ];
    for (options, who) in both {
        let nats = Nats::with(options).await;
        let stranger = Server::with(&[("MUSTER_NATS_URL", &nats.url())]).await;
        let nodes = pair(&nats.url_of(who)).await;
        up(&nodes.0).await;
        up(&nodes.1).await;
        nodes.0.group("alice", "g", "Public", json!({})).await;
        let mut bob = nodes.1.ws("bob").await;
        invite(&nodes.0, "g", &["bob".to_owned()]).await;
        is(&soon(&mut bob).await, "onMemberInvited", "g", 2);
        assert_eq!(metric(&stranger, "muster_bus_up").await, 0);
        stranger.stop().await;
        stop(nodes).await;
    }
}

/// Two databases in one NATS have groups of the same name, and nothing of each other.
#[tokio::test]
#[ignore = "needs nats-server: .ci/run installs it"]
async fn databases_that_share_a_nats_hear_nothing_of_each_other() {
    let nats = Nats::start().await;
    let url = nats.url();
    let (left, right) = (pair(&url).await, Server::with(&[("MUSTER_NATS_URL", &url)]).await);
    for node in [&left.0, &left.1, &right] {
        up(node).await;
    }
    let people = json!({ "memberList": [{ "userID": "bob" }] });
    left.0.group("alice", "g", "Public", people.clone()).await;
    right.group("alice", "g", "Public", people).await;
    let mut bob = left.1.ws("bob").await;
    let mut other_bob = right.ws("bob").await;
    rename(&left.0, "g", "left").await;
    is(&soon(&mut bob).await, "onGroupInfoChanged", "g", 2);
    rename(&right, "g", "right").await;
    let event = soon(&mut other_bob).await;
    is(&event, "onGroupInfoChanged", "g", 2);
    assert!(event.to_string().contains("right"), "{event}");
    assert_eq!(metric(&right, r#"muster_bus_received_total{of="entries"}"#).await, 0);
    right.stop().await;
    stop(left).await;
}

/// A node starts without NATS, serves, and meets the others once NATS is there; the same after a restart.
#[tokio::test]
#[ignore = "needs nats-server: .ci/run installs it"]
async fn a_nats_that_is_away_is_waited_for_and_holds_nothing_up() {
    let mut nats = Nats::nowhere();
    let nodes = pair(&nats.url()).await;
    nodes.0.group("alice", "g", "Public", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut bob = nodes.1.ws("bob").await;
    let mut seq = 1;
    for round in 0..2 {
        assert_eq!(metric(&nodes.0, "muster_bus_up").await, 0);
        // Here it is live; there it comes by the repair.
        let mut alice = nodes.0.ws("alice").await;
        seq += 1;
        rename(&nodes.0, "g", &format!("without NATS {round}")).await;
        is(&soon(&mut alice).await, "onGroupInfoChanged", "g", seq);
        is(&bob.next_event().await, "onGroupInfoChanged", "g", seq);
        nats.start_again().await;
        up(&nodes.0).await;
        up(&nodes.1).await;
        seq += 1;
        rename(&nodes.0, "g", &format!("with NATS {round}")).await;
        is(&soon(&mut bob).await, "onGroupInfoChanged", "g", seq);
        nats.stop();
        eventually("both notice", || async {
            let ups =
                metric(&nodes.0, "muster_bus_up").await + metric(&nodes.1, "muster_bus_up").await;
            (ups == 0).then_some(())
        })
        .await;
    }
    nodes.0.check_invariants().await;
    stop(nodes).await;
}

/// A node gets what somebody there follows, and nothing else.
#[tokio::test]
#[ignore = "needs nats-server: .ci/run installs it"]
async fn a_node_gets_what_it_follows_and_nothing_else() {
    let nats = Nats::start().await;
    let database = cluster::fresh_database().await;
    let settings = [("MUSTER_NATS_URL", &*nats.url())];
    let one = Server::on(&database, &settings).await;
    let other = Server::on(&database, &settings).await;
    up(&one).await;
    up(&other).await;
    one.group("alice", "followed", "Public", json!({ "memberList": [{ "userID": "bob" }] })).await;
    one.group("alice", "unheard", "Public", json!({ "memberList": [{ "userID": "carol" }] })).await;
    let mut bob = other.ws("bob").await;
    let received = r#"muster_bus_received_total{of="entries"}"#;
    let before = metric(&other, received).await;
    for round in 0..30 {
        rename(&one, "unheard", &format!("round {round}")).await;
    }
    rename(&one, "followed", "heard").await;
    is(&soon(&mut bob).await, "onGroupInfoChanged", "followed", 2);
    assert_eq!(metric(&other, received).await - before, 1);
    stop((one, other)).await;
}
