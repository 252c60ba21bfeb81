//! What each field and parameter of the native face means, and its bounds: one table.
//!
//! A name means the same wherever it stands; where it does not, the line names the schema, too
//! (`Kick.reason`), or the place of a parameter (`query.userID`) or its operation (`getPermissions.userID`). Bounds come from the constants that the
//! handlers check with.

use serde_json::{Value, json};

use super::super::asked::{KEY_BYTES, PAGE_MOST, PAGE_USUAL};
use crate::delivery::GROUPS_IN_FRAME;
use crate::model::id::{GROUP_ID_BYTES, USER_ID_BYTES_CEILING};
use crate::model::{
    ApplicationKind, Ending, GroupType, InviteConsent, InviteOption, JoinOption, Role, attributes,
    fields, text,
};
use crate::rules::matrix::{Action, Who};

/// What a value can be, beyond its type.
pub(super) enum Bound {
    /// Nothing more.
    Free,
    /// At most so many bytes of UTF-8.
    Bytes(usize),
    /// An id: from one to so many bytes of printable ASCII.
    Id(usize),
    /// A number within these.
    Range(i64, i64),
    /// One of these words.
    Words(fn() -> Vec<&'static str>),
    /// The type of a group: one of the five, or one that the settings define.
    TypeOfGroup,
    /// An object whose names are the caller's own.
    Map {
        /// Most names, where the object has no others but these.
        most: Option<usize>,
        /// Longest name.
        name: usize,
        /// Longest value.
        value: usize,
    },
    /// An object whose names are among these words.
    Named(fn() -> Vec<&'static str>),
    /// From so many to so many items.
    Items(usize, usize),
    /// RFC 3339 in UTC.
    Time,
    /// A UUID.
    Uuid,
    /// Whatever this bound says, or null.
    OrNull(&'static Bound),
    /// An address.
    Face,
}

use Bound::{
    Bytes, Face, Free, Id, Items, Map, Named, OrNull, Range, Time, TypeOfGroup, Uuid, Words,
};

/// Highest `MUSTER_INVITE_BATCH`.
const BATCH_MOST: usize = 500;

/// The fields of a group that `onGroupInfoChanged` tells of.
const CHANGES: &[&str] = &[
    "groupName",
    "introduction",
    "notification",
    "faceUrl",
    "joinOption",
    "inviteOption",
    "maxMemberCount",
    "muteAll",
    "customFields",
    "owner",
];

const GROUP: Bound = Id(GROUP_ID_BYTES);
const USER: Bound = Id(USER_ID_BYTES_CEILING);
const ROLE: Bound = Words(|| Role::ALL.iter().map(|one| one.word()).collect());
const COUNT: Bound = Range(0, i64::MAX);
const SECONDS_MOST: i64 = u32::MAX as i64;
const CAP: Bound = Range(1, i32::MAX as i64);
const WHO: Bound = Words(|| Who::ALL.iter().map(|one| one.word()).collect());
const JOIN: Bound = Words(|| JoinOption::ALL.iter().map(|one| one.word()).collect());
const INVITE: Bound = Words(|| InviteOption::ALL.iter().map(|one| one.word()).collect());

/// The fields of a group or a member: all that there are, or changes of them.
const fn custom(bounds: fields::FieldBounds, all: bool) -> Bound {
    let most = if all { Some(bounds.keys) } else { None };
    Map { most, name: fields::KEY_BYTES, value: bounds.value_bytes }
}

/// A group's attributes: all that there are, or changes of them.
const fn of_attributes(all: bool) -> Bound {
    let most = if all { Some(attributes::KEYS) } else { None };
    Map { most, name: attributes::KEY_BYTES, value: attributes::VALUE_BYTES }
}

/// Name, meaning, bound.
#[rustfmt::skip]
const FIELDS: &[(&str, &str, Bound)] = &[
    // Ids
    ("groupID", "The group's id.", GROUP),
    ("CreateGroup.groupID", "The id of the new group; without it the server makes one. `@TGS#` at its beginning belongs to the server, and the id of a Community begins with `@TGS#_`.", GROUP),
    ("userID", "The user's id. 32 bytes, unless a setting allows more.", USER),
    ("path.userID", "The user's id, or `me` for the caller. 32 bytes, unless a setting allows more.", USER),
    ("memberID", "The person's id.", USER),
    ("applicationID", "The application's id.", Uuid),
    ("owner", "The owner's id. Only an app administrator makes a group for somebody else; otherwise the caller owns it.", USER),
    ("Group.owner", "The owner's id; null when the group has none.", OrNull(&USER)),
    ("ListedGroup.owner", "The owner's id; null when the group has none.", OrNull(&USER)),
    ("fromUser", "Who asked: the applicant or the inviter.", USER),
    ("toUser", "The invited person; empty for `join`.", Free),

    // Groups
    ("groupType", "The type, which decides who may do what.", TypeOfGroup),
    ("groupName", "The name, of one line and not empty.", Bytes(text::NAME_BYTES)),
    ("introduction", "A text about the group.", Bytes(text::INTRODUCTION_BYTES)),
    ("notification", "An announcement to the members.", Bytes(text::NOTIFICATION_BYTES)),
    ("faceUrl", "The address of a picture.", Face),
    ("joinOption", "Who enters by himself: everybody at once, after owner or admins agreed, or nobody.", JOIN),
    ("inviteOption", "Who brings in others: any member, an ordinary member only after owner or admins agreed, or app administrators only.", INVITE),
    ("maxMemberCount", "Most members. At most the setting `MUSTER_MEMBERS_PER_GROUP`; ignored for an AVChatRoom.", CAP),
    ("Group.maxMemberCount", "Most members; null for no cap.", OrNull(&CAP)),
    ("ListedGroup.maxMemberCount", "Most members; null for no cap.", OrNull(&CAP)),
    ("muteAll", "Whether only owner and admins may speak. Muster tells of it; the app holds people to it.", Free),
    ("Group.customFields", "Fields of the app's own.", custom(fields::OF_GROUP, true)),
    ("CreateGroup.customFields", "Fields of the app's own to begin with, at most 10. Names have letters, digits and underscores. Null and an empty value are none.", custom(fields::OF_GROUP, false)),
    ("EditGroup.customFields", "Fields of the app's own that change; null or an empty value removes one. At most 10 are left. Names have letters, digits and underscores.", custom(fields::OF_GROUP, false)),
    ("memberCount", "How many members there are.", COUNT),
    ("createTime", "When it was created.", Time),
    ("User.createTime", "When the account was made; null before anything was written about it.", OrNull(&Time)),
    ("seq", "The number of the group's newest event.", COUNT),
    ("MemberPage.seq", "The number of the newest event that the page knows of: go on from here with the websocket.", COUNT),
    ("Attributes.seq", "The number of the newest event that these attributes know of.", COUNT),
    ("Event.seq", "Its number in the group's log: 1, 2, 3, … without holes.", Range(1, i64::MAX)),
    ("role", "The role.", ROLE),
    ("Group.role", "The caller's role, if he is a member.", ROLE),
    ("FirstMember.role", "The role to begin with.", Words(|| vec![Role::Member.word(), Role::Admin.word()])),
    ("FoundingMember.role", "The role that the membership begins with.", ROLE),
    ("InvitedMember.role", "The role that the membership begins with, where it is not `Member`.", Words(|| vec![Role::Admin.word()])),
    ("EditMember.role", "The role from now on. An owner is made by handing the group over.", Words(|| vec![Role::Member.word(), Role::Admin.word()])),
    ("Permissions.role", "The person's role; null for who is no member.", OrNull(&ROLE)),
    ("query.role", "Only members of this role.", ROLE),

    // Members
    ("memberList", "The members.", Free),
    ("CreateGroup.memberList", "The first members, besides the owner. At most `MUSTER_INVITE_BATCH`, 300 unless set.", Items(0, BATCH_MOST)),
    ("CreatedGroup.memberList", "What became of each first member, in the order of the call; absent when none was named.", Free),
    ("Event.memberList", "Whom it is about.", Free),
    ("userList", "Whom, by their ids; a repetition counts once. At most `MUSTER_INVITE_BATCH`, 300 unless set.", Items(1, BATCH_MOST)),
    ("result", "0 failed, 1 done, 2 nothing to do, 3 somebody has to agree first, 4 in as many groups as possible.", Range(0, 4)),
    ("MemberResult.reason", "Why the result is not 1: `already_member`, `not_a_member`, `banned`, `unknown_user`, `account_deleted`, `declined_by_user`, `group_limit_reached`, `awaiting_approval`, `awaiting_invitee`, `too_many_pending`, `is_owner` or `role_too_low`.", Free),
    ("limit", "The limit.", Free),
    ("current", "Where the person stands with respect to the limit.", Free),
    ("source", "Where the limit comes from: a setting, a group or a user.", Free),
    ("status", "`joined`: a member now; `pending`: somebody has to agree first.", Words(|| vec!["joined", "pending"])),
    ("joinTime", "When the membership began.", Time),
    ("nameCard", "The name shown in this group.", Bytes(text::NAME_CARD_BYTES)),
    ("muteUntil", "Until when the member may not speak.", Time),
    ("ChangedMember.muteUntil", "Until when he may not speak; null when a mute was lifted.", OrNull(&Time)),
    ("muteSeconds", "For how long he may not speak: 0 lifts a mute, 4294967295 never ends.", Range(0, SECONDS_MOST)),
    ("Member.customFields", "Fields of the app's own; absent where there are none.", custom(fields::OF_MEMBER, true)),
    ("FirstMember.customFields", "Fields of the app's own to begin with, at most 5. Names have letters, digits and underscores. Null and an empty value are none.", custom(fields::OF_MEMBER, false)),
    ("EditMember.customFields", "Fields of the app's own that change; null or an empty value removes one. At most 5 are left. Names have letters, digits and underscores.", custom(fields::OF_MEMBER, false)),
    ("ChangedMember.customFields", "The changed fields of the app's own; null for one that went.", custom(fields::OF_MEMBER, false)),
    ("Kick.reason", "Why, for people. Every member sees it.", Bytes(text::MESSAGE_BYTES)),
    ("banSeconds", "For how long they may not come back; absent: they may at once.", Range(1, SECONDS_MOST)),
    ("message", "What is said with it.", Bytes(text::MESSAGE_BYTES)),
    ("Join.message", "What the applicant says to those who decide.", Bytes(text::MESSAGE_BYTES)),
    ("Decision.message", "What the decider says to those concerned.", Bytes(text::MESSAGE_BYTES)),

    // Bans
    ("banList", "The bans, sorted by id.", Free),
    ("banUntil", "When it ends; null when it holds until it is lifted.", OrNull(&Time)),
    ("BanLine.reason", "Why, for people; empty when none was given.", Bytes(text::MESSAGE_BYTES)),
    ("BanLine.opUser", "Who banned.", Free),
    ("banTime", "When it was made.", Time),
    ("seconds", "For how long; absent: until it is lifted.", Range(1, SECONDS_MOST)),
    ("Ban.reason", "Why, for people. When a member is removed with it, every member sees it.", Bytes(text::MESSAGE_BYTES)),

    // Attributes
    ("attributes", "All attributes.", of_attributes(true)),
    ("Attributes.attributes", "The attributes: all, or those that were asked for and exist.", of_attributes(true)),
    ("ReplaceAttributes.attributes", "What takes the place of all attributes.", of_attributes(true)),
    ("MergeAttributes.attributes", "Those that are set; null removes one.", of_attributes(false)),
    ("Event.attributes", "The changed attributes; null for those that are gone.", of_attributes(false)),

    // Permissions
    ("administrator", "Whether the person is an app administrator.", Free),
    ("permissions", "What the person may do, by the word of each permission.", Named(|| Action::ALL.iter().map(|one| one.word()).collect())),
    ("GroupTypeRules.permissions", "Who may do what, by the word of each permission.", Named(|| Action::ALL.iter().map(|one| one.word()).collect())),
    ("allowed", "Whether the person may.", Free),
    ("who", "Who may in a group of this type.", WHO),
    ("needs", "`approval`: owner and admins have to agree.", Words(|| vec!["approval"])),
    ("Permission.reason", "Why not: the reason that the call would be refused with.", Free),
    ("desc", "Why not, for people. The text may change.", Free),
    ("Permission.source", "What decides it: the type, an option of the group or a ban.", Free),

    // Events
    ("eventList", "The events, oldest first.", Free),
    ("oldest", "The first number that the caller can read.", Range(1, i64::MAX)),
    ("Event.type", "`event`.", Free),
    ("Event.stream", "`user`: it stands in the person's own stream, and in no group's log.", Free),
    ("event", "The kind.", Free),
    ("Event.userSeq", "Its number in the person's own stream: 1, 2, 3, … without holes.", Range(1, i64::MAX)),
    ("time", "When it happened.", Time),
    ("silent", "Set when clients are to show nothing.", Free),
    ("opUser", "Who caused it.", Free),
    ("onMemberEnter.opUser", "Who agreed, where somebody had to.", Free),
    ("onApplicationProcessed.opUser", "Who decided; absent when nobody did.", Free),
    ("member", "Whom it is about.", Free),
    ("changeInfos", "What changed.", Free),
    ("Event.reason", "Why, for people; absent when none was given.", Bytes(text::MESSAGE_BYTES)),
    ("key", "Which one of the `customFields` it is; absent for every other field.", Bytes(fields::KEY_BYTES)),
    ("Change.type", "The field, by its name in the group.", Words(|| CHANGES.to_vec())),
    ("Change.value", "Its new value, as the group has it; null for one of the `customFields` that went.", Free),
    ("application", "The application.", Free),
    ("opResult", "Whether the wish was granted.", Free),
    ("opReason", "What the decider said; empty when nothing was said.", Bytes(text::MESSAGE_BYTES)),
    ("outcome", "How the application ended.", Words(|| Ending::ALL.iter().map(|one| one.wire()).collect())),

    // Frames of the websocket
    ("token", "The credential, unless it came in the `Authorization` header.", Free),
    ("Auth.token", "The fresh credential, of the same user.", Free),
    ("cursor", "Where the client stands; without it, it starts at the end of every log.", Free),
    ("epoch", "The history that the numbers belong to. Another one makes all of them void.", Free),
    ("Cursor.user", "The last event of the person's own stream that the client has applied; without it, it starts at the end.", COUNT),
    ("Cursor.groups", "By the group's id, the last event of its log that the client has applied. A group without a place is replayed from the event that made the person a member.", Free),
    ("heartbeatMs", "Milliseconds between two pings of the websocket protocol that the server sends.", Range(1, i64::MAX)),
    ("Welcome.userSeq", "Where this connection starts in the person's own stream: events behind it follow.", COUNT),
    ("groups", "The groups that the person is a member of.", Items(0, GROUPS_IN_FRAME)),
    ("Groups.groups", "More of the groups that the person is a member of.", Items(1, GROUPS_IN_FRAME)),
    ("Place.seq", "Where this connection starts in the group's log: events behind it follow.", COUNT),
    ("head", "The group's newest event.", COUNT),
    ("scope", "What has to be loaded again.", Free),
    ("ResetUser.seq", "Go on behind this event of the person's own stream.", COUNT),
    ("ResetGroup.seq", "Go on behind this event of the group's log.", COUNT),
    ("ResetAll.why", "Why.", Free),
    ("ResetUser.why", "Why.", Free),
    ("ResetGroup.why", "Why.", Free),
    ("Bye.code", "The code of the close frame that follows.", Free),
    ("retryMs", "Milliseconds after which coming again makes sense.", COUNT),
    ("Bye.why", "Why, for people. The text may change.", Free),

    // Users
    ("nickName", "The name shown, of one line.", Bytes(text::NICK_NAME_BYTES)),
    ("inviteConsent", "What an invitation means to this person: added at once, asked first, or never added. App administrators skip it.", Words(|| InviteConsent::ALL.iter().map(|one| one.wire()).collect())),
    ("groupLimit", "The user's own limit on groups; null follows the setting `MUSTER_GROUPS_PER_USER`.", OrNull(&Range(0, i32::MAX as i64))),
    ("EditUser.groupLimit", "The user's own limit on groups; null follows the setting again. App administrators only.", OrNull(&Range(0, i32::MAX as i64))),
    ("effectiveGroupLimit", "The limit on groups that holds.", COUNT),
    ("groupCount", "In how many groups the user is that count towards the limit.", COUNT),
    ("groupList", "The groups.", Free),
    ("Deleting.status", "Always `deleting`.", Words(|| vec!["deleting"])),
    ("total", "How many groups there are on all pages.", COUNT),

    // Applications
    ("applicationList", "The applications, oldest first.", Free),
    ("Application.type", "`join`: somebody asks to join; `invite`: a member's invitation waits for owner and admins; `invitation`: the invited person decides.", Words(|| ApplicationKind::ALL.iter().map(|one| one.wire()).collect())),
    ("addTime", "When it was made.", Time),
    ("expireTime", "When it ends by itself.", Time),
    ("canDecide", "Whether the caller may accept or refuse it.", Free),

    // Limits
    ("groupsPerUser", "Groups of a user.", Free),
    ("membersPerGroup", "Highest `maxMemberCount`.", Free),
    ("inviteBatch", "People named in one call.", Free),
    ("pendingPerGroup", "Open applications of a group.", Free),
    ("pendingPerUser", "Open applications about a person.", Free),
    ("applicationSeconds", "How long an application stays open.", Free),
    ("userIDBytes", "Bytes of a user id.", Free),
    ("socketsPerUser", "Websockets of a user on one node.", Free),
    ("groupIDBytes", "Bytes of a group id.", Free),
    ("groupNameBytes", "Bytes of a group's name.", Free),
    ("introductionBytes", "Bytes of an introduction.", Free),
    ("notificationBytes", "Bytes of a notification.", Free),
    ("faceUrlBytes", "Bytes of a face's address.", Free),
    ("messageBytes", "Bytes of a message or a reason.", Free),
    ("nickNameBytes", "Bytes of a nickname.", Free),
    ("bodyBytes", "Bytes of a request's body.", Free),
    ("attributeChangesPerSecond", "Changes of a group's attributes in a second.", Free),
    ("nameCardBytes", "Bytes of a name card.", Free),
    ("customFieldKeyBytes", "Bytes of the name of a field of the app's own.", Free),
    ("customFieldsOfGroup", "Fields of the app's own on a group.", Free),
    ("customFieldsOfMember", "Fields of the app's own on a member.", Free),
    ("customFieldValueBytesOfGroup", "Bytes of the value of a group's field.", Free),
    ("customFieldValueBytesOfMember", "Bytes of the value of a member's field.", Free),
    ("Limits.attributes", "Attributes of a group.", Free),
    ("attributeKeyBytes", "Bytes of an attribute's key.", Free),
    ("attributeValueBytes", "Bytes of an attribute's value.", Free),
    ("attributesBytes", "Bytes of all keys and values of a group's attributes together.", Free),
    ("groupTypes", "What holds in groups of each type: the five, and those that the settings define.", Free),
    ("basedOn", "The type of the five that it is based on; null for the five themselves.", OrNull(&Words(|| GroupType::ALL.iter().map(|one| one.word()).collect()))),
    ("GroupTypeRules.joinOption", "The join option.", Free),
    ("GroupTypeRules.inviteOption", "The invite option.", Free),
    ("GroupTypeRules.maxMemberCount", "The highest number of members.", Free),
    ("JoinOptionRules.default", "Of a new group.", JOIN),
    ("InviteOptionRules.default", "Of a new group.", INVITE),
    ("fixed", "Whether it stays so.", Free),
    ("MaxMemberRules.default", "Of a group that names none; null for no cap.", OrNull(&CAP)),
    ("MaxMemberRules.highest", "Most that a group may be given, within `membersPerGroup`; null where only that holds.", OrNull(&CAP)),
    ("countsTowardsGroupsPerUser", "Whether being in such a group counts towards a user's limit on groups.", Free),
    ("asksInvitees", "Whether everybody who is invited decides himself, whatever his `inviteConsent`.", Free),
    ("hasAdmins", "Whether there are admins between owner and members.", Free),
    ("ownerMayQuit", "Whether the owner may leave, which makes the group ownerless.", Free),
    ("visibleToStrangers", "Whether people outside see name, type, face, introduction, member count and join option.", Free),

    // Parameters and pages
    ("next", "Where the next page begins, for `next` of the next call; absent at the end.", Free),
    ("query.next", "Where the page begins: `next` of the page before.", Free),
    ("query.limit", "Most items of the page.", Range(1, PAGE_MOST)),
    ("query.after", "Only events behind this number.", COUNT),
    ("query.userID", "Only these members; may stand up to 1,000 times.", Free),
    ("query.muted", "With `true`, only members who may not speak now.", Free),
    ("getPermissions.userID", "Whose permissions; the caller's own without it.", USER),
    ("query.groupID", "Only the open applications of this group.", GROUP),
    ("query.type", "Only groups of this type.", TypeOfGroup),
    ("query.search", "Only groups whose id or name begins so; empty is as if it were absent.", Bytes(text::NAME_BYTES)),
    ("query.key", "Only these attributes; may stand several times.", Free),
    ("query.dryRun", "With `true`, the call is answered as if it were done, and nothing is changed. An `Idempotency-Key` counts for nothing then.", Free),
    ("header.Idempotency-Key", "Makes a retry safe: within 24 hours a repetition with the same body gets the same answer and changes nothing more.", Bytes(KEY_BYTES)),
];

/// What a name means in a schema, or among the parameters of a place.
pub(super) fn find(
    within: &str,
    name: &str,
) -> Option<&'static (&'static str, &'static str, Bound)> {
    let whole = format!("{within}.{name}");
    FIELDS
        .iter()
        .find(|(listed, ..)| *listed == whole)
        .or_else(|| FIELDS.iter().find(|(listed, ..)| *listed == name))
}

/// Whether a schema or an operation has a line of its own for this name.
pub(super) fn is_of(within: &str, name: &str) -> bool {
    FIELDS.iter().any(|(listed, ..)| listed.split_once('.') == Some((within, name)))
}

/// Writes what a field means into its schema. A field that may be absent is not null, unless its line
/// says so.
pub(super) fn describe(schema: &mut Value, within: &str, name: &str, required: bool) {
    let Some((_, meaning, bound)) = find(within, name) else { return };
    if !required {
        not_null(schema);
    }
    let mut text = (*meaning).to_owned();
    restrict(schema, bound, &mut text);
    if name == "limit" && within == "query" {
        schema["default"] = json!(PAGE_USUAL);
    }
    schema["description"] = json!(text);
}

/// The schema of a field that is there or absent, without its null.
fn not_null(schema: &mut Value) {
    if let Some(types) = schema["type"].as_array() {
        let mut rest = types.iter().filter(|one| **one != "null");
        if let Some(one) = rest.next().cloned() {
            schema["type"] = one;
        }
    }
    let place =
        schema["oneOf"].as_array().and_then(|all| all.iter().find(|one| one["$ref"].is_string()));
    if let Some(place) = place.cloned() {
        *schema = place;
    }
}

fn restrict(schema: &mut Value, bound: &Bound, text: &mut String) {
    match bound {
        Free => {}
        Bytes(most) => {
            schema["maxLength"] = json!(most);
            *text = format!("{text} At most {most} bytes of UTF-8.");
        }
        Face => restrict(schema, &Bytes(crate::model::text::FACE_URL_BYTES), text),
        Id(most) => {
            schema["minLength"] = json!(1);
            schema["maxLength"] = json!(most);
            text.push_str(" Printable ASCII; neither one dot nor two.");
        }
        Range(least, most) => {
            schema["minimum"] = json!(least);
            if *most != i64::MAX {
                schema["maximum"] = json!(most);
            }
        }
        Words(all) => schema["enum"] = json!(all()),
        TypeOfGroup => {
            let words: Vec<String> =
                GroupType::ALL.iter().map(|one| format!("`{}`", one.word())).collect();
            *text = format!("{text} {}, or one that the settings define.", words.join(", "));
        }
        Map { most, name, value } => {
            if let Some(most) = most {
                schema["maxProperties"] = json!(most);
            }
            schema["propertyNames"] = json!({ "minLength": 1, "maxLength": name });
            schema["additionalProperties"]["maxLength"] = json!(value);
            *text = format!("{text} A name has at most {name} bytes, a value {value}.");
        }
        Named(words) => {
            schema["propertyNames"] = json!({ "enum": words() });
            // A permission that is a text is who has it.
            if schema["additionalProperties"]["type"] == "string" {
                restrict(&mut schema["additionalProperties"], &WHO, &mut String::new());
            }
        }
        Items(least, most) => {
            schema["minItems"] = json!(least);
            schema["maxItems"] = json!(most);
            // A list of texts is one of users' ids.
            if schema["items"]["type"] == "string" {
                restrict(&mut schema["items"], &USER, &mut String::new());
            }
        }
        Time => schema["format"] = json!("date-time"),
        Uuid => schema["format"] = json!("uuid"),
        OrNull(inner) => {
            restrict(schema, inner, text);
            let kind = schema["type"].clone();
            if !kind.is_array() {
                schema["type"] = json!([kind, "null"]);
            }
            if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
                words.push(Value::Null);
            }
        }
    }
}
