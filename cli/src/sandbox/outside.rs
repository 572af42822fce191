//! What a federation with an external trainer is compared with: the same trainer, given all rows in one place, or those of each
//! institution alone. It scores the rows too: nobody else knows what its numbers say of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use syndic_learning::program::external::ExternalState;
use syndic_learning::program::external::pooled::PooledTraining;
use syndic_learning::program::{drift, fairness};
use syndic_learning::reference::FitError;
use syndic_learning::{
    ExternalModel, ExternalTerms, Job, Metrics, Model, ProgramError, Role, RowScores, Scoring as _, Table,
};
use syndic_participant::trainer::Trainer;

use super::compare::{Comparison, one_class, scores, unfitted, unusable};
use super::load::Site;
use super::trainer::failed;
use crate::result::Scores;
use crate::{Error, Result};

/// A trainer and the rows of a run.
pub(super) struct Outside<'a> {
    trainer: &'a Trainer,
    /// With time for the rows of all institutions at once.
    job: Job,
    sites: &'a [Site],
    all: Arc<Table>,
    seed: u64,
}

impl<'a> Outside<'a> {
    /// The trainer beside the rows of these institutions, all under the job's contract.
    ///
    /// # Errors
    /// When there is no institution.
    pub(super) fn new(trainer: &'a Trainer, job: &Job, sites: &'a [Site], seed: u64) -> Result<Self> {
        let tables: Vec<&Table> = sites.iter().map(|site| &*site.table).collect();
        let all = Table::joined(&tables).ok_or_else(|| unfitted(FitError::Contracts))?;
        let mut job = job.clone();
        let deadlines = &mut job.rounds.deadlines;
        deadlines.collect_seconds = deadlines.collect_seconds.saturating_mul(sites.len() as u32);
        Ok(Self { trainer, job, sites, all: Arc::new(all), seed })
    }

    /// As [`compare`](super::compare::compare), by the trainer.
    ///
    /// # Errors
    /// When rows are of one class, or the trainer fails.
    pub(super) async fn compare(&self, with_alone: bool, mut told: impl FnMut(usize)) -> Result<Comparison> {
        let model = self.trained(&self.all).await?;
        let roles: &[Role] =
            if self.job.drift.is_some() { &[Role::Train, Role::Test] } else { &[Role::Test] };
        let scored = self.scored(&model.state, &self.all, roles).await?;
        let (pooled, metrics) = self.on_test_rows(&scored)?;
        let (contract, tables, bins) = (&self.job.contract, [&*self.all], self.job.evaluation.bins);
        let fairness = self.job.fairness.as_ref();
        let fairness = fairness.map(|terms| fairness::measured_by(&scored, contract, &tables, (terms, bins)));
        let drift = self.job.drift.as_ref();
        let drift = drift.map(|terms| drift::measured_by(&scored, contract, &tables, (terms, bins)));
        let (fairness, drift) =
            (fairness.transpose().map_err(unusable)?, drift.transpose().map_err(unusable)?);
        told(1);
        let (mut alone, mut alone_at_home) = (BTreeMap::new(), BTreeMap::new());
        for (position, site) in self.sites.iter().enumerate().filter(|_| with_alone) {
            let model = self.trained(&site.table).await?;
            alone.insert(site.name.clone(), self.evaluate(&model).await?);
            alone_at_home.extend(self.at_home(&model, site).await?);
            told(position + 2);
        }
        let Metrics { rows: test_rows, positives: test_positives, .. } = metrics;
        Ok(Comparison { pooled, alone, alone_at_home, test_rows, test_positives, fairness, drift })
    }

    /// Figures of a model on the test rows of all institutions.
    ///
    /// # Errors
    /// When these are of one class, or the trainer fails.
    pub(super) async fn evaluate(&self, model: &ExternalModel) -> Result<Scores> {
        Ok(self.on_test_rows(&self.scored(&model.state, &self.all, &[Role::Test]).await?)?.0)
    }

    /// Figures of a model on the test rows of each institution alone; of those only whose test rows hold both classes.
    ///
    /// # Errors
    /// When the trainer fails.
    pub(super) async fn evaluate_at_home(&self, model: &ExternalModel) -> Result<BTreeMap<String, Scores>> {
        let mut figures = BTreeMap::new();
        for site in self.sites {
            figures.extend(self.at_home(model, site).await?);
        }
        Ok(figures)
    }

    async fn at_home(&self, model: &ExternalModel, site: &Site) -> Result<Option<(String, Scores)>> {
        if site.table.count(Role::Test).0 == 0 {
            return Ok(None);
        }
        let scored = self.scored(&model.state, &site.table, &[Role::Test]).await?;
        let metrics = scored.evaluate(&[&*site.table], Role::Test).map_err(unusable)?;
        Ok(metrics.as_ref().and_then(scores).map(|scores| (site.name.clone(), scores)))
    }

    /// What the trainer learns from the training rows of one table, in as many rounds as the job has.
    async fn trained(&self, table: &Arc<Table>) -> Result<ExternalModel> {
        let mut rng = ChaCha20Rng::seed_from_u64(self.seed);
        let validated = table.count(Role::Validation).0 > 0;
        let mut training = PooledTraining::new(self.terms()?, self.job.rounds, table).map_err(unfitted)?;
        while let Some(question) = training.question() {
            let trained =
                self.trainer.train(&self.job, table, question, rng.next_u64()).await.map_err(failed)?;
            training.moved(&trained.update).map_err(impossible)?;
            if validated {
                let scored = self.scored(training.state(), table, &[Role::Validation]).await?;
                training.measured(&scored).map_err(unfitted)?;
            }
        }
        Ok(training.model())
    }

    async fn scored(&self, state: &ExternalState, table: &Arc<Table>, roles: &[Role]) -> Result<RowScores> {
        self.trainer.score(&self.job, table, state, roles).await.map_err(failed)
    }

    fn on_test_rows(&self, scored: &RowScores) -> Result<(Scores, Metrics)> {
        let metrics = scored.evaluate(&[&*self.all], Role::Test).map_err(unusable)?;
        let metrics = metrics.ok_or_else(|| one_class(0))?;
        Ok((scores(&metrics).ok_or_else(|| one_class(metrics.rows))?, metrics))
    }

    fn terms(&self) -> Result<&ExternalTerms> {
        self.job.external().ok_or_else(|| unfitted(FitError::External))
    }
}

/// The model of an external trainer; there is no other where a trainer was found.
pub(super) fn external(model: &Model) -> Result<&ExternalModel> {
    match model {
        Model::External(model) => Ok(model),
        _ => Err(unfitted(FitError::External)),
    }
}

fn impossible(error: ProgramError) -> Error {
    Error::world(error.code(), error.to_string()).help(error.help())
}
