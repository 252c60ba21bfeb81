//! Several nodes on one database: what happens on one is heard on all, whichever bus carries it.
//!
//! The scenes here do not know the bus; `notify` and `nats` play them, each over its own.

mod nats;
mod notify;

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{ADMIN, Server, Socket, eventually, metric};

/// A bus is fast: what takes longer than this did not come over it.
const SOON: Duration = Duration::from_secs(1);

/// Waits until a node's bus works.
async fn up(server: &Server) {
    eventually("the bus works", || async {
        (metric(server, "muster_bus_up").await == 1).then_some(())
    })
    .await;
}

/// The next event, which has to come over a bus.
async fn soon(socket: &mut Socket) -> Value {
    loop {
        let frame = socket.frame_within(SOON).await.expect("an event within a second");
        if frame["type"] == "event" {
            return frame;
        }
    }
}

/// The next event of a group, which has to be this one.
#[track_caller]
fn is(event: &Value, name: &str, group: &str, seq: i64) {
    let found = (event["event"].as_str(), event["groupID"].as_str(), event["seq"].as_i64());
    assert_eq!(found, (Some(name), Some(group), Some(seq)), "{event}");
}

/// Gives a group a new name, which makes one event.
async fn rename(server: &Server, group: &str, name: &str) {
    let path = format!("/v1/groups/{group}");
    server.patch(ADMIN, &path, json!({ "groupName": name })).await.ok();
}

async fn invite(server: &Server, group: &str, users: &[String]) {
    let path = format!("/v1/groups/{group}/invite");
    let data = server.post(ADMIN, &path, json!({ "userList": users })).await.ok();
    let lines = data.as_array().expect("a list");
    assert!(lines.iter().all(|line| line["result"] == 1), "{data}");
}

/// Members of one group on two nodes hear what happens on either, in order.
async fn events_reach_the_sockets_of_both_nodes_in_order(one: &Server, other: &Server) {
    one.group("alice", "both", "Public", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut alice = one.ws("alice").await;
    let mut bob = other.ws("bob").await;
    let mut seq = 1;
    for round in 0..20 {
        for (place, node) in [one, one, other].into_iter().enumerate() {
            rename(node, "both", &format!("round {round}, {place}")).await;
        }
        for _ in 0..3 {
            seq += 1;
            is(&soon(&mut alice).await, "onGroupInfoChanged", "both", seq);
            is(&soon(&mut bob).await, "onGroupInfoChanged", "both", seq);
        }
    }
    // Whoever writes on one node at the same moment as on the other is heard in one order.
    let (left, right) = (rename(one, "both", "left"), rename(other, "both", "right"));
    tokio::join!(left, right);
    for socket in [&mut alice, &mut bob] {
        is(&soon(socket).await, "onGroupInfoChanged", "both", seq + 1);
        is(&soon(socket).await, "onGroupInfoChanged", "both", seq + 2);
    }
}

/// A person on a node that knows nothing of a group is invited into it on another one, hears that, what
/// follows, and that he is removed.
async fn an_invitation_into_an_unknown_group_arrives(one: &Server, other: &Server) {
    one.group("alice", "unknown", "Public", json!({})).await;
    let mut carol = other.ws("carol").await;
    for round in 0..3 {
        let seq = round * 3;
        invite(one, "unknown", &["carol".to_owned()]).await;
        is(&soon(&mut carol).await, "onMemberInvited", "unknown", seq + 2);
        rename(one, "unknown", &format!("now known {round}")).await;
        is(&soon(&mut carol).await, "onGroupInfoChanged", "unknown", seq + 3);
        let body = json!({ "userList": ["carol"] });
        one.post(ADMIN, "/v1/groups/unknown/kick", body).await.ok();
        is(&soon(&mut carol).await, "onMemberKicked", "unknown", seq + 4);
    }
}

/// So many people at once that the event fits into no message of a bus.
async fn an_invitation_of_hundreds_arrives(one: &Server, other: &Server) {
    one.group("alice", "crowd", "Public", json!({ "maxMemberCount": 1_000 })).await;
    let mut people: Vec<String> =
        (0..299).map(|number| format!("somebody-with-a-long-id-{number:08}")).collect();
    people.push("dora".to_owned());
    let mut dora = other.ws("dora").await;
    invite(one, "crowd", &people).await;
    let event = soon(&mut dora).await;
    is(&event, "onMemberInvited", "crowd", 2);
    assert_eq!(event["memberList"].as_array().map(Vec::len), Some(300));
    assert!(event.to_string().len() > 8_000, "it does not have to travel as a hint");
    rename(one, "crowd", "a crowd").await;
    is(&soon(&mut dora).await, "onGroupInfoChanged", "crowd", 3);
}

/// What belongs to a person alone finds him on whichever node he is.
async fn personal_events_arrive(one: &Server, other: &Server) {
    let more = json!({ "joinOption": "NeedPermission" });
    one.group("alice", "asked", "Public", more).await;
    let mut alice = other.ws("alice").await;
    one.post("erik", "/v1/groups/asked/join", json!({})).await.ok();
    let event = soon(&mut alice).await;
    assert_eq!(event["event"], "onReceiveJoinApplication", "{event}");
}

/// All of the above.
async fn all_scenes(one: &Server, other: &Server) {
    up(one).await;
    up(other).await;
    events_reach_the_sockets_of_both_nodes_in_order(one, other).await;
    an_invitation_into_an_unknown_group_arrives(one, other).await;
    an_invitation_of_hundreds_arrives(one, other).await;
    personal_events_arrive(one, other).await;
    for node in [one, other] {
        for nothing in ["lost", "dropped", "malformed"] {
            assert_eq!(metric(node, &format!("muster_bus_{nothing}_total")).await, 0, "{nothing}");
        }
    }
    let sent = metric(one, r#"muster_bus_sent_total{of="entries"}"#).await;
    let received = metric(other, r#"muster_bus_received_total{of="entries"}"#).await;
    assert!(sent > 50 && received > 50, "{sent} sent, {received} received");
    one.check_invariants().await;
}
