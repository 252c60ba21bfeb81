//! Who somebody is and what he may read: every way to be refused for a credential, the identity provider's
//! tokens, and the table of readers.

mod bad;
mod provider;
mod published;
mod readers;

use chrono::Utc;
use muster::auth::{SecretKey, usersig};
use muster::model::UserId;
use serde_json::json;

use crate::common::{ADMIN, APP, KEY, Server};

/// A UserSig, all parts of it chosen.
fn usersig_of(key: &str, app: u64, user: &str, age: i64, seconds: u32) -> String {
    let made = Utc::now() - chrono::TimeDelta::seconds(age);
    usersig::sign(&SecretKey::new(key), app, &UserId::from_stored(user), made, seconds, None)
        .expect("a UserSig")
}

async fn asked(server: &Server, authorization: &str, path: &str) -> crate::common::Answer {
    server.send(reqwest::Method::GET, path, &[("authorization", authorization)], "").await
}

#[tokio::test]
async fn both_kinds_of_tokens_say_who_the_caller_is() {
    let server = Server::start().await;
    let jwt = server.token("alice");
    let usersig = usersig_of(KEY, APP, "alice", 0, 60);
    let with_userbuf = usersig::sign(
        &SecretKey::new(KEY),
        APP,
        &UserId::from_stored("alice"),
        Utc::now(),
        60,
        Some(b"abc"),
    );
    for token in [jwt, usersig.clone(), with_userbuf.expect("a UserSig")] {
        for header in [
            format!("Bearer {token}"),
            format!("bearer {token}"),
            format!("BEARER   {token}"),
            format!("Bearer {}", token.replace('*', "%2A")),
        ] {
            let me = asked(&server, &header, "/v1/users/me").await.ok();
            assert_eq!(me["userID"], "alice", "{header}");
        }
    }
    server.stop().await;
}

/// The strings of `tencent-im.md` section 7, made by the published library: they are read and their
/// signature is right, so that only their age is wrong.
#[tokio::test]
async fn the_published_librarys_strings_are_understood_and_only_too_old() {
    const KEY: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const STRINGS: [&str; 2] = [
        "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDKAAKpda\
         UZBZlAqUsTAzgQuWZOaChAzN0RQXZ6aDLLFMLA9PDfWx8K2oSHLKs0jJcDLwKivNN-Dy9swwSfFz9sl294wwyTNN\
         SzGwVaoFAEa2NTU_",
        "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDKAAKpda\
         UZBZlAqUsTAzgQuWZOaChAzN0RSXFqcWJZWmgSyKDPfKgpufmQ4SqnJLNckoMQwt9s9yTwsuy6jMz3Yy9c52L3A1\
         dtL28wryDnL0NvWPck12T7ZVqgUATR476g__",
    ];
    let server = Server::with(&[("MUSTER_SECRET_KEY", KEY)]).await;
    for string in STRINGS {
        let answer = asked(&server, &format!("Bearer {string}"), "/v1/users/me").await;
        let desc = answer.body["desc"].as_str().unwrap_or_default();
        assert!(desc.contains("2023-11-15T22:13:20Z"), "{answer:?}");
        answer.refused(401, 70001, "token_expired");
    }
    server.stop().await;

    let other = Server::start().await;
    let answer = asked(&other, &format!("Bearer {}", STRINGS[0]), "/v1/users/me").await;
    answer.refused(401, 70009, "token_signature_wrong");
    other.stop().await;
}

#[tokio::test]
async fn an_administrator_is_one_by_his_id_alone() {
    let server = Server::with(&[("MUSTER_ADMINS", "boss, root")]).await;
    let body = |owner: &str| json!({ "groupType": "Work", "groupName": "g", "owner": owner });
    for admin in ["boss", "root"] {
        server.post(admin, "/v1/groups", body("alice")).await.ok();
    }
    // The usual name is nobody's here, and neither case nor blanks nor a claim make one.
    for user in [ADMIN, "Boss", "boss ", "alice"] {
        let answer = server.post(user, "/v1/groups", body("bob")).await;
        answer.refused(403, 10007, "administrators_only");
    }
    let now = Utc::now().timestamp();
    let claims = json!({
        "sub": "alice", "iat": now, "exp": now + 60, "admin": true, "administrator": true,
        "role": "administrator", "scope": "admin", "roles": ["boss"]
    });
    let token = bad::hs256(KEY, &claims);
    let bearer = format!("Bearer {token}");
    let answer = server
        .send(
            reqwest::Method::POST,
            "/v1/groups",
            &[("authorization", bearer.as_str())],
            body("bob").to_string(),
        )
        .await;
    answer.refused(403, 10007, "administrators_only");
    server.stop().await;
}

/// The app of the server is a setting, and a token of another app is none.
#[tokio::test]
async fn a_usersig_counts_for_its_own_app_only() {
    let server = Server::with(&[("MUSTER_APP_ID", "1600000001")]).await;
    let header = format!("Bearer {}", usersig_of(KEY, 1_600_000_001, "alice", 0, 60));
    asked(&server, &header, "/v1/users/me").await.ok();
    let header = format!("Bearer {}", usersig_of(KEY, APP, "alice", 0, 60));
    let answer = asked(&server, &header, "/v1/users/me").await;
    answer.refused(401, 70014, "token_of_another_app");
    server.stop().await;
}

/// A token counts until its last second, and not a second longer.
#[tokio::test]
async fn a_token_ends_by_itself() {
    let server = Server::start().await;
    let jwt = || crate::common::jwt_of("alice", 4);
    let usersig = || usersig_of(KEY, APP, "alice", 0, 3);
    for token in [&jwt as &dyn Fn() -> String, &usersig] {
        let header = format!("Bearer {}", token());
        asked(&server, &header, "/v1/users/me").await.ok();
        let ended = async || {
            let answer = asked(&server, &header, "/v1/users/me").await;
            (answer.status != 200).then_some(answer)
        };
        let answer = crate::common::eventually("the token ends", ended).await;
        answer.refused(401, 70001, "token_expired");
    }
    server.stop().await;
}
