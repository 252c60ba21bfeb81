//! What may be shown of a value that carries a secret.
//!
//! When it is not certain where the secret ends, nothing is shown at all: a password with an unescaped
//! `/` or `#` moves the borders that a URL parser sees.

use std::fmt;

use url::Url;

/// Stands for what is not shown.
pub(super) const HIDDEN: &str = "***";

/// A text that no log line, message or `Debug` output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// A URL without its password and without query values that sound like secrets. A user name that stands
/// alone is a token in every scheme but PostgreSQL's, and is hidden too.
pub(super) fn url(text: &str) -> String {
    let Ok(mut url) = Url::parse(text.trim()) else {
        return HIDDEN.to_owned();
    };
    let opaque = url.cannot_be_a_base();
    let behind_host = [Some(url.path()), url.query(), url.fragment()];
    if opaque || behind_host.into_iter().flatten().any(|part| part.contains('@')) {
        return HIDDEN.to_owned();
    }
    if url.password().is_some() {
        if url.set_password(Some(HIDDEN)).is_err() {
            return HIDDEN.to_owned();
        }
    } else if !url.username().is_empty()
        && !url.scheme().starts_with("postgres")
        && url.set_username(HIDDEN).is_err()
    {
        return HIDDEN.to_owned();
    }
    if let Some(query) = url.query() {
        let shown: Vec<String> = query.split('&').map(query_part).collect();
        url.set_query(Some(&shown.join("&")));
    }
    url.into()
}

fn query_part(part: &str) -> String {
    match part.split_once('=') {
        Some((name, _)) if sounds_secret(name) => format!("{name}={HIDDEN}"),
        _ => part.to_owned(),
    }
}

/// Whether something of this name is likely to be a secret.
pub(super) fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["pass", "pwd", "secret", "token", "key", "credential", "auth", "sig"]
        .iter()
        .any(|word| name.contains(word))
}

/// A path as it is, a PEM text by its first line only. A private key does not belong here and is hidden.
pub(super) fn pem(text: &str) -> String {
    if text.contains("PRIVATE KEY") {
        HIDDEN.to_owned()
    } else if text.trim_start().starts_with("-----BEGIN") {
        let end = text.find(['\n', '\\']).unwrap_or(text.len()).min(64);
        format!("{}…", text.get(..end).unwrap_or(HIDDEN).trim())
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_only_when_asked() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "*** ***");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn a_password_in_a_url_is_masked() {
        for (given, shown) in [
            ("postgres://ann:pw@db:5432/m", "postgres://ann:***@db:5432/m"),
            ("postgres://ann@db/m", "postgres://ann@db/m"),
            ("postgresql:///m?host=/run&password=pw", "postgresql:///m?host=/run&password=***"),
            ("nats://s3cret@bus:4222", "nats://***@bus:4222"),
            ("https://idp.example/keys?token=pw&v=1", "https://idp.example/keys?token=***&v=1"),
        ] {
            assert_eq!(url(given), shown, "{given}");
        }
    }

    #[test]
    fn what_cannot_be_told_apart_is_hidden_as_a_whole() {
        for given in [
            "host=db password=pw",
            "postgres://ann:pa#ss@db/m",
            "postgres://ann:12/pw@db/m",
            "postgres://a:b@c/pw@db/m",
            "postgres:pw",
            "",
        ] {
            assert_eq!(url(given), HIDDEN, "{given}");
        }
    }

    #[test]
    fn a_pem_text_is_shortened_and_a_private_key_hidden() {
        assert_eq!(pem("/etc/key.pem"), "/etc/key.pem");
        assert_eq!(pem("-----BEGIN PUBLIC KEY-----\nMII"), "-----BEGIN PUBLIC KEY-----…");
        assert_eq!(pem("-----BEGIN PRIVATE KEY-----\nMII"), HIDDEN);
    }
}
