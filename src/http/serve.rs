//! The accept loop: connections in, with bounds on how long a client may keep one without saying anything.

use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// Longest time for the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// Longest time that requests in flight get when the server stops.
const GRACE: Duration = Duration::from_secs(10);
/// Pause after an accept that failed, for instance because no file descriptor was free.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until the token is cancelled, then lets requests in flight finish.
pub async fn serve(listener: TcpListener, router: Router, stopping: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                connections.spawn(connection(stream, router.clone(), stopping.clone()));
            }
            Err(error) => {
                tracing::warn!("accepting a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(GRACE, connections.wait()).await.is_err() {
        tracing::warn!("requests were still in flight after {} s", GRACE.as_secs());
    }
}

/// Serves one connection until it ends or is upgraded to a websocket.
async fn connection(stream: TcpStream, router: Router, stopping: CancellationToken) {
    // Frames and replies are small and must not wait for each other.
    stream.set_nodelay(true).ok();
    let service = router.map_request(|request: hyper::Request<Incoming>| request.map(Body::new));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        // Whoever hangs up behind a whole request has made it. Without this an end of the stream that is
        // seen before the handler has queued its command would drop the handler.
        .half_close(true)
        .max_buf_size(64 * 1024)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!("a connection ended: {error}");
    }
}
