//! The list of a group's members.

use serde_json::{Value, json};

use crate::common::{ADMIN, Server};
use crate::groups::{add, at, group_of, join};

fn ids(data: &Value) -> Vec<&str> {
    let list = data["memberList"].as_array().expect("memberList");
    list.iter().map(|line| line["userID"].as_str().expect("userID")).collect()
}

#[tokio::test]
async fn a_list_goes_over_several_pages_and_each_member_is_on_one() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let people: Vec<String> = (0..24).map(|number| format!("user {number:02}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    add(&server, &group, &names).await;
    let mut found: Vec<String> = Vec::new();
    let mut sizes = Vec::new();
    let mut path = at(&group, "members?limit=10");
    loop {
        let data = server.get("alice", &path).await.ok();
        assert_eq!(data["seq"], 2);
        let page = ids(&data);
        sizes.push(page.len());
        found.extend(page.into_iter().map(str::to_owned));
        let Some(next) = data["next"].as_str() else { break };
        let next = percent_encoding::utf8_percent_encode(next, percent_encoding::NON_ALPHANUMERIC);
        path = at(&group, &format!("members?limit=10&next={next}"));
    }
    assert_eq!(sizes, [10, 10, 5]);
    found.sort();
    let mut expected = people.clone();
    expected.insert(0, "alice".to_owned());
    assert_eq!(found, expected);
    let data = server.get("alice", &at(&group, "members?limit=25")).await.ok();
    assert!(data.get("next").is_none(), "a page that holds all is the last: {data}");
    server.stop().await;
}

#[tokio::test]
async fn a_page_is_of_one_hundred_unless_somebody_says_otherwise() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let people: Vec<String> = (0..120).map(|number| format!("user {number:03}")).collect();
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    add(&server, &group, &names).await;
    let data = server.get("alice", &at(&group, "members")).await.ok();
    assert_eq!(ids(&data).len(), 100);
    assert!(data["next"].is_string());
    for limit in ["0", "-1", "1001", "ten", ""] {
        let answer = server.get("alice", &at(&group, &format!("members?limit={limit}"))).await;
        assert_eq!(answer.refused(400, 10004, "invalid_parameter")["field"], "limit");
    }
    let data = server.get("alice", &at(&group, "members?limit=1000")).await.ok();
    assert_eq!(ids(&data).len(), 121);
    server.stop().await;
}

#[tokio::test]
async fn given_members_are_found_and_others_left_out() {
    let server = Server::start().await;
    let people = (&["bob"] as &[&str], &["carol", "d d"] as &[&str]);
    let group = group_of(&server, "alice", "g1", "Public", people, json!({})).await;
    let path = at(&group, "members?userID=carol&userID=d%20d&userID=stranger&userID=alice");
    let data = server.get("bob", &path).await.ok();
    let mut found = ids(&data);
    found.sort_unstable();
    assert_eq!(found, ["alice", "carol", "d d"]);
    let data = server.get("bob", &at(&group, "members?userID=stranger")).await.ok();
    assert_eq!(data["memberList"], json!([]));
    let answer = server.get("bob", &at(&group, "members?userID=%C3%B6")).await;
    answer.refused(400, 10004, "invalid_user_id");
    let many = |count: usize| at(&group, &format!("members?{}", "userID=carol&".repeat(count)));
    assert_eq!(ids(&server.get("bob", many(1_000).trim_end_matches('&')).await.ok()), ["carol"]);
    let answer = server.get("bob", many(1_001).trim_end_matches('&')).await;
    let data = answer.refused(400, 10005, "too_many_in_call");
    assert_eq!((&data["limit"], &data["current"]), (&json!(1_000), &json!(1_001)));
    let answer = server.get("bob", &at(&group, "members?user=carol")).await;
    assert_eq!(answer.refused(400, 10004, "unknown_field")["field"], "user");
    server.stop().await;
}

#[tokio::test]
async fn a_role_can_be_asked_for() {
    let server = Server::start().await;
    let people = (&["bob", "carol"] as &[&str], &["dave"] as &[&str]);
    let group = group_of(&server, "alice", "g1", "Public", people, json!({})).await;
    for (role, expected) in
        [("Owner", &["alice"] as &[&str]), ("Admin", &["bob", "carol"]), ("Member", &["dave"])]
    {
        let data = server.get("dave", &at(&group, &format!("members?role={role}"))).await.ok();
        assert_eq!(ids(&data), expected);
        let list = data["memberList"].as_array().expect("a list");
        assert!(list.iter().all(|line| line["role"] == role), "{data}");
    }
    let answer = server.get("dave", &at(&group, "members?role=owner")).await;
    assert_eq!(answer.refused(400, 10004, "invalid_parameter")["field"], "role");
    server.stop().await;
}

#[tokio::test]
async fn members_and_administrators_see_the_list_and_nobody_else() {
    let server = Server::start().await;
    for group_type in ["Work", "Public", "Meeting", "AVChatRoom", "Community"] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        server.group("alice", &id, group_type, json!({})).await;
        let path = at(&id, "members");
        let answer = server.get("stranger", &path).await;
        let found = (answer.status, answer.body["code"].as_i64());
        assert_eq!(found, (403, Some(10007)), "{group_type}: {answer:?}");
        for reader in ["alice", ADMIN] {
            assert_eq!(ids(&server.get(reader, &path).await.ok()), ["alice"], "{group_type}");
        }
    }
    // Who waits for consent is no member yet.
    join(&server, "waiting", "Public").await.ok();
    assert_eq!(server.get("waiting", &at("Public", "members")).await.status, 403);
    server.stop().await;
}
