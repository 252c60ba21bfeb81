//! A server that is made to say everything it can, and all frames that its clients hear and say.

use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::common::socket::{Stream, say};
use crate::common::{ADMIN, Server, eventually, frames, metric};
use crate::sockets::frame_of;

/// More groups than fit into `welcome`.
const MANY: usize = 501;

/// A server and everything that was heard and said.
pub(super) struct World {
    server: Server,
    heard: Arc<Mutex<Vec<Value>>>,
    tasks: Vec<JoinHandle<()>>,
}

/// Reads to the end.
async fn listen(mut stream: Stream, heard: Arc<Mutex<Vec<Value>>>) {
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Text(text) = message {
            let frame = frames::received(&text);
            heard.lock().expect("no panic").push(frame);
        }
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let settings = [("MUSTER_GROUPS_PER_USER", "1000"), ("MUSTER_SOCKETS_PER_USER", "100")];
        Self { server: Server::with(&settings).await, heard: Arc::default(), tasks: Vec::new() }
    }

    fn note(&self, frame: &Value) {
        self.heard.lock().expect("no panic").push(frame.clone());
    }

    /// Says something and writes it down.
    async fn say(&self, stream: &mut Stream, frame: Value) {
        say(stream, &frame).await;
        self.note(&frame);
    }

    /// Listens to a stream from now on, whatever comes.
    fn leave(&mut self, stream: Stream) {
        self.tasks.push(tokio::spawn(listen(stream, self.heard.clone())));
    }

    /// Reads to `ready`, and returns the first frame.
    async fn ready(&self, stream: &mut Stream) -> Value {
        let first = frame_of(stream).await;
        self.note(&first);
        loop {
            let next = frame_of(stream).await;
            self.note(&next);
            if next["type"] == "ready" {
                return first;
            }
        }
    }

    fn hello(&self, user: &str, cursor: Option<Value>) -> Value {
        let mut hello = json!({ "type": "hello", "token": self.server.token(user) });
        if let Some(cursor) = cursor {
            hello["cursor"] = cursor;
        }
        hello
    }

    /// Opens a socket and listens to it from then on; returns its `welcome`.
    async fn open(&mut self, user: &str, cursor: Option<Value>) -> Value {
        let mut stream = self.server.raw_ws().await;
        self.say(&mut stream, self.hello(user, cursor)).await;
        let welcome = self.ready(&mut stream).await;
        self.leave(stream);
        welcome
    }

    /// Opens a socket, reads to `ready` and closes it; returns its `welcome`.
    async fn visit(&mut self, user: &str, cursor: Option<Value>) -> Value {
        let mut stream = self.server.raw_ws().await;
        self.say(&mut stream, self.hello(user, cursor)).await;
        let welcome = self.ready(&mut stream).await;
        stream.close(None).await.expect("closed");
        self.leave(stream);
        welcome
    }

    /// `welcome` with more groups than fit into it, by a header instead of a token.
    pub(super) async fn open_in_many_groups(&mut self) {
        let numbers: Vec<usize> = (0..MANY).collect();
        for some in numbers.chunks(100) {
            let new = some.iter().map(|number| {
                let body = json!({ "groupID": format!("m{number}"), "groupType": "Work",
                    "groupName": "one of many" });
                self.server.post("many", "/v1/groups", body)
            });
            join_all(new).await.into_iter().for_each(|answer| drop(answer.ok()));
        }
        let url = format!("{}/v1/events", self.server.url().replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("a request");
        let bearer = format!("Bearer {}", self.server.token("many"));
        request.headers_mut().insert("authorization", bearer.parse().expect("a header"));
        let (mut stream, _) = connect_async(request).await.expect("a websocket");
        self.say(&mut stream, json!({ "type": "hello" })).await;
        self.ready(&mut stream).await;
        let fresh = json!({ "type": "auth", "token": self.server.token("many") });
        self.say(&mut stream, fresh).await;
        self.say(&mut stream, json!({ "type": "ping" })).await;
        self.leave(stream);
    }

    /// Every close code that a client can bring about at once.
    pub(super) async fn be_refused(&mut self) {
        let mut stream = self.server.raw_ws().await;
        self.say(&mut stream, json!({ "type": "hello" })).await;
        self.leave(stream);
        let mut stream = self.server.raw_ws().await;
        self.say(&mut stream, json!({ "type": "ping" })).await;
        self.leave(stream);
        let mut stream = self.server.raw_ws().await;
        self.say(&mut stream, self.hello("loud", None)).await;
        for _ in 0..200 {
            self.say(&mut stream, json!({ "type": "pong" })).await;
        }
        self.leave(stream);
    }

    async fn post(&self, user: &str, path: &str, body: Value) -> Value {
        self.server.post(user, &format!("/v1/groups/{path}"), body).await.ok()
    }

    /// Every event of a group's log.
    pub(super) async fn change_groups(&mut self) {
        self.open("alice", None).await;
        let s = &self.server;
        let first = json!({ "memberList": [{ "userID": "bob", "role": "Admin" }, { "userID": "carol" }],
            "joinOption": "FreeAccess" });
        s.group("alice", "g1", "Public", first).await;
        let import =
            json!({ "GroupId": "g2", "Type": "Public", "Name": "n", "Owner_Account": "alice" });
        s.v4("group_open_http_svc/import_group", import).await;
        let members = json!({ "GroupId": "g2", "MemberList": [
            { "Member_Account": "dave", "Role": "Admin" }, { "Member_Account": "erin" }] });
        s.v4("group_open_http_svc/import_group_member", members).await;
        let out = json!({ "GroupId": "g2", "Silence": 1, "MemberToDel_Account": ["erin"] });
        s.v4("group_open_http_svc/delete_group_member", out).await;

        self.post(ADMIN, "g1/invite", json!({ "userList": ["dave"] })).await;
        self.post("erin", "g1/join", json!({})).await;
        self.post("erin", "g1/quit", json!({})).await;
        self.post("alice", "g1/kick", json!({ "userList": ["dave"], "reason": "spam" })).await;
        for edit in [
            json!({ "nameCard": "C" }),
            json!({ "muteSeconds": 60 }),
            json!({ "muteSeconds": 0, "customFields": { "seat": "4a" } }),
            json!({ "role": "Admin" }),
            json!({ "role": "Member" }),
        ] {
            s.patch("alice", "/v1/groups/g1/members/carol", edit).await.ok();
        }
        let all = json!({ "groupName": "n2", "introduction": "i", "notification": "n",
            "faceUrl": "https://example.com/f.png", "joinOption": "NeedPermission",
            "inviteOption": "NeedPermission", "maxMemberCount": 50, "muteAll": true,
            "customFields": { "colour": "red" } });
        s.patch("alice", "/v1/groups/g1", all).await.ok();
        s.put("alice", "/v1/groups/g1/attributes", json!({ "attributes": { "a": "b" } }))
            .await
            .ok();
        // Alice's places in her groups have all three roles from here on.
        s.put("alice", "/v1/groups/g1/owner", json!({ "userID": "bob" })).await.ok();
        s.group(
            "bob",
            "g3",
            "Public",
            json!({ "memberList": [{ "userID": "alice", "role": "Admin" }] }),
        )
        .await;
        self.open("alice", None).await;
        self.server.delete("bob", "/v1/groups/g3").await.ok();
    }

    /// The only open application that somebody may decide.
    async fn open_application(&self, decider: &str) -> String {
        let list = self.server.get(decider, "/v1/applications").await.ok();
        let all = list["applicationList"].as_array().expect("applications");
        let mut mine = all.iter().filter(|one| one["canDecide"] == true);
        let id = mine.next().expect("an application")["applicationID"].as_str().expect("an id");
        assert!(mine.next().is_none(), "{list}");
        id.to_owned()
    }

    async fn decide(&self, decider: &str, how: &str) {
        let id = self.open_application(decider).await;
        let path = format!("/v1/applications/{id}/{how}");
        self.server.post(decider, &path, json!({ "message": "so be it" })).await.ok();
    }

    /// Every event of a person's own stream, and every end of an application.
    pub(super) async fn decide_applications(&mut self) {
        for user in ["owner", "member", "guest", "asked"] {
            self.open(user, None).await;
        }
        let of_owner = json!({ "joinOption": "NeedPermission", "inviteOption": "NeedPermission",
            "memberList": [{ "userID": "member" }] });
        self.server.group("owner", "club", "Public", of_owner.clone()).await;
        self.server.group("owner", "short", "Public", of_owner).await;
        let wish = json!({ "message": "May I?" });
        let only = |user: &str| json!({ "userList": [user] });

        self.post("guest", "club/join", wish.clone()).await;
        self.decide("owner", "refuse").await;
        self.post("guest", "club/join", wish.clone()).await;
        self.decide("owner", "accept").await;
        self.post("guest", "club/quit", json!({})).await;
        self.post("guest", "club/join", wish.clone()).await;
        self.post("owner", "club/invite", only("guest")).await;
        self.post("owner", "club/kick", only("guest")).await;
        self.post("guest", "club/join", wish.clone()).await;
        self.server.put("owner", "/v1/groups/club/bans/guest", json!({})).await.ok();
        self.post("guest", "short/join", wish.clone()).await;
        self.server.delete("owner", "/v1/groups/short").await.ok();
        self.server.delete("owner", "/v1/groups/club/bans/guest").await.ok();

        for user in ["asked", "leaving"] {
            let ask = json!({ "inviteConsent": "ask" });
            self.server.put(user, "/v1/users/me", ask).await.ok();
        }
        self.post("member", "club/invite", only("asked")).await;
        self.decide("owner", "accept").await;
        self.decide("asked", "accept").await;
        self.post("owner", "club/invite", only("leaving")).await;
        self.server.delete(ADMIN, "/v1/users/leaving").await.ok();
        let db = self.server.db().await;
        eventually("the application of the deleted account has ended", || async {
            let open = "select count(*) from applications where state = 0";
            let count: i64 = sqlx::query_scalar(open).fetch_one(&db).await.expect("a number");
            (count == 0).then_some(())
        })
        .await;
        db.close().await;

        self.post("guest", "club/join", wish).await;
        self.sql(
            "update applications set expires_at = now() - interval '1 second' where state = 0",
        )
        .await;
    }

    async fn sql(&self, statement: &'static str) {
        let db = self.server.db().await;
        sqlx::raw_sql(statement).execute(&db).await.expect("a statement");
        db.close().await;
    }

    /// Every reset.
    pub(super) async fn come_back(&mut self) {
        let with_back = json!({ "memberList": [{ "userID": "back" }] });
        self.server.group("alice", "b1", "Work", with_back).await;
        let welcome = self.visit("back", None).await;
        let at = |user: u64, group: u64| {
            Some(json!({ "epoch": welcome["epoch"], "user": user, "groups": { "b1": group } }))
        };
        self.visit("back", Some(json!({ "epoch": welcome["epoch"] }))).await;
        self.visit("back", at(9, 9)).await;
        self.post("alice", "b1/kick", json!({ "userList": ["back"] })).await;
        self.post(ADMIN, "b1/invite", json!({ "userList": ["carol", "back"] })).await;
        self.visit("back", at(0, 1)).await;
        self.sql(LONG).await;
        self.visit("back", at(0, 3)).await;
        self.sql(SHORT).await;
        self.visit("back", at(0, 3)).await;
        // The last thing that those who stay connected have to hear.
        self.wait_until(|frames| frames.iter().any(|frame| frame["outcome"] == "expired")).await;
        let closed = "muster_sockets_closed_total{cause=\"restart\"}";
        let before = metric(&self.server, closed).await;
        self.sql("update instance set epoch = gen_random_uuid()").await;
        // Whoever is connected is told to come again.
        eventually("the server has gone over to the new epoch", || async {
            (metric(&self.server, closed).await > before).then_some(())
        })
        .await;
        self.visit("back", at(0, 3)).await;
    }

    /// Waits until what was heard and said is enough, at most ten seconds: the test tells what is missing.
    pub(super) async fn wait_until(&self, enough: impl Fn(&[Value]) -> bool) {
        let started = std::time::Instant::now();
        while started.elapsed().as_secs() < 10 && !enough(&self.heard.lock().expect("no panic")) {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Stops the server, and returns all that was heard and said.
    pub(super) async fn stop(self) -> Vec<Value> {
        self.server.stop().await;
        for task in self.tasks {
            task.await.expect("every frame is as documented");
        }
        Arc::into_inner(self.heard).expect("nobody listens").into_inner().expect("no panic")
    }
}

/// Both logs of `back` grow by more than is told again.
const LONG: &str = r#"
    insert into group_events (group_id, seq, kind, at, frame)
      select 'b1', n, 6, now(), '{"type":"event","event":"onMemberInfoChanged","groupID":"b1","seq":' || n
             || ',"time":"2026-01-01T12:00:00.000Z","opUser":{"userID":"alice"},"memberList":[]}'
        from groups g, generate_series(g.seq + 1, g.seq + 1001) n where g.group_id = 'b1';
    update groups set seq = seq + 1001 where group_id = 'b1';
    insert into user_events (user_id, seq, kind, at, frame)
      select 'back', n, 22, now(), '{"type":"event","stream":"user","event":"onReceiveInvitation",'
             || '"groupID":"b1","userSeq":' || n || ',"time":"2026-01-01T12:00:00.000Z","opUser":{"userID":"alice"},'
             || '"application":{"applicationID":"019ab0c4-7a1e-7c6b-9d2e-5f0a1b2c3d4e","type":"invitation",'
             || '"groupID":"b1","fromUser":"alice","toUser":"back","message":"",'
             || '"addTime":"2026-01-01T12:00:00.000Z","expireTime":"2026-01-08T12:00:00.000Z","canDecide":true}}'
        from generate_series(1, 1001) n;
    update users set user_seq = 1001 where user_id = 'back';"#;

/// Both logs of `back` lose their beginnings.
const SHORT: &str = "
    delete from group_events where group_id = 'b1' and seq <= 900;
    delete from user_events where user_id = 'back' and seq <= 900;";
