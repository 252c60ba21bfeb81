//! Muster: a self-hosted group-membership server.
pub mod model;
pub mod rules;
pub mod store;
