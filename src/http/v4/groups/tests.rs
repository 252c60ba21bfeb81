//! What `create_group` reads.

use super::*;
use crate::model::{CustomFields, InviteOption, JoinOption};
use crate::rules::TypeRules;

fn read(body: &Value) -> Result<CreateGroup, Error> {
    let body = body.as_object().unwrap();
    read_create(&Fields::new(body), 32, &Types::builtin())
}

/// A body that is right, with this changed.
fn with(field: &str, value: Value) -> Value {
    let mut body = json!({"Type": "Public", "Name": "TestGroup"});
    body[field] = value;
    body
}

fn refused(field: &str, value: Value) -> Error {
    let body = with(field, value);
    read(&body).expect_err(&body.to_string())
}

#[test]
fn the_least_is_a_type_and_a_name() {
    let create = read(&json!({"Type": "Public", "Name": "TestGroup"})).unwrap();
    assert_eq!(create.group_type, GroupType::Public);
    assert_eq!(create.name, "TestGroup");
    assert!(create.group.as_str().starts_with("@TGS#2"));
    assert_eq!(create.owner, None);
    assert_eq!((create.join_option, create.invite_option, create.max_members), (None, None, None));
    assert!(create.members.is_empty());
    assert!(create.lenient);
    for missing in
        [json!({"Name": "x"}), json!({"Type": "Public"}), json!({"Type": "", "Name": "x"})]
    {
        assert_eq!(read(&missing).expect_err("required").reason, Reason::MissingField);
    }
}

#[test]
fn everything_is_read() {
    let create = read(&json!({
        "Owner_Account": "leckie",
        "Type": "Work",
        "GroupId": "MyFirstGroup",
        "Name": "TestGroup",
        "Introduction": "This is\na group",
        "Notification": "Welcome!",
        "FaceUrl": "http://this.is.face.url",
        "MaxMemberCount": 500,
        "MaxMemberNum": 7,
        "ApplyJoinOption": "FreeAccess",
        "InviteJoinOption": "DisableInvite",
        "AppDefinedData": [],
        "MemberList": [
            {"Member_Account": "bob", "Role": "Admin", "AppMemberDefinedData": []},
            {"Member_Account": "peter", "Role": "", "ShutUpUntil": 0},
            {"Member_Account": "bob"},
        ],
        "SomethingElse": {"x": 1},
    }))
    .unwrap();
    let expected = CreateGroup {
        group: GroupId::from_stored("MyFirstGroup"),
        group_type: GroupType::Work,
        own_type: None,
        name: "TestGroup".to_owned(),
        introduction: "This is\na group".to_owned(),
        notification: "Welcome!".to_owned(),
        face_url: "http://this.is.face.url".to_owned(),
        owner: Some(UserId::from_stored("leckie")),
        join_option: Some(JoinOption::FreeAccess),
        invite_option: Some(InviteOption::DisableInvite),
        max_members: Some(500),
        members: vec![
            NewMember::with_role(UserId::from_stored("bob"), Role::Admin),
            NewMember::plain(UserId::from_stored("peter")),
        ],
        custom_fields: CustomFields::new(),
        lenient: true,
        imported: None,
    };
    assert_eq!(create, expected);
}

#[test]
fn an_empty_string_leaves_open_what_may_be_left_open() {
    for field in ["GroupId", "Owner_Account", "ApplyJoinOption", "InviteJoinOption"] {
        let create = read(&with(field, json!(""))).expect(field);
        assert_eq!(create.owner, None);
        assert!(create.group.as_str().starts_with("@TGS#"));
        assert_eq!((create.join_option, create.invite_option), (None, None));
    }
}

