//! The protocol of NATS as far as a wire needs it: lines, of which `MSG` and `HMSG` are followed by as many
//! bytes as their last word says.

use bytes::BytesMut;

use super::Message;

/// Takes the next whole message out.
pub(super) fn next(buffer: &mut BytesMut) -> Option<Message> {
    let line = buffer.windows(2).position(|two| two == b"\r\n")?;
    let text = std::str::from_utf8(&buffer[..line]).unwrap_or_default();
    let mut words = text.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default().to_ascii_uppercase();
    if kind != "MSG" && kind != "HMSG" {
        return Some(Message::Other(buffer.split_to(line + 2).freeze()));
    }
    let size: usize = words.next_back().and_then(|size| size.parse().ok()).expect("a size");
    let length = line + 2 + size + 2;
    (buffer.len() >= length).then(|| Message::News(buffer.split_to(length).freeze()))
}

#[test]
fn messages_are_told_from_the_rest() {
    let mut buffer = BytesMut::new();
    buffer.extend_from_slice(
        b"INFO {\"a\":1}\r\nMSG g.1 7 5\r\na\r\nbc\r\nPING\r\nMSG g.1 7 4\r\nab",
    );
    assert!(matches!(next(&mut buffer), Some(Message::Other(bytes)) if bytes.starts_with(b"INFO")));
    assert!(
        matches!(next(&mut buffer), Some(Message::News(bytes)) if bytes.ends_with(b"a\r\nbc\r\n"))
    );
    assert!(matches!(next(&mut buffer), Some(Message::Other(bytes)) if &bytes[..] == b"PING\r\n"));
    assert!(next(&mut buffer).is_none(), "the payload is not whole");
}
