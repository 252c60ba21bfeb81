//! From what the routes say of themselves to the whole document: what all have in common is added here.

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{errors, fields};
use crate::http::BODY_BYTES;
use crate::model::EventKind;

/// What the tags mean, in the order in which people read them.
const TAGS: &[(&str, &str)] = &[
    ("Groups", "Make, read, change and end groups."),
    ("Members", "Bring people in, list them, let them go."),
    ("Bans", "Keep people out, and let them come back."),
    ("Attributes", "A small map of texts that an app keeps with a group."),
    ("Applications", "What waits for somebody's consent."),
    ("Users", "Accounts, and the groups that they are in."),
    ("Events", "What happened in a group, as history and live."),
    ("Server", "The server itself."),
];

/// The values of ids in paths that examples use.
const EXAMPLES: &[(&str, &str)] = &[
    ("groupID", "team"),
    ("userID", "bob"),
    ("applicationID", "019ab0c4-7a1e-7c6b-9d2e-5f0a1b2c3d4e"),
];

const ABOUT: &str = "Groups and their members: every change over REST, every event at once over a \
websocket.

**Answers.** Every answer is `{\"code\", \"desc\", \"data\"}`. `code` is 0, or an error number of Tencent \
IM beside a fitting HTTP status. The `data` of a refusal is `{\"reason\", \"field\"?, \"limit\"?, \
\"current\"?, \"source\"?}`; `reason` is a stable word to program against. A refused call changed nothing.

**Who asks.** `Authorization: Bearer TOKEN`, a UserSig or a JWT. An app administrator stands above owners \
and needs no membership; everybody else acts as himself.

**Lists** have pages: `limit` and `next`, the `next` of the page before. No `next` is the end.

**Conventions.** Unknown fields and query parameters are refused. Times are RFC 3339 in UTC. Ids in paths \
are percent-encoded. New fields may appear in answers: ignore what you do not know.";

/// Completes the document.
pub(super) fn finish(mut document: Value) -> Value {
    let mut schemas = document["components"]["schemas"].take();
    for (name, schema) in schemas.as_object_mut().into_iter().flatten() {
        finish_schema(name, schema);
    }
    let mut paths = document["paths"].take();
    let mut own = Vec::new();
    for (path, item) in paths.as_object_mut().into_iter().flatten() {
        *item = in_order(item);
        for (method, operation) in item.as_object_mut().into_iter().flatten() {
            own.extend(finish_operation(path, method, operation, &schemas));
        }
    }
    schemas["Refusal"] = errors::schema();
    let tags: Value = TAGS
        .iter()
        .map(|(name, meaning)| json!({ "name": name, "description": meaning }))
        .collect();
    json!({
        "openapi": document["openapi"],
        "info": {
            "title": "Muster",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
        },
        "servers": [{ "url": "/", "description": "This server." }],
        "security": [{ "bearer": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": { "bearer": {
                "type": "http", "scheme": "bearer",
                "description": "A UserSig, or a JWT with `sub`, `iat` and `exp`. \
                                `muster token USERID` prints one."
            } },
            "responses": errors::components(),
            "examples": errors::examples(own.iter()),
            "schemas": schemas,
        },
    })
}

/// The operations of a path, in the order in which people read them.
fn in_order(item: &mut Value) -> Value {
    ["get", "post", "put", "patch", "delete"]
        .iter()
        .filter_map(|method| Some(((*method).to_owned(), item.get_mut(*method)?.take())))
        .collect::<Map<String, Value>>()
        .into()
}

/// Adds the schema of a shape and of everything that it names, as the document has them.
pub(in crate::http::v1) fn add_schemas<T: ToSchema>(schemas: &mut Map<String, Value>) {
    let mut found = vec![(T::name().into_owned(), T::schema())];
    T::schemas(&mut found);
    for (name, schema) in found {
        // A schema is made of texts, numbers and lists: this cannot fail.
        let mut schema = serde_json::to_value(schema).unwrap_or_default();
        finish_schema(&name, &mut schema);
        schemas.entry(name).or_insert(schema);
    }
}

/// Describes the fields of a schema, and of what is written into it.
fn finish_schema(name: &str, schema: &mut Value) {
    let of_an_event = EventKind::from_word(name).is_some();
    let within = if of_an_event { "Event" } else { name };
    let required = schema["required"].clone();
    let is_required =
        |field: &str| required.as_array().is_some_and(|all| all.iter().any(|one| one == field));
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for (field, property) in properties.into_iter().flatten() {
        let line = if fields::is_of(name, field) { name } else { within };
        fields::describe(property, line, field, is_required(field));
    }
    if of_an_event {
        for (field, word) in [("type", "event"), ("event", name), ("stream", "user")] {
            let properties = schema.get_mut("properties");
            if let Some(property) = properties.and_then(|all| all.get_mut(field)) {
                property["const"] = json!(word);
            }
        }
    }
}

