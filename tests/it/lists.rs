//! Lists of all groups, for administrators: `GET /v1/groups` and `get_appid_group_list`.

mod many;

use serde_json::{Value, json};

use crate::common::{ADMIN, Server};

/// The ids of a page, and where the next one begins.
fn page(data: &Value) -> (Vec<String>, Option<String>) {
    let list = data["groupList"].as_array().expect("groupList");
    let ids = list.iter().map(|line| line["groupID"].as_str().expect("groupID").to_owned());
    (ids.collect(), data["next"].as_str().map(ToOwned::to_owned))
}

/// All pages of a list, put together; fails when it does not come to an end.
async fn all_pages(server: &Server, query: &str, limit: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut next = String::new();
    for _ in 0..1_000 {
        let path = format!("/v1/groups?{query}&limit={limit}{next}");
        let (ids, more) = page(&server.get(ADMIN, &path).await.ok());
        assert!(ids.len() <= limit);
        all.extend(ids);
        let Some(more) = more else { return all };
        next = format!("&next={more}");
    }
    panic!("a list without an end: {query}");
}

/// Groups of all types: ids and names that searches tell apart.
async fn some_groups(server: &Server) {
    for (id, group_type, name) in [
        ("tea", "Public", "Afternoon"),
        ("coffee", "Work", "Tea and coffee"),
        ("team", "Public", "The team"),
        ("@TGS#_tea", "Community", "TEATIME"),
        ("live", "AVChatRoom", "teaching"),
        ("Tea", "Meeting", "Other"),
        ("te", "Public", "te%_a\\"),
    ] {
        server.group("owner", id, group_type, json!({ "groupName": name })).await;
    }
}

#[tokio::test]
async fn all_groups_are_listed_in_the_order_of_creation() {
    let server = Server::start().await;
    some_groups(&server).await;
    let expected = ["tea", "coffee", "team", "@TGS#_tea", "live", "Tea", "te"];
    for limit in [1, 2, 3, 7, 100] {
        assert_eq!(all_pages(&server, "", limit).await, expected, "{limit}");
    }
    let data = server.get(ADMIN, "/v1/groups?limit=7").await.ok();
    assert!(data.get("next").is_none(), "a full page that is the last has no next");
    let expected = server.get(ADMIN, "/v1/groups/tea").await.ok();
    let line = &data["groupList"][0];
    for field in [
        "groupID",
        "groupType",
        "groupName",
        "owner",
        "memberCount",
        "maxMemberCount",
        "createTime",
        "seq",
    ] {
        assert_eq!(line[field], expected[field], "{field}");
    }
    assert_eq!(line.as_object().map(serde_json::Map::len), Some(8), "{line}");
    // A group that is gone is in no list; a new one comes last.
    server.delete("owner", "/v1/groups/team").await.ok();
    server.group("owner", "zuletzt", "Public", json!({})).await;
    let expected = ["tea", "coffee", "@TGS#_tea", "live", "Tea", "te", "zuletzt"];
    assert_eq!(all_pages(&server, "", 2).await, expected);
    server.stop().await;
}

