//! Strings that the published signing libraries made, for the key of the tests, this app and 20 years:
//! `python.json` by the Python package `tls-sig-api-v2` 1.1, with and without a userbuf, `node.json` by the Node
//! package of the same name, 1.0.2, the last ones with a room's userbuf.

use serde::Deserialize;

use super::asked;
use crate::common::Server;

#[derive(Deserialize)]
struct Made {
    user: String,
    sig: String,
}

const PYTHON: &str = include_str!("python.json");
const NODE: &str = include_str!("node.json");

fn made(text: &str) -> Vec<Made> {
    serde_json::from_str(text).expect("a list of strings")
}

#[tokio::test]
async fn the_published_libraries_strings_are_accepted() {
    let server = Server::start().await;
    let mut accepted = 0;
    for Made { user, sig } in made(PYTHON).into_iter().chain(made(NODE)) {
        let me = asked(&server, &format!("Bearer {sig}"), "/v1/users/me").await.ok();
        assert_eq!(me["userID"], user, "{sig}");
        accepted += 1;
    }
    assert_eq!(accepted, 66);
    server.stop().await;
}

#[tokio::test]
async fn a_spoilt_string_is_refused_wherever_it_is_spoilt() {
    let server = Server::start().await;
    for Made { user, sig } in [&made(PYTHON)[0], &made(NODE)[0]]
        .map(|one| Made { user: one.user.clone(), sig: one.sig.clone() })
    {
        for place in (0..sig.len()).step_by(7) {
            let mut spoilt = sig.clone().into_bytes();
            spoilt[place] = if spoilt[place] == b'A' { b'B' } else { b'A' };
            let spoilt = String::from_utf8(spoilt).expect("ASCII");
            let answer = asked(&server, &format!("Bearer {spoilt}"), "/v1/users/me").await;
            // The last bits of base64 may stand for nothing: then it is the same string in other words.
            if answer.status == 200 {
                assert!(place + 4 >= sig.trim_end_matches('_').len(), "{place} of {sig}");
                assert_eq!(answer.body["data"]["userID"], user);
                continue;
            }
            let code = answer.body["code"].as_i64().unwrap_or_default();
            assert!(answer.status == 401 && (70_001..=70_020).contains(&code), "{answer:?}");
        }
    }
    server.stop().await;
}
