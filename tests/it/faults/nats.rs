//! News between nodes over NATS.

use super::ALONE;
use super::field::{Field, Size};
use super::follow::Habits;
use super::judge::Rules;
use super::nodes::Nodes;
use crate::common::faulty::{Odds, Wire};
use crate::common::nats::Nats;
use crate::common::postgres::Postgres;

async fn field(postgres: &Postgres, nats: &str, size: Size) -> Field {
    let settings = [("MUSTER_NATS_URL", nats)];
    let nodes = Nodes::start(size.nodes, &postgres.url(), &settings).await;
    Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server: .ci/run installs it"]
async fn over_nats_every_client_sees_every_event_of_its_memberships_once_and_in_order() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let (postgres, nats) = (Postgres::start().await, Nats::start().await);
    let field = field(&postgres, &nats.url(), size).await;
    field.pass_all().await;
    field.finish("calm over NATS", &Rules::CALM).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server: .ci/run installs it"]
async fn news_that_nats_loses_doubles_and_shuffles_cost_time_and_no_event() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let (postgres, nats) = (Postgres::start().await, Nats::start().await);
    let (wire, through) = Wire::before_nats(&nats.url(), Odds::BAD, size.seed).await;
    let field = field(&postgres, &through, size).await;
    field.pass_all().await;
    field.finish("lossy NATS", &Rules::LOSSY).await;
    println!("lossy NATS: news {}", wire.fates());
    assert!(wire.lost() > 0, "nothing was lost, so nothing was shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs nats-server: .ci/run installs it"]
async fn nats_stopped_and_started_twice_loses_no_event() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let (postgres, mut nats) = (Postgres::start().await, Nats::start().await);
    let field = field(&postgres, &nats.url(), size).await;
    for _ in 0..2 {
        field.pass(size.lasts / 5).await;
        nats.stop();
        field.pass(size.lasts / 5).await;
        nats.start_again().await;
    }
    field.pass_all().await;
    field.finish("NATS stopped", &Rules::LOSSY).await;
}
