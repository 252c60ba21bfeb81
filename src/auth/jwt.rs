//! JSON Web Tokens (RFC 7519): HS256 with the server's secret key, RS256, ES256 and EdDSA with a key of
//! the identity provider.
//!
//! The algorithm in a token's header only selects which key may be asked; the key decides how it is
//! verified (`keys`). Claims are read after the signature was proved, and against the clock
//! that the caller gives rather than the machine's. `sub`, `iat` and `exp` must be there:
//! without `iat` a token could not be revoked, without `exp` it would never end.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde_json::{Map, Value, json};

use super::keys::{self, PublicKey};
use super::{Proof, SecretKey, expired, malformed, moment, user_of_token, written};
use crate::model::{Error, Reason, UserId};

#[cfg(test)]
mod tests;

/// Most bytes of a token.
pub const TOKEN_BYTES: usize = 16 * 1024;
/// How far a provider's clock may be ahead for `iat` and `nbf`, in seconds. `exp` has no leeway.
pub const CLOCK_SKEW_SECONDS: i64 = 30;

/// Makes an HS256 token: `expire_seconds` from `issued_at` on, which counts to the second.
///
/// # Errors
/// [`Reason::Internal`] if the library refuses to compute, which it has no cause for.
pub fn sign_hs256(
    key: &SecretKey,
    user: &UserId,
    issued_at: DateTime<Utc>,
    expire_seconds: u32,
) -> Result<String, Error> {
    let iat = issued_at.timestamp();
    let claims = json!({
        "sub": user.as_str(),
        "iat": iat,
        "exp": iat.saturating_add(i64::from(expire_seconds)),
    });
    let header = jsonwebtoken::Header::new(Algorithm::HS256);
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_secret(key.as_bytes()))
        .map_err(Error::internal)
}

/// What a provider's token has to agree with.
#[derive(Debug)]
pub(super) struct Expected<'a> {
    pub(super) issuer: &'a str,
    pub(super) audience: &'a str,
    pub(super) user_id_bytes: usize,
}

/// A token whose header was read and nothing else believed.
#[derive(Debug)]
pub(super) struct Jwt<'t> {
    algorithm: Algorithm,
    kid: Option<String>,
    /// Header and payload with the dot between them, as they were signed.
    message: &'t str,
    payload: &'t str,
    signature: &'t str,
}

impl<'t> Jwt<'t> {
    /// Takes a token apart and reads its header.
    pub(super) fn parse(token: &'t str) -> Result<Self, Error> {
        if token.len() > TOKEN_BYTES {
            return Err(malformed(format!(
                "has {} bytes, at most {TOKEN_BYTES} are accepted",
                token.len()
            )));
        }
        let parts = token.rsplit_once('.').and_then(|(message, signature)| {
            let (header, payload) = message.split_once('.')?;
            (!payload.contains('.')).then_some((message, header, payload, signature))
        });
        let Some((message, header, payload, signature)) = parts else {
            return Err(malformed("has dots but not the three parts of a JWT"));
        };
        let header = object(header, "header")?;
        if header.contains_key("crit") {
            return Err(malformed("demands an extension (crit) that this server does not know"));
        }
        let kid = match header.get("kid") {
            None | Some(Value::Null) => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(malformed("has a kid that is no string")),
        };
        Ok(Self { algorithm: algorithm(&header)?, kid, message, payload, signature })
    }

    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn is_hs256(&self) -> bool {
        self.algorithm == Algorithm::HS256
    }

    /// Checks a token that was signed with the server's own key.
    pub(super) fn verify_hs256(
        &self,
        key: &SecretKey,
        user_id_bytes: usize,
        now: DateTime<Utc>,
    ) -> Result<Proof, Error> {
        let key = DecodingKey::from_secret(key.as_bytes());
        if !keys::verify(self.message, self.signature, &key, Algorithm::HS256)? {
            return Err(Error::new(
                Reason::TokenSignatureWrong,
                "the token's signature was not made with this server's secret key",
            ));
        }
        self.claims()?.prove(user_id_bytes, now)
    }

