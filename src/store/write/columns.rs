//! Rows as columns: what `unnest` takes.

use super::NewReply;
use crate::model::{
    Application, ApplicationId, Group, GroupId, IdMap, LogEntry, Member, Moment, StreamKey, UserId,
};
use crate::rules::Facts;
use crate::rules::limits::group_limit;
use crate::store::ahead::RowVersion;
use crate::store::fields;

/// A query whose parameters are being put together.
type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

/// Groups as columns.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub(super) ids: Vec<&'a str>,
    pub(super) types: Vec<i16>,
    pub(super) own_types: Vec<Option<&'a str>>,
    pub(super) owners: Vec<Option<&'a str>>,
    pub(super) join_options: Vec<i16>,
    pub(super) invite_options: Vec<i16>,
    pub(super) max_members: Vec<Option<i32>>,
    pub(super) mute_all: Vec<bool>,
    pub(super) member_counts: Vec<i32>,
    pub(super) pending_counts: Vec<i32>,
    pub(super) seqs: Vec<i64>,
    pub(super) created: Vec<Moment>,
    pub(super) dismissed: Vec<Option<Moment>>,
}

impl<'a> Columns<'a> {
    pub(super) fn of(groups: &[&'a Group]) -> Self {
        let mut columns = Self::default();
        for group in groups {
            columns.ids.push(group.id.as_str());
            columns.types.push(group.group_type.code());
            columns.own_types.push(group.own_type.as_deref());
            columns.owners.push(group.owner.as_ref().map(UserId::as_str));
            columns.join_options.push(group.join_option.code());
            columns.invite_options.push(group.invite_option.code());
            columns.max_members.push(group.max_members);
            columns.mute_all.push(group.mute_all);
            columns.member_counts.push(group.member_count);
            columns.pending_counts.push(group.pending_count);
            columns.seqs.push(group.seq);
            columns.created.push(group.created_at);
            columns.dismissed.push(group.dismissed_at);
        }
        columns
    }
}

/// Memberships as columns.
#[derive(Default)]
pub(super) struct MemberColumns<'a> {
    pub(super) groups: Vec<&'a str>,
    pub(super) users: Vec<&'a str>,
    pub(super) roles: Vec<i16>,
    pub(super) joined_seqs: Vec<i64>,
    pub(super) left_seqs: Vec<Option<i64>>,
    pub(super) past_joined: Vec<Option<i64>>,
    pub(super) past_left: Vec<Option<i64>>,
    pub(super) joined_at: Vec<Moment>,
    pub(super) name_cards: Vec<&'a str>,
    pub(super) mutes: Vec<Option<Moment>>,
    pub(super) fields: Vec<Option<String>>,
    pub(super) revs: Vec<i64>,
}

impl<'a> MemberColumns<'a> {
    /// Those that have no row yet, and those that have one.
    pub(super) fn of(facts: &'a Facts) -> (Self, Self) {
        let (mut new, mut changed) = (Self::default(), Self::default());
        for (group, users) in &facts.changes.members {
            let Some(of_group) = facts.groups.get(group) else { continue };
            for (user, is_new) in users {
                if let Some(member) = of_group.members.get(user) {
                    let columns = if *is_new { &mut new } else { &mut changed };
                    columns.push(group, user, member);
                }
            }
        }
        (new, changed)
    }

    pub(super) fn bind(&'a self, query: Query<'a>) -> Query<'a> {
        let query = query.bind(&self.groups).bind(&self.users).bind(&self.roles);
        let query = query.bind(&self.joined_seqs).bind(&self.left_seqs);
        let query = query.bind(&self.past_joined).bind(&self.past_left).bind(&self.joined_at);
        query.bind(&self.name_cards).bind(&self.mutes).bind(&self.revs).bind(&self.fields)
    }

    fn push(&mut self, group: &'a GroupId, user: &'a UserId, member: &'a Member) {
        self.groups.push(group.as_str());
        self.users.push(user.as_str());
        self.roles.push(member.role.code());
        self.joined_seqs.push(member.joined_seq);
        self.left_seqs.push(member.left_seq);
        self.past_joined.push(member.past.map(|(joined, _)| joined));
        self.past_left.push(member.past.map(|(_, left)| left));
        self.joined_at.push(member.joined_at);
        self.name_cards.push(&member.name_card);
        self.mutes.push(member.mute_until);
        self.fields.push(fields::written(&member.custom_fields));
        self.revs.push(member.user_rev);
    }
}

/// Counters of users as columns.
#[derive(Default)]
pub(super) struct UserColumns<'a> {
    pub(super) created: Vec<Moment>,
    pub(super) ids: Vec<&'a str>,
    pub(super) groups: Vec<i32>,
    pub(super) caps: Vec<i32>,
    pub(super) pending: Vec<i32>,
    pub(super) revs: Vec<i64>,
    pub(super) seqs: Vec<i64>,
    /// In which version they were read, of those who are not locked.
    pub(super) versions: Vec<Option<i32>>,
}

