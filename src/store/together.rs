//! Reads that come at the same time, asked together in one statement.
//!
//! A statement for one row costs mostly what any statement costs: a system call and a wake-up on each side,
//! the start of its plan, cold caches. While a statement is under way, questions of its kind gather, and the
//! next one takes them all; whoever asks alone is asked for at once. For the profile of a group PostgreSQL
//! took 110 µs when each was asked for itself, and takes 20 when 64 callers share statements
//! (`docs/benchmarks.md`).

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use sqlx::postgres::PgConnection;
use tokio::sync::oneshot;

use super::unavailable;
use crate::model::{Error, Reason};

/// Most statements of a kind at a time.
const STATEMENTS: usize = 4;
/// Another statement begins when more questions than this wait for each one under way.
const WAITING: usize = 1;
/// What fits into a statement, in [weights](Question::weight). What weighs more is asked by itself, so that it
/// holds nobody up.
const FITS: usize = 64;
/// Rows that weigh as much as a question for one.
const LIGHT: i64 = 16;

/// A question that can be asked together with others of its kind.
pub(super) trait Question: Send + Sync + 'static {
    /// What it gets, as it comes from the database: whoever asked makes sense of it.
    type Answer: Send + 'static;

    /// How much of a statement it takes.
    fn weight(&self) -> usize {
        1
    }

    /// Asks all of them in one statement; the answers come in the order of the questions.
    fn ask(
        connection: &mut PgConnection,
        questions: &[&Self],
    ) -> impl Future<Output = Result<Vec<Self::Answer>, sqlx::Error>> + Send;
}

/// The weight of a question that goes through so many rows.
pub(super) fn weight_of(rows: i64) -> usize {
    usize::try_from(1 + rows / LIGHT).unwrap_or(usize::MAX)
}

/// Gives each question its rows. PostgreSQL numbered the questions from one.
pub(super) fn deal<T>(questions: usize, rows: impl Iterator<Item = (i64, T)>) -> Vec<Vec<T>> {
    let mut answers: Vec<Vec<T>> = std::iter::repeat_with(Vec::new).take(questions).collect();
    for (nr, row) in rows {
        let at = usize::try_from(nr - 1).ok();
        if let Some(answer) = at.and_then(|at| answers.get_mut(at)) {
            answer.push(row);
        }
    }
    answers
}

/// The questions of a kind.
pub(super) struct Together<Q: Question> {
    pool: PgPool,
    desk: Arc<Mutex<Desk<Q>>>,
}

struct Desk<Q: Question> {
    waiting: VecDeque<Waiting<Q>>,
    /// Statements under way.
    busy: usize,
}

struct Waiting<Q: Question> {
    question: Q,
    answer: oneshot::Sender<Result<Q::Answer, Error>>,
}

impl<Q: Question> Together<Q> {
    pub(super) fn new(pool: PgPool) -> Self {
        let desk = Desk { waiting: VecDeque::new(), busy: 0 };
        Self { pool, desk: Arc::new(Mutex::new(desk)) }
    }

    /// Asks with whoever else asks now, or alone if it is a large question.
    ///
    /// # Errors
    /// [`Reason::Unavailable`] while the database is away.
    pub(super) async fn ask(&self, question: Q) -> Result<Q::Answer, Error> {
        if question.weight() > FITS {
            let answer = self.ask_all(&[&question]).await?.pop();
            return answer.ok_or_else(|| Error::internal("a statement gave no answer"));
        }
        let (answer, answered) = oneshot::channel();
        if self.enqueue(Waiting { question, answer }) {
            tokio::spawn(work(self.clone()));
        }
        answered.await.unwrap_or_else(|_| {
            Err(Error::new(Reason::Unavailable, "the server is stopping; try again"))
        })
    }

    /// Asks these, and nobody else's, in one statement.
    ///
    /// # Errors
    /// [`Reason::Unavailable`] while the database is away.
    pub(super) async fn ask_all(&self, questions: &[&Q]) -> Result<Vec<Q::Answer>, Error> {
        let asked = async { Q::ask(&mut *self.pool.acquire().await?, questions).await };
        asked.await.map_err(|error| unavailable(&error))
    }

    /// Queues; says whether another statement begins.
    fn enqueue(&self, waiting: Waiting<Q>) -> bool {
        let mut desk = self.desk();
        desk.waiting.push_back(waiting);
        let begins = desk.busy < STATEMENTS && desk.waiting.len() > desk.busy * WAITING;
        desk.busy += usize::from(begins);
        begins
    }

    /// What the next statement asks; nothing when nobody waits, and then the statement counts no more. Those
    /// whose callers have gone are left out.
    fn take(&self) -> Option<Vec<Waiting<Q>>> {
        let mut desk = self.desk();
        let (mut taken, mut weight) = (Vec::new(), 0);
        while let Some(next) = desk.waiting.pop_front() {
            if next.answer.is_closed() {
                continue;
            }
            weight += next.question.weight();
            if weight > FITS && !taken.is_empty() {
                desk.waiting.push_front(next);
                break;
            }
            taken.push(next);
        }
        if taken.is_empty() {
            // Under the same lock as the look: whoever asks next begins anew.
            desk.busy -= 1;
            return None;
        }
        Some(taken)
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk<Q>> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q: Question> Clone for Together<Q> {
    fn clone(&self) -> Self {
        Self { pool: self.pool.clone(), desk: self.desk.clone() }
    }
}

impl<Q: Question> fmt::Debug for Together<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Together").finish_non_exhaustive()
    }
}

/// Asks until nobody waits.
async fn work<Q: Question>(together: Together<Q>) {
    let mut busy = Busy { together: &together, over: false };
    // Requests that are read already come to the desk before the first statement leaves.
    tokio::task::yield_now().await;
    while let Some(taken) = together.take() {
        let questions: Vec<&Q> = taken.iter().map(|waiting| &waiting.question).collect();
        match together.ask_all(&questions).await {
            Ok(answers) => {
                for (waiting, answer) in taken.into_iter().zip(answers) {
                    waiting.answer.send(Ok(answer)).ok();
                }
            }
            Err(error) => {
                for waiting in taken {
                    waiting.answer.send(Err(error.clone())).ok();
                }
            }
        }
    }
    busy.over = true;
}

/// A statement under way. Should it end in a panic, it counts no more, and nobody goes on waiting for it.
struct Busy<'a, Q: Question> {
    together: &'a Together<Q>,
    over: bool,
}

impl<Q: Question> Drop for Busy<'_, Q> {
    fn drop(&mut self) {
        if !self.over {
            let mut desk = self.together.desk();
            desk.busy -= 1;
            if desk.busy == 0 {
                desk.waiting.clear();
            }
        }
    }
}
