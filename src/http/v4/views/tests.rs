//! What is shown, with and without filters.

use super::*;
use crate::model::{CustomFields, Group, GroupId, InviteOption, JoinOption, Profile, Role, UserId};

fn moment(seconds: i64) -> Moment {
    Moment::from_timestamp(seconds, 5).unwrap()
}

fn group_view(group_type: GroupType) -> GroupView {
    GroupView {
        group: Group {
            id: GroupId::from_stored("g1"),
            group_type,
            own_type: None,
            owner: Some(UserId::from_stored("leckie")),
            join_option: JoinOption::NeedPermission,
            invite_option: InviteOption::DisableInvite,
            max_members: Some(200),
            mute_all: false,
            member_count: 2,
            pending_count: 0,
            seq: 7,
            created_at: moment(1_000),
            dismissed_at: None,
        },
        profile: Profile {
            name: "first".to_owned(),
            introduction: "intro".to_owned(),
            notification: "notice".to_owned(),
            face_url: "http://face".to_owned(),
            custom_fields: CustomFields::new(),
        },
        changed_at: moment(2_000),
        role: None,
        joined_seq: None,
    }
}

fn member_view() -> MemberView {
    MemberView {
        user: UserId::from_stored("bob"),
        role: Role::Admin,
        joined_at: moment(3_000),
        name_card: "Bobby".to_owned(),
        mute_until: Some(moment(5_000)),
        custom_fields: CustomFields::new(),
    }
}

fn only<'a>(names: &[&'a str]) -> Asked<'a> {
    Asked { base: Filter::Only(names.iter().copied().collect()), custom: Filter::All }
}

const ALL: Asked<'static> = Asked { base: Filter::All, custom: Filter::All };

#[test]
fn all_base_fields_are_shown_under_old_and_new_names() {
    let shown = Value::Object(group(&group_view(GroupType::Meeting), 1_400_000_000, &ALL));
    let expected = json!({
        "Type": "ChatRoom", "Name": "first", "Introduction": "intro", "Notification": "notice",
        "FaceUrl": "http://face", "Owner_Account": "leckie", "CreateTime": 1_000, "InfoSeq": 7,
        "LastInfoTime": 2_000, "LastMsgTime": 0, "NextMsgSeq": 8, "MemberNum": 2,
        "MaxMemberNum": 200, "ApplyJoinOption": "NeedPermission",
        "InviteJoinOption": "DisableInvite", "MuteAllMember": "Off", "ShutUpAllMember": "Off",
        "Appid": 1_400_000_000,
    });
    assert_eq!(shown, expected);
}

#[test]
fn a_filter_shows_what_it_names() {
    let view = group_view(GroupType::Work);
    let filter = only(&["ShutUpAllMember", "Type", "NoSuchField", "GroupId"]);
    let shown = Value::Object(group(&view, 1, &filter));
    assert_eq!(shown, json!({"ShutUpAllMember": "Off", "Type": "Private"}));
}

#[test]
fn what_is_absent_is_shown_as_the_wire_knows_it() {
    let mut view = group_view(GroupType::AVChatRoom);
    view.group.owner = None;
    view.group.max_members = None;
    let shown = group(&view, 1, &ALL);
    assert_eq!(shown["Owner_Account"], "");
    assert_eq!(shown["MaxMemberNum"], 0);
    assert!(!shown.contains_key("SupportTopic"));
    let community = group(&group_view(GroupType::Community), 1, &ALL);
    assert_eq!(community["SupportTopic"], 0);
}

#[test]
fn a_member_is_always_named() {
    let shown = member(&member_view(), moment(4_000), &ALL);
    let expected = json!({
        "Member_Account": "bob", "Role": "Admin", "JoinTime": 3_000, "MsgSeq": 0,
        "MsgFlag": "AcceptAndNotify", "LastSendMsgTime": 0, "NameCard": "Bobby",
        "MuteUntil": 5_000, "ShutUpUntil": 5_000,
    });
    assert_eq!(shown, expected);
    let role = member(&member_view(), moment(4_000), &only(&["Role"]));
    assert_eq!(role, json!({"Member_Account": "bob", "Role": "Admin"}));
}

#[test]
fn a_mute_that_is_over_is_none() {
    let shown = member(&member_view(), moment(5_000), &only(&["MuteUntil", "ShutUpUntil"]));
    assert_eq!(shown, json!({"Member_Account": "bob", "MuteUntil": 0, "ShutUpUntil": 0}));
}

#[test]
fn ones_own_membership_has_its_fields() {
    let shown = own(&member_view(), &only(&["Role", "JoinTime", "UnreadMsgNum", "MsgFlag"]));
    let expected = json!({
        "Role": "Admin", "JoinTime": 3_000, "UnreadMsgNum": 0, "MsgFlag": "AcceptAndNotify"
    });
    assert_eq!(shown, expected);
}

#[test]
fn what_is_muted_is_shown_as_it_is() {
    let mut view = group_view(GroupType::Public);
    view.group.mute_all = true;
    let shown = Value::Object(group(&view, 1, &only(&["MuteAllMember", "ShutUpAllMember"])));
    assert_eq!(shown, json!({"MuteAllMember": "On", "ShutUpAllMember": "On"}));
}

#[test]
fn fields_of_the_apps_own_are_shown_where_they_are_wanted() {
    let set = CustomFields::from([("a".to_owned(), "1".to_owned()), ("b".into(), "2".into())]);
    let mut view = member_view();
    view.custom_fields = set.clone();
    let all = member(&view, moment(1), &ALL);
    let both = json!([{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}]);
    assert_eq!(all["AppMemberDefinedData"], both);
    let named = member(&view, moment(1), &only(&["AppMemberDefinedData"]));
    assert_eq!(named, json!({"Member_Account": "bob", "AppMemberDefinedData": both}));
    let mut asked = only(&["Role"]);
    assert_eq!(member(&view, moment(1), &asked), json!({"Member_Account": "bob", "Role": "Admin"}));
    asked.custom = Filter::Only(HashSet::from(["b", "c"]));
    let one = json!([{"Key": "b", "Value": "2"}]);
    assert_eq!(own(&view, &asked), json!({"Role": "Admin", "AppMemberDefinedData": one}));

    let mut view = group_view(GroupType::Public);
    view.profile.custom_fields = set;
    assert_eq!(group(&view, 1, &ALL)["AppDefinedData"], both);
    let asked = Asked { base: Filter::All.or_nothing(), custom: asked.custom };
    assert_eq!(Value::Object(group(&view, 1, &asked)), json!({"AppDefinedData": one}));
}

#[test]
fn an_empty_filter_is_none() {
    let read = |body: Value| {
        let body = body.as_object().unwrap().clone();
        Filter::read(&Fields::new(&body), &["F"]).map(|filter| filter.is_all())
    };
    assert_eq!(read(json!({})), Ok(true));
    assert_eq!(read(json!({"F": null})), Ok(true));
    assert_eq!(read(json!({"F": []})), Ok(true));
    assert_eq!(read(json!({"F": ["Role"]})), Ok(false));
    assert!(read(json!({"F": [1]})).is_err());
    assert!(read(json!({"F": "Role"})).is_err());
}
