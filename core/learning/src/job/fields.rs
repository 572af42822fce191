//! The terms of linear models and networks as they are written, all in one table: each solver and optimiser has keys of
//! its own.

use serde::{Deserialize, Serialize};

use super::program::{Encoding, FedAvgTerms, LogisticRegressionTerms, NEWTON, Solver};
use crate::optimiser::fed_adam::Adaptive;
use crate::optimiser::{FED_ADAM, FED_AVG, FED_PROX, FED_YOGI, Optimiser, SCAFFOLD, Steps};
use crate::program::logistic_regression::noisy::{self, NoisyGradientTerms};
use crate::program::neural_network::{
    AveragingTerms, ClassWeights, NetworkTerms, NeuralNetworkTerms, NoisyNetworkTerms,
};

/// The keys. Those that the terms do not have are left out.
#[derive(Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fields {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    solver: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hidden: Option<Vec<u32>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    embedding: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seed: Option<u32>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    packed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    optimiser: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    encoding: Option<Encoding>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local_epochs: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    batch_size: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    learning_rate_decay: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    local_steps: Option<Steps>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    proximal: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_learning_rate: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_beta1: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_beta2: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    server_tau: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class_weights: Option<ClassWeights>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sample: Option<f64>,
    l2: f64,
}

impl From<LogisticRegressionTerms> for Fields {
    fn from(LogisticRegressionTerms { solver, l2 }: LogisticRegressionTerms) -> Self {
        let fields = match solver {
            Solver::Newton { encoding, class_weights } => {
                Self { encoding: Some(encoding), class_weights, ..Self::default() }
            }
            Solver::FedAvg(local) => Self::of_local(local),
            Solver::Averaging(averaging) => Self::of_averaging(averaging),
            Solver::NoisyGradient(NoisyGradientTerms { learning_rate, sample }) => {
                Self { learning_rate: Some(learning_rate), sample, ..Self::default() }
            }
        };
        Self { solver: Some(solver.name().into()), l2, ..fields }
    }
}

impl From<NeuralNetworkTerms> for Fields {
    fn from(terms: NeuralNetworkTerms) -> Self {
        let NeuralNetworkTerms { hidden, embedding, packed, seed, l2, averaging } = terms;
        Self {
            hidden: Some(hidden),
            embedding,
            packed,
            seed: Some(seed),
            optimiser: Some(averaging.optimiser.name().into()),
            l2,
            ..Self::of_averaging(averaging)
        }
    }
}

impl From<NetworkTerms> for Fields {
    fn from(terms: NetworkTerms) -> Self {
        match terms {
            NetworkTerms::Averaged(terms) => terms.into(),
            NetworkTerms::Noisy(NoisyNetworkTerms { hidden, embedding, seed, l2, gradient }) => Self {
                hidden: Some(hidden),
                embedding,
                seed: Some(seed),
                optimiser: Some(noisy::SOLVER.into()),
                learning_rate: Some(gradient.learning_rate),
                sample: gradient.sample,
                l2,
                ..Self::default()
            },
        }
    }
}

impl TryFrom<Fields> for LogisticRegressionTerms {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let l2 = fields.l2;
        let solver = match fields.solver.as_deref() {
            Some(NEWTON) => {
                let encoding = fields.encoding.ok_or(NOT_OF_SOLVER)?;
                let solver = Solver::Newton { encoding, class_weights: fields.class_weights };
                fields.is_only(LogisticRegressionTerms { solver, l2 }.into())?;
                solver
            }
            Some(noisy::SOLVER) => {
                let learning_rate = fields.learning_rate.ok_or(NOT_OF_SOLVER)?;
                let terms = NoisyGradientTerms { learning_rate, sample: fields.sample };
                let solver = Solver::NoisyGradient(terms);
                fields.is_only(LogisticRegressionTerms { solver, l2 }.into())?;
                solver
            }
            Some(FED_AVG) if fields.local_steps.is_none() => {
                let local = fields.local().ok_or(NOT_OF_SOLVER)?;
                fields.is_only(LogisticRegressionTerms { solver: Solver::FedAvg(local), l2 }.into())?;
                Solver::FedAvg(local)
            }
            Some(name) => {
                let averaging = fields.averaging(name).ok_or(NOT_OF_SOLVER)?;
                fields
                    .is_only(LogisticRegressionTerms { solver: Solver::Averaging(averaging), l2 }.into())?;
                Solver::Averaging(averaging)
            }
            None => return Err(NOT_OF_SOLVER),
        };
        Ok(Self { solver, l2 })
    }
}

