//! The Tencent-compatible face: `POST /v4/{service}/{command}` (`api.md` section 4,
//! `tencent-im.md` sections 2 to 4).
//!
//! The cast: `gate` checks what every call has to pass, in the documented order; `table` lists the
//! commands; `body` reads fields, `words` knows Tencent's spellings, `views` what replies show of groups and
//! members, `reply` the envelope and the codes; `groups`, `members`, `joined`, `lists`, `attributes` and
//! `accounts` hold one handler for each command.
//!
//! What holds: every call is answered with HTTP status 200, and `ErrorCode` tells. Only app
//! administrators get past the gate, and the engine treats them as it does on the native face: no
//! approval, no consent, but every ban and limit. The face decides no permission of its own.

mod accounts;
mod attributes;
mod body;
mod call;
mod gate;
mod groups;
mod joined;
mod lists;
mod members;
mod reply;
mod table;
mod views;
mod words;

use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, header, request};
use axum::response::{IntoResponse, Response};
use axum::routing::any;

use super::{App, BODY_BYTES};
use crate::metrics::RequestLabels;
use crate::model::Reason;
use call::Call;
use reply::{Answer, Finished, Refusal};
use table::{Family, Target};

/// The routes of this face. They are to be merged, not nested: paths are read whole.
pub fn router() -> Router<App> {
    Router::new()
        .route("/v4", any(serve))
        .route("/v4/", any(serve))
        .route("/v4/{*path}", any(serve))
}

async fn serve(State(app): State<App>, request: Request) -> Response {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let target = Target::of_path(head.uri.path());
    let finished = match answer(&app, &head, body).await {
        Ok(answer) => reply::success(answer),
        Err(refusal) => refused(target.as_ref(), &refusal),
    };
    let row = target.and_then(|target| target.row);
    app.metrics
        .requests
        .get_or_create(&RequestLabels {
            face: "v4",
            route: row.map_or("unknown", |row| row.name).to_owned(),
            status: finished.code.to_string(),
        })
        .inc();
    app.metrics.request_seconds.observe(started.elapsed().as_secs_f64());
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    (headers, finished.body).into_response()
}

async fn answer(app: &App, head: &request::Parts, body: Body) -> Result<Answer, Refusal> {
    let now = chrono::Utc::now();
    let (caller, row) = match gate::admit(app.app_id, &app.auth, &head.method, &head.uri, now) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            gate::discard(body).await;
            return Err(refusal);
        }
    };
    let received = gate::receive(body, BODY_BYTES).await?;
    let body = body::parse(&received, head.method == Method::GET)?;
    (row.handler)(Call { app: app.clone(), caller, row, body }).await
}

fn refused(target: Option<&Target>, refusal: &Refusal) -> Finished {
    if let Refusal::Shared(error) = refusal
        && let Some(context) = &error.context
    {
        if error.reason == Reason::Internal {
            tracing::error!(context, "a call failed");
        } else {
            tracing::warn!(context, reason = error.reason.word(), "a call failed");
        }
    }
    let family = target.map_or(Family::Groups, |target| target.family);
    let row = target.and_then(|target| target.row);
    let unsupported = row.map_or(reply::NO_PERMISSION, |row| row.unsupported);
    reply::failure(refusal.code(family, unsupported), refusal.text())
}
