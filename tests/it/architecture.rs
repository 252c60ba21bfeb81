//! The house rules, read off the sources: who may know whom, where SQL, HTTP and foreign spellings may
//! stand, how large a file may grow. What breaks a rule is named by file and line.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room, and the rooms whose names may stand in it. What is not listed may not be named.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("rules", &["model"]),
    ("store", &["model", "rules"]),
    ("engine", &["model", "rules", "store", "metrics"]),
    ("delivery", &["model", "rules", "store", "engine", "metrics"]),
    ("auth", &["model"]),
    ("metrics", &["model"]),
    // The settings file defines types of groups.
    ("config", &["model", "rules"]),
    ("embedded", &[]),
    ("http", &["model", "rules", "store", "engine", "delivery", "auth", "metrics"]),
    ("upkeep", &["model", "store", "engine", "metrics", "auth"]),
    (
        "server",
        &[
            "model", "rules", "store", "engine", "delivery", "auth", "metrics", "config",
            "embedded", "http", "upkeep",
        ],
    ),
    // It asks servers from outside, as anybody would.
    ("bench", &["model", "store", "auth", "config", "embedded"]),
    (
        "cli",
        &[
            "model", "rules", "store", "engine", "delivery", "auth", "metrics", "config",
            "embedded", "http", "upkeep", "server", "bench",
        ],
    ),
];

/// Longest file without its tests, in lines.
const LINES: usize = 450;

/// Files that are longer, and why.
const LONG: &[(&str, &str)] = &[];

/// Spellings of the Tencent face.
const TENCENT: &[&str] = &[
    "Member_Account",
    "Owner_Account",
    "From_Account",
    "GroupId",
    "GroupIdList",
    "ActionStatus",
    "ErrorInfo",
    "MemberList",
    "ApplyJoinOption",
    "InviteJoinOption",
    "group_open_http_svc",
    "im_open_login_svc",
    "ShutUpUntil",
];

/// Where they stand besides, and why.
const TENCENT_BESIDES: &[(&str, &str)] =
    &[("cli/demo/play.rs", "the demo shows a call of that face, ready to paste")];

/// A line of code: its file below `src`, its number, and what stands in it besides comments.
struct Line {
    file: String,
    number: usize,
    code: String,
}

impl Line {
    fn place(&self) -> String {
        format!("src/{}:{}: {}", self.file, self.number, self.code.trim())
    }

    fn room(&self) -> &str {
        let first = self.file.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    fn is_in(&self, folder: &str) -> bool {
        self.file.starts_with(&format!("{folder}/")) || self.file == format!("{folder}.rs")
    }
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below `src`: its name there and its text.
fn files() -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(source()).expect("below src");
                let text = fs::read_to_string(&path).expect("a file");
                found.push((name.to_str().expect("a name of text").to_owned(), text));
            }
        }
    }
    found.sort_unstable();
    assert!(found.len() > 80, "only {} files were found", found.len());
    found
}

/// The modules that are declared for tests only, as paths below `src` without an ending.
fn test_modules(files: &[(String, String)]) -> Vec<String> {
    let mut modules = Vec::new();
    for (file, text) in files {
        let stem = file.trim_end_matches(".rs");
        let folder = stem.strip_suffix("/mod").or_else(|| stem.strip_suffix("lib")).unwrap_or(stem);
        let mut lines = text.lines().map(str::trim);
        while lines.by_ref().any(|line| line == "#[cfg(test)]") {
            let declared = lines.by_ref().find(|line| !line.starts_with("#["));
            let name = declared.and_then(|line| line.strip_suffix(';')?.split("mod ").nth(1));
            modules.extend(name.map(|name| format!("{folder}/{name}")));
        }
    }
    modules
}

/// Every file that is part of the program, not of its tests.
fn program() -> Vec<(String, String)> {
    let mut files = files();
    let tests = test_modules(&files);
    assert!(tests.iter().any(|name| name == "auth/tests"), "{tests:?}");
    files.retain(|(file, _)| {
        let of = |test: &String| {
            file.strip_prefix(test).is_some_and(|rest| rest.starts_with(['/', '.']))
        };
        !tests.iter().any(of)
    });
    files
}

