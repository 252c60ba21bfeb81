//! Every answer of the native face in every test is one that its OpenAPI document describes: the status,
//! the reason of a refusal, and the data with no field that the document does not know.

use std::sync::LazyLock;

use serde_json::Value;

/// The document, as the server gives it out.
pub(crate) static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(muster::http::v1::openapi::document()).expect("the document is JSON")
});

/// All operations: path, method, operation.
pub(crate) fn operations() -> Vec<(&'static str, &'static str, &'static Value)> {
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let of = |item: &'static Value| item.as_object().expect("a path item");
    paths
        .iter()
        .flat_map(|(path, item)| {
            of(item).iter().map(|(method, operation)| (path.as_str(), method.as_str(), operation))
        })
        .collect()
}

/// Whether a path with names in braces describes this one, as the router sees it: a name may be empty
/// but at the end.
fn describes(path: &str, asked: &str) -> bool {
    let (names, parts) = (path.split('/'), asked.split('/'));
    names.clone().count() == parts.clone().count()
        && names.zip(parts).all(|(name, part)| name == part || name.starts_with('{'))
        && !asked.ends_with('/')
}

/// Checks an answer of the native face.
#[track_caller]
pub(crate) fn check(method: &str, target: &str, status: u16, body: &Value) {
    let path = target.split('?').next().expect("a path");
    if !path.starts_with("/v1/") || ["HEAD", "OPTIONS"].contains(&method) {
        return;
    }
    let method = method.to_ascii_lowercase();
    let all = operations();
    let of_path: Vec<_> = all.iter().filter(|(known, ..)| describes(known, path)).collect();
    let Some((.., operation)) = of_path.iter().find(|(_, known, _)| *known == method) else {
        let expected = if of_path.is_empty() { 404 } else { 405 };
        assert_eq!(status, expected, "{method} {path} is in no document: {body}");
        return;
    };
    let response = &operation["responses"][status.to_string().as_str()];
    assert!(response.is_object(), "{method} {path}: {status} is not documented: {body}");
    let response = resolve(response);
    let content = &response["content"]["application/json"]["schema"];
    if status != 101 {
        let faults = faults(content, body);
        assert!(faults.is_empty(), "{method} {path} {status}: {faults:#?}: {body}");
    }
}

/// Follows a reference, if it is one.
pub(crate) fn resolve(value: &'static Value) -> &'static Value {
    let Some(place) = value["$ref"].as_str() else { return value };
    let names = place.trim_start_matches("#/").split('/');
    names.fold(&*DOCUMENT, |value, name| value.get(name).unwrap_or_else(|| panic!("{place}")))
}

/// What is wrong with a value by a schema.
///
/// An object has no field but those that are listed, although clients are told to expect more: a new field
/// has to be documented. The keywords are those that the document uses; any other is a fault of the test.
pub(crate) fn faults(schema: &'static Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    judge(schema, value, "", &mut found);
    found
}

fn judge(schema: &'static Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let keywords = schema.as_object().unwrap_or_else(|| panic!("{place}: no schema: {schema}"));
    let before = found.len();
    for (keyword, rule) in keywords {
        if !holds(schema, keyword, rule, value, place, found) {
            found.push(format!("{place}: {value} breaks {keyword} {rule}"));
        }
        if found.len() > before + 5 {
            return;
        }
    }
}

fn holds(
    whole: &'static Value,
    keyword: &str,
    rule: &'static Value,
    value: &Value,
    place: &str,
    found: &mut Vec<String>,
) -> bool {
    let count = |most: bool, of: Option<usize>| {
        let bound = rule.as_u64().expect("a bound");
        of.is_none_or(|of| if most { of as u64 <= bound } else { of as u64 >= bound })
    };
    match keyword {
        "description" | "default" | "example" => {}
        "$ref" => judge(resolve(whole), value, place, found),
        "type" => {
            let kinds: Vec<&str> = match rule {
                Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
                kind => vec![kind.as_str().expect("a type")],
            };
            return kinds.iter().any(|kind| is_a(value, kind));
        }
        "enum" => return rule.as_array().expect("a list").contains(value),
        "const" => return value == rule,
        "minimum" => return value.as_i64().is_none_or(|v| v >= rule.as_i64().expect("a number")),
        "maximum" => return value.as_i64().is_none_or(|v| v <= rule.as_i64().expect("a number")),
        "minLength" => return count(false, value.as_str().map(|text| text.chars().count())),
        "maxLength" => return count(true, value.as_str().map(|text| text.chars().count())),
        "minItems" => return count(false, value.as_array().map(Vec::len)),
        "maxItems" => return count(true, value.as_array().map(Vec::len)),
        "format" => return value.as_str().is_none_or(|text| is_of_format(text, rule)),
        "required" => {
            let names = rule.as_array().expect("names");
            return names.iter().all(|name| value.get(name.as_str().expect("a name")).is_some());
        }
        "maxProperties" => return count(true, value.as_object().map(serde_json::Map::len)),
        "propertyNames" => {
            for name in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
                judge(rule, &Value::from(name.as_str()), &format!("{place}, a name"), found);
            }
        }
        "additionalProperties" if rule.is_object() => {
            assert!(whole.get("properties").is_none(), "{place}: fields and names of one's own");
            for (name, inner) in value.as_object().into_iter().flatten() {
                judge(rule, inner, &format!("{place}.{name}"), found);
            }
        }
        "additionalProperties" => assert_eq!(*rule, false, "{place}"),
        "items" => {
            for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                judge(rule, item, &format!("{place}[{index}]"), found);
            }
        }
        "properties" => {
            for (name, inner) in value.as_object().into_iter().flatten() {
                match rule.get(name) {
                    Some(schema) => judge(schema, inner, &format!("{place}.{name}"), found),
                    None if whole.get("type").is_some() => {
                        found.push(format!("{place}.{name} is not documented"));
                    }
                    None => {}
                }
            }
        }
        other => panic!("{place}: the keyword {other} is not known here"),
    }
    true
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the type {other} is not known here"),
    }
}

fn is_of_format(text: &str, format: &Value) -> bool {
    match format.as_str() {
        Some("date-time") => {
            text.ends_with('Z') && chrono::DateTime::parse_from_rfc3339(text).is_ok()
        }
        Some("uuid") => uuid::Uuid::try_parse(text).is_ok(),
        Some("int32" | "int64") => true,
        other => panic!("the format {other:?} is not known here"),
    }
}
