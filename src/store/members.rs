//! Reading the members of a group.

use sqlx::postgres::PgConnection;

use super::together::{Question, deal, weight_of};
use super::{Store, fields, unavailable, unknown_code};
use crate::model::{CustomFields, Error, GroupId, GroupType, Moment, Role, UserId};

/// A member as lists show him.
#[derive(Clone, Debug)]
pub struct MemberView {
    /// Who.
    pub user: UserId,
    /// His role.
    pub role: Role,
    /// When he became a member.
    pub joined_at: Moment,
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
    /// Only those with one of these roles; all when it is empty.
    pub roles: Vec<Role>,
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

/// A page of a group's members, and what decides whether the reader may see it, all of one moment.
#[derive(Clone, Debug)]
pub struct MemberPage {
    /// The group's type.
    pub group_type: GroupType,
    /// Its type of the operator's own.
    pub own_type: Option<String>,
    /// The reader's role, if he is a member.
    pub role: Option<Role>,
    /// The log's number that the page is true at.
    pub seq: i64,
    /// In byte order of their ids.
    pub members: Vec<MemberView>,
}

pub(super) fn custom_fields(column: Option<String>) -> Result<CustomFields, Error> {
    fields::read(column).map_err(|error| unavailable(&error))
}

pub(super) fn role(code: i16) -> Result<Role, Error> {
    Role::from_code(code).ok_or_else(|| unavailable(&unknown_code("role", code)))
}

/// A page as it comes from the database: a column of it is an array, or null when nobody is on the page.
pub(super) struct PageRow {
    nr: i64,
    group_type: i16,
    own_type: Option<String>,
    reader: Option<i16>,
    seq: i64,
    users: Option<Vec<String>>,
    roles: Option<Vec<i16>>,
    joined_at: Option<Vec<Moment>>,
    name_cards: Option<Vec<String>>,
    mute_until: Option<Vec<Option<Moment>>>,
    custom_fields: Option<Vec<Option<String>>>,
}

/// Reads pages: which are asked for (`u`), which members are on one of them (`x`), and the arguments of both.
///
/// A page is one row: to take a hundred rows out of the driver cost the server more than gathering them costs
/// PostgreSQL (`docs/decisions/reads.md`).
macro_rules! pages {
    ($connection:expr, $asked:literal, $members:literal, $($argument:expr),+) => {
        sqlx::query_as!(
            PageRow,
            r#"select u.nr as "nr!", g.group_type, g.own_type, r.role as "reader?", g.seq,
                      m.users as "users: _", m.roles as "roles: _", m.joined_at as "joined_at: _",
                      m.name_cards as "name_cards: _", m.mute_until as "mute_until: _",
                      m.custom_fields as "custom_fields: _"
                 from ("# + $asked + r#") u
                cross join lateral (select group_type, own_type, seq, dismissed_at from groups y
                                     where y.group_id = u.group_id offset 0) g
                 left join lateral (select role from members y
                                     where y.group_id = u.group_id and y.user_id = u.reader
                                       and y.left_seq is null offset 0) r on true
                cross join lateral (
                      select array_agg(user_id) as users, array_agg(role) as roles,
                             array_agg(joined_at) as joined_at, array_agg(name_card) as name_cards,
                             array_agg(mute_until) as mute_until,
                             array_agg(custom_fields::text) as custom_fields
                        from ("# + $members + r#") x) m
                where g.dismissed_at is null"#,
            $($argument),+
        )
        .fetch_all($connection)
        .await
    };
}

/// Reads one page by itself: which members are on it (`$3` to `$6` are roles, after whom, offset and limit), and
/// what that takes besides (from `$7` on).
macro_rules! page {
    ($store:expr, $asked:expr, $members:literal $(, $argument:expr)*) => {
        pages!(
            $store.reads(),
            "select 1::bigint as nr, $1::text as group_id, $2::text as reader",
            $members,
            $asked.group.as_str(),
            $asked.reader.as_str(),
            &$asked.codes().collect::<Vec<i16>>(),
            $asked.after(),
            $asked.filter.offset,
            $asked.filter.limit
            $(, $argument)*
        )
        .map(|mut rows| rows.pop())
        .map_err(|error| unavailable(&error))
    };
}

/// A page of a group's members in the order of the primary key.
pub(super) struct PageOf {
    group: GroupId,
    reader: UserId,
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
    type Answer = Option<PageRow>;

    fn weight(&self) -> usize {
        weight_of(self.offset + self.limit)
    }

