//! Groups that change all the while: calls of every kind, through whichever node answers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::nodes::Nodes;
use crate::common::{ADMIN, jwt_of};

/// Types of groups that are made, in turn.
const TYPES: &[&str] = &["Work", "Public", "Meeting", "Community"];
/// Most members that a group is made to have, roughly.
const MEMBERS: usize = 12;

/// A group's id as it stands in a path.
pub(super) fn encoded(group: &str) -> String {
    group.replace('#', "%23")
}

/// Who plays, and where.
pub(super) struct World {
    nodes: Arc<Nodes>,
    users: Vec<String>,
    /// The groups that there are now, with their types.
    groups: Mutex<Vec<(String, &'static str)>>,
    made: AtomicU64,
    /// How often each status was answered; 0 stands for no answer.
    answers: Mutex<BTreeMap<u16, u64>>,
    pause: watch::Sender<Duration>,
}

/// Callers at work.
pub(super) struct Churn {
    pub(super) world: Arc<World>,
    stop: watch::Sender<bool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Churn {
    /// Makes the groups; nobody changes them yet.
    pub(super) async fn prepare(nodes: Arc<Nodes>, users: Vec<String>, groups: usize) -> Self {
        let world = Arc::new(World {
            nodes,
            users,
            groups: Mutex::default(),
            made: AtomicU64::new(0),
            answers: Mutex::default(),
            pause: watch::Sender::new(Duration::from_millis(20)),
        });
        let mut dice = StdRng::seed_from_u64(0);
        for _ in 0..groups {
            world.make(&mut dice).await;
        }
        assert_eq!(world.groups.lock().expect("nobody panicked").len(), groups);
        Self { world, stop: watch::Sender::new(false), tasks: Vec::new() }
    }

    /// Starts so many callers, each of which rests a little between its calls.
    pub(super) fn start(&mut self, callers: u64, pause: Duration, seed: u64) {
        self.world.pause.send_replace(pause);
        self.stop.send_replace(false);
        for number in 0..callers {
            let (world, mut stop) = (self.world.clone(), self.stop.subscribe());
            self.tasks.push(tokio::spawn(async move {
                let mut dice = StdRng::seed_from_u64(seed.wrapping_add(number));
                while !*stop.borrow_and_update() {
                    world.call(&mut dice).await;
                    let pause = world.pause.borrow().mul_f64(dice.random_range(0.0..2.0));
                    drop(tokio::time::timeout(pause, stop.changed()).await);
                }
            }));
        }
    }

    /// Lets the calls in flight end. What was answered how often.
    pub(super) async fn end(&mut self) -> BTreeMap<u16, u64> {
        self.stop.send_replace(true);
        for task in self.tasks.drain(..) {
            task.await.expect("a caller");
        }
        std::mem::take(&mut *self.world.answers.lock().expect("nobody panicked"))
    }
}

impl World {
    async fn send(
        &self,
        dice: &mut StdRng,
        who: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Option<Value> {
        let url = self.nodes.any(dice);
        let body = match body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        let request = self.nodes.http().request(method.clone(), format!("{url}{path}"));
        let request = request.body(body.clone());
        let request = request.bearer_auth(jwt_of(who, 600)).timeout(Duration::from_secs(20));
        let answer = async {
            let response = request.send().await.ok()?;
            Some((response.status().as_u16(), response.json::<Value>().await.ok()?))
        };
        let answer = answer.await;
        let status = answer.as_ref().map_or(0, |(status, _)| *status);
        assert!(status < 500 || status == 503, "{who} {method} {path} {body}: {answer:?}");
        *self.answers.lock().expect("nobody panicked").entry(status).or_default() += 1;
        answer.filter(|(status, _)| *status < 300).map(|(_, body)| body["data"].clone())
    }

    fn user(&self, dice: &mut StdRng) -> String {
        self.users.choose(dice).expect("users").clone()
    }

    fn some_users(&self, dice: &mut StdRng, most: usize) -> Vec<String> {
        let count = dice.random_range(1..=most);
        self.users.sample(dice, count).cloned().collect()
    }

    fn group(&self, dice: &mut StdRng) -> (String, &'static str) {
        self.groups.lock().expect("nobody panicked").choose(dice).expect("groups").clone()
    }

    async fn make(&self, dice: &mut StdRng) {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let kind = TYPES[usize::try_from(number).expect("a number") % TYPES.len()];
        let start = if kind == "Community" { "@TGS#_g" } else { "g" };
        let group = format!("{start}{number}");
        let members: Vec<Value> = self
            .some_users(dice, MEMBERS / 2)
            .into_iter()
            .map(|user| json!({ "userID": user }))
            .collect();
        let body = json!({
            "groupID": group, "groupType": kind, "groupName": "a group", "owner": self.user(dice),
            "memberList": members
        });
        if self.send(dice, ADMIN, Method::POST, "/v1/groups", body).await.is_some() {
            self.groups.lock().expect("nobody panicked").push((group, kind));
        }
    }

    /// One call.
    async fn call(&self, dice: &mut StdRng) {
        let (group, kind) = self.group(dice);
        let path = format!("/v1/groups/{}", encoded(&group));
        match dice.random_range(0..100) {
            0..26 => self.invite(dice, &path).await,
            26..44 => self.kick(dice, &path).await,
            44..52 => {
                let who = self.user(dice);
                self.send(dice, &who, Method::POST, &format!("{path}/quit"), json!({})).await;
            }
            52..62 => {
                let who = self.user(dice);
                self.send(dice, &who, Method::POST, &format!("{path}/join"), json!({})).await;
            }
            62..78 => self.edit_member(dice, &path, kind).await,
            78..88 => {
                let name = format!("name {}", dice.random::<u16>());
                let body = json!({ "groupName": name, "notification": name });
                self.send(dice, ADMIN, Method::PATCH, &path, body).await;
            }
            88..90 => {
                let body = json!({ "userID": self.user(dice) });
                self.send(dice, ADMIN, Method::PUT, &format!("{path}/owner"), body).await;
            }
            90..92 => self.replace(dice, &group, &path).await,
            92..96 => self.decide(dice, &group).await,
            _ => {
                let who = self.user(dice);
                let consent = if dice.random_bool(0.15) { "ask" } else { "auto" };
                let body = json!({ "inviteConsent": consent });
                self.send(dice, &who, Method::PUT, "/v1/users/me", body).await;
            }
        }
    }

    async fn invite(&self, dice: &mut StdRng, path: &str) {
        let body = json!({ "userList": self.some_users(dice, 3) });
        // An administrator brings people in at once; anybody else may have to ask them.
        let who = if dice.random_bool(0.7) { ADMIN.to_owned() } else { self.user(dice) };
        self.send(dice, &who, Method::POST, &format!("{path}/invite"), body).await;
    }

    /// Removes people who are in it, more the more there are.
    async fn kick(&self, dice: &mut StdRng, path: &str) {
        let list = format!("{path}/members?limit=1000");
        let Some(data) = self.send(dice, ADMIN, Method::GET, &list, Value::Null).await else {
            return;
        };
        let lines = data["memberList"].as_array().map(Vec::as_slice).unwrap_or_default();
        let members: Vec<&str> = lines.iter().filter_map(|one| one["userID"].as_str()).collect();
        let count = dice.random_range(1..=(members.len() / MEMBERS + 2));
        let users: Vec<&str> = members.sample(dice, count).copied().collect();
        if !users.is_empty() {
            let body = json!({ "userList": users });
            self.send(dice, ADMIN, Method::POST, &format!("{path}/kick"), body).await;
        }
    }

    async fn edit_member(&self, dice: &mut StdRng, path: &str, kind: &str) {
        let list = format!("{path}/members?limit=1000");
        let Some(data) = self.send(dice, ADMIN, Method::GET, &list, Value::Null).await else {
            return;
        };
        let lines = data["memberList"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(user) = lines.choose(dice).and_then(|line| line["userID"].as_str()) else {
            return;
        };
        let mut body = json!({ "nameCard": format!("card {}", dice.random::<u16>()) });
        if kind != "Work" && dice.random_bool(0.4) {
            let role = if dice.random_bool(0.6) { "Admin" } else { "Member" };
            body = json!({ "role": role });
        }
        let path = format!("{path}/members/{user}");
        self.send(dice, ADMIN, Method::PATCH, &path, body).await;
    }

    /// Ends a group and makes another.
    async fn replace(&self, dice: &mut StdRng, group: &str, path: &str) {
        if self.send(dice, ADMIN, Method::DELETE, path, json!({})).await.is_some() {
            self.groups.lock().expect("nobody panicked").retain(|(of, _)| of != group);
        }
        self.make(dice).await;
    }

    /// Decides what waits in a group.
    async fn decide(&self, dice: &mut StdRng, group: &str) {
        let list = format!("/v1/applications?groupID={}", encoded(group));
        let Some(data) = self.send(dice, ADMIN, Method::GET, &list, Value::Null).await else {
            return;
        };
        let lines = data["applicationList"].as_array().map(Vec::as_slice).unwrap_or_default();
        for line in lines.iter().take(2) {
            let id = line["applicationID"].as_str().unwrap_or_default();
            let deed = if dice.random_bool(0.7) { "accept" } else { "refuse" };
            let path = format!("/v1/applications/{id}/{deed}");
            self.send(dice, ADMIN, Method::POST, &path, json!({})).await;
        }
    }
}
