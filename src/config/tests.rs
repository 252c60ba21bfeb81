//! The rules of the settings, told as an operator would meet them.

use std::path::PathBuf;

use super::*;
use crate::model::limits::Accounts;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const PEM: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----";

fn good(pairs: &[(&str, &str)]) -> Config {
    Config::for_tests(pairs.iter().copied()).expect("these settings are right")
}

/// The complaints about these settings, one a line.
fn bad(pairs: &[(&str, &str)]) -> String {
    Config::for_tests(pairs.iter().copied()).expect_err("these settings are wrong").to_string()
}

fn setting(name: &str) -> &'static Setting {
    SETTINGS.iter().find(|setting| setting.name == name).expect(name)
}

/// A TOML file that is gone after the test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("muster-settings-{}-{name}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).expect("the file can be written");
        Self(path)
    }

    fn sources(&self, pairs: &[(&'static str, &'static str)]) -> Sources {
        Sources::of_pairs(pairs.iter().copied()).with_file(self.0.clone())
    }

    fn complaints(&self) -> String {
        Config::load(&self.sources(&[])).expect_err("this file is wrong").to_string()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn without_any_setting_the_documented_defaults_hold() {
    let config = good(&[]);
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.ops_listen.to_string(), "127.0.0.1:8081");
    assert_eq!((config.database_url, config.secret_key), (None, None));
    assert_eq!(config.data_dir, PathBuf::from("./muster-data"));
    assert_eq!((config.pg_user.as_str(), config.app_id), ("postgres", 1_400_000_000));
    assert_eq!((config.pg_bin_dir, config.pg_download_url, config.provider), (None, None, None));
    assert_eq!(config.admins.iter().map(UserId::as_str).collect::<Vec<_>>(), ["administrator"]);
    assert_eq!(config.limits, Limits::defaults());
    assert_eq!((config.rate_per_user, config.sockets_per_user, config.readers), (50, 20, 10));
    assert_eq!(config.event_days, 35);
    assert!((1..=64).contains(&config.lanes));
    assert!(config.cors_origins.is_empty());
    assert_eq!((config.log.as_str(), config.log_format), ("info", LogFormat::Text));
    assert_eq!(config.effective.len(), SETTINGS.len());
    assert!(config.effective.iter().all(|setting| setting.origin == Origin::Default));
}

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_defaults() {
    let file = File::new(
        "precedence",
        "# four layers\ngroups_per_user = 1\napp_id = 1\nlisten = \"127.0.0.1:1\"\n",
    );
    let sources = file
        .sources(&[("MUSTER_APP_ID", "2"), ("MUSTER_LISTEN", "127.0.0.1:2")])
        .with_flag(setting("MUSTER_LISTEN"), "127.0.0.1:3");
    let config = Config::load(&sources).expect("right");
    assert_eq!(config.limits.groups_per_user.value, 1);
    assert_eq!(config.app_id, 2);
    assert_eq!(config.listen.port(), 3);
    assert_eq!(config.ops_listen.port(), 8081);
    let origin = |name| {
        let found = config.effective.iter().find(|setting| setting.name == name);
        found.expect(name).origin.clone()
    };
    assert_eq!(origin("MUSTER_GROUPS_PER_USER"), Origin::File(file.0.clone(), 2));
    assert_eq!(origin("MUSTER_APP_ID"), Origin::Environment);
    assert_eq!(origin("MUSTER_LISTEN"), Origin::Flag("listen"));
    assert_eq!(origin("MUSTER_OPS_LISTEN"), Origin::Default);
}

#[test]
fn a_limit_says_where_it_was_set_but_not_in_which_folder() {
    let file = File::new("limits", "members_per_group = 5_000\n");
    let config = Config::load(&file.sources(&[("MUSTER_INVITE_BATCH", "7")])).expect("right");
    let name = file.0.file_name().and_then(|name| name.to_str()).expect("a name");
    let limits = config.limits;
    assert_eq!(&*limits.groups_per_user.source, "MUSTER_GROUPS_PER_USER (default)");
    assert_eq!(&*limits.invite_batch.source, "MUSTER_INVITE_BATCH (environment)");
    assert_eq!(&*limits.members_per_group.source, format!("members_per_group in {name}"));
    assert_eq!(limits.members_per_group.value, 5_000);
}

