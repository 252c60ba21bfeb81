//! The list of all groups, for app administrators.

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::asked::{Asked, Query};
use super::openapi::{refuses, shapes};
use super::reply::{Answer, cut, ok, page, time};
use crate::http::App;
use crate::model::{Error, text};
use crate::store::lists::{ListedGroup, Place, type_key};

/// Longest text that is searched for: as long as a name can be.
const SEARCH_BYTES: usize = text::NAME_BYTES;

/// List all groups.
///
/// For app administrators: in the order of creation; with `search` those whose id begins so, then those whose name
/// does, without regard to case. A page of a search can be short, even empty: the end is where `next` is absent.
#[utoipa::path(
    get, path = "/groups", tag = "Groups",
    params(
        ("type" = Option<String>, Query), ("search" = Option<String>, Query),
        ("limit" = Option<i64>, Query), ("next" = Option<String>, Query)
    ),
    responses((status = 200, description = "A page of groups.", body = shapes::GroupPage,
        example = json!({ "groupList": [{
            "groupID": "other", "groupType": "Work", "groupName": "The others", "owner": "carol",
            "memberCount": 1, "maxMemberCount": 6000, "createTime": "2026-01-01T11:00:00.000Z", "seq": 1
        }, {
            "groupID": "team", "groupType": "Work", "groupName": "The team", "owner": "alice",
            "memberCount": 3, "maxMemberCount": 6000, "createTime": "2026-01-01T12:00:00.000Z", "seq": 2
        }] }))),
    extensions(("x-refuses" = json!(refuses![AdministratorsOnly])))
)]
pub async fn list_all_groups(State(app): State<App>, asked: Asked, query: Query) -> Answer {
    let query = query.only(&["type", "search", "limit", "next"], &[])?;
    if !asked.caller.administrator {
        let text = "only an app administrator lists all groups";
        return Err(Error::administrators_only(text).into());
    }
    let limit = query.limit()?;
    let wanted = query.get("type").map(|text| app.types.named("type", text)).transpose()?;
    let key =
        wanted.map(|rules| if rules.own { rules.name.to_string() } else { type_key(rules.base) });
    let next = query.get("next").map(Next::parse).transpose()?;
    let (groups, next) = match (query.get("search").filter(|search| !search.is_empty()), next) {
        (None, None) => in_order(&app, key.as_deref(), 0, limit).await?,
        (None, Some(Next::Number(after))) => in_order(&app, key.as_deref(), after, limit).await?,
        (Some(search), None) => found(&app, search, key.as_deref(), None, limit).await?,
        (Some(search), Some(Next::Place(place))) => {
            found(&app, search, key.as_deref(), Some(place), limit).await?
        }
        _ => return Err(foreign().into()),
    };
    let lines = groups.iter().map(line).collect();
    Ok(ok(page("groupList", lines, next.map(|next| next.show()))))
}

/// Groups of a page, and where the next one begins.
type Page = (Vec<ListedGroup>, Option<Next>);

async fn in_order(app: &App, key: Option<&str>, after: i64, limit: i64) -> Result<Page, Error> {
    let mut groups = app.store.all_groups(key, after, limit + 1).await?;
    let next = cut(&mut groups, limit).map(|last| Next::Number(last.number));
    Ok((groups, next))
}

async fn found(
    app: &App,
    search: &str,
    key: Option<&str>,
    after: Option<Place>,
    limit: i64,
) -> Result<Page, Error> {
    text::check_line("search", search, SEARCH_BYTES)?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let (groups, place) = app.store.find_groups(search, key, after, limit).await?;
    Ok((groups, place.map(Next::Place)))
}

fn line(group: &ListedGroup) -> Value {
    json!({
        "groupID": group.id,
        "groupType": group.own_type.as_deref().unwrap_or(group.group_type.word()),
        "groupName": group.name,
        "owner": group.owner,
        "memberCount": group.member_count,
        "maxMemberCount": group.max_members,
        "createTime": time(group.created_at),
        "seq": group.seq,
    })
}

/// Where the next page begins.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// After the group of this number.
    Number(i64),
    /// At this place of a search.
    Place(Place),
}

fn foreign() -> Error {
    Error::parameter("next", "is not what an earlier page of this list said")
}

impl Next {
    fn show(&self) -> String {
        let text = match self {
            Self::Number(number) => format!("n{number}"),
            Self::Place(Place::Id(id)) => format!("i{id}"),
            // An id has no line feed.
            Self::Place(Place::Name(name, id)) => format!("t{id}\n{name}"),
        };
        URL_SAFE_NO_PAD.encode(text)
    }

    fn parse(text: &str) -> Result<Self, Error> {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| foreign())?;
        let text = String::from_utf8(bytes).map_err(|_| foreign())?;
        if text.contains('\0') {
            return Err(foreign());
        }
        let parsed = if let Some(number) = text.strip_prefix('n') {
            number.parse().ok().map(Self::Number)
        } else if let Some(id) = text.strip_prefix('i') {
            Some(Self::Place(Place::Id(id.to_owned())))
        } else {
            let parts = text.strip_prefix('t').and_then(|rest| rest.split_once('\n'));
            parts.map(|(id, name)| Self::Place(Place::Name(name.to_owned(), id.to_owned())))
        };
        parsed.ok_or_else(foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_shown() {
        for next in [
            Next::Number(1),
            Next::Number(i64::MAX),
            Next::Place(Place::Id("a group".into())),
            Next::Place(Place::Id(String::new())),
            Next::Place(Place::Name("ein naïver name\n".into(), "g~".into())),
            Next::Place(Place::Name(String::new(), String::new())),
        ] {
            let shown = next.show();
            assert!(shown.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)));
            assert_eq!(Next::parse(&shown).expect("a place"), next);
        }
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        for foreign in ["", "12", "===", "é"] {
            assert!(Next::parse(foreign).is_err(), "{foreign}");
        }
        for foreign in ["n", "n1x", "n99999999999999999999", "i\0", "tx", "x1", ""] {
            assert!(Next::parse(&encode(foreign)).is_err(), "{foreign:?}");
        }
    }
}
