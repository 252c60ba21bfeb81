//! What Muster counts about itself, in one typed registry that `/metrics` prints.
//!
//! There is no global recorder: each server has its own registry, so that two servers in one process
//! (the tests run many) do not add up.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// One request, by face, route and status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// `v1`, `v4` or `ops`.
    pub face: &'static str,
    /// The route's pattern or the command, never what a client invented.
    pub route: String,
    /// The HTTP status, on v4 the error code.
    pub status: String,
}

/// One command of the engine.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CommandLabels {
    /// Its name.
    pub command: &'static str,
    /// `ok` or the reason of the refusal.
    pub outcome: &'static str,
}

/// One invitee, by result.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ResultLabels {
    /// 0 to 4.
    pub result: u32,
}

/// Something that ended or was dropped, by cause.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CauseLabels {
    /// Why.
    pub cause: &'static str,
}

/// How an event came to this node's sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the words of the labels")]
pub enum Way {
    /// It was committed here.
    here,
    /// Another node told of it.
    bus,
    /// Nobody told in time: it was read from the log.
    log,
}

/// Something by the way it came.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct WayLabels {
    /// Which way.
    pub way: Way,
}

/// Events that were replayed, by where they came from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct SourceLabels {
    /// `memory` or `log`.
    pub source: &'static str,
}

/// Something that was lost on the way and found again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FoundLabels {
    /// `event` or `membership`.
    pub what: &'static str,
}

/// What a bus carries, by what is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Carried {
    /// `messages` or `entries`.
    pub of: &'static str,
}

impl Carried {
    /// Payloads.
    pub const MESSAGES: Self = Self { of: "messages" };
    /// Entries of logs in them.
    pub const ENTRIES: Self = Self { of: "entries" };
}

