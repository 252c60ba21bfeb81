//! Tokens of every kind, with every claim and header bent.

use super::super::testkit::{ED25519, P256, RSA, RSA2, Signer};
use super::*;

const NOW: i64 = 1_700_000_000;

fn secret() -> SecretKey {
    SecretKey::new("a secret of the tests")
}

fn user() -> UserId {
    UserId::parse("u1", 32, "user").unwrap()
}

/// A token with any header and claims, signed with the secret key.
fn hs256(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(header), part(claims));
    let key = EncodingKey::from_secret(secret().as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{signature}")
}

fn verify(token: &str, now: i64) -> Result<Proof, Error> {
    Jwt::parse(token)?.verify_hs256(&secret(), 32, moment(now))
}

fn verify_claims(claims: &Value) -> Result<Proof, Error> {
    verify(&hs256(&json!({"alg": "HS256"}), claims), NOW)
}

fn claims() -> Value {
    json!({"sub": "u1", "iat": NOW, "exp": NOW + 60, "iss": "issuer", "aud": "muster"})
}

fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

#[test]
fn an_own_token_verifies_until_it_ends() {
    let token = sign_hs256(&secret(), &user(), moment(NOW), 60).unwrap();
    let proof = verify(&token, NOW + 59).unwrap();
    let expected = Proof { user: user(), issued_at: moment(NOW), expires_at: moment(NOW + 60) };
    assert_eq!(proof, expected);
    let late = verify(&token, NOW + 60).unwrap_err();
    assert_eq!(late.reason, Reason::TokenExpired);
    assert_eq!(late.text, "the token ended at 2023-11-14T22:14:20Z");
    assert!(verify(&token, NOW - CLOCK_SKEW_SECONDS).is_ok());
    let early = verify(&token, NOW - CLOCK_SKEW_SECONDS - 1).unwrap_err();
    assert_eq!((early.reason, early.field.as_deref()), (Reason::TokenMalformed, Some("iat")));
}

#[test]
fn claims_that_must_be_there() {
    for name in ["sub", "iat", "exp"] {
        let missing = verify_claims(&without(name)).unwrap_err();
        assert_eq!(missing.reason, Reason::TokenMalformed);
        assert_eq!(missing.text, format!("the token has no {name}"));
        let odd = verify_claims(&changed(name, json!([1]))).unwrap_err();
        assert_eq!((odd.reason, odd.field.as_deref()), (Reason::TokenMalformed, Some(name)));
    }
    for name in ["iss", "aud"] {
        assert!(verify_claims(&without(name)).is_ok(), "an own token needs no {name}");
    }
}

#[test]
fn a_subject_is_a_possible_user_id() {
    let longest = "x".repeat(32);
    assert_eq!(verify_claims(&changed("sub", json!(longest))).unwrap().user.as_str(), longest);
    for odd in ["", "me", "..", "line\nfeed", "é", &"x".repeat(33)] {
        let refused = verify_claims(&changed("sub", json!(odd))).unwrap_err();
        assert_eq!(refused.reason, Reason::TokenMalformed, "{odd:?}");
        assert!(refused.text.starts_with("in the token, sub "), "{refused}");
        assert_eq!(refused.field.as_deref(), Some("sub"));
    }
}

#[test]
fn times_are_bounded_and_fractions_dropped() {
    let proof = verify_claims(&changed("exp", json!(1e300))).unwrap();
    assert_eq!(written(proof.expires_at), "9999-12-31T23:59:59Z");
    let proof = verify_claims(&changed("exp", json!(u64::MAX))).unwrap();
    assert_eq!(written(proof.expires_at), "9999-12-31T23:59:59Z");
    let proof = verify_claims(&changed("iat", json!(-1e300))).unwrap();
    assert_eq!(proof.issued_at, DateTime::UNIX_EPOCH);
    let early = verify_claims(&changed("exp", json!(1_700_000_000.9))).unwrap_err();
    assert_eq!(early.reason, Reason::TokenExpired);
    assert!(verify_claims(&changed("nbf", json!(NOW + CLOCK_SKEW_SECONDS))).is_ok());
    let early = verify_claims(&changed("nbf", json!(NOW + 31))).unwrap_err();
    assert_eq!((early.reason, early.field.as_deref()), (Reason::TokenMalformed, Some("nbf")));
}

