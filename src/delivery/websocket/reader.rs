//! Bytes in, frames out: what a client of a websocket may send, and what it may not (RFC 6455).
//!
//! It keeps the rules that a server has to keep: frames are masked, no reserved bit is set, control frames
//! are short and whole, fragments follow one another, text is UTF-8. Everything has a bound and is checked as
//! early as it can be. Nothing is kept but what is half there.

use std::io::Cursor;

use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::delivery::transport::{Incoming, Lost};

/// Longest message that is read at all. Above what the protocol allows, so that a client which sends too
/// much is told so instead of being cut off.
pub(super) const MESSAGE_BYTES: usize = 1024 * 1024;
/// Longest control frame.
const CONTROL_BYTES: usize = 125;

/// What was read and is not a whole message yet.
#[derive(Debug, Default)]
pub(super) struct Reader {
    /// What was read; before `at` it is done with.
    buffer: Vec<u8>,
    at: usize,
    /// The fragments of a text so far; empty when there is none.
    text: Vec<u8>,
    /// So many bytes of it are known to be UTF-8.
    checked: usize,
    /// Whether a text has begun that has not ended.
    in_text: bool,
    /// Whether anything else that comes is passed over.
    over: bool,
}

/// A frame whose header was read.
struct Head {
    kind: OpCode,
    is_final: bool,
    mask: [u8; 4],
    /// Where its payload starts and ends in the buffer.
    from: usize,
    to: usize,
}

impl Reader {
    /// Takes in what was read.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if !self.over {
            self.buffer.drain(..std::mem::take(&mut self.at));
            self.buffer.extend_from_slice(bytes);
        }
    }

    /// Whether the last frame was read, or one that may not be.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The next frame in what was read.
    ///
    /// # Errors
    /// What is wrong with it. Everything behind it is passed over.
    pub(super) fn next(&mut self) -> Result<Option<Incoming>, Lost> {
        let next = self.read();
        if matches!(next, Err(_) | Ok(Some(Incoming::Close(_) | Incoming::Binary))) {
            *self = Self { over: true, ..Self::default() };
        } else if self.at == self.buffer.len() {
            (self.buffer, self.at) = (Vec::new(), 0);
        }
        next
    }

    /// So many bytes are kept.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.buffer.capacity() + self.text.capacity()
    }

    fn read(&mut self) -> Result<Option<Incoming>, Lost> {
        while !self.over
            && let Some(head) = self.head()?
        {
            if head.kind == OpCode::Data(Data::Binary) {
                return Ok(Some(Incoming::Binary));
            }
            if self.buffer.len() < head.to {
                return Ok(None);
            }
            for (place, byte) in self.buffer[head.from..head.to].iter_mut().enumerate() {
                *byte ^= head.mask[place % 4];
            }
            self.at = head.to;
            let frame = match head.kind {
                OpCode::Data(_) => self.fragment(&head)?,
                OpCode::Control(kind) => Some(control(kind, &self.buffer[head.from..head.to])?),
            };
            if frame.is_some() {
                return Ok(frame);
            }
        }
        Ok(None)
    }

    /// The next header, once it is whole and if it is one that may come now.
    fn head(&self) -> Result<Option<Head>, Lost> {
        let mut cursor = Cursor::new(&self.buffer[self.at..]);
        let Some((header, length)) =
            FrameHeader::parse(&mut cursor).map_err(|_| Lost::Malformed)?
        else {
            return Ok(None);
        };
        let length = usize::try_from(length).map_err(|_| Lost::TooLarge)?;
        if length > MESSAGE_BYTES {
            return Err(Lost::TooLarge);
        }
        let reserved = header.rsv1 || header.rsv2 || header.rsv3;
        let fits = match header.opcode {
            OpCode::Control(_) => header.is_final && length <= CONTROL_BYTES,
            OpCode::Data(kind) => (kind == Data::Continue) == self.in_text,
        };
        let Some(mask) = header.mask.filter(|_| fits && !reserved) else {
            return Err(Lost::Malformed);
        };
        if matches!(header.opcode, OpCode::Data(_)) && self.text.len() + length > MESSAGE_BYTES {
            return Err(Lost::TooLarge);
        }
        let from = self.at + usize::try_from(cursor.position()).map_err(|_| Lost::TooLarge)?;
        let (kind, is_final) = (header.opcode, header.is_final);
        Ok(Some(Head { kind, is_final, mask, from, to: from + length }))
    }

    /// Takes a piece of a text. The text when that was the last one.
    fn fragment(&mut self, head: &Head) -> Result<Option<Incoming>, Lost> {
        self.text.extend_from_slice(&self.buffer[head.from..head.to]);
        self.in_text = !head.is_final;
        match std::str::from_utf8(&self.text[self.checked..]) {
            Ok(_) => self.checked = self.text.len(),
            // A character may go on in the next fragment.
            Err(error) if self.in_text && error.error_len().is_none() => {
                self.checked += error.valid_up_to();
            }
            Err(_) => return Err(Lost::Malformed),
        }
        if self.in_text {
            return Ok(None);
        }
        self.checked = 0;
        let text = String::from_utf8(std::mem::take(&mut self.text));
        text.map(|text| Some(Incoming::Text(text))).map_err(|_| Lost::Malformed)
    }
}

fn control(kind: Control, payload: &[u8]) -> Result<Incoming, Lost> {
    match kind {
        Control::Ping => Ok(Incoming::Ping(payload.to_vec())),
        Control::Pong => Ok(Incoming::Pong),
        Control::Close => match payload {
            [] => Ok(Incoming::Close(None)),
            [high, low, reason @ ..] if std::str::from_utf8(reason).is_ok() => {
                Ok(Incoming::Close(Some(u16::from_be_bytes([*high, *low]))))
            }
            _ => Err(Lost::Malformed),
        },
        Control::Reserved(_) => Err(Lost::Malformed),
    }
}
