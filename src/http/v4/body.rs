//! Reading a call's body: fields by name, with their older spellings.
//!
//! Real clients send more than a command knows, empty strings for enumerations they leave open and
//! `null` for what they do not set (`tencent-im.md` section 8). So unknown fields are passed over, `null`
//! counts as absent everywhere, an empty string where a word of a list is expected. Everything else is
//! exact: a refusal names the field as the caller spelled it, with its place in the body, what it has to
//! be and the bound.

use std::collections::HashSet;
use std::hash::Hash;
use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::reply::{BODY_NOT_JSON, Refusal};
use super::words::{Words, meaning};
use crate::model::{Error, GroupId, Moment, Reason, UserId, text};

/// A field's spellings: today's first, then older ones that clients still send.
pub(super) type Name = &'static [&'static str];

/// Most characters of a caller's own text that a refusal repeats.
const REPEATED_CHARS: usize = 40;

/// The largest number of the unsigned type of 32 bits that numbers on Tencent's wire have.
pub(super) const WIDEST: i64 = 4_294_967_295;

/// How a text for people is bounded.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bound {
    /// One line of at most so many bytes.
    Line(usize),
    /// Lines of at most so many bytes.
    Lines(usize),
}

/// Reads a body. A GET without one stands for an empty object.
///
/// # Errors
/// 60003 when it is no JSON object.
pub(super) fn parse(body: &[u8], may_be_absent: bool) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        if may_be_absent {
            return Ok(Map::new());
        }
        let text = "the body is empty; a command without fields is sent as {}";
        return Err(Refusal::coded(BODY_NOT_JSON, text));
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(other) => {
            let text = format!("the body must be a JSON object, not {}", kind(&other));
            Err(Refusal::coded(BODY_NOT_JSON, text))
        }
        Err(error) => Err(Refusal::coded(BODY_NOT_JSON, format!("the body is not JSON: {error}"))),
    }
}

/// The fields of one object of a body.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// Where the object is in the body: empty, or such as `MemberList[3].`
    place: String,
}

impl<'a> Fields<'a> {
    /// The fields of the body itself.
    pub(super) fn new(object: &'a Map<String, Value>) -> Self {
        Self { object, place: String::new() }
    }

    /// The first spelling that is there, with its place.
    fn find(&self, name: Name) -> Option<(String, &'a Value)> {
        name.iter().find_map(|spelled| {
            let value = self.object.get(*spelled).filter(|value| !value.is_null())?;
            Some((format!("{}{spelled}", self.place), value))
        })
    }

    /// A field's place in the body, as it was spelled there.
    pub(super) fn label(&self, name: Name) -> String {
        let today = || format!("{}{}", self.place, name.first().copied().unwrap_or_default());
        self.find(name).map_or_else(today, |(label, _)| label)
    }

    /// What a missing field's refusal says.
    ///
    /// # Errors
    /// [`Reason::MissingField`] when there is no value.
    pub(super) fn require<T>(&self, name: Name, value: Option<T>) -> Result<T, Error> {
        value.ok_or_else(|| {
            let label = self.label(name);
            Error::new(Reason::MissingField, format!("{label} is missing")).field(&label)
        })
    }

    /// A string as it was sent, and its place.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] when it is no string.
    pub(super) fn string(&self, name: Name) -> Result<Option<(String, &'a str)>, Error> {
        self.find(name)
            .map(|(label, value)| match value {
                Value::String(text) => Ok((label, text.as_str())),
                other => Err(wrong(&label, "a string", other)),
            })
            .transpose()
    }

