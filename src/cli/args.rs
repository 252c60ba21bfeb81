//! From arguments to what was asked. The flags for settings and their help come from the settings' own
//! table, so that they cannot differ from what `muster config` shows.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use super::token::Wanted;
use crate::bench::{Plan, Scenario};
use crate::config::{Kind, SETTINGS, Setting};

/// Seconds for which a token lasts when nobody says otherwise: 180 days, as in the samples of the
/// interface that Muster is compatible with.
const TOKEN_SECONDS: &str = "15552000";

/// A command with its own arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    Serve,
    Demo { once: bool },
    Token(Wanted),
    Migrate { status: bool },
    Epoch { renew: bool },
    Config,
    Bench(Plan),
}

/// Everything that the arguments say.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) command: Command,
    pub(super) file: Option<PathBuf>,
    pub(super) flags: Vec<(&'static Setting, String)>,
}

/// Reads the arguments, the program's name first.
///
/// # Errors
/// What to print instead, help and version included, and the exit code.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Asked, clap::Error> {
    let matches = program().try_get_matches_from(arguments)?;
    // Settings may stand before or after the command's name; the inner matches know both.
    let (name, inner) = matches.subcommand().unwrap_or(("serve", &matches));
    let command = match name {
        "demo" => Command::Demo { once: inner.get_flag("once") },
        "token" => Command::Token(wanted(inner)),
        "migrate" => Command::Migrate { status: inner.get_flag("status") },
        "epoch" => Command::Epoch { renew: inner.get_flag("renew") },
        "config" => Command::Config,
        "bench" => Command::Bench(plan(inner)),
        _ => Command::Serve,
    };
    let file = inner.get_one::<PathBuf>("config").cloned();
    let flags = SETTINGS.iter().filter_map(|setting| flag_value(setting, inner)).collect();
    Ok(Asked { command, file, flags })
}

fn wanted(matches: &ArgMatches) -> Wanted {
    Wanted {
        user: matches.get_one("user").cloned().unwrap_or_default(),
        jwt: matches.get_flag("jwt"),
        seconds: matches.get_one("expire").copied().unwrap_or_default(),
    }
}

fn plan(matches: &ArgMatches) -> Plan {
    let number = |name: &str| matches.get_one(name).copied().unwrap_or_default();
    let names = matches.get_many::<String>("scenario").unwrap_or_default();
    Plan {
        scenarios: names.filter_map(|name| Scenario::named(name)).collect(),
        seconds: number("seconds"),
        rounds: number("rounds"),
        sockets: number("sockets"),
        json: matches.get_one("json").cloned(),
        plain: matches.get_flag("plain"),
        url: matches.get_one("url").cloned(),
    }
}

fn flag_value(
    setting: &'static Setting,
    matches: &ArgMatches,
) -> Option<(&'static Setting, String)> {
    setting.flag?;
    let values: Vec<&str> = matches.get_many::<String>(setting.name)?.map(String::as_str).collect();
    Some((setting, values.join(",")))
}

fn program() -> clap::Command {
    let switch = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).action(ArgAction::SetTrue).help(help)
    };
    let command = |name: &'static str, about: &'static str| clap::Command::new(name).about(about);
    let token = command("token", "Print a token signed with the configured key")
        .arg(Arg::new("user").value_name("USERID").required(true).help("whose token it is"))
        .arg(switch("jwt", "a JWT (HS256) instead of a UserSig"))
        .arg(
            Arg::new("expire")
                .long("expire")
                .value_name("SECONDS")
                .value_parser(value_parser!(u32).range(1..))
                .default_value(TOKEN_SECONDS)
                .help("how long it lasts; the default is 180 days"),
        );
    clap::Command::new("muster")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A self-hosted group-membership server. Without a command it serves.")
        .subcommand(command("serve", "Migrate the database and serve until SIGTERM or SIGINT"))
        .subcommand(
            command("demo", "Play the example in a throw-away directory, then keep serving")
                .arg(switch("once", "exit after the play, with 0 only when every step was right")),
        )
        .subcommand(token)
        .subcommand(
            command("migrate", "Apply the database's migrations")
                .arg(switch("status", "show them and apply none")),
        )
        .subcommand(
            command("epoch", "Print which history the numbers of events belong to")
                .arg(switch("renew", "write a new one first, after a restore in place")),
        )
        .subcommand(bench())
        .subcommand(command("config", "Print every setting, its value and where it came from"))
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .global(true)
                .help_heading("Settings")
                .help("TOML file with settings"),
        )
        .args(SETTINGS.iter().filter_map(setting_flag))
        .after_long_help(all_settings())
}

fn bench() -> clap::Command {
    let number = |name: &'static str, least: i64, most: i64, default: &'static str| {
        let range = value_parser!(u32).range(least..=most);
        Arg::new(name).long(name).value_name("NUMBER").value_parser(range).default_value(default)
    };
    let mut scenarios = String::from("Scenarios:\n");
    for (_, name, about, usual) in Scenario::ALL {
        let unusual = if usual { "" } else { " (only when it is named)" };
        // Writing to a String cannot fail.
        let _ = writeln!(scenarios, "  {name:8} {about}{unusual}");
    }
    clap::Command::new("bench")
        .about("Measure what Muster carries on this machine, beside a plain client of the same PostgreSQL")
        .arg(
            Arg::new("scenario")
                .value_name("SCENARIO")
                .num_args(0..)
                .value_parser(Scenario::ALL.map(|(_, name, ..)| name))
                .help("what to measure; all usual ones without"),
        )
        .arg(number("seconds", 1, 600, "4").help("how long each side of a round lasts"))
        .arg(number("rounds", 1, 100, "5").help("how often each pair is measured, in turns"))
        .arg(number("sockets", 10, 1_000_000, "10000").help("most sockets"))
        .arg(
            Arg::new("json")
                .long("json")
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("write all figures there as JSON"),
        )
        .arg(
            Arg::new("plain")
                .long("plain")
                .action(ArgAction::SetTrue)
                .help("compare with plain connections even where pgbench is installed"),
        )
        .arg(Arg::new("url").long("url").value_name("http://HOST:PORT").help(
            "a running server to load instead of one that is started for this; needs its MUSTER_SECRET_KEY",
        ))
        .after_help(scenarios)
}