#[tokio::test]
async fn groups_of_one_type_are_listed_in_the_order_of_creation() {
    let server = Server::start().await;
    some_groups(&server).await;
    for (group_type, expected) in [
        ("Public", &["tea", "team", "te"] as &[&str]),
        ("Work", &["coffee"]),
        ("Meeting", &["Tea"]),
        ("AVChatRoom", &["live"]),
        ("Community", &["@TGS#_tea"]),
    ] {
        for limit in [1, 2, 100] {
            let found = all_pages(&server, &format!("type={group_type}"), limit).await;
            assert_eq!(found, expected, "{group_type}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_search_finds_the_beginning_of_ids_and_then_of_names_without_regard_to_case() {
    let server = Server::start().await;
    some_groups(&server).await;
    for (query, expected) in [
        // Ids in byte order, then names in order: "tea and coffee", "teaching", "teatime".
        ("search=tea", &["tea", "team", "coffee", "live", "@TGS#_tea"] as &[&str]),
        ("search=TEA", &["coffee", "live", "@TGS#_tea"]),
        ("search=Tea", &["Tea", "coffee", "live", "@TGS#_tea"]),
        ("search=tea&type=Public", &["tea", "team"]),
        ("search=tea&type=AVChatRoom", &["live"]),
        ("search=te", &["te", "tea", "team", "coffee", "live", "@TGS#_tea"]),
        ("search=te%25", &["te"]),
        ("search=%40TGS%23_", &["@TGS#_tea"]),
        ("search=the%20team", &["team"]),
        ("search=eam", &[]),
        ("search=%C3%A9", &[]),
        ("search=", &["tea", "coffee", "team", "@TGS#_tea", "live", "Tea", "te"]),
    ] {
        for limit in [1, 2, 100] {
            assert_eq!(all_pages(&server, query, limit).await, expected, "{query}, {limit}");
        }
    }
    server.delete("owner", "/v1/groups/tea").await.ok();
    server.patch("owner", "/v1/groups/team", json!({ "groupName": "x" })).await.ok();
    let expected = ["team", "coffee", "live", "@TGS#_tea"];
    assert_eq!(all_pages(&server, "search=tea", 1).await, expected);
    assert!(all_pages(&server, "search=the%20team", 1).await.is_empty());
    // Case is Unicode's, whatever the database's locale.
    server.patch("owner", "/v1/groups/team", json!({ "groupName": "ÉLAN Жизни" })).await.ok();
    assert_eq!(all_pages(&server, "search=%C3%A9lan%20%D0%B6", 1).await, ["team"]);
    server.stop().await;
}

#[tokio::test]
async fn only_administrators_list_groups_and_bad_queries_are_refused() {
    let server = Server::start().await;
    some_groups(&server).await;
    server.get("owner", "/v1/groups").await.refused(403, 10007, "administrators_only");
    let first = server.get(ADMIN, "/v1/groups?limit=1").await.ok();
    let place = first["next"].as_str().expect("next").to_owned();
    let search = server.get(ADMIN, "/v1/groups?limit=1&search=tea").await.ok();
    let found = search["next"].as_str().expect("next").to_owned();
    for (query, field) in [
        ("type=Secret".to_owned(), "type"),
        ("type=".to_owned(), "type"),
        ("limit=0".to_owned(), "limit"),
        ("limit=1001".to_owned(), "limit"),
        ("next=".to_owned(), "next"),
        ("next=x".to_owned(), "next"),
        (format!("search=tea&next={place}"), "next"),
        (format!("next={found}"), "next"),
        (format!("search={}", "x".repeat(101)), "search"),
        ("search=a%00".to_owned(), "search"),
        ("search=a&search=b".to_owned(), "search"),
    ] {
        let answer = server.get(ADMIN, &format!("/v1/groups?{query}")).await;
        let data = answer.refused(400, 10004, "invalid_parameter");
        assert_eq!(data["field"], field, "{query}");
    }
    server.get(ADMIN, "/v1/groups?name=x").await.refused(400, 10004, "unknown_field");
    // A place of another search goes on from there, and finds only what fits.
    let other = format!("/v1/groups?search=zzz&next={found}");
    assert_eq!(server.get(ADMIN, &other).await.ok(), json!({ "groupList": [] }));
    server.stop().await;
}

async fn v4(server: &Server, body: Value) -> Value {
    server.v4("group_open_http_svc/get_appid_group_list", body).await
}

#[tokio::test]
async fn a_back_end_lists_the_groups_of_its_app() {
    let server = Server::start().await;
    let empty = v4(&server, json!({})).await;
    assert_eq!(
        (&empty["TotalCount"], &empty["GroupIdList"], &empty["Next"]),
        (&json!(0), &json!([]), &json!(0))
    );
    some_groups(&server).await;
    for (body, expected, total) in [
        (
            json!({ "Limit": 3 }),
            &["tea", "coffee", "team", "@TGS#_tea", "live", "Tea", "te"] as &[&str],
            7,
        ),
        (
            json!({ "Limit": 7, "GroupType": "" }),
            &["tea", "coffee", "team", "@TGS#_tea", "live", "Tea", "te"],
            7,
        ),
        (json!({ "Limit": 1, "GroupType": "Public" }), &["tea", "team", "te"], 3),
        (json!({ "Limit": 0, "GroupType": "Private" }), &["coffee"], 1),
        (json!({ "GroupType": "ChatRoom" }), &["Tea"], 1),
    ] {
        let mut found = Vec::new();
        let mut next = json!(0);
        loop {
            let mut asked = body.clone();
            asked["Next"] = next;
            let answer = v4(&server, asked).await;
            assert_eq!((&answer["ErrorCode"], &answer["TotalCount"]), (&json!(0), &json!(total)));
            for line in answer["GroupIdList"].as_array().expect("GroupIdList") {
                assert_eq!(line.as_object().map(serde_json::Map::len), Some(1));
                found.push(line["GroupId"].as_str().expect("GroupId").to_owned());
            }
            next = answer["Next"].clone();
            if next == 0 {
                break;
            }
        }
        assert_eq!(found, expected, "{body}");
    }
    for body in [
        json!({ "Limit": 10_001 }),
        json!({ "Limit": -1 }),
        json!({ "Next": "0" }),
        json!({ "Next": -1 }),
        json!({ "Next": u64::MAX }),
        json!({ "GroupType": "Secret" }),
    ] {
        assert_eq!(v4(&server, body.clone()).await["ErrorCode"], 10_004, "{body}");
    }
    server.stop().await;
}
