//! From the first frame to the first event.

use std::collections::HashSet;

use tokio::time::timeout;

use super::socket::Socket;
use super::{Connection, Gate, HELLO_BYTES, Pass};
use crate::delivery::cause::Cause;
use crate::delivery::frame::Frame;
use crate::delivery::hub::{Hub, Line};
use crate::delivery::resume::{self, Plan, Position};
use crate::delivery::source::Source;
use crate::delivery::transport::{Incoming, Transport};
use crate::delivery::wire::{self, Hello, Said};
use crate::metrics::CauseLabels;
use crate::model::{Error, Reason, StreamKey, UserId};

/// How often where to start is read again because the user became a member elsewhere meanwhile.
const ROUNDS: usize = 8;

/// Opens a connection: hears who it is, works out where it starts, says so, and lets events come.
pub(super) async fn open<G: Gate, S: Source, T: Transport>(
    connection: &Connection<G>,
    socket: &mut Socket<T>,
    source: S,
    pass: Option<Pass>,
) -> Result<(Line, Pass), Cause> {
    let timing = connection.timing;
    let stranger = connection.hub.stranger()?;
    let hello = match timeout(timing.hello, hear_hello(socket)).await {
        Ok(hello) => hello?,
        Err(_) => return Err(Cause::Protocol(format!("no hello within {:?}", timing.hello))),
    };
    let proving = prove(&connection.gate, hello.token.as_deref(), pass);
    let pass = timeout(timing.opening, proving).await.map_err(|_| Cause::Unavailable)??;
    drop(stranger);
    let mailbox = socket.mailbox().clone();
    let most = connection.sockets_per_user;
    let line = connection.hub.register(pass.user.clone(), most, mailbox).await?;
    // Whatever is revoked from here on, the hub tells.
    connection.gate.holds(&pass).map_err(refused)?;
    let position = hello.cursor.map(Position::from);
    let planning = plan(&connection.hub, &line, &source, &pass.user, position.as_ref());
    let plan = timeout(timing.opening, planning).await.map_err(|_| Cause::Unavailable)??;
    let heartbeat_ms = u64::try_from(timing.heartbeat.as_millis()).unwrap_or(u64::MAX);
    socket.send(wire::opening(&pass.user, &plan, heartbeat_ms)).await?;
    for reset in &plan.resets {
        let labels = CauseLabels { cause: reset.why.word() };
        connection.hub.metrics().resets.get_or_create(&labels).inc();
    }
    line.mailbox().open();
    line.open(plan.opening());
    Ok((line, pass))
}

async fn hear_hello<T: Transport>(socket: &mut Socket<T>) -> Result<Hello, Cause> {
    loop {
        let text = match socket.receive().await? {
            Incoming::Text(text) => text,
            Incoming::Binary => return Err(Cause::Protocol("binary frames are not used".into())),
            Incoming::Ping(payload) => {
                socket.send([Frame::pong(&payload)]).await?;
                continue;
            }
            Incoming::Pong | Incoming::Close(_) => continue,
        };
        if text.len() > HELLO_BYTES {
            let why = format!("hello has {} bytes, at most {HELLO_BYTES} are taken", text.len());
            return Err(Cause::Protocol(why));
        }
        return match wire::read(&text).map_err(Cause::Protocol)? {
            Said::Hello(hello) => Ok(hello),
            _ => Err(Cause::Protocol("the first frame must be hello".into())),
        };
    }
}

/// Who it is: by the token in `hello`, by the header, or by both, which must be the same user's.
async fn prove<G: Gate>(gate: &G, token: Option<&str>, pass: Option<Pass>) -> Result<Pass, Cause> {
    let Some(token) = token else {
        return pass.ok_or_else(|| Cause::Credential("no credential came with hello".into()));
    };
    let proved = gate.check(token).await.map_err(refused)?;
    match pass {
        Some(other) if other.user != proved.user => {
            Err(Cause::Credential("the header and hello name different users".into()))
        }
        _ => Ok(proved),
    }
}

/// What a refused credential means for the connection.
fn refused(error: Error) -> Cause {
    match error.reason {
        Reason::Unavailable | Reason::Internal => unavailable(&error),
        Reason::RateLimited => Cause::TooMany(error.text),
        _ => Cause::Credential(error.text),
    }
}

fn unavailable(error: &Error) -> Cause {
    let context = error.context.as_deref().unwrap_or(&error.text);
    tracing::warn!("a socket cannot open: {context}");
    Cause::Unavailable
}

/// Works out where the connection starts, so that nothing is missed between what the database said and the
/// first event: see [`router`](crate::delivery::router).
async fn plan<S: Source>(
    hub: &Hub,
    line: &Line,
    source: &S,
    user: &UserId,
    position: Option<&Position>,
) -> Result<Plan, Cause> {
    let mut covered: HashSet<StreamKey> = HashSet::new();
    for _ in 0..ROUNDS {
        let turn = hub.turn().await?;
        let snapshot =
            source.snapshot(user, position).await.map_err(|error| unavailable(&error))?;
        drop(turn);
        let plan = resume::plan(user, position, snapshot);
        let streams = plan.starts.iter().map(|start| start.stream.clone());
        let missing: Vec<StreamKey> = streams.filter(|key| covered.insert(key.clone())).collect();
        if missing.is_empty() || !line.interest(missing).await? {
            return Ok(plan);
        }
    }
    tracing::warn!(%user, "the user's groups change faster than a socket can open");
    Err(Cause::Unavailable)
}
