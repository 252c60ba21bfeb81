//! Accounts, in `im_open_login_svc`: `account_import`, `multiaccount_import`, `account_check`,
//! `account_delete`, `kick` (`tencent-im.md` section 3).

use std::collections::HashSet;

use futures_util::future::join_all;
use serde_json::{Map, Value, json};

use super::body::{Bound, Fields, Name, at_most, first_places};
use super::call::Call;
use super::reply::{self, Answer, PROFILE_VALUE_TOO_LONG, Refusal};
use super::table::Family;
use crate::model::command::UserEdit;
use crate::model::{Error, Operation, Reason, UserId, text};

const USER_ID: Name = &["UserID", "Identifier"];
const ACCOUNTS: Name = &["Accounts"];
const ACCOUNT_LIST: Name = &["AccountList"];
const CHECK_ITEM: Name = &["CheckItem"];
const DELETE_ITEM: Name = &["DeleteItem"];

/// Most accounts of one call.
const ACCOUNTS_IN_CALL: usize = 100;

/// `account_import`: makes the account, or refreshes its profile.
pub(super) async fn import(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let user = fields.user(USER_ID, call.user_bytes())?;
    let edit = read_profile(&fields)?;
    call.submit(Operation::ImportUsers { users: vec![(user, edit)] }).await?;
    Ok(Map::new())
}

/// What is to be known of an account; what is absent stays as it is.
fn read_profile(fields: &Fields<'_>) -> Result<UserEdit, Refusal> {
    let read = |name: Name, most| {
        fields.text(name, Bound::Line(most)).map_err(|error| match error.limit {
            Some(_) => Refusal::Coded(PROFILE_VALUE_TOO_LONG, error.text),
            None => Refusal::Shared(error),
        })
    };
    Ok(UserEdit {
        nick_name: read(&["Nick"], text::NICK_NAME_BYTES)?,
        face_url: read(&["FaceUrl"], text::FACE_URL_BYTES)?,
        ..UserEdit::default()
    })
}

/// `multiaccount_import`: ids, or accounts with their profiles, or both. Those that cannot be imported
/// are named in the answer and hold up no other.
pub(super) async fn import_many(call: Call) -> Result<Answer, Refusal> {
    let named = read_many(&call.fields(), call.user_bytes())?;
    let mut failed = named.failed;
    if !import_all(&call, named.accounts.clone()).await? {
        // One of them is being deleted, and the engine does all or nothing: one by one, then.
        for (user, edit) in named.accounts {
            if !import_all(&call, vec![(user.clone(), edit)]).await? {
                failed.push(user.to_string());
            }
        }
    }
    let mut answer = Map::new();
    answer.insert("FailAccounts".to_owned(), json!(failed));
    Ok(answer)
}

/// Imports accounts together; whether that was possible, which it is not while one is being deleted.
async fn import_all(call: &Call, users: Vec<(UserId, UserEdit)>) -> Result<bool, Refusal> {
    if users.is_empty() {
        return Ok(true);
    }
    match call.submit(Operation::ImportUsers { users }).await {
        Ok(_) => Ok(true),
        Err(Refusal::Shared(error)) if error.reason == Reason::AccountDeleted => Ok(false),
        Err(refusal) => Err(refusal),
    }
}

/// The accounts of a call, and the ids that can be none.
#[derive(Debug, Default)]
struct Many {
    accounts: Vec<(UserId, UserEdit)>,
    failed: Vec<String>,
}

