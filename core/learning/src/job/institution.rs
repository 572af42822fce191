//! Noise for whole institutions: the terms of `mode = "institution-level"`.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::privacy::NoiseSource;
use super::reader::Reader;
use super::{Job, LogisticRegressionTerms, ProgramTerms, Solver};
use crate::contract::Contract;
use crate::network::parameters;
use crate::optimiser::{FED_AVG, Optimiser, Steps};
use crate::privacy::PrivacyError;
use crate::privacy::calibration::Calibration;
use crate::program::neural_network::noisy_update;
use crate::program::neural_network::{AveragingTerms, ClassWeights, NeuralNetworkTerms};

/// The guarantee for each institution, for the whole job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstitutionLevelTerms {
    /// Epsilon of the whole job.
    pub epsilon: f64,
    /// Delta of the whole job.
    pub delta: f64,
    /// Whose noise has to suffice.
    pub noise: NoiseSource,
    /// h: of distributed noise, institutions whose noise has to suffice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub honest: Option<u16>,
    /// The longest change of the model, as one vector, that one institution contributes in a round.
    pub clip: f64,
}

impl ProgramTerms {
    /// Whether noise in the average suffices.
    pub(super) fn averages_alike(&self) -> bool {
        self.averaged_alike().is_some()
    }

    /// The terms of averaging, where nothing that is averaged or that weighs rows depends on other sums: so noise in the average
    /// suffices.
    fn averaged_alike(&self) -> Option<NeuralNetworkTerms> {
        let terms = match self {
            Self::LogisticRegression(LogisticRegressionTerms { solver: Solver::FedAvg(local), l2 }) => {
                let (optimiser, steps) = (Optimiser::FedAvg, Steps::Sgd);
                let averaging = AveragingTerms { optimiser, local: *local, steps, class_weights: None };
                NeuralNetworkTerms::linear(*l2, averaging)
            }
            Self::LogisticRegression(LogisticRegressionTerms {
                solver: Solver::Averaging(averaging),
                l2,
            }) => NeuralNetworkTerms::linear(*l2, *averaging),
            Self::NeuralNetwork(terms) => terms.averaged()?.clone(),
            _ => return None,
        };
        let AveragingTerms { optimiser, class_weights, .. } = &terms.averaging;
        let alike =
            *optimiser != Optimiser::Scaffold && !matches!(class_weights, Some(ClassWeights::Named(_)));
        alike.then_some(terms)
    }
}

impl Job {
    /// How changes are averaged, and the noise in the average; none where the noise is not for whole institutions.
    pub(crate) fn averaged_with_noise(&self) -> Option<(&InstitutionLevelTerms, NeuralNetworkTerms)> {
        Some((self.privacy.institution_level()?, self.program.averaged_alike()?))
    }
}

/// The noise of a job with these terms, under this contract and of so many rounds.
pub(super) fn calibrated(
    terms: &InstitutionLevelTerms,
    program: &ProgramTerms,
    contract: &Contract,
    rounds: u32,
) -> Result<Calibration, PrivacyError> {
    let network = program.averaged_alike();
    let count = network.and_then(|network| parameters(&network.entry(contract), &network.hidden));
    let Some(count) = count else {
        return Err(PrivacyError::Sum("the program averages nothing that can have noise"));
    };
    let contributors = terms.noise.contributors(terms.honest);
    noisy_update::mechanism(count, rounds, contributors).calibrated(terms.epsilon, terms.delta)
}

/// Refuses programs whose sums cannot have noise for whole institutions.
pub(super) fn check_program(reader: &mut Reader<'_>, at: Option<&Range<usize>>, program: &ProgramTerms) {
    let at = || at.cloned();
    if program.averages_alike() {
        return;
    }
    let averaging = match program {
        ProgramTerms::LogisticRegression(LogisticRegressionTerms {
            solver: Solver::Averaging(terms),
            ..
        }) => Some(terms),
        ProgramTerms::NeuralNetwork(terms) => terms.averaged().map(|terms| &terms.averaging),
        _ => None,
    };
    match (program, averaging) {
        (_, Some(AveragingTerms { optimiser: Optimiser::Scaffold, .. })) => {
            let key = if program.is_linear() { "solver" } else { "optimiser" };
            let message = "`scaffold` sums control variates beside the changes, which have no noise";
            let help = format!("write `{key} = \"{FED_AVG}\"` in [program], or another that averages");
            reader.add("privacy.solver", at(), message, help);
        }
        (_, Some(_)) => {
            let message = "`class_weights = \"balanced\"` needs exact counts of labels";
            let help = "say how much a positive counts: `class_weights = 3.0`; or remove the key";
            reader.add("privacy.class-weights", at(), message, help);
        }
        (ProgramTerms::LogisticRegression(_) | ProgramTerms::NeuralNetwork(_), None) => {
            let key = if program.is_linear() { "solver" } else { "optimiser" };
            let message =
                format!("`{MODE}` adds noise to changes of models that institutions train by themselves");
            let help = format!("write `{key} = \"{FED_AVG}\"` in [program]");
            reader.add("privacy.solver", at(), message, help);
        }
        (other, None) => {
            let message = format!("`{}` cannot add noise to what it asks for", other.name());
            let help =
                "take `name = \"logistic-regression\"`, or `mode = \"none\"` if exact sums are acceptable";
            reader.add("privacy.program", at(), message, help);
        }
    }
}

/// The name in job files.
pub(super) const MODE: &str = "institution-level";
