//! Who asks, and what the request line and headers say: credential, ids in the path, query, idempotency key.

use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use sha2::{Digest, Sha256};

use super::problem::Problem;
use crate::http::App;
use crate::model::{
    ApplicationId, Caller, Command, Error, GroupId, IdempotencyKey, Operation, Reason, Reply,
    UserId,
};

/// Most items of a page.
pub(super) const PAGE_MOST: i64 = 1_000;
/// Items of a page when nobody says how many.
pub(super) const PAGE_USUAL: i64 = 100;
/// Longest idempotency key.
pub(super) const KEY_BYTES: usize = 255;

/// The bearer token of a request.
///
/// # Errors
/// [`Reason::TokenMissing`] without one, [`Reason::TokenMalformed`] when the header is something else.
pub fn bearer(headers: &HeaderMap) -> Result<&str, Error> {
    let missing = || {
        let text = "no credential: send Authorization: Bearer TOKEN";
        Error::new(Reason::TokenMissing, text).field("Authorization")
    };
    let malformed = || {
        let text = "the Authorization header is not of the form: Bearer TOKEN";
        Error::new(Reason::TokenMalformed, text).field("Authorization")
    };
    let value = headers.get(header::AUTHORIZATION).ok_or_else(missing)?;
    let value = value.to_str().map_err(|_| malformed())?;
    if value.is_empty() {
        return Err(missing());
    }
    // Blanks at the end of a header are gone before it comes here, and with them an empty token's.
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    let token = token.trim();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(malformed());
    }
    if token.is_empty() { Err(missing()) } else { Ok(token) }
}

/// An authenticated request: the caller, and what makes a repetition of it recognisable.
pub struct Asked {
    /// Who asks.
    pub caller: Caller,
    method_and_uri: String,
    key: Option<String>,
}

impl FromRequestParts<App> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let token = bearer(&parts.headers)?;
        let credential = app.auth.authenticate(token, chrono::Utc::now()).await?;
        let caller = credential.caller;
        if !caller.administrator {
            app.rate.check(&caller.user)?;
        }
        // A key is checked wherever it stands, and counts for a POST: other methods may be repeated anyway.
        let key = idempotency_key(&parts.headers)?.filter(|_| parts.method == Method::POST);
        let uri = parts
            .extensions
            .get::<axum::extract::OriginalUri>()
            .map_or_else(|| parts.uri.to_string(), |original| original.0.to_string());
        Ok(Self { caller, method_and_uri: format!("{} {uri}", parts.method), key })
    }
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Error> {
    const NAME: &str = "Idempotency-Key";
    let mut values = headers.get_all("idempotency-key").iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Error::parameter(NAME, "stands more than once"));
    }
    let text = value
        .to_str()
        .map_err(|_| Error::parameter(NAME, "has a character outside printable ASCII"))?;
    if text.is_empty() {
        return Err(Error::parameter(NAME, "is empty"));
    }
    if text.len() > KEY_BYTES {
        let rule = format!("has {} bytes, at most {KEY_BYTES} are allowed", text.len());
        return Err(Error::parameter(NAME, rule).limit(KEY_BYTES).current(text.len()));
    }
    Ok(Some(text.to_owned()))
}

impl Asked {
    /// The command that this request stands for. `body` is its body as it came.
    #[must_use]
    pub fn command(self, operation: Operation, body: &[u8]) -> Command {
        let idempotency = self.key.as_ref().map(|key| {
            let mut scope = Sha256::new();
            for part in [self.caller.user.as_str(), &self.method_and_uri, key] {
                scope.update(part.len().to_be_bytes());
                scope.update(part.as_bytes());
            }
            IdempotencyKey { scope: scope.finalize().into(), body: Sha256::digest(body).into() }
        });
        Command { caller: self.caller, operation, idempotency }
    }

    /// Has the engine do it, or with `dry_run` only say what it would do. `body` is the request's as it
    /// came.
    ///
    /// # Errors
    /// The refusal.
    pub async fn perform(
        self,
        app: &App,
        operation: Operation,
        body: &[u8],
        dry_run: bool,
    ) -> Result<Reply, Error> {
        let command = self.command(operation, body);
        if dry_run { app.engine.preview(command).await } else { app.engine.submit(command).await }
    }

    /// The user of a path: himself for `me`.
    ///
    /// # Errors
    /// [`Reason::InvalidUserId`].
    pub fn user(&self, app: &App, text: &str) -> Result<UserId, Error> {
        if text == "me" {
            return Ok(self.caller.user.clone());
        }
        UserId::parse(text, app.limits.user_id_bytes, "userID")
    }
}

