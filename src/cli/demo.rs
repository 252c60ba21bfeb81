//! `muster demo`: the product in ten seconds, on real parts.
//!
//! A server on its embedded PostgreSQL in a throw-away directory, real requests over HTTP, real websockets.
//! Every answer and event is compared with what it should be, so that `--once` is also a check of an
//! installation. Afterwards it keeps serving, with lines to paste.

mod client;
mod play;

use std::net::{Ipv4Addr, SocketAddr};
use std::process::ExitCode;

use anyhow::Context as _;

use super::{print, signals};
use crate::config::Config;
use crate::embedded::ThrowAway;
use crate::server::Server;

/// Runs the demo; with `once` it ends after the play.
pub(super) async fn run(mut config: Config, once: bool) -> anyhow::Result<ExitCode> {
    let mut stop = Box::pin(signals::stop()?);
    let directory = ThrowAway::new("demo");
    config.data_dir = directory.path().to_owned();
    config.listen = usual_or_free(&config, "MUSTER_LISTEN", config.listen);
    config.ops_listen = usual_or_free(&config, "MUSTER_OPS_LISTEN", config.ops_listen);
    print(&format!(
        "Starting Muster on its embedded PostgreSQL in {} ...\n",
        directory.path().display()
    ))?;
    let server = tokio::select! {
        biased;
        () = &mut stop => return Ok(ExitCode::SUCCESS),
        server = Server::start(config.clone()) => server?,
    };
    let play = tokio::select! {
        biased;
        () = &mut stop => Ok(()),
        play = play::play(&server, &config) => play,
    };
    let play = match play {
        Ok(()) if once => Ok(()),
        Ok(()) => {
            print(&play::paste(&server, &config)?)?;
            stop.await;
            Ok(())
        }
        Err(error) => Err(error),
    };
    let stopped = server.stop().await;
    play.context("the demo did not go as it should")?;
    stopped?;
    Ok(ExitCode::SUCCESS)
}

/// The address of a setting, or a free port of the same host when it is only the default and taken.
fn usual_or_free(config: &Config, name: &str, address: SocketAddr) -> SocketAddr {
    let taken = std::net::TcpListener::bind(address).is_err();
    if config.is_default(name) && taken {
        SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
    } else {
        address
    }
}
