//! `syndic model ...`: released models, and what else is made of them.

pub mod approve;
pub mod args;
pub mod compare;
pub mod drift;
pub mod drift_job;
pub mod drifted;
pub mod export;
pub mod registry;
pub mod released;

use crate::Result;
use args::ModelCommand;

/// Does what the command says.
///
/// # Errors
/// Whatever went wrong, for the person who called.
pub fn run(command: &ModelCommand) -> Result<()> {
    match command {
        ModelCommand::Export(args) => export::run(args),
        ModelCommand::Drift(args) => drift::run(args),
        ModelCommand::DriftJob(args) => drift_job::run(args),
        ModelCommand::List(args) => registry::list(args),
        ModelCommand::Show(args) => registry::show(args),
        ModelCommand::Compare(args) => compare::run(args),
        ModelCommand::NewKey(args) => approve::new_key(args),
        ModelCommand::Promote(args) => approve::promote(args),
        ModelCommand::Withdraw(args) => approve::withdraw(args),
    }
}
