//! Fields of the app's own, on groups and on members (`AppDefinedData`, `AppMemberDefinedData`;
//! `tencent-im.md` 1.7). Muster keeps them and tells of them; it never reads them.

use std::collections::BTreeMap;

use super::error::{Error, Reason};

/// The fields that are set, by key.
pub type CustomFields = BTreeMap<String, String>;

/// Fields that change; `None` removes one.
pub type FieldChanges = BTreeMap<String, Option<String>>;

/// Longest key.
pub const KEY_BYTES: usize = 16;

/// The bounds of one kind of bearer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldBounds {
    /// Most fields.
    pub keys: usize,
    /// Most bytes of a value.
    pub value_bytes: usize,
}

/// The bounds on a group's fields.
pub const OF_GROUP: FieldBounds = FieldBounds { keys: 10, value_bytes: 512 };
/// The bounds on a member's fields.
pub const OF_MEMBER: FieldBounds = FieldBounds { keys: 5, value_bytes: 64 };

/// Checks a key that stands at `place` of a call.
///
/// # Errors
/// [`Reason::InvalidParameter`] naming the place and the bound.
pub fn check_key(place: &str, key: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if key.is_empty() || key.len() > KEY_BYTES || !key.bytes().all(plain) {
        let rule = format!("must have 1 to {KEY_BYTES} letters, digits or underscores");
        return Err(Error::parameter(place, rule).limit(KEY_BYTES).current(key.len()));
    }
    Ok(())
}

impl FieldBounds {
    /// Checks keys and values of changes, as the field `name` of a call.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] naming the key and the bound.
    pub fn check(&self, name: &str, changes: &FieldChanges) -> Result<(), Error> {
        for (key, value) in changes {
            let shown: String = key.chars().take(40).collect();
            let place = format!("{name}.{shown}");
            check_key(&place, key)?;
            self.check_value(&place, value.as_deref().unwrap_or_default())?;
        }
        Ok(())
    }

    /// Checks a value that stands at `place` of a call.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] naming the place and the bound.
    pub fn check_value(&self, place: &str, value: &str) -> Result<(), Error> {
        let (length, most) = (value.len(), self.value_bytes);
        if length > most {
            let rule = format!("has {length} bytes, at most {most} are allowed");
            return Err(Error::parameter(place, rule).limit(most).current(length));
        }
        if value.contains('\0') {
            return Err(Error::parameter(place, "has the control character U+0000"));
        }
        Ok(())
    }

    /// The fields after changes, and which changes really change something. An empty value removes a
    /// field, as at Tencent.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] when there would be too many.
    pub fn merge(
        &self,
        name: &str,
        before: &CustomFields,
        changes: &FieldChanges,
    ) -> Result<(CustomFields, FieldChanges), Error> {
        let mut after = before.clone();
        let mut real = FieldChanges::new();
        for (key, value) in changes {
            let value = value.clone().filter(|value| !value.is_empty());
            if before.get(key) == value.as_ref() {
                continue;
            }
            match &value {
                Some(value) => after.insert(key.clone(), value.clone()),
                None => after.remove(key),
            };
            real.insert(key.clone(), value);
        }
        if after.len() > self.keys {
            let text = format!(
                "{name} would have {} keys, at most {} are possible",
                after.len(),
                self.keys
            );
            return Err(Error::new(Reason::InvalidParameter, text)
                .field(name)
                .limit(self.keys)
                .current(after.len()));
        }
        Ok((after, real))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(list: &[(&str, Option<&str>)]) -> FieldChanges {
        list.iter().map(|(key, value)| ((*key).to_owned(), value.map(ToOwned::to_owned))).collect()
    }

    #[test]
    fn keys_and_values_have_bounds() {
        let check = |key: &str, value: &str| {
            OF_GROUP.check("customFields", &changes(&[(key, Some(value))]))
        };
        assert_eq!(check("a_Z9", "x"), Ok(()));
        assert_eq!(check("abcdefghijklmnop", &"v".repeat(512)), Ok(()));
        for (key, value) in [
            ("", "x"),
            ("abcdefghijklmnopq", "x"),
            ("a b", "x"),
            ("\u{e4}", "x"),
            ("a", &*"v".repeat(513)),
            ("a", "\0"),
        ] {
            let error = check(key, value).expect_err(key);
            assert_eq!(error.reason, Reason::InvalidParameter, "{key}");
        }
    }

    #[test]
    fn what_changes_nothing_is_left_out_and_empty_removes() {
        let before = CustomFields::from([("a".into(), "1".into()), ("b".into(), "2".into())]);
        let wanted = changes(&[("a", Some("1")), ("b", Some("")), ("c", Some("3")), ("d", None)]);
        let (after, real) = OF_MEMBER.merge("customFields", &before, &wanted).expect("fits");
        assert_eq!(after, CustomFields::from([("a".into(), "1".into()), ("c".into(), "3".into())]));
        assert_eq!(real, changes(&[("b", None), ("c", Some("3"))]));
    }

    #[test]
    fn there_are_only_so_many() {
        let wanted: FieldChanges = (0..6).map(|n| (format!("k{n}"), Some("v".into()))).collect();
        let error =
            OF_MEMBER.merge("customFields", &CustomFields::new(), &wanted).expect_err("six");
        assert_eq!((error.limit, error.current), (Some(5), Some(6)));
    }
}
