//! Attributes of a group: read, replaced, merged, cleared.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use axum::extract::State;
use axum::response::Response;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::json;

use super::asked::{Asked, InPath, Query};
use super::body::Raw;
use super::groups::{standing, view};
use super::problem::Problem;
use super::reply::{Answer, of_engine, ok};
use crate::http::App;
use crate::model::attributes::{AttributeChange, check_key, check_value, field_of};
use crate::model::{Error, GroupId, Operation, Reason};
use crate::rules::matrix::{Action, permit};

/// The field that holds all of them.
const FIELD: &str = "attributes";

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    attributes: Pairs<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Merge {
    attributes: Pairs<Option<String>>,
}

/// An object whose names are the caller's own. One that stands twice is refused as a field is.
struct Pairs<T>(BTreeMap<String, T>);

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
                        let shown = field_of(FIELD, &name);
                        return Err(A::Error::custom(format!("{shown} stands twice")));
                    }
                    pairs.insert(name, value);
                }
                Ok(pairs)
            }
        }

        deserializer.deserialize_map(Names(PhantomData)).map(Self)
    }
}

/// `GET /v1/groups/{groupID}/attributes`
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
    permit(view.group.group_type, Action::ReadAttributes, standing(&asked.caller, &view))?;
    let Some((seq, mut attributes)) = app.store.attributes(&group).await? else {
        return Err(Error::new(Reason::GroupNotFound, "there is no such group").into());
    };
    if !keys.is_empty() {
        attributes.retain(|key, _| keys.contains(&key.as_str()));
    }
    Ok(ok(json!({ "attributes": attributes, "seq": seq })))
}

/// `PUT /v1/groups/{groupID}/attributes`
pub async fn replace_attributes(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    query.only(&[], &[])?;
    let Pairs(values) = body.read::<Replace>()?.attributes;
    for (key, value) in &values {
        check(key, Some(value))?;
    }
    change(app, asked, id.group()?, AttributeChange::Replace(values), &body.0).await
}

/// `PATCH /v1/groups/{groupID}/attributes`
pub async fn merge_attributes(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
    body: Raw,
) -> Answer {
    query.only(&[], &[])?;
    let Pairs(changes) = body.read::<Merge>()?.attributes;
    for (key, value) in &changes {
        check(key, value.as_deref())?;
    }
    change(app, asked, id.group()?, AttributeChange::Merge(changes), &body.0).await
}

/// `DELETE /v1/groups/{groupID}/attributes`
pub async fn clear_attributes(
    State(app): State<App>,
    asked: Asked,
    id: InPath,
    query: Query,
) -> Answer {
    query.only(&[], &[])?;
    change(app, asked, id.group()?, AttributeChange::Clear, &[]).await
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
) -> Result<Response, Problem> {
    let operation = Operation::SetAttributes { group, change };
    of_engine(app.engine.submit(asked.command(operation, body)).await?)
}
