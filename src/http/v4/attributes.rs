//! Attributes of a group: `set_group_attr`, `modify_group_attr`, `delete_group_attr`,
//! `clear_group_attr`, `get_group_attr` (`tencent-im.md` 2.2, 2.3; `decisions.md` q).

use serde_json::{Map, Value, json};

use super::body::{Fields, Name, first_places};
use super::call::{Call, absent};
use super::groups::GROUP_ID;
use super::reply::{Answer, Refusal};
use crate::model::attributes::{AttributeChange, Attributes, check_key, check_value};
use crate::model::{Error, Operation};
use crate::rules::matrix::Action;

const GROUP_ATTR: Name = &["GroupAttr"];
const KEY: Name = &["key"];
const VALUE: Name = &["value"];

/// `set_group_attr`: these take the place of all that there are.
pub(super) async fn set(call: Call) -> Result<Answer, Refusal> {
    let values = read_pairs(&call.fields())?;
    change(&call, AttributeChange::Replace(values)).await
}

/// `modify_group_attr`: these are changed or added.
pub(super) async fn modify(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let values = read_pairs(&fields)?;
    refuse_empty(values.is_empty())?;
    let changes = values.into_iter().map(|(key, value)| (key, Some(value))).collect();
    change(&call, AttributeChange::Merge(changes)).await
}

/// `delete_group_attr`: these go; one that is absent refuses the call.
pub(super) async fn delete(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let mut keys = Vec::new();
    for (index, pair) in list(&fields)?.iter().enumerate() {
        keys.push(read_key(pair, index)?);
    }
    refuse_empty(keys.is_empty())?;
    change(&call, AttributeChange::Delete(first_places(keys, Clone::clone))).await
}

/// `clear_group_attr`: all go.
pub(super) async fn clear(call: Call) -> Result<Answer, Refusal> {
    let group = call.fields().group(GROUP_ID)?;
    call.group(&group, Action::EditAttributes).await?;
    change(&call, AttributeChange::Clear).await
}

/// `get_group_attr`.
pub(super) async fn get(call: Call) -> Result<Answer, Refusal> {
    let group = call.fields().group(GROUP_ID)?;
    call.group(&group, Action::ReadAttributes).await?;
    let (_, values) = call.app.store.attributes(&group).await?.ok_or_else(absent)?;
    let pair = |(key, value): (&String, &String)| json!({ "key": key, "value": value });
    let mut answer = Map::new();
    answer.insert("GroupAttrAry".to_owned(), values.iter().map(pair).collect::<Value>());
    Ok(answer)
}

async fn change(call: &Call, change: AttributeChange) -> Result<Answer, Refusal> {
    let group = call.fields().group(GROUP_ID)?;
    call.submit(Operation::SetAttributes { group, change }).await?;
    Ok(Map::new())
}

fn list<'a>(fields: &Fields<'a>) -> Result<Vec<Fields<'a>>, Error> {
    fields.require(GROUP_ATTR, fields.objects(GROUP_ATTR)?)
}

fn refuse_empty(empty: bool) -> Result<(), Error> {
    if empty {
        return Err(Error::parameter("GroupAttr", "is empty, it has to name an attribute"));
    }
    Ok(())
}

fn read_key(pair: &Fields<'_>, index: usize) -> Result<String, Error> {
    let key = pair.require(KEY, pair.any_string(KEY)?)?;
    check_key(&format!("GroupAttr[{index}].key"), key)?;
    Ok(key.to_owned())
}

fn read_pairs(fields: &Fields<'_>) -> Result<Attributes, Error> {
    let mut values = Attributes::new();
    for (index, pair) in list(fields)?.iter().enumerate() {
        let key = read_key(pair, index)?;
        let value = pair.require(VALUE, pair.any_string(VALUE)?)?;
        check_value(&format!("GroupAttr[{index}].value"), value)?;
        if values.insert(key, value.to_owned()).is_some() {
            return Err(Error::parameter(&format!("GroupAttr[{index}].key"), "stands twice"));
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Reason;

    fn pairs(body: Value) -> Result<Attributes, Error> {
        let Value::Object(body) = body else { panic!("an object") };
        read_pairs(&Fields::new(&body))
    }

    #[test]
    fn pairs_are_read_with_every_fault_at_its_place() {
        let good = json!({"GroupAttr": [{"key": "b", "value": ""}, {"key": "a", "value": "1"}]});
        let read = pairs(good).expect("good pairs");
        assert_eq!(
            read.into_iter().collect::<Vec<_>>(),
            [("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]
        );
        assert_eq!(pairs(json!({"GroupAttr": []})), Ok(Attributes::new()));
        let (long_key, long_value) = ("k".repeat(33), "v".repeat(4_001));
        for (list, reason, field) in [
            (json!(null), Reason::MissingField, "GroupAttr"),
            (json!("x"), Reason::InvalidParameter, "GroupAttr"),
            (json!(["x"]), Reason::InvalidParameter, "GroupAttr[0]"),
            (json!([{"value": "v"}]), Reason::MissingField, "GroupAttr[0].key"),
            (json!([{"key": "k"}]), Reason::MissingField, "GroupAttr[0].value"),
            (json!([{"key": "k", "value": 1}]), Reason::InvalidParameter, "GroupAttr[0].value"),
            (json!([{"key": "", "value": ""}]), Reason::AttributeKeyInvalid, "GroupAttr[0].key"),
            (
                json!([{"key": "k", "value": ""}, {"key": long_key, "value": ""}]),
                Reason::AttributeKeyInvalid,
                "GroupAttr[1].key",
            ),
            (
                json!([{"key": "k", "value": long_value}]),
                Reason::AttributeValueTooLong,
                "GroupAttr[0].value",
            ),
            (
                json!([{"key": "k", "value": "1"}, {"key": "k", "value": "1"}]),
                Reason::InvalidParameter,
                "GroupAttr[1].key",
            ),
        ] {
            let error = pairs(json!({ "GroupAttr": list })).expect_err("a refusal");
            assert_eq!((error.reason, error.field.as_deref()), (reason, Some(field)), "{list}");
        }
    }
}
