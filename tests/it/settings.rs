//! Settings and the command line as an operator meets them: the real binary, started with an environment
//! that holds no setting but the test's own. Nothing here needs a database.

#![allow(clippy::expect_used, reason = "what does not hold here fails a test")]

use std::path::PathBuf;
use std::process::{Output, Stdio};

use crate::common::process;

const KEY: &str = "0123456789abcdef0123456789abcdef";

/// Runs the binary.
fn muster(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    process::muster()
        .args(arguments)
        .env_remove("PG_BIN_DIR")
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("output is UTF-8")
}

/// What the binary says when it refuses to start: exit code 2, nothing on standard output, and each line
/// of standard error begins with the program's name.
fn refused(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = muster(arguments, environment);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(text(&output.stdout), "");
    assert!(said.lines().all(|line| line.starts_with("muster: ")), "{said}");
    assert!(!said.is_empty());
    said
}

fn answered(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let output = muster(arguments, environment);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// Value and origin of a setting in what `muster config` printed.
fn row(table: &str, name: &str) -> (String, String) {
    let line = table.lines().find(|line| line.split_whitespace().next() == Some(name));
    let mut words = line.expect(name).split_whitespace().skip(1);
    let value = words.next().expect("a value").to_owned();
    (value, words.collect::<Vec<_>>().join(" "))
}

/// A file that is gone after the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, content: &str) -> Self {
        let name = format!("muster-it-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, content).expect("the file can be written");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("the path is UTF-8")
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_wrong_variable_is_named_with_its_value_and_origin_by_every_command() {
    let wrong = [("MUSTER_INVITE_BATCH", "501")];
    let line = "muster: MUSTER_INVITE_BATCH=\"501\" (environment): \
                must be a whole number from 1 to 500\n";
    for arguments in [
        &[][..],
        &["serve"],
        &["demo", "--once"],
        &["migrate"],
        &["epoch"],
        &["config"],
        &["token", "a"],
    ] {
        assert_eq!(refused(arguments, &wrong), line, "{arguments:?}");
    }
}

#[test]
fn a_wrong_flag_is_named_with_its_value_and_origin() {
    let said = refused(&["serve", "--listen", "nowhere"], &[]);
    assert!(said.starts_with("muster: MUSTER_LISTEN=\"nowhere\" (flag --listen): "), "{said}");
}

#[test]
fn a_wrong_line_of_a_file_is_named_with_its_value_and_origin() {
    let file = File::new("wrong", "# ours\nlog_format = \"xml\"\n");
    let said = refused(&["--config", file.path()], &[]);
    let expected = format!("muster: MUSTER_LOG_FORMAT=\"xml\" ({} line 2): ", file.path());
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn unknown_names_are_refused_wherever_they_stand_and_all_at_once() {
    let file = File::new("unknown", "lisetn = \"127.0.0.1:1\"\n");
    let said = refused(&["--config", file.path()], &[("MUSTER_LANSE", "4")]);
    let from_file = format!("muster: lisetn=\"127.0.0.1:1\" ({} line 1): ", file.path());
    assert!(said.contains(&from_file), "{said}");
    assert!(said.contains("did you mean listen?"), "{said}");
    assert!(said.contains("muster: MUSTER_LANSE=\"4\" (environment): "), "{said}");
    assert!(said.contains("did you mean MUSTER_LANES?"), "{said}");
    assert_eq!(said.lines().count(), 2, "{said}");
}

#[test]
fn an_unknown_flag_or_command_is_refused() {
    for arguments in [["serve", "--lisen"], ["fly", "away"]] {
        let output = muster(&arguments, &[]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stdout), "");
        assert!(text(&output.stderr).contains(if arguments[0] == "fly" {
            "fly"
        } else {
            "--lisen"
        }));
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let said = refused(&["config", "--config", "/no/such.toml"], &[]);
    assert!(said.starts_with("muster: --config /no/such.toml cannot be read: "), "{said}");
}

#[test]
fn flags_beat_the_environment_which_beats_the_file() {
    let file = File::new("layers", "listen = \"127.0.0.1:1\"\napp_id = 1\nreaders = 3\n");
    let table = answered(
        &["config", "--config", file.path(), "--listen", "127.0.0.1:3"],
        &[("MUSTER_LISTEN", "127.0.0.1:2"), ("MUSTER_APP_ID", "2"), ("MUSTER_ADMINS", "")],
    );
    let pair = |value: &str, origin: &str| (value.to_owned(), origin.to_owned());
    assert_eq!(row(&table, "MUSTER_LISTEN"), pair("127.0.0.1:3", "flag --listen"));
    assert_eq!(row(&table, "MUSTER_APP_ID"), pair("2", "environment"));
    let line = format!("{} line 3", file.path());
    assert_eq!(row(&table, "MUSTER_READERS"), pair("3", &line));
    assert_eq!(row(&table, "MUSTER_OPS_LISTEN"), pair("127.0.0.1:8081", "default"));
    assert_eq!(row(&table, "MUSTER_ADMINS"), pair("administrator", "default"));
}

#[test]
fn config_shows_every_setting_once_and_no_secret() {
    let table = answered(
        &["config"],
        &[("DATABASE_URL", "postgres://ann:hunter2@db.example/muster"), ("MUSTER_SECRET_KEY", KEY)],
    );
    for setting in muster::config::SETTINGS {
        let rows = table.lines().filter(|line| line.split(' ').next() == Some(setting.name));
        assert_eq!(rows.count(), 1, "{}", setting.name);
    }
    assert!(!table.contains("hunter2") && !table.contains(KEY), "{table}");
    assert_eq!(row(&table, "MUSTER_SECRET_KEY").0, "***");
    assert_eq!(row(&table, "DATABASE_URL").0, "postgres://ann:***@db.example/muster");
}

#[test]
fn a_wrong_secret_is_named_but_not_shown() {
    let said = refused(
        &["serve"],
        &[("DATABASE_URL", "mysql://ann:hunter2@db/m"), ("MUSTER_SECRET_KEY", "too-short")],
    );
    assert!(said.contains("muster: DATABASE_URL="), "{said}");
    assert!(said.contains("muster: MUSTER_SECRET_KEY=\"***\" (environment): "), "{said}");
    assert!(!said.contains("hunter2") && !said.contains("too-short"), "{said}");
}

#[test]
fn a_token_with_a_database_needs_a_key() {
    let said = refused(&["token", "ann"], &[("DATABASE_URL", "postgres://db.example/muster")]);
    assert!(said.starts_with("muster: MUSTER_SECRET_KEY is not set, and is required"), "{said}");
}

#[test]
fn a_token_stands_alone_on_standard_output() {
    let key = [("MUSTER_SECRET_KEY", KEY), ("MUSTER_LOG", "trace")];
    for (arguments, dots) in [(&["token", "ann"][..], 0), (&["token", "ann", "--jwt"], 2)] {
        let token = answered(arguments, &key);
        assert_eq!(token.lines().count(), 1, "{token}");
        assert!(!token.trim_end().contains(char::is_whitespace), "{token}");
        assert_eq!(token.matches('.').count(), dots, "{token}");
    }
}

#[test]
fn a_token_for_an_impossible_user_is_refused() {
    let said = refused(&["token", "me"], &[("MUSTER_SECRET_KEY", KEY)]);
    assert!(said.starts_with("muster: USERID is \"me\""), "{said}");
}

#[test]
fn a_demo_does_not_take_a_given_database() {
    let url = "postgres://db.example/muster";
    let said = refused(&["demo", "--once", "--database-url", url], &[("MUSTER_SECRET_KEY", KEY)]);
    let expected =
        format!("muster: DATABASE_URL={url:?} (flag --database-url): a demo always runs");
    assert!(said.starts_with(&expected), "{said}");
}

#[test]
fn help_names_every_setting_and_version_the_version() {
    let help = answered(&["--help"], &[]);
    for setting in muster::config::SETTINGS {
        assert!(help.contains(setting.name), "{}", setting.name);
    }
    assert_eq!(answered(&["--version"], &[]), format!("muster {}\n", env!("CARGO_PKG_VERSION")));
}
