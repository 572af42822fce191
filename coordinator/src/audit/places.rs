//! The places of a job's questions: each is asked until it has a sum, and never again.

use std::collections::{BTreeMap, BTreeSet};

use syndic_learning::program::question::sums_at;
use syndic_learning::{ComparisonFigures, Job};
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

    /// Whether these are the models and rows that the job compares, and its only sum is that of the comparison. What is made of the
    /// sum is not played again.
    pub(super) fn compared(&self, found: &ComparisonFigures) -> bool {
        let is_of_file = self.job.comparison().is_some_and(|terms| {
            terms.rows == found.rows
                && terms.models.iter().eq(found.models.iter().map(|compared| &compared.model))
        });
        is_of_file && self.closed.values().sum::<u32>() == 1
    }

    /// Whether the job describes so many columns, with noise or without, and its only sum is that of the description.
    pub(super) fn described(&self, columns: u64, noise: bool) -> bool {
        let is_of_file = self.job.description().is_some_and(|terms| {
            terms.columns_of(&self.job.contract).len() as u64 == columns && self.job.adds_noise() == noise
        });
        is_of_file && self.closed.values().sum::<u32>() == 1
    }

    /// Whether the job trains a model.
    pub(super) fn trains(&self) -> bool {
        self.job.program.trains()
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

#[cfg(test)]
mod tests {
    use syndic_learning::ComparisonFigures;
    use syndic_learning::program::comparison::RowsCompared;
    use syndic_learning::program::comparison::figures::ComparedModel;

    use super::*;

    const COMPARING: &str = include_str!("../../../examples/bank-marketing/compare.toml");

    #[test]
    fn a_comparison_is_that_of_the_job_file_and_of_one_sum() {
        let job = Job::from_toml(COMPARING).unwrap();
        let terms = job.comparison().unwrap().clone();
        let found = |models: &[Digest], rows| ComparisonFigures {
            rows,
            count: 9,
            positives: 1,
            models: models
                .iter()
                .map(|model| ComparedModel {
                    model: *model,
                    figures: BTreeMap::new(),
                    differences: BTreeMap::new(),
                    log_loss_error: None,
                })
                .collect(),
        };
        let other_rows = match terms.rows {
            RowsCompared::Test => RowsCompared::All,
            RowsCompared::All => RowsCompared::Test,
        };
        let mut places = Places::of(job);
        assert!(!places.trains());
        assert!(!places.compared(&found(&terms.models, terms.rows)), "no sum was opened");
        places.closed.insert(("compare".to_owned(), None), 1);
        assert!(places.compared(&found(&terms.models, terms.rows)));
        assert!(!places.compared(&found(&terms.models, other_rows)));
        assert!(!places.compared(&found(&terms.models[1..], terms.rows)));
        let turned: Vec<Digest> = terms.models.iter().rev().copied().collect();
        assert!(!places.compared(&found(&turned, terms.rows)));
    }

    #[test]
    fn a_job_that_trains_compares_nothing() {
        let job = Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap();
        let mut places = Places::of(job);
        assert!(places.trains());
        places.closed.insert(("train".to_owned(), Some(1)), 1);
        let nothing =
            ComparisonFigures { rows: RowsCompared::Test, count: 9, positives: 1, models: Vec::new() };
        assert!(!places.compared(&nothing));
    }
}
