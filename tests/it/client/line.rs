//! A wire between a client and a server that is cut at will.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

#[derive(Default)]
struct State {
    /// Where it leads to.
    target: String,
    /// Nothing is carried while it is closed.
    closed: bool,
    /// How many bytes of the server the next connections carry before they break; later ones carry all.
    allowances: VecDeque<u64>,
    /// How many connections were carried.
    carried: usize,
}

/// The wire. It is gone when this is dropped.
pub(super) struct Line {
    state: Arc<Mutex<State>>,
    cuts: watch::Sender<()>,
    task: tokio::task::JoinHandle<()>,
    pub(super) url: String,
}

impl Line {
    /// A wire to this server.
    pub(super) async fn before(url: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let own = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State { target: address(url), ..State::default() }));
        let cuts = watch::Sender::new(());
        let (shared, watched) = (state.clone(), cuts.subscribe());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, shared.clone(), watched.clone()));
            }
        });
        Self { state, cuts, task, url: own }
    }

    fn change(&self, act: impl FnOnce(&mut State)) {
        act(&mut self.state.lock().expect("nobody panicked"));
    }

    /// Breaks every connection, and new ones until it is opened.
    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
        self.cuts.send_replace(());
    }

    /// Carries again; the first connections only these numbers of bytes.
    pub(super) fn open(&self, allowances: &[u64]) {
        self.change(|state| {
            state.closed = false;
            state.allowances = allowances.iter().copied().collect();
            state.carried = 0;
        });
    }

    /// Leads new connections to another server.
    pub(super) fn lead_to(&self, url: &str) {
        self.change(|state| state.target = address(url));
    }

    /// How many connections were carried since it was opened.
    pub(super) fn carried(&self) -> usize {
        self.state.lock().expect("nobody panicked").carried
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
        self.close();
    }
}

fn address(url: &str) -> String {
    url.strip_prefix("http://").expect("an address").to_owned()
}

async fn carry(mut client: TcpStream, state: Arc<Mutex<State>>, mut cuts: watch::Receiver<()>) {
    cuts.mark_unchanged();
    let (target, allowance) = {
        let mut state = state.lock().expect("nobody panicked");
        if state.closed {
            return;
        }
        state.carried += 1;
        (state.target.clone(), state.allowances.pop_front().unwrap_or(u64::MAX))
    };
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let mut from_server = from_server.take(allowance);
    tokio::select! {
        _ = copy(&mut from_client, &mut to_server) => {}
        _ = copy(&mut from_server, &mut to_client) => {}
        _ = cuts.changed() => {}
    }
}
