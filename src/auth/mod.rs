//! From a credential to a [`Caller`]: the only place where one is made.
//!
//! Two kinds of credential exist, told apart by their shape: a UserSig (`usersig`) has no dot, a JWT
//! (`jwt`) has two. Both end in the same [`Credential`], so that nothing further in knows how somebody
//! proved who he is. What it keeps: a `Caller` comes out only after the signature was checked with a
//! key of the very kind that the token's algorithm demands, and an error never repeats the token.
//!
//! Last of all each is held against [`Revocations`], which whoever runs the server keeps up to date. The
//! clock is the caller's.

mod jwks;
pub mod jwt;
mod keys;
mod rate;
mod revocations;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
pub mod usersig;

use std::collections::BTreeSet;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::model::{Caller, Error, Reason, UserId};
use jwt::Jwt;
use keys::ProviderKeys;

pub use rate::Rate;
pub use revocations::Revocations;

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST_SECOND: i64 = 253_402_300_799;

/// The secret that signs and verifies UserSig and HS256 tokens: the bytes of its text, as given.
#[derive(Clone)]
pub struct SecretKey(String);

impl SecretKey {
    /// Takes the key's text. Text in hex is not decoded, as at Tencent.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What the room has to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The `sdkappid` that a UserSig must have been made for.
    pub app_id: u64,
    /// Signs and verifies UserSig and HS256 tokens.
    pub secret_key: SecretKey,
    /// Who is an app administrator.
    pub admins: BTreeSet<UserId>,
    /// Most bytes of a user id.
    pub user_id_bytes: usize,
    /// Set when tokens of an identity provider are accepted too.
    pub provider: Option<ProviderSettings>,
}

/// An identity provider whose tokens are accepted.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// Where its public keys come from.
    pub source: KeySource,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be or contain.
    pub audience: String,
    /// Whether its tokens can be an administrator's at all.
    pub admins: bool,
}

/// Where a provider's public keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A JSON Web Key Set (RFC 7517), fetched when the first token needs it.
    JwksUrl(url::Url),
    /// One RSA, P-256 or Ed25519 public key in PEM.
    PublicKeyPem(String),
}

/// Settings that no server can be started with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsFault {
    /// The secret key is empty: everybody could sign.
    SecretKeyEmpty,
    /// The provider's issuer is empty.
    IssuerEmpty,
    /// The provider's audience is empty.
    AudienceEmpty,
    /// The provider's public key cannot be used; why.
    PublicKey(String),
    /// The address of the provider's keys cannot be used; why.
    JwksUrl(String),
}

impl fmt::Display for SettingsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SecretKeyEmpty => f.write_str("the secret key is empty"),
            Self::IssuerEmpty => f.write_str("the provider's issuer is empty"),
            Self::AudienceEmpty => f.write_str("the provider's audience is empty"),
            Self::PublicKey(why) => write!(f, "the provider's public key {why}"),
            Self::JwksUrl(why) => write!(f, "the address of the provider's keys {why}"),
        }
    }
}

impl std::error::Error for SettingsFault {}

/// What a credential proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Who it is.
    pub caller: Caller,
    /// When the token was made, to the second: at or before a revocation means revoked.
    pub issued_at: DateTime<Utc>,
    /// When the token ends, to the second; year 9999 at most.
    pub expires_at: DateTime<Utc>,
}

/// Checks credentials. Shared by all requests.
#[derive(Debug)]
pub struct Authenticator {
    app_id: u64,
    secret_key: SecretKey,
    admins: BTreeSet<UserId>,
    user_id_bytes: usize,
    provider: Option<Provider>,
    revocations: Revocations,
}

#[derive(Debug)]
struct Provider {
    keys: ProviderKeys,
    issuer: String,
    audience: String,
    admins: bool,
}

impl Authenticator {
    /// Checks the settings. Nothing is fetched yet, so that a provider that is away delays no start.
    ///
    /// # Errors
    /// What cannot be used.
    pub fn new(settings: Settings) -> Result<Self, SettingsFault> {
        if settings.secret_key.as_bytes().is_empty() {
            return Err(SettingsFault::SecretKeyEmpty);
        }
        let provider = settings.provider.map(Provider::new).transpose()?;
        Ok(Self {
            app_id: settings.app_id,
            secret_key: settings.secret_key,
            admins: settings.admins,
            user_id_bytes: settings.user_id_bytes,
            provider,
            revocations: Revocations::default(),
        })
    }

    /// Whether a user id is an app administrator's. A provider's token of such a user may still not be
    /// one.
    #[must_use]
    pub fn is_admin(&self, user: &UserId) -> bool {
        self.admins.contains(user)
    }

