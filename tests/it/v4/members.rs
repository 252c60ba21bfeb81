//! `add_group_member` and `delete_group_member`.

use serde_json::{Value, json};

use super::{group, newest_event, ok, refused, results, roles};
use crate::common::{ADMIN, Server};

/// A call that names these people.
fn add(id: &str, people: &[&str]) -> Value {
    let list: Vec<Value> = people.iter().map(|one| json!({"Member_Account": one})).collect();
    json!({"GroupId": id, "MemberList": list})
}

fn delete(id: &str, people: &[&str]) -> Value {
    json!({"GroupId": id, "MemberToDel_Account": people})
}

#[tokio::test]
async fn every_person_has_a_result() {
    let server = Server::start().await;
    server.group("owner", "g1", "Public", json!({})).await;
    ok(group(&server, "add_group_member", add("g1", &["member", "banned"])).await);
    let ban = json!({"userList": ["banned"], "banSeconds": 60});
    server.post(ADMIN, "/v1/groups/g1/kick", ban).await.ok();
    server.put(ADMIN, "/v1/users/full", json!({"groupLimit": 0})).await.ok();

    let people = ["new", "member", "banned", "full", "owner", "new"];
    let answer = ok(group(&server, "add_group_member", add("g1", &people)).await);
    let expected = [("new", 1), ("member", 2), ("banned", 0), ("full", 4), ("owner", 2)];
    let expected: Vec<_> = expected.iter().map(|(who, what)| ((*who).to_owned(), *what)).collect();
    assert_eq!(results(&answer), expected);
    assert_eq!(answer.as_object().map(serde_json::Map::len), Some(4), "{answer}");
    assert_eq!(
        roles(&server, "g1", &["new", "banned", "full"]).await,
        ["Member", "NotMember", "NotMember"]
    );
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_administrator_waits_for_nobody() {
    let server = Server::start().await;
    server.put("shy", "/v1/users/me", json!({"inviteConsent": "ask"})).await.ok();
    server.put("alone", "/v1/users/me", json!({"inviteConsent": "deny"})).await.ok();
    for (group_type, option) in [
        ("Work", "NeedPermission"),
        ("Public", "DisableInvite"),
        ("Meeting", "NeedPermission"),
        ("Community", "DisableInvite"),
    ] {
        let id = format!("@TGS#_{group_type}");
        let id = if group_type == "Community" { id.as_str() } else { group_type };
        server.group("owner", id, group_type, json!({"inviteOption": option})).await;
        let answer = ok(group(&server, "add_group_member", add(id, &["shy", "alone"])).await);
        assert_eq!(results(&answer), [("shy".to_owned(), 1), ("alone".to_owned(), 1)], "{id}");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn silence_is_noted_in_the_event() {
    let server = Server::start().await;
    server.group("owner", "g1", "Work", json!({})).await;
    for (silence, noted) in [(json!(1), json!(true)), (json!(0), Value::Null)] {
        let mut body = add("g1", &["bob"]);
        body["Silence"] = silence.clone();
        ok(group(&server, "add_group_member", body).await);
        let event = newest_event(&server, "g1").await;
        assert_eq!((&event["event"], &event["silent"]), (&json!("onMemberInvited"), &noted));

        let mut body = delete("g1", &["bob"]);
        body["Silence"] = silence;
        body["Reason"] = json!("not any more");
        ok(group(&server, "delete_group_member", body).await);
        let event = newest_event(&server, "g1").await;
        assert_eq!((&event["event"], &event["silent"]), (&json!("onMemberKicked"), &noted));
        assert_eq!(event["reason"], "not any more");
    }
    server.stop().await;
}

#[tokio::test]
async fn what_add_group_member_refuses() {
    let server = Server::start().await;
    server.group("owner", "g1", "Public", json!({"maxMemberCount": 2})).await;
    server.group("owner", "live", "AVChatRoom", json!({})).await;
    let many: Vec<String> = (0..301).map(|number| format!("u{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let table = [
        (json!({"MemberList": [{"Member_Account": "a"}]}), 10_004, "GroupId is missing"),
        (json!({"GroupId": "g1"}), 10_004, "MemberList is missing"),
        (add("g1", &[]), 10_004, "MemberList is empty"),
        (json!({"GroupId": "g1", "MemberList": ["a"]}), 10_004, "MemberList[0] must be an object"),
        (json!({"GroupId": "g1", "MemberList": [{}]}), 10_004, "MemberList[0].Member_Account"),
        (add("g1", &["a", ""]), 10_004, "MemberList[1].Member_Account is empty"),
        (add("g1", &["me"]), 10_004, "MemberList[0].Member_Account"),
        (
            json!({"GroupId": "g1", "Silence": 2, "MemberList": [{"Member_Account": "a"}]}),
            10_004,
            "Silence must be a whole number from 0 to 1",
        ),
        (add("g1", &many), 10_005, "MemberList names 301 people, at most 300"),
        (add("live", &["a"]), 10_007, "AVChatRoom"),
        (add("absent", &["a"]), 10_010, "no such group"),
        (add("g1", &["a", "b"]), 10_014, "2 more would exceed"),
        (add("@TGS#\u{e9}", &["a"]), 10_015, "GroupId"),
        (add(&"x".repeat(49), &["a"]), 10_015, "at most 48"),
    ];
    for (body, code, word) in table {
        let text = refused(&group(&server, "add_group_member", body).await, code);
        assert!(text.contains(word), "{text}");
    }
    // Nothing of the full call was done, and as many as there is room for come in.
    assert_eq!(roles(&server, "g1", &["a", "b"]).await, ["NotMember", "NotMember"]);
    let answer = ok(group(&server, "add_group_member", add("g1", &["owner", "a"])).await);
    assert_eq!(results(&answer), [("owner".to_owned(), 2), ("a".to_owned(), 1)]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn unknown_people_are_refused_where_accounts_are_registered() {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    let import = json!({"Accounts": ["owner", "known"]});
    ok(server.v4("im_open_login_svc/multiaccount_import", import).await);
    server.group("owner", "g1", "Work", json!({})).await;
    refused(&group(&server, "add_group_member", add("g1", &["x", "y"])).await, 10_019);
    let answer = ok(group(&server, "add_group_member", add("g1", &["x", "known"])).await);
    assert_eq!(results(&answer), [("x".to_owned(), 0), ("known".to_owned(), 1)]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_documented_removal() {
    let server = Server::start().await;
    server.group("owner", "g1", "Public", json!({})).await;
    ok(group(&server, "add_group_member", add("g1", &["a", "b", "c"])).await);
    let body = json!({
        "GroupId": "g1", "Silence": 1, "Reason": "kick reason",
        "MemberToDel_Account": ["a", "stranger", "b", "a"],
    });
    let answer = ok(group(&server, "delete_group_member", body).await);
    assert_eq!(answer, json!({"ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0}));
    assert_eq!(roles(&server, "g1", &["a", "b", "c"]).await, ["NotMember", "NotMember", "Member"]);
    // Who is no member is passed over, also when nobody else is named.
    ok(group(&server, "delete_group_member", delete("g1", &["a", "stranger"])).await);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn the_owner_cannot_be_removed() {
    let server = Server::start().await;
    server.group("owner", "g1", "Public", json!({})).await;
    ok(group(&server, "add_group_member", add("g1", &["a"])).await);
    let text =
        refused(&group(&server, "delete_group_member", delete("g1", &["owner"])).await, 10_007);
    assert!(text.contains("owner"), "{text}");
    refused(&group(&server, "delete_group_member", delete("g1", &["owner", "x"])).await, 10_007);
    ok(group(&server, "delete_group_member", delete("g1", &["owner", "a"])).await);
    assert_eq!(roles(&server, "g1", &["owner", "a"]).await, ["Owner", "NotMember"]);
    server.stop().await;
}

#[tokio::test]
async fn what_delete_group_member_refuses() {
    let server = Server::start().await;
    server.group("owner", "g1", "Public", json!({})).await;
    server.group("owner", "live", "AVChatRoom", json!({})).await;
    let many: Vec<String> = (0..301).map(|number| format!("u{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut long = delete("g1", &["a"]);
    long["Reason"] = json!("x".repeat(1_001));
    let table = [
        (json!({"MemberToDel_Account": ["a"]}), 10_004, "GroupId is missing"),
        (json!({"GroupId": "g1"}), 10_004, "MemberToDel_Account is missing"),
        (delete("g1", &[]), 10_004, "MemberToDel_Account is empty"),
        (json!({"GroupId": "g1", "MemberToDel_Account": "a"}), 10_004, "must be a list of strings"),
        (json!({"GroupId": "g1", "MemberToDel_Account": [1]}), 10_004, "MemberToDel_Account[0]"),
        (delete("g1", &["x".repeat(33).as_str()]), 10_004, "MemberToDel_Account[0]"),
        (long, 10_004, "Reason"),
        (delete("live", &["a"]), 10_004, "AVChatRoom"),
        (delete("g1", &many), 10_005, "MemberToDel_Account names 301 people"),
        (delete("absent", &["a"]), 10_010, "no such group"),
        (delete("", &["a"]), 10_015, "GroupId"),
    ];
    for (body, code, word) in table {
        let text = refused(&group(&server, "delete_group_member", body).await, code);
        assert!(text.contains(word), "{text}");
    }
    server.stop().await;
}
