//! Who may do what in which type of group: one table, as data.
//!
//! It follows `tencent-im.md` 1.2 to 1.4 column by column, as `decisions.md` b to d settle what is open
//! there, so that the two can be read side by side. Every operation on both faces asks this table;
//! nothing else in Muster names a permission.

use crate::model::{Error, Group, GroupType, InviteOption, JoinOption, Reason, Role};

/// What somebody wants to do in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Name its first members when creating it.
    NameFirstMembers,
    /// Read its whole profile.
    ReadProfile,
    /// Read its members and its events.
    ReadMembers,
    /// Change name, introduction, notification or face.
    EditProfile,
    /// Change join option, invite option or the highest number of members.
    EditOptions,
    /// Read its attributes.
    ReadAttributes,
    /// Change its attributes.
    EditAttributes,
    /// End it.
    Dismiss,
    /// Enter by oneself, as the join option says.
    Apply,
    /// Bring in others, as the invite option says.
    Invite,
    /// Decide applications.
    Decide,
    /// Leave.
    Quit,
    /// Remove others.
    Kick,
    /// Keep somebody out for a time, and read who is kept out.
    Ban,
}

/// From nobody to anybody. An app administrator may do whatever the type supports at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// The type does not support it, not even for an app administrator.
    Nobody,
    /// Only an app administrator.
    Administrator,
    /// The owner.
    Owner,
    /// The owner and the admins.
    Managers,
    /// Every member.
    Members,
    /// Members and strangers.
    Anybody,
}

use Who::{Administrator, Anybody, Managers, Members, Nobody, Owner};

/// The matrix. Columns in the order of [`GroupType::ALL`].
#[rustfmt::skip]
pub const MATRIX: &[(Action, [Who; 5])] = &[
    //                         Work           Public    Meeting   AVChatRoom  Community
    (Action::NameFirstMembers, [Anybody,       Anybody,  Anybody,  Nobody,     Anybody]),
    (Action::ReadProfile,      [Members,       Members,  Members,  Members,    Members]),
    (Action::ReadMembers,      [Members,       Members,  Members,  Members,    Members]),
    (Action::EditProfile,      [Members,       Managers, Managers, Owner,      Managers]),
    (Action::EditOptions,      [Owner,         Managers, Managers, Owner,      Managers]),
    (Action::ReadAttributes,   [Members,       Members,  Members,  Members,    Members]),
    (Action::EditAttributes,   [Members,       Managers, Managers, Owner,      Managers]),
    (Action::Dismiss,          [Administrator, Owner,    Owner,    Owner,      Owner]),
    (Action::Apply,            [Nobody,        Anybody,  Anybody,  Anybody,    Anybody]),
    (Action::Invite,           [Members,       Members,  Members,  Nobody,     Members]),
    (Action::Decide,           [Managers,      Managers, Managers, Nobody,     Managers]),
    (Action::Quit,             [Members,       Members,  Members,  Members,    Members]),
    (Action::Kick,             [Owner,         Managers, Managers, Nobody,     Managers]),
    (Action::Ban,              [Owner,         Managers, Managers, Owner,      Managers]),
];

/// What else distinguishes a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a row of yes and no, as in the document")]
pub struct Traits {
    /// The join option of a new group.
    pub join_default: JoinOption,
    /// Whether the join option can be another one.
    pub join_changeable: bool,
    /// The invite option of a new group.
    pub invite_default: InviteOption,
    /// Whether the invite option can be another one.
    pub invite_changeable: bool,
    /// Whether it knows admins between owner and members.
    pub has_admins: bool,
    /// Whether the owner may leave, which makes the group ownerless.
    pub owner_may_quit: bool,
    /// Whether being in it counts towards a user's limit on groups.
    pub counts_towards_limit: bool,
    /// Most members of a group that names no number; `None` is no cap.
    pub default_max_members: Option<i32>,
    /// Whether strangers learn that it exists: name, type, face, introduction, count, join option.
    pub visible_to_strangers: bool,
}

/// The traits of a type.
#[must_use]
pub const fn traits(group_type: GroupType) -> Traits {
    match group_type {
        GroupType::Work => Traits {
            join_default: JoinOption::DisableApply,
            join_changeable: false,
            invite_default: InviteOption::FreeAccess,
            invite_changeable: true,
            has_admins: false,
            owner_may_quit: true,
            counts_towards_limit: true,
            default_max_members: Some(6_000),
            visible_to_strangers: false,
        },
        GroupType::Public => Traits {
            join_default: JoinOption::NeedPermission,
            join_changeable: true,
            invite_default: InviteOption::DisableInvite,
            invite_changeable: true,
            has_admins: true,
            owner_may_quit: false,
            counts_towards_limit: true,
            default_max_members: Some(6_000),
            visible_to_strangers: true,
        },
        GroupType::Meeting => Traits {
            join_default: JoinOption::FreeAccess,
            join_changeable: false,
            invite_default: InviteOption::DisableInvite,
            invite_changeable: true,
            has_admins: true,
            owner_may_quit: false,
            counts_towards_limit: true,
            default_max_members: Some(6_000),
            visible_to_strangers: true,
        },
        GroupType::AVChatRoom => Traits {
            join_default: JoinOption::FreeAccess,
            join_changeable: false,
            invite_default: InviteOption::DisableInvite,
            invite_changeable: false,
            has_admins: false,
            owner_may_quit: false,
            counts_towards_limit: false,
            default_max_members: None,
            visible_to_strangers: true,
        },
        GroupType::Community => Traits {
            join_default: JoinOption::FreeAccess,
            join_changeable: true,
            invite_default: InviteOption::FreeAccess,
            invite_changeable: true,
            has_admins: true,
            owner_may_quit: false,
            counts_towards_limit: true,
            default_max_members: Some(100_000),
            visible_to_strangers: true,
        },
    }
}

