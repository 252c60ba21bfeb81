//! Opening and closing applications, in the one way that every operation shares.

use crate::model::application::Handled;
use crate::model::event::UserEvent;
use crate::model::{
    Application, ApplicationId, ApplicationKind, ApplicationState, Ending, Error, Group, GroupId,
    Limits, Moment, Reason, User, UserId,
};

use super::apply::Step;
use super::facts::{Facts, GroupFacts, Stop};

/// Who wants what of whom.
pub(crate) struct Wish<'a> {
    pub(crate) group: &'a GroupId,
    pub(crate) kind: ApplicationKind,
    pub(crate) from_user: &'a UserId,
    pub(crate) subject: &'a UserId,
    pub(crate) approved_by: Option<&'a UserId>,
    pub(crate) message: &'a str,
}

impl Wish<'_> {
    /// The application this becomes. Its id is derived from what makes it unique (group, person and
    /// moment), so that a decision that is computed twice comes out the same.
    pub(crate) fn into_application(self, facts: &Facts, serial: usize) -> Application {
        Application {
            id: application_id(
                facts.now,
                self.group,
                self.subject,
                serial + facts.changes.entries.len(),
            ),
            group: self.group.clone(),
            kind: self.kind,
            from_user: self.from_user.clone(),
            subject: self.subject.clone(),
            approved_by: self.approved_by.cloned(),
            message: self.message.to_owned(),
            added_at: facts.now,
            expires_at: facts.now + facts.limits.application_life,
            state: ApplicationState::Open,
            handled: None,
        }
    }
}

/// An id that sorts by time (UUID version 7 layout) with the rest hashed from group, person and serial.
/// Within a batch, whose commands share one moment, the serial counts the events so far.
fn application_id(now: Moment, group: &GroupId, subject: &UserId, serial: usize) -> ApplicationId {
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(now.timestamp_micros().to_be_bytes());
    hash.update(group.as_str().as_bytes());
    hash.update([0]);
    hash.update(subject.as_str().as_bytes());
    hash.update(serial.to_be_bytes());
    let digest = hash.finalize();
    let mut random = [0_u8; 10];
    random.copy_from_slice(&digest[..10]);
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Whether group and person may have one more open application.
///
/// # Errors
/// [`Reason::TooManyPending`] with the limit that was met.
pub(crate) fn check_pending(
    group: &Group,
    opened: usize,
    user: &User,
    limits: &Limits,
) -> Result<(), Error> {
    let of_group = group.pending_count.saturating_add(i32::try_from(opened).unwrap_or(i32::MAX));
    let walls = [
        (of_group, &limits.pending_per_group, "the group"),
        (user.pending_count, &limits.pending_per_user, "the user"),
    ];
    for (current, limit, whose) in walls {
        if current >= limit.value {
            let text =
                format!("{whose} has {current} of {} possible open applications", limit.value);
            return Err(Error::new(Reason::TooManyPending, text)
                .limit(limit.value)
                .current(current)
                .source(limit.source.as_ref()));
        }
    }
    Ok(())
}

/// Closes an application and tells those whom it concerns.
pub(crate) fn close(
    application: &Application,
    ending: Ending,
    by: Option<&UserId>,
    message: &str,
    now: Moment,
) -> Vec<Step> {
    let handled = Handled { by: by.cloned(), ending, message: message.to_owned(), at: now };
    let mut closed = application.clone();
    closed.state = ending.state();
    closed.handled = Some(handled.clone());
    let mut steps = vec![Step::Close(application.group.clone(), application.id, handled)];
    steps.extend(application.concerned().into_iter().map(|user| {
        let event = UserEvent::Processed { application: Box::new(closed.clone()), op: by.cloned() };
        Step::Personal(user, event)
    }));
    steps
}

/// Closes the open application of somebody who became a member in another way, if there is one.
pub(crate) fn close_on_joining(
    facts: &Facts,
    group: &GroupFacts,
    subject: &UserId,
    by: &UserId,
) -> Result<Vec<Step>, Stop> {
    Ok(match group.open_application(subject)? {
        Some(open) => close(open, Ending::Joined, Some(by), "", facts.now),
        None => Vec::new(),
    })
}

/// Those whose rows matter when this person's open application comes to its end.
pub(crate) fn concerned(group: &GroupFacts, subject: &UserId) -> Result<Vec<UserId>, Stop> {
    let open = group.open_application(subject)?;
    Ok(open.map(Application::concerned).unwrap_or_default())
}