/// All counters, gauges and histograms of a server.
pub struct Metrics {
    registry: Registry,
    /// Requests answered.
    pub requests: Family<RequestLabels, Counter>,
    /// Seconds from a request's head to its answer.
    pub request_seconds: Histogram,
    /// Commands decided.
    pub commands: Family<CommandLabels, Counter>,
    /// Invitees by result.
    pub invited: Family<ResultLabels, Counter>,
    /// Batches committed.
    pub batches: Counter,
    /// Batches that were run again, by cause.
    pub batch_retries: Family<CauseLabels, Counter>,
    /// Commands in a committed batch.
    pub batch_size: Histogram,
    /// Seconds that a batch took, from its first statement to the answer to its COMMIT.
    pub batch_seconds: Histogram,
    /// Seconds that a command waited for a lane.
    pub lane_wait_seconds: Histogram,
    /// Commands that wait for a lane.
    pub waiting: Gauge,
    /// Entries written to logs.
    pub events: Counter,
    /// Entries removed from logs for their age.
    pub events_trimmed: Counter,
    /// Frames handed to sockets.
    pub frames: Counter,
    /// Open sockets.
    pub sockets: Gauge,
    /// Sockets that ended, by cause.
    pub sockets_closed: Family<CauseLabels, Counter>,
    /// Entries that the router read from the log because they did not come by themselves.
    pub log_reads: Counter,
    /// Streams that are followed here.
    pub streams: Gauge,
    /// Seconds from a change to the write of its event to a socket; of several events that are written
    /// together the first counts. From other nodes it is the time since the decision, by the database's clock.
    pub delivery_seconds: Family<WayLabels, Histogram>,
    /// Events that were replayed to clients that had missed them.
    pub replayed: Family<SourceLabels, Counter>,
    /// What clients were told to load again, by reason.
    pub resets: Family<CauseLabels, Counter>,
    /// What did not come by itself and was found.
    pub repaired: Family<FoundLabels, Counter>,
    /// Times that a queue had no room and its connection was led through the log instead.
    pub lagged: Counter,
    /// Connections that are being led to the end of a log.
    pub catching_up: Gauge,
    /// Seconds for which the repair horizon has stood still because of an open transaction.
    pub repair_horizon: Gauge<f64, AtomicU64>,
    /// What was sent to other nodes.
    pub bus_sent: Family<Carried, Counter>,
    /// What came from other nodes.
    pub bus_received: Family<Carried, Counter>,
    /// Payloads of other nodes that did not come.
    pub bus_lost: Counter,
    /// Entries that were dropped because a queue of the bus was full or the bus refused them.
    pub bus_dropped: Counter,
    /// Payloads that could not be read.
    pub bus_malformed: Counter,
    /// Whether the bus works; always so where nothing has to leave the node.
    pub bus_up: Gauge,
    /// Dismissed groups that are not released yet, as the database said last.
    pub unreleased_groups: Gauge,
    /// Members that are left in them.
    pub unreleased_members: Gauge,
    /// Accounts that are being deleted.
    pub accounts_ending: Gauge,
    /// Whether the database answered when it was last asked.
    pub database_up: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry with everything at zero.
    #[must_use]
    pub fn new() -> Self {
        let fast = || Histogram::new(exponential_buckets(0.000_1, 2.0, 18));
        let mut metrics = Self {
            registry: Registry::with_prefix("muster"),
            requests: Family::default(),
            request_seconds: fast(),
            commands: Family::default(),
            invited: Family::default(),
            batches: Counter::default(),
            batch_retries: Family::default(),
            batch_size: Histogram::new(exponential_buckets(1.0, 2.0, 8)),
            batch_seconds: fast(),
            lane_wait_seconds: fast(),
            waiting: Gauge::default(),
            events: Counter::default(),
            events_trimmed: Counter::default(),
            frames: Counter::default(),
            sockets: Gauge::default(),
            sockets_closed: Family::default(),
            log_reads: Counter::default(),
            streams: Gauge::default(),
            delivery_seconds: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_1, 2.0, 18))
            }),
            replayed: Family::default(),
            resets: Family::default(),
            repaired: Family::default(),
            lagged: Counter::default(),
            catching_up: Gauge::default(),
            repair_horizon: Gauge::default(),
            bus_sent: Family::default(),
            bus_received: Family::default(),
            bus_lost: Counter::default(),
            bus_dropped: Counter::default(),
            bus_malformed: Counter::default(),
            bus_up: Gauge::default(),
            unreleased_groups: Gauge::default(),
            unreleased_members: Gauge::default(),
            accounts_ending: Gauge::default(),
            database_up: Gauge::default(),
        };
        metrics.bus_up.set(1);
        metrics.register_calls();
        metrics.register_delivery();
        metrics.register_repair();
        metrics.register_bus();
        metrics.register_upkeep();
        metrics
    }

    fn register_calls(&mut self) {
        let registry = &mut self.registry;
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register_with_unit(
            "request",
            "Time from a request's head to its answer",
            Unit::Seconds,
            self.request_seconds.clone(),
        );
        registry.register("commands", "Commands decided", self.commands.clone());
        registry.register(
            "invited",
            "People named in invitations, by result",
            self.invited.clone(),
        );
        registry.register("batches", "Batches committed", self.batches.clone());
        registry.register("batch_retries", "Batches run again", self.batch_retries.clone());
        registry.register("batch_commands", "Commands in a batch", self.batch_size.clone());
        registry.register_with_unit(
            "batch",
            "Time of a batch",
            Unit::Seconds,
            self.batch_seconds.clone(),
        );
        registry.register_with_unit(
            "lane_wait",
            "Time that a command waited for a lane",
            Unit::Seconds,
            self.lane_wait_seconds.clone(),
        );
        registry.register(
            "waiting_commands",
            "Commands that wait for a lane",
            self.waiting.clone(),
        );
        registry.register("events", "Entries written to logs", self.events.clone());
    }

    fn register_delivery(&mut self) {
        let registry = &mut self.registry;
        registry.register("frames", "Frames handed to sockets", self.frames.clone());
        registry.register("sockets", "Open sockets", self.sockets.clone());
        registry.register("sockets_closed", "Sockets that ended", self.sockets_closed.clone());
        registry.register("log_reads", "Entries read back from the log", self.log_reads.clone());
        registry.register("streams", "Streams that are followed here", self.streams.clone());
        registry.register_with_unit(
            "delivery",
            "Time from a change to the write of its event to a socket, by the way it came",
            Unit::Seconds,
            self.delivery_seconds.clone(),
        );
        registry.register("replayed", "Events replayed to clients", self.replayed.clone());
        registry.register("resets", "Parts that clients had to load again", self.resets.clone());
        registry.register(
            "lagged",
            "Times that a client read too slowly and was led through the log instead",
            self.lagged.clone(),
        );
        registry.register(
            "catching_up",
            "Sockets that are being led to the end of a log",
            self.catching_up.clone(),
        );
    }

    fn register_repair(&mut self) {
        let registry = &mut self.registry;
        registry.register("repaired", "Lost on the way and found again", self.repaired.clone());
        registry.register_with_unit(
            "repair_horizon",
            "Time for which an open transaction has held the repair horizon back",
            Unit::Seconds,
            self.repair_horizon.clone(),
        );
    }

    fn register_upkeep(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "events_trimmed",
            "Entries removed from logs for their age",
            self.events_trimmed.clone(),
        );
        registry.register(
            "unreleased_groups",
            "Dismissed groups with something left to release",
            self.unreleased_groups.clone(),
        );
        registry.register(
            "unreleased_members",
            "Members left to release in dismissed groups",
            self.unreleased_members.clone(),
        );
        registry.register(
            "accounts_being_deleted",
            "Accounts that are being deleted",
            self.accounts_ending.clone(),
        );
        registry.register("database_up", "Whether the database answers", self.database_up.clone());
    }

    fn register_bus(&mut self) {
        let registry = &mut self.registry;
        registry.register("bus_sent", "Sent to other nodes", self.bus_sent.clone());
        registry.register("bus_received", "Received from other nodes", self.bus_received.clone());
        registry.register(
            "bus_lost",
            "Messages of other nodes that did not come",
            self.bus_lost.clone(),
        );
        registry.register(
            "bus_dropped",
            "Entries that a full queue of the bus dropped, or that the bus refused",
            self.bus_dropped.clone(),
        );
        registry.register(
            "bus_malformed",
            "Messages that could not be read",
            self.bus_malformed.clone(),
        );
        registry.register(
            "bus_up",
            "Whether the way to other nodes works; always so where there is none",
            self.bus_up.clone(),
        );
    }

    /// The registry in the text format of OpenMetrics.
    ///
    /// # Errors
    /// Only when formatting fails.
    pub fn print(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
