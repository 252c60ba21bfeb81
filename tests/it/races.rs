//! Limits and locks under real concurrency: two servers on one PostgreSQL.

mod optimistic;

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::common::{ADMIN, Server, cluster, eventually, results};

/// Two servers on a new database; callers take turns between them.
struct Pair {
    servers: [Arc<Server>; 2],
}

impl Pair {
    async fn start(settings: &[(&str, &str)]) -> Self {
        let database = cluster::fresh_database().await;
        Self::on(&database, settings).await
    }

    async fn on(database: &str, settings: &[(&str, &str)]) -> Self {
        let first = Server::on(database, settings).await;
        let second = Server::on(database, settings).await;
        Self { servers: [Arc::new(first), Arc::new(second)] }
    }

    fn turn(&self, number: usize) -> &Server {
        &self.servers[number % 2]
    }

    async fn end(self) {
        let database = self.servers[0].database_url().to_owned();
        assert_eq!(cluster::deadlocks(&database).await, 0, "PostgreSQL counted deadlocks");
        self.servers[0].check_invariants().await;
        for server in self.servers {
            Arc::into_inner(server).expect("nobody else has it").stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_and_fifty_callers_want_the_last_fifteen_seats() {
    const ROUNDS: usize = 100;
    const CALLERS: usize = 250;
    let pair = Pair::start(&[]).await;
    for round in 0..ROUNDS {
        let group = format!("g{round}");
        let first: Vec<Value> = (0..4).map(|n| json!({ "userID": format!("m{n}") })).collect();
        let more = json!({ "maxMemberCount": 20, "memberList": first });
        pair.turn(round).group(&format!("owner{round}"), &group, "Work", more).await;
        let path = format!("/v1/groups/{group}/invite");
        let owner = format!("owner{round}");
        let calls = (0..CALLERS).map(|caller| {
            let (server, path, owner) = (pair.turn(caller), &path, &owner);
            async move {
                let body = json!({ "userList": [format!("r{round}c{caller}")] });
                let answer = server.post(owner, path, body).await;
                if answer.status != 200 {
                    answer.refused(409, 10014, "group_full");
                    return false;
                }
                let data = answer.ok();
                assert_eq!(results(&data)[0].1, 1, "{data}");
                true
            }
        });
        let seated = join_all(calls).await.into_iter().filter(|seated| *seated).count();
        assert_eq!(seated, 15, "in round {round}");
        let data = pair.turn(round).get(&owner, &format!("/v1/groups/{group}")).await.ok();
        assert_eq!((&data["memberCount"], &data["seq"]), (&json!(20), &json!(16)));
    }
    pair.end().await;
}

/// Invites one user into fifty groups at once; exactly one invitation may find him below his limit.
async fn one_place_left(pair: &Pair, user: &str) {
    let calls = (0..50).map(|group| {
        let server = pair.turn(group);
        async move {
            let path = format!("/v1/groups/g{group}/invite");
            let data = server.post("owner", &path, json!({ "userList": [user] })).await.ok();
            results(&data)[0].1
        }
    });
    let mut found = join_all(calls).await;
    found.sort_unstable();
    let mut expected = vec![1];
    expected.resize(50, 4);
    assert_eq!(found, expected, "{user}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_never_seen_before_is_never_one_over_his_limit() {
    let pair = Pair::start(&[("MUSTER_GROUPS_PER_USER", "1")]).await;
    pair.turn(0).put(ADMIN, "/v1/users/owner", json!({ "groupLimit": 1_000 })).await.ok();
    for group in 0..50 {
        pair.turn(group).group("owner", &format!("g{group}"), "Work", json!({})).await;
    }
    for round in 0..100 {
        one_place_left(&pair, &format!("never-seen-{round}")).await;
    }
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_known_user_at_his_limit_minus_one_is_never_one_over_it() {
    let pair = Pair::start(&[]).await;
    for group in 0..50 {
        pair.turn(group).group("owner", &format!("g{group}"), "Work", json!({})).await;
    }
    for round in 0..100 {
        let user = format!("known-{round}");
        let first = json!({ "memberList": [{ "userID": user }] });
        pair.turn(round).group("owner", &format!("first{round}"), "Work", first).await;
        let path = format!("/v1/users/{user}");
        pair.turn(round).put(ADMIN, &path, json!({ "groupLimit": 2 })).await.ok();
        one_place_left(&pair, &user).await;
    }
    pair.end().await;
}

/// Ids whose order differs between C and the collations of people.
fn awkward_ids() -> Vec<String> {
    let bases = ["a", "A", "b", "B", "_z", "-y", "a b", "a-b", "aB", "Ab", "~", "Z", "z", "0", "!"];
    (0..4).flat_map(|n| bases.map(|base| format!("{base}{n}"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn crossing_batches_that_share_users_do_not_deadlock_whatever_the_collation() {
    let database = cluster::foreign_database().await;
    let pair = Pair::on(&database, &[("MUSTER_LANES", "4")]).await;
    let ids = awkward_ids();
    let groups: Vec<String> = ids.iter().take(20).map(|id| format!("g{id}")).collect();
    for group in &groups {
        pair.turn(0).group("owner", group, "Work", json!({})).await;
    }
    let groups: Vec<String> = groups.iter().map(|group| group.replace(' ', "%20")).collect();
    let calls = (0..600_usize).map(|number| {
        let server = pair.turn(number);
        let group = &groups[(number * 7) % groups.len()];
        let mut users: Vec<&String> = ids.iter().skip(number % 5).step_by(1 + number % 3).collect();
        if number % 2 == 0 {
            users.reverse();
        }
        let verb = if number % 3 == 0 { "kick" } else { "invite" };
        let body = json!({ "userList": users });
        async move {
            let answer = server.post("owner", &format!("/v1/groups/{group}/{verb}"), body).await;
            assert_eq!(answer.status, 200, "{answer:?}");
        }
    });
    join_all(calls).await;
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_make_the_same_group_only_once() {
    let pair = Pair::start(&[]).await;
    for round in 0..20 {
        let body = json!({
            "groupID": format!("same{round}"), "groupType": "Work", "groupName": "n",
            "memberList": [{ "userID": "fresh" }]
        });
        let calls = (0..10_usize).map(|caller| {
            let (server, body) = (pair.turn(caller), body.clone());
            async move { server.post(&format!("u{caller}"), "/v1/groups", body).await.status }
        });
        let mut statuses = join_all(calls).await;
        statuses.sort_unstable();
        assert_eq!(statuses[0], 201);
        assert!(statuses[1..].iter().all(|status| *status == 409), "{statuses:?}");
    }
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_kept_out_and_a_member_however_ban_and_invitation_meet() {
    let pair = Pair::start(&[]).await;
    pair.turn(0).group("owner", "g", "Work", json!({})).await;
    let users: Vec<String> = (0..300).map(|number| format!("u{number}")).collect();
    let (mut invited, mut late) = (0, 0);
    for user in &users {
        let (one, other) = (pair.turn(0), pair.turn(1));
        let ban = format!("/v1/groups/g/bans/{user}");
        let (invitation, banned) = tokio::join!(
            one.post("owner", "/v1/groups/g/invite", json!({ "userList": [user] })),
            other.put("owner", &ban, json!({})),
        );
        banned.ok();
        match results(&invitation.ok())[0].1 {
            1 => invited += 1,
            _ => late += 1,
        }
    }
    println!("{invited} were invited before they were kept out, {late} were not");
    let db = PgPool::connect(pair.turn(0).database_url()).await.expect("the database");
    let both = "select count(*) from members m join bans b using (group_id, user_id)
                 where m.left_seq is null";
    let both: i64 = sqlx::query_scalar(both).fetch_one(&db).await.expect("a count");
    assert_eq!(both, 0);
    pair.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lane_that_waits_for_work_holds_nothing_up() {
    let database = cluster::fresh_database().await;
    let server = Server::on(&database, &[("MUSTER_LANES", "1")]).await;
    server.group(ADMIN, "g", "Public", json!({})).await;
    let pool = PgPool::connect(&database).await.expect("the database");
    let of_lane = "select state, backend_xid is not null or backend_xmin is not null as holds,
                          (select count(*) from pg_locks l
                            where l.pid = a.pid and l.locktype <> 'virtualxid') as locks
                     from pg_stat_activity a
                    where datname = current_database() and application_name = 'muster lane'";
    // Its next transaction is open already for a moment, and ends by itself.
    let mut seen = Vec::new();
    for number in 0..50 {
        let body = json!({ "groupName": format!("n{number}") });
        server.call(Method::PATCH, ADMIN, "/v1/groups/g", Some(body)).await.ok();
        let row: (String, bool, i64) =
            sqlx::query_as(of_lane).fetch_one(&pool).await.expect("pg_stat_activity");
        assert_eq!((row.1, row.2), (false, 0), "{row:?}");
        seen.push(row.0);
    }
    assert!(seen.iter().any(|state| state == "idle in transaction"), "{seen:?}");
    eventually("the lane is at rest", || async {
        let row: (String, bool, i64) =
            sqlx::query_as(of_lane).fetch_one(&pool).await.expect("pg_stat_activity");
        (row.0 == "idle").then_some(())
    })
    .await;
    server.stop().await;
}
