//! A whole job as one program: statistics, then training and evaluation in turn, then the model.
//!
//! What the institutions approved is this chain, as a whole: [`Question::approved_by`] is how a participant
//! checks that what it is asked is a part of it. Where the model of every training round is measured, a training
//! round is two encrypted rounds, of which the second measures what the first has made; otherwise one evaluation
//! comes last. Where no institution has set rows aside there is none.

use std::collections::BTreeMap;

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use syndic_round::{Contribution, Layout, Sum};

use super::boosted_trees::{NoisyTrees, PreparedTable};
use super::comparison::Comparison;
use super::description::Description;
use super::description::figures::StatisticsFigures;
use super::drift::Drift;
use super::drift::figures::DriftFigures;
use super::drift::released::ReleasedDrift;
use super::evaluation::{EvaluateQuestion, Evaluated, Evaluation};
use super::fairness::Fairness;
use super::fairness::figures::FairnessFigures;
use super::findings::Findings;
use super::logistic_regression::LogisticRegression;
use super::logistic_regression::inference::Fit;
use super::logistic_regression::newton::Newton;
use super::logistic_regression::noisy::NoisyGradient;
use super::neural_network::NeuralNetwork;
use super::neural_network::noisy_update::NoisyUpdate;
use super::noisy_evaluation::{NoisyEvaluation, NoisyMeasures};
use super::question::{self, Question, training_layout};
use super::statistics::{Statistics, Summary};
use super::training::Training;
use super::{Next, Program, ProgramError, evaluation};
use crate::job::{FairnessTerms, Job};
use crate::metrics::Metrics;
use crate::metrics::detail::Detail;
use crate::model::{Model, ModelCard, ModelError};
use crate::privacy::claim::{Claim, Ran};
use crate::table::{Role, Table};

/// The coordinator half of a job: a fold of its sums.
#[derive(Clone, Debug)]
pub struct JobRun {
    job: Job,
    state: State,
    summary: Option<Summary>,
    metrics: Vec<RoundMetrics>,
    /// The model that would be released now, and the round that made it.
    best: Option<(u32, Model)>,
}

#[derive(Clone, Debug)]
enum State {
    Statistics(Statistics),
    Training(Training),
    /// Evaluating what `training` has made.
    Evaluating {
        training: Training,
        training_round: u32,
        evaluation: Evaluation,
    },
    /// Evaluating the last model with noise.
    Measuring {
        training: Training,
        training_round: u32,
        evaluation: Box<NoisyEvaluation>,
    },
    /// Comparing groups by the model that is to be released.
    Comparing {
        outcome: Box<Outcome>,
        fairness: Box<Fairness>,
    },
    /// Comparing test rows with training rows, by the same model.
    Drifting {
        outcome: Box<Outcome>,
        drift: Box<Drift>,
    },
    /// Comparing released models: all that such a job does.
    Judging(Comparison),
    /// Describing rows: all that such a job does.
    Describing(Box<Description>),
    /// Comparing rows with those of a released model: all that such a job does.
    Counting(Box<ReleasedDrift>),
    Finished(Box<Outcome>),
    Judged(Box<Findings>),
    Described(Box<StatisticsFigures>),
}

/// What a job comes to.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// A model is released.
    Released(Box<Outcome>),
    /// Released models were compared, or rows with those of one.
    Compared(Box<Findings>),
    /// Rows were described.
    Described(Box<StatisticsFigures>),
}

/// What a job that trains a model ends with.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The released model.
    pub model: Model,
    /// The training round that made it: of those that were measured on validation rows the one with the least
    /// loss; the last where none was. `JobRun::metrics` says which were measured.
    pub released_round: u32,
    /// What else is known of it, where its solver knows more.
    pub fit: Option<Fit>,
    /// How it treats groups, where the job asks and anybody has test rows.
    pub fairness: Option<FairnessFigures>,
    /// How far test rows are from training rows, where the job asks.
    pub drift: Option<DriftFigures>,
    /// What is claimed of the noise, and what was spent; none without noise.
    pub privacy: Option<Claim>,
}

