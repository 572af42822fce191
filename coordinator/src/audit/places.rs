//! The places of a job's questions: each is asked until it has a sum, and never again.

use std::collections::{BTreeMap, BTreeSet};

use syndic_learning::Job;
use syndic_learning::program::question::sums_at;
use syndic_round::{Digest, RoundId, RoundPlan};

/// How far the places of a job are filled.
pub(super) struct Places {
    job: Job,
    /// Rounds that closed.
    rounds: u32,
    /// Attempts at the next one.
    attempts: u32,
    /// What the round in progress asks: its kind and training round, and the digest of the question.
    asked: Option<(Asked, Digest)>,
    /// How many sums there are of each.
    closed: BTreeMap<Asked, u32>,
    questions: BTreeSet<Digest>,
}

/// The kind of a question, and the training round that it belongs to.
type Asked = (String, Option<u32>);

impl Places {
    pub(super) fn of(job: Job) -> Self {
        let (closed, questions) = (BTreeMap::new(), BTreeSet::new());
        Self { job, rounds: 0, attempts: 0, asked: None, closed, questions }
    }

    /// A round is opened. Whether it is the next attempt, and asks for a sum that there is not yet.
    pub(super) fn open(&mut self, plan: &RoundPlan, kind: &str, training_round: Option<u32>) -> bool {
        let asked = (kind.to_owned(), training_round);
        let (before, most) =
            (self.closed.get(&asked).copied().unwrap_or(0), sums_at(&self.job, kind, training_round));
        let is_next = plan.id == RoundId { round: self.rounds + 1, attempt: self.attempts + 1 };
        self.attempts += 1;
        let is_free = before < most && !self.questions.contains(&plan.question);
        self.asked = Some((asked, plan.question));
        is_next && is_free
    }

    /// The round in progress has its sum.
    pub(super) fn close(&mut self) {
        self.rounds += 1;
        self.attempts = 0;
        if let Some((asked, question)) = self.asked.take() {
            *self.closed.entry(asked).or_insert(0) += 1;
            self.questions.insert(question);
        }
    }
}
