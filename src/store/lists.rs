//! Lists of all groups, for administrators: in the order of creation, or found by the beginning of the id
//! or of the name.
//!
//! Every page is read by ranges of an index from the place where the page before it ended, so that it
//! costs the same at the beginning and at the end, however many groups there are. Where an index knows
//! less than the question (a search within one type, groups that were dismissed) no more than
//! [`LOOKED_AT`] groups are looked at for one page: it is shorter then, and says where to go on. What
//! belongs to a row of a page is fetched by key, one by one (`offset 0` keeps PostgreSQL from joining
//! whole tables instead).

use super::{Store, unavailable, unknown_code};
use crate::model::{Error, GroupId, GroupType, Moment};

/// Most groups that are looked at for one page of a search.
const LOOKED_AT: usize = 10_000;
/// Groups that are read at a time where many do not fit.
const CHUNK: usize = 1_000;

/// A group as lists of all groups show it.
#[derive(Clone, Debug)]
pub struct ListedGroup {
    /// The id.
    pub id: GroupId,
    /// The type.
    pub group_type: GroupType,
    /// The type of the operator's own, if it is of one.
    pub own_type: Option<String>,
    /// The name.
    pub name: String,
    /// The owner.
    pub owner: Option<String>,
    /// How many members there are.
    pub member_count: i32,
    /// Most members.
    pub max_members: Option<i32>,
    /// When it was created.
    pub created_at: Moment,
    /// The number of the newest event.
    pub seq: i64,
    /// Its place in the order of creation.
    pub number: i64,
    /// The name as searches compare it.
    folded_name: String,
    dismissed: bool,
}

impl ListedGroup {
    /// What the index of types knows it by.
    fn type_key(&self) -> String {
        self.own_type.clone().unwrap_or_else(|| type_key(self.group_type))
    }

    /// Where a search goes on after it.
    fn place(&self, among_names: bool) -> Place {
        let id = self.id.to_string();
        if among_names { Place::Name(self.folded_name.clone(), id) } else { Place::Id(id) }
    }
}

fn without_places(found: Vec<(ListedGroup, Place)>) -> Vec<ListedGroup> {
    found.into_iter().map(|(group, _)| group).collect()
}

/// A name as searches compare it: in lower case, as Unicode has it.
#[must_use]
pub(super) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// What the index of types knows the groups of a type by.
#[must_use]
pub fn type_key(group_type: GroupType) -> String {
    group_type.code().to_string()
}

/// Where a search goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Among those whose id begins so, after this id.
    Id(String),
    /// Among those whose name begins so, after this name (as searches compare it) and id.
    Name(String, String),
}

struct Row {
    group_id: String,
    group_type: i16,
    own_type: Option<String>,
    owner_id: Option<String>,
    member_count: i32,
    max_members: Option<i32>,
    created_at: Moment,
    dismissed_at: Option<Moment>,
    seq: i64,
    number: i64,
    name: String,
    folded_name: String,
}

impl TryFrom<Row> for ListedGroup {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, Self::Error> {
        Ok(Self {
            id: GroupId::from_stored(&row.group_id),
            group_type: GroupType::from_code(row.group_type)
                .ok_or_else(|| unknown_code("group type", row.group_type))?,
            own_type: row.own_type,
            name: row.name,
            owner: row.owner_id,
            member_count: row.member_count,
            max_members: row.max_members,
            created_at: row.created_at,
            seq: row.seq,
            number: row.number,
            folded_name: row.folded_name,
            dismissed: row.dismissed_at.is_some(),
        })
    }
}

fn listed(rows: Result<Vec<Row>, sqlx::Error>) -> Result<Vec<ListedGroup>, Error> {
    rows.and_then(|rows| rows.into_iter().map(ListedGroup::try_from).collect())
        .map_err(|error| unavailable(&error))
}

impl Store {
    /// A page of all groups, or of all of one type, in the order of creation after this number.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn all_groups(
        &self,
        type_key: Option<&str>,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ListedGroup>, Error> {
        let Some(key) = type_key else {
            let rows = sqlx::query_as!(
                Row,
                r#"select g.group_id, g.group_type, g.own_type, g.owner_id, g.member_count,
                          g.max_members, g.created_at, g.dismissed_at, g.seq, g.number,
                          p.name, '' as "folded_name!"
                     from (select * from groups where dismissed_at is null and number > $1
                            order by number limit $2) g
                    cross join lateral (select name from group_profiles x
                                         where x.group_id = g.group_id offset 0) p
                    order by g.number"#,
                after,
                limit
            )
            .fetch_all(self.lists())
            .await;
            return listed(rows);
        };
        let rows = sqlx::query_as!(
            Row,
            r#"select g.group_id, g.group_type, g.own_type, g.owner_id, g.member_count,
                      g.max_members, g.created_at, g.dismissed_at, g.seq, g.number,
                      p.name, '' as "folded_name!"
                 from (select * from groups where dismissed_at is null and number > $1
                          and coalesce(own_type, group_type::text) = $3
                        order by number limit $2) g
                cross join lateral (select name from group_profiles x
                                     where x.group_id = g.group_id offset 0) p
                order by g.number"#,
            after,
            limit,
            key
        )
        .fetch_all(self.lists())
        .await;
        listed(rows)
    }

