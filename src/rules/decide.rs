//! Deciding applications, and their end when nobody does.
//!
//! The first decision wins; the next is told so (10024). Accepting checks everything again at the moment
//! of joining: the inviter's permission, room, limit, ban (`decisions.md` 13 and l). An accept that
//! fails leaves the application open.

use crate::model::event::{GroupEvent, UserEvent};
use crate::model::{
    Application, ApplicationId, ApplicationKind, Caller, Ending, Error, Group, GroupId,
    InviteConsent, NewMember, Reason, Reply, User,
};

use super::application::{self, Wish};
use super::facts::{Facts, GroupFacts, Stop};
use super::limits::{check_group_limit, check_room};
use super::matrix::{Action, InvitePath, Standing};
use super::types::TypeRules;
use super::{Decision, Rows, Step, check_ban, standing};

pub(super) fn users(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    application: ApplicationId,
) -> Result<Rows, Stop> {
    let open = permitted(facts, caller, id, application)?;
    Ok(rows(facts, open))
}

pub(super) fn expire_users(
    facts: &Facts,
    id: &GroupId,
    application: ApplicationId,
) -> Result<Rows, Stop> {
    let (_, _, found) = find(facts, id, application)?;
    Ok(if is_due(found, facts) { rows(facts, found) } else { Rows::default() })
}

fn rows(facts: &Facts, application: &Application) -> Rows {
    let mut rows = Rows::default();
    rows.add(application.subject.clone(), facts);
    rows.lock.insert(application.from_user.clone());
    rows
}

fn is_due(application: &Application, facts: &Facts) -> bool {
    application.handled.is_none() && application.expires_at <= facts.now
}

fn find<'a>(
    facts: &'a Facts,
    id: &GroupId,
    application: ApplicationId,
) -> Result<(&'a Group, &'a GroupFacts, &'a Application), Stop> {
    let (group, of_group) = facts.existing(id)?;
    match of_group.applications.get(&application) {
        Some(found) => Ok((group, of_group, found)),
        None => Err(Error::new(Reason::ApplicationNotFound, "there is no such application").into()),
    }
}

/// Whether somebody may decide an application: the invitee his invitation, owner and admins the rest.
///
/// # Errors
/// [`Reason::RoleTooLow`], or as [`TypeRules::permit`].
pub fn may_decide(
    rules: &TypeRules,
    kind: ApplicationKind,
    is_subject: bool,
    standing: Standing,
) -> Result<(), Error> {
    if kind == ApplicationKind::Invitation {
        if is_subject || standing.administrator {
            return Ok(());
        }
        let text = "only the invited person may decide an invitation";
        return Err(Error::new(Reason::RoleTooLow, text).source("the type of the application"));
    }
    rules.permit(Action::Decide, standing)
}

/// An open application that the caller may decide.
fn permitted<'a>(
    facts: &'a Facts,
    caller: &Caller,
    id: &GroupId,
    application: ApplicationId,
) -> Result<&'a Application, Stop> {
    let (group, of_group, found) = find(facts, id, application)?;
    let standing = standing(of_group, caller)?;
    may_decide(&facts.rules(group), found.kind, found.subject == caller.user, standing)?;
    if found.handled.is_some() {
        let text = "the application was already decided or has ended";
        return Err(Error::new(Reason::AlreadyHandled, text).into());
    }
    Ok(found)
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    application: ApplicationId,
    accept_it: bool,
    message: &str,
) -> Result<Decision, Stop> {
    let found = permitted(facts, caller, id, application)?;
    if accept_it {
        return accept(facts, caller, found, message);
    }
    let steps = application::close(found, Ending::Refused, Some(&caller.user), message, facts.now);
    Ok(Decision { reply: Reply::Done, steps })
}

/// Accepts an open application.
pub(super) fn accept(
    facts: &Facts,
    caller: &Caller,
    open: &Application,
    message: &str,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(&open.group)?;
    if open.kind != ApplicationKind::Join {
        check_inviter(&facts.rules(group), group, of_group, open)?;
    }
    check_ban(facts, of_group, &open.subject)?;
    let subject = subject(facts, open)?;
    if facts.rules(group).traits.counts_towards_limit {
        check_group_limit(subject, &facts.limits)?;
    }
    check_room(group, 1)?;
    if open.kind == ApplicationKind::Invite && !caller.administrator {
        match subject.invite_consent {
            InviteConsent::Auto if !facts.rules(group).traits.asks_invitees => {}
            InviteConsent::Auto | InviteConsent::Ask => {
                return Ok(forward(facts, caller, open, message));
            }
            InviteConsent::Deny => {
                let text = "the invited person does not want to be invited";
                let refusal = Error::new(Reason::DeclinedByUser, text);
                return Err(refusal.source("inviteConsent of the user").into());
            }
        }
    }
    let mut steps =
        application::close(open, Ending::Accepted, Some(&caller.user), message, facts.now);
    let members = vec![open.subject.clone()];
    let event = match open.kind {
        ApplicationKind::Join => GroupEvent::Entered { op: Some(caller.user.clone()), members },
        ApplicationKind::Invite | ApplicationKind::Invitation => {
            let members = members.into_iter().map(NewMember::plain).collect();
            GroupEvent::Invited { op: open.from_user.clone(), members, silent: false }
        }
    };
    steps.push(Step::Group(open.group.clone(), event));
    Ok(Decision { reply: Reply::Joined, steps })
}

