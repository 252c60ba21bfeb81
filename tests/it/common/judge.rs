//! What is wrong with a value by a schema of a document. Only the keywords that the documents use are known;
//! any other is a fault of the test.

use serde_json::Value;

/// Judges by the schemas of one document.
#[derive(Clone, Copy)]
pub(crate) struct Judge(pub(crate) &'static Value);

impl Judge {
    /// Follows a reference, if it is one.
    pub(crate) fn resolve(self, value: &'static Value) -> &'static Value {
        let Some(place) = value["$ref"].as_str() else { return value };
        let names = place.trim_start_matches("#/").split('/');
        names.fold(self.0, |value, name| value.get(name).unwrap_or_else(|| panic!("{place}")))
    }

    /// What is wrong with a value by a schema.
    ///
    /// An object has no field but those that are listed, although clients are told to expect more: a new
    /// field has to be documented.
    pub(crate) fn faults(self, schema: &'static Value, value: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.judge(schema, value, "", &mut found);
        found
    }

    fn judge(self, schema: &'static Value, value: &Value, place: &str, found: &mut Vec<String>) {
        let keywords = schema.as_object().unwrap_or_else(|| panic!("{place}: no schema: {schema}"));
        let before = found.len();
        for (keyword, rule) in keywords {
            if !self.holds(schema, keyword, rule, value, place, found) {
                found.push(format!("{place}: {value} breaks {keyword} {rule}"));
            }
            if found.len() > before + 5 {
                return;
            }
        }
    }

    fn holds(
        self,
        whole: &'static Value,
        keyword: &str,
        rule: &'static Value,
        value: &Value,
        place: &str,
        found: &mut Vec<String>,
    ) -> bool {
        match keyword {
            "description" | "default" | "example" | "discriminator" => {}
            "$ref" => self.judge(self.resolve(whole), value, place, found),
            "oneOf" => self.one_of(rule, value, place, found),
            "required" => {
                let names = rule.as_array().expect("names");
                return names
                    .iter()
                    .all(|name| value.get(name.as_str().expect("a name")).is_some());
            }
            "propertyNames" => {
                for name in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
                    let name = Value::from(name.as_str());
                    self.judge(rule, &name, &format!("{place}, a name"), found);
                }
            }
            "additionalProperties" if rule.is_object() => {
                assert!(
                    whole.get("properties").is_none(),
                    "{place}: fields and names of one's own"
                );
                for (name, inner) in value.as_object().into_iter().flatten() {
                    self.judge(rule, inner, &format!("{place}.{name}"), found);
                }
            }
            "additionalProperties" => assert_eq!(*rule, false, "{place}"),
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    self.judge(rule, item, &format!("{place}[{index}]"), found);
                }
            }
            "properties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    match rule.get(name) {
                        Some(schema) => {
                            self.judge(schema, inner, &format!("{place}.{name}"), found);
                        }
                        None if whole.get("type").is_some() => {
                            found.push(format!("{place}.{name} is not documented"));
                        }
                        None => {}
                    }
                }
            }
            _ => return is_within(keyword, rule, value, place),
        }
        true
    }

    /// Exactly one of the schemas describes the value; otherwise what is wrong by the one that is nearest.
    fn one_of(self, schemas: &'static Value, value: &Value, place: &str, found: &mut Vec<String>) {
        let schemas = schemas.as_array().expect("schemas");
        let mut all: Vec<Vec<String>> =
            schemas.iter().map(|schema| self.faults(schema, value)).collect();
        all.sort_by_key(Vec::len);
        if all.iter().filter(|faults| faults.is_empty()).count() > 1 {
            found.push(format!("{place}: {value} is described more than once"));
        }
        found.extend(all[0].iter().map(|fault| format!("{place}{fault}")));
    }
}

/// Whether a value keeps a rule that looks at nothing inside it.
fn is_within(keyword: &str, rule: &'static Value, value: &Value, place: &str) -> bool {
    let count = |most: bool, of: Option<usize>| {
        let bound = rule.as_u64().expect("a bound");
        of.is_none_or(|of| if most { of as u64 <= bound } else { of as u64 >= bound })
    };
    match keyword {
        "type" => {
            let kinds: Vec<&str> = match rule {
                Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
                kind => vec![kind.as_str().expect("a type")],
            };
            kinds.iter().any(|kind| is_a(value, kind))
        }
        "enum" => rule.as_array().expect("a list").contains(value),
        "const" => value == rule,
        "minimum" => value.as_i64().is_none_or(|v| v >= rule.as_i64().expect("a number")),
        "maximum" => value.as_i64().is_none_or(|v| v <= rule.as_i64().expect("a number")),
        "minLength" => count(false, value.as_str().map(|text| text.chars().count())),
        "maxLength" => count(true, value.as_str().map(|text| text.chars().count())),
        "minItems" => count(false, value.as_array().map(Vec::len)),
        "maxItems" => count(true, value.as_array().map(Vec::len)),
        "maxProperties" => count(true, value.as_object().map(serde_json::Map::len)),
        "format" => value.as_str().is_none_or(|text| is_of_format(text, rule)),
        other => panic!("{place}: the keyword {other} is not known here"),
    }
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
