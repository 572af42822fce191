//! The coordinator half of a job's training, whatever its program and solver.

use syndic_round::Sum;

use super::logistic_regression::LogisticRegression;
use super::logistic_regression::inference::Fit;
use super::logistic_regression::newton::{Newton, NewtonTerms};
use super::question::Question;
use super::statistics::Summary;
use super::{Next, Program, ProgramError};
use crate::coefficients::Coefficients;
use crate::job::{Job, LogisticRegressionTerms, ProgramTerms, Solver};

/// Training, and how far it is.
#[derive(Clone, Debug)]
pub(super) enum Training {
    FedAvg(LogisticRegression),
    Newton(Box<Newton>),
}

impl Training {
    /// Training of `job` before its first round.
    pub(super) fn new(job: &Job, summary: &Summary) -> Self {
        let ProgramTerms::LogisticRegression(LogisticRegressionTerms { solver, l2 }) = job.program;
        let (contract, rounds) = (&job.contract, job.rounds.count);
        match solver {
            Solver::FedAvg(local) => {
                let (inputs, max_rows) = (contract.inputs(), contract.max_rows);
                Self::FedAvg(LogisticRegression::new(inputs, max_rows, summary, local, l2, rounds))
            }
            Solver::Newton { encoding } => {
                let terms = NewtonTerms { encoding, l2, rounds };
                Self::Newton(Box::new(Newton::new(contract, summary, terms)))
            }
        }
    }

    /// What is asked; none once it is finished.
    pub(super) fn question(&mut self) -> Result<Option<Question>, ProgramError> {
        self.next(None)
    }

    /// Moves on with the sum of the answers to what was asked.
    pub(super) fn next(&mut self, sum: Option<&Sum>) -> Result<Option<Question>, ProgramError> {
        Ok(match self {
            Self::FedAvg(training) => asked(training.next(sum)?).map(Question::Train),
            Self::Newton(training) => asked(training.next(sum)?).map(Question::Newton),
        })
    }

    /// The training round that is asked for, or was the last to be, counted from 1.
    pub(super) fn training_round(&self) -> u32 {
        match self {
            Self::FedAvg(training) => training.training_round(),
            Self::Newton(training) => training.training_round(),
        }
    }

    /// Whether the training round that is asked for is the last there may be.
    pub(super) fn is_last(&self) -> bool {
        match self {
            Self::FedAvg(training) => training.is_last(),
            Self::Newton(training) => training.is_last(),
        }
    }

    /// Whether nothing more is asked.
    pub(super) fn is_finished(&self) -> bool {
        match self {
            Self::FedAvg(training) => training.is_finished(),
            Self::Newton(training) => training.is_finished(),
        }
    }

    /// The model so far.
    pub(super) fn coefficients(&self) -> &Coefficients {
        match self {
            Self::FedAvg(training) => training.coefficients(),
            Self::Newton(training) => training.coefficients(),
        }
    }

    /// What is known of the model at the end, where the solver knows more than its weights.
    pub(super) fn fit(&self, job: &Job) -> Option<Fit> {
        match self {
            Self::FedAvg(_) => None,
            Self::Newton(training) => training.fit(&job.contract),
        }
    }
}

fn asked<Question, Outcome>(next: Next<Question, Outcome>) -> Option<Question> {
    match next {
        Next::Ask(question) => Some(question),
        Next::Done(_) => None,
    }
}
