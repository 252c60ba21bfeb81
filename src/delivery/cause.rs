//! Why a socket ends: what the client is told, and what is counted.

use std::borrow::Cow;

use serde::Serialize;

use super::frame::Frame;

/// Longest reason in a close frame: a control frame has 125 bytes, two of them for the code.
const REASON_BYTES: usize = 123;
/// So many clients of a node that stops come back to the others in a second.
const COMEBACKS: u64 = 2_000;

/// Why a socket ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The server stops.
    Stopping,
    /// The database or the identity provider does not answer.
    Unavailable,
    /// The node lost its place in a log; a fresh start helps.
    Restart,
    /// The credential is missing, wrong or over.
    Credential(String),
    /// The client broke the protocol.
    Protocol(String),
    /// The client does not read as fast as events come.
    TooSlow,
    /// Nothing was heard of the client.
    Silent,
    /// Too many sockets or too many frames.
    TooMany(String),
    /// The client closed.
    Closed,
    /// The connection broke.
    Broken,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Bye<'a> {
    r#type: &'static str,
    code: u16,
    retry_ms: u64,
    why: &'a str,
}

impl Cause {
    /// The close code, if there is somebody to be told.
    pub(super) fn code(&self) -> Option<u16> {
        match self {
            Self::Stopping | Self::Unavailable | Self::Restart => Some(1001),
            Self::Credential(_) => Some(4001),
            Self::Protocol(_) => Some(4002),
            Self::TooSlow => Some(4008),
            Self::Silent => Some(4009),
            Self::TooMany(_) => Some(4029),
            Self::Closed | Self::Broken => None,
        }
    }

    /// The word that it is counted under.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Stopping => "stopping",
            Self::Unavailable => "unavailable",
            Self::Restart => "restart",
            Self::Credential(_) => "credential",
            Self::Protocol(_) => "protocol",
            Self::TooSlow => "too_slow",
            Self::Silent => "silent",
            Self::TooMany(_) => "too_many",
            Self::Closed => "closed",
            Self::Broken => "broken",
        }
    }

    /// What the client is told in words.
    pub(super) fn why(&self) -> Cow<'_, str> {
        Cow::Borrowed(match self {
            Self::Stopping => "the server stops",
            Self::Unavailable => "the server cannot serve at the moment",
            Self::Restart => "the server lost its place",
            Self::Credential(why) | Self::Protocol(why) | Self::TooMany(why) => why,
            Self::TooSlow => "events came faster than they were read",
            Self::Silent => "nothing was heard of the client",
            Self::Closed | Self::Broken => "",
        })
    }

    /// The same, cut to what fits into a close frame.
    pub(super) fn reason(&self) -> String {
        let why = self.why();
        let end = (0..=REASON_BYTES.min(why.len())).rev().find(|end| why.is_char_boundary(*end));
        why[..end.unwrap_or(0)].to_owned()
    }

    /// Milliseconds after which coming again makes sense, spread so that not all come at once: `crowd`
    /// sockets that end together come back over a time that grows with their number.
    fn retry_ms(&self, crowd: i64) -> u64 {
        let spread = u64::try_from(crowd).unwrap_or(0) * 1_000 / COMEBACKS;
        let (from, to) = match self {
            Self::Stopping | Self::Restart => (500, spread.clamp(2_000, 60_000)),
            Self::Unavailable | Self::TooSlow => (1_000, 8_000),
            Self::TooMany(_) => (5_000, 15_000),
            _ => (500, 5_000),
        };
        rand::random_range(from..=to)
    }

    /// The `bye` frame that precedes the close frame.
    pub(super) fn bye(&self, crowd: i64) -> Option<Frame> {
        let code = self.code()?;
        let bye = Bye { r#type: "bye", code, retry_ms: self.retry_ms(crowd), why: &self.why() };
        super::wire::render(&bye)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_fits_into_a_close_frame() {
        assert_eq!(Cause::Stopping.reason(), "the server stops");
        let long = Cause::Protocol("é".repeat(100));
        assert_eq!(long.reason(), "é".repeat(61));
    }

    #[test]
    fn bye_says_code_delay_and_why() {
        let frame = Cause::Stopping.bye(1).expect("told");
        let bye: serde_json::Value = serde_json::from_slice(frame.payload()).expect("JSON");
        assert_eq!(bye["type"], "bye");
        assert_eq!(bye["code"], 1001);
        assert!((500..=2_000).contains(&bye["retryMs"].as_u64().expect("a number")));
        assert_eq!(bye["why"], "the server stops");
        assert!(Cause::Closed.bye(1).is_none());
    }
}
