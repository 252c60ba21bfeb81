//! What the tests of this room share: signers with test keys, and a provider that serves a key set.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A private key of an identity provider.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    pem: &'static str,
}

pub(super) const RSA: Signer =
    Signer { algorithm: Algorithm::RS256, pem: include_str!("testdata/rsa.private.pem") };
pub(super) const RSA2: Signer =
    Signer { algorithm: Algorithm::RS256, pem: include_str!("testdata/rsa2.private.pem") };
pub(super) const P256: Signer =
    Signer { algorithm: Algorithm::ES256, pem: include_str!("testdata/p256.private.pem") };
pub(super) const ED25519: Signer =
    Signer { algorithm: Algorithm::EdDSA, pem: include_str!("testdata/ed25519.private.pem") };

impl Signer {
    fn key(&self) -> EncodingKey {
        let body: String = self.pem.lines().skip_while(|line| !line.starts_with("-----")).collect();
        let der = STANDARD.decode(body.split("-----").nth(2).unwrap()).unwrap();
        match self.algorithm {
            Algorithm::RS256 => EncodingKey::from_rsa_der(&der),
            Algorithm::ES256 => EncodingKey::from_ec_der(&der),
            _ => EncodingKey::from_ed_der(&der),
        }
    }

    /// A signed token.
    pub(super) fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key()).unwrap()
    }

    /// The public half as a JSON Web Key.
    pub(super) fn jwk(&self, kid: &str) -> Value {
        let key = Jwk::from_encoding_key(&self.key(), self.algorithm).unwrap();
        let mut key = serde_json::to_value(key).unwrap();
        key["kid"] = json!(kid);
        key
    }
}

/// What the provider answers.
#[derive(Clone)]
pub(super) enum Answer {
    Set(Vec<Value>),
    Text(&'static str),
    Status(u16),
    /// A redirect to this address.
    Moved(String),
    /// More bytes than a key set may have, without saying how many.
    Endless,
    /// Nothing, ever.
    Silence,
}

/// A provider on this machine.
pub(super) struct Provider {
    pub(super) url: url::Url,
    answer: Arc<Mutex<Answer>>,
    hits: Arc<AtomicUsize>,
}

impl Provider {
    pub(super) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(answer));
        let hits = Arc::new(AtomicUsize::new(0));
        let (shared, counter) = (Arc::clone(&answer), Arc::clone(&hits));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let answer = shared.lock().unwrap().clone();
                tokio::spawn(reply(stream, answer));
            }
        });
        Self { url: url.parse().unwrap(), answer, hits }
    }

    pub(super) fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(super) fn hits(&self) -> usize {
        self.hits.load(Ordering::SeqCst)
    }
}

async fn reply(mut stream: TcpStream, answer: Answer) {
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        let read = stream.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        request.extend_from_slice(&buffer[..read]);
    }
    let whole = |status: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
    };
    let text = match answer {
        Answer::Set(keys) => whole("200 OK", &json!({ "keys": keys }).to_string()),
        Answer::Text(text) => whole("200 OK", text),
        Answer::Status(code) => whole(&format!("{code} Status"), ""),
        Answer::Moved(target) => whole(&format!("302 Found\r\nlocation: {target}"), ""),
        Answer::Endless => {
            let spaces = " ".repeat(super::jwks::SET_BYTES + 1);
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{spaces}{{\"keys\":[]}}")
        }
        Answer::Silence => {
            tokio::time::sleep(Duration::from_mins(1)).await;
            String::new()
        }
    };
    // The client hangs up on a reply that is too long.
    let _ = stream.write_all(text.as_bytes()).await;
    let _ = stream.shutdown().await;
}
