//! Random damage to good requests: whatever comes of it, no answer is the server's fault.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, Value, json};

use super::routes::{Kind, Route, routes};
use super::{World, check_envelope};
use crate::common::ADMIN;

/// How many requests are sent.
const REQUESTS: usize = 600;

/// The seed is printed with a failure; `MUSTER_TEST_SEED` repeats one.
fn seed() -> u64 {
    let given = std::env::var("MUSTER_TEST_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(rand::random)
}

/// A value of any kind.
fn any(dice: &mut StdRng, depth: u32) -> Value {
    let texts =
        ["", "a", "me", ".", "\u{0}", "é", "@TGS#_x", "Work", "bob", "true", "-1", "\u{feff}"];
    match dice.random_range(0..12) {
        0 => Value::Null,
        1 => json!(dice.random::<bool>()),
        2 => json!(dice.random::<i64>()),
        3 => json!(dice.random::<f64>() * 1e10),
        4 => json!(dice.random_range(-3..4)),
        5 => json!("x".repeat(dice.random_range(0..2_000))),
        6 => json!(dice.random::<char>().to_string()),
        7 if depth > 0 => (0..dice.random_range(0..4)).map(|_| any(dice, depth - 1)).collect(),
        8 if depth > 0 => {
            let mut object = Map::new();
            for _ in 0..dice.random_range(0..4) {
                let name = ["userID", "role", "a", "", "groupID"].choose(dice).expect("a name");
                object.insert((*name).to_owned(), any(dice, depth - 1));
            }
            Value::Object(object)
        }
        _ => json!(texts.choose(dice).expect("a text")),
    }
}

/// A value that the field may well take.
fn likely(kind: &Kind, dice: &mut StdRng) -> Value {
    let users = ["alice", "bob", "carol", "dave", "erin", ADMIN];
    match kind {
        Kind::Text { bytes, .. } => json!("t".repeat(dice.random_range(0..=*bytes))),
        Kind::Word(words) => json!(words.choose(dice).expect("a word")),
        Kind::Number { least, .. } => json!(least + dice.random_range(0..1_000)),
        Kind::GroupId => json!(format!("g{}", dice.random_range(0..20))),
        Kind::UserId => json!(users.choose(dice).expect("a user")),
        Kind::Users => (0..4).map(|_| json!(users.choose(dice).expect("a user"))).collect(),
        Kind::Attributes => {
            let names = ["colour", "a", "", "b"];
            json!({ *names.choose(dice).expect("a name"): "v".repeat(dice.random_range(0..4_010)) })
        }
        Kind::Members => {
            (0..3).map(|_| json!({ "userID": users.choose(dice).expect("a user") })).collect()
        }
    }
}

fn damaged(route: &Route, dice: &mut StdRng) -> Vec<u8> {
    let mut body = route.good.clone();
    for field in &route.fields {
        if dice.random_bool(0.5) {
            body[field.name] = likely(&field.kind, dice);
        }
    }
    for _ in 0..dice.random_range(0..3) {
        let names: Vec<&str> = route.fields.iter().map(|field| field.name).collect();
        let name = names.choose(dice).copied().unwrap_or("message");
        match dice.random_range(0..4) {
            0 => drop(body.as_object_mut().and_then(|body| body.remove(name))),
            1 => body["zz"] = any(dice, 2),
            2 => body = any(dice, 3),
            _ => body[name] = any(dice, 3),
        }
        if !body.is_object() {
            break;
        }
    }
    let mut bytes = body.to_string().into_bytes();
    if dice.random_bool(0.2) && !bytes.is_empty() {
        for _ in 0..dice.random_range(1..4) {
            let place = dice.random_range(0..bytes.len());
            match dice.random_range(0..3) {
                0 => bytes[place] = dice.random(),
                1 => bytes.insert(place, dice.random()),
                _ => bytes.truncate(place.max(1)),
            }
        }
    }
    bytes
}

fn damaged_path(route: &Route, dice: &mut StdRng) -> String {
    let mut path = route.path.clone();
    if dice.random_bool(0.15) {
        let ids = ["g", "none", "%00", "%FF", "..", "a%20b", "%25", "x%2Fy", "%F0%9F%9A%80"];
        path = path.replace("/g/", &format!("/{}/", ids.choose(dice).expect("an id")));
    }
    if dice.random_bool(0.1) {
        let queries = ["?", "?limit=1", "?dryRun=true", "?dryRun=%FF", "?a&a", "?&&&", "?=%"];
        path.push_str(queries.choose(dice).expect("a query"));
    }
    path
}

#[tokio::test]
async fn random_requests_are_never_the_servers_fault() {
    let seed = seed();
    println!("MUSTER_TEST_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    let world = World::new().await;
    let routes = routes(&world.application);
    let users = ["alice", "bob", "carol", "dave", ADMIN];
    let mut taken = 0;
    for number in 0..REQUESTS {
        let route = routes.choose(&mut dice).expect("a route");
        let user = if dice.random_bool(0.7) {
            route.user
        } else {
            users.choose(&mut dice).expect("a user")
        };
        let (path, body) = (damaged_path(route, &mut dice), damaged(route, &mut dice));
        let shown = String::from_utf8_lossy(&body);
        let shown: String = shown.chars().take(300).collect();
        let what = format!("seed {seed}, {number}: {user} {} {path} {shown}", route.method);
        let answer = world.ask(user, route.method, &path, &body).await;
        check_envelope(&what, &answer);
        taken += usize::from(answer.status < 300);
    }
    assert!(taken > REQUESTS / 50, "seed {seed}: only {taken} were taken, so little was tried");
    world.server.get(ADMIN, "/v1/limits").await.ok();
    world.end().await;
}
