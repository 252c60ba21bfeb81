//! What an invite changes: members, events, what is read afterwards; and what a dry run does not.

use serde_json::{Value, json};

use super::{consent, kick_and_ban, lines};
use crate::common::{ADMIN, Server, results};
use crate::groups::{
    add, at, everything, group_of, head, invite, log, member_ids, named, newest, own_stream,
};

#[tokio::test]
async fn one_call_makes_one_event_with_all_who_were_added_and_nobody_else() {
    let server = Server::start().await;
    let group = group_of(&server, "alice", "g1", "Public", (&[], &["m", "out"]), json!({})).await;
    server.patch("alice", &at(&group, ""), json!({ "inviteOption": "FreeAccess" })).await.ok();
    kick_and_ban(&server, "alice", &group, "out").await;
    consent(&server, "asks", "ask").await;
    let before = head(&server, &group).await;
    let users = ["bob", "m", "out", "asks", "carol"];
    let data = lines(&server, "m", &group, &users).await;
    let found: Vec<i64> = results(&data).into_iter().map(|(_, result)| result).collect();
    assert_eq!(found, [1, 2, 0, 3, 1]);
    assert_eq!(head(&server, &group).await, before + 1);
    let event = newest(&server, &group).await;
    assert_eq!(event["type"], "event");
    assert_eq!(event["event"], "onMemberInvited");
    assert_eq!(event["groupID"], group);
    assert_eq!(event["seq"], before + 1);
    assert_eq!(event["opUser"]["userID"], "m");
    assert_eq!(named(&event), ["bob", "carol"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_call_that_adds_nobody_makes_no_event() {
    let server = Server::start().await;
    let group = group_of(&server, "alice", "g1", "Work", (&[], &["bob"]), json!({})).await;
    consent(&server, "no", "deny").await;
    consent(&server, "asks", "ask").await;
    let before = log(&server, &group).await;
    for users in [&["bob"] as &[&str], &["alice", "bob"], &["no", "bob"], &["asks"]] {
        invite(&server, "alice", &group, users).await.ok();
    }
    assert_eq!(log(&server, &group).await, before);
    assert_eq!(own_stream(&server, "bob").await, Vec::<Value>::new());
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_event_of_an_administrators_invite_names_him() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Meeting", json!({})).await;
    add(&server, &group, &["bob", "carol"]).await;
    let event = newest(&server, &group).await;
    assert_eq!((&event["event"], &event["seq"]), (&json!("onMemberInvited"), &json!(2)));
    assert_eq!(event["opUser"]["userID"], ADMIN);
    assert_eq!(named(&event), ["bob", "carol"]);
    assert!(event["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{event}");
    server.stop().await;
}

#[tokio::test]
async fn the_invited_are_in_whatever_is_read_after_the_reply() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    for (number, newcomer) in ["bob", "carol", "dave"].into_iter().enumerate() {
        invite(&server, "alice", &group, &[newcomer]).await.ok();
        let seq = i64::try_from(number).expect("small") + 2;
        let members = server.get(newcomer, &at(&group, "members")).await.ok();
        let list = members["memberList"].as_array().expect("memberList");
        let line = list.iter().find(|line| line["userID"] == newcomer).expect("his line");
        assert_eq!(line["role"], "Member");
        assert!(line["joinTime"].is_string());
        assert_eq!((members["seq"].as_i64(), list.len()), (Some(seq), number + 2));
        let profile = server.get(newcomer, &at(&group, "")).await.ok();
        assert_eq!(profile["role"], "Member");
        assert_eq!((&profile["seq"], &profile["memberCount"]), (&json!(seq), &json!(number + 2)));
        let groups = server.get(newcomer, "/v1/users/me/groups").await.ok();
        let expected = json!([{
            "groupID": group, "groupType": "Work", "groupName": "a group of a test",
            "role": "Member", "seq": seq
        }]);
        assert_eq!((&groups["groupList"], &groups["total"]), (&expected, &json!(1)));
        let own = server.get(newcomer, &at(&group, "events")).await.ok();
        assert_eq!(own["eventList"][0]["seq"], seq, "his history begins with his invitation");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_dry_run_answers_the_same_and_changes_nothing() {
    let server = Server::with(&[("MUSTER_PENDING_PER_GROUP", "1")]).await;
    let more = json!({ "inviteOption": "FreeAccess", "maxMemberCount": 5 });
    let group = group_of(&server, "alice", "g1", "Public", (&[], &["m", "out"]), more).await;
    kick_and_ban(&server, "alice", &group, "out").await;
    consent(&server, "no", "deny").await;
    consent(&server, "asks", "ask").await;
    consent(&server, "asks too", "ask").await;
    server.put(ADMIN, "/v1/users/busy", json!({ "groupLimit": 0 })).await.ok();
    let users = ["new", "m", "out", "no", "asks", "asks too", "busy"];
    let dry = at(&group, "invite?dryRun=true");
    let before = everything(&server).await;
    let foreseen = server.post("m", &dry, json!({ "userList": users })).await.ok();
    assert_eq!(everything(&server).await, before);
    let found: Vec<i64> = results(&foreseen).into_iter().map(|(_, result)| result).collect();
    assert_eq!(found, [1, 2, 0, 0, 3, 0, 4]);
    assert_eq!(lines(&server, "m", &group, &users).await, foreseen);
    let again = server.post("m", &dry, json!({ "userList": users })).await.ok();
    let found: Vec<i64> = results(&again).into_iter().map(|(_, result)| result).collect();
    assert_eq!(found, [2, 2, 0, 0, 3, 0, 4]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_dry_run_is_refused_as_the_call_would_be() {
    let server = Server::with(&[("MUSTER_INVITE_BATCH", "2")]).await;
    server.group("alice", "work", "Work", json!({ "maxMemberCount": 1 })).await;
    server.group("alice", "public", "Public", json!({})).await;
    server.group("alice", "live", "AVChatRoom", json!({})).await;
    let before = everything(&server).await;
    let calls: [(&str, &str, &[&str]); 7] = [
        ("mallory", "work", &["new"]),
        ("alice", "public", &["new"]),
        (ADMIN, "live", &["new"]),
        ("alice", "work", &["new"]),
        ("alice", "work", &["new", "newer", "newest"]),
        ("alice", "nowhere", &["new"]),
        ("alice", "work", &[]),
    ];
    for (inviter, group, users) in calls {
        let body = json!({ "userList": users });
        let dry = server.post(inviter, &at(group, "invite?dryRun=true"), body).await;
        let real = invite(&server, inviter, group, users).await;
        assert_eq!((dry.status, &dry.body), (real.status, &real.body));
        assert_ne!(real.status, 200);
    }
    let body = json!({ "userList": ["new"] });
    let answer = server.post("alice", &at("work", "invite?dryRun=maybe"), body).await;
    assert_eq!(answer.refused(400, 10004, "invalid_parameter")["field"], "dryRun");
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn lowering_the_cap_of_a_group_evicts_nobody_and_stops_new_entries() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Meeting", json!({})).await;
    add(&server, &group, &["bob", "carol"]).await;
    server.patch("alice", &at(&group, ""), json!({ "maxMemberCount": 2 })).await.ok();
    assert_eq!(member_ids(&server, &group).await, ["alice", "bob", "carol"]);
    let data = invite(&server, ADMIN, &group, &["dave"]).await.refused(409, 10014, "group_full");
    assert_eq!((&data["limit"], &data["current"]), (&json!(2), &json!(3)));
    let answer = server.post("dave", &at(&group, "join"), json!({})).await;
    answer.refused(409, 10014, "group_full");
    let data = lines(&server, ADMIN, &group, &["bob", "carol"]).await;
    assert_eq!(results(&data), [("bob".to_owned(), 2), ("carol".to_owned(), 2)]);
    for leaver in ["bob", "carol"] {
        server.post(leaver, &at(&group, "quit"), json!({})).await.ok();
    }
    add(&server, &group, &["dave"]).await;
    invite(&server, ADMIN, &group, &["erin"]).await.refused(409, 10014, "group_full");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn lowering_a_users_limit_ends_no_membership_and_stops_new_ones() {
    let server = Server::start().await;
    for id in ["g1", "g2", "g3"] {
        server.group("alice", id, "Work", json!({})).await;
    }
    add(&server, "g1", &["bob"]).await;
    add(&server, "g2", &["bob"]).await;
    server.put(ADMIN, "/v1/users/bob", json!({ "groupLimit": 1 })).await.ok();
    let groups = server.get("bob", "/v1/users/me/groups").await.ok();
    assert_eq!(groups["total"], 2);
    let data = lines(&server, ADMIN, "g3", &["bob"]).await;
    assert_eq!(data[0]["result"], 4);
    assert_eq!((&data[0]["limit"], &data[0]["current"]), (&json!(1), &json!(2)));
    server.put(ADMIN, "/v1/users/bob", json!({ "groupLimit": null })).await.ok();
    assert_eq!(lines(&server, ADMIN, "g3", &["bob"]).await[0]["result"], 1);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_same_person_invited_five_times_at_once_enters_once_with_one_event() {
    let server = Server::start().await;
    let group = server.group("alice", "g1", "Work", json!({})).await;
    let calls = [(); 5].map(|()| lines(&server, "alice", &group, &["bob"]));
    let found = futures_util::future::join_all(calls).await;
    let mut found: Vec<i64> =
        found.iter().map(|data| data[0]["result"].as_i64().expect("a result")).collect();
    found.sort_unstable();
    assert_eq!(found, [1, 2, 2, 2, 2]);
    assert_eq!(head(&server, &group).await, 2);
    server.check_invariants().await;
    server.stop().await;
}
