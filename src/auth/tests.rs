//! The room as the rest of the program sees it.

use serde_json::{Value, json};

use super::testkit::{Answer, ED25519, P256, Provider as Server, RSA, Signer};
use super::*;

const APP: u64 = 1_400_000_000;
const NOW: i64 = 1_700_000_000;
const RSA_PEM: &str = include_str!("testdata/rsa.public.pem");

fn user(text: &str) -> UserId {
    UserId::parse(text, 32, "user").unwrap()
}

fn settings(provider: Option<ProviderSettings>) -> Settings {
    Settings {
        app_id: APP,
        secret_key: SecretKey::new("a secret of the tests"),
        admins: BTreeSet::from([user("administrator")]),
        user_id_bytes: 32,
        provider,
    }
}

fn provider(source: KeySource) -> ProviderSettings {
    ProviderSettings {
        source,
        issuer: "https://id.example".to_owned(),
        audience: "muster".to_owned(),
        admins: false,
    }
}

fn own() -> Authenticator {
    Authenticator::new(settings(None)).unwrap()
}

fn with_pem(pem: &str) -> Authenticator {
    let source = KeySource::PublicKeyPem(pem.to_owned());
    Authenticator::new(settings(Some(provider(source)))).unwrap()
}

fn claims(sub: &str) -> Value {
    json!({
        "sub": sub, "iat": NOW, "exp": NOW + 60, "iss": "https://id.example", "aud": "muster",
    })
}

async fn ask(authenticator: &Authenticator, token: &str) -> Result<Credential, Error> {
    let answer = authenticator.authenticate(token, moment(NOW)).await;
    if let Err(refused) = &answer {
        assert!(token.len() < 20 || !refused.text.contains(token), "{refused}");
    }
    answer
}

async fn reason(authenticator: &Authenticator, token: &str) -> Reason {
    ask(authenticator, token).await.unwrap_err().reason
}

fn usersig(app: u64, name: &str, issued_at: i64, seconds: u32) -> String {
    let key = settings(None).secret_key;
    usersig::sign(&key, app, &user(name), moment(issued_at), seconds, None).unwrap()
}