fn read_many(fields: &Fields<'_>, user_bytes: usize) -> Result<Many, Refusal> {
    let ids = fields.strings(ACCOUNTS)?.unwrap_or_default();
    let items = fields.objects(ACCOUNT_LIST)?.unwrap_or_default();
    if ids.is_empty() && items.is_empty() {
        let text = "Accounts or AccountList has to name somebody";
        return Err(Error::new(Reason::MissingField, text).field("AccountList").into());
    }
    at_most("AccountList", ids.len() + items.len(), ACCOUNTS_IN_CALL, Reason::TooManyInCall)?;
    let mut many = Many::default();
    for (label, id) in ids {
        match UserId::parse(id, user_bytes, &label) {
            Ok(user) => many.accounts.push((user, UserEdit::default())),
            Err(_) => many.failed.push(id.to_owned()),
        }
    }
    for item in items {
        let id = item.require(USER_ID, item.any_string(USER_ID)?)?;
        match (UserId::parse(id, user_bytes, "UserID"), read_profile(&item)) {
            (Ok(user), Ok(edit)) => many.accounts.push((user, edit)),
            _ => many.failed.push(id.to_owned()),
        }
    }
    many.accounts = first_places(many.accounts, |(user, _)| user.clone());
    many.failed = first_places(many.failed, Clone::clone);
    Ok(many)
}

/// `account_check`: which of these are accounts.
pub(super) async fn check(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let named = read_items(&fields, CHECK_ITEM)?;
    let parsed: Vec<Result<UserId, Error>> =
        named.iter().map(|id| UserId::parse(id, call.user_bytes(), "UserID")).collect();
    let possible: Vec<UserId> = parsed.iter().filter_map(|one| one.clone().ok()).collect();
    let found = call.app.store.accounts(&possible).await?;
    let known: HashSet<&str> = found.iter().map(|account| account.id.as_str()).collect();
    let line = |(id, parsed): (&&str, &Result<UserId, Error>)| -> Value {
        let (code, text) = match parsed {
            Ok(_) => (0, ""),
            Err(error) => (reply::code(error.reason, Family::Accounts), error.text.as_str()),
        };
        let status = if known.contains(id) { "Imported" } else { "NotImported" };
        json!({"UserID": id, "ResultCode": code, "ResultInfo": text, "AccountStatus": status})
    };
    let mut answer = Map::new();
    answer.insert("ResultItem".to_owned(), named.iter().zip(&parsed).map(line).collect());
    Ok(answer)
}

/// The ids that a list of items names, possible or not, each at its first place.
fn read_items<'a>(fields: &Fields<'a>, list: Name) -> Result<Vec<&'a str>, Refusal> {
    let items = fields.require(list, fields.objects(list)?)?;
    if items.is_empty() {
        return Err(fields.names_nobody(list).into());
    }
    let label = list.first().copied().unwrap_or_default();
    at_most(label, items.len(), ACCOUNTS_IN_CALL, Reason::TooManyInCall)?;
    let mut named = Vec::with_capacity(items.len());
    for item in &items {
        named.push(item.require(USER_ID, item.any_string(USER_ID)?)?);
    }
    Ok(first_places(named, |id| *id))
}

/// `account_delete`: marks accounts as deleted; what they are in ends afterwards, by itself.
pub(super) async fn delete(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let named = read_items(&fields, DELETE_ITEM)?;
    let delete = async |id: &str| -> Result<(), Refusal> {
        let user = UserId::parse(id, call.user_bytes(), "UserID")?;
        call.submit(Operation::DeleteUser { user }).await.map(drop)
    };
    let results = join_all(named.iter().map(|id| delete(id))).await;
    let line = |(id, result): (&&str, Result<(), Refusal>)| -> Value {
        let (code, text) = match result {
            Ok(()) => (0, String::new()),
            Err(refusal) => {
                (refusal.code(Family::Accounts, call.row.unsupported), refusal.text().to_owned())
            }
        };
        json!({"UserID": id, "ResultCode": code, "ResultInfo": text})
    };
    let mut answer = Map::new();
    answer.insert("ResultItem".to_owned(), named.iter().zip(results).map(line).collect());
    Ok(answer)
}

/// `kick`: makes worthless what was signed for an account by now.
pub(super) async fn kick(call: Call) -> Result<Answer, Refusal> {
    let user = call.fields().user(USER_ID, call.user_bytes())?;
    call.submit(Operation::RevokeCredentials { user }).await?;
    Ok(Map::new())
}

#[cfg(test)]
mod tests;
