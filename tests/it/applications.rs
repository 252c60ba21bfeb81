//! Applications: what waits for somebody's consent, who sees it, who decides it, and how it ends.
//! Sections are those of `tencent-im.md`, letters those of `decisions.md`.

mod endings;
mod joining;
mod second_thoughts;

use serde_json::{Value, json};

use crate::common::{ADMIN, Answer, Server};
use crate::groups::{everything, group_of, invite, log, member_ids, named, newest, own_stream};

/// The applications that a person is shown.
async fn shown_to(server: &Server, user: &str) -> Vec<Value> {
    let data = server.get(user, "/v1/applications").await.ok();
    data["applicationList"].as_array().expect("applicationList").clone()
}

/// The only application that a person is shown, and whether he may decide it.
async fn only_one(server: &Server, user: &str) -> (Value, bool) {
    let mut list = shown_to(server, user).await;
    assert_eq!(list.len(), 1, "{user}: {list:?}");
    let mut one = list.remove(0);
    let decides = one["canDecide"].as_bool().expect("canDecide");
    one.as_object_mut().expect("an application").remove("canDecide");
    (one, decides)
}

/// The id of the only application that a person is shown.
async fn only_id(server: &Server, user: &str) -> String {
    let (one, _) = only_one(server, user).await;
    one["applicationID"].as_str().expect("applicationID").to_owned()
}

async fn accept(server: &Server, user: &str, id: &str) -> Answer {
    server.post(user, &format!("/v1/applications/{id}/accept"), json!({})).await
}

async fn refuse(server: &Server, user: &str, id: &str) -> Answer {
    server.post(user, &format!("/v1/applications/{id}/refuse"), json!({})).await
}

/// Lets a person say what an invitation means to him.
async fn consent(server: &Server, user: &str, consent: &str) {
    server.put(user, "/v1/users/me", json!({ "inviteConsent": consent })).await.ok();
}

/// A group whose owner is `owner`, with the admin `admin` and the member `member`, where members need
/// permission to invite.
async fn guarded(server: &Server, id: &str) -> String {
    let more = json!({ "inviteOption": "NeedPermission" });
    group_of(server, "owner", id, "Public", (&["admin"], &["member"]), more).await
}

/// Invites somebody whose result has to be 3.
async fn held(server: &Server, inviter: &str, group: &str, whom: &str) {
    let data = invite(server, inviter, group, &[whom]).await.ok();
    assert_eq!(data[0]["result"], 3, "{data}");
}

/// The newest entry of a person's own stream, which must be of this kind, without its application, which
/// must be this one.
async fn told(server: &Server, user: &str, event: &str, id: &str) -> Value {
    let newest = own_stream(server, user).await.pop();
    let entry = newest.unwrap_or_else(|| panic!("{user} was told nothing"));
    assert_eq!((&entry["event"], &entry["stream"]), (&json!(event), &json!("user")), "{entry}");
    assert_eq!(entry["type"], "event");
    assert_eq!(entry["application"]["applicationID"], id, "{entry}");
    assert!(entry.get("seq").is_none(), "a personal event has no seq: {entry}");
    entry
}

/// Checks that an application came to this end and that these people were told, and nobody else of those
/// asked about.
async fn ended(server: &Server, id: &str, outcome: &str, by: Option<&str>, told_to: &[&str]) {
    for user in told_to {
        let entry = told(server, user, "onApplicationProcessed", id).await;
        assert_eq!(entry["outcome"], outcome, "{entry}");
        assert_eq!(entry["opUser"]["userID"].as_str(), by, "{entry}");
        assert_eq!(entry["application"]["canDecide"], false, "{entry}");
    }
}

/// How many applications are stored, and how many of them are open.
async fn stored(server: &Server) -> (i64, i64) {
    let pool = server.db().await;
    let counts =
        sqlx::query_as("select count(*), count(*) filter (where state = 0) from applications")
            .fetch_one(&pool)
            .await
            .expect("counts");
    pool.close().await;
    counts
}

