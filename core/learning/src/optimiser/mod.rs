//! What becomes of the average of local training, and what local steps look like: one paper a file.
//!
//! An optimiser has a server side, `next`, which takes the model further by the mean update of a round, and a client
//! side, which changes the gradient of a local step. Both are pure. Vectors have an entry for each parameter of the model.

pub mod adam;
pub mod fed_adam;
pub mod fed_avg;
pub mod fed_prox;
pub mod fed_yogi;
pub mod scaffold;

use serde::{Deserialize, Serialize};

use adam::Adam;
use fed_adam::{Adaptive, Moments};

/// How the mean update of a round moves the model, and how local steps are held together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimiser {
    /// [`fed_avg`].
    FedAvg,
    /// [`fed_prox`].
    FedProx {
        /// How strongly local models are drawn to the common one.
        proximal: f64,
    },
    /// [`fed_adam`].
    FedAdam(Adaptive),
    /// [`fed_yogi`].
    FedYogi(Adaptive),
    /// [`scaffold`].
    Scaffold,
}

/// What a step of local training does with a gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Steps {
    /// Goes against it, by the learning rate.
    #[default]
    Sgd,
    /// [`adam`], with moments that begin anew in each round: nothing is kept between rounds.
    Adam,
}

/// Local steps under way.
#[derive(Clone, Debug)]
pub(crate) enum Stepper {
    Sgd,
    Adam(Adam),
}

impl Optimiser {
    /// The name in job files.
    pub fn name(&self) -> &'static str {
        match self {
            Self::FedAvg => FED_AVG,
            Self::FedProx { .. } => FED_PROX,
            Self::FedAdam(_) => FED_ADAM,
            Self::FedYogi(_) => FED_YOGI,
            Self::Scaffold => SCAFFOLD,
        }
    }

    /// What the server side remembers of earlier rounds before the first one, of a model of so many parameters.
    pub fn moments(&self, parameters: usize) -> Option<Moments> {
        match self {
            Self::FedAdam(terms) | Self::FedYogi(terms) => Some(Moments::new(terms, parameters)),
            Self::FedAvg | Self::FedProx { .. } | Self::Scaffold => None,
        }
    }

    /// The server side: moves `model` by the mean update of a round, weighted by rows.
    pub fn next(&self, moments: &mut Option<Moments>, model: &mut [f64], mean: &[f64]) {
        match (self, moments) {
            (Self::FedAdam(terms), Some(moments)) => fed_adam::next(terms, moments, model, mean),
            (Self::FedYogi(terms), Some(moments)) => fed_yogi::next(terms, moments, model, mean),
            _ => fed_avg::next(model, mean),
        }
    }

    /// How strongly local models are drawn to the common one, where they are.
    pub fn proximal(&self) -> Option<f64> {
        match self {
            Self::FedProx { proximal } => Some(*proximal),
            _ => None,
        }
    }
}

impl Stepper {
    /// Steps before the first, of a model of so many parameters.
    pub(crate) fn new(steps: Steps, parameters: usize) -> Self {
        match steps {
            Steps::Sgd => Self::Sgd,
            Steps::Adam => Self::Adam(Adam::new(parameters)),
        }
    }

    /// Moves `model` by one step.
    pub(crate) fn step(&mut self, model: &mut [f64], gradient: &[f64], learning_rate: f64) {
        match self {
            Self::Sgd => {
                model.iter_mut().zip(gradient).for_each(|(value, slope)| *value -= learning_rate * slope);
            }
            Self::Adam(adam) => adam.step(model, gradient, learning_rate),
        }
    }
}

pub(crate) const FED_AVG: &str = "fed-avg";
pub(crate) const FED_PROX: &str = "fed-prox";
pub(crate) const FED_ADAM: &str = "fed-adam";
pub(crate) const FED_YOGI: &str = "fed-yogi";
pub(crate) const SCAFFOLD: &str = "scaffold";
