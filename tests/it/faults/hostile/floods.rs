//! Many sockets at once: some say hello, some say nothing.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{hello, invite, kick};
use crate::common::{Server, cluster, eventually};
use crate::faults::ALONE;
use crate::sockets::{end_of, frame_of};

/// How long an event took to Alice, at most.
async fn slowest(server: &Server, times: usize) -> Duration {
    let mut alice = server.ws("alice").await;
    let mut slowest = Duration::ZERO;
    for _ in 0..times {
        let begun = Instant::now();
        invite(server, "g", "bob").await;
        alice.expect("onMemberInvited").await;
        kick(server, "g", "bob").await;
        alice.expect("onMemberKicked").await;
        slowest = slowest.max(begun.elapsed());
    }
    slowest
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_hellos_is_served_or_refused_and_the_others_go_on() {
    let _alone = ALONE.lock().await;
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({})).await;
    let quiet = slowest(&server, 10).await;
    let flood = join_all((0..300).map(|number| {
        let server = &server;
        async move {
            // One user opens far more sockets than he may have; the others have one each.
            let user = if number % 3 == 0 { "mallory".to_owned() } else { format!("u{number}") };
            let mut stream = hello(server, &user, &Value::Null).await;
            let frame = frame_of(&mut stream).await;
            match frame["type"].as_str() {
                Some("welcome") => (0, Some(stream)),
                Some("bye") => (frame["code"].as_i64().unwrap_or_default(), None),
                _ => panic!("{frame}"),
            }
        }
    }));
    let (answers, loud) = tokio::join!(flood, slowest(&server, 10));
    let refused = answers.iter().filter(|(code, _)| *code == 4029).count();
    let open = answers.iter().filter(|(code, _)| *code == 0).count();
    println!("{open} open, {refused} refused; slowest event {quiet:?}, and {loud:?} in the flood");
    assert_eq!((open, refused), (200 + 20, 80), "twenty of a user, and all of the others");
    assert!(loud < Duration::from_secs(4), "{loud:?}");
    drop(answers);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_that_say_nothing_are_ended_and_the_others_go_on() {
    let _alone = ALONE.lock().await;
    let database = cluster::fresh_database().await;
    let server = Server::on(&database, &[]).await;
    server.group("alice", "g", "Work", json!({})).await;
    let silent = join_all((0..200).map(|_| server.raw_ws())).await;
    let begun = Instant::now();
    let ends = join_all(silent.into_iter().map(end_of));
    let (ends, loud) = tokio::join!(ends, slowest(&server, 10));
    assert!(ends.iter().all(|(code, _)| *code == 4002));
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    println!("200 silent sockets: slowest event meanwhile {loud:?}");
    assert!(loud < Duration::from_secs(2), "{loud:?}");
    eventually("nothing is left of them", || async {
        let text = reqwest::get(format!("{}/metrics", server.ops_url())).await.ok()?;
        let text = text.text().await.ok()?;
        text.lines().any(|line| line == "muster_sockets 0").then_some(())
    })
    .await;
    server.stop().await;
}
