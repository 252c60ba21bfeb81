//! `GET /v1/events`: the websocket that events come through.
//!
//! Only the handshake lives here: the credential in the header, what axum checks of the request, and the
//! answer. Then HTTP hands over the bare socket to [`delivery`](crate::delivery): neither its buffers nor axum's
//! stay with a connection, so that an idle one costs little.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::Utc;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::asked::bearer;
use super::problem;
use crate::auth::{Authenticator, Rate};
use crate::delivery::{Connection, Gate, Pass, Timing, WebSocket};
use crate::http::App;
use crate::model::{Error, Reason};

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
    socket: Option<Extension<OnUpgrade>>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let gate = Door { auth: app.auth.clone(), rate: app.rate.clone() };
    let pass = match in_header(&gate, &headers).await {
        Ok(pass) => pass,
        Err(error) => return problem::response(&error),
    };
    let refused = |text: String| problem::response(&Error::new(Reason::InvalidParameter, text));
    // It is asked for its checks only: the websocket that it would make has buffers of its own.
    if let Err(rejection) = upgrade {
        return refused(format!("this route is a websocket: {rejection}"));
    }
    let (Some(Extension(socket)), Some(key)) = (socket, headers.get(header::SEC_WEBSOCKET_KEY))
    else {
        return refused("this route is a websocket".to_owned());
    };
    let connection = Connection {
        hub: app.hub.clone(),
        gate,
        sockets_per_user: app.sockets_per_user,
        timing: Timing::default(),
    };
    // The server waits for the socket from here on, and not only once it is upgraded.
    let tracked = app.hub.tasks().token();
    tokio::spawn(async move {
        if let Some(websocket) = upgraded(socket).await {
            connection.run(app.store.clone(), websocket, pass).await;
        }
        drop(tracked);
    });
    switching(key)
}

/// The answer to a good handshake.
fn switching(key: &HeaderValue) -> Response {
    let headers = [
        (header::CONNECTION, "upgrade".to_owned()),
        (header::UPGRADE, "websocket".to_owned()),
        (header::SEC_WEBSOCKET_ACCEPT, derive_accept_key(key.as_bytes())),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

/// The bare socket, once the answer is written.
async fn upgraded(socket: OnUpgrade) -> Option<WebSocket> {
    let upgraded =
        socket.await.inspect_err(|error| tracing::debug!("an upgrade failed: {error}")).ok()?;
    // The accept loop serves nothing else.
    let parts = upgraded.downcast::<TokioIo<TcpStream>>();
    let parts = parts.inspect_err(|_| tracing::error!("a websocket is not a TCP socket")).ok()?;
    Some(WebSocket::new(parts.io.into_inner(), &parts.read_buf))
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
