//! What single values mean: each function reads one text and says what is wrong in words that follow the
//! setting's name. None of them shows the text; the caller does, masked.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use url::{Host, Url};

/// Fewest bytes of a signing key. An identity provider's or Tencent's has 64.
pub(super) const KEY_BYTES: usize = 16;

/// `ip:port` or `localhost:port`. Other names are refused: what they stand for may change, and which of
/// their addresses would be listened on is a guess.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let text = text.trim();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    text.strip_prefix("localhost:")
        .and_then(|port| port.parse().ok())
        .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .ok_or_else(|| {
            "must be ip:port or localhost:port, such as 127.0.0.1:8080, 0.0.0.0:8080 or [::]:8080"
                .to_owned()
        })
}

/// A whole number within its bounds.
pub(super) fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    match text.trim().parse() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {least} to {most}")),
    }
}

/// `true` or `false`.
pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    }
}

/// One of a few words.
pub(super) fn choice(text: &str, words: &[&'static str]) -> Result<&'static str, String> {
    words
        .iter()
        .find(|word| **word == text.trim())
        .copied()
        .ok_or_else(|| format!("must be {}", words.join(" or ")))
}

/// The parts of a list, without white space around them and without empty ones.
pub(super) fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// A text that fits into one word of a command line.
pub(super) fn account(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == ':') {
        return Err("must be the name of a system account".to_owned());
    }
    Ok(text.to_owned())
}

/// A key that signs tokens. White space at its ends is nearly always a line end that came along when a
/// file was read, and would make every token of others wrong.
pub(super) fn signing_key(text: &str) -> Result<String, String> {
    if text.trim() != text {
        Err("begins or ends with white space, which would be part of the key".to_owned())
    } else if text.len() < KEY_BYTES {
        Err(format!("has {} bytes; a signing key needs at least {KEY_BYTES}", text.len()))
    } else {
        Ok(text.to_owned())
    }
}

/// A URL with one of these schemes and with a host, except for PostgreSQL's, which may name a socket.
pub(super) fn url(text: &str, schemes: &[&str]) -> Result<Url, String> {
    let expected = || format!("must be a URL that begins with {}://", schemes.join(":// or "));
    let url = Url::parse(text.trim()).map_err(|error| format!("{} ({error})", expected()))?;
    if !schemes.contains(&url.scheme()) || url.cannot_be_a_base() {
        return Err(expected());
    }
    let postgres = url.scheme().starts_with("postgres");
    if url.host_str().is_none_or(str::is_empty) && !postgres {
        return Err(format!("names no host; it {}", expected()));
    }
    if url.fragment().is_some() || (postgres && url.path().contains('@')) {
        return Err("has a / or # that belongs to the password or is too much; \
                    inside a password write %2F and %23"
            .to_owned());
    }
    Ok(url)
}

/// An origin as browsers send it: scheme and host in lower case, no default port, nothing behind.
pub(super) fn origin(text: &str) -> Result<String, String> {
    if text == "*" {
        return Ok(text.to_owned());
    }
    let refused = || {
        format!(
            "holds {text:?}, which is no origin: scheme://host or scheme://host:port, or * alone"
        )
    };
    let url = Url::parse(text).map_err(|_| refused())?;
    let bare = url.username().is_empty()
        && url.password().is_none()
        && matches!(url.path(), "" | "/")
        && url.query().is_none()
        && url.fragment().is_none();
    let host = match url.host() {
        Some(Host::Domain(name)) if name.is_empty() || name.contains('*') => None,
        host => host,
    };
    match (host, url.port()) {
        (Some(host), Some(port)) if bare => Ok(format!("{}://{host}:{port}", url.scheme())),
        (Some(host), None) if bare => Ok(format!("{}://{host}", url.scheme())),
        _ => Err(refused()),
    }
}

/// A filter of log lines. A bare word that is no level would be taken for the name of a program part, and
/// `MUSTER_LOG=verbose` would silence everything else; so such a word must say its level.
pub(super) fn filter(text: &str) -> Result<String, String> {
    for part in list(text) {
        let word = part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        if word && part.parse::<LevelFilter>().is_err() && !part.starts_with("muster") {
            return Err(format!(
                "has {part:?}, which is no level (off, error, warn, info, debug, trace); \
                 for a part of the program write {part}=debug"
            ));
        }
    }
    let text: Vec<&str> = list(text).collect();
    let text = text.join(",");
    match EnvFilter::try_new(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!("is no filter such as info or info,sqlx=warn: {error}")),
    }
}

/// A public key: the PEM text itself, also with `\n` written out as environment files need it, or the
/// path of a file that holds it.
pub(super) fn public_key(text: &str) -> Result<String, String> {
    let begins = |text: &str| text.trim_start().starts_with("-----BEGIN ");
    if begins(text) {
        return pem(&text.replace("\\n", "\n"));
    }
    let read = std::fs::read_to_string(Path::new(text.trim())).map_err(|error| {
        format!("is no PEM text, and as the path of a file it cannot be read: {error}")
    })?;
    if begins(&read) { pem(&read) } else { Err("names a file that holds no PEM text".to_owned()) }
}

fn pem(text: &str) -> Result<String, String> {
    let text = text.trim();
    let label = text
        .strip_prefix("-----BEGIN ")
        .and_then(|rest| rest.split_once("-----"))
        .map_or("", |(label, _)| label);
    if label.ends_with("PRIVATE KEY") {
        Err("is a private key; Muster needs the public one".to_owned())
    } else if !label.ends_with("PUBLIC KEY") {
        Err("must be a PEM text that begins with -----BEGIN PUBLIC KEY-----".to_owned())
    } else if !text.ends_with(&format!("-----END {label}-----")) {
        Err(format!("must end with -----END {label}-----; a part is missing"))
    } else {
        Ok(format!("{text}\n"))
    }
}
