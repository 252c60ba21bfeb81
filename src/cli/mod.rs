//! The command line: what was asked, with which settings, and how it ended.
//!
//! One file a command. What they share stands here: settings are resolved before anything else happens,
//! every error is one line on standard error that begins with `muster:`, and the exit code is 2 when what
//! was asked or set is wrong, 1 when doing it failed, 0 otherwise. Standard output carries nothing but a
//! command's result, so that it can be piped.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::config::{Config, Faults, Sources};
use args::{Asked, Command};

mod args;
mod bench;
mod config;
mod demo;
mod epoch;
mod logging;
mod migrate;
mod serve;
mod signals;
mod token;

/// What was asked or set is wrong.
const WRONG_USE: u8 = 2;
/// Doing it failed.
const FAILED: u8 = 1;

/// How long threads that do blocking work may hold up the end of the program.
const LAST_WORK: Duration = Duration::from_secs(2);

/// Runs the command that the process's arguments ask for.
pub fn main() -> ExitCode {
    let asked = match args::parse(std::env::args_os()) {
        Ok(asked) => asked,
        Err(answer) => {
            // `--help` and `--version` come here too. Nothing can be done when printing fails.
            let _ = answer.print();
            return u8::try_from(answer.exit_code()).unwrap_or(FAILED).into();
        }
    };
    match run(asked) {
        Ok(code) => code,
        Err(error) => {
            let Some(faults) = error.downcast_ref::<Faults>() else {
                complain(format!("{error:#}"));
                return FAILED.into();
            };
            faults.0.iter().for_each(complain);
            WRONG_USE.into()
        }
    }
}

fn run(asked: Asked) -> anyhow::Result<ExitCode> {
    let Asked { command, file, flags } = asked;
    let mut sources = Sources::of_process(file, flags);
    // A database that happens to be exported for something else must not get a demo's groups.
    let shows = matches!(command, Command::Demo { .. } | Command::Bench(_));
    let spared = shows && sources.forget_environment("DATABASE_URL");
    let mut config = Config::load(&sources)?;
    if shows && config.is_default("MUSTER_LOG") {
        // What is printed is what there is to read.
        "warn".clone_into(&mut config.log);
    }
    logging::start(&config)?;
    if spared {
        tracing::info!("a demo or benchmark does not use the environment's DATABASE_URL");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("muster")
        .build()
        .context("starting the threads")?;
    let code = runtime.block_on(perform(command, config));
    runtime.shutdown_timeout(LAST_WORK);
    code
}

async fn perform(command: Command, config: Config) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => serve::run(config).await,
        Command::Demo { once } => {
            if config.database_url.is_some() {
                let problem = "a demo always runs on its embedded default; leave this out";
                return Err(config.refuse("DATABASE_URL", problem).into());
            }
            demo::run(config, once).await
        }
        Command::Token(wanted) => token::run(&config, &wanted),
        Command::Migrate { status } => migrate::run(&config, status).await,
        Command::Epoch { renew } => epoch::run(&config, renew).await,
        Command::Config => config::run(&config),
        Command::Bench(plan) => bench::run(&config, &plan).await,
    }
}

/// One line on standard error.
fn complain(what: impl Display) {
    let _ = writeln!(io::stderr(), "muster: {what}");
}

/// Writes a command's result. A reader that has seen enough is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(error).context("writing to standard output")
        }
        _ => Ok(()),
    }
}

/// Rows as lines of columns that stand under each other.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        rows.iter().map(|row| row.get(column).map_or(0, |cell| cell.chars().count())).max()
    };
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().enumerate();
        let line: Vec<String> = cells
            .map(|(column, cell)| {
                format!("{cell:width$}", width = width(column).unwrap_or_default())
            })
            .collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_each_other() {
        let row = |one: &str, other: &str| [one.to_owned(), other.to_owned()];
        assert_eq!(columns(&[row("a", "b"), row("long", "")]), "a     b\nlong\n");
    }
}
