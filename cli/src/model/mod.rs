//! `syndic model ...`: released models, and what else is made of them.

pub mod args;
pub mod drift;
pub mod export;
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
    }
}