/// How many lines stand before the tests at the end of a file.
fn before_tests(text: &str) -> usize {
    let lines: Vec<&str> = text.lines().collect();
    let tests = lines.windows(2).position(|pair| {
        pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod ") && pair[1].ends_with('{')
    });
    tests.unwrap_or(lines.len())
}

/// Every line of code that is no test's, without comments and with the texts in it.
fn lines() -> Vec<Line> {
    let mut lines = Vec::new();
    for (file, text) in program() {
        let mut before = "";
        for (index, line) in text.lines().take(before_tests(&text)).enumerate() {
            // A single item for tests stands below its attribute.
            let of_a_test = std::mem::replace(&mut before, line).trim() == "#[cfg(test)]";
            if of_a_test {
                continue;
            }
            let code = without_comment(line);
            if !code.trim().is_empty() {
                lines.push(Line { file: file.clone(), number: index + 1, code: code.to_owned() });
            }
        }
    }
    lines
}

/// A line without the comment at its end; `//` inside a text is none.
fn without_comment(line: &str) -> &str {
    let mut inside = false;
    let mut before = ' ';
    for (place, character) in line.char_indices() {
        match character {
            '"' if before != '\\' && before != '\'' => inside = !inside,
            '/' if before == '/' && !inside => return &line[..place - 1],
            _ => {}
        }
        before = character;
    }
    line
}

/// A line of code without the texts in it.
fn without_texts(code: &str) -> String {
    code.split('"').step_by(2).collect()
}

/// Whether a word stands in a text as a whole word.
fn names(text: &str, word: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(place, _)| {
        let before = text[..place].chars().next_back();
        let after = text[place + word.len()..].chars().next();
        !before.is_some_and(part) && !after.is_some_and(part)
    })
}

