//! How the module comes back: how soon, with which token, and when it does not.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::page::Page;

const FOLLOW: &str = "globalThis.client = follow({ url: location.origin, token });";

/// The delay that was told of.
fn milliseconds(value: &Value) -> f64 {
    value["delayMs"].as_f64().expect("milliseconds")
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn delays_double_up_to_half_a_minute_and_begin_anew_after_a_good_connection() {
    // Chance at its upper end, and a clock that runs fifty times as fast.
    let script = r"
        Math.random = () => 0.999;
        const [later, now] = [setTimeout, performance.now.bind(performance)];
        globalThis.setTimeout = (act, ms) => later(act, ms / 50);
        performance.now = () => now() * 50;
        globalThis.client = follow({ url: location.origin, token });";
    let mut page = Page::faked(script).await;
    let mut delays = Vec::new();
    for _ in 0..9 {
        drop(page.accept().await);
        let end = page.expect("onDisconnect").await;
        assert_eq!((&end[1]["final"], &end[1]["code"]), (&json!(false), &json!(1006)), "{end}");
        delays.push(milliseconds(&end[1]) / 0.999);
    }
    let seconds = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0];
    let right = |(delay, wanted): (&f64, f64)| (delay - wanted * 1_000.0).abs() < 1e-6;
    assert!(delays.iter().zip(seconds).all(right), "{delays:?}");

    // Ready, but for less than ten seconds: that was no good connection.
    for (ticks, wanted) in [(1, 30_000.0), (200, 500.0)] {
        let mut fake = page.accept().await;
        // The heartbeat is long enough not to be in the way.
        fake.greet("bob", "e", 0, 25_000, &[]).await;
        fake.ready().await;
        page.expect("onReady").await;
        page.run(&format!("setTimeout(() => report('waited'), {ticks} * 60)"));
        page.expect("waited").await;
        drop(fake);
        let end = page.expect("onDisconnect").await;
        assert!((milliseconds(&end[1]) / 0.999 - wanted).abs() < 1e-6, "{wanted}: {end}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn chance_takes_any_part_of_the_delay() {
    let script =
        "Math.random = () => 0; globalThis.client = follow({ url: location.origin, token });";
    let mut page = Page::faked(script).await;
    for _ in 0..8 {
        drop(page.accept().await);
        let end = page.expect("onDisconnect").await;
        assert!(milliseconds(&end[1]).abs() < 1e-9, "{end}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn the_server_says_when_to_come_back() {
    let mut page = Page::faked(FOLLOW).await;
    let mut fake = page.accept().await;
    for (code, retry) in [(1001, 1_300), (4008, 700), (4009, 900), (4029, 1_100)] {
        fake.welcome("e", 0, &[]).await;
        let said = Instant::now();
        fake.bye(code, retry).await;
        let end = page.expect("onDisconnect").await;
        let expected = json!({ "code": code, "why": "so", "final": false, "delayMs": retry });
        assert_eq!(end[1], expected);
        fake = page.accept().await;
        let waited = fake.at - said;
        let least = Duration::from_millis(retry);
        assert!(waited >= least && waited < least * 3 + Duration::from_secs(2), "{waited:?}");
    }
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_broken_protocol_is_the_end_also_when_only_the_close_frame_says_so() {
    let mut page = Page::faked(FOLLOW).await;
    page.accept().await.bye(4002, 10).await;
    let end = page.expect("onDisconnect").await;
    assert_eq!(end[1], json!({ "code": 4002, "why": "so", "final": true }));
    page.run(FOLLOW);
    page.accept().await.close(4002).await;
    let end = page.expect("onDisconnect").await;
    assert_eq!(end[1], json!({ "code": 4002, "why": "so", "final": true }));
    page.stays_away(Duration::from_secs(2)).await;
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_refused_token_is_asked_for_anew_and_the_same_twice_is_the_end() {
    let mut given = ["one", "two", "two", "three", "three", "three"].into_iter();
    let tokens = move || json!(given.next().expect("nobody asks once more"));
    let script = format!("Math.random = () => 0.5; {FOLLOW}");
    let mut page = Page::open("", &script, tokens).await;
    // Refused in a row, it comes back as late as after any other failure.
    for (token, delay) in [("one", 10), ("two", 500)] {
        let fake = page.accept().await;
        assert_eq!(fake.hello["token"], token);
        fake.bye(4001, 10).await;
        let end = page.expect("onDisconnect").await;
        let expected = json!({ "code": 4001, "why": "so", "final": false, "delayMs": delay });
        assert_eq!(end[1], expected);
    }
    // The same as before, but it breaks without a word; that says nothing of the token.
    assert_eq!(page.accept().await.hello["token"], "two");
    assert_eq!(page.expect("onDisconnect").await[1]["code"], 1006);
    // One that opens a connection was not refused, even if it ends there.
    for _ in 0..2 {
        let mut fake = page.accept().await;
        assert_eq!(fake.hello["token"], "three");
        fake.welcome("e", 0, &[]).await;
        fake.bye(4001, 10).await;
        assert_eq!(page.expect("onDisconnect").await[1]["final"], false);
    }
    let fake = page.accept().await;
    assert_eq!(fake.hello["token"], "three");
    fake.bye(4001, 10).await;
    let end = page.expect("onDisconnect").await;
    assert_eq!(end[1], json!({ "code": 4001, "why": "so", "final": true }));
    page.stays_away(Duration::from_secs(2)).await;

    // A token that is no function is tried once more: a server's clock may have been wrong.
    page.run("globalThis.client = follow({ url: location.origin, token: 'fixed' });");
    for last in [false, true] {
        let fake = page.accept().await;
        assert_eq!(fake.hello["token"], "fixed");
        fake.bye(4001, 10).await;
        assert_eq!(page.expect("onDisconnect").await[1]["final"], last);
    }
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_token_function_that_fails_is_asked_again() {
    let script = r#"
        let asked = 0;
        const later = async () => { if (asked++ < 2) throw new Error("offline"); return "a token"; };
        globalThis.client = follow({ url: location.origin, token: later });"#;
    let mut page = Page::faked(script).await;
    assert_eq!(page.accept().await.hello["token"], "a token");
    let wrong = json!(["onError", "Error: offline", "token"]);
    let ends = page.settled().await.iter().filter(|one| one[1]["why"] == "there is no token");
    assert_eq!(ends.count(), 2);
    assert_eq!(page.calls("onError"), [&wrong, &wrong]);
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn fresh_tokens_are_sent_before_the_old_ones_end() {
    let mut asked = 0;
    let tokens = move || {
        asked += 1;
        let long = if asked == 4 { "x".repeat(5_000) } else { String::new() };
        json!({ "token": format!("t{asked}{long}"), "expiresIn": 4_000 })
    };
    let script = r"
        const timed = async () => {
            const { token, expiresIn } = await globalThis.token();
            return { token, expiresAt: new Date(Date.now() + expiresIn) };
        };
        globalThis.client = follow({ url: location.origin, token: timed });";
    let mut page = Page::open("", script, tokens).await;
    let mut fake = page.accept().await;
    assert_eq!(fake.hello["token"], "t1");
    fake.welcome("e", 0, &[]).await;
    fake.ready().await;
    let mut before = fake.at;
    for token in ["t2", "t3"] {
        assert_eq!(fake.frame().await, Some(json!({ "type": "auth", "token": token })));
        let waited = before.elapsed();
        before = Instant::now();
        assert!(waited > Duration::from_secs(2) && waited < Duration::from_secs(4), "{waited:?}");
    }
    // Longer than a frame may be: it goes with a new `hello`, which may be longer.
    assert_eq!(fake.frame().await, None, "it closes");
    let fake = page.accept().await;
    assert_eq!(fake.hello["token"], "t5");
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_server_that_is_not_heard_for_two_and_a_half_heartbeats_is_left() {
    const HEARTBEAT: u64 = 400;
    let mut page = Page::faked(FOLLOW).await;
    let mut fake = page.accept().await;
    fake.greet("bob", "e", 0, HEARTBEAT, &[("g", 4)]).await;
    fake.ready().await;
    // Any frame is life; the client asks for one in each heartbeat.
    for seq in 5..=9 {
        assert_eq!(fake.frame().await, Some(json!({ "type": "ping" })));
        if seq % 2 == 0 {
            fake.say(&json!({ "type": "pong" })).await;
        } else {
            fake.event("g", seq / 2 + 3).await;
        }
    }
    page.settled().await;
    assert_eq!(page.calls("onDisconnect").len(), 0);
    let silent = Instant::now();
    let mut pings = 0;
    while fake.frame().await.is_some() {
        pings += 1;
    }
    let heartbeats = silent.elapsed().as_secs_f64() * 1_000.0 / 400.0;
    assert!(heartbeats > 1.9 && heartbeats < 6.0, "left after {heartbeats} heartbeats");
    assert_eq!(pings, 2);
    let end = page.expect("onDisconnect").await;
    assert_eq!(end[1]["why"], "nothing was heard of the server");
    let fake = page.accept().await;
    assert_eq!(fake.hello["cursor"]["groups"], json!({ "g": 7 }));
}
