//! What somebody may do in a group, and why not: the answer of the very functions that decide.

use crate::model::{Ban, Error, Group, JoinOption, Moment, Reason, Role, event};

use super::manages;
use super::matrix::{Action, InvitePath, Standing, Who};
use super::types::TypeRules;

/// How somebody stands to one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// What.
    pub action: Action,
    /// Who may, by the type.
    pub who: Who,
    /// Whether he may; whether others have to agree first.
    pub verdict: Result<Agreement, Error>,
}

/// Who else has to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agreement {
    /// Nobody.
    Free,
    /// Owner and admins.
    OfManagers,
}

/// All permissions of somebody in a group. `ban` is his ban, if he is kept out.
#[must_use]
pub fn explain(
    rules: &TypeRules,
    group: &Group,
    standing: Standing,
    ban: Option<&Ban>,
) -> Vec<Permission> {
    let one = |action: &Action| Permission {
        action: *action,
        who: rules.who(*action),
        verdict: judge(rules, group, standing, ban, *action),
    };
    Action::ALL.iter().filter(|action| **action != Action::NameFirstMembers).map(one).collect()
}

/// Whether somebody may read what somebody else may do: those who run the group, and app administrators.
///
/// # Errors
/// [`Reason::NotAMember`] or [`Reason::RoleTooLow`].
pub fn read_of_others(standing: Standing) -> Result<(), Error> {
    match standing.role {
        _ if standing.administrator => Ok(()),
        Some(role) if manages(role) => Ok(()),
        Some(_) => {
            let text = "only the owner and admins may read what others may do";
            Err(Error::new(Reason::RoleTooLow, text))
        }
        None => Err(Error::new(Reason::NotAMember, "the caller is not a member of the group")),
    }
}

fn judge(
    rules: &TypeRules,
    group: &Group,
    standing: Standing,
    ban: Option<&Ban>,
    action: Action,
) -> Result<Agreement, Error> {
    match action {
        Action::Invite => Ok(match rules.invite_path(group, standing)? {
            InvitePath::Approval => Agreement::OfManagers,
            InvitePath::Direct | InvitePath::Unconditional => Agreement::Free,
        }),
        Action::Apply => apply(rules, group, standing, ban),
        Action::Quit => {
            quit(rules, standing)?;
            Ok(Agreement::Free)
        }
        // An administrator who is no member has nothing of his own there either.
        Action::EditSelf if standing.role.is_none() => {
            let stranger = Standing { administrator: false, role: None };
            rules.permit(action, stranger).map(|()| Agreement::Free)
        }
        _ => rules.permit(action, standing).map(|()| Agreement::Free),
    }
}

fn apply(
    rules: &TypeRules,
    group: &Group,
    standing: Standing,
    ban: Option<&Ban>,
) -> Result<Agreement, Error> {
    if standing.role.is_some() {
        return Err(Error::new(Reason::AlreadyMember, "the person is a member already"));
    }
    if let Some(ban) = ban {
        return Err(banned_until(ban.until));
    }
    may_apply(rules, group, standing)?;
    let waits = group.join_option == JoinOption::NeedPermission && !standing.administrator;
    Ok(if waits { Agreement::OfManagers } else { Agreement::Free })
}

/// The refusal of somebody who is kept out.
pub(super) fn banned_until(until: Option<Moment>) -> Error {
    let text = match until {
        Some(until) => format!("banned from the group until {}", event::show_moment(until)),
        None => "banned from the group".to_owned(),
    };
    Error::new(Reason::Banned, text).source("a ban of the group")
}

/// Whether somebody may enter by himself or ask to, as type and join option say.
pub(super) fn may_apply(rules: &TypeRules, group: &Group, standing: Standing) -> Result<(), Error> {
    rules.permit(Action::Apply, standing)?;
    if group.join_option == JoinOption::DisableApply && !standing.administrator {
        let text = "the group's joinOption is DisableApply: nobody enters by himself";
        return Err(Error::new(Reason::ApplyDisabled, text).source("joinOption of the group"));
    }
    Ok(())
}

/// Whether somebody may leave. An administrator who is no member has nothing to leave.
pub(super) fn quit(rules: &TypeRules, standing: Standing) -> Result<(), Error> {
    let own = Standing { administrator: false, ..standing };
    rules.permit(Action::Quit, own)?;
    if own.role == Some(Role::Owner) && !rules.traits.owner_may_quit {
        let text = format!("the owner of a group of type {} may not quit", rules.name);
        let source = format!("quit in groups of type {}", rules.name);
        return Err(Error::new(Reason::OwnerMayNotQuit, text).source(source));
    }
    Ok(())
}