/// How the model of one training round does, from encrypted sums.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoundMetrics {
    /// Counted from 1.
    pub training_round: u32,
    /// On test rows, if whoever answered has any.
    pub test: Option<Metrics>,
    /// On validation rows, if whoever answered has any.
    pub validation: Option<Metrics>,
    /// More of the test rows; none in a job with noise.
    pub detail: Option<Detail>,
}

impl Ending {
    /// The model and what is known of it, where one is released.
    pub fn released(&self) -> Option<&Outcome> {
        match self {
            Self::Released(outcome) => Some(outcome),
            Self::Compared(_) | Self::Described(_) => None,
        }
    }

    /// The same, for who has no other use of it.
    pub fn into_released(self) -> Option<Outcome> {
        match self {
            Self::Released(outcome) => Some(*outcome),
            Self::Compared(_) | Self::Described(_) => None,
        }
    }
}

impl Outcome {
    /// The card for `weights`, which [`Model::to_safetensors`] returned.
    pub fn card(&self, weights: &[u8], provenance: BTreeMap<String, serde_json::Value>) -> ModelCard {
        ModelCard {
            fit: self.fit.clone(),
            fairness: self.fairness.clone(),
            drift: self.drift.clone(),
            privacy: self.privacy.clone(),
            ..self.model.card(weights, provenance)
        }
    }
}

impl JobRun {
    /// The run of a job, before its first round.
    pub fn new(job: &Job) -> Self {
        let state = match (job.comparison(), job.description(), job.released_drift()) {
            (Some(terms), _, _) => State::Judging(Comparison::new(job, terms)),
            (_, Some(terms), _) => State::Describing(Box::new(Description::new(job, terms))),
            (_, _, Some(terms)) => State::Counting(Box::new(ReleasedDrift::new(job, terms))),
            (None, None, None) => State::Statistics(Statistics::new(job.contract.clone())),
        };
        let mut run = Self { job: job.clone(), state, summary: None, metrics: Vec::new(), best: None };
        if job.adds_noise() && job.program.trains() {
            run.without_statistics();
        }
        run
    }

    /// How the models of the training rounds did so far, in order.
    pub fn metrics(&self) -> &[RoundMetrics] {
        &self.metrics
    }

    /// Training rounds that have a sum.
    pub fn trained_rounds(&self) -> u32 {
        match &self.state {
            State::Statistics(_) | State::Judging(_) | State::Counting(_) | State::Judged(_) => 0,
            State::Describing(_) | State::Described(_) => 0,
            State::Training(training) => training.completed(),
            State::Evaluating { training_round, .. } | State::Measuring { training_round, .. } => {
                *training_round
            }
            State::Comparing { .. } | State::Drifting { .. } | State::Finished(_) => {
                self.metrics.last().map_or(0, |metrics| metrics.training_round)
            }
        }
    }

    /// What an answer looks like to the question that follows the one that is pending; none where none follows.
    ///
    /// Whether training goes on may depend on the sum that is awaited; it is then taken to.
    pub fn next_layout(&self) -> Option<Layout> {
        let roles = self.measured();
        let evaluation = || evaluation::layout(&roles, self.job.evaluation.bins, self.job.contract.max_rows);
        let layout = match &self.state {
            State::Training(training)
                if training.ends_a_round() && self.is_measured(training.may_be_last()) =>
            {
                evaluation()
            }
            State::Training(training) if training.may_be_last() => match self.noisy_evaluation_layout() {
                Some(layout) => layout,
                None => self.layout_after_training()?,
            },
            State::Evaluating { training, .. } if training.is_finished() => self.layout_after_training()?,
            State::Evaluating { training, .. } | State::Training(training) => training.next_layout(&self.job),
            State::Statistics(_) => training_layout(&self.job),
            State::Comparing { .. } => self.drift_layout()?,
            State::Measuring { .. } | State::Drifting { .. } | State::Finished(_) => return None,
            State::Judging(_) | State::Counting(_) | State::Judged(_) => return None,
            State::Describing(_) | State::Described(_) => return None,
        };
        // A question without a layout is never asked.
        layout.ok()
    }

