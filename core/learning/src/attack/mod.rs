//! Attacks on a job, played with its own rows: what somebody finds out who sees a released model, the opened sums, or one
//! institution's update without encryption.
//!
//! **The game** (membership inference: Shokri and others, S&P 2017; Yeom and others, CSF 2018). Each training row is in or out by the
//! toss of a coin, the job is trained on those that are in, and the adversary, who knows all rows, says of each which. It
//! is played many times; every model is attacked with what the others show. [`game`] tosses, [`run`] trains through the integers of a
//! round, without encryption, [`threshold`] and [`lira`] attack a model, [`tracing`] sums, and [`figures`] says how well.
//!
//! **Inversion.** [`inversion`] reads rows out of an update: what is in the clear of one institution, or of a sum.

pub mod bound;
pub mod figures;
pub mod game;
pub mod inversion;
pub mod lira;
pub mod run;
mod solve;
#[cfg(test)]
mod tests;
pub mod threshold;
pub mod tracing;

use syndic_round::vector::SumError;
use thiserror::Error;

use crate::encode::StandardisationMismatch;
use crate::model::ModelError;
use crate::program::ProgramError;

/// Why an attack cannot be played.
#[derive(Debug, Error)]
pub enum AttackError {
    /// Only its trainer can train it.
    #[error("the job is trained by an external trainer, which no attack here can run")]
    External,
    /// It trains nothing.
    #[error(
        "the job compares released models or describes rows, and trains none that could tell anything of rows"
    )]
    Evaluation,
    /// The job cannot be run on the rows of a game.
    #[error("the job cannot be trained on half of the rows: {0}")]
    Program(#[from] ProgramError),
    /// The model does not score them.
    #[error("the model does not score the rows: {0}")]
    Model(#[from] ModelError),
    /// The contributions do not add up to a sum.
    #[error("the contributions make no sum: {0}")]
    Sum(#[from] SumError),
}

impl AttackError {
    /// Stable machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::External => "attack.external-trainer",
            Self::Evaluation => "attack.no-training",
            Self::Program(error) => error.code(),
            Self::Model(error) => error.code(),
            Self::Sum(_) => "attack.no-sum",
        }
    }

    /// What to do about it.
    pub fn help(&self) -> &'static str {
        match self {
            Self::External => "name a job with a program that institutions run by themselves",
            Self::Evaluation => "name the job that trained the model",
            Self::Program(_) => {
                "each game trains on about half of the rows: both classes must be among those of any half, so take a larger table"
            }
            Self::Model(_) => "run the same release on table and job",
            Self::Sum(_) => "take fewer institutions; if it recurs, tell the makers",
        }
    }
}

impl From<StandardisationMismatch> for AttackError {
    fn from(error: StandardisationMismatch) -> Self {
        Self::Program(error.into())
    }
}
