//! Loading groups over REST, from whichever node answers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::sync::mpsc;

use super::Shared;
use crate::common::jwt_of;
use crate::faults::churn::encoded;
use crate::faults::record::Said;
use crate::faults::truth::Members;

/// Loads what is asked for, one group after the other, until it has each.
pub(super) async fn load(shared: Arc<Shared>, mut asked: mpsc::UnboundedReceiver<String>) {
    let client = shared.nodes.http();
    let token = jwt_of(&shared.user, 86_400);
    let mut dice = StdRng::seed_from_u64(0);
    while let Some(group) = asked.recv().await {
        // Whoever asked again meanwhile is served by this time, too.
        let wanted = shared.wanted.lock().expect("nobody panicked").remove(&group);
        if wanted {
            let list = list(&shared, &client, &token, &group, &mut dice).await;
            shared.note(Said::Loaded { group, list });
        }
        shared.asked.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The members of a group and the number that they are of; `None` when he is not in it.
async fn list(
    shared: &Shared,
    client: &reqwest::Client,
    token: &str,
    group: &str,
    dice: &mut StdRng,
) -> Option<(i64, Members)> {
    let path = format!("/v1/groups/{}/members?limit=1000", encoded(group));
    loop {
        let request = client.get(format!("{}{path}", shared.nodes.any(dice)));
        let request = request.bearer_auth(token).timeout(Duration::from_secs(10));
        let answer = async {
            let response = request.send().await.ok()?;
            let status = response.status().as_u16();
            Some((status, response.json::<Value>().await.ok()?))
        };
        match answer.await {
            Some((200, body)) => return Some(members(&body["data"])),
            Some((403 | 404, _)) => return None,
            _ => tokio::time::sleep(Duration::from_millis(200)).await,
        }
    }
}

fn members(data: &Value) -> (i64, Members) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = data["memberList"].as_array().map(Vec::as_slice).unwrap_or_default();
    let line = |one: &Value| (text(&one["userID"]), (text(&one["role"]), text(&one["nameCard"])));
    (data["seq"].as_i64().unwrap_or(-1), lines.iter().map(line).collect())
}
