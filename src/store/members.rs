//! Reading the members of a group.

use sqlx::postgres::PgConnection;

use super::together::{Question, deal, weight_of};
use super::{Store, fields, unavailable, unknown_code};
use crate::model::{CustomFields, Error, GroupId, Moment, Role, UserId};

/// A member as lists show him.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// Who.
    pub user: UserId,
    /// His role.
    pub role: Role,
    /// When he became a member.
    pub joined_at: Moment,
    /// The event that made him a member.
    pub joined_seq: i64,
    /// His name in this group.
    pub name_card: String,
    /// Until when he may not speak.
    pub mute_until: Option<Moment>,
    /// Fields of the app's own.
    pub custom_fields: CustomFields,
}

/// Which members of a group are asked for.
#[derive(Clone, Debug, Default)]
pub struct MemberFilter {
    /// Only this role.
    pub role: Option<Role>,
    /// Only after this id, in byte order.
    pub after: Option<UserId>,
    /// Only those who may not speak now.
    pub muted: bool,
    /// Only these.
    pub given: Option<Vec<UserId>>,
    /// So many are left out first (Tencent's way of paging).
    pub offset: i64,
    /// At most so many.
    pub limit: i64,
}

pub(super) fn custom_fields(column: Option<String>) -> Result<CustomFields, Error> {
    fields::read(column).map_err(|error| unavailable(&error))
}

pub(super) fn role(code: i16) -> Result<Role, Error> {
    Role::from_code(code).ok_or_else(|| unavailable(&unknown_code("role", code)))
}

/// A member's columns with the log's number; without a member when the page is empty.
pub(super) struct MemberRow {
    seq: i64,
    user_id: Option<String>,
    role: Option<i16>,
    joined_at: Option<Moment>,
    joined_seq: Option<i64>,
    name_card: Option<String>,
    mute_until: Option<Moment>,
    custom_fields: Option<String>,
}

/// A page of a group's members in the order of the primary key.
pub(super) struct PageOf {
    group: GroupId,
    roles: i32,
    after: Option<UserId>,
    offset: i64,
    limit: i64,
}

/// Codes as bits of a number.
pub(super) fn mask(codes: impl Iterator<Item = i16>) -> i32 {
    codes.fold(0, |mask, code| mask | 1 << code)
}

impl Question for PageOf {
    type Answer = Vec<MemberRow>;

    fn weight(&self) -> usize {
        weight_of(self.offset + self.limit)
    }

    async fn ask(
        connection: &mut PgConnection,
        questions: &[&Self],
    ) -> Result<Vec<Vec<MemberRow>>, sqlx::Error> {
        let groups: Vec<&str> = questions.iter().map(|one| one.group.as_str()).collect();
        let after = |one: &&Self| one.after.as_ref().map_or("", UserId::as_str).to_owned();
        let after: Vec<String> = questions.iter().map(after).collect();
        let roles: Vec<i32> = questions.iter().map(|one| one.roles).collect();
        let offsets: Vec<i64> = questions.iter().map(|one| one.offset).collect();
        let limits: Vec<i64> = questions.iter().map(|one| one.limit).collect();
        let rows = sqlx::query!(
            r#"select u.nr as "nr!", g.seq, m.user_id as "user_id?", m.role as "role?",
                      m.joined_at as "joined_at?", m.joined_seq as "joined_seq?",
                      m.name_card as "name_card?", m.mute_until as "mute_until?",
                      m.custom_fields::text as "custom_fields?"
                 from (select unnest($1::text[]) as group_id, unnest($2::text[]) as after,
                              unnest($3::integer[]) as roles, unnest($4::bigint[]) as skipped,
                              unnest($5::bigint[]) as most,
                              generate_subscripts($1::text[], 1)::bigint as nr) u
                cross join lateral (select seq, dismissed_at from groups x
                                     where x.group_id = u.group_id offset 0) g
                 left join lateral (
                      select * from members x
                       where x.group_id = u.group_id and x.left_seq is null
                         and u.roles & (1 << x.role) <> 0 and x.user_id > u.after
                       order by x.user_id offset u.skipped limit u.most) m on true
                where g.dismissed_at is null"#,
            &groups as &[&str],
            &after,
            &roles,
            &offsets,
            &limits
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let member = MemberRow {
                seq: row.seq,
                user_id: row.user_id,
                role: row.role,
                joined_at: row.joined_at,
                joined_seq: row.joined_seq,
                name_card: row.name_card,
                mute_until: row.mute_until,
                custom_fields: row.custom_fields,
            };
            (row.nr, member)
        });
        Ok(deal(questions.len(), rows))
    }
}

/// The log's number and the members of a page; `None` when there is no such group.
type Page = Option<(i64, Vec<MemberView>)>;

fn page(rows: Result<Vec<MemberRow>, sqlx::Error>) -> Result<Page, Error> {
    let rows = rows.map_err(|error| unavailable(&error))?;
    let Some(seq) = rows.first().map(|row| row.seq) else { return Ok(None) };
    let mut members = Vec::with_capacity(rows.len());
    for row in rows {
        if let (Some(user), Some(code), Some(joined_at)) = (row.user_id, row.role, row.joined_at) {
            members.push(MemberView {
                user: UserId::from_stored(&user),
                role: role(code)?,
                joined_at,
                joined_seq: row.joined_seq.unwrap_or_default(),
                name_card: row.name_card.unwrap_or_default(),
                mute_until: row.mute_until,
                custom_fields: custom_fields(row.custom_fields)?,
            });
        }
    }
    Ok(Some((seq, members)))
}