#[test]
fn a_wrong_value_that_a_higher_layer_replaces_does_no_harm() {
    let file = File::new("shadowed", "listen = \"nonsense\"\n");
    assert!(Config::load(&file.sources(&[("MUSTER_LISTEN", "127.0.0.1:0")])).is_ok());
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let file = File::new("empty", "app_id = 5\n");
    let empty = [("DATABASE_URL", ""), ("MUSTER_APP_ID", ""), ("MUSTER_ADMINS", " ")];
    let config = Config::load(&file.sources(&empty)).expect("right");
    assert_eq!((config.database_url, config.app_id, config.admins.len()), (None, 5, 1));
}

#[test]
fn an_empty_flag_or_line_is_refused_except_for_lists() {
    let file = File::new("blank", "database_url = \"\"\nadmins = []\n");
    let complaints = file.complaints();
    assert!(complaints.contains("DATABASE_URL=\"***\""), "{complaints}");
    assert!(complaints.ends_with("line 1): is empty; leave it out instead"), "{complaints}");
    let none = Sources::default().with_flag(setting("MUSTER_ADMINS"), "");
    assert!(Config::load(&none).expect("right").admins.is_empty());
}

#[test]
fn every_fault_is_told_at_once_with_name_value_and_origin() {
    let file = File::new("many", "readers = 0\n\ntypo = 1\nlanes = [1, 2]\nlog = 1.5\n");
    let sources = file
        .sources(&[("MUSTER_INVITE_BATCH", "501"), ("MUSTER_LISTNE", "x")])
        .with_flag(setting("MUSTER_LISTEN"), "nowhere");
    let complaints = Config::load(&sources).expect_err("wrong").to_string();
    let path = file.0.display();
    for line in [
        "MUSTER_LISTEN=\"nowhere\" (flag --listen): must be ip:port".to_owned(),
        "MUSTER_INVITE_BATCH=\"501\" (environment): must be a whole number from 1 to 500"
            .to_owned(),
        "MUSTER_LISTNE=\"x\" (environment): there is no such setting; did you mean MUSTER_LISTEN?"
            .to_owned(),
        format!("MUSTER_READERS=\"0\" ({path} line 1): must be a whole number from 1 to 200"),
        format!("typo=\"1\" ({path} line 3): there is no such setting; `muster --help`"),
        format!("MUSTER_LANES=\"1,2\" ({path} line 4): takes one value, not an array"),
        format!("MUSTER_LOG=\"(float)\" ({path} line 5): must be a string"),
    ] {
        assert!(complaints.lines().any(|told| told.starts_with(&line)), "{line}\n\n{complaints}");
    }
    assert_eq!(complaints.lines().count(), 7, "{complaints}");
}

#[test]
fn a_file_that_is_absent_or_no_toml_is_named() {
    let sources = Sources::default().with_file(PathBuf::from("/no/such.toml"));
    let complaints = Config::load(&sources).expect_err("wrong").to_string();
    assert!(complaints.starts_with("--config /no/such.toml cannot be read: "), "{complaints}");
    let file = File::new("broken", "app_id = 1\nsecret_key = hunter2 hunter3\n");
    let complaints = file.complaints();
    assert!(complaints.contains("line 2 is not TOML"), "{complaints}");
    assert!(!complaints.contains("hunter"), "{complaints}");
}

#[test]
fn a_section_or_a_name_in_another_spelling_in_a_file_is_refused() {
    let file = File::new("spelling", "MUSTER_APP_ID = 1\nops-listen = \"x\"\n[limits]\na = 1\n");
    let complaints = file.complaints();
    assert!(complaints.contains("did you mean app_id?"), "{complaints}");
    assert!(complaints.contains("did you mean ops_listen?"), "{complaints}");
    assert!(complaints.contains("limits=\"(table)\""), "{complaints}");
}

