//! What is wrong with the settings, one line for each thing.

use std::fmt;
use std::path::PathBuf;

use super::table::Setting;
use super::{mask, nearest};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The TOML file, and the line in it.
    File(PathBuf, usize),
    /// The environment.
    Environment,
    /// The flag of this name.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path, line) => write!(f, "{} line {line}", path.display()),
            Self::Environment => f.write_str("environment"),
            Self::Flag(flag) => write!(f, "flag --{flag}"),
        }
    }
}

/// One thing that is wrong. Its text is one line and shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The setting, or what else is at fault.
    pub about: String,
    /// Its value, masked, and where it came from, when it has one.
    pub given: Option<(String, Origin)>,
    /// What is wrong.
    pub problem: String,
}

impl Fault {
    /// A value that breaks a rule.
    pub(super) fn wrong(setting: &Setting, text: &str, origin: &Origin, problem: String) -> Self {
        let given = Some((shortened(&setting.masked(text)), origin.clone()));
        Self { about: setting.name.to_owned(), given, problem }
    }

    /// Something without a value: a setting that is missing, a file that cannot be read.
    pub(super) fn general(about: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { about: about.into(), given: None, problem: problem.into() }
    }

    /// A name that is no setting's. `spell` writes a setting's name as it is spelled in this place.
    pub(super) fn unknown(
        name: &str,
        text: &str,
        origin: Origin,
        spell: impl FnOnce(&Setting) -> String,
    ) -> Self {
        let meant = nearest::setting(name);
        let problem = match meant {
            Some(setting) => format!("there is no such setting; did you mean {}?", spell(setting)),
            None => "there is no such setting; `muster --help` lists them all".to_owned(),
        };
        let secret = mask::sounds_secret(name) || meant.is_some_and(Setting::secret);
        let shown = if secret {
            mask::HIDDEN.to_owned()
        } else if text.contains("://") {
            mask::url(text)
        } else {
            text.to_owned()
        };
        Self { about: name.to_owned(), given: Some((shortened(&shown), origin)), problem }
    }
}

/// Keeps a message one readable line.
fn shortened(text: &str) -> String {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some((value, origin)) => {
                write!(f, "{}={value:?} ({origin}): {}", self.about, self.problem)
            }
            None => write!(f, "{} {}", self.about, self.problem),
        }
    }
}

/// Everything that is wrong with the settings, found in one pass; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults(pub Vec<Fault>);

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