impl<'a> UserColumns<'a> {
    /// Those that have no row yet, and those that have one.
    pub(super) fn of(facts: &'a Facts, versions: &IdMap<UserId, RowVersion>) -> (Self, Self) {
        let (mut fresh, mut known) = (Self::default(), Self::default());
        let changes = &facts.changes;
        // A profile needs a row, too.
        let accounts = changes.accounts.iter().filter(|id| !changes.users.contains(*id));
        let accounts =
            accounts.filter(|id| matches!(facts.users.get(*id), Some(Some(user)) if user.fresh));
        for id in changes.users.iter().chain(accounts) {
            if let Some(Some(user)) = facts.users.get(id) {
                let columns = if user.fresh { &mut fresh } else { &mut known };
                columns.created.push(user.created_at);
                columns.ids.push(user.id.as_str());
                columns.groups.push(user.group_count);
                columns.caps.push(group_limit(user, &facts.limits).0);
                columns.pending.push(user.pending_count);
                columns.revs.push(user.membership_rev);
                columns.seqs.push(user.user_seq);
                columns.versions.push(versions.get(id).map(|version| version.bits()));
            }
        }
        (fresh, known)
    }
}

impl UserColumns<'_> {
    /// Of users who have a row.
    pub(super) fn bind_known<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let query = query.bind(&self.ids).bind(&self.groups).bind(&self.caps);
        query.bind(&self.pending).bind(&self.revs).bind(&self.seqs).bind(&self.versions)
    }

    /// Of users who have none yet, with the numbers of their newest own events before.
    pub(super) fn bind_made<'q>(&'q self, query: Query<'q>, before: &'q [i64]) -> Query<'q> {
        let query = query.bind(&self.ids).bind(&self.created).bind(&self.groups).bind(&self.caps);
        query.bind(&self.pending).bind(&self.revs).bind(&self.seqs).bind(before)
    }
}

/// Entries of one family of streams as columns.
#[derive(Default)]
pub(super) struct EntryColumns<'a> {
    pub(super) streams: Vec<&'a str>,
    pub(super) seqs: Vec<i64>,
    pub(super) kinds: Vec<i16>,
    pub(super) at: Vec<Moment>,
    pub(super) frames: Vec<&'a str>,
}

impl<'a> EntryColumns<'a> {
    pub(super) fn of(entries: &'a [LogEntry], of_groups: bool) -> Self {
        let mut columns = Self::default();
        for entry in entries {
            let stream = match &entry.stream {
                StreamKey::Group(group) if of_groups => group.as_str(),
                StreamKey::User(user) if !of_groups => user.as_str(),
                _ => continue,
            };
            columns.streams.push(stream);
            columns.seqs.push(entry.seq);
            columns.kinds.push(entry.kind.code());
            columns.at.push(entry.at);
            columns.frames.push(&entry.frame);
        }
        columns
    }
}

impl EntryColumns<'_> {
    pub(super) fn bind<'q>(&'q self, query: Query<'q>) -> Query<'q> {
        let query = query.bind(&self.streams).bind(&self.seqs).bind(&self.kinds);
        query.bind(&self.at).bind(&self.frames)
    }
}

/// Stored replies as columns, in the order of their keys.
#[derive(Default)]
pub(super) struct ReplyColumns<'a> {
    pub(super) scopes: Vec<&'a [u8]>,
    pub(super) bodies: Vec<&'a [u8]>,
    pub(super) texts: Vec<&'a str>,
}

impl<'a> ReplyColumns<'a> {
    pub(super) fn of(replies: &'a [NewReply]) -> Self {
        let mut sorted: Vec<&NewReply> = replies.iter().collect();
        sorted.sort_by_key(|reply| reply.scope);
        let mut columns = Self::default();
        for reply in sorted {
            columns.scopes.push(&reply.scope);
            columns.bodies.push(&reply.body);
            columns.texts.push(&reply.reply);
        }
        columns
    }

    pub(super) fn bind(&'a self, query: Query<'a>) -> Query<'a> {
        query.bind(&self.scopes).bind(&self.bodies).bind(&self.texts)
    }
}

/// Applications as columns.
#[derive(Default)]
pub(super) struct ApplicationColumns<'a> {
    pub(super) groups: Vec<&'a str>,
    pub(super) ids: Vec<ApplicationId>,
    pub(super) kinds: Vec<i16>,
    pub(super) from: Vec<&'a str>,
    pub(super) subjects: Vec<&'a str>,
    pub(super) approved: Vec<Option<&'a str>>,
    pub(super) messages: Vec<&'a str>,
    pub(super) added: Vec<Moment>,
    pub(super) expires: Vec<Moment>,
    pub(super) states: Vec<i16>,
    pub(super) endings: Vec<Option<i16>>,
    pub(super) handled_by: Vec<Option<&'a str>>,
    pub(super) handled_messages: Vec<Option<&'a str>>,
    pub(super) handled_at: Vec<Option<Moment>>,
}

impl<'a> ApplicationColumns<'a> {
    pub(super) fn of(rows: &[&'a Application]) -> Self {
        let mut columns = Self::default();
        for row in rows {
            let handled = row.handled.as_ref();
            columns.groups.push(row.group.as_str());
            columns.ids.push(row.id);
            columns.kinds.push(row.kind.code());
            columns.from.push(row.from_user.as_str());
            columns.subjects.push(row.subject.as_str());
            columns.approved.push(row.approved_by.as_ref().map(UserId::as_str));
            columns.messages.push(&row.message);
            columns.added.push(row.added_at);
            columns.expires.push(row.expires_at);
            columns.states.push(row.state.code());
            columns.endings.push(handled.map(|end| end.ending.code()));
            columns.handled_by.push(handled.and_then(|end| end.by.as_ref()).map(UserId::as_str));
            columns.handled_messages.push(handled.map(|end| end.message.as_str()));
            columns.handled_at.push(handled.map(|end| end.at));
        }
        columns
    }
}
