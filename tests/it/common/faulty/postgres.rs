//! PostgreSQL's protocol as far as a wire needs it: where a message of the server ends, and whether it is
//! a `NotificationResponse`.

use bytes::{Buf, BytesMut};

use super::Message;

/// Takes the next whole message out.
pub(super) fn next(buffer: &mut BytesMut) -> Option<Message> {
    let kind = *buffer.first()?;
    let length: [u8; 4] = buffer.get(1..5)?.try_into().expect("four bytes");
    let length = 1 + usize::try_from(u32::from_be_bytes(length)).expect("a length");
    if buffer.remaining() < length {
        return None;
    }
    let bytes = buffer.split_to(length).freeze();
    Some(if kind == b'A' { Message::News(bytes) } else { Message::Other(bytes) })
}

#[test]
fn notifications_are_told_from_the_rest() {
    let mut buffer = BytesMut::new();
    buffer.extend_from_slice(b"Z\0\0\0\x05I");
    buffer.extend_from_slice(b"A\0\0\0\x0d\0\0\0\x01c\0p\0\0");
    buffer.extend_from_slice(b"A\0\0");
    assert!(matches!(next(&mut buffer), Some(Message::Other(bytes)) if bytes.len() == 6));
    assert!(matches!(next(&mut buffer), Some(Message::News(bytes)) if bytes.len() == 14));
    assert!(next(&mut buffer).is_none());
    assert_eq!(buffer.len(), 3);
}
