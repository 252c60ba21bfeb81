//! The module in a page of another origin, against the real server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::line::Line;
use super::page::Page;
use super::readme;
use crate::common::{Server, eventually, jwt_of};

/// Callback and number of each event of a group, or of the person's own.
fn told(seen: &[Value], group: Option<&str>) -> Vec<(String, u64)> {
    let event = |report: &Value| {
        let event = report.as_array()?.last()?;
        let name = report[0].as_str().filter(|name| *name != "onEvent")?;
        let number = match group {
            Some(group) => event["seq"].as_u64().filter(|_| event["groupID"] == group)?,
            None => event["userSeq"].as_u64()?,
        };
        (event["type"] == "event").then(|| (name.to_owned(), number))
    };
    seen.iter().filter_map(event).collect()
}

fn events(list: &[(&str, u64)]) -> Vec<(String, u64)> {
    list.iter().map(|(name, seq)| ((*name).to_owned(), *seq)).collect()
}

/// Does things as somebody, each of which must succeed.
async fn post(server: &Server, user: &str, path: &str, body: Value) -> Value {
    server.post(user, &format!("/v1/groups/{path}"), body).await.ok()
}

/// The applications that somebody can decide: their ids.
async fn open_applications(server: &Server, user: &str) -> Vec<String> {
    let data = server.get(user, "/v1/applications").await.ok();
    let list = data["applicationList"].as_array().expect("a list");
    let open = list.iter().filter(|one| one["canDecide"] == true);
    open.map(|one| one["applicationID"].as_str().expect("an id").to_owned()).collect()
}

async fn accept(server: &Server, user: &str) {
    for id in open_applications(server, user).await {
        server.post(user, &format!("/v1/applications/{id}/accept"), json!({})).await.ok();
    }
}

/// Whatever can happen in a group of Bob's, his own end and new beginning included.
async fn live_in_g1(server: &Server) {
    post(server, "alice", "g1/invite", json!({ "userList": ["carol", "dave"] })).await;
    server.patch("bob", "/v1/groups/g1/members/bob", json!({ "nameCard": "B" })).await.ok();
    server.patch("bob", "/v1/groups/g1", json!({ "groupName": "new" })).await.ok();
    let attributes = json!({ "attributes": { "k": "v" } });
    server.put("bob", "/v1/groups/g1/attributes", attributes).await.ok();
    let silent =
        json!({ "GroupId": "g1", "Silence": 1, "MemberList": [{ "Member_Account": "erin" }] });
    server.v4("group_open_http_svc/add_group_member", silent).await;
    post(server, "dave", "g1/quit", json!({})).await;
    post(server, "alice", "g1/kick", json!({ "userList": ["carol"], "reason": "r" })).await;
    post(server, "alice", "g1/kick", json!({ "userList": ["bob"] })).await;
    post(server, "alice", "g1/invite", json!({ "userList": ["frank"] })).await;
    post(server, "alice", "g1/invite", json!({ "userList": ["bob"] })).await;
}

