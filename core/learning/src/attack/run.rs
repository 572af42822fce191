//! A job through the integers of its rounds, in one process and without encryption: with the same sums, and the same model.

use std::sync::Arc;

use rand_core::CryptoRng;
use syndic_round::{Coding, Layout, ParameterSet, Sum};

use super::AttackError;
use crate::job::{Job, ProgramTerms};
use crate::model::Model;
use crate::program::job_table::JobTable;
use crate::program::question::Question;
use crate::program::run::{Ending, JobRun};
use crate::program::{Next, Program as _};
use crate::table::Table;

/// A job that was run.
pub struct Trained {
    /// The model that it releases.
    pub model: Model,
    /// What was opened on the way, as far as it was kept.
    pub opened: Vec<Opened>,
    /// Sums over training rows that were opened.
    pub sums: u32,
}

/// One round: what was asked, what was opened, and what one institution contributed.
pub struct Opened {
    /// What was asked.
    pub question: Question,
    /// The sum, entry by entry of the layout.
    pub sum: Vec<f64>,
    /// What the institution that is watched contributed: what nobody sees who keeps to the protocol.
    pub update: Vec<f64>,
}

/// What is kept of a run.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// The institution that is watched.
    pub watched: usize,
    /// Entries of sums: those of the first rounds, until there are so many.
    pub entries: usize,
}

impl Keep {
    /// Nothing.
    pub const NOTHING: Self = Self { watched: 0, entries: 0 };
}

/// Runs `job` on one table an institution.
///
/// # Errors
/// An external trainer; whatever the program says of the tables.
pub fn run(
    job: &Job,
    tables: &[Arc<Table>],
    keep: Keep,
    rng: &mut impl CryptoRng,
) -> Result<Trained, AttackError> {
    if matches!(job.program, ProgramTerms::External(_)) {
        return Err(AttackError::External);
    }
    if !job.program.trains() {
        return Err(AttackError::Evaluation);
    }
    let institutions = tables.len() as u16;
    let coding = Coding::new(ParameterSet::S32, institutions);
    let mut answering: Vec<JobTable> = tables.iter().map(|table| JobTable::new(table.clone())).collect();
    let mut program = JobRun::new(job);
    let mut next = program.next(None)?;
    let (mut opened, mut kept, mut sums) = (Vec::new(), 0, 0);
    loop {
        let question = match next {
            Next::Ask(question) => question,
            Next::Done(Ending::Released(outcome)) => {
                return Ok(Trained { model: outcome.model, opened, sums });
            }
            Next::Done(Ending::Compared(_) | Ending::Described(_)) => return Err(AttackError::Evaluation),
        };
        let layout = question.layout().map_err(AttackError::Program)?;
        let (mut total, mut update) = (Vec::new(), None);
        for (institution, table) in answering.iter_mut().enumerate() {
            let quantised = table.answer(&question, rng)?.clip().quantise(&coding, rng);
            let coefficients = quantised.coefficients();
            total.resize(coefficients.len(), 0);
            total.iter_mut().zip(coefficients).for_each(|(sum, value): (&mut i64, &i64)| *sum += value);
            if institution == keep.watched && kept < keep.entries {
                update = Some(Sum::decode(layout.clone(), &coding, 1, coefficients)?);
            }
        }
        let sum = Sum::decode(layout, &coding, institutions, &total)?;
        // Validation and test rows are nobody's training rows.
        let is_of_training_rows =
            !matches!(question, Question::Evaluate(_) | Question::NoisyEvaluate(_) | Question::Fairness(_));
        sums += u32::from(is_of_training_rows);
        if let (true, Some(update)) = (is_of_training_rows, update) {
            kept += sum.steps().len();
            opened.push(Opened { question, sum: values(&sum), update: values(&update) });
        }
        next = program.next(Some(&sum))?;
    }
}

/// A sum entry by entry.
fn values(sum: &Sum) -> Vec<f64> {
    sum.steps()
        .iter()
        .zip(resolutions(sum.layout()))
        .map(|(&step, resolution)| step as f64 * resolution)
        .collect()
}

/// The size of a step of each entry.
pub(super) fn resolutions(layout: &Layout) -> impl Iterator<Item = f64> + '_ {
    layout.blocks().iter().flat_map(|block| std::iter::repeat_n(block.resolution, block.len as usize))
}
