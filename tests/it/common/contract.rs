//! Every answer of the native face in every test is one that its OpenAPI document describes: the status,
//! the reason of a refusal, and the data with no field that the document does not know.

use std::sync::LazyLock;

use serde_json::Value;

use super::judge::Judge;

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
    Judge(&DOCUMENT).resolve(value)
}

/// What is wrong with a value by a schema of the document.
pub(crate) fn faults(schema: &'static Value, value: &Value) -> Vec<String> {
    Judge(&DOCUMENT).faults(schema, value)
}
