//! Websocket frames made by hand, as no library makes them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::invite;
use crate::common::Server;

/// The server may take this long to end a socket: longer than it waits for `hello`.
const PATIENCE: Duration = Duration::from_secs(15);

/// A connection that is a websocket, of which every byte is ours.
async fn upgraded(server: &Server) -> TcpStream {
    let address = server.url().strip_prefix("http://").expect("an http address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = "GET /v1/events HTTP/1.1\r\nhost: muster.test\r\nconnection: upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("an answer"));
    }
    assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
    stream
}

/// A frame with this first byte, masked with zeros or not at all.
fn frame(first: u8, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mask = u8::from(masked) << 7;
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(mask | u8::try_from(length).expect("a small number")),
        length => {
            bytes.push(mask | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if masked {
        bytes.extend_from_slice(&[0; 4]);
    }
    bytes.extend_from_slice(payload);
    bytes
}

/// The frames that the server sends until it closes: text frames, and the code of the close frame.
async fn answered(stream: &mut TcpStream) -> (Vec<Value>, Option<u16>) {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes));
    // A reset is an end, too.
    drop(read.await.expect("the server closes in time"));
    let (mut texts, mut code, mut rest) = (Vec::new(), None, &bytes[..]);
    while let [first, length, after @ ..] = rest {
        let (length, after) = match length {
            126 => (usize::from(u16::from_be_bytes([after[0], after[1]])), &after[2..]),
            length => (usize::from(*length), after),
        };
        let (payload, after) = after.split_at(length.min(after.len()));
        match first & 0x0f {
            1 => texts.push(serde_json::from_slice(payload).expect("a JSON frame")),
            8 => code = payload.first_chunk().map(|code| u16::from_be_bytes(*code)),
            _ => {}
        }
        rest = after;
    }
    (texts, code)
}

/// The first byte of a whole text frame.
const TEXT: u8 = 0x81;

#[tokio::test]
async fn bytes_that_are_no_frames_end_the_socket_with_a_code_and_nobody_else_s() {
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({})).await;
    let mut alice = server.ws("alice").await;
    let hello = json!({ "type": "hello", "token": server.token("bob") }).to_string();
    let hello = hello.as_bytes();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("not masked", frame(TEXT, false, hello)),
        ("reserved bits", frame(TEXT | 0x40, true, hello)),
        ("an unknown kind", frame(0x83, true, b"x")),
        ("an unknown control frame", frame(0x8b, true, b"x")),
        ("a control frame in parts", frame(0x09, true, b"x")),
        ("a control frame too long", frame(0x89, true, &[b'x'; 200])),
        ("a part without a beginning", frame(0x80, true, hello)),
        ("no UTF-8", frame(TEXT, true, b"{\"type\": \"\xff\xfe\"}")),
        ("bytes instead of text", frame(0x82, true, hello)),
        ("an empty text", frame(TEXT, true, b"")),
        ("HTTP again", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a length of all bits", [vec![TEXT, 0xff], vec![0xff; 8]].concat()),
        (
            "a length beyond any hello",
            [vec![TEXT, 0xff], 10_000_000_u64.to_be_bytes().to_vec()].concat(),
        ),
    ];
    for (name, bytes) in cases {
        let mut stream = upgraded(&server).await;
        stream.write_all(&bytes).await.expect("bytes are sent");
        let (texts, code) = answered(&mut stream).await;
        println!("{name}: {code:?} {texts:?}");
        assert_eq!(code, Some(4002), "{name}: {texts:?}");
        assert!(texts.iter().all(|text| text["type"] == "bye"), "{name}: {texts:?}");
    }
    invite(&server, "g", "carol").await;
    assert_eq!(alice.expect("onMemberInvited").await["seq"], 2);
    server.stop().await;
}

#[tokio::test]
async fn frames_at_the_wrong_time_end_the_socket_with_4002() {
    let server = Server::start().await;
    let hello = json!({ "type": "hello", "token": server.token("bob") }).to_string();
    let auth = json!({ "type": "auth", "token": server.token("bob") }).to_string();
    let deep = "[".repeat(3_000);
    for (name, texts) in [
        ("auth before hello", vec![auth.as_str()]),
        ("hello twice", vec![hello.as_str(), hello.as_str()]),
        ("an event from a client", vec![&hello, r#"{"type": "event", "groupID": "g", "seq": 1}"#]),
        ("a welcome from a client", vec![&hello, r#"{"type": "welcome"}"#]),
        ("no type", vec![&hello, "{}"]),
        ("a type that is no text", vec![&hello, r#"{"type": 7}"#]),
        ("a list", vec![&hello, "[]"]),
        ("a number", vec![&hello, "17"]),
        ("deep nesting", vec![&hello, &deep]),
        ("auth without a token", vec![&hello, r#"{"type": "auth"}"#]),
    ] {
        let mut stream = upgraded(&server).await;
        for text in &texts {
            let bytes = frame(TEXT, true, text.as_bytes());
            stream.write_all(&bytes).await.expect("bytes are sent");
        }
        let (told, code) = answered(&mut stream).await;
        assert_eq!(code, Some(4002), "{name}: {told:?}");
        let bye = told.last().expect("bye");
        assert_eq!((&bye["type"], &bye["code"]), (&json!("bye"), &json!(4002)), "{name}");
    }
    server.stop().await;
}

/// A `hello` that comes in small parts is a `hello`; one that never ends is none.
#[tokio::test]
async fn a_hello_in_parts_is_read_up_to_its_bound() {
    let server = Server::start().await;
    let hello = json!({ "type": "hello", "token": server.token("bob") }).to_string();
    let mut stream = upgraded(&server).await;
    for (number, part) in hello.as_bytes().chunks(7).enumerate() {
        let first = u8::from(number == 0);
        stream.write_all(&frame(first, true, part)).await.expect("a part is sent");
    }
    stream.write_all(&frame(0x80, true, b"")).await.expect("the end is sent");
    stream.write_all(&frame(0x88, true, &1000_u16.to_be_bytes())).await.expect("a close is sent");
    let (told, _) = answered(&mut stream).await;
    assert_eq!(told[0]["type"], "welcome", "{told:?}");

    let mut endless = upgraded(&server).await;
    let part = vec![b'x'; 60_000];
    let mut first = 0x01;
    for _ in 0..20 {
        if endless.write_all(&frame(first, true, &part)).await.is_err() {
            break;
        }
        first = 0x00;
    }
    assert_eq!(answered(&mut endless).await.1, Some(4002));
    server.stop().await;
}
