//! The command table: one row for each command, to be read beside `tencent-im.md` 2.2, 2.3 and 3.
//!
//! A new command is one row here and one handler. A command that is not listed is answered 10003.

use futures_util::future::BoxFuture;

use super::call::Call;
use super::reply::{Answer, NO_PERMISSION, PARAMETER_WRONG, Refusal};
use super::{accounts, attributes, groups, joined, lists, members};
use crate::model::GroupType;

/// Which numbers a service refuses with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// 10xxx.
    Groups,
    /// 70xxx.
    Accounts,
}

/// The services that have commands about groups, members and accounts. A path with any other service
/// cannot be served (60009); one with a command that is not in the table is unknown (10003).
pub(super) const SERVICES: &[(&str, Family)] = &[
    (GROUP, Family::Groups),
    (ATTRIBUTES, Family::Groups),
    ("group_open_avchatroom_http_svc", Family::Groups),
    ("group_open_http_noauth_svc", Family::Groups),
    ("million_group_open_http_svc", Family::Groups),
    ("openim", Family::Groups),
    ("openim_msg_ext_http_svc", Family::Groups),
    (LOGIN, Family::Accounts),
];

const GROUP: &str = "group_open_http_svc";
const ATTRIBUTES: &str = "group_open_attr_http_svc";
const LOGIN: &str = "im_open_login_svc";

/// What a command does with a call.
pub(super) type Handler = fn(Call) -> BoxFuture<'static, Result<Answer, Refusal>>;

/// One command.
pub(super) struct Row {
    /// The service.
    pub(super) service: &'static str,
    /// The name.
    pub(super) name: &'static str,
    /// The types of groups that it supports.
    pub(super) types: &'static [GroupType],
    /// What it answers for any other type.
    pub(super) unsupported: u32,
    /// What it does.
    pub(super) handler: Handler,
}

/// The letters of section 2.3: P = Private, U = Public, C = ChatRoom, A = AVChatRoom, M = Community.
const PUCAM: &[GroupType] = GroupType::ALL;
const PUCM: &[GroupType] =
    &[GroupType::Work, GroupType::Public, GroupType::Meeting, GroupType::Community];

/// Every type but Community.
const PUCA: &[GroupType] =
    &[GroupType::Work, GroupType::Public, GroupType::Meeting, GroupType::AVChatRoom];

/// The table.
#[rustfmt::skip]
pub(super) const COMMANDS: &[Row] = &[
    Row { service: GROUP, name: "create_group",          types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(groups::create(call)) },
    Row { service: GROUP, name: "destroy_group",         types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(groups::destroy(call)) },
    Row { service: GROUP, name: "get_group_info",        types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(groups::info(call)) },
    Row { service: GROUP, name: "add_group_member",      types: PUCM,  unsupported: NO_PERMISSION,   handler: |call| Box::pin(members::add(call)) },
    Row { service: GROUP, name: "delete_group_member",   types: PUCM,  unsupported: PARAMETER_WRONG, handler: |call| Box::pin(members::delete(call)) },
    Row { service: GROUP, name: "get_group_member_info", types: PUCM,  unsupported: NO_PERMISSION,   handler: |call| Box::pin(members::list(call)) },
    Row { service: GROUP, name: "get_role_in_group",     types: PUCM,  unsupported: NO_PERMISSION,   handler: |call| Box::pin(members::roles(call)) },
    Row { service: GROUP, name: "get_joined_group_list", types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(joined::list(call)) },
    Row { service: GROUP, name: "get_appid_group_list",  types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(lists::all(call)) },
    Row { service: GROUP, name: "set_group_attr",        types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(attributes::set(call)) },
    Row { service: GROUP, name: "modify_group_attr",     types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(attributes::modify(call)) },
    Row { service: GROUP, name: "delete_group_attr",     types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(attributes::delete(call)) },
    Row { service: GROUP, name: "clear_group_attr",      types: PUCA,  unsupported: NO_PERMISSION,   handler: |call| Box::pin(attributes::clear(call)) },
    Row { service: ATTRIBUTES, name: "get_group_attr",   types: PUCAM, unsupported: NO_PERMISSION,   handler: |call| Box::pin(attributes::get(call)) },
    Row { service: LOGIN, name: "account_import",        types: &[],   unsupported: NO_PERMISSION,   handler: |call| Box::pin(accounts::import(call)) },
    Row { service: LOGIN, name: "multiaccount_import",   types: &[],   unsupported: NO_PERMISSION,   handler: |call| Box::pin(accounts::import_many(call)) },
    Row { service: LOGIN, name: "account_check",         types: &[],   unsupported: NO_PERMISSION,   handler: |call| Box::pin(accounts::check(call)) },
    Row { service: LOGIN, name: "account_delete",        types: &[],   unsupported: NO_PERMISSION,   handler: |call| Box::pin(accounts::delete(call)) },
    Row { service: LOGIN, name: "kick",                  types: &[],   unsupported: NO_PERMISSION,   handler: |call| Box::pin(accounts::kick(call)) },
];

