//! `forbid_send_msg`, `get_group_muted_account` and its old name.

use serde_json::{Value, json};

use super::{column, done, group, member, newest_event, ok, refused, with_group};
use crate::common::Server;

fn mute(id: &str, people: &[&str], seconds: u32) -> Value {
    json!({"GroupId": id, "Members_Account": people, "MuteTime": seconds})
}

async fn muted(server: &Server, id: &str) -> Vec<String> {
    let answer = ok(group(server, "get_group_muted_account", json!({"GroupId": id})).await);
    let accounts = column(&answer["MutedAccountList"], "Member_Account");
    accounts.into_iter().map(str::to_owned).collect()
}

#[tokio::test]
async fn the_documented_mute_and_its_list() {
    let server = with_group().await;
    done(&group(&server, "forbid_send_msg", mute("g1", &["bob", "carol"], 60)).await);
    let event = newest_event(&server, "g1").await;
    assert_eq!(event["event"], "onMemberInfoChanged");
    assert_eq!(event["memberList"].as_array().map(Vec::len), Some(2), "one event for both");

    let until = member(&server, "g1", "bob").await["MuteUntil"].as_i64().expect("MuteUntil");
    let now = chrono::Utc::now().timestamp();
    assert!((now..=now + 60).contains(&until), "{until}");
    let expected = json!({
        "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0,
        "GroupId": "g1",
        "MutedAccountList": [
            {"Member_Account": "bob", "MutedUntil": until},
            {"Member_Account": "carol", "MutedUntil": until},
        ],
        "ShuttedUinList": [
            {"Member_Account": "bob", "ShuttedUntil": until},
            {"Member_Account": "carol", "ShuttedUntil": until},
        ],
    });
    for command in ["get_group_muted_account", "get_group_shutted_uin"] {
        assert_eq!(group(&server, command, json!({"GroupId": "g1"})).await, expected, "{command}");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_mute_is_lifted_with_0_and_lasts_for_ever_with_the_highest_number() {
    let server = with_group().await;
    let for_ever = json!({"GroupId": "g1", "Members_Account": ["bob"], "ShutUpTime": u32::MAX});
    done(&group(&server, "forbid_send_msg", for_ever).await);
    let until = member(&server, "g1", "bob").await["ShutUpUntil"].clone();
    assert_eq!(until, 253_402_300_799_i64, "the end of the year 9999");
    assert_eq!(muted(&server, "g1").await, ["bob"]);
    done(&group(&server, "forbid_send_msg", mute("g1", &["bob", "carol"], 0)).await);
    assert!(muted(&server, "g1").await.is_empty());
    assert_eq!(member(&server, "g1", "bob").await["MuteUntil"], 0);
    server.stop().await;
}

#[tokio::test]
async fn who_is_no_member_is_passed_over_unless_nobody_else_is_named() {
    let server = with_group().await;
    let mixed = mute("g1", &["stranger", "bob", "bob", "owner", "admin"], 60);
    done(&group(&server, "forbid_send_msg", mixed).await);
    assert_eq!(muted(&server, "g1").await, ["admin", "bob", "owner"]);
    let strangers = mute("g1", &["stranger", "nobody"], 60);
    let text = refused(&group(&server, "forbid_send_msg", strangers).await, 10_007);
    assert!(text.contains("Members_Account"), "{text}");
    server.stop().await;
}

#[tokio::test]
async fn as_many_are_muted_as_the_document_says() {
    let server = with_group().await;
    let people: Vec<String> =
        (0..499).map(|number| format!("u{number}")).chain(["bob".to_owned()]).collect();
    let body = json!({"GroupId": "g1", "Members_Account": people, "MuteTime": 60, "TopicId": ""});
    done(&group(&server, "forbid_send_msg", body).await);
    assert_eq!(muted(&server, "g1").await, ["bob"]);
    server.stop().await;
}

#[tokio::test]
async fn types_have_mutes_or_not() {
    let server = Server::start().await;
    for group_type in ["Private", "Public", "ChatRoom", "AVChatRoom", "Community"] {
        let made = json!({"Type": group_type, "Name": "n", "Owner_Account": "owner"});
        let made = ok(group(&server, "create_group", made).await);
        let id = made["GroupId"].as_str().expect("GroupId");
        let answer = group(&server, "forbid_send_msg", mute(id, &["owner"], 60)).await;
        if group_type == "Private" {
            refused(&answer, 10_007);
            assert!(muted(&server, id).await.is_empty());
        } else {
            done(&answer);
            assert_eq!(muted(&server, id).await, ["owner"], "{group_type}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_mutes_refuse() {
    let server = with_group().await;
    let many: Vec<String> = (0..501).map(|number| format!("u{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let mut in_topic = mute("g1", &["bob"], 60);
    in_topic["TopicId"] = json!("g1@TOPIC#_1");
    for (command, body, code, word) in [
        ("forbid_send_msg", in_topic, 10_004, "TopicId names a topic"),
        ("forbid_send_msg", mute("g1", &many, 60), 10_005, "Members_Account names 501 people"),
        ("forbid_send_msg", mute("absent", &["bob"], 60), 10_010, "no such group"),
        ("forbid_send_msg", mute("é", &["bob"], 60), 10_015, "GroupId"),
        ("get_group_muted_account", json!({}), 10_004, "GroupId is missing"),
        ("get_group_muted_account", json!({"GroupId": "absent"}), 10_010, "no such group"),
        ("get_group_muted_account", json!({"GroupId": "é"}), 10_015, "GroupId"),
        ("get_group_shutted_uin", json!({"GroupId": "absent"}), 10_010, "no such group"),
    ] {
        let text = refused(&group(&server, command, body).await, code);
        assert!(text.contains(word), "{text}");
    }
    assert!(muted(&server, "g1").await.is_empty());
    server.stop().await;
}
