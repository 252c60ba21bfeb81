//! An example of each message, or some where one does not show what there is.

use serde_json::{Value, json};

/// The examples of a message, by its name.
pub(super) fn of(message: &str) -> Vec<Value> {
    match message {
        "hello" => vec![
            json!({ "type": "hello", "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl" }),
            json!({ "type": "hello", "cursor": {
                "epoch": "019ab0c4-7a1e-7c6b-9d2e-5f0a1b2c3d4e", "user": 3, "groups": { "team": 7 }
            } }),
        ],
        "auth" => vec![
            json!({ "type": "auth", "token": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl" }),
        ],
        "welcome" => vec![json!({
            "type": "welcome", "userID": "bob", "epoch": "019ab0c4-7a1e-7c6b-9d2e-5f0a1b2c3d4e",
            "heartbeatMs": 25_000, "userSeq": 3,
            "groups": [{ "groupID": "team", "seq": 7, "head": 9, "role": "Member" }]
        })],
        "groups" => vec![json!({
            "type": "groups",
            "groups": [{ "groupID": "club", "seq": 2, "head": 2, "role": "Owner" }]
        })],
        "reset" => vec![
            json!({ "type": "reset", "scope": "all", "why": "epoch" }),
            json!({ "type": "reset", "scope": "user", "seq": 12, "why": "trimmed" }),
            json!({ "type": "reset", "scope": "group", "groupID": "team", "seq": 1207, "why": "lag" }),
        ],
        "bye" => vec![
            json!({ "type": "bye", "code": 1001, "retryMs": 2_750, "why": "the server stops" }),
        ],
        // `ping`, `pong` and `ready` have no other field.
        bare if !bare.starts_with("on") => vec![json!({ "type": bare })],
        kind => vec![event(kind)],
    }
}

/// An example of an event: what all have, and its own.
fn event(kind: &str) -> Value {
    let personal = own_of_user(kind);
    let mut frame = match personal {
        Some(_) => json!({ "type": "event", "stream": "user", "event": kind, "groupID": "team",
            "userSeq": 4, "time": "2026-01-01T12:00:00.000Z" }),
        None => json!({ "type": "event", "event": kind, "groupID": "team", "seq": 8,
            "time": "2026-01-01T12:00:00.000Z", "opUser": { "userID": "alice" } }),
    };
    let own = personal.unwrap_or_else(|| own_of_group(kind));
    for (field, value) in own.as_object().into_iter().flatten() {
        frame[field] = value.clone();
    }
    frame
}

fn own_of_group(kind: &str) -> Value {
    match kind {
        "onGroupCreated" => json!({ "seq": 1, "groupType": "Work", "groupName": "The team",
            "memberList": [{ "userID": "alice", "role": "Owner" },
                           { "userID": "dave", "role": "Member" }] }),
        "onMemberInvited" => json!({ "memberList": [{ "userID": "bob" }, { "userID": "carol" }] }),
        "onMemberEnter" | "onGrantAdministrator" | "onRevokeAdministrator" => {
            json!({ "memberList": [{ "userID": "bob" }] })
        }
        "onMemberLeave" => json!({ "opUser": { "userID": "bob" }, "member": { "userID": "bob" } }),
        "onMemberKicked" => json!({ "memberList": [{ "userID": "bob" }], "reason": "spam" }),
        "onMemberInfoChanged" => json!({ "memberList": [
            { "userID": "bob", "nameCard": "Bob from Berlin" },
            { "userID": "carol", "muteUntil": "2026-01-01T13:00:00.000Z" },
            { "userID": "dave", "muteUntil": null, "customFields": { "team": "red", "shift": null } }
        ] }),
        "onGroupInfoChanged" => json!({ "changeInfos": [
            { "type": "groupName", "value": "The A-team" },
            { "type": "muteAll", "value": true },
            { "type": "customFields", "key": "colour", "value": null }
        ] }),
        "onGroupAttributeChanged" => json!({ "attributes": { "topic": "launch", "draft": null } }),
        _ => json!({}),
    }
}

fn own_of_user(kind: &str) -> Option<Value> {
    let application = |kind: &str, to: &str, decides: bool| {
        json!({ "applicationID": "019ab0c4-7a1e-7c6b-9d2e-5f0a1b2c3d4e", "type": kind,
            "groupID": "team", "fromUser": "bob", "toUser": to, "message": "May I?",
            "addTime": "2026-01-01T12:00:00.000Z", "expireTime": "2026-01-08T12:00:00.000Z",
            "canDecide": decides })
    };
    Some(match kind {
        "onReceiveJoinApplication" => json!({ "opUser": { "userID": "bob" },
            "application": application("join", "", true) }),
        "onReceiveInvitation" => json!({ "opUser": { "userID": "bob" },
            "application": application("invitation", "erin", true) }),
        "onApplicationProcessed" => json!({ "opUser": { "userID": "alice" },
            "application": application("join", "", false),
            "opResult": true, "outcome": "accepted", "opReason": "Welcome." }),
        _ => return None,
    })
}
