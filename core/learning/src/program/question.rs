//! The questions of a job: their bytes, their layouts, and the check that the job was approved with them.

use serde::{Deserialize, Serialize};
use syndic_round::Layout;

use super::boosted_trees::noisy::longest_layout;
use super::boosted_trees::{BoostedTreesTerms, CellsQuestion, GrowQuestion, NoisyTreesQuestion, TreesTerms};
use super::class_weights::are_agreed;
use super::comparison::CompareQuestion;
use super::description::DescribeQuestion;
use super::drift::released::ReleasedDriftQuestion;
use super::drift::{self, DriftQuestion};
use super::evaluation::EvaluateQuestion;
use super::external::{self, ExternalQuestion};
use super::fairness::FairnessQuestion;
use super::logistic_regression::TrainQuestion;
use super::logistic_regression::newton::{self, NewtonQuestion};
use super::logistic_regression::noisy::NoisyQuestion;
use super::neural_network::noisy_update::{self, NoisyUpdateQuestion};
use super::neural_network::{self, NetworkQuestion};
use super::noisy_evaluation::{self, NoisyEvaluateQuestion};
use super::noisy_model::NoisyModel;
use super::scorecard::noisy::NoisyWoeQuestion;
use super::scorecard::{ClassesQuestion, NoisyCountsQuestion, RowsQuestion, ScorecardTerms, WoeQuestion};
use super::statistics::StatisticsQuestion;
use super::{ProgramError, evaluation, fairness, logistic_regression, noisy_sum, scorecard};
use crate::coefficients::Coefficients;
use crate::job::{DriftTerms, Job, ProgramTerms};
use crate::table::Role;

/// What institutions are asked in one encrypted round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Question {
    /// Counts and moments.
    Statistics(StatisticsQuestion),
    /// Local training.
    Train(TrainQuestion),
    /// Loss, gradient and Hessian: training too.
    Newton(NewtonQuestion),
    /// Local training of a network, or by another optimiser: training too.
    Network(NetworkQuestion),
    /// A noisy gradient: training too.
    Noisy(NoisyQuestion),
    /// A change of a model with noise: training too.
    NoisyUpdate(NoisyUpdateQuestion),
    /// Rows in bins, or the leaves of trees, with noise: training too.
    NoisyTrees(NoisyTreesQuestion),
    /// Rows in narrow cells, for the bins of trees: training too.
    Cells(CellsQuestion),
    /// Sums for the splits of one depth of a tree: training too.
    Grow(GrowQuestion),
    /// Rows in narrow cells and by level, for the bins of a scorecard: training too.
    ScorecardRows(RowsQuestion),
    /// Rows of each class in narrower bins: training too.
    ScorecardClasses(ClassesQuestion),
    /// Loss, gradient and Hessian on weights of evidence: training too.
    ScorecardWoe(WoeQuestion),
    /// Rows of each class in cells with noise, for the bins of a scorecard: training too.
    ScorecardNoisyCounts(NoisyCountsQuestion),
    /// A noisy gradient on weights of evidence: training too.
    ScorecardNoisyWoe(Box<NoisyWoeQuestion>),
    /// Training by an external trainer.
    External(ExternalQuestion),
    /// Score histograms and losses.
    Evaluate(EvaluateQuestion),
    /// Score histograms with noise.
    NoisyEvaluate(NoisyEvaluateQuestion),
    /// Score histograms by group.
    Fairness(FairnessQuestion),
    /// Where training rows and test rows are.
    Drift(DriftQuestion),
    /// Score histograms and losses of released models.
    Compare(CompareQuestion),
    /// Where rows are by column and class, and moments.
    Describe(DescribeQuestion),
    /// Where rows are, in the bins of a released model's card.
    DriftSince(ReleasedDriftQuestion),
}

/// What answers to all the questions of a job look like, as far as its file alone decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Layouts {
    /// To the statistics.
    pub statistics: Layout,
    /// To each round of training; of trees and scorecards, the longest that the terms allow. Of a job that trains nothing, to its only
    /// question: it asks for none of the others.
    pub train: Layout,
    /// To each evaluation on test rows or on validation rows. On both it is twice as long. With noise, to the only one; none where
    /// the job does not ask for it.
    pub evaluate: Option<Layout>,
    /// To the comparison of groups, where the job asks for one.
    pub fairness: Option<Layout>,
    /// To the comparison of test rows with training rows, where the job asks for one.
    pub drift: Option<Layout>,
}

