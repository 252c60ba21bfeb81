//! `/metrics`: well-formed, and telling the truth about what just happened.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use serde_json::json;

use super::ops;
use crate::common::{ADMIN, Server};

/// A sample: name, labels as they stand, value.
#[derive(Debug)]
struct Sample {
    name: String,
    labels: String,
    value: f64,
}

/// What `/metrics` says, read as strictly as OpenMetrics is written.
#[derive(Debug)]
struct Exposition {
    types: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

impl Exposition {
    async fn of(server: &Server) -> Self {
        let answer = reqwest::get(format!("{}/metrics", server.ops_url())).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().expect("a text").to_owned();
        assert!(kind.starts_with("application/openmetrics-text; version=1.0.0"), "{kind}");
        Self::parse(&answer.text().await.expect("a text"))
    }

    fn parse(text: &str) -> Self {
        let body = text.strip_suffix("# EOF\n").expect("the mark at the end");
        let (mut types, mut samples) = (BTreeMap::new(), Vec::new());
        for line in body.lines() {
            if let Some(meta) = line.strip_prefix("# ") {
                let mut words = meta.splitn(3, ' ');
                let (what, name, rest) = (words.next(), words.next(), words.next());
                let (Some(what), Some(name), Some(rest)) = (what, name, rest) else {
                    panic!("{line}")
                };
                assert!(["HELP", "TYPE", "UNIT"].contains(&what), "{line}");
                if what == "TYPE" {
                    let before = types.insert(name.to_owned(), rest.to_owned());
                    assert!(before.is_none(), "declared twice: {line}");
                }
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            let (name, labels) = match series.split_once('{') {
                Some((name, labels)) => (name, labels.strip_suffix('}').expect("a brace")),
                None => (series, ""),
            };
            assert!(name.starts_with("muster_"), "{line}");
            let value: f64 = value.parse().unwrap_or_else(|_| panic!("{line}"));
            samples.push(Sample { name: name.to_owned(), labels: labels.to_owned(), value });
        }
        let read = Self { types, samples };
        read.check();
        read
    }

    /// Every sample belongs to a declared family, none stands twice, histograms add up.
    fn check(&self) {
        let mut seen = BTreeSet::new();
        for sample in &self.samples {
            assert!(seen.insert((&sample.name, &sample.labels)), "twice: {sample:?}");
            let family = ["_total", "_bucket", "_sum", "_count", ""]
                .iter()
                .filter_map(|ending| sample.name.strip_suffix(ending))
                .find(|family| self.types.contains_key(*family));
            assert!(family.is_some(), "without a family: {sample:?}");
        }
        for (family, _) in self.types.iter().filter(|(_, kind)| *kind == "histogram") {
            let bucket = format!("{family}_bucket");
            let of_family = self.samples.iter().filter(|sample| sample.name == bucket);
            // The buckets of each set of labels, by what stands behind the bound.
            let mut sets: BTreeMap<&str, Vec<&Sample>> = BTreeMap::new();
            for sample in of_family {
                let others = sample.labels.split_once(',').map_or("", |(_, others)| others);
                sets.entry(others).or_default().push(sample);
            }
            for (others, counts) in sets {
                assert!(counts.is_sorted_by(|one, two| one.value <= two.value), "{counts:?}");
                let last = counts.last().expect("buckets");
                assert!(last.labels.starts_with(r#"le="+Inf""#), "{last:?}");
                #[expect(clippy::float_cmp, reason = "both are whole numbers")]
                let adds_up = last.value == self.value(&format!("{family}_count"), others);
                assert!(adds_up, "{family} {others}");
            }
        }
    }

    /// The sum of the samples of this name whose labels contain a text.
    fn value(&self, name: &str, label: &str) -> f64 {
        let fitting = |sample: &&Sample| sample.name == name && sample.labels.contains(label);
        self.samples.iter().filter(fitting).map(|sample| sample.value).sum()
    }

    /// How often something was counted.
    #[expect(clippy::cast_possible_truncation, reason = "small whole numbers")]
    fn count(&self, name: &str, label: &str) -> i64 {
        self.value(name, label) as i64
    }
}

#[tokio::test]
async fn everything_that_is_counted_rises_with_what_happens() {
    let server = Server::start().await;
    let before = Exposition::of(&server).await;
    server.group("alice", "g", "Public", json!({})).await;
    let people = json!({ "userList": ["bob", "carol", "alice"] });
    server.post(ADMIN, "/v1/groups/g/invite", people).await.ok();
    server.put(ADMIN, "/v1/users/dave", json!({ "groupLimit": 0 })).await.ok();
    server.post(ADMIN, "/v1/groups/g/invite", json!({ "userList": ["dave"] })).await.ok();
    let refused = server.post("bob", "/v1/groups/g/invite", json!({ "userList": ["x"] })).await;
    refused.refused(403, 10007, "invite_disabled");
    server.post("bob", "/v1/groups/g/invite", json!({ "userList": [] })).await;
    let after = Exposition::of(&server).await;
    let rose = |name: &str, label: &str| after.count(name, label) - before.count(name, label);
    let invite = r#"route="/v1/groups/{groupID}/invite""#;
    for (name, label, by) in [
        ("muster_requests_total", r#"face="v1""#, 6),
        ("muster_requests_total", invite, 4),
        ("muster_requests_total", &format!(r#"{invite},status="403""#), 2),
        ("muster_request_seconds_count", "", 6),
        ("muster_commands_total", r#"command="invite",outcome="ok""#, 2),
        ("muster_commands_total", r#"command="invite",outcome="invite_disabled""#, 2),
        ("muster_commands_total", r#"command="create",outcome="ok""#, 1),
        ("muster_invited_total", r#"result="1""#, 2),
        ("muster_invited_total", r#"result="2""#, 1),
        ("muster_invited_total", r#"result="4""#, 1),
        ("muster_events_total", "", 2),
        ("muster_lane_wait_seconds_count", "", 6),
    ] {
        assert_eq!(rose(name, label), by, "{name} {label}: {after:?}");
    }
    let batches = rose("muster_batches_total", "");
    assert!(batches >= 4, "{batches}");
    assert_eq!(rose("muster_batch_commands_count", ""), batches);
    assert_eq!(rose("muster_batch_commands_sum", ""), 6);
    assert_eq!(rose("muster_batch_seconds_count", ""), batches);
    assert_eq!(after.count("muster_waiting_commands", ""), 0);
    assert_eq!(ops(&server, "/readyz").await.0, 200);
    assert_eq!(Exposition::of(&server).await.count("muster_database_up", ""), 1);
    server.stop().await;
}

/// What clients invent makes no new series: paths, methods, ids and users.
#[tokio::test]
async fn strangers_cannot_make_the_metrics_grow() {
    let server = Server::start().await;
    let noise = async |round: u32| {
        for n in 0..20 {
            let name = format!("x{round}-{n}");
            server.get(&name, &format!("/v1/{name}")).await;
            server.get(&name, &format!("/{name}/groups")).await;
            server.get(&name, &format!("/v1/groups/{name}")).await;
            server.get(&name, &format!("/v1/groups/g?{name}={name}")).await;
            let method = Method::from_bytes(name.to_uppercase().replace('-', "").as_bytes());
            server.send(method.expect("a method"), "/v1/limits", &[], "").await;
            server.send(Method::GET, "/v1/limits", &[("authorization", &name)], "").await;
            server.send(Method::POST, &format!("/v4/{name}/{name}"), &[], "").await;
        }
    };
    noise(1).await;
    let before = Exposition::of(&server).await;
    noise(2).await;
    let after = Exposition::of(&server).await;
    assert_eq!(after.samples.len(), before.samples.len());
    assert!(after.count("muster_requests_total", r#"route="unknown""#) >= 80, "{after:?}");
    server.stop().await;
}

#[tokio::test]
async fn sockets_and_what_they_are_sent_are_counted() {
    let server = Server::start().await;
    server.group("alice", "g", "Work", json!({})).await;
    let before = Exposition::of(&server).await;
    let mut alice = server.ws("alice").await;
    let bob = server.ws("bob").await;
    let open = Exposition::of(&server).await;
    assert_eq!(open.count("muster_sockets", "") - before.count("muster_sockets", ""), 2);
    server.post("alice", "/v1/groups/g/invite", json!({ "userList": ["bob"] })).await.ok();
    alice.expect("onMemberInvited").await;
    let after = Exposition::of(&server).await;
    assert!(after.count("muster_frames_total", "") > open.count("muster_frames_total", ""));
    drop((alice, bob));
    let gone =
        async || (Exposition::of(&server).await.count("muster_sockets", "") == 0).then_some(());
    crate::common::eventually("both sockets are gone", gone).await;
    let closed = Exposition::of(&server).await.count("muster_sockets_closed_total", "");
    assert_eq!(closed - before.count("muster_sockets_closed_total", ""), 2);
    server.stop().await;
}
