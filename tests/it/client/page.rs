//! A page in a real Chromium, and the small server that it comes from.
//!
//! The page reports what its client calls by posting it, does what the test tells it, and may take the
//! server for one of Muster's: the test then speaks the protocol itself.

use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::header;
use axum::response::{Html, IntoResponse};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::sync::{Mutex as Turn, MutexGuard, mpsc};

use super::MODULE;
use crate::common::process::Directory;

/// Longest wait for what must come.
const PATIENCE: Duration = Duration::from_secs(30);

/// Browsers are large: one at a time.
static ONE: Turn<()> = Turn::const_new(());

/// What every page has: `report`, `follow`, and an ear for commands.
const PRELUDE: &str = r#"
let last = Promise.resolve();
globalThis.report = (...words) => {
  const plain = words.map((word) => word === undefined ? null : word instanceof Error ? String(word) : word);
  const body = JSON.stringify(plain);
  last = last.then(() => fetch("/report", { method: "POST", body }));
  return last;
};
addEventListener("error", ({ message }) => report("fault", message));
addEventListener("unhandledrejection", ({ reason }) => report("fault", reason));
globalThis.token = async () => (await fetch("/token")).json();
// A client that reports every callback which the options do not name.
globalThis.follow = (options) => connect(new Proxy(options, {
  get: (own, name) => name in own ? own[name]
    : String(name).startsWith("on") ? (...given) => { report(name, ...given); } : undefined,
}));
(async () => {
  for (;;) {
    const answer = await fetch("/command");
    try { (0, eval)(await answer.text()); } catch (error) { report("fault", error); }
  }
})();
"#;

type Tokens = Box<dyn FnMut() -> Value + Send>;

/// What the routes of the page's server share.
struct Stage {
    html: String,
    reports: mpsc::UnboundedSender<Value>,
    commands: Turn<mpsc::UnboundedReceiver<String>>,
    sockets: mpsc::UnboundedSender<WebSocket>,
    tokens: Mutex<Tokens>,
}

/// The page. The browser is ended when this is dropped, however the test ends.
pub(super) struct Page {
    browser: Child,
    _profile: Directory,
    _turn: MutexGuard<'static, ()>,
    task: tokio::task::JoinHandle<()>,
    reports: mpsc::UnboundedReceiver<Value>,
    commands: mpsc::UnboundedSender<String>,
    sockets: mpsc::UnboundedReceiver<WebSocket>,
    /// Every report so far: the callback's name and what it got.
    pub(super) seen: Vec<Value>,
}

impl Page {
    /// Opens a page whose client comes from its own server, which is no Muster.
    pub(super) async fn faked(script: &str) -> Self {
        Self::open("", script, || json!("a token")).await
    }

