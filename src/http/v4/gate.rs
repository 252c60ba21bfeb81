//! What every call has to pass before its command runs, in the order of row 12 of `decisions.md`: the
//! path, `sdkappid`, `usersig`, whether the caller is an administrator, the command, the body.
//!
//! The query is read tolerantly: `random` and `contenttype` may be missing or wrong, other parameters
//! are passed over, and of one that is repeated the first counts.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Uri};
use chrono::{DateTime, Utc};
use http_body_util::BodyExt as _;
use url::form_urlencoded;

use super::reply::{
    ADMINISTRATORS_ONLY, APP_MISSING, APP_UNKNOWN, COMMAND_UNKNOWN, PATH_WRONG, REQUEST_BROKEN,
    Refusal,
};
use super::table::{Row, Target};
use crate::auth::Authenticator;
use crate::model::{Caller, Error, Reason};

/// Bytes that are read from a body that is refused, so that its sender comes to read the answer.
const DISCARDED_BYTES: usize = 1024 * 1024;

/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Checks everything that does not need the body.
///
/// # Errors
/// The first refusal in the order of row 12.
pub(super) fn admit(
    app_id: u64,
    auth: &Authenticator,
    method: &Method,
    uri: &Uri,
    now: DateTime<Utc>,
) -> Result<(Caller, &'static Row), Refusal> {
    let Some(target) = Target::of_path(uri.path()) else {
        let text = "no command has this path; it is /v4/{service}/{command}, case-sensitive";
        return Err(Refusal::coded(PATH_WRONG, text));
    };
    if method != Method::POST && method != Method::GET {
        return Err(Refusal::coded(REQUEST_BROKEN, "commands are called with POST"));
    }
    let query = Query::parse(uri.query().unwrap_or_default());
    let sdkappid = check_app(&query.sdkappid, app_id)?;
    let credential = auth.authenticate_v4(sdkappid, &query.identifier, &query.usersig, now)?;
    if !credential.caller.administrator {
        let text = "the identifier is no app administrator; see MUSTER_ADMINS";
        return Err(Refusal::coded(ADMINISTRATORS_ONLY, text));
    }
    match target.row {
        Some(row) => Ok((credential.caller, row)),
        None => Err(Refusal::coded(COMMAND_UNKNOWN, "there is no such command")),
    }
}

/// The parameters that matter; absent ones are empty.
#[derive(Debug, Default)]
struct Query {
    sdkappid: String,
    identifier: String,
    usersig: String,
}

impl Query {
    fn parse(query: &str) -> Self {
        let mut read = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "sdkappid" => &mut read.sdkappid,
                "identifier" => &mut read.identifier,
                "usersig" => &mut read.usersig,
                _ => continue,
            };
            if place.is_empty() {
                *place = value.into_owned();
            }
        }
        read
    }
}

fn check_app(sdkappid: &str, app_id: u64) -> Result<u64, Refusal> {
    if sdkappid.is_empty() {
        return Err(Refusal::coded(APP_MISSING, "the query has no sdkappid"));
    }
    if !sdkappid.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::coded(APP_MISSING, "sdkappid is no number"));
    }
    match sdkappid.parse() {
        Ok(named) if named == app_id => Ok(named),
        _ => Err(Refusal::coded(APP_UNKNOWN, "sdkappid is not that of this server")),
    }
}

/// Receives a body of at most `most` bytes.
///
/// # Errors
/// [`Reason::BodyTooLarge`], or 60008 when it breaks off or takes too long.
pub(super) async fn receive(body: Body, most: usize) -> Result<Vec<u8>, Refusal> {
    receive_within(BODY_PATIENCE, body, most).await
}

async fn receive_within(patience: Duration, body: Body, most: usize) -> Result<Vec<u8>, Refusal> {
    match tokio::time::timeout(patience, read(body, most)).await {
        Ok(received) => received,
        Err(_) => Err(Refusal::coded(REQUEST_BROKEN, "the body did not come in time")),
    }
}

/// Reads past what a refused call sends.
pub(super) async fn discard(body: Body) {
    // Whatever goes wrong here, the call is refused already.
    let _ = receive(body, 0).await;
}

async fn read(mut body: Body, most: usize) -> Result<Vec<u8>, Refusal> {
    let mut kept = Vec::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|_| Refusal::coded(REQUEST_BROKEN, "the request's body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen <= most {
            kept.extend_from_slice(&data);
        } else if seen > most.saturating_add(DISCARDED_BYTES) {
            break;
        }
    }
    if seen > most {
        let text = format!("the body has more than {most} bytes");
        return Err(Error::new(Reason::BodyTooLarge, text).limit(most).into());
    }
    Ok(kept)
}

#[cfg(test)]
mod tests;