/// A group of Bob's own from its beginning to its end, and an invitation that waits for him.
async fn live_elsewhere(server: &Server) {
    let asks = json!({ "joinOption": "NeedPermission" });
    server.group("bob", "p1", "Public", asks).await;
    post(server, "erin", "p1/join", json!({ "message": "let me in" })).await;
    accept(server, "bob").await;
    server.patch("bob", "/v1/groups/p1/members/erin", json!({ "role": "Admin" })).await.ok();
    server.patch("bob", "/v1/groups/p1/members/erin", json!({ "role": "Member" })).await.ok();
    server.delete("bob", "/v1/groups/p1").await.ok();

    server.group("alice", "g2", "Work", json!({})).await;
    server.put("bob", "/v1/users/me", json!({ "inviteConsent": "ask" })).await.ok();
    post(server, "alice", "g2/invite", json!({ "userList": ["bob"] })).await;
    accept(server, "bob").await;
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn every_callback_of_a_page_of_another_origin_is_called_once_and_in_order() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let script = r#"
        const broken = (...given) => { report("onMemberInvited", ...given); throw new Error("the app's own"); };
        globalThis.client = follow({ token, onMemberInvited: broken });"#;
    // The address is where the module came from.
    let mut page = Page::open(server.url(), script, || json!(jwt_of("bob", 600))).await;
    page.expect("onReady").await;
    let welcome = page.calls("onWelcome")[0][1].clone();
    let line = json!([{ "groupID": "g1", "seq": 1, "head": 1, "role": "Member" }]);
    assert_eq!((&welcome["userID"], &welcome["groups"]), (&json!("bob"), &line));

    live_in_g1(&server).await;
    live_elsewhere(&server).await;
    while told(&page.seen, Some("g2")).is_empty() || told(&page.seen, None).len() < 3 {
        page.report().await;
    }

    let expected = [
        ("onMemberInvited", 2),
        ("onMemberInfoChanged", 3),
        ("onGroupInfoChanged", 4),
        ("onGroupAttributeChanged", 5),
        ("onMemberInvited", 6),
        ("onMemberLeave", 7),
        ("onMemberKicked", 8),
        ("onMemberKicked", 9),
        ("onMemberInvited", 11),
    ];
    assert_eq!(told(&page.seen, Some("g1")), events(&expected));
    let expected = [
        ("onGroupCreated", 1),
        ("onMemberEnter", 2),
        ("onGrantAdministrator", 3),
        ("onRevokeAdministrator", 4),
        ("onGroupDismissed", 5),
    ];
    assert_eq!(told(&page.seen, Some("p1")), events(&expected));
    assert_eq!(told(&page.seen, Some("g2")), events(&[("onMemberInvited", 2)]));
    let expected = [
        ("onReceiveJoinApplication", 1),
        ("onReceiveInvitation", 2),
        ("onApplicationProcessed", 3),
    ];
    assert_eq!(told(&page.seen, None), events(&expected));
    check_arguments(&page);
    page.settled().await;
    let cursor = &page.calls("onCursor").last().expect("a cursor")[1];
    assert_eq!((&cursor["user"], &cursor["groups"]), (&json!(3), &json!({ "g1": 11, "g2": 2 })));
    assert_eq!(page.calls("onError").len(), 4, "each broken callback was told of");
    assert_eq!(page.calls("onDisconnect").len(), 0);
    drop(page);
    server.stop().await;
}

/// What the callbacks got before the event, in the SDK's order.
fn check_arguments(page: &Page) {
    let given = |name: &str, turn: usize| {
        let call = page.calls(name)[turn].as_array().expect("a call").clone();
        Value::from(call[1..call.len() - 1].to_vec())
    };
    let user = |id: &str| json!({ "userID": id });
    let invited = json!(["g1", user("alice"), [user("carol"), user("dave")]]);
    assert_eq!(given("onMemberInvited", 0), invited);
    let changed = json!(["g1", [{ "userID": "bob", "nameCard": "B" }]]);
    assert_eq!(given("onMemberInfoChanged", 0), changed);
    let changed = json!(["g1", [{ "type": "groupName", "value": "new" }]]);
    assert_eq!(given("onGroupInfoChanged", 0), changed);
    assert_eq!(given("onGroupAttributeChanged", 0), json!(["g1", { "k": "v" }]));
    assert_eq!(page.calls("onMemberInvited")[1][4]["silent"], true);
    assert_eq!(given("onMemberLeave", 0), json!(["g1", user("dave")]));
    assert_eq!(given("onMemberKicked", 0), json!(["g1", user("alice"), [user("carol")]]));
    assert_eq!(given("onGroupCreated", 0), json!(["p1"]));
    assert_eq!(given("onMemberEnter", 0), json!(["p1", [user("erin")]]));
    let admin = json!(["p1", user("bob"), [user("erin")]]);
    assert_eq!(given("onGrantAdministrator", 0), admin);
    assert_eq!(given("onRevokeAdministrator", 0), admin);
    assert_eq!(given("onGroupDismissed", 0), json!(["p1", user("bob")]));
    let asked = json!(["p1", user("erin"), "let me in"]);
    assert_eq!(given("onReceiveJoinApplication", 0), asked);
    let invitation = given("onReceiveInvitation", 0);
    assert_eq!((&invitation[0], &invitation[1]), (&json!("g2"), &user("alice")));
    assert_eq!(invitation[2]["toUser"], "bob");
    assert_eq!(given("onApplicationProcessed", 0), json!(["g2", user("bob"), true, ""]));
}