#[test]
fn values_of_a_file_may_be_strings_numbers_booleans_and_arrays() {
    let file = File::new(
        "types",
        "app_id = 0x10\nreaders = \"7\"\nadmins = [\"ann\", \"bob\"]\njwt_admins = true\n\
         jwt_public_key = \"\"\"\n-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n\"\"\"\n\
         jwt_issuer = \"i\"\njwt_audience = \"a\"\n",
    );
    let config = Config::load(&file.sources(&[])).expect("right");
    assert_eq!((config.app_id, config.readers, config.admins.len()), (16, 7, 2));
    assert!(config.provider.expect("a provider").admins);
    let comma = File::new("comma", "admins = [\"a,b\"]\n");
    assert!(comma.complaints().contains("holds a comma"), "{}", comma.complaints());
}

#[test]
fn addresses() {
    let listen = |text: &str| good(&[("MUSTER_LISTEN", text)]).listen.to_string();
    assert_eq!(listen("0.0.0.0:0"), "0.0.0.0:0");
    assert_eq!(listen("[::1]:9000"), "[::1]:9000");
    assert_eq!(listen("localhost:9000"), "127.0.0.1:9000");
    for wrong in ["8080", "localhost", "example.org:80", "127.0.0.1:70000", "http://127.0.0.1:80"] {
        assert!(bad(&[("MUSTER_LISTEN", wrong)]).contains("must be ip:port"), "{wrong}");
    }
    let same = [("MUSTER_LISTEN", "127.0.0.1:9"), ("MUSTER_OPS_LISTEN", "localhost:9")];
    assert!(bad(&same).contains("is the address of MUSTER_LISTEN too"));
    good(&[("MUSTER_LISTEN", "127.0.0.1:0"), ("MUSTER_OPS_LISTEN", "127.0.0.1:0")]);
}

#[test]
fn a_database_needs_a_postgres_url_and_a_key() {
    let url = "postgres://ann:hunter2@db/muster";
    let config = good(&[("DATABASE_URL", url), ("MUSTER_SECRET_KEY", KEY)]);
    assert_eq!(config.database_url.as_ref().map(Secret::expose), Some(url));
    assert_eq!(config.secret_key.as_ref().map(Secret::expose), Some(KEY));
    let shown = format!("{config:?}");
    assert!(!shown.contains("hunter2") && !shown.contains(KEY), "{shown}");
    assert!(shown.contains("postgres://ann:***@db/muster"), "{shown}");

    let without = bad(&[("DATABASE_URL", url)]);
    assert!(without.starts_with("MUSTER_SECRET_KEY is not set, and is required"), "{without}");
    for wrong in
        ["mysql://ann:hunter2@db/m", "host=db password=hunter2", "postgres://a:hun#ter2@db/m"]
    {
        let complaint = bad(&[("DATABASE_URL", wrong), ("MUSTER_SECRET_KEY", KEY)]);
        assert!(
            complaint.starts_with("DATABASE_URL=") && !complaint.contains("ter2"),
            "{complaint}"
        );
    }
    good(&[("DATABASE_URL", "postgresql:///muster?host=/run"), ("MUSTER_SECRET_KEY", KEY)]);
}

#[test]
fn a_key_is_long_enough_and_has_no_line_end() {
    for (wrong, why) in [("short", "has 5 bytes"), (&format!("{KEY}\n"), "white space")] {
        let complaint = bad(&[("MUSTER_SECRET_KEY", wrong)]);
        assert!(complaint.starts_with("MUSTER_SECRET_KEY=\"***\" (environment): "), "{complaint}");
        assert!(complaint.contains(why) && !complaint.contains("short"), "{complaint}");
    }
}

