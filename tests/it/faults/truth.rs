//! What really happened: the logs as the database holds them at the end, and whose membership lasted from
//! which event to which, read off the events alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use sqlx::postgres::PgPool;

/// One event as it was stored.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// When it was written, in microseconds.
    pub(super) at: i64,
    /// Stands for its text.
    pub(super) digest: u64,
    pub(super) deed: Deed,
}

/// What an event does to memberships.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// These come, in these roles.
    Come(Vec<(String, String)>),
    /// These go.
    Go(Vec<String>),
    /// These have this role now.
    Role(Vec<String>, &'static str),
    /// This is the owner now.
    Owner(String),
    /// These have these name cards now.
    Cards(Vec<(String, String)>),
    /// All go.
    End,
    /// Nothing that a list of members shows.
    Nothing,
}

/// From the event that began a membership to the one that ended it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: Option<i64>,
}

impl Span {
    pub(super) fn holds(self, seq: i64) -> bool {
        self.from <= seq && self.to.is_none_or(|to| seq <= to)
    }
}

/// A member as others see him: role and name card.
pub(super) type Members = BTreeMap<String, (String, String)>;

/// The log of a group or a user: the entry numbered `n` stands at `n - 1`.
pub(super) type Log = Vec<Entry>;

/// One history.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    pub(super) groups: HashMap<String, Log>,
    pub(super) users: HashMap<String, Log>,
    /// By user and group, in order.
    pub(super) spans: HashMap<String, BTreeMap<String, Vec<Span>>>,
    /// By group, as the table of members has them.
    pub(super) members: BTreeMap<String, Members>,
}

/// Stands for a text.
pub(super) fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Reads off a frame what it does to memberships.
pub(super) fn deed(frame: &Value) -> Deed {
    let list = frame["memberList"].as_array().map(Vec::as_slice).unwrap_or_default();
    let users = || list.iter().map(|one| word(&one["userID"])).collect::<Vec<_>>();
    match frame["event"].as_str().unwrap_or_default() {
        "onGroupCreated" | "onMemberInvited" | "onMemberEnter" => {
            let role = |one: &Value| one["role"].as_str().unwrap_or("Member").to_owned();
            Deed::Come(list.iter().map(|one| (word(&one["userID"]), role(one))).collect())
        }
        "onMemberKicked" => Deed::Go(users()),
        "onMemberLeave" => Deed::Go(vec![word(&frame["member"]["userID"])]),
        "onGrantAdministrator" => Deed::Role(users(), "Admin"),
        "onRevokeAdministrator" => Deed::Role(users(), "Member"),
        "onMemberInfoChanged" => {
            let cards = list.iter().filter(|one| one["nameCard"].is_string());
            Deed::Cards(cards.map(|one| (word(&one["userID"]), word(&one["nameCard"]))).collect())
        }
        "onGroupInfoChanged" => {
            let changes = frame["changeInfos"].as_array().map(Vec::as_slice).unwrap_or_default();
            let owner = changes.iter().find(|change| change["type"] == "owner");
            owner.map_or(Deed::Nothing, |change| Deed::Owner(word(&change["value"])))
        }
        "onGroupDismissed" => Deed::End,
        _ => Deed::Nothing,
    }
}

/// Applies an event to a list of members.
pub(super) fn apply(members: &mut Members, deed: &Deed) {
    match deed {
        Deed::Come(users) => {
            let lines =
                users.iter().map(|(user, role)| (user.clone(), (role.clone(), String::new())));
            members.extend(lines);
        }
        Deed::Go(users) => members.retain(|user, _| !users.contains(user)),
        Deed::Role(users, role) => {
            for user in users {
                members.entry(user.clone()).and_modify(|line| (*role).clone_into(&mut line.0));
            }
        }
        Deed::Owner(user) => {
            for (of, line) in members.iter_mut() {
                if of == user {
                    "Owner".clone_into(&mut line.0);
                } else if line.0 == "Owner" {
                    "Member".clone_into(&mut line.0);
                }
            }
        }
        Deed::Cards(cards) => {
            for (user, card) in cards {
                members.entry(user.clone()).and_modify(|line| card.clone_into(&mut line.1));
            }
        }
        Deed::End => members.clear(),
        Deed::Nothing => {}
    }
}

impl Truth {
    /// How many events there are.
    pub(super) fn events(&self) -> usize {
        self.groups.values().chain(self.users.values()).map(Vec::len).sum()
    }

