//! Who sees what of a group (`api.md` section 2).

use serde_json::json;

use crate::common::{ADMIN, Server};
use crate::groups::{at, group_of};

#[tokio::test]
async fn a_member_and_an_administrator_see_the_whole_profile() {
    let server = Server::start().await;
    let more = json!({
        "introduction": "what it is\nabout", "notification": "tomorrow at nine",
        "faceUrl": "https://example.com/face.png", "maxMemberCount": 50
    });
    let group = group_of(&server, "alice", "g1", "Public", (&["bob"], &["carol"]), more).await;
    for (reader, role) in
        [("alice", Some("Owner")), ("bob", Some("Admin")), ("carol", Some("Member")), (ADMIN, None)]
    {
        let data = server.get(reader, &at(&group, "")).await.ok();
        let time = data["createTime"].as_str().expect("createTime");
        let time: chrono::DateTime<chrono::Utc> = time.parse().expect("RFC 3339");
        assert!((chrono::Utc::now() - time).num_minutes().abs() < 5, "{time}");
        let mut rest = data.clone();
        rest.as_object_mut().expect("an object").remove("createTime");
        let mut expected = json!({
            "groupID": "g1", "groupType": "Public", "groupName": "a group of a test",
            "introduction": "what it is\nabout", "notification": "tomorrow at nine",
            "faceUrl": "https://example.com/face.png", "maxMemberCount": 50, "owner": "alice",
            "joinOption": "NeedPermission", "inviteOption": "DisableInvite",
            "memberCount": 3, "seq": 1, "muteAll": false, "customFields": {}
        });
        if let Some(role) = role {
            expected["role"] = json!(role);
        }
        assert_eq!(rest, expected, "{reader}");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_stranger_sees_what_helps_him_to_decide_whether_to_join() {
    let server = Server::start().await;
    for group_type in ["Public", "Meeting", "AVChatRoom", "Community"] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        let more = json!({ "introduction": "about", "notification": "for members only" });
        server.group("alice", &id, group_type, more).await;
        let data = server.get("stranger", &at(&id, "")).await.ok();
        for (field, value) in [
            ("groupName", json!("a group of a test")),
            ("groupType", json!(group_type)),
            ("introduction", json!("about")),
            ("faceUrl", json!("")),
            ("memberCount", json!(1)),
        ] {
            assert_eq!(data[field], value, "{group_type} {field}");
        }
        assert!(data["joinOption"].is_string(), "{data}");
        for hidden in [
            "notification",
            "owner",
            "inviteOption",
            "maxMemberCount",
            "muteAll",
            "customFields",
            "seq",
            "createTime",
            "role",
        ] {
            assert!(data.get(hidden).is_none(), "{group_type} shows {hidden}: {data}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_work_group_shows_itself_to_no_stranger() {
    let server = Server::start().await;
    let group = group_of(&server, "alice", "g1", "Work", (&[], &["bob"]), json!({})).await;
    let answer = server.get("stranger", &at(&group, "")).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    server.get("bob", &at(&group, "")).await.ok();
    server.post("bob", &at(&group, "quit"), json!({})).await.ok();
    let answer = server.get("bob", &at(&group, "")).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    server.get(ADMIN, &at(&group, "")).await.ok();
    server.stop().await;
}

#[tokio::test]
async fn a_group_that_is_not_there_is_10010_and_an_impossible_id_10015() {
    let server = Server::start().await;
    server.group("alice", "gone", "Public", json!({})).await;
    server.delete("alice", &at("gone", "")).await.ok();
    for id in ["gone", "never"] {
        for reader in ["alice", "stranger", ADMIN] {
            for below in ["", "members", "events"] {
                let answer = server.get(reader, &at(id, below)).await;
                answer.refused(404, 10010, "group_not_found");
            }
        }
    }
    for id in ["x".repeat(49).as_str(), "bö"] {
        for below in ["", "members", "events"] {
            server.get("alice", &at(id, below)).await.refused(400, 10015, "invalid_group_id");
        }
    }
    server.stop().await;
}