#[test]
fn an_identity_provider_is_complete_and_has_one_kind_of_key() {
    let of = |name, value| {
        vec![(name, value), ("MUSTER_JWT_ISSUER", "https://idp"), ("MUSTER_JWT_AUDIENCE", "muster")]
    };
    let jwks = good(&of("MUSTER_JWKS_URL", "https://idp.example/keys")).provider.expect("set");
    assert!(matches!(jwks.source, KeySource::Jwks(_)) && !jwks.admins);
    let escaped = PEM.replace('\n', "\\n");
    for text in [PEM, &escaped] {
        let provider = good(&of("MUSTER_JWT_PUBLIC_KEY", text)).provider.expect("set");
        assert_eq!(provider.source, KeySource::PublicKeyPem(format!("{PEM}\n")));
        assert_eq!(
            (provider.issuer.as_str(), provider.audience.as_str()),
            ("https://idp", "muster")
        );
    }
    let file = File::new("key", PEM);
    let path = file.0.to_str().expect("a path");
    assert!(good(&of("MUSTER_JWT_PUBLIC_KEY", path)).provider.is_some());

    let mut both = of("MUSTER_JWKS_URL", "https://idp.example/keys");
    both.push(("MUSTER_JWT_PUBLIC_KEY", PEM));
    assert!(bad(&both).contains("MUSTER_JWKS_URL exclude each other"));
    let bare = bad(&[("MUSTER_JWKS_URL", "https://idp.example/keys")]);
    assert!(bare.contains("MUSTER_JWT_ISSUER is not set"), "{bare}");
    assert!(bare.contains("MUSTER_JWT_AUDIENCE is not set"), "{bare}");
    for idle in ["MUSTER_JWT_ISSUER", "MUSTER_JWT_AUDIENCE", "MUSTER_JWT_ADMINS"] {
        let complaint = bad(&[(idle, "true")]);
        assert!(complaint.starts_with(idle) && complaint.contains("neither is set"), "{complaint}");
    }
    good(&[("MUSTER_JWT_ADMINS", "false")]);
}

#[test]
fn a_public_key_that_is_none_is_refused() {
    for (text, why) in [
        ("/no/such.pem", "cannot be read"),
        ("-----BEGIN PRIVATE KEY-----\nMCow\n-----END PRIVATE KEY-----", "is a private key"),
        ("-----BEGIN PUBLIC KEY-----\nMCow", "a part is missing"),
        ("-----BEGIN PGP MESSAGE-----\nMCow\n-----END PGP MESSAGE-----", "must be a PEM text"),
    ] {
        let complaint = bad(&[("MUSTER_JWT_PUBLIC_KEY", text)]);
        assert!(complaint.contains(why) && !complaint.contains("MCow"), "{complaint}");
    }
}

#[test]
fn the_address_of_nats_is_taken_and_never_shown_whole() {
    for url in ["nats://ann:hunter2@bus:4222", "tls://hunter2@bus", "nats://127.0.0.1"] {
        let config = good(&[("MUSTER_NATS_URL", url)]);
        assert_eq!(config.nats_url.as_ref().map(Secret::expose), Some(url));
        assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
    }
    assert_eq!(good(&[]).nats_url, None);
    for wrong in ["http://bus", "nats://", "bus:4222"] {
        let complaint = bad(&[("MUSTER_NATS_URL", wrong)]);
        assert!(complaint.contains("nats:// or tls://"), "{complaint}");
    }
}

#[test]
fn numbers_keep_their_bounds() {
    for setting in SETTINGS {
        let Kind::Number { least, most } = setting.kind else { continue };
        for right in [least, most] {
            good(&[("MUSTER_ADMINS", "a"), (setting.name, &right.to_string())]);
        }
        for wrong in [(least - 1).to_string(), (most + 1).to_string(), "-1".into(), "1e3".into()] {
            let complaint = bad(&[(setting.name, &wrong)]);
            let value = format!("{}={wrong:?} (environment): must be a whole number", setting.name);
            assert!(complaint.starts_with(&value), "{complaint}");
        }
    }
    let bounds = |name: &str| setting(name).values();
    assert_eq!(bounds("MUSTER_INVITE_BATCH"), "1 to 500");
    assert_eq!(bounds("MUSTER_GROUPS_PER_USER"), "1 to 1000000");
    assert_eq!(bounds("MUSTER_MEMBERS_PER_GROUP"), "1 to 10000000");
    assert_eq!(bounds("MUSTER_USER_ID_BYTES"), "1 to 64");
}

