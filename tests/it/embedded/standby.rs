//! A standby is not what Muster works on, and once it is promoted it shows another history.

use std::path::PathBuf;

use muster::embedded::{Embedded, PORT};
use muster::model::Reason;
use muster::store::{self, Store};

use super::*;
use crate::common::eventually;

/// A server of this place's cluster, run by nobody but the test.
fn run(place: &Place, programs: &str, sockets: &Path) -> Reaped {
    let mut command = Command::new(PathBuf::from(programs).join("postgres"));
    command.arg("-D").arg(place.cluster()).arg("-k").arg(sockets);
    for setting in ["listen_addresses=", "hot_standby=on", "wal_level=replica"] {
        command.args(["-c", setting]);
    }
    if let Some((uid, gid)) = Place::account() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    Reaped(command.spawn().unwrap())
}

/// The number behind the last dash.
fn timeline(epoch: &str) -> &str {
    epoch.rsplit('-').next().unwrap()
}

#[tokio::test]
async fn a_standby_is_refused_and_has_another_epoch_as_soon_as_it_is_promoted() {
    let place = Place::new();
    let embedded: Embedded = place.start().await;
    let mut owner = connect(embedded.socket_dir(), &embedded).await;
    let programs = text(&mut owner, "SELECT setting FROM pg_config WHERE name = 'BINDIR'").await;
    within(embedded.stop()).await.unwrap();

    let sockets = place.dir.join("s");
    DirBuilder::new().mode(0o700).create(&sockets).unwrap();
    Place::give(&sockets);
    let mut primary = run(&place, &programs, &sockets);
    drop(client(&sockets).await);
    let at = store::Place::Socket {
        dir: sockets.clone(),
        port: PORT,
        user: "muster".to_owned(),
        database: "muster".to_owned(),
    };
    let store = Store::connect(&at, 1).await.unwrap();
    store.migrate().await.unwrap();
    let before = store.epoch().await.unwrap();
    assert_eq!(timeline(&before), "1", "{before}");
    signal("INT", primary.0.id());
    within(tokio::task::spawn_blocking(move || primary.0.wait())).await.unwrap().unwrap();

    let mark = place.cluster().join("standby.signal");
    fs::write(&mark, "").unwrap();
    Place::give(&mark);
    let _standby = run(&place, &programs, &sockets);
    let mut owner = client(&sockets).await;
    let refused = Store::connect(&at, 1).await.unwrap_err().to_string();
    assert!(refused.contains("Muster needs the primary"), "{refused}");
    // A server that was there before is told the same.
    eventually("a server that was there before is told that this is no primary", || async {
        let refused = store.epoch().await.unwrap_err();
        assert_eq!(refused.reason, Reason::Unavailable);
        // A connection that was used just before the end of the other server may have to fail first.
        refused.context.unwrap().contains("Muster needs the primary").then_some(())
    })
    .await;

    assert_eq!(text(&mut owner, "SELECT pg_promote()::text").await, "true");
    let after = store.epoch().await.unwrap();
    assert_eq!(timeline(&after), "2", "{after}");
    assert_eq!(after.rsplit_once('-').unwrap().0, before.rsplit_once('-').unwrap().0);
    assert_eq!(store::epoch::epoch(&mut owner).await.unwrap(), after);
    store.close().await;
}
