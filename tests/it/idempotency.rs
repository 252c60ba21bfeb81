//! `Idempotency-Key`: the same request with the same key has one effect and one reply, however often it
//! comes, wherever it comes, and whether or not its caller waits for the answer.

mod together;

use serde_json::{Value, json};

use crate::common::wire::{exchange, request};
use crate::common::{ADMIN, Answer, Server, results};

/// A POST with a key.
async fn post(server: &Server, user: &str, path: &str, key: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {}", server.token(user));
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", key)];
    exchange(server.url(), &request("POST", path, &headers, body.to_string())).await
}

async fn count(server: &Server, query: &'static str) -> i64 {
    let pool = server.db().await;
    let count = sqlx::query_scalar(query).fetch_one(&pool).await.expect("a count");
    pool.close().await;
    count
}

const GROUPS: &str = "select count(*) from groups";
const REPLIES: &str = "select count(*) from stored_replies";
const EVENTS: &str = "select count(*) from group_events";

fn people(users: &[&str]) -> Value {
    json!({ "userList": users })
}

const INVITE: &str = "/v1/groups/g/invite";

/// A server with the Work group `g` of alice.
async fn with_group() -> Server {
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({})).await;
    server
}

#[tokio::test]
async fn a_repeated_invitation_answers_the_same_and_makes_one_event() {
    let server = with_group().await;
    let body = people(&["bob", "alice", "carol"]);
    let first = post(&server, "alice", INVITE, "k", &body).await;
    assert_eq!(
        results(&first.body["data"]),
        [("bob".to_owned(), 1), ("alice".to_owned(), 2), ("carol".to_owned(), 1)]
    );
    let events = count(&server, EVENTS).await;
    for _ in 0..3 {
        let again = post(&server, "alice", INVITE, "k", &body).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
    }
    // Even when the world has moved on: it is the reply to what happened then.
    server.post("alice", "/v1/groups/g/kick", people(&["bob"])).await.ok();
    let again = post(&server, "alice", INVITE, "k", &body).await;
    assert_eq!(again.body, first.body);
    assert_eq!(count(&server, EVENTS).await, events + 1);
    // Without the key it is a new request.
    let data = server.post("alice", INVITE, body).await.ok();
    assert_eq!(results(&data)[0], ("bob".to_owned(), 1));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_repeated_creation_names_the_same_group() {
    let server = Server::start().await;
    let members = json!([{ "userID": "bob" }, { "userID": "alice" }]);
    let body = json!({ "groupType": "Public", "groupName": "n", "memberList": members });
    let first = post(&server, "alice", "/v1/groups", "k", &body).await;
    assert_eq!(first.status, 201, "{first:?}");
    let again = post(&server, "alice", "/v1/groups", "k", &body).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(count(&server, GROUPS).await, 1);
    let other = post(&server, "alice", "/v1/groups", "k2", &body).await;
    assert_ne!(other.body["data"]["groupID"], first.body["data"]["groupID"]);
    assert_eq!(count(&server, GROUPS).await, 2);
    // Also when the id is chosen, where a repetition without a key is told that it is taken.
    let body = json!({ "groupID": "x", "groupType": "Public", "groupName": "n" });
    let first = post(&server, "alice", "/v1/groups", "x", &body).await;
    let again = post(&server, "alice", "/v1/groups", "x", &body).await;
    assert_eq!((first.status, again.status, &again.body), (201, 201, &first.body));
    let refused = server.post("alice", "/v1/groups", body).await;
    refused.refused(409, 10025, "group_id_taken_by_owner");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn another_body_under_the_same_key_is_a_conflict_and_changes_nothing() {
    let server = with_group().await;
    let first = post(&server, "alice", INVITE, "k", &people(&["bob"])).await;
    let events = count(&server, EVENTS).await;
    for body in [people(&["carol"]), people(&["bob", "carol"]), people(&["bob", "bob"])] {
        let answer = post(&server, "alice", INVITE, "k", &body).await;
        let data = answer.refused(409, 10004, "idempotency_key_reused");
        assert_eq!(data["field"], "Idempotency-Key");
    }
    assert_eq!(count(&server, EVENTS).await, events);
    let again = post(&server, "alice", INVITE, "k", &people(&["bob"])).await;
    assert_eq!(again.body, first.body);
    server.stop().await;
}

#[tokio::test]
async fn a_refusal_is_not_kept_and_may_be_repeated_once_it_would_succeed() {
    let server = with_group().await;
    let body = people(&["carol"]);
    for _ in 0..2 {
        post(&server, "bob", INVITE, "k", &body).await.refused(403, 10007, "not_a_member");
    }
    let answer = post(&server, "alice", INVITE, "k", &people(&[])).await;
    answer.refused(400, 10004, "invalid_parameter");
    assert_eq!(count(&server, REPLIES).await, 0);
    server.post("alice", INVITE, people(&["bob"])).await.ok();
    // A refused body does not even bind the key.
    let data = post(&server, "bob", INVITE, "k", &body).await.ok();
    assert_eq!(results(&data), [("carol".to_owned(), 1)]);
    assert_eq!(count(&server, REPLIES).await, 1);
    server.stop().await;
}

#[tokio::test]
async fn a_key_belongs_to_one_caller_one_path_and_one_query() {
    let server = with_group().await;
    server.post("alice", INVITE, people(&["bob"])).await.ok();
    server.group("alice", "h", "Work", json!({})).await;
    let body = people(&["carol"]);
    let first = |user: &'static str, path: &'static str| {
        let (server, body) = (&server, &body);
        async move { results(&post(server, user, path, "k", body).await.ok())[0].1 }
    };
    assert_eq!(first("alice", INVITE).await, 1);
    // Carol is in g now, so a request that is judged by itself gets 2.
    assert_eq!(first("bob", INVITE).await, 2);
    assert_eq!(first(ADMIN, INVITE).await, 2);
    assert_eq!(first("alice", "/v1/groups/h/invite").await, 1);
    assert_eq!(first("alice", "/v1/groups/g/invite?dryRun=false").await, 2);
    assert_eq!(first("alice", "/v1/groups/g/invite?dryRun=true").await, 2);
    assert_eq!(first("alice", "/v1/groups/%67/invite").await, 2);
    assert_eq!(first("alice", "/v1/groups/g/kick").await, 1);
    assert_eq!(first("alice", INVITE).await, 1);
    // Keys are bytes: neither case nor blanks inside are the same.
    for key in ["K", "k k", "k  k", "k-k"] {
        let data = post(&server, "bob", "/v1/groups/g/invite", key, &people(&["bob"])).await.ok();
        assert_eq!(data[0]["result"], 2, "{key}");
    }
    assert_eq!(count(&server, REPLIES).await, 11);
    server.stop().await;
}

/// A preview changes nothing, so its reply is not kept either.
#[tokio::test]
async fn a_dry_run_takes_no_key() {
    let server = with_group().await;
    let path = "/v1/groups/g/invite?dryRun=true";
    for _ in 0..2 {
        let data = post(&server, "alice", path, "k", &people(&["bob"])).await.ok();
        assert_eq!(results(&data), [("bob".to_owned(), 1)]);
    }
    assert_eq!(count(&server, REPLIES).await, 0);
    let data = post(&server, "alice", INVITE, "k", &people(&["bob"])).await.ok();
    assert_eq!(results(&data), [("bob".to_owned(), 1)]);
    server.stop().await;
}

#[tokio::test]
async fn a_key_has_at_most_255_bytes() {
    let server = with_group().await;
    let longest = "k".repeat(255);
    let first = post(&server, "alice", INVITE, &longest, &people(&["bob"])).await;
    let again = post(&server, "alice", INVITE, &longest, &people(&["bob"])).await;
    assert_eq!((first.status, &first.body), (200, &again.body));
    let other = format!("{}x", "k".repeat(254));
    let data = post(&server, "alice", INVITE, &other, &people(&["bob"])).await.ok();
    assert_eq!(data[0]["result"], 2);
    let too_long = "k".repeat(256);
    let answer = post(&server, "alice", INVITE, &too_long, &people(&["dave"])).await;
    let data = answer.refused(400, 10004, "invalid_parameter");
    assert_eq!((&data["limit"], &data["current"]), (&json!(255), &json!(256)));
    server.stop().await;
}

#[tokio::test]
async fn after_a_day_a_key_is_free() {
    let server = with_group().await;
    let body = people(&["bob"]);
    post(&server, "alice", INVITE, "k", &body).await.ok();
    let pool = server.db().await;
    let age = async |age: &str| {
        let update = "update stored_replies set stored_at = clock_timestamp() - $1::text::interval";
        sqlx::query(update).bind(age).execute(&pool).await.expect("an update");
    };
    age("23 hours 59 minutes").await;
    let again = post(&server, "alice", INVITE, "k", &body).await.ok();
    assert_eq!(again[0]["result"], 1);
    age("24 hours 1 second").await;
    let data = post(&server, "alice", INVITE, "k", &body).await.ok();
    assert_eq!(data[0]["result"], 2);
    // From now on that is the key's reply, for a day.
    let data = post(&server, "alice", INVITE, "k", &body).await.ok();
    assert_eq!(data[0]["result"], 2);
    age("25 hours").await;
    let data = post(&server, "alice", INVITE, "k", &people(&["carol"])).await.ok();
    assert_eq!(data[0]["result"], 1);
    assert_eq!(count(&server, REPLIES).await, 1);
    pool.close().await;
    server.stop().await;
}

#[tokio::test]
async fn a_key_survives_a_restart() {
    let server = with_group().await;
    let body = people(&["bob"]);
    let first = post(&server, "alice", INVITE, "k", &body).await;
    let create = json!({ "groupType": "Work", "groupName": "n" });
    let made = post(&server, "alice", "/v1/groups", "k", &create).await;
    let database = server.database_url().to_owned();
    server.stop().await;
    let server = Server::on(&database, &[]).await;
    let again = post(&server, "alice", INVITE, "k", &body).await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    let again = post(&server, "alice", "/v1/groups", "k", &create).await;
    assert_eq!((again.status, &again.body), (made.status, &made.body));
    assert_eq!(count(&server, GROUPS).await, 2);
    server.stop().await;
}

#[tokio::test]
async fn joining_leaving_kicking_and_deciding_take_keys() {
    let server = Server::start().await;
    server.group("alice", "g", "Public", json!({})).await;
    let twice = async |user: &'static str, path: String, body: Value| {
        let first = post(&server, user, &path, "k", &body).await;
        let again = post(&server, user, &path, "k", &body).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body), "{path}");
        first.ok()
    };
    let join = || "/v1/groups/g/join".to_owned();
    for applicant in ["bob", "carol"] {
        assert_eq!(twice(applicant, join(), json!({})).await["status"], "pending");
    }
    let list = server.get("alice", "/v1/applications").await.ok();
    assert_eq!(list["applicationList"].as_array().map(Vec::len), Some(2), "{list}");
    for (number, verb) in [(0, "accept"), (1, "refuse")] {
        let id = list["applicationList"][number]["applicationID"].as_str().expect("an id");
        twice("alice", format!("/v1/applications/{id}/{verb}"), json!({})).await;
        // Without the key, the same again is late.
        let path = format!("/v1/applications/{id}/{verb}");
        let late = server.post("alice", &path, json!({})).await;
        late.refused(409, 10024, "already_handled");
    }
    let member = list["applicationList"][0]["fromUser"].as_str().expect("a user");
    let data = twice("alice", "/v1/groups/g/kick".to_owned(), people(&[member])).await;
    assert_eq!(results(&data), [(member.to_owned(), 1)]);
    server.post(ADMIN, INVITE, people(&["dave"])).await.ok();
    twice("dave", "/v1/groups/g/quit".to_owned(), json!({})).await;
    server.post("dave", "/v1/groups/g/quit", json!({})).await.refused(403, 10007, "not_a_member");
    server.check_invariants().await;
    server.stop().await;
}

/// A key's reply is given even when the group is gone meanwhile.
#[tokio::test]
async fn a_reply_is_kept_when_its_group_is_dismissed() {
    let server = Server::start().await;
    server.group("alice", "g", "Public", json!({})).await;
    let first = post(&server, ADMIN, INVITE, "k", &people(&["bob"])).await;
    server.delete("alice", "/v1/groups/g").await.ok();
    let again = post(&server, ADMIN, INVITE, "k", &people(&["bob"])).await;
    assert_eq!((again.status, &again.body), (200, &first.body));
    let answer = post(&server, ADMIN, INVITE, "k2", &people(&["bob"])).await;
    answer.refused(404, 10010, "group_not_found");
    server.stop().await;
}
