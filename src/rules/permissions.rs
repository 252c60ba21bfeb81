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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupType, InviteOption};
    use crate::rules::testkit::{facts, group, now};

    fn row(base: GroupType) -> Group {
        let facts = facts(base);
        facts.groups[&group()].group.clone().expect("a row")
    }

    fn as_role(role: Option<Role>) -> Standing {
        Standing { administrator: false, role }
    }

    const ADMINISTRATOR: Standing = Standing { administrator: true, role: None };

    fn told(row: &Group, standing: Standing, action: Action) -> Result<Agreement, Error> {
        let all = explain(&TypeRules::builtin(row.group_type), row, standing, None);
        let mut found = all.into_iter().filter(|one| one.action == action);
        found.next().expect("every action is explained").verdict
    }

    #[test]
    fn everything_that_can_be_done_in_a_group_is_explained_once() {
        let row = row(GroupType::Public);
        let all = explain(&TypeRules::builtin(GroupType::Public), &row, ADMINISTRATOR, None);
        let found: Vec<Action> = all.iter().map(|one| one.action).collect();
        let expected = Action::ALL.iter().copied().filter(|it| *it != Action::NameFirstMembers);
        assert_eq!(found, expected.collect::<Vec<_>>());
    }

    #[test]
    fn applying_depends_on_membership_ban_and_option() {
        let mut row = row(GroupType::Public);
        let rules = TypeRules::builtin(GroupType::Public);
        let stranger = as_role(None);
        assert_eq!(told(&row, stranger, Action::Apply), Ok(Agreement::OfManagers));
        assert_eq!(told(&row, ADMINISTRATOR, Action::Apply), Ok(Agreement::Free));
        let error = told(&row, as_role(Some(Role::Member)), Action::Apply).expect_err("is one");
        assert_eq!(error.reason, Reason::AlreadyMember);
        let ban = Ban { until: Some(now()), reason: String::new() };
        let error = apply(&rules, &row, stranger, Some(&ban)).expect_err("banned");
        assert_eq!(error.text, "banned from the group until 2023-11-14T22:13:20.000Z");
        row.join_option = JoinOption::DisableApply;
        let error = told(&row, stranger, Action::Apply).expect_err("disabled");
        assert_eq!(
            (error.reason, error.source.as_deref()),
            (Reason::ApplyDisabled, Some("joinOption of the group"),)
        );
        assert_eq!(told(&row, ADMINISTRATOR, Action::Apply), Ok(Agreement::Free));
        row.join_option = JoinOption::FreeAccess;
        assert_eq!(told(&row, stranger, Action::Apply), Ok(Agreement::Free));
    }

    #[test]
    fn an_invitation_may_need_the_managers() {
        let mut row = row(GroupType::Public);
        let error = told(&row, as_role(Some(Role::Owner)), Action::Invite).expect_err("disabled");
        assert_eq!(error.source.as_deref(), Some("inviteOption of the group"));
        row.invite_option = InviteOption::NeedPermission;
        let invite = |role| told(&row, as_role(Some(role)), Action::Invite);
        assert_eq!(invite(Role::Member), Ok(Agreement::OfManagers));
        assert_eq!(invite(Role::Admin), Ok(Agreement::Free));
        assert_eq!(told(&row, ADMINISTRATOR, Action::Invite), Ok(Agreement::Free));
    }

    #[test]
    fn who_has_nothing_there_has_nothing_to_leave_and_nothing_to_write() {
        let row = row(GroupType::Public);
        for action in [Action::Quit, Action::EditSelf] {
            let error = told(&row, ADMINISTRATOR, action).expect_err("no member");
            assert_eq!(error.reason, Reason::NotAMember, "{action:?}");
            let standing = Standing { administrator: true, role: Some(Role::Member) };
            assert_eq!(told(&row, standing, action), Ok(Agreement::Free), "{action:?}");
        }
    }

    #[test]
    fn an_owner_stays_but_in_a_work_group() {
        let owner = as_role(Some(Role::Owner));
        let error = told(&row(GroupType::Meeting), owner, Action::Quit).expect_err("stays");
        assert_eq!(error.reason, Reason::OwnerMayNotQuit);
        assert_eq!(error.text, "the owner of a group of type Meeting may not quit");
        assert_eq!(error.source.as_deref(), Some("quit in groups of type Meeting"));
        let administrator = Standing { administrator: true, ..owner };
        assert!(told(&row(GroupType::Meeting), administrator, Action::Quit).is_err());
        assert_eq!(told(&row(GroupType::Work), owner, Action::Quit), Ok(Agreement::Free));
    }

    #[test]
    fn those_who_run_a_group_read_what_others_may() {
        assert_eq!(read_of_others(ADMINISTRATOR), Ok(()));
        for role in [Role::Owner, Role::Admin] {
            assert_eq!(read_of_others(as_role(Some(role))), Ok(()));
        }
        let refused = |role| read_of_others(as_role(role)).expect_err("not his").reason;
        assert_eq!(refused(Some(Role::Member)), Reason::RoleTooLow);
        assert_eq!(refused(None), Reason::NotAMember);
    }
}
