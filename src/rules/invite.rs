//! Bringing people in: `inviteUserToGroup` (`inviteUserToGroup.md`, `tencent-im.md` 1.4 and 2.4).
//!
//! Call-level refusals (absent group, no permission, too many named, no room) change nothing;
//! everything else is answered for each person (`decisions.md` a). In this order for each: already a
//! member (2), banned, unknown or deleted account, does not want to be invited (0), at his limit (4),
//! already asked (3), has to be asked or somebody has to agree (3), added (1).

use crate::model::event::{GroupEvent, UserEvent};
use crate::model::{
    Application, ApplicationKind, Caller, Error, Group, GroupId, InviteConsent, InviteOption,
    MemberOutcome, MemberReason, MemberResult, NewMember, Reason, Reply, User, UserId,
};

use super::application::{self, Wish};
use super::facts::{Facts, GroupFacts, Stop};
use super::limits::{check_room, group_limit};
use super::matrix::InvitePath;
use super::{Decision, Rows, Step, check_batch, standing};

/// Whether owner and admins may have to be told of an invitation into this group.
pub(super) fn asks_managers(group: &Group) -> bool {
    group.invite_option == InviteOption::NeedPermission
}

pub(super) fn users(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    users: &[UserId],
) -> Result<Rows, Stop> {
    let (group, of_group) = facts.existing(id)?;
    let path = facts.rules(group).invite_path(group, standing(of_group, caller)?)?;
    check_batch(facts, users.len(), "userList")?;
    let mut rows = Rows::default();
    for user in users {
        if of_group.member(user)?.is_none() && of_group.ban(user, facts.now)?.is_none() {
            rows.add(user.clone(), facts);
            rows.lock.extend(application::concerned(of_group, user)?);
        }
    }
    if path == InvitePath::Approval {
        rows.lock.extend(of_group.managers()?.iter().cloned());
    }
    Ok(rows)
}

/// What becomes of one invitee.
enum Verdict {
    /// Becomes a member now.
    Join,
    /// Somebody has to agree first: a new application.
    Ask(ApplicationKind),
    /// Anything else: nothing changes.
    Stays(MemberOutcome),
}

/// The same for every invitee of a call.
pub(super) struct Call<'a> {
    pub(super) facts: &'a Facts,
    pub(super) group: &'a Group,
    pub(super) of_group: &'a GroupFacts,
    pub(super) path: InvitePath,
    /// Applications that earlier invitees of this call opened.
    pub(super) opened: usize,
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    users: &[UserId],
    silent: bool,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(id)?;
    let path = facts.rules(group).invite_path(group, standing(of_group, caller)?)?;
    check_batch(facts, users.len(), "userList")?;
    let mut call = Call { facts, group, of_group, path, opened: 0 };
    let mut gathered = Gathered::default();
    for user in users {
        gathered.add(&mut call, caller, user)?;
    }
    if gathered.outcomes.iter().all(|outcome| outcome.reason == Some(MemberReason::UnknownUser)) {
        let text = "none of the invited has an account";
        return Err(Error::new(Reason::UnknownAccount, text).field("userList").into());
    }
    check_room(group, gathered.joining.len() + gathered.asked.len())?;
    let mut steps = Vec::new();
    for user in &gathered.joining {
        steps.extend(application::close_on_joining(facts, of_group, user, &caller.user)?);
    }
    if !gathered.joining.is_empty() {
        let members = gathered.joining.into_iter().map(NewMember::plain).collect();
        let event = GroupEvent::Invited { op: caller.user.clone(), members, silent };
        steps.push(Step::Group(id.clone(), event));
    }
    for asked in gathered.asked {
        steps.extend(ask(of_group, asked)?);
    }
    Ok(Decision { reply: Reply::Members(gathered.outcomes), steps })
}

/// What a call does, as far as its invitees were gone through.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) outcomes: Vec<MemberOutcome>,
    pub(super) joining: Vec<UserId>,
    pub(super) asked: Vec<Application>,
}

impl Gathered {
    /// Goes through one more invitee.
    pub(super) fn add(
        &mut self,
        call: &mut Call<'_>,
        caller: &Caller,
        user: &UserId,
    ) -> Result<(), Stop> {
        let outcome = match judge(call, user)? {
            Verdict::Stays(outcome) => outcome,
            Verdict::Join => {
                self.joining.push(user.clone());
                MemberOutcome::done(user.clone())
            }
            Verdict::Ask(kind) => {
                let wish = Wish {
                    group: &call.group.id,
                    kind,
                    from_user: &caller.user,
                    subject: user,
                    approved_by: None,
                    message: "",
                };
                self.asked.push(wish.into_application(call.facts, 0));
                call.opened += 1;
                pending(user, kind)
            }
        };
        self.outcomes.push(outcome);
        Ok(())
    }
}

