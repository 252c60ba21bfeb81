//! Changing what is there: `modify_group_base_info`, `modify_group_member_info`, `change_group_owner`
//! (`tencent-im.md` 2.4).

use serde_json::Map;

use super::body::{Bound, Fields, Name};
use super::call::Call;
use super::custom;
use super::groups::{GROUP_ID, MEMBER_ACCOUNT, most_members, read_texts};
use super::mutes::MUTE_TIME;
use super::reply::{Answer, Refusal};
use super::words;
use crate::model::command::{GroupEdit, MemberEdit};
use crate::model::{Error, Operation, text};
use crate::rules::matrix::Action;

/// Whom notices are to name as the one who did it. It has to be an id, and is passed over: events name
/// the administrator who called.
const FROM_ACCOUNT: Name = &["From_Account"];

/// `modify_group_base_info`.
pub(super) async fn group(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    fields.user_if_named(FROM_ACCOUNT, call.user_bytes())?;
    let edit = Box::new(read_group_edit(&fields)?);
    call.submit(Operation::EditGroup { group, edit }).await?;
    Ok(Map::new())
}

fn read_group_edit(fields: &Fields<'_>) -> Result<GroupEdit, Error> {
    Ok(GroupEdit {
        max_members: most_members(fields, &["MaxMemberNum", "MaxMemberCount"])?,
        mute_all: fields.word(&["MuteAllMember", "ShutUpAllMember"], words::SWITCH)?,
        custom_fields: custom::changes_of_group(fields)?,
        ..read_texts(fields)?
    })
}

/// `modify_group_member_info`.
pub(super) async fn member(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let user = fields.user(MEMBER_ACCOUNT, call.user_bytes())?;
    let edit = Box::new(read_member_edit(&fields)?);
    // The rules know members of live groups, too; the command does not.
    call.group(&group, Action::ReadProfile).await?;
    call.submit(Operation::EditMember { group, user, edit }).await?;
    Ok(Map::new())
}

fn read_member_edit(fields: &Fields<'_>) -> Result<MemberEdit, Error> {
    fields.word(&["MsgFlag"], words::MESSAGE_FLAGS)?;
    Ok(MemberEdit {
        role: fields.word(&["Role"], words::GIVEN_ROLES)?,
        name_card: fields.text(&["NameCard"], Bound::Line(text::NAME_CARD_BYTES))?,
        mute_seconds: fields.seconds(MUTE_TIME, 0)?,
        custom_fields: custom::changes_of_member(fields)?,
    })
}

/// `change_group_owner`.
pub(super) async fn owner(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let to = fields.user(&["NewOwner_Account"], call.user_bytes())?;
    fields.user_if_named(FROM_ACCOUNT, call.user_bytes())?;
    call.submit(Operation::Transfer { group, to }).await?;
    Ok(Map::new())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::Role;

    fn read<T>(body: &Value, read: impl Fn(&Fields<'_>) -> Result<T, Error>) -> Result<T, Error> {
        read(&Fields::new(body.as_object().unwrap()))
    }

    #[test]
    fn what_is_absent_or_empty_stays_as_it_is() {
        for body in [
            json!({}),
            json!({"Name": null, "MaxMemberNum": null, "AppDefinedData": [], "MuteAllMember": ""}),
        ] {
            assert_eq!(read(&body, read_group_edit), Ok(GroupEdit::default()));
        }
        for body in [
            json!({}),
            json!({"Role": "", "MsgFlag": "", "MuteTime": null, "AppMemberDefinedData": []}),
        ] {
            assert_eq!(read(&body, read_member_edit), Ok(MemberEdit::default()));
        }
    }

    #[test]
    fn both_spellings_mean_the_same() {
        for (body, mute_all) in [
            (json!({"MuteAllMember": "On"}), true),
            (json!({"ShutUpAllMember": "Off"}), false),
            (json!({"MuteAllMember": "On", "ShutUpAllMember": "Off"}), true),
        ] {
            assert_eq!(read(&body, read_group_edit).unwrap().mute_all, Some(mute_all));
        }
        for body in [json!({"MuteTime": 60}), json!({"ShutUpTime": 60})] {
            assert_eq!(read(&body, read_member_edit).unwrap().mute_seconds, Some(60));
        }
        for body in [json!({"MaxMemberNum": 9}), json!({"MaxMemberCount": 9})] {
            assert_eq!(read(&body, read_group_edit).unwrap().max_members, Some(9));
        }
    }

    #[test]
    fn an_emptied_text_is_a_change() {
        let body = json!({"NameCard": "", "Role": "Admin", "MsgFlag": "Discard"});
        let edit = read(&body, read_member_edit).unwrap();
        assert_eq!((edit.name_card.as_deref(), edit.role), (Some(""), Some(Role::Admin)));
        let edit = read(&json!({"Notification": ""}), read_group_edit).unwrap();
        assert_eq!(edit.notification.as_deref(), Some(""));
        assert!(read(&json!({"Name": ""}), read_group_edit).is_err());
    }
}
