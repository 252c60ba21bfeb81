//! The OpenAPI document: whole, and true. That every answer of every test is one that it describes is
//! checked where answers come in (`common::contract`).

mod examples;
mod page;

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::Value;

use crate::common::contract::{DOCUMENT, faults, operations, resolve};
use crate::common::{ADMIN, Server};

/// The paths of an operation with the examples of its ids in their places.
fn example_path(path: &str, operation: &Value) -> String {
    let mut path = path.to_owned();
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        if parameter["in"] == "path" {
            let name = format!("{{{}}}", parameter["name"].as_str().expect("a name"));
            path = path.replace(&name, parameter["example"].as_str().expect("an example"));
        }
    }
    path
}

/// The status and the media type of an operation's success.
fn success(operation: &'static Value) -> (u16, &'static Value) {
    let responses = operation["responses"].as_object().expect("responses");
    let mut good = responses.iter().filter(|(status, _)| *status < &"300".to_owned());
    let (status, response) = good.next().expect("a success");
    assert!(good.next().is_none(), "one success");
    (status.parse().expect("a status"), &response["content"]["application/json"])
}

#[test]
fn every_operation_has_a_text_a_tag_examples_schemas_and_refusals() {
    let mut ids = BTreeSet::new();
    let tags: Vec<&Value> =
        DOCUMENT["tags"].as_array().expect("tags").iter().map(|tag| &tag["name"]).collect();
    for (path, method, operation) in operations() {
        let what = format!("{method} {path}");
        for text in ["summary", "description", "operationId"] {
            assert!(operation[text].as_str().is_some_and(|text| text.len() > 3), "{what}: {text}");
        }
        assert!(ids.insert(operation["operationId"].as_str()), "{what}: an id stands twice");
        assert!(tags.contains(&&operation["tags"][0]), "{what}: {}", operation["tags"]);
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = &parameter["name"];
            assert!(parameter["description"].is_string(), "{what}: {name} has no meaning");
            if parameter["in"] == "path" {
                assert_eq!(faults(&parameter["schema"], &parameter["example"]), [""; 0], "{what}");
            }
        }
        if let Some(body) = operation.get("requestBody") {
            let media = &body["content"]["application/json"];
            assert!(media["example"].is_object(), "{what}: the body has no example");
            assert_eq!(faults(&media["schema"], &media["example"]), [""; 0], "{what}");
        }
        let (status, media) = success(operation);
        if status != 101 {
            assert!(!media["example"].is_null(), "{what}: the answer has no example");
            assert_eq!(faults(&media["schema"], &media["example"]), [""; 0], "{what}");
        }
        if operation["security"] != serde_json::json!([{}]) {
            for status in ["400", "401", "500", "503"] {
                let refusal = resolve(&operation["responses"][status]);
                assert!(refusal["description"].is_string(), "{what}: {status}");
                let examples = refusal["content"]["application/json"]["examples"].as_object();
                let schema = &refusal["content"]["application/json"]["schema"];
                for example in examples.expect("examples").values() {
                    assert_eq!(faults(schema, &resolve(example)["value"]), [""; 0], "{what}");
                }
            }
        }
    }
    assert!(ids.len() > 30, "only {} operations", ids.len());
}

#[test]
fn every_field_of_every_schema_has_a_meaning() {
    let schemas = DOCUMENT["components"]["schemas"].as_object().expect("schemas");
    for (name, schema) in schemas {
        for (field, property) in schema["properties"].as_object().into_iter().flatten() {
            assert!(property["description"].is_string(), "{name}.{field} has no meaning");
        }
    }
}

/// Everything that `$ref` points to is there, and everything that is there is pointed to.
#[test]
fn references_and_components_agree() {
    fn gather(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(ToOwned::to_owned));
                fields.values().for_each(|inner| gather(inner, found));
            }
            Value::Array(items) => items.iter().for_each(|inner| gather(inner, found)),
            _ => {}
        }
    }
    let mut pointed = BTreeSet::new();
    gather(&DOCUMENT, &mut pointed);
    let mut there = BTreeSet::new();
    for kind in ["schemas", "responses", "examples"] {
        let all = DOCUMENT["components"][kind].as_object().expect(kind);
        there.extend(all.keys().map(|name| format!("#/components/{kind}/{name}")));
    }
    assert_eq!(pointed, there);
}

