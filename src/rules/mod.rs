//! The product's decisions, pure: facts and a command in, a reply and the changes that make it true out.
//!
//! No clock, no I/O, no randomness: time and ids come in with the facts and the commands, so that each
//! rule can be tested as the function it is. A command is looked at three times:
//!
//! 1. [`look`], when its group is locked: which people's relation to the group matters;
//! 2. [`users`], when those are loaded: is it permitted at all, and whose own rows matter. Nobody's row is
//!    locked before permission is proved;
//! 3. [`decide`], when everything is loaded: the decision, which [`apply`] brings into the facts.

pub mod account;
pub mod application;
pub mod apply;
pub mod attributes;
pub mod ban;
pub mod create;
pub mod decide;
pub mod dismiss;
pub mod edit;
pub mod facts;
pub mod import;
pub mod invite;
pub mod join;
pub mod kick;
pub mod limits;
pub mod matrix;
pub mod member;
pub mod permissions;
pub mod quit;
#[cfg(test)]
mod testkit;
pub mod transfer;
pub mod types;
pub mod user;

use crate::model::{
    ApplicationId, Caller, Command, Error, Group, IdSet, Operation, Reason, Role, UserId,
};

pub use apply::{Decision, Step};
pub use facts::{Changes, Facts, GroupFacts, Stop};
pub use matrix::{Action, Standing};
pub use types::{Rulebook, TypeRules, Types};

/// What has to be loaded of the group once it is locked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a table that is read or not")]
pub struct Needs {
    /// People whose membership, ban and open application matter.
    pub people: Vec<UserId>,
    /// Whether those matter too who asked for the open applications of these people.
    pub inviters: bool,
    /// Applications asked for by id.
    pub applications: Vec<ApplicationId>,
    /// Whether owner and admins matter.
    pub managers: bool,
    /// Whether the texts matter.
    pub profile: bool,
    /// Whether the attributes matter.
    pub attributes: bool,
    /// Whether so many of the current members matter, whoever they are.
    pub members_up_to: Option<i64>,
    /// Whether so many of the open applications matter.
    pub applications_up_to: Option<i64>,
    /// People some of whose own open applications matter, whoever would become a member by them.
    pub askers: Vec<UserId>,
}

/// Whose own rows matter. They are locked, or written only as they were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Rows to lock where they exist.
    pub lock: IdSet<UserId>,
    /// Rows to make where they do not exist (an unknown id is a new user).
    pub make: IdSet<UserId>,
}

impl Rows {
    /// Those of one more command.
    pub fn extend(&mut self, more: Self) {
        if self.lock.is_empty() {
            *self = more;
        } else {
            self.lock.extend(more.lock);
            self.make.extend(more.make);
        }
    }

    /// Somebody whose row may come into being with this command.
    fn add(&mut self, user: UserId, facts: &Facts) {
        if facts.limits.accounts == crate::model::limits::Accounts::Open {
            self.make.insert(user.clone());
        }
        self.lock.insert(user);
    }
}

