//! The module against a server that does what Muster's never does, or seldom: repeats, gaps, resets.

use serde_json::{Value, json};

use super::page::{Fake, Page, lines};

/// A page that follows from its own server.
const FOLLOW: &str = "globalThis.client = follow({ url: location.origin, token });";

/// Callback, group and number of every event that was handed over.
fn told(seen: &[Value]) -> Vec<(String, String, u64)> {
    let event = |report: &Value| {
        let event = report.as_array()?.last()?;
        let number = event["seq"].as_u64().or(event["userSeq"].as_u64())?;
        let name = report[0].as_str().filter(|name| *name != "onEvent")?;
        (event["type"] == "event").then(|| {
            (name.to_owned(), event["groupID"].as_str().unwrap_or_default().to_owned(), number)
        })
    };
    seen.iter().filter_map(event).collect()
}

fn events(list: &[(&str, &str, u64)]) -> Vec<(String, String, u64)> {
    list.iter().map(|(name, group, seq)| ((*name).into(), (*group).into(), *seq)).collect()
}

/// A page with an open connection.
async fn opened(groups: &[(&str, u64)]) -> (Page, Fake) {
    let mut page = Page::faked(FOLLOW).await;
    let mut fake = page.accept().await;
    fake.welcome("e", 0, groups).await;
    fake.ready().await;
    page.expect("onReady").await;
    (page, fake)
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn what_is_repeated_is_handed_over_once_also_after_a_membership_ended() {
    let (mut page, mut fake) = opened(&[("g", 4), ("h", 2)]).await;
    for seq in [5, 5, 4, 6, 5, 6, 7] {
        fake.event("g", seq).await;
    }
    for seq in [1, 1, 2, 1] {
        fake.own(seq).await;
    }
    // The end of a membership, doubled, with what was before it.
    for _ in 0..2 {
        fake.event("h", 3).await;
        fake.tell("h", 4, "onMemberKicked", "bob").await;
    }
    // He joins anew: the numbers between were not his, and what is older is still known.
    fake.tell("h", 9, "onMemberEnter", "bob").await;
    fake.tell("h", 4, "onMemberKicked", "bob").await;
    fake.tell("h", 9, "onMemberEnter", "bob").await;
    fake.event("h", 10).await;
    let seen = told(page.settled().await);
    let invited = "onMemberInvited";
    let expected = [
        (invited, "g", 5),
        (invited, "g", 6),
        (invited, "g", 7),
        ("onReceiveJoinApplication", "g", 1),
        ("onReceiveJoinApplication", "g", 2),
        (invited, "h", 3),
        ("onMemberKicked", "h", 4),
        ("onMemberEnter", "h", 9),
        (invited, "h", 10),
    ];
    assert_eq!(seen, events(&expected));
    let cursor = &page.calls("onCursor").last().expect("a cursor")[1];
    let expected =
        json!({ "userID": "bob", "epoch": "e", "user": 2, "groups": { "g": 7, "h": 10 } });
    assert_eq!(*cursor, expected);
    assert_eq!(page.calls("onDisconnect").len(), 0);
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_gap_is_not_passed_over_but_asked_for() {
    let (mut page, mut fake) = opened(&[("g", 4)]).await;
    fake.event("g", 5).await;
    fake.event("g", 7).await;
    let mut fake = page.accept().await;
    assert_eq!(fake.hello["cursor"], json!({ "epoch": "e", "user": 0, "groups": { "g": 5 } }));
    fake.welcome("e", 0, &[("g", 5)]).await;
    for seq in [6, 7] {
        fake.event("g", seq).await;
    }
    fake.own(2).await;
    let mut fake = page.accept().await;
    assert_eq!(fake.hello["cursor"], json!({ "epoch": "e", "user": 0, "groups": { "g": 7 } }));
    fake.welcome("e", 0, &[("g", 7)]).await;
    fake.own(1).await;
    fake.own(2).await;
    // Of a group that nobody has told of.
    fake.event("x", 3).await;
    let mut fake = page.accept().await;
    assert_eq!(fake.hello["cursor"], json!({ "epoch": "e", "user": 2, "groups": { "g": 7 } }));
    fake.welcome("e", 2, &[("g", 7)]).await;
    fake.ready().await;
    let numbers: Vec<u64> = told(page.settled().await).into_iter().map(|(.., seq)| seq).collect();
    assert_eq!(numbers, [5, 6, 7, 1, 2]);
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_cursor_that_is_given_stays_where_it_is_until_events_and_resets_move_it() {
    let script = r#"
        const cursor = { epoch: "e", user: 3, groups: { a: 5, b: 6, gone: 7, left: 2, end: 1 } };
        globalThis.client = follow({ url: location.origin, token, cursor });"#;
    let mut page = Page::faked(script).await;
    let mut fake = page.accept().await;
    let groups = json!({ "a": 5, "b": 6, "gone": 7, "left": 2, "end": 1 });
    let expected = json!({ "epoch": "e", "user": 3, "groups": groups });
    assert_eq!(fake.hello, json!({ "type": "hello", "token": "a token", "cursor": expected }));
    // `b` cannot be replayed: the server starts it at its end, and breaks before it has said so.
    fake.welcome("e", 3, &[("a", 5), ("b", 20)]).await;
    fake.say(&json!({ "type": "pong" })).await;
    page.expect("onWelcome").await;
    drop(fake);
    let mut fake = page.accept().await;
    assert_eq!(fake.hello["cursor"], expected, "`b` is still where it was");
    // The same, and this time it says so in a moment. `new` is one that he
    // joined meanwhile, told of in a frame of its own; names that every object has are groups like others.
    let more = [("new", 8), ("constructor", 1), ("__proto__", 1)];
    fake.welcome("e", 3, &[("a", 5), ("b", 20)]).await;
    fake.say(&json!({ "type": "groups", "groups": lines(&more) })).await;
    let reset = |group: &str, seq: u64, why: &str| json!({ "type": "reset", "scope": "group", "groupID": group, "seq": seq, "why": why });
    fake.say(&reset("b", 20, "lag")).await;
    fake.say(&reset("left", 4, "trimmed")).await;
    fake.say(&json!({ "type": "reset", "scope": "user", "seq": 9, "why": "trimmed" })).await;
    fake.tell("end", 2, "onMemberLeave", "bob").await;
    fake.event("a", 6).await;
    fake.event("__proto__", 2).await;
    // It breaks in the middle of the replay: the groups that it was to go on with are known.
    drop(fake);
    let mut fake = page.accept().await;
    let text = fake.hello["cursor"].to_string();
    let expected = r#"{"epoch":"e","user":9,"groups":{"a":6,"b":20,"gone":7,"new":8,"constructor":1,"__proto__":2}}"#;
    assert_eq!(text, expected);
    page.settled().await;
    let welcomed = &page.calls("onWelcome")[1][1];
    let all = [("a", 5), ("b", 20), more[0], more[1], more[2]];
    assert_eq!((&welcomed["groups"], &welcomed["userID"]), (&lines(&all), &json!("bob")));

    fake.welcome("e", 9, &[("a", 6), ("b", 20), more[0], more[1], ("__proto__", 2)]).await;
    fake.event("constructor", 2).await;
    fake.ready().await;
    page.expect("onReady").await;
    let expected = [
        json!({ "scope": "group", "groupID": "b", "seq": 20, "why": "lag" }),
        json!({ "scope": "group", "groupID": "left", "seq": 4, "why": "trimmed" }),
        json!({ "scope": "user", "seq": 9, "why": "trimmed" }),
        // Neither listed, nor told of, nor reset.
        json!({ "scope": "group", "groupID": "gone", "why": "gone" }),
    ];
    let resets: Vec<Value> = page.calls("onReset").iter().map(|one| one[1].clone()).collect();
    assert_eq!(resets, expected);
    assert_eq!(told(&page.seen).len(), 4);

    // Another epoch: everything is where the server says.
    drop(fake);
    let mut fake = page.accept().await;
    assert!(fake.hello["cursor"]["groups"].get("gone").is_none(), "{}", fake.hello);
    fake.welcome("f", 1, &[("a", 2)]).await;
    fake.say(&json!({ "type": "reset", "scope": "all", "why": "epoch" })).await;
    fake.ready().await;
    fake.event("a", 3).await;
    fake.own(2).await;
    let reset = page.expect("onReset").await;
    assert_eq!(reset[1], json!({ "scope": "all", "why": "epoch" }));
    page.expect("onReceiveJoinApplication").await;
    page.settled().await;
    let cursor = &page.calls("onCursor").last().expect("a cursor")[1];
    assert_eq!(*cursor, json!({ "userID": "bob", "epoch": "f", "user": 2, "groups": { "a": 3 } }));
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_first_connection_that_breaks_before_all_groups_were_named_has_no_cursor_yet() {
    let mut page = Page::faked(FOLLOW).await;
    let mut fake = page.accept().await;
    assert!(fake.hello.get("cursor").is_none(), "{}", fake.hello);
    fake.welcome("e", 0, &[("a", 5)]).await;
    page.settled().await;
    drop(fake);
    // Half a cursor would have the other groups replayed from their beginning.
    let mut fake = page.accept().await;
    assert!(fake.hello.get("cursor").is_none(), "{}", fake.hello);
    fake.welcome("e", 0, &[("a", 5)]).await;
    fake.say(&json!({ "type": "groups", "groups": lines(&[("b", 6)]) })).await;
    fake.ready().await;
    page.expect("onReady").await;
    assert_eq!(page.calls("onWelcome").len(), 1);
    assert_eq!(page.calls("onCursor")[0][1]["groups"], json!({ "a": 5, "b": 6 }));
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn another_users_cursor_and_one_that_is_too_long_are_given_up_aloud() {
    let script = r#"
        const cursor = { userID: "carol", epoch: "e", user: 3, groups: { a: 5 } };
        globalThis.client = follow({ url: location.origin, token, cursor });"#;
    let mut page = Page::faked(script).await;
    let mut fake = page.accept().await;
    assert_eq!(fake.hello["cursor"]["user"], 3);
    fake.welcome("e", 3, &[("a", 5)]).await;
    let mut fake = page.accept().await;
    assert!(fake.hello.get("cursor").is_none(), "{}", fake.hello);
    fake.welcome("e", 7, &[("a", 9)]).await;
    fake.ready().await;
    let reset = page.expect("onReset").await;
    assert_eq!(reset[1], json!({ "scope": "all", "why": "user" }));
    let cursor = page.expect("onCursor").await;
    let expected = json!({ "userID": "bob", "epoch": "e", "user": 7, "groups": { "a": 9 } });
    assert_eq!(cursor[1], expected);

    page.run(
        r#"client.close();
        const groups = Object.fromEntries(Array.from({ length: 9000 }, (_, n) => ["group".repeat(9) + n, 12345678]));
        globalThis.client = follow({ url: location.origin, token, cursor: { epoch: "e", user: 1, groups } });"#,
    );
    let mut fake = page.accept().await;
    assert!(fake.hello.get("cursor").is_none());
    fake.welcome("e", 7, &[("a", 9)]).await;
    fake.ready().await;
    let reset = page.expect("onReset").await;
    assert_eq!(reset[1], json!({ "scope": "all", "why": "size" }));
    // What is no cursor at all is a fault of the app, and not a reason to begin anew in silence.
    page.run("try { follow({ url: location.origin, token, cursor: {} }); } catch (error) { report('refused', error); }");
    assert_eq!(page.expect("refused").await[1], "TypeError: this is no cursor");
    page.run(
        "try { follow({ url: 'file:///x', token }); } catch (error) { report('refused', error); }",
    );
    let refused = page.expect("refused").await;
    assert!(refused[1].as_str().is_some_and(|text| text.contains("is no server")), "{refused}");
}

#[tokio::test]
#[ignore = "needs Chromium: .ci/run installs it"]
async fn a_callback_that_throws_breaks_neither_the_cursor_nor_the_socket() {
    let script = r#"
        const broken = (name) => (...given) => { report(name, ...given); throw new Error(`in ${name}`); };
        globalThis.client = follow({
            url: location.origin, token,
            onWelcome: broken("onWelcome"), onReady: broken("onReady"), onMemberInvited: broken("onMemberInvited"),
            onEvent: async () => { throw new Error("later"); },
            onCursor: (cursor) => { report("onCursor", cursor, client.cursor); throw new Error("in onCursor"); },
        });"#;
    let mut page = Page::faked(script).await;
    let mut fake = page.accept().await;
    fake.welcome("e", 0, &[("g", 4)]).await;
    fake.ready().await;
    for seq in 5..=7 {
        fake.event("g", seq).await;
    }
    // Kinds of frames and events that are not known yet, and one that is named like something else.
    fake.say(&json!({ "type": "news" })).await;
    fake.tell("g", 8, "onSomethingNew", "carol").await;
    fake.tell("g", 9, "token", "carol").await;
    fake.tell("g", 10, "onMemberEnter", "carol").await;
    page.expect("onMemberEnter").await;
    page.settled().await;
    let wrong: Vec<&str> = page.calls("onError").iter().filter_map(|one| one[2].as_str()).collect();
    let count = |name: &str| wrong.iter().filter(|one| **one == name).count();
    let counts = ["onWelcome", "onReady", "onMemberInvited", "onEvent", "onCursor"].map(count);
    assert_eq!(counts, [1, 1, 3, 6, 7], "{wrong:?}");
    assert_eq!(page.calls("onCursor").last().expect("a cursor")[1]["groups"]["g"], 10);
    assert!(page.calls("onCursor").iter().all(|one| one[1] == one[2]), "{:?}", page.seen);
    assert_eq!(page.calls("onDisconnect").len(), 0);

    // What the server must not say ends the connection, and the cursor is kept.
    fake.say(&json!("welcome")).await;
    fake.say(&json!({ "type": "groups" })).await;
    let mut fake = page.accept().await;
    assert_eq!(fake.hello["cursor"]["groups"], json!({ "g": 10 }));
    fake.welcome("e", 0, &[("g", 10)]).await;
    fake.ready().await;

    // Closed in the middle: the event at hand is applied and kept, nothing comes after it.
    page.run("client.close(); client = follow({ url: location.origin, token, onEvent: () => client.close() });");
    let mut fake = page.accept().await;
    fake.welcome("e", 0, &[("g", 10)]).await;
    fake.ready().await;
    page.expect("onReady").await;
    let before = page.seen.len();
    fake.event("g", 11).await;
    fake.event("g", 12).await;
    assert_eq!(fake.frame().await, None, "it closes");
    page.settled().await;
    let after: Vec<&Value> = page.seen[before..].iter().map(|one| &one[0]).collect();
    assert_eq!(after, ["onMemberInvited", "onCursor", "settled"]);
    page.run("client = follow({ url: location.origin, token, onWelcome: () => client.close() });");
    let mut fake = page.accept().await;
    let before = page.seen.len();
    fake.welcome("e", 0, &[("g", 10)]).await;
    fake.ready().await;
    assert_eq!(fake.frame().await, None, "it closes");
    page.settled().await;
    let after: Vec<&Value> = page.seen[before..].iter().map(|one| &one[0]).collect();
    assert_eq!(after, ["onCursor", "settled"]);
    page.stays_away(std::time::Duration::from_secs(2)).await;
}
