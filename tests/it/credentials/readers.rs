//! Who may read what (`api.md` section 2), as one table.

use serde_json::{Value, json};

use crate::common::{ADMIN, Server};

/// The readers: an ordinary member, an admin of the group, its owner, somebody else, an app administrator.
const READERS: [&str; 5] = ["member", "manager", "owner", "stranger", ADMIN];

/// What a reader gets.
#[derive(Clone, Copy, Debug)]
enum Gets {
    /// 200.
    All,
    /// 403 with 10007 and this reason.
    No(&'static str),
}

use Gets::{All, No};

const NOT_A_MEMBER: Gets = No("not_a_member");

/// A path, and what each of [`READERS`] gets.
const TABLE: &[(&str, [Gets; 5])] = &[
    ("/v1/groups/public", [All, All, All, All, All]),
    ("/v1/groups/public/members", [All, All, All, NOT_A_MEMBER, All]),
    ("/v1/groups/public/members?userID=owner", [All, All, All, NOT_A_MEMBER, All]),
    ("/v1/groups/public/events", [All, All, All, NOT_A_MEMBER, All]),
    // Strangers do not even learn that a Work group exists, beyond its id.
    ("/v1/groups/work", [All, All, All, NOT_A_MEMBER, All]),
    ("/v1/groups/work/members", [All, All, All, NOT_A_MEMBER, All]),
    ("/v1/groups/work/events", [All, All, All, NOT_A_MEMBER, All]),
    ("/v1/users/member", [All, All, All, All, All]),
    (
        "/v1/users/member/groups",
        [All, No("administrators_only"), No("administrators_only"), No("administrators_only"), All],
    ),
    ("/v1/users/me/groups", [All, All, All, All, All]),
    ("/v1/applications", [All, All, All, All, All]),
    ("/v1/limits", [All, All, All, All, All]),
];

async fn world() -> Server {
    let server = Server::start().await;
    let members = json!([{ "userID": "member" }, { "userID": "manager", "role": "Admin" }]);
    server.group("owner", "public", "Public", json!({ "memberList": members })).await;
    let members = json!([{ "userID": "member" }, { "userID": "manager" }]);
    server.group("owner", "work", "Work", json!({ "memberList": members })).await;
    let about = json!({ "nickName": "M", "faceUrl": "https://faces.example/m", "groupLimit": 7 });
    server.put(ADMIN, "/v1/users/member", about).await.ok();
    server.post("applicant", "/v1/groups/public/join", json!({ "message": "please" })).await.ok();
    server
}

#[tokio::test]
async fn everybody_reads_what_the_table_says() {
    let server = world().await;
    for (path, expected) in TABLE {
        for (reader, gets) in READERS.iter().zip(expected) {
            let answer = server.get(reader, path).await;
            let text = format!("{reader} {path}: {answer:?}");
            let reason = answer.body["data"]["reason"].as_str();
            match gets {
                All => assert_eq!(answer.status, 200, "{text}"),
                No(word) => {
                    assert_eq!((answer.status, reason), (403, Some(*word)), "{text}");
                    assert_eq!(answer.body["code"], 10007, "{text}");
                }
            }
        }
    }
    server.stop().await;
}

fn names(data: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        data.as_object().expect("an object").keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

#[tokio::test]
async fn a_stranger_reads_the_outside_of_a_group_and_a_member_its_whole_profile() {
    let outside = [
        "faceUrl",
        "groupID",
        "groupName",
        "groupType",
        "introduction",
        "joinOption",
        "memberCount",
    ];
    let inside = [
        "createTime",
        "customFields",
        "faceUrl",
        "groupID",
        "groupName",
        "groupType",
        "introduction",
        "inviteOption",
        "joinOption",
        "maxMemberCount",
        "memberCount",
        "muteAll",
        "notification",
        "owner",
        "role",
        "seq",
    ];
    let server = world().await;
    let path = "/v1/groups/public";
    for (reader, role) in [("member", "Member"), ("manager", "Admin"), ("owner", "Owner")] {
        let found = server.get(reader, path).await.ok();
        assert_eq!(names(&found), inside, "{reader}");
        assert_eq!(found["role"], role);
    }
    let found = server.get(ADMIN, path).await.ok();
    let without_role: Vec<&str> = inside.into_iter().filter(|name| *name != "role").collect();
    assert_eq!(names(&found), without_role);
    let found = server.get("stranger", path).await.ok();
    assert_eq!(names(&found), outside);
    assert_eq!(found["memberCount"], 3);
    server.stop().await;
}

#[tokio::test]
async fn others_read_a_users_name_and_face_and_nothing_more() {
    let server = world().await;
    let path = "/v1/users/member";
    for reader in ["manager", "owner", "stranger"] {
        let found = server.get(reader, path).await.ok();
        let expected =
            json!({ "userID": "member", "nickName": "M", "faceUrl": "https://faces.example/m" });
        assert_eq!(found, expected, "{reader}");
    }
    for reader in ["member", ADMIN] {
        let found = server.get(reader, path).await.ok();
        assert_eq!(
            (&found["groupLimit"], &found["groupCount"]),
            (&json!(7), &json!(2)),
            "{reader}"
        );
        assert_eq!(found["inviteConsent"], "auto", "{reader}");
    }
    server.stop().await;
}

/// An application is seen by who made it and by who may decide it, and by nobody else.
#[tokio::test]
async fn an_application_is_read_by_its_applicant_and_by_those_who_decide() {
    let server = world().await;
    for (reader, sees) in [
        ("owner", Some(true)),
        ("manager", Some(true)),
        ("applicant", Some(false)),
        ("member", None),
        ("stranger", None),
    ] {
        let found = server.get(reader, "/v1/applications").await.ok();
        let decides = found["applicationList"][0]["canDecide"].as_bool();
        assert_eq!(decides, sees, "{reader}: {found}");
    }
    server.stop().await;
}

/// A member reads the group's events from the one that made him a member; an administrator all of them.
#[tokio::test]
async fn history_begins_where_the_reader_joined() {
    let server = world().await;
    server.patch("owner", "/v1/groups/public", json!({ "groupName": "before" })).await.ok();
    server.post(ADMIN, "/v1/groups/public/invite", json!({ "userList": ["late"] })).await.ok();
    server.patch("owner", "/v1/groups/public", json!({ "groupName": "after" })).await.ok();
    for (reader, first) in [("owner", 1), ("member", 1), ("late", 3), (ADMIN, 1)] {
        for after in ["", "?after=0", "?after=1"] {
            let path = format!("/v1/groups/public/events{after}");
            let found = server.get(reader, &path).await.ok();
            let seqs: Vec<i64> = found["eventList"]
                .as_array()
                .expect("a list")
                .iter()
                .filter_map(|event| event["seq"].as_i64())
                .collect();
            let from = if after == "?after=1" { first.max(2) } else { first };
            assert_eq!(seqs, (from..=4).collect::<Vec<i64>>(), "{reader} {path}");
            assert_eq!(found["oldest"], first, "{reader} {path}");
        }
    }
    // Somebody who left reads nothing any more.
    server.post("late", "/v1/groups/public/quit", json!({})).await.ok();
    let answer = server.get("late", "/v1/groups/public/events").await;
    answer.refused(403, 10007, "not_a_member");
    server.stop().await;
}
