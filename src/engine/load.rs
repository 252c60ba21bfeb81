//! Loading: everything that the decisions of a batch look at, locked or read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sqlx::PgConnection;

use crate::model::{Command, Group, GroupId, IdMap, Operation, UserId};
use crate::rules::{self, Facts, GroupFacts, Needs, Rows, Rulebook};
use crate::store::ahead::{self, Found, Held, Seen, Wanted};
use crate::store::engine::{StoredReply, stored_replies};
use crate::store::{attributes, facts as rows, locks};

use super::batch::Locking;
use super::failure::Failure;

/// The commands' groups, and with them what the commands will most likely ask for. Of several groups that are to be
/// locked, those that another node holds are left out, so that a slow node does not hold up the rest.
pub(super) async fn find_groups(
    connection: &mut PgConnection,
    commands: &[Arc<Command>],
    locking: Locking,
) -> Result<Found, Failure> {
    let mut wanted = Wanted::default();
    for command in commands {
        let Some(id) = command.operation.group() else { continue };
        wanted.groups.insert(id.clone());
        let Some(users) = rules::foreseen(command) else { continue };
        wanted.people.entry(id.clone()).or_default().extend(rules::look(command, None).people);
        if locking != Locking::Pessimistic {
            wanted.users.extend(users.into_iter().cloned());
        }
    }
    if wanted.groups.is_empty() {
        return Ok(Found::default());
    }
    if locking == Locking::Optimistic {
        return Ok(ahead::look(connection, wanted).await?);
    }
    let single = wanted.groups.len() == 1;
    let mut found = ahead::lock_and_look(connection, wanted).await?;
    if single && !found.elsewhere.is_empty() {
        // What was seen is of no use after the wait.
        let groups = locks::lock_groups(connection, &found.elsewhere).await?;
        let groups = groups.into_iter().map(|group| (group.id.clone(), group)).collect();
        found = Found { groups, ..Found::default() };
    }
    Ok(found)
}

/// Replies stored for the keys of these commands.
pub(super) async fn load_replies(
    connection: &mut PgConnection,
    commands: &[&Command],
) -> Result<HashMap<[u8; 32], StoredReply>, Failure> {
    let scopes: Vec<[u8; 32]> = commands
        .iter()
        .filter_map(|command| command.idempotency.as_ref().map(|key| key.scope))
        .collect();
    if scopes.is_empty() {
        return Ok(HashMap::new());
    }
    Ok(stored_replies(connection, &scopes).await?)
}

/// Loads what the commands need of their groups.
pub(super) async fn load_facts(
    connection: &mut PgConnection,
    commands: &[&Command],
    groups: IdMap<GroupId, Group>,
    seen: Option<&mut Seen>,
    rulebook: &Rulebook,
) -> Result<Facts, sqlx::Error> {
    let (mut loaded, mut now) = match seen {
        Some(seen) => (std::mem::take(&mut seen.groups), Some(seen.now)),
        None => (IdMap::default(), None),
    };
    let mut pairs: BTreeSet<(GroupId, UserId)> = BTreeSet::new();
    let mut needs: BTreeMap<GroupId, Needs> = BTreeMap::new();
    for command in commands {
        let Some(id) = command.operation.group() else { continue };
        let group = groups.get(id);
        let of_group = loaded.entry(id.clone()).or_default();
        of_group.group = group.cloned();
        let need = rules::look(command, group);
        let unknown = need.people.iter().filter(|user| !of_group.known.contains(*user));
        pairs.extend(unknown.map(|user| (id.clone(), user.clone())));
        merge(needs.entry(id.clone()).or_default(), need);
    }
    for (id, need) in &needs {
        if let Some(most) = need.members_up_to {
            pairs.extend(rows::some_members(connection, id, most).await?);
        }
        if let Some(most) = need.applications_up_to {
            rows::some_applications(connection, id, most, &mut loaded).await?;
        }
        for user in &need.askers {
            let most = rules::account::CLOSED_IN_A_STEP;
            rows::applications_by(connection, id, user, most, &mut loaded).await?;
        }
    }
    if !pairs.is_empty() {
        let pairs: Vec<(GroupId, UserId)> = pairs.into_iter().collect();
        now = rows::relations(connection, &pairs, &mut loaded).await?.or(now);
    }
    let now = match now {
        Some(now) => now,
        None => locks::now(connection).await?,
    };
    load_inviters(connection, &needs, &mut loaded).await?;
    load_tables(connection, &needs, &mut loaded).await?;
    let mut facts = Facts::new(now, rulebook);
    facts.groups = loaded;
    Ok(facts)
}

