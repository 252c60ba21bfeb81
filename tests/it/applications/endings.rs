//! How applications end when nobody simply says yes or no.

use serde_json::json;

use super::{accept, consent, ended, guarded, held, only_id, refuse, shown_to, stored};
use crate::common::{ADMIN, Server, eventually};
use crate::groups::{add, at, join, log, member_ids, own_stream};

/// Lets every open application's time be over.
async fn let_time_pass(server: &Server) {
    let pool = server.db().await;
    sqlx::query("update applications set expires_at = now() - interval '1 second' where state = 0")
        .execute(&pool)
        .await
        .expect("an earlier end");
    pool.close().await;
}

/// Waits until no application is open.
async fn nothing_open(server: &Server) {
    eventually("no application is open", || async {
        let (_, open) = stored(server).await;
        (open == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_nobody_decides_in_time_ends_and_those_concerned_are_told() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    consent(&server, "asked", "ask").await;
    held(&server, "member", &group, "held").await;
    let of_member = only_id(&server, "member").await;
    join(&server, "applicant", &group).await.ok();
    let of_applicant = only_id(&server, "applicant").await;
    held(&server, "owner", &group, "asked").await;
    let of_asked = only_id(&server, "asked").await;
    let_time_pass(&server).await;
    nothing_open(&server).await;
    ended(&server, &of_member, "expired", None, &["member"]).await;
    ended(&server, &of_applicant, "expired", None, &["applicant"]).await;
    ended(&server, &of_asked, "expired", None, &["owner"]).await;
    for user in ["member", "applicant", "owner"] {
        let entry = own_stream(&server, user).await.pop().expect("an event");
        assert_eq!(entry["opResult"], false, "{entry}");
    }
    for user in ["owner", "admin", "member", "applicant", "asked"] {
        assert!(shown_to(&server, user).await.is_empty(), "{user}");
    }
    accept(&server, "owner", &of_member).await.refused(409, 10024, "already_handled");
    assert_eq!(member_ids(&server, &group).await, ["admin", "member", "owner"]);
    assert_eq!(log(&server, &group).await.len(), 1);
    // The place is free again.
    held(&server, "member", &group, "held").await;
    join(&server, "applicant", &group).await.ok();
    assert_eq!(stored(&server).await, (5, 2));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn being_added_in_another_way_closes_what_waits() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    consent(&server, "asked", "ask").await;
    held(&server, "member", &group, "bob").await;
    let of_bob = only_id(&server, "member").await;
    held(&server, "admin", &group, "asked").await;
    let of_asked = only_id(&server, "asked").await;
    join(&server, "applicant", &group).await.ok();
    let of_applicant = only_id(&server, "applicant").await;
    add(&server, &group, &["bob", "asked", "applicant"]).await;
    ended(&server, &of_bob, "joined", Some(ADMIN), &["member"]).await;
    ended(&server, &of_asked, "joined", Some(ADMIN), &["admin"]).await;
    ended(&server, &of_applicant, "joined", Some(ADMIN), &["applicant"]).await;
    for (decider, id) in [("owner", &of_bob), ("asked", &of_asked), ("admin", &of_applicant)] {
        accept(&server, decider, id).await.refused(409, 10024, "already_handled");
        refuse(&server, decider, id).await.refused(409, 10024, "already_handled");
    }
    assert_eq!(stored(&server).await, (3, 0));
    assert_eq!(log(&server, &group).await.len(), 2);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_manager_who_invites_directly_needs_nobodys_approval_any_more() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    held(&server, "member", &group, "bob").await;
    let id = only_id(&server, "member").await;
    let data = crate::groups::invite(&server, "admin", &group, &["bob"]).await.ok();
    assert_eq!(data[0]["result"], 1);
    ended(&server, &id, "joined", Some("admin"), &["member"]).await;
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_dismissal_of_the_group_closes_what_waits() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    consent(&server, "asked", "ask").await;
    held(&server, "member", &group, "bob").await;
    let of_bob = only_id(&server, "member").await;
    held(&server, "admin", &group, "asked").await;
    let of_asked = only_id(&server, "asked").await;
    join(&server, "applicant", &group).await.ok();
    let of_applicant = only_id(&server, "applicant").await;
    server.delete("owner", &at(&group, "")).await.ok();
    for user in ["owner", "admin", "member", "asked", "applicant"] {
        assert!(shown_to(&server, user).await.is_empty(), "{user}: gone from the lists at once");
    }
    for (decider, id) in [("owner", &of_bob), ("asked", &of_asked), (ADMIN, &of_applicant)] {
        let answer = accept(&server, decider, id).await;
        assert!(matches!(answer.status, 404 | 409), "{answer:?}");
    }
    nothing_open(&server).await;
    ended(&server, &of_bob, "dismissed", None, &["member"]).await;
    ended(&server, &of_asked, "dismissed", None, &["admin"]).await;
    ended(&server, &of_applicant, "dismissed", None, &["applicant"]).await;
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_first_decision_wins() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    held(&server, "member", &group, "bob").await;
    let id = only_id(&server, "member").await;
    refuse(&server, "owner", &id).await.ok();
    accept(&server, "admin", &id).await.refused(409, 10024, "already_handled");
    assert_eq!(member_ids(&server, &group).await, ["admin", "member", "owner"]);

    for round in 0..4 {
        let newcomer = format!("n{round}");
        held(&server, "member", &group, &newcomer).await;
        let id = only_id(&server, "member").await;
        let (one, other) =
            tokio::join!(accept(&server, "owner", &id), refuse(&server, "admin", &id));
        let mut found = [one.status, other.status];
        found.sort_unstable();
        assert_eq!(found, [200, 409]);
        let joined = member_ids(&server, &group).await.contains(&newcomer);
        assert_eq!(joined, one.status == 200, "what the winner said is what happened");
        let late = if joined { other } else { one };
        late.refused(409, 10024, "already_handled");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn leaving_and_being_removed_leave_nothing_open() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    held(&server, "member", &group, "bob").await;
    let id = only_id(&server, "member").await;
    accept(&server, "owner", &id).await.ok();
    server.post("bob", &at(&group, "quit"), json!({})).await.ok();
    held(&server, "member", &group, "bob").await;
    assert_eq!(stored(&server).await, (2, 1));
    server.check_invariants().await;
    server.stop().await;
}
