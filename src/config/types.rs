//! Types of groups of an operator's own: tables `[types.NAME]` of the TOML file.
//!
//! Each is one of the five with named overrides; what it does not name is as in the type it is based on.
//! Whatever is wrong is a fault with its line, like that of any setting.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin};
use crate::model::{GroupType, InviteOption, JoinOption};
use crate::rules::TypeRules;
use crate::rules::matrix::{self, Action, Traits, Who};

/// Longest name of a type.
const NAME_BYTES: usize = 32;

/// Words that mean one of the five already, on either face.
const TAKEN: &[&str] =
    &["Work", "Public", "Meeting", "AVChatRoom", "Community", "Private", "ChatRoom", "BChatRoom"];

/// Permissions that no type may change: other parts of Muster rely on them.
const FIXED: &[Action] = &[Action::Decide, Action::Import];

/// Permissions that strangers may be given.
const FOR_ANYBODY: &[Action] =
    &[Action::Apply, Action::NameFirstMembers, Action::ReadProfile, Action::ReadMembers];

type Key<'a> = Spanned<std::borrow::Cow<'a, str>>;
type Value<'a> = Spanned<DeValue<'a>>;

/// Reads the table `types`.
pub(super) fn read(
    value: &Value<'_>,
    path: &Path,
    line_of: &dyn Fn(usize) -> usize,
    faults: &mut Vec<Fault>,
) -> Vec<TypeRules> {
    let mut reader = Reader { path, line_of, faults };
    let DeValue::Table(table) = value.get_ref() else {
        reader.complain("types", value, "must be tables: [types.NAME]");
        return Vec::new();
    };
    table.iter().filter_map(|(key, value)| reader.one_type(key, value)).collect()
}

struct Reader<'a> {
    path: &'a Path,
    line_of: &'a dyn Fn(usize) -> usize,
    faults: &'a mut Vec<Fault>,
}

/// A type that is being read.
struct Draft {
    traits: Traits,
    who: Vec<(Action, Who)>,
}

