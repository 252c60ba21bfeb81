//! Everything around inviting: groups are made, read, changed and ended, members listed, removed and
//! let go, users and histories read. Sections are those of `tencent-im.md`, letters those of
//! `decisions.md`.

mod accounts;
mod create;
mod dismiss;
mod edit;
mod history;
mod kick;
mod members;
mod quit;
mod read;
mod users;
