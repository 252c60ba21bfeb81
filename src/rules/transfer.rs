//! Making another member the owner. The one before stays, as an ordinary member.

use serde_json::json;

use crate::model::event::{GroupEvent, InfoChange};
use crate::model::{Caller, Error, Group, GroupId, Reply, UserId};

use super::facts::{Facts, Stop};
use super::matrix::Action;
use super::{Decision, Needs, Step, standing};

pub(super) fn look(caller: &UserId, to: &UserId, group: Option<&Group>) -> Needs {
    let owner = group.and_then(|group| group.owner.clone());
    let people = [caller.clone(), to.clone()].into_iter().chain(owner).collect();
    Needs { people, ..Needs::default() }
}

pub(super) fn decide(
    facts: &Facts,
    caller: &Caller,
    id: &GroupId,
    to: &UserId,
) -> Result<Decision, Stop> {
    let (group, of_group) = facts.existing(id)?;
    facts.rules(group).permit(Action::Transfer, standing(of_group, caller)?)?;
    if of_group.member(to)?.is_none() {
        // As at Tencent a bad parameter (`decisions.md` 11).
        let rule = format!("names {to}, who is not a member of the group");
        return Err(Error::parameter("userID", rule).into());
    }
    if group.owner.as_ref() == Some(to) {
        return Ok(Decision::unchanged(Reply::Done));
    }
    if let Some(owner) = &group.owner {
        // His row changes as well.
        of_group.member(owner)?;
    }
    let event = GroupEvent::InfoChanged {
        op: caller.user.clone(),
        group: Box::new(Group { owner: Some(to.clone()), ..group.clone() }),
        profile: None,
        changes: vec![InfoChange::new("owner", json!(to))],
    };
    Ok(Decision { reply: Reply::Done, steps: vec![Step::Group(id.clone(), event)] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GroupType, Reason, Role};
    use crate::rules::testkit::{
        STRANGER, caller, events, facts, group, of_group, refusal, seat, user,
    };

    fn given(facts: &Facts, by: &str, to: &str) -> Result<Decision, Stop> {
        decide(facts, &caller(by), &group(), &user(to))
    }

    #[test]
    fn the_new_owner_gets_the_role_and_the_old_one_is_an_ordinary_member() {
        let mut facts = facts(GroupType::Public);
        let decision = given(&facts, "owner", "member").expect("done");
        assert_eq!(events(&decision), ["onGroupInfoChanged"]);
        facts.apply(&decision).expect("applied");
        assert_eq!(seat(&mut facts, "member").role, Role::Owner);
        assert_eq!(seat(&mut facts, "owner").role, Role::Member);
        let of_group = of_group(&mut facts);
        let owner = of_group.group.as_ref().and_then(|group| group.owner.clone());
        assert_eq!(owner, Some(user("member")));
        let managers = of_group.managers.clone().expect("loaded");
        assert_eq!(managers, ["admin", "admin2", "member"].map(user).into());
        let frame = &facts.changes.entries[0].frame;
        assert!(frame.contains(r#""changeInfos":[{"type":"owner","value":"member"}]"#), "{frame}");
    }

    #[test]
    fn to_the_owner_himself_nothing_changes() {
        let facts = facts(GroupType::Public);
        for by in ["owner", "administrator"] {
            assert_eq!(given(&facts, by, "owner"), Ok(Decision::unchanged(Reply::Done)));
        }
    }

    #[test]
    fn only_a_member_can_be_the_owner() {
        let facts = facts(GroupType::Public);
        let error = refusal(given(&facts, "owner", STRANGER));
        assert_eq!(
            (error.reason, error.field.as_deref()),
            (Reason::InvalidParameter, Some("userID"),)
        );
        assert_eq!(error.text, "userID names stranger, who is not a member of the group");
        let error = refusal(given(&facts, "admin", "member"));
        assert_eq!(error.source.as_deref(), Some("transfer in groups of type Public"));
    }

    #[test]
    fn a_group_without_an_owner_gets_one_from_an_administrator() {
        let mut facts = facts(GroupType::Work);
        seat(&mut facts, "owner").left_seq = Some(1);
        of_group(&mut facts).group.as_mut().expect("a row").owner = None;
        assert_eq!(refusal(given(&facts, "member", "member")).reason, Reason::RoleTooLow);
        let decision = given(&facts, "administrator", "member").expect("done");
        facts.apply(&decision).expect("applied");
        assert_eq!(seat(&mut facts, "member").role, Role::Owner);
    }

    #[test]
    fn the_owner_is_loaded_whoever_asks() {
        let mut facts = facts(GroupType::Public);
        let row = of_group(&mut facts).group.clone();
        let needs = look(&user("administrator"), &user("member"), row.as_ref());
        assert_eq!(needs.people, ["administrator", "member", "owner"].map(user));
        of_group(&mut facts).known.remove(&user("owner"));
        assert_eq!(given(&facts, "administrator", "member"), Err(Stop::Missing));
    }
}
