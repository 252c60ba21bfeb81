//! The websocket: who hears what, how a socket opens, resumes, and ends.

mod audience;
mod endings;
mod opening;
mod protocol;
mod resuming;

use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::common::socket::Stream;
use crate::common::{ADMIN, Server, Socket, frames, metric};

/// An event's name and number.
fn told(event: &Value) -> (&str, i64) {
    let number = event["seq"].as_i64().or(event["userSeq"].as_i64()).expect("a number");
    (event["event"].as_str().expect("a name"), number)
}

/// Expects these events next.
async fn hears(socket: &mut Socket, expected: &[(&str, i64)]) {
    for one in expected {
        let event = socket.next_event().await;
        assert_eq!(told(&event), *one, "{event}");
    }
}

/// Makes sure that nothing was sent before the answer to a ping.
async fn hears_nothing(socket: &mut Socket) {
    socket.say(&json!({ "type": "ping" })).await;
    let frame = socket.frame().await;
    assert_eq!(frame["type"], "pong", "{frame}");
}

async fn invite(server: &Server, group: &str, users: &[&str]) {
    let path = format!("/v1/groups/{group}/invite");
    let data = server.post(ADMIN, &path, json!({ "userList": users })).await.ok();
    let lines = data.as_array().expect("a list");
    assert!(lines.iter().all(|line| line["result"] == 1), "{data}");
}

async fn kick(server: &Server, group: &str, users: &[&str]) {
    let path = format!("/v1/groups/{group}/kick");
    let data = server.post(ADMIN, &path, json!({ "userList": users })).await.ok();
    let lines = data.as_array().expect("a list");
    assert!(lines.iter().all(|line| line["result"] == 1), "{data}");
}

/// The people named in an event.
fn named(event: &Value) -> Vec<&str> {
    let list = event["memberList"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().chain(event.get("member")).filter_map(|one| one["userID"].as_str()).collect()
}

/// The next text frame of a bare stream.
pub(crate) async fn frame_of(stream: &mut Stream) -> Value {
    let next = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Text(text))) => return frames::received(&text),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("instead of a frame: {other:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), next).await.expect("a frame in time")
}

/// Reads to the end: the close code, and the `bye` frame before it, which must say the same.
pub(crate) async fn end_of(mut stream: Stream) -> (u16, Value) {
    let mut bye = Value::Null;
    let reading = async {
        loop {
            match stream.next().await {
                Some(Ok(Message::Text(text))) => bye = frames::received(&text),
                Some(Ok(Message::Close(Some(close)))) => return u16::from(close.code),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("instead of the end: {other:?} after {bye}"),
            }
        }
    };
    let code = tokio::time::timeout(Duration::from_secs(20), reading).await.expect("an end");
    assert_eq!((&bye["type"], &bye["code"]), (&json!("bye"), &json!(code)), "{bye}");
    assert!(bye["retryMs"].is_u64(), "{bye}");
    (code, bye)
}
