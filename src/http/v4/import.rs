//! Bringing groups in from elsewhere: `import_group`, `import_group_member` (`tencent-im.md` 2.4). Nobody
//! is shown anything; limits and bans hold as always.

use serde_json::{Map, Value, json};

use super::body::{Fields, Name, first_places};
use super::call::Call;
use super::groups::{GROUP_ID, make, read_create, read_new_member};
use super::reply::{Answer, Refusal};
use crate::model::command::{CreateGroup, Imported};
use crate::model::{Error, MemberOutcome, MemberResult, NewMember, Operation, Reason, Reply};
use crate::rules::Types;

const MEMBER_LIST: Name = &["MemberList"];

/// `import_group`.
pub(super) async fn group(call: Call) -> Result<Answer, Refusal> {
    let create = read_import(&call.fields(), call.user_bytes(), &call.app.types)?;
    make(&call, create).await.map_err(taken_is_taken)
}

fn read_import(
    fields: &Fields<'_>,
    user_bytes: usize,
    types: &Types,
) -> Result<CreateGroup, Error> {
    let created_at = fields.moment(&["CreateTime"])?;
    let imported = Some(Imported { created_at });
    Ok(CreateGroup { imported, ..read_create(fields, user_bytes, types)? })
}

/// Only `create_group` tells apart whose the group is that has the id (section 2.3).
fn taken_is_taken(refusal: Refusal) -> Refusal {
    match refusal {
        Refusal::Shared(mut error) if error.reason == Reason::GroupIdTakenByOwner => {
            error.reason = Reason::GroupIdTaken;
            Refusal::Shared(error)
        }
        other => other,
    }
}

/// `import_group_member`.
pub(super) async fn members(call: Call) -> Result<Answer, Refusal> {
    let fields = call.fields();
    let group = fields.group(GROUP_ID)?;
    let members = read_members(&fields, call.user_bytes())?;
    let reply = call.submit(Operation::ImportMembers { group, members }).await?;
    let Reply::Members(outcomes) = &reply else { return Err(Refusal::misplaced(&reply)) };
    let line = |outcome: &MemberOutcome| -> Value {
        json!({"Member_Account": outcome.user, "Result": result(outcome.result)})
    };
    let mut answer = Map::new();
    answer.insert("MemberList".to_owned(), outcomes.iter().map(line).collect());
    Ok(answer)
}

fn read_members(fields: &Fields<'_>, user_bytes: usize) -> Result<Vec<NewMember>, Error> {
    let list = fields.require(MEMBER_LIST, fields.objects(MEMBER_LIST)?)?;
    if list.is_empty() {
        return Err(fields.names_nobody(MEMBER_LIST));
    }
    let mut members = Vec::with_capacity(list.len());
    for member in list {
        let joined_at = member.moment(&["JoinTime"])?;
        members.push(NewMember { joined_at, ..read_new_member(&member, user_bytes)? });
    }
    Ok(first_places(members, |member: &NewMember| member.user.clone()))
}

/// The results of this command: 0 failed, 1 done, 2 a member already. Who is in as many groups as he may
/// be has failed here.
fn result(result: MemberResult) -> u8 {
    match result {
        MemberResult::Done | MemberResult::Invalid => result.code(),
        MemberResult::Failed | MemberResult::Pending | MemberResult::OverLimit => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Moment, Role};

    #[test]
    fn a_group_has_its_time() {
        let read = |body: Value| {
            let fields = body.as_object().unwrap().clone();
            let create = read_import(&Fields::new(&fields), 32, &Types::builtin())?;
            Ok::<_, Error>(create.imported.and_then(|imported| imported.created_at))
        };
        let body = json!({"Type": "Public", "Name": "n", "CreateTime": 1_448_357_837});
        assert_eq!(read(body), Ok(Moment::from_timestamp(1_448_357_837, 0)));
        let body = json!({"Type": "Public", "Name": "n", "CreateTime": 0});
        assert_eq!(read(body), Ok(None));
        let body = json!({"Type": "Public", "Name": "n", "CreateTime": "yesterday"});
        assert_eq!(read(body).expect_err("no number").field.as_deref(), Some("CreateTime"));
    }

    #[test]
    fn members_have_roles_and_times() {
        let body = json!({"MemberList": [
            {"Member_Account": "a", "Role": "Admin", "JoinTime": 1_448_357_837, "UnreadMsgNum": 5},
            {"Member_Account": "b"},
            {"Member_Account": "a", "JoinTime": 1},
        ]});
        let members = read_members(&Fields::new(body.as_object().unwrap()), 32).unwrap();
        let [a, b] = members.as_slice() else { panic!("{members:?}") };
        assert_eq!((a.role, a.joined_at), (Role::Admin, Moment::from_timestamp(1_448_357_837, 0)));
        assert_eq!((b.role, b.joined_at), (Role::Member, None));
    }

    #[test]
    fn results_are_0_1_or_2() {
        use MemberResult::{Done, Failed, Invalid, OverLimit, Pending};
        let results = [Failed, Done, Invalid, Pending, OverLimit].map(result);
        assert_eq!(results, [0, 1, 2, 0, 0]);
    }
}