impl Layouts {
    /// Those of `job`.
    ///
    /// # Errors
    /// When one of its questions has no layout.
    pub fn of(job: &Job) -> Result<Self, ProgramError> {
        let (contract, bins) = (&job.contract, job.evaluation.bins);
        // With noise groups are counted where all test rows are.
        let fairness = job.fairness.as_ref().filter(|_| job.program.trains() && !job.adds_noise());
        Ok(Self {
            statistics: StatisticsQuestion::of(contract).layout()?,
            train: training_layout(job)?,
            evaluate: match job.adds_noise() {
                false if !job.program.trains() => None,
                false => Some(evaluation::layout(&[Role::Test], bins, contract.max_rows)?),
                true => noisy_evaluation_layout(job)?,
            },
            fairness: fairness.map(|_| fairness_layout(job)).transpose()?,
            drift: job.drift.as_ref().map(|terms| drift_layout(job, terms)).transpose()?,
        })
    }
}

impl Question {
    /// Canonical JSON (RFC 8785). Numbers are read again as they were, but for the sign of a zero.
    ///
    /// # Errors
    /// When a number is not finite.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ProgramError> {
        serde_json_canonicalizer::to_vec(self).map_err(|error| ProgramError::BadQuestion(error.to_string()))
    }

    /// The question that [`Self::to_bytes`] wrote. Another spelling of a question is refused: it would be
    /// another plan for the same sum.
    ///
    /// # Errors
    /// When the bytes are no question, or not its canonical ones.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProgramError> {
        let question: Self =
            serde_json::from_slice(bytes).map_err(|error| ProgramError::BadQuestion(error.to_string()))?;
        if question.to_bytes()? == bytes {
            Ok(question)
        } else {
            Err(ProgramError::BadQuestion("it is not spelled canonically".into()))
        }
    }

    /// What an answer looks like; both sides derive it from the question.
    ///
    /// # Errors
    /// When the question asks for something that has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        match self {
            Self::Statistics(question) => question.layout(),
            Self::Train(question) => question.layout(),
            Self::Newton(question) => question.layout(),
            Self::Network(question) => question.layout(),
            Self::Noisy(question) => question.layout(),
            Self::NoisyUpdate(question) => question.layout(),
            Self::NoisyTrees(question) => question.layout(),
            Self::Cells(question) => question.layout(),
            Self::Grow(question) => question.layout(),
            Self::ScorecardRows(question) => question.layout(),
            Self::ScorecardClasses(question) => question.layout(),
            Self::ScorecardWoe(question) => question.layout(),
            Self::ScorecardNoisyCounts(question) => question.layout(),
            Self::ScorecardNoisyWoe(question) => question.layout(),
            Self::External(question) => question.layout(),
            Self::Evaluate(question) => question.layout(),
            Self::NoisyEvaluate(question) => question.layout(),
            Self::Fairness(question) => question.layout(),
            Self::Drift(question) => question.layout(),
            Self::Compare(question) => question.layout(),
            Self::Describe(question) => question.layout(),
            Self::DriftSince(question) => question.layout(),
        }
    }

    /// `statistics`, `train`, `evaluate`, `fairness`, `drift`, `compare` or `describe`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Statistics(_) => "statistics",
            Self::Train(_) | Self::Newton(_) | Self::Network(_) | Self::Cells(_) | Self::Grow(_) => TRAIN,
            Self::ScorecardRows(_) | Self::ScorecardClasses(_) | Self::ScorecardWoe(_) => TRAIN,
            Self::ScorecardNoisyCounts(_) | Self::ScorecardNoisyWoe(_) => TRAIN,
            Self::External(_) | Self::Noisy(_) | Self::NoisyUpdate(_) | Self::NoisyTrees(_) => TRAIN,
            Self::Evaluate(_) | Self::NoisyEvaluate(_) => EVALUATE,
            Self::Fairness(_) => "fairness",
            Self::Drift(_) | Self::DriftSince(_) => DRIFT,
            Self::Compare(_) => COMPARE,
            Self::Describe(_) => DESCRIBE,
        }
    }

    /// Whether the answer has noise, which must be drawn anew for each answer that leaves.
    pub fn adds_noise(&self) -> bool {
        match self {
            Self::Describe(question) => question.variance.is_some(),
            Self::Noisy(_) | Self::NoisyUpdate(_) | Self::NoisyTrees(_) | Self::NoisyEvaluate(_) => true,
            Self::ScorecardNoisyCounts(_) | Self::ScorecardNoisyWoe(_) => true,
            _ => false,
        }
    }

    /// The training round that the question belongs to, from 1; none before training, and none after it.
    pub fn training_round(&self) -> Option<u32> {
        match self {
            Self::Statistics(_) | Self::Fairness(_) | Self::Drift(_) | Self::Compare(_) => None,
            Self::Describe(_) | Self::DriftSince(_) => None,
            Self::Train(question) => Some(question.training_round),
            Self::Newton(question) => Some(question.training_round),
            Self::Network(question) => Some(question.training_round),
            Self::Noisy(question) => Some(question.training_round),
            Self::NoisyUpdate(question) => Some(question.training_round),
            Self::NoisyTrees(question) => Some(question.training_round),
            // A training round grows a tree.
            Self::Cells(_) => Some(1),
            Self::Grow(question) => Some(question.ensemble.trees.len() as u32 + 1),
            Self::ScorecardRows(_) | Self::ScorecardClasses(_) | Self::ScorecardNoisyCounts(_) => Some(1),
            Self::ScorecardNoisyWoe(question) => Some(question.gradient.training_round),
            Self::ScorecardWoe(question) => Some(question.newton.training_round),
            Self::External(question) => Some(question.training_round),
            Self::Evaluate(question) => Some(question.training_round),
            Self::NoisyEvaluate(question) => Some(question.training_round),
        }
    }

    /// The place of the question in its job: a job asks once for each, however the question is worded.
    pub fn slot(&self) -> String {
        match (self, self.training_round()) {
            (Self::Cells(_) | Self::ScorecardRows(_) | Self::ScorecardNoisyCounts(_), _) => {
                "train/cells".into()
            }
            (Self::ScorecardClasses(_), _) => "train/classes".into(),
            (Self::Grow(question), Some(tree)) => format!("train/{tree}/{}", question.depth()),
            (_, None) => self.kind().into(),
            (_, Some(round)) => format!("{}/{round}", self.kind()),
        }
    }

    /// What decides, where a job admits institutions by lot, whom this question admits: each round of training by itself; all
    /// that is counted and measured together, so that the same rows counted again are those of the same institutions.
    pub fn lot(&self) -> String {
        lot(self.kind(), self.training_round())
    }

    /// Checks on the participant that the question is one that the approved job can lead to: all its terms,
    /// and everything in it that does not depend on sums. Those that do are the model and the standardisation,
    /// of which only the size is checked, the number of training rows, and whether test rows, validation rows
    /// or both are evaluated.
    ///
    /// # Errors
    /// [`ProgramError::NotApproved`] says what departs; [`ProgramError::BadQuestion`] where the standardisation
    /// fits no table under the contract.
    pub fn approved_by(&self, job: &Job) -> Result<(), ProgramError> {
        let contract = &job.contract;
        let departs = |what| Err(ProgramError::NotApproved(what));
        let rounds = 1..=job.rounds.count;
        let groups = job.fairness.as_ref().map(|terms| &terms.groups);
        let fits = |coefficients: &Coefficients| coefficients.weights.len() == contract.inputs();
        match self {
            Self::Noisy(question) => question.approved_by(job),
            Self::NoisyUpdate(question) => question.approved_by(job),
            Self::NoisyTrees(question) => question.approved_by(job),
            Self::NoisyEvaluate(question) => question.approved_by(job),
            Self::Describe(question) => question.approved_by(job),
            Self::ScorecardNoisyCounts(question) => question.approved_by(job),
            Self::ScorecardNoisyWoe(question) => question.approved_by(job),
            // Everything else would be answered exactly.
            _ if job.adds_noise() => departs("privacy mode"),
            Self::Compare(question) => question.approved_by(job),
            Self::DriftSince(question) => question.approved_by(job),
            // A job that trains nothing asks for nothing else.
            _ if !job.program.trains() => departs("program"),
            Self::Statistics(question) if *question != StatisticsQuestion::of(contract) => {
                departs("statistics")
            }
            Self::Statistics(_) => Ok(()),
            Self::Train(question) if !rounds.contains(&question.training_round) => departs("round"),
            Self::Train(question) if question.max_rows != contract.max_rows => departs("max_rows"),
            Self::Train(question) if !fits(&question.coefficients) => departs("number of weights"),
            Self::Train(question)
                if job.program.local_training(question.training_round) != Some(question.local) =>
            {
                departs("local training")
            }
            Self::Train(question) => Ok(question.standardisation.check(contract)?),
            Self::Newton(_) if !job.program.is_newton() => departs("solver"),
            Self::Newton(question) if !rounds.contains(&question.training_round) => departs("round"),
            Self::Newton(question) if question.max_rows != contract.max_rows => departs("max_rows"),
            Self::Newton(question) if !fits(&question.coefficients) => departs("number of weights"),
            Self::Newton(question) if !are_agreed(job.program.newton_weights(), question.class_weights) => {
                departs("class weights")
            }
            Self::Newton(question) => Ok(question.standardisation.check(contract)?),
            Self::Network(question) => question.approved_by(job),
            Self::Cells(question) => trees_of(job).and_then(|_| question.approved_by(contract)),
            Self::Grow(question) => question.approved_by(contract, &trees_of(job)?),
            Self::ScorecardRows(question) => scorecard_of(job).and_then(|_| question.approved_by(contract)),
            Self::ScorecardClasses(question) => question.approved_by(contract, scorecard_of(job)?),
            Self::ScorecardWoe(question) => {
                question.approved_by(contract, scorecard_of(job)?, job.rounds.count)
            }
            Self::External(question) => question.approved_by(job),
            Self::Evaluate(question) if !rounds.contains(&question.training_round) => departs("round"),
            Self::Evaluate(question) if question.max_rows != contract.max_rows => departs("max_rows"),
            Self::Evaluate(question) if question.bins != job.evaluation.bins => departs("bins"),
            Self::Evaluate(question) if question.roles.contains(&Role::Train) => {
                departs("rows to evaluate on")
            }
            Self::Evaluate(question) => question.scorer.approved_by(job),
            Self::Fairness(question) if groups != Some(&question.groups) => departs("groups to compare"),
            Self::Fairness(question) if question.sizes != fairness::sizes(&question.groups, contract) => {
                departs("number of groups")
            }
            Self::Fairness(question) if question.max_rows != contract.max_rows => departs("max_rows"),
            Self::Fairness(question) if question.bins != job.evaluation.bins => departs("bins"),
            Self::Fairness(question) => question.scorer.approved_by(job),
            Self::Drift(question) => question.approved_by(job),
        }
    }
}

