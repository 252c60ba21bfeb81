//! A database client as an application would write it, without Muster: what a benchmark compares with.
//!
//! Statements come as text from whoever measures. Nothing of the server uses this.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::str::FromStr;
use std::time::Duration;

use rand::RngExt;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor};

/// One connection.
#[derive(Debug)]
pub struct Plain(PgConnection);

impl Plain {
    /// Connects to `postgres://…`.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        let options = PgConnectOptions::from_str(url)?.application_name("muster bench");
        Ok(Self(options.disable_statement_logging().connect().await?))
    }

    /// Runs statements that take nothing and answer nothing.
    ///
    /// # Errors
    /// What the server says.
    pub async fn run(&mut self, statements: &str) -> anyhow::Result<()> {
        self.0.execute(AssertSqlSafe(statements)).await?;
        Ok(())
    }

    /// Asks for one whole number.
    ///
    /// # Errors
    /// What the server says.
    pub async fn number(&mut self, query: &str) -> anyhow::Result<i64> {
        Ok(sqlx::query_scalar(AssertSqlSafe(query)).fetch_one(&mut self.0).await?)
    }

    /// Plays a script once, statement by statement, each prepared the first time.
    ///
    /// # Errors
    /// What the server says.
    pub async fn play(&mut self, script: &Script) -> anyhow::Result<()> {
        let mut values: HashMap<&str, i64> = HashMap::new();
        for step in &script.0 {
            match step {
                Step::Choose { name, least, most } => {
                    values.insert(name, rand::rng().random_range(*least..=*most));
                }
                Step::Ask { statement, takes } if takes.is_empty() => {
                    self.0.execute(AssertSqlSafe(statement.as_str())).await?;
                }
                Step::Ask { statement, takes } => {
                    let query: sqlx::query::Query<'_, sqlx::Postgres, PgArguments> =
                        sqlx::query(AssertSqlSafe(statement.as_str()));
                    let query = takes.iter().fold(query, |query, name| {
                        query.bind(values.get(name.as_str()).copied().unwrap_or_default())
                    });
                    query.fetch_all(&mut self.0).await?;
                }
            }
        }
        Ok(())
    }

    /// Closes the connection.
    pub async fn close(self) {
        tokio::time::timeout(Duration::from_secs(1), self.0.close()).await.ok();
    }
}

/// A transaction as pgbench writes it: `\set NAME random(LEAST, MOST)` in lines of their own, and statements
/// that end with a semicolon and have `:NAME` where a number stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Choose { name: String, least: i64, most: i64 },
    Ask { statement: String, takes: Vec<String> },
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// The line that is neither of the two.
    pub fn read(text: &str) -> anyhow::Result<Self> {
        let mut steps = Vec::new();
        let mut statement = String::new();
        for line in text.lines() {
            if let Some(set) = line.strip_prefix("\\set ") {
                steps.push(choose(set).ok_or_else(|| anyhow::anyhow!("not understood: {line}"))?);
                continue;
            }
            statement.push_str(line);
            statement.push('\n');
            if line.trim_end().ends_with(';') {
                steps.push(ask(&std::mem::take(&mut statement)));
            }
        }
        anyhow::ensure!(statement.trim().is_empty(), "no semicolon behind: {statement}");
        Ok(Self(steps))
    }
}

fn choose(set: &str) -> Option<Step> {
    let (name, range) = set.split_once(' ')?;
    let (least, most) = range.strip_prefix("random(")?.strip_suffix(')')?.split_once(',')?;
    let (least, most) = (least.trim().parse().ok()?, most.trim().parse().ok()?);
    Some(Step::Choose { name: name.to_owned(), least, most })
}

/// A statement with `$1` … where the names stood.
fn ask(text: &str) -> Step {
    let (mut statement, mut takes) = (String::new(), Vec::<String>::new());
    let mut rest = text.trim().trim_end_matches(';');
    while let Some(place) = rest.find(':') {
        let (before, behind) = rest.split_at(place);
        statement.push_str(before);
        // `::` is a cast.
        if let Some(cast) = behind.strip_prefix("::") {
            statement.push_str("::");
            rest = cast;
            continue;
        }
        let behind = behind.trim_start_matches(':');
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(behind.len());
        let (name, after) = behind.split_at(end);
        let known = takes.iter().position(|one| one == name);
        let number = known.unwrap_or_else(|| {
            takes.push(name.to_owned());
            takes.len() - 1
        });
        // Writing to a String cannot fail.
        let _ = write!(statement, "${}", number + 1);
        rest = after;
    }
    statement.push_str(rest);
    Step::Ask { statement, takes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_of_pgbench_is_read() {
        let text = "\\set a random(0, 9)\nbegin;\nselect :a::text,\n :b, :a;\ncommit;\n";
        let ask = |statement: &str, takes: &[&str]| Step::Ask {
            statement: statement.to_owned(),
            takes: takes.iter().map(|&name| name.to_owned()).collect(),
        };
        let steps = [
            Step::Choose { name: "a".to_owned(), least: 0, most: 9 },
            ask("begin", &[]),
            ask("select $1::text,\n $2, $1", &["a", "b"]),
            ask("commit", &[]),
        ];
        assert_eq!(Script::read(text).expect("right").0, steps);
        assert!(Script::read("\\set a gaussian(1, 2)").is_err());
        assert!(Script::read("select 1").is_err());
    }
}