#[test]
fn words_and_switches() {
    assert_eq!(good(&[("MUSTER_ACCOUNTS", "registered")]).limits.accounts, Accounts::Registered);
    assert_eq!(good(&[("MUSTER_LOG_FORMAT", "json")]).log_format, LogFormat::Json);
    assert!(bad(&[("MUSTER_ACCOUNTS", "closed")]).ends_with("must be open or registered"));
    assert!(bad(&[("MUSTER_LOG_FORMAT", "xml")]).ends_with("must be text or json"));
    assert!(bad(&[("MUSTER_JWT_ADMINS", "yes")]).ends_with("must be true or false"));
}

#[test]
fn administrators_are_user_ids() {
    let long = "u".repeat(33);
    assert_eq!(good(&[("MUSTER_ADMINS", "ann, bob,,ann")]).admins.len(), 2);
    assert!(bad(&[("MUSTER_ADMINS", "me")]).contains("user id, \"me\", that is \"me\""));
    assert!(bad(&[("MUSTER_ADMINS", &long)]).contains("at most 32 are possible"));
    good(&[("MUSTER_ADMINS", &long), ("MUSTER_USER_ID_BYTES", "64")]);
}

#[test]
fn origins_are_what_browsers_send() {
    let origins = |text: &str| good(&[("MUSTER_CORS_ORIGINS", text)]).cors_origins;
    assert_eq!(
        origins("https://App.example:443, http://localhost:5173/,https://app.example"),
        ["https://app.example", "http://localhost:5173"]
    );
    assert_eq!(origins("*"), ["*"]);
    assert_eq!(
        origins("capacitor://localhost,http://[::1]:80"),
        ["capacitor://localhost", "http://[::1]"]
    );
    for wrong in [
        "app.example",
        "https://a.example/x",
        "https://u:p@a.example",
        "https://*.a.example",
        "null",
    ] {
        assert!(bad(&[("MUSTER_CORS_ORIGINS", wrong)]).contains("is no origin"), "{wrong}");
    }
    assert!(
        bad(&[("MUSTER_CORS_ORIGINS", "*,https://a.example")]).contains("* beside other origins")
    );
}

#[test]
fn log_filters() {
    for right in
        ["info", "WARN", "off", "info,sqlx=warn", "muster=debug", "muster::engine=trace, info"]
    {
        good(&[("MUSTER_LOG", right)]);
    }
    for wrong in ["verbose", "info,loud", "muster=loud", "a=b=c"] {
        assert!(bad(&[("MUSTER_LOG", wrong)]).starts_with("MUSTER_LOG="), "{wrong}");
    }
}

#[test]
fn an_unknown_name_is_refused_and_what_may_be_a_secret_is_not_repeated() {
    let complaint = bad(&[("MUSTER_SECRETKEY", "hunter2hunter2hunter2")]);
    assert_eq!(
        complaint,
        "MUSTER_SECRETKEY=\"***\" (environment): there is no such setting; \
         did you mean MUSTER_SECRET_KEY?"
    );
    let complaint = bad(&[("MUSTER_DATABASE_URL", "postgres://ann:hunter2@db/m")]);
    assert!(complaint.contains("did you mean DATABASE_URL?"), "{complaint}");
    assert!(!complaint.contains("hunter2"), "{complaint}");
}

#[test]
fn effective_settings_are_masked() {
    let config = good(&[
        ("MUSTER_SECRET_KEY", KEY),
        ("MUSTER_PG_DOWNLOAD_URL", "https://ann:hunter2@mirror.example/pg"),
    ]);
    let shown = |name| {
        let found = config.effective.iter().find(|setting| setting.name == name);
        found.expect(name).value.as_str()
    };
    assert_eq!(shown("MUSTER_SECRET_KEY"), "***");
    assert_eq!(shown("MUSTER_PG_DOWNLOAD_URL"), "https://ann:***@mirror.example/pg");
    assert_eq!(shown("DATABASE_URL"), "(none)");
    assert_eq!(shown("PG_BIN_DIR"), "(searched for)");
}