#[tokio::test]
async fn a_members_invitation_is_shown_to_those_who_decide_it_and_to_the_inviter() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    held(&server, "member", &group, "bob").await;
    let (mine, decides) = only_one(&server, "member").await;
    assert!(!decides);
    assert_eq!(mine["type"], "invite");
    assert_eq!(mine["groupID"], group);
    assert_eq!((&mine["fromUser"], &mine["toUser"]), (&json!("member"), &json!("bob")));
    let moment = |field: &str| {
        let text = mine[field].as_str().expect("a time");
        text.parse::<chrono::DateTime<chrono::Utc>>().expect("RFC 3339")
    };
    assert_eq!((moment("expireTime") - moment("addTime")).num_days(), 7);
    for decider in ["owner", "admin"] {
        assert_eq!(only_one(&server, decider).await, (mine.clone(), true), "{decider}");
        let id = mine["applicationID"].as_str().expect("an id");
        let entry = told(&server, decider, "onReceiveJoinApplication", id).await;
        assert_eq!(entry["groupID"], group);
        let mut application = entry["application"].clone();
        application.as_object_mut().expect("an object").remove("canDecide");
        assert_eq!(application, mine, "the event shows what the list shows");
    }
    assert!(shown_to(&server, "stranger").await.is_empty());
    assert!(own_stream(&server, "member").await.is_empty());
    assert_eq!(log(&server, &group).await.len(), 1, "nothing happened in the group yet");
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_accepted_invitation_adds_the_invitee_in_the_inviters_name() {
    let server = Server::start().await;
    for (decider, invitee) in [("owner", "bob"), ("admin", "carol"), (ADMIN, "dave")] {
        let group = guarded(&server, &format!("group for {decider}")).await;
        held(&server, "member", &group, invitee).await;
        let id = only_id(&server, "member").await;
        let data = accept(&server, decider, &id).await.ok();
        assert_eq!(data, json!({ "status": "joined" }));
        assert_eq!(member_ids(&server, &group).await.len(), 4);
        let event = newest(&server, &group).await;
        assert_eq!((&event["event"], &event["seq"]), (&json!("onMemberInvited"), &json!(2)));
        assert_eq!(event["opUser"]["userID"], "member");
        assert_eq!(named(&event), [invitee]);
        let entry = told(&server, "member", "onApplicationProcessed", &id).await;
        assert_eq!((&entry["opResult"], &entry["outcome"]), (&json!(true), &json!("accepted")));
        assert_eq!(entry["opUser"]["userID"], decider);
        for user in ["owner", "admin", "member", invitee] {
            assert!(shown_to(&server, user).await.is_empty(), "{user}");
        }
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_refused_invitation_adds_nobody_and_tells_the_inviter_why() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    held(&server, "member", &group, "bob").await;
    let id = only_id(&server, "member").await;
    let path = format!("/v1/applications/{id}/refuse");
    server.post("admin", &path, json!({ "message": "we are enough" })).await.ok();
    let entry = told(&server, "member", "onApplicationProcessed", &id).await;
    assert_eq!((&entry["opResult"], &entry["outcome"]), (&json!(false), &json!("refused")));
    assert_eq!(entry["opUser"]["userID"], "admin");
    assert_eq!(entry["opReason"], "we are enough");
    assert_eq!(member_ids(&server, &group).await, ["admin", "member", "owner"]);
    assert_eq!(log(&server, &group).await.len(), 1);
    assert!(shown_to(&server, "owner").await.is_empty());
    // The place is free for another try.
    held(&server, "member", &group, "bob").await;
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn who_wants_to_be_asked_decides_himself() {
    let server = Server::start().await;
    consent(&server, "bob", "ask").await;
    for (decide, members) in [(true, 4), (false, 3)] {
        let group = guarded(&server, &format!("group {decide}")).await;
        held(&server, "owner", &group, "bob").await;
        let (his, decides) = only_one(&server, "bob").await;
        assert!(decides);
        assert_eq!(his["type"], "invitation");
        assert_eq!((&his["fromUser"], &his["toUser"]), (&json!("owner"), &json!("bob")));
        assert_eq!(only_one(&server, "owner").await, (his.clone(), false));
        for manager in shown_to(&server, "admin").await {
            assert_eq!(manager["canDecide"], false, "no matter for the admins");
        }
        let id = only_id(&server, "bob").await;
        told(&server, "bob", "onReceiveInvitation", &id).await;
        for other in ["owner", "admin", "member", "stranger"] {
            let answer = accept(&server, other, &id).await;
            assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
        }
        if decide {
            assert_eq!(accept(&server, "bob", &id).await.ok(), json!({ "status": "joined" }));
            let event = newest(&server, &group).await;
            assert_eq!(event["event"], "onMemberInvited");
            assert_eq!(event["opUser"]["userID"], "owner");
            assert_eq!(named(&event), ["bob"]);
        } else {
            refuse(&server, "bob", &id).await.ok();
            assert_eq!(log(&server, &group).await.len(), 1);
        }
        let entry = told(&server, "owner", "onApplicationProcessed", &id).await;
        let outcome = if decide { "accepted" } else { "refused" };
        assert_eq!((&entry["opResult"], &entry["outcome"]), (&json!(decide), &json!(outcome)));
        assert_eq!(entry["opUser"]["userID"], "bob");
        assert_eq!(member_ids(&server, &group).await.len(), members);
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn when_both_have_to_agree_the_admins_are_asked_first_and_then_the_invitee() {
    let server = Server::start().await;
    consent(&server, "bob", "ask").await;
    let group = guarded(&server, "g1").await;
    let data = invite(&server, "member", &group, &["bob"]).await.ok();
    assert_eq!(data[0]["reason"], "awaiting_approval");
    let first = only_id(&server, "owner").await;
    assert!(own_stream(&server, "bob").await.is_empty(), "he is not asked yet");
    let answer = accept(&server, "bob", &first).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "not his turn");
    assert_eq!(accept(&server, "admin", &first).await.ok(), json!({ "status": "pending" }));
    ended(&server, &first, "forwarded", Some("admin"), &["member"]).await;
    assert_eq!(member_ids(&server, &group).await, ["admin", "member", "owner"]);

    let second = only_id(&server, "bob").await;
    assert_ne!(first, second);
    let (his, decides) = only_one(&server, "bob").await;
    assert_eq!((decides, &his["type"]), (true, &json!("invitation")));
    assert_eq!((&his["fromUser"], &his["toUser"]), (&json!("member"), &json!("bob")));
    told(&server, "bob", "onReceiveInvitation", &second).await;
    server.check_invariants().await;
    assert_eq!(accept(&server, "bob", &second).await.ok(), json!({ "status": "joined" }));
    let event = newest(&server, &group).await;
    assert_eq!(event["opUser"]["userID"], "member");
    assert_eq!(named(&event), ["bob"]);
    ended(&server, &second, "accepted", Some("bob"), &["member"]).await;
    assert_eq!(stored(&server).await, (2, 0));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn inviting_somebody_again_while_his_invitation_waits_is_3_and_changes_nothing() {
    let server = Server::start().await;
    consent(&server, "bob", "ask").await;
    let group = guarded(&server, "g1").await;
    held(&server, "member", &group, "bob").await;
    let before = everything(&server).await;
    for inviter in ["member", "owner", "admin"] {
        held(&server, inviter, &group, "bob").await;
    }
    assert_eq!(everything(&server).await, before);
    let id = only_id(&server, "owner").await;
    accept(&server, "owner", &id).await.ok();
    let before = everything(&server).await;
    for inviter in ["member", "owner", "admin"] {
        held(&server, inviter, &group, "bob").await;
    }
    assert_eq!(everything(&server).await, before);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn only_those_in_charge_decide_and_only_what_exists() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    held(&server, "member", &group, "bob").await;
    let id = only_id(&server, "owner").await;
    let before = everything(&server).await;
    for caller in ["member", "bob", "stranger"] {
        for verb in ["accept", "refuse"] {
            let path = format!("/v1/applications/{id}/{verb}");
            let answer = server.post(caller, &path, json!({})).await;
            assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
        }
    }
    for verb in ["accept", "refuse"] {
        let unknown = "01890a5d-ac96-774b-bcce-b302099a8057";
        let path = format!("/v1/applications/{unknown}/{verb}");
        let answer = server.post("owner", &path, json!({})).await;
        assert_eq!(answer.status, 404, "{answer:?}");
        assert_eq!(answer.body["data"]["reason"], "application_not_found");
        let path = format!("/v1/applications/seven/{verb}");
        let data = server.post("owner", &path, json!({})).await;
        assert_eq!(data.refused(400, 10004, "invalid_parameter")["field"], "applicationID");
        let path = format!("/v1/applications/{id}/{verb}");
        let data = server.post("owner", &path, json!({ "reason": "" })).await;
        assert_eq!(data.refused(400, 10004, "unknown_field")["field"], "reason");
    }
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn the_list_goes_on_where_its_page_ended() {
    let server = Server::start().await;
    let group = guarded(&server, "g1").await;
    let invitees: Vec<String> = (0..7).map(|number| format!("n{number}")).collect();
    let list: Vec<&str> = invitees.iter().map(String::as_str).collect();
    invite(&server, "member", &group, &list).await.ok();
    for reader in ["owner", "member"] {
        let mut found = Vec::new();
        let mut path = "/v1/applications?limit=3".to_owned();
        let mut sizes = Vec::new();
        loop {
            let data = server.get(reader, &path).await.ok();
            let page = data["applicationList"].as_array().expect("a list").clone();
            sizes.push(page.len());
            found.extend(page.iter().map(|one| one["toUser"].as_str().expect("whom").to_owned()));
            let Some(next) = data["next"].as_str() else { break };
            path = format!("/v1/applications?limit=3&next={next}");
        }
        assert_eq!(sizes, [3, 3, 1]);
        found.sort();
        assert_eq!(found, invitees, "{reader}");
    }
    server.stop().await;
}
