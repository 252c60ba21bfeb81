//! What the documents say of each type of group, as the model reads them: `tencent-im.md` 1.2 to 1.5 and
//! `decisions.md` b, c, n, p, written out here once more without a look at the rules' own matrix.
//!
//! Two types are an operator's own, each one of the five with a few differences:
//!
//! - `Team` is Public, but only owner and admins invite, only the owner bans, everybody is asked before he is
//!   a member, it does not count towards the limit on groups, it begins open for invitations and has 4 places;
//! - `Circle` is Community, but only the owner kicks, only an app administrator ends or transfers it,
//!   everybody is asked, entering always needs permission, and it never has more than 4 places.

use muster::model::{GroupType, InviteOption, JoinOption, Reason, Role};
use muster::rules::matrix::{self, Action, Traits, Who};
use muster::rules::{TypeRules, Types};

/// A type of group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Work,
    Public,
    Meeting,
    Live,
    Community,
    Team,
    Circle,
}

/// What somebody wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    NameFirstMembers,
    EditProfile,
    EditOptions,
    MuteAll,
    Dismiss,
    Invite,
    Decide,
    Kick,
    Ban,
    Appoint,
    Transfer,
    EditSelf,
    EditMembers,
    Mute,
    Import,
}

/// Who it takes at least.
enum Least {
    /// The type does not know it.
    Nobody,
    /// An app administrator.
    App,
    /// Somebody with this role, or an app administrator.
    Has(Role),
}

/// Whether a role is enough.
fn at_least(role: Option<Role>, least: Role) -> Result<(), Reason> {
    match role {
        None => Err(Reason::NotAMember),
        Some(role) if role >= least => Ok(()),
        Some(_) => Err(Reason::RoleTooLow),
    }
}

impl Kind {
    /// The two that an operator defined, as the rules are given them.
    pub(super) fn types() -> Types {
        let team = Traits {
            invite_default: InviteOption::FreeAccess,
            counts_towards_limit: false,
            default_max_members: Some(4),
            asks_invitees: true,
            ..matrix::traits(GroupType::Public)
        };
        let circle = Traits {
            join_default: JoinOption::NeedPermission,
            join_changeable: false,
            highest_max_members: Some(4),
            asks_invitees: true,
            ..matrix::traits(GroupType::Community)
        };
        let of_team = vec![(Action::Invite, Who::Managers), (Action::Ban, Who::Owner)];
        let of_circle = vec![
            (Action::Kick, Who::Owner),
            (Action::Dismiss, Who::Administrator),
            (Action::Transfer, Who::Administrator),
        ];
        Types::with([
            TypeRules::own("Team", GroupType::Public, team, of_team),
            TypeRules::own("Circle", GroupType::Community, circle, of_circle),
        ])
    }

    pub(super) fn of(base: GroupType, own: Option<&str>) -> Self {
        match (base, own) {
            (GroupType::Work, None) => Self::Work,
            (GroupType::Public, None) => Self::Public,
            (GroupType::Meeting, None) => Self::Meeting,
            (GroupType::AVChatRoom, None) => Self::Live,
            (GroupType::Community, None) => Self::Community,
            (GroupType::Public, Some("Team")) => Self::Team,
            (GroupType::Community, Some("Circle")) => Self::Circle,
            other => panic!("no such type: {other:?}"),
        }
    }

    pub(super) fn base(self) -> GroupType {
        match self {
            Self::Work => GroupType::Work,
            Self::Public | Self::Team => GroupType::Public,
            Self::Meeting => GroupType::Meeting,
            Self::Live => GroupType::AVChatRoom,
            Self::Community | Self::Circle => GroupType::Community,
        }
    }

