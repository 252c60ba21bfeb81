//! Credentials that are none.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::Utc;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};

use super::usersig_of;
use crate::common::wire::{exchange, request};
use crate::common::{APP, KEY, Server};

const OTHER_KEY: &str = "another key, of enough bytes as well";

/// An HS256 token with these claims.
pub(super) fn hs256(key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &key).expect("a JWT")
}

/// A token of these parts as they are, whatever they are.
fn parts(header: &Value, claims: &Value, signature: &str) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", encode(header), encode(claims))
}

fn claims_of(user: &str) -> Value {
    let now = Utc::now().timestamp();
    json!({ "sub": user, "iat": now, "exp": now + 600 })
}

fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims_of("alice");
    claims[name] = value;
    claims
}

fn claims_without(name: &str) -> Value {
    let mut claims = claims_of("alice");
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

fn pack(document: &[u8]) -> String {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(document).expect("packing");
    let packed = STANDARD.encode(zlib.finish().expect("packing"));
    packed.replace('+', "*").replace('/', "-").replace('=', "_")
}

fn unpack(usersig: &str) -> Value {
    let usual = usersig.replace('*', "+").replace('-', "/").replace('_', "=");
    let packed = STANDARD.decode(usual).expect("base64");
    let mut document = Vec::new();
    ZlibDecoder::new(packed.as_slice()).read_to_end(&mut document).expect("zlib");
    serde_json::from_slice(&document).expect("a document")
}

/// A good UserSig of alice with one field of the document replaced, or removed.
fn usersig_with(name: &str, value: Option<Value>) -> String {
    let mut document = unpack(&usersig_of(KEY, APP, "alice", 0, 600));
    let fields = document.as_object_mut().expect("an object");
    match value {
        Some(value) => drop(fields.insert(name.to_owned(), value)),
        None => drop(fields.remove(name)),
    }
    pack(document.to_string().as_bytes())
}

/// A refusal: code and reason.
type Refusal = (i64, &'static str);

const MISSING: Refusal = (70002, "token_missing");
const MALFORMED: Refusal = (70003, "token_malformed");
const EXPIRED: Refusal = (70001, "token_expired");
const FORGED: Refusal = (70009, "token_signature_wrong");
const ELSEWHERE: Refusal = (70014, "token_of_another_app");

/// Whole values of the header, without a good token.
fn headers() -> Vec<(&'static str, String, Refusal)> {
    let good = crate::common::jwt_of("alice", 600);
    vec![
        ("an empty header", String::new(), MISSING),
        ("no token", "Bearer".to_owned(), MISSING),
        ("a blank for a token", "Bearer ".to_owned(), MISSING),
        ("no scheme", good.clone(), MALFORMED),
        ("Basic", "Basic YWxpY2U6eA==".to_owned(), MALFORMED),
        ("a good token under another scheme", format!("Token {good}"), MALFORMED),
        ("no blank", format!("Bearer{good}"), MALFORMED),
        ("two tokens", format!("Bearer {good} {good}"), MALFORMED),
        ("a comma behind", format!("Bearer {good},"), MALFORMED),
        ("quotes", format!("Bearer \"{good}\""), MALFORMED),
        ("no ASCII", "Bearer schlüssel".to_owned(), MALFORMED),
        ("a word", "Bearer nonsense".to_owned(), MALFORMED),
        ("null", "Bearer null".to_owned(), MALFORMED),
        ("a dot", "Bearer .".to_owned(), MALFORMED),
        ("two dots", "Bearer ..".to_owned(), MALFORMED),
        ("20 KB", format!("Bearer {}", "x".repeat(20_000)), MALFORMED),
        ("20 KB with dots", format!("Bearer a.{}.b", "x".repeat(20_000)), MALFORMED),
    ]
}

fn usersigs() -> Vec<(&'static str, String, Refusal)> {
    let good = usersig_of(KEY, APP, "alice", 0, 600);
    let bomb = pack(&vec![b' '; 4 * 1024 * 1024]);
    vec![
        ("a UserSig of another app", usersig_of(KEY, 1, "alice", 0, 600), ELSEWHERE),
        ("a UserSig with another key", usersig_of(OTHER_KEY, APP, "alice", 0, 600), FORGED),
        ("an expired UserSig", usersig_of(KEY, APP, "alice", 700, 600), EXPIRED),
        ("a UserSig of no time", usersig_of(KEY, APP, "alice", 2, 0), EXPIRED),
        ("a UserSig of nobody", usersig_of(KEY, APP, "", 0, 600), MALFORMED),
        ("a UserSig of me", usersig_of(KEY, APP, "me", 0, 600), MALFORMED),
        ("a UserSig of a long id", usersig_of(KEY, APP, &"x".repeat(33), 0, 600), MALFORMED),
        ("a UserSig of an id with a line", usersig_of(KEY, APP, "a\nb", 0, 600), MALFORMED),
        ("a UserSig of an id with a NUL", usersig_of(KEY, APP, "a\0", 0, 600), MALFORMED),
        (
            "another identifier",
            usersig_with("TLS.identifier", Some(json!("administrator"))),
            FORGED,
        ),
        ("a longer life", usersig_with("TLS.expire", Some(json!(9_999_999))), FORGED),
        ("a userbuf put in", usersig_with("TLS.userbuf", Some(json!("YWJj"))), FORGED),
        ("an empty signature", usersig_with("TLS.sig", Some(json!(""))), FORGED),
        ("no signature", usersig_with("TLS.sig", None), MALFORMED),
        ("no identifier", usersig_with("TLS.identifier", None), MALFORMED),
        ("no expiry", usersig_with("TLS.expire", None), MALFORMED),
        ("a list for an identifier", usersig_with("TLS.identifier", Some(json!(["a"]))), MALFORMED),
        ("another version", usersig_with("TLS.ver", Some(json!("1.0"))), MALFORMED),
        ("half a UserSig", good[..good.len() / 2].to_owned(), MALFORMED),
        ("no document", pack(b"null"), MALFORMED),
        ("a bomb", bomb, MALFORMED),
    ]
}

fn jwts() -> Vec<(&'static str, String, Refusal)> {
    let good = hs256(KEY, &claims_of("alice"));
    let (message, signature) = good.rsplit_once('.').expect("a JWT");
    let now = Utc::now().timestamp();
    let none = json!({ "alg": "none", "typ": "JWT" });
    let boss = claims_of("administrator");
    vec![
        ("an expired JWT", hs256(KEY, &claims_with("exp", json!(now - 1))), EXPIRED),
        ("a JWT with another key", hs256(OTHER_KEY, &claims_of("alice")), FORGED),
        ("a JWT with no key", hs256("", &claims_of("alice")), FORGED),
        ("no sub", hs256(KEY, &claims_without("sub")), MALFORMED),
        ("no iat", hs256(KEY, &claims_without("iat")), MALFORMED),
        ("no exp", hs256(KEY, &claims_without("exp")), MALFORMED),
        ("a sub that is no text", hs256(KEY, &claims_with("sub", json!(5))), MALFORMED),
        ("an exp that is no number", hs256(KEY, &claims_with("exp", json!("never"))), MALFORMED),
        ("an empty sub", hs256(KEY, &claims_of("")), MALFORMED),
        ("me", hs256(KEY, &claims_of("me")), MALFORMED),
        ("a sub of 33 bytes", hs256(KEY, &claims_of(&"x".repeat(33))), MALFORMED),
        ("a sub with a NUL", hs256(KEY, &claims_of("a\0b")), MALFORMED),
        ("a sub that is no ASCII", hs256(KEY, &claims_of("zoë")), MALFORMED),
        ("issued tomorrow", hs256(KEY, &claims_with("iat", json!(now + 86_400))), MALFORMED),
        ("not before tomorrow", hs256(KEY, &claims_with("nbf", json!(now + 86_400))), MALFORMED),
        ("claims that are a list", hs256(KEY, &json!(["alice"])), MALFORMED),
        ("alg none", parts(&none, &boss, ""), MALFORMED),
        ("alg none with a signature", parts(&none, &boss, signature), MALFORMED),
        ("alg None", parts(&json!({ "alg": "None" }), &boss, signature), MALFORMED),
        ("no alg", parts(&json!({ "typ": "JWT" }), &boss, signature), MALFORMED),
        ("HS512", parts(&json!({ "alg": "HS512" }), &boss, signature), MALFORMED),
        ("RS256 without a provider", parts(&json!({ "alg": "RS256" }), &boss, signature), FORGED),
        (
            "a header that must be known",
            parts(&json!({ "alg": "HS256", "crit": ["x"] }), &boss, signature),
            MALFORMED,
        ),
        (
            "other claims under a good signature",
            parts(&json!({ "alg": "HS256", "typ": "JWT" }), &boss, signature),
            FORGED,
        ),
        ("no signature", format!("{message}."), FORGED),
        ("half a signature", good[..good.len() - 11].to_owned(), FORGED),
        ("two parts", message.to_owned(), MALFORMED),
        ("four parts", format!("{good}.{signature}"), MALFORMED),
        ("no base64", format!("{message}.§"), MALFORMED),
    ]
}

/// Requests that must not get as far as being judged.
const CALLS: &[(&str, &str, &str)] = &[
    ("GET", "/v1/users/me", ""),
    ("GET", "/v1/groups/none/members?zzz=1", ""),
    ("POST", "/v1/groups", "nonsense"),
    ("PUT", "/v1/users/me", r#"{"nickName":"x"}"#),
];

#[tokio::test]
async fn a_bad_credential_is_401_with_its_code_and_changes_nothing() {
    let server = Server::start().await;
    let bearer = |(what, token, refusal)| (what, format!("Bearer {token}"), refusal);
    let mut cases: Vec<(&str, Option<String>, Refusal)> = vec![("no header", None, MISSING)];
    let all = headers().into_iter().chain(usersigs().into_iter().chain(jwts()).map(bearer));
    cases.extend(all.map(|(what, header, refusal)| (what, Some(header), refusal)));
    for (what, header, (code, reason)) in &cases {
        let named: Vec<(&str, &str)> =
            header.iter().map(|value| ("authorization", value.as_str())).collect();
        for (method, path, body) in CALLS {
            let answer = exchange(server.url(), &request(method, path, &named, body)).await;
            let challenge = answer.headers.get("www-authenticate").map(AsRef::as_ref);
            assert_eq!(challenge, Some(&b"Bearer"[..]), "{what}: {answer:?}");
            let text = answer.body.to_string();
            let secret = header.as_deref().and_then(|value| value.split(' ').next_back());
            let secret = secret.filter(|secret| secret.len() > 20);
            assert!(secret.is_none_or(|secret| !text.contains(secret)), "{what}: {text}");
            let found =
                (answer.status, answer.body["code"].as_i64(), &answer.body["data"]["reason"]);
            assert_eq!(found, (401, Some(*code), &json!(reason)), "{what}: {text}");
        }
    }
    let users: i64 = sqlx::query_scalar("select count(*) from users")
        .fetch_one(&server.db().await)
        .await
        .expect("a count");
    assert_eq!(users, 0);
    server.stop().await;
}

/// A route that does not exist tells nothing about credentials, and needs none.
#[tokio::test]
async fn what_needs_no_credential_gives_nothing_away() {
    let server = Server::start().await;
    let answer = server.send(reqwest::Method::GET, "/v1/nothing", &[], "").await;
    answer.refused(404, 10003, "unknown_route");
    let answer = server.send(reqwest::Method::PUT, "/v1/limits", &[], "").await;
    answer.refused(405, 10003, "method_not_allowed");
    server.stop().await;
}

/// A credential in the query is none: queries end up in logs.
#[tokio::test]
async fn a_token_in_the_query_is_no_credential() {
    let server = Server::start().await;
    let token = server.token("alice");
    for name in ["token", "access_token", "usersig", "authorization"] {
        let path = format!("/v1/users/me?{name}={token}");
        let answer = server.send(reqwest::Method::GET, &path, &[], "").await;
        answer.refused(401, 70002, "token_missing");
    }
    server.stop().await;
}