    /// What an answer to the first comparison looks like; none where there is none.
    fn layout_after_training(&self) -> Option<Result<Layout, ProgramError>> {
        let of_groups = self.compared().map(|_| question::fairness_layout(&self.job));
        of_groups.or_else(|| self.drift_layout())
    }

    /// What an answer to the comparison with training rows looks like; none where there is no comparison.
    fn drift_layout(&self) -> Option<Result<Layout, ProgramError>> {
        self.job.drift.as_ref().map(|terms| question::drift_layout(&self.job, terms))
    }

    /// What an answer to the evaluation with noise looks like; none where there is none.
    fn noisy_evaluation_layout(&self) -> Option<Result<Layout, ProgramError>> {
        question::noisy_evaluation_layout(&self.job).transpose()
    }

    /// The terms of the comparison of groups; none where nobody has rows to compare.
    fn compared(&self) -> Option<&FairnessTerms> {
        let terms = self.job.fairness.as_ref()?;
        self.summary.as_ref().is_some_and(|summary| summary.test.rows > 0).then_some(terms)
    }

    /// Whether the model of a training round is measured, which is the last or not.
    fn is_measured(&self, is_last: bool) -> bool {
        !self.measured().is_empty() && (is_last || self.job.measures_every_round())
    }

    /// The rows that models are evaluated on: those that anybody has.
    fn measured(&self) -> Vec<Role> {
        let Some(summary) = &self.summary else { return Vec::new() };
        let counts = [(Role::Test, summary.test), (Role::Validation, summary.validation)];
        counts.into_iter().filter_map(|(role, count)| (count.rows > 0).then_some(role)).collect()
    }

    /// What to ask or to release now.
    fn pending(&mut self) -> Result<Next<Question, Ending>, ProgramError> {
        Ok(match &mut self.state {
            State::Statistics(statistics) => ask(statistics.next(None)?, Question::Statistics)?,
            State::Training(training) => Next::Ask(training.next(None)?.ok_or(ProgramError::WrongSum)?),
            State::Evaluating { evaluation, .. } => ask(evaluation.next(None)?, Question::Evaluate)?,
            State::Measuring { evaluation, .. } => ask(evaluation.next(None)?, Question::NoisyEvaluate)?,
            State::Comparing { fairness, .. } => ask(fairness.next(None)?, Question::Fairness)?,
            State::Drifting { drift, .. } => ask(drift.next(None)?, Question::Drift)?,
            State::Judging(comparison) => ask(comparison.next(None)?, Question::Compare)?,
            State::Describing(description) => ask(description.next(None)?, Question::Describe)?,
            State::Counting(drift) => ask(drift.next(None)?, Question::DriftSince)?,
            State::Finished(outcome) => Next::Done(Ending::Released(outcome.clone())),
            State::Judged(figures) => Next::Done(Ending::Compared(figures.clone())),
            State::Described(figures) => Next::Done(Ending::Described(figures.clone())),
        })
    }

    /// Begins with training: statistics, and with them whether anybody has rows to evaluate on, would be exact. A job that cannot
    /// begin so is none that a file passes for; it begins with statistics, which nobody answers.
    fn without_statistics(&mut self) {
        let summary = Summary::of_contract(&self.job.contract);
        if let Ok(training) = Training::new(&self.job, &summary) {
            (self.state, self.summary) = (State::Training(training), Some(summary));
        }
    }

    fn summarised(&mut self, summary: Summary) -> Result<(), ProgramError> {
        self.state = State::Training(Training::new(&self.job, &summary)?);
        self.summary = Some(summary);
        Ok(())
    }