/// What a command needs of its group. `group` is its locked row, if there is one.
#[must_use]
pub fn look(command: &Command, group: Option<&Group>) -> Needs {
    let caller = &command.caller.user;
    match &command.operation {
        Operation::CreateGroup(_)
        | Operation::PutUser { .. }
        | Operation::ImportUsers { .. }
        | Operation::RevokeCredentials { .. }
        | Operation::DeleteUser { .. }
        | Operation::ForgetUser { .. } => Needs::default(),
        Operation::Depart { user, .. } => account::look_depart(user),
        Operation::EditGroup { edit, .. } => Needs {
            people: vec![caller.clone()],
            profile: edit.touches_profile(),
            ..Needs::default()
        },
        Operation::SetAttributes { .. } => {
            Needs { people: vec![caller.clone()], attributes: true, ..Needs::default() }
        }
        Operation::Dismiss { .. } => dismiss::look(caller, group),
        Operation::Release { .. } => dismiss::look_release(group),
        Operation::Invite { users, .. } => Needs {
            people: with(caller, users),
            managers: group.is_some_and(invite::asks_managers),
            ..Needs::default()
        },
        Operation::Join { .. } => Needs {
            people: vec![caller.clone()],
            // Who enters on an invitation needs an inviter who may still invite.
            inviters: true,
            managers: group.is_some_and(join::asks_managers),
            ..Needs::default()
        },
        Operation::Quit { .. } => Needs { people: vec![caller.clone()], ..Needs::default() },
        Operation::Kick { users, .. }
        | Operation::Mute { users, .. }
        | Operation::Ban { users, .. }
        | Operation::Unban { users, .. } => {
            Needs { people: with(caller, users), ..Needs::default() }
        }
        Operation::EditMember { user, .. } => {
            Needs { people: vec![caller.clone(), user.clone()], ..Needs::default() }
        }
        Operation::Transfer { to, .. } => transfer::look(caller, to, group),
        Operation::ImportMembers { members, .. } => Needs {
            people: members.iter().map(|member| member.user.clone()).collect(),
            ..Needs::default()
        },
        Operation::Decide { application, subject, from_user, .. } => Needs {
            people: vec![caller.clone(), subject.clone(), from_user.clone()],
            applications: vec![*application],
            ..Needs::default()
        },
        Operation::Expire { application, subject, from_user, .. } => Needs {
            people: vec![subject.clone(), from_user.clone()],
            applications: vec![*application],
            ..Needs::default()
        },
    }
}

/// Whose own rows a command is likely to ask for, if all people who matter to it are known before its group is, and
/// whatever it changes of a person's own row comes with a membership or an application: then he may be read together
/// with the group, and written only as he was read.
#[must_use]
pub fn foreseen(command: &Command) -> Option<Vec<&UserId>> {
    match &command.operation {
        Operation::Invite { users, .. } | Operation::Kick { users, .. } => {
            Some(users.iter().collect())
        }
        Operation::Join { .. } | Operation::Quit { .. } => Some(vec![&command.caller.user]),
        Operation::ImportMembers { members, .. } => {
            Some(members.iter().map(|member| &member.user).collect())
        }
        _ => None,
    }
}

fn with(caller: &UserId, users: &[UserId]) -> Vec<UserId> {
    std::iter::once(caller).chain(users).cloned().collect()
}

/// Whether a command is permitted at all, and whose own rows matter to it.
///
/// # Errors
/// The refusal that [`decide`] would give too, found before anybody's row is locked.
pub fn users(facts: &Facts, command: &Command) -> Result<Rows, Stop> {
    let caller = &command.caller;
    match &command.operation {
        Operation::CreateGroup(create) => create::users(facts, caller, create),
        Operation::EditGroup { .. }
        | Operation::EditMember { .. }
        | Operation::SetAttributes { .. }
        | Operation::Mute { .. }
        | Operation::Transfer { .. }
        | Operation::Unban { .. } => Ok(Rows::default()),
        Operation::Ban { group, users, .. } => ban::users(facts, caller, group, users),
        Operation::ImportMembers { group, members } => import::users(facts, caller, group, members),
        Operation::Dismiss { group } => dismiss::users(facts, caller, group),
        Operation::Release { group } => dismiss::release_users(facts, group),
        Operation::Invite { group, users, .. } => invite::users(facts, caller, group, users),
        Operation::Join { group, .. } => join::users(facts, caller, group),
        Operation::Quit { group } => quit::users(facts, caller, group),
        Operation::Kick { group, users, .. } => kick::users(facts, caller, group, users),
        Operation::Decide { group, application, .. } => {
            decide::users(facts, caller, group, *application)
        }
        Operation::Expire { group, application, .. } => {
            decide::expire_users(facts, group, *application)
        }
        Operation::PutUser { user, edit } => user::users(facts, caller, user, edit),
        Operation::ImportUsers { users } => user::import_rows(caller, users),
        Operation::RevokeCredentials { user } | Operation::DeleteUser { user } => {
            account::users(caller, user)
        }
        Operation::Depart { group, user } => account::depart_users(facts, group, user),
        Operation::ForgetUser { user } => Ok(account::forget_rows(user)),
    }
}

