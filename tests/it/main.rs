//! All integration tests, in one binary: the real server over HTTP and websockets on a real PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what does not hold fails a test")]

mod common;

mod accounts;
mod applications;
mod architecture;
mod around;
mod asyncapi;
mod attributes;
mod bad_input;
mod bench;
mod client;
mod crash;
mod credentials;
mod demo;
mod docs;
mod embedded;
mod faults;
mod groups;
mod idempotency;
mod invite;
mod lanes;
mod large;
mod lists;
mod matrix;
mod members;
mod model;
mod nodes;
mod openapi;
mod ops;
mod parity;
mod query_counts;
mod races;
mod random;
mod retention;
mod settings;
mod sockets;
mod v4;
