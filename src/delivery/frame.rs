//! A text frame that is ready for the wire.
//!
//! It is made once and then shared by all its receivers: handing it on copies a pointer. It always holds
//! UTF-8, since it can only be made from text.

use std::sync::Arc;

use bytes::Bytes;

/// A text frame, shared by all its receivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

struct Shared(Arc<str>);

impl AsRef<[u8]> for Shared {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Frame {
    /// How many bytes its text has.
    pub(crate) fn size(&self) -> usize {
        self.0.len()
    }

    /// The bytes of its text; valid UTF-8.
    #[must_use]
    pub fn into_bytes(self) -> Bytes {
        self.0
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&'static str> for Frame {
    fn from(text: &'static str) -> Self {
        Self(Bytes::from_static(text.as_bytes()))
    }
}

impl From<&Arc<str>> for Frame {
    /// Takes the text as it lies in memory, without a copy.
    fn from(text: &Arc<str>) -> Self {
        Self(Bytes::from_owner(Shared(text.clone())))
    }
}
