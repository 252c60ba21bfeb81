//! A whole run: clients that come and go, groups that change, some trouble, and the judge at the end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::churn::Churn;
use super::follow::{Client, Habits, Mood};
use super::judge::{Rules, Verdict, judge};
use super::nodes::Nodes;
use super::record::Record;
use super::truth::Truth;
use crate::common::check_invariants;

/// How large a run is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Size {
    pub(super) nodes: usize,
    pub(super) clients: usize,
    pub(super) groups: usize,
    pub(super) callers: u64,
    /// About how long a caller rests between two calls.
    pub(super) rest: Duration,
    pub(super) lasts: Duration,
    pub(super) seed: u64,
}

fn setting(name: &str) -> Option<u64> {
    Some(std::env::var(name).ok()?.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

impl Size {
    /// `MUSTER_FAULT_SECONDS`, `MUSTER_FAULT_CLIENTS`, `MUSTER_FAULT_NODES` and `MUSTER_TEST_SEED` change it.
    pub(super) fn of_this_run() -> Self {
        let seed = setting("MUSTER_TEST_SEED").unwrap_or_else(rand::random);
        println!("MUSTER_TEST_SEED={seed}");
        let nodes = setting("MUSTER_FAULT_NODES").unwrap_or(3);
        let clients = setting("MUSTER_FAULT_CLIENTS").unwrap_or(80);
        Self {
            clients: usize::try_from(clients).expect("a number"),
            nodes: usize::try_from(nodes).expect("a number"),
            groups: 40,
            callers: 4,
            rest: Duration::from_millis(30),
            lasts: Duration::from_secs(setting("MUSTER_FAULT_SECONDS").unwrap_or(8)),
            seed,
        }
    }
}

/// A run that goes on.
pub(super) struct Field {
    pub(super) nodes: Arc<Nodes>,
    clients: Vec<Client>,
    churn: Churn,
    /// The database's own address, past any wire.
    database: String,
    ends: Instant,
}

impl Field {
    /// Makes groups, connects clients and lets both go.
    pub(super) async fn start(nodes: Nodes, database: &str, size: Size, habits: Habits) -> Self {
        let nodes = Arc::new(nodes);
        // Some users have two clients.
        let count = size.clients - size.clients / 10;
        let users: Vec<String> = (0..count).map(|number| format!("u{number}")).collect();
        let mut churn = Churn::prepare(nodes.clone(), users.clone(), size.groups).await;
        let clients = (0..size.clients).map(|number| {
            let seed = size.seed.wrapping_add(1_000 + number as u64);
            Client::start(&users[number % count], nodes.clone(), habits, seed)
        });
        let clients: Vec<Client> = clients.collect();
        for client in &clients {
            client.ready().await;
        }
        churn.start(size.callers, size.rest, size.seed);
        let (database, ends) = (database.to_owned(), Instant::now() + size.lasts);
        Self { nodes, clients, churn, database, ends }
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.ends
    }

    /// Lets time pass, at most as much as there is left.
    pub(super) async fn pass(&self, time: Duration) {
        tokio::time::sleep_until(self.ends.min(Instant::now() + time)).await;
    }

    /// Lets the rest of the time pass.
    pub(super) async fn pass_all(&self) {
        tokio::time::sleep_until(self.ends).await;
    }

    /// Ends the changes for a while, or for good.
    pub(super) async fn calm_down(&mut self) {
        let answers = self.churn.end().await;
        println!("answers by status, 0 for none: {answers:?}");
        let done = answers.iter().filter(|(status, _)| (200..300).contains(*status));
        assert!(done.map(|(_, count)| count).sum::<u64>() > 20, "little was done");
    }

    /// Lets the changes begin again, for so long.
    pub(super) fn go_on(&mut self, size: Size, time: Duration) {
        self.ends = Instant::now() + time;
        self.churn.start(size.callers, size.rest, size.seed.wrapping_add(100));
    }

    /// Waits until everything has come to rest, and takes the records and the history.
    pub(super) async fn rest(mut self, patience: Duration) -> (Vec<Record>, Truth) {
        self.calm_down().await;
        let mut truth = Truth::read(&self.database).await;
        loop {
            settle(&self.clients, &truth, patience).await;
            // A call that nobody waited for may have been committed only now.
            let later = Truth::read(&self.database).await;
            let rests = later.events() == truth.events();
            truth = later;
            if rests {
                return (end(self.clients).await, truth);
            }
        }
    }

    /// The same, and the judge's verdict, which must be good.
    pub(super) async fn finish(self, name: &str, rules: &Rules) -> Verdict {
        let database = self.database.clone();
        let nodes = self.nodes.clone();
        let (records, truth) = self.rest(rules.patience * 2).await;
        let epoch = epoch_of(&records);
        let mut verdict = judge(&records, &[(epoch, truth)], rules);
        nodes.print_repairs(name).await;
        let logged = nodes.logged();
        let errors =
            logged.lines().filter(|line| line.contains("ERROR") || line.contains("panicked"));
        let errors: Vec<&str> = errors.take(10).collect();
        println!(
            "{name}: {} lines in the logs of the nodes; errors: {errors:#?}",
            logged.lines().count()
        );
        verdict.pass(name);
        check_invariants(&database).await;
        verdict
    }
}

/// Waits until all clients have seen all that they may see.
pub(super) async fn settle(clients: &[Client], truth: &Truth, patience: Duration) {
    for client in clients {
        client.be(Mood::Steady);
    }
    let until = Instant::now() + patience;
    while let Some(why) = clients.iter().find_map(|client| client.behind(truth)) {
        if Instant::now() > until {
            // The judge will say more.
            println!("not at rest after {patience:?}: {why}");
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What came too much would come now.
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// Ends all clients.
pub(super) async fn end(clients: Vec<Client>) -> Vec<Record> {
    futures_util::future::join_all(clients.into_iter().map(Client::end)).await
}

/// The epoch that the records end in.
pub(super) fn epoch_of(records: &[Record]) -> String {
    use super::record::Said;
    let items = records.iter().flat_map(|record| record.items.iter().rev());
    let mut epochs = items.filter_map(|item| match &item.said {
        Said::Welcome { epoch, .. } => Some(epoch.clone()),
        _ => None,
    });
    epochs.next().expect("a welcome")
}