#[tokio::test]
async fn both_kinds_of_token_make_the_same_credential() {
    let own = own();
    for (name, administrator) in [("administrator", true), ("u1", false)] {
        let key = settings(None).secret_key;
        let jwt = jwt::sign_hs256(&key, &user(name), moment(NOW - 5), 60).unwrap();
        for token in [jwt, usersig(APP, name, NOW - 5, 60)] {
            let expected = Credential {
                caller: Caller { user: user(name), administrator },
                issued_at: moment(NOW - 5),
                expires_at: moment(NOW + 55),
            };
            assert_eq!(ask(&own, &token).await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn what_is_no_token_is_told_from_no_token() {
    let own = own();
    assert_eq!(reason(&own, "").await, Reason::TokenMissing);
    for odd in ["x", " ", "a.b", "a.b.c", "a.b.c.d.e", "é", "\0", "%2A", "null"] {
        assert_eq!(reason(&own, odd).await, Reason::TokenMalformed, "{odd:?}");
    }
    let another_app = usersig(APP + 1, "u1", NOW, 60);
    assert_eq!(reason(&own, &another_app).await, Reason::TokenOfAnotherApp);
}

#[test]
fn a_tencent_call_is_checked_in_its_order() {
    let own = own();
    let ask = |app, name: &str, token: &str| {
        own.authenticate_v4(app, name, token, moment(NOW)).map_err(|refused| refused.reason)
    };
    let good = usersig(APP, "administrator", NOW, 60);
    assert!(ask(APP, "administrator", &good).unwrap().caller.administrator);
    // Each token has also every fault that is asked about later.
    let wrong_key = |app, seconds| {
        let key = SecretKey::new("another");
        usersig::sign(&key, app, &user("u1"), moment(NOW - 9), seconds, None).unwrap()
    };
    for (app, name, token, reason) in [
        (APP + 1, "u2", String::new(), Reason::TokenMissing),
        (APP + 1, "u2", "x".to_owned(), Reason::TokenMalformed),
        (APP, "u2", wrong_key(APP + 1, 1), Reason::TokenOfAnotherApp),
        (APP + 1, "u2", wrong_key(APP, 1), Reason::TokenOfAnotherApp),
        (APP + 1, "u2", wrong_key(APP + 1, 1), Reason::TokenOfAnotherApp),
        (APP, "u2", wrong_key(APP, 1), Reason::TokenOfAnotherUser),
        (APP, "", wrong_key(APP, 1), Reason::TokenOfAnotherUser),
        (APP, "u1", wrong_key(APP, 1), Reason::TokenSignatureWrong),
        (APP, "u1", usersig(APP, "u1", NOW - 9, 8), Reason::TokenExpired),
    ] {
        assert_eq!(ask(app, name, &token).unwrap_err(), reason);
    }
    let key = settings(None).secret_key;
    let jwt = jwt::sign_hs256(&key, &user("administrator"), moment(NOW), 60).unwrap();
    assert_eq!(ask(APP, "administrator", &jwt).unwrap_err(), Reason::TokenMalformed);
}

#[tokio::test]
async fn a_providers_key_in_pem_verifies_its_own_algorithm() {
    let own = own();
    let signers: [(&Signer, &str); 3] = [
        (&RSA, RSA_PEM),
        (&P256, include_str!("testdata/p256.public.pem")),
        (&ED25519, include_str!("testdata/ed25519.public.pem")),
    ];
    for (signer, pem) in signers {
        let token = signer.token(Some("any"), &claims("u1"));
        assert_eq!(ask(&with_pem(pem), &token).await.unwrap().caller.user, user("u1"));
        assert_eq!(reason(&own, &token).await, Reason::TokenSignatureWrong);
        for (other, other_pem) in signers {
            if other.algorithm != signer.algorithm {
                let crossed = reason(&with_pem(other_pem), &token).await;
                assert_eq!(crossed, Reason::TokenSignatureWrong);
            }
        }
    }
}

#[tokio::test]
async fn a_public_key_is_never_a_shared_secret() {
    let authenticator = with_pem(RSA_PEM);
    for secret in [RSA_PEM, RSA_PEM.trim(), RSA_PEM.split_once('\n').unwrap().1] {
        let key = SecretKey::new(secret);
        let forged = jwt::sign_hs256(&key, &user("administrator"), moment(NOW), 60).unwrap();
        assert_eq!(reason(&authenticator, &forged).await, Reason::TokenSignatureWrong);
    }
}

#[tokio::test]
async fn a_providers_token_is_an_administrators_only_when_allowed() {
    for admins in [false, true] {
        let source = KeySource::PublicKeyPem(RSA_PEM.to_owned());
        let provider = ProviderSettings { admins, ..provider(source) };
        let authenticator = Authenticator::new(settings(Some(provider))).unwrap();
        let token = RSA.token(None, &claims("administrator"));
        assert_eq!(ask(&authenticator, &token).await.unwrap().caller.administrator, admins);
        let token = RSA.token(None, &claims("u1"));
        assert!(!ask(&authenticator, &token).await.unwrap().caller.administrator);
        let own = usersig(APP, "administrator", NOW, 60);
        assert!(ask(&authenticator, &own).await.unwrap().caller.administrator);
    }
}

#[tokio::test]
async fn a_providers_key_set_verifies_and_an_outage_says_so() {
    let server = Server::start(Answer::Set(vec![RSA.jwk("a"), P256.jwk("b")])).await;
    let source = KeySource::JwksUrl(server.url.clone());
    let settings = settings(Some(provider(source)));
    let authenticator = Authenticator::new(settings.clone()).unwrap();
    for (signer, kid) in [(&RSA, "a"), (&P256, "b")] {
        let token = signer.token(Some(kid), &claims("u1"));
        assert_eq!(ask(&authenticator, &token).await.unwrap().caller.user, user("u1"));
    }
    let stolen_kid = ED25519.token(Some("a"), &claims("u1"));
    assert_eq!(reason(&authenticator, &stolen_kid).await, Reason::TokenSignatureWrong);

    server.answers(Answer::Status(502));
    let authenticator = Authenticator::new(settings).unwrap();
    let token = RSA.token(Some("a"), &claims("u1"));
    assert_eq!(reason(&authenticator, &token).await, Reason::Unavailable);
    let own = usersig(APP, "u1", NOW, 60);
    assert!(ask(&authenticator, &own).await.is_ok(), "own tokens need no provider");
}

#[test]
fn settings_without_a_lock_are_refused() {
    let refused = |settings| Authenticator::new(settings).unwrap_err();
    let open = Settings { secret_key: SecretKey::new(""), ..settings(None) };
    assert_eq!(refused(open), SettingsFault::SecretKeyEmpty);
    let pem = || provider(KeySource::PublicKeyPem(RSA_PEM.to_owned()));
    let open = ProviderSettings { issuer: String::new(), ..pem() };
    assert_eq!(refused(settings(Some(open))), SettingsFault::IssuerEmpty);
    let open = ProviderSettings { audience: String::new(), ..pem() };
    assert_eq!(refused(settings(Some(open))), SettingsFault::AudienceEmpty);
    let odd = provider(KeySource::PublicKeyPem("key".to_owned()));
    assert!(matches!(refused(settings(Some(odd))), SettingsFault::PublicKey(_)));
    let odd = provider(KeySource::JwksUrl("file:///keys".parse().unwrap()));
    assert!(matches!(refused(settings(Some(odd))), SettingsFault::JwksUrl(_)));
}

#[test]
fn the_secret_key_is_never_printed() {
    let settings = settings(None);
    let printed = format!("{settings:?} {:?}", Authenticator::new(settings.clone()).unwrap());
    assert!(printed.contains("***") && !printed.contains("a secret"), "{printed}");
}
