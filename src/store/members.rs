//! Reading memberships: of a group, and of a user.

use crate::model::{CustomFields, Error, GroupId, GroupType, Moment, Role, UserId};

use super::groups::{GroupView, ViewRow};
use super::{Store, fields, unavailable, unknown_code};

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

fn custom_fields(column: Option<String>) -> Result<CustomFields, Error> {
    fields::read(column).map_err(|error| unavailable(&error))
}

fn role(code: i16) -> Result<Role, Error> {
    Role::from_code(code).ok_or_else(|| unavailable(&unknown_code("role", code)))
}

impl Store {
    /// A page of a group's members with the log's number that it is true at, both of one moment;
    /// `None` when there is no such group.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn members(
        &self,
        group: &GroupId,
        filter: &MemberFilter,
    ) -> Result<Option<(i64, Vec<MemberView>)>, Error> {
        let given: Option<Vec<&str>> =
            filter.given.as_ref().map(|users| users.iter().map(UserId::as_str).collect());
        let rows = sqlx::query!(
            r#"select g.seq, m.user_id as "user_id?", m.role as "role?",
                      m.joined_at as "joined_at?", m.joined_seq as "joined_seq?",
                      m.name_card as "name_card?", m.mute_until as "mute_until?",
                      m.custom_fields as "custom_fields?"
                 from groups g
                 left join lateral (
                      select x.user_id, x.role, x.joined_at, x.joined_seq, x.name_card, x.mute_until,
                             x.custom_fields::text as custom_fields
                        from members x
                       where x.group_id = g.group_id and x.left_seq is null
                         and ($2::smallint is null or x.role = $2)
                         and ($3::text is null or x.user_id > $3)
                         and ($4::text[] is null or x.user_id = any($4))
                         and (not $7::boolean or x.mute_until > clock_timestamp())
                       order by x.user_id offset $5 limit $6) m on true
                where g.group_id = $1 and g.dismissed_at is null
                order by m.user_id"#,
            group.as_str(),
            filter.role.map(Role::code) as Option<i16>,
            filter.after.as_ref().map(UserId::as_str) as Option<&str>,
            given.as_deref() as Option<&[&str]>,
            filter.offset,
            filter.limit,
            filter.muted
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        let Some(seq) = rows.first().map(|row| row.seq) else { return Ok(None) };
        let mut members = Vec::with_capacity(rows.len());
        for row in rows {
            if let (Some(user), Some(code), Some(joined_at)) =
                (row.user_id, row.role, row.joined_at)
            {
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
        let codes: Vec<i16> = roles.iter().map(|one| one.code()).collect();
        let rows = sqlx::query!(
            "select m.user_id, m.role, m.joined_at, m.joined_seq, m.name_card, m.mute_until,
                    m.custom_fields::text as custom_fields
               from members m
              where m.group_id = $1 and m.left_seq is null and m.role = any($2::smallint[])
                and ($3::text is null or m.user_id > $3)
              order by m.user_id offset $4 limit $5",
            group.as_str(),
            &codes,
            after.map(UserId::as_str) as Option<&str>,
            offset,
            limit
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        rows.into_iter()
            .map(|row| {
                Ok(MemberView {
                    user: UserId::from_stored(&row.user_id),
                    role: role(row.role)?,
                    joined_at: row.joined_at,
                    joined_seq: row.joined_seq,
                    name_card: row.name_card,
                    mute_until: row.mute_until,
                    custom_fields: custom_fields(row.custom_fields)?,
                })
            })
            .collect()
    }

    /// A page of a user's groups in byte order of their ids, and how many there are in all. `types`
    /// leaves out groups of other types.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    #[expect(clippy::too_many_lines, reason = "two statements and their columns")]
    pub async fn groups_of(
        &self,
        user: &UserId,
        types: &[GroupType],
        after: Option<&GroupId>,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<(GroupView, MemberView)>), Error> {
        let codes: Vec<i16> = types.iter().map(|one| one.code()).collect();
        let total = sqlx::query_scalar!(
            r#"select count(*) as "count!" from members m join groups g on g.group_id = m.group_id
                where m.user_id = $1 and m.left_seq is null and g.dismissed_at is null
                  and g.group_type = any($2::smallint[])"#,
            user.as_str(),
            &codes
        )
        .fetch_one(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        let rows = sqlx::query!(
            r#"select m.group_id, m.role, m.joined_at, m.joined_seq, m.name_card, m.mute_until,
                      m.custom_fields::text as member_fields, g.group_type, g.own_type, g.owner_id,
                      g.join_option, g.invite_option, g.max_members, g.mute_all, g.member_count,
                      g.pending_count, g.seq, g.created_at, p.name, p.introduction, p.notification,
                      p.face_url, p.custom_fields::text as custom_fields, p.changed_at
                 from members m
                 join groups g on g.group_id = m.group_id
                 join group_profiles p on p.group_id = m.group_id
                where m.user_id = $1 and m.left_seq is null and g.dismissed_at is null
                  and g.group_type = any($2::smallint[])
                  and ($3::text is null or m.group_id > $3)
                order by m.group_id offset $4 limit $5"#,
            user.as_str(),
            &codes,
            after.map(GroupId::as_str) as Option<&str>,
            offset,
            limit
        )
        .fetch_all(self.reads())
        .await
        .map_err(|error| unavailable(&error))?;
        let mut groups = Vec::with_capacity(rows.len());
        for row in rows {
            let member_role = role(row.role)?;
            let view = ViewRow {
                group_id: row.group_id,
                group_type: row.group_type,
                own_type: row.own_type,
                owner_id: row.owner_id,
                join_option: row.join_option,
                invite_option: row.invite_option,
                max_members: row.max_members,
                mute_all: row.mute_all,
                member_count: row.member_count,
                pending_count: row.pending_count,
                seq: row.seq,
                created_at: row.created_at,
                dismissed_at: None,
                name: row.name,
                introduction: row.introduction,
                notification: row.notification,
                face_url: row.face_url,
                custom_fields: row.custom_fields,
                changed_at: row.changed_at,
                role: Some(row.role),
                joined_seq: Some(row.joined_seq),
            };
            let view = GroupView::try_from(view).map_err(|error| unavailable(&error))?;
            let member = MemberView {
                user: user.clone(),
                role: member_role,
                joined_at: row.joined_at,
                joined_seq: row.joined_seq,
                name_card: row.name_card,
                mute_until: row.mute_until,
                custom_fields: custom_fields(row.member_fields)?,
            };
            groups.push((view, member));
        }
        Ok((total, groups))
    }
}