#[test]
fn a_forgotten_variable_is_not_read() {
    let mut sources = Sources::of_pairs([("DATABASE_URL", "postgres://db/m")]);
    assert!(sources.forget_environment("DATABASE_URL"));
    assert!(!sources.forget_environment("DATABASE_URL"));
    assert!(Config::load(&sources).expect("right").database_url.is_none());
}

#[test]
fn a_later_complaint_reads_like_the_others() {
    let config = good(&[("MUSTER_SECRET_KEY", KEY)]);
    assert_eq!(
        config.refuse("MUSTER_SECRET_KEY", "is of no use").to_string(),
        "MUSTER_SECRET_KEY=\"***\" (environment): is of no use"
    );
}

#[test]
fn types_of_groups_are_read_from_the_file() {
    let file = File::new(
        "types",
        "app_id = 5\n[types.Team]\nbased_on = \"Public\"\nask_invitees = true\n\
         who = { invite = \"managers\" }\n[types.Hall]\nbased_on = \"Meeting\"\n\
         counts_towards_limit = false\ndefault_max_members = 1_000\n",
    );
    let config = Config::load(&file.sources(&[])).expect("right");
    let types = &config.types;
    assert_eq!(types.all().len(), 7);
    let team = types.named("groupType", "Team").expect("defined");
    assert_eq!(team.describe(), "based on Public, invite: managers, invitees are asked");
    let hall = types.named("groupType", "Hall").expect("defined");
    assert!(!hall.traits.counts_towards_limit);
    assert_eq!(hall.traits.default_max_members, Some(1_000));
}

#[test]
fn a_wrong_type_is_named_with_its_line() {
    for (text, line, part) in [
        ("[types.Team]\n", 1, "needs based_on, one of Work, Public"),
        ("[types.Team]\nbased_on = \"Club\"\n", 2, "must be one of Work, Public"),
        ("[types.Work]\nbased_on = \"Work\"\n", 1, "built in"),
        ("[types.chatroom]\nbased_on = \"Work\"\n", 1, "built in"),
        ("[types.\"a b\"]\nbased_on = \"Work\"\n", 1, "must begin with a letter"),
        ("[types]\nTeam = 5\n", 2, "must be a table"),
        ("types = 5\n", 1, "must be tables"),
        ("[types.T]\nbased_on = \"Work\"\ncolor = \"red\"\n", 3, "there is no such key"),
        ("[types.T]\nbased_on = \"Work\"\nask_invitees = 1\n", 3, "must be true or false"),
        (
            "[types.T]\nbased_on = \"Work\"\njoin_option = \"Free\"\n",
            3,
            "must be one of FreeAccess",
        ),
        ("[types.T]\nbased_on = \"Work\"\ndefault_max_members = 0\n", 3, "must be a number from 1"),
        (
            "[types.T]\nbased_on = \"Work\"\n\n[types.T.who]\nfly = \"owner\"\n",
            5,
            "no such permission",
        ),
        ("[types.T]\nbased_on = \"Work\"\nwho = { kick = \"all\" }\n", 3, "must be one of nobody"),
        ("[types.T]\nbased_on = \"Work\"\nwho = { kick = \"anybody\" }\n", 3, "no members"),
        ("[types.T]\nbased_on = \"Work\"\nwho = { decide = \"owner\" }\n", 3, "no such permission"),
        ("[types.T]\nbased_on = \"AVChatRoom\"\nwho = { invite = \"owner\" }\n", 3, "ever invited"),
        (
            "[types.T]\nbased_on = \"Work\"\ndefault_max_members = 9\nhighest_max_members = 8\n",
            1,
            "above highest_max_members",
        ),
        ("[types.T]\nbased_on = \"Work\"\nhas_admins = true\n", 1, "who.appoint_admins"),
    ] {
        let complaints = File::new("wrong-type", text).complaints();
        assert!(complaints.contains(&format!("line {line})")), "{text}: {complaints}");
        assert!(complaints.contains(part), "{text}: {complaints}");
        assert_eq!(complaints.lines().count(), 1, "{complaints}");
    }
}
