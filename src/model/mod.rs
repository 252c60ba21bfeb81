//! The vocabulary of Muster, without any I/O: what every other room talks about.
//!
//! Names of the public surface are parsed here once and then travel as types, so that nothing further
//! in has to ask whether an id is possible or an option spelled right. Nothing in this folder knows of
//! SQL, HTTP or Tencent's wire names.

pub mod application;
pub mod attributes;
pub mod command;
pub mod error;
pub mod event;
pub mod fields;
pub mod group;
pub mod id;
pub mod limits;
pub mod member;
pub mod outcome;
pub mod text;
pub mod user;

pub use application::{Application, ApplicationKind, ApplicationState, Ending};
pub use command::{Caller, Command, IdempotencyKey, Operation, Reply};
pub use error::{Error, Reason};
pub use event::{Ends, EventKind, LogEntry, StreamKey};
pub use fields::{CustomFields, FieldChanges};
pub use group::{Group, GroupType, InviteOption, JoinOption, Profile, Role};
pub use id::{ApplicationId, GroupId, IdMap, IdSet, UserId};
pub use limits::Limits;
pub use member::{Ban, Member, MemberChange, NewMember};
pub use outcome::{MemberOutcome, MemberReason, MemberResult};
pub use user::{InviteConsent, Revocation, User};

/// A moment, in UTC. Every moment that decides something comes from the database.
pub type Moment = chrono::DateTime<chrono::Utc>;