/// The lot of a question of this kind and training round, of a program that averages what institutions have trained.
pub fn lot(kind: &str, training_round: Option<u32>) -> String {
    match (kind, training_round) {
        (TRAIN, Some(round)) => format!("{TRAIN}/{round}"),
        _ => "measures".into(),
    }
}

/// How many sums a job has at most of questions of this kind that belong to this training round: one where it asks once, and of
/// a tree one for each depth.
pub fn sums_at(job: &Job, kind: &str, training_round: Option<u32>) -> u32 {
    let is_first = training_round == Some(1);
    match &job.program {
        ProgramTerms::Evaluation(_) => u32::from(kind == COMPARE),
        ProgramTerms::Statistics(_) => u32::from(kind == DESCRIBE),
        ProgramTerms::Drift(_) => u32::from(kind == DRIFT),
        // Cells are counted before the first tree.
        ProgramTerms::BoostedTrees(terms) if kind == TRAIN => {
            terms.best().map_or(1, |terms| terms.depth + u32::from(is_first))
        }
        // Classes are counted before the first step.
        ProgramTerms::Scorecard(_) if kind == TRAIN && is_first && job.adds_noise() => 2,
        // Rows and classes are counted before the first fit.
        ProgramTerms::Scorecard(_) if kind == TRAIN && is_first => 3,
        // Counts of test rows are accounted for once, after the last round.
        _ if kind == EVALUATE && job.adds_noise() => u32::from(training_round == Some(job.rounds.count)),
        _ => 1,
    }
}

