//! Plays a job over tables in place of institutions, with sums that are coded as encrypted ones are.

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use syndic_learning::{Job, JobRun, Next, Outcome, Program, ProgramError, Question, Table};
use syndic_round::{Coding, ParameterSet, Sum};

/// What the job comes to.
pub(crate) fn played(job: &str, tables: &[Table]) -> Outcome {
    tried(job, tables).unwrap()
}

/// The same where it may end without a model.
pub(crate) fn tried(job: &str, tables: &[Table]) -> Result<Outcome, ProgramError> {
    of_job(&Job::from_toml(job).unwrap(), tables)
}

/// The same of a job that was read already.
pub(crate) fn of_job(job: &Job, tables: &[Table]) -> Result<Outcome, ProgramError> {
    let mut run = JobRun::new(job);
    let mut next = run.next(None)?;
    loop {
        match next {
            Next::Ask(question) => next = run.next(Some(&sum(&question, tables)))?,
            Next::Done(ending) => return Ok(ending.into_released().unwrap()),
        }
    }
}

fn sum(question: &Question, tables: &[Table]) -> Sum {
    let (layout, coding) = (question.layout().unwrap(), Coding::new(ParameterSet::S32, tables.len() as u16));
    let mut rng = ChaCha20Rng::seed_from_u64(6);
    let updates: Vec<_> = tables
        .iter()
        .map(|table| JobRun::answer(question, table, &mut rng).unwrap().clip().quantise(&coding, &mut rng))
        .collect();
    let mut total = vec![0; updates[0].coefficients().len()];
    for update in &updates {
        total.iter_mut().zip(update.coefficients()).for_each(|(sum, value)| *sum += value);
    }
    Sum::decode(layout, &coding, tables.len() as u16, &total).unwrap()
}
