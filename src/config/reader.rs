//! Reads single settings for the validation pass, and notes what is wrong with them.

use super::fault::{Fault, Origin};
use super::layers::{Value, Values};
use super::parse;
use super::table::{Kind, Setting};
use crate::model::limits::Limit;

/// A fault was noted; there is no value to go on with.
#[derive(Clone, Copy)]
pub(super) struct Noted;

/// A value, unless a fault was noted instead.
pub(super) type Checked<T> = Result<T, Noted>;

/// The values, and the faults found so far.
pub(super) struct Reader<'a> {
    pub(super) values: &'a Values,
    pub(super) faults: &'a mut Vec<Fault>,
}

impl Reader<'_> {
    /// A setting that may be left out. Written down but empty, it is refused, except for lists: who
    /// writes a flag or a line of a file means something by it.
    pub(super) fn optional<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Checked<Option<T>> {
        let Some(Value { text, origin }) = self.values.get(setting) else {
            return Ok(None);
        };
        let read = if text.trim().is_empty() && setting.kind != Kind::List {
            Err("is empty; leave it out instead".to_owned())
        } else if text.contains('\0') {
            Err("holds a zero byte".to_owned())
        } else {
            parse(text)
        };
        match read {
            Ok(value) => Ok(Some(value)),
            Err(problem) => self.note(Fault::wrong(setting, text, origin, problem)),
        }
    }

    /// A setting that has a default.
    pub(super) fn required<T>(
        &mut self,
        setting: &Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Checked<T> {
        match self.optional(setting, parse)? {
            Some(value) => Ok(value),
            None => self.note(Fault::general(setting.name, "is not set")),
        }
    }

    /// Adds a fault to those found so far.
    pub(super) fn note<T>(&mut self, fault: Fault) -> Checked<T> {
        self.faults.push(fault);
        Err(Noted)
    }

    /// A whole number within the bounds that the table gives.
    pub(super) fn number<T: TryFrom<u64>>(&mut self, setting: &Setting) -> Checked<T> {
        let (least, most) = match setting.kind {
            Kind::Number { least, most } => (least, most),
            _ => (0, u64::MAX),
        };
        self.required(setting, |text| {
            let number = parse::number(text, least, most)?;
            T::try_from(number).map_err(|_| format!("is too large, {number}"))
        })
    }

    /// One of the words that the table gives.
    pub(super) fn choice(&mut self, setting: &Setting) -> Checked<&'static str> {
        let words = match setting.kind {
            Kind::Choice(words) => words,
            _ => &[],
        };
        self.required(setting, |text| parse::choice(text, words))
    }

    /// A limit with the words that a refusal tells a caller. They name a file without its folder: callers
    /// learn no paths.
    pub(super) fn limit(&mut self, setting: &Setting) -> Checked<Limit> {
        let value = self.number(setting)?;
        let source = match self.values.get(setting).map(|value| &value.origin) {
            Some(Origin::File(path, _)) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                format!("{} in {name}", setting.key())
            }
            Some(Origin::Flag(flag)) => format!("{} (flag --{flag})", setting.name),
            Some(Origin::Environment) => format!("{} (environment)", setting.name),
            Some(Origin::Default) | None => format!("{} (default)", setting.name),
        };
        Ok(Limit::new(value, &source))
    }
}
