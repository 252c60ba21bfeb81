//! Rendering: from an event to the text that goes over the wire and into the log, and back to whose
//! membership it began or ended.

use std::sync::Arc;

use chrono::SecondsFormat;
use serde::{Deserialize, Serialize, Serializer};

use super::{Ends, EventKind, GroupEvent, InfoChange, LogEntry, StreamKey, UserEvent};
use crate::model::application::{Application, Ending};
use crate::model::attributes::ChangedAttributes;
use crate::model::{FieldChanges, GroupId, MemberChange, Moment, NewMember, Role, UserId};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Frame<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<&'static str>,
    event: &'static str,
    #[serde(rename = "groupID", skip_serializing_if = "Option::is_none")]
    group: Option<&'a GroupId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_seq: Option<i64>,
    #[serde(serialize_with = "rfc3339")]
    time: Moment,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    silent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    op_user: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    member_list: Option<Vec<Named<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    change_infos: Option<&'a [InfoChange]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<&'a ChangedAttributes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<ApplicationFrame<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op_result: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    op_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Named<'a> {
    #[serde(rename = "userID")]
    user: &'a UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_card: Option<&'a str>,
    /// `null` when a mute was lifted.
    #[serde(skip_serializing_if = "Option::is_none")]
    mute_until: Option<serde_json::Value>,
    /// `null` for a field that went.
    #[serde(skip_serializing_if = "Option::is_none")]
    custom_fields: Option<&'a FieldChanges>,
}

/// An application as lists and frames show it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ApplicationFrame<'a> {
    #[serde(rename = "applicationID")]
    id: uuid::Uuid,
    r#type: &'static str,
    #[serde(rename = "groupID")]
    group: &'a GroupId,
    from_user: &'a UserId,
    /// Empty for a join application, as at Tencent.
    to_user: &'a str,
    message: &'a str,
    #[serde(serialize_with = "rfc3339")]
    add_time: Moment,
    #[serde(serialize_with = "rfc3339")]
    expire_time: Moment,
    can_decide: bool,
}

impl<'a> ApplicationFrame<'a> {
    /// Shows an application to somebody who may decide it or not.
    #[must_use]
    pub fn new(application: &'a Application, can_decide: bool) -> Self {
        Self {
            id: application.id,
            r#type: application.kind.wire(),
            group: &application.group,
            from_user: &application.from_user,
            to_user: application.to_user().map_or("", UserId::as_str),
            message: &application.message,
            add_time: application.added_at,
            expire_time: application.expires_at,
            can_decide,
        }
    }
}

/// Writes a moment as RFC 3339 in UTC with milliseconds.
///
/// # Errors
/// Only those of the serializer.
pub fn rfc3339<S: Serializer>(at: &Moment, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&show_moment(*at))
}

/// A moment as RFC 3339 in UTC with milliseconds.
#[must_use]
pub fn show_moment(at: Moment) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn named(user: &UserId) -> Named<'_> {
    Named { user, role: None, name_card: None, mute_until: None, custom_fields: None }
}

/// New members, with those roles that are not the ordinary one.
fn all_new(members: &[NewMember]) -> Vec<Named<'_>> {
    let above = |role: Role| (role != Role::Member).then_some(role.word());
    members.iter().map(|one| Named { role: above(one.role), ..named(&one.user) }).collect()
}

fn changed(change: &MemberChange) -> Named<'_> {
    Named {
        name_card: change.name_card.as_deref(),
        mute_until: change.mute_until.map(|until| until.map(show_moment).into()),
        custom_fields: (!change.custom_fields.is_empty()).then_some(&change.custom_fields),
        ..named(&change.user)
    }
}

fn all_named(users: &[UserId]) -> Vec<Named<'_>> {
    users.iter().map(named).collect()
}

impl Frame<'_> {
    fn blank(kind: EventKind, at: Moment) -> Self {
        Self {
            r#type: "event",
            stream: None,
            event: kind.word(),
            group: None,
            seq: None,
            user_seq: None,
            time: at,
            silent: false,
            op_user: None,
            member: None,
            member_list: None,
            group_type: None,
            group_name: None,
            change_infos: None,
            attributes: None,
            reason: None,
            application: None,
            op_result: None,
            op_reason: None,
            outcome: None,
        }
    }

    fn render(&self) -> Arc<str> {
        // These types have no map with non-text keys and no failing serializer: this cannot fail.
        serde_json::to_string(self).unwrap_or_default().into()
    }
}

