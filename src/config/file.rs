//! The TOML file: one key for a setting at the top level, and tables for types of groups of one's own.
//!
//! Values keep their text and their line; what they mean is decided later, in the same way for every
//! source. A parser's own message is shown without the lines it complains of, which may hold a secret.

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Origin};
use super::table::{Kind, SETTINGS, Setting};
use super::types as own_types;
use crate::rules::TypeRules;

/// A setting's value in a file.
pub(super) struct Entry {
    pub(super) setting: &'static Setting,
    pub(super) text: String,
    pub(super) line: usize,
}

/// What a file says.
pub(super) struct Contents {
    pub(super) entries: Vec<Entry>,
    pub(super) types: Vec<TypeRules>,
}

/// Reads a file's entries. When it is not there or is no TOML, the one fault says so and nothing can be
/// said about its settings; what is wrong with single keys is added to `faults`.
pub(super) fn read(path: &Path, faults: &mut Vec<Fault>) -> Result<Contents, Fault> {
    let about = format!("--config {}", path.display());
    let text = std::fs::read_to_string(path)
        .map_err(|error| Fault::general(&about, format!("cannot be read: {error}")))?;
    let line_of = |place: usize| 1 + text.bytes().take(place).filter(|byte| *byte == b'\n').count();
    let table = DeTable::parse(&text).map_err(|error| {
        let line = line_of(error.span().map_or(0, |span| span.start));
        let what = error.message().replace('\n', ", ");
        Fault::general(&about, format!("line {line} is not TOML: {what}"))
    })?;
    let mut entries = Vec::new();
    let mut types = Vec::new();
    for (key, value) in table.get_ref() {
        if key.get_ref() == "types" {
            types = own_types::read(value, path, &line_of, faults);
            continue;
        }
        let line = line_of(key.span().start);
        let origin = || Origin::File(path.to_owned(), line);
        let key = key.get_ref().as_ref();
        let known = SETTINGS.iter().find(|setting| setting.key() == key);
        match (known, text_of(value.get_ref())) {
            (Some(setting), Ok(text)) if !setting_takes(setting, value.get_ref()) => {
                let problem = "takes one value, not an array".to_owned();
                faults.push(Fault::wrong(setting, &text, &origin(), problem));
            }
            (Some(setting), Ok(text)) => entries.push(Entry { setting, text, line }),
            (Some(setting), Err(problem)) => {
                faults.push(Fault::wrong(
                    setting,
                    &origin_text(value.get_ref()),
                    &origin(),
                    problem,
                ));
            }
            (None, text) => {
                let text = text.unwrap_or_else(|_| origin_text(value.get_ref()));
                faults.push(Fault::unknown(key, &text, origin(), Setting::key));
            }
        }
    }
    Ok(Contents { entries, types })
}

fn setting_takes(setting: &Setting, value: &DeValue<'_>) -> bool {
    setting.kind == Kind::List || !matches!(value, DeValue::Array(_))
}

/// What stands for a value that has no text.
fn origin_text(value: &DeValue<'_>) -> String {
    format!("({})", value.type_str())
}

/// A value as it would be written in the environment.
fn text_of(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(text.clone().into_owned()),
        DeValue::Boolean(truth) => Ok(truth.to_string()),
        DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
            .map(|number| number.to_string())
            .map_err(|_| "is no whole number of a usual size".to_owned()),
        DeValue::Array(values) => {
            let mut parts = Vec::new();
            for value in values {
                let part = match value.get_ref() {
                    DeValue::Array(_) => Err("must not hold another array".to_owned()),
                    single => text_of(single),
                }?;
                if part.contains(',') {
                    return Err("holds a comma in one element; commas separate elements".to_owned());
                }
                parts.push(part);
            }
            Ok(parts.join(","))
        }
        DeValue::Table(_) => Err("must be a value; settings stand at the top level".to_owned()),
        DeValue::Float(_) | DeValue::Datetime(_) => {
            Err("must be a string, a whole number, a boolean or an array of them".to_owned())
        }
    }
}
