//! Statements of the yardstick behind a bare loop over HTTP: no Muster, no rules, no log that anybody could follow, no
//! credentials. What is left of pgbench's rate here is more than a server could reach that asks the database for each
//! call by itself. (Calls that share a statement can be faster.)

use std::sync::Arc;

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::caller::{Answer, Request, body_of};
use super::load::Work;
use super::report::Case;
use super::writes::{GROUPS, batch_script};
use super::{Bench, THEIRS};
use crate::store::yardstick::{Plain, Script};

/// People in a call: sizes at which round trips count.
const SIZES: [u64; 2] = [20, 100];
/// Most bytes of a request.
const REQUEST: usize = 64 * 1024;
const PROFILE: &str = include_str!("scripts/group.sql");
const DONE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone";

/// Asks for so many people to be brought in, as a caller of Muster does, or for a profile if there are none.
struct Asking {
    size: u64,
}

impl Work for Asking {
    fn request(&self, number: u64) -> Request {
        if self.size == 0 {
            return Request::get("/");
        }
        let people =
            (number * self.size..(number + 1) * self.size).map(|one| format!("\"p{one}\""));
        let people: Vec<String> = people.collect();
        Request::post("/", format!(r#"{{"userList":[{}]}}"#, people.join(",")))
    }

    fn judge(&self, _: u64, answer: &Answer<'_>) -> Result<(), String> {
        match answer.status {
            200 => Ok(()),
            status => Err(format!("{status}: {}", answer.body)),
        }
    }
}

/// Listens until it is dropped.
struct Bare {
    address: String,
    task: JoinHandle<()>,
}

impl Bare {
    /// Plays this script for each request, on a connection to the database for each caller.
    async fn start(url: String, script: Script) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (url, script) = (url.clone(), script.clone());
                tokio::spawn(async move { serve(stream, &url, &script).await.ok() });
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Answers one caller. If anything goes wrong he is cut off, and that counts as an error.
async fn serve(mut stream: TcpStream, url: &str, script: &Script) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let mut plain = Plain::connect(url).await?;
    let mut buffer = vec![0; REQUEST];
    let mut filled = 0;
    loop {
        let free = buffer.get_mut(filled..).unwrap_or_default();
        let read = stream.read(free).await?;
        if read == 0 {
            plain.close().await;
            return Ok(());
        }
        filled += read;
        let seen = buffer.get(..filled).unwrap_or_default();
        if body_of(seen)?.is_some_and(|(start, length)| filled >= start + length) {
            plain.play(script).await?;
            stream.write_all(DONE).await?;
            filled = 0;
        }
    }
}

impl Bench<'_> {
    /// Statements of the yardstick over HTTP, beside the same without.
    pub(super) async fn bare(&mut self) -> anyhow::Result<()> {
        self.fill(THEIRS, GROUPS).await?;
        for size in SIZES {
            let text = batch_script(size);
            for callers in [1, 8] {
                let name = format!("{size} people, {callers} callers");
                self.bare_beside(name, size, callers, &text).await?;
            }
        }
        // The groups that `fill` made.
        let text = PROFILE.replace("RUNr", "g").replace("GROUPS", &(GROUPS - 1).to_string());
        self.bare_beside("the profile of a group, 8 callers".to_owned(), 0, 8, &text).await
    }

    async fn bare_beside(
        &mut self,
        name: String,
        size: u64,
        callers: usize,
        text: &str,
    ) -> anyhow::Result<()> {
        let url = self.site.as_ref().context("a PostgreSQL of its own is needed")?.url(THEIRS);
        let bare = Bare::start(url, Script::read(text)?).await?;
        let (work, load) = (Arc::new(Asking { size }), (callers, callers));
        let yardstick = self.yardstick(THEIRS);
        let case =
            self.compare("bare", &bare.address, work, load, yardstick.as_ref(), text).await?;
        let unit = if size == 0 { "calls" } else { "members" };
        self.found(Case { name, unit, each: size.max(1), ..case })
    }
}
