//! The bounds that the document names are those of the server, and what it forbids a client is refused.

use futures_util::SinkExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::common::frames::{DOCUMENT, faults};
use crate::common::{Server, socket};
use crate::sockets::{end_of, frame_of};

fn limit(name: &str) -> usize {
    let found = &DOCUMENT["channels"]["events"]["x-limits"][name];
    usize::try_from(found.as_u64().unwrap_or_else(|| panic!("no {name}"))).expect("a number")
}

/// A frame with spaces before its end, so that it has this many bytes.
fn of_bytes(frame: &Value, bytes: usize) -> Message {
    let text = frame.to_string();
    let spaces = " ".repeat(bytes - text.len());
    Message::text(format!("{}{spaces}}}", &text[..text.len() - 1]))
}

#[tokio::test]
async fn frames_are_as_large_as_the_document_says_and_no_larger() {
    let server = Server::start().await;
    let hello = json!({ "type": "hello", "token": server.token("alice") });
    let (most, later) = (limit("helloBytes"), limit("frameBytes"));
    let messages = &DOCUMENT["components"]["messages"];
    assert_eq!(messages["hello"]["x-maxBytes"], most);
    assert_eq!(messages["auth"]["x-maxBytes"], later);

    let mut stream = server.raw_ws().await;
    stream.send(of_bytes(&hello, most)).await.expect("sent");
    assert_eq!(frame_of(&mut stream).await["type"], "welcome");
    assert_eq!(frame_of(&mut stream).await["type"], "ready");
    stream.send(of_bytes(&json!({ "type": "ping" }), later)).await.expect("sent");
    assert_eq!(frame_of(&mut stream).await["type"], "pong");
    stream.send(of_bytes(&json!({ "type": "ping" }), later + 1)).await.expect("sent");
    assert_eq!(end_of(stream).await.0, 4002);

    let mut stream = server.raw_ws().await;
    stream.send(of_bytes(&hello, most + 1)).await.expect("sent");
    assert_eq!(end_of(stream).await.0, 4002);
    server.stop().await;
}

/// As many frames at once as the document says are taken; five times as many are too many.
#[tokio::test]
async fn frames_come_as_often_as_the_document_says() {
    let server = Server::start().await;
    let (rate, burst) = (limit("framesPerSecond"), limit("framesAtOnce"));
    let mut alice = server.ws("alice").await;
    // `hello` was the first of them.
    for _ in 1..burst {
        alice.say(&json!({ "type": "ping" })).await;
    }
    for _ in 1..burst {
        assert_eq!(alice.frame().await["type"], "pong");
    }
    let mut bob = server.ws("bob").await;
    for _ in 0..burst * 5 {
        bob.say(&json!({ "type": "pong" })).await;
    }
    let (code, bye) = end_of(bob.raw).await;
    assert_eq!((code, &bye["why"]), (4029, &json!(format!("more than {rate} frames a second"))));
    server.stop().await;
}

#[tokio::test]
async fn what_the_document_forbids_a_client_is_refused() {
    let server = Server::start().await;
    let token = server.token("alice");
    let hello = |cursor: Value| json!({ "type": "hello", "token": token, "cursor": cursor });
    for first in [
        json!({ "token": token }),
        json!({ "type": "Hello", "token": token }),
        json!({ "type": "hello", "token": 7 }),
        hello(json!("here")),
        hello(json!({ "user": 1 })),
        hello(json!({ "epoch": 1 })),
        hello(json!({ "epoch": "e", "user": "1" })),
        hello(json!({ "epoch": "e", "user": -1 })),
        hello(json!({ "epoch": "e", "groups": [1] })),
        hello(json!({ "epoch": "e", "groups": { "team": -1 } })),
        hello(json!({ "epoch": "e", "groups": { "team": "1" } })),
    ] {
        assert_ne!(faults("receive", &first), [""; 0], "{first}");
        let mut stream = server.raw_ws().await;
        stream.send(Message::text(first.to_string())).await.expect("sent");
        assert_eq!(end_of(stream).await.0, 4002, "{first}");
    }
    for later in [
        json!({ "type": "auth" }),
        json!({ "type": "auth", "token": null }),
        json!({ "type": "ready" }),
        json!({ "type": "subscribe" }),
    ] {
        assert_ne!(faults("receive", &later), [""; 0], "{later}");
        let mut alice = server.ws("alice").await;
        alice.raw.send(Message::text(later.to_string())).await.expect("sent");
        assert_eq!(end_of(alice.raw).await.0, 4002, "{later}");
    }
    // The rest of what a hello may be.
    for cursor in [json!({ "epoch": "e" }), json!({ "epoch": "e", "groups": { "team": 0 } })] {
        let mut stream = server.raw_ws().await;
        socket::say(&mut stream, &hello(cursor)).await;
        assert_eq!(frame_of(&mut stream).await["type"], "welcome");
    }
    server.stop().await;
}