    async fn ask(
        connection: &mut PgConnection,
        questions: &[&Self],
    ) -> Result<Vec<Option<PageRow>>, sqlx::Error> {
        let groups: Vec<&str> = questions.iter().map(|one| one.group.as_str()).collect();
        let readers: Vec<&str> = questions.iter().map(|one| one.reader.as_str()).collect();
        let after = |one: &&Self| one.after.as_ref().map_or("", UserId::as_str).to_owned();
        let after: Vec<String> = questions.iter().map(after).collect();
        let roles: Vec<i32> = questions.iter().map(|one| one.roles).collect();
        let offsets: Vec<i64> = questions.iter().map(|one| one.offset).collect();
        let limits: Vec<i64> = questions.iter().map(|one| one.limit).collect();
        let rows = pages!(
            connection,
            "select unnest($1::text[]) as group_id, unnest($2::text[]) as reader,
                    unnest($3::text[]) as after, unnest($4::integer[]) as roles,
                    unnest($5::bigint[]) as skipped, unnest($6::bigint[]) as most,
                    generate_subscripts($1::text[], 1)::bigint as nr",
            "select * from members y
              where y.group_id = u.group_id and y.left_seq is null
                and u.roles & (1 << y.role) <> 0 and y.user_id > u.after
              order by y.user_id offset u.skipped limit u.most",
            &groups as &[&str],
            &readers as &[&str],
            &after,
            &roles,
            &offsets,
            &limits
        )?;
        let rows = rows.into_iter().map(|row| (row.nr, row));
        Ok(deal(questions.len(), rows).into_iter().map(|mut rows| rows.pop()).collect())
    }
}

fn read(row: PageRow) -> Result<MemberPage, Error> {
    let group_type = GroupType::from_code(row.group_type)
        .ok_or_else(|| unavailable(&unknown_code("group type", row.group_type)))?;
    let users = row.users.unwrap_or_default().into_iter();
    let columns = users
        .zip(row.roles.unwrap_or_default())
        .zip(row.joined_at.unwrap_or_default())
        .zip(row.name_cards.unwrap_or_default())
        .zip(row.mute_until.unwrap_or_default())
        .zip(row.custom_fields.unwrap_or_default());
    let mut members = Vec::with_capacity(columns.len());
    for (((((user, code), joined_at), name_card), mute_until), fields) in columns {
        members.push(MemberView {
            user: UserId::from_stored(&user),
            role: role(code)?,
            joined_at,
            name_card,
            mute_until,
            custom_fields: custom_fields(fields)?,
        });
    }
    // They come so from the sorted subquery; PostgreSQL does not promise it.
    members.sort_by(|one, other| one.user.cmp(&other.user));
    Ok(MemberPage {
        group_type,
        own_type: row.own_type,
        role: row.reader.map(role).transpose()?,
        seq: row.seq,
        members,
    })
}

/// Whose page, who reads it, and what is on it.
struct Asked<'a> {
    group: &'a GroupId,
    reader: &'a UserId,
    roles: &'a [Role],
    filter: &'a MemberFilter,
}

impl Asked<'_> {
    fn codes(&self) -> impl Iterator<Item = i16> {
        self.roles.iter().map(|one| one.code())
    }

    fn after(&self) -> &str {
        self.filter.after.as_ref().map_or("", UserId::as_str)
    }
}

type Page = Result<Option<PageRow>, Error>;

impl Store {
    /// A page of a group's members; `None` when there is no such group.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn members(
        &self,
        group: &GroupId,
        reader: &UserId,
        filter: &MemberFilter,
    ) -> Result<Option<MemberPage>, Error> {
        let roles = if filter.roles.is_empty() { Role::ALL } else { &filter.roles };
        let asked = Asked { group, reader, roles, filter };
        let page = match &filter.given {
            Some(given) => self.given_members(&asked, given).await,
            None if filter.muted => self.muted_page(&asked).await,
            None if roles.contains(&Role::Member) => self.member_page(&asked).await,
            None => self.managing_page(&asked).await,
        };
        page?.map(read).transpose()
    }

    /// Members in the order of the primary key. Nearly all have the role of an ordinary member.
    async fn member_page(&self, asked: &Asked<'_>) -> Page {
        let question = PageOf {
            group: asked.group.clone(),
            reader: asked.reader.clone(),
            roles: mask(asked.codes()),
            after: asked.filter.after.clone(),
            offset: asked.filter.offset,
            limit: asked.filter.limit,
        };
        self.together.pages.ask(question).await
    }

    /// Owner and admins, from the index of those who manage (`offset 0` has it chosen before the order
    /// counts: in the order of the primary key all members would be gone through).
    async fn managing_page(&self, asked: &Asked<'_>) -> Page {
        page!(
            self,
            asked,
            "select * from (
                    select * from members y
                     where y.group_id = u.group_id and y.left_seq is null and y.role > 1
                       and y.role = any($3::smallint[]) and y.user_id > $4 offset 0) z
              order by z.user_id offset $5 limit $6"
        )
    }

    /// Those who may not speak now, from the index of mutes.
    async fn muted_page(&self, asked: &Asked<'_>) -> Page {
        page!(
            self,
            asked,
            "select * from members y
              where y.group_id = u.group_id and y.left_seq is null and y.mute_until is not null
                and y.mute_until > clock_timestamp()
                and y.role = any($3::smallint[]) and y.user_id > $4
              order by y.user_id offset $5 limit $6"
        )
    }

    /// Those of the given people who are members.
    async fn given_members(&self, asked: &Asked<'_>, given: &[UserId]) -> Page {
        let given: Vec<&str> = given.iter().map(UserId::as_str).collect();
        page!(
            self,
            asked,
            "select z.* from unnest($7::text[]) as v(user_id)
              cross join lateral (
                    select * from members y
                     where y.group_id = u.group_id and y.user_id = v.user_id offset 0) z
              where z.left_seq is null and z.role = any($3::smallint[]) and z.user_id > $4
              order by z.user_id offset $5 limit $6",
            &given as &[&str]
        )
    }
}