    /// A string that is judged by itself.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] when it is no string.
    pub(super) fn any_string(&self, name: Name) -> Result<Option<&'a str>, Error> {
        Ok(self.string(name)?.map(|(_, text)| text))
    }

    /// A text for people.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`].
    pub(super) fn text(&self, name: Name, bound: Bound) -> Result<Option<String>, Error> {
        let Some((label, text)) = self.string(name)? else { return Ok(None) };
        match bound {
            Bound::Line(most) => text::check_line(&label, text, most)?,
            Bound::Lines(most) => text::check_lines(&label, text, most)?,
        }
        Ok(Some(text.to_owned()))
    }

    /// A word of a list; an empty string is absent.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] with the possible words.
    pub(super) fn word<T: Copy>(&self, name: Name, words: Words<T>) -> Result<Option<T>, Error> {
        match self.string(name)?.filter(|(_, text)| !text.is_empty()) {
            None => Ok(None),
            Some((label, word)) => read_word(&label, word, words).map(Some),
        }
    }

    /// A whole number within bounds.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] with the bounds.
    pub(super) fn number(
        &self,
        name: Name,
        range: RangeInclusive<i64>,
    ) -> Result<Option<i64>, Error> {
        let Some((label, value)) = self.find(name) else { return Ok(None) };
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let Value::Number(number) = value else { return Err(wrong(&label, &expected, value)) };
        match number.as_i64().filter(|number| range.contains(number)) {
            Some(number) => Ok(Some(number)),
            None => Err(Error::parameter(&label, format!("must be {expected}, not {number}"))
                .limit(*range.end())),
        }
    }

    /// 0 or 1; absent is 0.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`].
    pub(super) fn flag(&self, name: Name) -> Result<bool, Error> {
        Ok(self.number(name, 0..=1)? == Some(1))
    }

    /// A span of time in whole seconds, at least so many.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] with the bounds.
    pub(super) fn seconds(&self, name: Name, least: u32) -> Result<Option<u32>, Error> {
        let seconds = self.number(name, least.into()..=WIDEST)?;
        // The range is that of the type.
        Ok(seconds.and_then(|seconds| u32::try_from(seconds).ok()))
    }

    /// A moment in seconds since 1970; 0 is absent.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] with the bounds.
    pub(super) fn moment(&self, name: Name) -> Result<Option<Moment>, Error> {
        let seconds = self.number(name, 0..=WIDEST)?.filter(|seconds| *seconds > 0);
        // The calendar is wider than the range.
        Ok(seconds.and_then(|seconds| Moment::from_timestamp(seconds, 0)))
    }

    /// An object within.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`].
    pub(super) fn object(&self, name: Name) -> Result<Option<Self>, Error> {
        self.find(name)
            .map(|(label, value)| match value {
                Value::Object(object) => Ok(Self { object, place: format!("{label}.") }),
                other => Err(wrong(&label, "an object", other)),
            })
            .transpose()
    }

    fn list(&self, name: Name, of: &str) -> Result<Option<(String, &'a [Value])>, Error> {
        self.find(name)
            .map(|(label, value)| match value {
                Value::Array(list) => Ok((label, list.as_slice())),
                other => Err(wrong(&label, &format!("a list of {of}"), other)),
            })
            .transpose()
    }

    /// A list of objects.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`].
    pub(super) fn objects(&self, name: Name) -> Result<Option<Vec<Self>>, Error> {
        let Some((label, list)) = self.list(name, "objects")? else { return Ok(None) };
        let object = |(place, value): (usize, &'a Value)| match value {
            Value::Object(object) => Ok(Self { object, place: format!("{label}[{place}].") }),
            other => Err(wrong(&format!("{label}[{place}]"), "an object", other)),
        };
        list.iter().enumerate().map(object).collect::<Result<_, _>>().map(Some)
    }

    /// A list of strings, each with its place.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`].
    pub(super) fn strings(&self, name: Name) -> Result<Option<Vec<(String, &'a str)>>, Error> {
        let Some((label, list)) = self.list(name, "strings")? else { return Ok(None) };
        let string = |(place, value): (usize, &'a Value)| {
            let label = format!("{label}[{place}]");
            match value {
                Value::String(text) => Ok((label, text.as_str())),
                other => Err(wrong(&label, "a string", other)),
            }
        };
        list.iter().enumerate().map(string).collect::<Result<_, _>>().map(Some)
    }

    /// A list of words, without repetitions.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] with the possible words.
    pub(super) fn words<T>(&self, name: Name, words: Words<T>) -> Result<Vec<T>, Error>
    where
        T: Copy + Eq + Hash,
    {
        let list = self.strings(name)?.unwrap_or_default();
        let read: Result<Vec<T>, Error> =
            list.iter().map(|(label, word)| read_word(label, word, words)).collect();
        Ok(first_places(read?, |word| *word))
    }

    /// The group that the call is about.
    ///
    /// # Errors
    /// [`Reason::MissingField`], [`Reason::InvalidParameter`] or [`Reason::InvalidGroupId`].
    pub(super) fn group(&self, name: Name) -> Result<GroupId, Error> {
        let (label, text) = self.require(name, self.string(name)?)?;
        GroupId::parse(text, &label)
    }

    /// The id that a client chose for a new group; empty is absent.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] or [`Reason::InvalidGroupId`].
    pub(super) fn chosen_group(
        &self,
        name: Name,
        community: bool,
    ) -> Result<Option<GroupId>, Error> {
        let Some((label, text)) = self.string(name)?.filter(|(_, text)| !text.is_empty()) else {
            return Ok(None);
        };
        let id = GroupId::parse(text, &label)?;
        id.check_choice(community, &label)?;
        Ok(Some(id))
    }

    /// A user who has to be named.
    ///
    /// # Errors
    /// [`Reason::MissingField`], [`Reason::InvalidParameter`] or [`Reason::InvalidUserId`].
    pub(super) fn user(&self, name: Name, bytes: usize) -> Result<UserId, Error> {
        let (label, text) = self.require(name, self.string(name)?)?;
        UserId::parse(text, bytes, &label)
    }

    /// A user who may be left out, which an empty string means too.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] or [`Reason::InvalidUserId`].
    pub(super) fn user_if_named(&self, name: Name, bytes: usize) -> Result<Option<UserId>, Error> {
        match self.string(name)?.filter(|(_, text)| !text.is_empty()) {
            None => Ok(None),
            Some((label, text)) => UserId::parse(text, bytes, &label).map(Some),
        }
    }

    /// The users of a list of strings that has to name somebody, each at his first place.
    ///
    /// # Errors
    /// [`Reason::MissingField`], [`Reason::InvalidParameter`] or [`Reason::InvalidUserId`].
    pub(super) fn users(&self, name: Name, bytes: usize) -> Result<Vec<UserId>, Error> {
        let list = self.require(name, self.strings(name)?)?;
        if list.is_empty() {
            return Err(self.names_nobody(name));
        }
        let users: Result<Vec<UserId>, Error> =
            list.iter().map(|(label, text)| UserId::parse(text, bytes, label)).collect();
        Ok(first_places(users?, Clone::clone))
    }

    /// The refusal of a list that has to name somebody and is empty.
    pub(super) fn names_nobody(&self, name: Name) -> Error {
        Error::parameter(&self.label(name), "is empty, it has to name somebody")
    }
}