    /// Checks a token of the identity provider. The key's own algorithm is used, and it must be the
    /// token's.
    pub(super) fn verify(
        &self,
        key: &PublicKey,
        expected: &Expected<'_>,
        now: DateTime<Utc>,
    ) -> Result<Proof, Error> {
        if key.algorithm() != self.algorithm || !key.verify(self.message, self.signature)? {
            return Err(Error::new(
                Reason::TokenSignatureWrong,
                "the token's signature was not made with the identity provider's key",
            ));
        }
        let claims = self.claims()?;
        claims.check_origin(expected)?;
        claims.prove(expected.user_id_bytes, now)
    }

    fn claims(&self) -> Result<Claims, Error> {
        object(self.payload, "payload").map(Claims)
    }
}

/// The algorithm that the header names, if it is one of ours.
fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, Error> {
    match header.get("alg").and_then(Value::as_str) {
        Some("HS256") => Ok(Algorithm::HS256),
        Some("RS256") => Ok(Algorithm::RS256),
        Some("ES256") => Ok(Algorithm::ES256),
        Some("EdDSA") => Ok(Algorithm::EdDSA),
        Some(_) => Err(malformed("is signed with none of HS256, RS256, ES256 and EdDSA")),
        None => Err(malformed("names no algorithm (alg)")),
    }
}

/// A part of the token: a JSON object in base64url.
fn object(part: &str, name: &str) -> Result<Map<String, Value>, Error> {
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|_| malformed(format!("has a {name} that is no base64url")))?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(object)) => Ok(object),
        _ => Err(malformed(format!("has a {name} that is no JSON object"))),
    }
}

/// Claims whose signature was proved.
struct Claims(Map<String, Value>);

impl Claims {
    /// Who the token is for, and that it is valid now.
    fn prove(&self, user_id_bytes: usize, now: DateTime<Utc>) -> Result<Proof, Error> {
        let user = user_of_token(self.text("sub")?, user_id_bytes, "sub")?;
        let issued_at = self.required_moment("iat")?;
        let expires_at = self.required_moment("exp")?;
        if now >= expires_at {
            return Err(expired(expires_at));
        }
        let latest = now + TimeDelta::seconds(CLOCK_SKEW_SECONDS);
        if let Some(begin) = self.moment("nbf")?
            && begin > latest
        {
            return Err(malformed(format!("begins only at {} (nbf)", written(begin))).field("nbf"));
        }
        if issued_at > latest {
            let issued = written(issued_at);
            return Err(malformed(format!(
                "says to be issued at {issued} (iat), which is not yet"
            ))
            .field("iat"));
        }
        Ok(Proof { user, issued_at, expires_at })
    }

    /// That the provider in the settings made the token, and made it for this server.
    fn check_origin(&self, expected: &Expected<'_>) -> Result<(), Error> {
        if self.text("iss")? != expected.issuer {
            return Err(Error::new(
                Reason::TokenOfAnotherApp,
                "the token's issuer (iss) is not the one that this server accepts",
            )
            .field("iss"));
        }
        let for_us = match self.0.get("aud") {
            Some(Value::String(audience)) => audience == expected.audience,
            Some(Value::Array(audiences)) => {
                audiences.iter().any(|audience| audience == expected.audience)
            }
            Some(_) => return Err(malformed("has an aud that is no string or list").field("aud")),
            None => return Err(malformed("has no aud").field("aud")),
        };
        if for_us {
            return Ok(());
        }
        Err(Error::new(
            Reason::TokenOfAnotherApp,
            "the token was made for another audience (aud) than this server's",
        )
        .field("aud"))
    }

    fn text(&self, name: &str) -> Result<&str, Error> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(malformed(format!("has a {name} that is no string")).field(name)),
            None => Err(malformed(format!("has no {name}")).field(name)),
        }
    }

    fn required_moment(&self, name: &str) -> Result<DateTime<Utc>, Error> {
        self.moment(name)?.ok_or_else(|| malformed(format!("has no {name}")).field(name))
    }

    /// A NumericDate: seconds since 1970, of which a fraction is dropped.
    fn moment(&self, name: &str) -> Result<Option<DateTime<Utc>>, Error> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        let Value::Number(number) = value else {
            return Err(malformed(format!("has a {name} that is no number")).field(name));
        };
        Ok(Some(moment(whole_seconds(number))))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and `moment` bounds it anyway"
)]
fn whole_seconds(number: &serde_json::Number) -> i64 {
    match (number.as_i64(), number.as_f64()) {
        (Some(seconds), _) => seconds,
        (None, Some(seconds)) => seconds.floor() as i64,
        (None, None) => 0,
    }
}
