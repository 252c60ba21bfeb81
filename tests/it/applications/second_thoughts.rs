//! Accepting checks everything again (13, l): what fails answers why and leaves the application open.

use serde_json::{Value, json};

use super::{accept, consent, guarded, held, only_id, refuse, stored};
use crate::common::{ADMIN, Answer, Server};
use crate::groups::{at, everything, group_of, join, member_ids};

/// Accepts in vain: nothing changes.
async fn in_vain(server: &Server, decider: &str, id: &str) -> Answer {
    let before = everything(server).await;
    let answer = accept(server, decider, id).await;
    assert!(answer.status >= 400, "{answer:?}");
    assert_eq!(everything(server).await, before);
    answer
}

/// Every way to have something open in a group of `guarded`: who decides, the id, and whom it is about.
async fn one_of_each(server: &Server, group: &str) -> Vec<(&'static str, String, &'static str)> {
    consent(server, "asked", "ask").await;
    held(server, "member", group, "bob").await;
    let of_bob = only_id(server, "member").await;
    held(server, "admin", group, "asked").await;
    let of_asked = only_id(server, "asked").await;
    join(server, "applicant", group).await.ok();
    let of_applicant = only_id(server, "applicant").await;
    vec![
        ("owner", of_bob, "bob"),
        ("asked", of_asked, "asked"),
        ("admin", of_applicant, "applicant"),
    ]
}

#[tokio::test]
async fn whoever_reached_his_limit_meanwhile_is_not_added() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    for (decider, id, subject) in one_of_each(&server, &group).await {
        let path = format!("/v1/users/{subject}");
        server.put(ADMIN, &path, json!({ "groupLimit": 0 })).await.ok();
        let answer = in_vain(&server, decider, &id).await;
        let data = answer.refused(409, 10037, "group_limit_reached");
        assert_eq!((&data["limit"], &data["current"]), (&json!(0), &json!(0)));
        server.put(ADMIN, &path, json!({ "groupLimit": 1 })).await.ok();
        accept(&server, decider, &id).await.ok();
    }
    assert_eq!(stored(&server).await, (3, 0));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_group_that_filled_up_meanwhile_takes_nobody() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    let open = one_of_each(&server, &group).await;
    server.patch("owner", &at(&group, ""), json!({ "maxMemberCount": 3 })).await.ok();
    for (decider, id, _) in &open {
        let data = in_vain(&server, decider, id).await.refused(409, 10014, "group_full");
        assert_eq!((&data["limit"], &data["current"]), (&json!(3), &json!(3)));
    }
    server.patch("owner", &at(&group, ""), json!({ "maxMemberCount": 5 })).await.ok();
    let (first, last) = open.split_at(2);
    for (decider, id, _) in first {
        accept(&server, decider, id).await.ok();
    }
    for (decider, id, _) in last {
        in_vain(&server, decider, id).await.refused(409, 10014, "group_full");
        refuse(&server, decider, id).await.ok();
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_invitation_of_somebody_who_is_no_member_any_more_adds_nobody() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    let open = one_of_each(&server, &group).await;
    let kick = json!({ "userList": ["member", "admin"] });
    server.post("owner", &at(&group, "kick"), kick).await.ok();
    for (decider, id, _) in &open[..2] {
        let answer = in_vain(&server, decider, id).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    }
    // Who asked himself needs no inviter.
    accept(&server, "owner", &open[2].1).await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_invitation_into_a_group_that_forbids_inviting_meanwhile_adds_nobody() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    let open = one_of_each(&server, &group).await;
    server.patch("owner", &at(&group, ""), json!({ "inviteOption": "DisableInvite" })).await.ok();
    for (decider, id, _) in &open[..2] {
        let answer = in_vain(&server, decider, id).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    }
    server.patch("owner", &at(&group, ""), json!({ "inviteOption": "NeedPermission" })).await.ok();
    for (decider, id, _) in &open {
        accept(&server, decider, id).await.ok();
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn whoever_is_banned_meanwhile_is_not_added() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    let open = one_of_each(&server, &group).await;
    let pool = server.db().await;
    for (_, _, subject) in &open {
        sqlx::query("insert into bans values ($1, $2, null, '', 'owner', now())")
            .bind(&group)
            .bind(subject)
            .execute(&pool)
            .await
            .expect("a ban");
    }
    for (decider, id, _) in &open {
        in_vain(&server, decider, id).await.refused(403, 10007, "banned");
    }
    sqlx::query("delete from bans").execute(&pool).await.expect("no ban");
    pool.close().await;
    for (decider, id, _) in &open {
        accept(&server, decider, id).await.ok();
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_invitee_who_changed_his_mind_about_being_asked_is_treated_as_he_wants_now() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    for (invitee, now, status) in [
        ("bob", "ask", json!({ "status": "pending" })),
        ("carol", "auto", json!({ "status": "joined" })),
        ("dave", "deny", Value::Null),
    ] {
        held(&server, "member", &group, invitee).await;
        consent(&server, invitee, now).await;
        let data = server.get("member", "/v1/applications").await.ok();
        let list = data["applicationList"].as_array().expect("a list");
        let his = list.iter().find(|one| one["toUser"] == invitee).expect("his");
        let id = his["applicationID"].as_str().expect("an id");
        if status.is_null() {
            in_vain(&server, "owner", id).await.refused(403, 10007, "declined_by_user");
            // An app administrator's call skips consent (d).
            assert_eq!(accept(&server, ADMIN, id).await.ok(), json!({ "status": "joined" }));
        } else {
            assert_eq!(accept(&server, "owner", id).await.ok(), status);
        }
    }
    assert_eq!(member_ids(&server, &group).await, ["admin", "carol", "dave", "member", "owner"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn pending_invitations_hold_no_seat() {
    let server = Server::start().await;
    let more = json!({ "maxMemberCount": 2 });
    let group = group_of(&server, "owner", "g1", "Work", (&[], &[]), more).await;
    for invitee in ["bob", "carol", "dave"] {
        consent(&server, invitee, "ask").await;
        held(&server, "owner", &group, invitee).await;
    }
    let id = only_id(&server, "carol").await;
    assert_eq!(accept(&server, "carol", &id).await.ok(), json!({ "status": "joined" }));
    for late in ["bob", "dave"] {
        let id = only_id(&server, late).await;
        in_vain(&server, late, &id).await.refused(409, 10014, "group_full");
        join(&server, late, &group).await.refused(409, 10014, "group_full");
    }
    assert_eq!(stored(&server).await, (3, 2));
    server.check_invariants().await;
    server.stop().await;
}