    pub(super) fn own(self) -> Option<&'static str> {
        match self {
            Self::Team => Some("Team"),
            Self::Circle => Some("Circle"),
            _ => None,
        }
    }

    /// The word that clients read.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Work => "Work",
            Self::Public => "Public",
            Self::Meeting => "Meeting",
            Self::Live => "AVChatRoom",
            Self::Community => "Community",
            Self::Team => "Team",
            Self::Circle => "Circle",
        }
    }

    fn least(self, doing: Doing) -> Least {
        use Least::{App, Has, Nobody};
        use Role::{Admin, Member, Owner};
        match (doing, self) {
            // Nobody is brought into a live group, and nobody is thrown out but with a ban.
            (
                Doing::NameFirstMembers
                | Doing::Invite
                | Doing::Kick
                | Doing::Transfer
                | Doing::Decide
                | Doing::Import,
                Self::Live,
            )
            | (Doing::Appoint, Self::Work | Self::Live)
            | (Doing::Mute, Self::Work) => Nobody,
            (Doing::Dismiss, Self::Work | Self::Circle)
            | (Doing::Transfer, Self::Circle)
            | (Doing::Import, _) => App,
            (Doing::Invite, Self::Team) => Has(Admin),
            (Doing::NameFirstMembers | Doing::Invite | Doing::EditSelf, _)
            | (Doing::EditProfile, Self::Work) => Has(Member),
            // Where there are no admins, the owner runs the group.
            (Doing::Dismiss | Doing::Appoint | Doing::Transfer, _)
            | (Doing::Kick, Self::Circle)
            | (Doing::Ban, Self::Team)
            | (_, Self::Work | Self::Live) => Has(Owner),
            _ => Has(Admin),
        }
    }

    /// Whether somebody may.
    pub(super) fn permit(
        self,
        doing: Doing,
        administrator: bool,
        role: Option<Role>,
    ) -> Result<(), Reason> {
        match self.least(doing) {
            Least::Nobody => Err(Reason::NotAllowedForType),
            _ if administrator => Ok(()),
            Least::App => Err(Reason::AdministratorsOnly),
            Least::Has(least) => at_least(role, least),
        }
    }

    /// Whether it knows admins.
    pub(super) fn has_admins(self) -> bool {
        !matches!(self, Self::Work | Self::Live)
    }

    /// Whether the owner may leave.
    pub(super) fn lets_the_owner_go(self) -> bool {
        self == Self::Work
    }

    /// Whether being in it counts towards a user's limit (5).
    pub(super) fn counts(self) -> bool {
        !matches!(self, Self::Live | Self::Team)
    }

    /// Whether everybody is asked before he is brought in.
    pub(super) fn asks(self) -> bool {
        matches!(self, Self::Team | Self::Circle)
    }

    /// Whether somebody may enter by himself, or ask to.
    pub(super) fn knows_applications(self) -> bool {
        self != Self::Work
    }

    pub(super) fn join_is_fixed(self) -> bool {
        matches!(self, Self::Work | Self::Meeting | Self::Live | Self::Circle)
    }

    pub(super) fn invite_is_fixed(self) -> bool {
        self == Self::Live
    }

    /// Join option, invite option and places of a group that names none; `None` is no bound (1.2 to 1.5, b,
    /// c).
    pub(super) fn beginning(self) -> (JoinOption, InviteOption, Option<i32>) {
        use InviteOption::DisableInvite;
        match self {
            Self::Work => (JoinOption::DisableApply, InviteOption::FreeAccess, Some(6_000)),
            Self::Public => (JoinOption::NeedPermission, DisableInvite, Some(6_000)),
            Self::Meeting => (JoinOption::FreeAccess, DisableInvite, Some(6_000)),
            Self::Live => (JoinOption::FreeAccess, DisableInvite, None),
            Self::Community => (JoinOption::FreeAccess, InviteOption::FreeAccess, Some(100_000)),
            Self::Team => (JoinOption::NeedPermission, InviteOption::FreeAccess, Some(4)),
            Self::Circle => (JoinOption::NeedPermission, InviteOption::FreeAccess, Some(100_000)),
        }
    }

    /// Most places that such a group may be given, where the setting allows so many.
    pub(super) fn highest(self, of_setting: i32) -> i32 {
        if self == Self::Circle { of_setting.min(4) } else { of_setting }
    }
}
