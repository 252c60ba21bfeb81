//! Who may invite into what: the whole matrix, on both faces.
//!
//! Sections are those of `tencent-im.md`; letters those of `decisions.md`. Everything else that somebody
//! may do or not is in [`whole`].

mod whole;

use serde_json::{Value, json};

use crate::common::{ADMIN, Answer, Server};
use crate::groups::{at, group_of, invite, join, member_ids};

/// What one inviter gets for one invitee who is not in the group and leaves his consent at its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    /// Result 1: a member at once.
    Added,
    /// Result 3, reason `awaiting_approval`: owner and admins decide.
    Held,
    /// The call is refused with 10007, HTTP 403 and this reason.
    Refused(&'static str),
    /// The type has no such inviter.
    Nobody,
}

use Is::{Added, Held, Nobody};

/// The operator is not a member.
const OUTSIDE: Is = Is::Refused("not_a_member");
/// The group's `inviteOption` is `DisableInvite`.
const OFF: Is = Is::Refused("invite_disabled");
/// The type is never invited into.
const NEVER: Is = Is::Refused("not_allowed_for_type");

const INVITERS: [&str; 5] = ["owner", "admin", "member", "stranger", ADMIN];

type Row = (&'static str, &'static str, [Is; 5], &'static str);

#[rustfmt::skip]
const MATRIX: &[Row] = &[
    // type         inviteOption       owner  admin   member stranger app admin  where it stands
    ("Work",       "default",         [Added, Nobody, Added, OUTSIDE, Added],   "1.2, 1.4: FreeAccess; the request: anybody in it"),
    ("Work",       "FreeAccess",      [Added, Nobody, Added, OUTSIDE, Added],   "1.4"),
    ("Work",       "NeedPermission",  [Added, Nobody, Held,  OUTSIDE, Added],   "1.4, d"),
    ("Work",       "DisableInvite",   [OFF,   Nobody, OFF,   OUTSIDE, Added],   "1.4, 7"),
    ("Public",     "default",         [OFF,   OFF,    OFF,   OUTSIDE, Added],   "1.2, 1.4, b: only an app administrator"),
    ("Public",     "FreeAccess",      [Added, Added,  Added, OUTSIDE, Added],   "1.4, b: the owner may open it"),
    ("Public",     "NeedPermission",  [Added, Added,  Held,  OUTSIDE, Added],   "1.4, d"),
    ("Public",     "DisableInvite",   [OFF,   OFF,    OFF,   OUTSIDE, Added],   "1.4, 7"),
    ("Meeting",    "default",         [OFF,   OFF,    OFF,   OUTSIDE, Added],   "1.2, 1.4, b: only an app administrator"),
    ("Meeting",    "FreeAccess",      [Added, Added,  Added, OUTSIDE, Added],   "1.4, b: the owner may open it"),
    ("Meeting",    "NeedPermission",  [Added, Added,  Held,  OUTSIDE, Added],   "1.4, d"),
    ("Meeting",    "DisableInvite",   [OFF,   OFF,    OFF,   OUTSIDE, Added],   "1.4, 7"),
    ("AVChatRoom", "default",         [NEVER, Nobody, NEVER, NEVER,   NEVER],   "1.2, 1.4: never invitable, not even over REST"),
    ("Community",  "default",         [Added, Added,  Added, OUTSIDE, Added],   "c: FreeAccess"),
    ("Community",  "FreeAccess",      [Added, Added,  Added, OUTSIDE, Added],   "1.4, c"),
    ("Community",  "NeedPermission",  [Added, Added,  Held,  OUTSIDE, Added],   "1.4, c, d"),
    ("Community",  "DisableInvite",   [OFF,   OFF,    OFF,   OUTSIDE, Added],   "1.4, c, 7"),
];

/// Makes the group of a row with an owner, an admin where the type has them, and an ordinary member.
async fn furnish(server: &Server, (group_type, option, ..): &Row, face: &str) -> String {
    let prefix = if *group_type == "Community" { "@TGS#_" } else { "" };
    let id = format!("{prefix}{face} {group_type} {option}");
    let more = if *option == "default" { json!({}) } else { json!({ "inviteOption": option }) };
    match *group_type {
        "AVChatRoom" => {
            server.group("owner", &id, group_type, more).await;
            join(server, "member", &id).await.ok();
        }
        "Work" => {
            group_of(server, "owner", &id, group_type, (&[], &["member"]), more).await;
        }
        _ => {
            group_of(server, "owner", &id, group_type, (&["admin"], &["member"]), more).await;
        }
    }
    id
}

/// What an answer says of its only invitee.
fn read(answer: &Answer, invitee: &str) -> Result<Is, String> {
    let data = &answer.body["data"];
    let wrong = || format!("{answer:?}");
    if answer.status == 403 && answer.body["code"] == 10007 {
        let known = [OUTSIDE, OFF, NEVER];
        let is = |one: &&Is| matches!(one, Is::Refused(reason) if data["reason"] == *reason);
        return known.iter().find(is).copied().ok_or_else(wrong);
    }
    if answer.status != 200 || answer.body["code"] != 0 {
        return Err(wrong());
    }
    match data.as_array().map(Vec::as_slice) {
        Some([line]) if *line == json!({ "memberID": invitee, "result": 1 }) => Ok(Added),
        Some([line])
            if *line
                == json!({ "memberID": invitee, "result": 3, "reason": "awaiting_approval" }) =>
        {
            Ok(Held)
        }
        _ => Err(wrong()),
    }
}

#[tokio::test]
async fn every_inviter_in_every_type_with_every_option_gets_what_the_documents_say() {
    let server = Server::start().await;
    let mut wrong = Vec::new();
    for row in MATRIX {
        let (group_type, option, expected, section) = row;
        let group = furnish(&server, row, "v1").await;
        let mut inside: Vec<String> = vec!["member".into(), "owner".into()];
        if expected[1] != Nobody {
            inside.push("admin".into());
        }
        for (inviter, expected) in INVITERS.into_iter().zip(*expected) {
            if expected == Nobody {
                continue;
            }
            let invitee = format!("invitee of {inviter}");
            let answer = invite(&server, inviter, &group, &[&invitee]).await;
            let found = read(&answer, &invitee);
            if found != Ok(expected) {
                wrong.push(format!(
                    "{group_type}, {option}, {inviter}: {found:?}, not {expected:?} ({section})"
                ));
            }
            if expected == Added {
                inside.push(invitee);
            }
        }
        inside.sort();
        assert_eq!(member_ids(&server, &group).await, inside, "{group_type}, {option}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.check_invariants().await;
    server.stop().await;
}

#[tokio::test]
async fn an_option_that_is_changed_later_counts_from_then_on() {
    let server = Server::start().await;
    for (group_type, expected) in [("Public", OFF), ("Meeting", OFF), ("Work", Added)] {
        let group =
            group_of(&server, "owner", group_type, group_type, (&[], &["member"]), json!({}));
        let group = group.await;
        let answer = invite(&server, "member", &group, &["first"]).await;
        assert_eq!(read(&answer, "first"), Ok(expected), "{group_type}");
        for (option, expected) in
            [("NeedPermission", Held), ("DisableInvite", OFF), ("FreeAccess", Added)]
        {
            let edit = json!({ "inviteOption": option });
            server.patch("owner", &at(&group, ""), edit).await.ok();
            let answer = invite(&server, "member", &group, &[option]).await;
            assert_eq!(read(&answer, option), Ok(expected), "{group_type} with {option}");
        }
    }
    server.check_invariants().await;
    server.stop().await;
}

/// The answer of `add_group_member` for one invitee.
async fn add_on_v4(server: &Server, caller: &str, group: &str, invitee: &str) -> Value {
    let body = json!({ "GroupId": group, "MemberList": [{ "Member_Account": invitee }] });
    server.v4_as(caller, "group_open_http_svc/add_group_member", body).await
}

#[tokio::test]
async fn on_the_tencent_face_the_administrator_adds_whatever_the_option_and_nobody_else_may_call() {
    let server = Server::start().await;
    server.put("reserved", "/v1/users/me", json!({ "inviteConsent": "deny" })).await.ok();
    server.put("asks", "/v1/users/me", json!({ "inviteConsent": "ask" })).await.ok();
    for row in MATRIX {
        let (group_type, option, [.., expected], section) = row;
        let place = format!("{group_type}, {option} ({section})");
        let group = furnish(&server, row, "v4").await;
        for invitee in ["invitee", "reserved", "asks"] {
            let answer = add_on_v4(&server, ADMIN, &group, invitee).await;
            let found = (&answer["ActionStatus"], &answer["ErrorCode"], &answer["MemberList"]);
            if *expected == Added {
                let line = json!([{ "Member_Account": invitee, "Result": 1 }]);
                assert_eq!(found, (&json!("OK"), &json!(0), &line), "{place}: {answer}");
            } else {
                assert_eq!(
                    found,
                    (&json!("FAIL"), &json!(10007), &Value::Null),
                    "{place}: {answer}"
                );
            }
        }
        for caller in ["owner", "admin", "member", "stranger"] {
            let answer = add_on_v4(&server, caller, &group, "somebody else").await;
            let found = (&answer["ActionStatus"], &answer["ErrorCode"]);
            assert_eq!(found, (&json!("FAIL"), &json!(60010)), "{place}, {caller}: {answer}");
        }
        let inside = member_ids(&server, &group).await;
        assert!(!inside.contains(&"somebody else".to_owned()), "{place}");
        assert_eq!(inside.contains(&"reserved".to_owned()), *expected == Added, "{place}");
    }
    server.check_invariants().await;
    server.stop().await;
}
