//! The published vectors, and each way to spoil them.

use super::super::written;
use super::*;

const APP: u64 = 1_400_000_000;
const TIME: i64 = 1_700_000_000;
const PLAIN: &str = "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDKAAKpdaUZBZlAqUsTAzgQuWZOaChAzN0RQXZ6aDLLFMLA9PDfWx8K2oSHLKs0jJcDLwKivNN-Dy9swwSfFz9sl294wwyTNNSzGwVaoFAEa2NTU_";
const WITH_USERBUF: &str = "eJyrVgrxCdYrSy1SslJQMtIzUNJRAItkpqTmlWSmZUIkElNyM-Myi0uKEkvyi2BKilOyEwsKMlOACgxNDKAAKpdaUZBZlAqUsTAzgQuWZOaChAzN0RSXFqcWJZWmgSyKDPfKgpufmQ4SqnJLNckoMQwt9s9yTwsuy6jMz3Yy9c52L3A1dtL28wryDnL0NvWPck12T7ZVqgUATR476g__";

/// The made-up key of the published vectors.
fn key() -> SecretKey {
    SecretKey::new("0123456789abcdef".repeat(4))
}

fn administrator() -> UserId {
    UserId::parse("administrator", 32, "user").unwrap()
}

fn anybody() -> Expected<'static> {
    Expected { app_id: APP, called_app: None, identifier: None, user_id_bytes: 32 }
}

fn refusal(token: &str) -> (Reason, String) {
    let error = verify(&key(), token, &anybody(), moment(TIME)).unwrap_err();
    assert!(!error.text.contains(token), "the text repeats the token");
    (error.reason, error.text)
}

/// Packs a document the way some other library does.
fn pack(document: &str, level: Compression) -> String {
    let mut zlib = ZlibEncoder::new(Vec::new(), level);
    zlib.write_all(document.as_bytes()).unwrap();
    let packed = zlib.finish().unwrap();
    STANDARD.encode(packed).replace('+', "*").replace('/', "-").replace('=', "_")
}

/// The document of the first vector.
fn document() -> Value {
    json!({
        "TLS.ver": "2.0",
        "TLS.identifier": "administrator",
        "TLS.sdkappid": APP,
        "TLS.time": TIME,
        "TLS.expire": 86_400,
        "TLS.sig": "9awWeUL8MxxbBn8dhB0Jvuo0JKIh4dNCLkGIX4n5fd0=",
    })
}

fn changed(name: &str, value: Value) -> String {
    let mut document = document();
    document[name] = value;
    pack(&document.to_string(), Compression::default())
}

#[test]
fn the_published_signatures_come_out() {
    for (userbuf, expected) in [
        (None, "9awWeUL8MxxbBn8dhB0Jvuo0JKIh4dNCLkGIX4n5fd0="),
        (Some(b"abc".as_slice()), "zFe4ht1UsOjGfSvhyokB5KkGpE3B+NJRKRAK5OZEcGc="),
    ] {
        let token = sign(&key(), APP, &administrator(), moment(TIME), 86_400, userbuf).unwrap();
        let (_, signature) = Fields::read(&inflate(&token).unwrap()).unwrap();
        assert_eq!(signature, expected);
        assert!(verify(&key(), &token, &anybody(), moment(TIME)).is_ok());
    }
}

#[test]
fn the_published_strings_verify() {
    for token in [PLAIN, WITH_USERBUF] {
        let proof = verify(&key(), token, &anybody(), moment(TIME)).unwrap();
        assert_eq!(proof.user, administrator());
        assert_eq!(proof.issued_at, moment(TIME));
        assert_eq!(proof.expires_at, moment(TIME + 86_400));
    }
}

#[test]
fn any_order_any_spacing_and_any_level_verify() {
    let compact = document().to_string();
    let pretty = serde_json::to_string_pretty(&document()).unwrap();
    let reversed = r#"{"TLS.sig":"9awWeUL8MxxbBn8dhB0Jvuo0JKIh4dNCLkGIX4n5fd0=","TLS.time":1700000000,
        "TLS.expire":86400,"TLS.sdkappid":1400000000,"TLS.identifier":"administrator","TLS.ver":"2.0"}"#;
    for text in [&compact, &pretty, reversed] {
        for level in [Compression::none(), Compression::fast(), Compression::best()] {
            let token = pack(text, level);
            assert!(verify(&key(), &token, &anybody(), moment(TIME)).is_ok(), "{text}");
        }
    }
}

#[test]
fn an_escaped_asterisk_and_numbers_as_strings_verify() {
    let stored = pack(&format!("{} {}", document(), " ".repeat(600)), Compression::none());
    let starred = (0..200)
        .map(|size| pack(&format!("{}{}", " ".repeat(size), document()), Compression::none()))
        .find(|token| token.contains('*'))
        .unwrap_or(stored);
    for star in ["%2A", "%2a"] {
        let token = starred.replace('*', star);
        assert!(token.contains(star));
        assert!(verify(&key(), &token, &anybody(), moment(TIME)).is_ok());
    }
    let token = changed("TLS.expire", json!("86400"));
    assert!(verify(&key(), &token, &anybody(), moment(TIME)).is_ok());
    for odd in [json!("086400"), json!("+86400"), json!(86_400.0), json!("86400\n"), json!([])] {
        let (reason, text) = refusal(&changed("TLS.expire", odd));
        assert_eq!(reason, Reason::TokenMalformed);
        assert_eq!(text, "the token has a TLS.expire that is no whole number");
    }
}

