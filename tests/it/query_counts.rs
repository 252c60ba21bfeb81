//! The cost of a call is counted in statements, and does not grow with the people that it names: 300
//! invitees take as many as 3.
//!
//! The statements are counted on the wire between the server and PostgreSQL, so nothing of the server and
//! no extension of PostgreSQL has to be trusted or installed.

mod plans;
mod resuming;
mod tap;
mod together;

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::common::{ADMIN, Server, cluster};
use tap::Tap;

/// What a server runs every second without being asked. It belongs to no call.
static OF_UPKEEP: OnceCell<BTreeSet<String>> = OnceCell::const_new();

/// A server whose statements are counted.
struct Counted {
    server: Server,
    tap: Tap,
}

impl Counted {
    async fn new() -> Self {
        let database = cluster::fresh_database().await;
        let mut tap = Tap::before(&database).await;
        let server = Server::on(&tap.url, &[("MUSTER_LANES", "1"), ("MUSTER_READERS", "1")]).await;
        tap.pass_over(OF_UPKEEP.get_or_init(|| tap.round()).await);
        // The lane has connected once it has answered.
        server.put(ADMIN, "/v1/users/first", json!({})).await.ok();
        Self { server, tap }
    }

    /// The statements of a call.
    async fn of(&self, call: impl AsyncFnOnce(&Server)) -> Vec<String> {
        self.tap.take();
        call(&self.server).await;
        self.tap.take()
    }

    async fn v1(&self, method: &str, path: &str, body: Value) -> Vec<String> {
        self.of(async |server| {
            let method = method.parse().expect("a method");
            server.call(method, ADMIN, path, Some(body)).await.ok();
        })
        .await
    }

    async fn v4(&self, command: &str, body: Value) -> Vec<String> {
        self.of(async |server| {
            let answer = server.v4(command, body).await;
            assert_eq!(answer["ErrorCode"], 0, "{answer}");
        })
        .await
    }

    async fn end(self) {
        self.server.check_invariants().await;
        self.server.stop().await;
    }
}

/// Both lists are the same, statement by statement, and there are any. Where a transaction began and how it ended may
/// differ: that depends on the call before. So may the parts of the statement that writes: who is new in the one call
/// is known in the other.
#[track_caller]
fn same(what: &str, few: &[String], many: &[String]) {
    let words = ["begin", "commit", "commit and chain", "rollback", "rollback and chain"];
    let work = |all: &[String]| -> Vec<String> {
        let of_call = all.iter().filter(|text| !words.contains(&text.as_str()));
        let named = of_call.map(|text| {
            if text.contains("insert into batches") { "the write".to_owned() } else { text.clone() }
        });
        named.collect()
    };
    let (few, many) = (work(few), work(many));
    println!("{what}: {} statements for few, {} for many", few.len(), many.len());
    assert_eq!(few, many, "{what}");
    assert!(!few.is_empty(), "{what}: nothing was counted");
}

/// So many people.
fn people(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number:03}")).collect()
}

fn accounts(users: &[String]) -> Value {
    users.iter().map(|user| json!({ "Member_Account": user })).collect()
}

async fn group(counted: &Counted, id: &str, members: &[String]) {
    counted.server.group(ADMIN, id, "Public", json!({})).await;
    if !members.is_empty() {
        let body = json!({ "userList": members });
        counted.server.post(ADMIN, &format!("/v1/groups/{id}/invite"), body).await.ok();
    }
}

/// What the people of a call are to its group beforehand.
#[derive(Clone, Copy, Debug)]
enum Before {
    Strangers,
    Members,
    Banned,
}

impl Before {
    async fn prepare(self, counted: &Counted, id: &str, users: &[String]) {
        group(counted, id, if matches!(self, Self::Members) { users } else { &[] }).await;
        if matches!(self, Self::Banned) {
            ban_all(counted, id, users).await;
        }
    }
}

async fn ban_all(counted: &Counted, id: &str, users: &[String]) {
    for user in users {
        let path = format!("/v1/groups/{id}/bans/{user}");
        counted.server.put(ADMIN, &path, json!({})).await.ok();
    }
}

/// The native call about a list of people, in a group of its own for each size.
async fn counted_batch(what: &str, path: &str, before: Before, more: Value) {
    let counted = Counted::new().await;
    let mut found = Vec::new();
    for count in [3, 300] {
        let (id, users) = (format!("g{count}"), people(&format!("p{count}-"), count));
        before.prepare(&counted, &id, &users).await;
        let mut body = more.clone();
        body["userList"] = json!(users);
        found.push(counted.v1("POST", &format!("/v1/groups/{id}/{path}"), body).await);
    }
    same(what, &found[0], &found[1]);
    counted.end().await;
}

