//! Tencent's spellings, in and out (`tencent-im.md` 1.1, 1.3, 1.4, 1.8 and 2.6).
//!
//! Old and new spellings are read; the old ones are written, because they are what every generation of
//! clients understands. Nowhere else in Muster are these words known.

use crate::model::{Error, GroupType, InviteOption, JoinOption, Moment, Operation, Role};

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

/// `Role` that a member is given: nobody is made owner that way.
pub(super) const GIVEN_ROLES: Words<Role> = &[("Admin", Role::Admin), ("Member", Role::Member)];

/// `MemberRoleFilter`.
pub(super) const ROLES: Words<Role> =
    &[("Owner", Role::Owner), ("Admin", Role::Admin), ("Member", Role::Member)];

/// `MuteAllMember`.
pub(super) const SWITCH: Words<bool> = &[("On", true), ("Off", false)];

/// `MsgFlag`: how somebody wants to be told of messages. Muster carries none, so that it means nothing.
pub(super) const MESSAGE_FLAGS: Words<()> =
    &[("AcceptAndNotify", ()), ("AcceptNotNotify", ()), ("Discard", ())];

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

/// A switch, as replies spell it.
pub(super) const fn switch(on: bool) -> &'static str {
    if on { "On" } else { "Off" }
}

/// The end of what never ends, in seconds: that of the year 9999, as for mutes.
pub(super) const NEVER: i64 = 253_402_300_799;

/// A moment as replies write it: seconds since 1970, UTC.
pub(super) fn seconds(moment: Moment) -> i64 {
    moment.timestamp()
}

/// How one operation's fields are spelled that the commands of this face spell differently.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spelling {
    /// The list of people.
    people: &'static str,
    /// The one person.
    person: &'static str,
    /// The fields of the app's own.
    custom: &'static str,
    /// The highest number of members.
    most_members: &'static str,
}

impl Spelling {
    /// The spelling of the command that stands for this operation.
    pub(super) const fn of(operation: &Operation) -> Self {
        let usual = Self {
            people: "MemberList",
            person: "Member_Account",
            custom: "AppDefinedData",
            most_members: "MaxMemberCount",
        };
        match operation {
            Operation::Kick { .. } => Self { people: "MemberToDel_Account", ..usual },
            Operation::Mute { .. } | Operation::Ban { .. } | Operation::Unban { .. } => {
                Self { people: "Members_Account", ..usual }
            }
            Operation::EditGroup { .. } => Self { most_members: "MaxMemberNum", ..usual },
            Operation::EditMember { .. } => Self { custom: "AppMemberDefinedData", ..usual },
            Operation::Transfer { .. } => Self { person: "NewOwner_Account", ..usual },
            _ => usual,
        }
    }

    fn wire(self, native: &str) -> &str {
        match native {
            "groupID" => "GroupId",
            "userList" | "memberList" => self.people,
            "userID" => self.person,
            "owner" => "Owner_Account",
            "groupName" => "Name",
            "introduction" => "Introduction",
            "notification" => "Notification",
            "faceUrl" => "FaceUrl",
            "maxMemberCount" => self.most_members,
            "joinOption" => "ApplyJoinOption",
            "inviteOption" => "InviteJoinOption",
            "muteAll" => "MuteAllMember",
            "customFields" => self.custom,
            "attributes" => "GroupAttr",
            "role" => "Role",
            "nameCard" => "NameCard",
            "muteSeconds" => "MuteTime",
            "seconds" => "Duration",
            "createTime" => "CreateTime",
            "joinTime" => "JoinTime",
            other => other,
        }
    }
}

/// A refusal of the rules in this face's words: they name fields as the native face spells them.
pub(super) fn in_wire_words(mut error: Error, spelling: Spelling) -> Error {
    let Some(native) = error.field.take() else { return error };
    let wire = spelling.wire(&native);
    if let Some(rest) = error.text.strip_prefix(&native) {
        error.text = format!("{wire}{rest}");
    }
    error.field(wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupId, Reason, UserId};

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
        assert_eq!(meaning(GIVEN_ROLES, "Owner"), None);
    }

    #[test]
    fn times_are_seconds() {
        let moment = Moment::from_timestamp(1_700_000_000, 999_999_999).expect("possible");
        assert_eq!(seconds(moment), 1_700_000_000);
    }

    #[test]
    fn refusals_of_the_rules_name_the_fields_of_this_face() {
        let group = || GroupId::from_stored("g1");
        let bob = || UserId::from_stored("bob");
        let edit_group = Operation::EditGroup { group: group(), edit: Box::default() };
        let edit_member =
            Operation::EditMember { group: group(), user: bob(), edit: Box::default() };
        let transfer = Operation::Transfer { group: group(), to: bob() };
        let unban = Operation::Unban { group: group(), users: vec![bob()] };
        let import = Operation::ImportMembers { group: group(), members: Vec::new() };
        for (operation, native, wire) in [
            (&edit_group, "maxMemberCount", "MaxMemberNum"),
            (&edit_group, "customFields", "AppDefinedData"),
            (&edit_group, "joinOption", "ApplyJoinOption"),
            (&edit_member, "customFields", "AppMemberDefinedData"),
            (&edit_member, "role", "Role"),
            (&edit_member, "userID", "Member_Account"),
            (&transfer, "userID", "NewOwner_Account"),
            (&unban, "userList", "Members_Account"),
            (&import, "memberList", "MemberList"),
            (&import, "joinTime", "JoinTime"),
            (&import, "groupID", "GroupId"),
        ] {
            let refusal = Error::parameter(native, "breaks its rule");
            let refusal = in_wire_words(refusal, Spelling::of(operation));
            assert_eq!(refusal.text, format!("{wire} breaks its rule"));
            assert_eq!(refusal.field.as_deref(), Some(wire));
        }
        let refusal = Error::new(Reason::GroupNotFound, "there is no such group").field("groupID");
        let refusal = in_wire_words(refusal, Spelling::of(&unban));
        assert_eq!(refusal.text, "there is no such group");
        assert_eq!(refusal.field.as_deref(), Some("GroupId"));
    }
}
