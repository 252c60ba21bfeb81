//! Making a group with its first members (n).

use serde_json::{Value, json};

use crate::common::{ADMIN, Answer, Server, results};
use crate::groups::{at, everything, group_of, has_row, log, member_ids, own_stream};

async fn create(server: &Server, caller: &str, mut body: Value) -> Answer {
    body["groupName"] = json!("a name");
    server.post(caller, "/v1/groups", body).await
}

/// The roles of a group's members, by id.
async fn roles(server: &Server, group: &str) -> Vec<(String, String)> {
    let data = server.get(ADMIN, &at(group, "members")).await.ok();
    let list = data["memberList"].as_array().expect("memberList").clone();
    let text = |line: &Value, field: &str| line[field].as_str().expect("a text").to_owned();
    list.iter().map(|line| (text(line, "userID"), text(line, "role"))).collect()
}

#[tokio::test]
async fn a_group_begins_with_its_owner_and_first_members_and_one_event() {
    let server = Server::start().await;
    for group_type in ["Public", "Meeting", "Community"] {
        let prefix = if group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{group_type}");
        let body = json!({
            "groupID": id, "groupType": group_type,
            "memberList": [
                { "userID": "bob", "role": "Admin" }, { "userID": "carol", "role": "Member" },
                { "userID": "dave" }, { "userID": "bob" }, { "userID": "alice" }
            ]
        });
        let answer = create(&server, "alice", body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let data = answer.ok();
        assert_eq!(data["groupID"], id);
        let expected = [("bob", 1), ("carol", 1), ("dave", 1), ("alice", 2)];
        let expected = expected.map(|(user, result)| (user.to_owned(), result));
        assert_eq!(results(&data["memberList"]), expected);
        let expected =
            [("alice", "Owner"), ("bob", "Admin"), ("carol", "Member"), ("dave", "Member")];
        let expected = expected.map(|(user, role)| (user.to_owned(), role.to_owned()));
        assert_eq!(roles(&server, &id).await, expected);
        let log = log(&server, &id).await;
        assert_eq!(log.len(), 1);
        assert_eq!((&log[0]["event"], &log[0]["seq"]), (&json!("onGroupCreated"), &json!(1)));
        assert_eq!(log[0]["opUser"]["userID"], "alice");
        let mut named = crate::groups::named(&log[0]);
        named.sort_unstable();
        assert_eq!(named, ["alice", "bob", "carol", "dave"]);
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_id_made_by_the_server_tells_the_type() {
    let server = Server::start().await;
    // tencent-im.md 1.7
    for (group_type, beginnings) in [
        ("Work", &["@TGS#1", "@TGS#2", "@TGS#3"] as &[&str]),
        ("Public", &["@TGS#1", "@TGS#2", "@TGS#3"]),
        ("Meeting", &["@TGS#1", "@TGS#2", "@TGS#3"]),
        ("AVChatRoom", &["@TGS#a"]),
        ("Community", &["@TGS#_@TGS#c"]),
    ] {
        let data = create(&server, "alice", json!({ "groupType": group_type })).await.ok();
        let id = data["groupID"].as_str().expect("groupID");
        assert!(beginnings.iter().any(|it| id.starts_with(it)), "{group_type}: {id}");
        assert!(id.len() <= 48, "{id}");
        assert!(data.get("memberList").is_none(), "nobody was named: {data}");
        assert_eq!(server.get("alice", &at(id, "")).await.ok()["role"], "Owner");
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn a_type_gives_a_group_its_defaults() {
    let server = Server::start().await;
    // tencent-im.md 1.2 to 1.4, decisions b and c, the cap of api.md section 1.
    for (group_type, join, invite, cap) in [
        ("Work", Value::Null, json!("FreeAccess"), json!(6_000)),
        ("Public", json!("NeedPermission"), json!("DisableInvite"), json!(6_000)),
        ("Meeting", json!("FreeAccess"), json!("DisableInvite"), json!(6_000)),
        ("AVChatRoom", json!("FreeAccess"), Value::Null, Value::Null),
        ("Community", Value::Null, json!("FreeAccess"), json!(100_000)),
    ] {
        let data = create(&server, "alice", json!({ "groupType": group_type })).await.ok();
        let id = data["groupID"].as_str().expect("groupID").to_owned();
        let group = server.get("alice", &at(&id, "")).await.ok();
        assert_eq!(group["groupType"], group_type);
        if !join.is_null() {
            assert_eq!(group["joinOption"], join, "{group_type}");
        }
        if !invite.is_null() {
            assert_eq!(group["inviteOption"], invite, "{group_type}");
        }
        assert_eq!(group["maxMemberCount"], cap, "{group_type}");
    }
    server.stop().await;
}

#[tokio::test]
async fn first_members_are_judged_like_invitees() {
    let server = Server::start().await;
    server.put("asks", "/v1/users/me", json!({ "inviteConsent": "ask" })).await.ok();
    server.put("no", "/v1/users/me", json!({ "inviteConsent": "deny" })).await.ok();
    server.put(ADMIN, "/v1/users/busy", json!({ "groupLimit": 0 })).await.ok();
    let list = json!([
        { "userID": "asks", "role": "Admin" }, { "userID": "no" }, { "userID": "busy" },
        { "userID": "bob" }
    ]);
    let body = json!({ "groupID": "g1", "groupType": "Public", "memberList": list });
    let data = create(&server, "alice", body).await.ok();
    let found = &data["memberList"];
    assert_eq!(found[0]["result"], 3);
    assert_eq!(found[1], json!({ "memberID": "no", "result": 0, "reason": "declined_by_user" }));
    assert_eq!(found[2]["result"], 4);
    assert_eq!((&found[2]["limit"], &found[2]["current"]), (&json!(0), &json!(0)));
    assert_eq!(found[3], json!({ "memberID": "bob", "result": 1 }));
    assert_eq!(member_ids(&server, "g1").await, ["alice", "bob"]);
    let asked = own_stream(&server, "asks").await;
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0]["event"], "onReceiveInvitation");
    // An app administrator skips consent, never a limit.
    let body = json!({
        "groupID": "g2", "groupType": "Public", "memberList": list, "owner": "alice"
    });
    let data = create(&server, ADMIN, body).await.ok();
    let found: Vec<i64> = results(&data["memberList"]).into_iter().map(|line| line.1).collect();
    assert_eq!(found, [1, 1, 4, 1]);
    assert_eq!(member_ids(&server, "g2").await, ["alice", "asks", "bob", "no"]);
    assert!(roles(&server, "g2").await.contains(&("asks".to_owned(), "Admin".to_owned())));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_owner_at_his_limit_gets_no_group() {
    let server = Server::with(&[("MUSTER_GROUPS_PER_USER", "1")]).await;
    create(&server, "alice", json!({ "groupID": "g1", "groupType": "Work" })).await.ok();
    let before = everything(&server).await;
    let body = json!({
        "groupID": "g2", "groupType": "Work", "memberList": [{ "userID": "bob" }]
    });
    let data = create(&server, "alice", body).await.refused(409, 10037, "group_limit_reached");
    assert_eq!((&data["limit"], &data["current"]), (&json!(1), &json!(1)));
    let body = json!({ "groupID": "g2", "groupType": "Work", "owner": "alice" });
    create(&server, ADMIN, body).await.refused(409, 10037, "group_limit_reached");
    assert_eq!(everything(&server).await, before);
    assert!(!has_row(&server, "bob").await);
    // Live groups do not count (5).
    create(&server, "alice", json!({ "groupID": "live", "groupType": "AVChatRoom" })).await.ok();
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_id_is_given_once_and_never_again() {
    let server = Server::start().await;
    let body = json!({ "groupID": "g1", "groupType": "Public" });
    create(&server, "alice", body.clone()).await.ok();
    let before = everything(&server).await;
    let of = |answer: Answer| (answer.status, answer.body["code"].as_i64());
    assert_eq!(of(create(&server, "alice", body.clone()).await), (409, Some(10025)));
    assert_eq!(of(create(&server, "bob", body.clone()).await), (409, Some(10021)));
    assert_eq!(everything(&server).await, before);
    server.delete("alice", &at("g1", "")).await.ok();
    for caller in ["alice", "bob", ADMIN] {
        assert_eq!(of(create(&server, caller, body.clone()).await), (409, Some(10021)));
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn two_who_want_the_same_id_at_once_do_not_both_get_it() {
    let server = Server::start().await;
    for round in 0..5 {
        let body = json!({ "groupID": format!("g{round}"), "groupType": "Work" });
        let (one, other) = tokio::join!(
            create(&server, "alice", body.clone()),
            create(&server, "bob", body.clone())
        );
        let mut found = [one.status, other.status];
        found.sort_unstable();
        assert_eq!(found, [201, 409]);
    }
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_id_has_the_form_of_its_type() {
    let server = Server::start().await;
    for (group_type, id, possible) in [
        ("Work", "plain and printable ~!*", true),
        ("Work", "@TGS#1chosen", false),
        ("AVChatRoom", "@TGS#achosen", false),
        ("Public", "@TGS#_chosen", false),
        ("Community", "@TGS#_chosen", true),
        ("Community", "chosen", false),
        ("Work", "", false),
        ("Work", "bö", false),
        ("Work", "tab\there", false),
        ("Meeting", &"x".repeat(48), true),
        ("Meeting", &"x".repeat(49), false),
    ] {
        let body = json!({ "groupID": id, "groupType": group_type });
        let answer = create(&server, "alice", body).await;
        if possible {
            assert_eq!(answer.status, 201, "{group_type} {id:?}: {answer:?}");
        } else {
            let data = answer.refused(400, 10015, "invalid_group_id");
            assert_eq!(data["field"], "groupID", "{group_type} {id:?}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn what_a_type_does_not_know_is_refused() {
    let server = Server::start().await;
    let before = everything(&server).await;
    for caller in ["alice", ADMIN] {
        // 2.4: a live group with a MemberList is 10007.
        let body = json!({
            "groupID": "live", "groupType": "AVChatRoom", "memberList": [{ "userID": "bob" }]
        });
        let answer = create(&server, caller, body).await;
        assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
        // 1.2: a Work group has no admins.
        let body = json!({
            "groupID": "work", "groupType": "Work",
            "memberList": [{ "userID": "bob", "role": "Admin" }]
        });
        let answer = create(&server, caller, body).await;
        assert!(matches!(answer.status, 400 | 403), "{answer:?}");
        // 1.4: in a live group the option is not applicable.
        let body =
            json!({ "groupID": "live", "groupType": "AVChatRoom", "inviteOption": "FreeAccess" });
        let answer = create(&server, caller, body).await;
        assert!(matches!(answer.status, 400 | 403), "{answer:?}");
        // Nobody begins as a second owner.
        let body = json!({
            "groupID": "g1", "groupType": "Public",
            "memberList": [{ "userID": "bob", "role": "Owner" }]
        });
        let data = create(&server, caller, body).await.refused(400, 10004, "invalid_parameter");
        assert_eq!(data["field"], "memberList[0].role");
    }
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_named() {
    let server = Server::start().await;
    for (body, reason, field) in [
        (json!({}), "missing_field", "groupType"),
        (json!({ "groupType": "work" }), "invalid_parameter", "groupType"),
        (json!({ "groupType": "Work", "joinoption": "" }), "unknown_field", "joinoption"),
        (
            json!({ "groupType": "Work", "inviteOption": "Any" }),
            "invalid_parameter",
            "inviteOption",
        ),
        (
            json!({ "groupType": "Work", "maxMemberCount": 0 }),
            "invalid_parameter",
            "maxMemberCount",
        ),
        (
            json!({ "groupType": "Work", "maxMemberCount": "9" }),
            "invalid_parameter",
            "maxMemberCount",
        ),
        (
            json!({ "groupType": "Work", "introduction": "é".repeat(201) }),
            "invalid_parameter",
            "introduction",
        ),
        (json!({ "groupType": "Work", "owner": "ö" }), "invalid_user_id", "owner"),
        (
            json!({ "groupType": "Work", "memberList": [{}] }),
            "missing_field",
            "memberList[0].userID",
        ),
    ] {
        let shown = body.to_string();
        let data = create(&server, "alice", body).await.refused(400, 10004, reason);
        assert_eq!(data["field"], field, "{shown}");
    }
    for name in [json!(""), json!("x".repeat(101)), json!(7)] {
        let body = json!({ "groupType": "Work", "groupName": name });
        let data = server.post("alice", "/v1/groups", body).await;
        assert_eq!(data.refused(400, 10004, "invalid_parameter")["field"], "groupName");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_cap_above_the_setting_is_10038() {
    let server = Server::with(&[("MUSTER_MEMBERS_PER_GROUP", "10")]).await;
    let body = json!({ "groupID": "g1", "groupType": "Work", "maxMemberCount": 11 });
    for caller in ["alice", ADMIN] {
        let answer = create(&server, caller, body.clone()).await;
        assert_eq!(answer.body["code"], 10038, "{answer:?}");
        let data = &answer.body["data"];
        assert_eq!((&data["limit"], &data["field"]), (&json!(10), &json!("maxMemberCount")));
        let source = data["source"].as_str().expect("a source");
        assert!(source.contains("MUSTER_MEMBERS_PER_GROUP"), "{source}");
    }
    let body = json!({ "groupID": "g1", "groupType": "Work", "maxMemberCount": 10 });
    create(&server, "alice", body).await.ok();
    let data = server.post("alice", "/v1/groups", json!({ "groupType": "Work", "groupName": "n" }));
    let id = data.await.ok()["groupID"].as_str().expect("groupID").to_owned();
    let group = server.get("alice", &at(&id, "")).await.ok();
    assert_eq!(group["maxMemberCount"], 10, "a default is within the setting");
    server.stop().await;
}

#[tokio::test]
async fn more_first_members_than_room_or_than_one_call_names_make_no_group() {
    let server = Server::with(&[("MUSTER_INVITE_BATCH", "3")]).await;
    let before = everything(&server).await;
    let list = json!([{ "userID": "bob" }, { "userID": "carol" }, { "userID": "dave" }]);
    let body = json!({
        "groupID": "g1", "groupType": "Work", "maxMemberCount": 3, "memberList": list
    });
    let data = create(&server, "alice", body).await.refused(409, 10014, "group_full");
    assert_eq!(data["limit"], 3);
    let list = json!([
        { "userID": "bob" }, { "userID": "carol" }, { "userID": "dave" }, { "userID": "erin" }
    ]);
    let body = json!({ "groupID": "g1", "groupType": "Work", "memberList": list });
    let data = create(&server, "alice", body).await.refused(400, 10005, "too_many_in_call");
    assert_eq!((&data["limit"], &data["current"]), (&json!(3), &json!(4)));
    assert_eq!(everything(&server).await, before);
    server.stop().await;
}

#[tokio::test]
async fn only_an_administrator_makes_a_group_for_somebody_else() {
    let server = Server::start().await;
    let body = json!({ "groupID": "g1", "groupType": "Meeting", "owner": "bob" });
    let answer = create(&server, "alice", body.clone()).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!(10007)), "{answer:?}");
    create(&server, ADMIN, body).await.ok();
    assert_eq!(member_ids(&server, "g1").await, ["bob"]);
    assert_eq!(server.get("bob", &at("g1", "")).await.ok()["owner"], "bob");
    let body = json!({ "groupID": "g2", "groupType": "Meeting", "owner": "alice" });
    create(&server, "alice", body).await.ok();
    let group = group_of(&server, ADMIN, "g3", "Public", (&["bob"], &["carol"]), json!({})).await;
    assert_eq!(member_ids(&server, &group).await, [ADMIN, "bob", "carol"]);
    server.check_invariants().await;
    server.stop().await;
}
