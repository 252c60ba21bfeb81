//! The types of groups: the five of the document, and those that an operator defines on top of them.
//!
//! A type of one's own is one of the five with named overrides. Both kinds are looked up here, so that
//! no rule asks whether a type is built in.

use std::sync::Arc;

use crate::model::{Error, Group, GroupType, InviteOption, Reason, Role};

use super::matrix::{self, Action, InvitePath, Standing, Traits, Who};

/// What holds in groups of one type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeRules {
    /// Its word on the public surface.
    pub name: Arc<str>,
    /// The type itself, or the one that it is based on.
    pub base: GroupType,
    /// Whether an operator defined it.
    pub own: bool,
    /// Everything but permissions.
    pub traits: Traits,
    /// Who may do what, where it differs from the matrix.
    overrides: Vec<(Action, Who)>,
}

impl TypeRules {
    /// One of the five, as the matrix has it.
    #[must_use]
    pub fn builtin(base: GroupType) -> Self {
        Self {
            name: Arc::from(base.word()),
            base,
            own: false,
            traits: matrix::traits(base),
            overrides: Vec::new(),
        }
    }

    /// A type of an operator's own.
    #[must_use]
    pub fn own(name: &str, base: GroupType, traits: Traits, overrides: Vec<(Action, Who)>) -> Self {
        Self { name: Arc::from(name), base, own: true, traits, overrides }
    }

    /// A type that nobody defined here: whatever changes something is left to app administrators.
    fn unknown(name: &str, base: GroupType) -> Self {
        let kept = [Action::ReadProfile, Action::ReadMembers, Action::Quit];
        let locked = |action: &&Action| {
            !kept.contains(*action) && matrix::who(base, **action) != Who::Nobody
        };
        let overrides = Action::ALL.iter().filter(locked);
        let overrides = overrides.map(|action| (*action, Who::Administrator)).collect();
        Self::own(name, base, matrix::traits(base), overrides)
    }

    /// What makes it different from the type that it is based on, in one line.
    #[must_use]
    pub fn describe(&self) -> String {
        let mut parts = vec![format!("based on {}", self.base.word())];
        let named = self.overrides.iter();
        parts.extend(named.map(|(action, who)| format!("{}: {}", action.word(), who.word())));
        let (own, base) = (self.traits, matrix::traits(self.base));
        let mut note = |differs: bool, text: String| parts.extend(differs.then_some(text));
        note(
            own.join_default != base.join_default,
            format!("joinOption {}", own.join_default.word()),
        );
        note(
            own.invite_default != base.invite_default,
            format!("inviteOption {}", own.invite_default.word()),
        );
        note(own.asks_invitees, "invitees are asked".to_owned());
        note(!own.counts_towards_limit, "does not count towards the limit".to_owned());
        if own.default_max_members != base.default_max_members {
            let most = own.default_max_members.map_or("no".to_owned(), |most| most.to_string());
            note(true, format!("{most} members unless named"));
        }
        if let Some(most) = own.highest_max_members {
            note(true, format!("at most {most} members"));
        }
        parts.join(", ")
    }

    /// Who may do this.
    #[must_use]
    pub fn who(&self, action: Action) -> Who {
        let overridden = self.overrides.iter().find(|(listed, _)| *listed == action);
        overridden.map_or_else(|| matrix::who(self.base, action), |(_, who)| *who)
    }

    /// Whether somebody may do this in a group of this type.
    ///
    /// # Errors
    /// [`Reason::NotAllowedForType`], [`Reason::AdministratorsOnly`], [`Reason::NotAMember`] or
    /// [`Reason::RoleTooLow`].
    pub fn permit(&self, action: Action, standing: Standing) -> Result<(), Error> {
        let needed = self.who(action);
        let refuse = |reason, text: String| {
            let source = format!("{} in groups of type {}", action.word(), self.name);
            Err(Error::new(reason, text).source(source))
        };
        if needed == Who::Nobody {
            let text = format!("a group of type {} does not support this", self.name);
            return refuse(Reason::NotAllowedForType, text);
        }
        if standing.administrator || needed == Who::Anybody {
            return Ok(());
        }
        if needed == Who::Administrator {
            let text = format!("in a group of type {} only an app administrator may", self.name);
            return refuse(Reason::AdministratorsOnly, text);
        }
        let Some(role) = standing.role else {
            let text = "the caller is not a member of the group".to_owned();
            return refuse(Reason::NotAMember, text);
        };
        let enough = match needed {
            Who::Owner => role == Role::Owner,
            Who::Managers => role >= Role::Admin,
            _ => true,
        };
        if enough {
            return Ok(());
        }
        let whom = if needed == Who::Owner { "the owner" } else { "the owner and admins" };
        let text = format!("in a group of type {} only {whom} may", self.name);
        refuse(Reason::RoleTooLow, text)
    }

