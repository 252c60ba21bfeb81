//! Who is kept out: `ban_group_member`, `unban_group_member`, `get_group_ban_member` (`tencent-im.md` 2.4).

use serde_json::{Map, Value, json};

use super::body::{Bound, Name, WIDEST, at_most};
use super::call::Call;
use super::groups::GROUP_ID;
use super::members::refuse_if_only_owner;
use super::reply::{Answer, Refusal};
use super::words;
use crate::model::command::FOREVER;
use crate::model::{Operation, Reason, Reply, text};
use crate::rules::matrix::Action;
use crate::store::bans::BanView;

const MEMBERS_ACCOUNT: Name = &["Members_Account"];

/// Most people of one `ban_group_member`.
const BANNED_IN_CALL: usize = 20;
/// Most bans of a page, and the page of who names no size.
const PAGE: i64 = 100;

/// `ban_group_member`. The owner is passed over, but a call that names nobody else is refused.
pub(super) async fn ban(call: Call) -> Result<Answer, Refusal> {
    const DURATION: Name = &["Duration"];
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let users = fields.users(MEMBERS_ACCOUNT, call.user_bytes())?;
    at_most("Members_Account", users.len(), BANNED_IN_CALL, Reason::TooManyInCall)?;
    let seconds = fields.require(DURATION, fields.seconds(DURATION, 1)?)?;
    let reason = fields.text(&["Description"], Bound::Lines(text::MESSAGE_BYTES))?;
    let operation = Operation::Ban {
        group,
        users,
        // The longest time is for ever, as in a mute.
        seconds: Some(seconds).filter(|seconds| *seconds != FOREVER),
        reason: reason.unwrap_or_default(),
    };
    let reply = call.submit(operation).await?;
    let Reply::Members(outcomes) = &reply else { return Err(Refusal::misplaced(&reply)) };
    refuse_if_only_owner(outcomes, "banned")?;
    Ok(Map::new())
}

/// `unban_group_member`. Who is not banned is passed over.
pub(super) async fn unban(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let users = fields.users(MEMBERS_ACCOUNT, call.user_bytes())?;
    call.submit(Operation::Unban { group, users }).await?;
    Ok(Map::new())
}

/// `get_group_ban_member`: pages by `Offset`; `NextOffset` is 0 at the end.
pub(super) async fn list(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    // Clients that set no limit send 0.
    let limit = fields.number(&["Limit"], 0..=PAGE)?.filter(|limit| *limit > 0).unwrap_or(PAGE);
    let offset = fields.number(&["Offset"], 0..=WIDEST)?.unwrap_or(0);
    call.group(&group, Action::Ban).await?;
    let mut bans = call.app.store.bans(&group, None, offset, limit + 1).await?;
    let more = bans.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if more {
        bans.pop();
    }
    let line = |ban: &BanView| -> Value {
        let until = ban.ban.until.map_or(words::NEVER, words::seconds);
        json!({"Member_Account": ban.user, "BannedUntil": until})
    };
    let mut answer = Map::new();
    answer.insert("GroupId".to_owned(), json!(group));
    answer.insert("BannedAccountList".to_owned(), bans.iter().map(line).collect());
    answer.insert("NextOffset".to_owned(), json!(if more { offset + limit } else { 0 }));
    Ok(answer)
}
