//! The places of a job's questions: each is asked until it has a sum, and never again.

use std::collections::{BTreeMap, BTreeSet};

use syndic_learning::program::question::sums_at;
use syndic_learning::{Findings, Job};
use syndic_round::{Digest, RoundId, RoundPlan};

use crate::fact::JobDrift;

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
    /// How far rows are said to have drifted from those of a released model.
    drift: Option<JobDrift>,
}

/// The kind of a question, and the training round that it belongs to.
type Asked = (String, Option<u32>);

impl Places {
    pub(super) fn of(job: Job) -> Self {
        let (closed, questions) = (BTreeMap::new(), BTreeSet::new());
        Self { job, rounds: 0, attempts: 0, asked: None, closed, questions, drift: None }
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

    /// Whether it can be said here how far rows have drifted: once, by a job that compares them with those of a released model, and
    /// then of that model; else by a job that compares its own rows.
    pub(super) fn drifted(&mut self, told: JobDrift) -> bool {
        let Some(terms) = self.job.released_drift() else {
            return self.job.drift.is_some() && told.model.is_none();
        };
        let is_first = told.model == Some(terms.model) && self.drift.is_none();
        self.drift = Some(told);
        is_first
    }

    /// Whether this is what the job can have found in its only sum. Of models it is those, and the rows, that the job compares: what
    /// is made of the sum is not played again. How far rows have drifted has to follow from the rows in the bins on record and
    /// from those of the job file, and has to have been said so just before.
    pub(super) fn compared(&self, found: &Findings) -> bool {
        let is_of_file = match found {
            Findings::Models(found) => self.job.comparison().is_some_and(|terms| {
                terms.rows == found.rows
                    && terms.models.iter().eq(found.models.iter().map(|compared| &compared.model))
            }),
            Findings::Rows(record) => {
                let told = JobDrift::of_released(&self.job.identity.id, record);
                let follows = |terms| record.audited(terms).is_some();
                self.job.released_drift().is_some_and(follows) && self.drift.as_ref() == Some(&told)
            }
        };
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
    use serde_json::{Value, json};
    use syndic_learning::ComparisonFigures;
    use syndic_learning::program::comparison::RowsCompared;
    use syndic_learning::program::comparison::figures::ComparedModel;

    use super::*;

    const COMPARING: &str = include_str!("../../../examples/bank-marketing/compare.toml");

    #[test]
    fn a_comparison_is_that_of_the_job_file_and_of_one_sum() {
        let job = Job::from_toml(COMPARING).unwrap();
        let terms = job.comparison().unwrap().clone();
        let found = |models: &[Digest], rows| {
            Findings::Models(ComparisonFigures {
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
            })
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
        assert!(!places.compared(&Findings::Models(nothing)));
    }

    #[test]
    fn how_far_rows_have_drifted_follows_from_the_counts_and_was_said_just_before() {
        let digest = "ab".repeat(32);
        let (before, rest) = COMPARING.split_once("[program]").unwrap();
        let (_, after) = rest.split_once("[privacy]").unwrap();
        let program = format!(
            "[program]\nname = \"drift\"\nmodel = \"{digest}\"\nreference = {{ rows = 1000, score = {{ below = [0.3], rows = [600, 400] }} }}\n"
        );
        let job = Job::from_toml(&format!("{before}{program}[privacy]{after}")).unwrap();
        let data = |psi: &str, current: [u64; 2]| {
            json!({ "drift": {
                "model": digest, "rows": "all", "watch_psi": "0.1", "max_psi": "0.25", "max_ks": null, "min_rows": 50,
                "reference_rows": 1000, "current_rows": 300, "columns": [],
                "score": {
                    "name": "score", "psi": psi, "psi_by_chance": "0.004333333", "ks": "0.100000000", "standing": "stable",
                    "current": current,
                },
            } })
        };
        let passes = |said: &Value, found: &Value, sums: u32| {
            let mut places = Places::of(job.clone());
            let said = Findings::from_data(said).unwrap();
            let id = &job.identity.id;
            assert!(places.drifted(JobDrift::of_released(id, said.rows().unwrap())));
            places.closed.insert(("drift".to_owned(), None), sums);
            places.compared(&Findings::from_data(found).unwrap())
        };
        // 0.1 ln 1.2 + 0.1 ln 1.25.
        let found = data("0.040546511", [150, 150]);
        assert!(passes(&found, &found, 1));
        assert!(!passes(&found, &found, 0), "no sum was opened");
        let altered = data("0.030546511", [150, 150]);
        assert!(!passes(&altered, &altered, 1), "an index that does not follow");
        assert!(!passes(&altered, &found, 1), "and one that was said otherwise before");
        let moved = data("0.040546511", [160, 140]);
        assert!(!passes(&moved, &moved, 1), "counts of another index");

        let places = || Places::of(job.clone());
        assert!(!places().compared(&Findings::from_data(&found).unwrap()), "nothing was said before");
        let said =
            JobDrift::of_released(&job.identity.id, Findings::from_data(&found).unwrap().rows().unwrap());
        let mut twice = places();
        assert!(twice.drifted(said.clone()) && !twice.drifted(said.clone()));
        assert!(
            !places().drifted(JobDrift { model: None, ..said.clone() }),
            "of another model than the job names"
        );
        let mut training =
            Places::of(Job::from_toml(include_str!("../../../examples/bank-marketing/job.toml")).unwrap());
        assert!(!training.drifted(said), "a job without [drift] says nothing of it");
        assert!(!training.compared(&Findings::from_data(&found).unwrap()));
    }
}
