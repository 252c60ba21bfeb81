//! `/client.js` is there for every page, and is what the README says.

use std::collections::BTreeSet;

use reqwest::Method;

use super::{MODULE, readme};
use crate::common::{Answer, Server};

async fn get(server: &Server, headers: &[(&str, &str)]) -> Answer {
    server.send(Method::GET, "/client.js", headers, "").await
}

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

#[tokio::test]
async fn the_module_is_served_to_pages_of_every_origin_and_asked_for_again_only_when_it_changed() {
    let server = Server::start().await;
    let answer = get(&server, &[("origin", "https://app.example")]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body.as_str(), Some(MODULE));
    assert_eq!(header(&answer, "content-type"), "text/javascript; charset=utf-8");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert_eq!(header(&answer, "cache-control"), "no-cache");
    assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    let tag = header(&answer, "etag").to_owned();
    assert!(tag.len() > 10 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for known in [tag.clone(), format!("\"other\", W/{tag}"), "*".to_owned()] {
        let answer = get(&server, &[("if-none-match", &known)]).await;
        assert_eq!((answer.status, answer.body.as_str()), (304, Some("")), "{known}");
        assert_eq!(header(&answer, "etag"), tag);
        assert_eq!(header(&answer, "access-control-allow-origin"), "*");
    }
    assert_eq!(get(&server, &[("if-none-match", "\"other\"")]).await.status, 200);
    let head = server.send(Method::HEAD, "/client.js", &[], "").await;
    assert_eq!((head.status, header(&head, "etag")), (200, tag.as_str()));
    server.post("alice", "/client.js", serde_json::json!({})).await.refused(
        405,
        10003,
        "method_not_allowed",
    );
    server.stop().await;
}

/// The pages that may call REST are another matter: whoever may not can import the module all the same.
#[tokio::test]
async fn the_origins_of_the_settings_do_not_take_the_module_from_others() {
    let server = Server::with(&[("MUSTER_CORS_ORIGINS", "https://app.example")]).await;
    for origin in ["https://app.example", "https://other.example"] {
        let answer = get(&server, &[("origin", origin)]).await;
        assert_eq!(answer.status, 200);
        let allowed = header(&answer, "access-control-allow-origin");
        assert!(allowed == "*" || allowed == origin, "{origin}: {allowed}");
        assert_eq!(answer.headers.get_all("access-control-allow-origin").iter().count(), 1);
    }
    server.stop().await;
}

/// The names of callbacks that stand in a text.
fn callbacks(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric());
    let named = |word: &&str| {
        word.strip_prefix("on").is_some_and(|rest| rest.starts_with(|c: char| c.is_uppercase()))
    };
    words.filter(named).collect()
}

/// The part of the module that begins with these words and ends with an empty line.
fn part(begin: &str) -> &'static str {
    let (_, rest) = MODULE.split_once(begin).expect("the part");
    rest.split_once("\n\n").expect("its end").0
}

#[test]
fn every_event_has_a_callback_and_the_readme_names_only_callbacks_that_are_there() {
    let source = include_str!("../../../src/model/event.rs");
    let (_, kinds) = source.split_once("EventKind {").expect("the kinds");
    let kinds = callbacks(kinds.split_once("\n    }").expect("their end").0);
    assert_eq!(kinds.len(), 14, "{kinds:?}");
    assert_eq!(callbacks(part("const EVENTS = {")), kinds);

    let documented = callbacks(MODULE.split_once("class Client").expect("the class").0);
    assert!(kinds.is_subset(&documented), "{documented:?}");
    let called = callbacks(MODULE.split_once("class Client").expect("the class").1);
    assert!(called.is_subset(&documented), "{called:?}");
    let shown = callbacks(readme());
    assert!(shown.len() >= 3 && shown.is_subset(&documented), "{shown:?}");
}

#[test]
fn the_module_depends_on_nothing_and_has_what_the_readme_imports() {
    let imported = readme().split_once('}').expect("names in braces").0;
    let name = imported.trim().trim_start_matches('{').trim();
    assert!(MODULE.contains(&format!("export function {name}(options)")), "{name}");
    let import = |line: &&str| line.trim_start().starts_with("import ") || line.contains("import(");
    assert_eq!(MODULE.lines().find(import), None);
    assert_eq!(MODULE.matches("\nexport ").count(), 1);
    for option in ["token", "cursor", "url", "WebSocket"] {
        assert!(
            MODULE.contains(&format!("[{option}]")) || MODULE.contains(&format!("}} {option} "))
        );
    }
}