/// Loads what only some commands need of their groups.
async fn load_tables(
    connection: &mut PgConnection,
    needs: &BTreeMap<GroupId, Needs>,
    loaded: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let wanting = |pick: fn(&Needs) -> bool| -> Vec<GroupId> {
        needs.iter().filter(|(_, need)| pick(need)).map(|(id, _)| id.clone()).collect()
    };
    let managed = wanting(|need| need.managers);
    if !managed.is_empty() {
        rows::managers(connection, &managed, loaded).await?;
    }
    let profiled = wanting(|need| need.profile);
    if !profiled.is_empty() {
        rows::profiles(connection, &profiled, loaded).await?;
    }
    let with_attributes = wanting(|need| need.attributes);
    if !with_attributes.is_empty() {
        attributes::load(connection, &with_attributes, loaded).await?;
    }
    let asked: Vec<_> = needs
        .iter()
        .flat_map(|(id, need)| need.applications.iter().map(|one| (id.clone(), *one)))
        .collect();
    if !asked.is_empty() {
        rows::applications(connection, &asked, loaded).await?;
    }
    Ok(())
}

fn merge(all: &mut Needs, one: Needs) {
    all.applications.extend(one.applications);
    all.askers.extend(one.askers);
    all.inviters |= one.inviters;
    all.managers |= one.managers;
    all.profile |= one.profile;
    all.attributes |= one.attributes;
    all.members_up_to = all.members_up_to.max(one.members_up_to);
    all.applications_up_to = all.applications_up_to.max(one.applications_up_to);
}

/// Loads the relations of those who made the open applications among the facts.
async fn load_inviters(
    connection: &mut PgConnection,
    needs: &BTreeMap<GroupId, Needs>,
    loaded: &mut IdMap<GroupId, GroupFacts>,
) -> Result<(), sqlx::Error> {
    let mut pairs = Vec::new();
    for (id, _) in needs.iter().filter(|(_, need)| need.inviters) {
        let Some(of_group) = loaded.get(id) else { continue };
        let inviters = of_group.applications.values().map(|open| &open.from_user);
        let unknown: BTreeSet<&UserId> =
            inviters.filter(|user| !of_group.known.contains(*user)).collect();
        pairs.extend(unknown.into_iter().map(|user| (id.clone(), user.clone())));
    }
    if !pairs.is_empty() {
        rows::relations(connection, &pairs, loaded).await?;
    }
    Ok(())
}

/// The users whose rows the commands need, as far as they are permitted.
pub(super) fn wanted_users(commands: &[&Command], facts: &Facts) -> Rows {
    let mut wanted = Rows::default();
    for command in commands {
        // A refusal shows again when the command is decided.
        if let Ok(rows) = rules::users(facts, command) {
            wanted.extend(rows);
        }
    }
    wanted
}

/// The users whom the commands are about, as they were read with the groups, or else under locks. Nobody is locked
/// before permission is proved.
pub(super) async fn hold_users(
    connection: &mut PgConnection,
    commands: &[&Command],
    facts: &Facts,
    seen: Option<Seen>,
    locking: Locking,
) -> Result<Held, Failure> {
    let wanted = wanted_users(commands, facts);
    if wanted.lock.is_empty() {
        return Ok(Held::default());
    }
    if let Some(held) = seen.and_then(|seen| seen.hold(&wanted)) {
        return Ok(held);
    }
    if locking == Locking::Optimistic {
        return Err(Failure::Raced("users who were not foreseen"));
    }
    let mut found = locks::lock_users(connection, &wanted.lock, &wanted.make, facts.now).await?;
    let users = wanted.lock.into_iter().map(|id| {
        let user = found.remove(&id);
        (id, user)
    });
    Ok(Held { users: users.collect(), ..Held::default() })
}

/// Of the accounts that are to be forgotten: whether something is left of them. Asked under their locks,
/// in a statement of its own.
pub(super) async fn load_lingering(
    connection: &mut PgConnection,
    commands: &[&Command],
    facts: &mut Facts,
) -> Result<(), Failure> {
    let forgotten = commands.iter().filter_map(|command| match &command.operation {
        Operation::ForgetUser { user } => Some(user),
        _ => None,
    });
    let users: Vec<&UserId> = forgotten.collect();
    if !users.is_empty() {
        facts.lingering = rows::lingering(connection, &users).await?;
    }
    Ok(())
}
