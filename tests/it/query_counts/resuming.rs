//! What a client that comes back costs the database: the same for few groups and for many, and no look
//! into a log of which it has seen all.

use std::collections::BTreeMap;

use muster::model::{GroupId, UserId};
use muster::store::events::Asked;
use muster::store::{Place, Store};
use serde_json::{Value, json};
use sqlx::postgres::PgPool;

use super::{Counted, same};
use crate::common::{ADMIN, Server, Socket, cluster, eventually};

/// Makes so many groups of which somebody is a member.
async fn groups(server: &Server, user: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 0..count {
        let id = format!("{user}-{number:03}");
        let members = json!({ "memberList": [{ "userID": user }] });
        ids.push(server.group(ADMIN, &id, "Work", members).await);
    }
    ids
}

#[tokio::test]
async fn coming_back_takes_as_many_statements_with_300_groups_as_with_3() {
    let counted = Counted::new().await;
    let mut found: Vec<[Vec<String>; 2]> = Vec::new();
    for count in [3, 300] {
        let user = format!("u{count}");
        let ids = groups(&counted.server, &user, count).await;
        let open = async |cursor: Option<Value>| {
            let token = counted.server.token(&user);
            let mut hello = json!({ "type": "hello", "token": token });
            if let Some(cursor) = cursor {
                hello["cursor"] = cursor;
            }
            let mut socket = None;
            let spent = counted
                .of(async |server| socket = Some(Socket::open_with(server.url(), hello).await))
                .await;
            let mut socket = socket.expect("a socket");
            assert_eq!(socket.welcome["groups"].as_array().map(Vec::len), Some(count));
            assert_eq!(socket.early(), None, "nothing was missed");
            (spent, socket.welcome["epoch"].clone())
        };
        let (fresh, epoch) = open(None).await;
        let places: BTreeMap<&String, i64> = ids.iter().map(|id| (id, 1)).collect();
        let cursor = json!({ "epoch": epoch, "user": 0, "groups": places });
        found.push([fresh, open(Some(cursor)).await.0]);
    }
    for (number, what) in ["a first connection", "a connection with a cursor"].iter().enumerate() {
        same(what, &found[0][number], &found[1][number]);
    }
    counted.end().await;
}

/// How often the indexes of the two logs were asked, by all sessions that have ended.
async fn looks(db: &PgPool) -> (i64, i64) {
    let sql = "select (select idx_scan from pg_stat_user_indexes where indexrelname = 'group_events_pkey'),
                      (select idx_scan from pg_stat_user_indexes where indexrelname = 'user_events_pkey')";
    sqlx::query_as(sql).fetch_one(db).await.expect("statistics")
}

#[tokio::test]
async fn only_logs_that_have_something_for_the_client_are_looked_into() {
    let database = cluster::fresh_database().await;
    let server = Server::on(&database, &[]).await;
    let ids = groups(&server, "bob", 6).await;
    let quiet = server.get("bob", "/v1/users/me/groups").await.ok();
    assert_eq!(quiet["total"], 6);
    // Bob is kicked from one, and asked into another.
    let (out, asked_into) = (&ids[4], "more");
    let named = json!({ "userList": ["bob"] });
    server.post(ADMIN, &format!("/v1/groups/{out}/kick"), named.clone()).await.ok();
    server.put("bob", "/v1/users/me", json!({ "inviteConsent": "ask" })).await.ok();
    server.group("alice", asked_into, "Work", json!({})).await;
    server.post("alice", &format!("/v1/groups/{asked_into}/invite"), named).await.ok();
    server.stop().await;

    let bob = UserId::parse("bob", 32, "userID").expect("an id");
    let db = PgPool::connect(&database).await.expect("the database");
    let before = eventually("the server's sessions have told what they did", async || {
        let first = looks(&db).await;
        sqlx::query("select pg_stat_clear_snapshot()").execute(&db).await.expect("statistics");
        (looks(&db).await == first).then_some(first)
    })
    .await;
    let store = Store::connect(&Place::Url(database), 1).await.expect("a store");
    let places = |seqs: &[(usize, i64)]| -> BTreeMap<GroupId, i64> {
        let id = |at: usize| GroupId::parse(&ids[at], "groupID").expect("an id");
        seqs.iter().map(|(at, seq)| (id(*at), *seq)).collect()
    };
    let look = async |user: Option<i64>, seqs: &[(usize, i64)]| {
        let groups = places(seqs);
        store.snapshot(&bob, Some(Asked { user, groups: &groups })).await.expect("a snapshot")
    };
    let all = [(0, 1), (1, 1), (2, 1), (3, 1), (4, 2), (5, 1)];
    // Nothing was missed: nothing is looked into, however often.
    for _ in 0..20 {
        let found = look(Some(1), &all).await;
        assert_eq!(found.groups.len(), 6, "five, and the one that has ended");
        assert!(found.groups.iter().all(|line| line.oldest.is_none()), "{found:?}");
        assert_eq!((found.user_seq, found.user_oldest), (1, None));
        assert_eq!(found.rev, 7, "six times in, once out");
    }
    // Behind in one group that he is in and one that he is not, and in his own stream; and no place in a
    // third: three logs of groups and one of his own.
    let found = look(Some(0), &[(0, 0), (1, 1), (2, 1), (3, 1), (4, 1)]).await;
    let known: Vec<_> = found.groups.iter().map(|line| line.oldest).collect();
    assert_eq!(known, [Some(1), None, None, None, Some(1), Some(1)]);
    assert_eq!(found.user_oldest, Some(1));
    // A first connection asks no log either.
    let fresh = store.snapshot(&bob, None).await.expect("a snapshot");
    assert_eq!(fresh.groups.len(), 5);
    assert!(fresh.groups.iter().all(|line| line.oldest.is_none()));
    let nobody = UserId::parse("nobody", 32, "userID").expect("an id");
    let none = store.snapshot(&nobody, None).await.expect("a snapshot");
    assert_eq!((none.user_seq, none.rev, none.groups.len()), (0, 0, 0));
    assert_eq!(none.epoch, fresh.epoch);
    store.close().await;
    let expected = (before.0 + 3, before.1 + 1);
    let told = async || (looks(&db).await == expected).then_some(());
    eventually("three looks into logs of groups and one into his own, no more", told).await;
    db.close().await;
}
