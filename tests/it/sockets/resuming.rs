//! A client that keeps its cursor gets every event of its memberships once, or is told what to load.

use serde_json::{Value, json};

use super::{frame_of, invite, kick};
use crate::common::Server;
use crate::common::socket::{Stream, say};

/// A socket of Bob's that goes on from a cursor: `welcome`, and what came between it and `ready`.
async fn resume(server: &Server, cursor: Value) -> (Stream, Value, Vec<Value>) {
    let hello = json!({ "type": "hello", "token": server.token("bob"), "cursor": cursor });
    let mut stream = server.raw_ws().await;
    say(&mut stream, &hello).await;
    let welcome = frame_of(&mut stream).await;
    assert_eq!(welcome["type"], "welcome", "{welcome}");
    let mut before = Vec::new();
    loop {
        let next = frame_of(&mut stream).await;
        if next["type"] == "ready" {
            return (stream, welcome, before);
        }
        before.push(next);
    }
}

/// Names and numbers of what was replayed of a group.
fn replayed(frames: &[Value], group: &str) -> Vec<(String, i64)> {
    let mine = frames.iter().filter(|one| one["type"] == "event" && one["groupID"] == group);
    mine.filter_map(|one| Some((one["event"].as_str()?.to_owned(), one["seq"].as_i64()?))).collect()
}

fn events(list: &[(&str, i64)]) -> Vec<(String, i64)> {
    list.iter().map(|(name, seq)| ((*name).to_owned(), *seq)).collect()
}

async fn epoch(server: &Server) -> String {
    let welcome = server.ws("bob").await.welcome;
    welcome["epoch"].as_str().expect("an epoch").to_owned()
}

#[tokio::test]
async fn what_happened_meanwhile_is_replayed_and_then_it_is_live() {
    let server = Server::start().await;
    let with_bob = json!({ "memberList": [{ "userID": "bob" }] });
    server.group("alice", "g1", "Work", with_bob.clone()).await;
    server.group("alice", "out", "Work", with_bob).await;
    server.group("alice", "new", "Work", json!({})).await;
    let cursor = json!({ "epoch": epoch(&server).await, "user": 0,
        "groups": { "g1": 1, "out": 1, "never": 3 } });

    invite(&server, "g1", &["carol"]).await;
    kick(&server, "g1", &["carol"]).await;
    kick(&server, "out", &["bob"]).await;
    invite(&server, "out", &["carol"]).await;
    invite(&server, "new", &["bob"]).await;
    let (mut stream, welcome, before) = resume(&server, cursor).await;
    let line = |id: &str, seq: i64, head: i64| json!({ "groupID": id, "seq": seq, "head": head, "role": "Member" });
    assert_eq!(welcome["groups"], json!([line("g1", 1, 3), line("new", 1, 2)]));
    let expected = events(&[("onMemberInvited", 2), ("onMemberKicked", 3)]);
    assert_eq!(replayed(&before, "g1"), expected);
    assert_eq!(replayed(&before, "out"), events(&[("onMemberKicked", 2)]), "up to his removal");
    assert_eq!(replayed(&before, "new"), events(&[("onMemberInvited", 2)]), "from his joining");
    assert_eq!(before.len(), 4, "{before:?}");

    invite(&server, "g1", &["dave"]).await;
    assert_eq!(frame_of(&mut stream).await["seq"], 4);
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_missed_nothing_is_told_nothing() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let cursor = json!({ "epoch": epoch(&server).await, "user": 0, "groups": { "g1": 1 } });
    let (_, _, before) = resume(&server, cursor).await;
    assert!(before.is_empty(), "{before:?}");
    server.stop().await;
}

