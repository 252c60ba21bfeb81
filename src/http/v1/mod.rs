//! The native face: one file a resource, every answer in the envelope `{code, desc, data}` with the HTTP
//! status that a REST client expects.

pub mod applications;
pub mod asked;
pub mod asyncapi;
pub mod attributes;
pub mod bans;
pub mod body;
pub mod events;
pub mod groups;
pub mod history;
pub mod invite;
pub mod limits;
pub mod lists;
pub mod members;
pub mod openapi;
pub mod permissions;
pub mod problem;
pub mod reply;
pub mod users;

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::App;

/// All routes below `/v1`.
pub fn router() -> Router<App> {
    routes().into()
}

/// All routes with their documentation. A handler enters here with what `#[utoipa::path]` says of it, so
/// that no route is without; those of one path stand in one line.
fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(lists::list_all_groups, groups::create_group))
        .routes(routes!(groups::get_group, groups::edit_group, groups::dismiss_group))
        .routes(routes!(members::list_members))
        .routes(routes!(members::edit_member))
        .routes(routes!(members::transfer_group))
        .routes(routes!(bans::list_bans))
        .routes(routes!(bans::get_ban, bans::put_ban, bans::delete_ban))
        .routes(routes!(permissions::get_permissions))
        .routes(routes!(
            attributes::get_attributes,
            attributes::replace_attributes,
            attributes::merge_attributes,
            attributes::clear_attributes
        ))
        .routes(routes!(invite::invite_user_to_group))
        .routes(routes!(members::join_group))
        .routes(routes!(members::quit_group))
        .routes(routes!(members::kick_members))
        .routes(routes!(applications::list_applications))
        .routes(routes!(applications::accept_application))
        .routes(routes!(applications::refuse_application))
        .routes(routes!(users::get_user, users::put_user, users::delete_user))
        .routes(routes!(users::revoke_credentials))
        .routes(routes!(users::list_groups))
        .routes(routes!(history::list_events))
        .routes(routes!(events::events))
        .routes(routes!(limits::get_limits))
        .routes(routes!(openapi::openapi))
        .routes(routes!(asyncapi::asyncapi))
}
