//! Nothing is lost, whatever goes wrong: three nodes, many clients that come and go, groups that change all the
//! while, and a judge of everything that every client saw.
//!
//! `MUSTER_FAULT_SECONDS` says how long each run lasts and `MUSTER_FAULT_CLIENTS` how many clients it has.

mod churn;
mod epoch;
mod field;
mod follow;
mod horizon;
mod hostile;
mod judge;
mod nats;
mod nodes;
mod notify;
mod record;
mod slow;
mod truth;

/// Runs that load the machine go one after the other.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