#[test]
fn a_header_demands_nothing_that_is_not_done() {
    for (header, what) in [
        (json!({"alg": "none"}), "is signed with none of"),
        (json!({"alg": "None"}), "is signed with none of"),
        (json!({"alg": "HS512"}), "is signed with none of"),
        (json!({"alg": "hs256"}), "is signed with none of"),
        (json!({"alg": 1}), "names no algorithm"),
        (json!({}), "names no algorithm"),
        (json!({"alg": "HS256", "crit": ["b64"], "b64": false}), "demands an extension"),
        (json!({"alg": "HS256", "kid": 1}), "has a kid"),
        (json!([]), "has a header that is no JSON object"),
    ] {
        let token = hs256(&header, &claims());
        let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
        for token in [token, unsigned] {
            let refused = verify(&token, NOW).unwrap_err();
            assert_eq!(refused.reason, Reason::TokenMalformed);
            assert!(refused.text.starts_with(&format!("the token {what}")), "{refused}");
        }
    }
}

#[test]
fn what_was_changed_or_cut_off_is_refused() {
    let token = sign_hs256(&secret(), &user(), moment(NOW), 60).unwrap();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let other = hs256(&json!({"alg": "HS256"}), &changed("sub", json!("administrator")));
    let (other, _) = other.rsplit_once('.').unwrap();
    for (token, reason) in [
        (format!("{other}.{signature}"), Reason::TokenSignatureWrong),
        (format!("{message}."), Reason::TokenSignatureWrong),
        (format!("{message}.{}", &signature[..40]), Reason::TokenSignatureWrong),
        (format!("{message}.{signature}="), Reason::TokenMalformed),
        (format!("{message}.{signature}.a"), Reason::TokenMalformed),
        (message.to_owned(), Reason::TokenMalformed),
        ("..".to_owned(), Reason::TokenMalformed),
        (".".to_owned(), Reason::TokenMalformed),
        ("a.".repeat(TOKEN_BYTES), Reason::TokenMalformed),
    ] {
        let refused = verify(&token, NOW).unwrap_err();
        assert_eq!(refused.reason, reason, "{token}");
        assert!(!refused.text.contains(&token) || token.len() < 3, "{refused}");
    }
    let not_json = format!("{}.AAAA.", message.split_once('.').unwrap().0);
    assert!(verify(&not_json, NOW).is_err());
}

fn by(signer: &Signer, claims: &Value) -> Result<Proof, Error> {
    let key = PublicKey::from_jwk(signer.jwk("a")).unwrap();
    let token = signer.token(Some("a"), claims);
    let expected = Expected { issuer: "issuer", audience: "muster", user_id_bytes: 32 };
    Jwt::parse(&token)?.verify(&key, &expected, moment(NOW))
}

#[test]
fn a_providers_token_is_made_by_the_issuer_for_this_audience() {
    for signer in [&RSA, &P256, &ED25519] {
        assert_eq!(by(signer, &claims()).unwrap().user, user());
    }
    assert!(by(&RSA, &changed("aud", json!(["other", "muster"]))).is_ok());
    for (claims, reason) in [
        (changed("iss", json!("issuer/")), Reason::TokenOfAnotherApp),
        (changed("iss", json!(["issuer"])), Reason::TokenMalformed),
        (without("iss"), Reason::TokenMalformed),
        (changed("aud", json!("Muster")), Reason::TokenOfAnotherApp),
        (changed("aud", json!([])), Reason::TokenOfAnotherApp),
        (changed("aud", json!([["muster"]])), Reason::TokenOfAnotherApp),
        (changed("aud", json!({"muster": 1})), Reason::TokenMalformed),
        (without("aud"), Reason::TokenMalformed),
        (without("sub"), Reason::TokenMalformed),
        (without("iat"), Reason::TokenMalformed),
        (without("exp"), Reason::TokenMalformed),
        (changed("exp", json!(NOW)), Reason::TokenExpired),
    ] {
        assert_eq!(by(&RSA, &claims).unwrap_err().reason, reason, "{claims}");
    }
}

#[test]
fn another_key_of_the_same_type_is_noticed() {
    let key = PublicKey::from_jwk(RSA2.jwk("a")).unwrap();
    let token = RSA.token(Some("a"), &claims());
    let expected = Expected { issuer: "issuer", audience: "muster", user_id_bytes: 32 };
    let refused = Jwt::parse(&token).unwrap().verify(&key, &expected, moment(NOW)).unwrap_err();
    assert_eq!(refused.reason, Reason::TokenSignatureWrong);
}
