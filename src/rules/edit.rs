//! Changing a group's texts and options. Only what really changes is told.

use serde_json::json;

use crate::model::command::GroupEdit;
use crate::model::event::{GroupEvent, InfoChange};
use crate::model::{
    Caller, Error, Group, GroupId, GroupType, InviteOption, JoinOption, Limits, Profile, Reason,
    Reply,
};

use super::facts::{Facts, Stop};
use super::matrix::{self, Action};
use super::{Decision, Step, standing};

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    edit: &GroupEdit,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(id)?;
    let standing = standing(of_group, caller)?;
    if edit.touches_profile() || !edit.touches_options() {
        matrix::permit(group.group_type, Action::EditProfile, standing)?;
    }
    if edit.touches_options() {
        matrix::permit(group.group_type, Action::EditOptions, standing)?;
    }
    let mut changes = Vec::new();
    let edited = edit_options(group, edit, &facts.limits, &mut changes)?;
    let profile = if edit.touches_profile() {
        let before = of_group.profile.as_ref().ok_or(Stop::Missing)?;
        let after = edit_profile(before, edit, &mut changes);
        (after != *before).then(|| Box::new(after))
    } else {
        None
    };
    if changes.is_empty() {
        return Ok(Decision::unchanged(Reply::Done));
    }
    let op = caller.user.clone();
    let event = GroupEvent::InfoChanged { op, group: Box::new(edited), profile, changes };
    Ok(Decision { reply: Reply::Done, steps: vec![Step::Group(id.clone(), event)] })
}

fn edit_options(
    group: &Group,
    edit: &GroupEdit,
    limits: &Limits,
    changes: &mut Vec<InfoChange>,
) -> Result<Group, Error> {
    let mut edited = group.clone();
    if let Some(option) = edit.join_option {
        edited.join_option = join_option(group.group_type, Some(option), false)?;
    }
    if let Some(option) = edit.invite_option {
        edited.invite_option = invite_option(group.group_type, Some(option), false)?;
    }
    if edit.max_members.is_some() && group.group_type != GroupType::AVChatRoom {
        edited.max_members = max_members(group.group_type, edit.max_members, limits)?;
    }
    let mut note = |field, value| changes.push(InfoChange { field, value });
    if edited.join_option != group.join_option {
        note("joinOption", json!(edited.join_option.word()));
    }
    if edited.invite_option != group.invite_option {
        note("inviteOption", json!(edited.invite_option.word()));
    }
    if edited.max_members != group.max_members {
        note("maxMemberCount", json!(edited.max_members));
    }
    Ok(edited)
}

fn edit_profile(before: &Profile, edit: &GroupEdit, changes: &mut Vec<InfoChange>) -> Profile {
    let mut after = before.clone();
    let fields = [
        ("groupName", &edit.name, &mut after.name),
        ("introduction", &edit.introduction, &mut after.introduction),
        ("notification", &edit.notification, &mut after.notification),
        ("faceUrl", &edit.face_url, &mut after.face_url),
    ];
    for (field, new, place) in fields {
        if let Some(new) = new
            && new != place
        {
            place.clone_from(new);
            changes.push(InfoChange { field, value: json!(new) });
        }
    }
    after
}

/// The join option of a group: the type's own where the type fixes it.
pub(super) fn join_option(
    group_type: GroupType,
    wanted: Option<JoinOption>,
    lenient: bool,
) -> Result<JoinOption, Error> {
    let traits = matrix::traits(group_type);
    match wanted {
        Some(option) if traits.join_changeable || option == traits.join_default => Ok(option),
        Some(_) if !lenient => Err(fixed("joinOption", group_type, traits.join_default.word())),
        _ => Ok(traits.join_default),
    }
}

/// The invite option of a group: the type's own where the type fixes it.
pub(super) fn invite_option(
    group_type: GroupType,
    wanted: Option<InviteOption>,
    lenient: bool,
) -> Result<InviteOption, Error> {
    let traits = matrix::traits(group_type);
    match wanted {
        Some(option) if traits.invite_changeable || option == traits.invite_default => Ok(option),
        Some(_) if !lenient => Err(fixed("inviteOption", group_type, traits.invite_default.word())),
        _ => Ok(traits.invite_default),
    }
}

fn fixed(field: &str, group_type: GroupType, value: &str) -> Error {
    let text = format!("{field} of a group of type {} is always {value}", group_type.word());
    Error::new(Reason::NotAllowedForType, text).field(field)
}

/// The highest number of members: what was asked for, or the type's default within the setting.
pub(super) fn max_members(
    group_type: GroupType,
    wanted: Option<i32>,
    limits: &Limits,
) -> Result<Option<i32>, Error> {
    let Some(default) = matrix::traits(group_type).default_max_members else {
        return Ok(None);
    };
    let highest = &limits.members_per_group;
    match wanted {
        None => Ok(Some(default.min(highest.value))),
        Some(wanted) if wanted < 1 => {
            Err(Error::parameter("maxMemberCount", "must be at least 1").current(wanted).limit(1))
        }
        Some(wanted) if wanted > highest.value => {
            let text = format!("maxMemberCount is {wanted}, at most {} is possible", highest.value);
            Err(Error::new(Reason::MemberCapTooHigh, text)
                .field("maxMemberCount")
                .limit(highest.value)
                .current(wanted)
                .source(highest.source.as_ref()))
        }
        Some(wanted) => Ok(Some(wanted)),
    }
}
