//! Reading groups.

use sqlx::postgres::PgConnection;

use super::locks::GroupRow;
use super::together::{Question, deal};
use super::{Store, fields, unavailable, unknown_code};
use crate::model::{Error, Group, GroupId, Moment, Profile, Role, UserId};

/// A group as somebody sees it.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its row.
    pub group: Group,
    /// Its texts.
    pub profile: Profile,
    /// When the texts last changed.
    pub changed_at: Moment,
    /// The role of the person who looks, if he is a member.
    pub role: Option<Role>,
    /// Where his membership begins in the log.
    pub joined_seq: Option<i64>,
}

/// A group, and who looks at it.
pub(super) struct ViewOf {
    group: GroupId,
    reader: UserId,
}

impl Question for ViewOf {
    type Answer = Vec<ViewRow>;

    async fn ask(
        connection: &mut PgConnection,
        questions: &[&Self],
    ) -> Result<Vec<Vec<ViewRow>>, sqlx::Error> {
        let groups: Vec<&str> = questions.iter().map(|one| one.group.as_str()).collect();
        let readers: Vec<&str> = questions.iter().map(|one| one.reader.as_str()).collect();
        let rows = sqlx::query_as!(
            ViewRow,
            r#"select u.nr as "nr!", g.group_id, g.group_type, g.own_type, g.owner_id, g.join_option,
                      g.invite_option, g.max_members, g.mute_all, g.member_count, g.pending_count,
                      g.seq, g.created_at, g.dismissed_at, p.name, p.introduction, p.notification,
                      p.face_url, p.custom_fields::text as custom_fields, p.changed_at,
                      m.role as "role?", m.joined_seq as "joined_seq?"
                 from (select unnest($1::text[]) as group_id, unnest($2::text[]) as reader,
                              generate_subscripts($1::text[], 1)::bigint as nr) u
                cross join lateral (select * from groups x
                                     where x.group_id = u.group_id offset 0) g
                cross join lateral (select * from group_profiles x
                                     where x.group_id = u.group_id offset 0) p
                 left join lateral (select role, joined_seq from members x
                                     where x.group_id = u.group_id and x.user_id = u.reader
                                       and x.left_seq is null offset 0) m on true
                where g.dismissed_at is null"#,
            &groups as &[&str],
            &readers as &[&str]
        )
        .fetch_all(connection)
        .await?;
        Ok(deal(questions.len(), rows.into_iter().map(|row| (row.nr, row))))
    }
}

/// The columns of a view, with the number of the question.
pub(super) struct ViewRow {
    pub(super) nr: i64,
    pub(super) group_id: String,
    pub(super) group_type: i16,
    pub(super) own_type: Option<String>,
    pub(super) owner_id: Option<String>,
    pub(super) join_option: i16,
    pub(super) invite_option: i16,
    pub(super) max_members: Option<i32>,
    pub(super) mute_all: bool,
    pub(super) member_count: i32,
    pub(super) pending_count: i32,
    pub(super) seq: i64,
    pub(super) created_at: Moment,
    pub(super) dismissed_at: Option<Moment>,
    pub(super) name: String,
    pub(super) introduction: String,
    pub(super) notification: String,
    pub(super) face_url: String,
    pub(super) custom_fields: Option<String>,
    pub(super) changed_at: Moment,
    pub(super) role: Option<i16>,
    pub(super) joined_seq: Option<i64>,
}

impl TryFrom<ViewRow> for GroupView {
    type Error = sqlx::Error;

    fn try_from(row: ViewRow) -> Result<Self, Self::Error> {
        let role =
            row.role.map(|code| Role::from_code(code).ok_or_else(|| unknown_code("role", code)));
        Ok(Self {
            group: Group::try_from(GroupRow {
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
                dismissed_at: row.dismissed_at,
            })?,
            profile: Profile {
                name: row.name,
                introduction: row.introduction,
                notification: row.notification,
                face_url: row.face_url,
                custom_fields: fields::read(row.custom_fields)?,
            },
            changed_at: row.changed_at,
            role: role.transpose()?,
            joined_seq: row.joined_seq,
        })
    }
}

impl Store {
    /// Groups that exist, as this person sees them. Absent and dismissed ones are left out.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn group_views(
        &self,
        ids: &[GroupId],
        reader: &UserId,
    ) -> Result<Vec<GroupView>, Error> {
        let of = |id: &GroupId| ViewOf { group: id.clone(), reader: reader.clone() };
        let questions: Vec<ViewOf> = ids.iter().map(of).collect();
        let questions: Vec<&ViewOf> = questions.iter().collect();
        let rows = self.together.views.ask_all(&questions).await?;
        rows.into_iter().flatten().map(view).collect()
    }

    /// One group as this person sees it.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn group_view(
        &self,
        id: &GroupId,
        reader: &UserId,
    ) -> Result<Option<GroupView>, Error> {
        let question = ViewOf { group: id.clone(), reader: reader.clone() };
        self.together.views.ask(question).await?.pop().map(view).transpose()
    }
}

fn view(row: ViewRow) -> Result<GroupView, Error> {
    GroupView::try_from(row).map_err(|error| unavailable(&error))
}
