//! The native face: one file a resource, every answer in the envelope `{code, desc, data}` with the HTTP
//! status that a REST client expects.

pub mod applications;
pub mod asked;
pub mod body;
pub mod events;
pub mod groups;
pub mod history;
pub mod invite;
pub mod limits;
pub mod members;
pub mod problem;
pub mod reply;
pub mod users;

use axum::Router;
use axum::routing::{delete, get, post};

use super::App;

/// All routes below `/v1`.
pub fn router() -> Router<App> {
    Router::new()
        .route("/groups", post(groups::create_group))
        .route(
            "/groups/{groupID}",
            get(groups::get_group).patch(groups::edit_group).delete(groups::dismiss_group),
        )
        .route("/groups/{groupID}/invite", post(invite::invite_user_to_group))
        .route("/groups/{groupID}/join", post(members::join_group))
        .route("/groups/{groupID}/quit", post(members::quit_group))
        .route("/groups/{groupID}/kick", post(members::kick_members))
        .route("/groups/{groupID}/members", get(members::list_members))
        .route("/groups/{groupID}/events", get(history::list_events))
        .route(
            "/users/{userID}",
            get(users::get_user).put(users::put_user).delete(users::delete_user),
        )
        .route("/users/{userID}/credentials", delete(users::revoke_credentials))
        .route("/users/{userID}/groups", get(users::list_groups))
        .route("/applications", get(applications::list_applications))
        .route("/applications/{applicationID}/accept", post(applications::accept_application))
        .route("/applications/{applicationID}/refuse", post(applications::refuse_application))
        .route("/limits", get(limits::get_limits))
        .route("/events", get(events::events))
}
