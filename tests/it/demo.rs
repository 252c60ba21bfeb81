//! `muster demo --once`, as a newcomer runs it.

use std::path::Path;
use std::process::Stdio;

use crate::common::eventually;
use crate::common::process::{Directory, muster};

/// The processes that name this directory in their command line.
pub(crate) fn processes_of(directory: &Path) -> Vec<String> {
    let wanted = directory.to_str().expect("a path of text");
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(wanted))
        .collect()
}

#[tokio::test]
async fn the_demo_plays_through_and_leaves_nothing_behind() {
    let directory = Directory::reachable("demo");
    let output = muster()
        .args(["demo", "--once"])
        .env("TMPDIR", directory.path())
        .env("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nowhere")
        .stdin(Stdio::null())
        .output()
        .expect("the binary");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    for expected in [
        r#"{"memberID":"bob","result":1}"#,
        r#""memberID":"dave","result":2"#,
        r#""memberID":"erin","result":3"#,
        r#""memberID":"carol","result":4"#,
        r#""memberID":"frank","result":0"#,
        "onMemberInvited",
        "onReceiveInvitation",
        "10007",
    ] {
        assert!(shown.contains(expected), "the demo does not show {expected}:\n{shown}");
    }
    eventually("no process of the demo is left", || async {
        processes_of(directory.path()).is_empty().then_some(())
    })
    .await;
    let left: Vec<_> = std::fs::read_dir(directory.path()).expect("the directory").collect();
    assert!(left.is_empty(), "{left:?}");
}
