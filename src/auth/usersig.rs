//! UserSig (TLSSigAPIv2), Tencent's credential: a JSON document with an HMAC over its fields, packed
//! with zlib and a base64 whose three special characters are exchanged (`tencent-im.md`, section 7).
//!
//! The document's spaces and the order of its fields differ from language to language, so the strings
//! are never compared: the MAC is computed again from the fields and compared in constant time.
//! The user's id holds no line feed and the numbers only digits, so that no two documents have
//! the same text to sign. What comes in is bounded before and after inflating.

use std::fmt::{Display, Write as _};
use std::io::{Read as _, Write as _};
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Map, Value, json};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::{Proof, SecretKey, expired, malformed, moment, user_of_token};
use crate::model::{Error, Reason, UserId};

#[cfg(test)]
mod tests;

/// Most bytes of a token.
pub const TOKEN_BYTES: usize = 4 * 1024;
/// Most bytes of the document inside.
pub const DOCUMENT_BYTES: usize = 8 * 1024;

const VERSION: &str = "2.0";

/// Makes a UserSig: `expire_seconds` from `issued_at` on, which counts to the second. `userbuf` is
/// covered by the signature; Muster itself gives it no meaning.
///
/// # Errors
/// [`Reason::Internal`] if the library refuses to compute, which it has no cause for.
pub fn sign(
    key: &SecretKey,
    app_id: u64,
    user: &UserId,
    issued_at: DateTime<Utc>,
    expire_seconds: u32,
    userbuf: Option<&[u8]>,
) -> Result<String, Error> {
    let fields = Fields {
        identifier: user.as_str().to_owned(),
        app_id,
        time: issued_at.timestamp(),
        expire: i64::from(expire_seconds),
        userbuf: userbuf.map(|bytes| STANDARD.encode(bytes)),
    };
    let mut document = json!({
        "TLS.ver": VERSION,
        "TLS.identifier": fields.identifier,
        "TLS.sdkappid": fields.app_id,
        "TLS.time": fields.time,
        "TLS.expire": fields.expire,
        "TLS.sig": fields.signature(key)?,
    });
    if let Some(userbuf) = fields.userbuf {
        document["TLS.userbuf"] = Value::String(userbuf);
    }
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    let packed = zlib
        .write_all(document.to_string().as_bytes())
        .and_then(|()| zlib.finish())
        .map_err(Error::internal)?;
    Ok(STANDARD.encode(packed).replace('+', "*").replace('/', "-").replace('=', "_"))
}

/// What a UserSig has to agree with.
#[derive(Debug)]
pub(crate) struct Expected<'a> {
    /// The app of this server.
    pub(crate) app_id: u64,
    /// The app that the call names besides.
    pub(crate) called_app: Option<u64>,
    /// The user that the call names besides.
    pub(crate) identifier: Option<&'a str>,
    /// Most bytes of a user id.
    pub(crate) user_id_bytes: usize,
}

/// Checks a UserSig, in the order of row 12 of `decisions.md`: readable, app, user, signature, end.
/// A `TLS.time` in the future is accepted, as the official libraries do.
pub(crate) fn verify(
    key: &SecretKey,
    token: &str,
    expected: &Expected<'_>,
    now: DateTime<Utc>,
) -> Result<Proof, Error> {
    let document = inflate(token)?;
    let (fields, signature) = Fields::read(&document)?;
    let user = user_of_token(&fields.identifier, expected.user_id_bytes, "TLS.identifier")?;
    for app in [Some(expected.app_id), expected.called_app].into_iter().flatten() {
        if fields.app_id != app {
            return Err(Error::new(
                Reason::TokenOfAnotherApp,
                format!("the token was made for app {}, not for app {app}", fields.app_id),
            ));
        }
    }
    if expected.identifier.is_some_and(|identifier| identifier != fields.identifier) {
        return Err(Error::new(
            Reason::TokenOfAnotherUser,
            "the token was made for another user than the call's identifier",
        ));
    }
    let right = fields.signature(key)?;
    if !bool::from(right.as_bytes().ct_eq(signature.as_bytes())) {
        return Err(Error::new(
            Reason::TokenSignatureWrong,
            "the token's signature was not made with this server's secret key",
        ));
    }
    let end = fields.time.saturating_add(fields.expire);
    if now.timestamp() > end {
        return Err(expired(moment(end)));
    }
    Ok(Proof { user, issued_at: moment(fields.time), expires_at: moment(end) })
}