impl TryFrom<Fields> for NeuralNetworkTerms {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        let averaging = fields.optimiser.as_deref().and_then(|name| fields.averaging(name));
        let parts = (fields.hidden.clone(), fields.seed, averaging);
        let (Some(hidden), Some(seed), Some(averaging)) = parts else { return Err(NOT_OF_SOLVER) };
        let (embedding, packed, l2) = (fields.embedding, fields.packed, fields.l2);
        let terms = Self { hidden, embedding, packed, seed, l2, averaging };
        fields.is_only(terms.clone().into())?;
        Ok(terms)
    }
}

impl TryFrom<Fields> for NetworkTerms {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Self, Self::Error> {
        if fields.optimiser.as_deref() != Some(noisy::SOLVER) {
            return Ok(Self::Averaged(fields.try_into()?));
        }
        let parts = (fields.hidden.clone(), fields.seed, fields.learning_rate);
        let (Some(hidden), Some(seed), Some(learning_rate)) = parts else { return Err(NOT_OF_SOLVER) };
        let gradient = NoisyGradientTerms { learning_rate, sample: fields.sample };
        let (embedding, l2) = (fields.embedding, fields.l2);
        let terms = Self::Noisy(NoisyNetworkTerms { hidden, embedding, seed, l2, gradient });
        fields.is_only(terms.clone().into())?;
        Ok(terms)
    }
}

impl Fields {
    fn of_local(local: FedAvgTerms) -> Self {
        Self {
            local_epochs: Some(local.local_epochs),
            batch_size: Some(local.batch_size),
            learning_rate: Some(local.learning_rate),
            learning_rate_decay: Some(local.learning_rate_decay),
            ..Self::default()
        }
    }

    fn of_averaging(averaging: AveragingTerms) -> Self {
        let AveragingTerms { optimiser, local, steps, class_weights } = averaging;
        let adaptive = match optimiser {
            Optimiser::FedAdam(adaptive) | Optimiser::FedYogi(adaptive) => Some(adaptive),
            Optimiser::FedAvg | Optimiser::FedProx { .. } | Optimiser::Scaffold => None,
        };
        Self {
            local_steps: Some(steps),
            proximal: optimiser.proximal(),
            server_learning_rate: adaptive.map(|adaptive| adaptive.learning_rate),
            server_beta1: adaptive.map(|adaptive| adaptive.beta1),
            server_beta2: adaptive.map(|adaptive| adaptive.beta2),
            server_tau: adaptive.map(|adaptive| adaptive.tau),
            class_weights,
            ..Self::of_local(local)
        }
    }

    fn local(&self) -> Option<FedAvgTerms> {
        Some(FedAvgTerms {
            local_epochs: self.local_epochs?,
            batch_size: self.batch_size?,
            learning_rate: self.learning_rate?,
            learning_rate_decay: self.learning_rate_decay?,
        })
    }

    fn averaging(&self, optimiser: &str) -> Option<AveragingTerms> {
        let adaptive = || {
            Some(Adaptive {
                learning_rate: self.server_learning_rate?,
                beta1: self.server_beta1?,
                beta2: self.server_beta2?,
                tau: self.server_tau?,
            })
        };
        let optimiser = match optimiser {
            FED_AVG => Optimiser::FedAvg,
            FED_PROX => Optimiser::FedProx { proximal: self.proximal? },
            FED_ADAM => Optimiser::FedAdam(adaptive()?),
            FED_YOGI => Optimiser::FedYogi(adaptive()?),
            SCAFFOLD => Optimiser::Scaffold,
            _ => return None,
        };
        let (local, steps) = (self.local()?, self.local_steps?);
        Some(AveragingTerms { optimiser, local, steps, class_weights: self.class_weights })
    }

    /// Refuses keys beyond those of the terms, which `written` has.
    fn is_only(&self, written: Self) -> Result<(), &'static str> {
        if *self == written { Ok(()) } else { Err(NOT_OF_SOLVER) }
    }
}

const NOT_OF_SOLVER: &str = "the solver or optimiser is not known, or its terms are not those of it";
