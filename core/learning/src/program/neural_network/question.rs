//! What institutions are asked in a round of local training, and what an answer looks like.

use serde::{Deserialize, Serialize};
use syndic_round::{Block, Layout};

use super::terms::{ClassWeights, NeuralNetworkTerms};
use crate::contract::Contract;
use crate::encode::Standardisation;
use crate::network::{Network, parameters};
use crate::optimiser::{Optimiser, Steps};
use crate::packed::Numbers;
use crate::program::logistic_regression::LocalTraining;
use crate::program::statistics::Count;
use crate::program::{ProgramError, count_block};
use crate::table::Table;

/// Asks for one round of local training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkQuestion {
    /// Counted from 1.
    pub training_round: u32,
    /// Where to start.
    pub network: Network,
    /// How to scale the inputs.
    pub standardisation: Standardisation,
    /// Training rows of all institutions, as the statistics found.
    pub training: Count,
    /// How to train.
    pub local: LocalTraining,
    /// What a step does with a gradient.
    pub steps: Steps,
    /// Of fed-prox: how strongly the local model is drawn to where it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proximal: Option<f64>,
    /// How much rows of either class count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class_weights: Option<ClassWeights>,
    /// Of scaffold: what its control variates are made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Control>,
    /// The most rows of one institution, as in the contract.
    pub max_rows: u64,
}

/// What the control variates of a round are made of; empty in the first, which has none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SpelledControl", into = "SpelledControl")]
pub struct Control {
    /// The common model of the round before: an institution's variate is the gradient of its own loss there.
    pub at: Vec<f64>,
    /// The mean of the variates of those who answered the round before.
    pub common: Vec<f64>,
    /// Whether they are spelled packed, and not as decimals.
    pub packed: bool,
}

/// The same as questions spell it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpelledControl {
    at: Numbers,
    common: Numbers,
}

impl From<Control> for SpelledControl {
    fn from(Control { at, common, packed }: Control) -> Self {
        let spelled = |values| Numbers { values, packed };
        Self { at: spelled(at), common: spelled(common) }
    }
}

impl TryFrom<SpelledControl> for Control {
    type Error = &'static str;

    fn try_from(SpelledControl { at, common }: SpelledControl) -> Result<Self, Self::Error> {
        let packed = at.packed;
        match common.packed == packed {
            true => Ok(Self { at: at.values, common: common.values, packed }),
            false => Err("its two vectors are spelled differently"),
        }
    }
}

impl NetworkQuestion {
    /// What an answer looks like.
    ///
    /// # Errors
    /// When the question has no layout.
    pub fn layout(&self) -> Result<Layout, ProgramError> {
        layout(self.network.parameters.len(), self.control.is_some(), self.max_rows)
    }

    /// Checks that rows of the table can be trained on as it asks.
    pub(super) fn check(&self, table: &Table) -> Result<(), ProgramError> {
        let Self { local, training, .. } = self;
        let positive = |number: f64| number > 0.0 && number.is_finite();
        let problem = if !self.network.fits(table.contract()) {
            "its network does not fit the contract, or its parameters are not finite numbers"
        } else if local.epochs == 0 || local.batch_size == 0 {
            "epochs and batch size start at 1"
        } else if training.positives == 0 || training.positives >= training.rows {
            "there are no training rows of both classes"
        } else if !(positive(local.learning_rate) && local.l2 >= 0.0 && local.l2.is_finite()) {
            "learning rate or penalty is out of range"
        } else if self.proximal.is_some_and(|proximal| !(proximal >= 0.0 && proximal.is_finite())) {
            "the pull to the common model is out of range"
        } else if matches!(self.class_weights, Some(ClassWeights::Positive(weight)) if !positive(weight)) {
            "a class weight is out of range"
        } else if self.control.as_ref().is_some_and(|control| !control.fits(self.network.parameters.len())) {
            "its control variates do not fit the network, or are not finite numbers"
        } else {
            return Ok(());
        };
        Err(ProgramError::BadQuestion(problem.into()))
    }
}

impl Control {
    /// Whether there are no variates yet.
    pub fn is_empty(&self) -> bool {
        self.at.is_empty() && self.common.is_empty()
    }

    /// Whether there are none yet, or as many as so many parameters need, finite all.
    fn fits(&self, parameters: usize) -> bool {
        let fits =
            |values: &[f64]| values.len() == parameters && values.iter().all(|value| value.is_finite());
        self.is_empty() || fits(&self.at) && fits(&self.common)
    }
}

/// What answers to the questions of a job look like.
pub(in crate::program) fn layout_of(
    terms: &NeuralNetworkTerms,
    contract: &Contract,
) -> Result<Layout, ProgramError> {
    let count = parameters(&terms.entry(contract), &terms.hidden)
        .ok_or_else(|| ProgramError::BadQuestion("no network has these layers".into()))?;
    layout(count, terms.averaging.optimiser == Optimiser::Scaffold, contract.max_rows)
}

/// What an answer about a network of so many parameters looks like: the rows trained on, the weighted change of each
/// parameter, and the weighted control variate where there are some. Each fits one limb of 20 bits, so up to 16
/// institutions under KSA-S32.
fn layout(parameters: usize, has_control: bool, max_rows: u64) -> Result<Layout, ProgramError> {
    let len = u32::try_from(parameters).map_err(|_| ProgramError::BadQuestion("it is too large".into()))?;
    let block =
        |name: &str| Block { name: name.into(), len, bound: STEPS * RESOLUTION, resolution: RESOLUTION };
    let mut blocks = vec![count_block(ROWS, 1, max_rows), block(UPDATE)];
    blocks.extend(has_control.then(|| block(CONTROL)));
    Ok(Layout::new(blocks)?)
}

/// One limb of 20 bits.
const STEPS: f64 = ((1 << 20) - 1) as f64;
/// About four millionths. What is weighted by a share of the rows and below four is not clipped: a change of four in one
/// round is none that training should make, and gradients of standardised inputs stay far below.
const RESOLUTION: f64 = 1.0 / (1 << 18) as f64;

pub(super) const ROWS: &str = "rows";
pub(super) const UPDATE: &str = "update";
pub(super) const CONTROL: &str = "control";
