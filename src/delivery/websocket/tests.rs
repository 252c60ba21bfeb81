//! The websocket, frame by frame and beside another implementation of it.

use std::io::{self, Cursor, Read, Write};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use proptest::prelude::*;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket as Other, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::reader::MESSAGE_BYTES;
use super::*;

const SOON: Duration = Duration::from_secs(10);
const MASK: [u8; 4] = [7, 0, 255, 19];
const TEXT: OpCode = OpCode::Data(Data::Text);
const MORE: OpCode = OpCode::Data(Data::Continue);
const CLOSE: OpCode = OpCode::Control(Control::Close);
const PING: OpCode = OpCode::Control(Control::Ping);

/// A frame as it comes over the wire.
#[derive(Clone, Debug)]
struct Piece {
    kind: OpCode,
    is_final: bool,
    reserved: bool,
    masked: bool,
    payload: Vec<u8>,
}

impl Piece {
    fn bytes(&self) -> Vec<u8> {
        let header = FrameHeader {
            is_final: self.is_final,
            rsv1: self.reserved,
            opcode: self.kind,
            mask: self.masked.then_some(MASK),
            ..FrameHeader::default()
        };
        let mut bytes = Vec::new();
        header.format(self.payload.len() as u64, &mut bytes).expect("a header");
        let masked = |(place, byte): (usize, &u8)| byte ^ MASK[place % 4];
        if self.masked {
            bytes.extend(self.payload.iter().enumerate().map(masked));
        } else {
            bytes.extend(&self.payload);
        }
        bytes
    }
}

fn piece(kind: OpCode, is_final: bool, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref().to_vec();
    Piece { kind, is_final, reserved: false, masked: true, payload }.bytes()
}

fn whole(kind: OpCode, payload: impl AsRef<[u8]>) -> Vec<u8> {
    piece(kind, true, payload)
}

/// What is read when this comes in pieces of so many bytes.
fn read(bytes: &[u8], at_once: usize) -> Vec<Result<Incoming, Lost>> {
    let mut reader = Reader::default();
    let mut all = Vec::new();
    for chunk in bytes.chunks(at_once) {
        reader.feed(chunk);
        while let Some(frame) = reader.next().transpose() {
            all.push(frame);
        }
    }
    all
}

fn text(text: &str) -> Incoming {
    Incoming::Text(text.to_owned())
}

#[test]
fn frames_are_read_however_they_arrive() {
    let bytes = [
        whole(TEXT, "hello"),
        whole(PING, "are you there"),
        piece(TEXT, false, &"Grü".as_bytes()[..3]),
        whole(OpCode::Control(Control::Pong), ""),
        piece(MORE, false, ""),
        piece(MORE, true, &"Grüße".as_bytes()[3..]),
        whole(TEXT, ""),
        whole(TEXT, "x".repeat(70_000)),
        whole(CLOSE, b"\x03\xe8done"),
    ]
    .concat();
    let expected = [
        Ok(text("hello")),
        Ok(Incoming::Ping(b"are you there".to_vec())),
        Ok(Incoming::Pong),
        Ok(text("Grüße")),
        Ok(text("")),
        Ok(text(&"x".repeat(70_000))),
        Ok(Incoming::Close(Some(1000))),
    ];
    for at_once in [1, 2, 3, 5, 7, 64, 4_096, bytes.len()] {
        assert_eq!(read(&bytes, at_once), expected, "{at_once} bytes at once");
    }
}

#[test]
fn what_breaks_the_protocol_is_refused_and_the_rest_is_passed_over() {
    let odd = |kind, is_final, reserved, masked| {
        Piece { kind, is_final, reserved, masked, payload: b"x".to_vec() }.bytes()
    };
    let continued = |second: Vec<u8>| [piece(TEXT, false, "x"), second].concat();
    let cases = [
        ("not masked", odd(TEXT, true, false, false)),
        ("a reserved bit", odd(TEXT, true, true, true)),
        ("an unknown kind of data", odd(OpCode::Data(Data::Reserved(3)), true, false, true)),
        ("an unknown kind", odd(OpCode::Control(Control::Reserved(11)), true, false, true)),
        ("a ping in fragments", odd(PING, false, false, true)),
        ("a long ping", whole(PING, "x".repeat(126))),
        ("a fragment of nothing", whole(MORE, "x")),
        ("a text inside another", continued(whole(TEXT, "x"))),
        ("bytes inside a text", continued(whole(OpCode::Data(Data::Binary), "x"))),
        ("half a code", whole(CLOSE, b"\x03")),
        ("a reason that is no text", whole(CLOSE, b"\x03\xe8\xff")),
        ("no UTF-8", whole(TEXT, b"\xff")),
        ("half a character at the end", whole(TEXT, b"\xc3")),
        ("no UTF-8 in a first fragment", piece(TEXT, false, b"a\xff")),
        (
            "half a character that does not go on",
            [piece(TEXT, false, b"\xc3"), piece(MORE, false, b"a")].concat(),
        ),
    ];
    for (name, bad) in cases {
        let bytes = [whole(TEXT, "before"), bad, whole(TEXT, "after")].concat();
        for at_once in [1, bytes.len()] {
            let expected = [Ok(text("before")), Err(Lost::Malformed)];
            assert_eq!(read(&bytes, at_once), expected, "{name}, {at_once} bytes at once");
        }
    }
}

