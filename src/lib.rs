//! Muster: a self-hosted group-membership server.
//!
//! A command comes in over one of the faces ([`http`]), the [`engine`] decides it by the [`rules`] and
//! commits it with its events through the [`store`], and [`delivery`] carries the events to the websockets
//! of every member. Dependencies point one way:
//!
//! ```text
//! model ← rules ← store ← engine ← delivery, http ← server ← bench ← cli
//! ```
//!
//! | room | what lives there |
//! |---|---|
//! | [`model`] | the vocabulary, without I/O |
//! | [`rules`] | the product's decisions, pure: facts and a command in, a decision out |
//! | [`store`] | all SQL |
//! | [`engine`] | command, lane, batch, reply |
//! | [`delivery`] | outward, after the commit: router, bus, connections |
//! | [`auth`] | from a credential to a caller |
//! | [`http`] | the native face, the Tencent face, health and metrics |
//! | [`embedded`] | the private PostgreSQL of the embedded default |
//! | [`config`] | settings, and where each came from |
//! | [`server`] | how the parts are put together, started and stopped |
//! | [`upkeep`] | what happens without being asked |
//! | [`bench`] | what it carries, beside a yardstick |
//! | [`cli`] | the commands |

pub mod auth;
pub mod bench;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod embedded;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod model;
pub mod rules;
pub mod server;
pub mod store;
pub mod upkeep;
