//! A provider that rotates its keys, fails, floods and hangs.

use super::super::testkit::{Answer, ED25519, P256, Provider, RSA, RSA2};
use super::*;

const NEVER: Duration = Duration::from_hours(24);

/// Fetches whenever there is a cause.
const EAGER: Pace = Pace {
    fresh: NEVER,
    after_success: Duration::ZERO,
    after_failure: Duration::ZERO,
    timeout: Duration::from_secs(5),
};

fn keys(provider: &Provider, pace: Pace) -> Arc<RemoteKeys> {
    Arc::new(RemoteKeys::new(provider.url.clone(), pace).unwrap())
}

async fn kid_of(keys: &Arc<RemoteKeys>, algorithm: Algorithm, kid: Option<&str>) -> Option<String> {
    keys.find(algorithm, kid).await.unwrap().kid().map(str::to_owned)
}

async fn refusal(keys: &Arc<RemoteKeys>, kid: Option<&str>) -> Error {
    keys.find(Algorithm::RS256, kid).await.unwrap_err()
}

#[tokio::test]
async fn a_set_is_fetched_when_needed_and_kept() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("a"), P256.jwk("b")])).await;
    let keys = keys(&provider, Pace::default());
    assert_eq!(provider.hits(), 0);
    for _ in 0..3 {
        assert_eq!(kid_of(&keys, Algorithm::RS256, Some("a")).await.as_deref(), Some("a"));
        assert_eq!(kid_of(&keys, Algorithm::ES256, Some("b")).await.as_deref(), Some("b"));
    }
    assert_eq!(provider.hits(), 1);
}

#[tokio::test]
async fn a_new_kid_makes_it_fetch_again() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("old")])).await;
    let keys = keys(&provider, EAGER);
    assert!(keys.find(Algorithm::RS256, Some("old")).await.is_ok());
    provider.answers(Answer::Set(vec![RSA2.jwk("new")]));
    assert_eq!(kid_of(&keys, Algorithm::RS256, Some("new")).await.as_deref(), Some("new"));
    assert_eq!(provider.hits(), 2);
    assert_eq!(refusal(&keys, Some("old")).await.reason, Reason::TokenSignatureWrong);
}

#[tokio::test]
async fn strangers_kids_do_not_flood_the_provider() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("a")])).await;
    let keys = keys(&provider, Pace::default());
    for number in 0..20 {
        let refused = refusal(&keys, Some(&format!("stranger {number}"))).await;
        assert_eq!(refused.reason, Reason::TokenSignatureWrong);
    }
    assert_eq!(provider.hits(), 1);
}

#[tokio::test]
async fn many_at_once_fetch_once() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("a")])).await;
    let keys = keys(&provider, Pace::default());
    let asking: Vec<_> = (0..50)
        .map(|_| {
            let keys = Arc::clone(&keys);
            tokio::spawn(async move { keys.find(Algorithm::RS256, Some("a")).await.is_ok() })
        })
        .collect();
    for asked in asking {
        assert!(asked.await.unwrap());
    }
    assert_eq!(provider.hits(), 1);
}

#[tokio::test]
async fn a_caller_who_hangs_up_does_not_stop_the_fetch() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("a")])).await;
    let keys = keys(&provider, Pace::default());
    tokio::select! {
        biased;
        _ = keys.find(Algorithm::RS256, Some("a")) => panic!("nothing is fetched yet"),
        () = std::future::ready(()) => {}
    }
    assert!(keys.find(Algorithm::RS256, Some("a")).await.is_ok());
    assert_eq!(provider.hits(), 1);
}

#[tokio::test]
async fn an_outage_keeps_the_old_keys() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("a")])).await;
    let keys = keys(&provider, Pace { fresh: Duration::ZERO, ..EAGER });
    assert!(keys.find(Algorithm::RS256, Some("a")).await.is_ok());
    for answer in [
        Answer::Status(500),
        Answer::Text("<html>"),
        Answer::Text("{\"keys\":{}}"),
        Answer::Endless,
    ] {
        provider.answers(answer);
        let asked = provider.hits();
        assert!(keys.find(Algorithm::RS256, Some("a")).await.is_ok());
        let refused = refusal(&keys, Some("rotated meanwhile")).await;
        assert_eq!(refused.reason, Reason::Unavailable);
        assert!(provider.hits() > asked);
        assert!(keys.find(Algorithm::RS256, Some("a")).await.is_ok());
    }
    provider.answers(Answer::Set(vec![RSA2.jwk("b")]));
    assert!(keys.find(Algorithm::RS256, Some("b")).await.is_ok());
    assert!(keys.find(Algorithm::RS256, Some("a")).await.is_err());
}

