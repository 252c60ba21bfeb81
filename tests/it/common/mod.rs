//! What the tests share: one PostgreSQL for the run, a database and a server for each test, clients.

pub(crate) mod cluster;
pub(crate) mod commands;
pub(crate) mod contract;
pub(crate) mod faulty;
pub(crate) mod frames;
pub(crate) mod held;
pub(crate) mod judge;
pub(crate) mod nats;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod socket;
pub(crate) mod wire;

use std::time::{Duration, Instant};

use chrono::Utc;
use muster::auth::{SecretKey, jwt, usersig};
use muster::config::Config;
use muster::model::UserId;
use reqwest::Method;
use serde_json::Value;
use sqlx::postgres::{PgPool, PgPoolOptions};

pub(crate) use socket::Socket;

/// The app administrator of every test server.
pub(crate) const ADMIN: &str = "administrator";
/// The key of every test server.
pub(crate) const KEY: &str = "a key for tests, of enough bytes";
/// The app of every test server.
pub(crate) const APP: u64 = 1_400_000_000;

/// A server in this process, with a database of its own.
pub(crate) struct Server {
    inner: Option<muster::server::Server>,
    http: reqwest::Client,
    database: String,
    url: String,
    ops: String,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// `data` of an answer that must be a success.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{self:?}");
        assert_eq!(self.body["code"], 0, "{self:?}");
        self.body["data"].clone()
    }

    /// Checks a refusal: status, code and reason.
    #[track_caller]
    pub(crate) fn refused(self, status: u16, code: i64, reason: &str) -> Value {
        let found = (self.status, self.body["code"].as_i64(), self.body["data"]["reason"].as_str());
        assert_eq!(found, (status, Some(code), Some(reason)), "{self:?}");
        self.body["data"].clone()
    }
}

/// The members and results of an invite's or a kick's data, in order.
pub(crate) fn results(data: &Value) -> Vec<(String, i64)> {
    let lines = data.as_array().expect("a list of results");
    lines
        .iter()
        .map(|line| {
            let member = line["memberID"].as_str().expect("memberID").to_owned();
            (member, line["result"].as_i64().expect("result"))
        })
        .collect()
}

/// A token of a user, valid for this long.
pub(crate) fn jwt_of(user: &str, seconds: u32) -> String {
    let user = UserId::from_stored(user);
    jwt::sign_hs256(&SecretKey::new(KEY), &user, Utc::now(), seconds).expect("a JWT")
}

/// The settings of a server with a settings file of this text.
fn config_of(database: &str, text: &str) -> Config {
    let file = process::Directory::new("settings");
    std::fs::create_dir_all(file.path()).expect("a directory");
    let path = file.path().join("muster.toml");
    std::fs::write(&path, text).expect("a file");
    let pairs = [
        ("MUSTER_LISTEN", "127.0.0.1:0"),
        ("MUSTER_OPS_LISTEN", "127.0.0.1:0"),
        ("DATABASE_URL", database),
        ("MUSTER_SECRET_KEY", KEY),
        ("MUSTER_LANES", "2"),
    ];
    Config::for_tests_with_file(path, pairs).expect("settings of a test")
}

#[expect(clippy::unused_self, reason = "a token is a server's, also where all have one key")]
impl Server {
    /// A server with the default settings.
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    /// A server with settings.
    pub(crate) async fn with(settings: &[(&str, &str)]) -> Self {
        Self::on(&cluster::fresh_database().await, settings).await
    }

    /// A server on a database that exists, perhaps beside another one.
    pub(crate) async fn on(database: &str, settings: &[(&str, &str)]) -> Self {
        let mut pairs = vec![
            ("MUSTER_LISTEN", "127.0.0.1:0"),
            ("MUSTER_OPS_LISTEN", "127.0.0.1:0"),
            ("DATABASE_URL", database),
            ("MUSTER_SECRET_KEY", KEY),
            ("MUSTER_RATE_PER_USER", "100000"),
            ("MUSTER_LANES", "2"),
            ("MUSTER_READERS", "4"),
        ];
        pairs.retain(|(name, _)| !settings.iter().any(|(given, _)| given == name));
        pairs.extend_from_slice(settings);
        Self::of(database, Config::for_tests(pairs).expect("settings of a test")).await
    }

    /// A server with a settings file of this text.
    pub(crate) async fn with_file(database: &str, text: &str) -> Self {
        Self::of(database, config_of(database, text)).await
    }

    /// Why a server with a settings file of this text does not start.
    pub(crate) async fn start_error(database: &str, text: &str) -> String {
        match muster::server::Server::start(config_of(database, text)).await {
            Err(error) => format!("{error:#}"),
            Ok(server) => {
                server.stop().await.expect("a stop");
                panic!("it started")
            }
        }
    }

