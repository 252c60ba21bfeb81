//! Tokens of an identity provider, through one key and through a key set behind a URL.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::Utc;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::asked;
use super::bad::hs256;
use crate::common::{ADMIN, Answer, KEY, Server};

const ISSUER: &str = "https://issuer.example/";
const AUDIENCE: &str = "muster";

/// A private key of the provider.
struct Signer {
    name: &'static str,
    algorithm: Algorithm,
    private: &'static str,
    public: &'static str,
}

macro_rules! signer {
    ($name:literal, $algorithm:ident, $private:literal, $public:literal) => {
        Signer {
            name: $name,
            algorithm: Algorithm::$algorithm,
            private: include_str!(concat!("../../../src/auth/testdata/", $private)),
            public: include_str!(concat!("../../../src/auth/testdata/", $public)),
        }
    };
}

const RSA: Signer = signer!("rsa", RS256, "rsa.private.pem", "rsa.public.pem");
const P256: Signer = signer!("p256", ES256, "p256.private.pem", "p256.public.pem");
const ED25519: Signer = signer!("ed25519", EdDSA, "ed25519.private.pem", "ed25519.public.pem");
/// A key that the provider does not have.
const STRANGER: Signer = signer!("rsa", RS256, "rsa2.private.pem", "rsa.public.pem");

impl Signer {
    fn key(&self) -> EncodingKey {
        let lines = self.private.lines().skip_while(|line| !line.starts_with("-----"));
        let body: String = lines.collect();
        let der = body.split("-----").nth(2).expect("a body of PEM");
        let der = STANDARD.decode(der).expect("base64");
        match self.algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_der(&der),
            Algorithm::ES256 => EncodingKey::from_ec_der(&der),
            _ => EncodingKey::from_ed_der(&der),
        }
    }

    /// The public key without the words that stand before it.
    fn public(&self) -> &'static str {
        let place = self.public.find("-----BEGIN").expect("PEM");
        &self.public[place..]
    }

    fn token(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some(self.name.to_owned());
        jsonwebtoken::encode(&header, claims, &self.key()).expect("a token")
    }

    fn jwk(&self) -> Value {
        let key = Jwk::from_encoding_key(&self.key(), self.algorithm).expect("a key");
        let mut key = serde_json::to_value(key).expect("JSON");
        key["kid"] = json!(self.name);
        key
    }
}

