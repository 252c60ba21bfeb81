//! Who may do what in which type of group: one table, as data.
//!
//! It follows `tencent-im.md` 1.2 to 1.4 column by column, as `decisions.md` b to d settle what is open
//! there, so that the two can be read side by side. Every operation on both faces asks this table;
//! nothing else in Muster names a permission.

use crate::model::{Caller, GroupType, InviteOption, JoinOption, Role};

macro_rules! actions {
    ($($(#[$doc:meta])* $variant:ident = $word:literal),+ $(,)?) => {
        /// What somebody wants to do in a group.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $($(#[$doc])* $variant),+ }

        impl Action {
            /// All of them, in the order of the matrix.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word of the public surface and of the settings file.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }
    };
}

actions! {
    /// Name its first members when creating it.
    NameFirstMembers = "name_first_members",
    /// Read its whole profile.
    ReadProfile = "read_profile",
    /// Read its members and its events.
    ReadMembers = "read_members",
    /// Change name, introduction, notification, face or the app's own fields.
    EditProfile = "edit_profile",
    /// Change join option, invite option or the highest number of members.
    EditOptions = "edit_options",
    /// Read its attributes.
    ReadAttributes = "read_attributes",
    /// Change its attributes.
    EditAttributes = "edit_attributes",
    /// End it.
    Dismiss = "dismiss",
    /// Enter by oneself, as the join option says.
    Apply = "apply",
    /// Bring in others, as the invite option says.
    Invite = "invite",
    /// Read and decide applications.
    Decide = "decide",
    /// Leave.
    Quit = "quit",
    /// Remove others.
    Kick = "kick",
    /// Keep somebody out for a time, and read who is kept out.
    Ban = "ban",
    /// Make members admins, and admins ordinary members.
    AppointAdmins = "appoint_admins",
    /// Make another member the owner.
    Transfer = "transfer",
    /// Change one's own name card and fields.
    EditSelf = "edit_self",
    /// Change the name cards and fields of others.
    EditMembers = "edit_members",
    /// Keep members from speaking.
    Mute = "mute",
    /// Keep everybody but owner and admins from speaking.
    MuteAll = "mute_all",
    /// Bring the group and its members in from elsewhere.
    Import = "import",
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

impl Who {
    /// All of them, from the fewest to the most.
    pub const ALL: &'static [Self] = &[Nobody, Administrator, Owner, Managers, Members, Anybody];

    /// The word of the public surface and of the settings file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Nobody => "nobody",
            Administrator => "administrator",
            Owner => "owner",
            Managers => "managers",
            Members => "members",
            Anybody => "anybody",
        }
    }
}

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
    (Action::AppointAdmins,    [Nobody,        Owner,    Owner,    Nobody,     Owner]),
    (Action::Transfer,         [Owner,         Owner,    Owner,    Nobody,     Owner]),
    (Action::EditSelf,         [Members,       Members,  Members,  Members,    Members]),
    (Action::EditMembers,      [Owner,         Managers, Managers, Owner,      Managers]),
    (Action::Mute,             [Nobody,        Managers, Managers, Owner,      Managers]),
    (Action::MuteAll,          [Owner,         Managers, Managers, Owner,      Managers]),
    (Action::Import,           [Administrator, Administrator, Administrator, Nobody, Administrator]),
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
    /// Most members that such a group may be given, where the type has a limit below the setting's.
    pub highest_max_members: Option<i32>,
    /// Whether every invitee is asked, whatever he wants of invitations in general.
    pub asks_invitees: bool,
    /// Whether strangers learn that it exists: name, type, face, introduction, count, join option.
    pub visible_to_strangers: bool,
}

/// What most types have in common.
const PLAIN: Traits = Traits {
    join_default: JoinOption::FreeAccess,
    join_changeable: true,
    invite_default: InviteOption::FreeAccess,
    invite_changeable: true,
    has_admins: true,
    owner_may_quit: false,
    counts_towards_limit: true,
    default_max_members: Some(6_000),
    highest_max_members: None,
    asks_invitees: false,
    visible_to_strangers: true,
};

/// The traits of a type.
#[must_use]
pub const fn traits(group_type: GroupType) -> Traits {
    match group_type {
        GroupType::Work => Traits {
            join_default: JoinOption::DisableApply,
            join_changeable: false,
            has_admins: false,
            owner_may_quit: true,
            visible_to_strangers: false,
            ..PLAIN
        },
        GroupType::Public => Traits {
            join_default: JoinOption::NeedPermission,
            invite_default: InviteOption::DisableInvite,
            ..PLAIN
        },
        GroupType::Meeting => {
            Traits { join_changeable: false, invite_default: InviteOption::DisableInvite, ..PLAIN }
        }
        GroupType::AVChatRoom => Traits {
            join_changeable: false,
            invite_default: InviteOption::DisableInvite,
            invite_changeable: false,
            has_admins: false,
            counts_towards_limit: false,
            default_max_members: None,
            ..PLAIN
        },
        GroupType::Community => Traits { default_max_members: Some(100_000), ..PLAIN },
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

impl Standing {
    /// How a caller stands to a group in which he has this role.
    #[must_use]
    pub fn of(caller: &Caller, role: Option<Role>) -> Self {
        Self { administrator: caller.administrator, role }
    }
}

/// Who may do this in a group of this type, as the matrix says.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::types::Types;

    #[test]
    fn every_action_has_exactly_one_row() {
        assert_eq!(MATRIX.len(), Action::ALL.len());
        for action in Action::ALL {
            assert_eq!(MATRIX.iter().filter(|(listed, _)| listed == action).count(), 1);
        }
    }

    #[test]
    fn an_administrator_may_all_that_the_type_supports() {
        let standing = Standing { administrator: true, role: None };
        for rules in Types::builtin().all() {
            for (action, _) in MATRIX {
                let allowed = rules.permit(*action, standing).is_ok();
                assert_eq!(allowed, who(rules.base, *action) != Nobody);
            }
        }
    }
}