/// Each thing once, at its first place.
pub(super) fn first_places<T, K: Eq + Hash>(list: Vec<T>, key: impl Fn(&T) -> K) -> Vec<T> {
    let mut seen = HashSet::with_capacity(list.len());
    list.into_iter().filter(|one| seen.insert(key(one))).collect()
}

/// Refuses a list of more than `most`.
///
/// # Errors
/// The given reason, with the bound.
pub(super) fn at_most(field: &str, count: usize, most: usize, reason: Reason) -> Result<(), Error> {
    if count <= most {
        return Ok(());
    }
    let text = format!("{field} has {count} entries, at most {most} are possible");
    Err(Error::new(reason, text).field(field).limit(most).current(count))
}

fn read_word<T: Copy>(label: &str, word: &str, words: Words<T>) -> Result<T, Error> {
    meaning(words, word).ok_or_else(|| {
        let possible: Vec<&str> = words.iter().map(|(spelled, _)| *spelled).collect();
        let sent: String = word.chars().take(REPEATED_CHARS).collect();
        let rule = format!("must be one of {}, not {sent:?}", possible.join(", "));
        Error::parameter(label, rule)
    })
}

fn wrong(label: &str, expected: &str, value: &Value) -> Error {
    Error::parameter(label, format!("must be {expected}, not {}", kind(value)))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
