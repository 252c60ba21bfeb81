//! Outward, after the commit: from the logs to the sockets.
//!
//! The cast: the engine hands each committed entry to the [`Hub`]; one task (`worker`) owns the `router`, a
//! pure state machine that decides which connection gets which entry in which order; a bounded `mailbox`
//! leads to each socket, which the worker writes to directly as long as the client reads; `connection` speaks
//! the protocol of one socket over any `transport`, of which `websocket` is the one over TCP.
//! `resume` works out where a connection starts, `reads` gathers what has to be read from the log, `repair`
//! compares with the database what nobody told, `source` is what is asked of the database, and the [`Bus`]
//! leads to other nodes.
//!
//! What holds: within a stream every connection gets the entries in the order of their numbers, each once,
//! from where it starts to where its user's membership ends. Nothing on the way needs to be reliable for
//! that, since the log in the database is the truth and a number tells what is missing: whatever cannot
//! be repaired ends the connection, never in silence, and it starts anew from the truth. A slow client
//! costs a bounded queue, is never waited for, and is led through the log when it reads again.

mod bus;
mod cause;
mod connection;
mod event;
mod frame;
mod hub;
mod mailbox;
mod reads;
mod repair;
mod resume;
mod router;
mod source;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod tests;
mod transport;
mod websocket;
mod wire;
mod worker;

pub use bus::Bus;
pub use connection::{Connection, Gate, Pass, Timing};
pub use hub::Hub;
pub use resume::Position;
pub use source::Source;
pub use transport::{Incoming, Lost, Outlet, Transport};
pub use websocket::WebSocket;
pub use wire::GROUPS_IN_FRAME;