impl Reader<'_> {
    fn complain(&mut self, about: &str, value: &Value<'_>, problem: impl Into<String>) {
        let shown = match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Boolean(truth) => truth.to_string(),
            DeValue::Integer(number) => number.as_str().to_owned(),
            other => format!("({})", other.type_str()),
        };
        let shown = shown.chars().take(100).collect();
        let origin = Origin::File(self.path.to_owned(), (self.line_of)(value.span().start));
        let given = Some((shown, origin));
        self.faults.push(Fault { about: about.to_owned(), given, problem: problem.into() });
    }

    fn one_type(&mut self, key: &Key<'_>, value: &Value<'_>) -> Option<TypeRules> {
        let name = key.get_ref();
        let about = format!("types.{name}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        if !begins || name.len() > NAME_BYTES || !name.bytes().all(plain) {
            let rule = format!(
                "the name must begin with a letter and have at most {NAME_BYTES} letters, digits or \
                 underscores"
            );
            self.complain(&about, value, rule);
            return None;
        }
        if TAKEN.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
            self.complain(&about, value, "the name is that of a type which is built in");
            return None;
        }
        let DeValue::Table(table) = value.get_ref() else {
            self.complain(&about, value, format!("must be a table: [{about}]"));
            return None;
        };
        let base = self.base(&about, value, table)?;
        let mut draft = Draft { traits: matrix::traits(base), who: Vec::new() };
        for (key, value) in table {
            let key = key.get_ref().as_ref();
            if key != "based_on" {
                self.override_one(&mut draft, base, &format!("{about}.{key}"), key, value);
            }
        }
        self.check_whole(&about, value, base, &draft);
        Some(TypeRules::own(name, base, draft.traits, draft.who))
    }

    fn base(&mut self, about: &str, whole: &Value<'_>, table: &DeTable<'_>) -> Option<GroupType> {
        let Some(value) = table.get("based_on") else {
            self.complain(
                about,
                whole,
                format!("needs based_on, one of {}", words(GroupType::ALL)),
            );
            return None;
        };
        self.word(&format!("{about}.based_on"), value, GroupType::ALL, GroupType::word)
    }

    fn override_one(
        &mut self,
        draft: &mut Draft,
        base: GroupType,
        about: &str,
        key: &str,
        value: &Value<'_>,
    ) {
        let traits = &mut draft.traits;
        let switch = match key {
            "join_option_fixed" | "invite_option_fixed" => {
                let changeable = self.switch(about, value).map(|fixed| !fixed);
                let join = key == "join_option_fixed";
                let place =
                    if join { &mut traits.join_changeable } else { &mut traits.invite_changeable };
                *place = changeable.unwrap_or(*place);
                return;
            }
            "has_admins" => &mut traits.has_admins,
            "owner_may_quit" => &mut traits.owner_may_quit,
            "counts_towards_limit" => &mut traits.counts_towards_limit,
            "ask_invitees" => &mut traits.asks_invitees,
            "visible_to_strangers" => &mut traits.visible_to_strangers,
            _ => return self.override_other(draft, base, about, key, value),
        };
        *switch = self.switch(about, value).unwrap_or(*switch);
    }

    fn override_other(
        &mut self,
        draft: &mut Draft,
        base: GroupType,
        about: &str,
        key: &str,
        value: &Value<'_>,
    ) {
        let traits = &mut draft.traits;
        match key {
            "join_option" => {
                let read = self.word(about, value, JoinOption::ALL, JoinOption::word);
                traits.join_default = read.unwrap_or(traits.join_default);
            }
            "invite_option" => {
                let read = self.word(about, value, InviteOption::ALL, InviteOption::word);
                traits.invite_default = read.unwrap_or(traits.invite_default);
            }
            "default_max_members" => traits.default_max_members = self.count(about, value),
            "highest_max_members" => traits.highest_max_members = self.count(about, value),
            "who" => self.permissions(draft, base, about, value),
            _ => self.complain(about, value, format!("there is no such key; there are {KEYS}")),
        }
    }

    fn permissions(&mut self, draft: &mut Draft, base: GroupType, about: &str, value: &Value<'_>) {
        let DeValue::Table(table) = value.get_ref() else {
            return self.complain(
                about,
                value,
                "must be a table such as { invite = \"managers\" }",
            );
        };
        for (key, value) in table {
            let key = key.get_ref().as_ref();
            let about = format!("{about}.{key}");
            let action = Action::ALL.iter().find(|action| action.word() == key);
            let Some(action) = action.copied().filter(|action| !FIXED.contains(action)) else {
                let free = Action::ALL.iter().filter(|action| !FIXED.contains(action));
                let words: Vec<&str> = free.map(|action| action.word()).collect();
                let problem =
                    format!("there is no such permission; there are {}", words.join(", "));
                self.complain(&about, value, problem);
                continue;
            };
            let Some(who) = self.word(&about, value, Who::ALL, Who::word) else { continue };
            if who == Who::Anybody && !FOR_ANYBODY.contains(&action) {
                self.complain(&about, value, "cannot be given to people who are no members");
            } else if action == Action::Invite
                && base == GroupType::AVChatRoom
                && who != Who::Nobody
            {
                self.complain(&about, value, "nobody is ever invited into an AVChatRoom");
            } else {
                draft.who.push((action, who));
            }
        }
    }

    fn check_whole(&mut self, about: &str, whole: &Value<'_>, base: GroupType, draft: &Draft) {
        let traits = draft.traits;
        if let (Some(usual), Some(most)) = (traits.default_max_members, traits.highest_max_members)
            && usual > most
        {
            let problem =
                format!("default_max_members, {usual}, is above highest_max_members, {most}");
            self.complain(about, whole, problem);
        }
        let of = |action: Action| {
            let named = draft.who.iter().rev().find(|(listed, _)| *listed == action);
            named.map_or_else(|| matrix::who(base, action), |(_, who)| *who)
        };
        if !traits.has_admins && of(Action::AppointAdmins) != Who::Nobody {
            let problem = "who.appoint_admins must be \"nobody\" where has_admins is false";
            self.complain(about, whole, problem);
        }
        if traits.has_admins && of(Action::AppointAdmins) == Who::Nobody {
            let problem = "who.appoint_admins must name somebody where has_admins is true";
            self.complain(about, whole, problem);
        }
    }

    fn switch(&mut self, about: &str, value: &Value<'_>) -> Option<bool> {
        if let DeValue::Boolean(truth) = value.get_ref() {
            return Some(*truth);
        }
        self.complain(about, value, "must be true or false");
        None
    }

    fn count(&mut self, about: &str, value: &Value<'_>) -> Option<i32> {
        let read = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        let count = read.and_then(|number| i32::try_from(number).ok()).filter(|count| *count >= 1);
        if count.is_none() {
            self.complain(about, value, format!("must be a number from 1 to {}", i32::MAX));
        }
        count
    }

    fn word<T: Copy>(
        &mut self,
        about: &str,
        value: &Value<'_>,
        all: &[T],
        spelled: impl Fn(T) -> &'static str,
    ) -> Option<T> {
        let found = match value.get_ref() {
            DeValue::String(text) => all.iter().copied().find(|one| spelled(*one) == text.as_ref()),
            _ => None,
        };
        if found.is_none() {
            let words: Vec<&str> = all.iter().map(|one| spelled(*one)).collect();
            self.complain(about, value, format!("must be one of {}", words.join(", ")));
        }
        found
    }
}

/// The keys of a type.
const KEYS: &str = "based_on, who, join_option, join_option_fixed, invite_option, \
                    invite_option_fixed, ask_invitees, has_admins, owner_may_quit, \
                    counts_towards_limit, visible_to_strangers, default_max_members, \
                    highest_max_members";

fn words(types: &[GroupType]) -> String {
    let words: Vec<&str> = types.iter().map(|one| one.word()).collect();
    words.join(", ")
}