    /// How an invitation by this person goes on, as the invite option says (`tencent-im.md` 1.4,
    /// `decisions.md` b to d).
    ///
    /// # Errors
    /// As [`TypeRules::permit`], and [`Reason::InviteDisabled`].
    pub fn invite_path(&self, group: &Group, standing: Standing) -> Result<InvitePath, Error> {
        self.permit(Action::Invite, standing)?;
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
}

/// All types of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Types(Vec<TypeRules>);

impl Types {
    /// The five.
    #[must_use]
    pub fn builtin() -> Self {
        Self(GroupType::ALL.iter().map(|base| TypeRules::builtin(*base)).collect())
    }

    /// The five, and these.
    #[must_use]
    pub fn with(own: impl IntoIterator<Item = TypeRules>) -> Self {
        let mut types = Self::builtin();
        types.0.extend(own);
        types
    }

    /// All of them, the five first.
    #[must_use]
    pub fn all(&self) -> &[TypeRules] {
        &self.0
    }

    /// The type of this word.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`] naming the field and the possible words.
    pub fn named(&self, field: &str, word: &str) -> Result<&TypeRules, Error> {
        self.0.iter().find(|rules| &*rules.name == word).ok_or_else(|| {
            let words: Vec<&str> = self.0.iter().map(|rules| &*rules.name).collect();
            let rule = format!("must be one of {}", words.join(", "));
            Error::new(Reason::InvalidParameter, format!("{field} {rule}")).field(field)
        })
    }

    /// The rules of a group.
    #[must_use]
    pub fn of(&self, group: &Group) -> std::borrow::Cow<'_, TypeRules> {
        self.get(group.group_type, group.own_type.as_deref())
    }

    /// The rules of a type; those of a type that another node's settings define are strict.
    #[must_use]
    pub fn get(&self, base: GroupType, own: Option<&str>) -> std::borrow::Cow<'_, TypeRules> {
        use std::borrow::Cow;
        let fits = |rules: &&TypeRules| match own {
            None => !rules.own && rules.base == base,
            Some(name) => rules.own && rules.base == base && &*rules.name == name,
        };
        match self.0.iter().find(fits) {
            Some(rules) => Cow::Borrowed(rules),
            None => Cow::Owned(TypeRules::unknown(own.unwrap_or_default(), base)),
        }
    }
}

/// What every decision reads besides the facts: limits and types, one set for the life of a server.
#[derive(Clone, Debug)]
pub struct Rulebook {
    /// The limits in force.
    pub limits: Arc<crate::model::Limits>,
    /// The types of groups.
    pub types: Arc<Types>,
}

impl Rulebook {
    /// These limits with the five types.
    #[must_use]
    pub fn builtin(limits: crate::model::Limits) -> Self {
        Self { limits: Arc::new(limits), types: Arc::new(Types::builtin()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_nobody_defines_here_is_left_to_administrators() {
        let types = Types::builtin();
        let rules = types.get(GroupType::Public, Some("Team"));
        assert_eq!(&*rules.name, "Team");
        let owner = Standing { administrator: false, role: Some(crate::model::Role::Owner) };
        assert!(rules.permit(Action::ReadMembers, owner).is_ok());
        assert!(rules.permit(Action::Quit, owner).is_ok());
        assert!(rules.permit(Action::Invite, owner).is_err());
        let administrator = Standing { administrator: true, role: None };
        assert!(rules.permit(Action::Invite, administrator).is_ok());
        let room = types.get(GroupType::AVChatRoom, Some("Stage"));
        assert!(room.permit(Action::Invite, administrator).is_err());
    }

    #[test]
    fn an_override_counts_before_the_matrix() {
        let team = TypeRules::own(
            "Team",
            GroupType::Public,
            matrix::traits(GroupType::Public),
            vec![(Action::Invite, Who::Managers)],
        );
        let types = Types::with([team]);
        let rules = types.named("groupType", "Team").expect("defined");
        assert_eq!(rules.who(Action::Invite), Who::Managers);
        assert_eq!(rules.who(Action::Kick), Who::Managers);
        assert_eq!(types.get(GroupType::Public, None).who(Action::Invite), Who::Members);
        assert!(types.named("groupType", "team").is_err());
    }
}
