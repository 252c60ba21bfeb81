//! `ban_group_member`, `unban_group_member`, `get_group_ban_member`.

use serde_json::{Value, json};

use super::{column, done, group, newest_event, ok, refused, results, roles, with_group};
use crate::common::{ADMIN, Server};

fn ban(id: &str, people: &[&str], seconds: u32) -> Value {
    json!({"GroupId": id, "Members_Account": people, "Duration": seconds})
}

async fn banned(server: &Server, body: Value) -> (Vec<String>, i64) {
    let answer = ok(group(server, "get_group_ban_member", body).await);
    let list = column(&answer["BannedAccountList"], "Member_Account");
    let next = answer["NextOffset"].as_i64().expect("NextOffset");
    (list.into_iter().map(str::to_owned).collect(), next)
}

#[tokio::test]
async fn the_documented_ban_its_list_and_its_end() {
    let server = with_group().await;
    let body = json!({
        "GroupId": "g1", "Members_Account": ["bob", "stranger"], "Duration": 60,
        "Description": "no advertising",
    });
    done(&group(&server, "ban_group_member", body).await);
    assert_eq!(roles(&server, "g1", &["bob", "carol"]).await, ["NotMember", "Member"]);
    let event = newest_event(&server, "g1").await;
    assert_eq!(
        (&event["event"], &event["reason"]),
        (&json!("onMemberKicked"), &json!("no advertising"))
    );

    let answer = ok(group(&server, "get_group_ban_member", json!({"GroupId": "g1"})).await);
    let until = answer["BannedAccountList"][0]["BannedUntil"].as_i64().expect("BannedUntil");
    let now = chrono::Utc::now().timestamp();
    assert!((now..=now + 60).contains(&until), "{until}");
    let expected = json!({
        "ActionStatus": "OK", "ErrorInfo": "", "ErrorCode": 0, "GroupId": "g1",
        "BannedAccountList": [
            {"Member_Account": "bob", "BannedUntil": until},
            {"Member_Account": "stranger", "BannedUntil": until},
        ],
        "NextOffset": 0,
    });
    assert_eq!(answer, expected);

    let add = json!({"GroupId": "g1", "MemberList": [{"Member_Account": "bob"}]});
    let refusal = ok(group(&server, "add_group_member", add.clone()).await);
    assert_eq!(results(&refusal), [("bob".to_owned(), 0)]);
    let unban = json!({"GroupId": "g1", "Members_Account": ["bob", "carol", "nobody"]});
    done(&group(&server, "unban_group_member", unban.clone()).await);
    done(&group(&server, "unban_group_member", unban).await);
    assert_eq!(banned(&server, json!({"GroupId": "g1"})).await.0, ["stranger"]);
    let added = ok(group(&server, "add_group_member", add).await);
    assert_eq!(results(&added), [("bob".to_owned(), 1)]);
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn groups_of_every_type_know_bans() {
    let server = Server::start().await;
    for group_type in ["Private", "Public", "ChatRoom", "AVChatRoom", "Community"] {
        let made = json!({"Type": group_type, "Name": "n", "Owner_Account": "owner"});
        let made = ok(group(&server, "create_group", made).await);
        let id = made["GroupId"].as_str().expect("GroupId");
        done(&group(&server, "ban_group_member", ban(id, &["guest"], 60)).await);
        assert_eq!(banned(&server, json!({"GroupId": id})).await.0, ["guest"], "{group_type}");
        let unban = json!({"GroupId": id, "Members_Account": ["guest"]});
        done(&group(&server, "unban_group_member", unban).await);
        assert!(banned(&server, json!({"GroupId": id})).await.0.is_empty(), "{group_type}");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn bans_are_listed_in_pages() {
    let server = with_group().await;
    for round in 0..7 {
        let people: Vec<String> = (0..20).map(|n| format!("u{:03}", round * 20 + n)).collect();
        let people: Vec<&str> = people.iter().map(String::as_str).collect();
        done(&group(&server, "ban_group_member", ban("g1", &people, 600)).await);
    }
    let mut pages = Vec::new();
    let mut all = Vec::new();
    let mut offset = 0;
    loop {
        let body = json!({"GroupId": "g1", "Limit": 60, "Offset": offset});
        let (people, next) = banned(&server, body).await;
        pages.push((people.len(), next));
        all.extend(people);
        offset = next;
        if next == 0 {
            break;
        }
    }
    assert_eq!(pages, [(60, 60), (60, 120), (20, 0)]);
    assert!(all.is_sorted());
    assert_eq!(banned(&server, json!({"GroupId": "g1", "Limit": 0})).await.1, 100);
    assert_eq!(banned(&server, json!({"GroupId": "g1", "Offset": 1_000})).await, (vec![], 0));
    server.stop().await;
}

#[tokio::test]
async fn the_longest_ban_ends_never() {
    let server = with_group().await;
    done(&group(&server, "ban_group_member", ban("g1", &["bob"], u32::MAX)).await);
    let of_bob = server.get(ADMIN, "/v1/groups/g1/bans/bob").await.ok();
    assert_eq!(of_bob["banUntil"], Value::Null);
    let answer = ok(group(&server, "get_group_ban_member", json!({"GroupId": "g1"})).await);
    assert_eq!(answer["BannedAccountList"][0]["BannedUntil"], 253_402_300_799_i64);
    server.stop().await;
}

#[tokio::test]
async fn the_owner_cannot_be_banned() {
    let server = with_group().await;
    let text =
        refused(&group(&server, "ban_group_member", ban("g1", &["owner"], 60)).await, 10_007);
    assert!(text.contains("owner"), "{text}");
    done(&group(&server, "ban_group_member", ban("g1", &["owner", "admin"], 60)).await);
    assert_eq!(roles(&server, "g1", &["owner", "admin"]).await, ["Owner", "NotMember"]);
    server.stop().await;
}

#[tokio::test]
async fn what_bans_refuse() {
    let server = with_group().await;
    let many: Vec<String> = (0..301).map(|number| format!("u{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let unban = |id: &str, people: &[&str]| json!({"GroupId": id, "Members_Account": people});
    for (command, body, code, word) in [
        (
            "ban_group_member",
            ban("g1", &["bob"], 0),
            10_004,
            "Duration must be a whole number from 1",
        ),
        (
            "ban_group_member",
            ban("g1", &many[..21], 60),
            10_005,
            "Members_Account has 21 entries, at most 20",
        ),
        ("ban_group_member", ban("absent", &["bob"], 60), 10_010, "no such group"),
        ("ban_group_member", ban("é", &["bob"], 60), 10_015, "GroupId"),
        ("unban_group_member", unban("g1", &many), 10_005, "Members_Account names 301 people"),
        ("unban_group_member", unban("absent", &["bob"]), 10_010, "no such group"),
        ("unban_group_member", unban("é", &["bob"]), 10_015, "GroupId"),
        (
            "get_group_ban_member",
            json!({"GroupId": "g1", "Limit": 101}),
            10_004,
            "Limit must be a whole number from 0 to 100",
        ),
        ("get_group_ban_member", json!({"GroupId": "absent"}), 10_010, "no such group"),
        ("get_group_ban_member", json!({"GroupId": "é"}), 10_015, "GroupId"),
    ] {
        let text = refused(&group(&server, command, body).await, code);
        assert!(text.contains(word), "{text}");
    }
    server.stop().await;
}
