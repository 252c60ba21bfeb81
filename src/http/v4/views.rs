//! What replies show of a group and of a member (`tencent-im.md` 1.8), and which of it was asked for.
//!
//! Muster carries no messages: what is said about them is what a group has in which none was ever sent.
//! Renamed fields are shown under both names, unless a filter names one of them.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::body::{Fields, Name};
use super::{custom, words};
use crate::model::{CustomFields, Error, GroupType, Moment};
use crate::store::groups::GroupView;
use crate::store::members::MemberView;

/// Which fields were asked for.
#[derive(Clone, Debug)]
pub(super) enum Filter<'a> {
    /// No filter, or an empty one.
    All,
    /// These; names that do not exist are passed over.
    Only(HashSet<&'a str>),
}

impl<'a> Filter<'a> {
    /// Reads a list of field names.
    ///
    /// # Errors
    /// [`crate::model::Reason::InvalidParameter`] when it is no list of strings.
    pub(super) fn read(fields: &Fields<'a>, name: Name) -> Result<Self, Error> {
        let names = fields.strings(name)?.unwrap_or_default();
        if names.is_empty() {
            return Ok(Self::All);
        }
        Ok(Self::Only(names.into_iter().map(|(_, name)| name).collect()))
    }

    /// Whether there is no filter.
    pub(super) fn is_all(&self) -> bool {
        matches!(self, Self::All)
    }

    /// The same filter, but nothing at all for who names no field.
    pub(super) fn or_nothing(self) -> Self {
        match self {
            Self::All => Self::Only(HashSet::new()),
            only @ Self::Only(_) => only,
        }
    }

    /// Whether this field was asked for.
    pub(super) fn wants(&self, field: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(field),
        }
    }

    fn pick<T, C: Copy>(&self, table: Shown<T, C>, of: &T, context: C) -> Map<String, Value> {
        let wanted = table.iter().filter(|(field, _)| self.wants(field));
        wanted.filter_map(|(field, show)| Some(((*field).to_owned(), show(of, context)?))).collect()
    }
}

/// Fields of replies, and how each is shown: of what, and what else it depends on.
type Shown<T, C> = &'static [(&'static str, fn(&T, C) -> Option<Value>)];

const GROUP: Shown<GroupView, u64> = &[
    ("Type", |it, _| Some(json!(words::group_type(it.group.group_type)))),
    ("Name", |it, _| Some(json!(it.profile.name))),
    ("Introduction", |it, _| Some(json!(it.profile.introduction))),
    ("Notification", |it, _| Some(json!(it.profile.notification))),
    ("FaceUrl", |it, _| Some(json!(it.profile.face_url))),
    ("Owner_Account", |it, _| Some(json!(it.group.owner.as_ref().map_or("", |it| it.as_str())))),
    ("CreateTime", |it, _| Some(json!(words::seconds(it.group.created_at)))),
    ("InfoSeq", |it, _| Some(json!(it.group.seq))),
    ("LastInfoTime", |it, _| Some(json!(words::seconds(it.changed_at)))),
    ("LastMsgTime", |_, _| Some(json!(0))),
    ("NextMsgSeq", |it, _| Some(json!(it.group.seq.saturating_add(1)))),
    ("MemberNum", |it, _| Some(json!(it.group.member_count))),
    ("MaxMemberNum", |it, _| Some(json!(it.group.max_members.unwrap_or(NO_CAP)))),
    ("ApplyJoinOption", |it, _| Some(json!(words::join_option(it.group.join_option)))),
    ("InviteJoinOption", |it, _| Some(json!(words::invite_option(it.group.invite_option)))),
    ("MuteAllMember", |it, _| Some(json!(words::switch(it.group.mute_all)))),
    ("ShutUpAllMember", |it, _| Some(json!(words::switch(it.group.mute_all)))),
    ("Appid", |_, app_id| Some(json!(app_id))),
    ("SupportTopic", |it, _| (it.group.group_type == GroupType::Community).then(|| json!(0))),
];

/// `MaxMemberNum` of a group without a cap.
const NO_CAP: i32 = 0;

/// What of a group or of a member was asked for.
#[derive(Clone, Debug)]
pub(super) struct Asked<'a> {
    /// Which fields that every one of its kind has.
    pub(super) base: Filter<'a>,
    /// Which fields of the app's own; without such a filter, all of them where `base` wants them.
    pub(super) custom: Filter<'a>,
}

impl Asked<'_> {
    /// Whether anything was asked for by name.
    pub(super) fn is_named(&self) -> bool {
        !(self.base.is_all() && self.custom.is_all())
    }

    fn pick<T, C: Copy>(
        &self,
        table: Shown<T, C>,
        of: &T,
        context: C,
        custom: (Name, &CustomFields),
    ) -> Map<String, Value> {
        let mut shown = self.base.pick(table, of, context);
        let (name, set) = custom;
        let name = name.first().copied().unwrap_or_default();
        if let Some(list) = custom::shown(set, self.base.wants(name), &self.custom) {
            shown.insert(name.to_owned(), list);
        }
        shown
    }
}

/// The fields of a group that were asked for.
pub(super) fn group(view: &GroupView, app_id: u64, asked: &Asked<'_>) -> Map<String, Value> {
    asked.pick(GROUP, view, app_id, (custom::OF_GROUPS, &view.profile.custom_fields))
}

/// Until when somebody may not speak; 0 when he may.
pub(super) fn mute_until(view: &MemberView, now: Moment) -> i64 {
    view.mute_until.filter(|until| *until > now).map_or(0, words::seconds)
}

const MEMBER: Shown<MemberView, Moment> = &[
    ("Role", |it, _| Some(json!(words::role(it.role)))),
    ("JoinTime", |it, _| Some(json!(words::seconds(it.joined_at)))),
    ("MsgSeq", |_, _| Some(json!(0))),
    ("MsgFlag", |_, _| Some(json!("AcceptAndNotify"))),
    ("LastSendMsgTime", |_, _| Some(json!(0))),
    ("NameCard", |it, _| Some(json!(it.name_card))),
    ("MuteUntil", |it, now| Some(json!(mute_until(it, now)))),
    ("ShutUpUntil", |it, now| Some(json!(mute_until(it, now)))),
];

/// The fields of a member that were asked for, and always who he is.
pub(super) fn member(view: &MemberView, now: Moment, asked: &Asked<'_>) -> Value {
    let mut shown = Map::new();
    shown.insert("Member_Account".to_owned(), json!(view.user));
    shown.extend(asked.pick(MEMBER, view, now, (custom::OF_MEMBERS, &view.custom_fields)));
    Value::Object(shown)
}

const SELF: Shown<MemberView, ()> = &[
    ("Role", |it, ()| Some(json!(words::role(it.role)))),
    ("JoinTime", |it, ()| Some(json!(words::seconds(it.joined_at)))),
    ("MsgSeq", |_, ()| Some(json!(0))),
    ("MsgFlag", |_, ()| Some(json!("AcceptAndNotify"))),
    ("UnreadMsgNum", |_, ()| Some(json!(0))),
    ("NameCard", |it, ()| Some(json!(it.name_card))),
];

/// The fields of a user's own membership that were asked for.
pub(super) fn own(view: &MemberView, asked: &Asked<'_>) -> Value {
    Value::Object(asked.pick(SELF, view, (), (custom::OF_MEMBERS, &view.custom_fields)))
}

#[cfg(test)]
mod tests;