/// What a path asks for.
pub(super) struct Target {
    /// The numbers that its service refuses with.
    pub(super) family: Family,
    /// The command, if there is one of that name.
    pub(super) row: Option<&'static Row>,
}

impl Target {
    /// Reads a path: `/v4/{service}/{command}`, byte for byte; `None` when no command can have it.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        let (service, command) = path.strip_prefix("/v4/")?.split_once('/')?;
        if command.is_empty() || command.contains('/') {
            return None;
        }
        let (_, family) = SERVICES.iter().find(|(known, _)| *known == service)?;
        let row = COMMANDS.iter().find(|row| row.service == service && row.name == command);
        Some(Self { family: *family, row })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_command_is_listed_once_and_its_service_is_known() {
        let distinct: BTreeSet<_> = COMMANDS.iter().map(|row| (row.service, row.name)).collect();
        assert_eq!(distinct.len(), COMMANDS.len());
        for row in COMMANDS {
            let path = format!("/v4/{}/{}", row.service, row.name);
            let found = Target::of_path(&path).and_then(|target| target.row).expect(&path);
            assert_eq!((found.service, found.name), (row.service, row.name));
        }
    }

    #[test]
    fn an_unknown_command_is_something_else_than_an_impossible_path() {
        for unknown in [
            "/v4/group_open_http_svc/frobnicate",
            "/v4/group_open_http_svc/apply_join_group",
            "/v4/group_open_http_svc/Create_Group",
            "/v4/group_open_http_svc/account_import",
            "/v4/im_open_login_svc/create_group",
            "/v4/openim/sendmsg",
        ] {
            let target = Target::of_path(unknown).expect(unknown);
            assert!(target.row.is_none(), "{unknown}");
        }
        for impossible in [
            "/v4",
            "/v4/",
            "/v4/group_open_http_svc",
            "/v4/group_open_http_svc/",
            "/v4/group_open_http_svc/create_group/",
            "/v4/group_open_http_svc/create_group/x",
            "/v4//create_group",
            "/v4/Group_open_http_svc/create_group",
            "/v4/no_such_svc/create_group",
            "/v1/groups",
            "",
        ] {
            assert!(Target::of_path(impossible).is_none(), "{impossible:?}");
        }
    }

    #[test]
    fn only_live_groups_are_ever_left_out_and_communities_where_attributes_are_cleared() {
        let clearing = |row: &&Row| row.name == "clear_group_attr";
        let cleared = COMMANDS.iter().find(clearing).expect("a row");
        assert!(!cleared.types.contains(&GroupType::Community) && cleared.types.len() == 4);
        for row in COMMANDS.iter().filter(|row| row.service == GROUP && !clearing(row)) {
            let missing: Vec<_> =
                GroupType::ALL.iter().filter(|one| !row.types.contains(one)).collect();
            assert!(missing.is_empty() || missing == [&GroupType::AVChatRoom], "{}", row.name);
        }
    }
}
