//! The routes that take a body, and what each field of it may be.

use serde_json::{Value, json};

use crate::common::ADMIN;

/// What a field may be.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A text of so many bytes, of one line or of several.
    Text { bytes: usize, lines: bool, empty: bool },
    /// A word of a list.
    Word(&'static [&'static str]),
    /// A whole number; above `most` and below `least` it is refused, each with a code.
    Number { least: i64, below: i64, most: i64, above: i64 },
    /// The id of a new group.
    GroupId,
    /// The id of a user.
    UserId,
    /// A list of users' ids.
    Users,
    /// A list of `{userID, role?, customFields?}`.
    Members,
    /// An object of texts, by names of the caller's own.
    Attributes,
    /// Yes or no.
    Flag,
    /// Fields of the app's own: at most so many, each of at most so many bytes.
    Fields { keys: usize, bytes: usize },
}

/// One field of a body.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) required: bool,
}

/// One route.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) user: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// A body that would be taken.
    pub(crate) good: Value,
    pub(crate) fields: Vec<Field>,
}

impl Route {
    /// Whether it can also be tried: whether it knows `dryRun`, and the path does not say so already.
    pub(crate) fn tries(&self) -> bool {
        let without = super::requests::WITHOUT_DRY_RUN;
        !self.path.contains('?') && !without.contains(&(self.method, &self.path))
    }
}

const JOIN_OPTIONS: Kind = Kind::Word(&["FreeAccess", "NeedPermission", "DisableApply"]);
const INVITE_OPTIONS: Kind = Kind::Word(&["FreeAccess", "NeedPermission", "DisableInvite"]);
const MAX_MEMBERS: Kind = Kind::Number { least: 1, below: 10004, most: 1_000_000, above: 10038 };
const OF_GROUP: Kind = Kind::Fields { keys: 10, bytes: 512 };
const OF_MEMBER: Kind = Kind::Fields { keys: 5, bytes: 64 };

const fn line(bytes: usize) -> Kind {
    Kind::Text { bytes, lines: false, empty: true }
}

const fn lines(bytes: usize) -> Kind {
    Kind::Text { bytes, lines: true, empty: true }
}

fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: true }
}

fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, required: false }
}

/// A span of time in seconds, at least so many.
fn seconds(least: i64) -> Kind {
    Kind::Number { least, below: 10004, most: u32::MAX.into(), above: 10004 }
}

fn profile() -> Vec<Field> {
    vec![
        may("introduction", lines(400)),
        may("notification", lines(400)),
        may("faceUrl", line(500)),
        may("joinOption", JOIN_OPTIONS),
        may("inviteOption", INVITE_OPTIONS),
        may("maxMemberCount", MAX_MEMBERS),
        may("customFields", OF_GROUP),
    ]
}

fn name() -> Kind {
    Kind::Text { bytes: 100, lines: false, empty: false }
}

fn create() -> Vec<Field> {
    let types = Kind::Word(&["Work", "Public", "Meeting", "AVChatRoom", "Community"]);
    let mut fields = vec![
        may("groupID", Kind::GroupId),
        must("groupType", types),
        must("groupName", name()),
        may("owner", Kind::UserId),
        may("memberList", Kind::Members),
    ];
    fields.extend(profile());
    fields
}

fn edit() -> Vec<Field> {
    let mut fields = vec![may("groupName", name()), may("muteAll", Kind::Flag)];
    fields.extend(profile());
    fields
}

fn kick() -> Vec<Field> {
    vec![must("userList", Kind::Users), may("reason", lines(1_000)), may("banSeconds", seconds(1))]
}

fn member() -> Vec<Field> {
    vec![
        may("role", Kind::Word(&["Member", "Admin"])),
        may("nameCard", line(50)),
        may("muteSeconds", seconds(0)),
        may("customFields", OF_MEMBER),
    ]
}

fn ban() -> Vec<Field> {
    vec![may("seconds", seconds(1)), may("reason", lines(1_000))]
}

fn user() -> Vec<Field> {
    let (least, most) = (0, i32::MAX.into());
    vec![
        may("nickName", line(500)),
        may("faceUrl", line(500)),
        may("inviteConsent", Kind::Word(&["auto", "ask", "deny"])),
        may("groupLimit", Kind::Number { least, below: 10004, most, above: 10004 }),
    ]
}

/// Every route that takes a body, in the world's group. `application` is an open one.
///
/// A new route is one line here and one in [`super::requests::ROUTES`]; everything that is tried with a
/// route follows from the two.
pub(crate) fn routes(application: &str) -> Vec<Route> {
    let route = |user, method, path: &str, good, fields| {
        let path = path.replace("ID", application);
        Route { user, method, path, good, fields }
    };
    let empty = || json!({});
    let new = json!({ "groupID": "new", "groupType": "Public", "groupName": "n" });
    let people = |user: &str| json!({ "userList": [user] });
    let invitees = || vec![must("userList", Kind::Users)];
    let attributes = || json!({ "attributes": { "colour": "blue" } });
    let pairs = || vec![must("attributes", Kind::Attributes)];
    let owner = || must("userID", Kind::UserId);
    let message = || vec![may("message", lines(1_000))];
    let (invite, preview) = ("/v1/groups/g/invite", "/v1/groups/g/invite?dryRun=true");
    vec![
        route(ADMIN, "POST", "/v1/groups", new, create()),
        route("alice", "PATCH", "/v1/groups/g", empty(), edit()),
        route(ADMIN, "POST", invite, people("dave"), invitees()),
        route(ADMIN, "POST", preview, people("dave"), invitees()),
        route("alice", "PUT", "/v1/groups/g/attributes", attributes(), pairs()),
        route("alice", "PATCH", "/v1/groups/g/attributes", attributes(), pairs()),
        route("dave", "POST", "/v1/groups/g/join", empty(), message()),
        route("bob", "POST", "/v1/groups/g/quit", empty(), vec![]),
        route("alice", "POST", "/v1/groups/g/kick", people("bob"), kick()),
        route("alice", "PATCH", "/v1/groups/g/members/bob", empty(), member()),
        route("alice", "PUT", "/v1/groups/g/owner", json!({ "userID": "bob" }), vec![owner()]),
        route("alice", "PUT", "/v1/groups/g/bans/erin", empty(), ban()),
        route(ADMIN, "PUT", "/v1/users/erin", empty(), user()),
        route("alice", "POST", "/v1/applications/ID/accept", empty(), message()),
        route("alice", "POST", "/v1/applications/ID/refuse", empty(), message()),
    ]
}
