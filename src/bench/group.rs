//! A group whose members have sockets.

use std::net::{SocketAddr, ToSocketAddrs as _};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::Bench;
use super::caller::{Caller, Request};
use super::site::Server;
use super::sockets::{Crowd, Opening};
use super::state::head;
use super::writes::make_group;

/// People in a call.
const CALL: usize = 300;

/// A group whose members have sockets.
pub(super) struct Group {
    pub(super) id: String,
    people: Vec<String>,
}

impl Group {
    pub(super) async fn make(bench: &Bench<'_>, name: &str, people: u32) -> anyhow::Result<Self> {
        let id = bench.name(name);
        make_group(&bench.server, &id).await?;
        let people: Vec<String> = (0..people).map(|number| format!("{id}p{number}")).collect();
        let token = bench.server.token("administrator")?;
        let mut admin = Caller::connect(&bench.server.address, &token).await?;
        for some in people.chunks(CALL) {
            let body = serde_json::json!({ "userList": some }).to_string();
            admin.must(&Request::post(format!("/v1/groups/{id}/invite"), body)).await?;
        }
        Ok(Self { id, people })
    }

    /// Opens a socket for each member that begins without a cursor.
    pub(super) async fn sockets(&self, server: &Server) -> anyhow::Result<Crowd> {
        Crowd::open(address(server)?, self.openings(server, "")?).await
    }

    /// How the sockets of all its members begin.
    pub(super) fn openings(&self, server: &Server, cursor: &str) -> anyhow::Result<Vec<Opening>> {
        let opening = |person: &String| {
            anyhow::Ok(Opening::Hello { token: server.token(person)?, cursor: cursor.to_owned() })
        };
        self.people.iter().map(opening).collect()
    }

    /// The bytes of an event of this group as it goes over the wire.
    pub(super) async fn frame_bytes(&self, callers: &mut [Caller]) -> anyhow::Result<Vec<u8>> {
        let caller = callers.first_mut().context("nobody asks")?;
        let (seq, _) = head(caller, &self.id).await?;
        let path = format!("/v1/groups/{}/events?after={}", self.id, seq - 1);
        let page = caller.must(&Request::get(path)).await?;
        // Those who were invited together are one event: as long as one of a single person.
        let mut event = page["eventList"][0].clone();
        if let Some(members) = event["memberList"].as_array_mut() {
            members.truncate(1);
        }
        let text = event.to_string();
        let mut bytes = vec![0x81, 126];
        bytes.extend_from_slice(&u16::try_from(text.len())?.to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
        Ok(bytes)
    }
}

/// The epoch of a server, as a socket is told.
pub(super) async fn epoch(server: &Server) -> anyhow::Result<String> {
    let mut request = format!("ws://{}/v1/events", server.address).into_client_request()?;
    let bearer = format!("Bearer {}", server.token("administrator")?);
    request.headers_mut().insert("authorization", bearer.parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    socket.send(r#"{"type":"hello"}"#.into()).await?;
    let welcome = socket.next().await.context("no welcome")??;
    let welcome: serde_json::Value = serde_json::from_str(welcome.to_text()?)?;
    socket.close(None).await.ok();
    let epoch = welcome["epoch"].as_str().context("no epoch")?;
    Ok(epoch.to_owned())
}

/// Where sockets of a server open.
pub(super) fn address(server: &Server) -> anyhow::Result<SocketAddr> {
    server.address.to_socket_addrs()?.next().context("no address")
}
