//! What both faces refuse.

use serde_json::json;

use super::{
    Deed, LIVE, PUBLIC, WORK, ban, both, create, deed, dismiss, edit, edit_member, invite, kick,
    mute, transfer, unban,
};

/// Everything that can be done to a group and a person in it.
fn everything(group: &str, user: &str) -> Vec<Deed> {
    vec![
        invite(group, &[user]),
        kick(group, &[user]),
        dismiss(group),
        edit(group, json!({ "groupName": "m" }), json!({ "Name": "m" })),
        edit_member(group, user, json!({ "nameCard": "c" }), json!({ "NameCard": "c" })),
        mute(group, user, 60),
        transfer(group, user),
        ban(group, user, 60),
        unban(group, user),
    ]
}

#[tokio::test]
async fn nothing_is_done_to_a_group_that_is_not_there() {
    let mut deeds = vec![create("g", PUBLIC, &["a"])];
    deeds.extend(everything("none", "a").into_iter().map(|deed| deed.refused(10010)));
    both(deeds).await;
}

#[tokio::test]
async fn nothing_is_done_to_a_group_with_an_impossible_id() {
    let long = "x".repeat(49);
    let mut deeds = vec![create("g", PUBLIC, &["a"])];
    deeds.extend(everything(&long, "a").into_iter().map(|deed| deed.refused(10015)));
    both(deeds).await;
}

#[tokio::test]
async fn nothing_is_done_to_a_person_with_an_impossible_id() {
    let long = "x".repeat(33);
    let mut deeds = vec![create("g", PUBLIC, &["a"])];
    let about_people = |deed: &Deed| {
        let (_, path, _) = &deed.native;
        path != "/v1/groups/g"
    };
    let about_people = everything("g", &long).into_iter().filter(about_people);
    deeds.extend(about_people.map(|deed| deed.refused(10004)));
    both(deeds).await;
}

#[tokio::test]
async fn nothing_is_done_to_a_member_who_is_none() {
    both(vec![
        create("g", PUBLIC, &["a"]),
        edit_member("g", "nobody", json!({ "nameCard": "c" }), json!({ "NameCard": "c" }))
            .refused(10004),
        edit_member("g", "nobody", json!({ "role": "Admin" }), json!({ "Role": "Admin" }))
            .refused(10004),
        transfer("g", "nobody").refused(10004),
        // Tencent's command is about many people; one that could be done for none of them is not permitted.
        mute("g", "nobody", 60).answered(10004, 10007),
    ])
    .await;
}

#[tokio::test]
async fn a_type_that_does_not_support_something_refuses_it_alike() {
    both(vec![
        create("l", LIVE, &[]),
        invite("l", &["a"]).refused(10007),
        // The one command that Tencent documents with another code.
        kick("l", &["owner"]).answered(10007, 10004),
        create("l2", LIVE, &["a"]).refused(10007),
    ])
    .await;
    both(vec![
        create("l", LIVE, &[]),
        create("w", WORK, &["a"]),
        transfer("l", "owner").refused(10007),
        mute("w", "a", 60).refused(10007),
        edit_member("w", "a", json!({ "role": "Admin" }), json!({ "Role": "Admin" }))
            .refused(10007),
        edit_member("w", "a", json!({ "muteSeconds": 5 }), json!({ "MuteTime": 5 })).refused(10007),
    ])
    .await;
}

#[tokio::test]
async fn an_owner_is_not_made_or_unmade_by_a_role() {
    both(vec![
        create("g", PUBLIC, &["a"]),
        edit_member("g", "a", json!({ "role": "Owner" }), json!({ "Role": "Owner" }))
            .refused(10004),
        edit_member("g", "a", json!({ "role": "admin" }), json!({ "Role": "admin" }))
            .refused(10004),
        edit_member("g", "owner", json!({ "role": "Member" }), json!({ "Role": "Member" }))
            .refused(10007),
        ban("g", "owner", 60).refused(10007),
    ])
    .await;
}

#[tokio::test]
async fn what_is_out_of_bounds_is_refused_alike() {
    let (name, intro) = ("é".repeat(51), "x".repeat(401));
    let crowd: Vec<String> = (0..301).map(|number| format!("u{number}")).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    let taken = |owner: &str| {
        let left =
            json!({ "groupID": "g", "groupType": "Public", "groupName": "n", "owner": owner });
        let right =
            json!({ "GroupId": "g", "Type": "Public", "Name": "n", "Owner_Account": owner });
        deed(("POST", "/v1/groups", left), "create_group", right)
    };
    let large = |most: i64| {
        let left = json!({ "groupID": "h", "groupType": "Public", "groupName": "n", "maxMemberCount": most });
        let right =
            json!({ "GroupId": "h", "Type": "Public", "Name": "n", "MaxMemberCount": most });
        deed(("POST", "/v1/groups", left), "create_group", right)
    };
    both(vec![
        create("g", PUBLIC, &["a"]),
        taken("owner").refused(10025),
        taken("another").refused(10021),
        large(1_000_001).refused(10038),
        large(0).refused(10004),
        create("h", ("Nonsense", "Nonsense"), &[]).refused(10004),
        create("@TGS#own", PUBLIC, &[]).refused(10015),
        invite("g", &crowd).refused(10005),
        kick("g", &crowd).refused(10005),
        create("h", PUBLIC, &crowd).refused(10005),
    ])
    .await;
    both(vec![
        create("g", PUBLIC, &["a"]),
        edit("g", json!({ "groupName": name }), json!({ "Name": name })).refused(10004),
        edit("g", json!({ "groupName": "" }), json!({ "Name": "" })).refused(10004),
        edit("g", json!({ "introduction": intro }), json!({ "Introduction": intro }))
            .refused(10004),
        edit("g", json!({ "maxMemberCount": 0 }), json!({ "MaxMemberNum": 0 })).refused(10004),
        edit("g", json!({ "maxMemberCount": 1_000_001 }), json!({ "MaxMemberNum": 1_000_001 }))
            .refused(10038),
        edit_member("g", "a", json!({ "nameCard": name }), json!({ "NameCard": name }))
            .refused(10004),
    ])
    .await;
}
