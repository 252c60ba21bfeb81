//! The public keys of an identity provider, each bound to the one algorithm that it may verify.
//!
//! The binding comes from the key's own type, never from the token: an RSA key verifies RS256 and
//! nothing else, a P-256 key ES256, an Ed25519 key EdDSA. A symmetric key in a provider's set is
//! dropped, so that no token can turn a published key into a shared secret.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;

use super::jwks::{Pace, RemoteKeys};
use super::{KeySource, SettingsFault, malformed};
use crate::model::{Error, Reason};

/// The length of an RSA modulus in bytes: 2,048 to 8,192 bits, what the library verifies with.
const RSA_MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;
/// What the DER of a P-256 public key (SubjectPublicKeyInfo) begins with; an uncompressed point follows.
const P256_PREFIX: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// What the DER of an Ed25519 public key begins with; its 32 bytes follow.
const ED25519_PREFIX: &[u8] =
    &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// A provider's keys, wherever they come from.
#[derive(Debug)]
pub(super) enum ProviderKeys {
    /// One key out of the settings, for every token whatever `kid` it names.
    Fixed(Arc<PublicKey>),
    /// A key set behind a URL.
    Remote(Arc<RemoteKeys>),
}

impl ProviderKeys {
    pub(super) fn new(source: KeySource) -> Result<Self, SettingsFault> {
        match source {
            KeySource::PublicKeyPem(pem) => PublicKey::from_pem(&pem)
                .map(|key| Self::Fixed(Arc::new(key)))
                .map_err(SettingsFault::PublicKey),
            KeySource::JwksUrl(url) => RemoteKeys::new(url, Pace::default())
                .map(|keys| Self::Remote(Arc::new(keys)))
                .map_err(SettingsFault::JwksUrl),
        }
    }

    /// The key for a token that says to be signed with `algorithm` by the key `kid`.
    pub(super) async fn find(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
    ) -> Result<Arc<PublicKey>, Error> {
        match self {
            Self::Remote(keys) => keys.find(algorithm, kid).await,
            Self::Fixed(key) if key.algorithm == algorithm => Ok(Arc::clone(key)),
            Self::Fixed(key) => Err(Error::new(
                Reason::TokenSignatureWrong,
                format!(
                    "the token is signed with {algorithm:?}, the identity provider's key is for {:?}",
                    key.algorithm
                ),
            )),
        }
    }
}

/// A public key and the one algorithm it is for.
#[derive(Debug)]
pub(super) struct PublicKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// The members of a JSON Web Key (RFC 7517 and 7518, RFC 8037) that matter here.
#[derive(Deserialize)]
struct WebKey {
    kty: String,
    #[serde(rename = "use")]
    usage: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    kid: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl PublicKey {
    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Whether the signature, in base64url, is this key's over the message.
    ///
    /// # Errors
    /// [`Reason::TokenMalformed`] when it is no base64url.
    pub(super) fn verify(&self, message: &str, signature: &str) -> Result<bool, Error> {
        verify(message, signature, &self.key, self.algorithm)
    }

    /// Reads one public key in PEM; otherwise says why not, in words that follow the key's name.
    /// Line feeds may be written as `\n`, the way they come out of many environment files.
    pub(super) fn from_pem(pem: &str) -> Result<Self, String> {
        let pem = pem.replace("\\n", "\n");
        let not_pem = || "is not PEM (-----BEGIN PUBLIC KEY----- …)".to_owned();
        let (_, begun) = pem.split_once("-----BEGIN ").ok_or_else(not_pem)?;
        let (label, begun) = begun.split_once("-----").ok_or_else(not_pem)?;
        match label {
            "PUBLIC KEY" | "RSA PUBLIC KEY" => {}
            "CERTIFICATE" => {
                return Err(
                    "is a certificate; give the key in it: openssl x509 -pubkey -noout".into()
                );
            }
            label if label.contains("PRIVATE KEY") => {
                return Err("is a private key; give its public half: openssl pkey -pubout".into());
            }
            _ => return Err(not_pem()),
        }
        let (body, rest) =
            begun.split_once(&format!("-----END {label}-----")).ok_or_else(not_pem)?;
        if rest.contains("-----BEGIN ") {
            return Err("is more than one key; several keys need a key set (JWKS)".to_owned());
        }
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|fault| format!("is damaged: {fault}"))?;
        Self::from_der(&der)
    }

