//! Attributes of a group: a small map of texts that an app keeps with the group and its members watch
//! (`tencent-im.md` 1.5). Muster never looks into the values.

use std::collections::BTreeMap;

use super::Moment;
use super::error::{Error, Reason};

/// Most attributes of a group.
pub const KEYS: usize = 16;
/// Longest key, in bytes.
pub const KEY_BYTES: usize = 32;
/// Longest value, in bytes.
pub const VALUE_BYTES: usize = 4_000;
/// Most bytes of all keys and values of a group together.
pub const TOTAL_BYTES: usize = 16_000;

/// Most characters of a caller's own key that a refusal repeats.
const REPEATED_CHARS: usize = 40;

/// Keys and their values.
pub type Attributes = BTreeMap<String, String>;

/// Keys and their new values; `None` for those that are gone.
pub type ChangedAttributes = BTreeMap<String, Option<String>>;

/// A change of a group's attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeChange {
    /// These take the place of all that there are.
    Replace(Attributes),
    /// Those with a value are set, those without go; an absent one that goes changes nothing.
    Merge(ChangedAttributes),
    /// These go; an absent one refuses the whole change.
    Delete(Vec<String>),
    /// All go.
    Clear,
}

/// What is known of a group's attributes, under the group's lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupAttributes {
    /// All of them.
    pub values: Attributes,
    /// When the second began in which changes are counted; `None` before the first change.
    pub window_at: Option<Moment>,
    /// How many changes that second has seen.
    pub window_changes: i32,
}

/// Checks a key: 1 to 32 bytes without control characters.
///
/// # Errors
/// [`Reason::AttributeKeyInvalid`] naming the field and the bound.
pub fn check_key(field: &str, key: &str) -> Result<(), Error> {
    let what = if key.is_empty() {
        format!("is an empty key, it must have 1 to {KEY_BYTES} bytes")
    } else if key.len() > KEY_BYTES {
        format!("is a key of {} bytes, at most {KEY_BYTES} are allowed", key.len())
    } else if let Some(control) = key.chars().find(|c| c.is_control()) {
        let control = u32::from(control);
        let text = format!("{field} is a key with the control character U+{control:04X}");
        return Err(Error::new(Reason::AttributeKeyInvalid, text).field(field));
    } else {
        return Ok(());
    };
    Err(Error::new(Reason::AttributeKeyInvalid, format!("{field} {what}"))
        .field(field)
        .limit(KEY_BYTES)
        .current(key.len()))
}

/// Checks a value: at most 4,000 bytes. Only U+0000 is no text that the database can keep.
///
/// # Errors
/// [`Reason::AttributeValueTooLong`] or [`Reason::InvalidParameter`] naming the field.
pub fn check_value(field: &str, value: &str) -> Result<(), Error> {
    if value.len() > VALUE_BYTES {
        let text = format!("{field} has {} bytes, at most {VALUE_BYTES} are allowed", value.len());
        return Err(Error::new(Reason::AttributeValueTooLong, text)
            .field(field)
            .limit(VALUE_BYTES)
            .current(value.len()));
    }
    if value.contains('\0') {
        return Err(Error::parameter(field, "has the control character U+0000"));
    }
    Ok(())
}

/// The name of a key's field below the field that holds all of them, shortened when it is no key.
#[must_use]
pub fn field_of(all: &str, key: &str) -> String {
    let shown: String = key.chars().take(REPEATED_CHARS).collect();
    format!("{all}.{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_32_bytes_and_no_control_characters() {
        for good in ["a", " ", "é", &"k".repeat(32), &"é".repeat(16), "a.b[0]\"'\\"] {
            assert_eq!(check_key("key", good), Ok(()), "{good:?}");
        }
        for bad in ["", &"k".repeat(33), &"é".repeat(17), "a\n", "\0", "\u{7f}", "\u{85}"] {
            let error = check_key("key", bad).expect_err(bad);
            assert_eq!(error.reason, Reason::AttributeKeyInvalid, "{bad:?}");
            assert_eq!(error.field.as_deref(), Some("key"));
            assert_eq!(error.limit.is_some(), !bad.chars().any(char::is_control), "{bad:?}");
        }
    }

    #[test]
    fn a_value_has_at_most_4000_bytes() {
        for good in ["", "\n\t\u{1}", &"v".repeat(4_000), &"é".repeat(2_000)] {
            assert_eq!(check_value("value", good), Ok(()));
        }
        for long in ["v".repeat(4_001), "é".repeat(2_001)] {
            let error = check_value("value", &long).expect_err("too long");
            assert_eq!(error.reason, Reason::AttributeValueTooLong);
            assert_eq!(error.limit, Some(4_000));
        }
        let error = check_value("value", "a\0b").expect_err("no text");
        assert_eq!(error.reason, Reason::InvalidParameter);
    }
}