#[tokio::test]
async fn an_invitation_of_300_takes_as_many_statements_as_one_of_3() {
    counted_batch("invite", "invite", Before::Strangers, json!({})).await;
    counted_batch("invite, already members", "invite", Before::Members, json!({})).await;
    counted_batch("invite, banned", "invite", Before::Banned, json!({})).await;
    counted_batch("invite, tried", "invite?dryRun=true", Before::Strangers, json!({})).await;
}

/// The usual changes of memberships take two round trips: one that reads whatever the decision asks for, and one that
/// writes and commits. A key for retries takes one more.
#[tokio::test]
async fn who_comes_and_goes_costs_two_round_trips() {
    let counted = Counted::new().await;
    group(&counted, "g", &people("old", 3)).await;
    // Whatever the lane began before comes to its end.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let calls = [
        ("invite", people("new", 20)),
        ("invite", vec!["new000".to_owned(), "first".to_owned()]),
        ("kick", people("old", 2)),
        ("invite", people("old", 2)),
    ];
    for (call, users) in calls {
        let body = json!({ "userList": users });
        let statements = counted.v1("POST", &format!("/v1/groups/g/{call}"), body).await;
        let [look, write] = statements.as_slice() else { panic!("{call}: {statements:?}") };
        assert!(look.starts_with("with held as"), "{call}: {look}");
        assert!(write.starts_with("with groups_written as"), "{call}: {write}");
    }
    let body = json!({ "userList": ["another"] });
    let keyed = counted.of(async |server| {
        let url = format!("{}/v1/groups/g/invite", server.url());
        let call = reqwest::Client::new().post(url).bearer_auth(server.token(ADMIN));
        let answer = call.header("Idempotency-Key", "k").json(&body).send().await;
        assert_eq!(answer.expect("an answer").status(), 200);
    });
    let keyed = keyed.await;
    assert_eq!(keyed.len(), 3, "{keyed:?}");
    assert!(keyed[1].starts_with("select scope"), "{keyed:?}");
    counted.end().await;
}

#[tokio::test]
async fn a_kick_of_300_takes_as_many_statements_as_one_of_3() {
    counted_batch("kick", "kick", Before::Members, json!({})).await;
    counted_batch(
        "kick and ban",
        "kick",
        Before::Members,
        json!({ "banSeconds": 60, "reason": "r" }),
    )
    .await;
    counted_batch("kick, no members", "kick", Before::Strangers, json!({})).await;
}

/// Of people who are there already, who are banned, who are in too many groups, and who are new, together.
#[tokio::test]
async fn a_mixed_invitation_takes_as_many_statements_whatever_its_size() {
    let counted = Counted::new().await;
    let mut found = Vec::new();
    for count in [2, 75] {
        let id = format!("g{count}");
        let kinds: Vec<Vec<String>> = ["member", "banned", "full", "new"]
            .iter()
            .map(|kind| people(&format!("{kind}{count}-"), count))
            .collect();
        group(&counted, &id, &kinds[0]).await;
        ban_all(&counted, &id, &kinds[1]).await;
        for user in &kinds[2] {
            let path = format!("/v1/users/{user}");
            counted.server.put(ADMIN, &path, json!({ "groupLimit": 0 })).await.ok();
        }
        let body = json!({ "userList": kinds.concat() });
        found.push(counted.v1("POST", &format!("/v1/groups/{id}/invite"), body).await);
    }
    same("mixed invite", &found[0], &found[1]);
    counted.end().await;
}

#[tokio::test]
async fn a_group_of_300_is_made_and_ended_in_as_many_statements_as_one_of_3() {
    let counted = Counted::new().await;
    let (mut made, mut ended) = (Vec::new(), Vec::new());
    for count in [3, 300] {
        let users = people(&format!("p{count}-"), count);
        let list: Value = users
            .iter()
            .map(|user| json!({ "userID": user, "customFields": { "k": user } }))
            .collect();
        let body = json!({
            "groupID": format!("g{count}"), "groupType": "Public", "groupName": "n", "memberList": list,
        });
        made.push(counted.v1("POST", "/v1/groups", body).await);
        ended.push(counted.v1("DELETE", &format!("/v1/groups/g{count}"), json!({})).await);
    }
    same("create", &made[0], &made[1]);
    same("dismiss", &ended[0], &ended[1]);
    counted.end().await;
}

#[tokio::test]
async fn accounts_are_imported_in_as_many_statements_whatever_their_number() {
    let counted = Counted::new().await;
    let mut found = Vec::new();
    for count in [3, 100] {
        let users = people(&format!("p{count}-"), count);
        let list: Value =
            users.iter().map(|user| json!({ "UserID": user, "Nick": user })).collect();
        let body = json!({ "AccountList": list });
        found.push(counted.v4("im_open_login_svc/multiaccount_import", body).await);
    }
    same("multiaccount_import", &found[0], &found[1]);
    counted.end().await;
}