    fn from_der(der: &[u8]) -> Result<Self, String> {
        let p256 = der.strip_prefix(P256_PREFIX).filter(|point| point.len() == 65);
        let ed25519 = der.strip_prefix(ED25519_PREFIX).filter(|bytes| bytes.len() == 32);
        let (algorithm, key) = if let Some(point) = p256 {
            (Algorithm::ES256, DecodingKey::from_ec_der(point))
        } else if let Some(bytes) = ed25519 {
            (Algorithm::EdDSA, DecodingKey::from_ed_der(bytes))
        } else {
            let key = DecodingKey::from_rsa_der(der);
            let modulus = match Jwk::from_decoding_key(&key, None) {
                Ok(Jwk { algorithm: AlgorithmParameters::RSA(rsa), .. }) => decoded_length(&rsa.n),
                _ => return Err("is neither an RSA, a P-256 nor an Ed25519 key".to_owned()),
            };
            if !RSA_MODULUS_BYTES.contains(&modulus) {
                return Err("is an RSA key of less than 2048 or more than 8192 bits".to_owned());
            }
            (Algorithm::RS256, key)
        };
        Ok(Self { kid: None, algorithm, key })
    }

    /// Reads one key of a set; otherwise says why it is of no use here.
    pub(super) fn from_jwk(key: serde_json::Value) -> Result<Self, String> {
        let key: WebKey = serde_json::from_value(key).map_err(|fault| fault.to_string())?;
        if key.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err("it is not for signatures".to_owned());
        }
        if key.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err("it is not for verifying".to_owned());
        }
        let (algorithm, decoding) = match (key.kty.as_str(), key.crv.as_deref()) {
            ("RSA", _) => (Algorithm::RS256, rsa(&key)?),
            ("EC", Some("P-256")) => (Algorithm::ES256, p256(&key)?),
            ("OKP", Some("Ed25519")) => (Algorithm::EdDSA, ed25519(&key)?),
            _ => return Err("its type is not RSA, EC with P-256 or OKP with Ed25519".to_owned()),
        };
        if key.alg.as_ref().is_some_and(|alg| *alg != format!("{algorithm:?}")) {
            return Err(format!("it is for another algorithm than {algorithm:?}"));
        }
        Ok(Self { kid: key.kid, algorithm, key: decoding })
    }
}

/// Verifies a signature in base64url. The library checks that the key is of the algorithm's family.
pub(super) fn verify(
    message: &str,
    signature: &str,
    key: &DecodingKey,
    algorithm: Algorithm,
) -> Result<bool, Error> {
    if URL_SAFE_NO_PAD.decode(signature).is_err() {
        return Err(malformed("has a signature that is no base64url"));
    }
    crypto::verify(signature, message.as_bytes(), key, algorithm).map_err(Error::internal)
}

fn rsa(key: &WebKey) -> Result<DecodingKey, String> {
    let (Some(n), Some(e)) = (&key.n, &key.e) else { return Err("it lacks n or e".to_owned()) };
    if !RSA_MODULUS_BYTES.contains(&decoded_length(n)) {
        return Err("its modulus has less than 2048 or more than 8192 bits".to_owned());
    }
    DecodingKey::from_rsa_components(n, e).map_err(|fault| fault.to_string())
}

fn p256(key: &WebKey) -> Result<DecodingKey, String> {
    match (&key.x, &key.y) {
        (Some(x), Some(y)) if decoded_length(x) == 32 && decoded_length(y) == 32 => {
            DecodingKey::from_ec_components(x, y).map_err(|fault| fault.to_string())
        }
        _ => Err("its x or y is not 32 bytes in base64url".to_owned()),
    }
}

fn ed25519(key: &WebKey) -> Result<DecodingKey, String> {
    match &key.x {
        Some(x) if decoded_length(x) == 32 => {
            DecodingKey::from_ed_components(x).map_err(|fault| fault.to_string())
        }
        _ => Err("its x is not 32 bytes in base64url".to_owned()),
    }
}

