//! Deleting much at once: accounts in many groups, many accounts, several nodes, and a server that is killed.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{count, delete, gone};
use crate::common::held::Held;
use crate::common::process::Process;
use crate::common::{ADMIN, Server, check_invariants, cluster, eventually, within};
use crate::groups::{at, log};

/// Makes ownerless groups `g0`, `g1`, … with these members.
async fn groups_of(server: &Server, groups: usize, members: &[&str]) {
    let members: Vec<Value> = members.iter().map(|user| json!({ "userID": user })).collect();
    stream::iter(0..groups)
        .for_each_concurrent(32, |group| {
            let more = json!({ "memberList": members });
            async move {
                server.group("owner", &format!("g{group}"), "Work", more).await;
            }
        })
        .await;
}

const MANY: [(&str, &str); 1] = [("MUSTER_GROUPS_PER_USER", "5000")];

const LEAVES: &str = "select count(*) from group_events where kind = 4";

#[tokio::test(flavor = "multi_thread")]
async fn an_account_in_twelve_hundred_groups_is_gone_within_seconds() {
    let server = Server::with(&MANY).await;
    groups_of(&server, 1_200, &["carol", "bob"]).await;
    let begun = Instant::now();
    delete(&server, "carol").await;
    assert!(begun.elapsed() < Duration::from_secs(2), "marking took {:?}", begun.elapsed());
    let text = async || {
        let answer = reqwest::get(format!("{}/metrics", server.ops_url())).await.expect("metrics");
        answer.text().await.expect("a text")
    };
    eventually("it is shown that an account is being deleted", || async {
        let text = text().await;
        text.lines().any(|line| line == "muster_accounts_being_deleted 1").then_some(())
    })
    .await;
    // Others are served meanwhile.
    let others = (0..20).map(|group| {
        let path = at(&format!("g{group}"), "invite");
        let server = &server;
        async move { server.post(ADMIN, &path, json!({ "userList": ["dave"] })).await.ok() }
    });
    join_all(others).await;
    eventually("all of it is gone", || async {
        (!crate::groups::has_row(&server, "carol").await).then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(15), "it took {:?}", begun.elapsed());
    assert_eq!(count(server.database_url(), LEAVES).await, 1_200);
    let of_carol = "select (select count(*) from members where user_id = 'carol')
                         + (select count(*) from user_events where user_id = 'carol')";
    assert_eq!(count(server.database_url(), of_carol).await, 0);
    eventually("nothing is being deleted any more", || async {
        let text = text().await;
        text.lines().any(|line| line == "muster_accounts_being_deleted 0").then_some(())
    })
    .await;
    server.check_invariants().await;
    server.stop().await;
}

/// Two servers work on the same accounts; every membership ends once.
#[tokio::test(flavor = "multi_thread")]
async fn many_accounts_at_once_are_deleted_by_two_nodes_without_a_deadlock() {
    let server = Server::with(&MANY).await;
    let other = server.beside().await;
    let names: Vec<String> = (0..60).map(|n| format!("u{n}")).collect();
    let users: Vec<&str> = names.iter().map(String::as_str).collect();
    groups_of(&server, 20, &users).await;
    let items: Vec<Value> = users.iter().map(|user| json!({ "UserID": user })).collect();
    let body = json!({ "DeleteItem": items });
    let answer = server.v4("im_open_login_svc/account_delete", body).await;
    let items = answer["ResultItem"].as_array().expect("ResultItem");
    assert_eq!(items.len(), 60);
    assert!(items.iter().all(|item| item["ResultCode"] == 0), "{answer}");
    // Both nodes want the same rows: how long one waits for the other is a matter of luck.
    let left = "select count(*) from users where user_id like 'u%'";
    within(Duration::from_secs(45), "all sixty are gone", || async {
        (count(server.database_url(), left).await == 0).then_some(())
    })
    .await;
    assert_eq!(count(server.database_url(), LEAVES).await, 20 * 60);
    assert_eq!(cluster::deadlocks(server.database_url()).await, 0);
    server.check_invariants().await;
    other.stop().await;
    server.stop().await;
}

/// A group that somebody else holds is waited for by nothing but itself.
#[tokio::test(flavor = "multi_thread")]
async fn one_group_that_cannot_be_left_holds_up_nothing_else() {
    let server = Server::with(&MANY).await;
    groups_of(&server, 40, &["carol", "dave"]).await;
    server.group("erin", "e", "Work", json!({})).await;
    // In the middle of the order.
    let held = Held::lock(server.database_url(), "g20").await;
    for user in ["carol", "dave", "erin"] {
        delete(&server, user).await;
    }
    eventually("all other groups are left", || async {
        let left = "select count(*) from members
                     where left_seq is null and user_id in ('carol', 'dave') and group_id <> 'g20'";
        (count(server.database_url(), left).await == 0).then_some(())
    })
    .await;
    let begun = Instant::now();
    gone(&server, "erin").await;
    assert!(begun.elapsed() < Duration::from_secs(8), "it took {:?}", begun.elapsed());
    assert!(crate::groups::has_row(&server, "carol").await);
    held.release().await;
    gone(&server, "carol").await;
    gone(&server, "dave").await;
    assert_eq!(log(&server, "g20").await.len(), 3);
    server.check_invariants().await;
    server.stop().await;
}

/// More applications than one step closes, and more rows than one step removes.
#[tokio::test(flavor = "multi_thread")]
async fn however_much_there_is_of_it_it_goes_in_bounded_steps() {
    let server = Server::start().await;
    server.group("carol", "g", "Work", json!({})).await;
    let pool = server.db().await;
    let rows = [
        "insert into users (user_id, created_at, pending_count)
         select 'asked' || n, now(), 1 from generate_series(1, 250) n",
        "insert into applications (group_id, application_id, kind, from_user, subject, message,
                added_at, expires_at, state)
         select 'g', gen_random_uuid(), 3, 'carol', 'asked' || n, '', now(),
                now() + interval '1 day', 0 from generate_series(1, 250) n",
        "update groups set pending_count = 250 where group_id = 'g'",
        "insert into user_events (user_id, seq, kind, at, frame)
         select 'carol', n, 22, now(), '{}' from generate_series(1, 2500) n",
        "update users set user_seq = 2500 where user_id = 'carol'",
    ];
    for row in rows {
        sqlx::query(row).execute(&pool).await.expect("rows");
    }
    pool.close().await;
    delete(&server, "carol").await;
    gone(&server, "carol").await;
    let ended = "select count(*) from applications where ending = 8";
    assert_eq!(count(server.database_url(), ended).await, 250);
    let told = "select count(*) from user_events where user_id like 'asked%' and kind = 23";
    assert_eq!(count(server.database_url(), told).await, 250);
    let own = "select count(*) from user_events where user_id = 'carol'";
    assert_eq!(count(server.database_url(), own).await, 0);
    assert_eq!(log(&server, "g").await.len(), 2);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_goes_on_when_it_starts_again() {
    const GROUPS: i64 = 300;
    let database = cluster::fresh_database().await;
    let making = Server::on(&database, &MANY).await;
    groups_of(&making, 300, &["carol", "bob"]).await;
    let held = Held::lock(&database, "g150").await;
    making.stop().await;
    let settings = [("DATABASE_URL", database.as_str())];
    let process = Process::start(&settings).await;
    let client = reqwest::Client::new();
    let path = format!("{}/v1/users/carol", process.url);
    let token = crate::common::jwt_of(ADMIN, 3_600);
    let answer = client.delete(path).bearer_auth(token).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    eventually("some groups are left", || async {
        (count(&database, LEAVES).await > 0).then_some(())
    })
    .await;
    process.kill();
    let left = count(&database, LEAVES).await;
    assert!((1..GROUPS).contains(&left), "{left} of {GROUPS} groups were left when it was killed");
    held.release().await;

    let again = Process::start(&settings).await;
    eventually("it has finished", || async {
        let rows = "select count(*) from users where user_id = 'carol'";
        (count(&database, rows).await == 0).then_some(())
    })
    .await;
    assert_eq!(count(&database, LEAVES).await, GROUPS);
    check_invariants(&database).await;
    again.kill();
}