/// How somebody stands to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whether he is an app administrator.
    pub administrator: bool,
    /// His role, if he is a member.
    pub role: Option<Role>,
}

/// Who may do this in a group of this type.
#[must_use]
pub fn who(group_type: GroupType, action: Action) -> Who {
    let column = match group_type {
        GroupType::Work => 0,
        GroupType::Public => 1,
        GroupType::Meeting => 2,
        GroupType::AVChatRoom => 3,
        GroupType::Community => 4,
    };
    MATRIX.iter().find(|(listed, _)| *listed == action).map_or(Nobody, |(_, row)| row[column])
}

/// Whether somebody may do this in a group of this type.
///
/// # Errors
/// [`Reason::NotAllowedForType`], [`Reason::AdministratorsOnly`], [`Reason::NotAMember`] or
/// [`Reason::RoleTooLow`].
pub fn permit(group_type: GroupType, action: Action, standing: Standing) -> Result<(), Error> {
    let needed = who(group_type, action);
    if needed == Nobody {
        let text = format!("a group of type {} does not support this", group_type.word());
        return Err(Error::new(Reason::NotAllowedForType, text));
    }
    if standing.administrator || needed == Anybody {
        return Ok(());
    }
    if needed == Administrator {
        let text =
            format!("in a group of type {} only an app administrator may", group_type.word());
        return Err(Error::new(Reason::AdministratorsOnly, text));
    }
    let Some(role) = standing.role else {
        return Err(Error::new(Reason::NotAMember, "the caller is not a member of the group"));
    };
    let enough = match needed {
        Owner => role == Role::Owner,
        Managers => role >= Role::Admin,
        _ => true,
    };
    if enough {
        return Ok(());
    }
    let whom = if needed == Owner { "the owner" } else { "the owner and admins" };
    let text = format!("in a group of type {} only {whom} may", group_type.word());
    Err(Error::new(Reason::RoleTooLow, text))
}

/// How an invitation goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitePath {
    /// The invited are added at once; `ask` and `deny` of theirs do not count.
    Unconditional,
    /// The invited are added at once, if they do not want to be asked.
    Direct,
    /// Owner and admins are asked first.
    Approval,
}

/// How an invitation by this person goes on, as the invite option says (`tencent-im.md` 1.4,
/// `decisions.md` b to d).
///
/// # Errors
/// As [`permit`], and [`Reason::InviteDisabled`].
pub fn invite_path(group: &Group, standing: Standing) -> Result<InvitePath, Error> {
    permit(group.group_type, Action::Invite, standing)?;
    if standing.administrator {
        return Ok(InvitePath::Unconditional);
    }
    match group.invite_option {
        InviteOption::FreeAccess => Ok(InvitePath::Direct),
        InviteOption::NeedPermission if standing.role >= Some(Role::Admin) => {
            Ok(InvitePath::Direct)
        }
        InviteOption::NeedPermission => Ok(InvitePath::Approval),
        InviteOption::DisableInvite => Err(Error::new(
            Reason::InviteDisabled,
            "the group's inviteOption is DisableInvite: only an app administrator invites",
        )
        .source("inviteOption of the group")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_has_exactly_one_row() {
        let all = [
            Action::NameFirstMembers,
            Action::ReadProfile,
            Action::ReadMembers,
            Action::EditProfile,
            Action::EditOptions,
            Action::ReadAttributes,
            Action::EditAttributes,
            Action::Dismiss,
            Action::Apply,
            Action::Invite,
            Action::Decide,
            Action::Quit,
            Action::Kick,
            Action::Ban,
        ];
        assert_eq!(MATRIX.len(), all.len());
        for action in all {
            assert_eq!(MATRIX.iter().filter(|(listed, _)| *listed == action).count(), 1);
        }
    }

    #[test]
    fn an_administrator_may_all_that_the_type_supports() {
        let standing = Standing { administrator: true, role: None };
        for group_type in GroupType::ALL {
            for (action, _) in MATRIX {
                let allowed = permit(*group_type, *action, standing).is_ok();
                assert_eq!(allowed, who(*group_type, *action) != Nobody);
            }
        }
    }
}
