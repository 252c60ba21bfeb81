//! Reading the groups of a user.

use sqlx::postgres::PgConnection;

use super::groups::{GroupView, ViewRow};
use super::members::{MemberView, custom_fields, mask, role};
use super::together::{Question, deal, weight_of};
use super::{Store, unavailable};
use crate::model::{Error, GroupId, GroupType, Moment, UserId};

/// A page of a user's groups in the order of their ids.
pub(super) struct JoinedOf {
    user: UserId,
    types: i32,
    after: Option<GroupId>,
    offset: i64,
    limit: i64,
}

/// A group of somebody's, and his membership.
pub(super) struct JoinedRow {
    view: ViewRow,
    role: i16,
    joined_at: Moment,
    name_card: String,
    mute_until: Option<Moment>,
    member_fields: Option<String>,
}

impl Question for JoinedOf {
    type Answer = Vec<JoinedRow>;

    fn weight(&self) -> usize {
        weight_of(self.offset + self.limit)
    }

    #[expect(clippy::too_many_lines, reason = "one statement and its columns")]
    async fn ask(
        connection: &mut PgConnection,
        questions: &[&Self],
    ) -> Result<Vec<Vec<JoinedRow>>, sqlx::Error> {
        let users: Vec<&str> = questions.iter().map(|one| one.user.as_str()).collect();
        let types: Vec<i32> = questions.iter().map(|one| one.types).collect();
        let after = |one: &&Self| one.after.as_ref().map_or("", GroupId::as_str).to_owned();
        let after: Vec<String> = questions.iter().map(after).collect();
        let offsets: Vec<i64> = questions.iter().map(|one| one.offset).collect();
        let limits: Vec<i64> = questions.iter().map(|one| one.limit).collect();
        let rows = sqlx::query!(
            r#"select u.nr as "nr!", m.group_id, m.role, m.joined_at, m.joined_seq, m.name_card,
                      m.mute_until, m.member_fields, m.group_type, m.own_type, m.owner_id,
                      m.join_option, m.invite_option, m.max_members, m.mute_all, m.member_count,
                      m.pending_count, m.seq, m.created_at, p.name, p.introduction, p.notification,
                      p.face_url, p.custom_fields::text as custom_fields, p.changed_at
                 from (select unnest($1::text[]) as user_id, unnest($2::integer[]) as types,
                              unnest($3::text[]) as after, unnest($4::bigint[]) as skipped,
                              unnest($5::bigint[]) as most,
                              generate_subscripts($1::text[], 1)::bigint as nr) u
                cross join lateral (
                      select x.group_id, x.role, x.joined_at, x.joined_seq, x.name_card,
                             x.mute_until, x.custom_fields::text as member_fields, g.group_type,
                             g.own_type, g.owner_id, g.join_option, g.invite_option, g.max_members,
                             g.mute_all, g.member_count, g.pending_count, g.seq, g.created_at
                        from members x
                       cross join lateral (select * from groups y
                                            where y.group_id = x.group_id offset 0) g
                       where x.user_id = u.user_id and x.left_seq is null
                         and x.group_id > u.after and g.dismissed_at is null
                         and u.types & (1 << g.group_type) <> 0
                       order by x.group_id offset u.skipped limit u.most) m
                cross join lateral (select * from group_profiles x
                                     where x.group_id = m.group_id offset 0) p"#,
            &users as &[&str],
            &types,
            &after,
            &offsets,
            &limits
        )
        .fetch_all(connection)
        .await?;
        let rows = rows.into_iter().map(|row| {
            let joined = JoinedRow {
                view: ViewRow {
                    nr: row.nr,
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
                },
                role: row.role,
                joined_at: row.joined_at,
                name_card: row.name_card,
                mute_until: row.mute_until,
                member_fields: row.member_fields,
            };
            (row.nr, joined)
        });
        Ok(deal(questions.len(), rows))
    }
}

/// A group of somebody's with his membership in it.
pub type Joined = (GroupView, MemberView);

impl Store {
    /// A page of a user's groups in byte order of their ids, and how many there are in all. `types`
    /// leaves out groups of other types.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn groups_of(
        &self,
        user: &UserId,
        types: &[GroupType],
        after: Option<&GroupId>,
        offset: i64,
        limit: i64,
    ) -> Result<(i64, Vec<Joined>), Error> {
        let question = JoinedOf {
            user: user.clone(),
            types: mask(types.iter().map(|one| one.code())),
            after: after.cloned(),
            offset,
            limit,
        };
        let mut rows = self.together.joined.ask(question).await?;
        rows.sort_by(|one, other| one.view.group_id.cmp(&other.view.group_id));
        // Whoever sees all of them from the first to the last need not have them counted.
        let shown = i64::try_from(rows.len()).unwrap_or(i64::MAX);
        let total = if after.is_none() && offset == 0 && shown < limit {
            shown
        } else {
            self.group_count(user, types).await?
        };
        let groups = rows.into_iter().map(|row| {
            let view = GroupView::try_from(row.view).map_err(|error| unavailable(&error))?;
            let member = MemberView {
                user: user.clone(),
                role: role(row.role)?,
                joined_at: row.joined_at,
                name_card: row.name_card,
                mute_until: row.mute_until,
                custom_fields: custom_fields(row.member_fields)?,
            };
            Ok((view, member))
        });
        Ok((total, groups.collect::<Result<_, Error>>()?))
    }

    async fn group_count(&self, user: &UserId, types: &[GroupType]) -> Result<i64, Error> {
        let codes: Vec<i16> = types.iter().map(|one| one.code()).collect();
        sqlx::query_scalar!(
            r#"select count(*) as "count!" from members m join groups g on g.group_id = m.group_id
                where m.user_id = $1 and m.left_seq is null and g.dismissed_at is null
                  and g.group_type = any($2::smallint[])"#,
            user.as_str(),
            &codes
        )
        .fetch_one(self.reads())
        .await
        .map_err(|error| unavailable(&error))
    }
}