/// The one id in a path, percent-decoded.
pub struct InPath(pub String);

impl FromRequestParts<App> for InPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, app).await {
            Ok(Path(text)) => Ok(Self(text)),
            Err(rejection) => Err(not_utf8(&rejection).into()),
        }
    }
}

/// The refusal of an id whose bytes are no text: the same as that of any other impossible id.
fn not_utf8(rejection: &PathRejection) -> Error {
    let key = match rejection {
        PathRejection::FailedToDeserializePathParams(failed) => match failed.kind() {
            ErrorKind::InvalidUtf8InPathParam { key } => key.as_str(),
            _ => "",
        },
        _ => "",
    };
    let (reason, field) = match key {
        "groupID" => (Reason::InvalidGroupId, "groupID"),
        "userID" => (Reason::InvalidUserId, "userID"),
        _ => (Reason::InvalidParameter, "applicationID"),
    };
    Error::new(reason, format!("{field} is not percent-encoded UTF-8")).field(field)
}

impl InPath {
    /// The id of a group.
    ///
    /// # Errors
    /// [`Reason::InvalidGroupId`].
    pub fn group(&self) -> Result<GroupId, Error> {
        GroupId::parse(&self.0, "groupID")
    }

    /// The id of an application.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`].
    pub fn application(&self) -> Result<ApplicationId, Error> {
        ApplicationId::try_parse(&self.0)
            .map_err(|_| Error::parameter("applicationID", "is not a UUID"))
    }
}

/// The ids of a path about one person in one group, percent-decoded.
pub struct MemberPath {
    group: String,
    user: String,
}

impl FromRequestParts<App> for MemberPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match Path::<(String, String)>::from_request_parts(parts, app).await {
            Ok(Path((group, user))) => Ok(Self { group, user }),
            Err(rejection) => Err(not_utf8(&rejection).into()),
        }
    }
}

impl MemberPath {
    /// The group, and the person: the caller himself for `me`.
    ///
    /// # Errors
    /// [`Reason::InvalidGroupId`] or [`Reason::InvalidUserId`].
    pub fn ids(&self, app: &App, asked: &Asked) -> Result<(GroupId, UserId), Error> {
        Ok((GroupId::parse(&self.group, "groupID")?, asked.user(app, &self.user)?))
    }
}

/// The query of a request, of which every name must be known.
pub struct Query(Vec<(String, String)>);

impl FromRequestParts<App> for Query {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let text = parts.uri.query().unwrap_or_default().as_bytes();
        let pairs = url::form_urlencoded::parse(text);
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }
}

impl Query {
    /// Refuses names that the route does not know, and repetitions of those that may stand once.
    ///
    /// # Errors
    /// [`Reason::UnknownField`] or [`Reason::InvalidParameter`].
    pub fn only(self, once: &[&str], often: &[&str]) -> Result<Self, Error> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if often.contains(&name.as_str()) {
                continue;
            }
            if !once.contains(&name.as_str()) {
                let shown: String = name.chars().take(40).collect();
                let text = format!("the query parameter {shown:?} is unknown");
                return Err(Error::new(Reason::UnknownField, text).field(&shown));
            }
            if self.0[..index].iter().any(|(earlier, _)| earlier == name) {
                return Err(Error::parameter(name, "stands more than once in the query"));
            }
        }
        Ok(self)
    }

    /// Refuses everything but `dryRun`, and says whether it is asked for: whether the call is only to be
    /// answered, and nothing changed.
    ///
    /// # Errors
    /// [`Reason::UnknownField`] or [`Reason::InvalidParameter`].
    pub fn dry_run(self) -> Result<bool, Error> {
        self.only(&["dryRun"], &[])?.flag("dryRun")
    }

    /// The value of a name, if it is there.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// `true` or `false`, absent is `false`.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`].
    pub fn flag(&self, name: &str) -> Result<bool, Error> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::parameter(name, "must be true or false")),
        }
    }

    /// How many items a page has.
    ///
    /// # Errors
    /// [`Reason::InvalidParameter`].
    pub fn limit(&self) -> Result<i64, Error> {
        let Some(text) = self.get("limit") else { return Ok(PAGE_USUAL) };
        match text.parse::<i64>() {
            Ok(limit) if (1..=PAGE_MOST).contains(&limit) => Ok(limit),
            _ => Err(Error::parameter("limit", format!("must be a number from 1 to {PAGE_MOST}"))
                .limit(PAGE_MOST)),
        }
    }
}
