//! Asking to join, and how that goes together with invitations.

use serde_json::{Value, json};

use super::{
    accept, consent, ended, guarded, held, only_id, only_one, refuse, shown_to, stored, told,
};
use crate::common::{ADMIN, Server};
use crate::groups::{
    at, everything, group_of, has_row, invite, join, log, member_ids, named, newest, own_stream,
};

/// A Public group, whose `joinOption` is `NeedPermission` by default (1.2).
async fn public(server: &Server, id: &str) -> String {
    group_of(server, "owner", id, "Public", (&["admin"], &["member"]), json!({})).await
}

#[tokio::test]
async fn asking_to_join_a_public_group_waits_for_owner_and_admins() {
    let server = Server::start().await;
    let group = public(&server, "g1").await;
    let body = json!({ "message": "let me in" });
    let data = server.post("bob", &at(&group, "join"), body).await.ok();
    assert_eq!(data, json!({ "status": "pending" }));
    let (his, decides) = only_one(&server, "bob").await;
    assert!(!decides);
    assert_eq!((&his["type"], &his["groupID"]), (&json!("join"), &json!(group)));
    assert_eq!((&his["fromUser"], &his["message"]), (&json!("bob"), &json!("let me in")));
    let id = only_id(&server, "bob").await;
    for decider in ["owner", "admin"] {
        assert_eq!(only_one(&server, decider).await, (his.clone(), true));
        let entry = told(&server, decider, "onReceiveJoinApplication", &id).await;
        assert_eq!(entry["opUser"]["userID"], "bob");
        assert_eq!(entry["application"]["message"], "let me in");
        assert_eq!(entry["application"]["canDecide"], true);
    }
    assert!(shown_to(&server, "member").await.is_empty());
    // Asking again changes nothing.
    let before = everything(&server).await;
    assert_eq!(join(&server, "bob", &group).await.ok(), json!({ "status": "pending" }));
    assert_eq!(everything(&server).await, before);
    // Nobody but owner, admins and an app administrator decides.
    for caller in ["bob", "member", "stranger"] {
        let answer = accept(&server, caller, &id).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    }
    assert_eq!(member_ids(&server, &group).await, ["admin", "member", "owner"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_accepted_applicant_enters_and_the_event_names_who_decided() {
    let server = Server::start().await;
    let group = public(&server, "g1").await;
    for (number, (decider, applicant)) in
        [("owner", "bob"), ("admin", "carol"), (ADMIN, "dave")].into_iter().enumerate()
    {
        join(&server, applicant, &group).await.ok();
        let id = only_id(&server, applicant).await;
        assert_eq!(accept(&server, decider, &id).await.ok(), json!({ "status": "joined" }));
        let event = newest(&server, &group).await;
        assert_eq!((&event["event"], &event["seq"]), (&json!("onMemberEnter"), &json!(number + 2)));
        assert_eq!(event["opUser"]["userID"], decider);
        assert_eq!(named(&event), [applicant]);
        let entry = told(&server, applicant, "onApplicationProcessed", &id).await;
        assert_eq!((&entry["opResult"], &entry["outcome"]), (&json!(true), &json!("accepted")));
        assert_eq!(entry["opUser"]["userID"], decider);
        join(&server, applicant, &group).await.refused(409, 10013, "already_member");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_refused_applicant_is_told_and_may_ask_again() {
    let server = Server::start().await;
    let group = public(&server, "g1").await;
    join(&server, "bob", &group).await.ok();
    let id = only_id(&server, "bob").await;
    refuse(&server, "admin", &id).await.ok();
    let entry = told(&server, "bob", "onApplicationProcessed", &id).await;
    assert_eq!((&entry["opResult"], &entry["outcome"]), (&json!(false), &json!("refused")));
    assert_eq!(member_ids(&server, &group).await, ["admin", "member", "owner"]);
    assert_eq!(join(&server, "bob", &group).await.ok(), json!({ "status": "pending" }));
    assert_eq!(stored(&server).await, (2, 1));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_join_option_decides_how_one_enters() {
    let server = Server::start().await;
    let group = public(&server, "g1").await;
    server.patch("owner", &at(&group, ""), json!({ "joinOption": "DisableApply" })).await.ok();
    let before = everything(&server).await;
    join(&server, "bob", &group).await.refused(403, 10007, "apply_disabled");
    assert_eq!(everything(&server).await, before);
    assert!(!has_row(&server, "bob").await);
    server.patch("owner", &at(&group, ""), json!({ "joinOption": "FreeAccess" })).await.ok();
    assert_eq!(join(&server, "bob", &group).await.ok(), json!({ "status": "joined" }));
    let event = newest(&server, &group).await;
    assert_eq!(event["event"], "onMemberEnter");
    assert_eq!(named(&event), ["bob"]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn each_type_lets_in_as_its_column_says() {
    let server = Server::start().await;
    // tencent-im.md 1.2, "Apply to join".
    for (group_type, status, reason) in [
        ("Work", 403, Some("not_allowed_for_type")),
        ("Public", 200, None),
        ("Meeting", 200, None),
        ("AVChatRoom", 200, None),
        ("Community", 200, None),
    ] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let group = format!("{prefix}{group_type}");
        server.group("owner", &group, group_type, json!({})).await;
        let answer = join(&server, "bob", &group).await;
        assert_eq!(answer.status, status, "{group_type}: {answer:?}");
        assert_eq!(answer.body["data"]["reason"].as_str(), reason, "{group_type}");
        if reason.is_none() {
            let expected = if group_type == "Public" { "pending" } else { "joined" };
            assert_eq!(answer.body["data"]["status"], expected, "{group_type}");
        } else {
            assert_eq!(answer.body["code"], 10007, "{group_type}");
        }
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_administrator_enters_at_once_wherever_the_type_knows_joining() {
    let server = Server::start().await;
    for (id, option) in [("g1", "NeedPermission"), ("g2", "DisableApply"), ("g3", "FreeAccess")] {
        let group = public(&server, id).await;
        server.patch("owner", &at(&group, ""), json!({ "joinOption": option })).await.ok();
        assert_eq!(join(&server, ADMIN, &group).await.ok(), json!({ "status": "joined" }));
        let event = newest(&server, &group).await;
        assert_eq!((&event["event"], named(&event)), (&json!("onMemberEnter"), vec![ADMIN]));
    }
    server.group("owner", "work", "Work", json!({})).await;
    join(&server, ADMIN, "work").await.refused(403, 10007, "not_allowed_for_type");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_was_invited_and_joins_has_accepted_the_invitation() {
    let server = Server::start().await;
    consent(&server, "bob", "ask").await;
    for (id, group_type) in [("public", "Public"), ("work", "Work"), ("meeting", "Meeting")] {
        let more = json!({ "inviteOption": "FreeAccess" });
        let group = group_of(&server, "owner", id, group_type, (&[], &["member"]), more).await;
        held(&server, "member", &group, "bob").await;
        let application = only_id(&server, "bob").await;
        assert_eq!(join(&server, "bob", &group).await.ok(), json!({ "status": "joined" }));
        let event = newest(&server, &group).await;
        assert_eq!(event["event"], "onMemberInvited", "{group_type}");
        assert_eq!(event["opUser"]["userID"], "member");
        assert_eq!(named(&event), ["bob"]);
        ended(&server, &application, "accepted", Some("bob"), &["member"]).await;
        assert!(shown_to(&server, "bob").await.is_empty());
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_asked_to_join_and_is_invited_enters_on_the_invitation() {
    let server = Server::start().await;
    let group = public(&server, "g1").await;
    server.patch("owner", &at(&group, ""), json!({ "inviteOption": "FreeAccess" })).await.ok();
    for (inviter, applicant) in [("member", "bob"), (ADMIN, "carol")] {
        join(&server, applicant, &group).await.ok();
        let id = only_id(&server, applicant).await;
        let data = invite(&server, inviter, &group, &[applicant]).await.ok();
        assert_eq!(data[0]["result"], 1);
        let event = newest(&server, &group).await;
        assert_eq!((&event["event"], named(&event)), (&json!("onMemberInvited"), vec![applicant]));
        ended(&server, &id, "joined", Some(inviter), &[applicant]).await;
        accept(&server, "owner", &id).await.refused(409, 10024, "already_handled");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_waits_for_the_admins_and_joins_a_free_group_closes_the_invitation() {
    let server = Server::start().await;
    let more = json!({ "inviteOption": "NeedPermission" });
    let group = group_of(&server, "owner", "g1", "Meeting", (&["admin"], &["member"]), more).await;
    held(&server, "member", &group, "bob").await;
    let id = only_id(&server, "owner").await;
    assert_eq!(join(&server, "bob", &group).await.ok(), json!({ "status": "joined" }));
    let event = newest(&server, &group).await;
    assert_eq!((&event["event"], named(&event)), (&json!("onMemberEnter"), vec!["bob"]));
    ended(&server, &id, "joined", Some("bob"), &["member"]).await;
    refuse(&server, "owner", &id).await.refused(409, 10024, "already_handled");
    assert!(shown_to(&server, "admin").await.is_empty());
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn asking_at_the_limit_or_at_a_full_group_is_refused_at_once() {
    let server = Server::start().await;
    let group = public(&server, "g1").await;
    server.put(ADMIN, "/v1/users/bob", json!({ "groupLimit": 0 })).await.ok();
    let data = join(&server, "bob", &group).await.refused(409, 10037, "group_limit_reached");
    assert_eq!((&data["limit"], &data["current"]), (&json!(0), &json!(0)));
    server.patch("owner", &at(&group, ""), json!({ "maxMemberCount": 3 })).await.ok();
    let data = join(&server, "carol", &group).await.refused(409, 10014, "group_full");
    assert_eq!((&data["limit"], &data["current"]), (&json!(3), &json!(3)));
    assert_eq!(stored(&server).await, (0, 0));
    join(&server, "owner", &group).await.refused(409, 10013, "already_member");
    join(&server, "bob", "nowhere").await.refused(404, 10010, "group_not_found");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn nobody_has_more_open_applications_than_the_setting_allows() {
    let server = Server::with(&[("MUSTER_PENDING_PER_USER", "1")]).await;
    let first = public(&server, "g1").await;
    let second = public(&server, "g2").await;
    join(&server, "bob", &first).await.ok();
    let answer = join(&server, "bob", &second).await;
    assert_eq!(answer.status, 409, "{answer:?}");
    let data: &Value = &answer.body["data"];
    assert_eq!(data["reason"], "too_many_pending");
    assert_eq!((&data["limit"], &data["current"]), (&json!(1), &json!(1)));
    // Deciding the first frees the place.
    let id = only_id(&server, "bob").await;
    refuse(&server, "owner", &id).await.ok();
    join(&server, "bob", &second).await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_group_learns_nothing_of_what_waits() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    join(&server, "bob", &group).await.ok();
    held(&server, "member", &group, "carol").await;
    assert_eq!(log(&server, &group).await.len(), 1);
    assert!(own_stream(&server, "member").await.is_empty());
    let profile = server.get("member", &at(&group, "")).await.ok();
    assert_eq!((&profile["memberCount"], &profile["seq"]), (&json!(3), &json!(1)));
    server.check_invariants().await;
    server.stop().await;
}
