//! Who may do what in which type of group: the whole matrix of `tencent-im.md` 1.2 on the native face,
//! written out from the documents, and what the permissions route says of it beforehand.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::common::{ADMIN, Answer, Server};
use crate::groups::{at, group_of, invite, join};

/// The columns of a cell, in this order.
const ACTORS: [&str; 5] = ["owner", "admin", "member", "stranger", ADMIN];
/// The columns of the table, in this order.
const TYPES: [&str; 5] = ["Work", "Public", "Meeting", "AVChatRoom", "Community"];

/// Something that somebody does. `Other` is an ordinary member, and neither the actor nor the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    EditName,
    EditFields,
    EditPlaces,
    EditJoinOption,
    MuteAll,
    Dismiss,
    Join,
    Invite,
    Quit,
    KickOther,
    KickAdmin,
    KickOwner,
    KickStranger,
    BanOther,
    BanAdmin,
    BanOwner,
    BanStranger,
    Unban,
    ReadBans,
    MuteOther,
    MuteAdmin,
    MuteOwner,
    MuteSelf,
    Appoint,
    Revoke,
    MakeOwnerByRole,
    TransferToMember,
    TransferToStranger,
    CardOfSelf,
    CardOfOther,
    CardOfAdmin,
    CardOfOwner,
    ReadProfile,
    ReadMembers,
    ReadEvents,
    ReadApplications,
    Accept,
    Refuse,
}

use Deed::*;

/// What a letter of the table stands for: HTTP status, code, reason.
const REFUSALS: &[(char, (u16, i64, &str))] = &[
    ('o', (403, 10007, "not_a_member")),
    ('l', (403, 10007, "role_too_low")),
    ('n', (403, 10007, "not_allowed_for_type")),
    ('a', (403, 10007, "administrators_only")),
    ('d', (403, 10007, "invite_disabled")),
    ('j', (403, 10007, "apply_disabled")),
    ('i', (403, 10007, "is_owner")),
    ('q', (403, 10009, "owner_may_not_quit")),
    ('m', (409, 10013, "already_member")),
    ('x', (404, 10004, "member_not_found")),
    ('p', (400, 10004, "invalid_parameter")),
];