fn claims(user: &str) -> Value {
    let now = Utc::now().timestamp();
    json!({ "sub": user, "iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 600 })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = claims("alice");
    claims[name] = value;
    claims
}

async fn who(server: &Server, token: &str) -> Answer {
    asked(server, &format!("Bearer {token}"), "/v1/users/me").await
}

async fn server_with(source: (&str, &str), admins: &str) -> Server {
    let settings = [
        source,
        ("MUSTER_JWT_ISSUER", ISSUER),
        ("MUSTER_JWT_AUDIENCE", AUDIENCE),
        ("MUSTER_JWT_ADMINS", admins),
    ];
    Server::with(&settings).await
}

/// What is refused of a provider's token, whatever its key.
async fn refuses(server: &Server, signer: &Signer) {
    let now = Utc::now().timestamp();
    for (claims, code, reason) in [
        (with("iss", json!("https://other.example/")), 70014, "token_of_another_app"),
        (with("iss", json!("")), 70014, "token_of_another_app"),
        (with("iss", Value::Null), 70003, "token_malformed"),
        (with("aud", json!("other")), 70014, "token_of_another_app"),
        (with("aud", json!(["other", "more"])), 70014, "token_of_another_app"),
        (with("aud", json!([])), 70014, "token_of_another_app"),
        (with("aud", Value::Null), 70003, "token_malformed"),
        (with("exp", json!(now - 1)), 70001, "token_expired"),
        (with("exp", Value::Null), 70003, "token_malformed"),
        (with("iat", Value::Null), 70003, "token_malformed"),
        (with("iat", json!(now + 3_600)), 70003, "token_malformed"),
        (with("sub", json!("")), 70003, "token_malformed"),
        (with("sub", json!("x".repeat(33))), 70003, "token_malformed"),
    ] {
        let answer = who(server, &signer.token(&claims)).await;
        let text = format!("{}: {claims}: {answer:?}", signer.name);
        assert_eq!(answer.status, 401, "{text}");
        assert_eq!(
            (&answer.body["code"], &answer.body["data"]["reason"]),
            (&json!(code), &json!(reason)),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_providers_one_key_verifies_its_own_algorithm() {
    let all = [RSA, P256, ED25519];
    for signer in &all {
        let server = server_with(("MUSTER_JWT_PUBLIC_KEY", signer.public()), "false").await;
        for claims in [claims("alice"), with("aud", json!(["x", AUDIENCE])), with("nbf", json!(1))]
        {
            let me = who(&server, &signer.token(&claims)).await.ok();
            assert_eq!(me["userID"], "alice", "{}", signer.name);
        }
        for other in all.iter().filter(|other| other.name != signer.name) {
            let answer = who(&server, &other.token(&claims("alice"))).await;
            answer.refused(401, 70009, "token_signature_wrong");
        }
        refuses(&server, signer).await;
        // The server's own tokens go on.
        server.get("bob", "/v1/users/me").await.ok();
        server.stop().await;
    }
}

/// The public key is no secret, so it must not become one: an HS256 token made with its text is forged.
#[tokio::test]
async fn a_public_key_is_never_a_secret() {
    let server = server_with(("MUSTER_JWT_PUBLIC_KEY", RSA.public()), "true").await;
    for key in [RSA.public(), RSA.public().trim(), &RSA.public().replace('\n', "\\n")] {
        let answer = who(&server, &hs256(key, &claims(ADMIN))).await;
        answer.refused(401, 70009, "token_signature_wrong");
    }
    let answer = who(&server, &STRANGER.token(&claims("alice"))).await;
    answer.refused(401, 70009, "token_signature_wrong");
    server.stop().await;
}

/// A file that is gone after the test.
struct File(PathBuf);

impl Drop for File {
    fn drop(&mut self) {
        drop(std::fs::remove_file(&self.0));
    }
}

/// A key may be given as a file's path.
#[tokio::test]
async fn a_providers_key_may_lie_in_a_file() {
    let file = File(std::env::temp_dir().join(format!("muster-key-{}.pem", std::process::id())));
    std::fs::write(&file.0, P256.public()).expect("a file");
    let path = file.0.to_str().expect("a path of text");
    let server = server_with(("MUSTER_JWT_PUBLIC_KEY", path), "false").await;
    who(&server, &P256.token(&claims("alice"))).await.ok();
    server.stop().await;
}

/// The administrator's id in a provider's token counts only when the operator says so.
#[tokio::test]
async fn a_providers_administrator_is_one_only_by_setting() {
    let edit = json!({ "groupType": "Work", "groupName": "g", "owner": "alice" }).to_string();
    for (setting, status) in [("false", 403), ("true", 201)] {
        let server = server_with(("MUSTER_JWT_PUBLIC_KEY", ED25519.public()), setting).await;
        let bearer = format!("Bearer {}", ED25519.token(&claims(ADMIN)));
        let headers = [("authorization", bearer.as_str())];
        let path = "/v1/groups";
        let answer = server.send(reqwest::Method::POST, path, &headers, edit.clone()).await;
        assert_eq!(answer.status, status, "{setting}: {answer:?}");
        // A token of the server's own is not concerned.
        server.post(ADMIN, path, serde_json::from_str(&edit).expect("JSON")).await.ok();
        server.stop().await;
    }
}

/// A key set on this machine.
struct KeySet {
    url: String,
    answer: Arc<Mutex<String>>,
    hits: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl KeySet {
    async fn serve(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let answer = Arc::new(Mutex::new(whole("200 OK", keys)));
        let hits = Arc::new(AtomicUsize::new(0));
        let (shared, counter) = (Arc::clone(&answer), Arc::clone(&hits));
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let mut request = [0; 8_192];
                // A request this small comes in one piece.
                drop(stream.read(&mut request).await);
                let text = shared.lock().expect("nobody panicked").clone();
                drop(stream.write_all(text.as_bytes()).await);
            }
        });
        Self { url, answer, hits, task }
    }

    fn answers(&self, status: &str, keys: &[Value]) {
        *self.answer.lock().expect("nobody panicked") = whole(status, keys);
    }

    fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

impl Drop for KeySet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn whole(status: &str, keys: &[Value]) -> String {
    let body = json!({ "keys": keys }).to_string();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn a_key_set_verifies_every_kind_of_its_keys_and_is_fetched_once() {
    let set = KeySet::serve(&[RSA.jwk(), P256.jwk(), ED25519.jwk()]).await;
    let server = server_with(("MUSTER_JWKS_URL", &set.url), "false").await;
    assert_eq!(set.hits(), 0, "a provider that is away must not delay a start");
    for _ in 0..3 {
        for signer in [RSA, P256, ED25519] {
            let me = who(&server, &signer.token(&claims("alice"))).await.ok();
            assert_eq!(me["userID"], "alice", "{}", signer.name);
        }
    }
    for signer in [RSA, P256, ED25519] {
        refuses(&server, &signer).await;
    }
    who(&server, &STRANGER.token(&claims("alice"))).await.refused(
        401,
        70009,
        "token_signature_wrong",
    );
    who(&server, &RSA.token(&claims(ADMIN))).await.ok();
    assert_eq!(set.hits(), 1);
    server.stop().await;
}

/// Keys known already go on when the provider is away; unknown ones wait for it, with an answer that says
/// so, and the server's own tokens never notice.
#[tokio::test]
async fn a_provider_that_is_away_is_503_for_its_own_tokens_only() {
    let set = KeySet::serve(&[]).await;
    set.answers("500 Away", &[]);
    let server = server_with(("MUSTER_JWKS_URL", &set.url), "false").await;
    let answer = who(&server, &RSA.token(&claims("alice"))).await;
    let wait: u64 = answer.headers["retry-after"]
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .expect("Retry-After");
    assert!((1..=10).contains(&wait), "{answer:?}");
    assert!(!answer.body.to_string().contains(&set.url), "{answer:?}");
    answer.refused(503, 10002, "unavailable");
    server.get("bob", "/v1/users/me").await.ok();
    set.answers("200 OK", &[RSA.jwk()]);
    let back =
        async || (who(&server, &RSA.token(&claims("alice"))).await.status == 200).then_some(());
    crate::common::eventually("the provider's tokens count again", back).await;
    set.answers("500 Away", &[]);
    who(&server, &RSA.token(&claims("alice"))).await.ok();
    server.stop().await;
}

/// A token that names an unknown key is refused, and strangers cannot make the server ask again and again.
#[tokio::test]
async fn tokens_with_invented_keys_do_not_make_the_server_ask_each_time() {
    let set = KeySet::serve(&[P256.jwk()]).await;
    let server = server_with(("MUSTER_JWKS_URL", &set.url), "false").await;
    for _ in 0..20 {
        let answer = who(&server, &RSA.token(&claims("alice"))).await;
        answer.refused(401, 70009, "token_signature_wrong");
    }
    assert_eq!(set.hits(), 1);
    server.stop().await;
}

/// A symmetric key in a provider's set is left out: no token can be made with what the set publishes.
#[tokio::test]
async fn a_symmetric_key_in_a_set_counts_for_nothing() {
    let secret = "a secret that everybody can read";
    let octets = json!({ "kty": "oct", "kid": "rsa", "alg": "HS256", "k": "YSBzZWNyZXQgdGhhdCBldmVyeWJvZHkgY2FuIHJlYWQ" });
    let set = KeySet::serve(&[octets, P256.jwk()]).await;
    let server = server_with(("MUSTER_JWKS_URL", &set.url), "true").await;
    assert_ne!(secret, KEY);
    let answer = who(&server, &hs256(secret, &claims(ADMIN))).await;
    answer.refused(401, 70009, "token_signature_wrong");
    who(&server, &P256.token(&claims("alice"))).await.ok();
    server.stop().await;
}
