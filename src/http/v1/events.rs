//! `GET /v1/events`: the websocket that events come through.
//!
//! Only the adapter lives here: the credential in the header, the upgrade with small buffers (an idle
//! socket costs little), and the translation between axum's frames and those of
//! [`delivery`](crate::delivery), which speaks the protocol.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use axum::Error as SocketError;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use chrono::Utc;
use futures_util::{Sink, Stream};
use tokio_tungstenite::tungstenite;

use super::asked::bearer;
use super::problem;
use crate::auth::{Authenticator, Rate};
use crate::delivery::{Connection, Gate, Incoming, Lost, Outgoing, Pass, Timing};
use crate::http::App;
use crate::model::{Error, Reason};

/// Bytes of the buffer for what comes in.
const READ_BUFFER: usize = 4 * 1024;
/// Bytes that are gathered before they are written.
const WRITE_BUFFER: usize = 8 * 1024;
/// Most bytes that wait to be written; larger than any frame.
const WRITE_BUFFER_MOST: usize = 1024 * 1024;
/// Longest message that is read at all. Above what the protocol allows, so that a client which sends too
/// much is told so instead of being cut off.
const MESSAGE_BYTES: usize = 1024 * 1024;

/// Every event at once: a websocket.
///
/// JSON text frames with a `type`. The token comes in the `Authorization` header or in `hello`, never in the URL.
/// The AsyncAPI document at `/v1/asyncapi.json` has every frame with all its fields.
///
/// - The client says `{"type": "hello", "token"?, "cursor"?: {"epoch", "user", "groups": {"team": 7}}}` within five
///   seconds; `auth` with a fresh `token` before the old one ends; `ping`.
/// - The server says `welcome` with `userID`, `epoch`, `heartbeatMs`, `userSeq` and all `groups` of the user (more follow
///   in `groups`), replays what the cursor missed, and says `ready`: live from here.
/// - `event` frames look as in `GET /v1/groups/{groupID}/events`. Personal ones have `"stream": "user"` and `userSeq`
///   instead of `seq`.
/// - `reset` says what cannot be replayed: load it over REST and go on after its `seq`.
/// - `bye` with `code` and `retryMs`, then the end: 1001 shutdown, 4001 credential, 4002 protocol, 4008 too slow, 4009
///   silent, 4029 too many.
#[utoipa::path(
    get, path = "/events", tag = "Events",
    security((), ("bearer" = [])),
    responses((status = 101, description = "The websocket."))
)]
pub async fn events(
    State(app): State<App>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let gate = Door { auth: app.auth.clone(), rate: app.rate.clone() };
    let pass = match in_header(&gate, &headers).await {
        Ok(pass) => pass,
        Err(error) => return problem::response(&error),
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            let text = format!("this route is a websocket: {rejection}");
            return problem::response(&Error::new(Reason::InvalidParameter, text));
        }
    };
    let connection = Connection {
        hub: app.hub.clone(),
        gate,
        sockets_per_user: app.sockets_per_user,
        timing: Timing::default(),
    };
    // The server waits for the socket from here on, and not only once it is upgraded.
    let tracked = app.hub.tasks().token();
    upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        .max_write_buffer_size(WRITE_BUFFER_MOST)
        .max_message_size(MESSAGE_BYTES)
        .max_frame_size(MESSAGE_BYTES)
        .on_failed_upgrade(|error| tracing::debug!("an upgrade failed: {error}"))
        .on_upgrade(move |socket| async move {
            connection.run(app.store, Frames(socket), pass).await;
            drop(tracked);
        })
}

/// The credential in the `Authorization` header, if there is one.
async fn in_header(gate: &Door, headers: &HeaderMap) -> Result<Option<Pass>, Error> {
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    gate.check(bearer(headers)?).await.map(Some)
}

/// Who may come in. An opened socket and a fresh credential count as requests of the caller.
struct Door {
    auth: Arc<Authenticator>,
    rate: Arc<Rate>,
}

impl Gate for Door {
    async fn check(&self, token: &str) -> Result<Pass, Error> {
        let credential = self.auth.authenticate(token, Utc::now()).await?;
        if !credential.caller.administrator {
            self.rate.check(&credential.caller.user)?;
        }
        Ok(Pass {
            user: credential.caller.user,
            issued_at: credential.issued_at,
            until: credential.expires_at,
        })
    }

    fn holds(&self, pass: &Pass) -> Result<(), Error> {
        self.auth.revocations().check(&pass.user, pass.issued_at)
    }
}

/// axum's websocket as a transport.
struct Frames(WebSocket);

impl Stream for Frames {
    type Item = Result<Incoming, Lost>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let frame = ready!(Pin::new(&mut self.0).poll_next(cx));
        Poll::Ready(frame.map(|frame| match frame {
            Ok(Message::Text(text)) => Ok(Incoming::Text(text.as_str().to_owned())),
            Ok(Message::Binary(_)) => Ok(Incoming::Binary),
            Ok(Message::Ping(_) | Message::Pong(_)) => Ok(Incoming::Signal),
            Ok(Message::Close(_)) => Ok(Incoming::Close),
            Err(error) => Err(lost(error)),
        }))
    }
}

impl Sink<Outgoing> for Frames {
    type Error = Lost;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        Pin::new(&mut self.0).poll_ready(cx).map_err(lost)
    }

    fn start_send(mut self: Pin<&mut Self>, frame: Outgoing) -> Result<(), Lost> {
        let message = match frame {
            Outgoing::Text(frame) => {
                let text = Utf8Bytes::try_from(frame.into_bytes()).map_err(|_| Lost::Broken)?;
                Message::Text(text)
            }
            Outgoing::Ping => Message::Ping(axum::body::Bytes::new()),
            Outgoing::Close { code, reason } => {
                Message::Close(Some(CloseFrame { code, reason: reason.into() }))
            }
        };
        Pin::new(&mut self.0).start_send(message).map_err(lost)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(lost)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        Pin::new(&mut self.0).poll_close(cx).map_err(lost)
    }
}

/// Why a websocket cannot go on.
fn lost(error: SocketError) -> Lost {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => Lost::TooLarge,
        Some(
            tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )
            | tungstenite::Error::Io(_),
        ) => Lost::Broken,
        Some(tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_)) => Lost::Malformed,
        _ => Lost::Broken,
    }
}
