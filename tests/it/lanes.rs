//! Lanes whose work goes wrong in a way that nobody foresaw.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use muster::engine::{Committed, Engine, Outbox, Settings};
use muster::metrics::Metrics;
use muster::model::{Caller, Command, Error, GroupId, Limits, Operation, Reason, Reply, UserId};
use muster::rules::Rulebook;
use muster::store::{Place, Store};
use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::common::Server;

async fn invite(engine: &Engine, user: &str) -> Result<Reply, Error> {
    let operation = Operation::Invite {
        group: GroupId::from_stored("g"),
        users: vec![UserId::from_stored(user)],
        silent: false,
    };
    let caller = Caller { user: UserId::from_stored("owner"), administrator: false };
    let submitted = engine.submit(Command { caller, operation, idempotency: None });
    tokio::time::timeout(Duration::from_secs(20), submitted).await.expect("an answer")
}

/// A panic costs the callers of that batch their answers, and nobody anything else: the group goes on, by the same
/// lane.
#[tokio::test]
async fn a_lane_that_panicked_goes_on_and_gives_its_groups_back() {
    let server = Server::start().await;
    let body = json!({"groupID": "g", "groupType": "Work", "groupName": "n"});
    assert_eq!(server.post("owner", "/v1/groups", body).await.status, 201);

    let place = Place::Url(server.database_url().to_owned());
    let store = Store::connect(&place, 1).await.expect("a database");
    let panics = Arc::new(AtomicBool::new(true));
    let outbox: Outbox = {
        let panics = panics.clone();
        Arc::new(move |_: Committed| {
            assert!(!panics.load(Ordering::Relaxed), "as the test wants it");
        })
    };
    let settings = Settings { lanes: 1, ..Settings::new(Rulebook::builtin(Limits::defaults())) };
    let tasks = TaskTracker::new();
    let engine = Engine::start(store, settings, Arc::new(Metrics::new()), &outbox, &tasks);

    let lost = invite(&engine, "first").await.expect_err("the lane panics after the commit");
    assert_eq!(lost.reason, Reason::Internal, "{lost:?}");
    panics.store(false, Ordering::Relaxed);
    let Ok(Reply::Members(outcomes)) = invite(&engine, "second").await else { panic!("refused") };
    assert_eq!(outcomes[0].result.code(), 1);

    // The log has both, and nothing was done twice.
    server.check_invariants().await;
    let members = server.get("owner", "/v1/groups/g/members").await;
    let members = members.body["data"]["memberList"].as_array().expect("members").clone();
    assert_eq!(members.len(), 3, "{members:?}");
    engine.close();
    tasks.close();
    tasks.wait().await;
    server.stop().await;
}