/// Completes an operation and returns the refusals of its own.
fn finish_operation(
    path: &str,
    method: &str,
    operation: &mut Value,
    schemas: &Value,
) -> Vec<Value> {
    if let Some(id) = operation["operationId"].as_str() {
        operation["operationId"] = json!(camel(id));
    }
    if let Some(summary) = operation["summary"].as_str() {
        operation["summary"] = json!(summary.trim_end_matches('.'));
    }
    let own = operation.as_object_mut().and_then(|fields| fields.remove("x-refuses"));
    let own = own.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
    let open = operation["security"] == json!([{}]);
    let body = operation["requestBody"].is_object();
    let params = parameters(path, method, operation);
    if params.is_empty() {
        operation.as_object_mut().map(|fields| fields.remove("parameters"));
    } else {
        operation["parameters"] = Value::Array(params);
    }
    if body {
        let content = &operation["requestBody"]["content"]["application/json"]["schema"];
        let name = content["$ref"].as_str().and_then(|place| place.rsplit('/').next());
        // An empty body stands for an empty object.
        let needed = name.is_some_and(|name| schemas[name]["required"].is_array());
        operation["requestBody"]["required"] = json!(needed);
        let text = format!("A JSON object of at most {} KiB.", BODY_BYTES / 1024);
        operation["requestBody"]["description"] = json!(text);
    }
    let mut responses = operation["responses"].take();
    for (status, response) in responses.as_object_mut().into_iter().flatten() {
        if !open && status.starts_with('2') {
            envelop(response);
        }
    }
    let socket = responses.get("101").is_some();
    let traits = errors::Traits { path, method, secured: !open, body, socket, own: &own };
    if let Some(all) = responses.as_object_mut() {
        all.extend(traits.responses());
    }
    operation["responses"] = responses;
    own
}

/// Puts the data of a successful answer, and of its example, into the envelope.
fn envelop(response: &mut Value) {
    let content = &mut response["content"]["application/json"];
    let mut data = content["schema"].take();
    if data.is_null() {
        data = json!({ "type": "null" });
    }
    let example = content["example"].take();
    *content = json!({
        "schema": {
            "type": "object",
            "required": ["code", "desc", "data"],
            "properties": {
                "code": { "type": "integer", "const": 0 },
                "desc": { "type": "string", "const": "ok" },
                "data": data,
            }
        },
        "example": { "code": 0, "desc": "ok", "data": example },
    });
}

/// Whether an operation can be asked for its answer alone: every change but those of accounts.
fn has_dry_run(path: &str, method: &str) -> bool {
    method != "get" && !path.starts_with("/v1/users")
}

/// The parameters of an operation: those in the path first, then the query's, then the key.
fn parameters(path: &str, method: &str, operation: &Value) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let id = operation["operationId"].as_str().unwrap_or_default();
    let named = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    for part in path.split('/') {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
            continue;
        };
        let given = named.iter().find(|one| one["name"] == name).map(|one| &one["example"]);
        let usual =
            EXAMPLES.iter().find(|(known, _)| *known == name).map(|(_, value)| json!(value));
        all.push(json!({
            "name": name, "in": "path", "required": true, "schema": { "type": "string" },
            "example": given.cloned().or(usual),
        }));
    }
    all.extend(named.iter().filter(|one| one["in"] == "query").cloned());
    if has_dry_run(path, method) {
        all.push(json!({
            "name": "dryRun", "in": "query", "required": false,
            "schema": { "type": "boolean", "default": false },
        }));
    }
    if method == "post" {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "minLength": 1 },
        }));
    }
    for parameter in &mut all {
        let place = parameter["in"].as_str().unwrap_or_default().to_owned();
        let name = parameter["name"].as_str().unwrap_or_default().to_owned();
        let mut schema = parameter["schema"].take();
        let within = if fields::is_of(id, &name) { id } else { &place };
        fields::describe(&mut schema, within, &name, false);
        // A parameter's meaning stands beside its schema.
        if let Some(meaning) = schema.as_object_mut().and_then(|s| s.remove("description")) {
            parameter["description"] = meaning;
        }
        parameter["schema"] = schema;
    }
    all
}

/// `create_group` as `createGroup`.
fn camel(id: &str) -> String {
    let mut parts = id.split('_');
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}
