//! A database that can be taken away: a wire between a server and PostgreSQL that is cut at will.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;

/// How the wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Whole,
    /// Nothing comes through, and nobody is told: a peer whose network is gone.
    Silent,
    Cut,
}

/// The wire. It is gone when this is dropped.
pub(crate) struct Proxy {
    state: Arc<watch::Sender<State>>,
    task: tokio::task::JoinHandle<()>,
    /// The database's address through the wire.
    pub(crate) url: String,
}

impl Proxy {
    /// A wire to a database of the tests' cluster.
    pub(crate) async fn before(database: &str) -> Self {
        let url = url::Url::parse(database).expect("an address");
        let dir = url.query_pairs().find(|(name, _)| name == "host").expect("a directory").1;
        let port = url.port().unwrap_or(5432);
        let socket = format!("{dir}/.s.PGSQL.{port}");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let url = format!("postgres://{}@{address}{}?sslmode=disable", url.username(), url.path());
        let (state, watched) = watch::channel(State::Whole);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(carry(stream, socket.clone(), watched.clone()));
            }
        });
        Self { state: Arc::new(state), task, url }
    }

    /// Ends every connection and every new one.
    pub(crate) fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Keeps every connection and carries nothing any more.
    pub(crate) fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    pub(crate) fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
        self.cut();
    }
}

async fn carry(mut client: TcpStream, socket: String, mut state: watch::Receiver<State>) {
    while *state.borrow_and_update() == State::Silent {
        if state.changed().await.is_err() {
            return;
        }
    }
    if *state.borrow() == State::Cut {
        return;
    }
    let Ok(mut server) = UnixStream::connect(socket).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => return,
        _ = state.wait_for(|state| *state != State::Whole) => {}
    }
    // What was under way is lost; the ends learn of it once the wire is whole or cut.
    drop(state.wait_for(|state| *state != State::Silent).await);
}