    fn trained(&mut self, training: Training, training_round: u32) -> Result<(), ProgramError> {
        let summary = self.summary.as_ref().ok_or(ProgramError::WrongSum)?;
        let roles = self.measured();
        if !training.is_finished() && !self.job.measures_every_round() {
            self.state = State::Training(training);
            return Ok(());
        }
        if roles.is_empty() {
            let scorer = (&training.model(&self.job, summary)).into();
            match NoisyEvaluation::of(&self.job, training_round, scorer).map(Box::new) {
                Some(evaluation) => self.state = State::Measuring { training, training_round, evaluation },
                None => {
                    self.evaluated(training, training_round, Evaluated::default(), NoisyMeasures::default())?;
                }
            }
            return Ok(());
        }
        let evaluation = Evaluation::new(EvaluateQuestion {
            training_round,
            scorer: (&training.model(&self.job, summary)).into(),
            roles,
            bins: self.job.evaluation.bins,
            max_rows: self.job.contract.max_rows,
        });
        self.state = State::Evaluating { training, training_round, evaluation };
        Ok(())
    }

    fn evaluated(
        &mut self,
        training: Training,
        training_round: u32,
        evaluated: Evaluated,
        noisy: NoisyMeasures,
    ) -> Result<(), ProgramError> {
        let Evaluated { test, validation, detail } = evaluated;
        let loss = |metrics: &RoundMetrics| metrics.validation.map(|metrics| metrics.log_loss);
        let least = self.metrics.iter().filter_map(loss).reduce(f64::min);
        // Whoever has validation rows may miss an evaluation: what nobody measured never replaces what was.
        let is_best = match (validation, least) {
            (Some(measured), Some(least)) => measured.log_loss < least,
            (Some(_), None) | (None, None) => true,
            (None, Some(_)) => false,
        };
        if is_best {
            let summary = self.summary.as_ref().ok_or(ProgramError::WrongSum)?;
            self.best = Some((training_round, training.model(&self.job, summary)));
        }
        self.metrics.push(RoundMetrics { training_round, test, validation, detail });
        let best = self.best.as_ref().map_or(training_round, |(best, _)| *best);
        let gives_up = validation.is_some() && self.job.rounds.give_up(training_round, best);
        self.state = if training.is_finished() || gives_up {
            let (released_round, model) = self.best.clone().ok_or(ProgramError::WrongSum)?;
            let fit = training.fit(&self.job);
            let privacy = self
                .job
                .claim(Some(Ran { training_rounds: training_round, counted: true, seen: noisy.metrics }))
                .ok()
                .flatten();
            let fairness = noisy.fairness;
            let outcome = Outcome { model, released_round, fit, fairness, drift: None, privacy };
            self.comparing(Box::new(outcome))
        } else {
            State::Training(training)
        };
        Ok(())
    }

    /// What follows training.
    fn comparing(&self, outcome: Box<Outcome>) -> State {
        let Some(terms) = self.compared() else { return self.drifting(outcome) };
        let fairness = Fairness::new(&outcome.model, terms, self.job.evaluation.bins);
        State::Comparing { outcome, fairness: Box::new(fairness) }
    }

    /// What follows the comparison of groups. Training rows are counted even where nobody has test rows: the released model says
    /// where they were.
    fn drifting(&self, outcome: Box<Outcome>) -> State {
        let Some(terms) = &self.job.drift else { return State::Finished(outcome) };
        let drift = Drift::new(&outcome.model, terms, self.job.evaluation.bins);
        State::Drifting { outcome, drift: Box::new(drift) }
    }
}

impl Program for JobRun {
    type Question = Question;
    type Outcome = Ending;