/// A deed, the options of the group, the action of the permissions route that speaks of it (empty: none
/// does, because it depends on whom it is done to), a cell for each type, and where it stands.
///
/// A cell has a letter for each actor: owner, admin, member, stranger, app administrator. `+` it is done,
/// `h` others have to agree first, `.` there is no such actor or no such group, `I` result 0 because of the
/// owner, `r` result 0 because of a role that is not below, `2` result 2, `s` only what strangers see, `v`
/// seen but not for him to decide, `-` not seen; the other letters are [`REFUSALS`].
type Row = (Deed, &'static str, &'static str, [&'static str; 5], &'static str);

#[rustfmt::skip]
const MATRIX: &[Row] = &[
    //                                                     Work     Public   Meeting  AVChat   Community
    (EditName,           "",               "edit_profile", ["+.+o+", "++lo+", "++lo+", "+.lo+", "++lo+"], "1.2"),
    (EditFields,         "",               "edit_profile", ["+.+o+", "++lo+", "++lo+", "+.lo+", "++lo+"], "1.2: profile"),
    (EditPlaces,         "",               "edit_options", ["+.lo+", "++lo+", "++lo+", "+.lo+", "++lo+"], "1.2: a Work group's members edit name, introduction, notice, face only"),
    (EditJoinOption,     "",               "",             ["n.lon", "++lo+", "nnlon", "n.lon", "++lo+"], "1.3: fixed for Work, Meeting, AVChatRoom"),
    (MuteAll,            "",               "mute_all",     ["+.lo+", "++lo+", "++lo+", "+.lo+", "++lo+"], "1.2"),
    (Dismiss,            "",               "dismiss",      ["a.aa+", "+llo+", "+llo+", "+.lo+", "+llo+"], "1.2: a Work group by the app administrator only"),
    (Join,               "",               "apply",        ["m.mnn", "mmmh+", "mmm++", "m.m++", "mmm++"], "1.2, 1.3"),
    (Join,               "FreeAccess",     "apply",        [".....", "mmm++", ".....", ".....", "mmm++"], "1.3"),
    (Join,               "NeedPermission", "apply",        [".....", "mmmh+", ".....", ".....", "mmmh+"], "1.3"),
    (Join,               "DisableApply",   "apply",        [".....", "mmmj+", ".....", ".....", "mmmj+"], "1.3"),
    (Invite,             "",               "invite",       ["+.+o+", "dddo+", "dddo+", "n.nnn", "+++o+"], "1.2, 1.4, b, c"),
    (Invite,             "invite free",    "invite",       ["+.+o+", "+++o+", "+++o+", ".....", "+++o+"], "1.4"),
    (Invite,             "invite held",    "invite",       ["+.ho+", "++ho+", "++ho+", ".....", "++ho+"], "1.4, d"),
    (Invite,             "invite off",     "invite",       ["d.do+", "dddo+", "dddo+", ".....", "dddo+"], "1.4, 7"),
    (Quit,               "",               "quit",         ["+.+oo", "q++oo", "q++oo", "q.+oo", "q++oo"], "1.2: only a Work group's owner"),
    (KickOther,          "",               "kick",         ["+.lo+", "++lo+", "++lo+", "n.nnn", "++lo+"], "1.2"),
    (KickAdmin,          "",               "",             [".....", "+rlo+", "+rlo+", ".....", "+rlo+"], "1.2: an admin only ordinary members"),
    (KickOwner,          "",               "",             ["I.loI", "IIloI", "IIloI", "n.nnn", "IIloI"], "11"),
    (KickStranger,       "",               "",             ["2.lo2", "22lo2", "22lo2", "n.nnn", "22lo2"], "api 3"),
    (BanOther,           "",               "ban",          ["+.lo+", "++lo+", "++lo+", "+.lo+", "++lo+"], "1.2: kick, for a live group as a timed ban; api 3"),
    (BanAdmin,           "",               "",             [".....", "+llo+", "+llo+", ".....", "+llo+"], "1.2"),
    (BanOwner,           "",               "",             ["i.loi", "iiloi", "iiloi", "i.loi", "iiloi"], "11"),
    (BanStranger,        "",               "ban",          ["+.lo+", "++lo+", "++lo+", "+.lo+", "++lo+"], "api 3"),
    (Unban,              "",               "ban",          ["+.lo+", "++lo+", "++lo+", "+.lo+", "++lo+"], "api 3"),
    (ReadBans,           "",               "ban",          ["+.lo+", "++lo+", "++lo+", "+.lo+", "++lo+"], "api 2"),
    (MuteOther,          "",               "mute",         ["n.nnn", "++lo+", "++lo+", "+.lo+", "++lo+"], "1.2"),
    (MuteAdmin,          "",               "",             [".....", "+llo+", "+llo+", ".....", "+llo+"], "1.2: an admin only ordinary members"),
    (MuteOwner,          "",               "",             ["n.nnn", "lllo+", "lllo+", "l.lo+", "lllo+"], "1.2: the app administrator stands above"),
    (MuteSelf,           "",               "",             ["n.nnn", "lllox", "lllox", "l.lox", "lllox"], "1.2"),
    (Appoint,            "",               "appoint_admins", ["n.nnn", "+llo+", "+llo+", "n.nnn", "+llo+"], "1.2"),
    (Revoke,             "",               "appoint_admins", [".....", "+llo+", "+llo+", ".....", "+llo+"], "1.2"),
    (MakeOwnerByRole,    "",               "",             ["n.nnn", "pllop", "pllop", "n.nnn", "pllop"], "2.4: Admin or Member"),
    (TransferToMember,   "",               "transfer",     ["+.lo+", "+llo+", "+llo+", "n.nnn", "+llo+"], "1.2"),
    (TransferToStranger, "",               "",             ["p.lop", "pllop", "pllop", "n.nnn", "pllop"], "11"),
    (CardOfSelf,         "",               "edit_self",    ["+.+ox", "+++ox", "+++ox", "+.+ox", "+++ox"], "api 3"),
    (CardOfOther,        "",               "edit_members", ["+.lo+", "++lo+", "++lo+", "+.lo+", "++lo+"], "api 3: those who run the group"),
    (CardOfAdmin,        "",               "",             [".....", "+llo+", "+llo+", ".....", "+llo+"], "api 3"),
    (CardOfOwner,        "",               "",             ["+.lo+", "+llo+", "+llo+", "+.lo+", "+llo+"], "api 3"),
    (ReadProfile,        "",               "read_profile", ["+.+o+", "+++s+", "+++s+", "+.+s+", "+++s+"], "api 2"),
    (ReadMembers,        "",               "read_members", ["+.+o+", "+++o+", "+++o+", "+.+o+", "+++o+"], "api 2"),
    (ReadEvents,         "",               "read_members", ["+.+o+", "+++o+", "+++o+", "+.+o+", "+++o+"], "api 2"),
    (ReadApplications,   "invite held",    "",             ["+.v-.", "++v-.", "++v-.", ".....", "++v-."], "api 2 and 3: what he may decide and what he asked for"),
    (Accept,             "invite held",    "decide",       ["+.lo+", "++lo+", "++lo+", ".....", "++lo+"], "d"),
    (Refuse,             "invite held",    "decide",       ["+.lo+", "++lo+", "++lo+", ".....", "++lo+"], "d"),
];

/// Whether a deed leaves the group or the actor other than it found them.
fn spoils(deed: Deed) -> bool {
    matches!(deed, EditJoinOption | Dismiss | Join | Quit | TransferToMember)
}

/// The groups of one type, made as they are needed.
struct Street<'a> {
    server: &'a Server,
    group_type: &'static str,
    groups: HashMap<&'static str, String>,
    /// What the permissions route says, by group and actor.
    told: HashMap<(String, &'static str), Value>,
    serial: usize,
}

impl<'a> Street<'a> {
    fn new(server: &'a Server, group_type: &'static str) -> Self {
        Self { server, group_type, groups: HashMap::new(), told: HashMap::new(), serial: 0 }
    }

    fn name(&mut self, what: &str) -> String {
        self.serial += 1;
        format!("{what} {} {}", self.serial, &self.group_type[..2])
    }

    fn is_live(&self) -> bool {
        self.group_type == "AVChatRoom"
    }

    /// A group with these options, in which owner, admin and member are what their names say.
    async fn group(&mut self, options: &'static str) -> String {
        if let Some(group) = self.groups.get(options) {
            return group.clone();
        }
        let more = match options {
            "" => json!({}),
            "invite free" => json!({ "inviteOption": "FreeAccess" }),
            "invite held" => json!({ "inviteOption": "NeedPermission" }),
            "invite off" => json!({ "inviteOption": "DisableInvite" }),
            option => json!({ "joinOption": option }),
        };
        let prefix = if self.group_type == "Community" { "@TGS#_" } else { "" };
        let id = format!("{prefix}{}", self.name("matrix"));
        let (server, group_type) = (self.server, self.group_type);
        if self.is_live() {
            server.group("owner", &id, group_type, more).await;
            join(server, "member", &id).await.ok();
        } else {
            let admins: &[&str] = if group_type == "Work" { &[] } else { &["admin"] };
            group_of(server, "owner", &id, group_type, (admins, &["member"]), more).await;
        }
        self.groups.insert(options, id.clone());
        id
    }

    /// What the permissions route says of somebody in a group: allowed, who else has to agree, why not.
    async fn told(&mut self, group: &str, actor: &'static str, action: &str) -> Value {
        let place = (group.to_owned(), actor);
        if !self.told.contains_key(&place) {
            let path = at(group, &format!("permissions?userID={actor}"));
            let told = self.server.get(ADMIN, &path).await.ok()["permissions"].clone();
            self.told.insert(place.clone(), told);
        }
        let told = &self.told[&place][action];
        json!([told["allowed"], told["needs"], told["reason"]])
    }

    /// One more ordinary member.
    async fn other(&mut self, group: &str) -> String {
        let user = self.name("other");
        if self.is_live() {
            join(self.server, &user, group).await.ok();
        } else {
            let data = invite(self.server, ADMIN, group, &[&user]).await.ok();
            assert_eq!(data, json!([{ "memberID": user, "result": 1 }]));
        }
        user
    }

    /// One more admin.
    async fn other_admin(&mut self, group: &str) -> String {
        let user = self.other(group).await;
        self.server.patch(ADMIN, &member(group, &user), json!({ "role": "Admin" })).await.ok();
        user
    }

    /// An open application that the ordinary member asked for.
    async fn application(&mut self, group: &str) -> String {
        let user = self.name("invited");
        invite(self.server, "member", group, &[&user]).await.ok();
        let list = self.server.get("member", "/v1/applications?limit=1000").await.ok();
        let list = list["applicationList"].as_array().expect("a list");
        let his = list.iter().find(|one| one["toUser"] == *user).expect("it waits");
        his["applicationID"].as_str().expect("an id").to_owned()
    }

    /// Somebody to do it to, where the deed is done to somebody.
    async fn whom(&mut self, deed: Deed, group: &str, actor: &str) -> String {
        match deed {
            KickOther | BanOther | MuteOther | Appoint | MakeOwnerByRole | CardOfOther
            | TransferToMember => self.other(group).await,
            KickAdmin | BanAdmin | MuteAdmin | Revoke | CardOfAdmin => {
                self.other_admin(group).await
            }
            KickOwner | BanOwner | MuteOwner | CardOfOwner => "owner".to_owned(),
            MuteSelf | CardOfSelf => actor.to_owned(),
            Unban => {
                let user = self.name("banned");
                self.server.put(ADMIN, &ban(group, &user), json!({})).await.ok();
                user
            }
            ReadApplications | Accept | Refuse => self.application(group).await,
            _ => self.name("somebody"),
        }
    }
}

fn member(group: &str, user: &str) -> String {
    at(group, &format!("members/{}", user.replace(' ', "%20")))
}

fn ban(group: &str, user: &str) -> String {
    at(group, &format!("bans/{}", user.replace(' ', "%20")))
}

/// The call that a deed is.
fn call(deed: Deed, group: &str, whom: &str) -> (Method, String, Value) {
    let nothing = json!({});
    let users = json!({ "userList": [whom] });
    let decide = |how: &str| format!("/v1/applications/{whom}/{how}");
    let edit = |body: Value| (Method::PATCH, at(group, ""), body);
    let edit_member = |body: Value| (Method::PATCH, member(group, whom), body);
    match deed {
        EditName => edit(json!({ "groupName": whom })),
        EditFields => edit(json!({ "customFields": { "key": whom } })),
        EditPlaces => edit(json!({ "maxMemberCount": 5_000 })),
        EditJoinOption => edit(json!({ "joinOption": "NeedPermission" })),
        MuteAll => edit(json!({ "muteAll": true })),
        Dismiss => (Method::DELETE, at(group, ""), nothing),
        Join => (Method::POST, at(group, "join"), nothing),
        Invite => (Method::POST, at(group, "invite"), users),
        Quit => (Method::POST, at(group, "quit"), nothing),
        KickOther | KickAdmin | KickOwner | KickStranger => {
            (Method::POST, at(group, "kick"), users)
        }
        BanOther | BanAdmin | BanOwner | BanStranger => (Method::PUT, ban(group, whom), nothing),
        Unban => (Method::DELETE, ban(group, whom), nothing),
        ReadBans => (Method::GET, at(group, "bans"), nothing),
        MuteOther | MuteAdmin | MuteOwner | MuteSelf => edit_member(json!({ "muteSeconds": 60 })),
        Appoint => edit_member(json!({ "role": "Admin" })),
        Revoke => edit_member(json!({ "role": "Member" })),
        MakeOwnerByRole => edit_member(json!({ "role": "Owner" })),
        TransferToMember | TransferToStranger => {
            (Method::PUT, at(group, "owner"), json!({ "userID": whom }))
        }
        CardOfSelf | CardOfOther | CardOfAdmin | CardOfOwner => {
            edit_member(json!({ "nameCard": "a card" }))
        }
        ReadProfile => (Method::GET, at(group, ""), nothing),
        ReadMembers => (Method::GET, at(group, "members"), nothing),
        ReadEvents => (Method::GET, at(group, "events"), nothing),
        ReadApplications => (Method::GET, "/v1/applications?limit=1000".to_owned(), nothing),
        Accept => (Method::POST, decide("accept"), nothing),
        Refuse => (Method::POST, decide("refuse"), nothing),
    }
}

async fn send(
    server: &Server,
    actor: &str,
    (method, path, body): (Method, String, Value),
) -> Answer {
    match method {
        Method::GET => server.get(actor, &path).await,
        Method::POST => server.post(actor, &path, body).await,
        Method::PUT => server.put(actor, &path, body).await,
        Method::PATCH => server.patch(actor, &path, body).await,
        _ => server.delete(actor, &path).await,
    }
}

/// The letter of an answer; none for what the table does not know.
fn letter(deed: Deed, whom: &str, answer: &Answer) -> Option<char> {
    let data = &answer.body["data"];
    let code = answer.body["code"].as_i64()?;
    if code != 0 {
        let found = (answer.status, code, data["reason"].as_str()?);
        return REFUSALS.iter().find(|(_, refusal)| *refusal == found).map(|(letter, _)| *letter);
    }
    let line = || data.as_array().filter(|lines| lines.len() == 1).map(|lines| &lines[0]);
    Some(match deed {
        ReadProfile => {
            if data["seq"].is_i64() {
                '+'
            } else {
                's'
            }
        }
        ReadApplications => {
            let list = data["applicationList"].as_array()?;
            let his = list.iter().find(|one| one["applicationID"] == *whom);
            match his.map(|one| one["canDecide"].as_bool()) {
                None => '-',
                Some(can) => {
                    if can? {
                        '+'
                    } else {
                        'v'
                    }
                }
            }
        }
        Join => {
            if data["status"] == "joined" {
                '+'
            } else {
                'h'
            }
        }
        Invite | KickOther | KickAdmin | KickOwner | KickStranger => {
            match (line()?["result"].as_i64()?, line()?["reason"].as_str()) {
                (1, None) => '+',
                (3, Some("awaiting_approval")) => 'h',
                (0, Some("is_owner")) => 'I',
                (0, Some("role_too_low")) => 'r',
                (2, Some("not_a_member")) => '2',
                _ => return None,
            }
        }
        _ => '+',
    })
}

/// What the permissions route has to say where the table has this letter, as [`Street::told`] has it.
fn foretold(letter: char) -> Value {
    let reason = |reason: &str| json!([false, null, reason]);
    match letter {
        '+' => json!([true, null, null]),
        'h' => json!([true, "approval", null]),
        // Who is no member finds nothing of his own, and sees only what strangers see.
        'x' | 's' => reason("not_a_member"),
        other => {
            let refusal = REFUSALS.iter().find(|(letter, _)| *letter == other);
            reason(refusal.expect("a refusal").1.2)
        }
    }
}

/// Goes through one type; what is not as the table says.
async fn walk(server: &Server, column: usize) -> Vec<String> {
    let mut street = Street::new(server, TYPES[column]);
    let mut wrong = Vec::new();
    for (deed, options, action, cells, section) in MATRIX {
        for (actor, expected) in ACTORS.into_iter().zip(cells[column].chars()) {
            if expected == '.' {
                continue;
            }
            let place = format!("{deed:?} {options} in {} by {actor}", TYPES[column]);
            let group = street.group(options).await;
            if !action.is_empty() {
                let told = street.told(&group, actor, action).await;
                if told != foretold(expected) {
                    wrong.push(format!("{place}: the permissions say {told} ({section})"));
                }
            }
            let whom = street.whom(*deed, &group, actor).await;
            let answer = send(server, actor, call(*deed, &group, &whom)).await;
            if letter(*deed, &whom, &answer) != Some(expected) {
                wrong.push(format!("{place}: not {expected} but {answer:?} ({section})"));
            }
            if spoils(*deed) && matches!(expected, '+' | 'h') {
                street.groups.remove(options);
            }
        }
    }
    wrong
}

#[tokio::test]
async fn everybody_may_in_every_type_what_the_documents_say_and_is_told_so_beforehand() {
    let server = Server::start().await;
    let streets = tokio::join!(
        walk(&server, 0),
        walk(&server, 1),
        walk(&server, 2),
        walk(&server, 3),
        walk(&server, 4),
    );
    let wrong = [streets.0, streets.1, streets.2, streets.3, streets.4].concat();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    server.check_invariants().await;
    server.stop().await;
}
