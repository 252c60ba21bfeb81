//! Which pages may call: the configured origins and no others, and none when nothing is configured.

use reqwest::Method;

use crate::common::{Answer, Server};

const GOOD: &str = "https://app.example";

async fn preflight(server: &Server, origin: &str, method: &str) -> Answer {
    let headers = [
        ("origin", origin),
        ("access-control-request-method", method),
        ("access-control-request-headers", "authorization,content-type,idempotency-key"),
    ];
    server.send(Method::OPTIONS, "/v1/groups/g/invite", &headers, "").await
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
}

#[tokio::test]
async fn a_configured_origins_pages_may_call_and_others_not() {
    let origins = format!("{GOOD}, http://localhost:3000");
    let server = Server::with(&[("MUSTER_CORS_ORIGINS", &origins)]).await;
    for origin in [GOOD, "http://localhost:3000"] {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let answer = preflight(&server, origin, method).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_eq!(header(&answer, "access-control-allow-origin"), Some(origin), "{answer:?}");
            let methods = header(&answer, "access-control-allow-methods").unwrap_or_default();
            assert!(methods.split(',').any(|one| one == method), "{methods}");
            let allowed = header(&answer, "access-control-allow-headers").unwrap_or_default();
            for name in ["authorization", "content-type", "idempotency-key", "x-request-id"] {
                assert!(allowed.split(',').any(|one| one == name), "{allowed}");
            }
            assert_eq!(header(&answer, "access-control-allow-credentials"), None);
        }
    }
    for origin in [
        "https://evil.example",
        "https://app.example.evil.example",
        "null",
        "http://app.example",
        "https://app.example:8443",
        "HTTPS://APP.EXAMPLE",
    ] {
        let answer = preflight(&server, origin, "POST").await;
        assert_eq!(header(&answer, "access-control-allow-origin"), None, "{origin}");
    }
    server.stop().await;
}

/// A page can read refusals too, and what they say about waiting.
#[tokio::test]
async fn answers_to_a_page_carry_its_origin_whatever_they_say() {
    let server = Server::with(&[("MUSTER_CORS_ORIGINS", GOOD)]).await;
    let bearer = format!("Bearer {}", server.token("alice"));
    for (path, status) in [("/v1/limits", 200), ("/v1/groups/none", 404), ("/v1/nothing", 404)] {
        let headers = [("origin", GOOD), ("authorization", bearer.as_str())];
        let answer = server.send(Method::GET, path, &headers, "").await;
        assert_eq!(answer.status, status);
        assert_eq!(header(&answer, "access-control-allow-origin"), Some(GOOD), "{answer:?}");
        assert!(header(&answer, "vary").is_some_and(|vary| vary.contains("origin")), "{answer:?}");
        let exposed = header(&answer, "access-control-expose-headers").unwrap_or_default();
        assert!(exposed.contains("retry-after") && exposed.contains("x-request-id"), "{exposed}");
    }
    let answer = server.send(Method::GET, "/v1/limits", &[("origin", GOOD)], "").await;
    assert_eq!(header(&answer, "access-control-allow-origin"), Some(GOOD), "{answer:?}");
    answer.refused(401, 70002, "token_missing");
    server.stop().await;
}

#[tokio::test]
async fn a_star_is_every_origin() {
    let server = Server::with(&[("MUSTER_CORS_ORIGINS", "*")]).await;
    let answer = preflight(&server, "https://any.example", "POST").await;
    assert_eq!(header(&answer, "access-control-allow-origin"), Some("*"), "{answer:?}");
    server.stop().await;
}

#[tokio::test]
async fn without_the_setting_no_page_may_call() {
    let server = Server::start().await;
    let answer = preflight(&server, GOOD, "POST").await;
    let allowed = |answer: &Answer| {
        answer.headers.keys().any(|name| name.as_str().starts_with("access-control"))
    };
    assert!(!allowed(&answer), "{answer:?}");
    answer.refused(405, 10003, "method_not_allowed");
    let bearer = format!("Bearer {}", server.token("alice"));
    let headers = [("origin", GOOD), ("authorization", bearer.as_str())];
    let answer = server.send(Method::GET, "/v1/limits", &headers, "").await;
    assert!(!allowed(&answer), "{answer:?}");
    answer.ok();
    server.stop().await;
}