#[test]
fn messages_have_a_longest_size_and_are_refused_before_they_are_read() {
    let largest = "x".repeat(MESSAGE_BYTES);
    let long = read(&whole(TEXT, &largest), 4_096);
    assert_eq!(long, [Ok(text(&largest))]);
    // The header alone is enough.
    let header = &whole(TEXT, "x".repeat(MESSAGE_BYTES + 1))[..14];
    assert_eq!(read(header, 14), [Err(Lost::TooLarge)]);
    let fragments =
        [piece(TEXT, false, "x".repeat(MESSAGE_BYTES)), piece(MORE, true, "x")].concat();
    assert_eq!(read(&fragments, 4_096), [Err(Lost::TooLarge)]);
    let endless = [&[0x81, 0xFF][..], &u64::MAX.to_be_bytes(), &MASK].concat();
    assert_eq!(read(&endless, 14), [Err(Lost::TooLarge)]);
}

#[test]
fn bytes_are_refused_at_once_and_what_comes_after_the_end_is_passed_over() {
    let bytes = [whole(OpCode::Data(Data::Binary), "x".repeat(10_000)), whole(TEXT, "x")].concat();
    assert_eq!(read(&bytes, 100), [Ok(Incoming::Binary)]);
    let closed = [whole(CLOSE, ""), whole(TEXT, "x"), b"\xff\xff\xff\xff".to_vec()].concat();
    assert_eq!(read(&closed, 1), [Ok(Incoming::Close(None))]);
}

#[test]
fn nothing_is_kept_but_what_is_half_there() {
    let mut reader = Reader::default();
    let frame = whole(TEXT, "x".repeat(1_000));
    let expected = Ok(text(&"x".repeat(1_000)));
    // Each time the end of one frame and the beginning of the next.
    let across = [&frame[500..], &frame[..500]].concat();
    reader.feed(&frame[..500]);
    for _ in 0..1_000 {
        reader.feed(&across);
        assert_eq!(reader.next().transpose(), Some(expected.clone()));
        assert_eq!(reader.next(), Ok(None));
        assert!(reader.held() <= 4 * frame.len(), "{} bytes", reader.held());
    }
    reader.feed(&frame[500..]);
    assert_eq!(reader.next().transpose(), Some(expected));
    assert_eq!((reader.next(), reader.held()), (Ok(None), 0));
}

/// Bytes to be read by the other implementation; what it writes is of no interest.
struct Bytes(Cursor<Vec<u8>>);

impl Read for Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What tungstenite reads as a server, up to what ends a connection.
fn read_by_other(bytes: &[u8]) -> Vec<Result<Incoming, Lost>> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES));
    let stream = Bytes(Cursor::new(bytes.to_vec()));
    let mut other = Other::from_raw_socket(stream, Role::Server, Some(config));
    let mut all = Vec::new();
    loop {
        let next = match other.read() {
            Ok(Message::Text(text)) => Ok(Incoming::Text(text.as_str().to_owned())),
            Ok(Message::Ping(payload)) => Ok(Incoming::Ping(payload.to_vec())),
            Ok(Message::Close(frame)) => Ok(Incoming::Close(frame.map(|_| 0))),
            Ok(Message::Binary(_)) => Ok(Incoming::Binary),
            Ok(Message::Pong(_) | Message::Frame(_)) => Ok(Incoming::Pong),
            Err(Error::Io(_)) => return all,
            Err(Error::Capacity(_)) => Err(Lost::TooLarge),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Err(Lost::Broken),
            Err(Error::Protocol(_) | Error::Utf8(_)) => Err(Lost::Malformed),
            Err(other) => panic!("{other}"),
        };
        let ends = matches!(next, Err(_) | Ok(Incoming::Close(_) | Incoming::Binary));
        all.push(next);
        if ends {
            return all;
        }
    }
}