impl GroupEvent {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::Created { .. } => EventKind::onGroupCreated,
            Self::Invited { .. } => EventKind::onMemberInvited,
            Self::Entered { .. } => EventKind::onMemberEnter,
            Self::Left { .. } => EventKind::onMemberLeave,
            Self::Kicked { .. } => EventKind::onMemberKicked,
            Self::MembersChanged { .. } => EventKind::onMemberInfoChanged,
            Self::Granted { .. } => EventKind::onGrantAdministrator,
            Self::Revoked { .. } => EventKind::onRevokeAdministrator,
            Self::InfoChanged { .. } => EventKind::onGroupInfoChanged,
            Self::AttributesChanged { .. } => EventKind::onGroupAttributeChanged,
            Self::Dismissed { .. } => EventKind::onGroupDismissed,
        }
    }

    /// Those whose membership begins with it.
    #[must_use]
    pub fn starts(&self) -> Vec<UserId> {
        match self {
            Self::Created { members, .. } | Self::Invited { members, .. } => {
                members.iter().map(|member| member.user.clone()).collect()
            }
            Self::Entered { members, .. } => members.clone(),
            _ => Vec::new(),
        }
    }

    /// Those whose membership ends with it.
    #[must_use]
    pub fn ends(&self) -> Ends {
        match self {
            Self::Left { member, .. } => Ends::Users(vec![member.clone()]),
            Self::Kicked { members, .. } => Ends::Users(members.clone()),
            Self::Dismissed { .. } => Ends::Everybody,
            _ => Ends::Users(Vec::new()),
        }
    }

    /// Who did it.
    fn op(&self) -> Option<&UserId> {
        match self {
            Self::Entered { op, .. } => op.as_ref(),
            Self::Created { op, .. }
            | Self::Invited { op, .. }
            | Self::Left { op, .. }
            | Self::Kicked { op, .. }
            | Self::MembersChanged { op, .. }
            | Self::Granted { op, .. }
            | Self::Revoked { op, .. }
            | Self::InfoChanged { op, .. }
            | Self::AttributesChanged { op, .. }
            | Self::Dismissed { op } => Some(op),
        }
    }

    /// Writes what is its own into its frame.
    fn tell<'a>(&'a self, frame: &mut Frame<'a>) {
        match self {
            Self::Created { group, profile, members, silent, .. } => {
                frame.silent = *silent;
                frame.group_type = Some(group.type_word());
                frame.group_name = Some(&profile.name);
                let line =
                    |one: &'a NewMember| Named { role: Some(one.role.word()), ..named(&one.user) };
                frame.member_list = Some(members.iter().map(line).collect());
            }
            Self::Invited { members, silent, .. } => {
                frame.member_list = Some(all_new(members));
                frame.silent = *silent;
            }
            Self::Entered { members, .. }
            | Self::Granted { members, .. }
            | Self::Revoked { members, .. } => frame.member_list = Some(all_named(members)),
            Self::Left { member, .. } => frame.member = Some(named(member)),
            Self::Kicked { members, reason, silent, .. } => {
                frame.member_list = Some(all_named(members));
                frame.reason = (!reason.is_empty()).then_some(reason);
                frame.silent = *silent;
            }
            Self::MembersChanged { changes, .. } => {
                frame.member_list = Some(changes.iter().map(changed).collect());
            }
            Self::InfoChanged { changes, .. } => frame.change_infos = Some(changes),
            Self::AttributesChanged { changed, .. } => frame.attributes = Some(changed),
            Self::Dismissed { .. } => {}
        }
    }

    /// The entry that this event becomes at its place in the group's log.
    #[must_use]
    pub fn entry(&self, group: &GroupId, seq: i64, at: Moment) -> LogEntry {
        let mut frame = Frame::blank(self.kind(), at);
        frame.group = Some(group);
        frame.seq = Some(seq);
        frame.op_user = self.op().map(named);
        self.tell(&mut frame);
        LogEntry {
            stream: StreamKey::Group(group.clone()),
            seq,
            at,
            kind: self.kind(),
            starts: self.starts(),
            ends: self.ends(),
            frame: frame.render(),
        }
    }
}

impl UserEvent {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> EventKind {
        match self {
            Self::JoinApplication(_) => EventKind::onReceiveJoinApplication,
            Self::Invitation(_) => EventKind::onReceiveInvitation,
            Self::Processed { .. } => EventKind::onApplicationProcessed,
        }
    }

