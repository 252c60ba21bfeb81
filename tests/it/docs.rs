//! What the documents say is what the code does.

const BEGIN: &str =
    "<!-- settings: made from the code; UPDATE_DOCS=1 cargo test docs:: renews it -->\n";
const END: &str = "<!-- end of settings -->";

#[test]
fn the_settings_in_the_readme_are_those_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).expect("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the mark before the settings");
    let (shown, after) = rest.split_once(END).expect("the mark after the settings");
    let table = format!("{}\n", muster::config::markdown().trim_end());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let renewed = format!("{before}{BEGIN}{table}{END}{after}");
        std::fs::write(path, renewed).expect("README.md is written");
    } else {
        assert_eq!(shown, table, "README.md is stale: UPDATE_DOCS=1 cargo test docs::");
    }
}

/// Compares a document with its file, or renews the file.
#[track_caller]
fn is_committed(name: &str, document: &str) {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, document).expect("the file is written");
    } else {
        let shown = std::fs::read_to_string(path).expect("the file");
        assert!(shown == document, "docs/{name} is stale: UPDATE_DOCS=1 cargo test docs::");
    }
}

#[test]
fn the_openapi_document_is_that_of_the_code() {
    is_committed("openapi.json", muster::http::v1::openapi::document());
}

#[test]
fn the_asyncapi_document_is_that_of_the_code() {
    is_committed("asyncapi.json", muster::http::v1::asyncapi::document());
}
