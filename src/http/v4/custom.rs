//! Fields of the app's own, `AppDefinedData` and `AppMemberDefinedData`: lists of `Key` and `Value` on the
//! wire (`tencent-im.md` 1.7 and 1.8).

use serde_json::{Value, json};

use super::body::{Fields, Name};
use super::views::Filter;
use crate::model::fields::{self, FieldBounds, OF_GROUP, OF_MEMBER};
use crate::model::{CustomFields, Error, FieldChanges};

/// The fields of a group.
pub(super) const OF_GROUPS: Name = &["AppDefinedData"];
/// The fields of a member.
pub(super) const OF_MEMBERS: Name = &["AppMemberDefinedData"];
/// Which fields of a group are asked for.
pub(super) const FILTER_OF_GROUPS: Name = &["AppDefinedDataFilter_Group"];
/// Which fields of a member are asked for.
pub(super) const FILTER_OF_MEMBERS: Name = &["AppDefinedDataFilter_GroupMember"];

/// Which fields of a group change; an empty value removes one.
///
/// # Errors
/// [`crate::model::Reason::MissingField`] or [`crate::model::Reason::InvalidParameter`] with the place and
/// the bound.
pub(super) fn changes_of_group(fields: &Fields<'_>) -> Result<FieldChanges, Error> {
    changes(fields, OF_GROUPS, &OF_GROUP)
}

/// Which fields of a member change; an empty value removes one.
///
/// # Errors
/// As [`changes_of_group`].
pub(super) fn changes_of_member(fields: &Fields<'_>) -> Result<FieldChanges, Error> {
    changes(fields, OF_MEMBERS, &OF_MEMBER)
}

/// The fields that a new group begins with. An empty one is none.
///
/// # Errors
/// As [`changes_of_group`].
pub(super) fn first_of_group(fields: &Fields<'_>) -> Result<CustomFields, Error> {
    first(fields, OF_GROUPS, &OF_GROUP)
}

/// The fields that a new member begins with. An empty one is none.
///
/// # Errors
/// As [`changes_of_group`].
pub(super) fn first_of_member(fields: &Fields<'_>) -> Result<CustomFields, Error> {
    first(fields, OF_MEMBERS, &OF_MEMBER)
}

/// Reads the list. Of a key that stands more than once the last value counts, as if they had come one
/// after the other.
fn changes(fields: &Fields<'_>, name: Name, bounds: &FieldBounds) -> Result<FieldChanges, Error> {
    const KEY: Name = &["Key"];
    const VALUE: Name = &["Value"];
    let mut changes = FieldChanges::new();
    for item in fields.objects(name)?.unwrap_or_default() {
        let (place, key) = item.require(KEY, item.string(KEY)?)?;
        fields::check_key(&place, key)?;
        let (place, value) = item.require(VALUE, item.string(VALUE)?)?;
        bounds.check_value(&place, value)?;
        changes.insert(key.to_owned(), Some(value.to_owned()));
    }
    Ok(changes)
}

fn first(fields: &Fields<'_>, name: Name, bounds: &FieldBounds) -> Result<CustomFields, Error> {
    let changes = changes(fields, name, bounds)?;
    let label = fields.label(name);
    let (set, _) = bounds.merge(&label, &CustomFields::new(), &changes)?;
    Ok(set)
}

/// The list of the fields that were asked for, if there are any: those that `keys` names, or all of them
/// where `wanted`.
pub(super) fn shown(set: &CustomFields, wanted: bool, keys: &Filter<'_>) -> Option<Value> {
    let asked = |key: &str| if keys.is_all() { wanted } else { keys.wants(key) };
    let list: Vec<Value> = set
        .iter()
        .filter(|(key, _)| asked(key))
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    (!list.is_empty()).then_some(Value::Array(list))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    fn read(list: &Value) -> Result<FieldChanges, Error> {
        let body = json!({"AppMemberDefinedData": list});
        changes_of_member(&Fields::new(body.as_object().unwrap()))
    }

    #[test]
    fn keys_have_values_and_the_last_one_counts() {
        let changes = read(&json!([
            {"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}, {"Key": "a", "Value": "2"},
        ]));
        let expected = [("a", "2"), ("b", "")];
        let expected = expected.map(|(key, value)| (key.to_owned(), Some(value.to_owned())));
        assert_eq!(changes, Ok(FieldChanges::from(expected)));
        assert_eq!(read(&json!(null)), Ok(FieldChanges::new()));
        assert_eq!(read(&json!([])), Ok(FieldChanges::new()));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_bound() {
        let long = "x".repeat(65);
        for (list, text) in [
            (json!({}), "AppMemberDefinedData must be a list of objects, not an object"),
            (json!(["a"]), "AppMemberDefinedData[0] must be an object, not a string"),
            (json!([{"Value": "1"}]), "AppMemberDefinedData[0].Key is missing"),
            (json!([{"Key": "a"}]), "AppMemberDefinedData[0].Value is missing"),
            (
                json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": 1}]),
                "AppMemberDefinedData[1].Value must be a string, not a number",
            ),
            (
                json!([{"Key": "", "Value": "1"}]),
                "AppMemberDefinedData[0].Key must have 1 to 16 letters, digits or underscores",
            ),
            (
                json!([{"Key": "a b", "Value": "1"}]),
                "AppMemberDefinedData[0].Key must have 1 to 16 letters, digits or underscores",
            ),
            (
                json!([{"Key": "a", "Value": long}]),
                "AppMemberDefinedData[0].Value has 65 bytes, at most 64 are allowed",
            ),
        ] {
            let error = read(&list).expect_err(text);
            assert_eq!(error.text, text);
            assert!(error.field.is_some_and(|field| text.starts_with(&field)));
        }
    }

    #[test]
    fn a_new_bearer_has_a_bounded_number_of_them() {
        let list = |count: usize| -> Value {
            let keys: Vec<Value> =
                (0..count).map(|n| json!({"Key": format!("k{n}"), "Value": "v"})).collect();
            json!({"AppDefinedData": keys, "AppMemberDefinedData": keys})
        };
        let with = |count, read: fn(&Fields<'_>) -> Result<CustomFields, Error>| {
            let body = list(count);
            read(&Fields::new(body.as_object().unwrap()))
        };
        assert!(with(10, first_of_group).is_ok_and(|set| set.len() == 10));
        assert!(with(5, first_of_member).is_ok_and(|set| set.len() == 5));
        let error = with(11, first_of_group).expect_err("too many");
        assert_eq!((error.reason, error.limit), (Reason::InvalidParameter, Some(10)));
        assert!(error.text.starts_with("AppDefinedData would have 11 keys"), "{}", error.text);
        assert!(with(6, first_of_member).is_err());
    }

    #[test]
    fn those_are_shown_that_were_asked_for() {
        let set = ["a", "b"].map(|key| (key.to_owned(), "v".to_owned()));
        let set = CustomFields::from(set);
        let only = |names: &[&'static str]| Filter::Only(names.iter().copied().collect());
        let b = json!([{"Key": "b", "Value": "v"}]);
        assert_eq!(shown(&set, false, &only(&["b", "c"])), Some(b));
        assert_eq!(shown(&set, true, &only(&["c"])), None);
        assert_eq!(shown(&set, false, &Filter::All), None);
        let all = shown(&set, true, &Filter::All).expect("both");
        assert_eq!(all.as_array().map(Vec::len), Some(2));
        assert_eq!(shown(&CustomFields::new(), true, &Filter::All), None);
    }
}