#[track_caller]
fn nothing_breaks(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

/// The paths that a file names from the crate's root on: `crate::…` and `super::…` resolved, in `use` and
/// elsewhere, with braces unfolded as far as the second name.
fn paths(file: &str, code: &str) -> Vec<(String, usize)> {
    let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if module.last() == Some(&"mod") {
        module.pop();
    }
    let mut found = Vec::new();
    for start in ["crate::", "super::"] {
        for (place, _) in code.match_indices(start) {
            if code[..place].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let mut rest = &code[place..];
            let mut root: Vec<&str> = module.clone();
            if start == "crate::" {
                root.clear();
                rest = &rest[start.len()..];
            }
            while let Some(after) = rest.strip_prefix("super::") {
                root.pop();
                rest = after;
            }
            let line = code[..place].matches('\n').count() + 1;
            for tail in unfold(rest) {
                let mut whole = root.clone();
                for name in tail.split("::") {
                    if name == "super" {
                        whole.pop();
                    } else {
                        whole.push(name);
                    }
                }
                found.push((whole.join("::"), line));
            }
        }
    }
    found
}

/// The first names of `a::b`, or of each part of `{a::b, c::{d, e}}`.
fn unfold(text: &str) -> Vec<String> {
    let Some(inner) = text.strip_prefix('{') else {
        let path = text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next();
        return vec![path.unwrap_or_default().trim_end_matches(':').to_owned()];
    };
    let mut parts = vec![String::new()];
    let mut depth = 1;
    for character in inner.chars() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => parts.push(String::new()),
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && character != ',' && !character.is_whitespace() {
            parts.last_mut().expect("a part").push(character);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts.iter().map(|part| part.trim_end_matches([':', '}']).to_owned()).collect()
}

/// A file's code without comments and tests, line by line as it was.
fn code_of(text: &str) -> String {
    let lines: Vec<&str> = text.lines().take(before_tests(text)).map(without_comment).collect();
    lines.join("\n")
}

/// What stands in one of these files and names a room that it may not know.
fn wrong_names(files: &[(String, String)]) -> Vec<String> {
    let mut broken = Vec::new();
    for (file, text) in files {
        let first = file.split('/').next().expect("a name");
        let room = first.strip_suffix(".rs").unwrap_or(first);
        if ["lib", "main"].contains(&room) {
            continue;
        }
        let allowed = ROOMS.iter().find(|(name, _)| *name == room);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{room} is in no place of the house"));
        for (path, line) in paths(file, &code_of(text)) {
            let other = path.split("::").next().expect("a name");
            let known = ROOMS.iter().any(|(name, _)| *name == other);
            let within = |one: &&str| path == **one || path.starts_with(&format!("{one}::"));
            if known && other != room && !allowed.iter().any(within) {
                broken.push(format!("src/{file}:{line}: {room} names {path}"));
            }
        }
    }
    broken
}

#[test]
fn no_room_names_one_that_stands_further_right() {
    nothing_breaks("rooms know only what stands left of them", &wrong_names(&program()));
}

#[test]
fn a_wrong_import_is_found_and_named() {
    let wrong = |file: &str, code: &str| wrong_names(&[(file.to_owned(), code.to_owned())]);
    let found = wrong("rules/invite.rs", "//! x\n\nuse crate::store::Store;\n");
    assert_eq!(found, ["src/rules/invite.rs:3: rules names store::Store"]);
    assert_eq!(wrong("model/id.rs", "fn f() -> crate::rules::Step {}").len(), 1);
    assert_eq!(wrong("model/mod.rs", "use super::{rules, engine::Engine};").len(), 2);
    assert_eq!(wrong("upkeep.rs", "use crate::auth::Rate;"), [""; 0]);
    assert_eq!(wrong("upkeep.rs", "use crate::http::App;").len(), 1);
    assert_eq!(wrong("embedded/mod.rs", "use crate::config::Config;").len(), 1);
    assert_eq!(wrong("rules/mod.rs", "// crate::http\nuse crate::model::Error;"), [""; 0]);
    let test = "#[cfg(test)]\nmod tests {\n    use crate::http::App;\n}";
    assert_eq!(wrong("rules/mod.rs", test), [""; 0]);
}

/// The reader of imports sees what it should: otherwise the rule above would hold of anything.
#[test]
fn imports_are_read_in_all_their_forms() {
    let code = "use crate::store::{Store, write::{A, B}};\nuse super::{lane, super::http::App};\n\
                fn f() { crate::rules::look(); super::super::model::Error::new() }\n\
                use crate::{auth, metrics::Metrics};\nlet x = mycrate::y; pub(super) mod z;";
    let mut found: Vec<String> =
        paths("engine/batch.rs", code).into_iter().map(|(path, _)| path).collect();
    found.sort_unstable();
    let expected = [
        "auth",
        "engine::http::App",
        "engine::lane",
        "http::App",
        "metrics::Metrics",
        "model::Error::new",
        "rules::look",
        "store",
    ];
    assert_eq!(found, expected);
    assert_eq!(without_comment(r#"let a = "http://x"; // b"#), r#"let a = "http://x"; "#);
    assert_eq!(without_comment("/// doc"), "");
}

#[test]
fn sql_is_named_only_in_the_store_and_connections_only_in_the_engine_besides() {
    let broken: Vec<String> = lines()
        .iter()
        .filter(|line| names(&without_texts(&line.code), "sqlx") && !line.is_in("store"))
        .filter(|line| !line.is_in("engine") || line.code.contains("sqlx::query"))
        .map(Line::place)
        .collect();
    nothing_breaks(
        "sqlx stands in store, its connections in engine, its statements in store",
        &broken,
    );
    // The engine begins and ends transactions; every other statement has its name in store.
    let words = ["begin", "commit", "rollback"];
    let broken: Vec<String> = lines()
        .iter()
        .filter(|line| line.is_in("engine"))
        .filter(|line| {
            let executed = line.code.split_once(".execute(\"").map(|(_, rest)| rest);
            executed.is_some_and(|rest| !words.iter().any(|word| rest.starts_with(word)))
        })
        .map(Line::place)
        .collect();
    nothing_breaks("the engine sends begin, commit and rollback and nothing else", &broken);
}

#[test]
fn axum_is_named_only_in_http() {
    let all = lines();
    let broken: Vec<String> = all
        .iter()
        .filter(|line| names(&without_texts(&line.code), "axum") && !line.is_in("http"))
        .map(Line::place)
        .collect();
    nothing_breaks("axum stands in http", &broken);
    assert!(all.iter().any(|line| line.is_in("http") && names(&line.code, "axum")));
}

#[test]
fn tencents_spellings_stand_only_in_its_face() {
    // Within a text: Rust has types of the same names.
    let quoted = |code: &str, word: &str| {
        let mut texts = code.split('"').skip(1).step_by(2);
        texts.any(|text| names(text, word))
    };
    let broken: Vec<String> = lines()
        .iter()
        .filter(|line| !line.is_in("http/v4"))
        .filter(|line| !TENCENT_BESIDES.iter().any(|(file, _)| *file == line.file))
        .filter(|line| TENCENT.iter().any(|word| quoted(&line.code, word)))
        .map(Line::place)
        .collect();
    nothing_breaks("Tencent's spellings stand in http/v4", &broken);
    let broken: Vec<String> = lines()
        .iter()
        .filter(|line| {
            (line.is_in("http/v1") && names(&line.code, "v4"))
                || (line.is_in("http/v4") && names(&line.code, "v1"))
        })
        .map(Line::place)
        .collect();
    nothing_breaks("the faces do not know each other", &broken);
}

#[test]
fn every_file_says_what_lives_in_it() {
    let broken: Vec<String> = files()
        .iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(file, _)| format!("src/{file}"))
        .collect();
    nothing_breaks("a file begins with //!", &broken);
}

#[test]
fn no_file_is_longer_than_one_reading() {
    let mut broken = Vec::new();
    for (file, text) in program() {
        let lines = before_tests(&text);
        let listed = LONG.iter().any(|(name, _)| *name == file);
        if lines > LINES && !listed {
            broken.push(format!("src/{file}: {lines} lines"));
        }
        if lines <= LINES && listed {
            broken.push(format!("src/{file} is listed as long and has only {lines} lines"));
        }
    }
    for (file, _) in LONG {
        assert!(source().join(file).exists(), "{file} is listed and not there");
    }
    nothing_breaks("a file has at most 450 lines besides its tests", &broken);
}

/// A panic is an answer to nobody.
#[test]
fn nothing_is_unwrapped_outside_tests() {
    let all = lines();
    let broken: Vec<String> = all
        .iter()
        .filter(|line| {
            [".unwrap()", ".expect(", "panic!(", "unreachable!(", "todo!(", "unimplemented!("]
                .iter()
                .any(|call| line.code.contains(call))
        })
        .map(Line::place)
        .collect();
    nothing_breaks("no unwrap, expect or panic outside tests", &broken);
    assert!(all.len() > 8_000, "only {} lines were read", all.len());
}

/// Rules are pure: what they decide follows from what they are given.
#[test]
fn rules_and_model_have_no_clock_no_chance_and_no_input() {
    let forbidden = [
        "Utc::now",
        "Instant::now",
        "SystemTime",
        "rand::",
        "tokio",
        "std::fs",
        "std::net",
        "std::env",
        "new_v4",
        "now_v7",
        "async fn",
        "tracing::",
        "println!",
        "HashMap::iter",
    ];
    let broken: Vec<String> = lines()
        .iter()
        .filter(|line| line.is_in("rules") || line.is_in("model"))
        .filter(|line| forbidden.iter().any(|word| line.code.contains(word)))
        .map(Line::place)
        .collect();
    nothing_breaks("rules and model are pure", &broken);
}

/// Logging is structured: nothing is printed but by a command, and on standard error only before the log.
#[test]
fn nothing_is_printed_past_the_log() {
    let broken: Vec<String> = lines()
        .iter()
        .filter(|line| line.room() != "cli")
        .filter(|line| {
            ["println!(", "eprintln!(", "print!(", "dbg!("]
                .iter()
                .any(|call| line.code.contains(call))
        })
        .map(Line::place)
        .collect();
    nothing_breaks("only commands print", &broken);
}
