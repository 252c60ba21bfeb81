//! What a benchmark found: as a table for people, as JSON for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::load::Done;
use super::stats::{Spread, Times, u64_to_f64};

/// One line: the same work, done by Muster and by the yardstick, several times in turns.
#[derive(Debug, Default)]
pub(super) struct Case {
    pub(super) scenario: &'static str,
    pub(super) name: String,
    /// What is counted.
    pub(super) unit: &'static str,
    /// How many of these one answer stands for.
    pub(super) each: u64,
    pub(super) ours: Vec<Done>,
    pub(super) theirs: Vec<Done>,
    /// What the yardstick was.
    pub(super) yardstick: String,
    /// What the yardstick costs for what Muster costs, where costs are compared and not rates.
    pub(super) costs: Option<Spread>,
    /// Other figures: what, how much, in which unit.
    pub(super) further: Vec<(String, f64, &'static str)>,
}

impl Case {
    fn rates(&self, runs: &[Done]) -> Spread {
        let each = u64_to_f64(self.each.max(1));
        Spread::of(runs.iter().map(|run| run.rate() * each).collect())
    }

    /// Muster's rate for one of the yardstick, round by round.
    pub(super) fn ratio(&self) -> Option<Spread> {
        if self.costs.is_some() {
            return self.costs;
        }
        let pairs = self.ours.iter().zip(&self.theirs);
        let ratios: Vec<f64> = pairs.map(|(ours, theirs)| ours.rate() / theirs.rate()).collect();
        (!ratios.is_empty()).then(|| Spread::of(ratios))
    }

    fn times(runs: &[Done]) -> Times {
        Times::together(runs.iter().map(|run| &run.times))
    }

    /// What went wrong, and how often.
    pub(super) fn errors(&self) -> BTreeMap<&str, u64> {
        let mut errors = BTreeMap::new();
        for (what, count) in self.ours.iter().flat_map(|run| &run.errors) {
            *errors.entry(what.as_str()).or_default() += count;
        }
        errors
    }

    fn json(&self) -> Value {
        let side = |runs: &[Done]| {
            let (rates, times) = (self.rates(runs), Self::times(runs));
            let calls: u64 = runs.iter().map(|run| run.right).sum();
            json!({
                "calls": calls, "perSecond": spread(&rates), "p50Ms": times.at(0.5),
                "p90Ms": times.at(0.9), "p99Ms": times.at(0.99), "maxMs": times.at(1.0),
            })
        };
        let further: Vec<Value> = self
            .further
            .iter()
            .map(|(what, figure, unit)| json!({ "what": what, "figure": figure, "unit": unit }))
            .collect();
        json!({
            "scenario": self.scenario, "case": self.name, "unit": self.unit, "rounds": self.ours.len(),
            "muster": side(&self.ours), "errors": self.errors(), "further": further,
            "yardstick": (!self.theirs.is_empty()).then(|| side(&self.theirs)),
            "yardstickName": self.yardstick, "ratio": self.ratio().as_ref().map(spread),
        })
    }
}

fn spread(of: &Spread) -> Value {
    json!({ "middle": of.middle, "least": of.least, "most": of.most })
}

/// All of it as JSON.
pub(super) fn json(machine: &Value, cases: &[Case]) -> Value {
    let cases: Vec<Value> = cases.iter().map(Case::json).collect();
    json!({ "machine": machine, "cases": cases })
}

/// The head of the table.
pub(super) fn head() -> String {
    format!(
        "{:<34} {:>11} {:>9} {:>9} {:>11} {:>9}  ratio (least to most)\n",
        "", "Muster /s", "p50 ms", "p99 ms", "beside /s", "p50 ms"
    )
}

/// The lines of one case.
pub(super) fn lines(case: &Case) -> String {
    let mut text = format!("{:<34}", format!("{}: {}", case.scenario, case.name));
    if !case.ours.is_empty() {
        let times = Case::times(&case.ours);
        let _ = write!(
            text,
            " {:>11.0} {:>9.2} {:>9.2}",
            case.rates(&case.ours).middle,
            times.at(0.5),
            times.at(0.99)
        );
    }
    if let Some(costs) = case.costs {
        let Spread { middle, least, most } = costs;
        let _ =
            write!(text, " {:>21}  {middle:.2} ({least:.2} to {most:.2}) by processor time", "");
    } else if let Some(ratio) = case.ratio() {
        let _ = write!(
            text,
            " {:>11.0} {:>9.2}  {:.2} ({:.2} to {:.2}) of {}",
            case.rates(&case.theirs).middle,
            Case::times(&case.theirs).at(0.5),
            ratio.middle,
            ratio.least,
            ratio.most,
            case.yardstick
        );
    }
    text.push('\n');
    for (what, figure, unit) in &case.further {
        let _ = writeln!(text, "    {what}: {} {unit}", shown(*figure));
    }
    for (what, count) in case.errors() {
        let _ = writeln!(text, "    wrong: {count} x {what}");
    }
    text
}

/// A figure with about three digits.
fn shown(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        _ => format!("{figure:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn run(right: u64) -> Done {
        Done { right, elapsed: Duration::from_secs(1), ..Done::default() }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let case = Case {
            scenario: "invite",
            name: "64 callers".to_owned(),
            each: 1,
            ours: vec![run(10), run(40), run(90)],
            theirs: vec![run(10), run(20), run(30)],
            yardstick: "pgbench".to_owned(),
            ..Case::default()
        };
        assert_eq!(case.ratio(), Some(Spread { middle: 2.0, least: 1.0, most: 3.0 }));
        assert!(lines(&case).contains("2.00 (1.00 to 3.00) of pgbench"), "{}", lines(&case));
        assert_eq!(case.json()["ratio"]["middle"], 2.0);
    }

    #[test]
    fn without_a_yardstick_there_is_no_ratio() {
        let case = Case { ours: vec![run(1)], ..Case::default() };
        assert!(case.ratio().is_none() && case.json()["yardstick"].is_null());
    }
}