    /// What is known of revoked credentials.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// Checks a bearer token: a UserSig or a JWT.
    ///
    /// # Errors
    /// One of the `Token…` reasons, or [`Reason::Unavailable`] when the provider's keys are needed and
    /// cannot be had.
    pub async fn authenticate(&self, token: &str, now: DateTime<Utc>) -> Result<Credential, Error> {
        if token.is_empty() {
            return Err(missing());
        }
        if token.contains('.') {
            let credential = self.by_jwt(&Jwt::parse(token)?, now).await?;
            return self.unless_revoked(credential);
        }
        let expected = usersig::Expected {
            app_id: self.app_id,
            called_app: None,
            identifier: None,
            user_id_bytes: self.user_id_bytes,
        };
        self.by_usersig(token, &expected, now)
    }

    /// Checks the credential in the query of a Tencent-compatible call, in the order of row 12 of
    /// `decisions.md`: absent, undecodable, of another app, of another user, wrongly signed, ended,
    /// revoked.
    ///
    /// # Errors
    /// The first of the `Token…` reasons that applies.
    pub fn authenticate_v4(
        &self,
        sdkappid: u64,
        identifier: &str,
        usersig: &str,
        now: DateTime<Utc>,
    ) -> Result<Credential, Error> {
        if usersig.is_empty() {
            return Err(missing());
        }
        let expected = usersig::Expected {
            app_id: self.app_id,
            called_app: Some(sdkappid),
            identifier: Some(identifier),
            user_id_bytes: self.user_id_bytes,
        };
        self.by_usersig(usersig, &expected, now)
    }

    fn by_usersig(
        &self,
        token: &str,
        expected: &usersig::Expected<'_>,
        now: DateTime<Utc>,
    ) -> Result<Credential, Error> {
        let proof = usersig::verify(&self.secret_key, token, expected, now)?;
        self.unless_revoked(self.credential(proof, true))
    }

    fn unless_revoked(&self, credential: Credential) -> Result<Credential, Error> {
        self.revocations.check(&credential.caller.user, credential.issued_at)?;
        Ok(credential)
    }

    async fn by_jwt(&self, token: &Jwt<'_>, now: DateTime<Utc>) -> Result<Credential, Error> {
        if token.is_hs256() {
            let proof = token.verify_hs256(&self.secret_key, self.user_id_bytes, now)?;
            return Ok(self.credential(proof, true));
        }
        let Some(provider) = &self.provider else {
            return Err(Error::new(
                Reason::TokenSignatureWrong,
                "the token is signed with a public-key algorithm, but this server accepts no \
                 identity provider",
            ));
        };
        let key = provider.keys.find(token.algorithm(), token.kid()).await?;
        let expected = jwt::Expected {
            issuer: &provider.issuer,
            audience: &provider.audience,
            user_id_bytes: self.user_id_bytes,
        };
        let proof = token.verify(&key, &expected, now)?;
        Ok(self.credential(proof, provider.admins))
    }

    fn credential(&self, proof: Proof, may_administrate: bool) -> Credential {
        let administrator = may_administrate && self.admins.contains(&proof.user);
        Credential {
            caller: Caller { user: proof.user, administrator },
            issued_at: proof.issued_at,
            expires_at: proof.expires_at,
        }
    }
}

impl Provider {
    fn new(settings: ProviderSettings) -> Result<Self, SettingsFault> {
        if settings.issuer.is_empty() {
            return Err(SettingsFault::IssuerEmpty);
        }
        if settings.audience.is_empty() {
            return Err(SettingsFault::AudienceEmpty);
        }
        Ok(Self {
            keys: ProviderKeys::new(settings.source)?,
            issuer: settings.issuer,
            audience: settings.audience,
            admins: settings.admins,
        })
    }
}

/// What a verified token says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    user: UserId,
    issued_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

fn missing() -> Error {
    Error::new(Reason::TokenMissing, "the call carries no token")
}

/// A token that nothing can be read from; `what` follows "the token".
fn malformed(what: impl fmt::Display) -> Error {
    Error::new(Reason::TokenMalformed, format!("the token {what}"))
}

/// Reads the user id in a token. One that is impossible makes the token malformed: it is no parameter
/// of the call.
fn user_of_token(text: &str, max_bytes: usize, name: &str) -> Result<UserId, Error> {
    UserId::parse(text, max_bytes, name).map_err(|fault| Error {
        reason: Reason::TokenMalformed,
        text: format!("in the token, {}", fault.text),
        ..fault
    })
}

fn expired(end: DateTime<Utc>) -> Error {
    Error::new(Reason::TokenExpired, format!("the token ended at {}", written(end)))
}

fn written(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A moment from seconds since 1970, moved into 1970 to 9999 so that no number in a token is one that
/// the rest of the program cannot write or compute with.
fn moment(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds.clamp(0, LAST_SECOND), 0).unwrap_or(DateTime::UNIX_EPOCH)
}