    /// Adds the next event of a group.
    pub(super) fn add(&mut self, group: &str, at: i64, frame: &str) {
        let deed = deed(&serde_json::from_str(frame).expect("a frame"));
        let log = self.groups.entry(group.to_owned()).or_default();
        log.push(Entry { at, digest: digest(frame), deed: deed.clone() });
        let seq = i64::try_from(log.len()).expect("a number");
        let members = self.members.entry(group.to_owned()).or_default();
        let before: BTreeSet<String> = members.keys().cloned().collect();
        apply(members, &deed);
        let after: BTreeSet<String> = members.keys().cloned().collect();
        for user in after.difference(&before) {
            let of_user = self.spans.entry(user.clone()).or_default();
            of_user.entry(group.to_owned()).or_default().push(Span { from: seq, to: None });
        }
        for user in before.difference(&after) {
            let of_user = self.spans.entry(user.clone()).or_default();
            let span = of_user.get_mut(group).and_then(|spans| spans.last_mut());
            span.expect("a membership that began").to = Some(seq);
        }
    }

    /// Adds the next event of a user's own stream.
    pub(super) fn add_personal(&mut self, user: &str, at: i64, frame: &str) {
        let entry = Entry { at, digest: digest(frame), deed: Deed::Nothing };
        self.users.entry(user.to_owned()).or_default().push(entry);
    }

    /// Reads it all, and makes sure that the table of members says what the events say.
    pub(super) async fn read(database: &str) -> Self {
        let pool = PgPool::connect(database).await.expect("the database");
        let micros = "(extract(epoch from at) * 1000000)::bigint";
        let rows = |of: &str| {
            format!("select {of}_id, seq, {micros}, frame from {of}_events order by {of}_id, seq")
        };
        let mut truth = Self::default();
        for of in ["group", "user"] {
            let query = sqlx::query_as(sqlx::AssertSqlSafe(rows(of)));
            let found: Vec<(String, i64, i64, String)> =
                query.fetch_all(&pool).await.expect("the log");
            for (id, seq, at, frame) in found {
                let logs = if of == "group" { &truth.groups } else { &truth.users };
                let known = logs.get(&id).map_or(0, Vec::len);
                assert_eq!(i64::try_from(known).ok(), Some(seq - 1), "the log of {id} has a hole");
                if of == "group" {
                    truth.add(&id, at, &frame);
                } else {
                    truth.add_personal(&id, at, &frame);
                }
            }
        }
        truth.members.retain(|_, members| !members.is_empty());
        let told = std::mem::replace(&mut truth.members, members(&pool).await);
        assert_eq!(told, truth.members, "the events tell of other members than the table has");
        pool.close().await;
        truth
    }

    /// The memberships of a user in a group.
    pub(super) fn spans(&self, user: &str, group: &str) -> &[Span] {
        let of_user = self.spans.get(user).and_then(|groups| groups.get(group));
        of_user.map(Vec::as_slice).unwrap_or_default()
    }

    /// An event of a group.
    pub(super) fn entry(&self, group: &str, seq: i64) -> Option<&Entry> {
        self.groups.get(group)?.get(usize::try_from(seq - 1).ok()?)
    }

    /// An event of a user's own stream.
    pub(super) fn personal(&self, user: &str, seq: i64) -> Option<&Entry> {
        self.users.get(user)?.get(usize::try_from(seq - 1).ok()?)
    }

    /// How many events a group's log has.
    pub(super) fn head(&self, group: &str) -> i64 {
        let length = self.groups.get(group).map_or(0, Vec::len);
        i64::try_from(length).expect("a number")
    }

    /// How many events a group's log had at a moment.
    pub(super) fn head_at(&self, group: &str, at: i64) -> i64 {
        let log = self.groups.get(group).map(Vec::as_slice).unwrap_or_default();
        i64::try_from(log.partition_point(|entry| entry.at <= at)).expect("a number")
    }

    /// How many events a user's own stream has.
    pub(super) fn user_head(&self, user: &str) -> i64 {
        let length = self.users.get(user).map_or(0, Vec::len);
        i64::try_from(length).expect("a number")
    }

    /// The number of the first event after this one that a user may see of a group.
    pub(super) fn next_visible(&self, user: &str, group: &str, after: i64) -> Option<i64> {
        let head = self.head(group);
        let spans = self.spans(user, group).iter();
        let next = spans.map(|span| (after + 1).max(span.from)..=span.to.unwrap_or(head));
        next.filter(|left| !left.is_empty()).map(|left| *left.start()).min()
    }

    /// The number of the last event that a user may see of a group.
    pub(super) fn last_visible(&self, user: &str, group: &str) -> Option<i64> {
        let last = self.spans(user, group).last()?;
        Some(last.to.unwrap_or_else(|| self.head(group)))
    }
}

async fn members(pool: &PgPool) -> BTreeMap<String, Members> {
    let rows: Vec<(String, String, i16, String)> = sqlx::query_as(
        "select group_id, user_id, role, name_card from members where left_seq is null",
    )
    .fetch_all(pool)
    .await
    .expect("members");
    let mut all: BTreeMap<String, Members> = BTreeMap::new();
    for (group, user, role, card) in rows {
        let role = muster::model::Role::from_code(role).expect("a role").word();
        all.entry(group).or_default().insert(user, (role.to_owned(), card));
    }
    all
}
