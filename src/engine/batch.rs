//! One attempt: lock, load, decide, write, commit.
//!
//! Round trips of the usual batch: lock the groups, load the relations, lock the users, write, commit and
//! begin the next ([`super::session`]). Other tables are asked only when a command needs them. House law
//! on locks: groups in byte order, then users in byte order, then nothing more.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sqlx::PgConnection;
use tokio::time::timeout;

use crate::model::{
    Command, Error, Group, GroupId, Moment, Operation, Reason, Reply, Revocation, UserId,
};
use crate::rules::{self, Facts, GroupFacts, Needs, Rows, Rulebook, Stop};
use crate::store::engine::{StoredReply, stored_replies};
use crate::store::write::{NewReply, write};
use crate::store::{attributes, engine as memory, facts as rows, locks};

use super::failure::{Failure, keeps_connection, no_answer};
use super::outcome::{Committed, Outcome, Verdict};
use super::session::Session;

/// Tries to run commands as one transaction.
pub(super) async fn attempt(
    session: &mut Session,
    commands: &[Arc<Command>],
    rulebook: &Rulebook,
) -> Result<Outcome, Failure> {
    let (batch, silence) = (uuid::Uuid::now_v7(), session.silence);
    let prepared = async {
        session.begin().await?;
        prepare(&mut session.connection, commands, rulebook, batch).await
    };
    // Whoever stops waiting gives the connection up, and with it whatever was begun on it.
    let prepared = timeout(silence, prepared).await.unwrap_or_else(|_| Err(Failure::silent()));
    match prepared {
        Ok((outcome, true)) => commit(session, outcome).await,
        Ok((outcome, false)) => {
            session.undo().await?;
            Ok(outcome)
        }
        Err(failure) => {
            if matches!(failure, Failure::Lost(_)) {
                return Err(failure);
            }
            match session.undo().await {
                Ok(()) => Err(failure),
                Err(error) => Err(Failure::Lost(error)),
            }
        }
    }
}

async fn commit(session: &mut Session, outcome: Outcome) -> Result<Outcome, Failure> {
    match timeout(session.silence, session.commit()).await {
        Ok(Ok(())) => Ok(outcome),
        Ok(Err(error)) if keeps_connection(&error) => Err(Failure::Refused(error)),
        Ok(Err(error)) => Err(Failure::Unknown(Box::new(outcome), error)),
        Err(_) => Err(Failure::Unknown(Box::new(outcome), no_answer())),
    }
}

/// Everything up to the commit; says whether there is anything to commit.
async fn prepare(
    connection: &mut PgConnection,
    commands: &[Arc<Command>],
    rulebook: &Rulebook,
    batch: uuid::Uuid,
) -> Result<(Outcome, bool), Failure> {
    let (groups, elsewhere) = lock_groups(connection, commands).await?;
    let ours: Vec<&Command> = commands
        .iter()
        .map(AsRef::as_ref)
        .filter(|command| !command.operation.group().is_some_and(|id| elsewhere.contains(id)))
        .collect();
    let mut stored = load_replies(connection, &ours).await?;
    let mut facts = load_facts(connection, &ours, groups, rulebook).await?;
    lock_users(connection, &ours, &mut facts).await?;
    load_lingering(connection, &ours, &mut facts).await?;

    let mut verdicts = Vec::with_capacity(commands.len());
    let mut replies = Vec::new();
    for command in commands {
        if command.operation.group().is_some_and(|id| elsewhere.contains(id)) {
            verdicts.push(Verdict::Alone);
        } else {
            verdicts.push(decide(&mut facts, command, &mut stored, &mut replies));
        }
    }
    let anything = !facts.changes.is_empty() || !replies.is_empty();
    if anything {
        write(connection, batch, &facts, &replies).await?;
    }
    let now = facts.now;
    let committed = Committed {
        // The lane knows whom it is connected to.
        epoch: Arc::default(),
        revocations: std::mem::take(&mut facts.changes.revoked)
            .into_iter()
            .map(|(user, ended)| Revocation { user, at: now, ended, changed_at: now })
            .collect(),
        entries: facts.changes.entries,
    };
    Ok((Outcome { batch, verdicts, committed }, anything))
}

/// Locks the commands' groups. With several, those that another node holds are left out, so that a slow
/// node does not hold up the rest; they are named in the second answer.
async fn lock_groups(
    connection: &mut PgConnection,
    commands: &[Arc<Command>],
) -> Result<(HashMap<GroupId, Group>, BTreeSet<GroupId>), Failure> {
    let ids: BTreeSet<GroupId> =
        commands.iter().filter_map(|command| command.operation.group()).cloned().collect();
    let mut elsewhere = BTreeSet::new();
    let locked = match ids.len() {
        0 => Vec::new(),
        1 => locks::lock_groups(connection, &ids).await?,
        _ => {
            let locked = locks::lock_free_groups(connection, &ids).await?;
            let got: BTreeSet<&GroupId> = locked.iter().map(|group| &group.id).collect();
            let missing: Vec<GroupId> =
                ids.iter().filter(|id| !got.contains(id)).cloned().collect();
            if !missing.is_empty() {
                elsewhere.extend(locks::existing_groups(connection, &missing).await?);
            }
            locked
        }
    };
    Ok((locked.into_iter().map(|group| (group.id.clone(), group)).collect(), elsewhere))
}

