//! Tencent's spellings, in and out (`tencent-im.md` 1.1, 1.3, 1.4, 1.8 and 2.6).
//!
//! Old and new spellings are read; the old ones are written, because they are what every generation of
//! clients understands. Nowhere else in Muster are these words known.

use crate::model::{Error, GroupType, InviteOption, JoinOption, Moment, Role};

/// The words of a field and what each means.
pub(super) type Words<T> = &'static [(&'static str, T)];

/// `Type`, `GroupType`.
pub(super) const GROUP_TYPES: Words<GroupType> = &[
    ("Private", GroupType::Work),
    ("Public", GroupType::Public),
    ("ChatRoom", GroupType::Meeting),
    ("AVChatRoom", GroupType::AVChatRoom),
    ("Community", GroupType::Community),
    ("Work", GroupType::Work),
    ("Meeting", GroupType::Meeting),
];

/// `ApplyJoinOption`.
pub(super) const JOIN_OPTIONS: Words<JoinOption> = &[
    ("FreeAccess", JoinOption::FreeAccess),
    ("NeedPermission", JoinOption::NeedPermission),
    ("DisableApply", JoinOption::DisableApply),
];

/// `InviteJoinOption`.
pub(super) const INVITE_OPTIONS: Words<InviteOption> = &[
    ("FreeAccess", InviteOption::FreeAccess),
    ("NeedPermission", InviteOption::NeedPermission),
    ("DisableInvite", InviteOption::DisableInvite),
];

/// `Role` of a member who is named when a group is created: nobody is made owner that way.
pub(super) const FIRST_ROLES: Words<Role> = &[("Admin", Role::Admin), ("Member", Role::Member)];

/// `MemberRoleFilter`.
pub(super) const ROLES: Words<Role> =
    &[("Owner", Role::Owner), ("Admin", Role::Admin), ("Member", Role::Member)];

/// The role of somebody who is no member, in answers to `get_role_in_group`.
pub(super) const NOT_A_MEMBER: &str = "NotMember";

/// What a word means.
pub(super) fn meaning<T: Copy>(words: Words<T>, word: &str) -> Option<T> {
    words.iter().find(|(spelled, _)| *spelled == word).map(|(_, meaning)| *meaning)
}

/// The type, as replies spell it.
pub(super) const fn group_type(group_type: GroupType) -> &'static str {
    match group_type {
        GroupType::Work => "Private",
        GroupType::Public => "Public",
        GroupType::Meeting => "ChatRoom",
        GroupType::AVChatRoom => "AVChatRoom",
        GroupType::Community => "Community",
    }
}

/// The join option, as replies spell it.
pub(super) const fn join_option(option: JoinOption) -> &'static str {
    match option {
        JoinOption::FreeAccess => "FreeAccess",
        JoinOption::NeedPermission => "NeedPermission",
        JoinOption::DisableApply => "DisableApply",
    }
}

/// The invite option, as replies spell it.
pub(super) const fn invite_option(option: InviteOption) -> &'static str {
    match option {
        InviteOption::FreeAccess => "FreeAccess",
        InviteOption::NeedPermission => "NeedPermission",
        InviteOption::DisableInvite => "DisableInvite",
    }
}

/// The role, as replies spell it.
pub(super) const fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Member => "Member",
    }
}

/// A moment as replies write it: seconds since 1970, UTC.
pub(super) fn seconds(moment: Moment) -> i64 {
    moment.timestamp()
}

/// A refusal of the rules in this face's words: they name fields as the native face spells them.
/// `people` is the field of this call that names people.
pub(super) fn in_wire_words(mut error: Error, people: &str) -> Error {
    let Some(native) = error.field.take() else { return error };
    let wire = match native.as_str() {
        "groupID" => "GroupId",
        "userList" | "memberList" => people,
        "attributes" => "GroupAttr",
        "owner" => "Owner_Account",
        "maxMemberCount" => "MaxMemberCount",
        "joinOption" => "ApplyJoinOption",
        "inviteOption" => "InviteJoinOption",
        other => other,
    };
    if let Some(rest) = error.text.strip_prefix(&native) {
        error.text = format!("{wire}{rest}");
    }
    error.field(wire)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_type_are_read_and_the_old_one_is_written() {
        let table = [
            ("Private", "Private"),
            ("Work", "Private"),
            ("Public", "Public"),
            ("ChatRoom", "ChatRoom"),
            ("Meeting", "ChatRoom"),
            ("AVChatRoom", "AVChatRoom"),
            ("Community", "Community"),
        ];
        for (read, written) in table {
            let meant = meaning(GROUP_TYPES, read).expect(read);
            assert_eq!(group_type(meant), written);
        }
        for unknown in ["private", "PRIVATE", "BChatRoom", "", " Public"] {
            assert_eq!(meaning(GROUP_TYPES, unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for one in GroupType::ALL {
            assert_eq!(meaning(GROUP_TYPES, group_type(*one)), Some(*one));
        }
        for one in JoinOption::ALL {
            assert_eq!(meaning(JOIN_OPTIONS, join_option(*one)), Some(*one));
        }
        for one in InviteOption::ALL {
            assert_eq!(meaning(INVITE_OPTIONS, invite_option(*one)), Some(*one));
        }
        for one in Role::ALL {
            assert_eq!(meaning(ROLES, role(*one)), Some(*one));
        }
    }

    #[test]
    fn the_two_options_are_not_mixed_up() {
        assert_eq!(meaning(JOIN_OPTIONS, "DisableApply"), Some(JoinOption::DisableApply));
        assert_eq!(meaning(JOIN_OPTIONS, "DisableInvite"), None);
        assert_eq!(meaning(INVITE_OPTIONS, "DisableInvite"), Some(InviteOption::DisableInvite));
        assert_eq!(meaning(INVITE_OPTIONS, "DisableApply"), None);
        assert_eq!(meaning(FIRST_ROLES, "Owner"), None);
    }

    #[test]
    fn times_are_seconds() {
        let moment = Moment::from_timestamp(1_700_000_000, 999_999_999).expect("possible");
        assert_eq!(seconds(moment), 1_700_000_000);
    }

    #[test]
    fn refusals_of_the_rules_name_the_fields_of_this_face() {
        let refusal = Error::parameter("userList", "names nobody");
        let refusal = in_wire_words(refusal, "MemberToDel_Account");
        assert_eq!(refusal.text, "MemberToDel_Account names nobody");
        assert_eq!(refusal.field.as_deref(), Some("MemberToDel_Account"));

        let refusal = Error::parameter("maxMemberCount", "must be at least 1");
        let refusal = in_wire_words(refusal, "MemberList");
        assert_eq!(refusal.text, "MaxMemberCount must be at least 1");

        let refusal = Error::new(crate::model::Reason::GroupNotFound, "there is no such group");
        let refusal = in_wire_words(refusal.field("groupID"), "MemberList");
        assert_eq!(refusal.text, "there is no such group");
        assert_eq!(refusal.field.as_deref(), Some("GroupId"));
    }
}
