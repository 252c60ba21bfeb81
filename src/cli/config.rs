//! `muster config`: every effective setting, its value and where it came from. Secrets arrive masked.

use std::process::ExitCode;

use super::{columns, print};
use crate::config::Config;

pub(super) fn run(config: &Config) -> anyhow::Result<ExitCode> {
    let mut rows = vec![["NAME", "VALUE", "ORIGIN"].map(str::to_owned)];
    rows.extend(config.effective.iter().map(|setting| {
        [setting.name.to_owned(), one_line(&setting.value), setting.origin.to_string()]
    }));
    rows.extend(config.types.all().iter().filter(|rules| rules.own).map(|rules| {
        let name = format!("types.{}", rules.name);
        [name, rules.describe(), "settings file".to_owned()]
    }));
    print(&columns(&rows))?;
    Ok(ExitCode::SUCCESS)
}

/// A value as it is, unless it would break the table.
fn one_line(value: &str) -> String {
    if value.contains(char::is_control) {
        value.escape_debug().to_string()
    } else {
        value.to_owned()
    }
}
