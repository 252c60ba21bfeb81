//! Accounts: a person changes his own, an app administrator any.

use crate::model::command::UserEdit;
use crate::model::limits::Accounts;
use crate::model::{Caller, Error, IdSet, Reason, Reply, UserId};

use super::facts::{Facts, Stop};
use super::{Decision, Rows, Step};

fn permit(caller: &Caller, user: &UserId, edit: &UserEdit) -> Result<(), Error> {
    if caller.administrator {
        return Ok(());
    }
    if caller.user != *user {
        let text = "only the user himself and app administrators may change an account";
        return Err(Error::administrators_only(text));
    }
    if edit.group_limit.is_some() {
        let text = "only app administrators may change groupLimit";
        return Err(Error::administrators_only(text).field("groupLimit"));
    }
    Ok(())
}

pub(super) fn users(
    facts: &Facts,
    caller: &Caller,
    user: &UserId,
    edit: &UserEdit,
) -> Result<Rows, Stop> {
    permit(caller, user, edit)?;
    let mut rows = Rows::default();
    rows.lock.insert(user.clone());
    if caller.administrator || facts.limits.accounts == Accounts::Open {
        rows.make.insert(user.clone());
    }
    Ok(rows)
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &UserId,
    edit: &UserEdit,
) -> Result<Decision, Stop> {
    permit(caller, id, edit)?;
    match facts.user(id)? {
        Some(user) if user.deleted_at.is_none() => Ok(Decision {
            reply: Reply::Done,
            steps: vec![Step::PutUser(id.clone(), edit.clone())],
        }),
        Some(_) => Err(Error::new(Reason::AccountDeleted, "the account was deleted").into()),
        None => Err(Error::new(Reason::UnknownAccount, "the account was never imported").into()),
    }
}

pub(super) fn import_rows(caller: &Caller, users: &[(UserId, UserEdit)]) -> Result<Rows, Stop> {
    administrators_only(caller)?;
    let ids: IdSet<UserId> = users.iter().map(|(user, _)| user.clone()).collect();
    Ok(Rows { lock: ids.clone(), make: ids })
}

pub(super) fn import(
    facts: &Facts,
    caller: &Caller,
    users: &[(UserId, UserEdit)],
) -> Result<Decision, Stop> {
    administrators_only(caller)?;
    let mut steps = Vec::with_capacity(users.len());
    for (id, edit) in users {
        let gone = facts.user(id)?.is_none_or(|user| user.deleted_at.is_some());
        if gone {
            let text = format!("the account {id} is being deleted");
            return Err(Error::new(Reason::AccountDeleted, text).into());
        }
        steps.push(Step::PutUser(id.clone(), edit.clone()));
    }
    Ok(Decision { reply: Reply::Done, steps })
}

fn administrators_only(caller: &Caller) -> Result<(), Error> {
    if caller.administrator {
        return Ok(());
    }
    Err(Error::administrators_only("only app administrators import accounts"))
}
