//! Why a job cannot compare rows with those of a card.

use thiserror::Error;

/// How the bins of a job file depart from a model's card.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Departs {
    /// The card has none.
    #[error("the model's card does not say where the rows were that it was trained on")]
    NoReference,
    /// It has others.
    #[error("the job has other bins of training rows than the model's card")]
    OtherReference,
}

impl Departs {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoReference => "drift.no-reference",
            Self::OtherReference => "drift.other-reference",
        }
    }

    /// What to do next.
    pub fn help(&self) -> &'static str {
        match self {
            Self::NoReference => "compare with a model whose job has a section [drift]",
            Self::OtherReference => {
                "let `syndic model drift-job` write the job file from the model's card, and leave [program.reference] as it is"
            }
        }
    }
}