#[test]
fn bounds_are_those_of_the_document() {
    for (field, most) in
        [("Name", 100), ("Introduction", 400), ("Notification", 400), ("FaceUrl", 500)]
    {
        assert!(read(&with(field, json!("x".repeat(most)))).is_ok(), "{field}");
        let error = refused(field, json!("x".repeat(most + 1)));
        assert_eq!(error.reason, Reason::InvalidParameter);
        assert_eq!(error.field.as_deref(), Some(field));
        assert_eq!(error.limit, i64::try_from(most).ok());
    }
    assert_eq!(refused("Name", json!("")).text, "Name is empty");
    assert_eq!(refused("GroupId", json!("x".repeat(49))).reason, Reason::InvalidGroupId);
    assert_eq!(refused("GroupId", json!("@TGS#1")).reason, Reason::InvalidGroupId);
    assert_eq!(refused("Owner_Account", json!("x".repeat(33))).reason, Reason::InvalidUserId);
}

#[test]
fn a_communitys_id_begins_as_communities_do() {
    let community = |id: &str| read(&json!({"Type": "Community", "Name": "x", "GroupId": id}));
    assert!(community("@TGS#_city").is_ok());
    assert_eq!(community("city").expect_err("no prefix").reason, Reason::InvalidGroupId);
    let made = community("").unwrap();
    assert!(made.group.as_str().starts_with("@TGS#_@TGS#c"));
}

#[test]
fn the_highest_number_of_members_has_two_names_and_no_meaning_in_live_groups() {
    assert_eq!(read(&with("MaxMemberNum", json!(9))).unwrap().max_members, Some(9));
    assert_eq!(read(&with("MaxMemberCount", json!(4_294_967_295_u64))).unwrap().max_members, {
        Some(i32::MAX)
    });
    for wrong in [json!(0), json!(-1), json!(1.5), json!(u64::MAX), json!("9"), json!([])] {
        assert_eq!(refused("MaxMemberCount", wrong).reason, Reason::InvalidParameter);
    }
    let live = read(&json!({"Type": "AVChatRoom", "Name": "x", "MaxMemberCount": -5})).unwrap();
    assert_eq!(live.max_members, None);
}

#[test]
fn members_have_an_account_and_at_most_the_role_of_an_admin() {
    for wrong in [
        json!("bob"),
        json!(["bob"]),
        json!([{}]),
        json!([{"Member_Account": ""}]),
        json!([{"Member_Account": 7}]),
        json!([{"Member_Account": "bob", "Role": "Owner"}]),
        json!([{"Member_Account": "bob", "Role": 300}]),
        json!([{"Member_Account": "bob", "AppMemberDefinedData": [{"Key": "", "Value": "v"}]}]),
    ] {
        let error = refused("MemberList", wrong);
        assert!(error.field.is_some_and(|field| field.starts_with("MemberList")));
    }
    assert!(read(&with("MemberList", json!([]))).unwrap().members.is_empty());
}

#[test]
fn data_of_the_apps_own_is_read() {
    let data = json!([{"Key": "k", "Value": "v"}, {"Key": "gone", "Value": ""}]);
    let kept = CustomFields::from([("k".to_owned(), "v".to_owned())]);
    let create = read(&with("AppDefinedData", data.clone())).unwrap();
    assert_eq!(create.custom_fields, kept);
    let list = json!([{"Member_Account": "bob", "AppMemberDefinedData": data}]);
    let create = read(&with("MemberList", list)).unwrap();
    assert_eq!(create.members[0].custom_fields, kept);
    let error = refused("AppDefinedData", json!([{"Key": "k"}]));
    assert_eq!(error.text, "AppDefinedData[0].Value is missing");
}

#[test]
fn a_type_of_the_operators_own_is_known_by_its_name() {
    let own =
        |name, base| TypeRules::own(name, base, crate::rules::matrix::traits(base), Vec::new());
    let types = Types::with([own("Team", GroupType::Work), own("Private", GroupType::Public)]);
    let read = |word: &str| {
        let body = with("Type", json!(word));
        read_create(&Fields::new(body.as_object().unwrap()), 32, &types)
            .map(|create| (create.group_type, create.own_type.map(|name| name.to_string())))
    };
    assert_eq!(read("Team"), Ok((GroupType::Work, Some("Team".to_owned()))));
    assert_eq!(read("Private"), Ok((GroupType::Work, None)), "Tencent's words come first");
    assert_eq!(read("team").expect_err("unknown").reason, Reason::InvalidParameter);
    assert_eq!(read("").expect_err("empty").reason, Reason::MissingField);
}
