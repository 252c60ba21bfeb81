//! Attributes of a group: read, replaced, merged, cleared.

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;

use super::asked::{Asked, InPath, Query};
use super::body::{Pairs, Raw};
use super::groups::view;
use super::openapi::{refuses, shapes};
use super::problem::Problem;
use super::reply::{Answer, of_engine, ok};
use crate::http::App;
use crate::model::attributes::{AttributeChange, check_key, check_value, field_of};
use crate::model::{Error, GroupId, Operation, Reason};
use crate::rules::matrix::{Action, Standing};

/// The field that holds all of them.
const FIELD: &str = "attributes";

#[derive(Deserialize, ToSchema)]
#[schema(as = ReplaceAttributes)]
#[serde(deny_unknown_fields)]
struct Replace {
    #[schema(value_type = BTreeMap<String, String>)]
    attributes: Pairs<String>,
}

#[derive(Deserialize, ToSchema)]
#[schema(as = MergeAttributes)]
#[serde(deny_unknown_fields)]
struct Merge {
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    attributes: Pairs<Option<String>>,
}

/// Read a group's attributes.
///
/// For members: all of them, or those of the keys that are named; a key that the group does not have is left out.
/// SDK: `getGroupAttributes`.
#[utoipa::path(
    get, path = "/groups/{groupID}/attributes", tag = "Attributes",
    params(("key" = Option<Vec<String>>, Query)),
    responses((status = 200, description = "The attributes.", body = shapes::Attributes,
        example = json!({ "attributes": { "topic": "lunch" }, "seq": 4 }))),
    extensions(("x-refuses" = json!(refuses![AttributeKeyInvalid])))
)]
pub async fn get_attributes(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
) -> Answer {
    let query = query.only(&[], &["key"])?;
    let group = id.group()?;
    let keys: Vec<&str> = query.all("key").collect();
    for key in &keys {
        check_key("key", key)?;
    }
    let view = view(&app, &group, &asked.caller.user).await?;
    let rules = app.types.of(&view.group);
    rules.permit(Action::ReadAttributes, Standing::of(&asked.caller, view.role))?;
    let Some((seq, mut attributes)) = app.store.attributes(&group).await? else {
        return Err(Error::new(Reason::GroupNotFound, "there is no such group").into());
    };
    if !keys.is_empty() {
        attributes.retain(|key, _| keys.contains(&key.as_str()));
    }
    Ok(ok(json!({ "attributes": attributes, "seq": seq })))
}

/// Replace all attributes.
///
/// What is not named goes. In a Work group any member, in an AVChatRoom the owner, otherwise owner and admins. All or
/// nothing; what changes nothing does not count as a change. SDK: `initGroupAttributes`.
#[utoipa::path(
    put, path = "/groups/{groupID}/attributes", tag = "Attributes",
    request_body(content = Replace, example = json!({ "attributes": { "topic": "lunch" } })),
    responses((status = 200, description = "Replaced.")),
    extensions(("x-refuses" = json!(refuses![
        MissingField, AttributeKeyInvalid, AttributeValueTooLong, TooManyAttributes,
        AttributesTooLarge, AttributesTooOften,
    ])))
)]
pub async fn replace_attributes(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    let Pairs(values) = body.read::<Replace>()?.attributes;
    for (key, value) in &values {
        check(key, Some(value))?;
    }
    change(app, asked, id.group()?, AttributeChange::Replace(values), &body.0, dry_run).await
}

/// Change some attributes.
///
/// What is not named stays, and `null` removes one: that it was not there is no refusal. Who may, as for replacing all.
/// SDK: `setGroupAttributes`, `deleteGroupAttributes`.
#[utoipa::path(
    patch, path = "/groups/{groupID}/attributes", tag = "Attributes",
    request_body(content = Merge, example = json!({ "attributes": { "topic": "dinner", "place": null } })),
    responses((status = 200, description = "Changed.")),
    extensions(("x-refuses" = json!(refuses![
        MissingField, AttributeKeyInvalid, AttributeValueTooLong, TooManyAttributes,
        AttributesTooLarge, AttributesTooOften,
    ])))
)]
pub async fn merge_attributes(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    let dry_run = query.dry_run()?;
    let Pairs(changes) = body.read::<Merge>()?.attributes;
    for (key, value) in &changes {
        check(key, value.as_deref())?;
    }
    change(app, asked, id.group()?, AttributeChange::Merge(changes), &body.0, dry_run).await
}

/// Remove all attributes.
///
/// Who may, as for replacing all. SDK: `deleteGroupAttributes`.
#[utoipa::path(
    delete, path = "/groups/{groupID}/attributes", tag = "Attributes",
    responses((status = 200, description = "Removed.")),
    extensions(("x-refuses" = json!(refuses![AttributesTooOften])))
)]
pub async fn clear_attributes(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
) -> Answer {
    let dry_run = query.dry_run()?;
    change(app, asked, id.group()?, AttributeChange::Clear, &[], dry_run).await
}

fn check(key: &str, value: Option<&str>) -> Result<(), Error> {
    let field = field_of(FIELD, key);
    check_key(&field, key)?;
    value.map_or(Ok(()), |value| check_value(&field, value))
}

async fn change(
    app: App,
    asked: Asked,
    group: GroupId,
    change: AttributeChange,
    body: &[u8],
    dry_run: bool,
) -> Result<Response, Problem> {
    let operation = Operation::SetAttributes { group, change };
    of_engine(asked.perform(&app, operation, body, dry_run).await?)
}
