//! News between nodes over PostgreSQL's NOTIFY.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use super::ALONE;
use super::field::{Field, Size};
use super::follow::Habits;
use super::judge::Rules;
use super::nodes::Nodes;
use crate::common::faulty::{Odds, Wire};
use crate::common::postgres::Postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_three_nodes_every_client_sees_every_event_of_its_memberships_once_and_in_order() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let postgres = Postgres::start().await;
    let nodes = Nodes::start(size.nodes, &postgres.url(), &[]).await;
    let field = Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await;
    field.pass_all().await;
    field.finish("calm", &Rules::CALM).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn news_that_are_lost_doubled_and_shuffled_cost_time_and_no_event() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let postgres = Postgres::start().await;
    let (wire, through) = Wire::before_postgres(&postgres.url(), Odds::BAD, size.seed).await;
    let nodes = Nodes::start(size.nodes, &through, &[]).await;
    let field = Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await;
    field.pass_all().await;
    field.finish("lossy NOTIFY", &Rules::LOSSY).await;
    println!("lossy NOTIFY: news {}", wire.fates());
    assert!(wire.lost() > 0, "nothing was lost, so nothing was shown");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_killed_again_and_again_lose_no_event() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let mut dice = StdRng::seed_from_u64(size.seed);
    let postgres = Postgres::start().await;
    let nodes = Nodes::start(size.nodes, &postgres.url(), &[]).await;
    let field = Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await;
    let mut killed = 0;
    while !field.is_over() {
        let number = dice.random_range(0..field.nodes.count());
        field.pass(Duration::from_millis(dice.random_range(1_000..3_000))).await;
        field.nodes.kill(number).await;
        field.pass(Duration::from_millis(dice.random_range(0..1_000))).await;
        field.nodes.launch(number).await;
        killed += 1;
    }
    println!("{killed} nodes were killed");
    field.finish("killed nodes", &Rules::LOSSY).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_killed_twice_loses_no_event() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let postgres = Postgres::start().await;
    let nodes = Nodes::start(size.nodes, &postgres.url(), &[]).await;
    let field = Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await;
    for _ in 0..2 {
        field.pass(size.lasts / 3).await;
        postgres.kill();
        postgres.launch().await;
    }
    field.pass_all().await;
    let rules = Rules { patience: Duration::from_secs(15), ..Rules::CALM };
    field.finish("killed PostgreSQL", &rules).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_of_three_nodes_loses_no_event() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let postgres = Postgres::start().await;
    let nodes = Nodes::start(size.nodes, &postgres.url(), &[]).await;
    let field = Field::start(nodes, &postgres.url(), size, Habits::STEADY).await;
    for number in 0..field.nodes.count() {
        field.pass(size.lasts / 5).await;
        field.nodes.terminate(number).await;
        field.nodes.launch(number).await;
    }
    field.pass_all().await;
    let verdict = field.finish("rolling restart", &Rules::LOSSY).await;
    let told = verdict.counts.byes.get(&1001).copied().unwrap_or_default();
    assert!(told >= size.clients as u64, "only {told} were told to come again");
}

/// All of it together: news are lost, the horizon is held back, the wire is frozen and cut, nodes and
/// PostgreSQL are killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_at_once_loses_no_event() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let mut dice = StdRng::seed_from_u64(size.seed);
    let postgres = Postgres::start().await;
    let (wire, through) = Wire::before_postgres(&postgres.url(), Odds::BAD, size.seed).await;
    let nodes = Nodes::start(size.nodes, &through, &[]).await;
    let mut idle = PgConnection::connect(&postgres.url()).await.expect("a connection");
    let wrote = "begin; create temp table notes (n integer); insert into notes values (1)";
    idle.execute(wrote).await.expect("a transaction");
    let field = Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await;
    let mut deeds = 0;
    while !field.is_over() {
        field.pass(Duration::from_millis(dice.random_range(300..1_500))).await;
        // Each at least once, and then whatever comes.
        let deed = if deeds < 4 { deeds } else { dice.random_range(0..4) };
        deeds += 1;
        match deed {
            0 => {
                let number = dice.random_range(0..field.nodes.count());
                field.nodes.kill(number).await;
                field.nodes.launch(number).await;
            }
            1 => {
                wire.freeze();
                tokio::time::sleep(Duration::from_millis(dice.random_range(100..3_000))).await;
                wire.mend();
            }
            2 => {
                wire.cut();
                tokio::time::sleep(Duration::from_millis(dice.random_range(10..500))).await;
                wire.mend();
            }
            _ if deeds % 4 == 0 => {
                postgres.kill();
                postgres.launch().await;
            }
            _ => {}
        }
    }
    println!("{deeds} deeds; news {}", wire.fates());
    let rules = Rules { patience: Duration::from_secs(20), ..Rules::CALM };
    field.finish("everything at once", &rules).await;
    drop(idle);
}
