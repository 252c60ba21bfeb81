//! Row 12 of `decisions.md`, step by step, and the bounds of a body.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::stream;

use super::super::reply::NO_PERMISSION;
use super::super::table::Family;
use super::*;
use crate::auth::{SecretKey, Settings, usersig};
use crate::model::UserId;

const APP: u64 = 1_400_000_000;
const PATH: &str = "/v4/group_open_http_svc/create_group";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn key() -> SecretKey {
    SecretKey::new("a secret of the tests")
}

fn authenticator() -> Authenticator {
    let settings = Settings {
        app_id: APP,
        secret_key: key(),
        admins: BTreeSet::from([UserId::from_stored("administrator")]),
        user_id_bytes: 32,
        provider: None,
    };
    Authenticator::new(settings).unwrap()
}

fn signed(key: &SecretKey, app: u64, user: &str, at: DateTime<Utc>) -> String {
    usersig::sign(key, app, &UserId::from_stored(user), at, 60, None).unwrap()
}

fn ask(method: &Method, path_and_query: &str) -> Result<&'static str, u32> {
    let uri: Uri = path_and_query.parse().unwrap();
    match admit(APP, &authenticator(), method, &uri, now()) {
        Ok((caller, row)) => {
            assert!(caller.administrator);
            Ok(row.name)
        }
        Err(refusal) => Err(refusal.code(Family::Groups, NO_PERMISSION)),
    }
}

fn post(path_and_query: &str) -> Result<&'static str, u32> {
    ask(&Method::POST, path_and_query)
}

#[test]
fn the_checks_come_in_the_order_of_the_decision() {
    let other_key = SecretKey::new("another secret, as long as it is");
    let long_ago = now() - chrono::TimeDelta::seconds(61);
    let good = signed(&key(), APP, "administrator", now());
    // Each query is wrong in all that comes later, too.
    let of_other_app = signed(&other_key, APP + 1, "alice", long_ago);
    let of_other_user = signed(&other_key, APP, "alice", long_ago);
    let wrongly_signed = signed(&other_key, APP, "bob", long_ago);
    let ended = signed(&key(), APP, "bob", long_ago);
    let not_admin = signed(&key(), APP, "bob", now());
    let nothing = "/v4/group_open_http_svc/no_such_command";
    let steps = [
        ("/v4/no_such_svc/create_group".to_owned(), 60_009),
        (nothing.to_owned(), 60_012),
        (format!("{nothing}?sdkappid="), 60_012),
        (format!("{nothing}?sdkappid=abc"), 60_012),
        (format!("{nothing}?sdkappid=-1"), 60_012),
        (format!("{nothing}?sdkappid=1"), 60_006),
        (format!("{nothing}?sdkappid=99999999999999999999999"), 60_006),
        (format!("{nothing}?sdkappid={APP}"), 70_002),
        (format!("{nothing}?sdkappid={APP}&identifier=bob"), 70_002),
        (format!("{nothing}?sdkappid={APP}&identifier=bob&usersig="), 70_002),
        (format!("{nothing}?sdkappid={APP}&identifier=bob&usersig=x"), 70_003),
        (format!("{nothing}?sdkappid={APP}&identifier=bob&usersig={of_other_app}"), 70_014),
        (format!("{nothing}?sdkappid={APP}&identifier=bob&usersig={of_other_user}"), 70_013),
        (format!("{nothing}?sdkappid={APP}&usersig={wrongly_signed}"), 70_013),
        (format!("{nothing}?sdkappid={APP}&identifier=bob&usersig={wrongly_signed}"), 70_009),
        (format!("{nothing}?sdkappid={APP}&identifier=bob&usersig={ended}"), 70_001),
        (format!("{nothing}?sdkappid={APP}&identifier=bob&usersig={not_admin}"), 60_010),
        (format!("{nothing}?sdkappid={APP}&identifier=administrator&usersig={good}"), 10_003),
    ];
    for (path, code) in steps {
        assert_eq!(post(&path), Err(code), "{path}");
    }
    let whole = format!("{PATH}?sdkappid={APP}&identifier=administrator&usersig={good}");
    assert_eq!(post(&whole), Ok("create_group"));
}

#[test]
fn the_query_is_read_tolerantly() {
    let usersig = signed(&key(), APP, "administrator", now());
    let escaped = usersig.replace('*', "%2A");
    for query in [
        format!("sdkappid={APP}&identifier=administrator&usersig={usersig}&random=1"),
        format!("contenttype=xml&usersig={escaped}&identifier=administrator&sdkappid={APP}"),
        format!("&&sdkappid={APP}&identifier=administrator&usersig={usersig}&random=-1&x&=y"),
        format!("sdkappid={APP}&identifier=%61dministrator&usersig={usersig}&sdkappid=1"),
        format!("sdkappid=&sdkappid={APP}&identifier=administrator&usersig={usersig}&random=%ff"),
    ] {
        assert_eq!(post(&format!("{PATH}?{query}")), Ok("create_group"), "{query}");
    }
}

#[test]
fn commands_are_called_with_post_or_get() {
    let usersig = signed(&key(), APP, "administrator", now());
    let whole = format!("{PATH}?sdkappid={APP}&identifier=administrator&usersig={usersig}");
    assert_eq!(ask(&Method::GET, &whole), Ok("create_group"));
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS, Method::PATCH] {
        assert_eq!(ask(&method, &whole), Err(60_008), "{method}");
    }
    assert_eq!(ask(&Method::DELETE, "/v4/x/y"), Err(60_009));
}

fn chunks(count: usize, bytes: usize) -> Body {
    let chunk = Bytes::from(vec![b'x'; bytes]);
    Body::from_stream(stream::iter((0..count).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))))
}

#[tokio::test]
async fn a_body_is_received_up_to_its_bound() {
    let received = receive(chunks(4, 25), 100).await.expect("as much as is possible");
    assert_eq!(received.len(), 100);
    for body in [chunks(101, 1), chunks(1, 101), chunks(3, DISCARDED_BYTES)] {
        let refusal = receive(body, 100).await.expect_err("too large");
        assert_eq!(refusal.code(Family::Groups, NO_PERMISSION), 10_004);
        assert_eq!(refusal.text(), "the body has more than 100 bytes");
    }
    assert!(receive(Body::empty(), 0).await.is_ok_and(|body| body.is_empty()));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let broken = stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("gone"))]);
    let refusal = receive(Body::from_stream(broken), 100).await.expect_err("broken");
    assert_eq!(refusal.code(Family::Groups, NO_PERMISSION), 60_008);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let never = stream::pending::<Result<Bytes, std::io::Error>>();
    let patience = Duration::from_millis(20);
    let refusal = receive_within(patience, Body::from_stream(never), 100).await;
    let refusal = refusal.expect_err("never");
    assert_eq!(refusal.code(Family::Groups, NO_PERMISSION), 60_008);
}

#[tokio::test]
async fn what_a_refused_call_sends_is_read_past() {
    discard(chunks(3, 100)).await;
    // An endless body is not: the bound ends it.
    let endless = stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![0; 65_536])));
    discard(Body::from_stream(endless)).await;
}
