//! One call that passed the gate: who asks, which command, and what he sent.

use serde_json::{Map, Value};

use super::body::Fields;
use super::reply::Refusal;
use super::table::Row;
use super::words;
use crate::http::App;
use crate::model::{Caller, Command, Error, GroupId, GroupType, Operation, Reason, Reply};
use crate::rules::matrix::{Action, Standing};
use crate::store::groups::GroupView;
use crate::store::members::{MemberFilter, MemberView};

/// A call.
pub(super) struct Call {
    /// What can be reached.
    pub(super) app: App,
    /// The administrator.
    pub(super) caller: Caller,
    /// The command.
    pub(super) row: &'static Row,
    /// The body.
    pub(super) body: Map<String, Value>,
}

impl Call {
    /// The body's fields.
    pub(super) fn fields(&self) -> Fields<'_> {
        Fields::new(&self.body)
    }

    /// Most bytes of a user id.
    pub(super) fn user_bytes(&self) -> usize {
        self.app.limits.user_id_bytes
    }

    /// Has the engine do something. A refusal of the rules comes back in this face's words.
    ///
    /// # Errors
    /// The refusal.
    pub(super) async fn submit(&self, operation: Operation) -> Result<Reply, Refusal> {
        let spelling = words::Spelling::of(&operation);
        let command = Command { caller: self.caller.clone(), operation, idempotency: None };
        let reply = self.app.engine.submit(command).await;
        reply.map_err(|error| Refusal::Shared(words::in_wire_words(error, spelling)))
    }

    /// A group that exists, of a type that the command supports, and that the caller may read.
    ///
    /// # Errors
    /// [`Reason::GroupNotFound`], [`Reason::NotAllowedForType`], or what the matrix says.
    pub(super) async fn group(&self, id: &GroupId, action: Action) -> Result<GroupView, Refusal> {
        let found = self.app.store.group_view(id, &self.caller.user).await?;
        let view = found.ok_or_else(absent)?;
        self.check_type(view.group.group_type)?;
        self.permit(&view, action)?;
        Ok(view)
    }

    /// Whether the caller may read something of a group, as the matrix says.
    ///
    /// # Errors
    /// The matrix's refusal.
    pub(super) fn permit(&self, view: &GroupView, action: Action) -> Result<(), Error> {
        self.app.types.of(&view.group).permit(action, Standing::of(&self.caller, view.role))
    }

    /// Members of a group as [`Self::group`] finds it, if the caller may read them.
    ///
    /// # Errors
    /// As of [`Self::group`].
    pub(super) async fn members(
        &self,
        id: &GroupId,
        filter: &MemberFilter,
    ) -> Result<Vec<MemberView>, Refusal> {
        let found = self.app.store.members(id, &self.caller.user, filter).await?;
        let page = found.ok_or_else(absent)?;
        self.check_type(page.group_type)?;
        let rules = self.app.types.get(page.group_type, page.own_type.as_deref());
        rules.permit(Action::ReadMembers, Standing::of(&self.caller, page.role))?;
        Ok(page.members)
    }

    fn check_type(&self, group_type: GroupType) -> Result<(), Error> {
        if self.row.types.contains(&group_type) {
            return Ok(());
        }
        let text = format!(
            "{} does not support groups of type {}",
            self.row.name,
            words::group_type(group_type)
        );
        Err(Error::new(Reason::NotAllowedForType, text).field("GroupId"))
    }
}

/// The refusal of a group that does not exist or was dismissed.
pub(super) fn absent() -> Error {
    Error::new(Reason::GroupNotFound, "there is no such group").field("GroupId")
}
