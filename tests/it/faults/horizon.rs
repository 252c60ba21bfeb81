//! A transaction that writes and then sits there, as somebody's console may.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use super::ALONE;
use super::field::{Field, Size};
use super::follow::Habits;
use super::judge::Rules;
use super::nodes::Nodes;
use crate::common::eventually;
use crate::common::postgres::Postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_transaction_that_wrote_holds_no_live_event_up() {
    let _alone = ALONE.lock().await;
    let mut size = Size::of_this_run();
    // After five seconds it is told.
    size.lasts = size.lasts.max(Duration::from_secs(8));
    let postgres = Postgres::start().await;
    let nodes = Nodes::start(size.nodes, &postgres.url(), &[]).await;
    let mut idle = PgConnection::connect(&postgres.url()).await.expect("a connection");
    let wrote = "begin; create temp table notes (n integer); insert into notes values (1)";
    idle.execute(wrote).await.expect("a transaction");
    let pid: i32 =
        sqlx::query_scalar("select pg_backend_pid()").fetch_one(&mut idle).await.expect("a number");
    let field = Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await;
    field.pass_all().await;
    let nodes = field.nodes.clone();
    let held = nodes.metric("muster_repair_horizon_seconds").await;
    let most = size.lasts.as_secs_f64() * 3.0;
    assert!(held > size.lasts.as_secs_f64() * 1.5, "the metric says {held} s, at most {most} s");
    let logged = nodes.logged();
    let told = logged.lines().filter(|line| line.contains("holds the repair horizon back"));
    let told: Vec<&str> = told.collect();
    println!("{told:#?}");
    assert_eq!(told.len(), nodes.count(), "each node says it once: {logged}");
    let process = format!("process {pid} ");
    assert!(told.iter().all(|line| line.contains(&process)), "{process}: {told:?}");
    let mut verdict = field.finish("idle transaction", &Rules::CALM).await;
    let p99 = verdict.delay(0.99);
    assert!(p99 < Duration::from_millis(500), "{p99:?}");
    let moved = eventually("the horizon moves again", async || {
        (nodes.metric("muster_repair_horizon_seconds").await < 1.0).then_some(())
    });
    idle.close().await.expect("the end of the transaction");
    moved.await;
}
