//! A copy of the database takes its place, and lacks the newest events: whoever saw those begins anew.

use std::time::Duration;

use super::ALONE;
use super::field::{Field, Size, epoch_of};
use super::follow::Habits;
use super::judge::{Rules, judge};
use super::nodes::Nodes;
use super::record::{Record, Said, Scope};
use super::truth::Truth;
use crate::common::check_invariants;
use crate::common::postgres::Postgres;

/// The first epoch that somebody was welcomed in.
fn first_epoch(records: &[Record]) -> String {
    let said = records.iter().flat_map(|record| &record.items).map(|item| &item.said);
    let mut epochs = said.filter_map(|said| match said {
        Said::Welcome { epoch, .. } => Some(epoch.clone()),
        _ => None,
    });
    epochs.next().expect("a welcome")
}

fn began_anew(record: &Record) -> bool {
    let anew = |said: &Said| match said {
        Said::Reset { scope, why } => *scope == Scope::All && why == "epoch",
        _ => false,
    };
    record.items.iter().any(|item| anew(&item.said))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_a_promoted_copy_lacks_the_newest_events_every_client_begins_anew() {
    let _alone = ALONE.lock().await;
    let size = Size::of_this_run();
    let postgres = Postgres::start().await;
    let nodes = Nodes::start(size.nodes, &postgres.url(), &[]).await;
    let mut field = Field::start(nodes, &postgres.url(), size, Habits::RESTLESS).await;
    field.pass(size.lasts / 4).await;
    let copy = postgres.copy();
    field.pass(size.lasts / 4).await;
    field.calm_down().await;
    let before = Truth::read(&postgres.url()).await;
    postgres.replace_by(copy).await;
    let kept = Truth::read(&postgres.url()).await;
    let length = |truth: &Truth| truth.groups.values().map(Vec::len).sum::<usize>();
    println!("{} of {} events are in the copy", length(&kept), length(&before));
    assert!(length(&kept) + 20 < length(&before), "the copy lacks too little");
    field.go_on(size, size.lasts / 2);
    field.pass_all().await;
    let rules =
        Rules { resets: &["epoch", "rejoined"], patience: Duration::from_secs(15), ..Rules::CALM };
    let (records, after) = field.rest(rules.patience * 2).await;
    let truths = [(first_epoch(&records), before), (epoch_of(&records), after)];
    assert_ne!(truths[0].0, truths[1].0, "the epoch is another");
    let mut verdict = judge(&records, &truths, &rules);
    verdict.pass("promoted copy");
    assert!(records.iter().all(began_anew), "somebody was not told");
    check_invariants(&postgres.url()).await;
}
