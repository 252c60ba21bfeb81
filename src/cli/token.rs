//! `muster token`: a credential for tests, scripts and back ends. Standard output gets the token alone.
//!
//! It is made from the key without asking the database whether the account exists: a server of open
//! accounts knows it from its first call on, and one of registered accounts says so itself.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use chrono::Utc;

use super::{WRONG_USE, complain, print};
use crate::auth::{SecretKey, jwt, usersig};
use crate::config::Config;
use crate::model::{Error, UserId};
use crate::server;

/// The token that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) user: String,
    pub(super) jwt: bool,
    pub(super) seconds: u32,
}

pub(super) fn run(config: &Config, wanted: &Wanted) -> anyhow::Result<ExitCode> {
    let user = match UserId::parse(&wanted.user, config.limits.user_id_bytes, "USERID") {
        Ok(user) => user,
        Err(refused) => {
            complain(refused);
            return Ok(WRONG_USE.into());
        }
    };
    let key = server::key(config).context("finding the signing key")?;
    let key = SecretKey::new(key.expose());
    let now = Utc::now();
    let token = if wanted.jwt {
        jwt::sign_hs256(&key, &user, now, wanted.seconds)
    } else {
        usersig::sign(&key, config.app_id, &user, now, wanted.seconds, None)
    };
    print(&format!("{}\n", token.map_err(for_operator)?))?;
    Ok(ExitCode::SUCCESS)
}

/// The whole of an error: who runs a command is the operator.
fn for_operator(error: Error) -> anyhow::Error {
    anyhow!("signing the token: {}", error.context.unwrap_or(error.text))
}
