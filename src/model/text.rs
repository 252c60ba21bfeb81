//! Bounds of the texts that people write, in UTF-8 bytes (`tencent-im.md` 1.7, the newer values).

use super::error::Error;

/// Longest group name.
pub const NAME_BYTES: usize = 100;
/// Longest introduction of a group.
pub const INTRODUCTION_BYTES: usize = 400;
/// Longest notification (announcement) of a group.
pub const NOTIFICATION_BYTES: usize = 400;
/// Longest address of a face (avatar), of a group or a user.
pub const FACE_URL_BYTES: usize = 500;
/// Longest name card of a member.
pub const NAME_CARD_BYTES: usize = 50;
/// Longest nickname of a user.
pub const NICK_NAME_BYTES: usize = 500;
/// Longest message of an application or of its answer, and longest reason of a kick or a ban.
pub const MESSAGE_BYTES: usize = 1_000;

/// Checks a text of one line: no control characters at all.
///
/// # Errors
/// [`super::Reason::InvalidParameter`] naming the field and the bound.
pub fn check_line(field: &str, text: &str, max_bytes: usize) -> Result<(), Error> {
    check(field, text, max_bytes, char::is_control)
}

/// Checks a text of several lines: tab, line feed and carriage return are the only control characters.
///
/// # Errors
/// [`super::Reason::InvalidParameter`] naming the field and the bound.
pub fn check_lines(field: &str, text: &str, max_bytes: usize) -> Result<(), Error> {
    check(field, text, max_bytes, |c| c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}

fn check(
    field: &str,
    text: &str,
    max_bytes: usize,
    forbidden: impl Fn(char) -> bool,
) -> Result<(), Error> {
    if text.len() > max_bytes {
        return Err(Error::parameter(
            field,
            format!("has {} bytes, at most {max_bytes} are allowed", text.len()),
        )
        .limit(max_bytes)
        .current(text.len()));
    }
    match text.chars().find(|c| forbidden(*c)) {
        None => Ok(()),
        Some(c) => Err(Error::parameter(
            field,
            format!("has the control character U+{:04X}", u32::from(c)),
        )),
    }
}
