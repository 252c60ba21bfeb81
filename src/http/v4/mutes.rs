//! Who may not speak: `forbid_send_msg`, `get_group_muted_account` and its old name
//! `get_group_shutted_uin` (`tencent-im.md` 2.4).

use serde_json::{Map, Value, json};

use super::body::Name;
use super::call::Call;
use super::groups::GROUP_ID;
use super::reply::{self, Answer, NO_PERMISSION, REPLY_BYTES, Refusal};
use super::views;
use crate::model::{Error, Operation, Reply};
use crate::store::members::{MemberFilter, MemberView};

/// For how many seconds somebody may not speak: 0 lifts a mute, 4294967295 never ends.
pub(super) const MUTE_TIME: Name = &["MuteTime", "ShutUpTime"];

const MEMBERS_ACCOUNT: Name = &["Members_Account"];
const TOPIC_ID: Name = &["TopicId"];

/// No muted member takes fewer bytes in a reply: `{"Member_Account":"a","MutedUntil":1}` and the same with
/// the old name.
const MUTED_BYTES: usize = 75;

/// `forbid_send_msg`. Who is no member is passed over, but a call that names nobody else is refused.
pub(super) async fn set(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let users = fields.users(MEMBERS_ACCOUNT, call.user_bytes())?;
    let seconds = fields.require(MUTE_TIME, fields.seconds(MUTE_TIME, 0)?)?;
    if fields.any_string(TOPIC_ID)?.is_some_and(|topic| !topic.is_empty()) {
        let rule = "names a topic; this version of Muster has none";
        return Err(Error::parameter("TopicId", rule).into());
    }
    let reply = call.submit(Operation::Mute { group, users, seconds }).await?;
    let Reply::Members(outcomes) = &reply else { return Err(Refusal::misplaced(&reply)) };
    if outcomes.iter().all(|outcome| outcome.reason.is_some()) {
        let text = "Members_Account names nobody who is a member of the group";
        return Err(Refusal::coded(NO_PERMISSION, text));
    }
    Ok(Map::new())
}

/// `get_group_muted_account`: everybody who may not speak now, under both names.
pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    let group = call.fields().group(GROUP_ID)?;
    let most = REPLY_BYTES / MUTED_BYTES;
    let limit = i64::try_from(most + 1).unwrap_or(i64::MAX);
    let filter = MemberFilter { muted: true, limit, ..MemberFilter::default() };
    let members = call.members(&group, &filter).await?;
    if members.len() > most {
        return Err(reply::too_large());
    }
    let now = chrono::Utc::now();
    let list = |until: &str| -> Value {
        let line = |member: &MemberView| {
            let mut line = Map::new();
            line.insert("Member_Account".to_owned(), json!(member.user));
            line.insert(until.to_owned(), json!(views::mute_until(member, now)));
            Value::Object(line)
        };
        members.iter().map(line).collect()
    };
    let mut answer = Map::new();
    answer.insert("GroupId".to_owned(), json!(group));
    answer.insert("MutedAccountList".to_owned(), list("MutedUntil"));
    answer.insert("ShuttedUinList".to_owned(), list("ShuttedUntil"));
    Ok(answer)
}
