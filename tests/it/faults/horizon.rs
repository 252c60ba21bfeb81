//! A transaction that writes and then sits there, as somebody's console may.

use sqlx::postgres::PgConnection;
use sqlx::{Connection, Executor};

use super::ALONE;
use super::field::{Field, Size};
use super::follow::Habits;
use super::judge::Rules;
use super::nodes::Nodes;
use crate::common::postgres::Postgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_transaction_that_wrote_holds_no_live_event_up() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let postgres = Postgres::start().await;
    let nodes = Nodes::start(size.nodes, &postgres.url(), &[]).await;
    let mut idle = PgConnection::connect(&postgres.url()).await.expect("a connection");
    let wrote = "begin; create temp table notes (n integer); insert into notes values (1)";
    idle.execute(wrote).await.expect("a transaction");
    let field = Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await;
    field.pass_all().await;
    let mut verdict = field.finish("idle transaction", &Rules::CALM).await;
    let p99 = verdict.delay(0.99);
    assert!(p99 < std::time::Duration::from_millis(500), "{p99:?}");
    idle.close().await.expect("the end of the transaction");
}