/// Replies stored for the keys of these commands.
async fn load_replies(
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
    groups: HashMap<GroupId, Group>,
    rulebook: &Rulebook,
) -> Result<Facts, sqlx::Error> {
    let mut loaded: HashMap<GroupId, GroupFacts> = HashMap::new();
    let mut pairs: BTreeSet<(GroupId, UserId)> = BTreeSet::new();
    let mut needs: BTreeMap<GroupId, Needs> = BTreeMap::new();
    for command in commands {
        let Some(id) = command.operation.group() else { continue };
        let group = groups.get(id);
        loaded.entry(id.clone()).or_default().group = group.cloned();
        let need = rules::look(command, group);
        pairs.extend(need.people.iter().map(|user| (id.clone(), user.clone())));
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
    let now = load_relations(connection, pairs, &mut loaded).await?;
    load_inviters(connection, &needs, &mut loaded).await?;
    let wanting = |pick: fn(&Needs) -> bool| -> Vec<GroupId> {
        needs.iter().filter(|(_, need)| pick(need)).map(|(id, _)| id.clone()).collect()
    };
    let managed = wanting(|need| need.managers);
    if !managed.is_empty() {
        rows::managers(connection, &managed, &mut loaded).await?;
    }
    let profiled = wanting(|need| need.profile);
    if !profiled.is_empty() {
        rows::profiles(connection, &profiled, &mut loaded).await?;
    }
    let with_attributes = wanting(|need| need.attributes);
    if !with_attributes.is_empty() {
        attributes::load(connection, &with_attributes, &mut loaded).await?;
    }
    let asked: Vec<_> = needs
        .iter()
        .flat_map(|(id, need)| need.applications.iter().map(|one| (id.clone(), *one)))
        .collect();
    if !asked.is_empty() {
        rows::applications(connection, &asked, &mut loaded).await?;
    }
    let mut facts = Facts::new(now, rulebook);
    facts.groups = loaded;
    Ok(facts)
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

async fn load_relations(
    connection: &mut PgConnection,
    pairs: BTreeSet<(GroupId, UserId)>,
    loaded: &mut HashMap<GroupId, GroupFacts>,
) -> Result<Moment, sqlx::Error> {
    let pairs: Vec<(GroupId, UserId)> = pairs.into_iter().collect();
    if !pairs.is_empty()
        && let Some(now) = rows::relations(connection, &pairs, loaded).await?
    {
        return Ok(now);
    }
    locks::now(connection).await
}

/// Loads the relations of those who made the open applications among the facts.
async fn load_inviters(
    connection: &mut PgConnection,
    needs: &BTreeMap<GroupId, Needs>,
    loaded: &mut HashMap<GroupId, GroupFacts>,
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
            wanted.lock.extend(rows.lock);
            wanted.make.extend(rows.make);
        }
    }
    wanted
}

async fn lock_users(
    connection: &mut PgConnection,
    commands: &[&Command],
    facts: &mut Facts,
) -> Result<(), Failure> {
    let wanted = wanted_users(commands, facts);
    if wanted.lock.is_empty() {
        return Ok(());
    }
    let mut found = locks::lock_users(connection, &wanted.lock, &wanted.make, facts.now).await?;
    for id in wanted.lock {
        let user = found.remove(&id);
        facts.users.insert(id, user);
    }
    Ok(())
}

/// Of the accounts that are to be forgotten: whether something is left of them. Asked under their locks,
/// in a statement of its own.
async fn load_lingering(
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

fn decide(
    facts: &mut Facts,
    command: &Command,
    stored: &mut HashMap<[u8; 32], StoredReply>,
    replies: &mut Vec<NewReply>,
) -> Verdict {
    if let Some(key) = &command.idempotency
        && let Some(earlier) = stored.get(&key.scope)
    {
        return Verdict::Decided(repeat(earlier, key.body));
    }
    let decision = match rules::decide(facts, command) {
        Ok(decision) => decision,
        Err(Stop::Refused(refusal)) => return Verdict::Decided(Err(refusal)),
        Err(Stop::Missing) => return Verdict::Again,
    };
    if facts.apply(&decision).is_err() {
        return Verdict::Again;
    }
    if let Some(key) = &command.idempotency {
        let text = match serde_json::to_string(&decision.reply) {
            Ok(text) => text,
            Err(error) => return Verdict::Decided(Err(Error::internal(error))),
        };
        stored.insert(key.scope, StoredReply { body: key.body, reply: text.clone() });
        replies.push(NewReply { scope: key.scope, body: key.body, reply: text });
    }
    Verdict::Decided(Ok(decision.reply))
}

/// The answer to a call whose key was seen before.
fn repeat(earlier: &StoredReply, body: [u8; 32]) -> Result<Reply, Error> {
    if earlier.body != body {
        let text = "this Idempotency-Key was used with another body";
        return Err(Error::new(Reason::IdempotencyKeyReused, text).field("Idempotency-Key"));
    }
    serde_json::from_str(&earlier.reply).map_err(Error::internal)
}

/// Whether a batch whose COMMIT got no answer was committed.
pub(super) async fn was_committed(
    connection: &mut PgConnection,
    batch: uuid::Uuid,
) -> Result<bool, sqlx::Error> {
    memory::was_committed(connection, batch).await
}