fn any_piece() -> impl Strategy<Value = Piece> {
    let kind = prop_oneof![
        6 => Just(TEXT),
        6 => Just(MORE),
        2 => Just(PING),
        1 => Just(OpCode::Control(Control::Pong)),
        1 => Just(CLOSE),
        1 => Just(OpCode::Data(Data::Binary)),
        1 => Just(OpCode::Control(Control::Reserved(12))),
        1 => Just(OpCode::Data(Data::Reserved(5))),
    ];
    let payload = prop_oneof![
        4 => "[a-zß]{0,20}".prop_map(String::into_bytes),
        1 => "\\PC{0,80}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (0..300usize).prop_map(|size| vec![b'x'; size]),
        1 => Just("ß".as_bytes()[..1].to_vec()),
        1 => Just("ß".as_bytes()[1..].to_vec()),
    ];
    (
        kind,
        prop::bool::weighted(0.6),
        payload,
        prop::bool::weighted(0.01),
        prop::bool::weighted(0.99),
    )
        .prop_map(|(kind, is_final, payload, reserved, masked)| {
            // Most control frames are whole, and most closing ones have a code.
            let is_final = is_final || matches!(kind, OpCode::Control(_)) && payload.len() != 3;
            Piece { kind, is_final, reserved, masked, payload }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Good and bad frames in any order, cut anywhere.
    #[test]
    fn what_is_read_is_what_another_implementation_reads(
        pieces in prop::collection::vec(any_piece(), 0..12),
        at_once in 1..200usize,
    ) {
        let bytes: Vec<u8> = pieces.iter().flat_map(Piece::bytes).collect();
        let other = read_by_other(&bytes);
        let mut ours = read(&bytes, at_once);
        // The other one tells what it answers.
        if let Some(Ok(Incoming::Close(Some(code)))) = ours.last_mut() {
            *code = 0;
        }
        // Bytes are told of with their first fragment already.
        let at = ours.iter().position(|one| *one == Ok(Incoming::Binary));
        if let Some(at) = at {
            ours.truncate(at);
            prop_assert_eq!(&ours[..], &other[..at.min(other.len())]);
        } else {
            prop_assert_eq!(ours, other);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), at_once in 1..50usize) {
        read(&bytes, at_once);
    }

    /// What a client of the other implementation says arrives.
    #[test]
    fn what_another_client_writes_is_read(
        texts in prop::collection::vec("\\PC{0,300}", 1..8),
        at_once in 1..500usize,
    ) {
        struct Out(Vec<u8>);
        impl Read for Out {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
        impl Write for Out {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.extend(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut client = Other::from_raw_socket(Out(Vec::new()), Role::Client, None);
        for text in &texts {
            client.send(Message::text(text.as_str())).expect("it is taken");
        }
        let expected: Vec<_> = texts.iter().map(|one| Ok(text(one))).collect();
        prop_assert_eq!(read(&client.get_ref().0, at_once), expected);
    }
}

/// Both ends of a connection over TCP.
async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let client = TcpStream::connect(listener.local_addr().expect("an address"));
    let (client, accepted) = tokio::join!(client, listener.accept());
    (client.expect("connected"), accepted.expect("accepted").0)
}

#[tokio::test]
async fn what_came_with_the_handshake_is_read_first() {
    let (mut client, server) = connected().await;
    let bytes = whole(TEXT, "early");
    let mut websocket = WebSocket::new(server, &bytes[..4]);
    client.write_all(&bytes[4..]).await.expect("written");
    client.write_all(&whole(TEXT, "late")).await.expect("written");
    for expected in ["early", "late"] {
        assert_eq!(
            timeout(SOON, websocket.next()).await.expect("in time"),
            Some(Ok(text(expected)))
        );
    }
}

#[tokio::test]
async fn an_end_without_a_close_frame_is_a_break_and_one_with_it_is_not() {
    for (last, expected) in [
        (None, Some(Err(Lost::Broken))),
        (Some(whole(CLOSE, "")), Some(Ok(Incoming::Close(None)))),
        (Some(vec![0xFF; 3]), Some(Err(Lost::Malformed))),
    ] {
        let (mut client, server) = connected().await;
        let mut websocket = WebSocket::new(server, &[]);
        if let Some(bytes) = last {
            client.write_all(&bytes).await.expect("written");
            client.write_all(&vec![0; 100_000]).await.expect("the rest is read, too");
        }
        drop(client);
        assert_eq!(timeout(SOON, websocket.next()).await.expect("in time"), expected);
        assert_eq!(timeout(SOON, websocket.next()).await.expect("in time"), None);
    }
}

/// A client that speaks the protocol by another implementation.
async fn dial() -> (WebSocketStream<TcpStream>, WebSocket) {
    let (client, server) = connected().await;
    let client = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    (client, WebSocket::new(server, &[]))
}

#[tokio::test]
async fn both_sides_understand_each_other() {
    use crate::delivery::frame::Frame;
    let (mut client, mut server) = dial().await;
    client.send(Message::text("hello")).await.expect("sent");
    assert_eq!(server.next().await, Some(Ok(text("hello"))));
    let outlet = server.outlet();
    let frames = [Frame::from("welcome"), Frame::ping(), Frame::close(4001, "why")];
    let slices: Vec<IoSlice<'_>> = frames.iter().map(|one| IoSlice::new(one.bytes())).collect();
    let size: usize = frames.iter().map(Frame::size).sum();
    std::future::poll_fn(|cx| outlet.poll_room(cx)).await.expect("room");
    assert_eq!(outlet.try_write(&slices).expect("written"), size);
    assert_eq!(client.next().await.expect("a frame").expect("good"), Message::text("welcome"));
    assert!(matches!(client.next().await, Some(Ok(Message::Ping(_)))));
    let Some(Ok(Message::Close(Some(close)))) = client.next().await else { panic!("no end") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (4001, "why"));
}
