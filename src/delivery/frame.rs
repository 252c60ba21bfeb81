//! A websocket frame that is ready for the wire: header and payload in one piece.
//!
//! It is made once and then shared by all its receivers: handing it on copies a pointer, and writing it
//! takes nothing but a socket. A text frame always holds UTF-8, since it can only be made from text.

use std::sync::Arc;

use bytes::Bytes;

/// The kinds of frames that go out; each is whole in itself.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// The longest header of a frame that is not masked.
const HEADER: usize = 10;

/// A frame, shared by all its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame(Bytes);

impl Frame {
    fn new(kind: u8, payload: &[u8]) -> Self {
        let length = payload.len();
        let mut bytes = Vec::with_capacity(HEADER + length);
        bytes.push(kind);
        if let (true, Ok(short)) = (length < 126, u8::try_from(length)) {
            bytes.push(short);
        } else if let Ok(medium) = u16::try_from(length) {
            bytes.push(126);
            bytes.extend(medium.to_be_bytes());
        } else {
            bytes.push(127);
            bytes.extend((length as u64).to_be_bytes());
        }
        bytes.extend_from_slice(payload);
        bytes.shrink_to_fit();
        Self(Bytes::from(bytes))
    }

    /// A ping without a payload.
    pub(super) fn ping() -> Self {
        Self::new(PING, &[])
    }

    /// The answer to a ping with this payload of at most 125 bytes.
    pub(super) fn pong(payload: &[u8]) -> Self {
        Self::new(PONG, payload)
    }

    /// The last frame, with a reason of at most 123 bytes.
    pub(super) fn close(code: u16, reason: &str) -> Self {
        let mut payload = code.to_be_bytes().to_vec();
        payload.extend_from_slice(reason.as_bytes());
        Self::new(CLOSE, &payload)
    }

    /// The last frame without a code.
    pub(super) fn plain_close() -> Self {
        Self::new(CLOSE, &[])
    }

    /// What goes over the wire.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes that is.
    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    /// What stands behind the header.
    #[cfg(test)]
    pub(super) fn payload(&self) -> &[u8] {
        let header = match self.0[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        &self.0[header..]
    }
}

impl From<&str> for Frame {
    /// A text frame.
    fn from(text: &str) -> Self {
        Self::new(TEXT, text.as_bytes())
    }
}

impl From<String> for Frame {
    /// A text frame.
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&Arc<str>> for Frame {
    /// A text frame.
    fn from(text: &Arc<str>) -> Self {
        Self::from(&**text)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
    use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

    use super::*;

    /// The header as others read it, and what stands behind it.
    fn read(frame: &Frame) -> (FrameHeader, u64, &[u8]) {
        let mut cursor = Cursor::new(frame.bytes());
        let (header, length) = FrameHeader::parse(&mut cursor).expect("a header").expect("whole");
        let start = usize::try_from(cursor.position()).expect("small");
        (header, length, &frame.bytes()[start..])
    }

    #[test]
    fn a_text_of_any_length_has_the_header_that_it_needs() {
        for length in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
            let text = "x".repeat(length);
            let frame = Frame::from(text.as_str());
            let (header, told, payload) = read(&frame);
            assert!(header.is_final && !header.rsv1 && header.mask.is_none());
            assert_eq!(header.opcode, OpCode::Data(Data::Text));
            assert_eq!(usize::try_from(told).expect("small"), length);
            assert_eq!((payload, frame.payload()), (text.as_bytes(), text.as_bytes()));
        }
    }

    #[test]
    fn control_frames_carry_what_they_must() {
        let all = [
            (Frame::ping(), Control::Ping, &b""[..]),
            (Frame::pong(b"abc"), Control::Pong, b"abc"),
            (Frame::close(4001, "why"), Control::Close, b"\x0f\xa1why"),
            (Frame::plain_close(), Control::Close, b""),
        ];
        for (frame, kind, expected) in all {
            let (header, told, payload) = read(&frame);
            assert_eq!((header.opcode, header.is_final), (OpCode::Control(kind), true));
            assert_eq!((told, payload), (expected.len() as u64, expected));
        }
    }
}