fn setting_flag(setting: &'static Setting) -> Option<Arg> {
    let action = if setting.kind == Kind::List { ArgAction::Append } else { ArgAction::Set };
    let help = format!("{} [{}]", plain(setting.help), values(setting));
    Some(
        Arg::new(setting.name)
            .long(setting.flag?)
            .value_name("VALUE")
            .action(action)
            .global(true)
            .help_heading("Settings")
            .help(help),
    )
}

fn all_settings() -> String {
    let mut text = String::from(
        "All settings, by the name of their environment variable. In the TOML file a setting's name is \
         in\nlower case and without MUSTER_. Flags come before the environment, the environment before \
         the file.\n",
    );
    for setting in SETTINGS {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "\n  {}\n          {} [{}]",
            setting.name,
            plain(setting.help),
            values(setting)
        );
    }
    text
}

/// What a value may be, when that is short, and the default.
fn values(setting: &Setting) -> String {
    let default = setting.default_text();
    match setting.kind {
        Kind::Number { .. } | Kind::Choice(_) | Kind::Switch => {
            format!("{}; default: {default}", plain(&setting.values()))
        }
        _ => format!("default: {default}"),
    }
}

/// A help text for a terminal, which shows no code in backticks.
fn plain(help: &str) -> String {
    help.replace('`', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, clap::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn command(line: &str) -> Command {
        asked(line).expect(line).command
    }

    #[test]
    fn the_arguments_are_well_formed() {
        program().debug_assert();
    }

    #[test]
    fn every_command_is_understood_and_serving_is_the_default() {
        assert_eq!(command("muster"), Command::Serve);
        assert_eq!(command("muster serve"), Command::Serve);
        assert_eq!(command("muster demo"), Command::Demo { once: false });
        assert_eq!(command("muster demo --once"), Command::Demo { once: true });
        assert_eq!(command("muster migrate --status"), Command::Migrate { status: true });
        assert_eq!(command("muster epoch"), Command::Epoch { renew: false });
        assert_eq!(command("muster epoch --renew"), Command::Epoch { renew: true });
        assert_eq!(command("muster config"), Command::Config);
        let plan = Plan {
            scenarios: vec![Scenario::Hot, Scenario::Storm],
            seconds: 4,
            rounds: 2,
            sockets: 10_000,
            json: Some(PathBuf::from("f")),
            plain: true,
            url: None,
        };
        let line = "muster bench hot storm --rounds 2 --json f --plain";
        assert_eq!(command(line), Command::Bench(plan));
        let user = "ann".to_owned();
        let usual = Wanted { user: user.clone(), jwt: false, seconds: 15_552_000 };
        assert_eq!(command("muster token ann"), Command::Token(usual));
        let short = Wanted { user, jwt: true, seconds: 60 };
        assert_eq!(command("muster token ann --jwt --expire 60"), Command::Token(short));
    }

    #[test]
    fn settings_may_stand_before_and_after_the_command() {
        for line in [
            "muster --config f.toml --listen 127.0.0.1:1 serve --app-id 7",
            "muster serve --config f.toml --listen 127.0.0.1:1 --app-id 7",
            "muster --config=f.toml --listen=127.0.0.1:1 --app-id=7",
        ] {
            let asked = asked(line).expect(line);
            assert_eq!(asked.file, Some(PathBuf::from("f.toml")), "{line}");
            let flags: Vec<_> =
                asked.flags.iter().map(|(setting, text)| (setting.name, text.as_str())).collect();
            assert_eq!(flags, [("MUSTER_LISTEN", "127.0.0.1:1"), ("MUSTER_APP_ID", "7")], "{line}");
        }
    }

    #[test]
    fn a_list_may_be_given_in_parts() {
        let asked = asked("muster --admins ann,bob --admins cy").expect("right");
        assert_eq!(asked.flags.first().map(|(_, text)| text.as_str()), Some("ann,bob,cy"));
    }

    #[test]
    fn wrong_arguments_are_refused_with_2() {
        for line in [
            "muster fly",
            "muster --lisen x",
            "muster token",
            "muster token ann --expire 0",
            "muster --secret-key x",
            "muster --app-id 1 --app-id 2",
            "muster bench walk",
            "muster bench --seconds 0",
        ] {
            assert_eq!(asked(line).expect_err(line).exit_code(), 2, "{line}");
        }
        assert_eq!(asked("muster --version").expect_err("prints").exit_code(), 0);
    }

    #[test]
    fn help_lists_every_setting() {
        let help = program().render_long_help().to_string();
        for setting in SETTINGS {
            assert!(help.contains(setting.name), "{}", setting.name);
            let flag = setting.flag.map_or_else(String::new, |flag| format!("--{flag} <VALUE>"));
            assert!(help.contains(&flag), "{flag}");
        }
    }
}