/// The inviter must still be one who may invite. What an admin approved stays approved.
fn check_inviter(
    rules: &TypeRules,
    group: &Group,
    of_group: &GroupFacts,
    open: &Application,
) -> Result<(), Stop> {
    let role = of_group.member(&open.from_user)?.map(|member| member.role);
    let path = rules.invite_path(group, Standing { administrator: false, role })?;
    let needs_approval = path == InvitePath::Approval;
    if needs_approval && open.kind == ApplicationKind::Invitation && open.approved_by.is_none() {
        let text = "the inviter may no longer add people without the admins' approval";
        let refusal = Error::new(Reason::RoleTooLow, text).source("inviteOption of the group");
        return Err(refusal.into());
    }
    Ok(())
}

fn subject<'a>(facts: &'a Facts, open: &Application) -> Result<&'a User, Stop> {
    match facts.user(&open.subject)? {
        Some(user) if user.deleted_at.is_none() => Ok(user),
        Some(_) => Err(Error::new(Reason::AccountDeleted, "the account was deleted").into()),
        None => Err(Error::new(Reason::UnknownAccount, "the person has no account").into()),
    }
}

/// The admins agreed; now the invitee is asked (`decisions.md` d: the admins first, then the invitee).
fn forward(facts: &Facts, caller: &Caller, open: &Application, message: &str) -> Decision {
    let mut steps =
        application::close(open, Ending::Forwarded, Some(&caller.user), message, facts.now);
    let wish = Wish {
        group: &open.group,
        kind: ApplicationKind::Invitation,
        from_user: &open.from_user,
        subject: &open.subject,
        approved_by: Some(&caller.user),
        message: &open.message,
    };
    let application = Box::new(wish.into_application(facts, 1));
    steps.push(Step::Open(application.clone()));
    steps.push(Step::Personal(open.subject.clone(), UserEvent::Invitation(application)));
    Decision { reply: Reply::Pending, steps }
}

/// Ends an application whose time is over; anything else is left as it is.
pub(super) fn expire(
    facts: &Facts,
    id: &GroupId,
    application: ApplicationId,
) -> Result<Decision, Stop> {
    let (_, _, found) = find(facts, id, application)?;
    if !is_due(found, facts) {
        return Ok(Decision::unchanged(Reply::Done));
    }
    let steps = application::close(found, Ending::Expired, None, "", facts.now);
    Ok(Decision { reply: Reply::Done, steps })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::model::{GroupType, InviteOption};
    use crate::rules::matrix::{Traits, traits};
    use crate::rules::testkit::{STRANGER, caller, events, facts, group, of_group, refusal, user};
    use crate::rules::types::Types;

    /// A group whose members' invitations wait for the admins; one of them does.
    fn held() -> (Facts, ApplicationId) {
        let mut facts = facts(GroupType::Public);
        let wish = Wish {
            group: &group(),
            kind: ApplicationKind::Invite,
            from_user: &user("member"),
            subject: &user(STRANGER),
            approved_by: None,
            message: "",
        };
        let open = wish.into_application(&facts, 0);
        let id = open.id;
        let of_group = of_group(&mut facts);
        of_group.group.as_mut().expect("a row").invite_option = InviteOption::NeedPermission;
        of_group.applications.insert(id, open);
        (facts, id)
    }

    fn accepted(facts: &Facts, by: &str, id: ApplicationId) -> Result<Decision, Stop> {
        decide(facts, &caller(by), &group(), id, true, "")
    }

    #[test]
    fn who_leaves_it_to_others_is_a_member_as_soon_as_an_admin_agrees() {
        let (facts, id) = held();
        let decision = accepted(&facts, "admin", id).expect("accepted");
        assert_eq!(
            (&decision.reply, &*events(&decision)),
            (&Reply::Joined, &["onMemberInvited"][..],)
        );
    }

    #[test]
    fn where_the_type_asks_everybody_he_is_asked_all_the_same() {
        let (mut facts, id) = held();
        let asking = Traits { asks_invitees: true, ..traits(GroupType::Public) };
        let team = TypeRules::own("Team", GroupType::Public, asking, Vec::new());
        facts.types = Arc::new(Types::with([team]));
        let row = of_group(&mut facts).group.as_mut().expect("a row");
        row.own_type = Some("Team".into());
        let decision = accepted(&facts, "admin", id).expect("forwarded");
        assert_eq!((&decision.reply, events(&decision).len()), (&Reply::Pending, 0));
        facts.apply(&decision).expect("applied");
        let open = facts.groups[&group()].open_application(&user(STRANGER)).expect("known");
        let open = open.expect("he is asked");
        assert_eq!(
            (open.kind, &open.approved_by),
            (ApplicationKind::Invitation, &Some(user("admin")),)
        );
        assert_eq!(accepted(&facts, STRANGER, open.id).map(|it| it.reply), Ok(Reply::Joined));
    }

    #[test]
    fn an_administrator_asks_nobody_and_deny_stays_deny() {
        let (mut facts, id) = held();
        let consent = |facts: &mut Facts, consent| {
            let row = facts.users.get_mut(&user(STRANGER)).and_then(Option::as_mut);
            row.expect("an account").invite_consent = consent;
        };
        consent(&mut facts, InviteConsent::Deny);
        assert_eq!(refusal(accepted(&facts, "owner", id)).reason, Reason::DeclinedByUser);
        let decision = accepted(&facts, "administrator", id);
        assert_eq!(decision.map(|it| it.reply), Ok(Reply::Joined));
        consent(&mut facts, InviteConsent::Ask);
        assert_eq!(accepted(&facts, "owner", id).map(|it| it.reply), Ok(Reply::Pending));
    }
}