    async fn of(database: &str, config: Config) -> Self {
        let inner = muster::server::Server::start(config).await.expect("a server");
        Self {
            http: reqwest::Client::new(),
            database: database.to_owned(),
            url: format!("http://{}", inner.address()),
            ops: format!("http://{}", inner.ops_address()),
            inner: Some(inner),
        }
    }

    /// A second server on the same database.
    pub(crate) async fn beside(&self) -> Self {
        Self::on(&self.database, &[]).await
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn ops_url(&self) -> &str {
        &self.ops
    }

    pub(crate) fn database_url(&self) -> &str {
        &self.database
    }

    /// A UserSig.
    pub(crate) fn usersig(&self, user: &str) -> String {
        let user = UserId::from_stored(user);
        usersig::sign(&SecretKey::new(KEY), APP, &user, Utc::now(), 86_400, None)
            .expect("a UserSig")
    }

    /// A token for the Authorization header.
    pub(crate) fn token(&self, user: &str) -> String {
        jwt_of(user, 86_400)
    }

    /// A look into the database, with few connections: those of all tests that run share one PostgreSQL.
    pub(crate) async fn db(&self) -> PgPool {
        pool(&self.database, 4).await
    }

    /// A look into the database with a single connection, for tests with many servers.
    pub(crate) async fn narrow_db(&self) -> PgPool {
        pool(&self.database, 1).await
    }

    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(mut self) {
        if let Some(inner) = self.inner.take() {
            inner.stop().await.expect("an orderly stop");
        }
    }

    /// A request with everything said.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Answer {
        let request = self.http.request(method.clone(), format!("{}{path}", self.url));
        let mut request = request.body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.expect("a body");
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        contract::check(method.as_str(), path, status, &body);
        Answer { status, headers, body }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        user: &str,
        path: &str,
        body: Option<Value>,
    ) -> Answer {
        let bearer = format!("Bearer {}", self.token(user));
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        self.send(method, path, &[("authorization", &bearer)], body).await
    }

    pub(crate) async fn get(&self, user: &str, path: &str) -> Answer {
        self.call(Method::GET, user, path, None).await
    }

    pub(crate) async fn post(&self, user: &str, path: &str, body: Value) -> Answer {
        self.call(Method::POST, user, path, Some(body)).await
    }

    pub(crate) async fn put(&self, user: &str, path: &str, body: Value) -> Answer {
        self.call(Method::PUT, user, path, Some(body)).await
    }

    pub(crate) async fn patch(&self, user: &str, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, user, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, user: &str, path: &str) -> Answer {
        self.call(Method::DELETE, user, path, None).await
    }

    /// Makes a group and returns its id.
    pub(crate) async fn group(
        &self,
        owner: &str,
        id: &str,
        group_type: &str,
        more: Value,
    ) -> String {
        let mut body = serde_json::json!({
            "groupID": id, "groupType": group_type, "groupName": "a group of a test"
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name.as_str()] = value.clone();
        }
        self.post(owner, "/v1/groups", body).await.ok()["groupID"]
            .as_str()
            .expect("groupID")
            .to_owned()
    }

    /// A command of the Tencent face by the administrator.
    pub(crate) async fn v4(&self, command: &str, body: Value) -> Value {
        self.v4_as(ADMIN, command, body).await
    }

