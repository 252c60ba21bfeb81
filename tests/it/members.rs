//! What owner, admins and app administrators do to members on the native face: roles, transfer, name
//! cards, mutes, bans, fields of the app's own, and what a person may do at all. Sections are those of
//! `tencent-im.md`, letters those of `decisions.md`.

mod bans;
mod dry_run;
mod fields;
mod mutes;
mod names;
mod own_types;
mod pages;
mod permissions;
mod roles;
mod transfer;

use serde_json::{Value, json};

use crate::common::{Answer, Server};
use crate::groups::{at, group_of};

/// A Public group with two admins and two members.
async fn crowd(server: &Server, id: &str) -> String {
    let people = (&["admin 1", "admin 2"] as &[&str], &["m1", "m2"] as &[&str]);
    group_of(server, "owner", id, "Public", people, json!({})).await
}

/// `PATCH …/members/{userID}`.
async fn edit(server: &Server, caller: &str, group: &str, user: &str, body: Value) -> Answer {
    let user = percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC);
    server.patch(caller, &at(group, &format!("members/{user}")), body).await
}

/// One member's line.
async fn line(server: &Server, group: &str, user: &str) -> Value {
    let user = percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC);
    let path = at(group, &format!("members?userID={user}"));
    let data = server.get(crate::common::ADMIN, &path).await.ok();
    data["memberList"][0].clone()
}
