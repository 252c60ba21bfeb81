//! What both faces can do.

use serde_json::{Value, json};

use super::{
    LIVE, PUBLIC, WORK, ban, both, create, deed, dismiss, edit, edit_member, given, invite, kick,
    mute, pairs, transfer, unban,
};

#[tokio::test]
async fn groups_of_every_type_begin_alike() {
    both(vec![
        create("w", WORK, &["a", "b"]),
        create("w2", ("Work", "Work"), &["a"]),
        create("p", PUBLIC, &["a", "b", "c", "a"]),
        create("m", ("Meeting", "ChatRoom"), &["b"]),
        create("m2", ("Meeting", "Meeting"), &[]),
        create("l", LIVE, &[]),
        create("@TGS#_c", ("Community", "Community"), &["a"]),
    ])
    .await;
}

#[tokio::test]
async fn a_profile_is_given_alike() {
    let left = json!({
        "groupID": "g", "groupType": "Public", "groupName": "näme", "owner": "owner",
        "introduction": "in\ntro", "notification": "not", "faceUrl": "https://f", "maxMemberCount": 77,
        "joinOption": "FreeAccess", "inviteOption": "NeedPermission",
    });
    let right = json!({
        "GroupId": "g", "Type": "Public", "Name": "näme", "Owner_Account": "owner",
        "Introduction": "in\ntro", "Notification": "not", "FaceUrl": "https://f", "MaxMemberCount": 77,
        "ApplyJoinOption": "FreeAccess", "InviteJoinOption": "NeedPermission",
    });
    both(vec![deed(("POST", "/v1/groups", left), "create_group", right)]).await;
}

#[tokio::test]
async fn fields_of_the_apps_own_are_given_alike() {
    let (of_group, of_member) = (json!({ "color": "red", "empty": "" }), json!({ "seat": "4a" }));
    let left = json!({
        "groupID": "g", "groupType": "Public", "groupName": "n", "owner": "owner", "customFields": of_group,
        "memberList": [
            { "userID": "a", "role": "Admin", "customFields": of_member },
            { "userID": "b", "customFields": { "seat": "" } },
        ],
    });
    let right = json!({
        "GroupId": "g", "Type": "Public", "Name": "n", "Owner_Account": "owner",
        "AppDefinedData": pairs(&of_group),
        "MemberList": [
            { "Member_Account": "a", "Role": "Admin", "AppMemberDefinedData": pairs(&of_member) },
            { "Member_Account": "b", "AppMemberDefinedData": pairs(&json!({ "seat": "" })) },
        ],
    });
    both(vec![
        deed(("POST", "/v1/groups", left), "create_group", right),
        edit("g", json!({ "groupName": "m" }), json!({ "Name": "m" })),
    ])
    .await;
}

#[tokio::test]
async fn profile_options_mute_all_and_fields_change_alike() {
    let fields = |value: &Value| {
        let left = json!({ "customFields": value });
        edit("g", left, json!({ "AppDefinedData": pairs(value) }))
    };
    let all = |on: bool, word: &str| {
        edit("g", json!({ "muteAll": on }), json!({ "MuteAllMember": word }))
    };
    both(vec![
        create("g", PUBLIC, &["a", "b"]),
        edit("g", json!({}), json!({})),
        edit(
            "g",
            json!({ "groupName": "m", "introduction": "i", "notification": "n", "faceUrl": "f" }),
            json!({ "Name": "m", "Introduction": "i", "Notification": "n", "FaceUrl": "f" }),
        ),
        edit("g", json!({ "groupName": "m" }), json!({ "Name": "m" })),
        edit("g", json!({ "introduction": "" }), json!({ "Introduction": "" })),
        edit(
            "g",
            json!({ "joinOption": "FreeAccess", "inviteOption": "FreeAccess", "maxMemberCount": 9 }),
            json!({
                "ApplyJoinOption": "FreeAccess", "InviteJoinOption": "FreeAccess", "MaxMemberNum": 9,
            }),
        ),
        all(true, "On"),
        all(true, "On"),
        all(false, "Off"),
        edit("g", json!({ "muteAll": true }), json!({ "ShutUpAllMember": "On" })),
        fields(&json!({ "a": "1", "b": "2" })),
        fields(&json!({ "a": "", "b": "2", "c": "3" })),
    ])
    .await;
}

#[tokio::test]
async fn people_come_in_alike_whatever_becomes_of_them() {
    both(vec![
        create("g", PUBLIC, &["a"]),
        given("PUT", "/v1/users/full", json!({ "groupLimit": 0 })),
        given("PUT", "/v1/users/asks", json!({ "inviteConsent": "ask" })),
        given("PUT", "/v1/users/denies", json!({ "inviteConsent": "deny" })),
        given("PUT", "/v1/groups/g/bans/banned", json!({ "reason": "x" })),
        invite("g", &["new", "a", "full", "banned", "asks", "denies", "new", "owner"]),
        invite("g", &["a", "full", "banned"]),
        create("other", WORK, &["new", "full"]),
        create("l", LIVE, &[]),
        invite("l", &["new"]).refused(10007),
    ])
    .await;
}