/// The terms of the job's trees.
fn trees_of(job: &Job) -> Result<BoostedTreesTerms, ProgramError> {
    job.trees().ok_or(ProgramError::NotApproved("program"))
}

/// The terms of the job's scorecard.
fn scorecard_of(job: &Job) -> Result<&ScorecardTerms, ProgramError> {
    job.program.scorecard().ok_or(ProgramError::NotApproved("program"))
}

/// What answers to the comparison of groups look like.
pub(super) fn fairness_layout(job: &Job) -> Result<Layout, ProgramError> {
    let groups = job.fairness.as_ref().map_or(&[][..], |terms| &terms.groups);
    let sizes = fairness::sizes(groups, &job.contract);
    fairness::layout(groups, &sizes, job.evaluation.bins, job.contract.max_rows)
}

/// What an answer to the evaluation with noise looks like; none where the job does not ask for it.
pub(super) fn noisy_evaluation_layout(job: &Job) -> Result<Option<Layout>, ProgramError> {
    let bins = job.privacy.record_level().and_then(|terms| terms.test_bins);
    // Terms that no noise keeps are in no job file.
    let calibration = job.evaluation_calibration().ok().flatten();
    let (Some(bins), Some(calibration)) = (bins, calibration) else { return Ok(None) };
    let groups = job.fairness.as_ref().map_or(&[][..], |terms| &terms.groups);
    let sizes = fairness::sizes(groups, &job.contract);
    let (max_rows, variance) = (job.contract.max_rows, calibration.variance);
    noisy_evaluation::layout(bins.into(), (groups, &sizes), max_rows, variance).map(Some)
}