/// Decides a command.
///
/// # Errors
/// [`Stop::Refused`] with the refusal; [`Stop::Missing`] when a row was not loaded.
pub fn decide(facts: &Facts, command: &Command) -> Result<Decision, Stop> {
    let caller = &command.caller;
    match &command.operation {
        Operation::CreateGroup(create) => create::decide(facts, caller, create),
        Operation::EditGroup { group, edit } => edit::decide(facts, caller, group, edit),
        Operation::SetAttributes { group, change } => {
            attributes::decide(facts, caller, group, change)
        }
        Operation::Dismiss { group } => dismiss::decide(facts, caller, group),
        Operation::Release { group } => dismiss::decide_release(facts, group),
        Operation::Invite { group, users, silent } => {
            invite::decide(facts, caller, group, users, *silent)
        }
        Operation::Join { group, message } => join::decide(facts, caller, group, message),
        Operation::Quit { group } => quit::decide(facts, caller, group),
        Operation::Kick { group, users, reason, ban_seconds, silent } => {
            let how = kick::How { reason, ban_seconds: *ban_seconds, silent: *silent };
            kick::decide(facts, caller, group, users, &how)
        }
        Operation::EditMember { group, user, edit } => {
            member::edit(facts, caller, group, user, edit)
        }
        Operation::Mute { group, users, seconds } => {
            member::mute(facts, caller, group, users, *seconds)
        }
        Operation::Transfer { group, to } => transfer::decide(facts, caller, group, to),
        Operation::Ban { group, users, seconds, reason } => {
            ban::decide(facts, caller, group, users, *seconds, reason)
        }
        Operation::Unban { group, users } => ban::lift(facts, caller, group, users),
        Operation::ImportMembers { group, members } => {
            import::decide(facts, caller, group, members)
        }
        Operation::Decide { group, application, accept, message, .. } => {
            decide::decide(facts, caller, group, *application, *accept, message)
        }
        Operation::Expire { group, application, .. } => decide::expire(facts, group, *application),
        Operation::PutUser { user, edit } => user::decide(facts, caller, user, edit),
        Operation::ImportUsers { users } => user::import(facts, caller, users),
        Operation::RevokeCredentials { user } => account::revoke(facts, caller, user),
        Operation::DeleteUser { user } => account::delete(facts, caller, user),
        Operation::Depart { group, user } => account::depart(facts, group, user),
        Operation::ForgetUser { user } => account::forget(facts, user),
    }
}

/// How the caller stands to a group.
pub(crate) fn standing(facts: &GroupFacts, caller: &Caller) -> Result<Standing, Stop> {
    Ok(Standing::of(caller, facts.member(&caller.user)?.map(|member| member.role)))
}

/// Whether a person is not kept out.
pub(crate) fn check_ban(facts: &Facts, of_group: &GroupFacts, user: &UserId) -> Result<(), Stop> {
    match of_group.ban(user, facts.now)? {
        None => Ok(()),
        Some(ban) => Err(permissions::banned_until(ban.until).into()),
    }
}

/// Whether no more people are named than one call may bring in.
pub(crate) fn check_batch(facts: &Facts, named: usize, field: &str) -> Result<(), Error> {
    let limit = &facts.limits.invite_batch;
    let most = usize::try_from(limit.value).unwrap_or(0);
    check_named(named, most, field).map_err(|error| match error.reason {
        Reason::TooManyInCall => error.source(limit.source.as_ref()),
        _ => error,
    })
}

/// Whether somebody is named, and no more people than this.
pub(crate) fn check_named(named: usize, most: usize, field: &str) -> Result<(), Error> {
    if named == 0 {
        return Err(Error::parameter(field, "names nobody"));
    }
    if named <= most {
        return Ok(());
    }
    let text = format!("{field} names {named} people, at most {most} are possible");
    Err(Error::new(Reason::TooManyInCall, text).field(field).limit(most).current(named))
}

/// Whether a role is above that of ordinary members.
pub(crate) fn manages(role: Role) -> bool {
    role >= Role::Admin
}
