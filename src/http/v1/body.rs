//! JSON bodies: read with bounds, then with types, and refused in words that name the field.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, Visitor};

use super::problem::Problem;
use crate::http::{App, BODY_BYTES};
use crate::model::{Error, IdSet, Reason, UserId};

/// Longest time for a body to arrive.
const ARRIVAL: Duration = Duration::from_secs(10);

/// A body as it came.
pub struct Raw(pub Bytes);

impl FromRequest<App> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &App) -> Result<Self, Problem> {
        let too_large = || {
            let text = format!("the body is larger than {BODY_BYTES} bytes");
            Error::new(Reason::BodyTooLarge, text).limit(BODY_BYTES)
        };
        match tokio::time::timeout(ARRIVAL, to_bytes(request.into_body(), BODY_BYTES)).await {
            Ok(Ok(bytes)) => Ok(Self(bytes)),
            Ok(Err(error)) if is_length_limit(&error) => Err(too_large().into()),
            Ok(Err(_)) => Err(Error::parameter("the body", "did not arrive whole").into()),
            Err(_) => {
                let seconds = ARRIVAL.as_secs();
                Err(Error::parameter("the body", format!("did not arrive within {seconds} s"))
                    .into())
            }
        }
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(current) = source {
        if current.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = current.source();
    }
    false
}

impl Raw {
    /// Reads the body as this type. An empty body stands for `{}`.
    ///
    /// # Errors
    /// [`Reason::MalformedJson`], or what is wrong with which field.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let bytes: &[u8] = if self.0.is_empty() { b"{}" } else { &self.0 };
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let value: Object<T> =
            serde_path_to_error::deserialize(&mut json).map_err(|error| explain(&error))?;
        json.end().map_err(|error| malformed(&error))?;
        Ok(value.0)
    }
}

/// A value that must be written as a JSON object. Without this a struct is also read from an array of its
/// fields' values, and a field's meaning would depend on its place.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// An object whose names are the caller's own. One that stands twice is refused as a field is.
#[derive(Debug)]
pub struct Pairs<T>(pub BTreeMap<String, T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Pairs<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Names<T> {
            type Value = BTreeMap<String, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut names: A) -> Result<Self::Value, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((name, value)) = names.next_entry::<String, T>()? {
                    if pairs.contains_key(&name) {
                        let shown: String = name.chars().take(40).collect();
                        return Err(A::Error::custom(format!("{shown:?} stands twice")));
                    }
                    pairs.insert(name, value);
                }
                Ok(pairs)
            }
        }

        deserializer.deserialize_map(Names(PhantomData)).map(Self)
    }
}

fn malformed(error: &serde_json::Error) -> Error {
    let text = format!("the body is not JSON: {}", without_place(&error.to_string()));
    let place = format!(" at line {} column {}", error.line(), error.column());
    Error::new(Reason::MalformedJson, text + &place)
}

/// What is wrong, with the field's whole path.
fn explain(error: &serde_path_to_error::Error<serde_json::Error>) -> Error {
    let inner = error.inner();
    if !inner.is_data() {
        return malformed(inner);
    }
    let message = inner.to_string();
    let message = without_place(&message);
    let path = error.path().to_string();
    let within = |name: &str| {
        if path == "." || path == name || path.ends_with(&format!(".{name}")) {
            if path == "." { name.to_owned() } else { path.clone() }
        } else {
            format!("{path}.{name}")
        }
    };
    if let Some(name) = quoted(message, "unknown field `") {
        let field: String = within(name).chars().take(100).collect();
        return Error::new(Reason::UnknownField, format!("the field {field} is unknown"))
            .field(&field);
    }
    if let Some(name) = quoted(message, "missing field `") {
        let field = within(name);
        return Error::new(Reason::MissingField, format!("the field {field} is missing"))
            .field(&field);
    }
    if let Some(name) = quoted(message, "duplicate field `") {
        return Error::parameter(&within(name), "stands twice");
    }
    // A name of the caller's own, in an object of such, can be as long as the body.
    let field: String = path.chars().take(100).collect();
    let field = if path == "." { "the body" } else { &field };
    let shown: String = message.chars().take(200).collect();
    Error::parameter(field, format!("is not as it should be: {shown}"))
}

fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split('`').next()
}

fn without_place(message: &str) -> &str {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text)
}

/// Reads a list of user ids, each once, at its first place.
///
/// # Errors
/// [`Reason::InvalidUserId`] naming the entry.
pub fn user_list(app: &App, field: &str, texts: &[String]) -> Result<Vec<UserId>, Error> {
    let mut seen = IdSet::default();
    let mut users = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let user = UserId::parse(text, app.limits.user_id_bytes, format_args!("{field}[{index}]"))?;
        if seen.insert(user.clone()) {
            users.push(user);
        }
    }
    Ok(users)
}

/// Reads a word of a closed list.
///
/// # Errors
/// [`Reason::InvalidParameter`] with the words that are possible.
pub fn word<T: Copy>(
    field: &str,
    text: &str,
    all: &[T],
    spelled: impl Fn(T) -> &'static str,
) -> Result<T, Error> {
    all.iter().copied().find(|one| spelled(*one) == text).ok_or_else(|| {
        let words: Vec<&str> = all.iter().map(|one| spelled(*one)).collect();
        Error::parameter(field, format!("must be one of {}", words.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields, rename_all = "camelCase")]
    #[expect(dead_code, reason = "only read from JSON")]
    struct Sample {
        group_type: String,
        members: Option<Vec<Object<Inner>>>,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only read from JSON")]
    struct Inner {
        id: String,
    }

    fn refused(text: &str) -> (Reason, String) {
        let error = Raw(Bytes::copy_from_slice(text.as_bytes())).read::<Sample>().expect_err(text);
        (error.reason, error.field.unwrap_or_default())
    }

    #[test]
    fn the_field_at_fault_is_named() {
        let unknown = |field: &str| (Reason::UnknownField, field.to_owned());
        let missing = |field: &str| (Reason::MissingField, field.to_owned());
        let invalid = |field: &str| (Reason::InvalidParameter, field.to_owned());
        assert_eq!(refused(r#"{"groupType":"x","zzz":1}"#), unknown("zzz"));
        assert_eq!(refused("{}"), missing("groupType"));
        assert_eq!(refused(""), missing("groupType"));
        assert_eq!(refused(r#"{"groupType":5}"#), invalid("groupType"));
        assert_eq!(
            refused(r#"{"groupType":"x","members":[{"id":"a"},{"id":5}]}"#),
            invalid("members[1].id")
        );
        assert_eq!(
            refused(r#"{"groupType":"x","members":[{"od":"a"}]}"#),
            unknown("members[0].od")
        );
        assert_eq!(refused(r#"{"groupType":"x","members":[{}]}"#), missing("members[0].id"));
        assert_eq!(refused(r#"{"groupType":"x","groupType":"y"}"#), invalid("groupType"));
        for text in ["[]", r#"["x",null]"#, "null", "5"] {
            assert_eq!(refused(text), invalid("the body"), "{text}");
        }
        assert_eq!(refused(r#"{"groupType":"x","members":[["a"]]}"#), invalid("members[0]"));
        for text in ["{", "nope", r#"{"groupType":"x"} x"#, "\u{0}", r#"{"groupType":"x",}"#] {
            assert_eq!(refused(text).0, Reason::MalformedJson, "{text:?}");
        }
    }
}