/// Takes off base64 and zlib.
fn inflate(token: &str) -> Result<Vec<u8>, Error> {
    if token.len() > TOKEN_BYTES {
        return Err(malformed(format!(
            "has {} bytes, at most {TOKEN_BYTES} are accepted",
            token.len()
        )));
    }
    // Query encoders do not agree on whether `*` has to be escaped.
    let token = token.replace("%2A", "*").replace("%2a", "*");
    let usual = token.replace('*', "+").replace('-', "/").replace('_', "=");
    let packed = STANDARD.decode(usual).map_err(|_| {
        malformed("is neither a JWT (two dots) nor a UserSig (base64 with *, - and _)")
    })?;
    let mut document = Vec::new();
    let bound = DOCUMENT_BYTES as u64 + 1;
    ZlibDecoder::new(packed.as_slice())
        .take(bound)
        .read_to_end(&mut document)
        .map_err(|_| malformed("is no whole zlib stream: it was cut off or changed"))?;
    if document.len() > DOCUMENT_BYTES {
        return Err(malformed(format!("inflates to more than {DOCUMENT_BYTES} bytes")));
    }
    Ok(document)
}

/// The signed fields.
#[derive(Debug)]
struct Fields {
    identifier: String,
    app_id: u64,
    time: i64,
    expire: i64,
    userbuf: Option<String>,
}

impl Fields {
    /// Reads the document: the signed fields and their signature.
    fn read(document: &[u8]) -> Result<(Self, String), Error> {
        let Ok(Value::Object(document)) = serde_json::from_slice(document) else {
            return Err(malformed("holds no JSON object"));
        };
        if document.get("TLS.ver").is_some_and(|version| version != VERSION) {
            return Err(malformed("has a TLS.ver other than \"2.0\""));
        }
        let userbuf = match document.get("TLS.userbuf") {
            None | Some(Value::Null) => None,
            Some(_) => Some(text(&document, "TLS.userbuf")?),
        };
        let fields = Self {
            identifier: text(&document, "TLS.identifier")?,
            app_id: integer(&document, "TLS.sdkappid")?,
            time: integer(&document, "TLS.time")?,
            expire: integer(&document, "TLS.expire")?,
            userbuf,
        };
        Ok((fields, text(&document, "TLS.sig")?))
    }

    /// The MAC in base64, as `TLS.sig` holds it.
    fn signature(&self, key: &SecretKey) -> Result<String, Error> {
        let mut signed = format!(
            "TLS.identifier:{}\nTLS.sdkappid:{}\nTLS.time:{}\nTLS.expire:{}\n",
            self.identifier, self.app_id, self.time, self.expire
        );
        if let Some(userbuf) = &self.userbuf {
            writeln!(signed, "TLS.userbuf:{userbuf}").map_err(Error::internal)?;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).map_err(Error::internal)?;
        mac.update(signed.as_bytes());
        Ok(STANDARD.encode(mac.finalize().into_bytes()))
    }
}

fn text(document: &Map<String, Value>, name: &str) -> Result<String, Error> {
    match document.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(malformed(format!("has a {name} that is no string")).field(name)),
        None => Err(malformed(format!("has no {name}")).field(name)),
    }
}

/// Reads a whole number, also one that a lenient client wrote as a string. Only the one spelling that
/// the text to sign has is accepted.
fn integer<N: FromStr + Display>(document: &Map<String, Value>, name: &str) -> Result<N, Error> {
    let written = match document.get(name) {
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::String(text)) => text.clone(),
        Some(_) => String::new(),
        None => return Err(malformed(format!("has no {name}")).field(name)),
    };
    written
        .parse::<N>()
        .ok()
        .filter(|number| number.to_string() == written)
        .ok_or_else(|| malformed(format!("has a {name} that is no whole number")).field(name))
}
