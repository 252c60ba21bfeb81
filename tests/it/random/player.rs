//! One connection to a world of its own: sends, judges, and looks into every table.

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use crate::bad_input::{World, furnish};
use crate::common::wire::Wire;
use crate::common::{ADMIN, Answer, eventually};

/// Worlds that are played at the same time.
pub(super) const WORLDS: usize = 4;
/// Requests to each face.
const REQUESTS: usize = 3_400;
/// Requests in a group before a fresh one is made.
pub(super) const IN_A_GROUP: usize = 40;

/// The seed of a run.
pub(super) fn seed() -> u64 {
    let given = std::env::var("MUSTER_TEST_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(rand::random)
}

/// How many requests each world gets.
pub(super) fn share() -> usize {
    let given = std::env::var("MUSTER_TEST_REQUESTS").ok().and_then(|text| text.parse().ok());
    given.unwrap_or(REQUESTS).div_ceil(WORLDS)
}

/// Every table with its rows and what they hold.
type State = Vec<(String, i64, String)>;

/// A world, its connection and the dice.
pub(super) struct Player {
    pub(super) world: World,
    pub(super) dice: StdRng,
    wire: Option<Wire>,
    state: State,
    /// How many were taken, and how many refused.
    pub(super) taken: usize,
    pub(super) refused: usize,
}

impl Player {
    pub(super) async fn new(seed: u64) -> Self {
        let world = World::new().await;
        let state = world.state().await;
        let dice = StdRng::seed_from_u64(seed);
        Self { world, dice, wire: None, state, taken: 0, refused: 0 }
    }

    /// Sends a request over the connection, which is made again when the server ended it.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Answer {
        for _ in 0..2 {
            if self.wire.is_none() {
                self.wire = Some(Wire::open(self.world.server.url()).await);
            }
            let Some(wire) = &mut self.wire else { continue };
            match wire.trade(bytes).await {
                Some(answer) => {
                    if answer.headers.get("connection").is_some_and(|value| value == "close") {
                        self.wire = None;
                    }
                    return answer;
                }
                None => self.wire = None,
            }
        }
        panic!("twice no answer to {}", String::from_utf8_lossy(bytes));
    }

    /// Notes what became of a request. Who changed nothing must have changed nothing.
    pub(super) async fn judge(&mut self, what: &str, taken: bool, may_change: bool) {
        if taken {
            self.taken += 1;
        } else {
            self.refused += 1;
        }
        if taken && may_change {
            self.rest().await;
            self.state = self.world.state().await;
            return;
        }
        let now = self.world.state().await;
        if now != self.state {
            let differing: Vec<_> =
                self.state.iter().zip(&now).filter(|(before, after)| before != after).collect();
            panic!("{what}\nchanged {differing:?}");
        }
    }

    /// Furnishes a fresh group and returns its application; that of the group before is closed, since one
    /// person may not have many.
    pub(super) async fn renew(&mut self, group: &str) -> String {
        let before = format!("/v1/applications/{}/refuse", self.world.application);
        self.world.server.post(ADMIN, &before, json!({})).await;
        self.world.application = furnish(&self.world.server, group).await;
        self.rest().await;
        self.state = self.world.state().await;
        self.world.application.clone()
    }

    /// Waits for what the server does in the background after a change: ends of accounts and of groups.
    async fn rest(&self) {
        eventually("the work in the background is done", || async {
            let open: i64 = sqlx::query_scalar(
                "select (select count(*) from users where deleted_at is not null)
                      + (select count(*) from group_releases)",
            )
            .fetch_one(&self.world.pool)
            .await
            .expect("a count");
            (open == 0).then_some(())
        })
        .await;
    }

    /// The server is as well as before.
    pub(super) async fn end(self) {
        let ready = reqwest::get(format!("{}/readyz", self.world.server.ops_url())).await;
        assert_eq!(ready.expect("an answer").status(), 200);
        self.world.end().await;
    }
}