/// A route can be registered past its documentation only with `route`, which stands nowhere.
#[test]
fn no_route_is_registered_without_its_documentation() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/v1");
    let mut folders = vec![std::path::PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).expect("a file");
            for call in [".route(", ".route_service(", ".nest_service(", ".fallback("] {
                assert!(!text.contains(call), "{}: {call}", path.display());
            }
        }
    }
}

#[tokio::test]
async fn what_the_document_names_exists_and_no_other_method_does() {
    let server = Server::start().await;
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    for (path, item) in paths {
        let (_, operation) = item.as_object().and_then(|item| item.iter().next()).expect("one");
        let target = example_path(path, operation);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let bearer = format!("Bearer {}", server.token(ADMIN));
            let asked = Method::from_bytes(method.as_bytes()).expect("a method");
            let answer = server.send(asked, &target, &[("authorization", &bearer)], "").await;
            let known = item.get(method.to_lowercase()).is_some();
            let reason = answer.body["data"]["reason"].as_str().unwrap_or_default();
            let found = !["unknown_route", "method_not_allowed"].contains(&reason);
            assert_eq!(found, known, "{method} {path}: {answer:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_route_knows_the_query_parameters_that_the_document_names_and_no_other() {
    let server = Server::start().await;
    let of = |operation: &'static Value| -> BTreeSet<&'static str> {
        let all = operation["parameters"].as_array().into_iter().flatten();
        let query = all.filter(|one| one["in"] == "query");
        query.map(|one| one["name"].as_str().expect("a name")).collect()
    };
    let mut names: BTreeSet<&str> =
        operations().iter().flat_map(|(.., operation)| of(operation)).collect();
    names.insert("zzz");
    let bearer = format!("Bearer {}", server.token(ADMIN));
    for (path, method, operation) in operations() {
        if operation["security"].is_array() {
            continue;
        }
        let target = example_path(path, operation);
        for name in &names {
            let asked = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
            let target = format!("{target}?{name}=%00");
            let answer = server.send(asked, &target, &[("authorization", &bearer)], "").await;
            let unknown = answer.body["data"]["reason"] == "unknown_field";
            assert_eq!(unknown, !of(operation).contains(name), "{method} {target}: {answer:?}");
            if unknown || *name == "dryRun" {
                assert_eq!(answer.body["data"]["field"], *name, "{method} {target}");
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn the_document_is_given_to_everybody_as_it_is_committed() {
    let server = Server::start().await;
    let answer = server.send(Method::GET, "/v1/openapi.json", &[], "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(answer.body["openapi"], "3.1.0");
    assert_eq!(answer.body, *DOCUMENT);
    server.stop().await;
}

/// The judge of answers sees what it should: otherwise every answer would be as documented.
#[test]
fn an_answer_that_is_not_as_documented_is_found() {
    type Spoil = fn(&mut Value);
    let schema = &DOCUMENT["components"]["schemas"]["MemberPage"];
    let (_, media) = success(&DOCUMENT["paths"]["/v1/groups/{groupID}/members"]["get"]);
    let good = &media["example"]["data"];
    assert_eq!(faults(schema, good), [""; 0]);
    let spoilt: [(&str, Spoil); 7] = [
        ("nobody documented", |page| page["memberList"][1]["age"] = 7.into()),
        ("required", |page| drop(page.as_object_mut().map(|page| page.remove("seq")))),
        ("type", |page| page["seq"] = "2".into()),
        ("enum", |page| page["memberList"][0]["role"] = "Boss".into()),
        ("format", |page| page["memberList"][0]["joinTime"] = "yesterday".into()),
        ("minLength", |page| page["memberList"][0]["userID"] = "".into()),
        ("minimum", |page| page["seq"] = (-1).into()),
    ];
    for (what, spoil) in spoilt {
        let mut page = good.clone();
        spoil(&mut page);
        assert_eq!(faults(schema, &page).len(), 1, "{what}: {page}");
    }
}