#[tokio::test]
async fn personal_events_are_replayed() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({})).await;
    server.put("bob", "/v1/users/me", json!({ "inviteConsent": "ask" })).await.ok();
    let epoch = epoch(&server).await;
    let body = json!({ "userList": ["bob"] });
    server.post("alice", "/v1/groups/g1/invite", body).await.ok();
    let cursor = json!({ "epoch": epoch, "user": 0 });
    let (_, welcome, before) = resume(&server, cursor).await;
    assert_eq!(welcome["userSeq"], 0);
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(before[0]["event"], "onReceiveInvitation");
    assert_eq!(before[0]["userSeq"], 1);
    let ahead = json!({ "epoch": epoch, "user": 2 });
    let (_, welcome, before) = resume(&server, ahead).await;
    assert_eq!(welcome["userSeq"], 1);
    assert_eq!(
        json!(before),
        json!([{ "type": "reset", "scope": "user", "seq": 1, "why": "ahead" }])
    );
    server.stop().await;
}

#[tokio::test]
async fn the_end_of_a_group_is_replayed() {
    let server = Server::start().await;
    server.group("alice", "p1", "Public", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let cursor = json!({ "epoch": epoch(&server).await, "user": 0, "groups": { "p1": 1 } });
    server.delete("alice", "/v1/groups/p1").await.ok();
    let (_, welcome, before) = resume(&server, cursor).await;
    assert_eq!(welcome["groups"], json!([]));
    assert_eq!(replayed(&before, "p1"), events(&[("onGroupDismissed", 2)]));
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_replayed_is_reset_aloud() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let epoch = epoch(&server).await;
    kick(&server, "g1", &["bob"]).await;
    invite(&server, "g1", &["carol"]).await;
    invite(&server, "g1", &["bob"]).await;
    let reset = |why: &str| json!([{ "type": "reset", "scope": "group", "groupID": "g1", "seq": 4, "why": why }]);
    for (seq, why) in [(1, "rejoined"), (9, "ahead")] {
        let cursor = json!({ "epoch": epoch, "user": 0, "groups": { "g1": seq } });
        let (mut stream, welcome, before) = resume(&server, cursor).await;
        assert_eq!(json!(before), reset(why));
        assert_eq!(welcome["groups"][0]["seq"], 4);
        drop(stream.close(None).await);
    }
    let cursor = json!({ "epoch": "another", "user": 0, "groups": { "g1": 4 } });
    let (_, _, before) = resume(&server, cursor).await;
    assert_eq!(json!(before), json!([{ "type": "reset", "scope": "all", "why": "epoch" }]));
    server.stop().await;
}

#[tokio::test]
async fn a_log_that_was_trimmed_or_grew_too_long_is_reset() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let cursor = json!({ "epoch": epoch(&server).await, "user": 0, "groups": { "g1": 1 } });
    let db = server.db().await;
    let grow = |through: i32| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
            "insert into group_events (group_id, seq, kind, at, frame)
               select 'g1', n, 6, now(),
                      '{{\"type\":\"event\",\"event\":\"onMemberInfoChanged\",\"groupID\":\"g1\",\"seq\":' || n
                      || ',\"time\":\"2026-01-01T12:00:00.000Z\",\"opUser\":{{\"userID\":\"alice\"}},\"memberList\":[]}}'
                 from groups g, generate_series(g.seq + 1, {through}) n where g.group_id = 'g1';
             update groups set seq = {through} where group_id = 'g1';"
        )))
    };
    grow(1_001).execute(&db).await.expect("a longer log");
    let (_, _, before) = resume(&server, cursor.clone()).await;
    let numbers: Vec<i64> = replayed(&before, "g1").into_iter().map(|(_, seq)| seq).collect();
    assert_eq!(numbers, (2..=1_001).collect::<Vec<_>>());

    grow(1_002).execute(&db).await.expect("a longer log");
    let (_, _, before) = resume(&server, cursor.clone()).await;
    assert_eq!(before[0]["why"], "lag");
    assert_eq!((before.len(), &before[0]["seq"]), (1, &json!(1_002)));

    let trim = "delete from group_events where group_id = 'g1' and seq <= 900";
    sqlx::query(trim).execute(&db).await.expect("a shorter log");
    let (_, _, before) = resume(&server, cursor).await;
    assert_eq!((before.len(), &before[0]["why"]), (1, &json!("trimmed")));
    db.close().await;
    server.stop().await;
}