    fn next(&mut self, sum: Option<&Sum>) -> Result<Next<Question, Ending>, ProgramError> {
        let Some(sum) = sum else { return self.pending() };
        // Taken further as a copy, so that a sum that is rejected changes nothing.
        let mut run = self.clone();
        match run.state.clone() {
            State::Statistics(mut statistics) => run.summarised(done(statistics.next(Some(sum))?)?)?,
            State::Training(mut training) => {
                let completed = training.completed();
                training.next(Some(sum))?;
                match training.completed() {
                    training_round if training_round > completed => run.trained(training, training_round)?,
                    _ => run.state = State::Training(training),
                }
            }
            State::Evaluating { training, training_round, mut evaluation } => {
                let evaluated = done(evaluation.next(Some(sum))?)?;
                run.evaluated(training, training_round, evaluated, NoisyMeasures::default())?;
            }
            State::Measuring { training, training_round, mut evaluation } => {
                let noisy = done(evaluation.next(Some(sum))?)?;
                let test = noisy.metrics.map(|noisy| noisy.metrics);
                run.evaluated(training, training_round, Evaluated { test, ..Evaluated::default() }, noisy)?;
            }
            State::Comparing { mut outcome, mut fairness } => {
                outcome.fairness = Some(done(fairness.next(Some(sum))?)?);
                run.state = run.drifting(outcome);
            }
            State::Drifting { mut outcome, mut drift } => {
                outcome.drift = Some(done(drift.next(Some(sum))?)?);
                run.state = State::Finished(outcome);
            }
            State::Judging(mut comparison) => {
                let figures = done(comparison.next(Some(sum))?)?;
                run.state = State::Judged(Box::new(Findings::Models(figures)));
            }
            State::Counting(mut drift) => {
                run.state = State::Judged(Box::new(Findings::Rows(done(drift.next(Some(sum))?)?)));
            }
            State::Describing(mut description) => {
                let mut figures = done(description.next(Some(sum))?)?;
                figures.privacy = run
                    .job
                    .claim(Some(Ran { training_rounds: 1, counted: false, seen: None }))
                    .ok()
                    .flatten();
                run.state = State::Described(Box::new(figures));
            }
            State::Finished(_) | State::Judged(_) | State::Described(_) => {
                return Err(ProgramError::WrongSum);
            }
        }
        *self = run;
        self.pending()
    }

    fn answer(
        question: &Question,
        table: &Table,
        rng: &mut impl CryptoRng,
    ) -> Result<Contribution, ProgramError> {
        match question {
            Question::Statistics(question) => Statistics::answer(question, table, rng),
            Question::Train(question) => LogisticRegression::answer(question, table, rng),
            Question::Newton(question) => Newton::answer(question, table, rng),
            Question::Network(question) => NeuralNetwork::answer(question, table, rng),
            Question::Noisy(question) => NoisyGradient::answer(question, table, rng),
            Question::NoisyUpdate(question) => NoisyUpdate::answer(question, table, rng),
            Question::NoisyTrees(question) => NoisyTrees::answer(question, table, rng),
            Question::Cells(question) => question.answer(table),
            Question::Grow(question) => PreparedTable::new(table).grow(question),
            Question::ScorecardRows(question) => question.answer(table),
            Question::ScorecardClasses(question) => question.answer(table),
            Question::ScorecardWoe(question) => question.answer(table, rng),
            Question::ScorecardNoisyCounts(question) => question.answer(table, rng),
            Question::ScorecardNoisyWoe(question) => question.answer(table, rng),
            Question::External(_) => Err(ModelError::NeedsTrainer.into()),
            Question::Evaluate(question) => Evaluation::answer(question, table, rng),
            Question::NoisyEvaluate(question) => NoisyEvaluation::answer(question, table, rng),
            Question::Fairness(question) => Fairness::answer(question, table, rng),
            Question::Drift(question) => Drift::answer(question, table, rng),
            Question::Compare(question) => Comparison::answer(question, table, rng),
            Question::Describe(question) => Description::answer(question, table, rng),
            Question::DriftSince(question) => ReleasedDrift::answer(question, table, rng),
        }
    }
}

fn ask<Q, O>(next: Next<Q, O>, question: fn(Q) -> Question) -> Result<Next<Question, Ending>, ProgramError> {
    match next {
        Next::Ask(asked) => Ok(Next::Ask(question(asked))),
        Next::Done(_) => Err(ProgramError::WrongSum),
    }
}

fn done<Q, O>(next: Next<Q, O>) -> Result<O, ProgramError> {
    match next {
        Next::Done(outcome) => Ok(outcome),
        Next::Ask(_) => Err(ProgramError::WrongSum),
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
pub(super) mod tests;

#[cfg(test)]
#[path = "trees_tests.rs"]
mod trees_tests;