/// The body of a command about these people, without the group.
type Body<'a> = &'a dyn Fn(&[String]) -> Value;

/// What the Tencent face does to many at once.
#[tokio::test]
async fn batches_of_the_tencent_face_take_as_many_statements_whatever_their_size() {
    let of = |users: &[String]| json!({ "MemberList": accounts(users) });
    let named = |users: &[String]| json!({ "Members_Account": users });
    let removed = |users: &[String]| json!({ "MemberToDel_Account": users });
    let muted = |users: &[String]| json!({ "Members_Account": users, "MuteTime": 60 });
    let banned = |users: &[String]| json!({ "Members_Account": users, "Duration": 60 });
    let asked = |users: &[String]| json!({ "User_Account": users });
    let cases: [(&str, usize, Before, Body<'_>); 9] = [
        ("add_group_member", 300, Before::Strangers, &of),
        ("import_group_member", 300, Before::Strangers, &of),
        ("delete_group_member", 300, Before::Members, &removed),
        ("forbid_send_msg", 300, Before::Members, &muted),
        ("ban_group_member", 20, Before::Members, &banned),
        ("ban_group_member", 20, Before::Strangers, &banned),
        ("unban_group_member", 20, Before::Strangers, &named),
        ("unban_group_member", 20, Before::Banned, &named),
        ("get_role_in_group", 300, Before::Members, &asked),
    ];
    for (command, most, before, body) in cases {
        let counted = Counted::new().await;
        let mut found = Vec::new();
        for count in [3, most] {
            let (id, users) = (format!("g{count}"), people(&format!("p{count}-"), count));
            before.prepare(&counted, &id, &users).await;
            let mut body = body(&users);
            body["GroupId"] = json!(id);
            found.push(counted.v4(&format!("group_open_http_svc/{command}"), body).await);
        }
        same(&format!("{command} of 3 and {most}, {before:?} before"), &found[0], &found[1]);
        counted.end().await;
    }
}

#[tokio::test]
async fn reading_takes_as_many_statements_in_a_group_of_300_as_in_one_of_3() {
    let counted = Counted::new().await;
    for count in [3, 300] {
        group(&counted, &format!("g{count}"), &people("p", count)).await;
        ban_all(&counted, &format!("g{count}"), &people("b", count.min(20))).await;
    }
    for below in [
        "",
        "/members?limit=1000",
        "/members?limit=2",
        "/members?role=Member",
        "/members?muted=true",
        "/members?userID=p000&userID=p001",
        "/permissions",
        "/permissions?userID=p001",
        "/permissions?userID=b001",
        "/bans",
        "/bans/b001",
        "/events",
    ] {
        let few = counted.v1("GET", &format!("/v1/groups/g3{below}"), Value::Null).await;
        let many = counted.v1("GET", &format!("/v1/groups/g300{below}"), Value::Null).await;
        same(below, &few, &many);
        let most = if below.starts_with("/members") { 1 } else { 4 };
        assert!(few.len() <= most, "{below}: {few:#?}");
    }
    let list = |group: &str| json!({ "GroupId": group });
    let info = |group: &str| json!({ "GroupIdList": [group], "ResponseFilter": { "MemberInfoFilter": ["Role"] } });
    for (command, few, many) in [
        ("get_group_member_info", list("g3"), list("g300")),
        ("get_group_info", info("g3"), info("g300")),
    ] {
        let command = format!("group_open_http_svc/{command}");
        same(&command, &counted.v4(&command, few).await, &counted.v4(&command, many).await);
    }
    counted.end().await;
}

/// Each of these is about one person, whatever the size of the group.
#[tokio::test]
async fn a_change_of_one_takes_as_many_statements_in_a_group_of_300_as_in_one_of_3() {
    let counted = Counted::new().await;
    for count in [3, 300] {
        group(&counted, &format!("g{count}"), &people("p", count)).await;
    }
    for (method, below, body) in [
        ("PATCH", "", json!({ "groupName": "m", "muteAll": true, "customFields": { "k": "v" } })),
        ("PATCH", "/members/p000", json!({ "role": "Admin" })),
        ("PATCH", "/members/p001", json!({ "nameCard": "c", "customFields": { "k": "v" } })),
        ("PATCH", "/members/p001", json!({ "muteSeconds": 60 })),
        ("PUT", "/owner", json!({ "userID": "p002" })),
        ("PUT", "/bans/p001", json!({ "reason": "r" })),
        ("DELETE", "/bans/p001", json!({})),
        ("POST", "/invite", json!({ "userList": ["p001", "new"] })),
    ] {
        let few = counted.v1(method, &format!("/v1/groups/g3{below}"), body.clone()).await;
        let many = counted.v1(method, &format!("/v1/groups/g300{below}"), body.clone()).await;
        same(&format!("{method} {below} {body}"), &few, &many);
    }
    counted.end().await;
}