    /// Opens a page that imports the client from this server (its own when there is no address) and runs a
    /// script. `tokens`: what `token()` gets in the page.
    pub(super) async fn open(
        server: &str,
        script: &str,
        tokens: impl FnMut() -> Value + Send + 'static,
    ) -> Self {
        let turn = ONE.lock().await;
        let html = format!(
            "<!doctype html><meta charset=\"utf-8\"><title>a page</title><script type=\"module\">\n\
             import {{ connect }} from \"{server}/client.js\";\nglobalThis.connect = connect;\n\
             {PRELUDE}{script}</script>"
        );
        let (reports_in, reports) = mpsc::unbounded_channel();
        let (commands, commands_out) = mpsc::unbounded_channel();
        let (sockets_in, sockets) = mpsc::unbounded_channel();
        let stage = Arc::new(Stage {
            html,
            reports: reports_in,
            commands: Turn::new(commands_out),
            sockets: sockets_in,
            tokens: Mutex::new(Box::new(tokens)),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address"));
        let task = tokio::spawn(async move {
            axum::serve(listener, routes(stage)).await.expect("it serves");
        });
        let profile = Directory::new("browser");
        std::fs::create_dir_all(profile.path()).expect("a directory");
        let browser = browse(&url, &profile);
        Self {
            browser,
            _profile: profile,
            _turn: turn,
            task,
            reports,
            commands,
            sockets,
            seen: Vec::new(),
        }
    }

    /// Runs a line in the page.
    pub(super) fn run(&self, line: &str) {
        self.commands.send(line.to_owned()).expect("the page listens");
    }

    /// The next report, whatever it is.
    pub(super) async fn report(&mut self) -> Value {
        let next = tokio::time::timeout(PATIENCE, self.reports.recv()).await;
        let report = next.unwrap_or_else(|_| panic!("no more after {:#?}", self.tail()));
        let report = report.expect("a report");
        assert_ne!(report[0], "fault", "{report} after {:#?}", self.tail());
        self.seen.push(report.clone());
        report
    }

    /// Waits for the next report of this callback and gives what it got.
    pub(super) async fn expect(&mut self, name: &str) -> Value {
        loop {
            let report = self.report().await;
            if report[0] == name {
                return report;
            }
        }
    }

    /// Everything that was reported until the page has done all that it was told before.
    pub(super) async fn settled(&mut self) -> &[Value] {
        self.run("report('settled')");
        self.expect("settled").await;
        &self.seen
    }

    /// What callbacks of this name got, each time.
    pub(super) fn calls(&self, name: &str) -> Vec<&Value> {
        self.seen.iter().filter(|report| report[0] == name).collect()
    }

    fn tail(&self) -> &[Value] {
        &self.seen[self.seen.len().saturating_sub(12)..]
    }

    /// The next websocket of the page, with what it said first.
    pub(super) async fn accept(&mut self) -> Fake {
        let next = tokio::time::timeout(PATIENCE, self.sockets.recv()).await;
        let next = next.unwrap_or_else(|_| panic!("no socket after {:#?}", self.tail()));
        let mut fake =
            Fake { socket: next.expect("a socket"), hello: Value::Null, at: Instant::now() };
        fake.hello = fake.frame().await.expect("hello");
        fake
    }

    /// Makes sure that the page does not come back within this time.
    pub(super) async fn stays_away(&mut self, time: Duration) {
        assert!(tokio::time::timeout(time, self.sockets.recv()).await.is_err(), "it came back");
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.task.abort();
        // The browser is several processes, all in one group.
        let group = format!("-{}", self.browser.id());
        Command::new("kill").args(["-KILL", "--", &group]).status().ok();
        self.browser.wait().ok();
    }
}

fn browse(url: &str, profile: &Directory) -> Child {
    let flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
    ];
    // When this process has ended, however it ended, so does the browser.
    Command::new("/bin/sh")
        .arg("-c")
        .arg("chromium \"$@\" </dev/null & cat >/dev/null; kill -KILL 0")
        .arg("chromium")
        .args(flags)
        .arg(format!("--user-data-dir={}", profile.text()))
        .arg(url)
        .env("HOME", profile.path())
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

fn routes(stage: Arc<Stage>) -> Router {
    Router::new()
        .route("/", get(|State(stage): State<Arc<Stage>>| async move { Html(stage.html.clone()) }))
        .route(
            "/client.js",
            get(|| async { ([(header::CONTENT_TYPE, "text/javascript")], MODULE) }),
        )
        .route("/report", post(reported))
        .route("/command", get(command))
        .route("/token", get(token))
        .route("/v1/events", get(upgrade))
        .with_state(stage)
}

async fn reported(State(stage): State<Arc<Stage>>, body: String) {
    let report = serde_json::from_str(&body).expect("a report in JSON");
    stage.reports.send(report).ok();
}

async fn command(State(stage): State<Arc<Stage>>) -> String {
    stage.commands.lock().await.recv().await.unwrap_or_default()
}

async fn token(State(stage): State<Arc<Stage>>) -> String {
    let mut tokens = stage.tokens.lock().expect("nobody panicked");
    tokens().to_string()
}

async fn upgrade(State(stage): State<Arc<Stage>>, upgrade: WebSocketUpgrade) -> impl IntoResponse {
    upgrade.on_upgrade(move |socket| async move {
        stage.sockets.send(socket).ok();
    })
}

/// A websocket of the page, at whose other end the test is the server.
pub(super) struct Fake {
    socket: WebSocket,
    /// What the client said first.
    pub(super) hello: Value,
    /// When it came.
    pub(super) at: Instant,
}

impl Fake {
    /// The client's next frame, or nothing when it has closed.
    pub(super) async fn frame(&mut self) -> Option<Value> {
        let next = async {
            loop {
                match self.socket.recv().await {
                    Some(Ok(Message::Text(text))) => {
                        return Some(serde_json::from_str(text.as_str()).expect("JSON"));
                    }
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    _ => return None,
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("a frame in time")
    }

    pub(super) async fn say(&mut self, frame: &Value) {
        self.socket.send(Message::text(frame.to_string())).await.expect("it is sent");
    }

    /// Says `welcome` to Bob with these groups and where they start.
    pub(super) async fn welcome(&mut self, epoch: &str, user_seq: u64, groups: &[(&str, u64)]) {
        self.greet("bob", epoch, user_seq, 25_000, groups).await;
    }

    pub(super) async fn greet(
        &mut self,
        user: &str,
        epoch: &str,
        user_seq: u64,
        heartbeat_ms: u64,
        groups: &[(&str, u64)],
    ) {
        self.say(&json!({ "type": "welcome", "userID": user, "epoch": epoch, "userSeq": user_seq,
            "heartbeatMs": heartbeat_ms, "groups": lines(groups) }))
            .await;
    }

    pub(super) async fn ready(&mut self) {
        self.say(&json!({ "type": "ready" })).await;
    }

    /// Says that a group's members changed: some event that is about nobody's membership of Bob's.
    pub(super) async fn event(&mut self, group: &str, seq: u64) {
        self.tell(group, seq, "onMemberInvited", "carol").await;
    }

    /// Tells of an event that names this person.
    pub(super) async fn tell(&mut self, group: &str, seq: u64, event: &str, user: &str) {
        let mut frame = json!({ "type": "event", "event": event, "groupID": group, "seq": seq,
            "time": "2026-01-01T12:00:00.000Z", "opUser": { "userID": "alice" } });
        if event == "onMemberLeave" {
            frame["member"] = json!({ "userID": user });
        } else {
            frame["memberList"] = json!([{ "userID": user }]);
        }
        self.say(&frame).await;
    }

    pub(super) async fn own(&mut self, seq: u64) {
        let application = json!({ "applicationID": "1", "message": "let me in" });
        self.say(&json!({ "type": "event", "stream": "user", "userSeq": seq, "groupID": "g",
            "event": "onReceiveJoinApplication", "opUser": { "userID": "carol" },
            "application": application }))
            .await;
    }

    /// Says `bye` and closes, as the server does.
    pub(super) async fn bye(mut self, code: u16, retry_ms: u64) {
        self.say(&json!({ "type": "bye", "code": code, "retryMs": retry_ms, "why": "so" })).await;
        self.close(code).await;
    }

    /// Closes with a code alone.
    pub(super) async fn close(mut self, code: u16) {
        let close = CloseFrame { code, reason: "so".into() };
        self.socket.send(Message::Close(Some(close))).await.ok();
        while let Some(Ok(_)) = self.socket.recv().await {}
    }
}

/// Groups as `welcome` and `groups` list them.
pub(super) fn lines(groups: &[(&str, u64)]) -> Value {
    let line = |(group, seq): &(&str, u64)| json!({ "groupID": group, "seq": seq, "head": seq, "role": "Member" });
    groups.iter().map(line).collect()
}