    /// A command of the Tencent face by anybody.
    pub(crate) async fn v4_as(&self, user: &str, command: &str, body: Value) -> Value {
        let usersig = self.usersig(user);
        let path = format!(
            "/v4/{command}?sdkappid={APP}&identifier={user}&usersig={usersig}&random=1&contenttype=json"
        );
        let (status, body) = self.v4_raw(&path, body.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{command}: {body}");
        body
    }

    /// Anything sent to the Tencent face.
    pub(crate) async fn v4_raw(&self, path: &str, body: &[u8]) -> (u16, Value) {
        let answer = self.send(Method::POST, path, &[], body.to_vec()).await;
        (answer.status, answer.body)
    }

    /// A socket of a user after `ready`.
    pub(crate) async fn ws(&self, user: &str) -> Socket {
        Socket::open(&self.url, &self.token(user)).await
    }

    /// A socket that has said nothing yet.
    pub(crate) async fn raw_ws(&self) -> socket::Stream {
        socket::connect(&self.url).await
    }

    /// Checks what must hold in every database: numbers without holes, counters equal to rows.
    pub(crate) async fn check_invariants(&self) {
        check_invariants(&self.database).await;
    }
}

async fn pool(database: &str, most: u32) -> PgPool {
    let pool = PgPoolOptions::new().max_connections(most).connect(database).await;
    pool.expect("the database")
}

/// Waits until something is so, at most ten seconds.
pub(crate) async fn eventually<F, T>(what: &str, check: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    within(Duration::from_secs(10), what, check).await
}

/// Waits until something is so that takes work, at most this long.
pub(crate) async fn within<F, T>(most: Duration, what: &str, mut check: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begun = Instant::now();
    loop {
        if let Some(found) = check().await {
            return found;
        }
        assert!(begun.elapsed() < most, "within {most:?} not so: {what}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

/// A counter or gauge of the server.
pub(crate) async fn metric(server: &Server, line: &str) -> i64 {
    let text = reqwest::get(format!("{}/metrics", server.ops_url())).await.expect("metrics");
    let text = text.text().await.expect("a text");
    let found = text.lines().find_map(|one| one.strip_prefix(line)?.strip_prefix(' '));
    found.map_or(0, |number| number.parse().expect("a number"))
}

/// What must hold in every database: the rule, and a query for what breaks it.
const RULES: &[(&str, &str)] = &[
    (
        "a group's log is a run without holes that ends at seq, or empty",
        "select coalesce(g.group_id, e.group_id) from groups g
           full join (select group_id, count(*) n, min(seq) lo, max(seq) hi
                        from group_events group by 1) e using (group_id)
          where g.group_id is null or e.n <> e.hi - e.lo + 1 or e.hi <> g.seq or e.lo < 1",
    ),
    (
        "what the logs of groups lack at their front is what was trimmed for its age",
        "select 'all' where (select trimmed from retention where log = 1)
            is distinct from (select coalesce(sum(seq), 0) from groups)
                             - (select count(*) from group_events)",
    ),
    (
        "member_count is the number of members",
        "select g.group_id from groups g
          where g.member_count <> (select count(*) from members m
                                    where m.group_id = g.group_id and m.left_seq is null)",
    ),
    (
        "no group is over its cap, unless the cap was lowered since the last member came",
        "select g.group_id from groups g
          where g.member_count > g.max_members
            and not exists (select from group_events e
                             where e.group_id = g.group_id and e.kind = 7
                               and e.frame like '%\"maxMemberCount\"%'
                               and e.seq > (select max(m.joined_seq) from members m
                                             where m.group_id = g.group_id and m.left_seq is null))",
    ),
    (
        "group_count is the number of groups that count",
        "select u.user_id from users u
          where u.group_count <> (select count(*) from members m join groups g using (group_id)
                                   where m.user_id = u.user_id and m.left_seq is null
                                     and g.group_type <> 4)",
    ),
    (
        "pending_count of a group is the number of its open applications",
        "select g.group_id from groups g
          where g.pending_count <> (select count(*) from applications a
                                     where a.group_id = g.group_id and a.state = 0)",
    ),
    (
        "pending_count of a user is the number of open applications about him",
        "select u.user_id from users u
          where u.pending_count <> (select count(*) from applications a
                                     where a.subject = u.user_id and a.state = 0)",
    ),
    (
        "a user's own stream is a run without holes that ends at user_seq, or empty, and begins behind a \
         deleted account's",
        "select u.user_id from users u
           left join revocations r using (user_id)
           join (select user_id, count(*) n, min(seq) lo, max(seq) hi
                   from user_events group by 1) e using (user_id)
          where e.n <> e.hi - e.lo + 1 or e.hi <> u.user_seq or e.lo <= coalesce(r.user_seq, 0)",
    ),
    (
        "what the users' own streams lack at their front was trimmed for its age; of accounts that are gone \
         only the count of it is left",
        "select 'all' from (
             select coalesce(sum(u.user_seq - coalesce(r.user_seq, 0)
                                 - (select count(*) from user_events e where e.user_id = u.user_id)), 0)
                    as lacking
               from users u left join revocations r using (user_id)) l
          where l.lacking not between 0 and (select trimmed from retention where log = 2)",
    ),
    (
        "memberships lie within the log",
        "select m.group_id from members m join groups g using (group_id)
          where m.joined_seq > g.seq or coalesce(m.left_seq, 0) > g.seq",
    ),
    (
        "every member has an account",
        "select m.user_id from members m left join users u using (user_id) where u.user_id is null",
    ),
];

/// Checks what must hold in every database, by counting.
pub(crate) async fn check_invariants(database: &str) {
    let pool = pool(database, 1).await;
    for (rule, query) in RULES {
        let broken: Vec<(String,)> =
            sqlx::query_as(*query).fetch_all(&pool).await.expect("a query of a rule");
        assert!(broken.is_empty(), "{rule}: not so for {broken:?}");
    }
    pool.close().await;
}