/// A page that keeps its cursor where it outlives the page.
fn keeping(url: &str) -> String {
    format!(
        r#"Math.random = () => 0.2;
        globalThis.start = () => {{ globalThis.client = follow({{
            url: "{url}", token,
            cursor: JSON.parse(localStorage.getItem("cursor")),
            onCursor: (cursor) => localStorage.setItem("cursor", JSON.stringify(cursor)),
        }}); }};
        start();"#
    )
}

async fn change(server: &Server, group: &str, times: usize) {
    // What is as before would be no event.
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..times {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "introduction": format!("{number} {}", "x".repeat(100)) });
        server.patch("alice", &format!("/v1/groups/{group}"), body).await.ok();
    }
}

/// 300 events in `g1`, a removal and return in `g2`, a removal from `g4`, a beginning in `g3`.
async fn happen_while_away(server: &Server) {
    change(server, "g1", 300).await;
    post(server, "alice", "g2/kick", json!({ "userList": ["bob"] })).await;
    change(server, "g2", 1).await;
    post(server, "alice", "g2/invite", json!({ "userList": ["bob"] })).await;
    post(server, "alice", "g4/kick", json!({ "userList": ["bob"] })).await;
    post(server, "alice", "g3/invite", json!({ "userList": ["bob"] })).await;
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn whatever_breaks_in_between_each_event_comes_once_and_in_order() {
    let server = Server::start().await;
    let with_bob = json!({ "memberList": [{ "userID": "bob" }] });
    for group in ["g1", "g2", "g4"] {
        server.group("alice", group, "Work", with_bob.clone()).await;
    }
    server.group("alice", "g3", "Work", json!({})).await;
    let line = Line::before(server.url()).await;
    let script = keeping(&line.url);
    let mut page = Page::open(server.url(), &script, || json!(jwt_of("bob", 600))).await;
    page.expect("onReady").await;

    // Away, while much happens; then the connection breaks four times in the middle of the replay.
    line.close();
    page.expect("onDisconnect").await;
    happen_while_away(&server).await;
    page.settled().await;
    let breaks = [4_000, 10_000, 15_000, 20_000];
    line.open(&breaks);
    page.expect("onReady").await;
    assert_eq!(line.carried(), breaks.len() + 1);
    let expected: Vec<_> = (2..=301).map(|seq| ("onGroupInfoChanged".to_owned(), seq)).collect();
    assert_eq!(told(&page.seen, Some("g1")), expected);
    assert_eq!(told(&page.seen, Some("g3")), events(&[("onMemberInvited", 2)]));
    assert_eq!(told(&page.seen, Some("g4")), events(&[("onMemberKicked", 2)]));
    assert_eq!(told(&page.seen, Some("g2")), []);
    let resets: Vec<Value> = page.calls("onReset").iter().map(|one| one[1].clone()).collect();
    let rejoined = json!({ "scope": "group", "groupID": "g2", "seq": 4, "why": "rejoined" });
    assert_eq!(resets, [rejoined]);

    // The page is loaded again, with the cursor that it kept. He joins `g4` anew, whose end he has seen: that
    // is no reset, but the new membership from its beginning.
    page.run("client.close()");
    page.settled().await;
    page.seen.clear();
    change(&server, "g1", 5).await;
    change(&server, "g4", 3).await;
    post(&server, "alice", "g4/invite", json!({ "userList": ["bob"] })).await;
    change(&server, "g4", 1).await;
    page.run("location.reload()");
    page.expect("onReady").await;
    let expected: Vec<_> = (302..=306).map(|seq| ("onGroupInfoChanged".to_owned(), seq)).collect();
    assert_eq!(told(&page.seen, Some("g1")), expected);
    let expected = [("onMemberInvited", 6), ("onGroupInfoChanged", 7)];
    assert_eq!(told(&page.seen, Some("g4")), events(&expected));
    assert_eq!(page.calls("onReset").len(), 0);

    // The server stops, and another one goes on.
    let database = server.database_url().to_owned();
    page.seen.clear();
    let next = Server::on(&database, &[]).await;
    line.lead_to(next.url());
    server.stop().await;
    let end = page.expect("onDisconnect").await;
    assert_eq!((&end[1]["code"], &end[1]["final"]), (&json!(1001), &json!(false)), "{end}");
    let delay = end[1]["delayMs"].as_u64().expect("milliseconds");
    assert!((500..=5_000).contains(&delay), "{end}");
    change(&next, "g1", 2).await;
    page.expect("onReady").await;
    change(&next, "g1", 1).await;
    while told(&page.seen, Some("g1")).len() < 3 {
        page.report().await;
    }
    let expected: Vec<_> = (307..=309).map(|seq| ("onGroupInfoChanged".to_owned(), seq)).collect();
    assert_eq!(told(page.settled().await, Some("g1")), expected);
    drop(page);
    next.stop().await;
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_connection_outlives_its_tokens_and_a_refused_one_costs_no_event() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let line = Line::before(server.url()).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    // The module reads the end of a JWT off it. The fifth is refused, and the one after it is good again.
    let tokens = move || match count.fetch_add(1, Ordering::Relaxed) {
        4 => json!("nonsense"),
        _ => json!(jwt_of("bob", 4)),
    };
    let script =
        format!(r#"globalThis.client = follow({{ url: "{}", token: () => token() }});"#, line.url);
    let mut page = Page::open(server.url(), &script, tokens).await;
    page.expect("onReady").await;
    eventually("three tokens were renewed", || async {
        (asked.load(Ordering::Relaxed) >= 4).then_some(())
    })
    .await;
    change(&server, "g1", 1).await;
    page.expect("onGroupInfoChanged").await;
    assert_eq!(line.carried(), 1, "on one connection");
    assert_eq!(page.calls("onDisconnect").len(), 0);

    // The nonsense is sent with `auth` before the fourth token ends.
    let end = page.expect("onDisconnect").await;
    assert_eq!((&end[1]["code"], &end[1]["final"]), (&json!(4001), &json!(false)), "{end}");
    change(&server, "g1", 2).await;
    page.expect("onReady").await;
    assert!(asked.load(Ordering::Relaxed) >= 6);
    while told(&page.seen, Some("g1")).len() < 3 {
        page.report().await;
    }
    let expected: Vec<_> = (2..=4).map(|seq| ("onGroupInfoChanged".to_owned(), seq)).collect();
    assert_eq!(told(page.settled().await, Some("g1")), expected);
    drop(page);
    server.stop().await;
}

/// What the README shows runs as it stands there, but for the address.
#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn the_example_of_the_readme_works() {
    let server = Server::start().await;
    server.group("alice", "g1", "Work", json!({ "memberList": [{ "userID": "bob" }] })).await;
    let example = format!("import{}", readme()).replace("http://127.0.0.1:8080", server.url());
    assert!(example.contains("\"/my-token\""), "{example}");
    let example = example.replace("\"/my-token\"", "\"/token\"").replace(".text()", ".json()");
    let (import, rest) = example.split_once('\n').expect("lines");
    assert!(import.contains(&format!("{}/client.js", server.url())), "{import}");
    let script = format!("console.log = (...words) => report('log', ...words);\n{rest}");
    let mut page = Page::open(server.url(), &script, || json!(jwt_of("bob", 600))).await;
    page.run("setTimeout(() => report('up'), 0)");
    page.expect("up").await;
    eventually("it is connected", || async {
        let text = reqwest::get(format!("{}/metrics", server.ops_url())).await.ok()?;
        let text = text.text().await.ok()?;
        text.lines().any(|line| line == "muster_sockets 1").then_some(())
    })
    .await;
    // The socket is counted before it is opened: only what happens after `welcome` is an event.
    page.run("setTimeout(function wait() { localStorage.getItem('cursor') ? report('kept') : setTimeout(wait, 20); })");
    page.expect("kept").await;
    post(&server, "alice", "g1/invite", json!({ "userList": ["carol"] })).await;
    let said = page.expect("log").await;
    assert_eq!(said, json!(["log", "alice", "invited", ["carol"], "into", "g1"]));
    page.run("report('cursor', JSON.parse(localStorage.getItem('cursor')))");
    let kept = page.expect("cursor").await;
    assert_eq!(kept[1]["groups"], json!({ "g1": 2 }));
    tokio::time::timeout(Duration::from_secs(10), async { drop(page) }).await.expect("it ends");
    server.stop().await;
}