    /// The entry that this event becomes at its place in the person's stream.
    #[must_use]
    pub fn entry(&self, user: &UserId, seq: i64, at: Moment) -> LogEntry {
        let mut frame = Frame::blank(self.kind(), at);
        frame.stream = Some("user");
        frame.user_seq = Some(seq);
        match self {
            Self::JoinApplication(application) | Self::Invitation(application) => {
                frame.group = Some(&application.group);
                frame.op_user = Some(named(&application.from_user));
                frame.application = Some(ApplicationFrame::new(application, true));
            }
            Self::Processed { application, op } => {
                let ending = application.handled.as_ref().map_or(Ending::Expired, |end| end.ending);
                frame.group = Some(&application.group);
                frame.op_user = op.as_ref().map(named);
                frame.application = Some(ApplicationFrame::new(application, false));
                frame.op_result = Some(ending.granted());
                frame.outcome = Some(ending.wire());
                frame.op_reason = application.handled.as_ref().map(|end| end.message.as_str());
            }
        }
        LogEntry {
            stream: StreamKey::User(user.clone()),
            seq,
            at,
            kind: self.kind(),
            starts: Vec::new(),
            ends: Ends::Users(Vec::new()),
            frame: frame.render(),
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct StoredNames {
    member: Option<StoredName>,
    member_list: Vec<StoredName>,
}

#[derive(Deserialize)]
struct StoredName {
    #[serde(rename = "userID")]
    user: UserId,
}

impl LogEntry {
    /// Takes an entry from the log. Whose membership it starts and ends is read off its frame.
    #[must_use]
    pub fn from_stored(
        stream: StreamKey,
        seq: i64,
        at: Moment,
        kind: EventKind,
        frame: &str,
    ) -> Self {
        let names = || -> Vec<UserId> {
            let stored: StoredNames = serde_json::from_str(frame).unwrap_or_default();
            stored.member.into_iter().chain(stored.member_list).map(|name| name.user).collect()
        };
        let (starts, ends) = match kind {
            EventKind::onGroupCreated | EventKind::onMemberInvited | EventKind::onMemberEnter => {
                (names(), Ends::Users(Vec::new()))
            }
            EventKind::onMemberLeave | EventKind::onMemberKicked => {
                (Vec::new(), Ends::Users(names()))
            }
            EventKind::onGroupDismissed => (Vec::new(), Ends::Everybody),
            _ => (Vec::new(), Ends::Users(Vec::new())),
        };
        Self { stream, seq, at, kind, starts, ends, frame: frame.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::from_stored(id)
    }

    #[test]
    fn an_invitation_looks_as_the_surface_says() {
        let event = GroupEvent::Invited {
            op: user("alice"),
            members: vec![NewMember::plain(user("bob")), NewMember::plain(user("carol"))],
            silent: false,
        };
        let at = Moment::from_timestamp(1_700_000_000, 5_000_000).expect("a moment");
        let entry = event.entry(&GroupId::from_stored("g1"), 7, at);
        assert_eq!(
            &*entry.frame,
            r#"{"type":"event","event":"onMemberInvited","groupID":"g1","seq":7,"time":"2023-11-14T22:13:20.005Z","opUser":{"userID":"alice"},"memberList":[{"userID":"bob"},{"userID":"carol"}]}"#
        );
    }

    #[test]
    fn what_was_stored_reads_back_equal() {
        let at = Moment::from_timestamp(1_700_000_000, 0).expect("a moment");
        let group = GroupId::from_stored("g1");
        for event in [
            GroupEvent::Invited {
                op: user("a"),
                members: vec![NewMember::plain(user("b"))],
                silent: true,
            },
            GroupEvent::Granted { op: user("a"), members: vec![user("b")] },
            GroupEvent::Entered { op: None, members: vec![user("b")] },
            GroupEvent::Left { member: user("b"), op: user("b") },
            GroupEvent::Kicked {
                op: user("a"),
                members: vec![user("b"), user("c")],
                reason: "spam".into(),
                silent: false,
            },
            GroupEvent::AttributesChanged {
                op: user("a"),
                state: Box::default(),
                changed: [("k".to_owned(), Some("v".to_owned())), ("member".to_owned(), None)]
                    .into(),
            },
            GroupEvent::Dismissed { op: user("a") },
        ] {
            let entry = event.entry(&group, 3, at);
            let read = LogEntry::from_stored(entry.stream.clone(), 3, at, entry.kind, &entry.frame);
            assert_eq!(read, entry);
        }
    }
}