/// What answers to the comparison of test rows with training rows look like.
pub(super) fn drift_layout(job: &Job, terms: &DriftTerms) -> Result<Layout, ProgramError> {
    let widths = drift::widths(&terms.columns_of(&job.contract), &job.contract);
    drift::layout(&widths, job.evaluation.bins, job.contract.max_rows)
}

/// What answers to the questions of training look like.
pub(super) fn training_layout(job: &Job) -> Result<Layout, ProgramError> {
    let (inputs, max_rows) = (job.contract.inputs(), job.contract.max_rows);
    if let Some((_, terms)) = job.averaged_with_noise() {
        let entry = terms.entry(&job.contract);
        let count = crate::network::parameters(&entry, &terms.hidden).unwrap_or_default();
        let calibration = job.calibration().ok().flatten();
        return noisy_update::layout(count, calibration.map_or(0, |found| found.variance));
    }
    if let Some(terms) = job.network() {
        return neural_network::layout_of(&terms, &job.contract);
    }
    if let Some(terms) = job.external() {
        return external::layout(terms.elements(), terms.clip, max_rows);
    }
    if let Some(terms) = job.comparison() {
        return CompareQuestion::of(job, terms).layout();
    }
    if let Some(terms) = job.description() {
        return DescribeQuestion::of(job, terms).layout();
    }
    if let Some(terms) = job.released_drift() {
        return ReleasedDriftQuestion::of(job, terms).layout();
    }
    if job.noisy_scorecard().is_some() {
        return scorecard::noisy::longest_layout(job);
    }
    match (&job.program, job.trees()) {
        (ProgramTerms::BoostedTrees(terms), trees) => match (&**terms, trees) {
            (TreesTerms::Random(terms), _) => {
                let calibration = job.calibration().ok().flatten();
                longest_layout(terms, &job.contract, calibration.map_or(0, |found| found.variance))
            }
            (TreesTerms::Best(terms), trees) => trees.as_ref().unwrap_or(terms).longest_layout(&job.contract),
        },
        (ProgramTerms::Scorecard(_), _) => scorecard::longest_layout(&job.contract),
        _ if job.program.is_newton() => newton::layout(inputs, max_rows),
        _ => match NoisyModel::parameters_of(&job.program, &job.contract) {
            Some(parameters) => {
                let calibration = job.calibration().ok().flatten();
                noisy_sum::layout(parameters, max_rows, calibration.map_or(0, |found| found.variance))
            }
            None => logistic_regression::layout(inputs, max_rows),
        },
    }
}

/// The kind of all questions of training.
const TRAIN: &str = "train";
/// The kind of all that measure a model.
const EVALUATE: &str = "evaluate";
/// The kind of what compares released models.
const COMPARE: &str = "compare";
/// The kind of what describes rows.
const DESCRIBE: &str = "describe";
/// The kind of what compares rows with training rows.
const DRIFT: &str = "drift";