#[tokio::test]
async fn nobody_waits_for_a_provider_known_to_be_away() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("a")])).await;
    let pace = Pace { fresh: Duration::ZERO, timeout: Duration::from_secs(1), ..EAGER };
    let keys = keys(&provider, pace);
    assert!(keys.find(Algorithm::RS256, Some("a")).await.is_ok());
    provider.answers(Answer::Silence);
    assert!(keys.find(Algorithm::RS256, Some("a")).await.is_ok(), "waits once, for the timeout");
    assert!(keys.state().fault.is_some());
    let begun = Instant::now();
    for _ in 0..100 {
        assert!(keys.find(Algorithm::RS256, Some("a")).await.is_ok());
    }
    assert!(begun.elapsed() < pace.timeout, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn without_any_keys_an_outage_is_unavailable() {
    for (answer, cause) in [
        (Answer::Status(503), "the provider answered 503"),
        (Answer::Endless, "the key set has more than 262144 bytes"),
        (Answer::Text("[]"), "the reply is no key set"),
        (Answer::Silence, "timed out"),
    ] {
        let provider = Provider::start(answer).await;
        let pace = Pace { timeout: Duration::from_millis(300), ..Pace::default() };
        let keys = keys(&provider, pace);
        for _ in 0..3 {
            let refused = refusal(&keys, Some("a")).await;
            assert_eq!(refused.reason, Reason::Unavailable);
            assert_eq!(refused.retry_after, Some(5));
            let context = refused.context.unwrap();
            assert!(context.contains(cause), "{context}");
            assert!(!context.contains("127.0.0.1"), "{context}");
        }
        assert_eq!(provider.hits(), 1, "the pause after a failure holds");
    }
}

#[tokio::test]
async fn a_token_without_kid_needs_a_set_without_choice() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("a"), ED25519.jwk("b")])).await;
    let keys = keys(&provider, EAGER);
    assert_eq!(kid_of(&keys, Algorithm::RS256, None).await.as_deref(), Some("a"));
    assert_eq!(kid_of(&keys, Algorithm::EdDSA, None).await.as_deref(), Some("b"));
    provider.answers(Answer::Set(vec![RSA.jwk("a"), RSA2.jwk("c")]));
    assert!(keys.find(Algorithm::RS256, Some("c")).await.is_ok());
    assert_eq!(refusal(&keys, None).await.reason, Reason::TokenMalformed);
}

#[tokio::test]
async fn useless_keys_are_left_out_and_kids_belong_to_their_algorithm() {
    let mut encrypting = RSA2.jwk("enc");
    encrypting["use"] = "enc".into();
    let unknown = serde_json::json!({"kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AA"});
    let symmetric = serde_json::json!({"kty": "oct", "kid": "oct", "k": "c2VjcmV0"});
    let set = vec![unknown, encrypting, symmetric, "odd".into(), RSA.jwk("a"), P256.jwk("b")];
    let provider = Provider::start(Answer::Set(set)).await;
    let keys = keys(&provider, Pace::default());
    assert!(keys.find(Algorithm::RS256, Some("a")).await.is_ok());
    for useless in ["new", "enc", "oct"] {
        assert_eq!(refusal(&keys, Some(useless)).await.reason, Reason::TokenSignatureWrong);
    }
    let crossed = refusal(&keys, Some("b")).await;
    assert_eq!(crossed.reason, Reason::TokenSignatureWrong);
    assert!(crossed.text.contains("another algorithm"), "{crossed}");
}

#[tokio::test]
async fn a_redirect_is_followed_but_not_for_ever() {
    let provider = Provider::start(Answer::Set(vec![RSA.jwk("a")])).await;
    let elsewhere = Provider::start(Answer::Moved(provider.url.to_string())).await;
    assert!(keys(&elsewhere, EAGER).find(Algorithm::RS256, Some("a")).await.is_ok());
    elsewhere.answers(Answer::Moved(elsewhere.url.to_string()));
    let refused = refusal(&keys(&elsewhere, EAGER), Some("a")).await;
    assert_eq!(refused.reason, Reason::Unavailable);
}

#[test]
fn only_web_addresses_are_taken() {
    for (text, possible) in [
        ("https://id.example/keys", true),
        ("http://id.example:8080/keys", true),
        ("file:///etc/keys", false),
        ("unix:keys", false),
    ] {
        let url = text.parse().unwrap();
        assert_eq!(RemoteKeys::new(url, Pace::default()).is_ok(), possible, "{text}");
    }
}
