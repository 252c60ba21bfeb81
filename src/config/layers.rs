//! From four sources to one raw value for each setting: defaults, TOML file, environment, flags.
//!
//! Only the value that wins is judged later; a value in a lower layer that nobody uses cannot stop a
//! start. A name that does not exist stops it in whichever layer it stands, because it was meant to do
//! something. This is the only place that reads the process's environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::fault::{Fault, Origin};
use super::file;
use super::table::{Preset, SETTINGS, Setting};
use crate::rules::TypeRules;

/// Everything that settings are read from, besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    environment: Vec<(String, OsString)>,
    flags: Vec<(&'static Setting, String)>,
}

impl Sources {
    /// The file and the flags of a command line, and the environment of this process.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(&'static Setting, String)>) -> Self {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| concerns_us(name) && !made_by_orchestrator(name, value))
            .collect();
        Self { file, environment, flags }
    }

    /// Values that count as the environment, for a server inside a test.
    pub(super) fn of_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let environment = pairs
            .into_iter()
            .map(|(name, value)| (name.to_owned(), OsString::from(value)))
            .collect();
        Self { environment, ..Self::default() }
    }

    pub(super) fn with_file(mut self, file: PathBuf) -> Self {
        self.file = Some(file);
        self
    }

    #[cfg(test)]
    pub(super) fn with_flag(mut self, setting: &'static Setting, text: &str) -> Self {
        self.flags.push((setting, text.to_owned()));
        self
    }

    /// Takes a variable out of the environment, and says whether it was there with a value.
    pub fn forget_environment(&mut self, name: &str) -> bool {
        let before = self.environment.len();
        self.environment.retain(|(known, value)| known != name || value.is_empty());
        self.environment.len() != before
    }
}

fn concerns_us(name: &str) -> bool {
    name.starts_with("MUSTER_") || SETTINGS.iter().any(|setting| setting.name == name)
}

/// Kubernetes and Docker links put variables such as `MUSTER_SERVICE_HOST` and
/// `MUSTER_PORT=tcp://10.0.0.7:8080` into containers next to a service named `muster`. They are not
/// meant for us and must not stop a start.
fn made_by_orchestrator(name: &str, value: &OsString) -> bool {
    if SETTINGS.iter().any(|setting| setting.name == name) {
        return false;
    }
    let port = name.split_once("_PORT_").is_some_and(|(_, rest)| {
        let (number, protocol) = rest.split_once('_').unwrap_or((rest, ""));
        let protocol = protocol.split('_').next().unwrap_or_default();
        number.parse::<u16>().is_ok() && ["TCP", "UDP", "SCTP"].contains(&protocol)
    });
    let address = ["tcp://", "udp://", "sctp://"]
        .iter()
        .any(|scheme| value.to_str().is_some_and(|value| value.starts_with(scheme)));
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || port
        || (name.ends_with("_PORT") && address)
}

/// A setting's text before anybody has judged it.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// The winning value of every setting that has one.
pub(super) struct Values {
    values: BTreeMap<&'static str, Value>,
    types: Vec<TypeRules>,
}

impl Values {
    /// The winning value.
    pub(super) fn get(&self, setting: &Setting) -> Option<&Value> {
        self.values.get(setting.name)
    }

    /// The types of groups that the file defines.
    pub(super) fn types(&self) -> &[TypeRules] {
        &self.types
    }
}

/// Lays the sources over each other. `None` when the file could not be understood at all: then nobody can
/// say which values would have won.
pub(super) fn gather(sources: &Sources, faults: &mut Vec<Fault>) -> Option<Values> {
    let mut values = BTreeMap::new();
    for setting in SETTINGS {
        let text = match setting.preset {
            Preset::Text(text) => text.to_owned(),
            Preset::Computed(value, _) => value(),
            Preset::Absent(_) => continue,
        };
        values.insert(setting.name, Value { text, origin: Origin::Default });
    }
    let mut understood = true;
    let mut types = Vec::new();
    if let Some(path) = &sources.file {
        match file::read(path, faults) {
            Ok(contents) => {
                types = contents.types;
                values.extend(contents.entries.into_iter().map(|entry| {
                    let origin = Origin::File(path.clone(), entry.line);
                    (entry.setting.name, Value { text: entry.text, origin })
                }));
            }
            Err(fault) => {
                faults.push(fault);
                understood = false;
            }
        }
    }
    for (name, value) in &sources.environment {
        let known = SETTINGS.iter().find(|setting| setting.name == name);
        let text = value.to_str().map(str::to_owned);
        match (known, text) {
            // Compose files pass variables on whether they are set or not, so empty means not set.
            (Some(_), Some(text)) if text.trim().is_empty() => {}
            (Some(setting), Some(text)) => {
                values.insert(setting.name, Value { text, origin: Origin::Environment });
            }
            (Some(setting), None) => {
                let text = value.to_string_lossy();
                let problem = "is not UTF-8".to_owned();
                faults.push(Fault::wrong(setting, &text, &Origin::Environment, problem));
            }
            (None, _) => {
                let spell = |setting: &Setting| setting.name.to_owned();
                let text = value.to_string_lossy();
                faults.push(Fault::unknown(name, &text, Origin::Environment, spell));
            }
        }
    }
    for (setting, text) in &sources.flags {
        let origin = Origin::Flag(setting.flag.unwrap_or(setting.name));
        values.insert(setting.name, Value { text: text.clone(), origin });
    }
    understood.then_some(Values { values, types })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_orchestrators_are_left_alone() {
        let made = |name: &str, value: &str| made_by_orchestrator(name, &OsString::from(value));
        for (name, value) in [
            ("MUSTER_SERVICE_HOST", "10.0.0.7"),
            ("MUSTER_OPS_SERVICE_PORT", "8081"),
            ("MUSTER_SERVICE_PORT_HTTP", "8080"),
            ("MUSTER_PORT", "tcp://10.0.0.7:8080"),
            ("MUSTER_PORT_8080_TCP", "tcp://10.0.0.7:8080"),
            ("MUSTER_PORT_8080_TCP_ADDR", "10.0.0.7"),
        ] {
            assert!(made(name, value), "{name}");
        }
        for (name, value) in [
            ("MUSTER_PORT", "8080"),
            ("MUSTER_LISTEN", "tcp://10.0.0.7:8080"),
            ("MUSTER_SERVICE", "x"),
            ("MUSTER_PORT_NUMBER", "8080"),
        ] {
            assert!(!made(name, value), "{name}");
        }
    }
}
