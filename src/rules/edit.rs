//! Changing a group's texts and options. Only what really changes is told.

use serde_json::json;

use crate::model::command::GroupEdit;
use crate::model::event::{GroupEvent, InfoChange};
use crate::model::limits::Limit;
use crate::model::{
    Caller, Error, Group, GroupId, InviteOption, JoinOption, Limits, Profile, Reason, Reply, fields,
};

use super::facts::{Facts, Stop};
use super::matrix::Action;
use super::types::TypeRules;
use super::{Decision, Step, standing};

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    edit: &GroupEdit,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(id)?;
    let standing = standing(of_group, caller)?;
    let rules = facts.rules(group);
    if edit.touches_profile() || !(edit.touches_options() || edit.mute_all.is_some()) {
        rules.permit(Action::EditProfile, standing)?;
    }
    if edit.touches_options() {
        rules.permit(Action::EditOptions, standing)?;
    }
    if edit.mute_all.is_some() {
        rules.permit(Action::MuteAll, standing)?;
    }
    let mut changes = Vec::new();
    let edited = edit_options(&rules, group, edit, &facts.limits, &mut changes)?;
    let profile = if edit.touches_profile() {
        let before = of_group.profile.as_ref().ok_or(Stop::Missing)?;
        let after = edit_profile(before, edit, &mut changes)?;
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
    rules: &TypeRules,
    group: &Group,
    edit: &GroupEdit,
    limits: &Limits,
    changes: &mut Vec<InfoChange>,
) -> Result<Group, Error> {
    let mut edited = group.clone();
    if let Some(option) = edit.join_option {
        edited.join_option = join_option(rules, Some(option), false)?;
    }
    if let Some(option) = edit.invite_option {
        edited.invite_option = invite_option(rules, Some(option), false)?;
    }
    if edit.max_members.is_some() && rules.traits.default_max_members.is_some() {
        edited.max_members = max_members(rules, edit.max_members, limits)?;
    }
    edited.mute_all = edit.mute_all.unwrap_or(group.mute_all);
    let mut note = |field, value| changes.push(InfoChange::new(field, value));
    if edited.join_option != group.join_option {
        note("joinOption", json!(edited.join_option.word()));
    }
    if edited.invite_option != group.invite_option {
        note("inviteOption", json!(edited.invite_option.word()));
    }
    if edited.max_members != group.max_members {
        note("maxMemberCount", json!(edited.max_members));
    }
    if edited.mute_all != group.mute_all {
        note("muteAll", json!(edited.mute_all));
    }
    Ok(edited)
}

fn edit_profile(
    before: &Profile,
    edit: &GroupEdit,
    changes: &mut Vec<InfoChange>,
) -> Result<Profile, Error> {
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
            changes.push(InfoChange::new(field, json!(new)));
        }
    }
    let (custom, real) =
        fields::OF_GROUP.merge("customFields", &before.custom_fields, &edit.custom_fields)?;
    after.custom_fields = custom;
    changes.extend(real.into_iter().map(|(key, value)| InfoChange {
        field: "customFields",
        key: Some(key),
        value: json!(value),
    }));
    Ok(after)
}

/// The join option of a group: the type's own where the type fixes it.
pub(super) fn join_option(
    rules: &TypeRules,
    wanted: Option<JoinOption>,
    lenient: bool,
) -> Result<JoinOption, Error> {
    let traits = rules.traits;
    match wanted {
        Some(option) if traits.join_changeable || option == traits.join_default => Ok(option),
        Some(_) if !lenient => Err(fixed("joinOption", rules, traits.join_default.word())),
        _ => Ok(traits.join_default),
    }
}

/// The invite option of a group: the type's own where the type fixes it.
pub(super) fn invite_option(
    rules: &TypeRules,
    wanted: Option<InviteOption>,
    lenient: bool,
) -> Result<InviteOption, Error> {
    let traits = rules.traits;
    match wanted {
        Some(option) if traits.invite_changeable || option == traits.invite_default => Ok(option),
        Some(_) if !lenient => Err(fixed("inviteOption", rules, traits.invite_default.word())),
        _ => Ok(traits.invite_default),
    }
}

fn fixed(field: &str, rules: &TypeRules, value: &str) -> Error {
    let text = format!("{field} of a group of type {} is always {value}", rules.name);
    let source = format!("{field} of groups of type {}", rules.name);
    Error::new(Reason::NotAllowedForType, text).field(field).source(source)
}

/// The highest number of members: what was asked for, or the type's default within the setting.
pub(super) fn max_members(
    rules: &TypeRules,
    wanted: Option<i32>,
    limits: &Limits,
) -> Result<Option<i32>, Error> {
    let Some(default) = rules.traits.default_max_members else {
        return Ok(None);
    };
    let of_type = rules.traits.highest_max_members;
    let of_type = of_type.filter(|most| *most < limits.members_per_group.value);
    let of_type = of_type.map(|most| Limit::new(most, &format!("type {}", rules.name)));
    let highest = of_type.as_ref().unwrap_or(&limits.members_per_group);
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
