//! The native face.

use std::collections::HashMap;

use futures_util::future::join_all;
use rand::RngExt;
use serde_json::{Value, json};

use super::damage::{damaged, id, query};
use super::one;
use super::player::{IN_A_GROUP, Player, WORLDS, seed, share};
use crate::bad_input::check_envelope;
use crate::bad_input::requests::ROUTES;
use crate::bad_input::routes::{Kind, Route, routes};
use crate::common::ADMIN;
use crate::common::wire::request;

/// A call that would be taken.
struct Good {
    user: String,
    method: &'static str,
    path: String,
    fields: Option<Route>,
}

/// Every call of the native face: those with bodies as the table has them, and the others.
fn all(application: &str) -> Vec<Good> {
    let bodies = routes(application);
    let mut all: Vec<Good> = bodies
        .iter()
        .map(|route| Good {
            user: route.user.to_owned(),
            method: route.method,
            path: route.path.clone(),
            fields: Some(route.clone()),
        })
        .collect();
    for (path, methods) in ROUTES {
        let path = path.replace("ID", application);
        for method in *methods {
            if !bodies.iter().any(|route| route.method == *method && route.path == path) {
                let user = if path.contains("/users/") { ADMIN } else { "alice" };
                all.push(Good { user: user.to_owned(), method, path: path.clone(), fields: None });
            }
        }
    }
    all
}

/// A value that the field may well take.
fn likely(kind: &Kind, player: &mut Player) -> Value {
    let users = ["alice", "bob", "carol", "dave", "erin", ADMIN];
    let dice = &mut player.dice;
    match kind {
        Kind::Text { bytes, .. } => json!("t".repeat(dice.random_range(0..=*bytes))),
        Kind::Word(words) => json!(one(dice, words)),
        Kind::Number { least, .. } => json!(least + dice.random_range(0..1_000)),
        Kind::GroupId => json!(format!("new{}", dice.random_range(0..1_000))),
        Kind::UserId => json!(one(dice, &users)),
        Kind::Users => (0..4).map(|_| json!(one(dice, &users))).collect(),
        Kind::Members => (0..3)
            .map(|_| json!({ "userID": one(dice, &users), "customFields": { "k": "v" } }))
            .collect(),
        Kind::Flag => json!(dice.random::<bool>()),
        Kind::Attributes => (0..dice.random_range(0..=16))
            .map(|n| (format!("k{n}"), json!("v".repeat(dice.random_range(0..=900)))))
            .collect(),
        Kind::Fields { keys, bytes } => (0..dice.random_range(0..=*keys))
            .map(|n| (format!("k{n}"), json!("v".repeat(dice.random_range(0..=*bytes)))))
            .collect(),
    }
}

/// The path with another id at one place, and perhaps with a query.
fn damaged_path(call: &Good, group: &str, player: &mut Player) -> String {
    let mut path = call.path.clone();
    if player.dice.random_bool(0.15) {
        let mut parts: Vec<String> = path.split('/').map(ToOwned::to_owned).collect();
        let place = player.dice.random_range(2..parts.len());
        parts[place] = id(&mut player.dice);
        // Nobody who is needed later deletes his own account.
        if parts[place] != "me" {
            path = parts.join("/");
        }
    }
    path = path.replace("/groups/g/", &format!("/groups/{group}/"));
    if path.ends_with("/groups/g") {
        path = path.replace("/groups/g", &format!("/groups/{group}"));
    }
    if player.dice.random_bool(0.15) {
        let query = query(&mut player.dice);
        path = path.split('?').next().expect("a path").to_owned() + &query;
    }
    path
}

fn body_of(call: &Good, player: &mut Player) -> Vec<u8> {
    let Some(route) = &call.fields else {
        return if player.dice.random_bool(0.1) {
            damaged(&json!({ "a": 1 }), &mut player.dice)
        } else {
            Vec::new()
        };
    };
    let mut body = route.good.clone();
    for field in &route.fields {
        if player.dice.random_bool(0.4) {
            body[field.name] = likely(&field.kind, player);
        }
    }
    damaged(&body, &mut player.dice)
}

async fn play(seed: u64, requests: usize) -> Player {
    let mut player = Player::new(seed).await;
    let mut tokens: HashMap<String, String> = HashMap::new();
    let (mut group, mut calls) = ("g".to_owned(), all(&player.world.application));
    for number in 0..requests {
        if number % IN_A_GROUP == 0 {
            group = format!("group{number}");
            calls = all(&player.renew(&group).await);
        }
        let call = one(&mut player.dice, &calls);
        // What ends the group is rare, or little would be tried in it.
        let ends = call.method == "DELETE" && call.path.ends_with("/g");
        if ends && player.dice.random_bool(0.9) {
            continue;
        }
        let strange = player.dice.random_bool(0.2);
        let user = if strange {
            (*one(&mut player.dice, &["alice", "bob", "carol", "dave", ADMIN])).to_owned()
        } else {
            call.user.clone()
        };
        let target = damaged_path(call, &group, &mut player);
        let body = body_of(call, &mut player);
        let token = tokens
            .entry(user.clone())
            .or_insert_with(|| format!("Bearer {}", player.world.server.token(&user)));
        let key = format!("key{}", player.dice.random_range(0..5));
        let mut headers = vec![("authorization", token.as_str())];
        if player.dice.random_bool(0.05) {
            headers.push(("idempotency-key", &key));
        }
        let bytes = request(call.method, &target, &headers, &body);
        let answer = player.send(&bytes).await;
        let shown: String = String::from_utf8_lossy(&body).chars().take(400).collect();
        let what = format!("seed {seed}, {number}: {user} {} {target} {shown}", call.method);
        check_envelope(&what, &answer);
        let may_change = call.method != "GET" && !target.contains("dryRun=true");
        let what = format!("{what}\n{answer:?}");
        player.judge(&what, answer.status < 300, may_change).await;
    }
    player
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_requests_to_the_native_face_are_answered_and_refused_ones_leave_no_trace() {
    let seed = seed();
    println!("MUSTER_TEST_SEED={seed}");
    let share = share();
    let worlds = (0..WORLDS).map(|number| play(seed.wrapping_add(number as u64), share));
    let (mut taken, mut refused) = (0, 0);
    for player in join_all(worlds).await {
        (taken, refused) = (taken + player.taken, refused + player.refused);
        player.end().await;
    }
    println!("{taken} taken, {refused} refused");
    let all = taken + refused;
    assert!(taken > all / 10, "seed {seed}: only {taken} were taken, so little was tried");
    assert!(refused > all / 10, "seed {seed}: only {refused} were refused");
}
