//! All groups of the app: `get_appid_group_list` (`tencent-im.md` 2.4).

use serde_json::{Map, Value, json};

use super::call::Call;
use super::reply::{Answer, Refusal};
use super::words;
use crate::model::GroupType;
use crate::rules::Types;
use crate::store::lists::{ListedGroup, type_key};

/// Most groups of a page, and the page of who names no size.
const PAGE: i64 = 10_000;
/// The farthest place that a page can begin at: the largest whole number that every JSON reader keeps.
const FARTHEST: i64 = (1 << 53) - 1;

/// `get_appid_group_list`: in the order of creation. `Next` is the place where the next page begins, 0 at
/// the end.
pub(super) async fn all(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    // Clients that set no limit send 0.
    let limit = fields.number(&["Limit"], 0..=PAGE)?.filter(|limit| *limit > 0).unwrap_or(PAGE);
    let after = fields.number(&["Next"], 0..=FARTHEST)?.unwrap_or(0);
    let base = fields.word(&["GroupType"], words::GROUP_TYPES)?;
    let keys = keys(&call.app.types, base);
    let store = &call.app.store;
    let mut groups = Vec::new();
    let mut total = 0;
    for key in &keys {
        groups.extend(store.all_groups(key.as_deref(), after, limit + 1).await?);
        total += store.count_groups(key.as_deref()).await?;
    }
    groups.sort_by_key(|group| group.number);
    groups.truncate(usize::try_from(limit + 1).unwrap_or(usize::MAX));
    let more = i64::try_from(groups.len()).is_ok_and(|read| read > limit);
    if more {
        groups.pop();
    }
    let next = groups.last().filter(|_| more).map_or(0, |last| last.number);
    let line = |group: &ListedGroup| json!({ "GroupId": group.id });
    let mut answer = Map::new();
    answer.insert("TotalCount".to_owned(), json!(total));
    answer.insert("GroupIdList".to_owned(), groups.iter().map(line).collect::<Value>());
    answer.insert("Next".to_owned(), json!(next));
    Ok(answer)
}

/// What the index of types knows those groups by that this face shows with this type: the type itself and
/// those of the operator's own that are based on it. Without a type, one key that stands for all.
fn keys(types: &Types, base: Option<GroupType>) -> Vec<Option<String>> {
    let Some(base) = base else { return vec![None] };
    let own = types.all().iter().filter(|rules| rules.own && rules.base == base);
    let own = own.map(|rules| Some(rules.name.to_string()));
    std::iter::once(Some(type_key(base))).chain(own).collect()
}
