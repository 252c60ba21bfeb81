//! Nodes: real processes on one database, which end and come back.

use std::sync::RwLock;

use rand::RngExt;
use rand::rngs::StdRng;
use tokio::sync::Mutex;

use crate::common::process::{Directory, Process};

/// Nodes with the same settings.
pub(super) struct Nodes {
    settings: Vec<(String, String)>,
    processes: Vec<Mutex<Option<Process>>>,
    urls: RwLock<Vec<Option<String>>>,
    http: reqwest::Client,
    log: Directory,
}

impl Nodes {
    /// So many nodes on a database.
    pub(super) async fn start(count: usize, database: &str, settings: &[(&str, &str)]) -> Self {
        let mut all = vec![
            ("DATABASE_URL".to_owned(), database.to_owned()),
            ("MUSTER_LANES".to_owned(), "2".to_owned()),
            ("MUSTER_READERS".to_owned(), "6".to_owned()),
            ("MUSTER_LOG".to_owned(), "warn".to_owned()),
        ];
        let given = settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        all.extend(given);
        let nodes = Self {
            settings: all,
            processes: (0..count).map(|_| Mutex::new(None)).collect(),
            urls: RwLock::new(vec![None; count]),
            http: reqwest::Client::new(),
            log: Directory::new("nodes"),
        };
        std::fs::create_dir_all(nodes.log.path()).expect("a directory");
        // The first makes the tables.
        nodes.launch(0).await;
        futures_util::future::join_all((1..count).map(|number| nodes.launch(number))).await;
        nodes
    }

    /// Starts a node that does not run.
    pub(super) async fn launch(&self, number: usize) {
        let settings: Vec<(&str, &str)> =
            self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let process = Process::start_with_log(&settings, &self.log.path().join("log")).await;
        let url = process.url.clone();
        *self.processes[number].lock().await = Some(process);
        self.urls.write().expect("nobody panicked")[number] = Some(url);
    }

    async fn take(&self, number: usize) -> Process {
        let process = self.processes[number].lock().await.take();
        self.urls.write().expect("nobody panicked")[number] = None;
        process.expect("a node that runs")
    }

    /// Kills a node as a power cut would.
    pub(super) async fn kill(&self, number: usize) {
        self.take(number).await.kill();
    }

    /// Ends a node in order.
    pub(super) async fn terminate(&self, number: usize) {
        assert!(self.take(number).await.terminate().await, "node {number} ends in order");
    }

    pub(super) fn count(&self) -> usize {
        self.processes.len()
    }

    /// The address of a node that should be there.
    pub(super) fn any(&self, dice: &mut StdRng) -> String {
        let urls = self.urls.read().expect("nobody panicked");
        let there: Vec<&String> = urls.iter().flatten().collect();
        match there.len() {
            // Nobody listens there.
            0 => "http://127.0.0.1:9".to_owned(),
            count => there[dice.random_range(0..count)].clone(),
        }
    }

    pub(super) fn url(&self, number: usize) -> String {
        let urls = self.urls.read().expect("nobody panicked");
        urls[number].clone().expect("a node that runs")
    }

    /// Something of a running node.
    pub(super) async fn of<T>(&self, number: usize, what: impl FnOnce(&Process) -> T) -> T {
        what(self.processes[number].lock().await.as_ref().expect("a node that runs"))
    }

    pub(super) fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// Prints what the nodes say of their repairs.
    pub(super) async fn print_repairs(&self, name: &str) {
        let events = self.metric("muster_repaired_total{what=\"event\"}").await;
        let memberships = self.metric("muster_repaired_total{what=\"membership\"}").await;
        let missed = self.metric("muster_bus_lost_total").await;
        println!(
            "{name}: {missed} payloads missed, {events} events and {memberships} memberships found again"
        );
    }

    /// What all nodes have logged so far.
    pub(super) fn logged(&self) -> String {
        std::fs::read_to_string(self.log.path().join("log")).unwrap_or_default()
    }

    /// A counter or gauge, over all nodes that run.
    pub(super) async fn metric(&self, line: &str) -> f64 {
        let mut sum = 0.0;
        for process in &self.processes {
            let ops = process.lock().await.as_ref().map(|process| process.ops.clone());
            let Some(ops) = ops else { continue };
            let Ok(answer) = self.http.get(format!("{ops}/metrics")).send().await else { continue };
            let text = answer.text().await.unwrap_or_default();
            let numbers = text.lines().filter_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
            sum += numbers.filter_map(|number| number.parse::<f64>().ok()).sum::<f64>();
        }
        sum
    }
}