impl Store {
    /// A page of a group's members with the log's number that it is true at, both of one moment;
    /// `None` when there is no such group.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn members(&self, group: &GroupId, filter: &MemberFilter) -> Result<Page, Error> {
        let roles = filter.role.as_ref().map_or(Role::ALL, std::slice::from_ref);
        let range = (filter.after.as_ref(), filter.offset, filter.limit);
        match &filter.given {
            Some(given) => self.given_members(group, roles, given, range).await,
            None if filter.muted => self.muted_page(group, roles, range).await,
            None if roles.contains(&Role::Member) => self.member_page(group, roles, range).await,
            None => self.managing_page(group, roles, range).await,
        }
    }

    /// A page of a group's members who have one of these roles, in byte order of their ids; none when
    /// there is no such group.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn members_in_roles(
        &self,
        group: &GroupId,
        roles: &[Role],
        after: Option<&UserId>,
        offset: i64,
        limit: i64,
    ) -> Result<Vec<MemberView>, Error> {
        let range = (after, offset, limit);
        let page = if roles.contains(&Role::Member) {
            self.member_page(group, roles, range).await?
        } else {
            self.managing_page(group, roles, range).await?
        };
        Ok(page.map(|(_, members)| members).unwrap_or_default())
    }

    /// Members in the order of the primary key. Nearly all have the role of an ordinary member.
    async fn member_page(
        &self,
        group: &GroupId,
        roles: &[Role],
        (after, offset, limit): (Option<&UserId>, i64, i64),
    ) -> Result<Page, Error> {
        let question = PageOf {
            group: group.clone(),
            roles: mask(roles.iter().map(|one| one.code())),
            after: after.cloned(),
            offset,
            limit,
        };
        let mut rows = self.together.pages.ask(question).await?;
        // They come so from the index as a rule; a statement for many pages does not promise it.
        rows.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        page(Ok(rows))
    }

    /// Owner and admins, from the index of those who manage (`offset 0` has it chosen before the order
    /// counts: in the order of the primary key all members would be gone through).
    async fn managing_page(
        &self,
        group: &GroupId,
        roles: &[Role],
        (after, offset, limit): (Option<&UserId>, i64, i64),
    ) -> Result<Page, Error> {
        let codes: Vec<i16> = roles.iter().map(|one| one.code()).collect();
        let rows = sqlx::query_as!(
            MemberRow,
            r#"select g.seq, m.user_id as "user_id?", m.role as "role?",
                      m.joined_at as "joined_at?", m.joined_seq as "joined_seq?",
                      m.name_card as "name_card?", m.mute_until as "mute_until?",
                      m.custom_fields::text as "custom_fields?"
                 from groups g
                 left join lateral (
                      select * from (
                             select * from members x
                              where x.group_id = $1 and x.left_seq is null and x.role > 1
                                and x.role = any($2::smallint[]) and x.user_id > $3 offset 0) y
                       order by y.user_id offset $4 limit $5) m on true
                where g.group_id = $1 and g.dismissed_at is null
                order by m.user_id"#,
            group.as_str(),
            &codes,
            after.map_or("", UserId::as_str),
            offset,
            limit
        )
        .fetch_all(self.reads())
        .await;
        page(rows)
    }

    /// Those who may not speak now, from the index of mutes.
    async fn muted_page(
        &self,
        group: &GroupId,
        roles: &[Role],
        (after, offset, limit): (Option<&UserId>, i64, i64),
    ) -> Result<Page, Error> {
        let codes: Vec<i16> = roles.iter().map(|one| one.code()).collect();
        let rows = sqlx::query_as!(
            MemberRow,
            r#"select g.seq, m.user_id as "user_id?", m.role as "role?",
                      m.joined_at as "joined_at?", m.joined_seq as "joined_seq?",
                      m.name_card as "name_card?", m.mute_until as "mute_until?",
                      m.custom_fields::text as "custom_fields?"
                 from groups g
                 left join lateral (
                      select * from members x
                       where x.group_id = $1 and x.left_seq is null and x.mute_until is not null
                         and x.mute_until > clock_timestamp()
                         and x.role = any($2::smallint[]) and x.user_id > $3
                       order by x.user_id offset $4 limit $5) m on true
                where g.group_id = $1 and g.dismissed_at is null
                order by m.user_id"#,
            group.as_str(),
            &codes,
            after.map_or("", UserId::as_str),
            offset,
            limit
        )
        .fetch_all(self.reads())
        .await;
        page(rows)
    }

    /// Those of the given people who are members.
    async fn given_members(
        &self,
        group: &GroupId,
        roles: &[Role],
        given: &[UserId],
        (after, offset, limit): (Option<&UserId>, i64, i64),
    ) -> Result<Page, Error> {
        let codes: Vec<i16> = roles.iter().map(|one| one.code()).collect();
        let given: Vec<&str> = given.iter().map(UserId::as_str).collect();
        let rows = sqlx::query_as!(
            MemberRow,
            r#"select g.seq, m.user_id as "user_id?", m.role as "role?",
                      m.joined_at as "joined_at?", m.joined_seq as "joined_seq?",
                      m.name_card as "name_card?", m.mute_until as "mute_until?",
                      m.custom_fields::text as "custom_fields?"
                 from groups g
                 left join lateral (
                      select x.* from unnest($6::text[]) as u(user_id)
                       cross join lateral (
                             select * from members y
                              where y.group_id = $1 and y.user_id = u.user_id offset 0) x
                       where x.left_seq is null and x.role = any($2::smallint[])
                         and x.user_id > $3
                       order by x.user_id offset $4 limit $5) m on true
                where g.group_id = $1 and g.dismissed_at is null
                order by m.user_id"#,
            group.as_str(),
            &codes,
            after.map_or("", UserId::as_str),
            offset,
            limit,
            &given as &[&str]
        )
        .fetch_all(self.reads())
        .await;
        page(rows)
    }
}
