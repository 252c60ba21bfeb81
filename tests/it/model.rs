//! The rules beside a plain model of them: random operations, run in batches as the engine runs them, are
//! answered by both, and after each the rows have to say what the model says.
//!
//! The cast: [`scripts`] makes up [`ops`] and [`deeds`]; [`world`], [`kinds`], [`entering`], [`members`] and [`laws`] are
//! the model, written from `tencent-im.md` 1.2 to 1.5 and 2.4 and `decisions.md` with sets and lists; [`rows`] keeps tables, loads
//! exactly what the rules ask for and writes exactly what they note as changed; [`checks`] compares.
//! `PROPTEST_CASES` raises the number of cases; a failure prints the seed that brings it about again.

mod checks;
mod deeds;
mod entering;
mod kinds;
mod laws;
mod members;
mod ops;
mod rows;
mod scripts;
mod world;

use std::cell::Cell;
use std::sync::Arc;

use muster::model::limits::{Accounts, Limit};
use muster::model::{Command, Limits, Reason, Reply};
use muster::rules::{self, Facts, Rulebook, Stop};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

use checks::{Counts, Replay};
use kinds::Kind;
use ops::Op;
use rows::Tables;
use world::{World, moment};

/// Most commands of one batch.
const BATCH: usize = 4;

fn limits(registered: bool) -> Limits {
    let limit = |value| Limit::new(value, "the model");
    Limits {
        groups_per_user: limit(2),
        members_per_group: limit(5),
        invite_batch: limit(3),
        pending_per_group: limit(3),
        pending_per_user: limit(2),
        attribute_changes: limit(10),
        application_life: std::time::Duration::from_secs(12),
        accounts: if registered { Accounts::Registered } else { Accounts::Open },
        user_id_bytes: 32,
    }
}

/// The rules with their tables, and the model beside them.
struct Run {
    tables: Tables,
    world: World,
    replay: Replay,
    rulebook: Rulebook,
    seconds: i64,
}

impl Run {
    fn new(registered: bool) -> Self {
        let limits = limits(registered);
        Self {
            tables: Tables::default(),
            world: World::new(&limits),
            replay: Replay::default(),
            rulebook: Rulebook { limits: Arc::new(limits), types: Arc::new(Kind::types()) },
            seconds: 0,
        }
    }

    /// Runs operations one after the other, some of them together in one batch.
    fn play(&mut self, script: &[(Op, bool)]) {
        let mut batch: Vec<Command> = Vec::new();
        for (op, with_the_next) in script {
            if let Op::Wait(seconds) = op {
                self.run(std::mem::take(&mut batch));
                self.seconds += i64::from(*seconds);
                continue;
            }
            // In a batch an account is there from the beginning that a later command makes. Both are under
            // way at the same time, so that either order is right; the model knows only one.
            let makes_account = self.world.numbers.registered && matches!(op, Op::PutUser { .. });
            if makes_account {
                self.run(std::mem::take(&mut batch));
            }
            batch.extend(op.command(&self.world));
            if !with_the_next || makes_account || batch.len() == BATCH {
                self.run(std::mem::take(&mut batch));
            }
        }
        self.run(batch);
    }

    /// Runs a batch, and those of its commands that have to run again each alone.
    fn run(&mut self, batch: Vec<Command>) {
        self.seconds += 1;
        let mut again = Vec::new();
        let alone = batch.len() == 1;
        let mut facts = self.load(&batch);
        for command in batch {
            match self.decide(&mut facts, &command, alone) {
                Ok(()) => {}
                Err(Missing) if alone => {
                    panic!("a row is missing that was never asked for: {command:#?}")
                }
                Err(Missing) => again.push(command),
            }
        }
        self.tables.write(facts, &mut self.replay, &self.world);
        checks::all(&self.tables, &self.replay, &self.world);
        for command in again {
            self.run(vec![command]);
        }
    }

    /// Loads what the engine would load.
    fn load(&self, batch: &[Command]) -> Facts {
        let mut facts = self.tables.facts(batch, moment(self.seconds), &self.rulebook);
        for command in batch {
            // Nobody's row is locked before permission is proved.
            match rules::users(&facts, command) {
                Ok(wanted) => self.tables.lock(&mut facts, wanted),
                Err(Stop::Refused(_)) => {}
                Err(Stop::Missing) => {
                    panic!("a row is missing before anything was decided: {command:#?}")
                }
            }
        }
        facts
    }

    /// Lets both decide one command, and compares the answers.
    fn decide(&mut self, facts: &mut Facts, command: &Command, alone: bool) -> Result<(), Missing> {
        let foreseen = rules::users(facts, command);
        let decided = rules::decide(facts, command);
        if alone && let Err(Stop::Refused(refusal)) = &foreseen {
            assert_eq!(
                decided.as_ref().err(),
                Some(&Stop::Refused(refusal.clone())),
                "what was refused before the locks is refused after them: {command:#?}"
            );
        }
        let answer: Result<Reply, Reason> = match decided {
            Ok(decision) => {
                let before = Counts::of(facts);
                facts.apply(&decision).map_err(|_| Missing)?;
                before.grew_within_limits(facts);
                Ok(decision.reply)
            }
            Err(Stop::Refused(refusal)) => Err(refusal.reason),
            Err(Stop::Missing) => return Err(Missing),
        };
        self.world.now = self.seconds;
        let expected = self.world.run(command);
        assert_eq!(answer.map(checks::plain), expected, "{command:#?}\nin {:#?}", self.world);
        self.world.learn_ids(facts);
        checks::managers(facts, &self.world);
        Ok(())
    }
}

/// A row is not among the facts.
struct Missing;

/// The number that all of a run's scripts grow from: a new one for each run, or the one that is asked for.
fn seed() -> u64 {
    let given = std::env::var("PROPTEST_RNG_SEED").ok();
    match given.map(|text| text.parse()) {
        Some(seed) => seed.expect("PROPTEST_RNG_SEED is a number"),
        None => uuid::Uuid::new_v4().as_u64_pair().1,
    }
}

#[test]
fn whatever_happens_the_rules_say_what_the_model_says() {
    let seed = seed();
    let mut config = ProptestConfig {
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(seed),
        ..ProptestConfig::default()
    };
    config.max_shrink_iters = config.max_shrink_iters.min(20_000);
    let cases = config.cases;
    let scripts = (prop::bool::weighted(0.2), scripts::script());
    let operations = Cell::new(0);
    let outcome = TestRunner::new(config).run(&scripts, |(registered, script)| {
        operations.set(operations.get() + script.0.len());
        Run::new(registered).play(&script.0);
        Ok(())
    });
    if let Err(error) = outcome {
        panic!(
            "{error}\nThe same again:\n    PROPTEST_RNG_SEED={seed} PROPTEST_CASES={cases} \
             cargo test --test it model::"
        );
    }
    println!("{} operations in {cases} scripts, seed {seed}", operations.get());
    assert!(cases < 256 || operations.get() >= 10_000, "too few: {}", operations.get());
}