#[tokio::test]
async fn a_full_group_takes_nobody_alike() {
    both(vec![
        create("g", PUBLIC, &["a", "b"]),
        given("PATCH", "/v1/groups/g", json!({ "maxMemberCount": 4 })),
        invite("g", &["c", "d"]).refused(10014),
        invite("g", &["c", "a"]),
        invite("g", &["d"]).refused(10014),
        invite("g", &["a"]),
    ])
    .await;
}

#[tokio::test]
async fn people_are_removed_alike() {
    both(vec![
        create("g", PUBLIC, &["a", "b", "c"]),
        kick("g", &["b", "nobody"]),
        kick("g", &["nobody"]),
        kick("g", &["owner", "c"]),
        // The one face tells of each person; the other has no list to tell in.
        kick("g", &["owner"]).answered(0, 10007),
        invite("g", &["b"]),
        kick("g", &["a", "b"]),
    ])
    .await;
}

#[tokio::test]
async fn members_change_alike() {
    let fields = json!({ "seat": "1", "row": "9" });
    let change = |native: Value, wire: Value| edit_member("g", "b", native, wire);
    both(vec![
        create("g", PUBLIC, &["a", "b"]),
        change(json!({ "role": "Admin" }), json!({ "Role": "Admin" })),
        change(json!({ "role": "Admin" }), json!({ "Role": "Admin" })),
        change(json!({ "nameCard": "B" }), json!({ "NameCard": "B" })),
        change(json!({ "muteSeconds": 60 }), json!({ "MuteTime": 60 })),
        change(json!({ "muteSeconds": 120 }), json!({ "ShutUpTime": 120 })),
        change(json!({ "muteSeconds": 0 }), json!({ "MuteTime": 0 })),
        change(json!({ "muteSeconds": u32::MAX }), json!({ "MuteTime": u32::MAX })),
        change(
            json!({ "customFields": fields }),
            json!({ "AppMemberDefinedData": pairs(&fields) }),
        ),
        change(
            json!({ "customFields": { "seat": "" } }),
            json!({ "AppMemberDefinedData": pairs(&json!({ "seat": "" })) }),
        ),
        change(
            json!({ "role": "Member", "nameCard": "", "muteSeconds": 0 }),
            json!({ "Role": "Member", "NameCard": "", "MuteTime": 0 }),
        ),
        edit_member("g", "owner", json!({ "nameCard": "O" }), json!({ "NameCard": "O" })),
    ])
    .await;
}

#[tokio::test]
async fn mutes_begin_and_end_alike() {
    both(vec![
        create("g", PUBLIC, &["a", "b"]),
        mute("g", "b", 60),
        mute("g", "b", 3_600),
        mute("g", "a", u32::MAX),
        mute("g", "b", 0),
        mute("g", "b", 0),
        kick("g", &["a"]),
        invite("g", &["a"]),
        create("l", LIVE, &[]),
    ])
    .await;
}

#[tokio::test]
async fn a_group_changes_its_owner_alike() {
    both(vec![
        create("g", PUBLIC, &["a", "b"]),
        transfer("g", "b"),
        transfer("g", "b"),
        transfer("g", "a"),
        kick("g", &["owner"]),
        transfer("g", "nobody").refused(10004),
        create("w", WORK, &["a"]),
        transfer("w", "a"),
    ])
    .await;
}

#[tokio::test]
async fn bans_begin_and_end_alike() {
    both(vec![
        create("g", PUBLIC, &["a", "b"]),
        ban("g", "b", 60),
        ban("g", "b", 120),
        ban("g", "stranger", 60),
        invite("g", &["b", "c"]),
        unban("g", "b"),
        // The one face has a place for each ban; the other passes over who is not banned.
        unban("g", "b").answered(10004, 0),
        invite("g", &["b"]),
        ban("g", "owner", 60).refused(10007),
        ban("g", "a", u32::MAX - 1),
    ])
    .await;
}

#[tokio::test]
async fn a_group_ends_alike() {
    both(vec![
        create("g", PUBLIC, &["a", "b"]),
        create("w", WORK, &["a"]),
        create("l", LIVE, &[]),
        given("PUT", "/v1/groups/g/bans/c", json!({})),
        dismiss("g"),
        dismiss("g").refused(10010),
        dismiss("w"),
        dismiss("l"),
        create("g", PUBLIC, &[]).refused(10021),
    ])
    .await;
}