#[test]
fn each_changed_field_is_noticed() {
    for (name, value, reason) in [
        ("TLS.ver", json!("1.0"), Reason::TokenMalformed),
        ("TLS.identifier", json!("somebody"), Reason::TokenSignatureWrong),
        ("TLS.identifier", json!("a\nTLS.sdkappid:1400000000"), Reason::TokenMalformed),
        ("TLS.identifier", json!("x".repeat(33)), Reason::TokenMalformed),
        ("TLS.sdkappid", json!(APP + 1), Reason::TokenOfAnotherApp),
        ("TLS.sdkappid", json!(-1), Reason::TokenMalformed),
        ("TLS.time", json!(TIME + 1), Reason::TokenSignatureWrong),
        ("TLS.expire", json!(86_401), Reason::TokenSignatureWrong),
        ("TLS.userbuf", json!("YWJj"), Reason::TokenSignatureWrong),
        ("TLS.userbuf", json!(1), Reason::TokenMalformed),
        (
            "TLS.sig",
            json!("9awWeUL8MxxbBn8dhB0Jvuo0JKIh4dNCLkGIX4n5fd1="),
            Reason::TokenSignatureWrong,
        ),
        ("TLS.sig", json!(""), Reason::TokenSignatureWrong),
        ("TLS.sig", json!(null), Reason::TokenMalformed),
    ] {
        assert_eq!(refusal(&changed(name, value)).0, reason, "{name}");
    }
    for name in ["TLS.identifier", "TLS.sdkappid", "TLS.time", "TLS.expire", "TLS.sig"] {
        let mut document = document();
        document.as_object_mut().unwrap().remove(name);
        let (reason, text) = refusal(&pack(&document.to_string(), Compression::best()));
        assert_eq!((reason, text), (Reason::TokenMalformed, format!("the token has no {name}")));
    }
}

#[test]
fn what_is_cut_off_or_too_long_is_malformed() {
    for length in 0..PLAIN.len() {
        assert_eq!(refusal_of_part(length), Reason::TokenMalformed, "{length} characters");
    }
    let bomb = pack(&" ".repeat(1_000_000), Compression::best());
    assert!(bomb.len() < TOKEN_BYTES);
    assert_eq!(refusal(&bomb).1, "the token inflates to more than 8192 bytes");
    let (reason, text) = refusal(&"A".repeat(TOKEN_BYTES + 1));
    assert_eq!(reason, Reason::TokenMalformed);
    assert_eq!(text, "the token has 4097 bytes, at most 4096 are accepted");
    for odd in ["{}", "[]", "null", "", "{", "\u{ff}"] {
        assert_eq!(refusal(&pack(odd, Compression::best())).0, Reason::TokenMalformed);
    }
}

fn refusal_of_part(length: usize) -> Reason {
    verify(&key(), &PLAIN[..length], &anybody(), moment(TIME)).unwrap_err().reason
}

#[test]
fn the_last_second_is_the_one_named() {
    let last = moment(TIME + 86_400);
    assert!(verify(&key(), PLAIN, &anybody(), last).is_ok());
    let late = moment(TIME + 86_401);
    let error = verify(&key(), PLAIN, &anybody(), late).unwrap_err();
    assert_eq!(error.reason, Reason::TokenExpired);
    assert_eq!(error.text, "the token ended at 2023-11-15T22:13:20Z");
}

#[test]
fn numbers_at_the_edge_of_their_range_are_computed_with() {
    let signed = |time, expire| {
        let fields = Fields {
            identifier: "administrator".to_owned(),
            app_id: APP,
            time,
            expire,
            userbuf: None,
        };
        let mut document = document();
        document["TLS.time"] = json!(time);
        document["TLS.expire"] = json!(expire);
        document["TLS.sig"] = json!(fields.signature(&key()).unwrap());
        pack(&document.to_string(), Compression::best())
    };
    let endless = verify(&key(), &signed(i64::MAX, i64::MAX), &anybody(), moment(TIME)).unwrap();
    assert_eq!(written(endless.expires_at), "9999-12-31T23:59:59Z");
    assert_eq!(refusal(&signed(i64::MIN, i64::MIN)).0, Reason::TokenExpired);
    assert_eq!(refusal(&signed(TIME, -1)).0, Reason::TokenExpired);
    assert!(verify(&key(), &signed(TIME, 0), &anybody(), moment(TIME)).is_ok());
}

#[test]
fn another_key_is_noticed() {
    let other = SecretKey::new("fedcba9876543210".repeat(4));
    let error = verify(&other, PLAIN, &anybody(), moment(TIME)).unwrap_err();
    assert_eq!(error.reason, Reason::TokenSignatureWrong);
}