    /// How many groups there are, of all types or of one. Counts the entries of an index.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn count_groups(&self, type_key: Option<&str>) -> Result<i64, Error> {
        let count = match type_key {
            None => {
                sqlx::query_scalar!(
                    r#"select count(*) as "count!" from groups where dismissed_at is null"#
                )
                .fetch_one(self.lists())
                .await
            }
            Some(key) => {
                sqlx::query_scalar!(
                    r#"select count(*) as "count!" from groups
                        where dismissed_at is null and coalesce(own_type, group_type::text) = $1"#,
                    key
                )
                .fetch_one(self.lists())
                .await
            }
        };
        count.map_err(|error| unavailable(&error))
    }

    /// A page of the groups whose id begins with this text, and after them of those whose name does,
    /// without regard to case; `type_key` leaves out groups of other types. The page may be shorter than
    /// asked for and still go on at the place that is returned with it.
    ///
    /// # Errors
    /// [`crate::model::Reason::Unavailable`] while the database is away.
    pub async fn find_groups(
        &self,
        search: &str,
        type_key: Option<&str>,
        after: Option<Place>,
        limit: usize,
    ) -> Result<(Vec<ListedGroup>, Option<Place>), Error> {
        let mut found: Vec<(ListedGroup, Place)> = Vec::new();
        let mut place = after.unwrap_or_else(|| Place::Id(String::new()));
        let mut left = LOOKED_AT;
        while left > 0 {
            // One more than the page holds tells whether anything comes after it.
            let missing = limit + 1 - found.len();
            let chunk = if left == LOOKED_AT { missing } else { CHUNK.max(missing) }.min(left);
            let read = match &place {
                Place::Id(after) => self.groups_by_id(search, after, chunk).await?,
                Place::Name(name, id) => self.groups_by_name(search, name, id, chunk).await?,
            };
            left -= chunk;
            let ended = read.len() < chunk;
            let among_names = matches!(place, Place::Name(..));
            for group in read {
                place = group.place(among_names);
                // Those whose id begins so came before those whose name does.
                let again = among_names && group.id.as_str().starts_with(search);
                let fits = type_key.is_none_or(|key| group.type_key() == key);
                if fits && !again && !group.dismissed {
                    found.push((group, place.clone()));
                }
            }
            if found.len() > limit {
                found.truncate(limit);
                let next = found.last().map(|(_, place)| place.clone());
                return Ok((without_places(found), next));
            }
            if ended && among_names {
                return Ok((without_places(found), None));
            }
            if ended {
                place = Place::Name(String::new(), String::new());
            }
        }
        Ok((without_places(found), Some(place)))
    }

    /// Groups, dismissed ones too, whose id begins so, after an id.
    async fn groups_by_id(
        &self,
        search: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<ListedGroup>, Error> {
        // Ids are printable ASCII: none has a byte above 0x7E.
        let end = format!("{search}\u{7f}");
        let rows = sqlx::query_as!(
            Row,
            r#"select g.group_id, g.group_type, g.own_type, g.owner_id, g.member_count,
                      g.max_members, g.created_at, g.dismissed_at, g.seq, g.number,
                      p.name, '' as "folded_name!"
                 from (select * from groups
                        where group_id >= $1 and group_id > $2 and group_id < $3
                        order by group_id limit $4) g
                cross join lateral (select name from group_profiles x
                                     where x.group_id = g.group_id offset 0) p
                order by g.group_id"#,
            search,
            after,
            end,
            i64::try_from(limit).unwrap_or(i64::MAX)
        )
        .fetch_all(self.lists())
        .await;
        listed(rows)
    }

    /// Groups, dismissed ones too, whose name begins so, after a name and an id.
    async fn groups_by_name(
        &self,
        search: &str,
        name: &str,
        id: &str,
        limit: usize,
    ) -> Result<Vec<ListedGroup>, Error> {
        let search = folded(search);
        // The last character there is: whatever a name goes on with comes before it.
        let end = format!("{search}\u{10ffff}");
        let rows = sqlx::query_as!(
            Row,
            r#"select g.group_id, g.group_type, g.own_type, g.owner_id, g.member_count,
                      g.max_members, g.created_at, g.dismissed_at, g.seq, g.number,
                      p.name, p.folded_name as "folded_name!"
                 from (select x.group_id, x.name, x.folded_name
                         from group_profiles x
                        where (x.folded_name, x.group_id)
                              > (greatest($2::text collate "C", $1::text collate "C"), $3::text)
                          and x.folded_name < $4::text
                        order by x.folded_name, x.group_id limit $5) p
                cross join lateral (select * from groups x
                                     where x.group_id = p.group_id offset 0) g
                order by p.folded_name, p.group_id"#,
            search,
            name,
            id,
            end,
            i64::try_from(limit).unwrap_or(i64::MAX)
        )
        .fetch_all(self.lists())
        .await;
        listed(rows)
    }
}
