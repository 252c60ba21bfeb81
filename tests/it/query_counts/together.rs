//! Reads that come at the same time share statements, and everybody gets his own answer.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Counted;
use crate::common::ADMIN;

/// Groups, each with one member more than the one before it.
const GROUPS: usize = 12;

async fn filled() -> Counted {
    let counted = Counted::new().await;
    let server = &counted.server;
    for group in 0..GROUPS {
        let people: Vec<String> = (0..=group).map(|one| format!("p{one:02}")).collect();
        server.group("owner", &format!("g{group:02}"), "Public", json!({})).await;
        let path = format!("/v1/groups/g{group:02}/invite");
        server.post(ADMIN, &path, json!({ "userList": people })).await.ok();
    }
    counted
}

/// The answers to these questions of these people, all asked at once.
async fn at_once(counted: &Counted, asked: &[(String, String)]) -> Vec<(u16, Value)> {
    let calls = asked.iter().map(|(user, path)| async move {
        let answer = counted.server.get(user, path).await;
        (answer.status, answer.body)
    });
    join_all(calls).await
}

/// As many questions as these, asked at once, take far fewer statements, and are answered as when each is
/// asked alone.
async fn shared(counted: &Counted, asked: &[(String, String)], statements_of_one: usize) {
    let mut alone = Vec::new();
    for one in asked {
        alone.extend(at_once(counted, std::slice::from_ref(one)).await);
    }
    counted.tap.take();
    let together = at_once(counted, asked).await;
    let statements = counted.tap.take().len();
    for ((one, alone), together) in asked.iter().zip(&alone).zip(&together) {
        assert_eq!(alone, together, "{one:?}");
    }
    let most = asked.len() * statements_of_one / 2;
    assert!(statements <= most, "{} reads took {statements} statements", asked.len());
}

fn whoever(reader: usize) -> String {
    if reader.is_multiple_of(3) { ADMIN.to_owned() } else { format!("p{:02}", reader % GROUPS) }
}

#[tokio::test]
async fn profiles_of_groups() {
    let counted = filled().await;
    // Members, strangers, an administrator, and groups that do not exist.
    let asked: Vec<(String, String)> = (0..60)
        .map(|one| (whoever(one * 7), format!("/v1/groups/g{:02}", one % (GROUPS + 2))))
        .collect();
    shared(&counted, &asked, 1).await;
}

#[tokio::test]
async fn pages_of_members() {
    let counted = filled().await;
    let asked: Vec<(String, String)> = (0..60)
        .map(|one| {
            let rest = ["limit=3", "limit=100", "limit=2&next=p03", "role=Owner", "role=Member"];
            let rest = rest.get(one % 5).expect("one of five");
            let user = whoever(one * 5);
            (user, format!("/v1/groups/g{:02}/members?{rest}", one % (GROUPS + 1)))
        })
        .collect();
    shared(&counted, &asked, 2).await;
}

#[tokio::test]
async fn groups_of_users() {
    let counted = filled().await;
    let asked: Vec<(String, String)> = (0..48)
        .map(|one| {
            let user = format!("p{:02}", one % (GROUPS + 1));
            (ADMIN.to_owned(), format!("/v1/users/{user}/groups?limit=100"))
        })
        .collect();
    shared(&counted, &asked, 1).await;
}

#[tokio::test]
async fn a_page_knows_the_total_that_it_does_not_show() {
    let counted = filled().await;
    let page = counted.server.get(ADMIN, "/v1/users/p00/groups?limit=5").await.ok();
    assert_eq!(page["total"], 12);
    assert_eq!(page["groupList"].as_array().map(Vec::len), Some(5));
    let path =
        format!("/v1/users/p00/groups?limit=100&next={}", page["next"].as_str().expect("more"));
    let rest = counted.server.get(ADMIN, &path).await.ok();
    assert_eq!(rest["total"], 12);
    assert_eq!(rest["groupList"].as_array().map(Vec::len), Some(7));
    let ids = |page: &Value| -> Vec<String> {
        let list = page["groupList"].as_array().expect("a list");
        list.iter().map(|group| group["groupID"].as_str().expect("an id").to_owned()).collect()
    };
    let all: Vec<String> = (0..GROUPS).map(|one| format!("g{one:02}")).collect();
    assert_eq!([ids(&page), ids(&rest)].concat(), all);
}
