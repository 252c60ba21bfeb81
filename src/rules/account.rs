//! The end of credentials and of accounts (`decisions.md` j and t).
//!
//! Deleting an account only marks it: from then on no credential of its is worth anything and nobody can
//! bring it in anywhere. Its memberships and open applications then end group by group, each in a
//! transaction of its own, told by onMemberLeave in the name of whoever deleted it. As every way into a
//! group asks for the mark, what is left can only become less, and once nothing is left the account is
//! forgotten: the id is free again, for an account that has nothing to do with this one.

use crate::model::event::GroupEvent;
use crate::model::{Application, Caller, Ending, Error, GroupId, Reason, Reply, User, UserId};

use super::application;
use super::facts::{Facts, Stop};
use super::{Decision, Needs, Rows, Step};

/// Most applications that the account made and that one step closes.
pub const CLOSED_IN_A_STEP: usize = 100;

fn permit(caller: &Caller) -> Result<(), Error> {
    if caller.administrator {
        return Ok(());
    }
    let text = "only app administrators end credentials and accounts";
    Err(Error::administrators_only(text))
}

pub(super) fn users(caller: &Caller, user: &UserId) -> Result<Rows, Stop> {
    permit(caller)?;
    Ok(only(user))
}

fn only(user: &UserId) -> Rows {
    let mut rows = Rows::default();
    rows.lock.insert(user.clone());
    rows
}

/// The account; `None` when it is being deleted already.
fn account<'a>(facts: &'a Facts, id: &UserId) -> Result<Option<&'a User>, Stop> {
    let unknown = || Error::new(Reason::UnknownAccount, "there is no such account").field("userID");
    let user = facts.user(id)?.ok_or_else(unknown)?;
    Ok(Some(user).filter(|user| user.deleted_at.is_none()))
}

pub(super) fn revoke(facts: &Facts, caller: &Caller, id: &UserId) -> Result<Decision, Stop> {
    permit(caller)?;
    // Of an account that is being deleted no credential is worth anything as it is.
    let steps =
        account(facts, id)?.map(|user| Step::Revoke { user: user.id.clone(), ended: false });
    Ok(Decision { reply: Reply::Done, steps: steps.into_iter().collect() })
}

pub(super) fn delete(facts: &Facts, caller: &Caller, id: &UserId) -> Result<Decision, Stop> {
    permit(caller)?;
    let Some(user) = account(facts, id)? else { return Ok(Decision::unchanged(Reply::Done)) };
    let steps = vec![
        Step::Delete { user: user.id.clone(), by: caller.user.clone() },
        Step::Revoke { user: user.id.clone(), ended: true },
    ];
    Ok(Decision { reply: Reply::Done, steps })
}

pub(super) fn look_depart(user: &UserId) -> Needs {
    Needs { people: vec![user.clone()], askers: vec![user.clone()], ..Needs::default() }
}

/// The open applications of a group that the account made, or that would make it a member.
fn open_of<'a>(
    facts: &'a Facts,
    id: &GroupId,
    user: &UserId,
) -> Result<Vec<&'a Application>, Stop> {
    let all = facts.of(id)?.applications.values().filter(|open| open.handled.is_none());
    let mut open: Vec<&Application> =
        all.filter(|open| open.subject == *user || open.from_user == *user).collect();
    open.sort_unstable_by_key(|open| open.id);
    open.truncate(CLOSED_IN_A_STEP);
    Ok(open)
}

pub(super) fn depart_users(facts: &Facts, id: &GroupId, user: &UserId) -> Result<Rows, Stop> {
    let mut rows = only(user);
    for open in open_of(facts, id, user)? {
        rows.lock.extend(open.concerned());
        rows.lock.insert(open.subject.clone());
    }
    Ok(rows)
}

/// Ends what an account that is being deleted has in a group: [`Reply::More`] when some of it may be left.
pub(super) fn depart(facts: &Facts, id: &GroupId, user: &UserId) -> Result<Decision, Stop> {
    let of_group = facts.of(id)?;
    let by = facts.user(user)?.filter(|user| user.deleted_at.is_some());
    let (Some(group), Some(op)) = (&of_group.group, by.and_then(|user| user.deleted_by.as_ref()))
    else {
        return Ok(Decision::unchanged(Reply::Done));
    };
    let open = open_of(facts, id, user)?;
    let more = open.len() >= CLOSED_IN_A_STEP;
    let mut steps: Vec<Step> = open
        .into_iter()
        .flat_map(|open| application::close(open, Ending::AccountDeleted, None, "", facts.now))
        // The account itself hears no more.
        .filter(|step| !matches!(step, Step::Personal(told, _) if told == user))
        .collect();
    if of_group.member(user)?.is_some() {
        steps.push(if group.dismissed_at.is_some() {
            // The dismissal was the event that ended it.
            Step::Release(id.clone(), vec![user.clone()])
        } else {
            let event = GroupEvent::Left { member: user.clone(), op: op.clone() };
            Step::Group(id.clone(), event)
        });
    }
    Ok(Decision { reply: if more { Reply::More } else { Reply::Done }, steps })
}

pub(super) fn forget_rows(user: &UserId) -> Rows {
    only(user)
}

/// Forgets an account that was deleted: [`Reply::More`] when something of it is left.
pub(super) fn forget(facts: &Facts, id: &UserId) -> Result<Decision, Stop> {
    if facts.user(id)?.is_none_or(|user| user.deleted_at.is_none()) {
        // Somebody else was first, and the id may be another account's by now.
        return Ok(Decision::unchanged(Reply::Done));
    }
    if *facts.lingering.get(id).ok_or(Stop::Missing)? {
        return Ok(Decision::unchanged(Reply::More));
    }
    // What was signed for this account stays worthless for the next one.
    let steps = vec![Step::Revoke { user: id.clone(), ended: false }, Step::Forget(id.clone())];
    Ok(Decision { reply: Reply::Done, steps })
}

#[cfg(test)]
mod tests;
