//! Nodes that reach each other through PostgreSQL.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use sqlx::postgres::PgPool;

use super::{all_scenes, is, rename, soon, up};
use crate::common::{Server, eventually, metric, within};

/// The connections of the buses of all nodes.
async fn connections(db: &PgPool) -> BTreeSet<i32> {
    let pids: Vec<i32> = sqlx::query_scalar(
        "select pid from pg_stat_activity
          where datname = current_database() and application_name = 'muster bus'",
    )
    .fetch_all(db)
    .await
    .expect("pg_stat_activity");
    pids.into_iter().collect()
}

#[tokio::test]
async fn what_happens_on_one_node_is_heard_on_the_other() {
    let one = Server::start().await;
    let other = one.beside().await;
    all_scenes(&one, &other).await;
    other.stop().await;
    one.stop().await;
}

#[tokio::test]
async fn a_bus_whose_connections_were_ended_comes_back() {
    let one = Server::start().await;
    let other = one.beside().await;
    let db = one.db().await;
    up(&one).await;
    up(&other).await;
    one.group("alice", "g", "Public", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut bob = other.ws("bob").await;
    rename(&one, "g", "before").await;
    is(&soon(&mut bob).await, "onGroupInfoChanged", "g", 2);

    let before = connections(&db).await;
    assert_eq!(before.len(), 4, "two for each node");
    for pid in &before {
        let ended: bool = sqlx::query_scalar("select pg_terminate_backend($1)")
            .bind(pid)
            .fetch_one(&db)
            .await
            .expect("an end");
        assert!(ended);
    }
    eventually("each node has two new connections", || async {
        let now = connections(&db).await;
        (now.len() == 4 && now.is_disjoint(&before)).then_some(())
    })
    .await;
    up(&one).await;
    up(&other).await;
    rename(&one, "g", "after").await;
    is(&soon(&mut bob).await, "onGroupInfoChanged", "g", 3);
    other.stop().await;
    one.stop().await;
}

/// A foreign program on the same channel does no harm.
#[tokio::test]
async fn what_is_no_payload_is_counted_and_passed_over() {
    let one = Server::start().await;
    let other = one.beside().await;
    let db = one.db().await;
    up(&one).await;
    up(&other).await;
    one.group("alice", "g", "Public", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut bob = other.ws("bob").await;
    for text in ["hello", "{}", r#"{"v":1,"from":"x"}"#, r#"{"v":99}"#] {
        sqlx::query("select pg_notify('muster', $1)").bind(text).execute(&db).await.expect("sent");
    }
    rename(&one, "g", "afterwards").await;
    is(&soon(&mut bob).await, "onGroupInfoChanged", "g", 2);
    assert_eq!(metric(&other, "muster_bus_malformed_total").await, 4);
    other.stop().await;
    one.stop().await;
}

/// A lone node does not pay for telling others, and a node that comes is told from its first moment on.
#[tokio::test]
async fn a_lone_node_tells_nobody_until_another_one_comes() {
    const SENT: &str = r#"muster_bus_sent_total{of="entries"}"#;
    let one = Server::start().await;
    up(&one).await;
    one.group("alice", "g", "Public", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let mut number = 0;
    within(Duration::from_secs(30), "an event is told to nobody", || {
        number += 1;
        let (one, name) = (&one, format!("name {number}"));
        async move {
            let before = metric(one, SENT).await;
            rename(one, "g", &name).await;
            tokio::time::sleep(Duration::from_millis(300)).await;
            (metric(one, SENT).await == before).then_some(())
        }
    })
    .await;
    let other = one.beside().await;
    let mut bob = other.ws("bob").await;
    up(&other).await;
    for more in 1..=20 {
        rename(&one, "g", &format!("heard {more}")).await;
        let event = soon(&mut bob).await;
        assert_eq!(event["changeInfos"][0]["value"], format!("heard {more}"), "{event}");
    }
    assert!(metric(&other, r#"muster_bus_received_total{of="entries"}"#).await >= 15);
    other.stop().await;
    one.stop().await;
}
