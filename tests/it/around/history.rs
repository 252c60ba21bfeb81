//! A group's events over REST.

use serde_json::{Value, json};

use crate::common::{ADMIN, Server, cluster};
use crate::groups::{add, at, group_of};

fn seqs(data: &Value) -> Vec<i64> {
    let list = data["eventList"].as_array().expect("eventList");
    list.iter().map(|event| event["seq"].as_i64().expect("seq")).collect()
}

/// A group whose log has eight entries: bob came with 3, left with 5 and came again with 7.
async fn eventful(server: &Server) -> String {
    let group = group_of(server, "alice", "g1", "Public", (&[], &[]), json!({})).await;
    let name = |number: i64| json!({ "groupName": format!("name {number}") });
    server.patch("alice", &at(&group, ""), name(2)).await.ok();
    add(server, &group, &["bob"]).await;
    server.patch("alice", &at(&group, ""), name(4)).await.ok();
    server.post("bob", &at(&group, "quit"), json!({})).await.ok();
    server.patch("alice", &at(&group, ""), name(6)).await.ok();
    add(server, &group, &["bob"]).await;
    server.patch("alice", &at(&group, ""), name(8)).await.ok();
    group
}

#[tokio::test]
async fn a_member_sees_events_from_the_one_that_made_him_a_member() {
    let server = Server::start().await;
    let group = eventful(&server).await;
    let path = at(&group, "events");
    let data = server.get("alice", &path).await.ok();
    assert_eq!(seqs(&data), [1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(data["oldest"], 1);
    let kinds: Vec<&str> = data["eventList"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| event["event"].as_str().expect("event"))
        .collect();
    let info = "onGroupInfoChanged";
    let invited = "onMemberInvited";
    let expected = ["onGroupCreated", info, invited, info, "onMemberLeave", info, invited, info];
    assert_eq!(kinds, expected);
    let data = server.get("bob", &path).await.ok();
    assert_eq!(seqs(&data), [7, 8]);
    assert_eq!(data["oldest"], 7);
    assert_eq!(seqs(&server.get("bob", &at(&group, "events?after=2")).await.ok()), [7, 8]);
    assert_eq!(seqs(&server.get("bob", &at(&group, "events?after=7")).await.ok()), [8]);
    let data = server.get(ADMIN, &path).await.ok();
    assert_eq!(seqs(&data), [1, 2, 3, 4, 5, 6, 7, 8]);
    server.stop().await;
}

#[tokio::test]
async fn nobody_else_sees_events() {
    let server = Server::start().await;
    let group = eventful(&server).await;
    let path = at(&group, "events");
    let answer = server.get("stranger", &path).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    server.post("bob", &at(&group, "quit"), json!({})).await.ok();
    let answer = server.get("bob", &path).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    server.stop().await;
}

/// A type may show its members to strangers; what happened in the group it shows to none.
#[tokio::test]
async fn a_stranger_who_may_see_the_members_sees_no_events() {
    let text = "[types.Hall]\nbased_on = \"Public\"\nwho = { read_members = \"anybody\" }\n";
    let server = Server::with_file(&cluster::fresh_database().await, text).await;
    server.group("alice", "h", "Hall", json!({})).await;
    let members = server.get("stranger", &at("h", "members")).await.ok();
    assert_eq!(members["memberList"].as_array().map(Vec::len), Some(1));
    server.get("stranger", &at("h", "events")).await.refused(403, 10007, "not_a_member");
    assert_eq!(seqs(&server.get("alice", &at("h", "events")).await.ok()), [1]);
    assert_eq!(seqs(&server.get(ADMIN, &at("h", "events")).await.ok()), [1]);
    server.stop().await;
}

#[tokio::test]
async fn a_dismissed_group_shows_no_events() {
    let server = Server::start().await;
    let group = eventful(&server).await;
    server.delete("alice", &at(&group, "")).await.ok();
    for reader in ["alice", "bob", "stranger", ADMIN] {
        server.get(reader, &at(&group, "events")).await.refused(404, 10010, "group_not_found");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_history_goes_on_where_its_page_ended() {
    let server = Server::start().await;
    let group = eventful(&server).await;
    for (reader, first) in [("alice", 1), ("bob", 7)] {
        let mut found = Vec::new();
        let mut path = at(&group, "events?limit=3");
        let mut pages = 0;
        loop {
            let data = server.get(reader, &path).await.ok();
            pages += 1;
            assert!(seqs(&data).len() <= 3);
            found.extend(seqs(&data));
            let next = match &data["next"] {
                Value::Null => break,
                Value::String(text) => text.clone(),
                number => number.to_string(),
            };
            path = at(&group, &format!("events?limit=3&next={next}"));
        }
        assert_eq!(found, (first..=8).collect::<Vec<i64>>(), "{reader}");
        assert_eq!(pages, if reader == "alice" { 3 } else { 1 });
    }
    server.stop().await;
}

#[tokio::test]
async fn after_begins_behind_a_number() {
    let server = Server::start().await;
    let group = eventful(&server).await;
    let get =
        async |query: &str| server.get("alice", &at(&group, &format!("events?{query}"))).await;
    assert_eq!(seqs(&get("after=0").await.ok()), [1, 2, 3, 4, 5, 6, 7, 8]);
    let data = get("after=5").await.ok();
    assert_eq!(seqs(&data), [6, 7, 8]);
    assert!(data.get("next").is_none());
    assert_eq!(seqs(&get("after=5&limit=1").await.ok()), [6]);
    assert_eq!(seqs(&get("after=8").await.ok()), Vec::<i64>::new());
    assert_eq!(seqs(&get("after=999").await.ok()), Vec::<i64>::new());
    for (query, field) in
        [("after=-1", "after"), ("after=x", "after"), ("limit=0", "limit"), ("limit=1001", "limit")]
    {
        let data = get(query).await.refused(400, 10004, "invalid_parameter");
        assert_eq!(data["field"], field, "{query}");
    }
    assert_eq!(get("before=3").await.refused(400, 10004, "unknown_field")["field"], "before");
    server.stop().await;
}

#[tokio::test]
async fn an_event_says_the_same_to_everybody() {
    let server = Server::start().await;
    let group = eventful(&server).await;
    let whole = server.get("alice", &at(&group, "events?after=6")).await.ok();
    let own = server.get("bob", &at(&group, "events")).await.ok();
    assert_eq!(whole["eventList"], own["eventList"]);
    for event in whole["eventList"].as_array().expect("a list") {
        assert_eq!((&event["type"], &event["groupID"]), (&json!("event"), &json!(group)));
        let time = event["time"].as_str().expect("time");
        assert!(time.parse::<chrono::DateTime<chrono::Utc>>().is_ok(), "{time}");
    }
    server.check_invariants().await;
    server.stop().await;
}
