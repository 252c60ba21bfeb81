//! The servers that the calls are made on, and what they answer.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::super::{group, login, ok};
use super::tries::{self, Try, World};
use crate::common::{ADMIN, Server, cluster, eventually};
use crate::ops::proxy::Proxy;

/// Members whose fields together are more than an answer holds.
async fn make_large(server: &Server) {
    let create = json!({"Type": "Public", "Name": "n", "GroupId": "large"});
    ok(group(server, "create_group", create).await);
    let data: Vec<Value> = (0..5)
        .map(|number| json!({"Key": format!("key_of_member_{number}"), "Value": "v".repeat(64)}))
        .collect();
    for round in 0..8 {
        let members: Vec<Value> = (0..300)
            .map(|number| {
                let user = format!("member-{round}-{number}");
                json!({"Member_Account": user, "AppMemberDefinedData": data})
            })
            .collect();
        let body = json!({"GroupId": "large", "MemberList": members});
        ok(group(server, "import_group_member", body).await);
    }
}

/// Somebody in groups whose fields together are more than an answer holds.
async fn make_collector(server: &Server) {
    let data: Vec<Value> = (0..10)
        .map(|number| json!({"Key": format!("key_of_group_{number}"), "Value": "v".repeat(512)}))
        .collect();
    for number in 0..200 {
        let body = json!({
            "Type": "Public", "Name": "n", "GroupId": format!("wide-{number}"),
            "Owner_Account": "collector", "AppDefinedData": data,
        });
        ok(group(server, "import_group", body).await);
    }
}

/// A server with all that the tries are about.
async fn peopled() -> Server {
    let server = Server::with(&[("MUSTER_MEMBERS_PER_GROUP", "5000")]).await;
    server.put(ADMIN, "/v1/users/full", json!({"groupLimit": 0})).await.ok();
    for (id, group_type, more) in [
        ("g1", "Public", json!({})),
        ("work", "Work", json!({})),
        ("live", "AVChatRoom", json!({})),
        ("small", "Public", json!({"maxMemberCount": 2})),
    ] {
        server.group("owner", id, group_type, more).await;
    }
    make_large(&server).await;
    make_collector(&server).await;
    ok(login(&server, "account_import", json!({"UserID": "going"})).await);
    // As while the account is being deleted.
    sqlx::query("update users set deleted_at = now() where user_id = 'going'")
        .execute(&server.db().await)
        .await
        .expect("an update");
    server
}

async fn registered() -> Server {
    let server = Server::with(&[("MUSTER_ACCOUNTS", "registered")]).await;
    ok(login(&server, "account_import", json!({"UserID": "owner"})).await);
    server.group("owner", "g1", "Public", json!({})).await;
    server
}

async fn forbidding() -> Server {
    let types = r#"
        [types.Closed]
        based_on = "Public"
        who.dismiss = "nobody"
        who.read_profile = "nobody"
        who.read_members = "nobody"
        who.read_attributes = "nobody"
        who.edit_attributes = "nobody"
    "#;
    let server = Server::with_file(&cluster::fresh_database().await, types).await;
    server.group("owner", "g1", "Closed", json!({})).await;
    server
}

async fn hasty() -> Server {
    let server = Server::with(&[("MUSTER_ATTRIBUTE_CHANGES", "1")]).await;
    server.group("owner", "g1", "Public", json!({})).await;
    server
}

async fn crowded() -> Server {
    let server = Server::start().await;
    // Ids of 48 bytes, most of which take two in JSON.
    sqlx::raw_sql(
        "insert into groups (group_id, group_type, join_option, invite_option, member_count,
                             pending_count, seq, created_at)
         select rpad(n::text, 48, '\"'), 2, 1, 1, 0, 0, 1, now() from generate_series(10001, 20000) n;
         insert into group_profiles
                (group_id, name, folded_name, introduction, notification, face_url, changed_at)
         select group_id, 'n', 'n', '', '', '', now() from groups",
    )
    .execute(&server.db().await)
    .await
    .expect("many groups");
    server
}

/// The code and text of an answer: of the call, or of the one group or account that it asks about.
fn outcome(answer: &Value) -> (i64, String) {
    let lines = [
        (&answer["ErrorCode"], &answer["ErrorInfo"]),
        (&answer["GroupInfo"][0]["ErrorCode"], &answer["GroupInfo"][0]["ErrorInfo"]),
        (&answer["ResultItem"][0]["ResultCode"], &answer["ResultItem"][0]["ResultInfo"]),
    ];
    let read = lines.iter().filter_map(|(code, text)| Some((code.as_i64()?, text.as_str()?)));
    let refusal = read.into_iter().find(|(code, _)| *code != 0);
    refusal.map_or((0, String::new()), |(code, text)| (code, text.to_owned()))
}

/// What was reached: command and code, with the text of the refusal.
pub(super) type Reached = BTreeMap<(String, i64), String>;

/// Makes the calls of one world, each of which has to get its code.
async fn make(server: &Server, world: World, tries: &[Try], reached: &mut Reached) {
    let tries = tries.iter().filter(|one| one.world == world);
    let asked =
        join_all(tries.map(async |one| (one, server.v4(&one.path, one.body.clone()).await)));
    for (one, answer) in asked.await {
        let (code, text) = outcome(&answer);
        assert_eq!(code, one.code, "{} in {world:?}: {answer}", one.path);
        assert!(!text.is_empty(), "{}: {answer}", one.path);
        reached.insert((one.command.clone(), one.code), text);
    }
}

/// Makes the calls that are refused when they come within a second of another one: right after one that
/// changed something, and once more after another when the machine was too slow for that.
async fn make_in_haste(server: &Server, tries: &[Try], reached: &mut Reached) {
    for one in tries.iter().filter(|one| one.world == World::Hasty) {
        for round in 0.. {
            assert!(round < 20, "{}: no two calls came within a second", one.path);
            let list = json!([{"key": "k", "value": round.to_string()}]);
            let before = json!({"GroupId": "g1", "GroupAttr": list});
            eventually("the second before is over", async || {
                let answer = group(server, "set_group_attr", before.clone()).await;
                (answer["ErrorCode"] == 0).then_some(())
            })
            .await;
            let answer = server.v4(&one.path, one.body.clone()).await;
            let (code, text) = outcome(&answer);
            if code != 0 {
                assert_eq!(code, one.code, "{}: {answer}", one.path);
                reached.insert((one.command.clone(), code), text);
                break;
            }
        }
    }
}

/// Makes every call.
pub(super) async fn make_all() -> Reached {
    let tries = tries::all();
    let mut reached = Reached::new();
    let server = peopled().await;
    make(&server, World::Peopled, &tries, &mut reached).await;
    server.check_invariants().await;
    server.stop().await;

    let server = registered().await;
    make(&server, World::Registered, &tries, &mut reached).await;
    server.stop().await;

    let server = forbidding().await;
    make(&server, World::Forbidding, &tries, &mut reached).await;
    server.check_invariants().await;
    server.stop().await;

    let server = hasty().await;
    make_in_haste(&server, &tries, &mut reached).await;
    server.check_invariants().await;
    server.stop().await;

    let server = crowded().await;
    make(&server, World::Crowded, &tries, &mut reached).await;
    server.stop().await;

    let proxy = Proxy::before(&cluster::fresh_database().await).await;
    let server = Server::on(&proxy.url, &[]).await;
    server.group("owner", "g1", "Public", json!({})).await;
    proxy.cut();
    make(&server, World::Cut, &tries, &mut reached).await;
    proxy.mend();
    server.stop().await;
    reached
}