/// Opens an application and tells those who decide it.
pub(super) fn ask(of_group: &GroupFacts, application: Application) -> Result<Vec<Step>, Stop> {
    let application = Box::new(application);
    let mut steps = vec![Step::Open(application.clone())];
    if application.kind == ApplicationKind::Invitation {
        let user = application.subject.clone();
        steps.push(Step::Personal(user, UserEvent::Invitation(application)));
    } else {
        steps.extend(of_group.managers()?.iter().map(|manager| {
            Step::Personal(manager.clone(), UserEvent::JoinApplication(application.clone()))
        }));
    }
    Ok(steps)
}

fn pending(user: &UserId, kind: ApplicationKind) -> MemberOutcome {
    let reason = match kind {
        ApplicationKind::Invitation => MemberReason::AwaitingInvitee,
        ApplicationKind::Invite | ApplicationKind::Join => MemberReason::AwaitingApproval,
    };
    MemberOutcome::other(user.clone(), MemberResult::Pending, reason)
}

fn judge(call: &Call<'_>, id: &UserId) -> Result<Verdict, Stop> {
    let refused =
        |result, reason| Ok(Verdict::Stays(MemberOutcome::other(id.clone(), result, reason)));
    if call.of_group.member(id)?.is_some() {
        return refused(MemberResult::Invalid, MemberReason::AlreadyMember);
    }
    if call.of_group.ban(id, call.facts.now)?.is_some() {
        return refused(MemberResult::Failed, MemberReason::Banned);
    }
    let Some(user) = call.facts.user(id)? else {
        return refused(MemberResult::Failed, MemberReason::UnknownUser);
    };
    if user.deleted_at.is_some() {
        return refused(MemberResult::Failed, MemberReason::AccountDeleted);
    }
    let unconditional = call.path == InvitePath::Unconditional;
    if user.invite_consent == InviteConsent::Deny && !unconditional {
        return refused(MemberResult::Failed, MemberReason::DeclinedByUser);
    }
    if let Some(outcome) = over_limit(call, user) {
        return Ok(Verdict::Stays(outcome));
    }
    if unconditional {
        return Ok(Verdict::Join);
    }
    judge_consent(call, user)
}

/// Somebody who may become a member, if everybody agrees who has to.
fn judge_consent(call: &Call<'_>, user: &User) -> Result<Verdict, Stop> {
    let open = call.of_group.open_application(&user.id)?;
    // Who asked to join by himself does not have to be asked again.
    let asked = call.facts.rules(call.group).traits.asks_invitees;
    let agrees = (user.invite_consent == InviteConsent::Auto && !asked)
        || open.is_some_and(|open| open.kind == ApplicationKind::Join);
    let kind = match call.path {
        InvitePath::Approval => ApplicationKind::Invite,
        _ if agrees => return Ok(Verdict::Join),
        _ => ApplicationKind::Invitation,
    };
    if let Some(open) = open {
        return Ok(Verdict::Stays(pending(&user.id, open.kind)));
    }
    match application::check_pending(call.group, call.opened, user, &call.facts.limits) {
        Ok(()) => Ok(Verdict::Ask(kind)),
        Err(refusal) => {
            let reason = MemberReason::TooManyPending;
            let mut outcome = MemberOutcome::other(user.id.clone(), MemberResult::Failed, reason);
            outcome.limit = refusal.limit;
            outcome.current = refusal.current;
            outcome.source = refusal.source;
            Ok(Verdict::Stays(outcome))
        }
    }
}

fn over_limit(call: &Call<'_>, user: &User) -> Option<MemberOutcome> {
    if !call.facts.rules(call.group).traits.counts_towards_limit {
        return None;
    }
    let (limit, source) = group_limit(user, &call.facts.limits);
    (user.group_count >= limit).then(|| {
        let reason = MemberReason::GroupLimitReached;
        MemberOutcome::other(user.id.clone(), MemberResult::OverLimit, reason).with_limit(
            limit,
            user.group_count,
            source.as_ref(),
        )
    })
}
