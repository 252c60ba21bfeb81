//! Groups of a user: `get_joined_group_list` (`tencent-im.md` 2.4).

use serde_json::{Map, Value, json};

use super::body::{Fields, Name, WIDEST};
use super::call::Call;
use super::groups::{GROUP_BASE_INFO_FILTER, MEMBER_ACCOUNT, RESPONSE_FILTER};
use super::reply::{Answer, Refusal};
use super::views::{self, Asked, Filter};
use super::{custom, words};
use crate::model::{Error, GroupType};

const SELF_INFO_FILTER: Name = &["SelfInfoFilter"];

/// Most groups of a page, and the page of who names no size.
const PAGE: i64 = 5_000;

/// `get_joined_group_list`.
pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let user = fields.user(MEMBER_ACCOUNT, call.user_bytes())?;
    let types = read_types(&fields)?;
    // Clients that set no limit send 0.
    let limit = fields.number(&["Limit"], 0..=PAGE)?.filter(|limit| *limit > 0).unwrap_or(PAGE);
    let offset = fields.number(&["Offset"], 0..=WIDEST)?.unwrap_or(0);
    let filters = fields.object(RESPONSE_FILTER)?;
    let read = |name| filters.as_ref().map_or(Ok(Filter::All), |all| Filter::read(all, name));
    // Nothing is shown that was not asked for by name.
    let base = read(GROUP_BASE_INFO_FILTER)?.or_nothing();
    let base = Asked { base, custom: read(custom::FILTER_OF_GROUPS)? };
    let own = Asked { base: read(SELF_INFO_FILTER)?, custom: read(custom::FILTER_OF_MEMBERS)? };
    let shows_self = own.is_named();
    let own = Asked { base: own.base.or_nothing(), ..own };

    let (total, groups) = call.app.store.groups_of(&user, &types, None, offset, limit).await?;
    let show = |(group, member): &_| -> Value {
        let mut shown = views::group(group, call.app.app_id, &base);
        shown.insert("GroupId".to_owned(), json!(group.group.id));
        if shows_self {
            shown.insert("SelfInfo".to_owned(), views::own(member, &own));
        }
        Value::Object(shown)
    };
    let mut answer = Map::new();
    answer.insert("TotalCount".to_owned(), json!(total));
    answer.insert("GroupIdList".to_owned(), groups.iter().map(show).collect());
    Ok(answer)
}

/// The types that are asked for: live groups only when the caller says so, and no Community that has
/// topics, since none has (`decisions.md` p; every Work group is active).
fn read_types(fields: &Fields<'_>) -> Result<Vec<GroupType>, Error> {
    let only = fields.word(&["GroupType"], words::GROUP_TYPES)?;
    let live = fields.flag(&["WithHugeGroups"])?;
    let topics = fields.flag(&["SupportTopic"])?;
    fields.flag(&["WithNoActiveGroups"])?;
    let wanted = |one: &GroupType| match one {
        GroupType::AVChatRoom => live && only.is_none_or(|only| only == *one),
        GroupType::Community if only == Some(GroupType::Community) => !topics,
        _ => only.is_none_or(|only| only == *one),
    };
    Ok(GroupType::ALL.iter().copied().filter(wanted).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(body: Value) -> Result<Vec<GroupType>, Error> {
        let Value::Object(body) = body else { panic!("an object") };
        read_types(&Fields::new(&body))
    }

    #[test]
    fn live_groups_are_asked_for() {
        use GroupType::{AVChatRoom, Community, Meeting, Public, Work};
        let table = [
            (json!({}), vec![Work, Public, Meeting, Community]),
            (json!({"GroupType": ""}), vec![Work, Public, Meeting, Community]),
            (json!({"GroupType": null}), vec![Work, Public, Meeting, Community]),
            (json!({"WithHugeGroups": 0}), vec![Work, Public, Meeting, Community]),
            (json!({"WithHugeGroups": 1}), vec![Work, Public, Meeting, AVChatRoom, Community]),
            (json!({"GroupType": "AVChatRoom"}), vec![]),
            (json!({"GroupType": "AVChatRoom", "WithHugeGroups": 1}), vec![AVChatRoom]),
            (json!({"GroupType": "Private", "WithHugeGroups": 1}), vec![Work]),
            (json!({"GroupType": "Work", "WithNoActiveGroups": 1}), vec![Work]),
            (json!({"GroupType": "Meeting"}), vec![Meeting]),
            (json!({"GroupType": "Community"}), vec![Community]),
            (json!({"GroupType": "Community", "SupportTopic": 1}), vec![]),
            (json!({"SupportTopic": 1}), vec![Work, Public, Meeting, Community]),
        ];
        for (body, wanted) in table {
            assert_eq!(types(body.clone()), Ok(wanted), "{body}");
        }
    }

    #[test]
    fn what_is_no_type_is_refused() {
        for body in [
            json!({"GroupType": "Secret"}),
            json!({"GroupType": 1}),
            json!({"WithHugeGroups": 2}),
            json!({"WithHugeGroups": "1"}),
            json!({"WithNoActiveGroups": -1}),
        ] {
            assert!(types(body.clone()).is_err(), "{body}");
        }
    }
}
