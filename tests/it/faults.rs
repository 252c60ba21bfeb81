//! Nothing is lost, whatever goes wrong: three nodes, many clients that come and go, groups that change all the
//! while, and a judge of everything that every client saw.
//!
//! `MUSTER_FAULT_SECONDS` says how long each run lasts and `MUSTER_FAULT_CLIENTS` how many clients it has.

mod churn;
mod field;
mod follow;
mod judge;
mod nodes;
mod notify;
mod record;
mod truth;

/// Runs that load the machine go one after the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