/// How many bytes a base64url text holds; 0 when it is none.
fn decoded_length(text: &str) -> usize {
    URL_SAFE_NO_PAD.decode(text).map_or(0, |bytes| bytes.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testkit::{ED25519, P256, RSA, Signer};
    use super::*;

    #[test]
    fn a_pem_key_is_bound_to_its_own_algorithm() {
        for (pem, algorithm) in [
            (include_str!("testdata/rsa.public.pem"), Algorithm::RS256),
            (include_str!("testdata/rsa.pkcs1.public.pem"), Algorithm::RS256),
            (include_str!("testdata/p256.public.pem"), Algorithm::ES256),
            (include_str!("testdata/ed25519.public.pem"), Algorithm::EdDSA),
        ] {
            assert_eq!(PublicKey::from_pem(pem).unwrap().algorithm(), algorithm);
            let escaped = pem.replace('\n', "\\n");
            assert_eq!(PublicKey::from_pem(&escaped).unwrap().algorithm(), algorithm);
        }
    }

    #[test]
    fn a_pem_that_is_of_no_use_says_why() {
        let rsa = include_str!("testdata/rsa.public.pem");
        let (begin, _) = rsa.split_at(rsa.len() / 2);
        let damaged = rsa.replacen("MIIB", "MI!B", 1);
        let shortened = rsa.replacen("MIIB", "", 1);
        let twice = rsa.repeat(2);
        for (pem, why) in [
            ("", "is not PEM"),
            (begin, "is not PEM"),
            (&damaged, "is damaged"),
            (&shortened, "is neither an RSA, a P-256 nor an Ed25519 key"),
            (&twice, "is more than one key"),
            (include_str!("testdata/rsa.private.pem"), "is a private key"),
            (include_str!("testdata/p256.private.pem"), "is a private key"),
            (include_str!("testdata/p384.public.pem"), "is neither an RSA, a P-256"),
            (include_str!("testdata/rsa1024.public.pem"), "is an RSA key of less than 2048"),
            ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "is a certificate"),
        ] {
            let told = PublicKey::from_pem(pem).unwrap_err();
            assert!(told.starts_with(why), "{told:?} should begin with {why:?}");
        }
    }

    #[test]
    fn a_jwk_is_taken_only_for_what_it_is() {
        for signer in [&RSA, &P256, &ED25519] {
            let whole = signer.jwk("a");
            let key = PublicKey::from_jwk(whole.clone()).unwrap();
            assert_eq!((key.kid(), key.algorithm()), (Some("a"), signer.algorithm));
            for (name, value) in [
                ("use", json!("enc")),
                ("key_ops", json!(["encrypt", "sign"])),
                ("alg", json!("RS512")),
                ("alg", json!("HS256")),
                ("kty", json!("oct")),
                ("kty", json!("AKP")),
                ("kty", json!(7)),
                ("n", json!("AQAB")),
                ("x", json!("AQAB")),
                ("crv", json!("P-521")),
            ] {
                let mut key = whole.clone();
                if key.get(name).is_none() && matches!(name, "n" | "x" | "crv") {
                    continue;
                }
                key[name] = value;
                assert!(PublicKey::from_jwk(key.clone()).is_err(), "{key}");
            }
        }
        let symmetric = json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256", "kid": "a"});
        assert!(PublicKey::from_jwk(symmetric).is_err());
    }

    #[test]
    fn a_key_verifies_only_its_own_signatures() {
        let signers: [&Signer; 3] = [&RSA, &P256, &ED25519];
        for signer in signers {
            let token = signer.token(None, &json!({"sub": "u"}));
            let (message, signature) = token.rsplit_once('.').unwrap();
            for other in signers {
                let key = PublicKey::from_jwk(other.jwk("a")).unwrap();
                let own = other.algorithm == signer.algorithm;
                assert_eq!(key.verify(message, signature).unwrap(), own);
                assert!(!key.verify(&message[1..], signature).unwrap());
                assert!(!key.verify(message, "").unwrap());
                let malformed = key.verify(message, "a+b/").unwrap_err();
                assert_eq!(malformed.reason, Reason::TokenMalformed);
            }
        }
    }
}
